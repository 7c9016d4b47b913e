/* What others ask of ours: headers and blocks of the active chain, transactions that wait. */

#include <stdlib.h>

#include "bitcoin/pow.h"
#include "ledger/pool.h"
#include "net/fetch_inside.h"

/* Is it served, or does it have to take first what it was given? */
static bool has_room(const struct bb_hub *h, const struct peer *p)
{
	return h->c.io.queued(h->c.io.arg, p->connection) < PEER_QUEUE;
}

/* Headers. */

enum { HEADERS_A_LINE = 100 }; /* to look them up costs what a line costs */

/* It waits until there is room. */
struct headers_question {
	unsigned char stop[32];
	size_t count;
	unsigned char locator[][32];
};

static void give_headers(struct bb_hub *h, struct peer *p, const struct bb_message *asked)
{
	struct bb_message m = {.kind = BB_MSG_HEADERS};
	struct bb_node fork, last;

	/* Without a locator: the one it names. */
	if (!asked->count) {
		if (!bb_tree_find(&last, h->store, asked->stop) ||
			!bb_tree_is_active(h->store, &last))
			return;
		m.headers = &last.header;
		m.count = 1;
	} else {
		if (!bb_headers_fork(&fork, h->store, asked->locator, asked->count) ||
			!(m.headers = bb_arena_array(
				  &h->arena, BB_HEADERS_MAX, sizeof(*m.headers))))
			return;
		m.count = bb_headers_after(
			m.headers, BB_HEADERS_MAX, &last, h->store, &fork, asked->stop);
		memcpy(p->told, last.id, 32);
	}
	limits_charge(h, p, (double)m.count / HEADERS_A_LINE);
	hub_send(h, p, &m);
}

/* Who asks again before he has taken anything, has the last of his questions answered. */
static void keep_question(struct peer *p, const struct bb_message *m)
{
	struct headers_question *q = malloc(sizeof(*q) + m->count * sizeof(q->locator[0]));

	if (!q)
		return;
	q->count = m->count;
	memcpy(q->stop, m->stop, 32);
	if (m->count)
		memcpy(q->locator, m->locator, m->count * sizeof(q->locator[0]));
	free(p->question);
	p->question = q;
}

void fetch_getheaders(struct bb_hub *h, struct peer *p, const struct bb_message *m)
{
	if (!hub_begin(h)) {
		/* Of nothing there is nothing; who waits for an answer drops us. */
		hub_send(h, p, &(struct bb_message){.kind = BB_MSG_HEADERS});
		return;
	}
	if (has_room(h, p))
		give_headers(h, p, m);
	else
		keep_question(p, m);
	hub_end(h);
}

static void answer_question(struct bb_hub *h, struct peer *p)
{
	struct headers_question *q = p->question;
	struct bb_message m = {.count = q->count, .locator = q->locator};

	if (!has_room(h, p))
		return;
	bb_arena_reset(&h->arena);
	memcpy(m.stop, q->stop, 32);
	give_headers(h, p, &m);
	free(q);
	p->question = NULL;
}

/* News of the tip. */

/* Up to which height of the tip's chain has it the headers? -1: nobody knows. */
static int32_t height_told(struct bb_hub *h, const struct peer *p, const struct bb_node *tip)
{
	const unsigned char *const ids[] = {p->best, p->known, p->told};
	int32_t height = -1;
	struct bb_node n, fork;

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		if (!fetch_is_zero(ids[i]) && bb_tree_find(&n, h->store, ids[i]) &&
			bb_tree_fork(&fork, h->store, &n, tip) && fork.height > height)
			height = fork.height;
	return height;
}

/* Of a peer that knows what comes before, and that asked to be told so (BIP 130). */
static void tell_headers(
	struct bb_hub *h, struct peer *p, const struct bb_node *tip, int32_t height)
{
	struct bb_header headers[HEADERS_TOLD];
	struct bb_message m = {.kind = BB_MSG_HEADERS, .headers = headers};
	struct bb_node from, last;

	if (!bb_tree_at(&from, h->store, height))
		return;
	m.count = bb_headers_after(headers, HEADERS_TOLD, &last, h->store, &from, tip->id);
	if (!m.count)
		return;
	memcpy(p->told, last.id, 32);
	hub_send(h, p, &m);
}

static void tell(struct bb_hub *h, struct peer *p, const struct bb_node *tip)
{
	struct bb_inv item = {.kind = BB_INV_BLOCK};
	const struct bb_message m = {.kind = BB_MSG_INV, .items = &item, .count = 1};
	const int32_t height = height_told(h, p, tip);

	if (height >= tip->height || h->store->why)
		return;
	if (p->sendheaders && height >= 0 && tip->height - height <= HEADERS_TOLD) {
		tell_headers(h, p, tip, height);
		return;
	}
	memcpy(item.id, tip->id, 32);
	hub_send(h, p, &m);
}

void serve_tip(struct bb_hub *h)
{
	struct fetch *f = h->fetch;
	struct bb_node tip;

	if (!f->untold || (f->told_ms && h->now_ms - f->told_ms < TELL_MS) ||
		!bb_tree_tip(&tip, h->store))
		return;
	f->untold = false;
	if (memcmp(f->told, tip.id, 32) == 0)
		return;
	memcpy(f->told, tip.id, 32);
	f->told_ms = h->now_ms;
	for (struct peer *p = h->peers; p; p = p->next)
		if (p->ready)
			tell(h, p, &tip);
}

