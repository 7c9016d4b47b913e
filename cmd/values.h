#ifndef BB_CMD_VALUES_H
#define BB_CMD_VALUES_H

/* JSON objects out of files or pipes, one after another, however they are laid out: a line
 * each, over many lines, or with nothing between them. */

#include "base/lines.h"

/* Zero-initialise but for the first part. */
struct values {
	struct bb_lines *in; /* whose files, bounds and status these are; it reads nothing */
	void (*speaks)(void *arg); /* before an error is reported */
	void *arg;

	uint64_t line; /* where the value last given begins */

	/* Private. */
	struct bb_buf buf;
	size_t at, start; /* of what is still to be looked at; of the value */
	int fd;
	bool opened, ended;
	uint64_t newlines;
	bool within; /* a line */
	enum { VALUES_BETWEEN, VALUES_INSIDE, VALUES_JUNK } state;
	unsigned depth;	      /* of brackets */
	bool quoted, escaped; /* inside a string, behind a backslash */
	bool skipped;	      /* it is too long to be held */
	unsigned char last;   /* that is no blank */
};

enum values_state {
	VALUES_GOT,
	VALUES_NONE, /* nothing yet */
	VALUES_END,
};

/* The next one, borrowed until the next call. It is waited for so many milliseconds, from the
 * last byte that came; -1: for ever. What is no object, breaks off or is too long is reported
 * and passed over. */
enum values_state values_next(struct values *v, struct bb_span *value, int wait_ms);
void values_free(struct values *v);

#endif
