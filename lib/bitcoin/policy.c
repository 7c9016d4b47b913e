#include "bitcoin/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bitcoin/check.h"
#include "bitcoin/feerate.h"
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

const struct bb_policy bb_policy_core = {
	.standard = true,
	.bare_multisig = true,
	.datacarrier_size = 100000,
	.dust_rate = 3000,
	.min_relay_rate = 100,
	.incremental_rate = 100,
	.bytes_per_sigop = 20,
	.cluster_count = BB_MAX_CLUSTER_COUNT,
	.cluster_vsize = 101000,
	.pool_bytes = 300000000,
	.expiry = 336 * 3600,
};

/* Settings. */

enum unit {
	FLAG, /* 0 or 1 */
	COUNT,
	AMOUNT,
};

static const struct setting {
	const char *name;
	enum unit unit;
	int64_t min, max;
	size_t field;	/* where in struct bb_policy; flags have none */
	int64_t factor; /* to the field's unit */
} settings[] = {
	{"acceptnonstdtxn", FLAG, 0, 1},
	{"permitbaremultisig", FLAG, 0, 1},
	{"datacarrier", FLAG, 0, 1},
	{"datacarriersize", COUNT, 0, BB_MAX_BLOCK_WEIGHT,
		offsetof(struct bb_policy, datacarrier_size), 1},
	{"dustrelayfee", AMOUNT, 0, BB_MAX_MONEY, offsetof(struct bb_policy, dust_rate), 1},
	{"minrelaytxfee", AMOUNT, 0, BB_MAX_MONEY, offsetof(struct bb_policy, min_relay_rate),
		1},
	{"incrementalrelayfee", AMOUNT, 0, BB_MAX_MONEY,
		offsetof(struct bb_policy, incremental_rate), 1},
	{"bytespersigop", COUNT, 0, 1000000, offsetof(struct bb_policy, bytes_per_sigop), 1},
	{"limitclustercount", COUNT, 1, BB_MAX_CLUSTER_COUNT,
		offsetof(struct bb_policy, cluster_count), 1},
	{"limitclustersize", COUNT, 1, 1000000, offsetof(struct bb_policy, cluster_vsize),
		1000},
	{"maxmempool", COUNT, 1, 1000000, offsetof(struct bb_policy, pool_bytes), 1000000},
	{"mempoolexpiry", COUNT, 0, 1000000, offsetof(struct bb_policy, expiry), 3600},
};

static const struct setting *find_setting(struct bb_span name)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		if (bb_span_is(name, settings[i].name))
			return &settings[i];
	return NULL;
}

/* Digits and, after a point, up to `places` more, as a number of the smallest unit. */
static bool read_decimal(int64_t *out, struct bb_span text, int places)
{
	int after = -1; /* digits read behind the point */

	*out = 0;
	for (size_t i = 0; i < text.len; i++) {
		const unsigned char c = text.data[i];
		if (c == '.' && after < 0 && places && i && i + 1 < text.len) {
			after = 0;
			continue;
		}
		if (c < '0' || c > '9' || *out > BB_MAX_MONEY)
			return false;
		if (after >= 0 && ++after > places)
			return false;
		*out = 10 * *out + (c - '0');
	}
	for (after = after < 0 ? 0 : after; after < places && *out <= BB_MAX_MONEY; after++)
		*out *= 10;
	return text.len && *out <= BB_MAX_MONEY;
}

static bool read_value(
	int64_t *out, const char **why, const struct setting *s, struct bb_span text)
{
	int places = 0;

	if (s->unit == AMOUNT) {
		struct bb_span unit = {0};
		if (text.len > 3) {
			text.len -= 3;
			unit = BB_SPAN(text.data + text.len, 3);
		}
		places = bb_span_is(unit, "btc") ? 8 : 0;
		if (!places && !bb_span_is(unit, "sat")) {
			*why = "an amount needs its unit, as 100sat or 0.000001btc";
			return false;
		}
	}
	*why = "not a number, or out of range";
	return read_decimal(out, text, places) && *out >= s->min && *out <= s->max;
}

static void set_flag(struct bb_policy *p, const char *name, bool on)
{
	if (strcmp(name, "acceptnonstdtxn") == 0)
		p->standard = !on;
	else if (strcmp(name, "permitbaremultisig") == 0)
		p->bare_multisig = on;
	else if (!on)
		p->datacarrier_size = 0;
	else if (!p->datacarrier_size)
		p->datacarrier_size = bb_policy_core.datacarrier_size;
}

