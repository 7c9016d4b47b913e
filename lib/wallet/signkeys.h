#ifndef BB_WALLET_SIGNKEYS_H
#define BB_WALLET_SIGNKEYS_H

/* Which key signs for this? Every key of a keyring, found by what scripts name it by.
 *
 * Single keys are indexed at once. What lies below an extended key is derived when a lookup
 * misses: first by the derivations that the input states, then by scanning the accounts of
 * BIP 44, 49, 84 and 86. */

#include "wallet/keyfile.h"
#include "wallet/partial.h"

enum { BB_SCAN_DEFAULT = 1000 };

struct bb_signkey {
	unsigned char key32[32];
	unsigned char pubkey[65];
	uint8_t pubkey_len; /* 33, or 65 of an uncompressed key */
	bool stated;	    /* came from an input's derivation */
};

/* How a script names a key; it also tells which accounts to scan first. */
enum bb_key_name {
	BB_KEY_PUBKEY, /* the 32 bytes of its X */
	BB_KEY_P2PKH,  /* HASH160 of the public key, 20 bytes */
	BB_KEY_P2WPKH, /* the same */
	BB_KEY_P2SH,   /* HASH160 of its P2WPKH script */
	BB_KEY_P2TR,   /* the output key of BIP 341 without scripts, 32 bytes */
};

struct bb_signkeys;

/* Borrows ring and curve. NULL when memory is out. */
struct bb_signkeys *bb_signkeys_new(
	const struct bb_keyring *ring, const struct bb_curve *c, const struct bb_network *n);
void bb_signkeys_free(struct bb_signkeys *k); /* wipes */
/* How many keys of each chain a scan goes through. */
void bb_signkeys_scan(struct bb_signkeys *k, uint32_t limit);

/* Try these keys too, of every extended key that lies above the path; a range in its last step
 * is all tried, whatever the limit. False when no key does, or memory is out. */
bool bb_signkeys_derive(struct bb_signkeys *k, const struct bb_path *path);

/* NULL when no key has that name. Valid until the next call. */
const struct bb_signkey *bb_signkeys_find(struct bb_signkeys *k, enum bb_key_name name,
	const unsigned char *id, struct bb_partial *input);
/* Find by a whole public key, 33 or 65 bytes, all of which must agree; hybrid keys never do. */
const struct bb_signkey *bb_signkeys_find_pubkey(
	struct bb_signkeys *k, struct bb_span pubkey, struct bb_partial *input);

/* What makes its Schnorr signatures, under its own x-only key. The pairs used last are kept,
 * for making one takes as long as a signature. NULL for a key that is none, or memory is out;
 * valid until the next call. */
const struct bb_keypair *bb_signkeys_pair(struct bb_signkeys *k, const struct bb_signkey *key);
/* The same under the output key that BIP 341 makes of it and that Merkle root (NULL: none); the
 * caller knows that it does. */
const struct bb_keypair *bb_signkeys_output_pair(struct bb_signkeys *k,
	const struct bb_signkey *key, const unsigned char output32[32],
	const unsigned char *root32);

#endif
