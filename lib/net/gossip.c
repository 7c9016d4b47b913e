/* Addresses: heard of, passed on, and connected to; and what fee a transaction must pay. */

#include "net/hub_inside.h"

#include "crypto/hash.h"
#include "ledger/pool.h"

enum {
	ADDRS_BURST = 1000,
	SMALL_ADDR = 10,   /* addresses in a message: news that are passed on */
	FRESH_S = 10 * 60, /* since it was heard of: news */
	TOLD_TO = 2,	   /* peers that each of these is passed on to */
	DAY_S = 24 * 3600,
	RATE_MS = 60000, /* between looks at what the mempool asks for */
	LOOK_MS = 200,	 /* between looks for somebody to connect to */
	FOREVER_MS = 1 << 30,
};
static const double addrs_a_second = 0.1; /* Core's MAX_ADDR_RATE_PER_SECOND */

/* Passing on. */

/* Each address once a day, so that no news go in circles. */
static bool is_news(struct bb_hub *h, const struct bb_net_address *a)
{
	struct bb_sha256 hash;
	unsigned char id[32];

	bb_sha256_init(&hash);
	bb_sha256_add_le64(&hash, (uint64_t)(h->now_s / DAY_S));
	bb_sha256_add_le32(&hash, a->port);
	bb_sha256_add_var(&hash, BB_SPAN(a->host, strlen(a->host)));
	bb_sha256_end(id, &hash);
	return bb_seen_add(&h->gossip, id);
}

/* Where a private network has its nodes is nobody's business outside. */
static bool may_know(const struct peer *p, const struct bb_net_address *a)
{
	return bb_host_public(a->host) || !bb_host_public(p->at.host);
}

/* To two others, at random. */
static void pass_on(struct bb_hub *h, const struct peer *from, struct bb_net_address a)
{
	const struct bb_message m = {.kind = BB_MSG_ADDR, .addrs = &a, .count = 1};
	struct peer *to[TOLD_TO] = {NULL};
	uint64_t seen = 0;

	if (!is_news(h, &a))
		return;
	for (struct peer *p = h->peers; p; p = p->next) {
		uint64_t place = seen;
		if (p == from || !p->ready || handshake_is_at(p, &a) || !may_know(p, &a))
			continue;
		if (seen++ >= TOLD_TO)
			place = hub_random(h) % seen;
		if (place < TOLD_TO)
			to[place] = p;
	}
	for (size_t i = 0; i < TOLD_TO; i++)
		if (to[i])
			hub_send(h, to[i], &m);
}

/* Messages. */

static void send_rate(struct bb_hub *h, struct peer *p)
{
	int64_t rate = bb_policy_core.min_relay_rate, risen = 0;

	p->rate_ms = h->now_ms;
	if (hub_begin(h)) {
		risen = bb_pool_min_rate(h->store, &bb_policy_core, h->now_s);
		hub_end(h);
	}
	if (risen > rate)
		rate = risen;
	if (rate == p->rate_told)
		return;
	p->rate_told = rate;
	hub_send(h, p, &(struct bb_message){.kind = BB_MSG_FEEFILTER, .rate_sat_kvb = rate});
}

void gossip_ready(struct bb_hub *h, struct peer *p)
{
	struct bb_net_address a = {.port = p->version.listen, .services = p->version.services};

	send_rate(h, p);
	if (p->outbound) {
		bb_addrbook_reached(h->c.book, &p->at, h->now_s);
		p->addrs_allowance = 1 + ADDRS_BURST;
		hub_send(h, p, &(struct bb_message){.kind = BB_MSG_GETADDR});
		return;
	}
	p->addrs_allowance = 1;
	if (!a.port)
		return;
	a.time = h->now_s;
	memcpy(a.host, p->at.host, sizeof(a.host));
	if (bb_addrbook_add(h->c.book, &a, p->at.host, h->now_s))
		pass_on(h, p, a);
}

void gossip_addr(struct bb_hub *h, struct peer *p, const struct bb_message *m)
{
	for (size_t i = 0; i < m->count && p->addrs_allowance >= 1; i++) {
		const struct bb_net_address *a = &m->addrs[i];
		p->addrs_allowance--;
		if (bb_addrbook_banned(h->c.book, a->host, h->now_s) ||
			!bb_addrbook_add(h->c.book, a, p->at.host, h->now_s))
			continue;
		if (m->count <= SMALL_ADDR && a->time > h->now_s - FRESH_S)
			pass_on(h, p, *a);
	}
}

/* Only to those who called: whoever we call could else learn from what we know who we are
 * (Core). */
void gossip_getaddr(struct bb_hub *h, struct peer *p)
{
	struct bb_message m = {.kind = BB_MSG_ADDR};
	size_t count;

	if (p->outbound || p->told_addrs)
		return;
	p->told_addrs = true;
	m.addrs = bb_arena_array(&h->arena, BB_ADDR_MAX, sizeof(*m.addrs));
	if (!m.addrs)
		return;
	count = bb_addrbook_sample(m.addrs, BB_ADDR_MAX, h->c.book);
	for (size_t i = 0; i < count; i++)
		if (may_know(p, &m.addrs[i]))
			m.addrs[m.count++] = m.addrs[i];
	if (m.count)
		hub_send(h, p, &m);
}

/* Connections to make. */

static bool is_busy(void *arg, const struct bb_net_address *a)
{
	const struct bb_hub *h = arg;

	for (const struct peer *p = h->peers; p; p = p->next)
		if (handshake_is_at(p, a))
			return true;
	for (size_t i = 0; i < h->connecting_count; i++)
		if (h->connecting[i].port == a->port &&
			strcmp(h->connecting[i].host, a->host) == 0)
			return true;
	return false;
}

static uint64_t connect_more(struct bb_hub *h)
{
	size_t count = h->connecting_count;
	struct bb_net_address to;
	int64_t wait;

	if (h->now_ms < h->connect_ms)
		return h->connect_ms;
	for (const struct peer *p = h->peers; p; p = p->next)
		count += p->outbound;
	h->connect_ms = h->now_ms + LOOK_MS;
	for (; count < h->c.outbound; count++) {
		if (!bb_addrbook_pick(&to, h->c.book, h->now_s, is_busy, h)) {
			wait = bb_addrbook_next(h->c.book, h->now_s) - h->now_s;
			return h->now_ms + (wait < DAY_S ? (uint64_t)wait * 1000 : FOREVER_MS);
		}
		h->connecting[h->connecting_count++] = to;
		if (!h->c.io.connect(h->c.io.arg, &to))
			bb_hub_not_connected(h, &to);
	}
	return h->now_ms + FOREVER_MS;
}

uint64_t gossip_tick(struct bb_hub *h)
{
	const double seconds = (double)(h->now_ms - h->gossip_ms) / 1000;

	for (struct peer *p = h->peers; p; p = p->next) {
		if (h->gossip_ms && p->addrs_allowance < ADDRS_BURST)
			p->addrs_allowance += seconds * addrs_a_second;
		if (p->ready && h->now_ms - p->rate_ms >= RATE_MS)
			send_rate(h, p);
	}
	h->gossip_ms = h->now_ms;
	return connect_more(h);
}
