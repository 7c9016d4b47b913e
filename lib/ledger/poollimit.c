/* The mempool within its limits: who is too old or pays too little leaves, and what entering
 * costs then (CTxMemPool::Expire, TrimToSize, GetMinFee). */

#include "ledger/poolrows.h"

enum {
	RATE_SIZE = 17,
	HALF_LIFE = 12 * 60 * 60, /* seconds (ROLLING_FEE_HALFLIFE) */
	OLD_AT_ONCE = 64,	  /* in one change */
};
static const double MAX_RATE = 4e18; /* satoshi per 1,000 vbytes */

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
		return bb_store_set_why(s, "the store is damaged: the mempool's minimum");
	bits = bb_le64(value.data);
	memcpy(&m->rate, &bits, sizeof(bits));
	m->since = (int64_t)bb_le64(value.data + 8);
	m->falls = value.data[16];
	if (!(m->rate >= 0 && m->rate <= MAX_RATE) || m->since < 0)
		return bb_store_set_why(s, "the store is damaged: the mempool's minimum");
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

int64_t bb_pool_least_rate(struct bb_store *s, const struct bb_policy *p, int64_t now)
{
	const int64_t rate = bb_pool_min_rate(s, p, now);

	return rate > p->min_relay_rate ? rate : p->min_relay_rate;
}

/* What paid that rate was evicted (trackPackageRemoved). */
static void raise_minimum(
	struct minimum *m, const struct bb_policy *p, struct bb_feerate evicted)
{
	const int64_t vsize = bb_vsize(evicted.size);
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

/* Who leaves. */

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
			bb_pool_damaged_tx(s);
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
		return bb_pool_damaged_chunk(s);
	return (bb_pool_cluster(c, s, k->cluster) && c->graph.count == k->first + k->count) ||
	       bb_pool_damaged_cluster(s);
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
