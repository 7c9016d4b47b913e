#ifndef BB_LEDGER_POOL_H
#define BB_LEDGER_POOL_H

/* The mempool: transactions that wait for a block, in the store's second environment. All of it
 * lies there and nothing in memory, so that any process may add to it and any other read it.
 *
 * Each transaction has a number, from 1 in order of arrival. They stand in clusters; each
 * cluster's row holds its best linearisation (cluster.h), and each of its chunks a row in
 * BB_POOL_CHUNKS, where the best of all is first: templates are read from its one end, and
 * eviction works at the other.
 *
 *	BB_POOL_TXS	  BE64 number -> the fields of bb_pool_entry, then the bytes
 *	BB_POOL_CLUSTERS  BE64 cluster -> LE64 of which bit i says that the i-th ends
 *			  a chunk; for each in order LE64 number, LE64 fee,
 *			  LE32 adjusted weight, LE64 parents
 *	BB_POOL_CHUNKS	  16 bytes that sort by rate, the best first, exactly;
 *			  BE64 cluster, chunk -> LE64 fee, LE32 adjusted weight,
 *			  position of its first, count */

#include "bitcoin/policy.h"
#include "bitcoin/scripts.h"
#include "ledger/cluster.h"
#include "ledger/coins.h"
#include "ledger/events.h"
#include "ledger/returned.h"
#include "ledger/rows.h"
#include "ledger/tree.h"

struct bb_pool_entry {
	uint64_t number;
	unsigned char txid[32], wtxid[32];
	int64_t fee_sat;
	int64_t time;		  /* of arrival, seconds since 1970 */
	int32_t height;		  /* of the tip then */
	uint32_t weight;	  /* of its bytes */
	uint32_t adjusted_weight; /* that, or its sigops', if they weigh more */
	uint32_t sigops_cost;
	uint32_t flags;		/* script flags under which its scripts are known to be valid */
	bool may_lapse;		/* a lock time, a sequence lock, or a coinbase is behind it: a
				   reorganisation may make it impossible */
	struct bb_span bytes;	/* borrows from the store, as does the next */
	struct bb_span scripts; /* the first 8 bytes of the SHA-256 of each that it pays
				   or spends, in order */
	const struct bb_prevout *prevouts; /* of one that comes: what it spends; else NULL */
};

/* Within a transaction of the store. False or 0: not there (or s->why). */
bool bb_pool_get(struct bb_pool_entry *e, struct bb_store *s, uint64_t number);
bool bb_pool_find(struct bb_pool_entry *e, struct bb_store *s, const unsigned char txid[32]);
uint64_t bb_pool_number(struct bb_store *s, const unsigned char txid[32]);
/* Who spends that output. */
uint64_t bb_pool_spender(struct bb_store *s, const struct bb_outpoint *o);
/* The output of a waiting transaction as a prevout: of the next block (`height`), not a
 * coinbase, its mtp the tip's. The script borrows from the store. */
bool bb_pool_output(struct bb_prevout *p, struct bb_store *s, const struct bb_outpoint *o,
	const struct bb_node *tip);
/* Of a transaction, what its entry's may_lapse says. */
bool bb_pool_may_lapse(const struct bb_tx *tx, const struct bb_prevout *prevouts);
/* The transaction of an entry; borrows from its bytes. False: s->why. */
bool bb_pool_parse_tx(struct bb_tx *tx, struct bb_arena *a, struct bb_store *s,
	const struct bb_pool_entry *e);

struct bb_pool_cluster {
	uint64_t id;
	uint64_t number[BB_CLUSTER_MAX]; /* in linearised order: graph.order[i] == i */
	struct bb_cluster graph;
};
bool bb_pool_cluster(struct bb_pool_cluster *c, struct bb_store *s, uint64_t id);
bool bb_pool_cluster_of(struct bb_pool_cluster *c, struct bb_store *s, uint64_t number);
/* The position of a number in the cluster; graph.count: it is not in it. */
unsigned bb_pool_position(const struct bb_pool_cluster *c, uint64_t number);
/* What the chunk pays that holds that position: fee and adjusted weight. */
struct bb_feerate bb_pool_chunk_of(const struct bb_pool_cluster *c, unsigned position);
/* All that depend on it and wait, itself not among them; and all that it depends on. In the
 * arena; NULL with s->why. */
