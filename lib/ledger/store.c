#include "ledger/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "ledger/extent.h"
#include "ledger/map.h"
#include "ledger/store_inside.h"
#include "ledger/tree.h"

/* Reasons. */

/* LMDB has but EIO for a write that a full disk cut off in its midst. */
bool bb_disk_full(int fd)
{
	struct statvfs v;

	return fstatvfs(fd, &v) == 0 && v.f_bavail < 16;
}

const char *bb_store_reason(const struct bb_store *s, int err)
{
	return mdb_strerror(err == EIO && bb_disk_full(s->blocks_fd) ? ENOSPC : err);
}

void bb_store_fail(struct bb_store *s, const char *below, const char *why)
{
	const size_t dir_len = strlen(s->path) - strlen("/chain");

	if (s->why)
		return;
	snprintf(s->text, sizeof(s->text), "%.*s%s: %s",
		(int)(dir_len < BB_PATH_SHOWN ? dir_len : BB_PATH_SHOWN), s->path, below, why);
	s->why = s->text;
}

static bool is_damage(int err)
{
	return err == MDB_CORRUPTED || err == MDB_PAGE_NOTFOUND || err == MDB_CURSOR_FULL ||
	       err == MDB_PAGE_FULL;
}

bool bb_store_done(struct bb_store *s, enum bb_table t, int err)
{
	const bool pool = bb_table_of_pool(t);

	s->in_lmdb = 0;
	if (err && err != MDB_NOTFOUND)
		bb_store_fail(s, pool ? "/mempool/data.mdb" : "/chain/data.mdb",
			bb_store_reason(s, err));
	if (pool && is_damage(err))
		bb_store_doubt_pool(s);
	return !err;
}

/* Environments. */

/* A reader takes a place in the lock, so who may read the file must be let write that, which
 * umask commonly denies the group. Never opened here: closing it would let go LMDB's locks. */
static void share_lock(MDB_env *env, const char *path)
{
	const mode_t shared = S_IRGRP | S_IWGRP;
	struct stat data, lock;
	char *name = NULL;
	int fd, err = 0;

	if (asprintf(&name, "%s/lock.mdb", path) < 0)
		return;
	if (mdb_env_get_fd(env, &fd) == 0 && fstat(fd, &data) == 0 && data.st_mode & S_IRGRP &&
		lstat(name, &lock) == 0 && S_ISREG(lock.st_mode) && lock.st_uid == geteuid() &&
		(lock.st_mode & shared) != shared)
		err = fchmodat(
			AT_FDCWD, name, (lock.st_mode & 07777) | shared, AT_SYMLINK_NOFOLLOW);
	(void)err; /* others then cannot read the store, and are told so */
	free(name);
}

/* LMDB itself makes no map that is smaller than the file. */
int bb_env_open(MDB_env **env, const char *path, unsigned flags, size_t map_most)
{
	enum { MAX_READERS = 1024 };
	const size_t map_least = (size_t)1 << 30;

	for (size_t size = map_most;; size /= 2) {
		int err = mdb_env_create(env);
		if (err)
			return err;
		mdb_env_set_mapsize(*env, size);
		mdb_env_set_maxreaders(*env, MAX_READERS);
		mdb_env_set_maxdbs(*env, BB_TABLE_COUNT);
		err = mdb_env_open(*env, path, flags | MDB_NOTLS, BB_STORE_MODE);
		if (!err) {
			share_lock(*env, path);
			return 0;
		}
		mdb_env_close(*env);
		*env = NULL;
		if (size <= map_least || (err != ENOMEM && err != EOVERFLOW && err != EINVAL))
			return err;
	}
}

/* Processes that were killed hold readers' places until somebody looks. */
int bb_env_snapshot(MDB_txn **txn, MDB_env *env)
{
	int err = mdb_txn_begin(env, NULL, MDB_RDONLY, txn);

	if (err == MDB_READERS_FULL && mdb_reader_check(env, NULL) == 0)
		err = mdb_txn_begin(env, NULL, MDB_RDONLY, txn);
	return err;
}

/* How far the committed pages go. */
struct extent {
	int fd;
	uint64_t pages;
	uint32_t page_size;
};

static struct extent extent_of(MDB_env *env)
{
	struct extent x = {.fd = -1};
	MDB_envinfo info;
	MDB_stat st;

	mdb_env_get_fd(env, &x.fd);
	mdb_env_info(env, &info);
	mdb_env_stat(env, &st);
	x.pages = (uint64_t)info.me_last_pgno + 1;
	x.page_size = st.ms_psize;
	return x;
}

