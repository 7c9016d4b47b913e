#include "ledger/query.h"

#include <stdlib.h>

#include "ledger/pool.h"

/* `len` bytes from `offset` on of a block's data, in the arena. */
static bool read_data(struct bb_span *out, struct bb_store *s, struct bb_arena *a,
	const struct bb_place *place, uint32_t offset, uint32_t len)
{
	struct bb_buf b = {0};
	const char *why;

	if (!bb_flat_read(&b, &s->flat, &why, place, offset, len))
		bb_store_set_why(s, why);
	else if (b.failed)
		bb_store_no_memory(s);
	else if (b.len != len)
		bb_store_set_why(s, "the store is damaged: a block's data are cut short");
	else if (!(*out = bb_arena_copy(a, BB_SPAN(b.data, b.len))).data)
		bb_store_no_memory(s);
	bb_buf_free(&b);
	return !s->why;
}

/* What undo data leave open: when the coins were made. */
static bool fill_mtp(struct bb_prevout *prevouts, size_t count, struct bb_store *s,
	const struct bb_node *spender)
{
	for (size_t i = 0; i < count; i++) {
		if (prevouts[i].height > spender->height)
			return bb_store_set_why(
				s, "the store is damaged: a coin from a later block");
		prevouts[i].mtp = bb_query_coin_mtp(s, (int32_t)prevouts[i].height);
	}
	return !s->why;
}

/* Blocks. */

static bool read_block(struct bb_stored_block *b, struct bb_store *s, struct bb_arena *a)
{
	struct bb_block *block = &b->line.block;
	unsigned char id[32];

	if (!read_data(&b->bytes, s, a, &b->node.place, 0, b->node.place.len))
		return false;
	if (!bb_block_parse(block, b->bytes, a))
		return bb_store_set_why(s, "the store is damaged: a block's data");
	bb_header_hash(id, &block->header);
	return memcmp(id, b->node.id, 32) == 0 ||
	       bb_store_set_why(s, "the store is damaged: a block's data are another's");
}

static bool block_prevouts(
	struct bb_blockline *l, struct bb_store *s, struct bb_arena *a, const struct bb_node *n)
{
	if (!bb_tree_is_active(s, n))
		return false;
	if (!bb_undo_get_block(l->prevouts, s, a, n->number, &l->block))
		return bb_store_set_why(
			s, "the store is damaged: what a block spent is missing");
	l->all_known = true;
	return fill_mtp(l->prevouts, l->prevout_count, s, n);
}

bool bb_query_block(struct bb_stored_block *b, struct bb_store *s, const struct bb_network *n,
	struct bb_arena *a, const struct bb_node *node, bool prevouts)
{
	struct bb_blockline *l = &b->line;
	struct bb_node parent;
	const bool genesis = node->prev == BB_NO_NODE;

	*b = (struct bb_stored_block){.node = *node};
	if (!(node->status & BB_NODE_DATA) || !read_block(b, s, a))
		return false;
	l->prevout_count = bb_block_spends(&l->block);
	l->all_known = l->prevout_count == 0;
	if (!(l->prevouts = bb_arena_array(a, l->prevout_count + 1, sizeof(*l->prevouts))))
		return bb_store_no_memory(s);
	for (size_t i = 0; i < l->prevout_count; i++)
		l->prevouts[i] = bb_prevout_unknown;
	if (!genesis && !bb_tree_get(&parent, s, node->prev))
		return bb_store_set_why(s, "the store is damaged: a node is missing");
	if (!bb_tree_claims(&l->claims, s, genesis ? NULL : &parent))
		return false;
	if (!genesis && !bb_tree_expected_bits(
				&l->claims.expected_bits, s, n, &parent, node->header.time))
		return false;
	return !prevouts || block_prevouts(l, s, a, node);
}

/* Transactions. */

/* The transaction at an offset. How long it is, only it can tell: more of the block is read
 * until it is all there. */
static bool read_tx(struct bb_stored_tx *t, struct bb_store *s, struct bb_arena *a)
{
	const struct bb_place *place = &t->node.place;
	const uint32_t left = place->len > t->offset ? place->len - t->offset : 0;
	uint32_t len = 4096;

	for (;;) {
		struct bb_span piece;
		struct bb_reader r;
		len = len < left ? len : left;
		if (!read_data(&piece, s, a, place, t->offset, len))
			return false;
		r = bb_reader(piece.data, piece.len);
		if (bb_tx_read(&t->tx, &r, a, true)) {
			t->bytes = BB_SPAN(piece.data, piece.len - bb_left(&r));
			return true;
		}
		if (len == left)
			return bb_store_set_why(
				s, "the store is damaged: a transaction's data");
		len *= 16; /* under the size of a file: no overflow */
	}
}

