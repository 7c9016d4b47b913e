#include "bare.h"

#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "bitcoin/interpreter.h"
#include "bitcoin/judge.h"
#include "crypto/curve.h"
#include "wallet/sign.h"

/* One call, with its arguments as bytes; `key` of a tweak is the internal key, `msg32` the
 * tweak, `sig` the output key. `key` of a signing is secret (a keypair for Schnorr), `sig` the
 * nonce's extra data. */
struct bare_op {
	enum bare_kind kind;
	bool result, odd;
	struct bb_span sig, key;
	unsigned char msg32[32];
};

/* What is being recorded into; NULL: nothing. Wrapped functions have no other way to know. */
static struct bare *recording;

static void record(enum bare_kind kind, bool result, struct bb_span sig, struct bb_span key,
	const unsigned char msg32[32], bool odd)
{
	struct bare *b = recording;
	struct bare_op *op;

	if (!b)
		return;
	if (b->count == b->cap) {
		b->cap = b->cap ? 2 * b->cap : 1024;
		if (!(b->op = realloc(b->op, b->cap * sizeof(*b->op))))
			abort();
	}
	op = &b->op[b->count++];
	*op = (struct bare_op){.kind = kind, .result = result, .odd = odd};
	op->sig = bb_arena_copy(&b->arena, sig);
	op->key = bb_arena_copy(&b->arena, key);
	memcpy(op->msg32, msg32, 32);
	b->of_kind[kind]++;
}

/* The wrappers. */

bool __real_bb_ecdsa_verify(
	struct bb_span der, const unsigned char msg32[32], struct bb_span pubkey);
bool __wrap_bb_ecdsa_verify(
	struct bb_span der, const unsigned char msg32[32], struct bb_span pubkey);
bool __real_bb_schnorr_verify(const unsigned char sig64[64], const unsigned char msg32[32],
	const unsigned char xonly32[32]);
bool __wrap_bb_schnorr_verify(const unsigned char sig64[64], const unsigned char msg32[32],
	const unsigned char xonly32[32]);
bool __real_bb_taproot_commits(const unsigned char output32[32], bool odd,
	const unsigned char internal32[32], const unsigned char tweak32[32]);
bool __wrap_bb_taproot_commits(const unsigned char output32[32], bool odd,
	const unsigned char internal32[32], const unsigned char tweak32[32]);
int __real_secp256k1_ecdsa_sign(const secp256k1_context *ctx, secp256k1_ecdsa_signature *sig,
	const unsigned char *msg32, const unsigned char *key32, secp256k1_nonce_function nonce,
	const void *extra);
int __wrap_secp256k1_ecdsa_sign(const secp256k1_context *ctx, secp256k1_ecdsa_signature *sig,
	const unsigned char *msg32, const unsigned char *key32, secp256k1_nonce_function nonce,
	const void *extra);

int __real_secp256k1_schnorrsig_sign32(const secp256k1_context *ctx, unsigned char *sig64,
	const unsigned char *msg32, const secp256k1_keypair *pair, const unsigned char *aux32);
int __wrap_secp256k1_schnorrsig_sign32(const secp256k1_context *ctx, unsigned char *sig64,
	const unsigned char *msg32, const secp256k1_keypair *pair, const unsigned char *aux32);

bool __wrap_bb_ecdsa_verify(
	struct bb_span der, const unsigned char msg32[32], struct bb_span pubkey)
{
	bool result = __real_bb_ecdsa_verify(der, msg32, pubkey);
	secp256k1_ecdsa_signature sig;

	if (secp256k1_ecdsa_signature_parse_der(
		    secp256k1_context_static, &sig, der.data, der.len))
		record(BARE_ECDSA, result, der, pubkey, msg32, false);
	else if (recording)
		recording->lax++;
	return result;
}

bool __wrap_bb_schnorr_verify(const unsigned char sig64[64], const unsigned char msg32[32],
	const unsigned char xonly32[32])
{
	bool result = __real_bb_schnorr_verify(sig64, msg32, xonly32);

	record(BARE_SCHNORR, result, BB_SPAN(sig64, 64), BB_SPAN(xonly32, 32), msg32, false);
	return result;
}

