#include "pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"

enum {
	BATCH_BYTES = 64 << 10,
	BATCH_LINES = 256,
	MUCH = 1 << 20, /* bytes of one record's answer */
	MAX_IN_FLIGHT =
		64 << 20, /* bytes of lines handed over and not yet answered, but for one */
	MAX_THREADS = 256,
};

struct batch {
	struct bb_buf text; /* its lines, each ended by an LF */
	struct {
		size_t at, len;
		uint64_t number;
		bool too_long;
	} line[BATCH_LINES];
	size_t count;
	struct bb_buf out, err;
	int status;
	bool stop; /* fail_fast met a bad record */
	bool done; /* its answers wait to be written */
};

/* One loop shared out over the workers. */
struct split {
	void (*fn)(void *arg, size_t i, struct bb_interpreter *vm);
	void *arg;
	size_t count, next, done;
	struct split *below;
};

struct pool {
	struct bb_lines *in;
	struct bb_sink *out;
	line_fn *fn;
	void *arg;
	unsigned threads, started;
	pthread_t *thread;

	pthread_mutex_t lock;
	pthread_cond_t work;	/* a batch is ready, a loop is shared out, or the end */
	pthread_cond_t changed; /* a batch was written, or a shared loop has ended */
	struct batch *ring;
	size_t ring_size;
	size_t in_flight;
	size_t filled, taken, written; /* batches so far; the ring holds filled - written */
	struct batch *filling;	       /* the main thread's own; not yet counted */
	struct split *splits;
	bool end, stop, writing;
	int status;		  /* the highest of the batches written */
	struct progress progress; /* drawn by who writes */
	uint64_t lines, bytes;	  /* written */

	struct worker self; /* with one thread */
};

/* Shared loops. */

/* Take turns at a loop until none is left; the lock is held on entry and exit. */
static void join_split(struct pool *p, struct split *s, struct bb_interpreter *vm)
{
	while (s->next < s->count) {
		const size_t i = s->next++;
		pthread_mutex_unlock(&p->lock);
		s->fn(s->arg, i, vm);
		pthread_mutex_lock(&p->lock);
		if (++s->done == s->count)
			pthread_cond_broadcast(&p->changed);
	}
}

struct helper {
	struct pool *pool;
	struct bb_interpreter *vm;
};

static void run_split(void *arg, void (*fn)(void *, size_t, struct bb_interpreter *),
	void *fn_arg, size_t count)
{
	struct helper *h = arg;
	struct pool *p = h->pool;
	struct split s = {.fn = fn, .arg = fn_arg, .count = count}, **at;

	pthread_mutex_lock(&p->lock);
	s.below = p->splits;
	p->splits = &s;
	pthread_cond_broadcast(&p->work);
	join_split(p, &s, h->vm);
	for (at = &p->splits; *at != &s; at = &(*at)->below)
		;
	*at = s.below;
	while (s.done < s.count)
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

static struct split *open_split(struct pool *p)
{
	for (struct split *s = p->splits; s; s = s->below)
		if (s->next < s->count)
			return s;
	return NULL;
}

/* Batches. */

static void work_batch(struct pool *p, struct worker *w, struct batch *b)
{
	w->out = &b->out;
	w->err = &b->err;
	w->status = BB_OK;
	for (size_t i = 0; i < b->count && !b->stop; i++) {
		w->bad = false;
		struct bb_span line = BB_SPAN(b->text.data + b->line[i].at, b->line[i].len);
		p->fn(w, p->arg, b->line[i].too_long ? BB_SPAN(NULL, 0) : line,
			b->line[i].number);
		bb_arena_reset(&w->arena);
		b->stop = w->bad && p->in->fail_fast;
	}
	b->status = w->status;
}

static void write_out(struct bb_sink *sink, struct bb_buf *out)
{
	sink->buf = *out;
	bb_sink_flush(sink);
	*out = sink->buf;
	sink->buf = (struct bb_buf){0};
}

void worker_turn(struct worker *w)
{
	if (w->sink && w->out->len >= MUCH)
		write_out(w->sink, w->out);
}

/* Ready for new lines; what a huge one swelled is not kept. */
static void empty_batch(struct batch *b)
{
	struct bb_buf *bufs[] = {&b->text, &b->out, &b->err};

	for (size_t i = 0; i < 3; i++) {
		if (bufs[i]->cap > 16 * BATCH_BYTES)
			bb_buf_free(bufs[i]);
		bufs[i]->len = 0;
	}
	b->count = 0;
	b->stop = b->done = false;
}

/* Write the batches that are done, oldest first; the lock is held on entry and exit, and let
 * go while writing. */
static void write_done(struct pool *p)
{
	if (p->writing)
		return;
	p->writing = true;
	while (p->written < p->taken && p->ring[p->written % p->ring_size].done) {
		struct batch *b = &p->ring[p->written % p->ring_size];
		struct bb_sink err = {.fd = 2, .buf = b->err};
		if (!p->stop) {
			pthread_mutex_unlock(&p->lock);
			write_out(p->out, &b->out);
			if (err.buf.len)
				progress_hide(&p->progress);
			bb_sink_flush(&err);
			progress_turn(
				&p->progress, p->lines += b->count, p->bytes += b->text.len);
			b->err = err.buf;
			pthread_mutex_lock(&p->lock);
			if (p->status < b->status)
				p->status = b->status;
			p->stop = b->stop || p->out->error;
		}
		p->in_flight -= b->text.len;
		empty_batch(b);
		p->written++;
		pthread_cond_broadcast(&p->changed);
	}
	p->writing = false;
}

static void *work(void *arg)
{
	struct pool *p = arg;
	struct worker w = {0};
	struct helper helper = {p, &w.vm};
	const struct bb_parallel parallel = {run_split, &helper};

	w.parallel = &parallel;
	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct split *s = open_split(p);
		if (s) {
			join_split(p, s, &w.vm);
		} else if (p->taken < p->filled) {
			struct batch *b = &p->ring[p->taken++ % p->ring_size];
			pthread_mutex_unlock(&p->lock);
			work_batch(p, &w, b);
			pthread_mutex_lock(&p->lock);
			b->done = true;
			write_done(p);
		} else if (p->end) {
			break;
		} else {
			pthread_cond_wait(&p->work, &p->lock);
		}
	}
	pthread_mutex_unlock(&p->lock);
	bb_interpreter_free(&w.vm);
	bb_arena_free(&w.arena);
	return NULL;
}

