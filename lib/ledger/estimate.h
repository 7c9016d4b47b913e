#ifndef BB_LEDGER_ESTIMATE_H
#define BB_LEDGER_ESTIMATE_H

/* What a transaction should pay to be mined within so many blocks. */

#include "ledger/pool.h"

enum bb_fee_basis {
	BB_FEE_MINIMUM, /* what entering the mempool costs is enough */
	BB_FEE_HISTORY,
	BB_FEE_MEMPOOL,
};

struct bb_fee_estimate {
	enum bb_fee_basis basis; /* which of the answers is the largest */
	int64_t rate_sat_kvb; /* satoshi per 1,000 vbytes, at least the minimum to be relayed */
	uint64_t ahead;	      /* vbytes that wait and pay as much or more */
	uint64_t seen;	      /* transactions that history knows of as enough */
};

/* Someone who waits is mined at that height; before the mempool lets go of it. Remembered in
 * BB_POOL_WAITS, for so many blocks, unless it stands in a cluster with others: under BE32
 * height, BE64 number, LE64 fee, LE32 adjusted weight, LE32 blocks waited. */
enum { BB_WAITS_KEPT = 1008 };
void bb_estimate_mined(struct bb_pool *p, const struct bb_pool_entry *e, int32_t height);
/* Within `target` blocks, 1 to 1,008: the larger of two answers, and at least what entering the
 * mempool costs.
 *
 * By history: those mined in the last 144 blocks, or 6 times the target if that is more, and
 * those that wait for longer than the target by now, in steps of 5 % of their rates. Down from
 * the highest rate, in groups of steps that hold at least 20 transactions each, the middle rate
 * of the last group of which 85 % were mined in time, before the first group that falls short.
 *
 * By the mempool: just more than what the last chunk pays that fits into so many full blocks,
 * as if no more came.
 *
 * Within a transaction. */
void bb_estimate_rate(struct bb_fee_estimate *out, struct bb_store *s,
	const struct bb_policy *p, int target, int64_t now);

#endif
