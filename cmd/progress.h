#ifndef BB_CMD_PROGRESS_H
#define BB_CMD_PROGRESS_H

/* How far long work has come: one line on stderr, if that is a terminal and stdout is not,
 * drawn anew a few times a second.
 *
 *	bb-validate  [========>           ]  42%   1,680 lines   16,540/s   0:12 left */

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *name; /* NULL: nothing is drawn */
	uint64_t total;	  /* bytes of all inputs; 0: not known */
	uint64_t start_ms, drawn_ms;
	bool shown;
};

/* Before the sandbox. `files` as in struct bb_lines. */
void progress_start(struct progress *p, const char *name, char *const *files);
/* So much is done. Cheap: call it often. */
void progress_turn(struct progress *p, uint64_t lines, uint64_t bytes);
/* Take it off the terminal: before anything else is written there, and at the end. */
void progress_hide(struct progress *p);

#endif
