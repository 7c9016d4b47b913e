#ifndef BB_LEDGER_COINS_H
#define BB_LEDGER_COINS_H

/* The unspent outputs: a cache of coins by outpoint over the store's table, written back in
 * order of keys before each commit. Outputs that begin with OP_RETURN or whose scripts are over
 * 10,000 bytes never are coins. The cache also carries along what the script index says of
 * them.
 *
 * In the store: key txid, then the number of the output in 1, 3 or 5 bytes that sort as numbers
 * do (below 253; fd and BE16; fe and BE32); value 2 * height + coinbase and the amount as
 * variable-length integers (seven bits a byte, the lowest first, the top bit set on all but the
 * last), then the script. */

#include "bitcoin/block.h"
#include "ledger/keysort.h"
#include "ledger/store.h"

struct bb_coin {
	int64_t value_sat;
	int32_t height;
	bool coinbase;
	struct bb_span script;
};

bool bb_output_is_coin(const struct bb_txout *out);

/* Bytes of outpoints and coins, as the tables and the undo data hold them. */
enum { BB_OUTPOINT_MAX = 37 };
struct bb_span bb_outpoint_key(unsigned char key[BB_OUTPOINT_MAX], const struct bb_outpoint *o);
/* False where the bytes are no outpoint. */
bool bb_outpoint_from_key(struct bb_outpoint *o, struct bb_span key);
void bb_put_varint(struct bb_buf *b, uint64_t v);
uint64_t bb_get_varint(struct bb_reader *r);
void bb_put_coin(struct bb_buf *b, const struct bb_coin *c);
/* The script borrows from the value. False where the bytes are no coin. */
bool bb_coin_parse(struct bb_coin *c, struct bb_span value);

struct bb_coins {
	struct bb_store *store;
	size_t budget; /* bytes; bb_coins_full asks for a flush beyond */
	/* Private. */
	struct bb_coin_entry **slot; /* a hash table, probed linearly */
	unsigned char *tag;	     /* of each slot: seven bits of the hash */
	size_t slots, entries, gone;
	struct bb_keyed *changed; /* those that differ from the store */
	size_t dirty, changed_cap;
	size_t bytes;
	uint64_t key[4]; /* of the hash, random */
};

bool bb_coins_init(struct bb_coins *c, struct bb_store *s, size_t budget);
void bb_coins_free(struct bb_coins *c);

/* The coin at an outpoint; the script borrows from the cache until the next call. False: there
 * is none (or store->why). */
bool bb_coins_get(struct bb_coin *out, struct bb_coins *c, const struct bb_outpoint *o);
/* Does the store or the cache hold any output of that transaction, of `outputs` (BIP 30)? */
bool bb_coins_have_tx(struct bb_coins *c, const unsigned char txid[32], uint32_t outputs);
/* Take it away; false where there is none. */
bool bb_coins_spend(struct bb_coins *c, const struct bb_outpoint *o);
/* Put one there; one that stood there is replaced (BIP 30's two repeated coinbases: no other
 * transaction comes again while its outputs are unspent). The script is copied. */
void bb_coins_add(struct bb_coins *c, const struct bb_outpoint *o, const struct bb_coin *coin);

/* Does the cache hold more than its budget? Then flush, commit and trim. */
bool bb_coins_full(const struct bb_coins *c);
/* Write everything changed into the store's transaction, BB_COINS and BB_UNSPENT. */
void bb_coins_flush(struct bb_coins *c);
/* After a flush: forget clean coins when over half the budget. */
void bb_coins_trim(struct bb_coins *c);
/* Forget everything: after an aborted transaction, or one of another process. */
void bb_coins_drop(struct bb_coins *c);

#endif
