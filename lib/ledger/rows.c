#include "ledger/rows.h"

#include <stdlib.h>
#include <string.h>

#include "bitcoin/script.h"
#include "crypto/hash.h"
#include "ledger/keysort.h"

void bb_row_key(
	unsigned char key[BB_ROW_SIZE], const unsigned char prefix[8], const struct bb_row *row)
{
	memmove(key, prefix, 8);
	bb_set_be32(key + 8, (uint32_t)row->height);
	key[12] = (unsigned char)(row->offset >> 16);
	key[13] = (unsigned char)(row->offset >> 8);
	key[14] = (unsigned char)row->offset;
}

struct bb_row bb_row_parse(const unsigned char key[BB_ROW_SIZE])
{
	return (struct bb_row){
		.height = (int32_t)bb_be32(key + 8),
		.offset = (uint32_t)key[12] << 16 | (uint32_t)key[13] << 8 | key[14],
	};
}

void bb_script_prefix(unsigned char prefix[8], struct bb_span script)
{
	unsigned char hash[32];

	bb_sha256(hash, script.data, script.len);
	memcpy(prefix, hash, 8);
}

/* What is to be written, in order of arrival: of several for one key the last counts. */
struct bb_pending_row {
	uint64_t prefix; /* as a number, big-endian */
	int32_t height;
	uint32_t offset : 24, history : 1, add : 1;
};

static bool make_room(struct bb_rows *r, size_t count)
{
	size_t cap = r->cap ? r->cap : 1024;
	struct bb_pending_row *row;

	if (r->cap - r->count >= count)
		return true;
	while (cap - r->count < count)
		cap *= 2;
	if (!(row = realloc(r->row, cap * sizeof(*row))))
		return false;
	r->row = row;
	r->cap = cap;
	return true;
}

static void push(struct bb_rows *r, struct bb_pending_row row, const unsigned char prefix[8])
{
	row.prefix = bb_be64(prefix);
	r->row[r->count++] = row;
}

static void push_script(struct bb_rows *r, struct bb_pending_row row, struct bb_span script)
{
	unsigned char prefix[8];

	if (bb_script_is_unspendable(script))
		return;
	bb_script_prefix(prefix, script);
	push(r, row, prefix);
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct bb_pending_row *x = a, *y = b;

	return x->prefix < y->prefix ? -1 : x->prefix > y->prefix;
}

/* A transaction's rows from `first` on differ in their prefixes alone: each once. */
static void make_distinct(struct bb_rows *r, size_t first)
{
	enum { FEW = 16 }; /* of more, equal ones are brought side by side */
	const bool many = r->count - first > FEW;
	size_t end = first;

	if (many)
		qsort(r->row + first, r->count - first, sizeof(*r->row), compare_prefixes);
	for (size_t i = first; i < r->count; i++) {
		size_t k = many && end > first ? end - 1 : first;
		while (k < end && r->row[k].prefix != r->row[i].prefix)
			k++;
		if (k == end)
			r->row[end++] = r->row[i];
	}
	r->count = end;
}

static bool put_tx(struct bb_rows *r, struct bb_pending_row row, const unsigned char txid[32],
	const struct bb_tx *tx, const struct bb_prevout *prevouts, size_t spent)
{
	size_t first;

	if (!make_room(r, 1 + tx->out_count + spent))
		return false;
	push(r, row, txid);
	first = r->count;
	row.history = 1;
	for (size_t i = 0; i < tx->out_count; i++)
		push_script(r, row, tx->out[i].script);
	for (size_t i = 0; i < spent; i++)
		if (prevouts[i].known)
			push_script(r, row, prevouts[i].script);
	make_distinct(r, first);
	return true;
}

bool bb_rows_block(struct bb_rows *r, const struct bb_block *block,
	const struct bb_prevout *prevouts, int32_t height, bool add)
{
	size_t offset = BB_HEADER_SIZE + bb_compact_len(block->tx_count);

	for (size_t i = 0; i < block->tx_count; i++) {
		const struct bb_tx *tx = &block->tx[i];
		const struct bb_pending_row row = {
			.height = height, .offset = offset & 0xffffff, .add = add};
		const size_t spent = i ? tx->in_count : 0; /* the coinbase spends nothing */
		unsigned char txid[32];
		bb_block_txid(txid, block, i);
		if (!put_tx(r, row, txid, tx, prevouts, spent))
			return false;
		if (spent)
			prevouts += spent;
		offset += bb_tx_total_size(tx);
	}
	return true;
}

enum bb_table bb_rows_at(unsigned char key[BB_ROW_SIZE], const struct bb_rows *r, size_t i)
{
	const struct bb_pending_row *p = &r->row[i];
	const struct bb_row row = {.height = p->height, .offset = p->offset};

	bb_key64(key, p->prefix);
	bb_row_key(key, key, &row);
	return p->history ? BB_HISTORY : BB_TXS;
}

size_t bb_rows_bytes(const struct bb_rows *r)
{
	/* A flush sorts, with two places for each. */
	return r->cap * sizeof(*r->row) + r->count * 2 * sizeof(struct bb_keyed);
}

/* By key, then by arrival. */
static int compare_rows(const void *a, const void *b)
{
	const struct bb_keyed *x = a, *y = b;
	const struct bb_pending_row *m = x->item, *n = y->item;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (m->height != n->height)
		return m->height < n->height ? -1 : 1;
	if (m->offset != n->offset)
		return m->offset < n->offset ? -1 : 1;
	return m < n ? -1 : m > n;
}

static bool same_key(const struct bb_pending_row *a, const struct bb_pending_row *b)
{
	return a->prefix == b->prefix && a->height == b->height && a->offset == b->offset;
}

static void write_table(struct bb_rows *r, struct bb_keyed *order, bool history)
{
	const enum bb_table table = history ? BB_HISTORY : BB_TXS;
	unsigned char key[BB_ROW_SIZE];
	struct bb_cursor at;
	size_t count = 0;

	for (size_t i = 0; i < r->count; i++)
		if (r->row[i].history == history)
			order[count++] = (struct bb_keyed){r->row[i].prefix, &r->row[i]};
	if (!bb_keysort(order, count, compare_rows)) {
		if (!r->store->why)
			r->store->why = "out of memory";
		return;
	}
	if (!bb_cursor_open(&at, r->store, table))
		return;
	for (size_t i = 0; i < count; i++) {
		const struct bb_pending_row *row = order[i].item;
		if (i + 1 < count && same_key(row, order[i + 1].item))
			continue;
		bb_rows_at(key, r, (size_t)(row - r->row));
		if (row->add)
			bb_cursor_put(&at, BB_SPAN(key, sizeof(key)), BB_SPAN(NULL, 0));
		else
			bb_cursor_del(&at, BB_SPAN(key, sizeof(key)));
	}
	bb_cursor_close(&at);
}

void bb_rows_flush(struct bb_rows *r)
{
	struct bb_keyed *order;

	if (!r->count || r->store->why)
		return;
	if (!(order = malloc(r->count * sizeof(*order)))) {
		r->store->why = "out of memory";
		return;
	}
	write_table(r, order, false);
	write_table(r, order, true);
	free(order);
	bb_rows_drop(r);
}

void bb_rows_drop(struct bb_rows *r)
{
	enum { KEPT = 1 << 16 };

	r->count = 0;
	if (r->cap > KEPT)
		bb_rows_free(r);
}

void bb_rows_free(struct bb_rows *r)
{
	free(r->row);
	r->row = NULL;
	r->count = r->cap = 0;
}
