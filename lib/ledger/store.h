#ifndef BB_LEDGER_STORE_H
#define BB_LEDGER_STORE_H

/* The store on disk: an LMDB environment of ordered tables for the chain, DIR/chain/, beside it
 * the blocks themselves in DIR/blocks/ (flat.h), and a second environment for the mempool,
 * DIR/mempool/. Any number of processes read while one writes.
 *
 * What the chain's holds survives a loss of power once committed; what the mempool's holds
 * survives the death of any process, and is made anew when the machine went down without it
 * having been written out. A transaction spans both. The chain's part is committed first;
 * should a writer die between, the mempool is of an earlier tip (pool_fits) until the next one
 * opens.
 *
 * A failure of the system stays in `why`: reads then find nothing, writes do nothing, and
 * bb_store_commit refuses. Check once, before anything is concluded from what was not found.
 *
 * All integers in keys are big-endian, so that tables are ordered by number; those in values
 * little-endian. */

#include <lmdb.h>
#include <signal.h>

#include "bitcoin/network.h"
#include "ledger/flat.h"

enum bb_table {
	BB_META,       /* a word -> what it says */
	BB_NODES,      /* u32 number -> a header in the block tree (tree.h) */
	BB_IDS,	       /* block hash -> u32 number */
	BB_HEIGHTS,    /* u32 height -> u32 number, of the active chain */
	BB_LEAVES,     /* u32 number -> nothing: headers no other builds on */
	BB_CANDIDATES, /* work, age -> u32 number: what could be the tip (tree.h) */
	BB_COINS,      /* outpoint -> coin (coins.h) */
	BB_UNSPENT,    /* script, outpoint -> nothing (rows.h) */
	BB_TXS,	       /* txid, place in the chain -> nothing (rows.h) */
	BB_HISTORY,    /* script, place in the chain -> nothing (rows.h) */
	BB_UNDO,       /* node, offset of a transaction -> the coins it spent (undo.h) */
	BB_ORPHANS,    /* parent, hash -> a block or header that waits for its parent */
	BB_ORPHAN_AGE, /* u64 -> key in BB_ORPHANS, the oldest first */
	BB_EVENTS,     /* u64 -> event (events.h) */

	/* The mempool's (pool.h). */
	BB_POOL_META,	  /* a word -> what it says; "tip": the block it stands on */
	BB_POOL_IDS,	  /* txid -> u64 number */
	BB_POOL_TXS,	  /* u64 number -> transaction */
	BB_POOL_HOMES,	  /* u64 number -> u64 cluster */
	BB_POOL_CLUSTERS, /* u64 cluster -> its transactions, in the order to mine them */
	BB_POOL_CHUNKS,	  /* fee rate, cluster, chunk -> what it holds; the best first */
	BB_POOL_SPENT,	  /* outpoint -> u64 number of who spends it */
	BB_POOL_SCRIPTS,  /* script, u64 number of who pays or spends it -> nothing */
	BB_POOL_ORPHANS,  /* wtxid -> a transaction that waits for its parents (orphantx.h) */
	BB_POOL_WANTED,	  /* parent's txid, wtxid -> nothing */
	BB_POOL_WAITS,	  /* height, number -> how long who was mined had waited (estimate.h) */
	BB_POOL_EVENTS,	  /* u64 -> event (events.h) */
	BB_TABLE_COUNT,
	BB_CHAIN_TABLES = BB_POOL_META,
};

enum bb_store_mode {
	BB_STORE_READ,	/* beside whoever writes */
	BB_STORE_WRITE, /* transactions take turns with those of others like it */
	BB_STORE_ALONE, /* the only writer for as long as it is open */
};

enum { BB_STORE_MESSAGE = 256 };

struct bb_store {
	MDB_env *env;
	MDB_txn *txn;	      /* the one open, or NULL */
	bool writing;	      /* its transactions are such that write */
	MDB_env *pool_env;    /* NULL: a reader found no mempool, and none of its tables has
				 entries */
	const char *pool_why; /* of a reader: one is there, but cannot be used; NULL: not so */
	MDB_txn *pool_txn;
	bool pool_fits; /* within a transaction: the mempool stands on the chain's tip */
	MDB_dbi table[BB_TABLE_COUNT];
	struct bb_flat flat;
	const char *why; /* the first failure, as long as the struct lives; NULL: none */
	char *path;	 /* DIR/chain */
	/* Private. */
	int blocks_fd, lock_fd;
	MDB_txn *idle, *pool_idle;    /* a reader's, kept from one transaction to the next */
	uint64_t seen, pool_seen;     /* the last transactions of our own */
	uint64_t writes, pool_writes; /* of the one open, so far */
	uint64_t next_event;	      /* within a writer's transaction; 0: not asked for yet */
	struct bb_buf script_rows;    /* of its transaction: not written yet (scriptrows.c) */
	uint64_t unfit[2];	      /* a reader's, which for long did not fit */
	void *map, *pool_map;	      /* where data.mdb is mapped; NULL: that cannot be seen */
	size_t map_len, pool_map_len;
	volatile sig_atomic_t in_lmdb; /* for a handler of faults */
	int boot_fd;		       /* of a writer: DIR/mempool/boot (pool_env.c) */
	char boot[64];		       /* what it says of this boot */
	bool unwritten; /* the mempool has changes of ours that may not be on the disk */
	char text[BB_STORE_MESSAGE];
};

