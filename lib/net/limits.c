/* Who is read from: not who sends too much or does not take what he asked for, and nobody while
 * the ledger has too much to do. */

#include "net/hub_inside.h"

enum {
	LINES_A_SECOND = 500, /* of a peer, but for what it was asked for */
	LINES_BURST = 5000,
	/* Bytes to a peer: it is heard again when it has taken some. More than it can be given
	 * unasked, or of what it asked for: else two could wait for each other. */
	CHOKED = PEER_QUEUE + (9 << 20),
	CHOKED_MS = 30000, /* and let go when it takes none at all */
};

/* Clocks stand still while it is not read from: what it answered lies unread. */
static void move_clocks(struct peer *p, uint64_t by_ms)
{
	p->since_ms += by_ms;
	p->heard_ms += by_ms;
	if (p->ping_ms)
		p->ping_ms += by_ms;
	if (p->probe_ms)
		p->probe_ms += by_ms;
	if (p->headers_ms)
		p->headers_ms += by_ms;
	if (p->block_ms)
		p->block_ms += by_ms;
}

/* Who is not heard through his own fault lets no clock stand still: else he could hold up
 * others who wait for what he owes. */
static void set_reading(struct bb_hub *h, struct peer *p)
{
	const bool unread = h->full || p->slowed || p->choked_ms;

	if (h->full != p->paused) {
		p->paused = h->full;
		if (p->paused) {
			p->paused_ms = h->now_ms;
		} else {
			p->resumed_ms = h->now_ms;
			move_clocks(p, h->now_ms - p->paused_ms);
		}
	}
	if (unread != p->unread)
		h->c.io.read(h->c.io.arg, p->connection, !unread);
	p->unread = unread;
}

void limits_pressure(struct bb_hub *h)
{
	const size_t lines = bb_outstanding_count(h->out), bytes = bb_outstanding_bytes(h->out);
	const bool over = lines > CHAIN_LINES || bytes > CHAIN_BYTES;
	const bool under = lines < CHAIN_LINES / 2 && bytes < CHAIN_BYTES / 2;

	if (h->full ? !under : !over)
		return;
	h->full = !h->full;
	for (struct peer *p = h->peers; p; p = p->next)
		set_reading(h, p);
	tools_read(h);
}

void limits_charge(struct bb_hub *h, struct peer *p, double lines)
{
	p->allowance -= lines;
	if (p->allowance >= 0)
		return;
	p->slowed = true;
	set_reading(h, p);
}

static void refill(struct bb_hub *h, struct peer *p, double seconds)
{
	p->allowance += seconds * LINES_A_SECOND;
	if (p->allowance > LINES_BURST)
		p->allowance = LINES_BURST;
	if (p->slowed && p->allowance > LINES_A_SECOND / 10) {
		p->slowed = false;
		set_reading(h, p);
	}
}

static size_t queued(struct bb_hub *h, const struct peer *p)
{
	return h->c.io.queued(h->c.io.arg, p->connection);
}

/* What it does not take lies in our memory. */
void limits_check_queue(struct bb_hub *h, struct peer *p)
{
	const size_t bytes = p->gone ? 0 : queued(h, p);
	const bool choked = bytes > (p->choked_ms ? PEER_QUEUE : CHOKED);

	if (p->gone || (!choked && !p->choked_ms))
		return;
	if (!choked)
		p->choked_ms = 0;
	else if (!p->choked_ms || bytes < p->choked_at)
		p->choked_ms = h->now_ms;
	p->choked_at = bytes;
	set_reading(h, p);
}

void limits_begin(struct bb_hub *h, struct peer *p)
{
	p->allowance = LINES_BURST;
	set_reading(h, p);
}

bool limits_tick(struct bb_hub *h, struct peer *p, double seconds)
{
	refill(h, p, seconds);
	limits_check_queue(h, p);
	if (p->choked_ms && h->now_ms - p->choked_ms >= CHOKED_MS)
		hub_drop(h, p, "it does not read");
	return !p->gone;
}
