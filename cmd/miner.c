#include "miner.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "crypto/curve.h"
#include "mine/search.h"

/* A turn's length: its number of nonces is doubled or halved to stay within. */
enum { MIN_TURN_US = 2000, MAX_TURN_US = 6000, MIN_TURN = 1 << 10, MAX_TURN = 1 << 24 };

struct seat {
	struct miner *miner;
	pthread_t thread;
	unsigned number;
	uint64_t generation; /* of the work it is at */
	bool searching;	     /* without the lock */
	bool spent;	     /* its share has nothing left */
	struct bb_candidate candidate;
	struct bb_search search;
	uint64_t extranonce, next, end; /* nonces: the next to try, and behind the last */
	uint64_t turn;			/* nonces in one */
};

struct miner {
	pthread_mutex_t lock;
	pthread_cond_t work;	/* there is some, or the end */
	pthread_cond_t changed; /* a search came to its end */
	const struct bb_kernel *kernel;
	bool end;
	uint64_t hashes;

	/* The work at hand. */
	uint64_t generation;
	enum miner_state state;
	const struct bb_assembly *assembly;
	struct bb_signer *signer;
	uint64_t extranonce; /* the first */
	uint64_t tries;	     /* that are left */
	const char *why;
	struct seat *finder;
	uint32_t nonce;

	unsigned started, seats;
	struct seat seat[];
};

/* A thread's part of the work; the lock is held. */

/* A header of its time and extranonce, and the seat's share of the nonces. */
static bool make(struct seat *s, uint32_t at)
{
	struct miner *m = s->miner;
	const struct bb_template *t = m->assembly->t;
	const uint64_t count = (uint64_t)t->last_nonce - t->first_nonce + 1;
	struct bb_buf header = {0};

	if (!bb_candidate_make(
		    &s->candidate, &m->why, m->assembly, s->extranonce, at, m->signer)) {
		m->state = MINER_FAILED;
		return false;
	}
	bb_put_header(&header, &s->candidate.header);
	if (header.failed) {
		m->why = "out of memory";
		m->state = MINER_FAILED;
		return false;
	}
	bb_search_init(&s->search, header.data, t->target);
	bb_buf_free(&header);
	s->next = t->first_nonce + count * s->number / m->seats;
	s->end = t->first_nonce + count * (s->number + 1) / m->seats;
	s->spent = s->next == s->end;
	return !s->spent;
}

static bool begin(struct seat *s)
{
	struct miner *m = s->miner;

	s->generation = m->generation;
	s->extranonce = m->extranonce;
	return make(s, m->assembly->t->header.time);
}

/* The nonces are used up: another time, or with all times used up another extranonce. */
static bool roll(struct seat *s)
{
	const struct bb_assembly *b = s->miner->assembly;

	if (s->candidate.header.time < b->t->last_time)
		return make(s, s->candidate.header.time + 1);
	s->spent = !b->extranonce_at;
	if (s->spent)
		return false;
	s->extranonce++;
	return make(s, b->t->header.time);
}

/* Is there anything for this seat to try? */
static bool ready(struct seat *s)
{
	struct miner *m = s->miner;

	if (m->state != MINER_BUSY || !m->tries)
		return false;
	if (s->generation != m->generation)
		return begin(s);
	return !s->spent && (s->next < s->end || roll(s));
}

