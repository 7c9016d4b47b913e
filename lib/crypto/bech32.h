#ifndef BB_CRYPTO_BECH32_H
#define BB_CRYPTO_BECH32_H

#include "base/bytes.h"

/* BIP 173 and BIP 350. */
enum bb_bech32 { BB_BECH32_BAD, BB_BECH32, BB_BECH32M };

/* Which checksum holds, of a string of at most 90 characters (BIP 173). hrp gets the
 * lower-cased prefix (up to 83 characters and a NUL), data5 the five-bit values without the
 * checksum (up to 84). */
enum bb_bech32 bb_bech32_decode(
	char hrp[84], unsigned char *data5, size_t *data5_len, struct bb_span text);
bool bb_bech32_encode(struct bb_buf *out, const char *hrp, const unsigned char *data5,
	size_t data5_len, enum bb_bech32 kind);

/* A witness program as an address: version 0 with bech32, 1 to 16 with bech32m. */
bool bb_segwit_encode(
	struct bb_buf *out, const char *hrp, unsigned version, struct bb_span program);
/* False when prefix, checksum kind, padding or length break BIP 173/350. */
bool bb_segwit_decode(unsigned *version, unsigned char program[40], size_t *program_len,
	const char *hrp, struct bb_span text);

#endif