int bb_env_check(MDB_env *env)
{
	const struct extent x = extent_of(env);
	bool whole = !bb_extent_short(x.fd, x.pages, x.page_size);
	MDB_txn *txn;
	int err;

	/* A snapshot's meta page lasts until the second commit after it. */
	for (int i = 0; !whole && i < 8; i++) {
		err = bb_env_snapshot(&txn, env);
		if (err)
			return err;
		whole = bb_extent_whole(x.fd, mdb_txn_id(txn), x.page_size);
		mdb_txn_abort(txn);
	}
	return whole ? 0 : MDB_CORRUPTED;
}

void bb_env_fill(MDB_env *env)
{
	const struct extent x = extent_of(env);
	int err = 0;

	if (bb_extent_short(x.fd, x.pages, x.page_size))
		err = ftruncate(x.fd, (off_t)(x.pages * x.page_size));
	(void)err; /* it is of use, but not needed */
}

void bb_env_fill_in_turn(MDB_env *env)
{
	const struct extent x = extent_of(env);
	MDB_txn *turn;

	if (!bb_extent_short(x.fd, x.pages, x.page_size) ||
		mdb_txn_begin(env, NULL, 0, &turn) != 0)
		return;
	bb_env_fill(env);
	mdb_txn_abort(turn);
}

void bb_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_env(MDB_env **env, MDB_txn **idle)
{
	if (*idle)
		mdb_txn_abort(*idle);
	*idle = NULL;
	if (*env)
		mdb_env_close(*env);
	*env = NULL;
}

void bb_store_close(struct bb_store *s)
{
	bb_store_end(s);
	bb_pool_env_settle(s);
	close_env(&s->pool_env, &s->pool_idle);
	close_env(&s->env, &s->idle);
	bb_flat_close(&s->flat);
	bb_close_fd(&s->boot_fd);
	bb_close_fd(&s->blocks_fd);
	bb_close_fd(&s->lock_fd); /* the last, for it lets the next writer in */
	bb_buf_free(&s->script_rows);
	free(s->path);
	s->path = NULL;
}

/* Transactions. */

/* The block that the mempool stands on; all zero: none yet. */
static bool get_pool_tip(unsigned char id[32], struct bb_store *s)
{
	struct bb_span v;

	memset(id, 0, 32);
	if (!bb_store_get(&v, s, BB_POOL_META, BB_LIT("tip")))
		return true;
	if (v.len != 32)
		return false;
	memcpy(id, v.data, 32);
	return true;
}

/* Where the chain is damaged, whoever reads it will find that. */
static void get_chain_tip(unsigned char id[32], struct bb_store *s)
{
	struct bb_node tip;
	const bool found = bb_tree_tip(&tip, s);

	s->why = NULL;
	memset(id, 0, 32);
	if (found)
		memcpy(id, tip.id, 32);
}

/* Compare the tips. Is a difference perhaps but that of the moment between the two commits? */
static bool compare_tips(struct bb_store *s)
{
	static const unsigned char none[32];
	unsigned char chain[32], pool[32];
	bool good;

	s->pool_fits = s->pool_txn; /* or a reader could not ask it */
	if (!s->pool_txn)
		return false;
	good = get_pool_tip(pool, s);
	if (s->why) {
		s->pool_fits = false;
		if (!s->writing) { /* who reads goes on without it */
			s->why = NULL;
			s->pool_why = "it is damaged";
		}
		return false;
	}
	get_chain_tip(chain, s);
	s->pool_fits = good && memcmp(chain, pool, 32) == 0;
	return good && !s->pool_fits && memcmp(pool, none, 32) != 0;
}

static bool renew(MDB_txn **txn, MDB_txn **idle, struct bb_store *s, enum bb_table t)
{
	MDB_env *env = bb_table_of_pool(t) ? s->pool_env : s->env;

	if (!env)
		return true;
	if (!BB_LMDB(s, t, *idle ? mdb_txn_renew(*idle) : bb_env_snapshot(idle, env)))
		return false;
	*txn = *idle;
	return true;
}

