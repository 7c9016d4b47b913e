#ifndef BB_LEDGER_STATE_H
#define BB_LEDGER_STATE_H

/* What the ledger is while a process works on it: the store, and what is not written yet. */

#include "bitcoin/judge.h"
#include "ledger/pool.h"
#include "ledger/rows.h"

struct bb_ledger {
	struct bb_store *store; /* borrowed, open for writing */
	const struct bb_network *network;
	const struct bb_parallel *parallel; /* NULL: this thread alone */
	int64_t now;			    /* seconds since 1970; -1: the clock's */

	struct bb_pool pool; /* its policy may be set after bb_ledger_open */

	/* Private. */
	struct bb_coins coins;
	struct bb_rows rows;
	struct bb_interpreter vm;
	struct bb_arena arena; /* of blocks read back */
	struct bb_buf bytes;
	uint32_t failed; /* the last node that failed to connect, and its verdict */
	struct bb_verdict failure;
	bool moved; /* a block was connected or taken back on the way at hand */
};

/* Is so much gathered that it should be written? */
static inline bool bb_ledger_full(const struct bb_ledger *l)
{
	return bb_coins_full(&l->coins) || bb_rows_bytes(&l->rows) > l->coins.budget / 2;
}

/* Somebody trusted has run a block's scripts on these prevouts (bb_prevouts_hash). */
struct bb_known_scripts {
	unsigned char prevouts[32];
	int64_t height; /* claimed to whoever ran them; -1: none, all rules bound */
};

#endif
