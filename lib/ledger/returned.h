#ifndef BB_LEDGER_RETURNED_H
#define BB_LEDGER_RETURNED_H

/* Transactions of blocks taken back, kept in memory until the way to the new tip is at its end
 * (DisconnectedBlockTransactions of Bitcoin Core). All zero: no block was. */

#include "bitcoin/block.h"

struct bb_returned {
	bool any; /* a block was taken back, even if nothing of it is kept */
	/* Private. */
	struct bb_buf records; /* the last of the last block first */
	uint64_t memory;       /* bytes that Core would count for them */
};

struct bb_returned_tx {
	const unsigned char *txid; /* 32 bytes */
	struct bb_span bytes;	   /* with witness */
	uint32_t memory;
};

/* The block's, behind those of the blocks taken back before. False: memory. */
bool bb_returned_add(struct bb_returned *r, const struct bb_block *block);
/* Walk over them, in the order in which they came here: *at is 0 at first, and moves on. False:
 * there are no more. It borrows until something changes. */
bool bb_returned_next(struct bb_returned_tx *out, size_t *at, const struct bb_returned *r);
/* The same, as long as they are more than Core keeps (MAX_DISCONNECTED_TX_POOL_BYTES): of
 * these, bb_returned_forget forgets all before *at. */
bool bb_returned_excess(struct bb_returned_tx *out, size_t *at, struct bb_returned *r);
void bb_returned_forget(struct bb_returned *r, size_t at);
/* Forget those that this block holds. False: memory, which is the arena's. */
bool bb_returned_mined(struct bb_returned *r, struct bb_arena *a, const struct bb_block *block);
void bb_returned_clear(struct bb_returned *r);
void bb_returned_free(struct bb_returned *r);

#endif
