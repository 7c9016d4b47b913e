#include <openssl/ripemd.h>
#include <string.h>

#include "crypto/hash.h"

/* The low-level functions throughout: OpenSSL 3's one-shot SHA256() and HMAC() look their
 * algorithm up at every call and load the library's configuration at the first. */

void bb_sha256_init(struct bb_sha256 *h)
{
	SHA256_Init(&h->ctx);
}

void bb_sha256_add(struct bb_sha256 *h, const void *data, size_t len)
{
	if (len)
		SHA256_Update(&h->ctx, data, len);
}

void bb_sha256_add_le32(struct bb_sha256 *h, uint32_t v)
{
	unsigned char bytes[4];

	bb_set_le32(bytes, v);
	SHA256_Update(&h->ctx, bytes, sizeof(bytes));
}

void bb_sha256_add_le64(struct bb_sha256 *h, uint64_t v)
{
	unsigned char bytes[8];

	bb_set_le64(bytes, v);
	SHA256_Update(&h->ctx, bytes, sizeof(bytes));
}

void bb_sha256_add_compact(struct bb_sha256 *h, uint64_t v)
{
	unsigned char bytes[9];

	bb_set_le64(bytes + 1, v);
	switch (bb_compact_len(v)) {
	case 1: bytes[0] = (unsigned char)v; break;
	case 3: bytes[0] = 0xfd; break;
	case 5: bytes[0] = 0xfe; break;
	default: bytes[0] = 0xff; break;
	}
	SHA256_Update(&h->ctx, bytes, bb_compact_len(v));
}

void bb_sha256_add_var(struct bb_sha256 *h, struct bb_span s)
{
	bb_sha256_add_compact(h, s.len);
	bb_sha256_add(h, s.data, s.len);
}

void bb_sha256_end(unsigned char out[32], struct bb_sha256 *h)
{
	SHA256_Final(out, &h->ctx);
}

void bb_sha256d_end(unsigned char out[32], struct bb_sha256 *h)
{
	SHA256_Final(out, &h->ctx);
	bb_sha256(out, out, 32);
}

void bb_tagged_init(struct bb_sha256 *h, const char *tag)
{
	unsigned char twice[64];

	bb_sha256(twice, tag, strlen(tag));
	memcpy(twice + 32, twice, 32);
	bb_sha256_init(h);
	SHA256_Update(&h->ctx, twice, sizeof(twice));
}

void bb_sha256(unsigned char out[32], const void *data, size_t len)
{
	struct bb_sha256 h;

	bb_sha256_init(&h);
	bb_sha256_add(&h, data, len);
	bb_sha256_end(out, &h);
}

void bb_sha256d(unsigned char out[32], const void *data, size_t len)
{
	bb_sha256(out, data, len);
	bb_sha256(out, out, 32);
}

void bb_sha1(unsigned char out[20], const void *data, size_t len)
{
	SHA_CTX ctx;

	SHA1_Init(&ctx);
	if (len)
		SHA1_Update(&ctx, data, len);
	SHA1_Final(out, &ctx);
}

void bb_ripemd160(unsigned char out[20], const void *data, size_t len)
{
	RIPEMD160_CTX ctx;

	RIPEMD160_Init(&ctx);
	if (len)
		RIPEMD160_Update(&ctx, data, len);
	RIPEMD160_Final(out, &ctx);
}

void bb_hash160(unsigned char out[20], const void *data, size_t len)
{
	unsigned char sha[32];

	bb_sha256(sha, data, len);
	bb_ripemd160(out, sha, sizeof(sha));
}

/* SHA-512 of one block and what follows: each half of RFC 2104. */
static void sha512_pair(
	unsigned char out[64], const unsigned char block[SHA512_CBLOCK], struct bb_span data)
{
	SHA512_CTX ctx;

	SHA512_Init(&ctx);
	SHA512_Update(&ctx, block, SHA512_CBLOCK);
	if (data.len)
		SHA512_Update(&ctx, data.data, data.len);
	SHA512_Final(out, &ctx);
	bb_wipe(&ctx, sizeof(ctx));
}

void bb_hmac_sha512(unsigned char out[64], struct bb_span key, struct bb_span data)
{
	unsigned char pad[SHA512_CBLOCK] = {0}, inner[64];
	SHA512_CTX ctx;

	if (key.len > sizeof(pad)) {
		SHA512_Init(&ctx);
		SHA512_Update(&ctx, key.data, key.len);
		SHA512_Final(pad, &ctx);
		bb_wipe(&ctx, sizeof(ctx));
	} else if (key.len) {
		memcpy(pad, key.data, key.len);
	}
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36;
	sha512_pair(inner, pad, data);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	sha512_pair(out, pad, BB_SPAN(inner, sizeof(inner)));
	bb_wipe(pad, sizeof(pad));
	bb_wipe(inner, sizeof(inner));
}
