#ifndef BB_LEDGER_FLAT_H
#define BB_LEDGER_FLAT_H

/* Blocks in flat files blk00000.dat, blk00001.dat..., in Bitcoin Core's framing: the network's
 * magic, the length as LE32, the block. Files of at most 128 MiB.
 *
 * What was appended counts from the commit of the store that names it; what lies behind the
 * committed end is the rest of a crash, and is cut off by the next writer. */

#include "base/bytes.h"

struct bb_place {
	uint32_t file, pos; /* of the block's first byte, behind its frame */
	uint32_t len;	    /* bytes of the block */
};

struct bb_flat {
	int dir_fd; /* DIR/blocks, held */
	uint32_t magic;
	/* The end of what counts, or will with the commit at hand. */
	uint32_t file, end;
	bool dirty; /* something was appended that is not synced */
	/* Private. */
	int write_fd;
	uint32_t write_file;
	bool trimmed; /* the file ends where `end` says */
	bool made;    /* a file is new: its name must be synced too */
	int read_fd;
	uint32_t read_file;
	char text[64]; /* the last failure's words */
};

enum { BB_FLAT_MAX = 128 << 20, BB_FLAT_FRAME = 8 };

/* Borrows dir_fd; closes nothing of the caller's. */
void bb_flat_init(struct bb_flat *f, int dir_fd, uint32_t magic);
void bb_flat_close(struct bb_flat *f);
/* Set the end (from the store), before the first append of a transaction. */
void bb_flat_seek(struct bb_flat *f, uint32_t file, uint32_t end);
/* False with *why: strerror's text. */
bool bb_flat_append(
	struct bb_place *p, struct bb_flat *f, const char **why, struct bb_span block);
/* What was appended is on the disk when this returns true. */
bool bb_flat_sync(struct bb_flat *f, const char **why);
/* The block's bytes, or `len` of them from `offset` on, appended to out. False with *why when
 * the frame or the bytes are not there: "blk00003.dat is cut short"..., which lie in the
 * struct. */
bool bb_flat_read(struct bb_buf *out, struct bb_flat *f, const char **why,
	const struct bb_place *p, uint32_t offset, uint32_t len);

#endif
