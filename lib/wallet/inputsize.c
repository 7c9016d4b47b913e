#include "wallet/inputsize.h"

#include <string.h>

#include "bitcoin/tx.h"
#include "crypto/hash.h"

enum {
	ECDSA_SIG = 71, /* DER of a low R and a low S, and the hash type */
	SCHNORR_SIG = 64,
	COMPRESSED_KEY = 33,
	LONG_KEY = 65,
	OUTPOINT_AND_SEQUENCE = 40,
	NESTED_P2WPKH = 22, /* its redeem script */
	MAX_ITEMS = BB_MAX_MULTISIG_KEYS + 3,
};

/* What satisfies a script: lengths of the elements put on the stack. */
struct items {
	size_t len[MAX_ITEMS];
	size_t count;
};

static void put(struct items *items, size_t len)
{
	items->len[items->count++] = len;
}

/* As pushes of a scriptSig. */
static size_t pushes_size(const struct items *items)
{
	size_t size = 0;

	for (size_t i = 0; i < items->count; i++) {
		size_t n = items->len[i];
		size += n + (n < OP_PUSHDATA1 ? 1 : n <= 0xff ? 2 : n <= 0xffff ? 3 : 5);
	}
	return size;
}

/* As a witness (BIP 141). */
static size_t witness_size(const struct items *items)
{
	size_t size = bb_compact_len(items->count);

	for (size_t i = 0; i < items->count; i++)
		size += bb_compact_len(items->len[i]) + items->len[i];
	return size;
}

static void set(struct bb_input_size *out, size_t script_sig, size_t witness)
{
	size_t base = OUTPOINT_AND_SEQUENCE + bb_compact_len(script_sig) + script_sig;

	out->weight = (int64_t)(BB_WITNESS_SCALE * base + witness);
	out->witness = witness != 0;
}

/* The length of the key behind a p2pkh hash. */
static size_t key_size(const unsigned char hash20[20], const struct bb_partial *hints)
{
	unsigned char hash[20];

	for (size_t i = 0; i < hints->derivations.count; i++) {
		struct bb_span key = hints->derivations.pair[i].key;
		bb_hash160(hash, key.data, key.len);
		if (key.len == LONG_KEY && memcmp(hash, hash20, 20) == 0)
			return LONG_KEY;
	}
	return COMPRESSED_KEY;
}

/* The signatures and keys that a script of a known form wants. */
static bool satisfy(struct items *items, const char **why, struct bb_span script,
	const struct bb_partial *hints)
{
	struct bb_span keys[BB_MAX_MULTISIG_KEYS];
	enum bb_script_type type = bb_script_type(script);
	unsigned m, n;

	if (type == BB_P2PK || type == BB_P2PKH) {
		put(items, ECDSA_SIG);
		if (type == BB_P2PKH)
			put(items, key_size(script.data + 3, hints));
	} else if (bb_script_is_multisig(&m, &n, keys, script)) {
		put(items, 0);
		while (m--)
			put(items, ECDSA_SIG);
	} else {
		*why = "size of the input cannot be told from its script";
		return false;
	}
	return true;
}

static bool p2wsh_items(struct items *items, const char **why, struct bb_span program,
	const struct bb_partial *hints)
{
	struct bb_span script = hints->witnessscript;
	unsigned char hash[32];

	*why = "witnessscript is missing";
	if (!script.len)
		return false;
	bb_sha256(hash, script.data, script.len);
	*why = "witnessscript does not match";
	if (!bb_span_equal(program, BB_SPAN(hash, 32)))
		return false;
	if (!satisfy(items, why, script, hints))
		return false;
	put(items, script.len);
	return true;
}

/* A program of version 0, native or inside P2SH. */
static bool v0_items(struct items *items, const char **why, struct bb_span program,
	const struct bb_partial *hints)
{
	if (program.len == 32)
		return p2wsh_items(items, why, program, hints);
	*why = "redeemscript cannot be satisfied";
	if (program.len != 20)
		return false;
	put(items, ECDSA_SIG);
	put(items, COMPRESSED_KEY);
	return true;
}

