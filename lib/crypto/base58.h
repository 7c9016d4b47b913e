#ifndef BB_CRYPTO_BASE58_H
#define BB_CRYPTO_BASE58_H

#include "base/bytes.h"

/* The work grows with the square of the length, so that it must have a bound. */
enum { BB_BASE58_MAX = 1024, BB_BASE58CHECK_MAX = 256 };

/* Base58 of up to BB_BASE58_MAX bytes. */
bool bb_base58_encode(struct bb_buf *out, const void *data, size_t len);
/* At most `max` bytes out (and never more than BB_BASE58_MAX); false for a foreign character,
 * a space among them, or when more would come. */
bool bb_base58_decode(unsigned char *out, size_t *out_len, size_t max, struct bb_span text);

/* With the four bytes of SHA-256d at the end, of up to BB_BASE58CHECK_MAX bytes; `max` counts
 * without them. Nothing of a secret is left behind but in `out`. */
bool bb_base58check_encode(struct bb_buf *out, const void *data, size_t len);
bool bb_base58check_decode(
	unsigned char *out, size_t *out_len, size_t max, struct bb_span text);

#endif
