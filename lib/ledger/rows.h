#ifndef BB_LEDGER_ROWS_H
#define BB_LEDGER_ROWS_H

/* The indexes that answer by txid and by script.
 *
 * Their keys begin with the first 8 bytes of a txid, or of a script's SHA-256: whoever follows
 * one compares the whole, so that two with equal beginnings cost a read and no wrong answer.
 *
 *	BB_TXS, BB_HISTORY	8 bytes, BE32 height, BE24 transaction's offset in its block
 *	BB_UNSPENT		8 bytes, an outpoint's key (coins.h)
 *
 * Rows of blocks are gathered, and written in order before a commit. */

#include "ledger/coins.h"
#include "ledger/keysort.h"

enum { BB_ROW_SIZE = 15 };

/* Where a transaction stands in the active chain. */
struct bb_row {
	int32_t height;
	uint32_t offset; /* bytes from the block's first */
};

void bb_row_key(unsigned char key[BB_ROW_SIZE], const unsigned char prefix[8],
	const struct bb_row *row);
struct bb_row bb_row_parse(const unsigned char key[BB_ROW_SIZE]);
void bb_script_prefix(unsigned char prefix[8], struct bb_span script);

struct bb_rows {
	struct bb_store *store;
	/* Private. */
	struct bb_keyed *row; /* prefix; height, offset and table as one number */
	size_t count, cap;
	bool add; /* what is to be done with them */
};

/* The rows of a block that is connected, or taken back (`add` false): one in BB_TXS for each
 * transaction, one in BB_HISTORY for each script that each pays or spends, but those that
 * cannot be coins. `prevouts` in input order. False: memory. */
bool bb_rows_block(struct bb_rows *r, const struct bb_block *block,
	const struct bb_prevout *prevouts, int32_t height, bool add);
/* The key of the pending row i, below r->count, and its table. */
enum bb_table bb_rows_at(unsigned char key[BB_ROW_SIZE], const struct bb_rows *r, size_t i);
size_t bb_rows_bytes(const struct bb_rows *r);
/* Write them into the store's transaction, in order. */
void bb_rows_flush(struct bb_rows *r);
void bb_rows_drop(struct bb_rows *r);
void bb_rows_free(struct bb_rows *r);

#endif
