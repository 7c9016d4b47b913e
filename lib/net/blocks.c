/* Which blocks to ask for, and of whom: along the best of the headers that peers have told of,
 * the lowest first, of all who have them at once. */

#include <stdlib.h>

#include "bitcoin/pow.h"
#include "net/fetch_inside.h"

bool blocks_new(struct fetch *f)
{
	f->stall_ms = BLOCK_STALL_MS;
	f->window = calloc(BLOCKS_AHEAD, sizeof(*f->window));
	f->next_window = calloc(BLOCKS_AHEAD, sizeof(*f->next_window));
	f->missing = calloc(BLOCKS_AHEAD, sizeof(*f->missing));
	return f->window && f->next_window && f->missing;
}

void blocks_free(struct fetch *f)
{
	free(f->window);
	free(f->next_window);
	free(f->missing);
}

static struct wanted *find(const struct fetch *f, const unsigned char id[32])
{
	for (size_t i = 0; i < f->count; i++)
		if (memcmp(f->window[i].id, id, 32) == 0)
			return &f->window[i];
	return NULL;
}

/* It is owed no more by whom it was asked of. */
static void release(struct bb_hub *h, struct wanted *w)
{
	struct peer *p = w->state == ASKED ? hub_peer(h, w->from) : NULL;

	if (p && p->blocks_in_flight)
		p->blocks_in_flight--;
	w->state = WANTED;
}

void blocks_peer_gone(struct bb_hub *h, const struct peer *p)
{
	struct fetch *f = h->fetch;

	for (size_t i = 0; i < f->count; i++)
		if (f->window[i].state == ASKED && f->window[i].from == p->connection)
			f->window[i].state = WANTED;
	f->stale = true;
}

/* The way to go. */

/* More work, or as much on another branch. */
static void prefer(struct bb_node *best, bool *any, struct bb_hub *h, const struct bb_node *n)
{
	const int more = *any ? bb_number_compare(n->work, best->work) : 1;

	if (more < 0 || (more == 0 && !bb_tree_is_active(h->store, best)))
		return;
	*best = *n;
	*any = true;
}

/* Where we want to get to: the best that any peer has told of, so that headers whose blocks
 * nobody gives keep nothing up. As long as one has not told yet, though it said to be higher
 * than we are, the best header there is. */
static bool find_target(struct bb_node *target, struct bb_hub *h)
{
	struct bb_node tip, n;
	bool any = false, silent = false;

	if (!bb_tree_tip(&tip, h->store))
		return false;
	for (struct peer *p = h->peers; p; p = p->next) {
		if (!p->ready)
			continue;
		if (fetch_known_best(&n, h, p))
			prefer(target, &any, h, &n);
		else if (fetch_is_zero(p->best) && p->version.height > tip.height)
			silent = true;
	}
	if (silent && bb_headers_best(&n, &h->fetch->best, h->store))
		prefer(target, &any, h, &n);
	return any && bb_number_compare(target->work, tip.work) >= 0 &&
	       !bb_tree_is_active(h->store, target);
}

/* Up to which height on the way has it the blocks? */
static int32_t height_of(struct bb_hub *h, struct peer *p, const struct bb_node *target)
{
	struct bb_node n, fork;
	int64_t height = 0;

	if (fetch_known_best(&n, h, p)) {
		if (bb_tree_fork(&fork, h->store, &n, target))
			height = fork.height;
	} else if (fetch_is_zero(p->best)) {
		height = p->version.height;
	}
	if (p->lacks && height >= p->lacks)
		height = p->lacks - 1;
	return height < INT32_MAX ? (int32_t)height : INT32_MAX;
}

/* What was asked for and is still wanted stays so. What was lost on its way through the ledger
 * is wanted again; what was refused there is not. */
