#ifndef BB_BITCOIN_RETARGET_H
#define BB_BITCOIN_RETARGET_H

/* Difficulty: the bits that the next header must have (GetNextWorkRequired), and what bits are
 * worth. */

#include "bitcoin/block.h"
#include "bitcoin/network.h"

/* Blocks from one retarget to the next. */
int64_t bb_retarget_interval(const struct bb_network *n);

/* The bits of a new period (CalculateNextWorkRequired): `bits` of the one before (of its last
 * block; under BIP 94 of its first), and the times of its first and last block. */
uint32_t bb_retarget(
	const struct bb_network *n, uint32_t bits, uint32_t first_time, uint32_t last_time);

/* A chain's headers by height, for as far as they are asked for; false when out of reach. */
struct bb_ancestry {
	bool (*at)(void *arg, int64_t height, struct bb_header *out);
	void *arg;
};

/* The bits for a header of that time on top of the header at `height`. Testnet's and regtest's
 * minimum difficulty, BIP 94 and no_retarget included. False when an ancestor was out of reach.
 */
bool bb_next_bits(uint32_t *bits, const struct bb_network *n, const struct bb_ancestry *chain,
	int64_t height, uint32_t time);

#endif
