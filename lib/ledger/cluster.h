#ifndef BB_LEDGER_CLUSTER_H
#define BB_LEDGER_CLUSTER_H

/* A cluster: transactions that depend on each other, directly or by way of others, and the
 * order that a miner would take them in. Pure; knows nothing of the store.
 *
 * A linearisation is an order with parents before children. Its chunks are what is left when
 * each transaction joins the one before for as long as that raises the rate of the whole: their
 * rates fall from first to last. */

#include "bitcoin/feerate.h"

enum { BB_CLUSTER_MAX = 64 }; /* transactions: one bit each */

struct bb_cluster {
	unsigned count;
	struct bb_feerate tx[BB_CLUSTER_MAX]; /* fee and adjusted weight */
	uint64_t parents[BB_CLUSTER_MAX];     /* bit i: depends on transaction i; no cycles */
	/* Set by bb_cluster_linearise. */
	unsigned char order[BB_CLUSTER_MAX]; /* the transactions, first to mine first */
	unsigned chunk_count;
	unsigned char chunk_end[BB_CLUSTER_MAX]; /* in `order`, behind each chunk's last */
	struct bb_feerate chunk[BB_CLUSTER_MAX];
};

/* The best linearisation: no other has a point of its diagram above. Chunks are as small as
 * that allows, so that a closed part of one always pays less than the whole. Deterministic:
 * among equal rates the chunk that needs the fewest others goes first, then the one with the
 * lower index; within a chunk it is the same with transactions. Sizes must be above 0, and fees
 * add up to no more than all money. Bits of `parents` at or above `count` do not matter. */
void bb_cluster_linearise(struct bb_cluster *c);

#endif
