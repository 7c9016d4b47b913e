/* With the processor's instructions for SHA-256. Each of them waits for the one before, so that
 * some nonces side by side take little longer than one. */

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#include "mine/kernel.h"
#include "mine/sha256.h"

#define ISA    __attribute__((target("sha,sse4.1")))
#define INLINE ISA static inline __attribute__((always_inline))

enum { STREAMS = 3 };

/* The state as the instructions want it, the lowest word first: f e b a, and h g d c. */
struct state {
	__m128i feba, hgdc;
};

/* One nonce's hash on the way: the state, and sixteen words of the message schedule. */
struct stream {
	struct state s;
	__m128i w[4];
};

/* Four words, the first lowest. */
INLINE __m128i words(uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3)
{
	return _mm_setr_epi32((int)w0, (int)w1, (int)w2, (int)w3);
}

INLINE struct state load(const uint32_t s[8])
{
	return (struct state){words(s[5], s[4], s[1], s[0]), words(s[7], s[6], s[3], s[2])};
}

/* Two rounds; kw holds the words for them, constants added, as its lowest. What was a b e f has
 * become c d g h then. */
INLINE void two_rounds(struct state *s, __m128i kw)
{
	const __m128i next = _mm_sha256rnds2_epu32(s->hgdc, s->feba, kw);

	s->hgdc = s->feba;
	s->feba = next;
}

INLINE __m128i with_constants(const struct stream *x, unsigned i)
{
	return _mm_add_epi32(x->w[i / 4 % 4], _mm_load_si128((const __m128i *)(K + i)));
}

/* Rounds i to i+3. */
INLINE void four_rounds(struct stream *x, unsigned i)
{
	const __m128i kw = with_constants(x, i);

	two_rounds(&x->s, kw);
	two_rounds(&x->s, _mm_shuffle_epi32(kw, 0x0e));
}

/* Words i to i+3 of the schedule, in place of those sixteen before. */
INLINE void next_words(struct stream *x, unsigned i)
{
	__m128i *const w = x->w;
	const unsigned q = i / 4;
	const __m128i back7 = _mm_alignr_epi8(w[(q + 3) % 4], w[(q + 2) % 4], 4);
	const __m128i half = _mm_sha256msg1_epu32(w[q % 4], w[(q + 1) % 4]);

	w[q % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(half, back7), w[(q + 3) % 4]);
}

/* Up to round 4 of the header's second block. The nonce is given as a word. */
INLINE void begin_header(struct stream *x, const struct bb_search *s, uint32_t nonce)
{
	x->s = load(s->four);
	x->s.feba = _mm_add_epi32(x->s.feba, words(0, nonce, 0, nonce));
	x->w[0] = words(s->tail[0], s->tail[1], s->tail[2], nonce);
	x->w[1] = words(padding, 0, 0, 0);
	x->w[2] = _mm_setzero_si128();
	x->w[3] = words(0, 0, 0, 80 * 8);
}

/* The hash is the message now. */
INLINE void begin_hash(struct stream *x, const struct bb_search *s)
{
	const struct state mid = load(s->midstate);
	const __m128i abef = _mm_shuffle_epi32(_mm_add_epi32(x->s.feba, mid.feba), 0x1b);
	const __m128i ghcd = _mm_shuffle_epi32(_mm_add_epi32(x->s.hgdc, mid.hgdc), 0xb1);

	x->w[0] = _mm_blend_epi16(abef, ghcd, 0xf0);
	x->w[1] = _mm_alignr_epi8(ghcd, abef, 8);
	x->w[2] = words(padding, 0, 0, 0);
	x->w[3] = words(0, 0, 0, 32 * 8);
	x->s = load(initial);
}

/* Loops are unrolled, so that streams live in registers. */
#define EACH(x) _Pragma("GCC unroll 8") for (struct stream *x = all; x < all + STREAMS; x++)

/* Rounds from i on, in fours. */
INLINE void rounds(struct stream *all, unsigned i, unsigned to)
{
#pragma GCC unroll 16
	for (; i < to; i += 4) {
		EACH(x)
		{
			if (i >= 16)
				next_words(x, i);
			four_rounds(x, i);
		}
	}
}

/* The last words of the headers' SHA-256d, for STREAMS nonces from `first` on. They are made in
 * round 60, as e; one more, and they are f, and nothing behind is needed. */
INLINE void last_words(uint32_t out[STREAMS], const struct bb_search *s, uint32_t first)
{
	struct stream all[STREAMS];

	EACH(x)
	{
		begin_header(x, s, __builtin_bswap32(first++));
	}
	rounds(all, 4, 64);
	EACH(x)
	{
		begin_hash(x, s);
	}
	rounds(all, 0, 60);
	EACH(x)
	{
		next_words(x, 60);
		two_rounds(&x->s, with_constants(x, 60));
		*out++ = (uint32_t)_mm_cvtsi128_si32(x->s.feba) + initial[7];
	}
}

ISA static bool search(const struct bb_search *s, uint32_t *nonce, uint64_t count)
{
	for (uint64_t done = 0; done < count; done += STREAMS) {
		uint32_t first = *nonce + (uint32_t)done, last[STREAMS], found = 0;

		last_words(last, s, first);
		for (unsigned i = 0; i < STREAMS; i++)
			found |= (uint32_t)(__builtin_bswap32(last[i]) <= s->target_top) << i;
		if (found && bb_search_confirm(s, &first, found, count - done)) {
			*nonce = first;
			return true;
		}
	}
	return false;
}

/* The compilers of today do not all know "sha" as a name. */
static bool usable(void)
{
	unsigned a, b, c, d;

	return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
	       (b & bit_SHA);
}

const struct bb_kernel bb_kernel_sha_ni = {"sha-ni", usable, search};

#endif
