#include "bitcoin/policy.h"

#include "bitcoin/check.h"
#include "bitcoin/script.h"

enum {
	MAX_STANDARD_VERSION = 3,
	MAX_STANDARD_MULTISIG_KEYS = 3, /* bare */
	MAX_DUST_OUTPUTS = 1,
	MAX_P2SH_SIGOPS = 15,
	MAX_P2WSH_SCRIPT = 3600,
	MAX_P2WSH_ITEMS = 100,
	MAX_WITNESS_ITEM = 80, /* bytes, of P2WSH and of tapscript */
	TAPROOT_LEAF_MASK = 0xfe,
	/* Bytes of the input that spends: outpoint, sequence, script and its length. */
	SPEND_SIZE = 32 + 4 + 1 + 107 + 4,
	SPEND_SIZE_WITNESS = 32 + 4 + 1 + 107 / BB_WITNESS_SCALE + 4,
};

/* How relay policy takes a script. Esplora's types, which lines show, draw other lines. */
enum kind {
	STANDARD, /* and nothing more to ask */
	SCRIPT_HASH,
	MULTISIG,
	NULL_DATA,
	WITNESS_UNKNOWN,
	NONSTANDARD,
};

static enum kind kind_of(struct bb_span script)
{
	struct bb_span program;
	unsigned version;

	switch (bb_script_type(script)) {
	case BB_P2PK:
	case BB_P2PKH:
	case BB_P2WPKH:
	case BB_P2WSH:
	case BB_P2TR:
	case BB_ANCHOR: return STANDARD;
	case BB_P2SH: return SCRIPT_HASH;
	case BB_MULTISIG: return MULTISIG;
	case BB_OP_RETURN:
		script = BB_SPAN(script.data + 1, script.len - 1);
		return bb_script_is_push_only(script) ? NULL_DATA : NONSTANDARD;
	default: break;
	}
	return bb_script_is_witness(&version, &program, script) && version ? WITNESS_UNKNOWN
									   : NONSTANDARD;
}

int64_t bb_dust_limit(struct bb_span script)
{
	struct bb_span program;
	unsigned version;
	size_t size = 8 + bb_compact_len(script.len) + script.len;

	if (bb_script_is_unspendable(script))
		return 0;
	size += bb_script_is_witness(&version, &program, script) ? SPEND_SIZE_WITNESS
								 : SPEND_SIZE;
	return (int64_t)size * BB_DUST_FEE_RATE / 1000;
}

/* An output by itself, and what is left of the bytes that OP_RETURN outputs may have. */
static const char *check_output(size_t *data_left, struct bb_span script)
{
	struct bb_span keys[20];
	unsigned m, n;

	switch (kind_of(script)) {
	case NONSTANDARD: return "scriptpubkey";
	case MULTISIG:
		bb_script_is_multisig(&m, &n, keys, script);
		return n > MAX_STANDARD_MULTISIG_KEYS ? "scriptpubkey" : NULL;
	case NULL_DATA:
		if (script.len > *data_left)
			return "datacarrier";
		*data_left -= script.len;
		return NULL;
	default: return NULL;
	}
}

static size_t dust_count(const struct bb_tx *tx)
{
	size_t n = 0;

	for (size_t i = 0; i < tx->out_count; i++)
		n += tx->out[i].value_sat < bb_dust_limit(tx->out[i].script);
	return n;
}

static const char *check_outputs(const struct bb_tx *tx)
{
	size_t data_left = BB_MAX_DATACARRIER;
	const char *why;

	for (size_t i = 0; i < tx->out_count; i++) {
		if ((why = check_output(&data_left, tx->out[i].script)))
			return why;
	}
	return dust_count(tx) > MAX_DUST_OUTPUTS ? "dust" : NULL;
}

const char *bb_check_standard(const struct bb_tx *tx)
{
	const char *why;

	if (tx->version < 1 || tx->version > MAX_STANDARD_VERSION)
		return "version";
	if (bb_tx_weight(tx) > BB_MAX_STANDARD_WEIGHT)
		return "tx-size";
	for (size_t i = 0; i < tx->in_count; i++) {
		if (tx->in[i].script_sig.len > BB_MAX_STANDARD_SCRIPTSIG)
			return "scriptsig-size";
		if (!bb_script_is_push_only(tx->in[i].script_sig))
			return "scriptsig-not-pushonly";
	}
	if ((why = check_outputs(tx)))
		return why;
	/* Smaller ones can be taken for inner nodes of the Merkle tree (CVE-2017-12842). */
	return bb_tx_base_size(tx) < BB_MIN_STANDARD_SIZE ? "tx-size-small" : NULL;
}

