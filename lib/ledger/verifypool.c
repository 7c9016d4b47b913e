#include "ledger/verifypool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "ledger/orphantx.h"
#include "ledger/poolrows.h"
#include "ledger/verify_inside.h"

enum { LINES_MAX = 100 }; /* one wrong row leads to many: the rest is counted */

struct check {
	struct bb_verify *v;
	struct bb_store *s;
	const struct bb_network *n;
	struct bb_node tip;
	struct bb_arena arena;
	uint64_t found; /* here */

	struct bb_pool_totals due;		     /* by the transactions */
	uint64_t last_number, inputs, scripts;	     /* of them */
	uint64_t members, chunks;		     /* in clusters */
	uint64_t orphan_bytes, orphan_score, wanted; /* by those that wait for parents */
	uint64_t last_age, ages, orphans;	     /* and noted of them */
};

/* Reports. */

/* May it be told? */
static bool tell(struct check *c)
{
	if (++c->found > LINES_MAX)
		c->v->found++;
	return c->found <= LINES_MAX;
}

/* What is held of a thing; if it does not, or a look-up on the way met damage, say so. */
static bool holds(const char **why, struct check *c, bool good, const char *otherwise)
{
	const char *damage = bb_verify_damage(c->s);

	*why = damage ? damage : otherwise;
	return !c->s->why && good && !damage;
}

static bool expect_all(struct check *c, bool good, const char *otherwise)
{
	const char *why;

	if (holds(&why, c, good, otherwise))
		return true;
	if (!c->s->why && tell(c))
		bb_verify_wrong(c->v, "mempool: %s", why);
	return false;
}

static bool expect_id(struct check *c, bool good, const char *what, const unsigned char id[32],
	const char *otherwise)
{
	const char *why;
	char hex[64];

	if (holds(&why, c, good, otherwise))
		return true;
	bb_hash_encode(hex, id);
	if (!c->s->why && tell(c))
		bb_verify_wrong(c->v, "mempool, %s %.64s: %s", what, hex, why);
	return false;
}

static bool expect(
	struct check *c, bool good, const struct bb_pool_entry *e, const char *otherwise)
{
	return expect_id(c, good, "transaction", e->txid, otherwise);
}

static bool expect_number(
	struct check *c, bool good, const char *what, uint64_t number, const char *otherwise)
{
	const char *why;

	if (holds(&why, c, good, otherwise))
		return true;
	if (!c->s->why && tell(c))
		bb_verify_wrong(c->v, "mempool, %s %" PRIu64 ": %s", what, number, why);
	return false;
}

static void expect_count(struct check *c, uint64_t stored, uint64_t due, const char *what)
{
	if (stored != due && tell(c))
		bb_verify_wrong(c->v,
			"mempool, %s: the store holds %" PRIu64 ", there should be %" PRIu64,
			what, stored, due);
}

static bool no_memory(struct check *c)
{
	if (!c->s->why)
		c->s->why = "out of memory";
	return false;
}

/* A transaction. */

static void check_bytes(struct check *c, const struct bb_pool_entry *e, const struct bb_tx *tx)
{
	unsigned char txid[32], wtxid[32];

	bb_tx_txid(txid, tx);
	bb_tx_wtxid(wtxid, tx);
	expect(c, memcmp(txid, e->txid, 32) == 0, e, "its bytes are another's");
	expect(c, memcmp(wtxid, e->wtxid, 32) == 0, e, "its witness is another's");
	expect(c, bb_tx_weight(tx) == e->weight, e, "its weight is wrong");
	expect(c, !bb_check_tx(tx) && !bb_tx_is_coinbase(tx), e, "it can be in no block");
	expect(c, bb_pool_number(c->s, e->txid) == e->number, e,
		"it cannot be found by its txid");
}

