#include "mine/search.h"

#include <string.h>

#include "bitcoin/pow.h"
#include "crypto/hash.h"
#include "mine/kernel.h"
#include "mine/sha256.h"

/* The first 64 bytes of a header are a block of SHA-256 that no nonce changes. */
static void hash_first_block(uint32_t midstate[8], const unsigned char block[64])
{
	SHA256_CTX ctx;

	SHA256_Init(&ctx);
	SHA256_Transform(&ctx, block);
	for (size_t i = 0; i < 8; i++)
		midstate[i] = ctx.h[i];
}

/* The second block begins with the end of the Merkle root, time, bits and nonce. A round adds
 * its word to the new a and e. */
static void hash_before_nonce(
	uint32_t four[8], const uint32_t midstate[8], const uint32_t tail[3])
{
	memcpy(four, midstate, 32);
	for (unsigned i = 0; i < 3; i++)
		sha256_round(four, K[i] + tail[i]);
	sha256_round(four, K[3]);
}

void bb_search_init(
	struct bb_search *s, const unsigned char header[80], const unsigned char target[32])
{
	hash_first_block(s->midstate, header);
	for (size_t i = 0; i < 3; i++)
		s->tail[i] = bb_be32(header + 64 + 4 * i);
	memcpy(s->target, target, 32);
	s->target_top = bb_le32(target + 28);
	hash_before_nonce(s->four, s->midstate, s->tail);
}

bool bb_search_confirm(
	const struct bb_search *s, uint32_t *nonce, uint32_t candidates, uint64_t count)
{
	for (; candidates; candidates &= candidates - 1) {
		const uint32_t lane = (uint32_t)__builtin_ctz(candidates);

		if (lane >= count)
			return false;
		if (bb_search_good(s, *nonce + lane)) {
			*nonce += lane;
			return true;
		}
	}
	return false;
}

const struct bb_kernel *bb_kernel_at(unsigned i)
{
	static const struct bb_kernel *const kernels[] = {
		&bb_kernel_portable,
#if defined(__x86_64__)
		&bb_kernel_avx2,
		&bb_kernel_sha_ni,
		&bb_kernel_avx512,
#endif
	};

	return i < sizeof(kernels) / sizeof(*kernels) ? kernels[i] : NULL;
}

const struct bb_kernel *bb_kernel_find(const char *name)
{
	const struct bb_kernel *k;

	for (unsigned i = 0; (k = bb_kernel_at(i)); i++)
		if (strcmp(k->name, name) == 0)
			break;
	return k;
}

const struct bb_kernel *bb_kernel_best(void)
{
	const struct bb_kernel *best = NULL, *k;

	for (unsigned i = 0; (k = bb_kernel_at(i)); i++)
		if (k->usable())
			best = k;
	return best;
}
