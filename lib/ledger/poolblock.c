#include "ledger/poolblock.h"

#include <stdlib.h>

#include "ledger/estimate.h"
#include "ledger/orphantx.h"
#include "ledger/query.h"

static bool nobody_waits(struct bb_store *s)
{
	return !bb_store_count(s, BB_POOL_TXS);
}

/* Those taken back. */

/* Whatever spends its outputs leaves, with all that depends on it (removeRecursive). */
static bool drop_children(
	struct bb_pool *p, const struct bb_tx *tx, const unsigned char txid[32])
{
	struct bb_outpoint o;
	uint64_t child;

	memcpy(o.txid, txid, 32);
	for (o.vout = 0; o.vout < tx->out_count && !nobody_waits(p->store); o.vout++) {
		child = bb_pool_spender(p->store, &o);
		if (child && !bb_pool_remove(p, &child, 1, true, BB_REMOVAL_REORG, NULL))
			return false;
	}
	return !p->store->why;
}

/* Too many to remember: those that were mined last are forgotten first. */
static bool limit_returned(struct bb_pool *p)
{
	struct bb_returned_tx r;
	struct bb_arena a = {0};
	struct bb_tx tx;
	bool good = true;
	size_t at = 0;

	while (good && bb_returned_excess(&r, &at, &p->returned)) {
		good = bb_tx_parse(&tx, r.bytes, &a) ? drop_children(p, &tx, r.txid)
						     : bb_store_no_memory(p->store);
		bb_arena_reset(&a);
	}
	bb_returned_forget(&p->returned, at);
	bb_arena_free(&a);
	return good;
}

/* One block. */

static bool remove_mined(
	struct bb_pool *p, const struct bb_incoming *in, const struct bb_node *n)
{
	const struct bb_block *block = &in->block;
	uint64_t *numbers = bb_arena_array(in->arena, block->tx_count, sizeof(*numbers));
	struct bb_pool_entry e;
	size_t count = 0;

	if (!numbers)
		return bb_store_no_memory(p->store);
	for (size_t i = 1; i < block->tx_count; i++) {
		if (!bb_pool_find(&e, p->store, block->txid[i]))
			continue;
		numbers[count++] = e.number;
		bb_estimate_mined(p, &e, n->height);
	}
	return !count || bb_pool_remove(p, numbers, count, false, BB_REMOVAL_BLOCK, n->id);
}

static bool remove_conflicts(
	struct bb_pool *p, const struct bb_tx *tx, const unsigned char block[32])
{
	uint64_t rival;

	for (size_t i = 0; i < tx->in_count && !nobody_waits(p->store); i++) {
		rival = bb_pool_spender(p->store, &tx->in[i].prevout);
		if (rival && !bb_pool_remove(p, &rival, 1, true, BB_REMOVAL_CONFLICT, block))
			return false;
	}
	return true;
}

bool bb_pool_connected(struct bb_pool *p, const struct bb_incoming *in, const struct bb_node *n)
{
	const struct bb_block *block = &in->block;

	if (!bb_returned_mined(&p->returned, in->arena, block))
		return bb_store_no_memory(p->store);
	if (!nobody_waits(p->store) && !remove_mined(p, in, n))
		return false;
	for (size_t i = 1; i < block->tx_count && !nobody_waits(p->store); i++)
		if (!remove_conflicts(p, &block->tx[i], n->id))
			return false;
	bb_orphantx_mined(p, block);
	bb_pool_relax(p);
	return !p->store->why;
}

bool bb_pool_disconnected(struct bb_pool *p, const struct bb_incoming *in)
{
	if (!bb_returned_add(&p->returned, &in->block))
		return bb_store_no_memory(p->store);
	return limit_returned(p);
}

/* Room for one that comes back. */

/* A descendant that waits, and how a miner sees it. */
struct heir {
	struct bb_feerate rate; /* of its chunk */
	unsigned position;	/* in its cluster */
	uint64_t number;
};

