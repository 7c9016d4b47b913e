#include "ledger/cluster.h"

#include "bitcoin/policy.h"

/* The best linearisation, exactly and in polynomial time, by minimum cuts.
 *
 * Take a set of transactions and the rate of the whole. What each pays above that rate, or
 * lacks, is its weight. The set's chunks that pay more than the whole are together its closed
 * subset (parents included) of greatest weight; so such a subset goes first, and both parts are
 * divided again in the same way, until no closed subset weighs more than nothing. There are at
 * most 2 * 64 - 1 such divisions.
 *
 * The subset is found as maximum closures are (Picard 1976): those with weight to give pay for
 * ancestors that lack some, as far as it goes; who then has some left goes first, with all that
 * can be reached. Paying runs along shortest paths (Edmonds and Karp), which bounds the steps.
 * Once everybody is paid for, a subset is as good as the whole just when it needs nothing from
 * outside and pays for nothing that is outside (Picard and Queyranne 1980): the smallest chunks
 * are the strongly connected components of who needs whom. */

_Static_assert((int)BB_CLUSTER_MAX == (int)BB_MAX_CLUSTER_COUNT, "what policy allows fits");
_Static_assert(BB_CLUSTER_MAX == 64, "a bit each");

/* One bit a transaction. */
typedef uint64_t set;
#define ONE(i) ((set)1 << (i))

/* The lowest of a set, taken out of it. */
static unsigned take(set *s)
{
	const unsigned i = (unsigned)__builtin_ctzll(*s);

	*s &= *s - 1;
	return i;
}

/* Who pays for whom within one set. */
struct payments {
	set givers, takers;
	set rich; /* givers with some left */
	set poor; /* takers that still lack some */
	__int128 left[BB_CLUSTER_MAX];
	set from[BB_CLUSTER_MAX];		       /* whom a taker has something from */
	__int128 paid[BB_CLUSTER_MAX][BB_CLUSTER_MAX]; /* giver, taker; set where `from` says */
	/* Of the last search. */
	set seen;
	unsigned char via[BB_CLUSTER_MAX]; /* the one before on the way there */
};

struct work {
	struct bb_cluster *c;
	set ancestors[BB_CLUSTER_MAX]; /* all of them */
	struct payments pay;
};

static void find_ancestors(struct work *w)
{
	const unsigned n = w->c->count;
	const set all = n < 64 ? ONE(n) - 1 : ~(set)0;

	for (unsigned i = 0; i < n; i++)
		w->ancestors[i] = w->c->parents[i] & all & ~ONE(i);
	for (unsigned k = 0; k < n; k++)
		for (unsigned i = 0; i < n; i++)
			if (w->ancestors[i] & ONE(k))
				w->ancestors[i] |= w->ancestors[k];
}

static struct bb_feerate rate_of(const struct work *w, set s)
{
	struct bb_feerate sum = {0, 0};

	while (s)
		sum = bb_feerate_sum(sum, w->c->tx[take(&s)]);
	return sum;
}

static void weigh(struct work *w, set whole)
{
	struct payments *pay = &w->pay;
	const struct bb_feerate rate = rate_of(w, whole);

	pay->givers = pay->takers = 0;
	while (whole) {
		const unsigned i = take(&whole);
		const struct bb_feerate tx = w->c->tx[i];
		const __int128 weight = (__int128)tx.fee_sat * rate.size -
					(__int128)rate.fee_sat * tx.size;
		pay->left[i] = weight < 0 ? -weight : weight;
		pay->from[i] = 0;
		if (weight > 0)
			pay->givers |= ONE(i);
		else if (weight < 0)
			pay->takers |= ONE(i);
	}
	pay->rich = pay->givers;
	pay->poor = pay->takers;
}

/* A taker that still lacks some, the fewest steps from a giver with some left: straight to an
 * ancestor, or from a taker back to one who paid for it and could pay for another. False when
 * there is none. */
static bool find_poor(unsigned *found, struct work *w)
{
	struct payments *pay = &w->pay;
	set givers = pay->rich, takers;

	pay->seen = givers;
	while (givers) {
		takers = 0;
		while (givers) {
			const unsigned i = take(&givers);
			set next = w->ancestors[i] & pay->takers & ~pay->seen;
			takers |= next;
			pay->seen |= next;
			while (next) {
				const unsigned k = take(&next);
				pay->via[k] = (unsigned char)i;
				if (pay->poor & ONE(k)) {
					*found = k;
					return true;
				}
			}
		}
		while (takers) {
			const unsigned i = take(&takers);
			set next = pay->from[i] & ~pay->seen;
			givers |= next;
			pay->seen |= next;
			while (next)
				pay->via[take(&next)] = (unsigned char)i;
		}
	}
	return false;
}

