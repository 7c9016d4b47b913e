#include "bitcoin/block.h"

#include <string.h>

#include "crypto/hash.h"

bool bb_header_parse(struct bb_header *h, struct bb_span bytes80)
{
	const unsigned char *p = bytes80.data;

	if (bytes80.len != BB_HEADER_SIZE)
		return false;
	h->version = (int32_t)bb_le32(p);
	memcpy(h->prev, p + 4, 32);
	memcpy(h->merkle_root, p + 36, 32);
	h->time = bb_le32(p + 68);
	h->bits = bb_le32(p + 72);
	h->nonce = bb_le32(p + 76);
	return true;
}

static void header_bytes(unsigned char p[BB_HEADER_SIZE], const struct bb_header *h)
{
	bb_set_le32(p, (uint32_t)h->version);
	memcpy(p + 4, h->prev, 32);
	memcpy(p + 36, h->merkle_root, 32);
	bb_set_le32(p + 68, h->time);
	bb_set_le32(p + 72, h->bits);
	bb_set_le32(p + 76, h->nonce);
}

void bb_put_header(struct bb_buf *b, const struct bb_header *h)
{
	unsigned char p[BB_HEADER_SIZE];

	header_bytes(p, h);
	bb_put(b, p, sizeof(p));
}

void bb_header_hash(unsigned char out[32], const struct bb_header *h)
{
	unsigned char p[BB_HEADER_SIZE];

	header_bytes(p, h);
	bb_sha256d(out, p, sizeof(p));
}

bool bb_block_parse(struct bb_block *block, struct bb_span bytes, struct bb_arena *a)
{
	enum { MIN_TX = 10 };
	struct bb_reader r = bb_reader(bytes.data, bytes.len);
	uint64_t count;

	if (!bb_header_parse(&block->header, bb_get_span(&r, BB_HEADER_SIZE)))
		return false;
	count = bb_get_compact(&r);
	if (r.bad || count > bb_left(&r) / MIN_TX)
		return false;
	block->tx_count = (size_t)count;
	block->txid = NULL;
	if (!(block->tx = bb_arena_array(a, block->tx_count, sizeof(*block->tx))))
		return false;
	for (size_t i = 0; i < block->tx_count; i++)
		if (!bb_tx_read(&block->tx[i], &r, a, true))
			return false;
	return !bb_left(&r);
}

bool bb_block_hash_txs(struct bb_block *block, struct bb_arena *a)
{
	unsigned char(*txid)[32];

	if (block->txid)
		return true;
	if (!(txid = bb_arena_alloc(a, block->tx_count * sizeof(*txid))))
		return false;
	for (size_t i = 0; i < block->tx_count; i++)
		bb_tx_txid(txid[i], &block->tx[i]);
	block->txid = txid;
	return true;
}

void bb_block_txid(unsigned char out[32], const struct bb_block *block, size_t i)
{
	if (block->txid)
		memcpy(out, block->txid[i], 32);
	else
		bb_tx_txid(out, &block->tx[i]);
}

void bb_put_block(struct bb_buf *b, const struct bb_block *block)
{
	bb_put_header(b, &block->header);
	bb_put_compact(b, block->tx_count);
	for (size_t i = 0; i < block->tx_count; i++)
		bb_put_tx(b, &block->tx[i], true);
}

size_t bb_block_size(const struct bb_block *block)
{
	size_t n = BB_HEADER_SIZE + bb_compact_len(block->tx_count);

	for (size_t i = 0; i < block->tx_count; i++)
		n += bb_tx_total_size(&block->tx[i]);
	return n;
}

int64_t bb_block_weight(const struct bb_block *block)
{
	int64_t n = 4 * (int64_t)(BB_HEADER_SIZE + bb_compact_len(block->tx_count));

	for (size_t i = 0; i < block->tx_count; i++)
		n += bb_tx_weight(&block->tx[i]);
	return n;
}

size_t bb_block_spends(const struct bb_block *block)
{
	size_t n = 0;

	for (size_t i = 1; i < block->tx_count; i++)
		n += block->tx[i].in_count;
	return n;
}
