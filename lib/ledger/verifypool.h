#ifndef BB_LEDGER_VERIFYPOOL_H
#define BB_LEDGER_VERIFYPOOL_H

/* Is the mempool whole? Part of bb_verify_store, within its transaction. Everything in it
 * against everything else and against the chain: bytes, ids and sizes; what is spent, by whom,
 * whether it is there, and what that pays; lock times; clusters, their order and their chunks;
 * totals; those that wait for their parents. Scripts are not run again: `bb-chain mempool |
 * bb-validate` does that.
 *
 * Where there is no mempool of this tip, as between two commits, there is nothing to say.
 * v->mempool is the number of transactions. */

#include "ledger/verify.h"

void bb_verify_pool(struct bb_verify *v, struct bb_store *s, const struct bb_network *n);

#endif
