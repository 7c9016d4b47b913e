#include "wallet/sign.h"

#include <stdlib.h>
#include <string.h>

#include "wallet/partial.h"
#include "wallet/signkeys.h"

/* A commitment of BIP 341 that was found to hold. */
struct commitment {
	bool known, odd, has_root;
	unsigned char output32[32], internal32[32], root32[32];
};

enum { COMMITMENTS = 256 }; /* a power of two, at most a byte's values */

struct bb_signer {
	struct bb_signkeys *keys;
	const struct bb_curve *curve;
	const struct bb_network *network;
	struct bb_interpreter vm;
	struct bb_buf script;			   /* a scriptSig in the making */
	struct commitment commitment[COMMITMENTS]; /* the last ones, by output key */
	bool verify;
};

/* What became of one input. */
enum outcome {
	LEFT_ALONE, /* nothing was added, or it came in final */
	SIGNED,	    /* its partial fields have new signatures */
	FINAL,	    /* it is complete now: its partial fields go */
};

struct input {
	enum outcome outcome;
	const struct bb_json *vin; /* NULL: none */
	struct bb_partial partial;
};

/* One input at work. */
struct work {
	struct bb_signer *signer;
	struct bb_arena *arena;
	struct bb_sighash_cache *cache;
	struct bb_tx *tx;
	size_t index;
	const struct bb_prevout *prevout;
	struct bb_partial *partial;
	int hash_type; /* -1: the default of the type */
	size_t signatures;
	const char *why;
	bool refused;
};

/* Stack items that satisfy a script, bottom first. */
struct items {
	struct bb_span *item;
	size_t count;
};

enum version { LEGACY, SEGWIT_V0 };

/* The first reason stays, but a refusal outweighs a lack. */
static bool lacking(struct work *w, const char *why)
{
	if (!w->why)
		w->why = why;
	return false;
}

static bool refuse(struct work *w, const char *why)
{
	if (!w->refused)
		w->why = why;
	w->refused = true;
	return false;
}

/* Fewer signatures than it takes: that some are there says more than that a key is not. */
static bool too_few(struct work *w, size_t have)
{
	if (have && !w->refused)
		w->why = "signatures-missing";
	return lacking(w, "no-key");
}

/* ECDSA: legacy and segwit version 0. */

static bool is_ecdsa_type(int type)
{
	const int base = type & ~BB_SIGHASH_ANYONECANPAY;

	return base >= BB_SIGHASH_ALL && base <= BB_SIGHASH_SINGLE;
}

/* False for SIGHASH_SINGLE without its output: under the legacy rules such a signature would
 * sign the number one, and with it anything. */
static bool ecdsa_hash(unsigned char out[32], const struct work *w, struct bb_span script_code,
	enum version version, int type)
{
	if ((type & 3) == BB_SIGHASH_SINGLE && w->index >= w->tx->out_count)
		return false;
	if (version == LEGACY)
		bb_sighash_legacy(out, w->tx, w->index, script_code, type);
	else
		bb_sighash_v0(
			out, w->cache, w->index, script_code, w->prevout->value_sat, type);
	return true;
}

/* Is it a signature that this key made, and that policy lets through? Its hash type must be
 * the one that is asked for (BIP 174). */
static bool ecdsa_holds(const struct work *w, struct bb_span sig, struct bb_span pubkey,
	struct bb_span script_code, enum version version)
{
	const int asked = w->partial->sighash_type, type = sig.data[sig.len - 1];
	unsigned char hash[32];

	if (!bb_sig_is_der(sig) || !is_ecdsa_type(type) ||
		(asked >= 0 && type != (asked ? asked : BB_SIGHASH_ALL)))
		return false;
	if (version == SEGWIT_V0 && pubkey.len != 33)
		return false;
	sig.len--;
	return bb_ecdsa_is_low_s(sig) && ecdsa_hash(hash, w, script_code, version, type) &&
	       bb_ecdsa_verify(sig, hash, pubkey);
}

/* Sign with that key and keep it among the partial signatures. */
static bool ecdsa_make(struct bb_span *sig, struct work *w, const struct bb_signkey *key,
	struct bb_span pubkey, struct bb_span script_code, enum version version)
{
	int type = w->hash_type > 0 ? w->hash_type : BB_SIGHASH_ALL;
	unsigned char hash[32], *der = bb_arena_alloc(w->arena, 73);
	size_t len;

