#include "ledger/orphantx.h"

#include <string.h>

enum { HEAD = 8 + 8, AGE_KEY = 7 + 8, TOTALS = 8 + 8 + 8 };

static const char damaged[] = "the store is damaged: a transaction without its parents";

static bool none(struct bb_store *s)
{
	return !bb_store_count(s, BB_POOL_ORPHANS);
}

/* Counters. */

struct totals {
	uint64_t age, bytes, score;
};

uint64_t bb_orphantx_score(const struct bb_tx *tx)
{
	return 1 + tx->in_count / 10;
}

static struct totals get_totals(struct bb_store *s)
{
	struct totals t = {0};
	struct bb_span v;

	if (!bb_store_get(&v, s, BB_POOL_META, BB_LIT("orphans")))
		return t;
	if (v.len == TOTALS) {
		t.age = bb_le64(v.data);
		t.bytes = bb_le64(v.data + 8);
		t.score = bb_le64(v.data + 16);
	} else {
		bb_store_set_why(s, damaged);
	}
	return t;
}

static void put_totals(struct bb_store *s, struct totals t)
{
	unsigned char v[TOTALS];

	bb_set_le64(v, t.age);
	bb_set_le64(v + 8, t.bytes);
	bb_set_le64(v + 16, t.score);
	bb_store_put(s, BB_POOL_META, BB_LIT("orphans"), BB_SPAN(v, sizeof(v)));
}

static struct bb_span age_key(unsigned char key[AGE_KEY], uint64_t age)
{
	memcpy(key, "orphan-", 7);
	bb_key64(key + 7, age);
	return BB_SPAN(key, AGE_KEY);
}

/* Rows. */

/* A row for each transaction that it spends from; `put` false: away with them. */
static void want(
	struct bb_store *s, const struct bb_tx *tx, const unsigned char wtxid[32], bool put)
{
	unsigned char key[64];

	memcpy(key + 32, wtxid, 32);
	for (size_t i = 0; i < tx->in_count; i++) {
		memcpy(key, tx->in[i].prevout.txid, 32);
		if (put)
			bb_store_put(
				s, BB_POOL_WANTED, BB_SPAN(key, sizeof(key)), BB_SPAN("", 0));
		else
			bb_store_del(s, BB_POOL_WANTED, BB_SPAN(key, sizeof(key)));
	}
}

/* One that is kept. */
struct orphan {
	uint64_t age;
	int64_t time;
	struct bb_incoming_tx in;
};

/* In the arena. False: not there, or s->why. */
static bool load(
	struct orphan *o, struct bb_store *s, struct bb_arena *a, const unsigned char wtxid[32])
{
	struct bb_span v;

	if (!bb_store_get(&v, s, BB_POOL_ORPHANS, BB_SPAN(wtxid, 32)))
		return false;
	if (v.len < HEAD)
		return bb_store_set_why(s, damaged);
	o->age = bb_le64(v.data);
	o->time = (int64_t)bb_le64(v.data + 8);
	v = bb_arena_copy(a, BB_SPAN(v.data + HEAD, v.len - HEAD));
	if (!v.data)
		bb_store_no_memory(s);
	else if (!bb_incoming_tx_parse(&o->in, a, v) || memcmp(o->in.wtxid, wtxid, 32) != 0)
		bb_store_set_why(s, damaged);
	return !s->why;
}

static void drop(struct bb_store *s, const struct orphan *o)
{
	unsigned char key[AGE_KEY];
	struct totals t = get_totals(s);

	t.bytes -= o->in.bytes.len;
	t.score -= bb_orphantx_score(&o->in.tx);
	put_totals(s, t);
	want(s, &o->in.tx, o->in.wtxid, false);
	bb_store_del(s, BB_POOL_META, age_key(key, o->age));
	bb_store_del(s, BB_POOL_ORPHANS, BB_SPAN(o->in.wtxid, 32));
}

void bb_orphantx_drop(struct bb_pool *p, const unsigned char wtxid[32])
{
	struct bb_arena a = {0};
	struct orphan o;

	if (!none(p->store) && load(&o, p->store, &a, wtxid))
		drop(p->store, &o);
	bb_arena_free(&a);
}

/* Bounds. */

static bool oldest(struct orphan *o, struct bb_store *s, struct bb_arena *a)
{
	unsigned char key[AGE_KEY], wtxid[32];
	struct bb_cursor c;
	bool found;

	if (none(s) || !bb_cursor_open(&c, s, BB_POOL_META))
		return false;
	found = bb_cursor_seek(&c, age_key(key, 0)) && c.key.len == AGE_KEY &&
		memcmp(c.key.data, key, 7) == 0 && c.value.len == 32;
	if (found)
		memcpy(wtxid, c.value.data, 32);
	bb_cursor_close(&c);
	if (found && load(o, s, a, wtxid))
		return true;
	return bb_store_set_why(s, damaged);
}

static bool must_go(
	struct bb_pool *p, const struct orphan *o, const struct bb_incoming_tx *next)
{
	const struct totals t = get_totals(p->store);