/* Hand over the batch being filled. With one thread it is worked on here. */
static void submit(void *arg)
{
	struct pool *p = arg;
	struct batch *b = p->filling;

	if (!b)
		return;
	p->filling = NULL;
	if (!p->threads) {
		work_batch(p, &p->self, b);
		b->done = true;
		p->taken++;
	}
	pthread_mutex_lock(&p->lock);
	p->filled++;
	p->in_flight += b->text.len;
	if (b->done)
		write_done(p);
	else
		pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

/* A batch with room: the one being filled, or an empty one as soon as there is one. */
static struct batch *room(struct pool *p)
{
	if (p->filling)
		return p->filling;
	pthread_mutex_lock(&p->lock);
	while (p->filled - p->written == p->ring_size || p->in_flight > MAX_IN_FLIGHT)
		pthread_cond_wait(&p->changed, &p->lock);
	p->filling = &p->ring[p->filled % p->ring_size];
	pthread_mutex_unlock(&p->lock);
	return p->filling;
}

static void add_line(struct pool *p, struct bb_span line, bool too_long)
{
	struct batch *b;

	if (line.len > BATCH_BYTES) /* a huge line travels alone */
		submit(p);
	b = room(p);
	b->line[b->count].at = b->text.len;
	b->line[b->count].len = line.len;
	b->line[b->count].number = p->in->number;
	b->line[b->count].too_long = too_long;
	bb_put(&b->text, line.data, line.len);
	bb_put_u8(&b->text, '\n');
	if (b->text.failed) {
		bb_lines_report(
			p->in, p->in->number, BB_SYSTEM, "out of memory", BB_SPAN(NULL, 0));
		bb_buf_free(&b->text);
		b->count = 0;
		return;
	}
	if (++b->count == BATCH_LINES || b->text.len >= BATCH_BYTES)
		submit(p);
}

static void add_too_long(void *arg)
{
	add_line(arg, BB_SPAN(NULL, 0), true);
}

static bool stopped(struct pool *p)
{
	bool stop;

	pthread_mutex_lock(&p->lock);
	stop = p->stop;
	pthread_mutex_unlock(&p->lock);
	return stop;
}

void pool_run(struct pool *p)
{
	struct bb_span line;

	p->in->idle = submit;
	p->in->too_long = add_too_long;
	p->in->arg = p;
	while (!stopped(p) && bb_lines_read(p->in, &line))
		add_line(p, line, false);
	submit(p);
}

struct pool *pool_new(
	unsigned threads, struct bb_lines *in, struct bb_sink *out, line_fn *fn, void *arg)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	progress_start(&p->progress, in->tool, in->files);
	p->in = in;
	p->out = out;
	p->fn = fn;
	p->arg = arg;
	p->self.sink = out;
	p->threads = threads > 1 ? threads < MAX_THREADS ? threads : MAX_THREADS : 0;
	p->ring_size = p->threads ? 4 * p->threads : 1;
	p->ring = calloc(p->ring_size, sizeof(*p->ring));
	p->thread = calloc(p->threads + 1, sizeof(*p->thread));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->changed, NULL);
	while (p->ring && p->thread && p->started < p->threads &&
		!pthread_create(&p->thread[p->started], NULL, work, p))
		p->started++;
	if (p->ring && p->thread && p->started == p->threads)
		return p;
	pool_free(p);
	return NULL;
}

void pool_free(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->end = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->started; i++)
		pthread_join(p->thread[i], NULL);
	progress_hide(&p->progress);
	bb_lines_status(p->in, (enum bb_status)p->status);
	for (size_t i = 0; p->ring && i < p->ring_size; i++) {
		bb_buf_free(&p->ring[i].text);
		bb_buf_free(&p->ring[i].out);
		bb_buf_free(&p->ring[i].err);
	}
	bb_interpreter_free(&p->self.vm);
	bb_arena_free(&p->self.arena);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->changed);
	free(p->ring);
	free(p->thread);
	free(p);
}