const uint64_t *bb_pool_descendants(
	size_t *count, struct bb_store *s, struct bb_arena *a, uint64_t number);
const uint64_t *bb_pool_ancestors(
	size_t *count, struct bb_store *s, struct bb_arena *a, uint64_t number);

/* A walk over all chunks, the best first. */
struct bb_pool_chunk {
	struct bb_feerate rate; /* fee and adjusted weight */
	uint64_t cluster;
	unsigned chunk, first, count; /* its number in the cluster; its positions there */
};
bool bb_pool_chunk(struct bb_pool_chunk *out, const struct bb_cursor *at);
/* The cluster of a chunk, which has those positions. False: s->why. */
bool bb_pool_chunk_cluster(
	struct bb_pool_cluster *c, struct bb_store *s, const struct bb_pool_chunk *chunk);

struct bb_pool_totals {
	uint64_t count;
	uint64_t usage; /* bytes, as the limit counts them: of each transaction its own and
			   BB_POOL_OVERHEAD more */
	uint64_t vsize; /* the sum of their own */
	int64_t fee_sat;
};
enum { BB_POOL_OVERHEAD = 400 };
void bb_pool_totals(struct bb_pool_totals *t, struct bb_store *s);
/* What entering the mempool costs as it is now, satoshi per 1,000 vbytes: 0 until it was full;
 * then what was evicted paid and a step more, halved every 12 hours once a block has come, or
 * faster where there is much room again (GetMinFee). `now` in seconds. */
int64_t bb_pool_min_rate(struct bb_store *s, const struct bb_policy *p, int64_t now);
/* That, or what relay costs where it is more. */
int64_t bb_pool_least_rate(struct bb_store *s, const struct bb_policy *p, int64_t now);

/* Such a thing is not as it must be: s->why, and false. */
bool bb_pool_damaged_tx(struct bb_store *s);
bool bb_pool_damaged_cluster(struct bb_store *s);
bool bb_pool_damaged_chunk(struct bb_store *s);

/* Sets of numbers: sorted, each once. */
void bb_pool_numbers_unique(uint64_t *numbers, size_t *count);
bool bb_pool_numbers_have(const uint64_t *numbers, size_t count, uint64_t number);

/* Writers. */

/* What works on the mempool, for as long as its ledger is open. */
struct bb_pool {
	struct bb_store *store; /* borrowed */
	const struct bb_network *network;
	const struct bb_policy *policy;
	struct bb_coins *coins; /* the ledger's; NULL: a reader's, the store's table */
	struct bb_rows *rows;	/* the same */
	struct bb_interpreter *vm;
	const struct bb_parallel *parallel; /* NULL: this thread alone */
	int64_t now;			    /* seconds since 1970; -1: the clock's */

	/* Private. */
	struct bb_returned returned;
	struct bb_buf arrived; /* txids that came in since, for whom orphans may wait */
};
int64_t bb_pool_now(const struct bb_pool *p);
void bb_pool_free(struct bb_pool *p);

/* Take these away, and tell why in events; descendants too, if they are wanted. `by`: a txid,
 * of those replaced; a block's id, where one holds them, or makes them impossible. False:
 * s->why. */
bool bb_pool_remove(struct bb_pool *p, const uint64_t *numbers, size_t count, bool descendants,
	enum bb_removal reason, const unsigned char *by);
/* The worst make room for the better, the old leave (LimitMempoolSize); the minimum rises by
 * what was evicted. */
bool bb_pool_limit(struct bb_pool *p);
/* A block came: from now on the minimum may fall. */
void bb_pool_relax(struct bb_pool *p);
/* Everything is wrong; begin with nothing, on the chain's tip. Events tell of each that waited
 * (BB_REMOVAL_REORG), unless there are more than events are kept. Orphans stay. */
bool bb_pool_clear(struct bb_pool *p);
/* Of the block that the mempool stands on; all zero: none yet. */
void bb_pool_tip(unsigned char id[32], struct bb_store *s);
void bb_pool_set_tip(struct bb_store *s, const unsigned char id[32]);

#endif
