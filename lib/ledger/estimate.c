#include "ledger/estimate.h"

#include "ledger/blocktemplate.h"

enum {
	KEY_SIZE = 12,	  /* BE32 height, BE64 number */
	VALUE_SIZE = 16,  /* LE64 fee, LE32 adjusted weight, LE32 blocks waited */
	STEPS = 512,	  /* of 5 %: the last is far beyond the supply */
	GROUP = 20,	  /* transactions that must have paid about as much */
	ENOUGH = 85,	  /* percent of them, mined in time */
	LEAST_SPAN = 144, /* blocks that are looked back on */
};

/* What was seen. */

static struct bb_span wait_key(unsigned char key[KEY_SIZE], uint32_t height, uint64_t number)
{
	bb_set_be32(key, height);
	bb_key64(key + 4, number);
	return BB_SPAN(key, KEY_SIZE);
}

/* Before one of that height: what is too old. */
static void forget_old(struct bb_store *s, int32_t height)
{
	struct bb_cursor at;

	if (!bb_cursor_open(&at, s, BB_POOL_WAITS))
		return;
	while (bb_cursor_first(&at) &&
		(at.key.len != KEY_SIZE ||
			(int64_t)bb_be32(at.key.data) + BB_WAITS_KEPT <= height) &&
		bb_cursor_del(&at, at.key))
		;
	bb_cursor_close(&at);
}

/* Does it wait alone? What others depend on, or what depends on others, is not mined for what
 * it pays itself. */
static bool is_alone(struct bb_store *s, uint64_t number)
{
	struct bb_pool_cluster c;

	return !bb_pool_cluster_of(&c, s, number) || c.graph.count == 1;
}

void bb_estimate_mined(struct bb_pool *p, const struct bb_pool_entry *e, int32_t height)
{
	unsigned char key[KEY_SIZE], value[VALUE_SIZE];

	if (height <= e->height || !is_alone(p->store, e->number))
		return;
	forget_old(p->store, height);
	bb_set_le64(value, (uint64_t)e->fee_sat);
	bb_set_le32(value + 8, e->adjusted_weight);
	bb_set_le32(value + 12, (uint32_t)height - (uint32_t)e->height);
	bb_store_put(p->store, BB_POOL_WAITS, wait_key(key, (uint32_t)height, e->number),
		BB_SPAN(value, VALUE_SIZE));
}

/* Satoshi per 1,000 vbytes, of a fee and an adjusted weight. */
static int64_t rate_of(struct bb_feerate chunk)
{
	return (int64_t)((__int128)chunk.fee_sat * 1000 / bb_vsize(chunk.size));
}

/* How long who paid how much had to wait. */

struct history {
	int64_t step[STEPS]; /* satoshi per 1,000 vbytes */
	uint32_t seen[STEPS], in_time[STEPS];
};

/* Whole satoshi first, then by a twentieth. */
static void set_steps(struct history *h)
{
	int64_t rate = 1;

	for (unsigned i = 1; i < STEPS; i++) {
		h->step[i] = rate;
		rate += rate < INT64_MAX / 2 ? (rate + 19) / 20 : 0;
	}
}

static void count(struct history *h, int64_t fee_sat, uint32_t weight, bool in_time)
{
	unsigned low = 0, high = STEPS;
	int64_t rate;

	if (!weight || !bb_money_range(fee_sat))
		return;
	rate = rate_of((struct bb_feerate){fee_sat, weight});
	while (high - low > 1) { /* step[low] <= rate < step[high] */
		const unsigned middle = (low + high) / 2;
		if (h->step[middle] <= rate)
			low = middle;
		else
			high = middle;
	}
	h->seen[low]++;
	h->in_time[low] += in_time;
}

/* Those mined in the last blocks. */
static void count_mined(struct history *h, struct bb_store *s, int32_t height, int target)
{
	const int64_t span = target * 6 < LEAST_SPAN ? LEAST_SPAN : (int64_t)target * 6;
	unsigned char key[KEY_SIZE];
	struct bb_cursor at;
	bool more;

	if (!bb_cursor_open(&at, s, BB_POOL_WAITS))
		return;
	more = bb_cursor_seek(
		&at, wait_key(key, height >= span ? (uint32_t)(height - span + 1) : 0, 0));
	for (; more && !s->why; more = bb_cursor_next(&at)) {
		if (at.key.len != KEY_SIZE || at.value.len != VALUE_SIZE)
			bb_store_set_why(s, "the store is damaged: how long one had waited");
		else
			count(h, (int64_t)bb_le64(at.value.data), bb_le32(at.value.data + 8),
				bb_le32(at.value.data + 12) <= (uint32_t)target);
	}
	bb_cursor_close(&at);
}

