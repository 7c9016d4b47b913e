#ifndef BB_CRYPTO_BIP39_H
#define BB_CRYPTO_BIP39_H

/* Mnemonic sentences of the English word list (BIP 39). */

#include "base/bytes.h"

/* Entropy of 16, 20, 24, 28 or 32 bytes to 12 to 24 words. The buffer is secret. */
bool bb_mnemonic_encode(struct bb_buf *out, struct bb_span entropy);
/* Back, checking words and checksum; white space is folded. False with *why. */
bool bb_mnemonic_decode(
	unsigned char entropy[32], size_t *len, const char **why, struct bb_span words);
/* PBKDF2 over the NFKD of sentence and passphrase, 64 bytes. The sentence need not be English
 * here; its white space is folded as above, so that what was checked is what gives the seed.
 * The passphrase is taken as it is. False when one is not UTF-8 or exceeds 64 KiB, or memory is
 * out. */
bool bb_mnemonic_seed(unsigned char seed[64], struct bb_span words, struct bb_span passphrase);

#endif
