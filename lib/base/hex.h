#ifndef BB_BASE_HEX_H
#define BB_BASE_HEX_H

#include "base/bytes.h"

/* Writes 2 * len lower-case characters, no NUL. */
void bb_hex_encode(char *out, const void *data, size_t len);
/* Reads 2 * len characters of either case; false when one is not a hex digit. */
bool bb_hex_decode(unsigned char *out, const void *hex, size_t len);
/* A whole hex string into the arena; false when it is odd or not hex, or memory is out. */
bool bb_hex_span(struct bb_span *out, struct bb_span hex, struct bb_arena *a);

void bb_put_hex(struct bb_buf *b, const void *data, size_t len);

/* Hashes: 32 bytes in wire order against 64 characters in display order, which is reversed. */
void bb_hash_encode(char out[64], const unsigned char hash[32]);
bool bb_hash_decode(unsigned char hash[32], struct bb_span hex);

#endif