	if (!der)
		return lacking(w, "out of memory");
	if (!ecdsa_hash(hash, w, script_code, version, type))
		return refuse(w, "sighash-single-without-output");
	if (!(len = bb_ecdsa_sign(der, w->signer->curve, hash, key->key32)))
		return lacking(w, "cannot-sign");
	der[len] = (unsigned char)type;
	*sig = BB_SPAN(der, len + 1);
	w->signatures++;
	return bb_pairs_set(&w->partial->partial_sigs, w->arena, pubkey, *sig) ||
	       lacking(w, "out of memory");
}

/* The signature that another signer left for this key, if it holds. */
static bool ecdsa_given(struct bb_span *sig, struct work *w, struct bb_span pubkey,
	struct bb_span script_code, enum version version)
{
	const struct bb_span *given = bb_pairs_find(&w->partial->partial_sigs, pubkey);

	if (!given)
		return false;
	if (!ecdsa_holds(w, *given, pubkey, script_code, version))
		return refuse(w, "partial-signature-does-not-verify");
	*sig = *given;
	return true;
}

static bool ecdsa_own(struct bb_span *sig, struct work *w, struct bb_span pubkey,
	struct bb_span script_code, enum version version)
{
	const struct bb_signkey *key;

	/* Policy takes no uncompressed key behind a witness (BIP 143). */
	if (version == SEGWIT_V0 && pubkey.len != 33)
		return refuse(w, "uncompressed-key-in-segwit");
	key = bb_signkeys_find_pubkey(w->signer->keys, pubkey, w->partial);
	return key ? ecdsa_make(sig, w, key, pubkey, script_code, version)
		   : lacking(w, "no-key");
}

static bool satisfy_p2pk(
	struct items *s, struct work *w, struct bb_span script, enum version version)
{
	const struct bb_span pubkey = BB_SPAN(script.data + 1, script.data[0]);

	s->count = 1;
	return ecdsa_given(s->item, w, pubkey, script, version) ||
	       ecdsa_own(s->item, w, pubkey, script, version);
}

/* The key whose signature another signer left, if its hash is this one. */
static bool given_pubkey(
	struct bb_span *pubkey, const struct work *w, const unsigned char *hash20)
{
	const struct bb_pairs *sigs = &w->partial->partial_sigs;
	unsigned char own20[20];

	for (size_t i = 0; i < sigs->count; i++) {
		*pubkey = sigs->pair[i].key;
		bb_hash160(own20, pubkey->data, pubkey->len);
		if (memcmp(own20, hash20, 20) == 0)
			return true;
	}
	return false;
}

/* The script code is P2PKH's for P2WPKH too. */
static bool satisfy_p2pkh(
	struct items *s, struct work *w, struct bb_span script, enum version version)
{
	const unsigned char *hash20 = script.data + 3;
	const struct bb_signkey *key;

	s->count = 2;
	if (given_pubkey(&s->item[1], w, hash20) &&
		ecdsa_given(&s->item[0], w, s->item[1], script, version))
		return true;
	key = bb_signkeys_find(w->signer->keys,
		version == LEGACY ? BB_KEY_P2PKH : BB_KEY_P2WPKH, hash20, w->partial);
	if (!key)
		return lacking(w, "no-key");
	if (version == SEGWIT_V0 && key->pubkey_len != 33)
		return refuse(w, "uncompressed-key-in-segwit");
	s->item[1] = bb_arena_copy(w->arena, BB_SPAN(key->pubkey, key->pubkey_len));
	if (!s->item[1].data)
		return lacking(w, "out of memory");
	return ecdsa_make(&s->item[0], w, key, s->item[1], script, version);
}

/* Others' signatures first, then as many of our own as are missing. */
static bool satisfy_multisig(
	struct items *s, struct work *w, struct bb_span script, enum version version)
{
	struct bb_span keys[BB_MAX_MULTISIG_KEYS], sig[BB_MAX_MULTISIG_KEYS] = {0};
	unsigned m, n, have = 0;

