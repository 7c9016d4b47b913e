/* Opening a store, and making one. */

#include "ledger/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "ledger/extent.h"
#include "ledger/map.h"
#include "ledger/store_inside.h"

/* Of the tables and what is in them. */
enum { FORMAT = 1 };

/* The map is of addresses only, so it may be larger than any chain. */
static const size_t map_most = (size_t)1 << 40;

static const char *const table_names[BB_CHAIN_TABLES] = {
	[BB_META] = "meta",
	[BB_NODES] = "nodes",
	[BB_IDS] = "ids",
	[BB_HEIGHTS] = "heights",
	[BB_LEAVES] = "leaves",
	[BB_CANDIDATES] = "candidates",
	[BB_COINS] = "coins",
	[BB_UNSPENT] = "unspent",
	[BB_TXS] = "txs",
	[BB_HISTORY] = "history",
	[BB_UNDO] = "undo",
	[BB_ORPHANS] = "orphans",
	[BB_ORPHAN_AGE] = "orphan-age",
	[BB_EVENTS] = "events",
};

/* Reasons. */

static bool refuse(const struct bb_opening *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static bool refuse(const struct bb_opening *o, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(o->message, BB_STORE_MESSAGE, fmt, args);
	va_end(args);
	return false;
}

bool bb_opening_refuse(
	const struct bb_opening *o, const char *doing, const char *below, const char *why)
{
	return refuse(o, "cannot %s %.*s%s: %s", doing, BB_PATH_SHOWN, o->dir, below, why);
}

static bool refuse_data(const struct bb_opening *o, const char *what)
{
	return refuse(o, "%.*s/chain/data.mdb %s", BB_PATH_SHOWN, o->dir, what);
}

static bool refuse_absent(const struct bb_opening *o)
{
	return refuse(o, "no store in %.*s: bb-chain import or bb-chain add makes one",
		BB_PATH_SHOWN, o->dir);
}

/* Directories. */

/* It may be unreadable, or of a file system that does not need this. */
void bb_sync_dir(int fd)
{
	int err = fd < 0 ? 0 : fsync(fd);

	(void)err; /* the first commit will meet a disk that fails */
}

/* mkdir -p */
static bool make_path(const char *dir)
{
	char *path = strdup(dir), *slash = path;
	bool ok = path && *path;

	while (ok && slash) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		ok = mkdir(path, 0777) == 0 || errno == EEXIST;
		if (slash)
			*slash = '/';
	}
	free(path);
	return ok;
}

int bb_open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* And let what holds it know its name, as far up as there was none before. */
static bool make_dir(const char *dir)
{
	int fd;

	if (!make_path(dir))
		return false;
	fd = bb_open_dir(AT_FDCWD, dir);
	for (const char *p = dir; fd >= 0 && p; p = strchr(p + 1, '/')) {
		int up = bb_open_dir(fd, "..");
		close(fd);
		bb_sync_dir(fd = up);
	}
	if (fd >= 0)
		close(fd);
	return true;
}

/* Who reads needs it as a place only, and may have no right to list what it holds. */
static bool open_base(struct bb_opening *o)
{
	o->dir_fd = o->mode == BB_STORE_READ ? open(o->dir, O_PATH | O_DIRECTORY | O_CLOEXEC)
					     : bb_open_dir(AT_FDCWD, o->dir);
	if (o->dir_fd < 0 && errno == ENOENT && o->mode == BB_STORE_READ)
		return refuse_absent(o);
	if (o->dir_fd < 0 && errno == ENOENT) {
		if (!make_dir(o->dir))
			return bb_opening_refuse(o, "make", "", strerror(errno));
		o->dir_fd = bb_open_dir(AT_FDCWD, o->dir);
	}
	return o->dir_fd >= 0 || bb_opening_refuse(o, "open", "", strerror(errno));
}

bool bb_open_below(int *fd, const struct bb_opening *o, const char *below)
{
	const char *name = below + 1;

	if (o->mode != BB_STORE_READ && mkdirat(o->dir_fd, name, 0777) == 0)
		bb_sync_dir(o->dir_fd);
	*fd = bb_open_dir(o->dir_fd, name);
	return *fd >= 0 || bb_opening_refuse(o, "open", below, strerror(errno));
}

/* DIR/lock: who may write. */

static int set_lock(int fd, int command, enum bb_lock byte, short type)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
	int err;

	do
		err = fcntl(fd, command, &l);
	while (err != 0 && errno == EINTR);
	return err;
}