bool bb_policy_set(struct bb_policy *p, const char **why, const char *setting)
{
	const char *equals = strchr(setting, '=');
	const struct setting *s;
	int64_t value;

	*why = "a setting is NAME=VALUE";
	if (!equals)
		return false;
	*why = "no such setting";
	if (!(s = find_setting(BB_SPAN(setting, (size_t)(equals - setting)))))
		return false;
	if (!read_value(&value, why, s, BB_SPAN(equals + 1, strlen(equals + 1))))
		return false;
	if (s->unit == FLAG) {
		set_flag(p, s->name, value);
		return true;
	}
	value *= s->factor;
	memcpy((char *)p + s->field, &value, sizeof(value));
	if (p->min_relay_rate < p->incremental_rate &&
		s->field == offsetof(struct bb_policy, incremental_rate))
		p->min_relay_rate = p->incremental_rate;
	return true;
}

/* Standardness. */

int64_t bb_adjusted_weight(const struct bb_policy *p, int64_t weight, int64_t sigops_cost)
{
	const int64_t by_sigops = sigops_cost * p->bytes_per_sigop;

	return by_sigops > weight ? by_sigops : weight;
}

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

int64_t bb_dust_limit(const struct bb_policy *p, struct bb_span script)
{
	struct bb_span program;
	unsigned version;
	size_t size = 8 + bb_compact_len(script.len) + script.len;

	if (bb_script_is_unspendable(script))
		return 0;
	size += bb_script_is_witness(&version, &program, script) ? SPEND_SIZE_WITNESS
								 : SPEND_SIZE;
	return bb_fee_at(p->dust_rate, (int64_t)size);
}

/* An output by itself, and what is left of the bytes that OP_RETURN outputs may have. */
static const char *check_output(
	int64_t *data_left, const struct bb_policy *p, struct bb_span script)
{
	struct bb_span keys[20];
	unsigned m, n;

	switch (kind_of(script)) {
	case NONSTANDARD: return "scriptpubkey";
	case MULTISIG:
		bb_script_is_multisig(&m, &n, keys, script);
		if (n > MAX_STANDARD_MULTISIG_KEYS)
			return "scriptpubkey";
		return p->bare_multisig ? NULL : "bare-multisig";
	case NULL_DATA:
		if ((int64_t)script.len > *data_left)
			return "datacarrier";
		*data_left -= (int64_t)script.len;
		return NULL;
	default: return NULL;
	}
}

static size_t dust_count(const struct bb_policy *p, const struct bb_tx *tx)
{
	size_t n = 0;

	for (size_t i = 0; i < tx->out_count; i++)
		n += tx->out[i].value_sat < bb_dust_limit(p, tx->out[i].script);
	return n;
}

static const char *check_outputs(const struct bb_policy *p, const struct bb_tx *tx)
{
	int64_t data_left = p->datacarrier_size;
	const char *why;

	for (size_t i = 0; i < tx->out_count; i++) {
		if ((why = check_output(&data_left, p, tx->out[i].script)))
			return why;
	}
	return dust_count(p, tx) > MAX_DUST_OUTPUTS ? "dust" : NULL;
}

/* IsStandardTx. */
static const char *check_form(const struct bb_policy *p, const struct bb_tx *tx)
{
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
	return check_outputs(p, tx);
}

const char *bb_check_standard(const struct bb_policy *p, const struct bb_tx *tx)
{
	const char *why = p->standard ? check_form(p, tx) : NULL;

	if (why)
		return why;
	/* Smaller ones can be taken for inner nodes of the Merkle tree (CVE-2017-12842). */
	return bb_tx_base_size(tx) < BB_MIN_STANDARD_SIZE ? "tx-size-small" : NULL;
}

/* The script that a P2SH input's pushes would leave on top, or why running them fails; *any is
 * false where they leave nothing. What OP_1 to OP_16 leave is no script that could matter:
 * empty. */
static enum bb_script_error redeem_script(
	struct bb_span *script, bool *any, struct bb_span script_sig)
{
	struct bb_reader r = bb_reader(script_sig.data, script_sig.len);
	struct bb_op op;
	size_t pushed = 0;

	while (bb_script_next(&op, &r)) {
		if (op.data.len > BB_MAX_ELEMENT)
			return BB_SCRIPT_PUSH_SIZE;
		if (op.opcode > OP_16 || op.opcode == OP_RESERVED)
			return BB_SCRIPT_BAD_OPCODE;
		if (++pushed > BB_MAX_STACK)
			return BB_SCRIPT_STACK_SIZE;
		*script = op.data;
	}
	*any = pushed;
	return r.bad ? BB_SCRIPT_BAD_OPCODE : BB_SCRIPT_OK;
}

