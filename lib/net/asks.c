/* Of whom a transaction is asked that several may have: of one at a time, and of the next when
 * he does not send it. As in Bitcoin Core (txrequest.h), whoever calls us with many connections
 * and announces first must not be able to keep it from us: whom we called comes before him, in
 * two seconds at the latest, and else another by chance. */

#include "net/flood_inside.h"

#include <stdlib.h>

enum {
	TXS_A_PEER = 5000,  /* asked for at once */
	ASK_MS = TX_ASK_MS, /* before another is asked */
	CALLED_MS = 2000,   /* before one is whom we called ourselves */
	ASKED_TIMES = 6, /* ASK_MS, before one who alone announced it, and sends much else, is
			    given up */
	FOREVER_MS = 1 << 30,
};

/* On its way to us. */
struct ask {
	struct bb_id_entry entry; /* txid */
	uint64_t from, since_ms;
	bool outbound;	/* from whom we called */
	bool due;	/* of whom we called, soon */
	unsigned times; /* ASK_MS, that it was waited for */
	struct others others;
	struct ask *older, *newer;
};

struct due {
	unsigned char txid[32];
	uint64_t ms;
};

static struct ask *find(const struct asks *all, const unsigned char txid[32])
{
	return (struct ask *)bb_id_find(&all->table, txid);
}

bool asks_init(struct asks *all)
{
	return bb_id_table_init(&all->table);
}

void asks_free(struct asks *all)
{
	while (all->oldest) {
		struct ask *a = all->oldest;
		all->oldest = a->newer;
		free(a);
	}
	bb_id_table_free(&all->table);
	bb_buf_free(&all->called);
}

/* Others. */

static void set_other(struct others *o, unsigned i, const struct peer *p)
{
	o->at[i] = p->connection;
	o->site[i] = p->site;
	o->outbound[i] = p->outbound;
}

/* Whose place one gets who is the nth to say so. Of those we called each gets one, while there
 * is one that has another; of those who called us each the same share (reservoir sampling).
 * OTHERS: none. */
static unsigned place_for(struct bb_hub *h, const struct others *o, const struct peer *p)
{
	const unsigned place = (unsigned)(hub_random(h) % o->heard);

	for (unsigned i = 0; p->outbound && i < OTHERS; i++)
		if (!o->outbound[i])
			return i;
	return place < OTHERS && (p->outbound || !o->outbound[place]) ? place : OTHERS;
}

/* A host that has several connections counts once. */
static bool is_noted(const struct others *o, const struct peer *p)
{
	for (unsigned i = 0; i < o->count; i++)
		if (o->at[i] == p->connection ||
			(!o->outbound[i] && !p->outbound && o->site[i] == p->site))
			return true;
	return false;
}

void others_note(
	struct bb_hub *h, struct others *o, uint64_t from, const struct peer *p, bool news)
{
	unsigned place;

	if (from == p->connection || (o->count == OTHERS && !news) || is_noted(o, p))
		return;
	o->heard++;
	place = o->count < OTHERS ? o->count++ : place_for(h, o, p);
	if (place < OTHERS)
		set_other(o, place, p);
}

/* One of them is taken out, those we called before others. NULL: none is there any more. */
static struct peer *take_other(struct bb_hub *h, struct others *o)
{
	while (o->count) {
		unsigned place = (unsigned)(hub_random(h) % o->count);
		struct peer *p;
		for (unsigned i = 0; i < o->count && !o->outbound[place]; i++)
			if (o->outbound[i])
				place = i;
		p = hub_peer(h, o->at[place]);
		o->count--;
		o->at[place] = o->at[o->count];
		o->site[place] = o->site[o->count];
		o->outbound[place] = o->outbound[o->count];
		if (p)
			return p;
	}
	return NULL;
}

/* Asking. */

static void unlink_ask(struct asks *all, struct ask *a)
{
	*(a->older ? &a->older->newer : &all->oldest) = a->newer;
	*(a->newer ? &a->newer->older : &all->newest) = a->older;
}

static void link_newest(struct bb_hub *h, struct ask *a)
{
	struct asks *all = &h->flood->asks;

	a->since_ms = h->now_ms;
	a->newer = NULL;
	a->older = all->newest;
	*(all->newest ? &all->newest->newer : &all->oldest) = a;
	all->newest = a;
}

static void ask_of(struct bb_hub *h, struct peer *p, struct ask *a)
{
	a->from = p->connection;
	a->outbound = p->outbound;
	a->times = 0;
	link_newest(h, a);
	p->txs_asked++;
	bb_put(&p->ask, a->entry.id, 32);
}

static void put_off(struct peer *p, const unsigned char txid[32])
{
	if (p->later.len < (size_t)BB_INV_MAX * 32)
		bb_put(&p->later, txid, 32);
}

void asks_begin(struct bb_hub *h, struct peer *p, const unsigned char txid[32])
{
	struct ask *a;

	if (p->txs_asked >= TXS_A_PEER) {
		put_off(p, txid);
	} else if ((a = calloc(1, sizeof(*a)))) {
		memcpy(a->entry.id, txid, 32);
		bb_id_add(&h->flood->asks.table, &a->entry);
		ask_of(h, p, a);
	}
}