bool __wrap_bb_taproot_commits(const unsigned char output32[32], bool odd,
	const unsigned char internal32[32], const unsigned char tweak32[32])
{
	bool result = __real_bb_taproot_commits(output32, odd, internal32, tweak32);

	record(BARE_TWEAK, result, BB_SPAN(output32, 32), BB_SPAN(internal32, 32), tweak32,
		odd);
	return result;
}

int __wrap_secp256k1_ecdsa_sign(const secp256k1_context *ctx, secp256k1_ecdsa_signature *sig,
	const unsigned char *msg32, const unsigned char *key32, secp256k1_nonce_function nonce,
	const void *extra)
{
	int result = __real_secp256k1_ecdsa_sign(ctx, sig, msg32, key32, nonce, extra);

	record(BARE_SIGN, result, BB_SPAN(extra, extra ? 32 : 0), BB_SPAN(key32, 32), msg32,
		false);
	return result;
}

int __wrap_secp256k1_schnorrsig_sign32(const secp256k1_context *ctx, unsigned char *sig64,
	const unsigned char *msg32, const secp256k1_keypair *pair, const unsigned char *aux32)
{
	int result = __real_secp256k1_schnorrsig_sign32(ctx, sig64, msg32, pair, aux32);

	record(BARE_SCHNORR_SIGN, result, BB_SPAN(aux32, 32), BB_SPAN(pair, sizeof(*pair)),
		msg32, false);
	return result;
}

/* Recording. */

typedef bool line_fn(void *arg, struct bare *b, struct bb_txline *l, struct bb_arena *a);

static bool each_line(struct bare *b, const char *file, line_fn *fn, void *arg)
{
	char *const files[] = {(char *)(uintptr_t)file, NULL};
	struct bb_lines in = {.tool = "bench", .files = files};
	struct bb_arena arena = {0};
	const struct bb_json *doc;
	struct bb_txline l;
	struct bb_span line;
	const char *why;
	bool ok = true;

	recording = b;
	while (ok && bb_lines_read(&in, &line)) {
		bb_arena_reset(&arena);
		ok = (doc = bb_json_parse(&arena, &why, line)) &&
		     bb_txline_read(&l, &why, &arena, doc) && fn(arg, b, &l, &arena);
		b->lines++;
		b->inputs += ok ? l.tx.in_count : 0;
	}
	recording = NULL;
	bb_arena_free(&arena);
	return bb_lines_close(&in, NULL) == BB_OK && ok;
}

static bool judge_line(void *arg, struct bare *b, struct bb_txline *l, struct bb_arena *a)
{
	const struct bb_judge j = {.network = bb_network_find("main"), .vm = arg, .arena = a};
	struct bb_verdict v;
	const char *why;

	(void)b;
	return bb_judge_tx(&v, &why, &j, l) && v.valid;
}

bool bare_record_validate(struct bare *b, const char *file)
{
	struct bb_interpreter vm = {0};
	bool ok = each_line(b, file, judge_line, &vm);

	bb_interpreter_free(&vm);
	return ok;
}

static bool sign_line(void *arg, struct bare *b, struct bb_txline *l, struct bb_arena *a)
{
	struct bb_sign_report report;
	struct bb_buf out = {0};
	const char *why;
	bool ok;

	(void)b;
	ok = bb_sign_line(&out, &report, &why, arg, l, a, -1) && report.changed;
	bb_buf_free(&out);
	return ok;
}

bool bare_record_sign(struct bare *b, const char *file, const char *key_file)
{
	const struct bb_network *n = bb_network_find("regtest");
	struct bb_keyring ring = {0};
	struct bb_signer *signer = NULL;
	struct bb_curve *curve = bb_curve_new();
	const char *why;
	bool ok;

	ok = curve && bb_keyring_load(&ring, &why, key_file, BB_SPAN(NULL, 0), curve, n) &&
	     (signer = bb_signer_new(&ring, curve, n)) && each_line(b, file, sign_line, signer);
	bb_signer_free(signer);
	bb_keyring_free(&ring);
	bb_curve_free(curve);
	return ok;
}