	if (!bb_script_is_multisig(&m, &n, keys, script))
		return lacking(w, "unsupported-script");
	for (unsigned i = 0; i < n && have < m; i++)
		have += ecdsa_given(&sig[i], w, keys[i], script, version);
	for (unsigned i = 0; i < n && have < m; i++)
		have += !sig[i].len && ecdsa_own(&sig[i], w, keys[i], script, version);
	if (have < m)
		return too_few(w, have);
	s->item[s->count++] = BB_SPAN("", 0); /* CHECKMULTISIG takes one too many (BIP 147) */
	for (unsigned i = 0; i < n; i++)
		if (sig[i].len)
			s->item[s->count++] = sig[i];
	return true;
}

/* A script that holds the keys itself. */
static bool satisfy(
	struct items *s, struct work *w, struct bb_span script, enum version version)
{
	switch (bb_script_type(script)) {
	case BB_P2PK: return satisfy_p2pk(s, w, script, version);
	case BB_P2PKH: return satisfy_p2pkh(s, w, script, version);
	case BB_MULTISIG: return satisfy_multisig(s, w, script, version);
	default: return lacking(w, "unsupported-script");
	}
}

/* Finalising. */

/* What the signer's buffer holds, to stay. */
static bool copy_script(struct bb_span *out, struct work *w)
{
	const struct bb_buf *b = &w->signer->script;
	struct bb_span copy = bb_arena_copy(w->arena, BB_SPAN(b->data, b->failed ? 0 : b->len));

	if (b->failed || !copy.data)
		return lacking(w, "out of memory");
	*out = copy;
	return true;
}

static bool set_script_sig(struct work *w, const struct items *s, struct bb_span redeemscript)
{
	struct bb_buf *b = &w->signer->script;

	b->len = 0;
	for (size_t i = 0; i < s->count; i++)
		bb_put_push(b, s->item[i]);
	if (redeemscript.len)
		bb_put_push(b, redeemscript);
	return copy_script(&w->tx->in[w->index].script_sig, w);
}

static bool finish_legacy(struct work *w, const struct items *s, struct bb_span redeemscript)
{
	struct bb_txin *in = &w->tx->in[w->index];

	if (!set_script_sig(w, s, redeemscript))
		return false;
	in->witness = NULL;
	in->witness_count = 0;
	return true;
}

/* A witness program's scriptSig holds nothing, or inside P2SH the redeem script (BIP 141). */
static bool finish_witness(struct work *w, const struct items *s, struct bb_span redeemscript)
{
	struct bb_txin *in = &w->tx->in[w->index];

	if (!set_script_sig(w, &(struct items){0}, redeemscript))
		return false;
	in->witness = s->item;
	in->witness_count = s->count;
	return true;
}

static bool is_hash160(struct bb_span data, const unsigned char *hash20)
{
	unsigned char own20[20];

	bb_hash160(own20, data.data, data.len);
	return memcmp(own20, hash20, 20) == 0;
}

static bool is_sha256(struct bb_span data, const unsigned char *hash32)
{
	unsigned char own32[32];

	bb_sha256(own32, data.data, data.len);
	return memcmp(own32, hash32, 32) == 0;
}

/* Segwit version 0 (BIP 143). */

static bool sign_p2wpkh(
	struct work *w, struct items *s, struct bb_span program, struct bb_span redeemscript)
{
	struct bb_buf *b = &w->signer->script;
	struct bb_span script;

	b->len = 0;
	bb_put_p2pkh(b, program.data);
	if (!copy_script(&script, w))
		return false;
	return satisfy_p2pkh(s, w, script, SEGWIT_V0) && finish_witness(w, s, redeemscript);
}

static bool sign_p2wsh(
	struct work *w, struct items *s, struct bb_span program, struct bb_span redeemscript)
{
	const struct bb_span script = w->partial->witnessscript;

	if (!script.len)
		return lacking(w, "witnessscript-missing");
	if (!is_sha256(script, program.data))
		return refuse(w, "witnessscript-does-not-match");
	if (!satisfy(s, w, script, SEGWIT_V0))
		return false;
	s->item[s->count++] = script;
	return finish_witness(w, s, redeemscript);
}

/* P2SH (BIP 16). A single key's P2WPKH script need not be stated: it follows from the key. */

