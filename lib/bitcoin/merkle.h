#ifndef BB_BITCOIN_MERKLE_H
#define BB_BITCOIN_MERKLE_H

#include "bitcoin/block.h"

/* The Merkle root of `count` hashes, which are overwritten. *mutated (may be NULL): two equal
 * hashes stood side by side, so another list has the same root (CVE-2012-2459). */
void bb_merkle_root(
	unsigned char out[32], bool *mutated, unsigned char (*hashes)[32], size_t count);
/* Of a block's txids, or of its wtxids with the coinbase's as zero (BIP 141). False when
 * memory is out. */
bool bb_block_merkle_root(unsigned char out[32], bool *mutated, const struct bb_block *block);
bool bb_block_witness_root(unsigned char out[32], const struct bb_block *block);
/* The hashes that lead from leaf `index` to the root, the leaf's sibling first: as many as
 * bb_merkle_depth(count). `hashes` are overwritten. */
size_t bb_merkle_depth(size_t count);
void bb_merkle_branch(
	unsigned char (*branch)[32], unsigned char (*hashes)[32], size_t count, size_t index);
/* The output of the coinbase that holds the witness commitment (the last that fits), or -1. */
int bb_witness_commitment_index(const struct bb_tx *coinbase);

#endif
