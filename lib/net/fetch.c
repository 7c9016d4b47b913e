/* Headers first: what peers say there is goes to the ledger, a header a line, and what becomes
 * of it shows in the tree. Blocks are then asked for along the tree (blocks.c). */

#include <stdlib.h>

#include "bitcoin/pow.h"
#include "net/fetch_inside.h"

bool fetch_new(struct bb_hub *h)
{
	struct fetch *f = h->fetch = calloc(1, sizeof(*f));

	return f && bb_seen_init(&f->handed, HANDED_KEPT) &&
	       bb_seen_init(&f->early, BB_HEADERS_MAX) &&
	       bb_seen_init(&f->asked, BLOCKS_KEPT) && blocks_new(f);
}

void fetch_free(struct bb_hub *h)
{
	struct fetch *f = h->fetch;

	if (!f)
		return;
	bb_seen_free(&f->handed);
	bb_seen_free(&f->early);
	bb_seen_free(&f->asked);
	blocks_free(f);
	bb_buf_free(&f->bytes);
	bb_buf_free(&f->lacking);
	free(f);
	h->fetch = NULL;
}

bool fetch_known_best(struct bb_node *out, struct bb_hub *h, struct peer *p)
{
	struct bb_store *s = h->store;

	if (!fetch_is_zero(p->best) && bb_tree_find(out, s, p->best))
		memcpy(p->known, p->best, 32);
	else if (fetch_is_zero(p->known) || !bb_tree_find(out, s, p->known))
		return false;
	return !(out->status & BB_NODE_BAD);
}

/* Asking. */

/* A network whose genesis block is not built in: without it no header has a parent. */
static void ask_genesis(struct bb_hub *h, struct peer *p)
{
	struct bb_inv item = {.kind = BB_INV_BLOCK};
	const struct bb_message m = {.kind = BB_MSG_GETDATA, .items = &item, .count = 1};

	if (p->block_ms)
		return; /* it was asked */
	p->block_ms = h->now_ms;
	memcpy(item.id, h->c.network->genesis, 32);
	hub_send(h, p, &m);
}

/* For what follows `after`, which may be on its way to the ledger, and the locator of `from`.
 */
static void ask_from(struct bb_hub *h, struct peer *p, const unsigned char *after,
	const struct bb_node *from)
{
	unsigned char locator[1 + BB_LOCATOR_ENTRIES][32];
	struct bb_message m = {.kind = BB_MSG_GETHEADERS, .locator = locator};

	if (after)
		memcpy(locator[m.count++], after, 32);
	m.count += bb_headers_locator(locator + m.count, h->store, from);
	if (!m.count)
		return;
	p->asked = p->syncing = true;
	p->headers_ms = h->now_ms;
	hub_send(h, p, &m);
}

/* Only one question at a time: peers answer in order, so that whatever it told of meanwhile is
 * in its answer. */
static void ask_headers(struct bb_hub *h, struct peer *p, const unsigned char *after)
{
	struct bb_node best;

	if (!p->syncing && bb_headers_best(&best, &h->fetch->best, h->store))
		ask_from(h, p, after, &best);
}

/* The first question is one header short, so that who stands where we stand says so. */
static void ask_first(struct bb_hub *h, struct peer *p)
{
	struct bb_node best, prev;

	if (!bb_headers_best(&best, &h->fetch->best, h->store))
		ask_genesis(h, p);
	else if (best.prev != BB_NO_NODE && bb_tree_named(&prev, h->store, best.prev))
		ask_from(h, p, NULL, &prev);
	else
		ask_from(h, p, NULL, &best);
}

/* Near the present there is little to be told, and everybody is asked; else one after the
 * other, or the next as soon as one is silent. */
static bool is_near(struct bb_hub *h)
{
	enum { NEAR_SECONDS = 24 * 3600 };
	struct bb_node best;

	return bb_headers_best(&best, &h->fetch->best, h->store) &&
	       best.header.time > h->now_s - NEAR_SECONDS;
}

