#ifndef BB_BITCOIN_SIGNET_H
#define BB_BITCOIN_SIGNET_H

/* What a signet's block signature signs (BIP 325). */

#include "bitcoin/block.h"

/* A push in the witness commitment's output that begins so holds the signature: a scriptSig and
 * a witness, serialised. */
enum { BB_SIGNET_MARK_SIZE = 4 };
extern const unsigned char bb_signet_mark[BB_SIGNET_MARK_SIZE];

/* The two virtual transactions: `pay` pays the challenge and commits to the block, `spend`
 * spends it; prevout is what it spends. It points into itself. */
struct bb_signet_txs {
	struct bb_tx pay, spend;
	struct bb_prevout prevout;

	/* Private. */
	unsigned char script[74];
	struct bb_txin pay_in, spend_in;
	struct bb_txout pay_out, spend_out;
};

/* Of that header; `root` is the Merkle root with the signature taken out of the coinbase, its
 * mark left there. The challenge is borrowed. */
void bb_signet_txs_init(struct bb_signet_txs *s, const struct bb_header *h,
	const unsigned char root[32], struct bb_span challenge);

#endif
