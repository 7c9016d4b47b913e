#ifndef BB_WALLET_KEY_H
#define BB_WALLET_KEY_H

/* A key as people keep it: WIF, extended key, mnemonic, or a key line (bb-lines(5)). */

#include "bitcoin/network.h"
#include "crypto/bip32.h"
#include "wallet/seal.h"

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
	size_t stated;	/* origin.step goes on to here with the path its key line states; else
			 * origin.count */
};

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
	/* Called for an encrypted line while seal.passphrase is empty, to set it; false with
	 * *why. NULL: there is nobody to ask. */
	bool (*ask)(const char **why, struct bb_key_reader *r);
	void *arg;	       /* the caller's */
	struct bb_arena arena; /* holds the last line's JSON */
};

/* Read a line, without white space around it: a key line; a WIF; an extended key,
 * "[fingerprint/path]" before it or not; a mnemonic sentence. What a key line says about itself
 * is compared. False with *why. */
bool bb_key_read(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span line);
/* The same from the bytes a key is made of: entropy of 16, 20, 24, 28 or 32 bytes, which gives
 * a mnemonic, or a BIP 32 seed of 16 to 64, which gives its master key. */
bool bb_key_from_entropy(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span entropy);
bool bb_key_from_seed(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span seed);
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