static bool find_p2wpkh_script(struct work *w, const unsigned char *hash20)
{
	const struct bb_signkey *key = bb_signkeys_find(
		w->signer->keys, BB_KEY_P2SH, hash20, w->partial);
	unsigned char script22[22] = {OP_0, 20};

	if (!key)
		return lacking(w, "redeemscript-missing");
	bb_hash160(script22 + 2, key->pubkey, 33);
	w->partial->redeemscript = bb_arena_copy(w->arena, BB_SPAN(script22, sizeof(script22)));
	return w->partial->redeemscript.data || lacking(w, "out of memory");
}

static bool sign_p2sh(struct work *w, struct items *s, const unsigned char *hash20)
{
	struct bb_span script, program;
	unsigned version;

	if (!w->partial->redeemscript.len && !find_p2wpkh_script(w, hash20))
		return false;
	script = w->partial->redeemscript;
	if (!is_hash160(script, hash20))
		return refuse(w, "redeemscript-does-not-match");
	if (bb_script_is_witness(&version, &program, script)) {
		if (version == 0 && program.len == 20)
			return sign_p2wpkh(w, s, program, script);
		if (version == 0 && program.len == 32)
			return sign_p2wsh(w, s, program, script);
		return lacking(w, "unsupported-script");
	}
	return satisfy(s, w, script, LEGACY) && finish_legacy(w, s, script);
}

/* Taproot (BIP 341, 342). */

/* Do internal key and Merkle root (NULL: none) lead to this output key, and with which parity?
 * Finding out takes as long as a signature, and one address is often paid many times. */
static bool commits(bool *odd, struct work *w, const unsigned char *output32,
	const unsigned char *internal32, const unsigned char *root32)
{
	static const unsigned char none[32];
	struct commitment *c = &w->signer->commitment[output32[0] % COMMITMENTS];
	struct commitment made = {.known = true, .has_root = root32 != NULL};

	memcpy(made.internal32, internal32, 32);
	memcpy(made.root32, root32 ? root32 : none, 32);
	if (c->known && c->has_root == made.has_root &&
		memcmp(c->output32, output32, 32) == 0 &&
		memcmp(c->internal32, made.internal32, 32) == 0 &&
		memcmp(c->root32, made.root32, 32) == 0) {
		*odd = c->odd;
		return true;
	}
	if (!bb_taproot_output(made.output32, &made.odd, internal32, root32) ||
		memcmp(made.output32, output32, 32) != 0)
		return false;
	*c = made;
	*odd = made.odd;
	return true;
}

static bool schnorr_holds(const struct work *w, struct bb_span sig,
	const unsigned char *xonly32, const struct bb_taproot_context *t)
{
	const uint8_t type = sig.len == 65 ? sig.data[64] : BB_SIGHASH_DEFAULT;
	unsigned char hash[32];

	if (sig.len == 65 && type == BB_SIGHASH_DEFAULT)
		return false;
	if (w->partial->sighash_type >= 0 && type != w->partial->sighash_type)
		return false;
	return bb_sighash_taproot(hash, w->cache, w->index, type, t) &&
	       bb_schnorr_verify(sig.data, hash, xonly32);
}

static bool schnorr_make(struct bb_span *sig, struct work *w, const struct bb_keypair *pair,
	const struct bb_taproot_context *t)
{
	const int type = w->hash_type < 0 ? BB_SIGHASH_DEFAULT : w->hash_type;
	unsigned char hash[32], *made = bb_arena_alloc(w->arena, 65);

	if (!made)
		return lacking(w, "out of memory");
	if ((type & 3) == BB_SIGHASH_SINGLE && w->index >= w->tx->out_count)
		return refuse(w, "sighash-single-without-output");
	if (!bb_sighash_taproot(hash, w->cache, w->index, (uint8_t)type, t))
		return lacking(w, "missing-prevouts");
	if (!pair || !bb_keypair_sign(made, w->signer->curve, hash, pair, NULL))
		return lacking(w, "cannot-sign");
	made[64] = (unsigned char)type;
	*sig = BB_SPAN(made, type == BB_SIGHASH_DEFAULT ? 64 : 65);
	w->signatures++;
	return true;
}

/* A leaf that needs signatures only:
 * (<key> CHECKSIGVERIFY)* <key> CHECKSIG [(<key> CHECKSIGADD)* <k> NUMEQUAL] */
struct leaf {
	struct bb_span script, control;
	struct bb_taproot_context context;
	struct bb_span *key; /* x-only */
	size_t keys;
	size_t verified; /* the first keys: each must sign */
	size_t needed;	 /* of the others */
};