static void carry_over(struct bb_hub *h, const struct bb_missing *m)
{
	const bool none_on_the_way = bb_outstanding_count(h->out) == 0;
	struct fetch *f = h->fetch;
	struct wanted *old = f->window, *made = f->next_window;
	size_t k = 0;

	for (size_t i = 0; i < m->count; i++) {
		struct wanted *w = &made[i];
		while (k < f->count && old[k].height < m->block[i].height)
			release(h, &old[k++]);
		*w = (struct wanted){.height = m->block[i].height};
		memcpy(w->id, m->block[i].id, 32);
		if (k < f->count && memcmp(old[k].id, w->id, 32) == 0)
			*w = old[k++];
		if (w->state == HERE && none_on_the_way)
			w->state = WANTED;
		if (w->state == WANTED && bb_seen_has(&h->refused, w->id))
			w->state = HERE;
	}
	while (k < f->count)
		release(h, &old[k++]);
	f->window = made;
	f->next_window = old;
	f->count = m->count;
	f->above = m->above;
}

/* Every verdict changes the tree; a long window is made anew only so often, for it takes a look
 * at every block in reach. */
static uint64_t pause_ms(const struct bb_missing *m)
{
	enum { BLOCKS_A_MS = 50 };
	size_t reach = m->count;

	if (m->count && m->above > m->block[0].height)
		reach += (size_t)(m->above - m->block[0].height);
	return reach / BLOCKS_A_MS;
}

static void plan(struct bb_hub *h)
{
	struct fetch *f = h->fetch;
	struct bb_missing m = {0};
	struct bb_node target;
	const bool found = find_target(&target, h) &&
			   bb_headers_missing(&m, f->missing, BLOCKS_AHEAD, h->store, &target);

	if (h->store->why)
		return;
	for (struct peer *p = h->peers; found && p; p = p->next)
		p->have = height_of(h, p, &target);
	carry_over(h, &m);
	f->stale = false;
	f->made_ms = h->now_ms;
	f->plan_ms = h->now_ms + pause_ms(&m);
}

/* Asking. */

static bool can_give(const struct bb_hub *h, const struct peer *p, int32_t height)
{
	return p->ready && p->have >= height && h->now_ms >= p->rest_ms;
}

/* Who has the least to do of those that have it. Who is resting is asked only where nobody else
 * has it; then, and where all have enough to do, there is nobody. */
static struct peer *choose(const struct bb_hub *h, int32_t height, const struct peer *but)
{
	struct peer *best = NULL, *resting = NULL;
	bool others = false;

	for (struct peer *p = h->peers; p; p = p->next) {
		const bool gives = can_give(h, p, height);
		if (p == but || !p->ready || p->have < height)
			continue;
		others |= gives;
		if (p->paused || p->blocks_in_flight >= p->window)
			continue;
		if (!gives)
			resting = p;
		else if (!best || p->blocks_in_flight < best->blocks_in_flight)
			best = p;
	}
	return best || others ? best : resting;
}

static void put_on(struct bb_hub *h, struct wanted *w, struct peer *p)
{
	w->state = CHOSEN;
	w->from = p->connection;
	w->asked_ms = h->now_ms;
	if (!p->blocks_in_flight++)
		p->block_ms = h->now_ms;
}

/* One getdata to each for all that was put on him. */
static void ask_chosen(struct bb_hub *h)
{
	struct fetch *f = h->fetch;
	struct bb_inv items[BLOCKS_A_PEER];

	for (size_t i = 0; i < f->count; i++) {
		const uint64_t from = f->window[i].from;
		struct bb_message m = {.kind = BB_MSG_GETDATA, .items = items};
		struct peer *p;
		if (f->window[i].state != CHOSEN)
			continue;
		for (size_t k = i; k < f->count && m.count < BLOCKS_A_PEER; k++) {
			struct wanted *w = &f->window[k];
			if (w->state != CHOSEN || w->from != from)
				continue;
			w->state = ASKED;
			items[m.count].kind = BB_INV_BLOCK;
			memcpy(items[m.count++].id, w->id, 32);
			bb_seen_add(&f->asked, w->id);
		}
		if ((p = hub_peer(h, from)))
			hub_send(h, p, &m);
	}
}

void blocks_advance(struct bb_hub *h)
{
	struct fetch *f = h->fetch;
	struct peer *p;

	if (f->stale && h->now_ms >= f->plan_ms)
		plan(h);
	if (bb_outstanding_bytes(h->out) > CHAIN_BYTES / 2)
		return;
	for (size_t i = 0; i < f->count; i++) {
		if (f->window[i].state != WANTED)
			continue;
		/* Who has not the lower has not the higher. */
		if (!(p = choose(h, f->window[i].height, NULL)))
			break;
		put_on(h, &f->window[i], p);
	}
	ask_chosen(h);
}

