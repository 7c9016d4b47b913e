#include "wallet/partial.h"

#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "bitcoin/script.h"
#include "bitcoin/sighash.h"

enum { MAX_PAIRS = 1024 }; /* of one kind in one input: each is compared with the others */

enum field {
	PARTIAL_SIGS,
	REDEEMSCRIPT,
	WITNESSSCRIPT,
	SIGHASH_TYPE,
	BIP32_DERIVATION,
	TAP_KEY_SIG,
	TAP_SCRIPT_SIG,
	TAP_LEAF_SCRIPT,
	TAP_INTERNAL_KEY,
	TAP_MERKLE_ROOT,
	TAP_BIP32_DERIVATION,
	FIELDS,
};

const char *const bb_partial_names[] = {
	[PARTIAL_SIGS] = "partial_sigs",
	[REDEEMSCRIPT] = "redeemscript",
	[WITNESSSCRIPT] = "witnessscript",
	[SIGHASH_TYPE] = "sighash_type",
	[BIP32_DERIVATION] = "bip32_derivation",
	[TAP_KEY_SIG] = "tap_key_sig",
	[TAP_SCRIPT_SIG] = "tap_script_sig",
	[TAP_LEAF_SCRIPT] = "tap_leaf_script",
	[TAP_INTERNAL_KEY] = "tap_internal_key",
	[TAP_MERKLE_ROOT] = "tap_merkle_root",
	[TAP_BIP32_DERIVATION] = "tap_bip32_derivation",
	[FIELDS] = NULL,
};

static const char *const malformed[] = {
	[PARTIAL_SIGS] = "malformed partial_sigs",
	[REDEEMSCRIPT] = "malformed redeemscript",
	[WITNESSSCRIPT] = "malformed witnessscript",
	[SIGHASH_TYPE] = "malformed sighash_type",
	[BIP32_DERIVATION] = "malformed bip32_derivation",
	[TAP_KEY_SIG] = "malformed tap_key_sig",
	[TAP_SCRIPT_SIG] = "malformed tap_script_sig",
	[TAP_LEAF_SCRIPT] = "malformed tap_leaf_script",
	[TAP_INTERNAL_KEY] = "malformed tap_internal_key",
	[TAP_MERKLE_ROOT] = "malformed tap_merkle_root",
	[TAP_BIP32_DERIVATION] = "malformed tap_bip32_derivation",
};

const char *const bb_partial_signature_names[] = {
	"partial_sigs",
	"tap_key_sig",
	"tap_script_sig",
	NULL,
};

const struct bb_span *bb_pairs_find(const struct bb_pairs *p, struct bb_span key)
{
	for (size_t i = 0; i < p->count; i++)
		if (bb_span_equal(p->pair[i].key, key))
			return &p->pair[i].value;
	return NULL;
}

static bool pairs_add(
	struct bb_pairs *p, struct bb_arena *a, struct bb_span key, struct bb_span value)
{
	if (p->count == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 4;
		struct bb_pair *pair = bb_arena_array(a, cap, sizeof(*pair));
		if (!pair)
			return false;
		if (p->count)
			memcpy(pair, p->pair, p->count * sizeof(*pair));
		p->pair = pair;
		p->cap = cap;
	}
	p->pair[p->count++] = (struct bb_pair){key, value};
	return true;
}

bool bb_pairs_set(
	struct bb_pairs *p, struct bb_arena *a, struct bb_span key, struct bb_span value)
{
	for (size_t i = 0; i < p->count; i++)
		if (bb_span_equal(p->pair[i].key, key)) {
			p->pair[i].value = value;
			return true;
		}
	return pairs_add(p, a, key, value);
}

bool bb_derivation_parse(
	unsigned char fingerprint[4], struct bb_path *path, struct bb_span text)
{
	const char *why;

	if (text.len < 8 || !bb_hex_decode(fingerprint, text.data, 4))
		return false;
	*path = (struct bb_path){0};
	if (text.len == 8) /* the master itself */
		return true;
	return text.data[8] == '/' && text.len > 9 && text.data[9] != 'm' &&
	       bb_path_parse(path, &why, BB_SPAN(text.data + 9, text.len - 9)) && path->count &&
	       path->last == path->step[path->count - 1];
}

bool bb_sighash_parse(int *hash_type, struct bb_span text)
{
	static const char *const names[] = {"default", "all", "none", "single"};
	static const char suffix[] = "|anyonecanpay";
	const size_t suffix_len = sizeof(suffix) - 1;
	const char *s = (const char *)text.data;
	size_t len = text.len;
	int flag = 0;

	if (len > suffix_len && strncasecmp(s + len - suffix_len, suffix, suffix_len) == 0) {
		len -= suffix_len;
		flag = BB_SIGHASH_ANYONECANPAY;
	}
	for (int i = 0; i < 4; i++)
		if (strlen(names[i]) == len && strncasecmp(s, names[i], len) == 0) {
			*hash_type = i | flag;
			return i || !flag;
		}
	return false;
}

/* As a number, PSBT's own form, or by name. */
static bool read_hash_type(int *out, const struct bb_json *v)
{
	int64_t n;

	if (v->type == BB_JSON_STRING)
		return bb_sighash_parse(out, v->text);
	if (!bb_json_int(&n, v, 0, 0x83) ||
		(n & ~BB_SIGHASH_ANYONECANPAY) > BB_SIGHASH_SINGLE ||
		n == BB_SIGHASH_ANYONECANPAY)
		return false;
	*out = (int)n;
	return true;
}

