#ifndef BB_CMD_POOL_H
#define BB_CMD_POOL_H

/* Lines worked on by several threads, their answers written in order.
 *
 * The main thread reads lines and hands them over in batches; each worker turns a batch's
 * lines into bytes for stdout and stderr; whoever finishes the oldest batch writes it and those
 * done behind it. With one thread everything happens in the caller's own. */

#include "base/lines.h"
#include "bitcoin/judge.h"

/* What a worker keeps from line to line, and where its answers gather. */
struct worker {
	struct bb_interpreter vm;
	struct bb_arena arena;
	struct bb_buf *out, *err;
	int status;			    /* of the batch at hand: the highest */
	bool bad;			    /* the record at hand was bad, for --fail-fast */
	const struct bb_parallel *parallel; /* the other workers' help, or NULL */
	struct bb_sink *sink;		    /* with one thread: where `out` goes; else NULL */
};

struct pool;

/* Called for each line, which is borrowed; its data is NULL for one over the limit. */
typedef void line_fn(struct worker *w, void *arg, struct bb_span line, uint64_t number);

/* With one thread, write what has gathered in `out` before the record's end, if it is much. */
void worker_turn(struct worker *w);

/* `threads` 1 starts none. NULL: no memory, no threads. Borrows `in`, `out`. */
struct pool *pool_new(
	unsigned threads, struct bb_lines *in, struct bb_sink *out, line_fn *fn, void *arg);
/* Read all lines to the end (or the first bad one, under fail_fast). */
void pool_run(struct pool *p);
/* Wait for the workers and free; the statuses are then in `in`. */
void pool_free(struct pool *p);

#endif
