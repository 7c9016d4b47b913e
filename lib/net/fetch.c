/* Headers first: what peers say there is goes to the ledger (arrivals.c), and what becomes of
 * it shows in the tree. Blocks are then asked for along the tree (blocks.c). */

#include <stdlib.h>

#include "bitcoin/pow.h"
#include "net/fetch_inside.h"

bool fetch_new(struct bb_hub *h)
{
	struct fetch *f = h->fetch = calloc(1, sizeof(*f));

	return f && bb_id_table_init(&f->on_the_way) && bb_seen_init(&f->asked, BLOCKS_KEPT) &&
	       blocks_new(f);
}

void fetch_free(struct bb_hub *h)
{
	struct fetch *f = h->fetch;

	if (!f)
		return;
	arrivals_free(f);
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
void fetch_ask_headers(struct bb_hub *h, struct peer *p, const unsigned char *after)
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

/* Near the present, and without any block, there is little to be told, and everybody is asked;
 * else one after the other, or the next as soon as one is silent. */
static bool is_near(struct bb_hub *h)
{
	enum { NEAR_SECONDS = 24 * 3600 };
	struct bb_node best;

	return !bb_headers_best(&best, &h->fetch->best, h->store) ||
	       best.header.time > h->now_s - NEAR_SECONDS;
}

/* One may tell of what is known, or of what comes to nothing, for ever: he has but his time. */
static bool somebody_leads(const struct bb_hub *h)
{
	for (const struct peer *p = h->peers; p; p = p->next)
		if (p->syncing && fetch_since(h, p->headers_ms) < BLOCK_STALL_MS)
			return h->now_ms - h->fetch->led_ms < LEAD_MS;
	return false;
}

/* Whose turn it is: one that we called before one that calls us, who may come as often as he
 * likes, and of these the one that came first. */
static struct peer *next_to_lead(const struct bb_hub *h)
{
	struct peer *next = NULL;

	for (struct peer *p = h->peers; p; p = p->next)
		if (p->ready && !p->asked && (p->outbound || !next || !next->outbound))
			next = p;
	return next;
}

static void ask_others(struct bb_hub *h)
{
	const bool near = is_near(h);
	const struct peer *leads = near || somebody_leads(h) ? NULL : next_to_lead(h);

	for (struct peer *p = h->peers; p; p = p->next)
		if (p->ready && !p->asked && (near || p == leads))
			ask_first(h, p);
	if (leads)
		h->fetch->led_ms = h->now_ms;
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

void fetch_headers(struct bb_hub *h, struct peer *p, const struct bb_message *m)
{
	if (!m->count || !hub_begin(h)) {
		p->asked &= !m->count; /* else again, when there is a store */
		p->syncing = false;
		arrivals_forget(p);
		return;
	}
	arrivals_take(h, p, m);
	ask_others(h);
	blocks_advance(h);
	hub_end(h);
}

/* News of blocks. */

static void take_news(struct bb_hub *h, struct peer *p, const unsigned char id[32])
{
	struct bb_chain_point at;
	struct bb_node known;

	switch (arrivals_look_up(&at, h, id)) {
	case IN_TREE:
		if (!fetch_known_best(&known, h, p) ||
			bb_number_compare(at.work, known.work) >= 0) {
			memcpy(p->best, id, 32);
			h->fetch->stale = true;
		}
		break;
	case ON_ITS_WAY: memcpy(p->best, id, 32); break;
	case UNKNOWN:
		/* Who was not asked for headers at all will be, in his turn. */
		if (p->asked)
			fetch_ask_headers(h, p, NULL);
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
	arrivals_judged(h, id);
	if (p && p->headers_in_flight)
		p->headers_in_flight--;
	if (bb_span_is(result, "accepted") || bb_span_is(result, "duplicate")) {
		h->fetch->stale = true;
		if (p)
			memcpy(p->known, id, 32);
	} else if (bb_span_is(result, "refused") && !bb_span_is(error, "time-too-new")) {
		bb_seen_add(&h->refused, id); /* of the future: it may be good in a while */
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
	if (who->kind == BB_MSG_BLOCK && p &&
		(bb_span_is(result, "connected") || bb_span_is(result, "side")))
		p->block_good_ms = h->now_ms;
	if (who->kind == BB_MSG_BLOCK)
		blocks_verdict(h, who->id, bb_span_is(result, "refused"), error);
	if (p && p->more)
		arrivals_go_on(h, p);
	blocks_advance(h);
	hub_end(h);
}

/* The tree's best header may lie on such a branch without being new to it; and what others
 * found on it since, they have told of, and will not again. */
void fetch_forgive(struct bb_hub *h)
{
	struct fetch *f = h->fetch;

	bb_seen_clear(&h->refused);
	f->best = (struct bb_best_header){0};
	f->stale = true;
	if (!hub_begin(h))
		return;
	for (struct peer *p = h->peers; p; p = p->next)
		p->asked = p->syncing;
	ask_others(h);
	hub_end(h);
}

/* Time. */

void fetch_peer_gone(struct bb_hub *h, struct peer *p)
{
	blocks_peer_gone(h, p);
	arrivals_forget(p);
	free(p->question);
	p->question = NULL;
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
		work = p->serve_count || p->question || (p->ready && !p->asked);
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
