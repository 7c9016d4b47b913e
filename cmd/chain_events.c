/* bb-chain events: what happened to the chain, and what happens. */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "chain.h"

enum { PIECE = 64 << 10 };

/* Told by the system whenever somebody has written to the store (bb_store_commit): armed before
 * the first look, so that nothing is missed between a look and the wait for the next. -1 with
 * errno: not. */
static int watch(const struct chain *c)
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

/* Gather a piece of what comes behind *seq; false: there was nothing, or the store failed. No
 * transaction is held while it is written. */
static bool gather(struct chain *c, uint64_t *seq)
{
	struct bb_event e;

	if (!bb_store_begin(&c->store))
		return false;
	while (c->out.buf.len < PIECE && bb_event_after(&e, &c->store, *seq)) {
		bb_put_event(&c->out.buf, &e);
		*seq = e.seq;
	}
	bb_store_end(&c->store);
	return c->out.buf.len && !c->store.why;
}

/* Is there an event of that number? Or 0, for all of them. Else says so. */
static bool is_there(struct chain *c, uint64_t seq)
{
	uint64_t last = 0;

	if (bb_store_begin(&c->store))
		last = chain_last_event(&c->store);
	bb_store_end(&c->store);
	if (chain_failed(c))
		return false;
	if (seq > last)
		chain_error(c, 0, BB_NO, "no such event: %" PRIu64 " (the last is %" PRIu64 ")",
			seq, last);
	return seq <= last;
}

/* Until somebody commits; false: nobody listens any more. */
static bool wait_for_more(struct chain *c, int fd)
{
	_Alignas(struct inotify_event) char events[4096];
	struct pollfd ready[] = {{.fd = fd, .events = POLLIN}, {.fd = c->out.fd}};

	while (poll(ready, 2, -1) < 0)
		if (errno != EINTR)
			return false;
	return !ready[1].revents && read(fd, events, sizeof(events)) > 0;
}

static void tell(struct chain *c, uint64_t seq, int fd)
{
	do
		while (gather(c, &seq) && bb_sink_flush(&c->out))
			;
	while (c->follow && !chain_failed(c) && !c->out.error && wait_for_more(c, fd));
	if (!c->follow)
		chain_failed(c);
}

int chain_events(struct chain *c)
{
	const uint64_t seq = (uint64_t)c->since;
	const int fd = c->follow ? watch(c) : -1;
	const char *unwatched = strerror(errno);

	chain_open(c, BB_STORE_READ);
	if (c->follow && fd < 0)
		chain_error(c, 0, BB_SYSTEM, "cannot watch the store: %s", unwatched);
	else if (is_there(c, seq))
		tell(c, seq, fd);
	if (fd >= 0)
		close(fd);
	return chain_end(c);
}
