#ifndef BB_BITCOIN_POW_H
#define BB_BITCOIN_POW_H

#include "bitcoin/block.h"
#include "bitcoin/network.h"

/* Targets are 32 bytes, little-endian numbers, like hashes in wire order. */

/* Compact bits to a target; false when negative, zero or over 256 bits. */
bool bb_target_from_bits(unsigned char target[32], uint32_t bits);
uint32_t bb_target_to_bits(const unsigned char target[32]);
int bb_number_compare(const unsigned char a[32], const unsigned char b[32]);
void bb_number_add(unsigned char a[32], const unsigned char b[32]); /* a += b, wrapping */
/* The work that a block of those bits stands for, 2^256 / (target + 1); 0 when they are no
 * target. */
void bb_work_from_bits(unsigned char work[32], uint32_t bits);
/* The hash meets its header's bits, and these the network's limit. */
bool bb_pow_valid(const unsigned char hash[32], uint32_t bits, const struct bb_network *n);
/* Difficulty relative to bits 0x1d00ffff, as Core prints it. */
double bb_difficulty(uint32_t bits);

#endif