/* What it spends; among `parents` a bit for who makes it, by the place in the cluster. */
static bool find_prevout(struct bb_prevout *p, uint64_t *parents, struct check *c,
	const struct bb_pool_cluster *home, const struct bb_outpoint *o)
{
	const uint64_t parent = bb_pool_number(c->s, o->txid);
	struct bb_coin coin;
	unsigned at;

	if (parent) {
		at = bb_pool_position(home, parent);
		*parents |= at < home->graph.count ? UINT64_C(1) << at : 0;
		return at < home->graph.count && bb_pool_output(p, c->s, o, &c->tip);
	}
	if (!bb_query_coin(&coin, c->s, o))
		return false;
	*p = (struct bb_prevout){
		.known = true,
		.value_sat = coin.value_sat,
		.script = coin.script,
		.height = coin.height,
		.coinbase = coin.coinbase,
		.mtp = bb_query_coin_mtp(c->s, coin.height),
	};
	return true;
}

static bool find_prevouts(struct bb_prevout *prevouts, uint64_t *parents, struct check *c,
	const struct bb_pool_cluster *home, const struct bb_pool_entry *e,
	const struct bb_tx *tx)
{
	bool all = true;

	*parents = 0;
	for (size_t i = 0; i < tx->in_count; i++) {
		const struct bb_outpoint *o = &tx->in[i].prevout;
		expect(c, bb_pool_spender(c->s, o) == e->number, e,
			"what it spends is noted as another's, or not at all");
		all = expect(c, find_prevout(&prevouts[i], parents, c, home, o), e,
			      "what it spends is not there") &&
		      all;
	}
	return all && !c->s->why;
}

/* The size that its sigops make it: so much for each, whatever that was. */
static bool size_fits(const struct bb_pool_entry *e)
{
	return e->adjusted_weight == e->weight ||
	       (e->sigops_cost && e->adjusted_weight % e->sigops_cost == 0);
}

/* Could it be in the next block? Its scripts are taken as known. */
static void check_next(struct check *c, const struct bb_pool_entry *e, const struct bb_tx *tx,
	const struct bb_prevout *prevouts)
{
	const int64_t height = (int64_t)c->tip.height + 1, mtp = c->tip.mtp;
	static const unsigned char unknown[32] = {0};
	const uint32_t flags = bb_block_flags(c->n, unknown, height);
	unsigned unjudged = 0;
	int64_t fee;
	const char *why = bb_check_tx_inputs(
		&fee, &unjudged, tx, prevouts, height, c->n->coinbase_maturity);

	if (expect(c, !why, e, why))
		expect(c, fee == e->fee_sat, e, "its fee is wrong");
	expect(c, bb_tx_is_final(tx, height, mtp), e, "it is not final");
	why = bb_check_sequence_locks(&unjudged, tx, prevouts, height, mtp);
	expect(c, !why, e, why);
	expect(c, e->may_lapse == bb_pool_may_lapse(tx, prevouts), e,
		"what a reorganisation does to it is noted wrongly");
	expect(c, bb_tx_sigops_cost(tx, prevouts, BB_VERIFY_STANDARD) == e->sigops_cost, e,
		"its sigops are counted wrongly");
	expect(c, (e->flags & flags) == flags, e, "its scripts are not known to be valid");
}

/* The scripts that it pays and spends, each with its row. */
static void check_scripts(struct check *c, const struct bb_pool_entry *e,
	const struct bb_tx *tx, const struct bb_prevout *prevouts)
{
	struct bb_buf due = {0};
	unsigned char key[16];
	struct bb_span value;
	bool noted = true;

	bb_pool_put_scripts(&due, tx, prevouts);
	if (due.failed)
		no_memory(c);
	expect(c, bb_span_equal(e->scripts, BB_SPAN(due.data, due.len)), e,
		"its scripts are others");
	bb_buf_free(&due);
	bb_key64(key + 8, e->number);
	for (size_t i = 0; i < e->scripts.len; i += 8) {
		memcpy(key, e->scripts.data + i, 8);
		noted = bb_store_get(
				&value, c->s, BB_POOL_SCRIPTS, BB_SPAN(key, sizeof(key))) &&
			!value.len && noted;
	}
	expect(c, noted, e, "it cannot be found by its scripts");
}

