#ifndef BB_MINE_SIGNET_H
#define BB_MINE_SIGNET_H

/* A signet's block signature, made (BIP 325). */

#include "bitcoin/block.h"
#include "bitcoin/network.h"
#include "wallet/sign.h"

/* Append the solution to the network's challenge, a scriptSig and a witness. False with *why,
 * such as "no-key".
 *
 * In:  h     its Merkle root that of the block with the solution taken out, its mark left there
 *      work  an arena that may be reset afterwards
 */
bool bb_signet_solve(struct bb_buf *solution, const char **why, struct bb_signer *s,
	const struct bb_header *h, const struct bb_network *n, struct bb_arena *work);

#endif
