#include "ledger/pool.h"

#include <stdlib.h>
#include <time.h>

#include "ledger/change.h"
#include "ledger/poolrows.h"

/* A number in a table; 0: not there. */
static uint64_t get_number(
	struct bb_store *s, enum bb_table t, struct bb_span key, const char *why)
{
	struct bb_span value;

	if (!bb_store_get(&value, s, t, key))
		return 0;
	if (value.len == 8 && bb_le64(value.data))
		return bb_le64(value.data);
	bb_store_set_why(s, why);
	return 0;
}

/* Transactions. */

bool bb_pool_get(struct bb_pool_entry *e, struct bb_store *s, uint64_t number)
{
	unsigned char key[8];
	struct bb_span value;

	if (!bb_store_get(&value, s, BB_POOL_TXS, bb_key64(key, number)))
		return false;
	e->number = number;
	return bb_pool_entry_parse(e, value) || bb_pool_damaged_tx(s);
}

uint64_t bb_pool_number(struct bb_store *s, const unsigned char txid[32])
{
	return get_number(s, BB_POOL_IDS, BB_SPAN(txid, 32),
		"the store is damaged: a txid of the mempool");
}

bool bb_pool_find(struct bb_pool_entry *e, struct bb_store *s, const unsigned char txid[32])
{
	const uint64_t number = bb_pool_number(s, txid);

	if (!number)
		return false;
	return (bb_pool_get(e, s, number) && memcmp(e->txid, txid, 32) == 0) ||
	       bb_pool_damaged_tx(s);
}

uint64_t bb_pool_spender(struct bb_store *s, const struct bb_outpoint *o)
{
	unsigned char key[BB_OUTPOINT_MAX];

	return get_number(s, BB_POOL_SPENT, bb_outpoint_key(key, o),
		"the store is damaged: what the mempool spends");
}

static struct bb_txout read_output(struct bb_reader *r)
{
	struct bb_txout out = {.value_sat = (int64_t)bb_get_le64(r)};

	out.script = bb_get_span(r, bb_get_compact(r));
	return out;
}

bool bb_pool_output(struct bb_prevout *p, struct bb_store *s, const struct bb_outpoint *o,
	const struct bb_node *tip)
{
	struct bb_txout out = {0};
	struct bb_pool_entry e;
	struct bb_reader r;
	uint64_t count;

	if (!bb_pool_find(&e, s, o->txid))
		return false;
	r = bb_reader(e.bytes.data, e.bytes.len);
	for (count = bb_pool_read_start(&r); count && !r.bad; count--)
		bb_pool_read_input(&r);
	count = bb_get_compact(&r);
	if (r.bad)
		return bb_pool_damaged_tx(s);
	if (o->vout >= count)
		return false;
	for (uint64_t i = 0; i <= o->vout && !r.bad; i++)
		out = read_output(&r);
	if (r.bad || !bb_money_range(out.value_sat))
		return bb_pool_damaged_tx(s);
	*p = (struct bb_prevout){
		.known = true,
		.value_sat = out.value_sat,
		.script = out.script,
		.height = (int64_t)tip->height + 1,
		.coinbase = 0,
		.mtp = tip->mtp,
	};
	return true;
}

bool bb_pool_may_lapse(const struct bb_tx *tx, const struct bb_prevout *prevouts)
{
	for (size_t i = 0; i < tx->in_count; i++)
		if (prevouts[i].coinbase == 1 ||
			(bb_has_sequence_lock(tx, &tx->in[i]) &&
				(tx->in[i].sequence & BB_SEQUENCE_MASK)))
			return true;
	return bb_tx_has_locktime(tx);
}

bool bb_pool_parse_tx(
	struct bb_tx *tx, struct bb_arena *a, struct bb_store *s, const struct bb_pool_entry *e)
{
	return bb_tx_parse(tx, e->bytes, a) || bb_pool_damaged_tx(s);
}

/* Sets of numbers. */

