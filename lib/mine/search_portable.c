/* Over OpenSSL's SHA-256 of one block, on any machine: every round is done, but the header's
 * first block is hashed only once. */

#include <openssl/sha.h>
#include <string.h>

#include "bitcoin/pow.h"
#include "mine/kernel.h"
#include "mine/sha256.h"

/* The two blocks that depend on the nonce: the header's second, and the first hash; both with
 * their padding, big-endian. */
struct blocks {
	unsigned char header[64], hash[64];
};

static void pad(struct blocks *b, const struct bb_search *s)
{
	memset(b, 0, sizeof(*b));
	for (size_t i = 0; i < 3; i++)
		bb_set_be32(b->header + 4 * i, s->tail[i]);
	bb_set_be32(b->header + 16, padding);
	bb_set_be32(b->header + 60, 80 * 8);
	bb_set_be32(b->hash + 32, padding);
	bb_set_be32(b->hash + 60, 32 * 8);
}

static void hash_block(
	unsigned char out[32], const uint32_t state[8], const unsigned char block[64])
{
	SHA256_CTX ctx;

	for (size_t i = 0; i < 8; i++)
		ctx.h[i] = state[i];
	SHA256_Transform(&ctx, block);
	for (size_t i = 0; i < 8; i++)
		bb_set_be32(out + 4 * i, ctx.h[i]);
}

static bool meets(const struct bb_search *s, struct blocks *b, uint32_t nonce)
{
	unsigned char hash[32];

	bb_set_le32(b->header + 12, nonce);
	hash_block(b->hash, s->midstate, b->header);
	hash_block(hash, initial, b->hash);
	return bb_number_compare(hash, s->target) <= 0;
}

bool bb_search_good(const struct bb_search *s, uint32_t nonce)
{
	struct blocks b;

	pad(&b, s);
	return meets(s, &b, nonce);
}

static bool search(const struct bb_search *s, uint32_t *nonce, uint64_t count)
{
	struct blocks b;

	pad(&b, s);
	for (uint64_t i = 0; i < count; i++)
		if (meets(s, &b, *nonce + (uint32_t)i)) {
			*nonce += (uint32_t)i;
			return true;
		}
	return false;
}

static bool usable(void)
{
	return true;
}

const struct bb_kernel bb_kernel_portable = {"portable", usable, search};
