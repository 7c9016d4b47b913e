#include "ledger/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ledger/extent.h"
#include "ledger/map.h"
#include "ledger/store_inside.h"

/* Reasons. */

/* LMDB has but EIO for a write that a full disk cut off in its midst. */
static bool disk_full(int fd)
{
	struct statvfs v;

	return fstatvfs(fd, &v) == 0 && v.f_bavail < 16;
}

const char *bb_store_reason(const struct bb_store *s, int err)
{
	return mdb_strerror(err == EIO && disk_full(s->blocks_fd) ? ENOSPC : err);
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

bool bb_store_done(struct bb_store *s, int err)
{
	if (err && err != MDB_NOTFOUND)
		bb_store_fail(s, "/chain/data.mdb", bb_store_reason(s, err));
	return !err;
}

/* Processes that were killed hold readers' places until somebody looks. */
bool bb_store_snapshot(MDB_txn **txn, struct bb_store *s)
{
	int err = mdb_txn_begin(s->env, NULL, MDB_RDONLY, txn);

	if (err == MDB_READERS_FULL && mdb_reader_check(s->env, NULL) == 0)
		err = mdb_txn_begin(s->env, NULL, MDB_RDONLY, txn);
	return bb_store_done(s, err);
}

struct bb_extent bb_store_extent(struct bb_store *s)
{
	struct bb_extent x = {.fd = -1};
	MDB_envinfo info;
	MDB_stat st;

	mdb_env_get_fd(s->env, &x.fd);
	mdb_env_info(s->env, &info);
	mdb_env_stat(s->env, &st);
	x.pages = (uint64_t)info.me_last_pgno + 1;
	x.page_size = st.ms_psize;
	return x;
}

void bb_store_fill(struct bb_store *s)
{
	const struct bb_extent x = bb_store_extent(s);
	int err = 0;

	if (bb_extent_short(x.fd, x.pages, x.page_size))
		err = ftruncate(x.fd, (off_t)(x.pages * x.page_size));
	(void)err; /* it is of use, but not needed */
}

void bb_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void bb_store_close(struct bb_store *s)
{
	bb_store_end(s);
	if (s->idle)
		mdb_txn_abort(s->idle);
	s->idle = NULL;
	if (s->env)
		mdb_env_close(s->env);
	s->env = NULL;
	bb_flat_close(&s->flat);
	bb_close_fd(&s->blocks_fd);
	bb_close_fd(&s->lock_fd); /* the last, for it lets the next writer in */
	free(s->path);
	s->path = NULL;
}

/* Transactions. */

static bool begin_reader(struct bb_store *s)
{
	if (s->idle ? !bb_store_done(s, mdb_txn_renew(s->idle))
		    : !bb_store_snapshot(&s->idle, s))
		return false;
	s->txn = s->idle;
	return true;
}

static void seek_end(struct bb_store *s)
{
	const uint64_t file = bb_store_number(s, "file"), end = bb_store_number(s, "end");

	if (file > UINT32_MAX || end > BB_FLAT_MAX)
		bb_store_fail(s, "/chain", "the end of the blocks is damaged");
	bb_flat_seek(&s->flat, (uint32_t)file, (uint32_t)end);
}

static bool begin_writer(struct bb_store *s)
{
	mdb_reader_check(s->env, NULL);
	if (!bb_store_done(s, mdb_txn_begin(s->env, NULL, 0, &s->txn)))
		return false;
	s->writes = 0;
	bb_store_fill(s);
	seek_end(s);
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
	return s->txn && mdb_txn_id(s->txn) != s->seen + 1;
}

void bb_store_end(struct bb_store *s)
{
	if (s->txn && s->txn == s->idle)
		mdb_txn_reset(s->txn);
	else if (s->txn)
		mdb_txn_abort(s->txn);
	s->txn = NULL;
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

/* See bb_store_fill. Another process may be writing already, so this waits for its turn. */
static void fill_after_commit(struct bb_store *s)
{
	const struct bb_extent x = bb_store_extent(s);
	MDB_txn *turn;

	if (!bb_extent_short(x.fd, x.pages, x.page_size) ||
		mdb_txn_begin(s->env, NULL, 0, &turn) != 0)
		return;
	bb_store_fill(s);
	mdb_txn_abort(turn);
}

/* For those who wait (inotify on DIR/lock): readers see the commit from here on, and not yet
 * when data.mdb changes. */
static void announce(const struct bb_store *s)
{
	while (pwrite(s->lock_fd, "", 1, BB_LOCK_NEWS) < 0 && errno == EINTR)
		;
}

bool bb_store_commit(struct bb_store *s)
{
	uint64_t id;

	settle_blocks(s);
	if (s->why || !s->writing || !s->txn) {
		bb_store_end(s);
		return !s->why;
	}
	id = mdb_txn_id(s->txn);
	if (!bb_store_done(s, mdb_txn_commit(s->txn))) {
		s->txn = NULL;
		return false;
	}
	s->txn = NULL;
	if (s->writes) /* LMDB does not count one that changed nothing */
		s->seen = id;
	fill_after_commit(s);
	if (s->writes) {
		bb_map_let_go(s->map, s->map_len);
		announce(s);
	}
	return true;
}