/* Blocks that come. */

static void hand_in(
	struct bb_hub *h, struct peer *p, const unsigned char id[32], struct bb_span bytes)
{
	bb_seen_add(&h->fetch->asked, id);
	hub_to_chain(h, p, BB_MSG_BLOCK, id, bytes);
}

/* The more come, the sooner a stop is one; who delivers may be asked for more again. */
static void delivered(struct bb_hub *h, struct peer *p)
{
	struct fetch *f = h->fetch;

	p->block_ms = f->block_ms = h->now_ms;
	if (p->window < BLOCKS_A_PEER)
		p->window++;
	f->stall_ms -= f->stall_ms / 7; /* Core's 0.85 */
	if (f->stall_ms < BLOCK_STALL_MS)
		f->stall_ms = BLOCK_STALL_MS;
}

static void take_wanted(
	struct bb_hub *h, struct peer *p, struct wanted *w, struct bb_span bytes)
{
	if (w->state == HERE)
		return;
	if (w->state == ASKED && w->from == p->connection)
		delivered(h, p);
	release(h, w);
	w->state = HERE;
	hand_in(h, p, w->id, bytes);
}

/* One that nobody asked for has to be worth something (Core's AcceptBlock): not known, on top
 * of what is, with as much work as the tip, and not far above it. */
static bool is_welcome(
	struct bb_hub *h, const struct bb_header *header, const unsigned char id[32])
{
	unsigned char work[32];
	struct bb_node n, parent, tip;

	if (bb_seen_has(&h->refused, id) ||
		(bb_tree_find(&n, h->store, id) && (n.status & (BB_NODE_DATA | BB_NODE_BAD))))
		return false;
	if (!bb_tree_tip(&tip, h->store))
		return memcmp(id, h->c.network->genesis, 32) == 0;
	if (!bb_tree_find(&parent, h->store, header->prev) || (parent.status & BB_NODE_BAD))
		return false;
	bb_work_from_bits(work, header->bits);
	bb_number_add(work, parent.work);
	return bb_number_compare(work, tip.work) >= 0 &&
	       parent.height - tip.height < BLOCKS_AHEAD;
}

static void take_block(
	struct bb_hub *h, struct peer *p, const struct bb_header *header, struct bb_span bytes)
{
	struct fetch *f = h->fetch;
	unsigned char id[32];
	struct wanted *w;

	bb_header_hash(id, header);
	if (!bb_pow_valid(id, header->bits, h->c.network))
		hub_blame(h, p, BAN_SCORE, "block with invalid proof of work");
	else if ((w = find(f, id)))
		take_wanted(h, p, w, bytes);
	else if (bb_seen_has(&f->asked, id))
		return; /* late: another has given it, or it is wanted no more */
	else if (is_welcome(h, header, id))
		hand_in(h, p, id, bytes);
	else
		hub_blame(h, p, 1, "a block that nobody asked for");
}

void fetch_block(struct bb_hub *h, struct peer *p, struct bb_span bytes)
{
	struct bb_block block;

	if (!bb_block_parse(&block, bytes, &h->arena)) {
		hub_blame(h, p, BAN_SCORE, "a block that is none");
		return;
	}
	if (!hub_begin(h))
		return;
	take_block(h, p, &block.header, bytes);
	blocks_advance(h);
	hub_end(h);
}

/* What it was asked for, which is little: it may name as much as it likes. */
static size_t owed_by(struct wanted *owed[BLOCKS_A_PEER], struct fetch *f, const struct peer *p)
{
	size_t count = 0;

	for (size_t i = 0; i < f->count && count < BLOCKS_A_PEER; i++)
		if (f->window[i].state == ASKED && f->window[i].from == p->connection)
			owed[count++] = &f->window[i];
	return count;
}

static void lacks(struct bb_hub *h, struct peer *p, struct wanted *w)
{
	release(h, w);
	if (!p->lacks || p->lacks > w->height)
		p->lacks = w->height;
	if (p->have >= p->lacks)
		p->have = p->lacks - 1;
}

