#include <errno.h>
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_preallocated.h>
#include <secp256k1_schnorrsig.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "crypto/curve.h"
#include "crypto/hash.h"

/* The system's entropy, asked for in blocks: a call for each signature's would be felt. */
struct entropy {
	size_t left;
	unsigned char bytes[32 * 32];
};

struct bb_curve {
	secp256k1_context *ctx; /* lies in memory */
	struct entropy *entropy;
	size_t size;
	max_align_t memory[];
};

/* One INTEGER of a lax signature into 32 bytes, big-endian; *overflow when it needs more.
 *
 * What old OpenSSL let through and the chain holds is allowed: lengths in the long form,
 * with leading zeros, and padded or negative integers (read as positive). */
static bool read_lax_integer(unsigned char out32[32], bool *overflow, struct bb_reader *r)
{
	struct bb_span integer;
	uint32_t len;

	if (bb_get_u8(r) != 0x02)
		return false;
	len = bb_get_u8(r);
	if (len & 0x80) {
		struct bb_span bytes = bb_get_span(r, len & 0x7f);

		while (bytes.len && !*bytes.data)
			bytes.data++, bytes.len--;
		if (bytes.len >= 4)
			return false;
		for (len = 0; bytes.len; bytes.data++, bytes.len--)
			len = len << 8 | *bytes.data;
	}
	integer = bb_get_span(r, len);
	if (r->bad)
		return false;
	while (integer.len && !*integer.data)
		integer.data++, integer.len--;
	if (integer.len > 32)
		*overflow = true;
	else if (integer.len)
		memcpy(out32 + 32 - integer.len, integer.data, integer.len);
	return true;
}

/* A signature as consensus reads it (before BIP 66, and after it for what passed its check):
 * the SEQUENCE's length and whatever follows S are not looked at. An R or S past the order
 * gives the zero signature, which parses and verifies for nothing. */
static bool parse_lax_der(secp256k1_ecdsa_signature *sig, struct bb_span der)
{
	struct bb_reader r = bb_reader(der.data, der.len);
	unsigned char rs[64] = {0}, len;
	bool overflow = false;

	if (bb_get_u8(&r) != 0x30)
		return false;
	len = bb_get_u8(&r);
	if (len & 0x80)
		bb_get_span(&r, len & 0x7f);
	if (!read_lax_integer(rs, &overflow, &r) || !read_lax_integer(rs + 32, &overflow, &r))
		return false;
	if (overflow ||
		!secp256k1_ecdsa_signature_parse_compact(secp256k1_context_static, sig, rs)) {
		memset(rs, 0, sizeof(rs));
		secp256k1_ecdsa_signature_parse_compact(secp256k1_context_static, sig, rs);
	}
	return true;
}

static bool parse_pubkey(secp256k1_pubkey *out, struct bb_span pubkey)
{
	return (pubkey.len == 33 || pubkey.len == 65) &&
	       secp256k1_ec_pubkey_parse(
		       secp256k1_context_static, out, pubkey.data, pubkey.len);
}

bool bb_ecdsa_verify(struct bb_span der, const unsigned char msg32[32], struct bb_span pubkey)
{
	secp256k1_ecdsa_signature sig;
	secp256k1_pubkey key;

	if (!parse_pubkey(&key, pubkey) || !parse_lax_der(&sig, der))
		return false;
	/* libsecp256k1 takes low S only; consensus takes both. */
	secp256k1_ecdsa_signature_normalize(secp256k1_context_static, &sig, &sig);
	return secp256k1_ecdsa_verify(secp256k1_context_static, &sig, msg32, &key);
}

bool bb_schnorr_verify(const unsigned char sig64[64], const unsigned char msg32[32],
	const unsigned char xonly32[32])
{
	return bb_schnorr_verify_message(sig64, BB_SPAN(msg32, 32), xonly32);
}

bool bb_schnorr_verify_message(
	const unsigned char sig64[64], struct bb_span message, const unsigned char xonly32[32])
{
	const secp256k1_context *ctx = secp256k1_context_static;
	secp256k1_xonly_pubkey key;

	return secp256k1_xonly_pubkey_parse(ctx, &key, xonly32) &&
	       secp256k1_schnorrsig_verify(ctx, sig64, message.data, message.len, &key);
}

bool bb_ecdsa_is_low_s(struct bb_span der)
{
	secp256k1_ecdsa_signature sig;

	return parse_lax_der(&sig, der) &&
	       !secp256k1_ecdsa_signature_normalize(secp256k1_context_static, NULL, &sig);
}

bool bb_taproot_commits(const unsigned char output32[32], bool odd,
	const unsigned char internal32[32], const unsigned char tweak32[32])
{
	secp256k1_xonly_pubkey internal;

	return secp256k1_xonly_pubkey_parse(secp256k1_context_static, &internal, internal32) &&
	       secp256k1_xonly_pubkey_tweak_add_check(
		       secp256k1_context_static, output32, odd, &internal, tweak32);
}

