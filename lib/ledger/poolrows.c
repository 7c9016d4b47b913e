#include "ledger/poolrows.h"

#include "bitcoin/script.h"
#include "ledger/rows.h"

enum {
	ENTRY_HEAD = 105, /* before the scripts and the bytes */
	CLUSTER_HEAD = 8,
	CLUSTER_TX = 28,
	COUNTERS_SIZE = 40,
};

static bool no_counters(struct bb_store *s)
{
	return bb_store_set_why(s, "the store is damaged: the mempool's totals");
}

bool bb_pool_damaged_tx(struct bb_store *s)
{
	return bb_store_set_why(s, "the store is damaged: a transaction of the mempool");
}

bool bb_pool_damaged_cluster(struct bb_store *s)
{
	return bb_store_set_why(s, "the store is damaged: a cluster of the mempool");
}

bool bb_pool_damaged_chunk(struct bb_store *s)
{
	return bb_store_set_why(s, "the store is damaged: a chunk of the mempool");
}

static void put_number(struct bb_store *s, enum bb_table t, struct bb_span key, uint64_t number)
{
	unsigned char value[8];

	bb_set_le64(value, number);
	bb_store_put(s, t, key, BB_SPAN(value, sizeof(value)));
}

/* Counters. */

bool bb_pool_get_counters(struct bb_pool_counters *c, struct bb_store *s)
{
	struct bb_span value;
	struct bb_reader r;

	*c = (struct bb_pool_counters){.next_number = 1};
	if (!bb_store_get(&value, s, BB_POOL_META, BB_LIT("totals")))
		return !s->why;
	r = bb_reader(value.data, value.len);
	c->totals.count = bb_get_le64(&r);
	c->totals.usage = bb_get_le64(&r);
	c->totals.vsize = bb_get_le64(&r);
	c->totals.fee_sat = (int64_t)bb_get_le64(&r);
	c->next_number = bb_get_le64(&r);
	if (r.bad || bb_left(&r) || c->totals.fee_sat < 0 || !c->next_number)
		return no_counters(s);
	return true;
}

void bb_pool_put_counters(struct bb_store *s, const struct bb_pool_counters *c)
{
	unsigned char value[COUNTERS_SIZE];

	bb_set_le64(value, c->totals.count);
	bb_set_le64(value + 8, c->totals.usage);
	bb_set_le64(value + 16, c->totals.vsize);
	bb_set_le64(value + 24, (uint64_t)c->totals.fee_sat);
	bb_set_le64(value + 32, c->next_number);
	bb_store_put(s, BB_POOL_META, BB_LIT("totals"), BB_SPAN(value, sizeof(value)));
}

uint64_t bb_pool_next_number(struct bb_store *s)
{
	struct bb_pool_counters c;

	return bb_pool_get_counters(&c, s) ? c.next_number : 0;
}

/* What an entry adds to them. */
static struct bb_pool_totals totals_of(const struct bb_pool_entry *e)
{
	return (struct bb_pool_totals){
		.count = 1,
		.usage = e->bytes.len + BB_POOL_OVERHEAD,
		.vsize = (uint64_t)bb_vsize(e->adjusted_weight),
		.fee_sat = e->fee_sat,
	};
}

static void count_in(struct bb_store *s, const struct bb_pool_entry *e)
{
	const struct bb_pool_totals add = totals_of(e);
	struct bb_pool_counters c;

	if (!bb_pool_get_counters(&c, s))
		return;
	c.totals.count += add.count;
	c.totals.usage += add.usage;
	c.totals.vsize += add.vsize;
	c.totals.fee_sat += add.fee_sat;
	if (c.next_number <= e->number)
		c.next_number = e->number + 1;
	bb_pool_put_counters(s, &c);
}

static void count_out(struct bb_store *s, const struct bb_pool_entry *e)
{
	const struct bb_pool_totals take = totals_of(e);
	struct bb_pool_counters c;

	if (!bb_pool_get_counters(&c, s))
		return;
	if (c.totals.count < take.count || c.totals.usage < take.usage ||
		c.totals.vsize < take.vsize || c.totals.fee_sat < take.fee_sat) {
		no_counters(s);
		return;
	}
	c.totals.count -= take.count;
	c.totals.usage -= take.usage;
	c.totals.vsize -= take.vsize;
	c.totals.fee_sat -= take.fee_sat;
	bb_pool_put_counters(s, &c);
}

/* Scripts. */

static void add_script(struct bb_buf *numbers, struct bb_span script)
{
	unsigned char prefix[8];
	uint64_t number;

	if (bb_script_is_unspendable(script))
		return;
	bb_script_prefix(prefix, script);
	number = bb_be64(prefix);
	bb_put(numbers, &number, sizeof(number));
}

