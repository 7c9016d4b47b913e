#include "chain.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/sandbox.h"
#include "fault.h"
#include "relaysock.h"

void chain_error(struct chain *c, uint64_t line, enum bb_status status, const char *fmt, ...)
{
	char why[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	bb_lines_report(&c->in, line, status, why, BB_SPAN(NULL, 0));
}

/* Has the mempool been found damaged? The names of the node's directory may say anything. */
static bool is_mempool_damaged(const char *why)
{
	static const char damaged[] = "the store is damaged";

	if (strncmp(why, damaged, sizeof(damaged) - 1) == 0)
		return strstr(why, "mempool");
	return strstr(why, "/mempool/data.mdb: MDB_") && !strstr(why, "MDB_READERS_FULL");
}

bool chain_failed(struct chain *c)
{
	const char *why = c->store.why;

	if (!why)
		return false;
	if (is_mempool_damaged(why))
		chain_error(c, 0, BB_SYSTEM,
			"%s; remove %s/mempool while nobody writes, and it begins anew", why,
			c->dir);
	else
		chain_error(c, 0, BB_SYSTEM, "%s", why);
	return true;
}

/* The store is open but for its files of blocks. Which files a verb may read that takes names
 * for something else, or looks beside them, it knows itself. */
static void drop_rights(const struct chain *c, enum bb_store_mode mode)
{
	const bool reads = mode == BB_STORE_READ;
	char path[PATH_MAX];
	const struct bb_sandbox_path blocks = {
		path, reads ? BB_SANDBOX_READ : BB_SANDBOX_READ | BB_SANDBOX_MAKE};

	if ((c->in.files || !*c->args) &&
		snprintf(path, sizeof(path), "%s/blocks", c->dir) < PATH_MAX)
		tool_keep_to(c->in.files, &blocks, 1);
	bb_sandbox_enter(
		BB_SANDBOX_READER | (reads ? BB_SANDBOX_STORE : BB_SANDBOX_STORE_WRITER));
}

bool chain_open_to(char why[BB_STORE_MESSAGE], struct chain *c, enum bb_store_mode mode)
{
	if (!c->dir)
		tool_die(c->tool, BB_CALLER, "no directory: neither -d, $BB_DIR nor $HOME");
	fault_catch(c->tool->name, &c->store);
	if (!bb_store_open(&c->store, why, c->dir, mode, &c->network))
		return false;
	fault_watch(&c->store);
	drop_rights(c, mode);
	return true;
}

void chain_open(struct chain *c, enum bb_store_mode mode)
{
	char why[BB_STORE_MESSAGE];

	if (!chain_open_to(why, c, mode))
		tool_die(c->tool, BB_SYSTEM, "%s", why);
}

bool chain_is_made(const struct chain *c)
{
	char path[PATH_MAX];

	return c->dir && snprintf(path, sizeof(path), "%s/chain/data.mdb", c->dir) < PATH_MAX &&
	       access(path, F_OK) == 0;
}

int chain_node(const struct chain *c)
{
	char why[RELAYSOCK_WHY];

	return c->dir ? relaysock_connect_unix(why, c->dir, "relay.sock") : -1;
}

void chain_close(struct chain *c)
{
	if (c->store.env)
		bb_store_close(&c->store);
	c->store = (struct bb_store){0};
	bb_arena_free(&c->arena);
	bb_buf_free(&c->out.buf);
}

int chain_end(struct chain *c)
{
	if (!bb_sink_flush(&c->out))
		chain_error(c, 0, BB_SYSTEM, "cannot write: %s", strerror(c->out.error));
	chain_close(c);
	return c->in.status;
}

int64_t chain_now(const struct chain *c)
{
	return c->now < 0 ? (int64_t)time(NULL) : c->now;
}

bool chain_hash(unsigned char hash[32], struct bb_span text)
{
	return text.len == 64 && bb_hash_decode(hash, text);
}

bool chain_empty(struct chain *c)
{
	struct bb_node tip;

	if (bb_tree_tip(&tip, &c->store))
		return false;
	if (!c->store.why)
		chain_error(c, 0, BB_NO, "there is no block yet");
	return true;
}

static bool is_height(const char *name)
{
	const size_t len = strlen(name);

	return len && len <= 10 && strspn(name, "0123456789") == len;
}

bool chain_names_block(const char *name)
{
	unsigned char id[32];

	return is_height(name) || chain_hash(id, BB_SPAN(name, strlen(name)));
}

bool chain_find(struct bb_node *out, struct chain *c, const char *name)
{
	const size_t len = strlen(name);
	unsigned char id[32];

	if (chain_hash(id, BB_SPAN(name, len)))
		return bb_tree_find(out, &c->store, id);
	if (!is_height(name) || len > 9)
		return false;
	return bb_tree_at(out, &c->store, (int32_t)strtol(name, NULL, 10));
}

struct bb_span chain_tx_bytes(struct bb_arena *a, const struct bb_tx *tx)
{
	struct bb_buf bytes = {0};
	struct bb_span kept = {0};

	bb_put_tx(&bytes, tx, true);
	if (!bytes.failed)
		kept = bb_arena_copy(a, BB_SPAN(bytes.data, bytes.len));
	bb_buf_free(&bytes);
	return kept;
}

/* Told by the system of every write to DIR/lock. */
int chain_watch(const struct chain *c)
{
	char path[PATH_MAX];
	int fd;

	if (!c->dir || snprintf(path, sizeof(path), "%s/lock", c->dir) >= PATH_MAX)
		return -1;
	fd = inotify_init1(IN_CLOEXEC);
	if (fd >= 0 && inotify_add_watch(fd, path, IN_MODIFY) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool chain_wait(struct chain *c, int fd, int ms)
{
	_Alignas(struct inotify_event) char events[4096];
	struct pollfd ready[] = {{.fd = fd, .events = POLLIN}, {.fd = c->out.fd}};

	while (poll(ready, 2, ms) < 0)
		if (errno != EINTR)
			return false;
	if (ready[1].revents)
		return false;
	return !ready[0].revents || read(fd, events, sizeof(events)) > 0;
}