/* The process that stands in the way; 0: it cannot be seen, or is gone. */
static long lock_holder(int fd, short type)
{
	struct flock l = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = BB_LOCK_WRITER, .l_len = 1};

	return fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK && l.l_pid > 0 ? l.l_pid : 0;
}

static bool take_lock(const struct bb_opening *o)
{
	struct bb_store *s = o->store;
	const short type = o->mode == BB_STORE_ALONE ? F_WRLCK : F_RDLCK;
	long pid;

	s->lock_fd = openat(o->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, BB_STORE_MODE);
	if (s->lock_fd < 0)
		return bb_opening_refuse(o, "write", "/lock", strerror(errno));
	if (set_lock(s->lock_fd, F_SETLK, BB_LOCK_WRITER, type) == 0)
		return true;
	if (errno != EAGAIN && errno != EACCES)
		return bb_opening_refuse(o, "lock", "/lock", strerror(errno));
	pid = lock_holder(s->lock_fd, type);
	if (pid)
		return refuse(o, "another process writes in %.*s: pid %ld", BB_PATH_SHOWN,
			o->dir, pid);
	return refuse(o, "another process writes in %.*s", BB_PATH_SHOWN, o->dir);
}

bool bb_creator_lock(const struct bb_opening *o)
{
	return set_lock(o->store->lock_fd, F_SETLKW, BB_LOCK_CREATOR, F_WRLCK) == 0 ||
	       bb_opening_refuse(o, "lock", "/lock", strerror(errno));
}

void bb_creator_unlock(const struct bb_opening *o)
{
	set_lock(o->store->lock_fd, F_SETLK, BB_LOCK_CREATOR, F_UNLCK);
}

/* The environment. */

/* SHA-256 of all parameters by which chains differ. How addresses are written is not one, nor
 * is the least work, which grows from release to release. */
static bool hash_rules(unsigned char out[32], const struct bb_network *n)
{
	struct bb_network rules = *n;
	struct bb_buf b = {0};
	struct bb_json_writer w = {.buf = &b};
	bool ok;

	memset(rules.hrp, 0, sizeof(rules.hrp));
	memset(rules.minimum_chain_work, 0, sizeof(rules.minimum_chain_work));
	rules.port = 0;
	rules.base58_pubkey = rules.base58_script = rules.base58_secret = 0;
	rules.xpub = rules.xprv = rules.coin_type = 0;
	bb_json_open(&w, '{');
	bb_json_network(&w, &rules);
	bb_json_close(&w, '}');
	ok = !b.failed;
	if (ok)
		bb_sha256(out, b.data, b.len);
	bb_buf_free(&b);
	return ok;
}

static void put_meta(struct bb_store *s, const struct bb_network *n)
{
	unsigned char rules[32];

	if (!hash_rules(rules, n)) {
		bb_store_fail(s, "/chain", strerror(ENOMEM));
		return;
	}
	bb_store_set_number(s, "format", FORMAT);
	bb_store_put(s, BB_META, BB_LIT("network"), BB_SPAN(n->name, strlen(n->name)));
	bb_store_put(s, BB_META, BB_LIT("genesis"), BB_SPAN(n->genesis, 32));
	bb_store_put(s, BB_META, BB_LIT("rules"), BB_SPAN(rules, 32));
	bb_store_set_number(s, "file", 0);
	bb_store_set_number(s, "end", 0);
}

static bool fill_new(struct bb_store *s, const struct bb_network *n)
{
	if (!bb_store_done(s, BB_META, mdb_txn_begin(s->env, NULL, 0, &s->txn)))
		return false;
	for (size_t i = 0; i < BB_CHAIN_TABLES; i++)
		if (!bb_store_done(s, i,
			    mdb_dbi_open(s->txn, table_names[i], MDB_CREATE, &s->table[i])))
			break;
	put_meta(s, n);
	return bb_store_commit(s);
}

/* The files of blocks must not belong to a store that is gone: they would be cut off. */
static bool check_no_blocks(const struct bb_opening *o)
{
	struct stat st;

	if (fstatat(o->store->blocks_fd, "blk00000.dat", &st, 0) != 0 || st.st_size == 0)
		return true;
	return refuse(o,
		"%.*s/blocks is there but its store is not: "
		"move it away, then bb-chain import can read it",
		BB_PATH_SHOWN - 40, o->dir);
}

