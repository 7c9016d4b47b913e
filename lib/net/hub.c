/* Connections, and what comes from peers. */

#include "net/hub_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/curve.h"
#include "crypto/hash.h"

enum {
	KNOWS_MAX = 50000, /* txids remembered of a peer, as in Core */
	REFUSED_MAX = 50000,
	GOSSIP_MAX = 10000,
	ITEMS_A_LINE = 100, /* of an array: as many cost what a line costs */
	MALFORMED_SCORE = 20,
	EARLY_SCORE = 20,
	PROBE_MS = 5000,
	BUF_KEPT = 4 << 20,
	PONG_LAST_MS = 20 * 60000, /* Core's: without a pong, whatever else it says */
	TICK_MS = 1000,
};

/* The hub. */

struct bb_hub *bb_hub_new(const struct bb_hub_config *c)
{
	struct bb_hub *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->c = *c;
	if (bb_random(&h->secret, sizeof(h->secret)) &&
		bb_random(&h->random, sizeof(h->random)) && (h->out = bb_outstanding_new()) &&
		(h->connecting = calloc((size_t)c->outbound + 1, sizeof(*h->connecting))) &&
		bb_seen_init(&h->refused, REFUSED_MAX) &&
		bb_seen_init(&h->gossip, GOSSIP_MAX) && flood_new(h) && fetch_new(h)) {
		if (c->store && c->store->env)
			bb_hub_store(h, c->store);
		return h;
	}
	bb_hub_free(h);
	return NULL;
}

static void free_peer(struct peer *p)
{
	bb_seen_free(&p->knows);
	bb_buf_free(&p->tell);
	bb_buf_free(&p->ask);
	bb_buf_free(&p->later);
	free(p);
}

static void free_peers(struct peer **list)
{
	while (*list) {
		struct peer *p = *list;
		*list = p->next_gone;
		free_peer(p);
	}
}

void bb_hub_free(struct bb_hub *h)
{
	if (!h)
		return;
	while (h->peers)
		hub_drop(h, h->peers, NULL);
	free_peers(&h->gone);
	tools_free(h);
	if (h->flood)
		flood_free(h);
	if (h->fetch)
		fetch_free(h);
	bb_outstanding_free(h->out);
	free(h->connecting);
	bb_seen_free(&h->refused);
	bb_seen_free(&h->gossip);
	bb_arena_free(&h->arena);
	bb_buf_free(&h->buf);
	free(h);
}

void hub_log(struct bb_hub *h, const char *fmt, ...)
{
	char line[768];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	h->c.io.log(h->c.io.arg, line);
}

