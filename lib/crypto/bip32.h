#ifndef BB_CRYPTO_BIP32_H
#define BB_CRYPTO_BIP32_H

/* Hierarchical keys (BIP 32), their text, and derivation paths. */

#include "crypto/curve.h"

#define BB_HARDENED 0x80000000u

enum { BB_BIP32_SIZE = 78, BB_PATH_MAX = 64 };

/* An extended key; with is_private the key is secret: the owner wipes it. */
struct bb_xkey {
	bool is_private;
	uint8_t depth;
	unsigned char parent[4]; /* fingerprint of the parent */
	uint32_t index;
	unsigned char chain[32];
	unsigned char key32[32];    /* if is_private */
	unsigned char pubkey33[33]; /* always */
};

/* From a seed of 16 to 64 bytes; false for the seeds that give no key. */
bool bb_xkey_master(struct bb_xkey *out, const struct bb_curve *c, struct bb_span seed);
/* One step; false for a hardened step of a public key, past depth 255, or no valid key.
 * c may be NULL for public keys. */
bool bb_xkey_child(struct bb_xkey *out, const struct bb_curve *c, const struct bb_xkey *parent,
	uint32_t index);
void bb_xkey_neuter(struct bb_xkey *k); /* wipes the secret */
/* First four bytes of HASH160 of the public key. */
void bb_xkey_fingerprint(unsigned char out[4], const struct bb_xkey *k);

/* Base58check under these version bytes (big-endian); private form when is_private. */
void bb_xkey_encode(struct bb_buf *out, const struct bb_xkey *k, uint32_t version);
/* False for what BIP 32's invalid vectors list. The version bytes, *version, are BIP 32's or
 * SLIP 132's of either network, and fit the kind of key; whether they are of the network at
 * hand is for the caller to see. */
bool bb_xkey_decode(
	struct bb_xkey *out, uint32_t *version, const struct bb_curve *c, struct bb_span text);

/* "m/84h/1'/0H/0/0-19": steps[count], and a range in the last step (first == last without).
 * The leading "m" or "m/" may be absent; a path without steps is "m". In a hardened range the
 * mark may stand at both ends or at the second alone. False with *why when malformed. */
struct bb_path {
	uint32_t step[BB_PATH_MAX];
	size_t count;  /* steps, the last included */
	uint32_t last; /* the last value of step[count - 1]'s range */
};
bool bb_path_parse(struct bb_path *out, const char **why, struct bb_span text);
/* "m/84h/1h/0h/0/5" */
void bb_put_path(struct bb_buf *out, const uint32_t *step, size_t count);

#endif
