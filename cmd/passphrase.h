#ifndef BB_CMD_PASSPHRASE_H
#define BB_CMD_PASSPHRASE_H

/* Passphrases from where secrets may come from: a descriptor, a file that only its owner can
 * read, or the terminal; never argv or the environment. */

#include "tool.h"
#include "wallet/key.h"

enum { PASSPHRASE_MAX = 1024 };

/* The owner wipes it. */
struct passphrase {
	bool given;
	size_t len;
	unsigned char text[PASSPHRASE_MAX];
};

struct bb_span passphrase_span(const struct passphrase *p);
/* One line from a descriptor, by its number: no byte after it is read, so that several
 * secrets may come from one, a line each. Exits 2 when there is none. */
void passphrase_from_fd(
	const struct tool *t, struct passphrase *p, const char *option, const char *number);
/* The first line of a file of mode 0600. Exits 2 when there is none. */
void passphrase_from_file(const struct tool *t, struct passphrase *p, const char *path);
/* The terminal to ask at, opened before the sandbox (BB_SANDBOX_TERMINAL); -1: there is none.
 */
int passphrase_terminal(void);
/* There, without echo; twice when it is a new one. False with *why, as without a terminal. */
bool passphrase_ask(
	struct passphrase *p, const char **why, int terminal, const char *prompt, bool twice);

/* The `ask` of a reader of keys, whose arg is this: at an encrypted line, when no passphrase
 * was given. */
struct passphrase_prompt {
	struct passphrase *passphrase;
	int terminal; /* -1: none */
};
bool passphrase_answer(const char **why, struct bb_key_reader *reader);

#endif
