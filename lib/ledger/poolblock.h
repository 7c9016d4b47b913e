#ifndef BB_LEDGER_POOLBLOCK_H
#define BB_LEDGER_POOLBLOCK_H

/* The mempool follows the chain: what a block holds leaves, what a block taken back held
 * returns (removeForBlock, MaybeUpdateMempoolForReorg). All of it within the transaction of the
 * store in which the chain moves. */

#include "ledger/incoming.h"
#include "ledger/pool.h"

/* One block up: its transactions leave, and whatever spends what they spend, with all that
 * depends on it. */
bool bb_pool_connected(
	struct bb_pool *p, const struct bb_incoming *in, const struct bb_node *n);
/* One block down. Its transactions are remembered, as many as Core remembers: of those taken
 * back first, what is too much is forgotten, and what spends it leaves. */
bool bb_pool_disconnected(struct bb_pool *p, const struct bb_incoming *in);
/* The way is at its end: those remembered come back where they can, in the order of their
 * blocks; what is no longer possible leaves; limits hold again; orphans whose parents came are
 * looked at.
 *
 * Where one that comes back has children that wait, and the cluster would become too large, the
 * descendants of it that a miner would take last leave until it is not. (Core's TxGraph::Trim
 * looks at all that came back together, and may sacrifice one of those, too.) */
bool bb_pool_settle(struct bb_pool *p);
/* Whatever stands between the mempool's tip and the chain's, as after the death of a writer
 * between the two commits: as if it happened now. */
bool bb_pool_catch_up(struct bb_pool *p);

/* Script flags under which the block's transaction is known to be valid, because it waits here
 * with the same witness; 0: it does not. */
uint32_t bb_pool_known_flags(
	struct bb_pool *p, const struct bb_tx *tx, const unsigned char txid[32]);

#endif
