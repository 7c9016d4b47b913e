#ifndef BB_CMD_KEYOUT_H
#define BB_CMD_KEYOUT_H

/* Where bb-keygen's lines go: to stdout, and before it, with their secrets, to a file. */

#include "newfile.h"
#include "tool.h"
#include "wallet/keyline.h"

struct keyout {
	/* As asked for. */
	const struct tool *tool;
	const char *path;  /* of the file; NULL: there is none */
	bool print_secret; /* on stdout */
	bool encrypt;
	struct bb_seal seal; /* under this passphrase */

	struct newfile file;
	struct bb_sink out;
};

/* Create the file, with room for few lines or many. Exits when it cannot. */
void keyout_open(struct keyout *o, bool many);
/* The line in work into the file, if there is one; and to stdout. */
void keyout_keep(struct keyout *o, const struct bb_keyline *l);
void keyout_print(struct keyout *o, const struct bb_keyline *l);
/* What is printed of a key follows its secret to the disk. */
void keyout_flush(struct keyout *o);
/* Flush, wipe, and give the errno of stdout. */
int keyout_close(struct keyout *o);
/* Exit as the system fails us: of the file stay the lines that were printed, whole. */
noreturn void keyout_fail(struct keyout *o, const char *what, const char *why);

#endif