static int by_number(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void bb_pool_numbers_unique(uint64_t *numbers, size_t *count)
{
	size_t n = 0;

	if (*count)
		qsort(numbers, *count, sizeof(*numbers), by_number);
	for (size_t i = 0; i < *count; i++)
		if (!n || numbers[n - 1] != numbers[i])
			numbers[n++] = numbers[i];
	*count = n;
}

bool bb_pool_numbers_have(const uint64_t *numbers, size_t count, uint64_t number)
{
	return count && bsearch(&number, numbers, count, sizeof(*numbers), by_number);
}

/* Clusters. */

bool bb_pool_cluster(struct bb_pool_cluster *c, struct bb_store *s, uint64_t id)
{
	unsigned char key[8];
	struct bb_span value;

	if (!bb_store_get(&value, s, BB_POOL_CLUSTERS, bb_key64(key, id)))
		return false;
	c->id = id;
	return bb_pool_cluster_parse(c, value) || bb_pool_damaged_cluster(s);
}

unsigned bb_pool_position(const struct bb_pool_cluster *c, uint64_t number)
{
	unsigned i = 0;

	while (i < c->graph.count && c->number[i] != number)
		i++;
	return i;
}

struct bb_feerate bb_pool_chunk_of(const struct bb_pool_cluster *c, unsigned position)
{
	unsigned i = 0;

	while (c->graph.chunk_end[i] <= position)
		i++;
	return c->graph.chunk[i];
}

bool bb_pool_cluster_of(struct bb_pool_cluster *c, struct bb_store *s, uint64_t number)
{
	unsigned char key[8];
	const uint64_t id = get_number(s, BB_POOL_HOMES, bb_key64(key, number),
		"the store is damaged: a home in the mempool");

	if (!id)
		return false;
	return (bb_pool_cluster(c, s, id) && bb_pool_position(c, number) < c->graph.count) ||
	       bb_pool_damaged_cluster(s);
}

/* Relatives. */

static uint64_t above(const struct bb_cluster *g, unsigned at)
{
	uint64_t all = UINT64_C(1) << at;

	for (unsigned i = at + 1; i-- > 0;)
		if (all >> i & 1)
			all |= g->parents[i];
	return all;
}

static uint64_t below(const struct bb_cluster *g, unsigned at)
{
	uint64_t all = UINT64_C(1) << at;

	for (unsigned i = at + 1; i < g->count; i++)
		if (g->parents[i] & all)
			all |= UINT64_C(1) << i;
	return all;
}

static const uint64_t *relatives(size_t *count, struct bb_store *s, struct bb_arena *a,
	uint64_t number, uint64_t (*which)(const struct bb_cluster *g, unsigned at))
{
	struct bb_pool_cluster c;
	uint64_t left, *out;
	unsigned at;

	*count = 0;
	if (!bb_pool_cluster_of(&c, s, number)) {
		bb_pool_damaged_cluster(s);
		return NULL;
	}
	at = bb_pool_position(&c, number);
	left = which(&c.graph, at) & ~(UINT64_C(1) << at);
	if (!(out = bb_arena_alloc(a, BB_CLUSTER_MAX * sizeof(*out)))) {
		bb_store_no_memory(s);
		return NULL;
	}
	for (; left; left &= left - 1)
		out[(*count)++] = c.number[__builtin_ctzll(left)];
	return out;
}

const uint64_t *bb_pool_descendants(
	size_t *count, struct bb_store *s, struct bb_arena *a, uint64_t number)
{
	return relatives(count, s, a, number, below);
}

const uint64_t *bb_pool_ancestors(
	size_t *count, struct bb_store *s, struct bb_arena *a, uint64_t number)
{
	return relatives(count, s, a, number, above);
}

/* Chunks and totals. */

bool bb_pool_chunk(struct bb_pool_chunk *out, const struct bb_cursor *at)
{
	return bb_pool_chunk_parse(out, at->key, at->value) || bb_pool_damaged_chunk(at->store);
}

bool bb_pool_chunk_cluster(
	struct bb_pool_cluster *c, struct bb_store *s, const struct bb_pool_chunk *chunk)
{
	return (bb_pool_cluster(c, s, chunk->cluster) && chunk->first <= c->graph.count &&
		       chunk->count <= c->graph.count - chunk->first) ||
	       bb_pool_damaged_cluster(s);
}

void bb_pool_totals(struct bb_pool_totals *t, struct bb_store *s)
{
	struct bb_pool_counters c;

	bb_pool_get_counters(&c, s);
	*t = c.totals;
}

/* What leaves. */

int64_t bb_pool_now(const struct bb_pool *p)
{
	return p->now < 0 ? (int64_t)time(NULL) : p->now;
}

void bb_pool_free(struct bb_pool *p)
{
	bb_returned_free(&p->returned);
	bb_buf_free(&p->arrived);
}

static bool tell(struct bb_store *s, const uint64_t *numbers, size_t count,
	enum bb_removal reason, const unsigned char *by)
{
	const enum bb_event_kind kind = reason == BB_REMOVAL_REPLACED ? BB_EVENT_REPLACED
								      : BB_EVENT_REMOVED;
	struct bb_pool_entry e;

	for (size_t i = 0; i < count; i++) {
		if (!bb_pool_get(&e, s, numbers[i]))
			return bb_pool_damaged_tx(s);
		bb_event_put_tx(s, kind, e.txid, reason, by);
	}
	return !s->why;
}

static bool remove_in(struct bb_arena *a, struct bb_pool *p, const uint64_t *numbers,
	size_t count, bool descendants, enum bb_removal reason, const unsigned char *by)
{
	struct bb_change *c = bb_change_new(p->store, p->policy, a);
	const uint64_t *removed;
	size_t removed_count;

	if (!c)
		return bb_store_no_memory(p->store);
	for (size_t i = 0; i < count; i++)
		bb_change_remove(c, numbers[i], descendants);
	if (p->store->why)
		return false;
	removed = bb_change_removed(&removed_count, c);
	return removed_count ? tell(p->store, removed, removed_count, reason, by) &&
				       bb_change_apply(c)
			     : bb_pool_damaged_tx(p->store);
}

bool bb_pool_remove(struct bb_pool *p, const uint64_t *numbers, size_t count, bool descendants,
	enum bb_removal reason, const unsigned char *by)
{
	struct bb_arena a = {0};
	bool done;

	if (!count)
		return !p->store->why;
	done = remove_in(&a, p, numbers, count, descendants, reason, by);
	bb_arena_free(&a);
	return done;
}

/* Everything. */

/* Whoever follows is told that they are gone; not where there are so many that nothing else
 * would be left to tell. */
static void tell_all(struct bb_store *s)
{
	struct bb_cursor at;
	bool more;

	if (bb_store_count(s, BB_POOL_IDS) > BB_POOL_EVENTS_KEPT ||
		!bb_cursor_open(&at, s, BB_POOL_IDS))
		return;
	for (more = bb_cursor_first(&at); more; more = bb_cursor_next(&at)) {
		unsigned char txid[32];
		if (at.key.len != sizeof(txid))
			continue;
		memcpy(txid, at.key.data, sizeof(txid));
		bb_event_put_tx(s, BB_EVENT_REMOVED, txid, BB_REMOVAL_REORG, NULL);
	}
	bb_cursor_close(&at);
}

bool bb_pool_clear(struct bb_pool *p)
{
	static const enum bb_table tables[] = {BB_POOL_IDS, BB_POOL_TXS, BB_POOL_HOMES,
		BB_POOL_CLUSTERS, BB_POOL_CHUNKS, BB_POOL_SPENT, BB_POOL_SCRIPTS};
	static const unsigned char none[32] = {0};
	struct bb_store *s = p->store;
	struct bb_pool_counters c;
	struct bb_node tip;

	if (!bb_pool_get_counters(&c, s))
		return false;
	tell_all(s);
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		bb_store_empty(s, tables[i]);
	/* Numbers are not given again. */
	c.totals = (struct bb_pool_totals){0};
	bb_pool_put_counters(s, &c);
	bb_store_del(s, BB_POOL_META, BB_LIT("rate"));
	bb_pool_set_tip(s, bb_tree_tip(&tip, s) ? tip.id : none);
	return !s->why;
}

void bb_pool_tip(unsigned char id[32], struct bb_store *s)
{
	struct bb_span value;

	memset(id, 0, 32);
	if (!bb_store_get(&value, s, BB_POOL_META, BB_LIT("tip")))
		return;
	if (value.len == 32)
		memcpy(id, value.data, 32);
	else
		bb_store_set_why(s, "the store is damaged: the mempool's tip");
}

void bb_pool_set_tip(struct bb_store *s, const unsigned char id[32])
{
	bb_store_put(s, BB_POOL_META, BB_LIT("tip"), BB_SPAN(id, 32));
}
