#ifndef BB_LEDGER_UNDO_H
#define BB_LEDGER_UNDO_H

/* What the blocks of the active chain spent, to take them back and to show prevouts: under BE32
 * node number and BE24 offset of a transaction in its block, its inputs' coins in order, each
 * as the length (variable, as in coins.h) of a coin's bytes and these. */

#include "ledger/coins.h"

/* Fill in value, script, height and coinbase of `count` prevouts; scripts lie in the arena.
 * `mtp` stays -1. False: not there, or damaged, or memory. */
bool bb_undo_get(struct bb_prevout *prevouts, size_t count, struct bb_store *s,
	struct bb_arena *a, uint32_t node, uint32_t offset);
/* Of a whole block, in input order. */
void bb_undo_put_block(struct bb_store *s, uint32_t node, const struct bb_block *block,
	const struct bb_prevout *prevouts);
bool bb_undo_get_block(struct bb_prevout *prevouts, struct bb_store *s, struct bb_arena *a,
	uint32_t node, const struct bb_block *block);
void bb_undo_del_block(struct bb_store *s, uint32_t node);

#endif