/* A new store gets its name when it is whole: what a crash leaves before is made anew. */
static bool create(const struct bb_opening *o)
{
	struct bb_store *s = o->store;
	char *path = NULL;
	bool ok;
	int err;

	if (!check_no_blocks(o))
		return false;
	bb_pool_env_remove(o);
	unlinkat(o->chain_fd, "new.mdb", 0);
	unlinkat(o->chain_fd, "new.mdb-lock", 0);
	if (asprintf(&path, "%s/new.mdb", s->path) < 0)
		return bb_opening_refuse(o, "make", "/chain", strerror(ENOMEM));
	err = bb_env_open(&s->env, path, MDB_NOSUBDIR, map_most);
	free(path);
	if (err)
		return bb_opening_refuse(o, "make", "/chain/new.mdb", bb_store_reason(s, err));
	ok = fill_new(s, o->network);
	mdb_env_close(s->env);
	s->env = NULL;
	if (!ok)
		return refuse(o, "cannot make %s", s->why);
	unlinkat(o->chain_fd, "new.mdb-lock", 0);
	if (renameat(o->chain_fd, "new.mdb", o->chain_fd, "data.mdb") != 0 ||
		fsync(o->chain_fd) != 0)
		return bb_opening_refuse(o, "make", "/chain/data.mdb", strerror(errno));
	return true;
}

static bool find_data(const struct bb_opening *o)
{
	return faccessat(o->chain_fd, "data.mdb", F_OK, 0) == 0 || errno != ENOENT;
}

static bool find_or_create(const struct bb_opening *o)
{
	bool ok;

	if (find_data(o))
		return true;
	if (!bb_creator_lock(o))
		return false;
	ok = find_data(o) || create(o);
	bb_creator_unlock(o);
	return ok;
}

/* LMDB itself takes an empty file for a new one, and believes what it reads. */
static bool check_head(const struct bb_opening *o)
{
	const int fd = openat(o->chain_fd, "data.mdb", O_RDONLY | O_CLOEXEC);
	enum bb_extent_head head;

	if (fd < 0)
		return bb_opening_refuse(o, "open", "/chain/data.mdb", strerror(errno));
	head = bb_extent_head(fd);
	close(fd);
	if (head == BB_HEAD_SHORT)
		return refuse_data(o, "is cut short");
	return head == BB_HEAD_GOOD || refuse_data(o, "is no store of bb-chain");
}

static bool refuse_env(const struct bb_opening *o, int err)
{
	if (err == MDB_INVALID || err == MDB_VERSION_MISMATCH)
		return refuse_data(o, "is no store of bb-chain");
	if (err == EACCES && faccessat(o->chain_fd, "lock.mdb", R_OK | W_OK, AT_EACCESS) != 0)
		return bb_opening_refuse(
			o, "write", "/chain/lock.mdb, as readers must too", strerror(err));
	return bb_opening_refuse(o, "open", "/chain/data.mdb", bb_store_reason(o->store, err));
}

static bool refuse_read(const struct bb_opening *o, int err)
{
	return bb_opening_refuse(o, "read", "/chain/data.mdb", bb_store_reason(o->store, err));
}

static bool check_extent(const struct bb_opening *o)
{
	int err = bb_env_check(o->store->env);

	if (err == MDB_CORRUPTED)
		return refuse_data(o, "is cut short");
	return err == 0 || refuse_read(o, err);
}

static bool open_table(const struct bb_opening *o, enum bb_table t)
{
	struct bb_store *s = o->store;
	int err = mdb_dbi_open(s->txn, table_names[t], 0, &s->table[t]);

	if (err == MDB_NOTFOUND)
		return refuse_data(o, "is no store of bb-chain");
	return err == 0 || refuse_read(o, err);
}

static bool check_format(const struct bb_opening *o)
{
	const uint64_t format = bb_store_number(o->store, "format");

	if (!format)
		return refuse_data(o, "is no store of bb-chain");
	return format == FORMAT ||
	       refuse(o, "the store in %.*s is of format %llu, not %d", BB_PATH_SHOWN, o->dir,
		       (unsigned long long)format, FORMAT);
}