void bb_pool_put_scripts(
	struct bb_buf *out, const struct bb_tx *tx, const struct bb_prevout *prevouts)
{
	uint64_t *numbers;
	size_t count;

	for (size_t i = 0; i < tx->out_count; i++)
		add_script(out, tx->out[i].script);
	for (size_t i = 0; i < tx->in_count; i++)
		add_script(out, prevouts[i].script);
	numbers = (uint64_t *)out->data;
	count = out->len / sizeof(*numbers);
	bb_pool_numbers_unique(numbers, &count);
	for (size_t i = 0; i < count; i++)
		bb_key64(out->data + i * sizeof(*numbers), numbers[i]);
	out->len = count * sizeof(*numbers);
}

/* Entries. */

static void put_entry_bytes(
	struct bb_buf *b, const struct bb_pool_entry *e, const struct bb_buf *scripts)
{
	bb_put(b, e->txid, 32);
	bb_put(b, e->wtxid, 32);
	bb_put_le64(b, (uint64_t)e->fee_sat);
	bb_put_le64(b, (uint64_t)e->time);
	bb_put_le32(b, (uint32_t)e->height);
	bb_put_le32(b, e->weight);
	bb_put_le32(b, e->adjusted_weight);
	bb_put_le32(b, e->sigops_cost);
	bb_put_le32(b, e->flags);
	bb_put_u8(b, e->may_lapse);
	bb_put_le32(b, (uint32_t)(scripts->len / 8));
	bb_put(b, scripts->data, scripts->len);
	bb_put(b, e->bytes.data, e->bytes.len);
}

bool bb_pool_entry_parse(struct bb_pool_entry *e, struct bb_span value)
{
	struct bb_reader r = bb_reader(value.data, value.len);
	uint8_t may_lapse;

	if (value.len <= ENTRY_HEAD)
		return false;
	memcpy(e->txid, bb_get_span(&r, 32).data, 32);
	memcpy(e->wtxid, bb_get_span(&r, 32).data, 32);
	e->fee_sat = (int64_t)bb_get_le64(&r);
	e->time = (int64_t)bb_get_le64(&r);
	e->height = (int32_t)bb_get_le32(&r);
	e->weight = bb_get_le32(&r);
	e->adjusted_weight = bb_get_le32(&r);
	e->sigops_cost = bb_get_le32(&r);
	e->flags = bb_get_le32(&r);
	may_lapse = bb_get_u8(&r);
	e->may_lapse = may_lapse;
	e->scripts = bb_get_span(&r, (size_t)bb_get_le32(&r) * 8);
	e->bytes = bb_get_span(&r, bb_left(&r));
	e->prevouts = NULL;
	return !r.bad && e->bytes.len && bb_money_range(e->fee_sat) && e->time >= 0 &&
	       e->height >= 0 && e->weight > 0 && e->adjusted_weight >= e->weight &&
	       may_lapse <= 1;
}

uint64_t bb_pool_read_start(struct bb_reader *r)
{
	uint64_t count;

	bb_get_le32(r);
	count = bb_get_compact(r);
	/* No inputs: the marker of BIP 144, and a flag. */
	if (!count && bb_get_u8(r) == 1)
		count = bb_get_compact(r);
	r->bad = r->bad || !count;
	return count;
}

struct bb_outpoint bb_pool_read_input(struct bb_reader *r)
{
	const struct bb_span txid = bb_get_span(r, 32);
	struct bb_outpoint o = {.vout = bb_get_le32(r)};

	if (txid.len)
		memcpy(o.txid, txid.data, 32);
	bb_get_span(r, bb_get_compact(r));
	bb_get_le32(r);
	return o;
}

void bb_pool_put_entry(
	struct bb_store *s, const struct bb_pool_entry *e, const struct bb_tx *tx)
{
	unsigned char key[8], outpoint[BB_OUTPOINT_MAX];
	struct bb_buf value = {0}, scripts = {0};

	bb_pool_put_scripts(&scripts, tx, e->prevouts);
	put_entry_bytes(&value, e, &scripts);
	if (scripts.failed || value.failed)
		bb_store_no_memory(s);
	bb_store_put(s, BB_POOL_TXS, bb_key64(key, e->number), BB_SPAN(value.data, value.len));
	for (size_t i = 0; i < scripts.len; i += 8)
		bb_store_put_script(s, scripts.data + i, e->number);
	bb_buf_free(&scripts);
	bb_buf_free(&value);
	put_number(s, BB_POOL_IDS, BB_SPAN(e->txid, 32), e->number);
	for (size_t i = 0; i < tx->in_count; i++)
		put_number(s, BB_POOL_SPENT, bb_outpoint_key(outpoint, &tx->in[i].prevout),
			e->number);
	count_in(s, e);
}