static bool somebody_syncs(const struct bb_hub *h)
{
	for (const struct peer *p = h->peers; p; p = p->next)
		if (p->syncing && fetch_since(h, p->headers_ms) < BLOCK_STALL_MS)
			return true;
	return false;
}

static void ask_others(struct bb_hub *h)
{
	const bool near = is_near(h);

	for (struct peer *p = h->peers; p; p = p->next)
		if (p->ready && !p->asked && (near || !somebody_syncs(h)))
			ask_first(h, p);
}

void fetch_ready(struct bb_hub *h, struct peer *p)
{
	const struct bb_message m = {.kind = BB_MSG_SENDHEADERS};

	p->window = BLOCKS_A_PEER;
	hub_send(h, p, &m);
	h->fetch->stale = true;
	if (!hub_begin(h))
		return;
	ask_others(h);
	hub_end(h);
}

/* Headers that come. */

struct arrival {
	struct peer *p;
	const struct bb_header *header;
	unsigned char (*id)[32];
	size_t count;
};

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

/* What is known of a hash. */
enum standing { UNKNOWN, ON_ITS_WAY, IN_TREE, INVALID };

static enum standing look_up(struct bb_node *n, struct bb_hub *h, const unsigned char id[32])
{
	if (bb_tree_find(n, h->store, id))
		return n->status & BB_NODE_BAD ? INVALID : IN_TREE;
	if (bb_seen_has(&h->refused, id))
		return INVALID;
	if (bb_seen_has(&h->fetch->handed, id) && !bb_seen_has(&h->fetch->early, id))
		return ON_ITS_WAY;
	return UNKNOWN;
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
	ask_headers(h, p, NULL);
}

/* A chain with little work costs its maker little: its headers are only counted, and when they
 * have shown enough they are asked for again, and go to the ledger. Else nobody could be kept
 * from filling the tree. */

static void add_work(unsigned char total[32], const struct arrival *a)
{
	unsigned char one[32] = {0};

	for (size_t i = 0; i < a->count; i++) {
		if (!i || a->header[i].bits != a->header[i - 1].bits)
			bb_work_from_bits(one, a->header[i].bits);
		bb_number_add(total, one);
	}
}

/* Is it the network's minimum? And with 144 more blocks like the tip, would it be the tip's?
 * (GetAntiDoSWorkThreshold) */
static bool is_enough(struct bb_hub *h, const unsigned char work[32])
{
	enum { BLOCKS_BELOW = 144 };
	unsigned char total[32], one[32];
	struct bb_node tip;

	if (bb_number_compare(work, h->c.network->minimum_chain_work) < 0)
		return false;
	if (!bb_tree_tip(&tip, h->store))
		return true;
	memcpy(total, work, 32);
	bb_work_from_bits(one, tip.header.bits);
	for (int i = 0; i < BLOCKS_BELOW; i++)
		bb_number_add(total, one);
	return bb_number_compare(total, tip.work) >= 0;
}

/* What follows on top of `work`. */
static void weigh(struct bb_hub *h, const struct arrival *a, const unsigned char work[32])
{
	struct peer *p = a->p;

	memmove(p->weighed, work, 32);
	add_work(p->weighed, a);
	p->weighed_count += a->count;
	p->syncing = p->unconnected = false;
	if (is_enough(h, p->weighed)) {
		p->proven_count = p->weighed_count;
		p->weighed_count = 0;
		ask_headers(h, p, NULL);
	} else if (a->count == BB_HEADERS_MAX) {
		memcpy(p->weighed_last, a->id[a->count - 1], 32);
		ask_headers(h, p, p->weighed_last);
	} else {
		p->weighed_count = 0;
	}
}