/* As much as the whole way to a taker can bear. */
static __int128 bearable(const struct payments *pay, unsigned taker)
{
	__int128 amount = pay->left[taker];
	unsigned giver = pay->via[taker];

	while (!(pay->rich & ONE(giver))) {
		taker = pay->via[giver];
		if (pay->paid[giver][taker] < amount)
			amount = pay->paid[giver][taker];
		giver = pay->via[taker];
	}
	return pay->left[giver] < amount ? pay->left[giver] : amount;
}

static void give(struct payments *pay, unsigned giver, unsigned taker, __int128 amount)
{
	if (!(pay->from[taker] & ONE(giver)))
		pay->paid[giver][taker] = 0;
	pay->from[taker] |= ONE(giver);
	pay->paid[giver][taker] += amount;
}

static void take_back(struct payments *pay, unsigned giver, unsigned taker, __int128 amount)
{
	pay->paid[giver][taker] -= amount;
	if (!pay->paid[giver][taker])
		pay->from[taker] &= ~ONE(giver);
}

static void settle(struct payments *pay, unsigned taker)
{
	const __int128 amount = bearable(pay, taker);
	unsigned giver = pay->via[taker];

	if (!(pay->left[taker] -= amount))
		pay->poor &= ~ONE(taker);
	give(pay, giver, taker, amount);
	while (!(pay->rich & ONE(giver))) {
		taker = pay->via[giver];
		take_back(pay, giver, taker, amount);
		giver = pay->via[taker];
		give(pay, giver, taker, amount);
	}
	if (!(pay->left[giver] -= amount))
		pay->rich &= ~ONE(giver);
}

/* The part of a set that pays more than the whole: empty when none does. */
static set better_part(struct work *w, set whole)
{
	unsigned taker;
	set part, givers;

	weigh(w, whole);
	while (find_poor(&taker, w))
		settle(&w->pay, taker);
	part = givers = w->pay.seen & w->pay.givers;
	while (givers)
		part |= w->ancestors[take(&givers)];
	return part & whole;
}

/* Members of a set, fewest of `needs` first, which puts parents before children; then by
 * index. */
static unsigned sort(unsigned char out[BB_CLUSTER_MAX], set members, const set *needs)
{
	unsigned n = 0;

	while (members) {
		const unsigned i = take(&members);
		const int key = __builtin_popcountll(needs[i]);
		unsigned at = n++;
		for (; at && __builtin_popcountll(needs[out[at - 1]]) > key; at--)
			out[at] = out[at - 1];
		out[at] = (unsigned char)i;
	}
	return n;
}

static void put_chunk(struct work *w, unsigned *placed, set chunk)
{
	struct bb_cluster *c = w->c;
	unsigned char order[BB_CLUSTER_MAX];
	const unsigned n = sort(order, chunk, w->ancestors);

	for (unsigned i = 0; i < n; i++)
		c->order[(*placed)++] = order[i];
	c->chunk[c->chunk_count] = rate_of(w, chunk);
	c->chunk_end[c->chunk_count++] = (unsigned char)*placed;
}

/* The chunks of a set that no part of it pays more than: all of one rate. The payments are
 * those of better_part. */
static void put_chunks(struct work *w, unsigned *placed, set whole)
{
	unsigned char order[BB_CLUSTER_MAX];
	set needs[BB_CLUSTER_MAX], done = 0;
	unsigned n;

	for (set s = whole; s;) {
		const unsigned i = take(&s);
		needs[i] = ONE(i) | (w->ancestors[i] & whole) | w->pay.from[i];
	}
	for (set s = whole; s;) {
		const unsigned k = take(&s);
		for (set t = whole; t;) {
			const unsigned i = take(&t);
			if (needs[i] & ONE(k))
				needs[i] |= needs[k];
		}
	}
	n = sort(order, whole, needs);
	for (unsigned i = 0; i < n; i++) {
		/* Who needs each other need the same; and what else they need is done. */
		set chunk = needs[order[i]] & ~done;
		if (done & ONE(order[i]))
			continue;
		put_chunk(w, placed, chunk);
		done |= chunk;
	}
}

void bb_cluster_linearise(struct bb_cluster *c)
{
	struct work w;
	set parts[BB_CLUSTER_MAX]; /* the last goes first */
	unsigned count = 0, placed = 0;

	w.c = c;
	c->chunk_count = 0;
	find_ancestors(&w);
	if (c->count)
		parts[count++] = c->count < 64 ? ONE(c->count) - 1 : ~(set)0;
	while (count) {
		const set whole = parts[count - 1], part = better_part(&w, whole);
		if (part && part != whole) {
			parts[count - 1] = whole & ~part;
			parts[count++] = part;
		} else {
			count--;
			put_chunks(&w, &placed, whole);
		}
	}
}