static bool tx_prevouts(struct bb_stored_tx *t, struct bb_store *s, struct bb_arena *a)
{
	const size_t count = t->tx.in_count;

	if (!(t->prevouts = bb_arena_array(a, count + 1, sizeof(*t->prevouts))))
		return bb_store_no_memory(s);
	t->prevouts[0] = bb_prevout_unknown;
	t->coinbase = bb_tx_is_coinbase(&t->tx);
	if (t->coinbase)
		return true;
	if (!bb_undo_get(t->prevouts, count, s, a, t->node.number, t->offset))
		return bb_store_set_why(
			s, "the store is damaged: what a block spent is missing");
	return fill_mtp(t->prevouts, count, s, &t->node);
}

/* The transaction alone, without what it spends. */
static bool tx_at(struct bb_stored_tx *t, struct bb_store *s, struct bb_arena *a,
	const struct bb_row *row)
{
	*t = (struct bb_stored_tx){.offset = row->offset};
	if (!bb_tree_at(&t->node, s, row->height) || !(t->node.status & BB_NODE_DATA))
		return bb_store_set_why(s, "the store is damaged: a row of no block");
	return read_tx(t, s, a);
}

bool bb_query_tx_at(struct bb_stored_tx *t, struct bb_store *s, struct bb_arena *a,
	const struct bb_row *row)
{
	return tx_at(t, s, a, row) && tx_prevouts(t, s, a);
}

/* The rows under a prefix of 8 bytes, in chain order. */
static bool rows_of(struct bb_row **rows, size_t *count, struct bb_store *s, struct bb_arena *a,
	enum bb_table t, const unsigned char prefix[8])
{
	struct bb_buf found = {0};
	struct bb_cursor c;
	struct bb_row row;
	bool more;

	if (!bb_cursor_open(&c, s, t))
		return false;
	for (more = bb_cursor_seek(&c, BB_SPAN(prefix, 8)); more; more = bb_cursor_next(&c)) {
		if (c.key.len != BB_ROW_SIZE) {
			bb_store_set_why(s, "the store is damaged: a row's length");
			break;
		}
		if (memcmp(c.key.data, prefix, 8) != 0)
			break;
		row = bb_row_parse(c.key.data);
		bb_put(&found, &row, sizeof(row));
	}
	bb_cursor_close(&c);
	*count = found.len / sizeof(row);
	*rows = (struct bb_row *)bb_arena_copy(a, BB_SPAN(found.data, found.len)).data;
	if (found.failed || !*rows)
		bb_store_no_memory(s);
	bb_buf_free(&found);
	return !s->why;
}

/* What it spends stays unknown. */
static bool find_below(struct bb_stored_tx *t, struct bb_store *s, struct bb_arena *a,
	const unsigned char txid[32], int32_t height)
{
	unsigned char id[32];
	struct bb_row *rows;
	size_t count;

	if (!rows_of(&rows, &count, s, a, BB_TXS, txid))
		return false;
	/* Two coinbases of mainnet came twice (BIP 30): the later one counts. */
	while (count-- > 0) {
		if (rows[count].height >= height)
			continue;
		if (!tx_at(t, s, a, &rows[count]))
			return false;
		bb_tx_txid(id, &t->tx);
		if (memcmp(id, txid, 32) == 0)
			return true;
	}
	return false;
}

bool bb_query_tx_below(struct bb_stored_tx *t, struct bb_store *s, struct bb_arena *a,
	const unsigned char txid[32], int32_t height)
{
	return find_below(t, s, a, txid, height) && tx_prevouts(t, s, a);
}

bool bb_query_has_tx(struct bb_store *s, struct bb_arena *a, const unsigned char txid[32])
{
	struct bb_stored_tx t;

	return find_below(&t, s, a, txid, INT32_MAX);
}

bool bb_query_tx(struct bb_stored_tx *t, struct bb_store *s, struct bb_arena *a,
	const unsigned char txid[32])
{
	return bb_query_tx_below(t, s, a, txid, INT32_MAX);
}

bool bb_query_history(struct bb_row **rows, size_t *count, struct bb_store *s,
	struct bb_arena *a, struct bb_span script)
{
	unsigned char prefix[8];

	bb_script_prefix(prefix, script);
	return rows_of(rows, count, s, a, BB_HISTORY, prefix);
}

/* The mempool. */

static bool output_is(const struct bb_tx *tx, struct bb_span script)
{
	for (size_t i = 0; i < tx->out_count; i++)
		if (bb_span_equal(tx->out[i].script, script))
			return true;
	return false;
}

static bool prevout_is(struct bb_store *s, const struct bb_outpoint *o, struct bb_span script)
{
	static const struct bb_node any = {0};
	struct bb_prevout p;
	struct bb_coin coin;

	if (bb_query_coin(&coin, s, o))
		return bb_span_equal(coin.script, script);
	return bb_pool_output(&p, s, o, &any) && bb_span_equal(p.script, script);
}