void fetch_notfound(struct bb_hub *h, struct peer *p, const struct bb_inv *items, size_t count)
{
	struct wanted *owed[BLOCKS_A_PEER];
	const size_t owes = owed_by(owed, h->fetch, p);

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; items[i].kind == BB_INV_BLOCK && k < owes; k++)
			if (owed[k]->state == ASKED &&
				memcmp(owed[k]->id, items[i].id, 32) == 0)
				lacks(h, p, owed[k]);
	if (!hub_begin(h))
		return;
	blocks_advance(h);
	hub_end(h);
}

/* Refused, but its header is good: only this body was bad, and another may have the right one
 * (CVE-2012-2459). */
void blocks_verdict(
	struct bb_hub *h, const unsigned char id[32], bool refused, struct bb_span error)
{
	struct fetch *f = h->fetch;
	struct wanted *w = find(f, id);
	struct bb_node n;

	f->stale = true;
	if (!refused)
		return;
	if (bb_span_is(error, "killed-the-ledger") ||
		(bb_tree_find(&n, h->store, id) && (n.status & BB_NODE_BAD)))
		bb_seen_add(&h->refused, id);
	else if (w)
		w->state = WANTED;
}

/* Those who keep others waiting. */

static bool waits_for(const struct fetch *f, const struct wanted *w)
{
	const struct wanted *end = f->window + f->count;

	if (f->above > w->height)
		return true;
	for (w++; w < end; w++)
		if (w->state == HERE)
			return true;
	return false;
}

/* What was asked of p too long ago goes to others; of who gives nothing at all everything. */
static void ask_instead(struct bb_hub *h, struct peer *p, struct wanted *lowest, bool all)
{
	struct fetch *f = h->fetch;
	const uint64_t asked_ms = lowest->asked_ms;
	struct peer *other;

	for (struct wanted *w = lowest; w < f->window + f->count; w++) {
		if (w->state != ASKED || w->from != p->connection ||
			(all ? w->asked_ms > asked_ms : w != lowest))
			continue;
		release(h, w);
		if ((other = choose(h, w->height, p)))
			put_on(h, w, other);
	}
	ask_chosen(h);
}

static void check_lowest(struct bb_hub *h)
{
	struct fetch *f = h->fetch;
	struct wanted *w = f->window;
	struct peer *p;
	uint64_t since;
	bool waited_for, silent;

	while (w < f->window + f->count && w->state == HERE)
		w++;
	if (w == f->window + f->count || w->state != ASKED || !(p = hub_peer(h, w->from)) ||
		p->paused)
		return;
	waited_for = waits_for(f, w);
	since = w->asked_ms > p->resumed_ms ? w->asked_ms : p->resumed_ms;
	if (fetch_since(h, since) < f->stall_ms * (waited_for ? 1 : 5) ||
		!choose(h, w->height, p))
		return;
	silent = fetch_since(h, p->block_ms) >= f->stall_ms;
	p->window = p->window > 1 ? p->window / 2 : 1;
	p->rest_ms = h->now_ms + 5 * f->stall_ms;
	ask_instead(h, p, w, silent);
	if (f->stall_ms < 32 * BLOCK_STALL_MS)
		f->stall_ms *= 2; /* the line may be slow, not the peer */
	if (silent && waited_for)
		hub_blame(h, p, 20, "others wait for the blocks it was asked for");
}

void blocks_check_stall(struct bb_hub *h)
{
	struct fetch *f = h->fetch;

	for (struct peer *p = h->peers, *next; p; p = next) {
		const uint64_t silent_ms = fetch_since(h, p->block_ms);
		next = p->next;
		if (!p->blocks_in_flight || p->paused)
			continue;
		if (silent_ms >= BLOCK_DEAD_MS ||
			(silent_ms >= BLOCK_OWED_MS && f->block_ms > p->block_ms))
			hub_drop(h, p, "it does not give the blocks it was asked for");
	}
	check_lowest(h);
	/* Nothing is lost where news of the tree have not come this way. */
	if (f->count && h->now_ms - f->made_ms >= 1000)
		f->stale = true;
}

uint64_t blocks_next(const struct bb_hub *h)
{
	const struct fetch *f = h->fetch;

	if (f->stale)
		return f->plan_ms > h->now_ms ? f->plan_ms : h->now_ms + 1;
	return h->now_ms + (f->count ? TICK_MS : 1000);
}