/* `bytes` are the caller's: writes take away what is borrowed from the store. */
static void del_spent(struct bb_store *s, struct bb_span bytes)
{
	struct bb_reader r = bb_reader(bytes.data, bytes.len);
	const uint64_t count = bb_pool_read_start(&r);
	unsigned char key[BB_OUTPOINT_MAX];

	for (uint64_t i = 0; i < count && !r.bad; i++) {
		const struct bb_outpoint o = bb_pool_read_input(&r);
		if (!r.bad)
			bb_store_del(s, BB_POOL_SPENT, bb_outpoint_key(key, &o));
	}
	if (r.bad)
		bb_pool_damaged_tx(s);
}

void bb_pool_del_entry(struct bb_store *s, uint64_t number)
{
	struct bb_buf bytes = {0};
	struct bb_pool_entry e;
	unsigned char key[8];

	if (!bb_pool_get(&e, s, number)) {
		bb_pool_damaged_tx(s);
		return;
	}
	for (size_t i = 0; i < e.scripts.len; i += 8)
		bb_store_del_script(s, e.scripts.data + i, number);
	bb_put(&bytes, e.bytes.data, e.bytes.len);
	if (bytes.failed)
		bb_store_no_memory(s);
	else
		del_spent(s, BB_SPAN(bytes.data, bytes.len));
	bb_buf_free(&bytes);
	bb_store_del(s, BB_POOL_IDS, BB_SPAN(e.txid, 32));
	bb_store_del(s, BB_POOL_HOMES, bb_key64(key, number));
	bb_store_del(s, BB_POOL_TXS, bb_key64(key, number));
	count_out(s, &e);
}

/* Clusters. */

static struct bb_span cluster_value(
	unsigned char value[CLUSTER_HEAD + BB_CLUSTER_MAX * CLUSTER_TX],
	const struct bb_pool_cluster *c)
{
	const struct bb_cluster *g = &c->graph;
	unsigned char *at = value + CLUSTER_HEAD;
	uint64_t ends = 0;

	for (unsigned i = 0; i < g->chunk_count; i++)
		ends |= UINT64_C(1) << (g->chunk_end[i] - 1);
	bb_set_le64(value, ends);
	for (unsigned i = 0; i < g->count; i++, at += CLUSTER_TX) {
		bb_set_le64(at, c->number[i]);
		bb_set_le64(at + 8, (uint64_t)g->tx[i].fee_sat);
		bb_set_le32(at + 16, (uint32_t)g->tx[i].size);
		bb_set_le64(at + 20, g->parents[i]);
	}
	return BB_SPAN(value, (size_t)(at - value));
}

/* Cut the order at these ends. */
static void cut(struct bb_cluster *g, uint64_t ends)
{
	struct bb_feerate sum = {0, 0};

	g->chunk_count = 0;
	for (unsigned i = 0; i < g->count; i++) {
		g->order[i] = (unsigned char)i;
		sum = bb_feerate_sum(sum, g->tx[i]);
		if (!(ends >> i & 1))
			continue;
		g->chunk_end[g->chunk_count] = (unsigned char)(i + 1);
		g->chunk[g->chunk_count++] = sum;
		sum = (struct bb_feerate){0, 0};
	}
}

bool bb_pool_cluster_parse(struct bb_pool_cluster *c, struct bb_span value)
{
	struct bb_reader r = bb_reader(value.data, value.len);
	const uint64_t ends = bb_get_le64(&r);
	struct bb_cluster *g = &c->graph;

	g->count = 0;
	while (bb_left(&r) >= CLUSTER_TX && g->count < BB_CLUSTER_MAX) {
		const unsigned i = g->count++;
		c->number[i] = bb_get_le64(&r);
		g->tx[i].fee_sat = (int64_t)bb_get_le64(&r);
		g->tx[i].size = bb_get_le32(&r);
		g->parents[i] = bb_get_le64(&r);
		/* Parents stand before their children, so none is its own ancestor. */
		if (!c->number[i] || !bb_money_range(g->tx[i].fee_sat) || g->tx[i].size < 1 ||
			g->parents[i] >> i)
			return false;
	}
	/* The last ends a chunk, and none behind it does. */
	if (r.bad || bb_left(&r) || !g->count || ends >> (g->count - 1) != 1)
		return false;
	cut(g, ends);
	return true;
}

struct bb_span bb_pool_chunk_key(
	unsigned char key[BB_POOL_CHUNK_KEY], const struct bb_pool_chunk *c)
{
	const unsigned __int128 rate = ((unsigned __int128)(uint64_t)c->rate.fee_sat << 64) /
				       (uint64_t)c->rate.size;

	bb_key64(key, ~(uint64_t)(rate >> 64));
	bb_key64(key + 8, ~(uint64_t)rate);
	bb_key64(key + 16, c->cluster);
	key[24] = (unsigned char)c->chunk;
	return BB_SPAN(key, BB_POOL_CHUNK_KEY);
}