/* splitmix64 */
uint64_t hub_random(struct bb_hub *h)
{
	uint64_t z = h->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Not of hub_random, whose state it would show: delays and choices rest on that. */
uint64_t hub_nonce(struct bb_hub *h)
{
	uint64_t nonce;

	return bb_random(&nonce, sizeof(nonce)) ? nonce : h->now_ms;
}

uint64_t hub_key(const struct bb_hub *h, const char *text)
{
	unsigned char out[32];
	struct bb_sha256 hash;

	bb_sha256_init(&hash);
	bb_sha256_add_le64(&hash, h->secret);
	bb_sha256_add(&hash, text, strlen(text));
	bb_sha256_end(out, &hash);
	return bb_le64(out);
}

/* The store. */

void bb_hub_store(struct bb_hub *h, struct bb_store *s)
{
	h->store = s && s->env ? s : NULL;
	pipeline_check_tip(h);
}

static void let_go_of_store(struct bb_hub *h)
{
	hub_log(h, "the store cannot be read: %s", h->store->why);
	h->store = NULL;
}

bool hub_begin(struct bb_hub *h)
{
	if (!h->reading) {
		if (!h->store)
			return false;
		if (!bb_store_begin(h->store)) {
			let_go_of_store(h);
			return false;
		}
	}
	h->reading++;
	return true;
}

void hub_end(struct bb_hub *h)
{
	if (--h->reading)
		return;
	bb_store_end(h->store);
	if (h->store->why)
		let_go_of_store(h);
}

/* Peers. */

struct peer *hub_peer(struct bb_hub *h, uint64_t connection)
{
	struct peer *p = h->peers;

	while (p && p->connection != connection)
		p = p->next;
	return p;
}

struct bb_buf *hub_buf(struct bb_hub *h)
{
	if (h->buf.failed || h->buf.cap > BUF_KEPT)
		bb_buf_free(&h->buf);
	h->buf.len = 0;
	return &h->buf;
}

void hub_send(struct bb_hub *h, struct peer *p, const struct bb_message *m)
{
	if (p->gone)
		return;
	bb_put_message(hub_buf(h), m);
	if (!h->buf.failed)
		h->c.io.send(h->c.io.arg, p->connection, BB_SPAN(h->buf.data, h->buf.len));
}

void hub_send_txids(struct bb_hub *h, struct peer *p, enum bb_message_kind kind,
	struct bb_buf *txids, size_t count)
{
	struct bb_message m = {.kind = kind, .count = count};

	if (!txids->failed && count && (m.items = malloc(count * sizeof(*m.items)))) {
		for (size_t i = 0; i < count; i++) {
			m.items[i].kind = BB_INV_TX;
			memcpy(m.items[i].id, txids->data + 32 * i, 32);
		}
		hub_send(h, p, &m);
		free(m.items);
		memmove(txids->data, txids->data + 32 * count, txids->len - 32 * count);
		txids->len -= 32 * count;
	}
	if (txids->failed)
		bb_buf_free(txids);
}

static void unlink_peer(struct bb_hub *h, const struct peer *p)
{
	struct peer **at = &h->peers;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
}

/* Whoever is in the midst of it may look at it until the next tick; p->next stays. */
static void forget_peer(struct bb_hub *h, struct peer *p)
{
	unlink_peer(h, p);
	p->gone = true;
	p->next_gone = h->gone;
	h->gone = p;
	if (p->outbound && !p->ready)
		bb_addrbook_failed(h->c.book, &p->at);
	flood_peer_gone(h, p);
	fetch_peer_gone(h, p);
}

void hub_drop(struct bb_hub *h, struct peer *p, const char *why)
{
	if (p->gone)
		return;
	if (why)
		hub_log(h, "peer %s:%u dropped: %s", p->at.host, p->at.port, why);
	forget_peer(h, p);
	h->c.io.close(h->c.io.arg, p->connection);
}

/* Peers of this machine are dropped but not banned, as in Core: who shares its address is many.
 */
static bool is_local(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static void ban(struct bb_hub *h, struct peer *p, const char *why)
{
	struct peer *next;

	if (p->outbound)
		bb_addrbook_failed(h->c.book, &p->at);
	if (is_local(p->at.host)) {
		hub_drop(h, p, why);
		return;
	}
	hub_log(h, "host %s banned: %s", p->at.host, why);
	bb_addrbook_ban(h->c.book, p->at.host, h->now_s + BAN_SECONDS, why);
	for (struct peer *q = h->peers; q; q = next) {
		next = q->next;
		if (bb_host_same_site(q->at.host, p->at.host))
			hub_drop(h, q, why);
	}
}

bool hub_blame(struct bb_hub *h, struct peer *p, unsigned score, const char *why)
{
	if (p->gone)
		return true;
	p->score += score;
	if (p->score >= BAN_SCORE)
		ban(h, p, why);
	return p->gone;
}

/* Connections. */

/* One host may not have all; where there is no more room for anybody, another may have to go.
 */
static bool make_room(struct bb_hub *h, const char *host)
{
	unsigned all = 0, of_host = 0;

	for (const struct peer *p = h->peers; p; p = p->next) {
		if (p->outbound)
			continue;
		all++;
		of_host += bb_host_same_site(p->at.host, host);
	}
	return of_host < h->c.per_host && (all < h->c.inbound || evict_one(h));
}

/* The attempt has come to its end. */
static void attempted(struct bb_hub *h, const struct bb_net_address *a)
{
	for (size_t i = 0; i < h->connecting_count; i++) {
		struct bb_net_address *c = &h->connecting[i];
		if (strcmp(c->host, a->host) == 0 && c->port == a->port) {
			*c = h->connecting[--h->connecting_count];
			return;
		}
	}
}

static uint64_t site_of(const struct bb_hub *h, uint64_t connection, const char *host)
{
	char site[BB_HOST_MAX + 1];

	if (!bb_host_public(host))
		return connection;
	bb_host_site(site, host);
	return hub_key(h, site);
}

static struct peer *new_peer(struct bb_hub *h, uint64_t connection)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p || !bb_seen_init(&p->knows, KNOWS_MAX)) {
		free(p);
		return NULL;
	}
	p->connection = connection;
	p->since_ms = p->heard_ms = h->now_ms;
	p->nonce = hub_nonce(h);
	return p;
}

