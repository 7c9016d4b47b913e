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

/* A row that is to be written: its prefix as a number, and the rest as another. */

enum { IN_HISTORY = 1 };

static uint64_t rest_of(int32_t height, size_t offset)
{
	return (uint64_t)(uint32_t)height << 32 | (offset & 0xffffff) << 8;
}

static bool make_room(struct bb_rows *r, size_t count)
{
	size_t cap = r->cap ? r->cap : 1024;
	struct bb_keyed *row;

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

static void push(struct bb_rows *r, uint64_t rest, const unsigned char prefix[8])
{
	r->row[r->count++] = (struct bb_keyed){bb_be64(prefix), {.rest = rest}};
}

static void push_script(struct bb_rows *r, uint64_t rest, struct bb_span script)
{
	unsigned char prefix[8];

	if (bb_script_is_unspendable(script))
		return;
	bb_script_prefix(prefix, script);
	push(r, rest, prefix);
}

static int compare_rows(const void *a, const void *b)
{
	const struct bb_keyed *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->of.rest < y->of.rest ? -1 : x->of.rest > y->of.rest;
}

/* A transaction's rows from `first` on differ in their prefixes alone: each once. */
static void make_distinct(struct bb_rows *r, size_t first)
{
	enum { FEW = 16 }; /* of more, equal ones are brought side by side */
	const bool many = r->count - first > FEW;
	size_t end = first;

	if (many)
		qsort(r->row + first, r->count - first, sizeof(*r->row), compare_rows);
	for (size_t i = first; i < r->count; i++) {
		size_t k = many && end > first ? end - 1 : first;
		while (k < end && r->row[k].key != r->row[i].key)
			k++;
		if (k == end)
			r->row[end++] = r->row[i];
	}
	r->count = end;
}

static bool put_tx(struct bb_rows *r, uint64_t rest, const unsigned char txid[32],
	const struct bb_tx *tx, const struct bb_prevout *prevouts, size_t spent)
{
	size_t first;

	if (!make_room(r, 1 + tx->out_count + spent))
		return false;
	push(r, rest, txid);
	first = r->count;
	rest |= IN_HISTORY;
	for (size_t i = 0; i < tx->out_count; i++)
		push_script(r, rest, tx->out[i].script);
	for (size_t i = 0; i < spent; i++)
		if (prevouts[i].known)
			push_script(r, rest, prevouts[i].script);
	make_distinct(r, first);
	return true;
}

bool bb_rows_block(struct bb_rows *r, const struct bb_block *block,
	const struct bb_prevout *prevouts, int32_t height, bool add)
{
	size_t offset = BB_HEADER_SIZE + bb_compact_len(block->tx_count);

	/* A row may be added, taken away, and added again: in the order of these. */
	if (add != r->add)
		bb_rows_flush(r);
	r->add = add;
	for (size_t i = 0; i < block->tx_count; i++) {
		const struct bb_tx *tx = &block->tx[i];
		const size_t spent = i ? tx->in_count : 0; /* the coinbase spends nothing */
		unsigned char txid[32];
		bb_block_txid(txid, block, i);
		if (!put_tx(r, rest_of(height, offset), txid, tx, prevouts, spent))
			return false;
		if (spent)
			prevouts += spent;
		offset += bb_tx_total_size(tx);
	}
	return true;
}

enum bb_table bb_rows_at(unsigned char key[BB_ROW_SIZE], const struct bb_rows *r, size_t i)
{
	const uint64_t rest = r->row[i].of.rest;
	const struct bb_row row = {
		.height = (int32_t)(rest >> 32), .offset = rest >> 8 & 0xffffff};

	bb_key64(key, r->row[i].key);
	bb_row_key(key, key, &row);
	return rest & IN_HISTORY ? BB_HISTORY : BB_TXS;
}

size_t bb_rows_bytes(const struct bb_rows *r)
{
	return r->count * sizeof(*r->row);
}

static void write_table(struct bb_rows *r, enum bb_table table)
{
	unsigned char key[BB_ROW_SIZE];
	struct bb_cursor at;

	if (!bb_cursor_open(&at, r->store, table))
		return;
	for (size_t i = 0; i < r->count; i++) {
		if (bb_rows_at(key, r, i) != table)
			continue;
		if (r->add)
			bb_cursor_put(&at, BB_SPAN(key, sizeof(key)), BB_SPAN(NULL, 0));
		else
			bb_cursor_del(&at, BB_SPAN(key, sizeof(key)));
	}
	bb_cursor_close(&at);
}

void bb_rows_flush(struct bb_rows *r)
{
	if (!r->count || r->store->why)
		return;
	if (!bb_keysort(r->row, r->count, compare_rows)) {
		bb_store_no_memory(r->store);
		return;
	}
	write_table(r, BB_TXS);
	write_table(r, BB_HISTORY);
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
