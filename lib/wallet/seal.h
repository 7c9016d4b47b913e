#ifndef BB_WALLET_SEAL_H
#define BB_WALLET_SEAL_H

/* Secrets encrypted under a passphrase, as members of a key line (bb-lines(5)). */

#include "base/json.h"

/* What encrypts: a passphrase, and the key that scrypt made of it, kept for the next line
 * with the same salt. Zero-initialise but for the passphrase; wipe after use. */
struct bb_seal {
	struct bb_span passphrase; /* borrowed; empty: none given */
	bool ready;
	unsigned char salt[16], key32[32];
};

/* Encrypt a secret text under a passphrase: writes the members kdf salt cipher nonce data
 * (scrypt N=2^15 r=8 p=1; AES-256-GCM; hex), and back. */
bool bb_key_seal(struct bb_json_writer *w, struct bb_seal *seal, struct bb_span secret);
bool bb_key_unseal(struct bb_buf *secret, const char **why, const struct bb_json *line,
	struct bb_seal *seal);
/* Does this key line carry an encrypted secret? */
bool bb_key_is_sealed(const struct bb_json *line);
/* Reserve room for a secret, so that it is never copied about, and free it wiped. */
enum { BB_SECRET_TEXT = 1024 };
void bb_buf_wipe(struct bb_buf *b);

/* A hex member of `min` to `max` bytes of a key line. */
bool bb_key_hex(unsigned char *out, size_t *len, const struct bb_json *line, const char *key,
	size_t min, size_t max);

#endif