/* The Merkle root that leaf and control block lead to. */
static void leaf_root(unsigned char root32[32], const struct leaf *leaf)
{
	memcpy(root32, leaf->context.leaf_hash, 32);
	for (size_t at = BB_TAPROOT_CONTROL_BASE; at < leaf->control.len;
		at += BB_TAPROOT_CONTROL_NODE)
		bb_tapbranch_hash(root32, root32, leaf->control.data + at);
}

/* Does the output commit to this leaf? */
static bool leaf_read(struct leaf *leaf, struct work *w, const struct bb_pair *pair,
	const unsigned char *output32)
{
	const uint8_t version = pair->value.data[pair->value.len - 1];
	unsigned char root32[32];
	bool odd;

	*leaf = (struct leaf){
		.script = BB_SPAN(pair->value.data, pair->value.len - 1),
		.control = pair->key,
		.context = {.tapscript = true, .codesep = 0xffffffff},
	};
	bb_tapleaf_hash(leaf->context.leaf_hash, version, leaf->script);
	leaf_root(root32, leaf);
	return (leaf->control.data[0] & 0xfe) == version &&
	       commits(&odd, w, output32, leaf->control.data + 1, root32) &&
	       odd == (leaf->control.data[0] & 1);
}

/* The number before OP_NUMEQUAL, in its shortest form. */
static bool leaf_threshold(struct leaf *leaf, const struct bb_op *op)
{
	int64_t n;

	if (op->opcode >= OP_1 && op->opcode <= OP_16)
		n = op->opcode - OP_1 + 1;
	else if (!op->data.len || !bb_push_is_minimal(op) ||
		 !bb_script_num_decode(&n, op->data, true, 4))
		return false;
	leaf->needed = (size_t)n;
	return n >= 1 && leaf->needed <= leaf->keys - leaf->verified;
}

static bool leaf_parse(struct leaf *leaf, struct bb_arena *a)
{
	struct bb_reader r = bb_reader(leaf->script.data, leaf->script.len);
	struct bb_op op, check;
	bool summing = false; /* past the first OP_CHECKSIG */

	leaf->key = bb_arena_array(a, leaf->script.len / 34 + 1, sizeof(*leaf->key));
	if (!leaf->key)
		return false;
	leaf->needed = 1;
	while (bb_script_next(&op, &r)) {
		if (!bb_script_next(&check, &r))
			return false;
		if (summing && check.opcode == OP_NUMEQUAL)
			return leaf_threshold(leaf, &op) && !bb_left(&r);
		if (op.opcode != 32 ||
			check.opcode != (summing ? OP_CHECKSIGADD : OP_CHECKSIG)) {
			if (op.opcode != 32 || summing || check.opcode != OP_CHECKSIGVERIFY)
				return false;
			leaf->verified++;
		} else {
			summing = true;
		}
		leaf->key[leaf->keys++] = op.data;
	}
	return !r.bad && summing && leaf->keys - leaf->verified == 1;
}

/* PSBT's name of a leaf's signature: the key, then the leaf's hash (BIP 371). */
static struct bb_span leaf_sig_name(
	unsigned char name64[64], const struct leaf *leaf, struct bb_span key)
{
	memcpy(name64, key.data, 32);
	memcpy(name64 + 32, leaf->context.leaf_hash, 32);
	return BB_SPAN(name64, 64);
}

static bool leaf_given(
	struct bb_span *sig, struct work *w, const struct leaf *leaf, struct bb_span key)
{
	unsigned char name64[64];
	const struct bb_span *given = bb_pairs_find(
		&w->partial->tap_script_sig, leaf_sig_name(name64, leaf, key));

	if (!given)
		return false;
	if (!schnorr_holds(w, *given, key.data, &leaf->context))
		return refuse(w, "partial-signature-does-not-verify");
	*sig = *given;
	return true;
}

static bool leaf_own(
	struct bb_span *sig, struct work *w, const struct leaf *leaf, struct bb_span key)
{
	struct bb_signkeys *keys = w->signer->keys;
	const struct bb_signkey *own = bb_signkeys_find(
		keys, BB_KEY_PUBKEY, key.data, w->partial);
	unsigned char name64[64];
	struct bb_span name;

