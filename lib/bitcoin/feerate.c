#include "bitcoin/feerate.h"

#include <stdlib.h>

int bb_feerate_compare(struct bb_feerate a, struct bb_feerate b)
{
	const __int128 left = (__int128)a.fee_sat * b.size;
	const __int128 right = (__int128)b.fee_sat * a.size;

	return (left > right) - (left < right);
}

int64_t bb_fee_at(int64_t rate_sat_kvb, int64_t vsize)
{
	const __int128 fee = (__int128)rate_sat_kvb * vsize;
	const __int128 up = fee > 0 ? (fee + 999) / 1000 : fee / 1000;

	return up > INT64_MAX ? INT64_MAX : (int64_t)up;
}

/* The best rate first. */
static int by_rate(const void *a, const void *b)
{
	return bb_feerate_compare(*(const struct bb_feerate *)b, *(const struct bb_feerate *)a);
}

/* A diagram walked from chunk to chunk; behind the last it goes on level. */
struct walk {
	const struct bb_feerate *next, *end;
	struct bb_feerate at; /* the sums so far */
};

/* Where a's next point lies, seen from b's line through the same size: below 0 under it, above
 * 0 over it. b's own next point is no nearer. */
static int next_against(const struct walk *a, const struct walk *b)
{
	const struct bb_feerate level = {0, 1};
	struct bb_feerate p = bb_feerate_sum(a->at, *a->next);

	p = (struct bb_feerate){p.fee_sat - b->at.fee_sat, p.size - b->at.size};
	return bb_feerate_compare(p, b->next < b->end ? *b->next : level);
}

static void advance(struct walk *w)
{
	w->at = bb_feerate_sum(w->at, *w->next++);
}

enum bb_diagram_order bb_diagram_compare(
	struct bb_feerate *a, size_t a_count, struct bb_feerate *b, size_t b_count)
{
	struct walk w = {.next = a, .end = a + a_count}, v = {.next = b, .end = b + b_count};
	bool better = false, worse = false;

	if (a_count)
		qsort(a, a_count, sizeof(*a), by_rate);
	if (b_count)
		qsort(b, b_count, sizeof(*b), by_rate);
	while (w.next < w.end || v.next < v.end) {
		const bool first = v.next == v.end ||
				   (w.next < w.end && w.at.size + w.next->size <=
							      v.at.size + v.next->size);
		const int over = first ? next_against(&w, &v) : -next_against(&v, &w);
		better |= over > 0;
		worse |= over < 0;
		advance(first ? &w : &v);
	}
	if (better && worse)
		return BB_DIAGRAM_INCOMPARABLE;
	return better ? BB_DIAGRAM_BETTER : worse ? BB_DIAGRAM_WORSE : BB_DIAGRAM_EQUAL;
}