bool bb_pubkey_valid(struct bb_span pubkey)
{
	secp256k1_pubkey key;

	return parse_pubkey(&key, pubkey);
}

bool bb_xonly_valid(const unsigned char xonly32[32])
{
	secp256k1_xonly_pubkey key;

	return secp256k1_xonly_pubkey_parse(secp256k1_context_static, &key, xonly32);
}

/* In memory of our own: secp256k1_context_create aborts where there is none. */
struct bb_curve *bb_curve_new(void)
{
	size_t size = secp256k1_context_preallocated_size(SECP256K1_CONTEXT_NONE);
	struct bb_curve *c = malloc(sizeof(*c) + size);
	unsigned char seed32[32];
	bool blinded;

	if (!c)
		return NULL;
	c->size = size;
	c->entropy = calloc(1, sizeof(*c->entropy));
	c->ctx = secp256k1_context_preallocated_create(c->memory, SECP256K1_CONTEXT_NONE);
	blinded = c->entropy && bb_random(seed32, sizeof(seed32)) &&
		  secp256k1_context_randomize(c->ctx, seed32);
	bb_wipe(seed32, sizeof(seed32));
	if (!blinded) {
		bb_curve_free(c);
		return NULL;
	}
	return c;
}

void bb_curve_free(struct bb_curve *c)
{
	if (!c)
		return;
	secp256k1_context_preallocated_destroy(c->ctx);
	bb_wipe(c->memory, c->size);
	if (c->entropy)
		bb_wipe(c->entropy, sizeof(*c->entropy));
	free(c->entropy);
	free(c);
}

bool bb_key_valid(const unsigned char key32[32])
{
	return secp256k1_ec_seckey_verify(secp256k1_context_static, key32);
}

size_t bb_key_pubkey(unsigned char *out, const struct bb_curve *c,
	const unsigned char key32[32], bool compressed)
{
	secp256k1_pubkey key;
	size_t len = compressed ? 33 : 65;

	if (!secp256k1_ec_pubkey_create(c->ctx, &key, key32))
		return 0;
	secp256k1_ec_pubkey_serialize(secp256k1_context_static, out, &len, &key,
		compressed ? SECP256K1_EC_COMPRESSED : SECP256K1_EC_UNCOMPRESSED);
	return len;
}

/* Does R fit in 32 bytes of DER? */
static bool is_low_r(const secp256k1_ecdsa_signature *sig)
{
	unsigned char rs[64];

	secp256k1_ecdsa_signature_serialize_compact(secp256k1_context_static, rs, sig);
	return rs[0] < 0x80;
}

size_t bb_ecdsa_sign(unsigned char der72[72], const struct bb_curve *c,
	const unsigned char msg32[32], const unsigned char key32[32])
{
	secp256k1_ecdsa_signature sig;
	unsigned char extra[32] = {0};
	size_t len = 72;
	bool ok;

	ok = secp256k1_ecdsa_sign(
		c->ctx, &sig, msg32, key32, secp256k1_nonce_function_rfc6979, NULL);
	/* Core's grinding, so that the same key and hash give the same signature. */
	for (uint32_t counter = 1; ok && !is_low_r(&sig); counter++) {
		bb_set_le32(extra, counter);
		ok = secp256k1_ecdsa_sign(
			c->ctx, &sig, msg32, key32, secp256k1_nonce_function_rfc6979, extra);
	}
	if (!ok || !secp256k1_ecdsa_signature_serialize_der(
			   secp256k1_context_static, der72, &len, &sig))
		return 0;
	return len;
}

bool bb_schnorr_sign(unsigned char sig64[64], const struct bb_curve *c,
	const unsigned char msg32[32], const unsigned char key32[32],
	const unsigned char aux32[32])
{
	return bb_schnorr_sign_message(sig64, c, BB_SPAN(msg32, 32), key32, aux32);
}

_Static_assert(
	sizeof(struct bb_keypair) == sizeof(secp256k1_keypair), "its size is documented");

/* Both are bytes alone: no copy of the secret is made to go from one to the other. */
static secp256k1_keypair *opened(struct bb_keypair *pair)
{
	return (secp256k1_keypair *)(void *)pair->opaque;
}

static const secp256k1_keypair *opened_const(const struct bb_keypair *pair)
{
	return (const secp256k1_keypair *)(const void *)pair->opaque;
}

/* BIP 340's auxiliary randomness: the caller's, or fresh. */
static bool aux_random(
	unsigned char out32[32], const struct bb_curve *c, const unsigned char aux32[32])
{
	struct entropy *e = c->entropy;

	if (aux32) {
		memcpy(out32, aux32, 32);
		return true;
	}
	if (!e->left) {
		if (!bb_random(e->bytes, sizeof(e->bytes)))
			return false;
		e->left = sizeof(e->bytes);
	}
	e->left -= 32;
	memcpy(out32, e->bytes + e->left, 32);
	bb_wipe(e->bytes + e->left, 32);
	return true;
}