/* Others may have rows that begin alike. */
static bool touches(struct bb_store *s, struct bb_arena *a, const struct bb_pool_entry *e,
	struct bb_span script)
{
	struct bb_tx tx;

	if (!bb_pool_parse_tx(&tx, a, s, e))
		return false;
	if (output_is(&tx, script))
		return true;
	for (size_t i = 0; i < tx.in_count; i++)
		if (prevout_is(s, &tx.in[i].prevout, script))
			return true;
	return false;
}

/* One that waits, and where it stands among those to be mined. */
struct queued {
	struct bb_feerate chunk;
	uint64_t cluster, number;
	unsigned position;
};

static int compare_queued(const void *a, const void *b)
{
	const struct queued *x = a, *y = b;
	const int by_rate = bb_feerate_compare(y->chunk, x->chunk);

	if (by_rate)
		return by_rate;
	if (x->cluster != y->cluster)
		return x->cluster < y->cluster ? -1 : 1;
	return (x->position > y->position) - (x->position < y->position);
}

static bool find_place(struct queued *q, struct bb_store *s, uint64_t number)
{
	struct bb_pool_cluster c;

	if (!bb_pool_cluster_of(&c, s, number))
		return bb_pool_damaged_cluster(s);
	q->number = number;
	q->cluster = c.id;
	q->position = bb_pool_position(&c, number);
	q->chunk = bb_pool_chunk_of(&c, q->position);
	return true;
}

/* Those behind the rows of a script. */
static bool find_queued(
	struct bb_buf *found, struct bb_store *s, struct bb_arena *a, struct bb_span script)
{
	unsigned char prefix[8];
	struct bb_pool_entry e;
	struct bb_cursor at;
	struct queued q;
	bool more;

	if (!bb_cursor_open(&at, s, BB_POOL_SCRIPTS))
		return false;
	bb_script_prefix(prefix, script);
	for (more = bb_cursor_seek(&at, BB_SPAN(prefix, 8));
		more && !s->why && at.key.len == 16 && memcmp(at.key.data, prefix, 8) == 0;
		more = bb_cursor_next(&at)) {
		bb_arena_reset(a);
		if (!bb_pool_get(&e, s, bb_be64(at.key.data + 8)))
			bb_pool_damaged_tx(s);
		else if (touches(s, a, &e, script) && find_place(&q, s, e.number))
			bb_put(found, &q, sizeof(q));
	}
	bb_cursor_close(&at);
	return !s->why;
}

bool bb_query_waiting(uint64_t **numbers, size_t *count, struct bb_store *s, struct bb_arena *a,
	struct bb_span script)
{
	struct bb_buf found = {0};
	struct bb_arena parsed = {0};
	struct queued *q;

	find_queued(&found, s, &parsed, script);
	q = (struct queued *)found.data;
	*count = found.len / sizeof(*q);
	*numbers = bb_arena_array(a, *count + 1, sizeof(**numbers));
	if (found.failed || !*numbers)
		bb_store_no_memory(s);
	if (!s->why && *count)
		qsort(q, *count, sizeof(*q), compare_queued);
	for (size_t i = 0; !s->why && i < *count; i++)
		(*numbers)[i] = q[i].number;
	bb_buf_free(&found);
	bb_arena_free(&parsed);
	return !s->why;
}

/* Of one that waits: outputs for that script that nobody spends. */
static bool take_waiting(struct bb_buf *found, struct bb_store *s, struct bb_arena *a,
	uint64_t number, struct bb_span script)
{
	struct bb_unspent u = {.coin = {.height = -1, .script = script}};
	struct bb_pool_entry e;
	struct bb_tx tx;

	if (!bb_pool_get(&e, s, number) || !bb_pool_parse_tx(&tx, a, s, &e))
		return bb_pool_damaged_tx(s);
	memcpy(u.outpoint.txid, e.txid, 32);
	for (; u.outpoint.vout < tx.out_count; u.outpoint.vout++) {
		const struct bb_txout *out = &tx.out[u.outpoint.vout];
		if (!bb_span_equal(out->script, script) || bb_pool_spender(s, &u.outpoint))
			continue;
		u.coin.value_sat = out->value_sat;
		bb_put(found, &u, sizeof(u));
	}
	return !s->why;
}

bool bb_query_unspent_waiting(struct bb_unspent **coins, size_t *count, struct bb_store *s,
	struct bb_arena *a, struct bb_span script)
{
	const struct bb_span kept = bb_arena_copy(a, script);
	struct bb_arena parsed = {0};
	struct bb_buf found = {0};
	uint64_t *numbers;
	size_t waiting;

