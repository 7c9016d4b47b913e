#include "bitcoin/merkle.h"

#include <stdlib.h>
#include <string.h>

#include "bitcoin/script.h"
#include "crypto/hash.h"

void bb_merkle_root(unsigned char out[32], bool *mutated, unsigned char (*h)[32], size_t count)
{
	bool twins = false;

	memset(out, 0, 32);
	while (count > 1) {
		for (size_t i = 0; i + 1 < count; i += 2)
			twins |= memcmp(h[i], h[i + 1], 32) == 0;
		for (size_t i = 0; i < count; i += 2) {
			unsigned char pair[64];
			memcpy(pair, h[i], 32);
			memcpy(pair + 32, h[i + 1 < count ? i + 1 : i], 32);
			bb_sha256d(h[i / 2], pair, 64);
		}
		count = (count + 1) / 2;
	}
	if (count)
		memcpy(out, h[0], 32);
	if (mutated)
		*mutated = twins;
}

/* Over an id of each transaction from `first` on; those before count as zero. */
static bool block_root(unsigned char out[32], bool *mutated, const struct bb_block *block,
	void (*id)(unsigned char out[32], const struct bb_tx *tx), size_t first)
{
	unsigned char(*h)[32] = calloc(block->tx_count + 1, 32);

	if (!h)
		return false;
	for (size_t i = first; i < block->tx_count; i++)
		id(h[i], &block->tx[i]);
	bb_merkle_root(out, mutated, h, block->tx_count);
	free(h);
	return true;
}

bool bb_block_merkle_root(unsigned char out[32], bool *mutated, const struct bb_block *block)
{
	return block_root(out, mutated, block, bb_tx_txid, 0);
}

bool bb_block_witness_root(unsigned char out[32], const struct bb_block *block)
{
	return block_root(out, NULL, block, bb_tx_wtxid, 1);
}

int bb_witness_commitment_index(const struct bb_tx *coinbase)
{
	int found = -1;

	/* BIP 141: OP_RETURN, a push of at least 36 bytes that begins with aa21a9ed. */
	for (size_t i = 0; i < coinbase->out_count; i++) {
		struct bb_span s = coinbase->out[i].script;
		if (s.len >= 38 && memcmp(s.data, "\x6a\x24\xaa\x21\xa9\xed", 6) == 0)
			found = (int)i;
	}
	return found;
}
