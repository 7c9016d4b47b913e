/* bb-chain mempool: what waits, in the order to mine it, and how much of it at which rate. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain_read.h"

/* The walk over all chunks, the best first; within a transaction. */

/* Call `visit` with each chunk; it, or a failure of the store, ends the walk by false. */
static void each_chunk(
	struct chain *c, bool (*visit)(void *arg, const struct bb_pool_chunk *chunk), void *arg)
{
	struct bb_pool_chunk chunk;
	struct bb_cursor at;
	bool more;

	if (!bb_cursor_open(&at, &c->store, BB_POOL_CHUNKS))
		return;
	for (more = bb_cursor_first(&at); more; more = bb_cursor_next(&at)) {
		const bool good = bb_pool_chunk(&chunk, &at) && chunk.rate.size > 0 &&
				  bb_money_range(chunk.rate.fee_sat);
		if (!good)
			bb_pool_damaged_chunk(&c->store);
		if (!good || !visit(arg, &chunk))
			break;
	}
	bb_cursor_close(&at);
}

/* Listed. */

/* All of it is one answer, out of one transaction: so much of it is gathered in memory, and
 * only beyond that is the transaction held while stdout takes it. */
enum { GATHERED = 64 << 20 };

struct listing {
	struct chain *chain;
	struct bb_node tip;
};

static bool list_chunk(void *arg, const struct bb_pool_chunk *chunk)
{
	struct listing *l = arg;
	struct chain *c = l->chain;
	struct bb_pool_cluster cluster;
	struct bb_pool_entry e;

	if (!bb_pool_chunk_cluster(&cluster, &c->store, chunk))
		return false;
	for (unsigned i = chunk->first; i < chunk->first + chunk->count; i++) {
		if (!bb_pool_get(&e, &c->store, cluster.number[i]) ||
			!chain_put_waiting(c, &e, chunk->rate, &l->tip))
			return bb_pool_damaged_tx(&c->store);
		bb_arena_reset(&c->arena);
		if (c->out.buf.len > GATHERED)
			bb_sink_flush(&c->out);
		if (c->out.error)
			return false;
	}
	return true;
}

static void list(struct chain *c)
{
	struct listing l = {.chain = c};

	if (bb_tree_tip(&l.tip, &c->store))
		each_chunk(c, list_chunk, &l);
}

/* Summed up. */

enum { BUCKETS = 40 };

struct bucket {
	int64_t from; /* satoshi per 1,000 vbytes */
	int64_t fee_sat;
	uint64_t count, vsize;
};

struct stats {
	struct bucket bucket[BUCKETS];
	size_t first, end; /* of those that hold anything */
	struct bb_pool_totals totals;
	uint64_t orphans;
	int64_t min_rate;
	struct bb_store *store;
};

/* 0, then 1 2 3 5 7 of each power of ten. */
static void set_edges(struct bucket bucket[BUCKETS])
{
	static const int64_t steps[] = {1, 2, 3, 5, 7};
	const size_t count = sizeof(steps) / sizeof(*steps);
	int64_t power = 1;

	for (size_t i = 1; i < BUCKETS; i++) {
		bucket[i].from = power * steps[(i - 1) % count];
		if (i % count == 0)
			power *= 10;
	}
}

/* Of each by itself, as all of them are summed up. */
static bool add_vsize(struct bucket *b, struct bb_store *s, const struct bb_pool_chunk *chunk)
{
	struct bb_pool_cluster k;

	if (chunk->count == 1) {
		b->vsize += (uint64_t)bb_vsize(chunk->rate.size);
		return true;
	}
	if (!bb_pool_chunk_cluster(&k, s, chunk))
		return false;
	for (unsigned i = chunk->first; i < chunk->first + chunk->count; i++)
		b->vsize += (uint64_t)bb_vsize(k.graph.tx[i].size);
	return true;
}

static bool add_chunk(void *arg, const struct bb_pool_chunk *chunk)
{
	struct stats *s = arg;
	const int64_t rate = chunk->rate.fee_sat * 1000 * BB_WITNESS_SCALE / chunk->rate.size;
	size_t i = BUCKETS - 1;

	while (i && s->bucket[i].from > rate)
		i--;
	s->bucket[i].count += chunk->count;
	s->bucket[i].fee_sat += chunk->rate.fee_sat;
	return add_vsize(&s->bucket[i], s->store, chunk);
}

