#ifndef BB_CMD_CHAIN_READ_H
#define BB_CMD_CHAIN_READ_H

/* What bb-chain's reading verbs share: how they are asked, how they walk, what they write.
 *
 * A record is gathered in memory within a transaction of its own, and written after its end:
 * whoever reads slowly holds nothing of the store. */

#include "chain.h"

enum { CHAIN_PIECE = 64 << 10 }; /* output that one transaction gathers, or one record */

/* chain_ask.c */

/* What one answer is wanted for: an argument, or a line. */
struct asked {
	uint64_t line;		   /* its number; 0: an argument */
	size_t number;		   /* the argument's, from 1 */
	const struct bb_json *doc; /* the line; NULL: an argument */
	const char *name;	   /* the argument */
};

/* Open the store and answer for each argument or, without any, for each line of stdin. An
 * answer appends to c->out and may use c->arena; false ends the verb. The exit status. */
int chain_answer(struct chain *c, bool (*answer)(struct chain *c, const struct asked *q));
/* An error line about this one. Returns true: the next may be answered. */
bool chain_refuse(
	struct chain *c, const struct asked *q, enum bb_status status, const char *why);
/* Nothing was found: says so, status 1; or that the store failed, and returns false. */
bool chain_missing(struct chain *c, const struct asked *q, const char *why);
/* The txid that is asked about; false with *why. */
bool chain_asked_txid(unsigned char txid[32], const char **why, const struct asked *q);
/* The script: of an address, or a line's scriptpubkey; in the arena. False with *why. */
bool chain_asked_script(
	struct bb_span *script, const char **why, struct chain *c, const struct asked *q);

/* chain_walk.c */

/* Open the store and put every block of the active chain from c->from to c->to, by height, each
 * within a transaction; if the chain is reorganised on the way, ends with status 3. put appends
 * to c->out; false ends the verb. The exit status. */
int chain_walk(struct chain *c, bool (*put)(struct chain *c, const struct bb_node *n));
/* Is this block, seen in an earlier transaction, still of the active chain? Else an error line
 * with status 3. */
bool chain_is_still(struct chain *c, int32_t height, const unsigned char id[32]);

/* chain_put.c: lines, within a transaction; false: s->why, or not there. */

/* Members of a header line, as of Esplora, with `chainwork`. */
void chain_json_node(struct bb_json_writer *w, const struct bb_node *n);
bool chain_put_block(struct chain *c, const struct bb_node *n);
bool chain_put_tx(struct chain *c, const struct bb_stored_tx *t);
/* A transaction of the mempool, and the rate of the chunk it is mined with: fee and adjusted
 * weight. */
bool chain_put_waiting(struct chain *c, const struct bb_pool_entry *e, struct bb_feerate chunk,
	const struct bb_node *tip);
/* What the ledger holds of a transaction's outpoints: coins as of the tip, outputs of the
 * mempool. */
void chain_get_prevouts(struct bb_prevout *prevouts, struct chain *c, const struct bb_tx *tx,
	const struct bb_node *tip);
/* A coin's block. */
struct chain_birth {
	int32_t height;
	unsigned char id[32];
	uint32_t time;
	int64_t mtp;
};
bool chain_birth(struct chain_birth *b, struct chain *c, int32_t height);
/* Its block NULL: an output of one that waits. */
void chain_put_utxo(struct chain *c, const struct bb_outpoint *o, const struct bb_coin *coin,
	const struct chain_birth *b);
/* The coins of a script in one line. */
struct chain_balance {
	int64_t value_sat, immature_sat;
	int64_t unconfirmed_sat; /* what the waiting ones add to value_sat, or take away */
	uint64_t count;
	int32_t height; /* the tip's */
};
void chain_put_balance(struct chain *c, struct bb_span script, const struct chain_balance *b);
/* That a transaction is in a block. */
struct chain_proof {
	const unsigned char *txid; /* 32 bytes */
	const struct bb_node *node;
	size_t position, depth;
	unsigned char (*branch)[32], (*coinbase_branch)[32];
	struct bb_span header, coinbase;
};
void chain_put_proof(struct chain *c, const struct chain_proof *p);
/* "prev_times", "expected_bits" and "now". */
void chain_json_claims(
	struct bb_json_writer *w, const struct chain *c, const struct bb_blockline *l);

#endif
