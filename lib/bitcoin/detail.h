#ifndef BB_BITCOIN_DETAIL_H
#define BB_BITCOIN_DETAIL_H

/* Bitcoin Core's debug text behind a reject reason: a verdict's `detail`. Where Core has none,
 * out becomes "". */

#include "bitcoin/check.h"

enum { BB_DETAIL_SIZE = 384 };

/* An amount in bitcoin, with at least two decimals, as Core prints money. */
void bb_money_text(char out[32], int64_t sat);
/* Of a loose transaction; height -1: not claimed. */
void bb_tx_detail(char out[BB_DETAIL_SIZE], const char *reason, const struct bb_tx *tx,
	const struct bb_prevout *prevouts, int64_t height, int64_t maturity);
/* Of a block; `at` is the transaction whose inputs were refused, or SIZE_MAX; prevouts NULL:
 * not all known. */
void bb_block_detail(char out[BB_DETAIL_SIZE], const char *reason, const struct bb_block *block,
	size_t at, const struct bb_prevout *prevouts, const struct bb_block_claims *claims,
	const struct bb_network *n);
/* Of input `index`, whose script failed. */
void bb_script_detail(char out[BB_DETAIL_SIZE], const struct bb_tx *tx, size_t index);

#endif
