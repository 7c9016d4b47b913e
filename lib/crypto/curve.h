#ifndef BB_CRYPTO_CURVE_H
#define BB_CRYPTO_CURVE_H

/* The curve's work, over libsecp256k1: ECDSA, Schnorr (BIP 340), tweaks (BIP 32, 341). */

#include "base/bytes.h"

/* Verification needs no context and may run on any thread. */

/* ECDSA as consensus has it: the signature in the lax DER that old OpenSSL read, high S
 * allowed; the key compressed, uncompressed or hybrid, invalid ones verify as false. */
bool bb_ecdsa_verify(struct bb_span der, const unsigned char msg32[32], struct bb_span pubkey);
bool bb_schnorr_verify(const unsigned char sig64[64], const unsigned char msg32[32],
	const unsigned char xonly32[32]);
/* BIP 340 knows messages of any length; Bitcoin signs 32 bytes. */
bool bb_schnorr_verify_message(
	const unsigned char sig64[64], struct bb_span message, const unsigned char xonly32[32]);
/* The S of a DER signature is at most half the order (BIP 146); false also when unparsable. */
bool bb_ecdsa_is_low_s(struct bb_span der);
/* Q = P + tweak*G with that parity (BIP 341's commitment). */
bool bb_taproot_commits(const unsigned char output32[32], bool odd,
	const unsigned char internal32[32], const unsigned char tweak32[32]);
/* A full public key that lies on the curve, 33 or 65 bytes. */
bool bb_pubkey_valid(struct bb_span pubkey);
bool bb_xonly_valid(const unsigned char xonly32[32]);

/* Signing needs a context, blinded with the system's entropy; one for each thread. */
struct bb_curve;

struct bb_curve *bb_curve_new(void); /* NULL: no memory or no entropy */
void bb_curve_free(struct bb_curve *c);

bool bb_key_valid(const unsigned char key32[32]);
/* The public key into 33 bytes, or 65 when not compressed; gives the length, 0 for a bad key.
 */
size_t bb_key_pubkey(unsigned char *out, const struct bb_curve *c,
	const unsigned char key32[32], bool compressed);
/* RFC 6979, low S, and R ground low as Bitcoin Core's wallet does: at most 71 bytes.
 * Gives the length of the DER without hash type, 0 on failure. */
size_t bb_ecdsa_sign(unsigned char der72[72], const struct bb_curve *c,
	const unsigned char msg32[32], const unsigned char key32[32]);
/* BIP 340, with fresh auxiliary randomness, or aux32 where it is not NULL. */
bool bb_schnorr_sign(unsigned char sig64[64], const struct bb_curve *c,
	const unsigned char msg32[32], const unsigned char key32[32],
	const unsigned char aux32[32]);
bool bb_schnorr_sign_message(unsigned char sig64[64], const struct bb_curve *c,
	struct bb_span message, const unsigned char key32[32], const unsigned char aux32[32]);

/* A key with its public key, for many BIP 340 signatures: making it costs as much as one.
 * Secret: the owner wipes it. */
struct bb_keypair {
	unsigned char opaque[96];
};
bool bb_keypair_make(
	struct bb_keypair *out, const struct bb_curve *c, const unsigned char key32[32]);
/* BIP 341: to the pair that signs for the output with this Merkle root (NULL: none). */
bool bb_keypair_taproot(
	struct bb_keypair *pair, const struct bb_curve *c, const unsigned char root32[32]);
bool bb_keypair_sign(unsigned char sig64[64], const struct bb_curve *c,
	const unsigned char msg32[32], const struct bb_keypair *pair,
	const unsigned char aux32[32]);

/* key + tweak mod n (BIP 32 CKDpriv); false when the result is no key. */
bool bb_key_add(unsigned char key32[32], const unsigned char tweak32[32]);
/* pubkey33 + tweak*G (BIP 32 CKDpub). */
bool bb_pubkey_add(unsigned char pubkey33[33], const unsigned char tweak32[32]);
/* BIP 341: internal key and Merkle root (NULL: none) to the output key and its parity. */
bool bb_taproot_output(unsigned char output32[32], bool *odd,
	const unsigned char internal32[32], const unsigned char root32[32]);
/* BIP 341: the secret key that signs for that output. */
bool bb_taproot_key(
	unsigned char key32[32], const struct bb_curve *c, const unsigned char root32[32]);

/* The system's entropy (getrandom); false when it gives none. */
bool bb_random(void *out, size_t len);

#endif
