/* The search over many nonces at once, one in each 32-bit lane of a vector; included by
 * search_avx2.c and search_avx512.c, which define before it:
 *
 *	LANE_FN		what stands before a function on vectors
 *	LANES		how many, at most 32
 *	LANE_NUMBERS	0, 1, 2, ...
 *	vec		the vector of them
 *	majority, swap	the function of FIPS 180-4; bytes of each lane reversed
 *	at_most		the lanes with x <= limit, as bits
 *
 * Nothing is done that the result does not need. Of the first hash, what nonces share was
 * worked out by bb_search_init. Of the second, only the last word is made, the highest of the
 * number: it appears in round 60 as e, and what comes after only carries it along. The rest is
 * for the compiler, which sees most rounds as one straight line: words of padding fold into the
 * constants, what all nonces share is no vector's work, and what is not asked for of the last
 * rounds is not computed.
 *
 * Loops are unrolled, whatever the optimiser would think of it, so that state and schedule live
 * in registers; but not the outermost, or eight lanes' code would outgrow the processor's
 * instruction cache (32 KiB) and run at half speed. */

#include "mine/kernel.h"
#include "mine/sha256.h"

/* The hashes of all lanes on their way. The state moves on by one word in each round: a is
 * found at 0 before round 0, at 7 before round 1, and so on. */
struct lanes {
	vec state[8];
	vec w[16]; /* of the message schedule, word 16 on word 0 again, and so on */
};

LANE_FN vec same(uint32_t x)
{
	return (vec){0} + x;
}

LANE_FN vec rotated(vec x, unsigned n)
{
	return x >> n | x << (32 - n);
}

LANE_FN vec choose(vec e, vec f, vec g)
{
	return ((f ^ g) & e) ^ g;
}

/* Sums are made in the order in which they are written where what is added last comes late: the
 * rounds wait for each other, not for the processor's units. To the optimiser all orders are
 * the same, unless it does not see what was added so far. */
LANE_FN vec so_far(vec sum)
{
	__asm__("" : "+v"(sum));
	return sum;
}

/* Word i of the schedule. */
LANE_FN void next_word(vec w[16], unsigned i)
{
	const vec w15 = w[(i + 1) % 16], w7 = w[(i + 9) % 16], w2 = w[(i + 14) % 16];
	const vec sigma0 = rotated(w15, 7) ^ rotated(w15, 18) ^ w15 >> 3;
	const vec sigma1 = rotated(w2, 17) ^ rotated(w2, 19) ^ w2 >> 10;

	w[i] = so_far(w[i] + sigma0 + w7) + sigma1;
}

/* Round i. The new a takes what went into e from there, which costs one sum less than to do
 * both from h on, and leaves three instructions from one e to the next, and from one a to the
 * next. */
LANE_FN void one_round(struct lanes *x, unsigned i, uint32_t k)
{
#define STATE(n) x->state[((n)-i) % 8]
	const vec a = STATE(0), b = STATE(1), c = STATE(2), d = STATE(3);
	const vec e = STATE(4), f = STATE(5), g = STATE(6), h = STATE(7);
	const vec sigma0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
	const vec sigma1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
	const vec next_e = so_far(h + (x->w[i] + k) + d) + choose(e, f, g) + sigma1;

	STATE(3) = next_e;
	STATE(7) = so_far(next_e - d + majority(a, b, c)) + sigma0;
#undef STATE
}

/* Rounds up to 15, whose words are the message. */
LANE_FN void message_rounds(struct lanes *x, unsigned from)
{
#pragma GCC unroll 16
	for (unsigned i = from; i < 16; i++)
		one_round(x, i, K[i]);
}

/* Rounds from a multiple of 16 on, at most as many. */
LANE_FN void schedule_rounds(struct lanes *x, unsigned from, unsigned count)
{
#pragma GCC unroll 16
	for (unsigned i = 0; i < count; i++) {
		next_word(x->w, i);
		one_round(x, i, K[from + i]);
	}
}

/* What stands behind `used` words of a message in its only or last block. */
LANE_FN void pad(vec w[16], unsigned used, unsigned length)
{
	w[used] = same(padding);
#pragma GCC unroll 16
	for (unsigned i = used + 1; i < 15; i++)
		w[i] = same(0);
	w[15] = same(length * 8);
}

/* Up to round 4 of the headers' second block. The nonces are given as words. */
LANE_FN void begin_headers(struct lanes *x, const struct bb_search *s, vec nonce)
{
#pragma GCC unroll 16
	for (unsigned i = 0; i < 8; i++)
		x->state[(i + 4) % 8] = same(s->four[i]);
	x->state[4] += nonce;
	x->state[0] += nonce;
#pragma GCC unroll 16
	for (unsigned i = 0; i < 3; i++)
		x->w[i] = same(s->tail[i]);
	x->w[3] = nonce;
	pad(x->w, 4, 80);
}

/* The hashes are the messages now. */
LANE_FN void begin_hashes(struct lanes *x, const struct bb_search *s)
{
#pragma GCC unroll 16
	for (unsigned i = 0; i < 8; i++) {
		x->w[i] = x->state[i] + s->midstate[i];
		x->state[i] = same(initial[i]);
	}
	pad(x->w, 8, 32);
}

/* The last words of the headers' SHA-256d for all nonces from `first` on. */
LANE_FN vec last_words(const struct bb_search *s, uint32_t first)
{
	struct lanes x;

	begin_headers(&x, s, swap(LANE_NUMBERS + first));
	message_rounds(&x, 4);
#pragma GCC unroll 1
	for (unsigned i = 16; i < 64; i += 16)
		schedule_rounds(&x, i, 16);
	begin_hashes(&x, s);
	message_rounds(&x, 0);
#pragma GCC unroll 1
	for (unsigned i = 16; i < 48; i += 16)
		schedule_rounds(&x, i, 16);
	schedule_rounds(&x, 48, 13);
	return x.state[7] + initial[7];
}

LANE_FN bool lanes_search(const struct bb_search *s, uint32_t *nonce, uint64_t count)
{
	const vec limit = same(s->target_top);

	for (uint64_t done = 0; done < count; done += LANES) {
		uint32_t first = *nonce + (uint32_t)done;
		const uint32_t found = at_most(swap(last_words(s, first)), limit);

		if (found && bb_search_confirm(s, &first, found, count - done)) {
			*nonce = first;
			return true;
		}
	}
	return false;
}
