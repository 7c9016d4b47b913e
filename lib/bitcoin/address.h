#ifndef BB_BITCOIN_ADDRESS_H
#define BB_BITCOIN_ADDRESS_H

/* Addresses and WIF keys, of every type on every network. */

#include "bitcoin/network.h"

/* Append the address of a scriptPubKey; false, nothing appended, when it has none. As Core
 * does, P2PK and bare multisig have none; witness versions 1 to 16 have one. */
bool bb_put_address(struct bb_buf *out, struct bb_span script, const struct bb_network *n);
/* Append the scriptPubKey of an address; false with *why: "address is of another network",
 * "not an address". */
bool bb_address_script(struct bb_buf *script, const char **why, struct bb_span address,
	const struct bb_network *n);

/* Wallet import format: 32 bytes, compressed or not. */
void bb_put_wif(struct bb_buf *out, const unsigned char key32[32], bool compressed,
	const struct bb_network *n);
bool bb_wif_decode(unsigned char key32[32], bool *compressed, struct bb_span wif,
	const struct bb_network *n);

#endif
