#ifndef BB_WALLET_INPUTSIZE_H
#define BB_WALLET_INPUTSIZE_H

/* How large an input will be once it is signed. */

#include "bitcoin/script.h"
#include "wallet/partial.h"

struct bb_input_size {
	int64_t weight; /* with its own witness; the count byte of an empty one not included */
	bool witness;	/* it will have one */
};

/* The size of an input that spends that scriptPubKey, from it and from what is told beside it
 * (NULL: nothing). ECDSA signatures count 71 bytes with their hash type, as Core's wallet and
 * bb-sign make them (low R, low S); Schnorr signatures 64, or 65 with a sighash_type.
 *
 *   p2pkh   a compressed key, unless the derivations list the long one
 *   p2sh    p2sh-p2wpkh, unless redeemscript is there
 *   p2wsh   witnessscript must be there
 *   p2tr    the key path, or the largest leaf of tap_leaf_script where that is more
 *
 * The scripts inside may be p2pk, p2pkh or multisig; in a leaf every signature opcode counts
 * one signature, but k of n where it ends as CHECKSIGADD's idiom does (BIP 342).
 * False with *why: a static reason such as "witnessscript is missing". */
bool bb_input_size(struct bb_input_size *out, const char **why, struct bb_span script,
	const struct bb_partial *hints);

#endif
