#include "ledger/pool.h"

#include <time.h>

#include "ledger/change.h"
#include "ledger/poolrows.h"

enum {
	RATE_SIZE = 17,
	HALF_LIFE = 12 * 60 * 60, /* seconds (ROLLING_FEE_HALFLIFE) */
	OLD_AT_ONCE = 64,	  /* in one change */
};
static const double MAX_RATE = 4e18; /* satoshi per 1,000 vbytes */

static bool damaged(struct bb_store *s, const char *why)
{
	if (!s->why)
		s->why = why;
	return false;
}

static bool no_transaction(struct bb_store *s)
{
	return damaged(s, "the store is damaged: a transaction of the mempool");
}

static bool no_cluster(struct bb_store *s)
{
	return damaged(s, "the store is damaged: a cluster of the mempool");
}

static bool no_chunk(struct bb_store *s)
{
	return damaged(s, "the store is damaged: a chunk of the mempool");
}

/* A number in a table; 0: not there. */
static uint64_t get_number(
	struct bb_store *s, enum bb_table t, struct bb_span key, const char *why)
{
	struct bb_span value;

	if (!bb_store_get(&value, s, t, key))
		return 0;
	if (value.len == 8 && bb_le64(value.data))
		return bb_le64(value.data);
	damaged(s, why);
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
	return bb_pool_entry_parse(e, value) || no_transaction(s);
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
	       no_transaction(s);
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
		return no_transaction(s);
	if (o->vout >= count)
		return false;
	for (uint64_t i = 0; i <= o->vout && !r.bad; i++)
		out = read_output(&r);
	if (r.bad || !bb_money_range(out.value_sat))
		return no_transaction(s);
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

/* Clusters. */

bool bb_pool_cluster(struct bb_pool_cluster *c, struct bb_store *s, uint64_t id)
{
	unsigned char key[8];
	struct bb_span value;

	if (!bb_store_get(&value, s, BB_POOL_CLUSTERS, bb_key64(key, id)))
		return false;
	c->id = id;
	return bb_pool_cluster_parse(c, value) || no_cluster(s);
}

unsigned bb_pool_position(const struct bb_pool_cluster *c, uint64_t number)
{
	unsigned i = 0;

	while (i < c->graph.count && c->number[i] != number)
		i++;
	return i;
}

bool bb_pool_cluster_of(struct bb_pool_cluster *c, struct bb_store *s, uint64_t number)
{
	unsigned char key[8];
	const uint64_t id = get_number(s, BB_POOL_HOMES, bb_key64(key, number),
		"the store is damaged: a home in the mempool");

	if (!id)
		return false;
	return (bb_pool_cluster(c, s, id) && bb_pool_position(c, number) < c->graph.count) ||
	       no_cluster(s);
}

bool bb_pool_chunk(struct bb_pool_chunk *out, const struct bb_cursor *at)
{
	return bb_pool_chunk_parse(out, at->key, at->value) || no_chunk(at->store);
}

void bb_pool_totals(struct bb_pool_totals *t, struct bb_store *s)
{
	struct bb_pool_counters c;

	bb_pool_get_counters(&c, s);
	*t = c.totals;
}

/* The minimum. */

struct minimum {
	double rate;   /* satoshi per 1,000 vbytes, as of `since` */
	int64_t since; /* seconds since 1970 */
	bool falls;    /* a block came after it was raised */
};

static bool get_minimum(struct minimum *m, struct bb_store *s)
{
	struct bb_span value;
	uint64_t bits;

	*m = (struct minimum){0};
	if (!bb_store_get(&value, s, BB_POOL_META, BB_LIT("rate")))
		return !s->why;
	if (value.len != RATE_SIZE || value.data[16] > 1)
		return damaged(s, "the store is damaged: the mempool's minimum");
	bits = bb_le64(value.data);
	memcpy(&m->rate, &bits, sizeof(bits));
	m->since = (int64_t)bb_le64(value.data + 8);
	m->falls = value.data[16];
	if (!(m->rate >= 0 && m->rate <= MAX_RATE) || m->since < 0)
		return damaged(s, "the store is damaged: the mempool's minimum");
	return true;
}

static void put_minimum(struct bb_store *s, const struct minimum *m)
{
	unsigned char value[RATE_SIZE];
	uint64_t bits;

	memcpy(&bits, &m->rate, sizeof(bits));
	bb_set_le64(value, bits);
	bb_set_le64(value + 8, (uint64_t)m->since);
	value[16] = m->falls;
	bb_store_put(s, BB_POOL_META, BB_LIT("rate"), BB_SPAN(value, sizeof(value)));
}

/* Divided by 2^(seconds / HALF_LIFE), by the bits of what remains of a half life: the same on
 * every machine, which a library's pow is not. */
static double halved(double rate, uint64_t seconds)
{
	/* 2^(-2^i / HALF_LIFE) */
	static const double by[] = {0x1.fffde59ef9067p-1, 0x1.fffbcb40282aep-1,
		0x1.fff7968928c46p-1, 0x1.ffef2d35b2f8ep-1, 0x1.ffde5af8e95edp-1,
		0x1.ffbcb827cdd89p-1, 0x1.ff797926f35b2p-1, 0x1.fef315a69fd6dp-1,
		0x1.fde6b88b00820p-1, 0x1.fbcfa4e46f68fp-1, 0x1.f7a80fc67275bp-1,
		0x1.ef72ee29459cdp-1, 0x1.df6ed44e4ac39p-1, 0x1.c0eff73c0f90fp-1,
		0x1.89a46120e3b2bp-1, 0x1.2ea50de1c90c2p-1};
	uint64_t whole = seconds / HALF_LIFE;
	const unsigned rest = (unsigned)(seconds % HALF_LIFE);

	if (whole > 64)
		return 0;
	while (whole--)
		rate /= 2;
	for (unsigned i = 0; i < sizeof(by) / sizeof(*by); i++)
		if (rest >> i & 1)
			rate *= by[i];
	return rate;
}

/* It falls the faster the more room there is. */
static unsigned haste(uint64_t usage, uint64_t limit)
{
	if (usage < limit / 4)
		return 4;
	return usage < limit / 2 ? 2 : 1;
}

/* GetMinFee's decay, with `usage` of the mempool. False: it is as it was. */
static bool fall(struct minimum *m, const struct bb_policy *p, uint64_t usage, int64_t now)
{
	uint64_t seconds;

	if (!m->falls || m->rate <= 0 || now < m->since || now - m->since <= 10)
		return false;
	seconds = (uint64_t)(now - m->since);
	if (seconds > 64 * HALF_LIFE)
		seconds = 64 * HALF_LIFE;
	m->rate = halved(m->rate, seconds * haste(usage, (uint64_t)p->pool_bytes));
	m->since = now;
	if (m->rate < (double)p->incremental_rate / 2)
		m->rate = 0;
	return true;
}

int64_t bb_pool_min_rate(struct bb_store *s, const struct bb_policy *p, int64_t now)
{
	struct bb_pool_totals t;
	struct minimum m;
	int64_t rate;

	bb_pool_totals(&t, s);
	if (!get_minimum(&m, s))
		return 0;
	fall(&m, p, t.usage, now);
	rate = (int64_t)(m.rate + 0.5);
	if (m.falls && m.rate > 0 && rate < p->incremental_rate)
		return p->incremental_rate;
	return rate;
}

/* What paid that rate was evicted (trackPackageRemoved). */
static void raise_minimum(
	struct minimum *m, const struct bb_policy *p, struct bb_feerate evicted)
{
	const int64_t vsize = (evicted.size + BB_WITNESS_SCALE - 1) / BB_WITNESS_SCALE;
	const unsigned __int128 kvb = (unsigned __int128)(uint64_t)evicted.fee_sat * 1000;
	double rate = (double)(kvb / (uint64_t)vsize + (uint64_t)p->incremental_rate);

