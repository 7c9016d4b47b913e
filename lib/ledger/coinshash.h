#ifndef BB_LEDGER_COINSHASH_H
#define BB_LEDGER_COINSHASH_H

/* One number for the whole set of coins (gettxoutsetinfo of Bitcoin Core). */

#include "ledger/coins.h"

struct bb_coins_sum {
	uint64_t count;	   /* coins */
	uint64_t txs;	   /* transactions that have any */
	int64_t value_sat; /* in all */
	uint64_t bytes;	   /* of keys and values in the store */
	unsigned char hash[32];
};

enum bb_coins_hash { BB_COINS_NO_HASH, BB_COINS_HASH_SERIALIZED_3, BB_COINS_MUHASH };

/* Over all coins in order, within a transaction. hash_serialized_3 is displayed reversed like
 * every hash, and so is the MuHash. */
bool bb_coins_sum(struct bb_coins_sum *out, struct bb_store *s, enum bb_coins_hash kind);
/* One coin's bytes, as either hashes them: txid, LE32 vout, LE32 (2 * height + coinbase), LE64
 * value, compact size and script. */
void bb_put_coin_record(struct bb_buf *b, const struct bb_outpoint *o, const struct bb_coin *c);

#endif