static int compare_worst_first(const void *a, const void *b)
{
	const struct heir *x = a, *y = b;
	const int by_rate = bb_feerate_compare(x->rate, y->rate);

	if (by_rate)
		return by_rate;
	if (x->position != y->position) /* children before their parents */
		return x->position < y->position ? 1 : -1;
	return x->number < y->number ? 1 : -1;
}

/* Who spends its outputs. NULL: memory. */
static uint64_t *find_children(
	size_t *count, struct bb_pool *p, struct bb_arena *a, const struct bb_incoming_tx *in)
{
	uint64_t *children = bb_arena_array(a, in->tx.out_count, sizeof(*children));
	struct bb_outpoint o;

	*count = 0;
	if (!children)
		return NULL;
	memcpy(o.txid, in->txid, 32);
	for (o.vout = 0; o.vout < in->tx.out_count; o.vout++)
		if ((children[*count] = bb_pool_spender(p->store, &o)))
			(*count)++;
	bb_pool_numbers_unique(children, count);
	return children;
}

/* Of a cluster, the children and all that depends on them. */
static void put_heirs(struct bb_buf *heirs, const struct bb_pool_cluster *c,
	const uint64_t *children, size_t count)
{
	uint64_t bits = 0;
	unsigned chunk = 0;

	for (unsigned i = 0; i < c->graph.count; i++) {
		const struct heir h = {c->graph.chunk[chunk], i, c->number[i]};
		if (i + 1 == c->graph.chunk_end[chunk])
			chunk++;
		if (!(c->graph.parents[i] & bits) &&
			!bb_pool_numbers_have(children, count, c->number[i]))
			continue;
		bits |= (uint64_t)1 << i;
		bb_put(heirs, &h, sizeof(h));
	}
}

/* All heirs; `members` are how many their clusters hold in all. */
static bool find_heirs(struct bb_buf *heirs, size_t *members, struct bb_pool *p,
	const uint64_t *children, size_t count)
{
	struct bb_pool_cluster c;
	struct bb_buf seen = {0}; /* clusters, by the number of their first */
	bool is_new;

	*members = 0;
	for (size_t i = 0; i < count && !p->store->why; i++) {
		if (!bb_pool_cluster_of(&c, p->store, children[i]))
			break;
		is_new = true;
		for (size_t k = 0; k < seen.len && is_new; k += sizeof(c.id))
			is_new = memcmp(seen.data + k, &c.id, sizeof(c.id)) != 0;
		if (!is_new)
			continue;
		bb_put(&seen, &c.id, sizeof(c.id));
		put_heirs(heirs, &c, children, count);
		*members += c.graph.count;
	}
	if (seen.failed || heirs->failed)
		bb_store_no_memory(p->store);
	bb_buf_free(&seen);
	return !p->store->why;
}

/* The worst heirs leave: half of those that are too many, or one. False: there are none, or
 * s->why. */
static bool make_room(struct bb_pool *p, struct bb_arena *a, const struct bb_incoming_tx *in)
{
	const size_t limit = (size_t)p->policy->cluster_count;
	struct bb_buf heirs = {0};
	size_t count, members, leave;
	uint64_t *numbers = find_children(&count, p, a, in);
	struct heir *h;
	bool good;

	if (!numbers)
		return bb_store_no_memory(p->store);
	good = find_heirs(&heirs, &members, p, numbers, count) && heirs.len;
	h = (struct heir *)heirs.data;
	count = heirs.len / sizeof(*h);
	leave = members > limit ? (members + 1 - limit) / 2 : 1;
	if (leave > count)
		leave = count;
	if (good && (numbers = bb_arena_array(a, leave, sizeof(*numbers)))) {
		qsort(h, count, sizeof(*h), compare_worst_first);
		for (size_t i = 0; i < leave; i++)
			numbers[i] = h[i].number;
	}
	bb_buf_free(&heirs);
	if (!numbers)
		return bb_store_no_memory(p->store);
	return good && bb_pool_remove(p, numbers, leave, true, BB_REMOVAL_SIZELIMIT, NULL);
}

