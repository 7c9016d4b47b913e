/* Headers that come: those with enough work behind them go to the ledger, a header a line; a
 * chain that has not has to show it first (presync.h). */

#include <stdlib.h>

#include "bitcoin/pow.h"
#include "net/fetch_inside.h"

/* Of one bit each: another chain passes for the one that was shown once in 2^(HELD / PERIOD)
 * times. */
enum { PRESYNC_PERIOD = 600, PRESYNC_HELD = 24 * PRESYNC_PERIOD };

struct arrival {
	struct peer *p;
	const struct bb_header *header;
	unsigned char (*id)[32];
	size_t count;
};

/* On its way to the ledger. */
struct on_the_way {
	struct bb_id_entry entry;
	struct bb_chain_point at;
};

void arrivals_judged(struct bb_hub *h, const unsigned char id[32])
{
	struct bb_id_table *t = &h->fetch->on_the_way;
	struct bb_id_entry *e = bb_id_find(t, id);

	if (!e)
		return;
	bb_id_del(t, e);
	free(e);
}

void arrivals_free(struct fetch *f)
{
	struct bb_id_entry *e;

	while ((e = bb_id_any(&f->on_the_way))) {
		bb_id_del(&f->on_the_way, e);
		free(e);
	}
	bb_id_table_free(&f->on_the_way);
}

void arrivals_forget(struct peer *p)
{
	bb_presync_free(p->presync);
	p->presync = NULL;
	p->presync_shown = p->presync_full = false;
}

/* They stand on each other and have the work that they name (Core's CheckHeadersPoW and
 * CheckHeadersAreContinuous). */
static bool check_headers(struct bb_hub *h, const struct arrival *a)
{
	for (size_t i = 0; i < a->count; i++) {
		bb_header_hash(a->id[i], &a->header[i]);
		if (!bb_pow_valid(a->id[i], a->header[i].bits, h->c.network)) {
			hub_blame(h, a->p, BAN_SCORE, "header with invalid proof of work");
			return false;
		}
		if (i && memcmp(a->header[i].prev, a->id[i - 1], 32) != 0) {
			hub_blame(h, a->p, BAN_SCORE, "non-continuous headers sequence");
			return false;
		}
	}
	return true;
}

static struct bb_chain_point point_of(const struct bb_node *n)
{
	struct bb_chain_point at = {.bits = n->header.bits, .height = n->height, .mtp = n->mtp};

	memcpy(at.id, n->id, 32);
	memcpy(at.work, n->work, 32);
	bb_work_from_bits(at.block_work, n->header.bits);
	return at;
}

enum standing arrivals_look_up(
	struct bb_chain_point *at, struct bb_hub *h, const unsigned char id[32])
{
	const struct bb_id_entry *e;
	struct bb_node n;

	if (bb_tree_find(&n, h->store, id)) {
		if (at)
			*at = point_of(&n);
		return n.status & BB_NODE_BAD ? INVALID : IN_TREE;
	}
	if (bb_seen_has(&h->refused, id))
		return INVALID;
	if (!(e = bb_id_find(&h->fetch->on_the_way, id)))
		return UNKNOWN;
	if (at)
		*at = ((const struct on_the_way *)e)->at;
	return ON_ITS_WAY;
}

static bool is_known(struct bb_hub *h, const unsigned char id[32])
{
	const enum standing s = arrivals_look_up(NULL, h, id);

	return s == IN_TREE || s == ON_ITS_WAY;
}

/* A few of them are news on top of what we have not heard of yet: it is asked for that. An
 * answer to this, or to anything else, has to begin at what we have. */
static void take_unconnected(struct bb_hub *h, const struct arrival *a)
{
	struct peer *p = a->p;

	if (p->syncing && a->count <= HEADERS_TOLD)
		return;
	p->syncing = false;
	if (p->unconnected && hub_blame(h, p, 20, "headers that do not connect"))
		return;
	p->unconnected = true;
	fetch_ask_headers(h, p, NULL);
}

