#ifndef BB_LEDGER_QUERY_H
#define BB_LEDGER_QUERY_H

/* Answers from the store, within a transaction of the caller's. Everything lies in the arena.
 * False: not found, or s->why. */

#include "bitcoin/blockline.h"
#include "ledger/rows.h"
#include "ledger/tree.h"
#include "ledger/undo.h"

/* A block's data, parsed; its prevouts and claims. `now` is left to the caller. */
struct bb_stored_block {
	struct bb_node node;
	struct bb_span bytes;
	struct bb_blockline line; /* prevouts all unknown unless asked for */
};
/* With `prevouts`, everything that the block spent, with height, coinbase and mtp; false then
 * for a block outside the active chain. */
bool bb_query_block(struct bb_stored_block *b, struct bb_store *s, const struct bb_network *n,
	struct bb_arena *a, const struct bb_node *node, bool prevouts);

/* A transaction of the active chain. */
struct bb_stored_tx {
	struct bb_node node; /* its block */
	uint32_t offset;
	struct bb_span bytes;
	struct bb_tx tx;
	struct bb_prevout *prevouts; /* of a coinbase: one that is unknown */
	bool coinbase;
};
bool bb_query_tx(struct bb_stored_tx *t, struct bb_store *s, struct bb_arena *a,
	const unsigned char txid[32]);
/* Is there one? */
bool bb_query_has_tx(struct bb_store *s, struct bb_arena *a, const unsigned char txid[32]);
/* The last one below that height: an earlier one of the two with one id (BIP 30). */
bool bb_query_tx_below(struct bb_stored_tx *t, struct bb_store *s, struct bb_arena *a,
	const unsigned char txid[32], int32_t height);
bool bb_query_tx_at(struct bb_stored_tx *t, struct bb_store *s, struct bb_arena *a,
	const struct bb_row *row);

/* A coin with all that is known of it. */
struct bb_unspent {
	struct bb_outpoint outpoint;
	struct bb_coin coin;
};
/* The coins of a script, by txid and output. None is no failure, here and below. */
bool bb_query_unspent(struct bb_unspent **coins, size_t *count, struct bb_store *s,
	struct bb_arena *a, struct bb_span script);
bool bb_query_coin(struct bb_coin *c, struct bb_store *s, const struct bb_outpoint *o);
/* Where a script was paid or spent, in chain order. Some rows may be of others that begin
 * alike: look at the transaction. */
bool bb_query_history(struct bb_row **rows, size_t *count, struct bb_store *s,
	struct bb_arena *a, struct bb_span script);

/* Numbers of waiting transactions that pay a script or spend from it, in the order to mine
 * them: parents before their children. */
bool bb_query_waiting(uint64_t **numbers, size_t *count, struct bb_store *s, struct bb_arena *a,
	struct bb_span script);
/* Their outputs to that script that no other spends; coin.height is -1. */
bool bb_query_unspent_waiting(struct bb_unspent **coins, size_t *count, struct bb_store *s,
	struct bb_arena *a, struct bb_span script);

/* Median time past before the block of that height of the active chain: a coin's `mtp`; 0 for
 * the genesis block's. */
int64_t bb_query_coin_mtp(struct bb_store *s, int32_t height);
/* A coin that `in` spends, as a prevout, its script in the arena; mtp, for which the tree is
 * looked at, only where the input's sequence needs it, else -1. False: s->why. */
bool bb_query_coin_prevout(struct bb_prevout *p, struct bb_store *s, struct bb_arena *a,
	const struct bb_coin *coin, const struct bb_tx *tx, const struct bb_txin *in);
/* What the ledger holds of the outpoints of a transaction, as of the tip. */
void bb_query_prevouts(struct bb_prevout *prevouts, const struct bb_tx *tx, struct bb_store *s,
	struct bb_arena *a);

#endif