/* One input of ValidateInputsStandardness; true, or false with Core's text. */
static bool input_is_standard(
	char out[BB_DETAIL_SIZE], size_t i, const struct bb_txin *in, struct bb_span script)
{
	const enum kind kind = kind_of(script);
	struct bb_span redeem;
	enum bb_script_error e;
	size_t sigops;
	bool any;

	if (kind == NONSTANDARD)
		snprintf(out, BB_DETAIL_SIZE, "input %zu script unknown", i);
	else if (kind == WITNESS_UNKNOWN)
		snprintf(out, BB_DETAIL_SIZE, "input %zu witness program is undefined", i);
	else if (kind != SCRIPT_HASH)
		return true;
	else if ((e = redeem_script(&redeem, &any, in->script_sig)) != BB_SCRIPT_OK)
		snprintf(out, BB_DETAIL_SIZE, "p2sh scriptsig malformed (input %zu: %s)", i,
			bb_script_error_text(e));
	else if (!any)
		snprintf(out, BB_DETAIL_SIZE, "input %zu P2SH redeemscript missing", i);
	else if ((sigops = bb_script_sigops(redeem, true)) > MAX_P2SH_SIGOPS)
		snprintf(out, BB_DETAIL_SIZE,
			"p2sh redeemscript sigops exceed limit (input %zu: %zu > %d)", i,
			sigops, MAX_P2SH_SIGOPS);
	else
		return true;
	return false;
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
	bool any;

	if (!in->witness_count)
		return true;
	if (bb_script_type(script) == BB_ANCHOR)
		return false;
	if (p2sh && (redeem_script(&script, &any, in->script_sig) != BB_SCRIPT_OK || !any))
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

/* ValidateInputsStandardness; true, or false with Core's text. */
static bool inputs_are_standard(
	char out[BB_DETAIL_SIZE], const struct bb_tx *tx, const struct bb_prevout *prevouts)
{
	uint64_t sigops = 0;

	for (size_t i = 0; i < tx->in_count; i++)
		sigops += executed_sigops(&tx->in[i], prevouts[i].script);
	if (sigops > BB_MAX_STANDARD_LEGACY_SIGOPS) {
		snprintf(out, BB_DETAIL_SIZE, "non-witness sigops exceed bip54 limit");
		return false;
	}
	for (size_t i = 0; i < tx->in_count; i++)
		if (!input_is_standard(out, i, &tx->in[i], prevouts[i].script))
			return false;
	return true;
}

static const char *check_inputs(
	const struct bb_policy *p, const struct bb_tx *tx, const struct bb_prevout *prevouts)
{
	char detail[BB_DETAIL_SIZE];

	if (!inputs_are_standard(detail, tx, prevouts))
		return "bad-txns-nonstandard-inputs";
	for (size_t i = 0; i < tx->in_count; i++)
		if (!witness_is_standard(&tx->in[i], prevouts[i].script))
			return "bad-witness-nonstandard";
	return dust_count(p, tx) && pays_fee(tx, prevouts) ? "dust" : NULL;
}

const char *bb_check_standard_inputs(
	const struct bb_policy *p, const struct bb_tx *tx, const struct bb_prevout *prevouts)
{
	const char *why;

	if (bb_tx_is_coinbase(tx))
		return NULL;
	if (p->standard && (why = check_inputs(p, tx, prevouts)))
		return why;
	if (bb_tx_sigops_cost(tx, prevouts, BB_VERIFY_STANDARD) > BB_MAX_STANDARD_SIGOPS_COST)
		return "bad-txns-too-many-sigops";
	return NULL;
}

void bb_policy_detail(char out[BB_DETAIL_SIZE], const char *reason, const struct bb_policy *p,
	const struct bb_tx *tx, const struct bb_prevout *prevouts)
{
	out[0] = '\0';
	if (strcmp(reason, "dust") == 0 && dust_count(p, tx) <= MAX_DUST_OUTPUTS)
		snprintf(out, BB_DETAIL_SIZE, "tx with dust output must be 0-fee");
	else if (!prevouts)
		return;
	else if (strcmp(reason, "bad-txns-nonstandard-inputs") == 0)
		inputs_are_standard(out, tx, prevouts);
	else if (strcmp(reason, "bad-txns-too-many-sigops") == 0)
		snprintf(out, BB_DETAIL_SIZE, "%" PRId64,
			bb_tx_sigops_cost(tx, prevouts, BB_VERIFY_STANDARD));
}