static bool may_come(struct bb_hub *h, const struct arrival *a, const struct bb_node *parent)
{
	const unsigned char *last = a->id[a->count - 1];
	unsigned char total[32];
	struct bb_node n;

	if (bb_tree_find(&n, h->store, last) || bb_seen_has(&h->fetch->handed, last))
		return true;
	memcpy(total, parent->work, 32);
	add_work(total, a);
	if (is_enough(h, total))
		return true;
	if (a->p->proven_count < a->count)
		return false;
	a->p->proven_count -= a->count;
	return true;
}

static bool hand_in(struct bb_hub *h, struct peer *p, const struct bb_header *header,
	const unsigned char id[32])
{
	unsigned char bytes[BB_HEADER_SIZE];
	struct bb_buf b = {.data = bytes, .cap = sizeof(bytes)};

	if (p->headers_in_flight >= HEADERS_A_PEER) {
		p->more = true;
		return false;
	}
	p->headers_in_flight++;
	bb_seen_add(&h->fetch->handed, id);
	bb_put_header(&b, header);
	hub_to_chain(h, p, BB_MSG_HEADERS, id, BB_SPAN(bytes, sizeof(bytes)));
	return true;
}

/* Those that are not known yet. False: what follows an invalid one, and more than it may send
 * at once, is passed over. */
static bool hand_in_new(struct bb_hub *h, const struct arrival *a)
{
	struct bb_node n;

	for (size_t i = 0; i < a->count; i++) {
		const enum standing s = look_up(&n, h, a->id[i]);
		if (s == INVALID ||
			(s == UNKNOWN && !hand_in(h, a->p, &a->header[i], a->id[i])))
			return false;
	}
	return true;
}

/* There is more where a full message came from; asked for at once, if not too much is on its
 * way. */
static void go_on(struct bb_hub *h, struct peer *p)
{
	p->more = p->headers_in_flight > HEADERS_A_PEER - BB_HEADERS_MAX;
	if (!p->more)
		ask_headers(h, p, p->best);
}

static void take_headers(struct bb_hub *h, const struct arrival *a)
{
	const bool full = a->count == BB_HEADERS_MAX;
	const unsigned char *last = a->id[a->count - 1];
	struct peer *p = a->p;
	struct bb_node parent;

	if (!check_headers(h, a))
		return;
	switch (look_up(&parent, h, a->header[0].prev)) {
	case UNKNOWN:
		if (p->weighed_count && memcmp(a->header[0].prev, p->weighed_last, 32) == 0)
			weigh(h, a, p->weighed);
		else
			take_unconnected(h, a);
		return;
	case INVALID: p->syncing = false; return;
	case IN_TREE:
		if (may_come(h, a, &parent))
			break;
		p->weighed_count = 0;
		weigh(h, a, parent.work);
		return;
	case ON_ITS_WAY: break;
	}
	p->syncing = p->unconnected = false;
	if (!hand_in_new(h, a))
		return;
	memcpy(p->best, last, 32);
	p->lacks = 0;
	h->fetch->stale = true;
	if (full)
		go_on(h, p);
}

void fetch_headers(struct bb_hub *h, struct peer *p, const struct bb_message *m)
{
	struct arrival a = {.p = p, .header = m->headers, .count = m->count};

	if (!m->count || !hub_begin(h)) {
		p->asked &= !m->count; /* else again, when there is a store */
		p->syncing = false;
		return;
	}
	a.id = bb_arena_array(&h->arena, a.count, sizeof(*a.id));
	if (a.id)
		take_headers(h, &a);
	ask_others(h);
	blocks_advance(h);
	hub_end(h);
}

/* News of blocks. */

static void take_news(struct bb_hub *h, struct peer *p, const unsigned char id[32])
{
	struct bb_node n, known;

	switch (look_up(&n, h, id)) {
	case IN_TREE:
		if (!fetch_known_best(&known, h, p) ||
			bb_number_compare(n.work, known.work) >= 0) {
			memcpy(p->best, id, 32);
			h->fetch->stale = true;
		}
		break;
	case ON_ITS_WAY: memcpy(p->best, id, 32); break;
	case UNKNOWN:
		/* Who was not asked for headers at all will be, in his turn. */
		if (p->asked)
			ask_headers(h, p, NULL);
		break;
	case INVALID: break;
	}
}

