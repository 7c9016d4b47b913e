#ifndef BB_BITCOIN_TX_H
#define BB_BITCOIN_TX_H

/* Transactions: their parts, their bytes (BIP 144), their ids and sizes. */

#include "base/bytes.h"

#define BB_COIN	     ((int64_t)100000000)
#define BB_MAX_MONEY (21000000 * BB_COIN)

enum {
	BB_MAX_BLOCK_WEIGHT = 4000000,
	BB_MAX_BLOCK_SIGOPS_COST = 80000,
	BB_WITNESS_SCALE = 4,
	BB_SEQUENCE_FINAL = 0xffffffff,
	BB_LOCKTIME_THRESHOLD = 500000000, /* below: a height; else: seconds */
};

/* BIP 68: what an input's sequence says. */
#define BB_SEQUENCE_DISABLE (1u << 31) /* nothing */
#define BB_SEQUENCE_BY_TIME (1u << 22) /* the lock counts 512 seconds, not blocks */
#define BB_SEQUENCE_MASK    0x0000ffffu
enum { BB_SEQUENCE_GRANULARITY = 9 }; /* 512 seconds as a shift */

struct bb_outpoint {
	unsigned char txid[32]; /* wire order */
	uint32_t vout;
};

struct bb_txin {
	struct bb_outpoint prevout;
	struct bb_span script_sig;
	uint32_t sequence;
	struct bb_span *witness; /* witness_count items */
	size_t witness_count;
};

struct bb_txout {
	int64_t value_sat;
	struct bb_span script;
};

/* Arrays lie in the arena given to bb_tx_parse; scripts borrow from the parsed bytes or from
 * wherever they were set. */
struct bb_tx {
	uint32_t version;
	struct bb_txin *in;
	size_t in_count;
	struct bb_txout *out;
	size_t out_count;
	uint32_t locktime;
};

/* What a transaction spends: a claim, or a coin. -1 where something is not known. */
struct bb_prevout {
	bool known; /* script and value are there */
	int64_t value_sat;
	struct bb_span script;
	int64_t height;
	int coinbase; /* 0, 1 or -1 */
	int64_t mtp;  /* median time past of the block before the coin's */
};
extern const struct bb_prevout bb_prevout_unknown;

/* Read one transaction off the reader; false when malformed as Core finds ("superfluous
 * witness", unknown flags, absurd counts) or memory is out. With `witness` false, only the
 * basic form is read, as for a transaction without inputs. */
bool bb_tx_read(struct bb_tx *tx, struct bb_reader *r, struct bb_arena *a, bool witness);
/* A whole span; tries the segwit form, then the basic one, as Core's decoder does. */
bool bb_tx_parse(struct bb_tx *tx, struct bb_span bytes, struct bb_arena *a);

bool bb_tx_has_witness(const struct bb_tx *tx);
/* With witness where there is one and it is wanted. */
void bb_put_tx(struct bb_buf *b, const struct bb_tx *tx, bool witness);

void bb_tx_txid(unsigned char out[32], const struct bb_tx *tx);
void bb_tx_wtxid(unsigned char out[32], const struct bb_tx *tx);
size_t bb_tx_base_size(const struct bb_tx *tx);	 /* bytes without witness */
size_t bb_tx_total_size(const struct bb_tx *tx); /* bytes with it */
int64_t bb_tx_weight(const struct bb_tx *tx);	 /* 3 * base + total */
/* Virtual size, in vbytes, of a weight. */
static inline int64_t bb_vsize(int64_t weight)
{
	return (weight + BB_WITNESS_SCALE - 1) / BB_WITNESS_SCALE;
}

bool bb_outpoint_is_null(const struct bb_outpoint *o);
bool bb_outpoint_equal(const struct bb_outpoint *a, const struct bb_outpoint *b);
/* BIP 68: does the input's sequence say how old the coin must be? */
bool bb_has_sequence_lock(const struct bb_tx *tx, const struct bb_txin *in);
/* Does it spend that output; or any output of that transaction? */
bool bb_tx_spends(const struct bb_tx *tx, const struct bb_outpoint *o);
bool bb_tx_spends_from(const struct bb_tx *tx, const unsigned char txid[32]);
/* One input with a null outpoint. */
bool bb_tx_is_coinbase(const struct bb_tx *tx);
bool bb_money_range(int64_t value_sat);

#endif
