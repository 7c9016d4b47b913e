#include "bitcoin/merkle.h"

#include <stdlib.h>
#include <string.h>

#include "bitcoin/script.h"
#include "crypto/hash.h"

/* One level of the tree to the next; an odd one out is paired with itself. Returns how many
 * hashes that one has. */
static size_t climb(unsigned char (*h)[32], size_t count)
{
	for (size_t i = 0; i < count; i += 2) {
		unsigned char pair[64];
		memcpy(pair, h[i], 32);
		memcpy(pair + 32, h[i + 1 < count ? i + 1 : i], 32);
		bb_sha256d(h[i / 2], pair, 64);
	}
	return (count + 1) / 2;
}

void bb_merkle_root(unsigned char out[32], bool *mutated, unsigned char (*h)[32], size_t count)
{
	bool twins = false;

	memset(out, 0, 32);
	while (count > 1) {
		for (size_t i = 0; i + 1 < count; i += 2)
			twins |= memcmp(h[i], h[i + 1], 32) == 0;
		count = climb(h, count);
	}
	if (count)
		memcpy(out, h[0], 32);
	if (mutated)
		*mutated = twins;
}

size_t bb_merkle_depth(size_t count)
{
	size_t depth = 0;

	for (; count > 1; count = (count + 1) / 2)
		depth++;
	return depth;
}

void bb_merkle_branch(
	unsigned char (*branch)[32], unsigned char (*h)[32], size_t count, size_t index)
{
	for (; count > 1; count = climb(h, count), index /= 2) {
		const size_t sibling = (index ^ 1) < count ? index ^ 1 : index;
		memcpy(*branch++, h[sibling], 32);
	}
}

bool bb_block_merkle_root(unsigned char out[32], bool *mutated, const struct bb_block *block)
{
	unsigned char(*h)[32] = calloc(block->tx_count + 1, 32);

	if (!h)
		return false;
	for (size_t i = 0; i < block->tx_count; i++)
		bb_block_txid(h[i], block, i);
	bb_merkle_root(out, mutated, h, block->tx_count);
	free(h);
	return true;
}

bool bb_block_witness_root(unsigned char out[32], const struct bb_block *block)
{
	unsigned char(*h)[32] = calloc(block->tx_count + 1, 32);

	if (!h)
		return false;
	for (size_t i = 1; i < block->tx_count; i++) {
		if (bb_tx_has_witness(&block->tx[i]))
			bb_tx_wtxid(h[i], &block->tx[i]);
		else
			bb_block_txid(h[i], block, i);
	}
	bb_merkle_root(out, NULL, h, block->tx_count);
	free(h);
	return true;
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
