#include "wallet/seal.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/hex.h"
#include "crypto/curve.h"

void bb_buf_wipe(struct bb_buf *b)
{
	bb_wipe(b->data, b->cap);
	bb_buf_free(b);
}

enum { SALT = 16, NONCE = 12, TAG = 16 };

static const char kdf_name[] = "scrypt-32768-8-1"; /* N, r, p */
static const char cipher_name[] = "aes-256-gcm";

static bool stretch(struct bb_seal *seal, const unsigned char salt[SALT])
{
	const uint64_t n = 1 << 15, r = 8, p = 1;

	if (seal->ready && memcmp(seal->salt, salt, SALT) == 0)
		return true;
	seal->ready = EVP_PBE_scrypt((const char *)seal->passphrase.data, seal->passphrase.len,
			      salt, SALT, n, r, p, 64 << 20, seal->key32, 32) == 1;
	memcpy(seal->salt, salt, SALT);
	return seal->ready;
}

static bool gcm_encrypt(unsigned char *out, const unsigned char key32[32],
	const unsigned char nonce[NONCE], struct bb_span text)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, last = 0;
	bool ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key32, nonce) == 1 &&
		  EVP_EncryptUpdate(ctx, out, &n, text.data, (int)text.len) == 1 &&
		  EVP_EncryptFinal_ex(ctx, out + n, &last) == 1 &&
		  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, out + text.len) == 1;

	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

/* `data` ends in the tag. */
static bool gcm_decrypt(unsigned char *out, const unsigned char key32[32],
	const unsigned char nonce[NONCE], struct bb_span data)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const size_t len = data.len - TAG;
	unsigned char tag[TAG];
	int n = 0, last = 0;
	bool ok;

	memcpy(tag, data.data + len, TAG);
	ok = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key32, nonce) == 1 &&
	     EVP_DecryptUpdate(ctx, out, &n, data.data, (int)len) == 1 &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
	     EVP_DecryptFinal_ex(ctx, out + n, &last) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

bool bb_key_seal(struct bb_json_writer *w, struct bb_seal *seal, struct bb_span secret)
{
	unsigned char salt[SALT], nonce[NONCE], data[BB_SECRET_TEXT + TAG];

	if (secret.len > BB_SECRET_TEXT || !bb_random(nonce, NONCE) || !bb_random(salt, SALT))
		return false;
	/* One salt does for all lines of a run: the nonces keep them apart. */
	if (!stretch(seal, seal->ready ? seal->salt : salt) ||
		!gcm_encrypt(data, seal->key32, nonce, secret))
		return false;
	bb_json_key(w, "kdf");
	bb_json_str(w, kdf_name);
	bb_json_key(w, "salt");
	bb_json_hex(w, BB_SPAN(seal->salt, SALT));
	bb_json_key(w, "cipher");
	bb_json_str(w, cipher_name);
	bb_json_key(w, "nonce");
	bb_json_hex(w, BB_SPAN(nonce, NONCE));
	bb_json_key(w, "data");
	bb_json_hex(w, BB_SPAN(data, secret.len + TAG));
	return true;
}

bool bb_key_hex(unsigned char *out, size_t *len, const struct bb_json *line, const char *key,
	size_t min, size_t max)
{
	const struct bb_json *v = bb_json_find(line, key);

	if (!v || v->type != BB_JSON_STRING || v->text.len % 2)
		return false;
	*len = v->text.len / 2;
	return *len >= min && *len <= max && bb_hex_decode(out, v->text.data, *len);
}

bool bb_key_unseal(struct bb_buf *secret, const char **why, const struct bb_json *line,
	struct bb_seal *seal)
{
	unsigned char salt[SALT], nonce[NONCE], data[BB_SECRET_TEXT + TAG], *out;
	size_t len, data_len;

	*why = "malformed key line: unknown kdf or cipher";
	if (!bb_json_is(bb_json_find(line, "kdf"), kdf_name) ||
		!bb_json_is(bb_json_find(line, "cipher"), cipher_name))
		return false;
	*why = "malformed key line: salt, nonce or data";
	if (!bb_key_hex(salt, &len, line, "salt", SALT, SALT) ||
		!bb_key_hex(nonce, &len, line, "nonce", NONCE, NONCE) ||
		!bb_key_hex(data, &data_len, line, "data", TAG + 1, sizeof(data)))
		return false;
	*why = "the key is encrypted: a passphrase is needed";
	if (!seal->passphrase.len)
		return false;
	*why = "out of memory";
	if (!(out = bb_buf_room(secret, BB_SECRET_TEXT)) || !stretch(seal, salt))
		return false;
	*why = "wrong passphrase, or the key line was changed";
	if (!gcm_decrypt(out, seal->key32, nonce, BB_SPAN(data, data_len))) {
		bb_wipe(out, BB_SECRET_TEXT);
		return false;
	}
	secret->len += data_len - TAG;
	return true;
}

bool bb_key_is_sealed(const struct bb_json *line)
{
	return bb_json_find(line, "data") != NULL;
}
