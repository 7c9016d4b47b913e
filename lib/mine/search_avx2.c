/* Eight nonces at once. */

#if defined(__x86_64__)

#include <immintrin.h>

#include "mine/kernel.h"

#define ISA	__attribute__((target("avx2")))
#define LANE_FN ISA static inline __attribute__((always_inline))

enum { LANES = 8 };

typedef uint32_t vec __attribute__((vector_size(4 * LANES)));

#define LANE_NUMBERS ((vec){0, 1, 2, 3, 4, 5, 6, 7})

LANE_FN vec majority(vec a, vec b, vec c)
{
	return ((a ^ b) & (b ^ c)) ^ b;
}

LANE_FN vec swap(vec x)
{
	const __m256i order = _mm256_setr_epi32(0x00010203, 0x04050607, 0x08090a0b, 0x0c0d0e0f,
		0x00010203, 0x04050607, 0x08090a0b, 0x0c0d0e0f);

	return (vec)_mm256_shuffle_epi8((__m256i)x, order);
}

LANE_FN uint32_t at_most(vec x, vec limit)
{
	const __m256i least = _mm256_min_epu32((__m256i)x, (__m256i)limit);
	const __m256i equal = _mm256_cmpeq_epi32(least, (__m256i)x);

	return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(equal));
}

#include "mine/search_lanes.h"

ISA static bool search(const struct bb_search *s, uint32_t *nonce, uint64_t count)
{
	return lanes_search(s, nonce, count);
}

static bool usable(void)
{
	return __builtin_cpu_supports("avx2");
}

const struct bb_kernel bb_kernel_avx2 = {"avx2", usable, search};

#endif