/* The way's end. */

static bool accept_back(struct bb_acceptance *r, struct bb_pool *p, struct bb_arena *a,
	const struct bb_incoming_tx *in)
{
	do {
		if (!bb_accept_tx(r, p, a, in, BB_ACCEPT_BACK))
			return false;
	} while (strcmp(r->verdict.error, "too-large-cluster") == 0 && make_room(p, a, in));
	return !p->store->why;
}

static bool bring_one_back(struct bb_pool *p, struct bb_arena *a, struct bb_span bytes)
{
	struct bb_incoming_tx in;
	struct bb_acceptance r;

	if (!bb_incoming_tx_parse(&in, a, bytes))
		return bb_store_no_memory(p->store);
	if (bb_tx_is_coinbase(&in.tx))
		return drop_children(p, &in.tx, in.txid);
	if (!accept_back(&r, p, a, &in))
		return false;
	return r.verdict.valid || drop_children(p, &in.tx, in.txid);
}

/* Those remembered, the first first. */
static bool bring_back(struct bb_pool *p)
{
	struct bb_returned kept = p->returned;
	struct bb_returned_tx r;
	struct bb_buf places = {0};
	struct bb_arena a = {0};
	bool good;
	size_t at;

	p->returned = (struct bb_returned){0};
	for (size_t from = at = 0; bb_returned_next(&r, &at, &kept); from = at)
		bb_put(&places, &from, sizeof(from));
	good = !places.failed || bb_store_no_memory(p->store);
	while (good && places.len) {
		places.len -= sizeof(at);
		memcpy(&at, places.data + places.len, sizeof(at));
		good = bb_returned_next(&r, &at, &kept) && bring_one_back(p, &a, r.bytes);
		bb_arena_reset(&a);
	}
	bb_buf_free(&places);
	bb_returned_free(&kept);
	bb_arena_free(&a);
	return good;
}

static bool find_prevout(struct bb_prevout *out, struct bb_pool *p, struct bb_arena *a,
	const struct bb_tx *tx, const struct bb_txin *in, const struct bb_node *tip)
{
	struct bb_coin coin;

	return bb_pool_output(out, p->store, &in->prevout, tip) ||
	       (bb_coins_get(&coin, p->coins, &in->prevout) &&
		       bb_query_coin_prevout(out, p->store, a, &coin, tx, in));
}

/* Could it be in the next block, as far as locks and coinbases go? */
static bool is_due(struct bb_pool *p, struct bb_arena *a, const struct bb_pool_entry *e,
	const struct bb_node *tip)
{
	const int64_t height = tip->height + 1;
	struct bb_prevout *prevouts;
	unsigned unjudged = 0;
	struct bb_tx tx;

	if (!bb_pool_parse_tx(&tx, a, p->store, e))
		return false;
	if (!(prevouts = bb_arena_array(a, tx.in_count, sizeof(*prevouts))))
		return bb_store_no_memory(p->store);
	for (size_t i = 0; i < tx.in_count; i++) {
		if (!find_prevout(&prevouts[i], p, a, &tx, &tx.in[i], tip))
			return false;
		if (prevouts[i].coinbase == 1 &&
			height - prevouts[i].height < p->network->coinbase_maturity)
			return false;
	}
	return bb_tx_is_final(&tx, height, tip->mtp) &&
	       !bb_check_sequence_locks(&unjudged, &tx, prevouts, height, tip->mtp);
}