static void nap(unsigned milliseconds)
{
	const struct timespec t = {.tv_nsec = (long)milliseconds * 1000000};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static bool take_snapshots(struct bb_store *s)
{
	return renew(&s->txn, &s->idle, s, BB_META) &&
	       renew(&s->pool_txn, &s->pool_idle, s, BB_POOL_META);
}

static bool known_unfit(const struct bb_store *s)
{
	return mdb_txn_id(s->txn) == s->unfit[0] && mdb_txn_id(s->pool_txn) == s->unfit[1];
}

/* Both of one moment, for which the writer is given a little time; where he seems to be dead,
 * only once. */
static bool begin_reader(struct bb_store *s)
{
	enum { NAPS = 8 };

	for (unsigned i = 0; take_snapshots(s) && compare_tips(s) && !known_unfit(s); i++) {
		if (i == NAPS) {
			s->unfit[0] = mdb_txn_id(s->txn);
			s->unfit[1] = mdb_txn_id(s->pool_txn);
			break;
		}
		bb_store_end(s);
		nap(i ? 1 << (i - 1) : 0);
	}
	if (s->why)
		bb_store_end(s);
	return !s->why;
}

static void seek_end(struct bb_store *s)
{
	const uint64_t file = bb_store_number(s, "file"), end = bb_store_number(s, "end");

	if (file > UINT32_MAX || end > BB_FLAT_MAX)
		bb_store_fail(s, "/chain", "the end of the blocks is damaged");
	bb_flat_seek(&s->flat, (uint32_t)file, (uint32_t)end);
}

static bool begin_turn(MDB_txn **txn, struct bb_store *s, enum bb_table t)
{
	MDB_env *env = bb_table_of_pool(t) ? s->pool_env : s->env;

	if (!env)
		return true;
	mdb_reader_check(env, NULL);
	if (!BB_LMDB(s, t, mdb_txn_begin(env, NULL, 0, txn)))
		return false;
	bb_env_fill(env);
	return true;
}

/* All writers wait for the chain's turn first, then for the mempool's. */
static bool begin_writer(struct bb_store *s)
{
	s->writes = s->pool_writes = s->next_event = 0;
	if (begin_turn(&s->txn, s, BB_META) && begin_turn(&s->pool_txn, s, BB_POOL_META)) {
		seek_end(s);
		if (!s->why)
			compare_tips(s);
	}
	if (s->why)
		bb_store_end(s);
	return !s->why;
}

bool bb_store_begin(struct bb_store *s)
{
	if (s->txn)
		bb_store_fail(s, "/chain", "a transaction within another");
	if (s->why)
		return false;
	return s->writing ? begin_writer(s) : begin_reader(s);
}

bool bb_store_changed(struct bb_store *s)
{
	return (s->txn && mdb_txn_id(s->txn) != s->seen + 1) ||
	       (s->pool_txn && mdb_txn_id(s->pool_txn) != s->pool_seen + 1);
}

static void let_go(MDB_txn **txn, MDB_txn *idle)
{
	if (*txn && *txn == idle)
		mdb_txn_reset(*txn);
	else if (*txn)
		mdb_txn_abort(*txn);
	*txn = NULL;
}

/* Whatever it is that is damaged, no mempool is worth keeping beside it. */
static bool found_damage(const struct bb_store *s)
{
	static const char damaged[] = "the store is damaged";

	return s->writing && s->why && strncmp(s->why, damaged, sizeof(damaged) - 1) == 0;
}

void bb_store_end(struct bb_store *s)
{
	if (found_damage(s))
		bb_store_doubt_pool(s);
	bb_script_rows_drop(s);
	let_go(&s->pool_txn, s->pool_idle);
	let_go(&s->txn, s->idle);
	s->pool_fits = false;
}

/* What was appended to the files of blocks must be on the disk before a table names it. */
static void settle_blocks(struct bb_store *s)
{
	const char *why;

	if (s->why || !s->flat.dirty)
		return;
	if (!bb_flat_sync(&s->flat, &why)) {
		bb_store_fail(s, "/blocks", why);
		return;
	}
	bb_store_set_number(s, "file", s->flat.file);
	bb_store_set_number(s, "end", s->flat.end);
}

/* For those who wait (inotify on DIR/lock): readers see the commit from here on, and not yet
 * when data.mdb changes. */
static void announce(const struct bb_store *s)
{
	while (pwrite(s->lock_fd, "", 1, BB_LOCK_NEWS) < 0 && errno == EINTR)
		;
}

/* LMDB does not count a transaction that changed nothing. */
static bool commit(MDB_txn **txn, uint64_t *seen, struct bb_store *s, enum bb_table t)
{
	const uint64_t writes = bb_table_of_pool(t) ? s->pool_writes : s->writes;
	MDB_txn *done = *txn;
	uint64_t id;

	*txn = NULL;
	if (!done)
		return true;
	id = mdb_txn_id(done);
	if (!BB_LMDB(s, t, mdb_txn_commit(done)))
		return false;
	if (writes)
		*seen = id;
	return true;
}

bool bb_store_commit(struct bb_store *s)
{
	bb_script_rows_flush(s);
	settle_blocks(s);
	if (!s->why && s->writing && s->txn && s->pool_writes)
		bb_pool_env_mark(s);
	if (s->why || !s->writing || !s->txn || !commit(&s->txn, &s->seen, s, BB_META)) {
		bb_store_end(s);
		return !s->why;
	}
	if (commit(&s->pool_txn, &s->pool_seen, s, BB_POOL_META) && s->pool_writes)
		s->unwritten = true;
	bb_env_fill_in_turn(s->env);
	if (s->pool_env)
		bb_env_fill_in_turn(s->pool_env);
	if (s->writes)
		bb_map_let_go(s->map, s->map_len);
	if (s->writes || s->pool_writes)
		announce(s);
	return !s->why;
}
