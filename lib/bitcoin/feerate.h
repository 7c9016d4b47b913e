#ifndef BB_BITCOIN_FEERATE_H
#define BB_BITCOIN_FEERATE_H

/* Fee rates, exactly: a fee over a size, compared as fractions. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bb_feerate {
	int64_t fee_sat;
	int64_t size; /* weight units or vbytes, whichever the caller compares in; above 0 */
};

/* Below 0, 0, or above 0 as a pays less, as much, or more for its size than b. */
int bb_feerate_compare(struct bb_feerate a, struct bb_feerate b);
static inline struct bb_feerate bb_feerate_sum(struct bb_feerate a, struct bb_feerate b)
{
	return (struct bb_feerate){a.fee_sat + b.fee_sat, a.size + b.size};
}
/* The fee of so many vbytes at a rate in satoshi per 1,000 vbytes, rounded up
 * (CFeeRate::GetFee). */
int64_t bb_fee_at(int64_t rate_sat_kvb, int64_t vsize);

/* Feerate diagrams: the chunks of some clusters, in any order. */
enum bb_diagram_order {
	BB_DIAGRAM_EQUAL,
	BB_DIAGRAM_WORSE, /* a is nowhere above b, and somewhere below */
	BB_DIAGRAM_BETTER,
	BB_DIAGRAM_INCOMPARABLE,
};
/* Sorts both, the best rate first. */
enum bb_diagram_order bb_diagram_compare(
	struct bb_feerate *a, size_t a_count, struct bb_feerate *b, size_t b_count);

#endif