/* Work. */

/* a -= b, which is not more. */
static void take_away(unsigned char a[32], const unsigned char b[32])
{
	static const unsigned char one[32] = {1};
	unsigned char inverse[32];

	for (int i = 0; i < 32; i++)
		inverse[i] = (unsigned char)~b[i];
	bb_number_add(a, inverse);
	bb_number_add(a, one);
}

/* The network's minimum, and as much as the tip but for 144 blocks like it
 * (GetAntiDoSWorkThreshold). */
static void find_enough(unsigned char work[32], struct bb_hub *h)
{
	enum { BLOCKS_BELOW = 144 };
	unsigned char below[32] = {0}, one[32];
	struct bb_node tip;

	memcpy(work, h->c.network->minimum_chain_work, 32);
	if (!bb_tree_tip(&tip, h->store))
		return;
	bb_work_from_bits(one, tip.header.bits);
	for (int i = 0; i < BLOCKS_BELOW; i++)
		bb_number_add(below, one);
	if (bb_number_compare(tip.work, below) <= 0)
		return;
	take_away(tip.work, below);
	if (bb_number_compare(tip.work, work) > 0)
		memcpy(work, tip.work, 32);
}

/* What is known may be told again. */
static bool may_come(
	struct bb_hub *h, const struct arrival *a, const struct bb_chain_point *parent)
{
	struct bb_chain_point at = *parent;
	unsigned char enough[32];

	if (is_known(h, a->id[a->count - 1]))
		return true;
	for (size_t i = 0; i < a->count; i++)
		bb_chain_point_step(&at, &a->header[i], a->id[i]);
	find_enough(enough, h);
	return bb_number_compare(at.work, enough) >= 0;
}

/* To the ledger. */

static bool hand_in(struct bb_hub *h, struct peer *p, const struct bb_header *header,
	const struct bb_chain_point *at)
{
	unsigned char bytes[BB_HEADER_SIZE];
	struct bb_buf b = {.data = bytes, .cap = sizeof(bytes)};
	struct on_the_way *w;

	if (p->headers_in_flight >= HEADERS_A_PEER) {
		p->more = true;
		return false;
	}
	bb_put_header(&b, header);
	if (!(w = calloc(1, sizeof(*w))) ||
		!hub_to_chain(h, p, BB_MSG_HEADERS, at->id, BB_SPAN(bytes, sizeof(bytes)))) {
		free(w);
		return false;
	}
	w->at = *at;
	memcpy(w->entry.id, at->id, 32);
	bb_id_add(&h->fetch->on_the_way, &w->entry);
	p->headers_in_flight++;
	return true;
}

/* Those that are not known yet. False: what follows an invalid one, and more than it may send
 * at once, is passed over. */
static bool hand_in_new(
	struct bb_hub *h, const struct arrival *a, const struct bb_chain_point *parent)
{
	struct bb_chain_point at = *parent;

	for (size_t i = 0; i < a->count; i++) {
		const enum standing s = arrivals_look_up(NULL, h, a->id[i]);
		bb_chain_point_step(&at, &a->header[i], a->id[i]);
		if (s == INVALID || (s == UNKNOWN && !hand_in(h, a->p, &a->header[i], &at)))
			return false;
	}
	memcpy(a->p->best, a->id[a->count - 1], 32);
	a->p->lacks = 0;
	h->fetch->stale = true;
	return true;
}

/* A chain that shows its work. */

/* What it may hand in now, up to a message's worth of it. */
static bool release(struct bb_hub *h, struct peer *p)
{
	const struct bb_chain_point parent = *bb_presync_taken(p->presync);
	struct bb_header *header = bb_arena_array(&h->arena, BB_HEADERS_MAX, sizeof(*header));
	struct arrival a = {.p = p, .header = header};

	a.id = bb_arena_array(&h->arena, BB_HEADERS_MAX, sizeof(*a.id));
	if (!header || !a.id)
		return false;
	while (a.count < BB_HEADERS_MAX &&
		bb_presync_take(&header[a.count], a.id[a.count], p->presync))
		a.count++;
	return hand_in_new(h, &a, &parent);
}