static void check_inputs(struct check *c, const struct bb_pool_entry *e, const struct bb_tx *tx)
{
	struct bb_prevout *prevouts = bb_arena_array(
		&c->arena, tx->in_count, sizeof(*prevouts));
	struct bb_pool_cluster home;
	uint64_t parents;
	bool found;
	unsigned at;

	if (!prevouts) {
		no_memory(c);
		return;
	}
	if (!expect(c, bb_pool_cluster_of(&home, c->s, e->number), e, "it is in no cluster"))
		return;
	at = bb_pool_position(&home, e->number);
	found = find_prevouts(prevouts, &parents, c, &home, e, tx);
	expect(c, parents == home.graph.parents[at], e, "its parents are others");
	expect(c,
		home.graph.tx[at].fee_sat == e->fee_sat &&
			home.graph.tx[at].size == e->adjusted_weight,
		e, "its cluster has another fee or size of it");
	if (!found)
		return;
	check_next(c, e, tx, prevouts);
	check_scripts(c, e, tx, prevouts);
}

static void check_tx(struct check *c, const struct bb_pool_entry *e)
{
	struct bb_tx tx;

	bb_arena_reset(&c->arena);
	c->last_number = e->number;
	c->due.count++;
	c->due.usage += e->bytes.len + BB_POOL_OVERHEAD;
	c->due.vsize += (uint64_t)bb_vsize(e->adjusted_weight);
	c->due.fee_sat += e->fee_sat;
	c->scripts += e->scripts.len / 8;
	expect(c, size_fits(e), e, "its size is neither its weight nor its sigops'");
	if (!expect(c, bb_tx_parse(&tx, e->bytes, &c->arena), e, "its bytes are none"))
		return;
	c->inputs += tx.in_count;
	check_bytes(c, e, &tx);
	check_inputs(c, e, &tx);
}

static void check_txs(struct check *c)
{
	struct bb_pool_entry e;
	struct bb_cursor at;
	bool more;

	if (!bb_cursor_open(&at, c->s, BB_POOL_TXS))
		return;
	for (more = bb_cursor_first(&at); more && !c->s->why; more = bb_cursor_next(&at)) {
		e.number = at.key.len == 8 ? bb_be64(at.key.data) : 0;
		if (expect_number(c, e.number && bb_pool_entry_parse(&e, at.value),
			    "transaction number", e.number, "it cannot be read"))
			check_tx(c, &e);
	}
	bb_cursor_close(&at);
}

/* Clusters. */

/* Does every one depend on every other, directly or by way of others? */
static bool is_connected(const struct bb_cluster *g)
{
	const uint64_t all = UINT64_MAX >> (64 - g->count);
	uint64_t reached = 1, before = 0;

	while (reached != before) {
		before = reached;
		for (unsigned i = 0; i < g->count; i++)
			if ((g->parents[i] & reached) || (reached >> i & 1))
				reached |= g->parents[i] | UINT64_C(1) << i;
	}
	return reached == all;
}

static bool same_chunks(const struct bb_cluster *a, const struct bb_cluster *b)
{
	if (a->chunk_count != b->chunk_count)
		return false;
	for (unsigned i = 0; i < a->chunk_count; i++)
		if (a->chunk_end[i] != b->chunk_end[i] ||
			bb_feerate_compare(a->chunk[i], b->chunk[i]) != 0)
			return false;
	return true;
}

/* The chunks of an order (cluster.h). */
static void cut(struct bb_cluster *g)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->count; i++) {
		g->chunk[n] = g->tx[g->order[i]];
		g->chunk_end[n++] = (unsigned char)(i + 1);
		for (; n > 1 && bb_feerate_compare(g->chunk[n - 1], g->chunk[n - 2]) > 0; n--) {
			g->chunk[n - 2] = bb_feerate_sum(g->chunk[n - 2], g->chunk[n - 1]);
			g->chunk_end[n - 2] = g->chunk_end[n - 1];
		}
	}
	g->chunk_count = n;
}