/* Custom networks are called by the file they are in. */
static bool refuse_network(const struct bb_opening *o, struct bb_span name)
{
	char theirs[sizeof(o->network->name)];

	snprintf(theirs, sizeof(theirs), "%.*s",
		(int)(name.len < sizeof(theirs) ? name.len : sizeof(theirs)),
		name.data ? (const char *)name.data : "");
	return refuse(o, "the store in %.*s is of network %s, not %s (-n %s, or BB_NETWORK)",
		BB_PATH_SHOWN - 40, o->dir, theirs, o->network->name,
		bb_network_find(theirs) ? theirs : "its file");
}

static bool check_network(const struct bb_opening *o)
{
	struct bb_store *s = o->store;
	const struct bb_network *n = o->network;
	struct bb_span name = {0}, genesis = {0}, rules = {0};
	unsigned char wanted[32];

	bb_store_get(&name, s, BB_META, BB_LIT("network"));
	bb_store_get(&genesis, s, BB_META, BB_LIT("genesis"));
	bb_store_get(&rules, s, BB_META, BB_LIT("rules"));
	if (!hash_rules(wanted, n))
		return bb_opening_refuse(o, "open", "", strerror(ENOMEM));
	if (!bb_span_is(name, n->name))
		return refuse_network(o, name);
	if (!bb_span_equal(genesis, BB_SPAN(n->genesis, 32)))
		return refuse(o,
			"the store in %.*s is of a network %s with another genesis block",
			BB_PATH_SHOWN, o->dir, n->name);
	return bb_span_equal(rules, BB_SPAN(wanted, 32)) ||
	       refuse(o, "the store in %.*s is of a network %s with other parameters",
		       BB_PATH_SHOWN, o->dir, n->name);
}

/* Handles opened in a transaction stay when it is committed. */
static bool open_tables(const struct bb_opening *o)
{
	struct bb_store *s = o->store;
	int err = bb_env_snapshot(&s->txn, s->env);
	bool ok;

	if (err)
		return refuse_read(o, err);
	s->seen = mdb_txn_id(s->txn);
	ok = open_table(o, BB_META) && check_format(o) && check_network(o);
	for (size_t i = 0; ok && i < BB_CHAIN_TABLES; i++)
		ok = open_table(o, i);
	mdb_txn_commit(s->txn);
	s->txn = NULL;
	return ok && (!s->why || refuse(o, "%s", s->why));
}

static void find_map(struct bb_store *s)
{
	int fd;

	if (mdb_env_get_fd(s->env, &fd) == 0)
		bb_map_find(&s->map, &s->map_len, fd);
}

static bool open_store(struct bb_opening *o)
{
	struct bb_store *s = o->store;
	const bool writing = o->mode != BB_STORE_READ;
	int err;

	if (asprintf(&s->path, "%s/chain", o->dir) < 0) {
		s->path = NULL;
		return bb_opening_refuse(o, "open", "", strerror(ENOMEM));
	}
	s->writing = writing;
	if (!open_base(o) || (writing && !take_lock(o)))
		return false;
	if (!writing && faccessat(o->dir_fd, "chain/data.mdb", F_OK, 0) != 0 && errno == ENOENT)
		return refuse_absent(o);
	if (!bb_open_below(&o->chain_fd, o, "/chain") ||
		!bb_open_below(&s->blocks_fd, o, "/blocks"))
		return false;
	bb_flat_init(&s->flat, s->blocks_fd, o->network->magic);
	if (writing && !find_or_create(o))
		return false;
	if (!check_head(o))
		return false;
	err = bb_env_open(&s->env, s->path, writing ? 0 : MDB_RDONLY, map_most);
	if (err)
		return refuse_env(o, err);
	find_map(s);
	return check_extent(o) && open_tables(o) && bb_pool_env_open(o);
}

bool bb_store_open(struct bb_store *s, char message[BB_STORE_MESSAGE], const char *dir,
	enum bb_store_mode mode, const struct bb_network *n)
{
	struct bb_opening o = {.store = s,
		.message = message,
		.dir = dir,
		.mode = mode,
		.network = n,
		.dir_fd = -1,
		.chain_fd = -1,
		.pool_fd = -1};
	bool ok;

	*s = (struct bb_store){.blocks_fd = -1, .lock_fd = -1, .boot_fd = -1};
	bb_flat_init(&s->flat, -1, n->magic);
	ok = open_store(&o);
	bb_close_fd(&o.dir_fd);
	bb_close_fd(&o.chain_fd);
	bb_close_fd(&o.pool_fd);
	if (!ok)
		bb_store_close(s);
	return ok;
}