static bool p2sh(struct bb_input_size *out, const char **why, struct bb_span script,
	const struct bb_partial *hints)
{
	struct bb_span redeem = hints->redeemscript, program = BB_SPAN(NULL, 20);
	struct items sig = {0}, witness = {0};
	unsigned char hash[20];
	unsigned version = 0;
	bool nested;

	*why = "redeemscript does not match";
	bb_hash160(hash, redeem.data, redeem.len);
	if (redeem.len && memcmp(hash, script.data + 2, 20) != 0)
		return false;
	nested = !redeem.len || (bb_script_is_witness(&version, &program, redeem) && !version);
	if (!(nested ? v0_items(&witness, why, program, hints)
		     : satisfy(&sig, why, redeem, hints)))
		return false;
	put(&sig, redeem.len ? redeem.len : NESTED_P2WPKH);
	set(out, pushes_size(&sig), nested ? witness_size(&witness) : 0);
	return true;
}

/* Signatures that a leaf wants at most, and elements it wants besides, which are empty: the
 * keys of CHECKSIGADD that do not sign. */
static void leaf_signatures(size_t *signatures, size_t *empty, struct bb_span script)
{
	struct bb_reader r = bb_reader(script.data, script.len);
	struct bb_op op, number = {0}, last = {0};
	size_t keys = 0;
	int64_t k = 0;
	bool adds = false;

	while (bb_script_next(&op, &r)) {
		number = last;
		last = op;
		adds |= op.opcode == OP_CHECKSIGADD;
		keys += op.opcode == OP_CHECKSIG || op.opcode == OP_CHECKSIGVERIFY ||
			op.opcode == OP_CHECKSIGADD;
	}
	if (number.opcode >= OP_1 && number.opcode <= OP_16)
		k = number.opcode - OP_1 + 1;
	else if (!bb_script_num_decode(&k, number.data, true, 4))
		k = 0;
	*signatures = keys;
	if (adds && last.opcode == OP_NUMEQUAL && k > 0 && (uint64_t)k < keys)
		*signatures = (size_t)k;
	*empty = keys - *signatures;
}

/* The key path, or a leaf's script path where that is larger (BIP 341). */
static size_t p2tr_witness(const struct bb_partial *hints)
{
	const size_t sig = SCHNORR_SIG + (hints->sighash_type > 0);
	size_t largest = 1 + 1 + sig;

	for (size_t i = 0; i < hints->tap_leaf_script.count; i++) {
		const struct bb_pair *leaf = &hints->tap_leaf_script.pair[i];
		struct bb_span script = {
			leaf->value.data, leaf->value.len - 1}; /* the version */
		size_t signatures, empty, size;
		leaf_signatures(&signatures, &empty, script);
		size = bb_compact_len(signatures + empty + 2) + signatures * (1 + sig) + empty +
		       bb_compact_len(script.len) + script.len + bb_compact_len(leaf->key.len) +
		       leaf->key.len;
		if (size > largest)
			largest = size;
	}
	return largest;
}

bool bb_input_size(struct bb_input_size *out, const char **why, struct bb_span script,
	const struct bb_partial *hints)
{
	static const struct bb_partial none = {.sighash_type = -1};
	struct items items = {0};

	if (!hints)
		hints = &none;
	switch (bb_script_type(script)) {
	case BB_P2SH: return p2sh(out, why, script, hints);
	case BB_P2WPKH:
	case BB_P2WSH:
		if (!v0_items(&items, why, BB_SPAN(script.data + 2, script.len - 2), hints))
			return false;
		set(out, 0, witness_size(&items));
		return true;
	case BB_P2TR: set(out, 0, p2tr_witness(hints)); return true;
	case BB_ANCHOR: set(out, 0, 0); return true;
	default:
		if (!satisfy(&items, why, script, hints))
			return false;
		set(out, pushes_size(&items), 0);
		return true;
	}
}
