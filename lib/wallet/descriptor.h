#ifndef BB_WALLET_DESCRIPTOR_H
#define BB_WALLET_DESCRIPTOR_H

/* The single-key output types and their descriptors: pkh, sh(wpkh), wpkh and tr, with key
 * origin and checksum (BIP 380 to 386), as Bitcoin Core's importdescriptors reads them. */

#include "base/bytes.h"

enum bb_address_type { BB_TYPE_P2PKH, BB_TYPE_P2SH_P2WPKH, BB_TYPE_P2WPKH, BB_TYPE_P2TR };
enum { BB_ADDRESS_TYPES = 4 };

/* "p2pkh" "p2sh-p2wpkh" "p2wpkh" "p2tr"; false for another name. */
bool bb_address_type_find(enum bb_address_type *out, const char *name);
/* The first step, not yet hardened, of its accounts' paths: 44, 49, 84, 86 (the BIPs' numbers).
 */
uint32_t bb_address_type_purpose(enum bb_address_type type);
/* Append the scriptPubKey that pays this key, for p2tr by BIP 86 (no script tree). False,
 * nothing appended, for a key the type does not take: all but p2pkh need a compressed one. */
bool bb_put_key_script(struct bb_buf *script, enum bb_address_type type, struct bb_span pubkey);

/* What a descriptor says; everything is borrowed. */
struct bb_descriptor {
	enum bb_address_type type;
	const unsigned char *fingerprint; /* 4 bytes, the master's; NULL: no origin */
	const uint32_t *origin;		  /* steps from the master to the key */
	size_t origin_count;
	struct bb_span key;   /* text: hex public key, WIF or extended key */
	const uint32_t *step; /* steps below an extended key */
	size_t step_count;
	bool ranged; /* then a wildcard, not hardened */
};

/* Append it with its checksum. A compressed key in a tr() is written x-only. */
void bb_put_descriptor(struct bb_buf *out, const struct bb_descriptor *d);
/* The checksum of a descriptor's text; false for a character it cannot hold (BIP 380). */
bool bb_descriptor_checksum(char out[8], struct bb_span text);

#endif