/* Hex of min to max bytes. */
static bool read_hex(struct bb_span *out, struct bb_arena *a, const struct bb_json *v,
	size_t min, size_t max)
{
	return v->type == BB_JSON_STRING && bb_hex_span(out, v->text, a) && out->len >= min &&
	       out->len <= max;
}

static bool is_pubkey_size(size_t len)
{
	return len == 33 || len == 65;
}

static bool is_control_size(size_t len)
{
	return len >= BB_TAPROOT_CONTROL_BASE &&
	       len <= BB_TAPROOT_CONTROL_BASE +
			       BB_TAPROOT_CONTROL_NODE * BB_TAPROOT_CONTROL_MAX_NODES &&
	       (len - BB_TAPROOT_CONTROL_BASE) % BB_TAPROOT_CONTROL_NODE == 0;
}

static bool is_leaf_key_size(size_t len)
{
	return len == 64; /* an x-only key and a leaf hash */
}

/* An object of hex to hex; of doubled keys the last counts. */
static bool read_pairs(struct bb_pairs *out, struct bb_arena *a, const struct bb_json *v,
	bool (*is_key_size)(size_t), size_t min, size_t max)
{
	*out = (struct bb_pairs){0};
	if (v->type != BB_JSON_OBJECT || v->count > MAX_PAIRS)
		return false;
	for (const struct bb_json *m = v->child; m; m = m->next) {
		struct bb_span key, value;
		if (!bb_hex_span(&key, m->key, a) || !is_key_size(key.len) ||
			!read_hex(&value, a, m, min, max) || !bb_pairs_set(out, a, key, value))
			return false;
	}
	return true;
}

/* BIP 174's and BIP 371's derivations land in one list: each is tried by itself. */
static bool read_derivations(struct bb_pairs *out, struct bb_arena *a, const struct bb_json *v)
{
	unsigned char fingerprint[4];
	struct bb_path path;

	if (v->type != BB_JSON_OBJECT || v->count > MAX_PAIRS)
		return false;
	for (const struct bb_json *m = v->child; m; m = m->next) {
		struct bb_span key;
		if (m->type != BB_JSON_STRING || !bb_hex_span(&key, m->key, a) ||
			(key.len != 32 && !is_pubkey_size(key.len)) ||
			!bb_derivation_parse(fingerprint, &path, m->text) ||
			!pairs_add(out, a, key, m->text))
			return false;
	}
	return true;
}

static bool read_field(
	struct bb_partial *p, struct bb_arena *a, const struct bb_json *v, int field)
{
	switch (field) {
	case PARTIAL_SIGS: return read_pairs(&p->partial_sigs, a, v, is_pubkey_size, 9, 73);
	case REDEEMSCRIPT: return read_hex(&p->redeemscript, a, v, 1, BB_MAX_ELEMENT);
	case WITNESSSCRIPT: return read_hex(&p->witnessscript, a, v, 1, BB_MAX_SCRIPT);
	case SIGHASH_TYPE: return read_hash_type(&p->sighash_type, v);
	case BIP32_DERIVATION:
	case TAP_BIP32_DERIVATION: return read_derivations(&p->derivations, a, v);
	case TAP_KEY_SIG: return read_hex(&p->tap_key_sig, a, v, 64, 65);
	case TAP_SCRIPT_SIG:
		return read_pairs(&p->tap_script_sig, a, v, is_leaf_key_size, 64, 65);
	case TAP_LEAF_SCRIPT:
		return read_pairs(&p->tap_leaf_script, a, v, is_control_size, 1, SIZE_MAX);
	case TAP_INTERNAL_KEY: return read_hex(&p->tap_internal_key, a, v, 32, 32);
	default: return read_hex(&p->tap_merkle_root, a, v, 32, 32);
	}
}

bool bb_partial_read(
	struct bb_partial *p, const char **why, struct bb_arena *a, const struct bb_json *vin)
{
	*p = (struct bb_partial){.sighash_type = -1};
	if (!vin || vin->type != BB_JSON_OBJECT)
		return true;
	for (const struct bb_json *v = vin->child; v; v = v->next) {
		int field = 0;
		while (field < FIELDS && !bb_span_is(v->key, bb_partial_names[field]))
			field++;
		if (field < FIELDS && v->type != BB_JSON_NULL && !read_field(p, a, v, field)) {
			*why = malformed[field];
			return false;
		}
	}
	return true;
}

static void json_pairs(struct bb_json_writer *w, const char *name, const struct bb_pairs *p)
{
	char key[2 * 65];

	if (!p->count)
		return;
	bb_json_key(w, name);
	bb_json_open(w, '{');
	for (size_t i = 0; i < p->count; i++) {
		bb_hex_encode(key, p->pair[i].key.data, p->pair[i].key.len);
		bb_json_key_span(w, BB_SPAN(key, 2 * p->pair[i].key.len));
		bb_json_hex(w, p->pair[i].value);
	}
	bb_json_close(w, '}');
}

void bb_json_signatures(struct bb_json_writer *w, const struct bb_partial *p)
{
	json_pairs(w, "partial_sigs", &p->partial_sigs);
	if (p->tap_key_sig.len) {
		bb_json_key(w, "tap_key_sig");
		bb_json_hex(w, p->tap_key_sig);
	}
	json_pairs(w, "tap_script_sig", &p->tap_script_sig);
}
