#include "ledger/undo.h"

enum { KEY_SIZE = 7 };

static struct bb_span undo_key(unsigned char key[KEY_SIZE], uint32_t node, uint32_t offset)
{
	bb_set_be32(key + 3, offset); /* BE24: the byte above is overwritten */
	bb_set_be32(key, node);
	return BB_SPAN(key, KEY_SIZE);
}

static bool damaged(struct bb_store *s)
{
	return bb_store_set_why(s, "the store is damaged: what a block spent");
}

/* Writing. */

static void put_spent(struct bb_buf *value, struct bb_buf *coin, const struct bb_prevout *p)
{
	const struct bb_coin c = {
		.value_sat = p->value_sat,
		.height = (int32_t)p->height,
		.coinbase = p->coinbase == 1,
		.script = p->script,
	};

	coin->len = 0;
	bb_put_coin(coin, &c);
	bb_put_varint(value, coin->len);
	bb_put(value, coin->data, coin->len);
}

/* What writing takes: a value, a coin in it. */
struct spent_bytes {
	struct bb_buf value, coin;
};

static bool spent_value(struct spent_bytes *b, struct bb_store *s,
	const struct bb_prevout *prevouts, size_t count)
{
	b->value.len = 0;
	for (size_t i = 0; i < count; i++)
		put_spent(&b->value, &b->coin, &prevouts[i]);
	if ((b->value.failed || b->coin.failed) && !s->why)
		bb_store_no_memory(s);
	return !s->why;
}

static void free_bytes(struct spent_bytes *b)
{
	bb_buf_free(&b->value);
	bb_buf_free(&b->coin);
}

/* Where a block's transactions stand in it, one after the other. */
static uint32_t first_offset(const struct bb_block *block)
{
	return (uint32_t)(BB_HEADER_SIZE + bb_compact_len(block->tx_count));
}

void bb_undo_put_block(struct bb_store *s, uint32_t node, const struct bb_block *block,
	const struct bb_prevout *prevouts)
{
	uint32_t offset = first_offset(block);
	struct spent_bytes b = {0};
	unsigned char key[KEY_SIZE];
	struct bb_cursor c;

	if (!bb_cursor_open(&c, s, BB_UNDO))
		return;
	for (size_t i = 0; i < block->tx_count; i++) {
		const struct bb_tx *tx = &block->tx[i];
		if (i > 0) {
			if (!spent_value(&b, s, prevouts, tx->in_count))
				break;
			bb_cursor_put(&c, undo_key(key, node, offset),
				BB_SPAN(b.value.data, b.value.len));
			prevouts += tx->in_count;
		}
		offset += (uint32_t)bb_tx_total_size(tx);
	}
	free_bytes(&b);
	bb_cursor_close(&c);
}

/* Reading. */

static bool get_spent(struct bb_prevout *p, struct bb_reader *r)
{
	struct bb_coin c;

	if (!bb_coin_parse(&c, bb_get_span(r, bb_get_varint(r))) || r->bad)
		return false;
	*p = (struct bb_prevout){
		.known = true,
		.value_sat = c.value_sat,
		.script = c.script,
		.height = c.height,
		.coinbase = c.coinbase,
		.mtp = -1,
	};
	return true;
}

bool bb_undo_get(struct bb_prevout *prevouts, size_t count, struct bb_store *s,
	struct bb_arena *a, uint32_t node, uint32_t offset)
{
	unsigned char key[KEY_SIZE];
	struct bb_span value;
	struct bb_reader r;

	if (!bb_store_get(&value, s, BB_UNDO, undo_key(key, node, offset)))
		return false;
	value = bb_arena_copy(a, value);
	if (!value.data)
		return bb_store_no_memory(s);
	r = bb_reader(value.data, value.len);
	for (size_t i = 0; i < count; i++)
		if (!get_spent(&prevouts[i], &r))
			return damaged(s);
	return !bb_left(&r) || damaged(s);
}

bool bb_undo_get_block(struct bb_prevout *prevouts, struct bb_store *s, struct bb_arena *a,
	uint32_t node, const struct bb_block *block)
{
	uint32_t offset = first_offset(block);

	for (size_t i = 0; i < block->tx_count; i++) {
		const struct bb_tx *tx = &block->tx[i];
		if (i > 0) {
			if (!bb_undo_get(prevouts, tx->in_count, s, a, node, offset))
				return false;
			prevouts += tx->in_count;
		}
		offset += (uint32_t)bb_tx_total_size(tx);
	}
	return true;
}

void bb_undo_del_block(struct bb_store *s, uint32_t node)
{
	unsigned char first[KEY_SIZE], key[KEY_SIZE];
	struct bb_cursor c;

	if (!bb_cursor_open(&c, s, BB_UNDO))
		return;
	undo_key(first, node, 0);
	while (bb_cursor_seek(&c, BB_SPAN(first, KEY_SIZE)) && c.key.len == KEY_SIZE &&
		memcmp(c.key.data, first, 4) == 0) {
		memcpy(key, c.key.data, KEY_SIZE);
		if (!bb_cursor_del(&c, BB_SPAN(key, KEY_SIZE)))
			break;
	}
	bb_cursor_close(&c);
}