	if (!own)
		return lacking(w, "no-key");
	if (!schnorr_make(sig, w, bb_signkeys_pair(keys, own), &leaf->context))
		return false;
	name = bb_arena_copy(w->arena, leaf_sig_name(name64, leaf, key));
	return (name.data && bb_pairs_set(&w->partial->tap_script_sig, w->arena, name, *sig)) ||
	       lacking(w, "out of memory");
}

/* Signatures for the keys from `from` to `to`, `needed` of them. */
static bool leaf_sigs(struct bb_span *sig, struct work *w, const struct leaf *leaf, size_t from,
	size_t to, size_t needed)
{
	size_t have = 0;

	for (size_t i = from; i < to && have < needed; i++)
		have += leaf_given(&sig[i], w, leaf, leaf->key[i]);
	for (size_t i = from; i < to && have < needed; i++)
		have += !sig[i].len && leaf_own(&sig[i], w, leaf, leaf->key[i]);
	return have == needed || too_few(w, have);
}

/* The first key's signature lies on top of the stack; those that do not sign are empty. */
static bool sign_leaf(struct work *w, struct leaf *leaf)
{
	struct bb_span *sig = bb_arena_array(w->arena, leaf->keys, sizeof(*sig));
	struct items s = {.item = bb_arena_array(w->arena, leaf->keys + 2, sizeof(*s.item))};
	bool complete;

	if (!sig || !s.item)
		return lacking(w, "out of memory");
	complete = leaf_sigs(sig, w, leaf, 0, leaf->verified, leaf->verified);
	complete &= leaf_sigs(sig, w, leaf, leaf->verified, leaf->keys, leaf->needed);
	if (!complete)
		return false;
	for (size_t i = leaf->keys; i-- > 0;)
		s.item[s.count++] = sig[i];
	s.item[s.count++] = leaf->script;
	s.item[s.count++] = leaf->control;
	return finish_witness(w, &s, BB_SPAN(NULL, 0));
}

/* Internal key and Merkle root as the input states them, or else as a leaf's control block
 * gives them. False when they do not lead to the output key. */
static bool internal_key(struct bb_span *internal, unsigned char root32[32], bool *has_root,
	struct work *w, const unsigned char *output32, const struct leaf *leaf)
{
	bool odd;

	*internal = w->partial->tap_internal_key;
	*has_root = w->partial->tap_merkle_root.len || leaf;
	if (w->partial->tap_merkle_root.len)
		memcpy(root32, w->partial->tap_merkle_root.data, 32);
	else if (leaf)
		leaf_root(root32, leaf);
	if (!internal->len && leaf)
		*internal = BB_SPAN(leaf->control.data + 1, 32);
	if (!internal->len)
		return true;
	return commits(&odd, w, output32, internal->data, *has_root ? root32 : NULL) ||
	       refuse(w, "tap-internal-key-does-not-match");
}

/* What signs for the output key. False when its key is not ours. */
static bool output_pair(const struct bb_keypair **pair, struct work *w,
	const unsigned char *output32, struct bb_span internal, const unsigned char *root32)
{
	struct bb_signkeys *keys = w->signer->keys;
	const struct bb_signkey *key;

	if (root32 && internal.len)
		key = bb_signkeys_find(keys, BB_KEY_PUBKEY, internal.data, w->partial);
	else
		key = bb_signkeys_find(keys, BB_KEY_P2TR, output32, w->partial);
	if (key) {
		*pair = bb_signkeys_output_pair(
			keys, key, output32, internal.len ? root32 : NULL);
		return true;
	}
	/* An output key that is our own key, untweaked (rawtr). */
	if ((root32 && internal.len) ||
		!(key = bb_signkeys_find(keys, BB_KEY_PUBKEY, output32, w->partial)))
		return false;
	*pair = bb_signkeys_pair(keys, key);
	return true;
}

static bool sign_key_path(struct work *w, struct bb_span *sig, const unsigned char *output32,
	const struct leaf *leaf)
{
	static const struct bb_taproot_context key_path;
	const struct bb_keypair *pair;
	unsigned char root32[32];
	struct bb_span internal;
	bool has_root;

	if (w->partial->tap_key_sig.len) {
		*sig = w->partial->tap_key_sig;
		if (schnorr_holds(w, *sig, output32, &key_path))
			return true;
		refuse(w, "partial-signature-does-not-verify");
	}
	return internal_key(&internal, root32, &has_root, w, output32, leaf) &&
	       output_pair(&pair, w, output32, internal, has_root ? root32 : NULL) &&
	       schnorr_make(sig, w, pair, &key_path);
}

