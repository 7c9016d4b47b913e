/* Transactions that go: each is told once to each peer that does not know it. */

#include "net/hub_inside.h"

#include "bitcoin/feerate.h"
#include "ledger/pool.h"

enum {
	TELL_MS = 50,	    /* gather announcements for so long, and up to */
	TELL_MORE_MS = 100, /* so much longer */
	TELL_MAX = 4 * BB_INV_MAX,
	MEMPOOL_MS = 10000, /* between answers to one peer */
	TXS_A_MS = 50,	    /* of such answers, so that many who ask hold up nothing else */
	FOREVER_MS = 1 << 30,
};

static bool has_room(const struct peer *p)
{
	return p->tell.len < (size_t)TELL_MAX * 32;
}

static void tell(struct peer *p, const unsigned char txid[32], uint64_t when_ms)
{
	bb_put(&p->tell, txid, 32);
	if (!p->tell_ms)
		p->tell_ms = when_ms;
}

void announce(struct bb_hub *h, const unsigned char txid[32])
{
	for (struct peer *p = h->peers; p; p = p->next)
		if (p->ready && has_room(p) && bb_seen_add(&p->knows, txid))
			tell(p, txid, h->now_ms + TELL_MS + hub_random(h) % TELL_MORE_MS);
}

void announce_again(struct bb_hub *h, const unsigned char txid[32])
{
	for (struct peer *p = h->peers; p; p = p->next) {
		if (!p->ready || !has_room(p))
			continue;
		bb_seen_add(&p->knows, txid);
		tell(p, txid, h->now_ms + TELL_MS + hub_random(h) % TELL_MORE_MS);
	}
}

/* A pipeline that died may have committed what it did not tell any more. */
void announce_review(struct bb_hub *h)
{
	h->untold = true;
}

/* Also what it was told before: it may not have been able to take it in. Within a transaction
 * of the store. */
static void tell_all(struct bb_hub *h, struct peer *p)
{
	struct bb_pool_entry e;
	struct bb_cursor c;
	bool more;

	if (!bb_cursor_open(&c, h->store, BB_POOL_TXS))
		return;
	p->tell.len = 0;
	/* In order of arrival: parents first. */
	for (more = bb_cursor_first(&c); more && has_room(p); more = bb_cursor_next(&c)) {
		if (c.key.len != 8 || !bb_pool_get(&e, h->store, bb_be64(c.key.data)))
			continue;
		bb_seen_add(&p->knows, e.txid);
		tell(p, e.txid, h->now_ms);
	}
	bb_cursor_close(&c);
}

void announce_mempool(struct bb_hub *h, struct peer *p)
{
	if (p->mempool_ms && h->now_ms - p->mempool_ms < MEMPOOL_MS)
		return;
	p->mempool_ms = h->now_ms;
	p->mempool_asked = true;
}

/* Where the mempool is not of the chain's tip for a moment, it is empty to us: later, then. */
static void answer_mempool(struct bb_hub *h, struct peer *p)
{
	if (!p->mempool_asked || h->now_ms < h->mempool_ms || !hub_begin(h))
		return;
	if (h->store->pool_fits) {
		p->mempool_asked = false;
		tell_all(h, p);
		h->mempool_ms = h->now_ms + p->tell.len / 32 / TXS_A_MS;
	}
	hub_end(h);
}

/* Within a transaction of the store. */
static void tell_everybody(struct bb_hub *h)
{
	struct bb_pool_entry e;
	struct bb_cursor c;
	bool more;

	if (!bb_cursor_open(&c, h->store, BB_POOL_TXS))
		return;
	for (more = bb_cursor_first(&c); more; more = bb_cursor_next(&c))
		if (c.key.len == 8 && bb_pool_get(&e, h->store, bb_be64(c.key.data)))
			announce(h, e.txid);
	bb_cursor_close(&c);
}

static void review(struct bb_hub *h)
{
	if (!h->untold || !hub_begin(h))
		return;
	if (h->store->pool_fits) {
		h->untold = false;
		tell_everybody(h);
	}
	hub_end(h);
}

/* It waits, and pays what the peer asks for. */
static bool is_to_tell(struct bb_hub *h, const struct peer *p, const unsigned char txid[32])
{
	struct bb_pool_entry e;

	return bb_pool_find(&e, h->store, txid) &&
	       e.fee_sat >= bb_fee_at(p->feefilter, ((int64_t)e.adjusted_weight + 3) / 4);
}

/* Within a transaction of the store. */
static void tell_now(struct bb_hub *h, struct peer *p)
{
	struct bb_buf *b = &p->tell;
	const size_t most = (size_t)BB_INV_MAX * 32, all = b->len < most ? b->len : most;
	size_t len = 0;

	for (size_t i = 0; i < all; i += 32) {
		if (!is_to_tell(h, p, b->data + i))
			continue;
		memmove(b->data + len, b->data + i, 32);
		len += 32;
	}
	memmove(b->data + len, b->data + all, b->len - all);
	b->len -= all - len;
	hub_send_txids(h, p, BB_MSG_INV, b, len / 32);
	p->tell_ms = b->len ? h->now_ms + TELL_MS : 0;
}

static bool is_choked(struct bb_hub *h, const struct peer *p)
{
	return h->c.io.queued(h->c.io.arg, p->connection) > PEER_QUEUE;
}

static void tell_if_due(struct bb_hub *h, struct peer *p)
{
	if (!p->tell_ms || p->tell_ms > h->now_ms)
		return;
	if (!is_choked(h, p) && hub_begin(h)) {
		const bool fits = h->store->pool_fits;
		if (fits)
			tell_now(h, p);
		hub_end(h);
		if (fits)
			return;
	}
	p->tell_ms = h->now_ms + TELL_MS;
}

uint64_t announce_tick(struct bb_hub *h)
{
	uint64_t again = h->now_ms + FOREVER_MS;

	review(h);
	for (struct peer *p = h->peers; p; p = p->next) {
		if (!p->ready)
			continue;
		answer_mempool(h, p);
		tell_if_due(h, p);
		if (p->tell_ms && p->tell_ms < again)
			again = p->tell_ms;
		if (p->mempool_asked && h->mempool_ms > h->now_ms && h->mempool_ms < again)
			again = h->mempool_ms;
	}
	return again;
}