	return bb_pool_now(p) - o->time > BB_ORPHAN_TX_EXPIRY ||
	       t.score + bb_orphantx_score(&next->tx) > BB_ORPHAN_SCORE_MAX ||
	       t.bytes + next->bytes.len > BB_ORPHAN_TX_BYTES_MAX;
}

static void make_room(struct bb_pool *p, const struct bb_incoming_tx *next)
{
	struct bb_arena a = {0};
	struct orphan o;

	while (oldest(&o, p->store, &a) && must_go(p, &o, next)) {
		drop(p->store, &o);
		bb_arena_reset(&a);
	}
	bb_arena_free(&a);
}

void bb_orphantx_put(struct bb_pool *p, const struct bb_incoming_tx *in)
{
	unsigned char key[AGE_KEY];
	struct bb_store *s = p->store;
	struct bb_buf value = {0};
	struct totals t;

	if (bb_tx_weight(&in->tx) > BB_MAX_STANDARD_WEIGHT ||
		bb_store_has(s, BB_POOL_ORPHANS, BB_SPAN(in->wtxid, 32)))
		return;
	make_room(p, in);
	t = get_totals(s);
	t.age++;
	t.bytes += in->bytes.len;
	t.score += bb_orphantx_score(&in->tx);
	bb_put_le64(&value, t.age);
	bb_put_le64(&value, (uint64_t)bb_pool_now(p));
	bb_put(&value, in->bytes.data, in->bytes.len);
	if (value.failed) {
		bb_store_no_memory(s);
	} else {
		bb_store_put(s, BB_POOL_ORPHANS, BB_SPAN(in->wtxid, 32),
			BB_SPAN(value.data, value.len));
		bb_store_put(s, BB_POOL_META, age_key(key, t.age), BB_SPAN(in->wtxid, 32));
		want(s, &in->tx, in->wtxid, true);
		put_totals(s, t);
	}
	bb_buf_free(&value);
}

/* Adoption. */

/* The wtxids of those that spend from that transaction. */
static void who_waits(struct bb_buf *wtxids, struct bb_store *s, const unsigned char txid[32])
{
	struct bb_cursor c;
	bool more;

	wtxids->len = 0;
	if (!bb_cursor_open(&c, s, BB_POOL_WANTED))
		return;
	for (more = bb_cursor_seek(&c, BB_SPAN(txid, 32));
		more && c.key.len == 64 && memcmp(c.key.data, txid, 32) == 0;
		more = bb_cursor_next(&c))
		bb_put(wtxids, c.key.data + 32, 32);
	bb_cursor_close(&c);
	if (wtxids->failed)
		bb_store_no_memory(s);
}

/* Nobody is there to hear its verdict. */
static void judge(struct bb_pool *p, struct bb_arena *a, const unsigned char wtxid[32])
{
	struct bb_acceptance r;
	struct orphan o;

	bb_arena_reset(a);
	if (load(&o, p->store, a, wtxid) && bb_accept_tx(&r, p, a, &o.in, BB_ACCEPT_ADD) &&
		r.outcome != BB_OUTCOME_ORPHAN)
		drop(p->store, &o);
}

bool bb_orphantx_adopt(struct bb_pool *p)
{
	struct bb_store *s = p->store;
	struct bb_buf wtxids = {0};
	struct bb_arena a = {0};
	unsigned char txid[32];

	if (p->arrived.failed)
		bb_store_no_memory(s);
	/* Those that are adopted arrive in turn. */
	for (size_t at = 0; at < p->arrived.len && !s->why && !none(s); at += 32) {
		memcpy(txid, p->arrived.data + at, 32);
		who_waits(&wtxids, s, txid);
		for (size_t i = 0; i < wtxids.len && !s->why; i += 32)
			judge(p, &a, wtxids.data + i);
	}
	p->arrived.len = 0;
	bb_buf_free(&wtxids);
	bb_arena_free(&a);
	return !s->why;
}

/* Blocks. */

/* Those that spend that output, too. */
static void drop_rivals(struct bb_store *s, struct bb_arena *a, const struct bb_buf *wtxids,
	const struct bb_outpoint *spent)
{
	struct orphan o;

	for (size_t i = 0; i < wtxids->len && !s->why; i += 32) {
		bb_arena_reset(a);
		if (load(&o, s, a, wtxids->data + i) && bb_tx_spends(&o.in.tx, spent))
			drop(s, &o);
	}
}

void bb_orphantx_mined(struct bb_pool *p, const struct bb_block *block)
{
	struct bb_store *s = p->store;
	struct bb_buf wtxids = {0};
	struct bb_arena a = {0};

	for (size_t i = 0; i < block->tx_count && !none(s) && !s->why; i++) {
		const struct bb_tx *tx = &block->tx[i];
		who_waits(&wtxids, s, block->txid[i]);
		if (wtxids.len)
			bb_put(&p->arrived, block->txid[i], 32);
		for (size_t k = 0; k < tx->in_count && !s->why; k++) {
			who_waits(&wtxids, s, tx->in[k].prevout.txid);
			drop_rivals(s, &a, &wtxids, &tx->in[k].prevout);
		}
	}
	bb_buf_free(&wtxids);
	bb_arena_free(&a);
}
