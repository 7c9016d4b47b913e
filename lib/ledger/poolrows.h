#ifndef BB_LEDGER_POOLROWS_H
#define BB_LEDGER_POOLROWS_H

/* How the mempool's rows are written: for pool.c, poollimit.c and change.c alone; verifypool.c
 * reads them. Each of these keeps what belongs together: an entry with its txid, what it spends
 * and the totals; a cluster with its chunks and its transactions' homes.
 *
 *	BB_POOL_META	   "totals" -> LE64 count, usage, vsize, fee, next number
 *			   "rate" -> what the minimum was when eviction or time last changed it
 *			   (its bits as LE64), LE64 when, whether a block came since
 *			   "tip" -> block hash
 *	BB_POOL_IDS	   txid -> LE64 number
 *	BB_POOL_HOMES	   BE64 number -> LE64 cluster
 *	BB_POOL_SPENT	   outpoint (coins.h) -> LE64 number
 *	BB_POOL_SCRIPTS	   8 bytes of a script (rows.h), BE64 number -> nothing
 *	the others	   pool.h
 *
 * Within a transaction that writes. What fails stays in s->why. */

#include "ledger/pool.h"

/* The number that the next one gets, from 1, never given twice; those after it are free too.
 * bb_pool_put_entry moves it on. 0: s->why. */
uint64_t bb_pool_next_number(struct bb_store *s);

struct bb_pool_counters {
	struct bb_pool_totals totals;
	uint64_t next_number;
};
/* False: s->why. */
bool bb_pool_get_counters(struct bb_pool_counters *c, struct bb_store *s);
void bb_pool_put_counters(struct bb_store *s, const struct bb_pool_counters *c);

/* BB_POOL_TXS, BB_POOL_IDS, BB_POOL_SPENT, BB_POOL_SCRIPTS, totals. e->bytes are its own, not
 * the store's, and e->prevouts are there. */
void bb_pool_put_entry(
	struct bb_store *s, const struct bb_pool_entry *e, const struct bb_tx *tx);
/* Those, and its home. Its cluster's row is the caller's to write anew, or to delete. */
void bb_pool_del_entry(struct bb_store *s, uint64_t number);

/* BB_POOL_CLUSTERS, BB_POOL_CHUNKS, BB_POOL_HOMES; in place of what that id had. graph.order[i]
 * == i, and chunks are set. Transactions that it had and has no more get their home from the
 * cluster that takes them in. */
void bb_pool_put_cluster(struct bb_store *s, const struct bb_pool_cluster *c);
/* Its row and its chunks; homes stay, as above. */
void bb_pool_del_cluster(struct bb_store *s, uint64_t id);

/* Codecs. */

enum {
	BB_POOL_CHUNK_KEY = 16 + 8 + 1,
	BB_POOL_CHUNK_VALUE = 8 + 4 + 1 + 1,
};
/* 2^64 times the rate, whole, and inverted, so that the best is first: no two rates of weights
 * below 2^32 are closer to each other than 2^-64. */
struct bb_span bb_pool_chunk_key(
	unsigned char key[BB_POOL_CHUNK_KEY], const struct bb_pool_chunk *c);
/* Off an entry's bytes, without parsing the rest: what comes before the inputs, giving their
 * count; then each input, giving what it spends. What is no transaction is r->bad. */
uint64_t bb_pool_read_start(struct bb_reader *r);
struct bb_outpoint bb_pool_read_input(struct bb_reader *r);
/* The scripts that it pays, where that makes coins, and those that it spends: what an entry's
 * `scripts` say. Into an empty buffer. */
void bb_pool_put_scripts(
	struct bb_buf *out, const struct bb_tx *tx, const struct bb_prevout *prevouts);
/* False where the bytes are none. e->number and c->id are the caller's. */
bool bb_pool_entry_parse(struct bb_pool_entry *e, struct bb_span value);
bool bb_pool_cluster_parse(struct bb_pool_cluster *c, struct bb_span value);
bool bb_pool_chunk_parse(struct bb_pool_chunk *c, struct bb_span key, struct bb_span value);

#endif
