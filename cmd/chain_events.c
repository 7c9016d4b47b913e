/* bb-chain events: what happened to the chain and to the mempool, and what happens. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"

enum { PIECE = 64 << 10 };

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
		last = bb_event_last(&c->store);
	bb_store_end(&c->store);
	if (chain_failed(c))
		return false;
	if (seq > last)
		chain_error(c, 0, BB_NO, "no such event: %" PRIu64 " (the last is %" PRIu64 ")",
			seq, last);
	return seq <= last;
}

static void tell(struct chain *c, uint64_t seq, int fd)
{
	do
		while (gather(c, &seq) && bb_sink_flush(&c->out))
			;
	while (c->follow && !chain_failed(c) && !c->out.error && chain_wait(c, fd, -1));
	if (!c->follow)
		chain_failed(c);
}

int chain_events(struct chain *c)
{
	const uint64_t seq = (uint64_t)c->since;
	const int fd = c->follow ? chain_watch(c) : -1;
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
