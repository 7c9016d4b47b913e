#ifndef BB_NET_PRESYNC_H
#define BB_NET_PRESYNC_H

/* A chain of headers that has to show its work before any of it is kept: else whoever makes
 * headers of little work could fill the tree (Bitcoin Core's headers presync).
 *
 * Its headers come twice. In the first pass nothing of them stays but their work and, of one in
 * so many, one bit of a hash under a secret salt. When they have shown enough they come again,
 * and are given out only when there are so many behind them whose bits are the same, or they
 * have shown all the work anew: another chain would have to guess the bits. */

#include "bitcoin/block.h"
#include "bitcoin/network.h"

/* Where a chain stands. */
struct bb_chain_point {
	unsigned char id[32];
	unsigned char work[32], block_work[32]; /* of all up to it; of it alone */
	uint32_t bits;
	int32_t height;
	int64_t mtp; /* its median time past, or an earlier one */
};
/* A header is put on top. */
void bb_chain_point_step(
	struct bb_chain_point *p, const struct bb_header *h, const unsigned char id[32]);

struct bb_presync_rules {
	const struct bb_network *network;
	unsigned char enough[32]; /* work that has to be shown */
	int64_t now;		  /* seconds since 1970: no chain can have more headers */
	unsigned period;	  /* headers to one bit */
	size_t held;		  /* headers kept back, of which the bits are checked */
};

struct bb_presync;
/* Of what follows `start`. NULL: memory, or no randomness. */
struct bb_presync *bb_presync_new(
	const struct bb_presync_rules *r, const struct bb_chain_point *start);
void bb_presync_free(struct bb_presync *p);

enum bb_presync_word {
	BB_PRESYNC_MORE,  /* ask for what follows bb_presync_last */
	BB_PRESYNC_SHOWN, /* twice: all that is there may be taken */
	BB_PRESYNC_NO,	  /* too little, too many, or not what it was the first time */
};
/* Headers that stand on each other, the first on bb_presync_last, and their hashes. `full`:
 * there may be more. Not while there is any to be taken. */
enum bb_presync_word bb_presync_add(struct bb_presync *p, const struct bb_header *h,
	unsigned char (*id)[32], size_t count, bool full);
const unsigned char *bb_presync_last(const struct bb_presync *p);
/* Is there one to be taken? */
bool bb_presync_ready(const struct bb_presync *p);
/* What the next one stands on. */
const struct bb_chain_point *bb_presync_taken(const struct bb_presync *p);
bool bb_presync_take(struct bb_header *h, unsigned char id[32], struct bb_presync *p);

#endif