void fetch_inv(struct bb_hub *h, struct peer *p, const struct bb_inv *items, size_t count)
{
	const unsigned char *last = NULL;

	/* Core too looks at the last alone: its ancestors come with its headers. */
	for (size_t i = 0; i < count; i++)
		if (items[i].kind == BB_INV_BLOCK)
			last = items[i].id;
	if (!last || !hub_begin(h))
		return;
	take_news(h, p, last);
	blocks_advance(h);
	hub_end(h);
}

/* What the ledger says. */

static void header_verdict(struct bb_hub *h, struct peer *p, const unsigned char id[32],
	struct bb_span result, struct bb_span error)
{
	if (p && p->headers_in_flight)
		p->headers_in_flight--;
	if (bb_span_is(result, "accepted") || bb_span_is(result, "duplicate")) {
		h->fetch->stale = true;
		if (p)
			memcpy(p->known, id, 32);
	} else if (!bb_span_is(result, "refused")) {
		return;
	} else if (bb_span_is(error, "time-too-new")) {
		bb_seen_add(&h->fetch->early, id); /* it may be good in a while */
	} else {
		bb_seen_add(&h->refused, id);
	}
}

void fetch_verdict(struct bb_hub *h, const struct bb_owner *who, struct bb_span result,
	struct bb_span error)
{
	struct peer *p = who->tool ? NULL : hub_peer(h, who->who);

	if (who->kind == BB_MSG_HEADERS)
		header_verdict(h, p, who->id, result, error);
	/* Of many verdicts at once, not each needs a look at the store. */
	if (who->kind == BB_MSG_HEADERS && !(p && p->more) && h->now_ms < h->fetch->plan_ms)
		return;
	if (!hub_begin(h))
		return;
	if (who->kind == BB_MSG_BLOCK)
		blocks_verdict(h, who->id, bb_span_is(result, "refused"), error);
	if (p && p->more)
		go_on(h, p);
	blocks_advance(h);
	hub_end(h);
}

/* Time. */

void fetch_peer_gone(struct bb_hub *h, struct peer *p)
{
	blocks_peer_gone(h, p);
	free(p->serve);
	p->serve = NULL;
	p->serve_count = p->serve_at = 0;
}

static void check_headers_due(struct bb_hub *h)
{
	for (struct peer *p = h->peers, *next; p; p = next) {
		next = p->next;
		if (p->syncing && !p->paused && fetch_since(h, p->headers_ms) >= HEADERS_MS)
			hub_drop(h, p, "no answer to getheaders");
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool is_asking(const struct bb_hub *h)
{
	for (const struct peer *p = h->peers; p; p = p->next)
		if (p->syncing || (p->ready && !p->asked))
			return true;
	return false;
}

/* Is there anything that needs the store? */
static bool has_work(const struct bb_hub *h)
{
	const struct fetch *f = h->fetch;
	bool work = f->stale || f->untold || f->count;

	for (const struct peer *p = h->peers; p && !work; p = p->next)
		work = p->serve_count || (p->ready && !p->asked);
	return work;
}

uint64_t fetch_tick(struct bb_hub *h)
{
	uint64_t next = h->now_ms + 1000;
	bool done;

	check_headers_due(h);
	blocks_check_stall(h);
	if (!has_work(h) || !hub_begin(h))
		return next;
	ask_others(h);
	blocks_advance(h);
	serve_tip(h);
	done = serve_waiting(h);
	hub_end(h);
	if (is_asking(h))
		next = h->now_ms + TICK_MS;
	if (h->fetch->untold)
		next = earlier(next, h->fetch->told_ms + TELL_MS);
	if (!done)
		next = earlier(next, h->now_ms + SERVE_MS);
	return earlier(next, blocks_next(h));
}