/* Those that wait for longer than that by now: arrivals rise with their numbers. */
static void count_waiting(struct history *h, struct bb_store *s, int32_t height, int target)
{
	struct bb_pool_entry e;
	struct bb_cursor at;
	bool more;

	if (!bb_cursor_open(&at, s, BB_POOL_TXS))
		return;
	for (more = bb_cursor_first(&at); more && !s->why; more = bb_cursor_next(&at)) {
		if (at.key.len != 8 || !bb_pool_get(&e, s, bb_be64(at.key.data)) ||
			(int64_t)e.height + target > height)
			break;
		if (is_alone(s, e.number))
			count(h, e.fee_sat, e.adjusted_weight, false);
	}
	bb_cursor_close(&at);
}

/* The step that the middle one of those from `low` below `high` stands on. */
static int64_t median(const struct history *h, unsigned low, unsigned high, uint64_t total)
{
	uint64_t below = 0;
	unsigned i = low;

	while (i + 1 < high && 2 * (below += h->seen[i]) < total)
		i++;
	return h->step[i];
}

/* Down from the highest rate, in groups of steps that hold enough: the last of which enough
 * made it, before the first that did not. Its rate, or 0; *seen so many. */
static int64_t sufficient(uint64_t *seen, const struct history *h)
{
	uint64_t total = 0, in_time = 0;
	unsigned top = STEPS;
	int64_t rate = 0;

	*seen = 0;
	for (unsigned i = STEPS; i--;) {
		total += h->seen[i];
		in_time += h->in_time[i];
		if (total < GROUP)
			continue;
		if (in_time * 100 < total * ENOUGH)
			break;
		rate = median(h, i, top, total);
		*seen += total;
		total = in_time = 0;
		top = i;
	}
	return rate;
}

static int64_t rate_by_history(uint64_t *seen, struct bb_store *s, int target)
{
	struct history h = {0};
	struct bb_node tip;

	*seen = 0;
	if (!bb_tree_tip(&tip, s))
		return 0;
	set_steps(&h);
	count_mined(&h, s, tip.height, target);
	count_waiting(&h, s, tip.height, target);
	return sufficient(seen, &h);
}

/* Who waits now. */

/* Walk the chunks, the best first, until the rate is below `least` or the weight is gone
 * through; *rate is then that of the chunk it ended in, else 0. Gives the weight of what was
 * met. */
static uint64_t walk(int64_t *rate, struct bb_store *s, int64_t least, uint64_t weight)
{
	struct bb_pool_chunk k;
	struct bb_cursor at;
	uint64_t sum = 0;
	bool more;

	*rate = 0;
	if (!bb_cursor_open(&at, s, BB_POOL_CHUNKS))
		return 0;
	for (more = bb_cursor_first(&at); more && bb_pool_chunk(&k, &at);
		more = bb_cursor_next(&at)) {
		if (rate_of(k.rate) < least)
			break;
		if ((sum += (uint64_t)k.rate.size) > weight) {
			*rate = rate_of(k.rate);
			break;
		}
	}
	bb_cursor_close(&at);
	return sum;
}

/* Just more than what is the last to find room in so many blocks; 0 where all do. */
static int64_t rate_by_pool(struct bb_store *s, int target)
{
	const uint64_t block = BB_MAX_BLOCK_WEIGHT - BB_TEMPLATE_RESERVED_WEIGHT;
	int64_t rate;

	walk(&rate, s, 0, block * (uint64_t)target);
	return rate ? rate + 1 : 0;
}

void bb_estimate_rate(struct bb_fee_estimate *out, struct bb_store *s,
	const struct bb_policy *p, int target, int64_t now)
{
	const int64_t history = rate_by_history(&out->seen, s, target);
	const int64_t pool = rate_by_pool(s, target);
	int64_t ended;

	out->basis = BB_FEE_MINIMUM;
	out->rate_sat_kvb = bb_pool_least_rate(s, p, now);
	if (history > out->rate_sat_kvb) {
		out->basis = BB_FEE_HISTORY;
		out->rate_sat_kvb = history;
	}
	if (pool > out->rate_sat_kvb) {
		out->basis = BB_FEE_MEMPOOL;
		out->rate_sat_kvb = pool;
	}
	out->ahead = (uint64_t)bb_vsize(
		(int64_t)walk(&ended, s, out->rate_sat_kvb, UINT64_MAX));
}