static bool has_room(const struct peer *p)
{
	return p->headers_in_flight <= HEADERS_A_PEER - BB_HEADERS_MAX;
}

static void go_on_showing(struct bb_hub *h, struct peer *p)
{
	const bool full = p->presync_full;

	while (bb_presync_ready(p->presync) && has_room(p)) {
		if (release(h, p))
			continue;
		p->more = false;
		arrivals_forget(p);
		return;
	}
	p->more = bb_presync_ready(p->presync);
	if (p->more)
		return;
	if (!p->presync_shown) {
		fetch_ask_headers(h, p, bb_presync_last(p->presync));
		return;
	}
	arrivals_forget(p);
	if (full)
		arrivals_go_on(h, p);
}

/* As in Core, it is no fault to have too little, or another chain the second time. */
static void show(struct bb_hub *h, const struct arrival *a)
{
	struct peer *p = a->p;

	/* It was not asked, and has to wait. */
	if (bb_presync_ready(p->presync))
		return;
	p->presync_full = a->count == BB_HEADERS_MAX;
	switch (bb_presync_add(p->presync, a->header, a->id, a->count, p->presync_full)) {
	case BB_PRESYNC_NO: arrivals_forget(p); return;
	case BB_PRESYNC_SHOWN: p->presync_shown = true; break;
	case BB_PRESYNC_MORE: break;
	}
	go_on_showing(h, p);
}

static void begin_to_show(
	struct bb_hub *h, const struct arrival *a, const struct bb_chain_point *parent)
{
	struct bb_presync_rules rules = {.network = h->c.network,
		.now = h->now_s,
		.period = PRESYNC_PERIOD,
		.held = PRESYNC_HELD};

	find_enough(rules.enough, h);
	arrivals_forget(a->p);
	a->p->presync = bb_presync_new(&rules, parent);
	if (a->p->presync)
		show(h, a);
}

/* The whole. */

/* There is more where a full message came from; asked for at once, if not too much is on its
 * way. */
void arrivals_go_on(struct bb_hub *h, struct peer *p)
{
	if (p->presync && p->more) {
		go_on_showing(h, p);
		return;
	}
	p->more = !has_room(p);
	if (!p->more)
		fetch_ask_headers(h, p, p->best);
}

/* Is it what comes next of a chain that shows its work? Where all of it has come another way
 * meanwhile, there is nothing more to be shown. */
static bool is_shown(struct bb_hub *h, const struct arrival *a)
{
	struct peer *p = a->p;

	if (!p->presync || memcmp(a->header[0].prev, bb_presync_last(p->presync), 32) != 0)
		return false;
	if (is_known(h, a->id[a->count - 1]))
		arrivals_forget(p);
	return p->presync;
}

static void take(struct bb_hub *h, const struct arrival *a)
{
	struct bb_chain_point parent;
	struct peer *p = a->p;
	enum standing s;

	if (!check_headers(h, a))
		return;
	if (is_shown(h, a)) {
		p->syncing = p->unconnected = false;
		show(h, a);
		return;
	}
	s = arrivals_look_up(&parent, h, a->header[0].prev);
	if (s == UNKNOWN) {
		take_unconnected(h, a);
		return;
	}
	p->syncing = false;
	if (s == INVALID)
		return;
	p->unconnected = false;
	if (!may_come(h, a, &parent))
		begin_to_show(h, a, &parent);
	else if (hand_in_new(h, a, &parent) && a->count == BB_HEADERS_MAX)
		arrivals_go_on(h, p);
}

void arrivals_take(struct bb_hub *h, struct peer *p, const struct bb_message *m)
{
	struct arrival a = {.p = p, .header = m->headers, .count = m->count};

	a.id = bb_arena_array(&h->arena, a.count, sizeof(*a.id));
	if (a.id)
		take(h, &a);
}