/* Has each of its chunks the row that it should have? */
static bool chunks_are_noted(struct check *c, const struct bb_pool_cluster *k)
{
	const struct bb_cluster *g = &k->graph;
	unsigned char key[BB_POOL_CHUNK_KEY];
	struct bb_pool_chunk noted;
	struct bb_span value;

	for (unsigned i = 0; i < g->chunk_count; i++) {
		const struct bb_pool_chunk due = {
			.rate = g->chunk[i],
			.cluster = k->id,
			.chunk = i,
			.first = i ? g->chunk_end[i - 1] : 0,
		};
		if (!bb_store_get(&value, c->s, BB_POOL_CHUNKS, bb_pool_chunk_key(key, &due)) ||
			!bb_pool_chunk_parse(&noted, BB_SPAN(key, sizeof(key)), value) ||
			noted.rate.fee_sat != due.rate.fee_sat ||
			noted.rate.size != due.rate.size || noted.first != due.first ||
			noted.first + noted.count != g->chunk_end[i])
			return false;
	}
	return true;
}

static void check_cluster(struct check *c, const struct bb_pool_cluster *k)
{
	struct bb_cluster cut_anew = k->graph, best = k->graph;
	uint64_t lowest = k->number[0];

	c->members += k->graph.count;
	c->chunks += k->graph.chunk_count;
	for (unsigned i = 1; i < k->graph.count; i++)
		lowest = k->number[i] < lowest ? k->number[i] : lowest;
	expect_number(c, lowest == k->id, "cluster", k->id, "it is not named by its first");
	expect_number(c, is_connected(&k->graph), "cluster", k->id, "it is more than one");
	cut(&cut_anew);
	expect_number(c, same_chunks(&cut_anew, &k->graph), "cluster", k->id,
		"its chunks are not those of its order");
	bb_cluster_linearise(&best);
	expect_number(c, same_chunks(&best, &k->graph), "cluster", k->id,
		"its order is not the best");
	expect_number(c, chunks_are_noted(c, k), "cluster", k->id,
		"its chunks are not noted, or wrongly");
}

/* Each transaction was found in its home: then as many members as transactions are all. */
static void check_clusters(struct check *c)
{
	struct bb_pool_cluster k;
	struct bb_cursor at;
	bool more;

	if (!bb_cursor_open(&at, c->s, BB_POOL_CLUSTERS))
		return;
	for (more = bb_cursor_first(&at); more && !c->s->why; more = bb_cursor_next(&at)) {
		k.id = at.key.len == 8 ? bb_be64(at.key.data) : 0;
		if (expect_number(c, k.id && bb_pool_cluster_parse(&k, at.value), "cluster",
			    k.id, "it cannot be read"))
			check_cluster(c, &k);
	}
	bb_cursor_close(&at);
}

/* No row is missing where each was found; then none is too many where they are as many. */
static void check_counts(struct check *c)
{
	struct bb_pool_counters noted;
	struct bb_store *s = c->s;

	if (!s->why)
		expect_count(c, c->members, c->due.count, "transactions in clusters");
	if (!s->why)
		expect_count(c, bb_store_count(s, BB_POOL_IDS), c->due.count, "txids");
	if (!s->why)
		expect_count(c, bb_store_count(s, BB_POOL_HOMES), c->due.count, "homes");
	if (!s->why)
		expect_count(c, bb_store_count(s, BB_POOL_SPENT), c->inputs, "what is spent");
	if (!s->why)
		expect_count(c, bb_store_count(s, BB_POOL_SCRIPTS), c->scripts, "scripts");
	if (!s->why)
		expect_count(c, bb_store_count(s, BB_POOL_CHUNKS), c->chunks, "chunks");
	if (!expect_all(c, bb_pool_get_counters(&noted, s), "its totals cannot be read"))
		return;
	expect_all(c,
		noted.totals.count == c->due.count && noted.totals.usage == c->due.usage &&
			noted.totals.vsize == c->due.vsize &&
			noted.totals.fee_sat == c->due.fee_sat,
		"its totals are wrong");
	expect_all(c, noted.next_number > c->last_number, "a number would be given twice");
}

