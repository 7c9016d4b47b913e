#include "ledger/returned.h"

#include <stdlib.h>
#include <string.h>

/* A record: txid, LE32 memory, LE32 length, the bytes. */
enum {
	HEAD = 32 + 4 + 4,
	MEMORY_MAX = 20000000, /* MAX_DISCONNECTED_TX_POOL_BYTES */
};

/* Core's RecursiveDynamicUsage: what allocations of these sizes take on a 64-bit machine. */

static size_t allocated(size_t size)
{
	return size ? (size + 31) / 16 * 16 : 0;
}

static size_t script_memory(struct bb_span script)
{
	return script.len > 36 ? allocated(script.len) : 0; /* shorter ones need none */
}

static size_t memory_of(const struct bb_tx *tx)
{
	enum { TXIN = 104, TXOUT = 48, ITEM = 24, REST = 312 };
	size_t n = REST + allocated(tx->in_count * TXIN) + allocated(tx->out_count * TXOUT);

	for (size_t i = 0; i < tx->in_count; i++) {
		n += script_memory(tx->in[i].script_sig);
		n += allocated(tx->in[i].witness_count * ITEM);
		for (size_t k = 0; k < tx->in[i].witness_count; k++)
			n += allocated(tx->in[i].witness[k].len);
	}
	for (size_t i = 0; i < tx->out_count; i++)
		n += script_memory(tx->out[i].script);
	return n;
}

/* Keeping. */

static bool add_tx(struct bb_returned *r, const struct bb_tx *tx, const unsigned char txid[32])
{
	const size_t memory = memory_of(tx), at = r->records.len;

	bb_put(&r->records, txid, 32);
	bb_put_le32(&r->records, (uint32_t)memory);
	bb_put_le32(&r->records, 0);
	bb_put_tx(&r->records, tx, true);
	if (r->records.failed)
		return false;
	bb_set_le32(r->records.data + at + 36, (uint32_t)(r->records.len - at - HEAD));
	r->memory += memory;
	return true;
}

bool bb_returned_add(struct bb_returned *r, const struct bb_block *block)
{
	r->any = true;
	for (size_t i = block->tx_count; i-- > 0;)
		if (!add_tx(r, &block->tx[i], block->txid[i]))
			return false;
	return true;
}

bool bb_returned_next(struct bb_returned_tx *out, size_t *at, const struct bb_returned *r)
{
	const unsigned char *p;

	if (*at >= r->records.len)
		return false;
	p = r->records.data + *at;
	*out = (struct bb_returned_tx){.txid = p,
		.memory = bb_le32(p + 32),
		.bytes = BB_SPAN(p + HEAD, bb_le32(p + 36))};
	*at += HEAD + out->bytes.len;
	return true;
}

/* Forgetting. */

bool bb_returned_excess(struct bb_returned_tx *out, size_t *at, struct bb_returned *r)
{
	if (r->memory <= MEMORY_MAX || !bb_returned_next(out, at, r))
		return false;
	r->memory -= out->memory;
	return true;
}

void bb_returned_forget(struct bb_returned *r, size_t at)
{
	if (!at)
		return;
	r->records.len -= at;
	memmove(r->records.data, r->records.data + at, r->records.len);
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

bool bb_returned_mined(struct bb_returned *r, struct bb_arena *a, const struct bb_block *block)
{
	const size_t count = block->tx_count;
	struct bb_returned_tx tx;
	size_t from = 0, at = 0, to = 0;
	unsigned char *ids;

	if (!r->records.len)
		return true;
	if (!(ids = bb_arena_alloc(a, count * 32)))
		return false;
	memcpy(ids, block->txid, count * 32);
	qsort(ids, count, 32, compare_ids);
	for (; bb_returned_next(&tx, &at, r); from = at) {
		if (bsearch(tx.txid, ids, count, 32, compare_ids)) {
			r->memory -= tx.memory;
			continue;
		}
		if (to != from)
			memmove(r->records.data + to, r->records.data + from, at - from);
		to += at - from;
	}
	r->records.len = to;
	return true;
}

void bb_returned_clear(struct bb_returned *r)
{
	r->any = false;
	r->records.len = 0;
	r->memory = 0;
}

void bb_returned_free(struct bb_returned *r)
{
	bb_buf_free(&r->records);
	*r = (struct bb_returned){0};
}