bool bb_schnorr_sign_message(unsigned char sig64[64], const struct bb_curve *c,
	struct bb_span message, const unsigned char key32[32], const unsigned char aux32[32])
{
	secp256k1_schnorrsig_extraparams params = SECP256K1_SCHNORRSIG_EXTRAPARAMS_INIT;
	unsigned char random32[32];
	struct bb_keypair pair;
	bool ok;

	params.ndata = random32;
	ok = aux_random(random32, c, aux32) && bb_keypair_make(&pair, c, key32) &&
	     secp256k1_schnorrsig_sign_custom(
		     c->ctx, sig64, message.data, message.len, opened_const(&pair), &params);
	bb_wipe(&pair, sizeof(pair));
	bb_wipe(random32, sizeof(random32));
	return ok;
}

bool bb_keypair_make(
	struct bb_keypair *out, const struct bb_curve *c, const unsigned char key32[32])
{
	return secp256k1_keypair_create(c->ctx, opened(out), key32);
}

bool bb_keypair_sign(unsigned char sig64[64], const struct bb_curve *c,
	const unsigned char msg32[32], const struct bb_keypair *pair,
	const unsigned char aux32[32])
{
	unsigned char random32[32];
	bool ok;

	ok = aux_random(random32, c, aux32) &&
	     secp256k1_schnorrsig_sign32(c->ctx, sig64, msg32, opened_const(pair), random32);
	bb_wipe(random32, sizeof(random32));
	return ok;
}

bool bb_key_add(unsigned char key32[32], const unsigned char tweak32[32])
{
	return secp256k1_ec_seckey_tweak_add(secp256k1_context_static, key32, tweak32);
}

bool bb_pubkey_add(unsigned char pubkey33[33], const unsigned char tweak32[32])
{
	secp256k1_pubkey key;
	size_t len = 33;

	return parse_pubkey(&key, BB_SPAN(pubkey33, 33)) &&
	       secp256k1_ec_pubkey_tweak_add(secp256k1_context_static, &key, tweak32) &&
	       secp256k1_ec_pubkey_serialize(
		       secp256k1_context_static, pubkey33, &len, &key, SECP256K1_EC_COMPRESSED);
}

/* BIP 341's tweak of an internal key. */
static void taptweak_hash(unsigned char out[32], const unsigned char internal32[32],
	const unsigned char root32[32])
{
	struct bb_sha256 h;

	bb_tagged_init(&h, "TapTweak");
	bb_sha256_add(&h, internal32, 32);
	if (root32)
		bb_sha256_add(&h, root32, 32);
	bb_sha256_end(out, &h);
}

bool bb_taproot_output(unsigned char output32[32], bool *odd,
	const unsigned char internal32[32], const unsigned char root32[32])
{
	const secp256k1_context *ctx = secp256k1_context_static;
	secp256k1_xonly_pubkey internal, output;
	secp256k1_pubkey tweaked;
	unsigned char tweak32[32];
	int parity;

	taptweak_hash(tweak32, internal32, root32);
	if (!secp256k1_xonly_pubkey_parse(ctx, &internal, internal32) ||
		!secp256k1_xonly_pubkey_tweak_add(ctx, &tweaked, &internal, tweak32) ||
		!secp256k1_xonly_pubkey_from_pubkey(ctx, &output, &parity, &tweaked))
		return false;
	*odd = parity;
	return secp256k1_xonly_pubkey_serialize(ctx, output32, &output);
}

bool bb_keypair_taproot(
	struct bb_keypair *pair, const struct bb_curve *c, const unsigned char root32[32])
{
	unsigned char internal32[32], tweak32[32];
	secp256k1_xonly_pubkey internal;

	if (!secp256k1_keypair_xonly_pub(c->ctx, &internal, NULL, opened_const(pair)) ||
		!secp256k1_xonly_pubkey_serialize(c->ctx, internal32, &internal))
		return false;
	taptweak_hash(tweak32, internal32, root32);
	return secp256k1_keypair_xonly_tweak_add(c->ctx, opened(pair), tweak32);
}

bool bb_taproot_key(
	unsigned char key32[32], const struct bb_curve *c, const unsigned char root32[32])
{
	struct bb_keypair pair;
	bool ok;

	ok = bb_keypair_make(&pair, c, key32) && bb_keypair_taproot(&pair, c, root32) &&
	     secp256k1_keypair_sec(c->ctx, key32, opened_const(&pair));
	bb_wipe(&pair, sizeof(pair));
	return ok;
}

bool bb_random(void *out, size_t len)
{
	unsigned char *p = out;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}
