#ifndef BB_CMD_TEAM_H
#define BB_CMD_TEAM_H

/* Threads that share a loop when there is one, and do jobs ahead of time when there is none. */

#include "bitcoin/scripts.h"

struct team;

/* Work that may be done early by a thread that is idle. Zero-initialise but for the first part.
 */
struct job {
	void (*fn)(void *arg);
	void *arg;

	/* Private. */
	struct job *next;
	int state;
};

/* `threads`, the caller's among them. NULL: no memory, no threads. */
struct team *team_new(unsigned threads);
/* For loops; valid as long as the team. The caller takes its turns too. */
const struct bb_parallel *team_parallel(struct team *t);
/* Have it done by whoever is idle; shared loops go first. */
void team_post(struct team *t, struct job *j);
/* When this returns it is done: by the caller itself, if nobody had begun. */
void team_finish(struct team *t, struct job *j);
/* All posted jobs must be finished. */
void team_free(struct team *t);

#endif
