#ifndef BB_MINE_ASSEMBLE_H
#define BB_MINE_ASSEMBLE_H

/* From a template to a block: coinbase, Merkle root, header. */

#include "mine/template.h"
#include "wallet/sign.h"

/* What whoever mines has to say. */
struct bb_payout {
	struct bb_span script; /* to be paid; empty: none */
	struct bb_span text;   /* for the coinbase's scriptSig */
};

/* The longest text that always finds room there: height, extranonce and the push take the rest
 * of its 100 bytes. */
enum { BB_PAYOUT_TEXT = 84 };

/* What all candidates of a template share. Borrows it and the network. */
struct bb_assembly {
	const struct bb_template *t;
	const struct bb_network *network;
	struct bb_tx coinbase;	     /* the extranonce is zero */
	size_t extranonce_at;	     /* in its scriptSig; 0: there is none */
	int commitment_at;	     /* among its outputs; -1: there is none */
	bool sign;		     /* the signet's challenge wants a signature */
	unsigned char (*branch)[32]; /* from the coinbase to the root */
	size_t depth;
};

/* The coinbase is made as Bitcoin Core makes it; the server's own is taken where nobody else is
 * to be paid. False with *why. */
bool bb_assemble(struct bb_assembly *b, const char **why, struct bb_arena *a,
	const struct bb_template *t, const struct bb_payout *p, const struct bb_network *n);

/* A block but for its nonce. Zero-initialise. */
struct bb_candidate {
	struct bb_header header;
	struct bb_tx coinbase;

	/* Private. */
	struct bb_txin in;
	unsigned char script_sig[100];
	struct bb_arena arena;
};

/* The one with this extranonce and time, in place of the one it was. The signer is needed where
 * b->sign is set, and signs anew. False with *why. */
bool bb_candidate_make(struct bb_candidate *c, const char **why, const struct bb_assembly *b,
	uint64_t extranonce, uint32_t time, struct bb_signer *s);
/* Whatever nonce is found for it: would a node refuse the block for anything that the template
 * alone gives away? Sets b->sign where the signature is what is missing, which is no failure.
 * False with *why, Bitcoin Core's reject reason. */
bool bb_candidate_check(const struct bb_candidate *c, const char **why, struct bb_assembly *b);
/* The block's bytes with that nonce, and its header. */
void bb_put_candidate(struct bb_buf *out, struct bb_header *h, const struct bb_candidate *c,
	const struct bb_assembly *b, uint32_t nonce);
void bb_candidate_free(struct bb_candidate *c);

#endif
