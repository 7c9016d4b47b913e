#ifndef BB_LEDGER_HEADERS_H
#define BB_LEDGER_HEADERS_H

/* What a node asks of its block tree when it talks to others: how to say where it stands, what
 * they lack, what it lacks itself. Within a transaction of the store; readers do.
 *
 * False or 0: there is none, or s->why. */

#include "ledger/tree.h"

/* The header with the most work that is not known to be invalid; of equals the first. Of a tree
 * that grows only what is new is looked at, so it may be asked for at every line. */
struct bb_best_header {
	uint32_t number;
	uint64_t nodes; /* looked at so far; 0: none yet, all are */
};
bool bb_headers_best(struct bb_node *out, struct bb_best_header *kept, struct bb_store *s);

/* The hashes of a chain from `from` down, the first twelve one after the other, then in steps
 * that double, the genesis block's last (Core's LocatorEntries). 42 are enough for any. */
enum { BB_LOCATOR_ENTRIES = 42 };
size_t bb_headers_locator(unsigned char out[BB_LOCATOR_ENTRIES][32], struct bb_store *s,
	const struct bb_node *from);
/* The last block of the active chain that a locator's chain has (FindForkInGlobalIndex). */
bool bb_headers_fork(
	struct bb_node *out, struct bb_store *s, unsigned char (*locator)[32], size_t count);
/* The active chain's headers above `fork`, up to `most` and up to the one whose hash is `stop`.
 * *last is the last of them, or `fork`. */
size_t bb_headers_after(struct bb_header *out, size_t most, struct bb_node *last,
	struct bb_store *s, const struct bb_node *fork, const unsigned char stop[32]);

/* The blocks that are missing on the way to `target`. */
struct bb_missing_block {
	unsigned char id[32];
	int32_t height;
};
struct bb_missing {
	struct bb_missing_block *block; /* the lowest first */
	size_t count;
	int32_t above; /* the height of the highest block in reach whose data are here; 0: none
			*/
};
/* In reach is what lies no more than `ahead` heights above the last block whose data and whose
 * ancestors' are here. `block` has room for so many. */
bool bb_headers_missing(struct bb_missing *out, struct bb_missing_block *block, int32_t ahead,
	struct bb_store *s, const struct bb_node *target);

#endif
