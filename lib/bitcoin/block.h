#ifndef BB_BITCOIN_BLOCK_H
#define BB_BITCOIN_BLOCK_H

#include "bitcoin/tx.h"

enum { BB_HEADER_SIZE = 80 };

struct bb_header {
	int32_t version;
	unsigned char prev[32], merkle_root[32]; /* wire order */
	uint32_t time, bits, nonce;
};

struct bb_block {
	struct bb_header header;
	struct bb_tx *tx;
	size_t tx_count;
	unsigned char (*txid)[32]; /* of each, by bb_block_hash_txs; NULL: not hashed yet */
};

bool bb_header_parse(struct bb_header *h, struct bb_span bytes80);
void bb_put_header(struct bb_buf *b, const struct bb_header *h);
void bb_header_hash(unsigned char out[32], const struct bb_header *h);

bool bb_block_parse(struct bb_block *block, struct bb_span bytes, struct bb_arena *a);
/* Hash all transactions once, for everybody after; false when memory is out. */
bool bb_block_hash_txs(struct bb_block *block, struct bb_arena *a);
/* Of transaction i, hashed now or before. */
void bb_block_txid(unsigned char out[32], const struct bb_block *block, size_t i);
void bb_put_block(struct bb_buf *b, const struct bb_block *block);
size_t bb_block_size(const struct bb_block *block); /* bytes with witness */
int64_t bb_block_weight(const struct bb_block *block);
/* Inputs of all transactions but the coinbase: how many coins the block spends. */
size_t bb_block_spends(const struct bb_block *block);

#endif
