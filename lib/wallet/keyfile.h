#ifndef BB_WALLET_KEYFILE_H
#define BB_WALLET_KEYFILE_H

/* Key files: lines of type "key" with wif, xprv or mnemonic, mode 0600, or encrypted
 * (bb-lines(5)). A line may also be the bare text of a key. */

#include "wallet/key.h"

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

/* The secrets of key files. */
struct bb_keyring {
	struct bb_secret *secrets; /* owned; wiped by bb_keyring_free */
	size_t count, cap;
	uint64_t bad_line; /* where loading failed, from 1; 0: not in a line */
};

/* Add all secrets of an open key file. False with *why: "file is readable by others
 * (chmod 600)", "key file holds no secret", "wrong passphrase", "malformed ...". */
bool bb_keyring_add(struct bb_keyring *ring, const char **why, struct bb_keyfile *f,
	struct bb_key_reader *r);
/* The same of a file by its name; `passphrase` opens encrypted lines (empty: none given). */
bool bb_keyring_load(struct bb_keyring *ring, const char **why, const char *path,
	struct bb_span passphrase, const struct bb_curve *c, const struct bb_network *n);
void bb_keyring_free(struct bb_keyring *ring);

#endif