bool asks_note(struct bb_hub *h, struct peer *p, const unsigned char txid[32], bool news)
{
	struct asks *all = &h->flood->asks;
	struct ask *a = find(all, txid);
	struct due due = {.ms = h->now_ms + CALLED_MS};

	if (!a)
		return false;
	others_note(h, &a->others, a->from, p, news);
	if (p->outbound && !a->outbound && !a->due) {
		a->due = true;
		memcpy(due.txid, txid, 32);
		bb_put(&all->called, &due, sizeof(due));
	}
	return true;
}

void asks_send(struct bb_hub *h, struct peer *p)
{
	hub_send_txids(h, p, BB_MSG_GETDATA, &p->ask, p->ask.len / 32);
}

static void forget_ask(struct asks *all, struct ask *a)
{
	bb_id_del(&all->table, &a->entry);
	free(a);
}

/* It is not to come from there any more. */
static void end_ask(struct bb_hub *h, struct ask *a)
{
	struct peer *p = hub_peer(h, a->from);

	unlink_ask(&h->flood->asks, a);
	if (p)
		p->txs_asked--;
}

/* Another who announced it is asked, if there is one. */
static void ask_another(struct bb_hub *h, struct ask *a)
{
	struct peer *p;

	while ((p = take_other(h, &a->others))) {
		if (p->txs_asked < TXS_A_PEER) {
			ask_of(h, p, a);
			return;
		}
		put_off(p, a->entry.id);
	}
	forget_ask(&h->flood->asks, a);
}

bool asks_arrived(
	struct others *o, struct bb_hub *h, struct peer *p, const unsigned char txid[32])
{
	struct ask *a = find(&h->flood->asks, txid);

	if (!a || a->from != p->connection)
		return false;
	*o = a->others;
	end_ask(h, a);
	forget_ask(&h->flood->asks, a);
	return true;
}

void asks_lacking(struct bb_hub *h, struct peer *p, const unsigned char txid[32])
{
	struct ask *a = find(&h->flood->asks, txid);

	if (!a || a->from != p->connection)
		return;
	end_ask(h, a);
	ask_another(h, a);
}

void asks_peer_gone(struct bb_hub *h, struct peer *p)
{
	struct asks *all = &h->flood->asks;
	struct ask *newer;

	for (struct ask *a = all->oldest; a; a = newer) {
		newer = a->newer;
		if (a->from != p->connection)
			continue;
		unlink_ask(all, a);
		ask_another(h, a);
	}
}

void asks_more(struct bb_hub *h, struct peer *p)
{
	struct bb_buf later = p->later;
	size_t i = 0;

	if (!later.len || p->txs_asked > TXS_A_PEER / 2 || !hub_begin(h))
		return;
	p->later = (struct bb_buf){0};
	for (; i < later.len && p->txs_asked < TXS_A_PEER; i += 32)
		flood_consider(h, p, later.data + i, false);
	hub_end(h);
	bb_put(&p->later, later.data + i, later.len - i);
	bb_buf_free(&later);
}

/* Time. */

/* Not while the clock stands still. */
static bool is_waited_for(const struct bb_hub *h, const struct peer *p)
{
	return p->paused || h->now_ms - p->resumed_ms < ASK_MS;
}

/* What was asked for long ago: somebody else is asked; only if there is nobody else, not soon
 * where the peer goes on sending what it was asked for. */
static void check_old(struct bb_hub *h)
{
	struct asks *all = &h->flood->asks;
	struct ask *a;

	while ((a = all->oldest) && h->now_ms - a->since_ms >= ASK_MS) {
		const struct peer *p = hub_peer(h, a->from);
		const bool waits = is_waited_for(h, p);
		const bool sends = h->now_ms - p->tx_ms < ASK_MS && !a->others.count;
		if (waits || (sends && a->times < ASKED_TIMES)) {
			a->times += !waits;
			unlink_ask(all, a);
			link_newest(h, a);
		} else {
			end_ask(h, a);
			ask_another(h, a);
		}
	}
}

static bool has_called(const struct others *o)
{
	for (unsigned i = 0; i < o->count; i++)
		if (o->outbound[i])
			return true;
	return false;
}

static void check_due(struct bb_hub *h, struct ask *a)
{
	a->due = false;
	if (a->outbound || !has_called(&a->others) || hub_peer(h, a->from)->paused)
		return;
	end_ask(h, a);
	ask_another(h, a);
}

static void check_called(struct bb_hub *h)
{
	struct asks *all = &h->flood->asks;
	struct bb_buf *b = &all->called;
	size_t done = 0;

	for (; done < b->len; done += sizeof(struct due)) {
		struct ask *a;
		struct due due;
		memcpy(&due, b->data + done, sizeof(due));
		if (due.ms > h->now_ms)
			break;
		if ((a = find(all, due.txid)))
			check_due(h, a);
	}
	if (done)
		memmove(b->data, b->data + done, b->len - done);
	b->len -= done;
	if (!b->len)
		bb_buf_free(b);
}

uint64_t asks_tick(struct bb_hub *h)
{
	const struct asks *all = &h->flood->asks;

	check_called(h);
	check_old(h);
	if (all->called.len)
		return h->now_ms + CALLED_MS / 4;
	return all->oldest ? all->oldest->since_ms + ASK_MS : h->now_ms + FOREVER_MS;
}