bool bb_hub_connected(
	struct bb_hub *h, uint64_t connection, const struct bb_net_address *at, bool outbound)
{
	struct peer *p;

	if (outbound)
		attempted(h, at);
	if (bb_addrbook_banned(h->c.book, at->host, h->now_s) ||
		(!outbound && !make_room(h, at->host)) || !(p = new_peer(h, connection)))
		return false;
	p->at = *at;
	p->site = site_of(h, connection, at->host);
	p->outbound = outbound;
	p->next = h->peers;
	h->peers = p;
	limits_begin(h, p);
	if (outbound)
		handshake_send_version(h, p);
	return true;
}

void bb_hub_not_connected(struct bb_hub *h, const struct bb_net_address *to)
{
	attempted(h, to);
	if (bb_addrbook_failed(h->c.book, to))
		hub_log(h, "%s:%u does not answer", to->host, to->port);
}

void bb_hub_closed(struct bb_hub *h, uint64_t connection)
{
	struct peer *p = hub_peer(h, connection);

	if (p && p->ready)
		hub_log(h, "peer %s:%u has gone", p->at.host, p->at.port);
	if (p)
		forget_peer(h, p);
	else
		tools_closed(h, connection);
}

/* Messages. */

static void ping(struct bb_hub *h, struct peer *p)
{
	p->ping_nonce = hub_nonce(h);
	p->ping_ms = p->pinged_ms = h->now_ms;
	hub_send(h, p, &(struct bb_message){.kind = BB_MSG_PING, .nonce = p->ping_nonce});
}

static void pong(struct bb_hub *h, struct peer *p, uint64_t nonce)
{
	if (!p->ping_ms || nonce != p->ping_nonce)
		return;
	p->latency_ms = h->now_ms - p->ping_ms;
	if (!p->latency_least_ms || p->latency_ms < p->latency_least_ms)
		p->latency_least_ms = p->latency_ms ? p->latency_ms : 1;
	p->ping_ms = p->probe_ms = 0;
}

void hub_probe(struct bb_hub *h, struct peer *p)
{
	if (!p->ready || p->probe_ms)
		return;
	if (!p->ping_ms)
		ping(h, p);
	p->probe_ms = h->now_ms;
}

static void take_inv(struct bb_hub *h, struct peer *p, const struct bb_message *m)
{
	flood_inv(h, p, m->items, m->count);
	if (!p->gone)
		fetch_inv(h, p, m->items, m->count);
}

static void take_notfound(struct bb_hub *h, struct peer *p, const struct bb_message *m)
{
	flood_notfound(h, p, m->items, m->count);
	if (!p->gone)
		fetch_notfound(h, p, m->items, m->count);
}

static void take_message(struct bb_hub *h, struct peer *p, const struct bb_message *m)
{
	switch (m->kind) {
	case BB_MSG_VERSION: hub_blame(h, p, EARLY_SCORE, "a second version"); return;
	case BB_MSG_VERACK: return;
	case BB_MSG_PING:
		hub_send(h, p, &(struct bb_message){.kind = BB_MSG_PONG, .nonce = m->nonce});
		return;
	case BB_MSG_PONG: pong(h, p, m->nonce); return;
	case BB_MSG_GETADDR: gossip_getaddr(h, p); return;
	case BB_MSG_ADDR: gossip_addr(h, p, m); return;
	case BB_MSG_INV: take_inv(h, p, m); return;
	case BB_MSG_GETDATA: fetch_getdata(h, p, m); return;
	case BB_MSG_NOTFOUND: take_notfound(h, p, m); return;
	case BB_MSG_GETHEADERS: fetch_getheaders(h, p, m); return;
	case BB_MSG_HEADERS: fetch_headers(h, p, m); return;
	case BB_MSG_BLOCK: fetch_block(h, p, m->bytes); return;
	case BB_MSG_TX: flood_tx(h, p, m->bytes); return;
	case BB_MSG_SENDHEADERS: p->sendheaders = true; return;
	case BB_MSG_FEEFILTER:
		if (bb_money_range(m->rate_sat_kvb))
			p->feefilter = m->rate_sat_kvb;
		return;
	case BB_MSG_MEMPOOL: announce_mempool(h, p); return;
	}
}