/* Transactions without their parents (orphantx.h). */

enum { ORPHAN_HEAD = 8 + 8, AGE_WORD = 7, AGE_KEY = AGE_WORD + 8, ORPHAN_TOTALS = 24 };

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

/* A row for each transaction that it spends from. */
static bool is_wanted(struct check *c, const struct bb_tx *tx, const unsigned char wtxid[32])
{
	unsigned char(*parents)[32] = bb_arena_array(&c->arena, tx->in_count, sizeof(*parents));
	unsigned char key[64];
	struct bb_span value;
	bool noted = true;

	if (!parents)
		return no_memory(c);
	memcpy(key + 32, wtxid, 32);
	for (size_t i = 0; i < tx->in_count; i++)
		memcpy(parents[i], tx->in[i].prevout.txid, 32);
	qsort(parents, tx->in_count, sizeof(*parents), compare_ids);
	for (size_t i = 0; i < tx->in_count; i++) {
		if (i && memcmp(parents[i], parents[i - 1], 32) == 0)
			continue;
		memcpy(key, parents[i], 32);
		noted = bb_store_get(&value, c->s, BB_POOL_WANTED, BB_SPAN(key, sizeof(key))) &&
			!value.len && noted;
		c->wanted++;
	}
	return noted;
}

static bool is_aged(struct check *c, uint64_t age, const unsigned char wtxid[32])
{
	unsigned char key[AGE_KEY];
	struct bb_span noted;

	memcpy(key, "orphan-", AGE_WORD);
	bb_key64(key + AGE_WORD, age);
	return bb_store_get(&noted, c->s, BB_POOL_META, BB_SPAN(key, sizeof(key))) &&
	       bb_span_equal(noted, BB_SPAN(wtxid, 32));
}

static void check_orphan(struct check *c, const unsigned char wtxid[32], struct bb_span value)
{
	static const char what[] = "transaction without parents";
	const uint64_t age = bb_le64(value.data);
	const struct bb_span bytes = BB_SPAN(value.data + ORPHAN_HEAD, value.len - ORPHAN_HEAD);
	struct bb_incoming_tx in;

	bb_arena_reset(&c->arena);
	c->orphan_bytes += bytes.len;
	c->last_age = age > c->last_age ? age : c->last_age;
	if (!expect_id(c, bb_incoming_tx_parse(&in, &c->arena, bytes), what, wtxid,
		    "its bytes are none"))
		return;
	c->orphan_score += bb_orphantx_score(&in.tx);
	expect_id(c, memcmp(in.wtxid, wtxid, 32) == 0, what, wtxid, "its bytes are another's");
	expect_id(c, bb_tx_weight(&in.tx) <= BB_MAX_STANDARD_WEIGHT, what, wtxid,
		"it is too large to be kept");
	expect_id(c, is_wanted(c, &in.tx, wtxid), what, wtxid,
		"it cannot be found by what it waits for");
	expect_id(c, is_aged(c, age, wtxid), what, wtxid, "its age is noted wrongly");
}

static void check_orphans(struct check *c)
{
	struct bb_cursor at;
	bool more;

	if (!bb_cursor_open(&at, c->s, BB_POOL_ORPHANS))
		return;
	for (more = bb_cursor_first(&at); more && !c->s->why; more = bb_cursor_next(&at)) {
		c->orphans++;
		if (expect_all(c, at.key.len == 32 && at.value.len > ORPHAN_HEAD,
			    "a transaction without parents cannot be read"))
			check_orphan(c, at.key.data, at.value);
	}
	bb_cursor_close(&at);
}

