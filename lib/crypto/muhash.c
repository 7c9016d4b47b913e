#include "crypto/muhash.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "crypto/hash.h"

enum { BITS = 3072, BYTES = BITS / 8, PRIME_GAP = 1103717 };

/* The product of what was put in, and of what was taken out: one inverse at the end serves all.
 * Numbers between are below 2^3072, not always below the prime. */
struct bb_muhash {
	BIGNUM *in, *out;
	BIGNUM *element, *product, *high; /* work space */
	BN_CTX *ctx;
	EVP_CIPHER_CTX *cipher;
	bool failed;
};

struct bb_muhash *bb_muhash_new(void)
{
	struct bb_muhash *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->in = BN_new();
	m->out = BN_new();
	m->element = BN_new();
	m->product = BN_new();
	m->high = BN_new();
	m->ctx = BN_CTX_new();
	m->cipher = EVP_CIPHER_CTX_new();
	if (m->in && m->out && m->element && m->product && m->high && m->ctx && m->cipher &&
		EVP_EncryptInit_ex(m->cipher, EVP_chacha20(), NULL, NULL, NULL) &&
		BN_one(m->in) && BN_one(m->out))
		return m;
	bb_muhash_free(m);
	return NULL;
}

void bb_muhash_free(struct bb_muhash *m)
{
	if (!m)
		return;
	BN_free(m->in);
	BN_free(m->out);
	BN_free(m->element);
	BN_free(m->product);
	BN_free(m->high);
	BN_CTX_free(m->ctx);
	EVP_CIPHER_CTX_free(m->cipher);
	free(m);
}

/* The element's number: 384 bytes of ChaCha20 under its SHA-256. */
static bool set_element(struct bb_muhash *m, struct bb_span element)
{
	static const unsigned char zero[BYTES];
	unsigned char key32[32], stream[BYTES];
	int len;

	bb_sha256(key32, element.data, element.len);
	/* The counter and the nonce, 16 bytes together, are zero. */
	return EVP_EncryptInit_ex(m->cipher, NULL, NULL, key32, zero) &&
	       EVP_EncryptUpdate(m->cipher, stream, &len, zero, BYTES) && len == BYTES &&
	       BN_lebin2bn(stream, BYTES, m->element);
}

/* n *= factor. The prime is 2^3072 - 1103717, so what lies above 2^3072 counts 1103717 times
 * below it: folding is faster here than Montgomery's way. */
static bool multiply(struct bb_muhash *m, BIGNUM *n, const BIGNUM *factor)
{
	if (!BN_mul(m->product, n, factor, m->ctx))
		return false;
	while (BN_num_bits(m->product) > BITS)
		if (!BN_rshift(m->high, m->product, BITS) || !BN_mask_bits(m->product, BITS) ||
			!BN_mul_word(m->high, PRIME_GAP) ||
			!BN_add(m->product, m->product, m->high))
			return false;
	return BN_copy(n, m->product);
}

void bb_muhash_insert(struct bb_muhash *m, struct bb_span element)
{
	m->failed = m->failed || !set_element(m, element) || !multiply(m, m->in, m->element);
}

void bb_muhash_remove(struct bb_muhash *m, struct bb_span element)
{
	m->failed = m->failed || !set_element(m, element) || !multiply(m, m->out, m->element);
}

bool bb_muhash_end(unsigned char out[32], struct bb_muhash *m)
{
	unsigned char bytes[BYTES];
	BIGNUM *prime = BN_new();
	bool ok = false;

	if (m->failed || !prime || !BN_set_bit(prime, BITS) || !BN_sub_word(prime, PRIME_GAP))
		goto out;
	ok = BN_mod_inverse(m->element, m->out, prime, m->ctx) &&
	     BN_mod_mul(m->product, m->in, m->element, prime, m->ctx) &&
	     BN_bn2lebinpad(m->product, bytes, BYTES) == BYTES;
	if (ok)
		bb_sha256(out, bytes, BYTES);
out:
	BN_free(prime);
	return ok;
}
