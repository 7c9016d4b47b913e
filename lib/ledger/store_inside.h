#ifndef BB_LEDGER_STORE_INSIDE_H
#define BB_LEDGER_STORE_INSIDE_H

/* What store.c, store_open.c, pool_env.c and table.c share; nobody else's. */

#include "ledger/store.h"

/* Bytes of DIR/lock: two are locked, the third is written. */
enum bb_lock { BB_LOCK_WRITER, BB_LOCK_CREATOR, BB_LOCK_NEWS };

enum {
	BB_PATH_SHOWN = 140,
	BB_STORE_MODE = 0660, /* what umask leaves of it: a node's group may share the store */
};

static inline bool bb_table_of_pool(enum bb_table t)
{
	return t >= BB_CHAIN_TABLES;
}

/* The first failure, of DIR's `below`. */
void bb_store_fail(struct bb_store *s, const char *below, const char *why);
/* Was it done, to the environment that has this table? MDB_NOTFOUND is an answer; everything
 * else is a failure of the store. */
bool bb_store_done(struct bb_store *s, enum bb_table t, int err);
/* The same of a call to LMDB, which is known to be at work meanwhile: pages that are damaged
 * may make it fall anywhere, in the C library too. */
#define BB_LMDB(s, t, call) ((s)->in_lmdb = 1, bb_store_done(s, t, call))
const char *bb_store_reason(const struct bb_store *s, int err);
bool bb_disk_full(int fd);

/* Those of bb_store_put_script and bb_store_del_script: write them, or forget them. */
void bb_script_rows_flush(struct bb_store *s);
void bb_script_rows_drop(struct bb_store *s);

/* Environments; LMDB's errors. */

/* Where addresses or the file system do not allow so large a map, a smaller one. */
int bb_env_open(MDB_env **env, const char *path, unsigned flags, size_t map_most);
/* A transaction that reads. */
int bb_env_snapshot(MDB_txn **txn, MDB_env *env);
/* Has the file been cut short (extent.h)? MDB_CORRUPTED, then. */
int bb_env_check(MDB_env *env);
/* Lengthen the file over pages that were never written (extent.h), so that whoever opens it
 * next sees at once that nothing is missing. Only while no other process can write. */
void bb_env_fill(MDB_env *env);
/* The same at any time: it waits for its turn. */
void bb_env_fill_in_turn(MDB_env *env);

/* While a store is opened. */
struct bb_opening {
	struct bb_store *store;
	char *message;
	const char *dir;
	enum bb_store_mode mode;
	const struct bb_network *network;
	int dir_fd, chain_fd, pool_fd;
};

/* Something of DIR; `doing` it failed. */
bool bb_opening_refuse(
	const struct bb_opening *o, const char *doing, const char *below, const char *why);
int bb_open_dir(int at, const char *name);
/* DIR's `below`; writers make it. */
bool bb_open_below(int *fd, const struct bb_opening *o, const char *below);
/* That what was made in it survives a loss of power. */
void bb_sync_dir(int fd);
void bb_close_fd(int *fd);
/* Only one at a time makes files. */
bool bb_creator_lock(const struct bb_opening *o);
void bb_creator_unlock(const struct bb_opening *o);

/* The mempool's environment (pool_env.c). */

/* Once the chain's is open. A reader may be left without one. */
bool bb_pool_env_open(struct bb_opening *o);
/* A new chain has a new mempool. */
void bb_pool_env_remove(const struct bb_opening *o);
/* Before a commit, within the transaction that writes: from now on there may be changes that
 * are not on the disk. False: s->why. */
bool bb_pool_env_mark(struct bb_store *s);
/* Write it out, if that is ours to do. */
void bb_pool_env_settle(struct bb_store *s);

#endif