static void adapt(struct seat *s, uint64_t spent_us)
{
	if (spent_us < MIN_TURN_US && s->turn < MAX_TURN)
		s->turn *= 2;
	else if (spent_us > MAX_TURN_US && s->turn > MIN_TURN)
		s->turn /= 2;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Search for a while, without the lock. False: there is nothing to do. */
static bool search(struct seat *s)
{
	struct miner *m = s->miner;
	uint64_t count, start_us, first;
	uint32_t nonce;
	bool found;

	if (!ready(s))
		return false;
	first = s->next;
	count = least(least(s->turn, s->end - first), m->tries);
	nonce = (uint32_t)first;
	s->next += count;
	m->tries -= count;
	s->searching = true;
	pthread_mutex_unlock(&m->lock);
	start_us = clock_us();
	found = m->kernel->search(&s->search, &nonce, count);
	if (!found && count == s->turn)
		adapt(s, clock_us() - start_us);
	pthread_mutex_lock(&m->lock);
	s->searching = false;
	m->hashes += found ? nonce - first + 1 : count;
	if (found && m->state == MINER_BUSY && s->generation == m->generation) {
		m->state = MINER_FOUND;
		m->finder = s;
		m->nonce = nonce;
	}
	pthread_cond_signal(&m->changed);
	return true;
}

static void *work(void *seat)
{
	struct seat *s = seat;
	struct miner *m = s->miner;

	pthread_mutex_lock(&m->lock);
	while (!m->end)
		if (!search(s))
			pthread_cond_wait(&m->work, &m->lock);
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

/* The caller's part. */

static bool is_spent(const struct miner *m)
{
	bool all = true;

	for (unsigned i = 0; i < m->seats; i++) {
		const struct seat *s = &m->seat[i];
		const bool at_it = s->generation == m->generation;
		if (at_it && s->searching)
			return false;
		all = all && at_it && s->spent;
	}
	return all || !m->tries;
}

/* For news from the others. */
static void wait_a_turn(struct miner *m)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += MAX_TURN_US * 1000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&m->changed, &m->lock, &t);
}

/* The state to tell of; after an end there is no work. */
static enum miner_state tell(struct miner *m)
{
	const enum miner_state state = m->state;

	if (state != MINER_BUSY)
		m->state = MINER_IDLE;
	return state;
}

enum miner_state miner_turn(struct miner *m)
{
	enum miner_state state;

	pthread_mutex_lock(&m->lock);
	if (!search(&m->seat[0]) && m->state == MINER_BUSY) {
		if (is_spent(m))
			m->state = MINER_SPENT;
		else
			wait_a_turn(m);
	}
	state = tell(m);
	pthread_mutex_unlock(&m->lock);
	return state;
}

enum miner_state miner_stop(struct miner *m)
{
	enum miner_state state;

	pthread_mutex_lock(&m->lock);
	if (m->state == MINER_BUSY)
		m->state = MINER_IDLE;
	state = tell(m);
	pthread_mutex_unlock(&m->lock);
	return state;
}

void miner_set(
	struct miner *m, const struct bb_assembly *b, uint64_t tries, struct bb_signer *s)
{
	pthread_mutex_lock(&m->lock);
	m->generation++;
	m->state = MINER_BUSY;
	m->assembly = b;
	m->signer = s;
	m->tries = tries;
	/* Two miners of one template shall not do the same work. */
	bb_random(&m->extranonce, sizeof(m->extranonce));
	pthread_cond_broadcast(&m->work);
	pthread_mutex_unlock(&m->lock);
}

const struct bb_candidate *miner_found(const struct miner *m, uint32_t *nonce)
{
	*nonce = m->nonce;
	return &m->finder->candidate;
}

const char *miner_why(const struct miner *m)
{
	return m->why;
}

uint64_t miner_hashes(struct miner *m)
{
	uint64_t hashes;

	pthread_mutex_lock(&m->lock);
	hashes = m->hashes;
	pthread_mutex_unlock(&m->lock);
	return hashes;
}

struct miner *miner_new(unsigned threads)
{
	struct miner *m = calloc(1, sizeof(*m) + threads * sizeof(*m->seat));

	if (!m)
		return NULL;
	m->kernel = bb_kernel_best();
	m->seats = threads;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->work, NULL);
	pthread_cond_init(&m->changed, NULL);
	for (unsigned i = 0; i < threads; i++) {
		m->seat[i].miner = m;
		m->seat[i].number = i;
		m->seat[i].turn = MIN_TURN;
	}
	for (m->started = 1; m->started < threads; m->started++) {
		struct seat *s = &m->seat[m->started];
		if (pthread_create(&s->thread, NULL, work, s) != 0)
			break;
	}
	if (m->started == threads)
		return m;
	miner_free(m);
	return NULL;
}

void miner_free(struct miner *m)
{
	pthread_mutex_lock(&m->lock);
	m->end = true;
	pthread_cond_broadcast(&m->work);
	pthread_mutex_unlock(&m->lock);
	for (unsigned i = 1; i < m->started; i++)
		pthread_join(m->seat[i].thread, NULL);
	for (unsigned i = 0; i < m->seats; i++)
		bb_candidate_free(&m->seat[i].candidate);
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->work);
	pthread_cond_destroy(&m->changed);
	free(m);
}
