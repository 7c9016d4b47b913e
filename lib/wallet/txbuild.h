#ifndef BB_WALLET_TXBUILD_H
#define BB_WALLET_TXBUILD_H

/* An unsigned transaction: which of the coins, how much change, what fee, in which order. */

#include "wallet/coinselect.h"
#include "wallet/utxo.h"

/* Zero-initialise but for the first part. */
struct bb_txbuild {
	/* As asked for. */
	struct bb_txout *pay; /* the outputs with an amount, and room for one more */
	size_t pay_count;
	struct bb_span rest; /* script of the change, or of a sweep's output; empty: the first
			      * input's */
	size_t rest_at;	     /* a sweep's place among the outputs */
	int64_t fee_per_kvb;
	uint32_t locktime, sequence;
	bool sweep;	  /* spend all coins, and `rest` gets what is left over */
	bool spend_all;	  /* spend all coins */
	bool allow_dust;  /* in a sweep */
	bool allow_large; /* up to a block's weight */
	bool keep_order;  /* change comes last, not at a random place */

	/* The coins, confirmed ones first. */
	struct bb_utxo *coins;
	size_t count;

	struct bb_selection chosen;
};

/* Choose coins: confirmed ones if they suffice, else all. False with *why, as
 * bb_select_coins has it. */
bool bb_txbuild_choose(
	struct bb_txbuild *b, const char **why, int64_t *short_sat, struct bb_arena *a);
/* The weight that bb_txbuild_choose keeps to. */
int64_t bb_txbuild_max_weight(const struct bb_txbuild *b);

/* The transaction of the coins chosen, and what its inputs spend; the outputs are those of b.
 * False with *why. */
bool bb_txbuild_tx(struct bb_tx *tx, struct bb_prevout **prevouts, const char **why,
	const struct bb_txbuild *b, struct bb_arena *a);
/* What the coins chosen tell signers: the array of vin objects; *any: there is something in
 * it. NULL with *why. */
const struct bb_json *bb_txbuild_vin(
	bool *any, const char **why, const struct bb_txbuild *b, struct bb_arena *a);

#endif
