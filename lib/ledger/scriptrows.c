/* The mempool's index by script. Its rows fall everywhere in their table: gathered, and written
 * in order, they cost a fraction. */

#include "ledger/keysort.h"
#include "ledger/store_inside.h"

enum { ROWS_MANY = 1 << 17, ROWS_KEPT = 1 << 13 };

/* A row as it is gathered: the script as a number; twice the transaction's, and one more where
 * it is to be deleted. */

static int compare_rows(const void *a, const void *b)
{
	const struct bb_keyed *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->of.rest < y->of.rest ? -1 : x->of.rest > y->of.rest;
}

static void note(struct bb_store *s, const unsigned char prefix[8], uint64_t rest)
{
	const struct bb_keyed row = {bb_be64(prefix), {.rest = rest}};

	if (s->script_rows.len / sizeof(row) >= ROWS_MANY)
		bb_script_rows_flush(s);
	bb_put(&s->script_rows, &row, sizeof(row));
	if (s->script_rows.failed)
		bb_store_no_memory(s);
}

void bb_store_put_script(struct bb_store *s, const unsigned char prefix[8], uint64_t number)
{
	note(s, prefix, number << 1);
}

void bb_store_del_script(struct bb_store *s, const unsigned char prefix[8], uint64_t number)
{
	note(s, prefix, number << 1 | 1);
}

static void write_row(struct bb_cursor *at, const struct bb_keyed *row)
{
	unsigned char key[16];

	bb_key64(key, row->key);
	bb_key64(key + 8, row->of.rest >> 1);
	if (!(row->of.rest & 1))
		bb_cursor_put(at, BB_SPAN(key, sizeof(key)), BB_SPAN(NULL, 0));
	else if (!bb_cursor_del(at, BB_SPAN(key, sizeof(key))))
		bb_store_set_why(at->store, "the store is damaged: a script of the mempool");
}

/* What is deleted is never put again: both in one transaction are neither. */
static void write_rows(struct bb_store *s, const struct bb_keyed *row, size_t count)
{
	struct bb_cursor at;

	if (!bb_cursor_open(&at, s, BB_POOL_SCRIPTS))
		return;
	for (size_t i = 0; i < count && !s->why; i++)
		if (i + 1 < count && row[i].key == row[i + 1].key &&
			(row[i].of.rest | 1) == row[i + 1].of.rest)
			i++;
		else
			write_row(&at, &row[i]);
	bb_cursor_close(&at);
}

void bb_script_rows_flush(struct bb_store *s)
{
	struct bb_keyed *row = (struct bb_keyed *)s->script_rows.data;
	const size_t count = s->script_rows.len / sizeof(*row);

	if (!count || s->why)
		return;
	if (bb_keysort(row, count, compare_rows))
		write_rows(s, row, count);
	else
		bb_store_no_memory(s);
	bb_script_rows_drop(s);
}

void bb_script_rows_drop(struct bb_store *s)
{
	if (s->script_rows.len > ROWS_KEPT * sizeof(struct bb_keyed) || s->script_rows.failed)
		bb_buf_free(&s->script_rows);
	s->script_rows.len = 0;
}