	if (!kept.data)
		return bb_store_no_memory(s);
	if (!bb_query_waiting(&numbers, &waiting, s, a, script))
		return false;
	for (size_t i = 0; i < waiting && take_waiting(&found, s, &parsed, numbers[i], kept);
		i++)
		bb_arena_reset(&parsed);
	*count = found.len / sizeof(**coins);
	*coins = (struct bb_unspent *)bb_arena_copy(a, BB_SPAN(found.data, found.len)).data;
	if (found.failed || !*coins)
		bb_store_no_memory(s);
	bb_buf_free(&found);
	bb_arena_free(&parsed);
	return !s->why;
}

/* Coins. */

bool bb_query_coin(struct bb_coin *c, struct bb_store *s, const struct bb_outpoint *o)
{
	unsigned char key[BB_OUTPOINT_MAX];
	struct bb_span value;

	if (!bb_store_get(&value, s, BB_COINS, bb_outpoint_key(key, o)))
		return false;
	return bb_coin_parse(c, value) || bb_store_set_why(s, "the store is damaged: a coin");
}

/* The coin that a key of the script index names, if it is one of that script. */
static void take_unspent(struct bb_buf *found, struct bb_store *s, struct bb_span outpoint,
	struct bb_span script)
{
	struct bb_unspent u = {0};

	if (!bb_outpoint_from_key(&u.outpoint, outpoint) ||
		!bb_query_coin(&u.coin, s, &u.outpoint)) {
		bb_store_set_why(s, "the store is damaged: a script's coin is missing");
		return;
	}
	if (!bb_span_equal(u.coin.script, script))
		return;
	u.coin.script = script;
	bb_put(found, &u, sizeof(u));
}

bool bb_query_unspent(struct bb_unspent **coins, size_t *count, struct bb_store *s,
	struct bb_arena *a, struct bb_span script)
{
	const struct bb_span kept = bb_arena_copy(a, script);
	struct bb_buf found = {0};
	unsigned char prefix[8];
	struct bb_cursor c;
	bool more;

	if (!kept.data)
		return bb_store_no_memory(s);
	if (!bb_cursor_open(&c, s, BB_UNSPENT))
		return false;
	bb_script_prefix(prefix, script);
	for (more = bb_cursor_seek(&c, BB_SPAN(prefix, 8));
		more && !s->why && c.key.len > 8 && memcmp(c.key.data, prefix, 8) == 0;
		more = bb_cursor_next(&c))
		take_unspent(&found, s, BB_SPAN(c.key.data + 8, c.key.len - 8), kept);
	bb_cursor_close(&c);
	*count = found.len / sizeof(**coins);
	*coins = (struct bb_unspent *)bb_arena_copy(a, BB_SPAN(found.data, found.len)).data;
	if (found.failed || !*coins)
		bb_store_no_memory(s);
	bb_buf_free(&found);
	return !s->why;
}

int64_t bb_query_coin_mtp(struct bb_store *s, int32_t height)
{
	struct bb_node before;

	if (height <= 0)
		return 0;
	if (!bb_tree_at(&before, s, height - 1)) {
		bb_store_set_why(s, "the store is damaged: heights are missing");
		return 0;
	}
	return before.mtp;
}

bool bb_query_coin_prevout(struct bb_prevout *p, struct bb_store *s, struct bb_arena *a,
	const struct bb_coin *coin, const struct bb_tx *tx, const struct bb_txin *in)
{
	*p = (struct bb_prevout){
		.known = true,
		.value_sat = coin->value_sat,
		.script = bb_arena_copy(a, coin->script),
		.height = coin->height,
		.coinbase = coin->coinbase,
		.mtp = -1,
	};
	if (!p->script.data)
		return bb_store_no_memory(s);
	if (bb_has_sequence_lock(tx, in) && (in->sequence & BB_SEQUENCE_BY_TIME))
		p->mtp = bb_query_coin_mtp(s, coin->height);
	return !s->why;
}

void bb_query_prevouts(struct bb_prevout *prevouts, const struct bb_tx *tx, struct bb_store *s,
	struct bb_arena *a)
{
	struct bb_coin c;

	for (size_t i = 0; i < tx->in_count; i++) {
		struct bb_prevout *p = &prevouts[i];
		*p = bb_prevout_unknown;
		if (!bb_query_coin(&c, s, &tx->in[i].prevout))
			continue;
		p->script = bb_arena_copy(a, c.script);
		if (!p->script.data) {
			bb_store_no_memory(s);
			return;
		}
		p->known = true;
		p->value_sat = c.value_sat;
		p->height = c.height;
		p->coinbase = c.coinbase;
		p->mtp = bb_query_coin_mtp(s, c.height);
	}
}
