#ifndef BB_LEDGER_TEMPLATE_INSIDE_H
#define BB_LEDGER_TEMPLATE_INSIDE_H

/* How a template is filled, from wherever (BlockAssembler of Bitcoin Core 31): chunk by chunk,
 * the best first. Private to blocktemplate.c and blockoffers.c. */

#include "ledger/blocktemplate.h"

struct bb_filling {
	struct bb_block_template *t;
	const struct bb_network *network;
	struct bb_arena *arena;
	size_t room;	   /* of t->tx */
	bool segwit;	   /* its rules bind in this block (BIP 141) */
	unsigned failures; /* chunks in a row that did not fit */
};

/* Begin one on top of the tip; s NULL, or without a block: of the genesis block, if
 * `from_genesis`. At most `count` transactions are to come. False: s->why, memory, or no block
 * yet. */
bool bb_filling_begin(struct bb_filling *f, struct bb_store *s, int64_t now, bool from_genesis,
	uint64_t count);
/* Does it pay so little that it and all that follow are left out? */
bool bb_filling_ends(struct bb_feerate chunk);
/* Is there room for a chunk of so many transactions? */
bool bb_filling_fits(
	const struct bb_filling *f, struct bb_feerate chunk, int64_t sigops_cost, size_t count);
/* One did not fit. True: the block is as good as full, and looking further is in vain. */
bool bb_filling_failed(struct bb_filling *f);
/* Of one that fits; copied, and depends left to the caller. */
struct bb_template_tx *bb_filling_add(struct bb_filling *f, const struct bb_template_tx *tx);

#endif