static bool word_is_known(struct check *c, struct bb_span word, struct bb_span value)
{
	if (word.len == AGE_KEY && memcmp(word.data, "orphan-", AGE_WORD) == 0) {
		c->ages++;
		return value.len == 32;
	}
	return bb_span_is(word, "tip") || bb_span_is(word, "totals") ||
	       bb_span_is(word, "rate") || bb_span_is(word, "orphans");
}

/* Never written, they are 0. */
static bool orphan_totals_fit(struct check *c)
{
	struct bb_span noted;

	if (!bb_store_get(&noted, c->s, BB_POOL_META, BB_LIT("orphans")))
		return !c->orphans;
	return noted.len == ORPHAN_TOTALS && bb_le64(noted.data) >= c->last_age &&
	       bb_le64(noted.data + 8) == c->orphan_bytes &&
	       bb_le64(noted.data + 16) == c->orphan_score;
}

static void check_words(struct check *c)
{
	struct bb_cursor at;
	bool more, known = true;

	if (!bb_cursor_open(&at, c->s, BB_POOL_META))
		return;
	for (more = bb_cursor_first(&at); more; more = bb_cursor_next(&at))
		known = word_is_known(c, at.key, at.value) && known;
	bb_cursor_close(&at);
	expect_all(c, known, "something is noted that has no meaning");
	expect_all(c, orphan_totals_fit(c), "totals of those without parents are wrong");
	bb_pool_min_rate(c->s, &bb_policy_core, 0);
	expect_all(c, true, "");
	if (!c->s->why)
		expect_count(c, c->ages, c->orphans, "ages of those without parents");
	if (!c->s->why)
		expect_count(c, bb_store_count(c->s, BB_POOL_WANTED), c->wanted,
			"parents that are waited for");
	expect_all(c,
		c->orphan_score <= BB_ORPHAN_SCORE_MAX &&
			c->orphan_bytes <= BB_ORPHAN_TX_BYTES_MAX,
		"too many are kept without their parents");
}

/* How long who was mined had waited: rows as in estimate.h. */

static bool wait_fits(struct bb_span key, struct bb_span value)
{
	return key.len == 12 && value.len == 16 && bb_be64(key.data + 4) &&
	       bb_money_range((int64_t)bb_le64(value.data)) && bb_le32(value.data + 8) &&
	       bb_le32(value.data + 12) && bb_le32(value.data + 12) <= bb_be32(key.data);
}

static void check_waits(struct check *c)
{
	struct bb_cursor at;
	bool more, good = true;

	if (!bb_cursor_open(&at, c->s, BB_POOL_WAITS))
		return;
	for (more = bb_cursor_first(&at); more; more = bb_cursor_next(&at))
		good = wait_fits(at.key, at.value) && good;
	bb_cursor_close(&at);
	expect_all(c, good, "how long one had waited cannot be read");
}

/* All of it. */

static void check_tip(struct check *c)
{
	unsigned char id[32];

	if (!bb_tree_tip(&c->tip, c->s)) {
		bb_verify_damage(c->s); /* the chain's, which was told */
		c->tip = (struct bb_node){.height = -1};
	}
	bb_pool_tip(id, c->s);
	expect_all(c, memcmp(id, c->tip.id, 32) == 0, "it stands on another tip");
}

void bb_verify_pool(struct bb_verify *v, struct bb_store *s, const struct bb_network *n)
{
	struct check c = {.v = v, .s = s, .n = n};
	void (*const parts[])(struct check *) = {check_tip, check_txs, check_clusters,
		check_counts, check_orphans, check_words, check_waits};

	if (s->pool_why)
		bb_verify_wrong(v, "mempool: it cannot be read: %s", s->pool_why);
	if (!s->pool_txn || (!s->writing && !s->pool_fits))
		return;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !s->why; i++)
		parts[i](&c);
	if (c.found > LINES_MAX) {
		v->found--; /* for this line */
		bb_verify_wrong(
			v, "mempool: %" PRIu64 " more things are wrong", c.found - LINES_MAX);
	}
	v->mempool = c.due.count;
	bb_arena_free(&c.arena);
}
