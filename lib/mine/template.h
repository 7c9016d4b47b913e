#ifndef BB_MINE_TEMPLATE_H
#define BB_MINE_TEMPLATE_H

/* What a node asks to have mined: getblocktemplate's result (BIP 22, 23, 145). */

#include "base/json.h"
#include "bitcoin/block.h"
#include "bitcoin/network.h"

/* Everything lies in the arena that it was read into. */
struct bb_template {
	struct bb_header header; /* without Merkle root and nonce; of the earliest time */
	int64_t height;
	unsigned char target[32];	  /* that of the header's bits, or a harder one */
	uint32_t last_time;		  /* up to which the header's may go */
	uint32_t first_nonce, last_nonce; /* both included */

	struct bb_tx *tx; /* without the coinbase */
	size_t tx_count;
	unsigned char (*txid)[32];

	int64_t value_sat;	      /* for the coinbase to pay out; -1: not stated */
	const struct bb_tx *coinbase; /* the server's own; NULL: none */
	bool may_append;	      /* to the scriptSig of that one */
	struct bb_span aux;	      /* to stand in the coinbase's scriptSig */
	struct bb_span commitment;    /* the output's script; empty: none */
	int64_t max_weight, max_size;
};

/* Read one. Keys it does not know are ignored. False with *why, such as "height is missing";
 * where it is about one of the transactions, *at is its place among them, else SIZE_MAX. */
bool bb_template_read(struct bb_template *t, const char **why, size_t *at, struct bb_arena *a,
	const struct bb_json *doc, const struct bb_network *n);

#endif
