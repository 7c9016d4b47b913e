#ifndef BB_LEDGER_BLOCKTEMPLATE_H
#define BB_LEDGER_BLOCKTEMPLATE_H

/* Block templates: what could be mined next (BIP 22, BIP 23, BIP 9, BIP 145; getblocktemplate
 * of Bitcoin Core 31). */

#include "ledger/pool.h"
#include "ledger/tree.h"

struct bb_template_tx {
	unsigned char txid[32], wtxid[32];
	struct bb_span bytes; /* borrows: from the store, or the caller's lines */
	int64_t fee_sat;
	uint32_t weight, sigops_cost;
	uint32_t *depends; /* positions in the template, from 1 */
	size_t depend_count;
};

struct bb_block_template {
	struct bb_node prev;
	bool genesis_missing; /* there is no block yet: nothing can be built */
	int32_t height;
	int32_t version;
	uint32_t bits, curtime, mintime;
	int64_t value_sat; /* subsidy and fees: what the coinbase may pay */
	int64_t fee_sat;
	struct bb_template_tx *tx;
	size_t tx_count;
	uint64_t sequence;	     /* of the last event it knows: for longpollid */
	int64_t weight, sigops_cost; /* of the transactions */
};

enum {
	BB_TEMPLATE_RESERVED_WEIGHT = 8000, /* for header, count and coinbase */
	BB_TEMPLATE_RESERVED_SIGOPS = 400,
	BB_TEMPLATE_MIN_RATE = 1, /* satoshi per 1,000 vbytes: what pays less is left out */
};

/* The best chunks of the mempool that fit, on top of the tip; within a transaction of the
 * store, from which it borrows. Where the mempool does not stand on the tip, none of it. `now`
 * seconds since 1970. False: s->why, memory, or no block yet. */
bool bb_template_from_pool(struct bb_block_template *t, struct bb_store *s,
	const struct bb_network *n, struct bb_arena *a, int64_t now);

/* A transaction that is offered in a line, its prevouts claimed. */
struct bb_offer {
	struct bb_span bytes;
	struct bb_tx tx;
	const struct bb_prevout *prevouts; /* all known */
	uint64_t line;
	const char *refusal; /* set: why it cannot be in this block; NULL: nothing speaks
				against it, even if there was no room */
};
/* The same out of offers alone, in any order, whatever the ledger says of them; without a store
 * (NULL) or its first block, on top of the genesis block, if it is known. Their scripts are not
 * run. What could not be in this block is refused with the reason that the block would get: one
 * that breaks the rules of a transaction by itself or by its prevouts, is not final, spends
 * what one before it spends, is the same as one before it, or spends what is refused. */
bool bb_template_from_offers(struct bb_block_template *t, struct bb_store *s,
	const struct bb_network *n, struct bb_arena *a, int64_t now, struct bb_offer *offers,
	size_t count);

/* getblocktemplate's result with "type":"template" in front, and LF. */
void bb_put_template(
	struct bb_buf *out, const struct bb_block_template *t, const struct bb_network *n);

#endif
