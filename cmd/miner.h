#ifndef BB_CMD_MINER_H
#define BB_CMD_MINER_H

/* Threads that search for a block's nonce; each has its share of the nonces, and rolls time and
 * extranonce by itself when they are used up. The caller searches too, in short turns, so that
 * it can look for news in between. */

#include "mine/assemble.h"

struct miner;

enum miner_state {
	MINER_IDLE,   /* there is no work */
	MINER_BUSY,   /* go on */
	MINER_FOUND,  /* and idle from here on */
	MINER_SPENT,  /* nothing is left to try */
	MINER_FAILED, /* a candidate could not be made */
};

/* `threads`, the caller's among them. NULL: no memory, no threads. */
struct miner *miner_new(unsigned threads);
void miner_free(struct miner *m);

/* Begin to work on this, with no other work at hand. It is borrowed until miner_turn tells of
 * an end, or miner_stop. No more than so many nonces are tried. */
void miner_set(
	struct miner *m, const struct bb_assembly *b, uint64_t tries, struct bb_signer *s);
/* One turn of the caller's, a few milliseconds. */
enum miner_state miner_turn(struct miner *m);
/* Drop the work: MINER_IDLE, or an end that it had come to before, which miner_turn would have
 * told. */
enum miner_state miner_stop(struct miner *m);
/* What was found; until the next miner_set. */
const struct bb_candidate *miner_found(const struct miner *m, uint32_t *nonce);
/* Why it failed. */
const char *miner_why(const struct miner *m);
/* Nonces tried so far, by all threads. */
uint64_t miner_hashes(struct miner *m);

#endif