/* What failed; an earlier failure stays. Always false. */
static inline bool bb_store_set_why(struct bb_store *s, const char *why)
{
	if (!s->why)
		s->why = why;
	return false;
}
static inline bool bb_store_no_memory(struct bb_store *s)
{
	return bb_store_set_why(s, "out of memory");
}

/* Open the store below dir; writers make it when there is none. It belongs to one set of rules:
 * another network's, another version's, a damaged one, or one that another process holds, is
 * refused. False with the reason in `message`, the caller's; then nothing is left open. A
 * process opens a store once, and works a transaction that writes in the thread that began it.
 */
bool bb_store_open(struct bb_store *s, char message[BB_STORE_MESSAGE], const char *dir,
	enum bb_store_mode mode, const struct bb_network *n);
void bb_store_close(struct bb_store *s);

/* A transaction, of both environments. A reader sees the store as of its begin until its end,
 * the mempool as of the same tip; where that cannot be (pool_fits is false) it finds nothing of
 * it but BB_POOL_EVENTS. It must not be held while writing to a pipe. False: s->why. */
bool bb_store_begin(struct bb_store *s);
/* After bb_store_begin of a writer: has another process written since our last commit? What is
 * remembered of the store is then stale. */
bool bb_store_changed(struct bb_store *s);
/* Writer: blocks first, then the chain's tables, both on the disk when this returns true; then
 * the mempool's. Whoever watches DIR/lock is told by a write to it. False: s->why; nothing of
 * the transaction has happened, or all of the chain's and nothing of the mempool's. */
bool bb_store_commit(struct bb_store *s);
/* Reader: let go. Writer: nothing has happened. */
void bb_store_end(struct bb_store *s);

/* A writer has found the mempool damaged: the next one makes it anew. Safe in a signal handler.
 */
void bb_store_doubt_pool(const struct bb_store *s);

/* Values borrow from the store until the next write or the end of the transaction; what is
 * written must not borrow from it. False: not there (or s->why). */
bool bb_store_get(
	struct bb_span *value, struct bb_store *s, enum bb_table t, struct bb_span key);
bool bb_store_has(struct bb_store *s, enum bb_table t, struct bb_span key);
void bb_store_put(
	struct bb_store *s, enum bb_table t, struct bb_span key, struct bb_span value);
/* False where it was not there. */
bool bb_store_del(struct bb_store *s, enum bb_table t, struct bb_span key);
/* Delete all of them. */
void bb_store_empty(struct bb_store *s, enum bb_table t);
/* Entries of BB_POOL_SCRIPTS, of a number that is new or that goes for good. They are written
 * in order, at the latest by bb_store_commit, and before that not found. */
void bb_store_put_script(struct bb_store *s, const unsigned char prefix[8], uint64_t number);
void bb_store_del_script(struct bb_store *s, const unsigned char prefix[8], uint64_t number);
/* Entries in a table. */
uint64_t bb_store_count(struct bb_store *s, enum bb_table t);

/* A walk over a table in order, and writes at its place: many writes in order of their keys
 * cost much less than scattered ones. Open only within a transaction; close before its end. */
struct bb_cursor {
	struct bb_store *store;
	enum bb_table table;
	MDB_cursor *at;		   /* NULL: on nothing */
	struct bb_span key, value; /* of the entry stood on */
};
bool bb_cursor_open(struct bb_cursor *c, struct bb_store *s, enum bb_table t);
void bb_cursor_close(struct bb_cursor *c);
/* Go to the first entry whose key is not below this; false: there is none. */
bool bb_cursor_seek(struct bb_cursor *c, struct bb_span key);
bool bb_cursor_first(struct bb_cursor *c);
bool bb_cursor_last(struct bb_cursor *c);
bool bb_cursor_next(struct bb_cursor *c);
void bb_cursor_put(struct bb_cursor *c, struct bb_span key, struct bb_span value);
/* Delete the entry with this key; false where it was not there. */
bool bb_cursor_del(struct bb_cursor *c, struct bb_span key);

/* Numbers in BB_META; what was never set is 0. */
uint64_t bb_store_number(struct bb_store *s, const char *word);
void bb_store_set_number(struct bb_store *s, const char *word, uint64_t v);

/* Keys of numbers. */
static inline struct bb_span bb_key32(unsigned char key[4], uint32_t v)
{
	bb_set_be32(key, v);
	return BB_SPAN(key, 4);
}
struct bb_span bb_key64(unsigned char key[8], uint64_t v);
uint64_t bb_be64(const unsigned char p[8]);

#endif
