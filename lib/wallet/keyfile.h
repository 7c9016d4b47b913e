#ifndef BB_WALLET_KEYFILE_H
#define BB_WALLET_KEYFILE_H

/* Key files: lines of type "key" with wif, xprv or mnemonic, mode 0600, or encrypted
 * (bb-lines(5)). A line may also be the bare text of a key. */

#include "base/json.h"
#include "bitcoin/network.h"
#include "crypto/bip32.h"

/* One secret a signer can use: a single key, or an extended key with everything below it. */
struct bb_secret {
	bool extended;
	unsigned char key32[32];
	bool compressed; /* of a single key */
	struct bb_xkey xkey;
	unsigned char fingerprint[4]; /* of the master the xkey descends from (itself without an
				       * origin) */
	struct bb_path
		origin; /* path from that master to xkey; count 0 when it is the master */
};

struct bb_keyring {
	/* BIP 39's passphrase, for the mnemonics; borrowed, may be empty. */
	struct bb_span mnemonic_passphrase;

	struct bb_secret *secrets; /* owned; wiped by bb_keyring_free */
	size_t count, cap;
	uint64_t bad_line; /* where loading failed, from 1; 0: not in a line */
};

/* Add all secrets of one key file. `passphrase` opens encrypted lines (empty: none given).
 * False with *why: "cannot open ...", "key file is readable by others (chmod 600)",
 * "key file holds no secret", "wrong passphrase", "malformed ...". The mode is checked on the
 * open descriptor; stdin ("-") is not checked. */
bool bb_keyring_load(struct bb_keyring *ring, const char **why, const char *path,
	struct bb_span passphrase, const struct bb_curve *c, const struct bb_network *n);
void bb_keyring_free(struct bb_keyring *ring);

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

/* A file of keys, line by line. The buffer is wiped when it is closed. */
enum { BB_KEY_LINE_MAX = 64 << 10 };

struct bb_keyfile {
	const char *exposed; /* why it is no place for secrets; NULL: it is one */
	uint64_t number;     /* of the line last read, from 1 */

	/* Private. */
	int fd;
	unsigned char *buf;
	size_t at, len;
	bool ended;
};

/* "-" is stdin. False with *why. */
bool bb_keyfile_open(struct bb_keyfile *f, const char **why, const char *path);
/* The next line that is not blank, without white space around it, borrowed until the next
 * call. False at the end with *why NULL; and with *why set for a line too long, which is
 * skipped, or a failed read, after which the file is at its end. */
bool bb_keyfile_next(struct bb_keyfile *f, struct bb_span *line, const char **why);
void bb_keyfile_close(struct bb_keyfile *f);

/* The forms a key comes in; the first three are secret, and named as their members. */
enum bb_key_form { BB_KEY_WIF, BB_KEY_XPRV, BB_KEY_MNEMONIC, BB_KEY_XPUB };
const char *bb_key_form_name(enum bb_key_form form);

/* A key as it was read; the owner wipes it. */
struct bb_key {
	enum bb_key_form form;
	struct bb_secret secret;  /* for BB_KEY_XPUB an xkey that is not private */
	char words[256];	  /* of a mnemonic: its sentence, NUL-terminated */
	uint32_t purpose;	  /* 49, 84: what a ypub or zpub is for (SLIP 132); else 0 */
	bool has_path;		  /* the line had fingerprint and path */
	struct bb_path path;	  /* from the master with secret.fingerprint to pubkey */
	unsigned char pubkey[65]; /* of a single key, or of the key at path if has_path */
	size_t pubkey_len;
	const struct bb_json *line; /* the key line; NULL: bare text */
};

/* What reading them takes. */
struct bb_key_reader {
	const struct bb_curve *curve;
	const struct bb_network *network;
	struct bb_seal seal;
	struct bb_span mnemonic_passphrase;
	struct bb_arena arena; /* holds the last line's JSON */
};

/* Read a line: a key line; a WIF; an extended key, "[fingerprint/path]" before it or not; a
 * mnemonic sentence. What a key line says about itself is compared. False with *why. */
bool bb_key_read(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span line);
/* A key line, parsed: into the reader's arena; NULL with *why. */
const struct bb_json *bb_key_line(
	const char **why, struct bb_key_reader *r, struct bb_span line);
void bb_key_reader_free(struct bb_key_reader *r);
/* The text that bb_key_read takes: WIF, extended key or sentence. */
void bb_put_key_text(struct bb_buf *out, const struct bb_key *k, const struct bb_network *n);

/* Down from an extended key along a path from its master (or from itself, see origin).
 * `account` gets the key after the path's last hardened step, `*account_depth` how many of the
 * path's steps lead there; both may be NULL. False with *why. */
bool bb_secret_derive(struct bb_xkey *out, struct bb_xkey *account, size_t *account_depth,
	const char **why, const struct bb_secret *s, const struct bb_curve *c,
	const uint32_t *step, size_t count);

#endif