	rate = rate < MAX_RATE ? rate : MAX_RATE;
	if (rate > m->rate) {
		m->rate = rate;
		m->falls = false;
	}
}

void bb_pool_relax(struct bb_pool *p)
{
	struct bb_pool_totals t;
	struct minimum m;

	bb_pool_totals(&t, p->store);
	if (!get_minimum(&m, p->store) || m.rate <= 0)
		return;
	/* What fell until now has fallen: there may have been nobody to look at it. */
	fall(&m, p->policy, t.usage, bb_pool_now(p));
	m.since = bb_pool_now(p);
	m.falls = true;
	put_minimum(p->store, &m);
}

/* What leaves. */

int64_t bb_pool_now(const struct bb_pool *p)
{
	return p->now < 0 ? (int64_t)time(NULL) : p->now;
}

void bb_pool_free(struct bb_pool *p)
{
	bb_arena_free(&p->arena);
	bb_buf_free(&p->returned);
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
			return no_transaction(s);
		bb_event_put_tx(s, kind, e.txid, reason, by);
	}
	return !s->why;
}

/* One change, in an arena of its own: whoever calls may have things in p->arena. */
static bool remove_in(struct bb_arena *a, struct bb_pool *p, const uint64_t *numbers,
	size_t count, bool descendants, enum bb_removal reason, const unsigned char *by)
{
	struct bb_change *c = bb_change_new(p->store, p->policy, a);
	const uint64_t *removed;
	size_t removed_count;

	if (!c)
		return damaged(p->store, "out of memory");
	for (size_t i = 0; i < count; i++)
		bb_change_remove(c, numbers[i], descendants);
	if (p->store->why)
		return false;
	removed = bb_change_removed(&removed_count, c);
	return removed_count ? tell(p->store, removed, removed_count, reason, by) &&
				       bb_change_apply(c)
			     : no_transaction(p->store);
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

/* Those that arrived first, as long as they came before `time`: numbers rise with it. */
static size_t find_old(uint64_t numbers[OLD_AT_ONCE], struct bb_store *s, int64_t time)
{
	struct bb_pool_entry e;
	struct bb_cursor at;
	size_t count = 0;
	bool more;

	if (!bb_cursor_open(&at, s, BB_POOL_TXS))
		return 0;
	for (more = bb_cursor_first(&at); more && count < OLD_AT_ONCE;
		more = bb_cursor_next(&at)) {
		if (at.key.len != 8 || !bb_pool_entry_parse(&e, at.value)) {
			no_transaction(s);
			break;
		}
		if (e.time >= time)
			break;
		numbers[count++] = bb_be64(at.key.data);
	}
	bb_cursor_close(&at);
	return count;
}

/* Expire. */
static bool expire(struct bb_pool *p, int64_t now)
{
	uint64_t numbers[OLD_AT_ONCE];
	size_t count;

	while ((count = find_old(numbers, p->store, now - p->policy->expiry)))
		if (!bb_pool_remove(p, numbers, count, true, BB_REMOVAL_EXPIRY, NULL))
			return false;
	return !p->store->why;
}

/* The worst chunk of all, which is its cluster's last. */
static bool find_worst(struct bb_pool_chunk *k, struct bb_pool_cluster *c, struct bb_store *s)
{
	struct bb_cursor at;
	bool found;

	if (!bb_cursor_open(&at, s, BB_POOL_CHUNKS))
		return false;
	found = bb_cursor_last(&at) && bb_pool_chunk(k, &at);
	bb_cursor_close(&at);
	if (!found)
		return no_chunk(s);
	return (bb_pool_cluster(c, s, k->cluster) && c->graph.count == k->first + k->count) ||
	       no_cluster(s);
}

/* TrimToSize. */
static bool trim(struct minimum *m, struct bb_pool *p)
{
	struct bb_pool_cluster c;
	struct bb_pool_totals t;
	struct bb_pool_chunk k;

	for (;;) {
		bb_pool_totals(&t, p->store);
		if (p->store->why)
			return false;
		if (!t.count || t.usage <= (uint64_t)p->policy->pool_bytes)
			return true;
		if (!find_worst(&k, &c, p->store))
			return false;
		raise_minimum(m, p->policy, k.rate);
		if (!bb_pool_remove(
			    p, c.number + k.first, k.count, false, BB_REMOVAL_SIZELIMIT, NULL))
			return false;
	}
}

bool bb_pool_limit(struct bb_pool *p)
{
	const int64_t now = bb_pool_now(p);
	struct bb_pool_totals t;
	struct minimum m;
	double before;
	bool fell;

	if (!expire(p, now) || !get_minimum(&m, p->store))
		return false;
	bb_pool_totals(&t, p->store);
	fell = fall(&m, p->policy, t.usage, now);
	before = m.rate;
	if (!trim(&m, p))
		return false;
	if (fell || m.rate > before)
		put_minimum(p->store, &m);
	return !p->store->why;
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
		BB_POOL_CLUSTERS, BB_POOL_CHUNKS, BB_POOL_SPENT};
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
		damaged(s, "the store is damaged: the mempool's tip");
}

void bb_pool_set_tip(struct bb_store *s, const unsigned char id[32])
{
	bb_store_put(s, BB_POOL_META, BB_LIT("tip"), BB_SPAN(id, 32));
}