/* The same again, bare. */

static bool verify_ecdsa(const struct bare_op *op)
{
	const secp256k1_context *ctx = secp256k1_context_static;
	secp256k1_ecdsa_signature sig;
	secp256k1_pubkey key;

	if (!secp256k1_ec_pubkey_parse(ctx, &key, op->key.data, op->key.len) ||
		!secp256k1_ecdsa_signature_parse_der(ctx, &sig, op->sig.data, op->sig.len))
		return false;
	secp256k1_ecdsa_signature_normalize(ctx, &sig, &sig);
	return secp256k1_ecdsa_verify(ctx, &sig, op->msg32, &key);
}

static bool verify_schnorr(const struct bare_op *op)
{
	secp256k1_xonly_pubkey key;

	return secp256k1_xonly_pubkey_parse(secp256k1_context_static, &key, op->key.data) &&
	       secp256k1_schnorrsig_verify(
		       secp256k1_context_static, op->sig.data, op->msg32, 32, &key);
}

static bool check_tweak(const struct bare_op *op)
{
	secp256k1_xonly_pubkey key;

	return secp256k1_xonly_pubkey_parse(secp256k1_context_static, &key, op->key.data) &&
	       secp256k1_xonly_pubkey_tweak_add_check(
		       secp256k1_context_static, op->sig.data, op->odd, &key, op->msg32);
}

static bool sign(const secp256k1_context *ctx, const struct bare_op *op)
{
	secp256k1_ecdsa_signature sig;

	return __real_secp256k1_ecdsa_sign(ctx, &sig, op->msg32, op->key.data,
		secp256k1_nonce_function_rfc6979, op->sig.len ? op->sig.data : NULL);
}

static bool sign_schnorr(const secp256k1_context *ctx, const struct bare_op *op)
{
	secp256k1_keypair pair;
	unsigned char sig64[64];

	memcpy(&pair, op->key.data, sizeof(pair));
	return __real_secp256k1_schnorrsig_sign32(ctx, sig64, op->msg32, &pair, op->sig.data);
}

/* A context as signing should have it. */
static secp256k1_context *new_context(void)
{
	secp256k1_context *ctx = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
	unsigned char seed32[32];

	if (!bb_random(seed32, 32) || !secp256k1_context_randomize(ctx, seed32))
		abort();
	return ctx;
}

bool bare_replay(const struct bare *b)
{
	secp256k1_context *ctx = new_context();
	bool ok = true;

	for (size_t i = 0; i < b->count; i++) {
		const struct bare_op *op = &b->op[i];
		bool result;
		switch (op->kind) {
		case BARE_ECDSA: result = verify_ecdsa(op); break;
		case BARE_SCHNORR: result = verify_schnorr(op); break;
		case BARE_TWEAK: result = check_tweak(op); break;
		case BARE_SIGN: result = sign(ctx, op); break;
		default: result = sign_schnorr(ctx, op); break;
		}
		ok = ok && result == op->result;
	}
	secp256k1_context_destroy(ctx);
	return ok;
}

bool bare_pubkeys(size_t count)
{
	secp256k1_context *ctx = new_context();
	unsigned char key32[32];
	secp256k1_pubkey key;
	bool ok = bb_random(key32, 32);

	key32[0] = 0x7f; /* below the order */
	for (size_t i = 0; i < count; i++) {
		bb_set_le32(key32 + 28, (uint32_t)i);
		ok = ok && secp256k1_ec_pubkey_create(ctx, &key, key32);
	}
	secp256k1_context_destroy(ctx);
	return ok;
}

void bare_free(struct bare *b)
{
	free(b->op);
	bb_arena_free(&b->arena);
	*b = (struct bare){0};
}
