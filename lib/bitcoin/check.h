#ifndef BB_BITCOIN_CHECK_H
#define BB_BITCOIN_CHECK_H

/* The rules that need no state: transactions and blocks, judged against what they carry and
 * what is claimed about their surroundings. Reasons are Bitcoin Core 31's reject reasons. */

#include "bitcoin/block.h"
#include "bitcoin/interpreter.h"
#include "bitcoin/network.h"

/* CheckTransaction. NULL when it holds, else the reason ("bad-txns-vin-empty"...). */
const char *bb_check_tx(const struct bb_tx *tx);

/* IsFinalTx at a height and the median time past before it (BIP 113). */
bool bb_tx_is_final(const struct bb_tx *tx, int64_t height, int64_t mtp);
/* Could that depend on height or time at all? */
bool bb_tx_has_locktime(const struct bb_tx *tx);

/* A claim that a rule lacked; *unjudged gathers these. */
enum bb_unjudged {
	BB_UNJUDGED_FINAL = 1 << 0,    /* at_height, at_mtp */
	BB_UNJUDGED_BIP68 = 1 << 1,    /* those, and a prevout's height or mtp */
	BB_UNJUDGED_MATURITY = 1 << 2, /* at_height, and a prevout's coinbase or height */
	BB_UNJUDGED_INPUTS = 1 << 3,   /* prevouts: sums, sigops cost and scripts */
	BB_UNJUDGED_SUBSIDY = 1 << 4,  /* a block's height, or prevouts */
	BB_UNJUDGED_HEIGHT = 1 << 5,   /* a block's height: versions, BIP 34, commitments */
	BB_UNJUDGED_TIME_OLD = 1 << 6, /* prev_times */
	BB_UNJUDGED_TIME_NEW = 1 << 7, /* now */
	BB_UNJUDGED_BITS = 1 << 8,     /* expected_bits */
	BB_UNJUDGED_COUNT = 9,
};

/* The reject reason of the rule behind one bit: what `unjudged` lists. */
const char *bb_unjudged_name(enum bb_unjudged bit);

/* BIP 68 with these claims: NULL or "non-BIP68-final"; sets a bit of *unjudged instead when a
 * claim it needs is -1. `height` and `mtp` are of the block to hold it and before it. */
const char *bb_check_sequence_locks(unsigned *unjudged, const struct bb_tx *tx,
	const struct bb_prevout *prevouts, int64_t height, int64_t mtp);

/* CheckTxInputs: maturity and sums. NULL or the reason; *fee_sat is then set. With a prevout
 * that is not known the sums are not judged, and the fee is 0. height -1: not claimed. */
const char *bb_check_tx_inputs(int64_t *fee_sat, unsigned *unjudged, const struct bb_tx *tx,
	const struct bb_prevout *prevouts, int64_t height, int64_t maturity);

/* Legacy sigops (unscaled), and the whole cost of BIP 141 with known prevouts. */
int64_t bb_tx_legacy_sigops(const struct bb_tx *tx);
int64_t bb_tx_sigops_cost(
	const struct bb_tx *tx, const struct bb_prevout *prevouts, uint32_t flags);

/* What is claimed about a block's surroundings; -1 or 0 where nothing is. */
struct bb_block_claims {
	int64_t height;		/* -1: not claimed */
	int64_t prev_times[11]; /* oldest first */
	size_t prev_time_count;
	int64_t expected_bits; /* -1 */
	int64_t now;	       /* -1 */
	bool from_ledger; /* prevouts are a ledger's coins: what is not known is not there */
};

/* Median of the claimed times; -1 without. */
int64_t bb_claims_mtp(const struct bb_block_claims *c);

/* Script flags of a block: by height, and the exceptions of history by hash
 * (GetBlockScriptFlags). height -1: as if all heights had been reached. */
uint32_t bb_block_flags(
	const struct bb_network *n, const unsigned char hash[32], int64_t height);

enum { BB_REASON_SIZE = 64 };

/* CheckBlock: what a block says of itself, signet's signature included. NULL or the reason. */
const char *bb_check_block_alone(const struct bb_block *block, const struct bb_network *n);
/* ContextualCheckBlockHeader. */
bool bb_check_header(char reason[BB_REASON_SIZE], unsigned *unjudged, const struct bb_header *h,
	const struct bb_block_claims *c, const struct bb_network *n);
/* ContextualCheckBlock. NULL or the reason. */
const char *bb_check_block_in_context(unsigned *unjudged, const struct bb_block *block,
	const struct bb_block_claims *c, const struct bb_network *n);
/* BIP 141's commitment to the witnesses, of a block under segwit's rules or of one before. NULL
 * or the reason. */
const char *bb_check_witness(const struct bb_block *block, bool segwit);
/* Is it a reason that another body behind the same hash need not give (Core's BLOCK_MUTATED)?
 * Then the hash must not be held against the block (CVE-2012-2459). */
bool bb_reason_is_mutation(const char *reason);

/* All three: CheckBlock and, with claims, the contextual checks of header and block, in Core's
 * order. True, or false with the reject reason. */
bool bb_check_block(char reason[BB_REASON_SIZE], unsigned *unjudged,
	const struct bb_block *block, const struct bb_block_claims *claims,
	const struct bb_network *n);

/* The rest of what connecting a block checks without its scripts, in Core's order: double
 * spends, maturity, sums, lock times, sigops cost, and the coinbase's value, as far as the
 * prevouts, in input order, are known; what they leave unsaid of the block's own outputs is
 * filled in. NULL or the reason, "prevout-mismatch" for a claim that the block itself
 * disproves; *at is then the transaction it was found in, or SIZE_MAX. From a ledger, what is
 * not known and not of the block's own is missing, and nothing else is a mismatch. */
const char *bb_check_block_inputs(unsigned *unjudged, size_t *at, const struct bb_block *block,
	struct bb_prevout *prevouts, const struct bb_block_claims *claims, uint32_t flags,
	const struct bb_network *n);

/* BIP 325: the block's signature satisfies the signet's challenge. */
bool bb_signet_valid(const struct bb_block *block, const struct bb_network *n);

#endif