/* removeForReorg: what the shorter past makes impossible leaves, and its descendants. */
static bool remove_lapsed(struct bb_pool *p, const struct bb_node *tip)
{
	struct bb_store *s = p->store;
	struct bb_buf lapsed = {0};
	struct bb_arena a = {0};
	struct bb_pool_entry e;
	struct bb_cursor c;
	bool more, good;

	if (!bb_cursor_open(&c, s, BB_POOL_TXS))
		return false;
	for (more = bb_cursor_first(&c); more && !s->why; more = bb_cursor_next(&c)) {
		if (c.key.len != 8 || !bb_pool_get(&e, s, bb_be64(c.key.data)) || !e.may_lapse)
			continue;
		bb_arena_reset(&a);
		if (!is_due(p, &a, &e, tip))
			bb_put(&lapsed, &e.number, sizeof(e.number));
	}
	bb_cursor_close(&c);
	good = !s->why && (!lapsed.failed || bb_store_no_memory(s));
	if (good && lapsed.len)
		good = bb_pool_remove(p, (const uint64_t *)lapsed.data,
			lapsed.len / sizeof(e.number), true, BB_REMOVAL_REORG, NULL);
	bb_buf_free(&lapsed);
	bb_arena_free(&a);
	return good;
}

bool bb_pool_settle(struct bb_pool *p)
{
	struct bb_node tip;

	if (!bb_tree_tip(&tip, p->store))
		return !p->store->why;
	bb_pool_set_tip(p->store, tip.id);
	if (p->returned.any && !(bring_back(p) && remove_lapsed(p, &tip) && bb_pool_limit(p)))
		return false;
	return bb_orphantx_adopt(p);
}

/* Catching up. */

/* Blocks read back. */
struct reading {
	struct bb_pool *p;
	struct bb_buf bytes;
	struct bb_arena arena;
	struct bb_incoming in;
};

static bool read_block(struct reading *r, const struct bb_node *n)
{
	struct bb_pool *p = r->p;

	return bb_incoming_read(&r->in, &r->arena, &r->bytes, p->store, p->network, n);
}

static bool go_down(struct reading *r, struct bb_node *at, const struct bb_node *fork)
{
	while (at->number != fork->number)
		if (!read_block(r, at) || !bb_pool_disconnected(r->p, &r->in) ||
			!bb_tree_named(at, r->p->store, at->prev))
			return false;
	return true;
}

static bool go_up(struct reading *r, const struct bb_node *fork, const struct bb_node *tip)
{
	struct bb_store *s = r->p->store;
	struct bb_node n;

	for (int32_t h = fork->height + 1; h <= tip->height; h++) {
		/* With nobody to tell, a long way need not be gone. */
		if (!r->p->returned.any && nobody_waits(s) &&
			!bb_store_count(s, BB_POOL_ORPHANS))
			return true;
		if (!bb_tree_at(&n, s, h) || !read_block(r, &n) ||
			!bb_pool_connected(r->p, &r->in, &n))
			return false;
	}
	return true;
}

static bool follow(struct bb_pool *p, struct bb_node *from, const struct bb_node *tip)
{
	struct reading r = {.p = p};
	struct bb_node fork;
	const bool good = bb_tree_fork(&fork, p->store, from, tip) &&
			  go_down(&r, from, &fork) && go_up(&r, &fork, tip) &&
			  bb_pool_settle(p);

	bb_buf_free(&r.bytes);
	bb_arena_free(&r.arena);
	return good;
}

bool bb_pool_catch_up(struct bb_pool *p)
{
	struct bb_store *s = p->store;
	struct bb_node tip, from;
	unsigned char id[32];
	bool good;

	bb_pool_tip(id, s);
	if (bb_tree_tip(&tip, s) && bb_tree_find(&from, s, id) && (from.status & BB_NODE_DATA))
		good = follow(p, &from, &tip);
	else
		good = !s->why && bb_pool_clear(p);
	s->pool_fits = good;
	return good;
}

/* Scripts. */

uint32_t bb_pool_known_flags(
	struct bb_pool *p, const struct bb_tx *tx, const unsigned char txid[32])
{
	struct bb_pool_entry e;
	unsigned char wtxid[32];

	if (!bb_pool_find(&e, p->store, txid))
		return 0;
	bb_tx_wtxid(wtxid, tx);
	return memcmp(wtxid, e.wtxid, 32) == 0 ? e.flags : 0;
}
