#ifndef BB_CMD_PROGRESS_H
#define BB_CMD_PROGRESS_H

/* How far long work has come: one line on stderr, if that is a terminal, drawn anew a few times
 * a second.
 *
 *	bb-validate  [========>           ]  42%  1,680 lines  16,540/s  0:12 left */

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *name; /* NULL: nothing is drawn */
	const char *unit; /* of what is counted: "lines" */
	uint64_t total;	  /* bytes of all inputs; 0: not known */
	uint64_t start_ms, drawn_ms;
	bool shown;
};

/* For a filter of lines, before the sandbox; nothing is drawn where its output goes to a
 * terminal. `files` as in struct bb_lines. */
void progress_start(struct progress *p, const char *name, char *const *files);
/* For work that writes little, before the sandbox too: `total` bytes, or whatever progress_turn
 * is told in their place. */
void progress_count(struct progress *p, const char *name, const char *unit, uint64_t total);
/* So much is done: `count` of the unit, out of so many bytes. Cheap: call it often. */
void progress_turn(struct progress *p, uint64_t count, uint64_t bytes);
/* Take it off the terminal: before anything else is written there, and at the end. */
void progress_hide(struct progress *p);

#endif
