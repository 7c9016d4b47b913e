/* The mempool's environment, DIR/mempool/.
 *
 * It is not synced at commits. What the dead left is in the memory of the machine and good, as
 * long as the machine stays up; after that nobody knows which pages came to the disk. So the
 * file `boot` there names the boot in which there may be changes that were not written out, and
 * is empty when there are none: it is filled, and on the disk, before the first of them is
 * committed, and emptied when all are on the disk, both within a transaction that writes. The
 * mempool of an earlier boot is made anew, and so is one found damaged. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ledger/events.h"
#include "ledger/extent.h"
#include "ledger/map.h"
#include "ledger/store.h"
#include "ledger/store_inside.h"

static const size_t map_most = (size_t)1 << 36;

/* A store whose tables are not these is made anew. */
static const char *const table_names[BB_TABLE_COUNT] = {
	[BB_POOL_META] = "meta",
	[BB_POOL_IDS] = "ids",
	[BB_POOL_TXS] = "txs",
	[BB_POOL_HOMES] = "homes",
	[BB_POOL_CLUSTERS] = "clusters",
	[BB_POOL_CHUNKS] = "chunks",
	[BB_POOL_SPENT] = "spent",
	[BB_POOL_SCRIPTS] = "scripts",
	[BB_POOL_ORPHANS] = "orphans",
	[BB_POOL_WANTED] = "wanted",
	[BB_POOL_WAITS] = "waits",
	[BB_POOL_EVENTS] = "events",
};

/* DIR/mempool/boot. */

