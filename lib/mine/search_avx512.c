/* Sixteen nonces at once, with rotations and functions of three in one instruction. */

#if defined(__x86_64__)

#include <immintrin.h>

#include "mine/kernel.h"

#define ISA	__attribute__((target("avx512f,avx512bw")))
#define LANE_FN ISA static inline __attribute__((always_inline))

enum { LANES = 16 };

typedef uint32_t vec __attribute__((vector_size(4 * LANES)));

#define LANE_NUMBERS ((vec){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})

LANE_FN vec majority(vec a, vec b, vec c)
{
	return (vec)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, (__m512i)c, 0xe8);
}

LANE_FN vec swap(vec x)
{
	const __m512i order = _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);

	return (vec)_mm512_shuffle_epi8((__m512i)x, order);
}

LANE_FN uint32_t at_most(vec x, vec limit)
{
	return _mm512_cmple_epu32_mask((__m512i)x, (__m512i)limit);
}

#include "mine/search_lanes.h"

ISA static bool search(const struct bb_search *s, uint32_t *nonce, uint64_t count)
{
	return lanes_search(s, nonce, count);
}

static bool usable(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}

const struct bb_kernel bb_kernel_avx512 = {"avx512", usable, search};

#endif