/* The event's tip may not be the last any more: the store knows. */
void fetch_tip(struct bb_hub *h, const unsigned char id[32])
{
	(void)id;
	h->fetch->untold = h->fetch->stale = true;
	if (!hub_begin(h))
		return;
	serve_tip(h);
	blocks_advance(h);
	hub_end(h);
}

/* Objects. */

static bool give_tx(struct bb_hub *h, struct peer *p, const unsigned char txid[32])
{
	struct bb_message m = {.kind = BB_MSG_TX};
	struct bb_pool_entry e;

	if (!bb_pool_find(&e, h->store, txid))
		return false;
	m.bytes = e.bytes;
	bb_seen_add(&p->knows, txid);
	hub_send(h, p, &m);
	return true;
}

/* a *= n */
static void multiply(unsigned char a[32], uint32_t n)
{
	unsigned char product[32] = {0};

	for (int bit = 31; bit >= 0; bit--) {
		bb_number_add(product, product);
		if (n >> bit & 1)
			bb_number_add(product, a);
	}
	memcpy(a, product, sizeof(product));
}

/* Is it not far behind the best header, in time and in the time that its work would take? Who
 * has an older one that is no longer of the chain would be known by it (Core's
 * BlockRequestAllowed, STALE_RELAY_AGE_LIMIT). */
static bool is_recent(struct bb_hub *h, const struct bb_node *n)
{
	enum { MONTH_S = 30 * 24 * 3600 };
	unsigned char reach[32];
	struct bb_node best;

	if (!bb_headers_best(&best, &h->fetch->best, h->store) ||
		(int64_t)best.header.time - n->header.time >= MONTH_S)
		return false;
	bb_work_from_bits(reach, best.header.bits);
	multiply(reach, MONTH_S / h->c.network->target_spacing);
	bb_number_add(reach, n->work);
	return bb_number_compare(reach, best.work) > 0;
}

/* Any that is of the active chain, or was not long ago: whoever heard of it from us may have
 * it.
 */
static bool may_have(struct bb_hub *h, const struct bb_node *n)
{
	if (!(n->status & BB_NODE_DATA) || (n->status & BB_NODE_BAD))
		return false;
	return bb_tree_is_active(h->store, n) ||
	       (n->status & BB_NODE_JUDGED && is_recent(h, n));
}

static bool give_block(struct bb_hub *h, struct peer *p, const unsigned char id[32])
{
	struct bb_message m = {.kind = BB_MSG_BLOCK};
	struct bb_buf *b = &h->fetch->bytes;
	struct bb_node n;
	const char *why;

	if (!bb_tree_find(&n, h->store, id) || !may_have(h, &n))
		return false;
	b->len = 0;
	if (!bb_flat_read(b, &h->store->flat, &why, &n.place, 0, n.place.len)) {
		h->c.io.log(h->c.io.arg, why);
		return false;
	}
	if (b->failed) {
		bb_buf_free(b);
		*b = (struct bb_buf){0};
		return false;
	}
	m.bytes = BB_SPAN(b->data, b->len);
	hub_send(h, p, &m);
	return true;
}

static bool give(struct bb_hub *h, struct peer *p, const struct bb_inv *item)
{
	return item->kind == BB_INV_TX ? give_tx(h, p, item->id) : give_block(h, p, item->id);
}

/* As much as fits into its queue, and not all of a long list at one go: others wait. */
static void serve(struct bb_hub *h, struct peer *p)
{
	enum { ITEMS_A_GO = 500 };
	struct bb_buf *lacking = &h->fetch->lacking;
	struct bb_message m = {.kind = BB_MSG_NOTFOUND};

	lacking->len = 0;
	for (int i = 0; i < ITEMS_A_GO && p->serve_at < p->serve_count && has_room(h, p); i++) {
		const struct bb_inv item = p->serve[p->serve_at++];
		if (!give(h, p, &item))
			bb_put(lacking, &item, sizeof(item));
	}
	if (p->serve_at == p->serve_count)
		p->serve_at = p->serve_count = 0;
	m.items = (struct bb_inv *)lacking->data;
	m.count = lacking->failed ? 0 : lacking->len / sizeof(*m.items);
	if (m.count)
		hub_send(h, p, &m);
}

bool serve_waiting(struct bb_hub *h)
{
	bool done = true;

	for (struct peer *p = h->peers; p; p = p->next) {
		if (p->question)
			answer_question(h, p);
		if (p->serve_count)
			serve(h, p);
		done &= !p->serve_count && !p->question;
	}
	return done;
}

/* Behind what it asked for before. */
static bool keep(struct peer *p, const struct bb_message *m)
{
	const size_t left = p->serve_count - p->serve_at;
	struct bb_inv *items;

	if (left + m->count > BB_INV_MAX ||
		!(items = malloc((left + m->count) * sizeof(*items))))
		return false;
	if (left)
		memcpy(items, p->serve + p->serve_at, left * sizeof(*items));
	memcpy(items + left, m->items, m->count * sizeof(*items));
	free(p->serve);
	p->serve = items;
	p->serve_at = 0;
	p->serve_count = left + m->count;
	return true;
}

void fetch_getdata(struct bb_hub *h, struct peer *p, const struct bb_message *m)
{
	if (!m->count)
		return;
	if (!keep(p, m)) {
		hub_blame(h, p, 20, "asks for more than it takes");
		return;
	}
	if (!hub_begin(h))
		return;
	serve(h, p);
	hub_end(h);
}
