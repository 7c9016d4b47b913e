#ifndef BB_LEDGER_VERIFY_H
#define BB_LEDGER_VERIFY_H

/* Is the store whole? Everything in it against everything else: nodes, links and work; heights;
 * every block's bytes, hash and Merkle root; undo data against the outputs they came from;
 * coins, script index, transaction index and history against what the blocks say they must be
 * (sums of hashes, so that memory stays small); leaves, candidates, events; the mempool
 * (verifypool.h). Scripts are not run again: `bb-chain blocks --prevouts | bb-validate` does
 * that. */

#include "ledger/query.h"

struct bb_verify {
	/* Called for each thing found wrong; text is valid during the call. */
	void (*wrong)(void *arg, const char *text);
	/* Called now and then; may be NULL. */
	void (*turn)(void *arg, int32_t height, int32_t of);
	void *arg;
	uint64_t blocks, coins, mempool, found; /* counted */
};
/* In one transaction, which it opens. False: it could not be finished (s->why). */
bool bb_verify_store(struct bb_verify *v, struct bb_store *s, const struct bb_network *n);

#endif
