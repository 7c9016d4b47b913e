#ifndef BB_LEDGER_ORPHANTX_H
#define BB_LEDGER_ORPHANTX_H

/* Transactions that came before their parents: kept a while in the mempool's environment, so
 * that they may come in any order, and bounded; the oldest make room.
 *
 *	BB_POOL_ORPHANS  wtxid -> LE64 age, LE64 time, the bytes
 *	BB_POOL_WANTED	 txid of what it spends, wtxid -> nothing
 *	BB_POOL_META	 "orphan-", BE64 age -> wtxid; "orphans" -> LE64 last age, bytes, score
 */

#include "ledger/accept.h"

enum {
	BB_ORPHAN_SCORE_MAX = 3000,
	BB_ORPHAN_TX_BYTES_MAX = 10 << 20,
	BB_ORPHAN_TX_EXPIRY = 20 * 60, /* seconds */
};

/* What one counts against BB_ORPHAN_SCORE_MAX: each input is a row, and is looked for whenever
 * a parent comes. */
uint64_t bb_orphantx_score(const struct bb_tx *tx);
/* Keep it, if it is not there yet and its size is standard. */
void bb_orphantx_put(struct bb_pool *p, const struct bb_incoming_tx *in);
void bb_orphantx_drop(struct bb_pool *p, const unsigned char wtxid[32]);
/* A parent of that txid has come (p->arrived): whatever waits for it is judged anew, and then
 * what waits for those. Those refused for good are dropped. */
bool bb_orphantx_adopt(struct bb_pool *p);
/* These came in a block: those among them, or that spend the same, are dropped, and what waits
 * for them may be adopted. */
void bb_orphantx_mined(struct bb_pool *p, const struct bb_block *block);

#endif
