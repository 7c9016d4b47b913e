#ifndef BB_CRYPTO_MUHASH_H
#define BB_CRYPTO_MUHASH_H

/* MuHash3072: a hash of a set that does not depend on order; elements can be taken out again.
 * Numbers modulo 2^3072 - 1103717, from SHA-256 and ChaCha20 as in Bitcoin Core. */

#include "base/bytes.h"

struct bb_muhash; /* OpenSSL's numbers inside */

struct bb_muhash *bb_muhash_new(void); /* NULL: memory */
void bb_muhash_free(struct bb_muhash *m);
void bb_muhash_insert(struct bb_muhash *m, struct bb_span element);
void bb_muhash_remove(struct bb_muhash *m, struct bb_span element);
/* In wire order. False: memory ran out on the way. */
bool bb_muhash_end(unsigned char out[32], struct bb_muhash *m);

#endif
