#ifndef BB_BASE_LINES_H
#define BB_BASE_LINES_H

/* Records in, records out: one line each, as every tool reads and writes them.
 *
 *	struct bb_lines in = {.tool = "bb-x", .files = argv + optind};
 *	struct bb_sink out = {.fd = 1};
 *	bb_lines_tie(&in, &out);
 *	while (bb_lines_read(&in, &line)) {
 *		if (!work(&out.buf, line, &why))
 *			bb_lines_bad(&in, why);
 *		bb_sink_turn(&out);
 *	}
 *	return bb_lines_close(&in, &out);
 *
 * Output is flushed before any read that could block, so tools hold conversations, and else
 * only in large pieces. */

#include "base/bytes.h"

/* Exit statuses; the highest that occurred is the tool's. */
enum bb_status {
	BB_OK = 0,
	BB_NO = 1,     /* the answer is no: invalid, refused, not found, no record at all */
	BB_CALLER = 2, /* usage, a malformed line */
	BB_SYSTEM = 3, /* disk, memory, a peer: a retry may help */
};

#define BB_MAX_LINE ((size_t)1 << 30) /* --max-line's default, from pipes and files */

struct bb_sink {
	int fd;
	struct bb_buf buf; /* append lines here */
	int error;	   /* errno of the first failed write; nothing is written after it */
};

/* Write out what has gathered when it is much; call after each record. */
void bb_sink_turn(struct bb_sink *s);
bool bb_sink_flush(struct bb_sink *s);

struct bb_lines {
	/* Set by the caller. */
	const char *tool;
	char *const *files;	     /* NULL-terminated; NULL or empty: stdin; "-" too */
	size_t max_line;	     /* bytes; 0: BB_MAX_LINE */
	bool fail_fast;		     /* stop at the first bad record */
	void (*idle)(void *arg);     /* before a read that could block; bb_lines_tie sets it */
	void (*too_long)(void *arg); /* told of a line over max_line; NULL: it is reported */
	void *arg;

	/* To be read. */
	uint64_t number; /* of the line last read, from 1, over all files */
	uint64_t bytes;	 /* taken in so far */
	int status;	 /* highest so far */

	/* Set by a caller who has begun to read the first input: `opened`, what was read in
	 * `buf`, its descriptor, its name. */
	struct bb_buf buf;
	int fd;
	bool opened;
	const char *name; /* of the one at hand; NULL: stdin */

	/* Private. */
	size_t at;
	bool ended, stop;
	uint64_t file; /* counts the inputs turned to */
	uint64_t records;
};

/* Flush that sink before any read that could block. */
void bb_lines_tie(struct bb_lines *in, struct bb_sink *out);
/* The next line without its LF, borrowed until the next call; false at the end. Lines of
 * blanks only are passed over; a line over max_line is reported and skipped without being held.
 */
bool bb_lines_read(struct bb_lines *in, struct bb_span *line);
/* Report the current line as malformed: an error line on stderr, status 2. */
void bb_lines_bad(struct bb_lines *in, const char *why);
/* The same for any line number, status and sender (`from`, raw JSON; may be empty). */
void bb_lines_report(struct bb_lines *in, uint64_t number, enum bb_status status,
	const char *why, struct bb_span from);
/* Raise the status. */
void bb_lines_status(struct bb_lines *in, enum bb_status status);
/* Flush, free, and give the exit status: 1, reported, when there was no record at all, 3 when
 * the output could not be written (out may be NULL). */
int bb_lines_close(struct bb_lines *in, struct bb_sink *out);

/* {"type":"error","tool":"...","line":N,"error":"..."}; line 0 and an empty from are left out.
 */
void bb_put_error(struct bb_buf *b, const char *tool, uint64_t line, const char *why,
	struct bb_span from);

/* A whole file, at most max bytes, into a buffer; false with *why ("file too large" or
 * strerror's text). Path "-" reads stdin. */
bool bb_read_file(struct bb_buf *out, const char **why, const char *path, size_t max);

#endif