/* The script that a P2SH input's pushes would leave on top: false where running them fails.
 * What OP_1 to OP_16 leave is no script that could matter: empty. */
static bool redeem_script(struct bb_span *script, struct bb_span script_sig)
{
	struct bb_reader r = bb_reader(script_sig.data, script_sig.len);
	struct bb_op op;
	bool any = false;

	while (bb_script_next(&op, &r)) {
		if (op.opcode > OP_16 || op.opcode == OP_RESERVED ||
			op.data.len > BB_MAX_ELEMENT)
			return false;
		*script = op.data;
		any = true;
	}
	return any && !r.bad;
}

static bool input_is_standard(const struct bb_txin *in, struct bb_span script)
{
	struct bb_span redeem;

	switch (kind_of(script)) {
	case NONSTANDARD:
	case WITNESS_UNKNOWN: return false;
	case SCRIPT_HASH:
		return redeem_script(&redeem, in->script_sig) &&
		       bb_script_sigops(redeem, true) <= MAX_P2SH_SIGOPS;
	default: return true;
	}
}

/* BIP 54: the signature operations that may be executed outside of witnesses. */
static uint64_t executed_sigops(const struct bb_txin *in, struct bb_span script)
{
	uint64_t n = bb_script_sigops(in->script_sig, true);
	struct bb_span redeem;

	if (!bb_script_is_p2sh(script))
		return n + bb_script_sigops(script, true);
	return bb_script_last_push(&redeem, in->script_sig) ? n + bb_script_sigops(redeem, true)
							    : n;
}

static bool p2wsh_is_standard(const struct bb_txin *in)
{
	const size_t items = in->witness_count - 1;

	if (in->witness[items].len > MAX_P2WSH_SCRIPT || items > MAX_P2WSH_ITEMS)
		return false;
	for (size_t i = 0; i < items; i++)
		if (in->witness[i].len > MAX_WITNESS_ITEM)
			return false;
	return true;
}

/* No annex, and no long items for a tapscript; other leaf versions are not known. */
static bool taproot_is_standard(const struct bb_txin *in)
{
	const size_t count = in->witness_count;
	struct bb_span last = in->witness[count - 1];

	if (count < 2)
		return true;
	if (!last.len || last.data[0] == BB_ANNEX_TAG)
		return false;
	if ((last.data[0] & TAPROOT_LEAF_MASK) != BB_TAPROOT_LEAF_TAPSCRIPT)
		return true;
	for (size_t i = 0; i < count - 2; i++)
		if (in->witness[i].len > MAX_WITNESS_ITEM)
			return false;
	return true;
}

static bool witness_is_standard(const struct bb_txin *in, struct bb_span script)
{
	const bool p2sh = bb_script_is_p2sh(script);
	struct bb_span program;
	unsigned version;

	if (!in->witness_count)
		return true;
	if (bb_script_type(script) == BB_ANCHOR)
		return false;
	if (p2sh && !redeem_script(&script, in->script_sig))
		return false;
	if (!bb_script_is_witness(&version, &program, script))
		return false;
	if (version == 0 && program.len == 32)
		return p2wsh_is_standard(in);
	if (version == 1 && program.len == 32 && !p2sh)
		return taproot_is_standard(in);
	return true;
}

/* Does it pay a miner? Then nobody has a reason to spend its dust. */
static bool pays_fee(const struct bb_tx *tx, const struct bb_prevout *prevouts)
{
	unsigned unjudged = 0;
	int64_t fee;

	return !bb_check_tx_inputs(&fee, &unjudged, tx, prevouts, -1, 0) && fee > 0;
}

const char *bb_check_standard_inputs(const struct bb_tx *tx, const struct bb_prevout *prevouts)
{
	uint64_t sigops = 0;

	if (bb_tx_is_coinbase(tx))
		return NULL;
	for (size_t i = 0; i < tx->in_count; i++)
		sigops += executed_sigops(&tx->in[i], prevouts[i].script);
	if (sigops > BB_MAX_STANDARD_LEGACY_SIGOPS)
		return "bad-txns-nonstandard-inputs";
	for (size_t i = 0; i < tx->in_count; i++)
		if (!input_is_standard(&tx->in[i], prevouts[i].script))
			return "bad-txns-nonstandard-inputs";
	for (size_t i = 0; i < tx->in_count; i++)
		if (!witness_is_standard(&tx->in[i], prevouts[i].script))
			return "bad-witness-nonstandard";
	if (dust_count(tx) && pays_fee(tx, prevouts))
		return "dust";
	if (bb_tx_sigops_cost(tx, prevouts, BB_VERIFY_STANDARD) > BB_MAX_STANDARD_SIGOPS_COST)
		return "bad-txns-too-many-sigops";
	return NULL;
}