/* What this boot is called; where the system does not tell, no other knows itself in it. */
static void name_boot(struct bb_store *s)
{
	const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, s->boot, sizeof(s->boot) - 1);

	s->boot[len > 0 ? len : 0] = '\0';
	s->boot[strcspn(s->boot, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

/* False: it cannot be read. */
static bool read_marker(struct bb_span *out, unsigned char text[64], int fd)
{
	ssize_t len;

	do
		len = pread(fd, text, 64, 0);
	while (len < 0 && errno == EINTR);
	*out = BB_SPAN(text, len > 0 ? (size_t)len : 0);
	return len >= 0;
}

static bool trusted(const struct bb_store *s, int fd)
{
	unsigned char text[64];
	struct bb_span marker;

	return read_marker(&marker, text, fd) &&
	       (!marker.len || (*s->boot && bb_span_is(marker, s->boot)));
}

static const char *our_mark(const struct bb_store *s)
{
	return *s->boot ? s->boot : "unknown";
}

static bool write_marker(int fd, const char *text)
{
	const size_t len = strlen(text);

	return ftruncate(fd, (off_t)len) == 0 && pwrite(fd, text, len, 0) == (ssize_t)len &&
	       fsync(fd) == 0;
}

bool bb_pool_env_mark(struct bb_store *s)
{
	unsigned char text[64];
	struct bb_span marker;

	if (read_marker(&marker, text, s->boot_fd) &&
		(marker.len || write_marker(s->boot_fd, our_mark(s))))
		return true;
	bb_store_fail(s, "/mempool/boot", strerror(errno));
	return false;
}

void bb_store_doubt_pool(const struct bb_store *s)
{
	if (s->boot_fd >= 0)
		write_marker(s->boot_fd, "damaged");
}

void bb_pool_env_settle(struct bb_store *s)
{
	unsigned char text[64];
	struct bb_span marker;
	MDB_txn *turn;

	if (!s->unwritten || mdb_env_sync(s->pool_env, 1) != 0 ||
		mdb_txn_begin(s->pool_env, NULL, 0, &turn) != 0)
		return;
	/* What others have committed since, is theirs to write out. */
	if (mdb_txn_id(turn) == s->pool_seen + 1 && read_marker(&marker, text, s->boot_fd) &&
		bb_span_is(marker, our_mark(s)))
		write_marker(s->boot_fd, "");
	mdb_txn_abort(turn);
	s->unwritten = false;
}

/* Opening. */

static void close_pool(struct bb_store *s)
{
	if (s->pool_env)
		mdb_env_close(s->pool_env);
	s->pool_env = NULL;
}

static int check_head(const struct bb_opening *o)
{
	const int fd = openat(o->pool_fd, "data.mdb", O_RDONLY | O_CLOEXEC);
	enum bb_extent_head head;

	if (fd < 0)
		return errno;
	head = bb_extent_head(fd);
	close(fd);
	return head == BB_HEAD_GOOD ? 0 : MDB_CORRUPTED;
}

static int open_tables(struct bb_store *s, MDB_txn *txn, unsigned flags)
{
	int err = 0;

	for (enum bb_table t = BB_CHAIN_TABLES; !err && t < BB_TABLE_COUNT; t++)
		err = mdb_dbi_open(txn, table_names[t], flags, &s->table[t]);
	return err;
}

/* Handles opened in a transaction stay when it is committed. */
static int find_tables(struct bb_store *s)
{
	MDB_txn *txn;
	int err = bb_env_snapshot(&txn, s->pool_env);

	if (err)
		return err;
	s->pool_seen = mdb_txn_id(txn);
	err = open_tables(s, txn, 0);
	mdb_txn_commit(txn);
	return err;
}

static int pool_path(char **path, const struct bb_opening *o, const char *below)
{
	if (asprintf(path, "%s/mempool%s", o->dir, below) >= 0)
		return 0;
	*path = NULL;
	return ENOMEM;
}

static int open_pool(const struct bb_opening *o)
{
	struct bb_store *s = o->store;
	char *path = NULL;
	int fd, err = check_head(o);

	if (!err)
		err = pool_path(&path, o, "");
	if (!err)
		err = bb_env_open(
			&s->pool_env, path, s->writing ? MDB_NOSYNC : MDB_RDONLY, map_most);
	free(path);
	if (!err)
		err = bb_env_check(s->pool_env);
	if (!err)
		err = find_tables(s);
	if (err)
		close_pool(s);
	else if (mdb_env_get_fd(s->pool_env, &fd) == 0)
		bb_map_find(&s->pool_map, &s->pool_map_len, fd);
	return err;
}

/* Making. */

static void remove_files(int pool_fd)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "new.mdb", "new.mdb-lock"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unlinkat(pool_fd, names[i], 0);
}

void bb_pool_env_remove(const struct bb_opening *o)
{
	int fd = bb_open_dir(o->dir_fd, "mempool");

	if (fd >= 0)
		remove_files(fd);
	bb_close_fd(&fd);
}

/* The numbers of the events that were in the mempool before, if there was one, are not known:
 * begin far behind them. The first event of all is one of the chain. */
static bool part_events(struct bb_store *s)
{
	const uint64_t apart = 1000000000;
	uint64_t base, last;

	if (!bb_store_begin(s))
		return false;
	base = bb_store_number(s, "event_base");
	last = bb_event_last(s);
	if (last > base)
		base = last;
	if (base && bb_store_has(s, BB_META, BB_LIT("event_base")))
		base += apart;
	bb_store_set_number(s, "event_base", base);
	return bb_store_commit(s);
}

static int fill_new(struct bb_store *s)
{
	MDB_txn *txn;
	int err = mdb_txn_begin(s->pool_env, NULL, 0, &txn);

	if (err)
		return err;
	err = open_tables(s, txn, MDB_CREATE);
	if (!err)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return err;
}

/* It gets its name when it is whole. */
static int make_files(const struct bb_opening *o)
{
	struct bb_store *s = o->store;
	char *path = NULL;
	int err = pool_path(&path, o, "/new.mdb");

	remove_files(o->pool_fd);
	/* A file with holes that is mapped, as LMDB's lock is, is deadly on a full disk. */
	if (!err && bb_disk_full(o->pool_fd))
		err = ENOSPC;
	if (!err)
		err = bb_env_open(&s->pool_env, path, MDB_NOSUBDIR, map_most);
	free(path);
	if (!err)
		err = fill_new(s);
	close_pool(s);
	unlinkat(o->pool_fd, "new.mdb-lock", 0);
	if (err)
		return err;
	return renameat(o->pool_fd, "new.mdb", o->pool_fd, "data.mdb") == 0 &&
			       fsync(o->pool_fd) == 0 && write_marker(s->boot_fd, "")
		       ? 0
		       : errno;
}

static bool make_pool(const struct bb_opening *o)
{
	struct bb_store *s = o->store;
	int err;

	if (!part_events(s)) {
		snprintf(o->message, BB_STORE_MESSAGE, "%s", s->why);
		return false;
	}
	err = make_files(o);
	return err == 0 ||
	       bb_opening_refuse(o, "make", "/mempool/data.mdb", bb_store_reason(s, err));
}

static bool open_marker(const struct bb_opening *o)
{
	struct bb_store *s = o->store;
	const bool made = faccessat(o->pool_fd, "boot", F_OK, 0) != 0;

	s->boot_fd = openat(o->pool_fd, "boot", O_RDWR | O_CREAT | O_CLOEXEC, BB_STORE_MODE);
	if (s->boot_fd < 0)
		return bb_opening_refuse(o, "write", "/mempool/boot", strerror(errno));
	if (made)
		bb_sync_dir(o->pool_fd);
	return true;
}

/* Not there, or in such a state that it is to be made anew. */
static bool is_lost(int err)
{
	return err == ENOENT || err == MDB_CORRUPTED || err == MDB_PAGE_NOTFOUND ||
	       err == MDB_INVALID || err == MDB_VERSION_MISMATCH || err == MDB_NOTFOUND ||
	       err == MDB_INCOMPATIBLE;
}

static bool open_or_make(const struct bb_opening *o)
{
	struct bb_store *s = o->store;
	int err = trusted(s, s->boot_fd) ? open_pool(o) : MDB_CORRUPTED;

	if (is_lost(err)) {
		if (!make_pool(o))
			return false;
		err = open_pool(o);
	}
	return err == 0 ||
	       bb_opening_refuse(o, "open", "/mempool/data.mdb", bb_store_reason(s, err));
}

static bool open_to_write(struct bb_opening *o)
{
	bool ok;

	if (!bb_open_below(&o->pool_fd, o, "/mempool") || !open_marker(o) ||
		!bb_creator_lock(o))
		return false;
	ok = open_or_make(o);
	bb_creator_unlock(o);
	return ok;
}

static const char *why_unusable(const struct bb_store *s, int err)
{
	if (err == MDB_NOTFOUND)
		return "its tables are those of another version";
	return is_lost(err) ? "it is damaged" : bb_store_reason(s, err);
}

static void open_to_read(struct bb_opening *o)
{
	int fd;
	bool good;
	int err;

	o->pool_fd = bb_open_dir(o->dir_fd, "mempool");
	if (o->pool_fd < 0) {
		o->store->pool_why = errno == ENOENT ? NULL : strerror(errno);
		return;
	}
	fd = openat(o->pool_fd, "boot", O_RDONLY | O_CLOEXEC);
	good = fd < 0 ? errno == ENOENT : trusted(o->store, fd);
	bb_close_fd(&fd);
	if (good && (err = open_pool(o)) && err != ENOENT)
		o->store->pool_why = why_unusable(o->store, err);
	else if (!good && faccessat(o->pool_fd, "data.mdb", F_OK, 0) == 0)
		o->store->pool_why = "it was not written out before the machine went down, "
				     "or found damaged";
}

bool bb_pool_env_open(struct bb_opening *o)
{
	name_boot(o->store);
	if (o->mode != BB_STORE_READ)
		return open_to_write(o);
	open_to_read(o);
	return true;
}