/* What was asked for costs nothing; flood.c gives back what a transaction cost. */
static double cost(const struct peer *p, const struct bb_message *m)
{
	if (m->kind == BB_MSG_BLOCK && p->blocks_in_flight)
		return 0;
	if (m->kind == BB_MSG_HEADERS && p->syncing)
		return 0;
	return 1 + (double)m->count / ITEMS_A_LINE;
}

size_t bb_hub_line_max(struct bb_hub *h, uint64_t connection)
{
	const struct peer *p = hub_peer(h, connection);

	return p && p->ready ? BB_PEER_LINE_MAX : BB_HELLO_LINE_MAX;
}

void bb_hub_peer_line(struct bb_hub *h, uint64_t connection, struct bb_span line)
{
	struct peer *p = hub_peer(h, connection);
	struct bb_message m;
	const char *why;

	if (!p)
		return;
	if (!line.data) {
		hub_blame(h, p, BAN_SCORE, "a line is too long");
		return;
	}
	p->heard_ms = h->now_ms;
	bb_arena_reset(&h->arena);
	if (!bb_message_parse(&m, &why, &h->arena, line)) {
		limits_charge(h, p, 1);
		if (why && strcmp(why, "out of memory") != 0)
			hub_blame(h, p, MALFORMED_SCORE, why);
		return;
	}
	limits_charge(h, p, cost(p, &m));
	if (p->ready)
		take_message(h, p, &m);
	else if (m.kind == BB_MSG_VERSION || m.kind == BB_MSG_VERACK)
		handshake_message(h, p, &m);
	else
		hub_blame(h, p, EARLY_SCORE, "a message before the handshake");
	limits_check_queue(h, p);
}

/* Time. */

static void check_clocks(struct bb_hub *h, struct peer *p)
{
	const uint64_t now = h->now_ms;

	if (p->paused)
		return;
	if (!p->ready) {
		if (now - p->since_ms >= HANDSHAKE_MS)
			hub_drop(h, p, "no handshake");
		return;
	}
	if (!p->ping_ms) {
		if (now - p->pinged_ms >= PING_MS)
			ping(h, p);
		return;
	}
	/* Behind much else its answer may be late: then the rest is sign enough for long. */
	if ((p->probe_ms && now - p->probe_ms >= PROBE_MS) ||
		now - p->ping_ms >= PONG_LAST_MS ||
		(now - p->ping_ms >= PONG_MS && now - p->heard_ms >= PONG_MS))
		hub_drop(h, p, "no answer to ping");
}

static void tick_peer(struct bb_hub *h, struct peer *p, double seconds)
{
	if (limits_tick(h, p, seconds))
		check_clocks(h, p);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t bb_hub_tick(struct bb_hub *h, uint64_t now_ms, int64_t now_s)
{
	const double seconds = h->now_ms ? (double)(now_ms - h->now_ms) / 1000 : 0;
	struct peer *next;
	uint64_t again;

	free_peers(&h->gone);
	h->now_ms = now_ms;
	h->now_s = now_s;
	for (struct peer *p = h->peers; p; p = next) {
		next = p->next;
		tick_peer(h, p, seconds);
	}
	tools_tick(h);
	again = earlier(now_ms + TICK_MS, gossip_tick(h));
	again = earlier(again, flood_tick(h));
	again = earlier(again, announce_tick(h));
	return earlier(again, fetch_tick(h));
}
