#ifndef BB_CMD_BLKFILE_H
#define BB_CMD_BLKFILE_H

/* Blocks in blk*.dat framing, read from files that may be broken: torn, with lengths that lie,
 * with anything in between. Every block that stands whole behind its frame is found, unless the
 * file is made of frames inside frames to keep the reader busy.
 *
 * Bitcoin Core writes its files under a key of eight bytes, in xor.dat beside them. */

#include <signal.h>

#include "base/bytes.h"

/* Zero-initialise but for the first part; used for one file after the other. */
struct blkfile {
	uint32_t magic;
	/* Of the caller's handler: a read that it interrupted, once it is set, is the end.
	 * NULL: none is. */
	const volatile sig_atomic_t *stop;

	/* To be read. */
	const char *name; /* borrowed */
	uint64_t read;	  /* bytes so far, of all files */
	/* A stretch that is no block was passed over: where, how long, and why; `bad` NULL:
	 * none. Ends with the next call. */
	const char *bad;
	uint64_t bad_pos, bad_len;
	bool no_magic; /* for it does not even begin as a frame of this network */
	bool can_seek; /* a regular file, that can be read again */

	/* Private. */
	int fd;
	bool opened, ended;
	const char *why;
	unsigned char key[8];
	struct bb_buf buf;
	size_t at;
	uint64_t base;	/* where buf begins in the file */
	uint64_t tried; /* bytes of it that were no block though a frame said so */
	struct bb_arena arena;
};

enum {
	BLKFILE_FRAME = 8, /* magic and length */
	/* Bytes of a block that is looked at, as in Bitcoin Core. */
	BLKFILE_MIN = 80,
	BLKFILE_MAX = 4000000,
};

/* "-" is stdin. False with *why: strerror's text, or of the key. */
bool blkfile_open(struct blkfile *f, const char **why, const char *name);
/* Does it begin as lines of JSON do? What was read so far is then in *bytes, as it stood. */
bool blkfile_is_lines(struct bb_span *bytes, struct blkfile *f);
/* The descriptor, now the caller's, to be read on. */
int blkfile_hand_over(struct blkfile *f);
/* The next block, borrowed until the next call, and where it stands; or, with f->bad, a stretch
 * that is none, and an empty block. False at the end; with *why, when it could not be read. */
bool blkfile_next(struct bb_span *block, uint64_t *pos, const char **why, struct blkfile *f);
/* What stands there, appended to out. False when it is not there any more. */
bool blkfile_at(struct bb_buf *out, struct blkfile *f, uint64_t pos, size_t len);
/* Another may then be opened. */
void blkfile_close(struct blkfile *f);
void blkfile_free(struct blkfile *f);

#endif