/* By the key if it is ours, else by the first leaf that can be completed. */
static bool sign_p2tr(struct work *w, struct items *s, const unsigned char *output32)
{
	const struct bb_pairs *scripts = &w->partial->tap_leaf_script;
	struct leaf *leaf = bb_arena_array(w->arena, scripts->count, sizeof(*leaf));

	if (!leaf)
		return lacking(w, "out of memory");
	for (size_t i = 0; i < scripts->count; i++)
		if (!leaf_read(&leaf[i], w, &scripts->pair[i], output32))
			return refuse(w, "tap-leaf-script-does-not-match");
	if (sign_key_path(w, s->item, output32, scripts->count ? leaf : NULL)) {
		s->count = 1;
		return finish_witness(w, s, BB_SPAN(NULL, 0));
	}
	if (w->refused)
		return false;
	for (size_t i = 0; i < scripts->count; i++) {
		if ((leaf[i].control.data[0] & 0xfe) != BB_TAPROOT_LEAF_TAPSCRIPT ||
			!leaf_parse(&leaf[i], w->arena))
			lacking(w, "unsupported-script");
		else if (sign_leaf(w, &leaf[i]))
			return true;
	}
	return lacking(w, "no-key");
}

/* One input. */

static bool sign_prevout(struct work *w)
{
	const struct bb_span script = w->prevout->script;
	/* the most: CHECKMULTISIG's empty item, its signatures, the witness script */
	struct items s = {
		.item = bb_arena_array(w->arena, BB_MAX_MULTISIG_KEYS + 2, sizeof(*s.item)),
	};

	if (!s.item)
		return lacking(w, "out of memory");
	switch (bb_script_type(script)) {
	case BB_P2SH: return sign_p2sh(w, &s, script.data + 2);
	case BB_P2WPKH:
		return sign_p2wpkh(w, &s, BB_SPAN(script.data + 2, 20), BB_SPAN(NULL, 0));
	case BB_P2WSH: return sign_p2wsh(w, &s, BB_SPAN(script.data + 2, 32), BB_SPAN(NULL, 0));
	case BB_P2TR: return sign_p2tr(w, &s, script.data + 2);
	default:
		return satisfy(&s, w, script, LEGACY) && finish_legacy(w, &s, BB_SPAN(NULL, 0));
	}
}

static bool verifies(const struct work *w, uint32_t flags)
{
	return bb_verify_input(&w->signer->vm, w->cache, w->index, flags) == BB_SCRIPT_OK;
}

/* A line may not choose by itself to have less than everything signed: a type it states must be
 * the one asked for, or sign everything. False when it is neither. */
static bool settle_hash_type(struct work *w, int stated)
{
	const bool everything = stated == BB_SIGHASH_DEFAULT || stated == BB_SIGHASH_ALL;
	const bool obey = w->hash_type == BB_SIGHASH_AS_STATED;

	if (obey || (w->hash_type < 0 && everything))
		w->hash_type = stated;
	return stated < 0 || w->hash_type == stated;
}

/* Sign, unless it came in final: then it stays to the byte. True when it is complete. */
static bool sign_input(struct input *i, struct work *w)
{
	struct bb_txin *in = &w->tx->in[w->index];
	const struct bb_txin before = *in;

	if (!w->prevout->known)
		return lacking(w, "missing-prevouts");
	if ((in->script_sig.len || in->witness_count) && verifies(w, BB_VERIFY_CONSENSUS))
		return true;
	if (!settle_hash_type(w, i->partial.sighash_type))
		return refuse(w, "sighash-type-differs");
	if (sign_prevout(w)) {
		i->outcome = FINAL;
		if (!w->signer->verify || verifies(w, BB_VERIFY_STANDARD))
			return true;
		*in = before;
		i->outcome = LEFT_ALONE;
		return refuse(w, "signed-input-does-not-verify");
	}
	if (w->signatures)
		i->outcome = SIGNED;
	return false;
}

/* The line. */

