#ifndef BB_CMD_KEYGEN_H
#define BB_CMD_KEYGEN_H

/* What bb-keygen does: keys that are made, or read from files, become lines. */

#include "keyout.h"
#include "wallet/keyfile.h"

struct keygen {
	/* As asked for. */
	const char *derive; /* a path; NULL: the key's own line */
	bool seed;	    /* hex is a BIP 32 seed, not entropy */
	bool again;	    /* the lines of a key file as they are, but for their secrets */

	struct bb_lines in; /* reports errors and keeps the status */
	struct bb_key_reader reader;
	struct bb_keyline line;
	struct keyout out;
	uint64_t records; /* lines read */
};

/* So many new keys, of the system's entropy: single ones, or as mnemonics. */
void keygen_singles(struct keygen *g, int64_t count, bool uncompressed);
void keygen_mnemonics(struct keygen *g, int64_t count, size_t words);
/* The keys of a file, which is then closed. */
void keygen_file(struct keygen *g, struct bb_keyfile *f, const char *name);
/* Report what is wrong in a file, or with name NULL elsewhere. */
void keygen_report(struct keygen *g, const char *name, uint64_t number, const char *why);

#endif
