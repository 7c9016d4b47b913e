#ifndef BB_CMD_KEYS_H
#define BB_CMD_KEYS_H

/* The key files of a call, -k, as one ring: opened before rights are dropped, read after. */

#include "passphrase.h"
#include "wallet/keyfile.h"

/* Begun by keys_room. */
struct keys {
	const char **names; /* room for all that the call can have */
	size_t count;
	struct passphrase passphrase, mnemonic_passphrase;
	struct bb_keyring ring; /* after keys_load */

	/* Private. */
	struct bb_keyfile *file; /* one for each name */
	struct passphrase_prompt prompt;
};

/* Exits 3 when memory is out. */
void keys_room(const struct tool *t, struct keys *k, int argc);
/* Keys and input cannot both come from stdin: exits 2, naming the input. */
void keys_check_stdin(
	const struct tool *t, const struct keys *k, char *const *files, const char *input);
/* Hold the files, and a terminal to ask at when no passphrase was given. Exits 2. */
void keys_open(const struct tool *t, struct keys *k);
/* What reading them needs of the sandbox. */
unsigned keys_rights(const struct keys *k);
/* Read them, and wipe the passphrases. Exits 2 at one that cannot be read. */
void keys_load(const struct tool *t, struct keys *k, struct bb_curve *curve,
	const struct bb_network *n);
void keys_free(struct keys *k);

#endif