bool bb_pool_chunk_parse(struct bb_pool_chunk *c, struct bb_span key, struct bb_span value)
{
	unsigned char expected[BB_POOL_CHUNK_KEY];

	if (key.len != BB_POOL_CHUNK_KEY || value.len != BB_POOL_CHUNK_VALUE)
		return false;
	c->rate.fee_sat = (int64_t)bb_le64(value.data);
	c->rate.size = bb_le32(value.data + 8);
	c->cluster = bb_be64(key.data + 16);
	c->chunk = key.data[24];
	c->first = value.data[12];
	c->count = value.data[13];
	return c->rate.fee_sat >= 0 && c->rate.fee_sat <= BB_CLUSTER_MAX * BB_MAX_MONEY &&
	       c->rate.size > 0 && c->cluster && c->chunk <= c->first && c->count &&
	       c->first + c->count <= BB_CLUSTER_MAX &&
	       bb_span_equal(key, bb_pool_chunk_key(expected, c));
}

/* A row of BB_POOL_CHUNKS. */
struct chunk_row {
	unsigned char key[BB_POOL_CHUNK_KEY], value[BB_POOL_CHUNK_VALUE];
};

static struct chunk_row chunk_row(const struct bb_pool_cluster *c, unsigned chunk)
{
	const struct bb_cluster *g = &c->graph;
	const unsigned first = chunk ? g->chunk_end[chunk - 1] : 0;
	const struct bb_pool_chunk k = {
		.rate = g->chunk[chunk], .cluster = c->id, .chunk = chunk};
	struct chunk_row row;

	bb_pool_chunk_key(row.key, &k);
	bb_set_le64(row.value, (uint64_t)k.rate.fee_sat);
	bb_set_le32(row.value + 8, (uint32_t)k.rate.size);
	row.value[12] = (unsigned char)first;
	row.value[13] = (unsigned char)(g->chunk_end[chunk] - first);
	return row;
}

/* From the rows of the one to those of the other; most stay as they are. */
static void write_chunks(struct bb_store *s, const struct bb_pool_cluster *old,
	const struct bb_pool_cluster *new)
{
	const unsigned before = old->graph.chunk_count, after = new->graph.chunk_count;
	struct chunk_row was, is;

	for (unsigned i = 0; i < before || i < after; i++) {
		if (i < before)
			was = chunk_row(old, i);
		if (i < after)
			is = chunk_row(new, i);
		if (i < before && i < after && memcmp(&was, &is, sizeof(is)) == 0)
			continue;
		if (i < before &&
			!bb_store_del(s, BB_POOL_CHUNKS, BB_SPAN(was.key, sizeof(was.key))))
			bb_pool_damaged_chunk(s);
		if (i < after)
			bb_store_put(s, BB_POOL_CHUNKS, BB_SPAN(is.key, sizeof(is.key)),
				BB_SPAN(is.value, sizeof(is.value)));
	}
}

/* What an id has now; nothing, where it is new. */
static bool standing(struct bb_pool_cluster *old, struct bb_store *s, uint64_t id)
{
	if (bb_pool_cluster(old, s, id))
		return true;
	old->graph.count = old->graph.chunk_count = 0;
	return !s->why;
}

static void write_homes(struct bb_store *s, const struct bb_pool_cluster *old,
	const struct bb_pool_cluster *new)
{
	unsigned char key[8];

	for (unsigned i = 0; i < new->graph.count; i++)
		if (bb_pool_position(old, new->number[i]) == old->graph.count)
			put_number(s, BB_POOL_HOMES, bb_key64(key, new->number[i]), new->id);
}

void bb_pool_put_cluster(struct bb_store *s, const struct bb_pool_cluster *c)
{
	unsigned char key[8], value[CLUSTER_HEAD + BB_CLUSTER_MAX * CLUSTER_TX];
	struct bb_pool_cluster old;

	if (!standing(&old, s, c->id))
		return;
	bb_store_put(s, BB_POOL_CLUSTERS, bb_key64(key, c->id), cluster_value(value, c));
	write_chunks(s, &old, c);
	write_homes(s, &old, c);
}

void bb_pool_del_cluster(struct bb_store *s, uint64_t id)
{
	static const struct bb_pool_cluster none = {0};
	struct bb_pool_cluster old;
	unsigned char key[8];

	if (!bb_pool_cluster(&old, s, id)) {
		bb_pool_damaged_cluster(s);
		return;
	}
	write_chunks(s, &old, &none);
	bb_store_del(s, BB_POOL_CLUSTERS, bb_key64(key, id));
}