static void add_up(struct stats *s, struct chain *c)
{
	set_edges(s->bucket);
	s->store = &c->store;
	s->first = BUCKETS;
	s->orphans = bb_store_count(&c->store, BB_POOL_ORPHANS);
	bb_pool_totals(&s->totals, &c->store);
	s->min_rate = bb_pool_least_rate(&c->store, &c->policy, chain_now(c));
	each_chunk(c, add_chunk, s);
	for (size_t i = 0; i < BUCKETS; i++)
		if (s->bucket[i].count) {
			s->first = s->first < i ? s->first : i;
			s->end = i + 1;
		}
}

static void put_stats(struct chain *c, const struct stats *s)
{
	struct bb_json_writer w = {.buf = &c->out.buf};

	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", "mempool");
	bb_json_member_i64(&w, "count", (int64_t)s->totals.count);
	bb_json_member_i64(&w, "vsize", (int64_t)s->totals.vsize);
	bb_json_member_i64(&w, "fee", s->totals.fee_sat);
	bb_json_member_i64(&w, "usage", (int64_t)s->totals.usage);
	bb_json_member_i64(&w, "max_usage", c->policy.pool_bytes);
	bb_json_member_i64(&w, "min_fee_rate", s->min_rate);
	bb_json_member_i64(&w, "orphans", (int64_t)s->orphans);
	bb_json_key(&w, "histogram");
	bb_json_open(&w, '[');
	for (size_t i = s->first; i < s->end; i++) {
		bb_json_open(&w, '{');
		bb_json_member_i64(&w, "from", s->bucket[i].from);
		bb_json_member_i64(&w, "count", (int64_t)s->bucket[i].count);
		bb_json_member_i64(&w, "vsize", (int64_t)s->bucket[i].vsize);
		bb_json_member_i64(&w, "fee", s->bucket[i].fee_sat);
		bb_json_close(&w, '}');
	}
	bb_json_close(&w, ']');
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

/* Drawn, the best rate on top. */

enum { BAR = 40 };

static void put_text(struct bb_buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void put_text(struct bb_buf *b, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	bb_put_str(b, text);
}

/* Satoshi per vbyte, as people say it. */
static double per_vbyte(int64_t rate)
{
	return (double)rate / 1000;
}

static void draw_bucket(struct bb_buf *b, const struct bucket *k, uint64_t most)
{
	const double share = most ? (double)k->vsize / (double)most : 0;
	char bar[2 + BAR + 1] = "  ";

	memset(bar + 2, '=', (size_t)(share * BAR + 0.5));
	if (!bar[2])
		bar[0] = '\0';
	put_text(b, "%12.10g %12" PRIu64 " %9" PRIu64 "%s\n", per_vbyte(k->from), k->vsize,
		k->count, bar);
}

static void draw_stats(struct chain *c, const struct stats *s)
{
	const struct bb_pool_totals *t = &s->totals;
	struct bb_buf *b = &c->out.buf;
	uint64_t most = 0;

	for (size_t i = s->first; i < s->end; i++)
		if (s->bucket[i].vsize > most)
			most = s->bucket[i].vsize;
	put_text(b,
		"%" PRIu64 " waiting, %" PRIu64 " vbytes, %" PRId64 " sat in fees; "
		"%.1f of %.0f MB; %g sat/vB to enter\n",
		t->count, t->vsize, t->fee_sat, (double)t->usage / 1e6,
		(double)c->policy.pool_bytes / 1e6, per_vbyte(s->min_rate));
	if (s->first < s->end)
		put_text(b, "%12s %12s %9s\n", "from sat/vB", "vbytes", "count");
	for (size_t i = s->end; i > s->first; i--)
		draw_bucket(b, &s->bucket[i - 1], most);
}

static void sum_up(struct chain *c)
{
	struct stats s = {0};

	add_up(&s, c);
	if (c->store.why)
		return;
	if (isatty(c->out.fd))
		draw_stats(c, &s);
	else
		put_stats(c, &s);
}

int chain_mempool(struct chain *c)
{
	chain_open(c, BB_STORE_READ);
	if (bb_store_begin(&c->store) && !chain_empty(c)) {
		if (c->stats)
			sum_up(c);
		else
			list(c);
	}
	bb_store_end(&c->store);
	chain_failed(c);
	return chain_end(c);
}
