#include "net/outstanding.h"

#include <stdio.h>
#include <stdlib.h>

/* Those not sent yet go in order of arrival; those that were on their way at a death, the
 * suspects, go before them, oldest first, each alone. */
enum place { WAITING, SENT, SUSPECT, DROPPED, PLACES };

enum { FIRST_BUCKETS = 64, DEATHS_ALONE = 2 };

struct line {
	struct line *older, *newer; /* in its place */
	struct line *next;	    /* in its bucket */
	uint64_t number;
	struct bb_owner owner;
	enum place place;
	unsigned deaths_alone;
	size_t len;
	unsigned char text[];
};

struct bb_outstanding {
	struct {
		struct line *oldest, *newest;
		size_t count;
	} in[PLACES];	      /* each in order of number */
	struct line **bucket; /* by number */
	size_t buckets, bytes;
	uint64_t last; /* number given */
	bool alone;    /* the one sent is a suspect */
};

struct bb_outstanding *bb_outstanding_new(void)
{
	struct bb_outstanding *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->buckets = FIRST_BUCKETS;
	if (!(o->bucket = calloc(o->buckets, sizeof(struct line *)))) {
		free(o);
		return NULL;
	}
	return o;
}

void bb_outstanding_free(struct bb_outstanding *o)
{
	if (!o)
		return;
	for (int place = 0; place < PLACES; place++) {
		struct line *l = o->in[place].oldest;
		while (l) {
			struct line *newer = l->newer;
			free(l);
			l = newer;
		}
	}
	free(o->bucket);
	free(o);
}

size_t bb_outstanding_count(const struct bb_outstanding *o)
{
	return o->in[WAITING].count + o->in[SENT].count + o->in[SUSPECT].count;
}

size_t bb_outstanding_bytes(const struct bb_outstanding *o)
{
	return o->bytes;
}

/* The list of a place. */

static void unlink_line(struct bb_outstanding *o, struct line *l)
{
	*(l->older ? &l->older->newer : &o->in[l->place].oldest) = l->newer;
	*(l->newer ? &l->newer->older : &o->in[l->place].newest) = l->older;
	o->in[l->place].count--;
}

static void append_line(struct bb_outstanding *o, struct line *l, enum place place)
{
	l->place = place;
	l->newer = NULL;
	l->older = o->in[place].newest;
	*(l->older ? &l->older->newer : &o->in[place].oldest) = l;
	o->in[place].newest = l;
	o->in[place].count++;
}

static void prepend_line(struct bb_outstanding *o, struct line *l, enum place place)
{
	l->place = place;
	l->older = NULL;
	l->newer = o->in[place].oldest;
	*(l->newer ? &l->newer->older : &o->in[place].newest) = l;
	o->in[place].oldest = l;
	o->in[place].count++;
}

/* The table of numbers. */

static struct line **bucket_of(const struct bb_outstanding *o, uint64_t number)
{
	return &o->bucket[number & (o->buckets - 1)];
}

/* Without memory it stays as it is: slower, not wrong. */
static void grow_table(struct bb_outstanding *o)
{
	const size_t old_count = o->buckets;
	struct line **old = o->bucket;
	struct line **bigger = calloc(2 * old_count, sizeof(struct line *));

	if (!bigger)
		return;
	o->bucket = bigger;
	o->buckets = 2 * old_count;
	for (size_t i = 0; i < old_count; i++) {
		struct line *l = old[i];
		while (l) {
			struct line *next = l->next;
			struct line **b = bucket_of(o, l->number);
			l->next = *b;
			*b = l;
			l = next;
		}
	}
	free(old);
}

static struct line **find_line(const struct bb_outstanding *o, uint64_t number)
{
	struct line **l = bucket_of(o, number);

	while (*l && (*l)->number != number)
		l = &(*l)->next;
	return l;
}

/* Out of the table: no verdict finds it any more. */
static void forget_line(struct bb_outstanding *o, struct line **at)
{
	o->bytes -= (*at)->len;
	*at = (*at)->next;
}

uint64_t bb_outstanding_add(
	struct bb_outstanding *o, const struct bb_owner *who, struct bb_span line)
{
	struct line *l = NULL, **b;

	if (line.len < SIZE_MAX - sizeof(*l))
		l = malloc(sizeof(*l) + line.len);
	if (!l)
		return 0;
	*l = (struct line){.number = ++o->last, .owner = *who, .len = line.len};
	if (line.len)
		memcpy(l->text, line.data, line.len);
	if (bb_outstanding_count(o) >= o->buckets)
		grow_table(o);
	b = bucket_of(o, l->number);
	l->next = *b;
	*b = l;
	o->bytes += l->len;
	append_line(o, l, WAITING);
	return l->number;
}

/* Whole; false: memory, and `out` is as it was. */
static bool put_line(struct bb_buf *out, const struct line *l)
{
	char end[40];
	const int len = snprintf(
		end, sizeof(end), ",\"from\":\"%llu\"}\n", (unsigned long long)l->number);

	if (!bb_buf_room(out, l->len + (size_t)len))
		return false;
	bb_put(out, l->text, l->len);
	bb_put(out, end, (size_t)len);
	return true;
}

/* The next to be sent now, if any. */
static struct line *next_line(const struct bb_outstanding *o)
{
	if (o->alone)
		return NULL;
	return o->in[SUSPECT].count ? o->in[SUSPECT].oldest : o->in[WAITING].oldest;
}

bool bb_outstanding_next(struct bb_buf *out, struct bb_outstanding *o)
{
	struct line *l = next_line(o);

	if (!l || !put_line(out, l))
		return false;
	o->alone = l->place == SUSPECT;
	unlink_line(o, l);
	append_line(o, l, SENT);
	return true;
}

bool bb_outstanding_done(struct bb_owner *who, struct bb_outstanding *o, uint64_t number)
{
	struct line **at = find_line(o, number), *l = *at;

	if (!l || l->place != SENT)
		return false;
	*who = l->owner;
	forget_line(o, at);
	unlink_line(o, l);
	free(l);
	o->alone = false;
	return true;
}

void bb_outstanding_died(struct bb_outstanding *o)
{
	const bool alone = o->in[SENT].count == 1;
	struct line *l;

	/* The newest first, so that each comes to stand before the younger ones; a suspect that
	 * was sent is older than those still to go. */
	while ((l = o->in[SENT].newest)) {
		unlink_line(o, l);
		l->deaths_alone += alone;
		if (l->deaths_alone < DEATHS_ALONE) {
			prepend_line(o, l, SUSPECT);
		} else {
			forget_line(o, find_line(o, l->number));
			append_line(o, l, DROPPED);
		}
	}
	o->alone = false;
}

bool bb_outstanding_dropped(struct bb_owner *who, struct bb_buf *line, struct bb_outstanding *o)
{
	struct line *l = o->in[DROPPED].oldest;

	if (!l || !put_line(line, l))
		return false;
	*who = l->owner;
	unlink_line(o, l);
	free(l);
	return true;
}
