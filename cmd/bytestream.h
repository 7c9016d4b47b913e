#ifndef BB_CMD_BYTESTREAM_H
#define BB_CMD_BYTESTREAM_H

/* Raw bytes: records back to back, or blocks in the framing of blk*.dat, magic and length. */

#include "record.h"

/* Zero-initialise but for the first part. */
struct bytestream {
	enum record_type asked; /* RECORD_ANY: as the stream's start tells */
	uint32_t magic;
	size_t max;		 /* the longest record; 0: the longest there is */
	void (*idle)(void *arg); /* before a read that could block */
	void (*failed)(void *arg, const char *why); /* to read; the stream then ends */
	void *arg;

	enum record_type type; /* of its records, once there was one */

	/* Private. */
	int fd;
	struct bb_buf buf;
	struct bb_arena arena;
	size_t at;
	bool begun, ended, framed;
};

/* A file, or "-": stdin. False with *why. */
bool bytestream_open(struct bytestream *s, const char **why, const char *name);
/* The next record's bytes, borrowed until the next call. False at the end; with *why, where
 * what is left is no record. */
bool bytestream_next(struct bb_span *bytes, const char **why, struct bytestream *s);
/* Another may then be opened. */
void bytestream_close(struct bytestream *s);
void bytestream_free(struct bytestream *s);

#endif
