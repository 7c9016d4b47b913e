#include "team.h"

#include <pthread.h>
#include <stdlib.h>

/* One loop shared out. */
struct split {
	void (*fn)(void *arg, size_t i, struct bb_interpreter *vm);
	void *arg;
	size_t count, next, done;
	struct split *below;
};

enum { JOB_WAITING, JOB_BEGUN, JOB_DONE };

struct team {
	pthread_mutex_t lock;
	pthread_cond_t work;	/* a loop is shared out, a job posted, or the end */
	pthread_cond_t changed; /* a shared loop has ended, or a job */
	struct split *splits;
	struct job *first, **last; /* posted and not begun */
	bool end;

	struct bb_interpreter vm; /* the caller's */
	struct bb_parallel parallel;
	unsigned started;
	pthread_t thread[];
};

/* Shared loops. */

/* Take turns until none is left; the lock is held on entry and exit. */
static void join_split(struct team *t, struct split *s, struct bb_interpreter *vm)
{
	while (s->next < s->count) {
		const size_t i = s->next++;
		pthread_mutex_unlock(&t->lock);
		s->fn(s->arg, i, vm);
		pthread_mutex_lock(&t->lock);
		if (++s->done == s->count)
			pthread_cond_broadcast(&t->changed);
	}
}

static void run_split(void *team, void (*fn)(void *, size_t, struct bb_interpreter *),
	void *arg, size_t count)
{
	struct split s = {.fn = fn, .arg = arg, .count = count}, **at;
	struct team *t = team;

	pthread_mutex_lock(&t->lock);
	s.below = t->splits;
	t->splits = &s;
	pthread_cond_broadcast(&t->work);
	join_split(t, &s, &t->vm);
	for (at = &t->splits; *at != &s; at = &(*at)->below)
		;
	*at = s.below;
	while (s.done < s.count)
		pthread_cond_wait(&t->changed, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

static struct split *open_split(struct team *t)
{
	for (struct split *s = t->splits; s; s = s->below)
		if (s->next < s->count)
			return s;
	return NULL;
}

/* Jobs. */

/* Take one out of the queue; the lock is held. */
static void begin_job(struct team *t, struct job **at)
{
	struct job *j = *at;

	*at = j->next;
	if (t->last == &j->next)
		t->last = at;
	j->state = JOB_BEGUN;
}

/* The lock is held on entry and exit. */
static void do_job(struct team *t, struct job **at)
{
	struct job *j = *at;

	begin_job(t, at);
	pthread_mutex_unlock(&t->lock);
	j->fn(j->arg);
	pthread_mutex_lock(&t->lock);
	j->state = JOB_DONE;
	pthread_cond_broadcast(&t->changed);
}

void team_post(struct team *t, struct job *j)
{
	pthread_mutex_lock(&t->lock);
	j->state = JOB_WAITING;
	j->next = NULL;
	*t->last = j;
	t->last = &j->next;
	pthread_cond_signal(&t->work);
	pthread_mutex_unlock(&t->lock);
}

void team_finish(struct team *t, struct job *j)
{
	struct job **at;

	pthread_mutex_lock(&t->lock);
	for (at = &t->first; *at && *at != j; at = &(*at)->next)
		;
	if (*at)
		do_job(t, at);
	while (j->state != JOB_DONE)
		pthread_cond_wait(&t->changed, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

/* The threads. */

static void *work(void *arg)
{
	struct team *t = arg;
	struct bb_interpreter vm = {0};

	pthread_mutex_lock(&t->lock);
	while (!t->end) {
		struct split *s = open_split(t);
		if (s)
			join_split(t, s, &vm);
		else if (t->first)
			do_job(t, &t->first);
		else
			pthread_cond_wait(&t->work, &t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	bb_interpreter_free(&vm);
	return NULL;
}

struct team *team_new(unsigned threads)
{
	const unsigned others = threads > 1 ? threads - 1 : 0;
	struct team *t = calloc(1, sizeof(*t) + others * sizeof(*t->thread));

	if (!t)
		return NULL;
	t->last = &t->first;
	t->parallel = (struct bb_parallel){run_split, t};
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->work, NULL);
	pthread_cond_init(&t->changed, NULL);
	while (t->started < others &&
		pthread_create(&t->thread[t->started], NULL, work, t) == 0)
		t->started++;
	if (t->started == others)
		return t;
	team_free(t);
	return NULL;
}

const struct bb_parallel *team_parallel(struct team *t)
{
	return &t->parallel;
}

void team_free(struct team *t)
{
	pthread_mutex_lock(&t->lock);
	t->end = true;
	pthread_cond_broadcast(&t->work);
	pthread_mutex_unlock(&t->lock);
	for (unsigned i = 0; i < t->started; i++)
		pthread_join(t->thread[i], NULL);
	bb_interpreter_free(&t->vm);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->work);
	pthread_cond_destroy(&t->changed);
	free(t);
}