static bool read_inputs(
	struct input *inputs, const char **why, const struct bb_txline *l, struct bb_arena *a)
{
	const struct bb_json *vin = l->vin ? l->vin->child : NULL;

	for (size_t i = 0; i < l->tx.in_count; i++) {
		inputs[i].vin = vin;
		if (!bb_partial_read(&inputs[i].partial, why, a, vin))
			return false;
		vin = vin ? vin->next : NULL;
	}
	return true;
}

/* Keep the first reason for which a line is not complete, or the first refusal. */
static void report_input(struct bb_sign_report *report, const struct work *w, bool complete)
{
	report->complete += complete;
	report->signatures += w->signatures;
	if (complete || (report->why && (report->refused || !w->refused)))
		return;
	report->input = w->index;
	report->why = w->why;
	report->refused = w->refused;
}

static void sign_inputs(struct bb_sign_report *report, struct bb_signer *s, struct bb_txline *l,
	struct bb_arena *a, struct input *inputs, int sighash)
{
	struct bb_sighash_cache cache;

	bb_sighash_cache_init(&cache, &l->tx, l->prevouts);
	for (size_t i = 0; i < l->tx.in_count; i++) {
		struct work w = {
			.signer = s,
			.arena = a,
			.cache = &cache,
			.tx = &l->tx,
			.index = i,
			.prevout = &l->prevouts[i],
			.partial = &inputs[i].partial,
			.hash_type = sighash,
		};
		report_input(report, &w, sign_input(&inputs[i], &w));
		report->changed |= inputs[i].outcome != LEFT_ALONE;
	}
}

/* The partial fields of one input, as they now are. */
static void write_partial(void *arg, struct bb_json_writer *w, size_t index)
{
	const struct input *i = &((const struct input *)arg)[index];

	if (i->outcome == FINAL)
		return;
	for (const struct bb_json *v = i->vin ? i->vin->child : NULL; v; v = v->next)
		if (bb_span_is_among(v->key, bb_partial_names) &&
			(i->outcome != SIGNED ||
				!bb_span_is_among(v->key, bb_partial_signature_names))) {
			bb_json_key_span(w, v->key);
			bb_json_raw(w, v->raw);
		}
	if (i->outcome == SIGNED)
		bb_json_signatures(w, &i->partial);
}

static void write_line(struct bb_buf *out, const struct bb_txline *l, struct input *inputs,
	const struct bb_network *n)
{
	struct bb_txline_edit edit = {
		.vin_extra = write_partial,
		.arg = inputs,
		.replaced = bb_partial_names,
	};

	for (size_t i = 0; i < l->tx.in_count; i++)
		edit.need_vin |= inputs[i].outcome == SIGNED;
	bb_txline_write(out, l, &edit, n);
}

bool bb_sign_line(struct bb_buf *out, struct bb_sign_report *report, const char **why,
	struct bb_signer *s, struct bb_txline *l, struct bb_arena *a, int sighash)
{
	struct input *inputs = bb_arena_array(a, l->tx.in_count, sizeof(*inputs));

	*report = (struct bb_sign_report){0};
	*why = "out of memory";
	if (!inputs || !read_inputs(inputs, why, l, a))
		return false;
	sign_inputs(report, s, l, a, inputs, sighash);
	if (report->changed)
		write_line(out, l, inputs, s->network);
	return true;
}

/* The signer. */

struct bb_signer *bb_signer_new(
	const struct bb_keyring *ring, const struct bb_curve *c, const struct bb_network *n)
{
	struct bb_signer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->curve = c;
	s->network = n;
	if (!(s->keys = bb_signkeys_new(ring, c, n))) {
		free(s);
		return NULL;
	}
	return s;
}

void bb_signer_free(struct bb_signer *s)
{
	if (!s)
		return;
	bb_signkeys_free(s->keys);
	bb_interpreter_free(&s->vm);
	bb_buf_free(&s->script);
	free(s);
}

void bb_signer_scan(struct bb_signer *s, uint32_t limit)
{
	bb_signkeys_scan(s->keys, limit);
}

bool bb_signer_derive(struct bb_signer *s, const struct bb_path *path)
{
	return bb_signkeys_derive(s->keys, path);
}

void bb_signer_verify(struct bb_signer *s)
{
	s->verify = true;
}
