#ifndef BB_CRYPTO_HASH_H
#define BB_CRYPTO_HASH_H

/* The hashes of Bitcoin, over OpenSSL's. All outputs are in wire order. */

#include <openssl/sha.h>

#include "base/bytes.h"

/* SHA-256 in pieces. */
struct bb_sha256 {
	SHA256_CTX ctx;
};

void bb_sha256_init(struct bb_sha256 *h);
void bb_sha256_add(struct bb_sha256 *h, const void *data, size_t len);
void bb_sha256_add_le32(struct bb_sha256 *h, uint32_t v);
void bb_sha256_add_le64(struct bb_sha256 *h, uint64_t v);
void bb_sha256_add_compact(struct bb_sha256 *h, uint64_t v);
/* A compact size, then the bytes. */
void bb_sha256_add_var(struct bb_sha256 *h, struct bb_span s);
void bb_sha256_end(unsigned char out[32], struct bb_sha256 *h);
/* The SHA-256 of the SHA-256. */
void bb_sha256d_end(unsigned char out[32], struct bb_sha256 *h);
/* Begin a tagged hash (BIP 340): SHA256(SHA256(tag) || SHA256(tag) || ...). */
void bb_tagged_init(struct bb_sha256 *h, const char *tag);

void bb_sha256(unsigned char out[32], const void *data, size_t len);
void bb_sha256d(unsigned char out[32], const void *data, size_t len);
void bb_sha1(unsigned char out[20], const void *data, size_t len);
void bb_ripemd160(unsigned char out[20], const void *data, size_t len);
/* RIPEMD-160 of SHA-256. */
void bb_hash160(unsigned char out[20], const void *data, size_t len);
void bb_hmac_sha512(unsigned char out[64], struct bb_span key, struct bb_span data);

#endif
