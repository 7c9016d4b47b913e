#include "waiting.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

struct waiter {
	unsigned char parent[32];
	struct place place;
	uint32_t next; /* in its bucket, or of those not used: number + 1 */
	bool here;
};

/* Those whose parents' hashes begin alike, as they came: numbers + 1. */
struct bucket {
	uint32_t first, last;
};

/* Hashes in wire order begin with what is as good as random. */
static struct bucket *bucket_of(const struct waiting *w, const unsigned char parent[32])
{
	return &w->bucket[bb_le32(parent) & (w->cap - 1)];
}

static void hang_in(struct waiting *w, uint32_t number)
{
	struct bucket *b = bucket_of(w, w->waiter[number].parent);

	w->waiter[number].next = 0;
	if (b->last)
		w->waiter[b->last - 1].next = number + 1;
	else
		b->first = number + 1;
	b->last = number + 1;
}

static bool grow(struct waiting *w)
{
	const size_t cap = w->cap ? 2 * w->cap : 1024;
	struct waiter *waiter = realloc(w->waiter, cap * sizeof(*waiter));
	struct bucket *bucket = waiter ? calloc(cap, sizeof(*bucket)) : NULL;

	if (waiter)
		w->waiter = waiter;
	if (!bucket)
		return false;
	free(w->bucket);
	w->bucket = bucket;
	w->cap = cap;
	for (size_t i = 0; i < w->used; i++) /* all are here: none was unused */
		hang_in(w, (uint32_t)i);
	return true;
}

bool waiting_put(struct waiting *w, const unsigned char parent[32], const struct place *p)
{
	uint32_t number = w->unused;

	if (number) {
		w->unused = w->waiter[--number].next;
	} else {
		if (w->used == UINT32_MAX >> 1 || (w->used == w->cap && !grow(w)))
			return false;
		number = (uint32_t)w->used++;
	}
	memcpy(w->waiter[number].parent, parent, 32);
	w->waiter[number].place = *p;
	w->waiter[number].here = true;
	hang_in(w, number);
	w->count++;
	return true;
}

/* Take out the one behind `before` (0: the first) of its bucket. */
static void take_out(struct place *p, struct waiting *w, struct bucket *b, uint32_t before)
{
	uint32_t *link = before ? &w->waiter[before - 1].next : &b->first;
	const uint32_t taken = *link;
	struct waiter *x = &w->waiter[taken - 1];

	*p = x->place;
	*link = x->next;
	if (b->last == taken)
		b->last = before;
	x->next = w->unused;
	x->here = false;
	w->unused = taken;
	w->count--;
}

bool waiting_take(struct place *p, struct waiting *w, const unsigned char parent[32])
{
	struct bucket *b;

	if (!w->count)
		return false;
	b = bucket_of(w, parent);
	for (uint32_t before = 0, at = b->first; at; before = at, at = w->waiter[at - 1].next)
		if (memcmp(w->waiter[at - 1].parent, parent, 32) == 0) {
			take_out(p, w, b, before);
			return true;
		}
	return false;
}

bool waiting_any(struct place *p, struct waiting *w)
{
	unsigned char parent[32];

	while (w->at < w->used && !w->waiter[w->at].here)
		w->at++;
	if (w->at == w->used)
		return false;
	memcpy(parent, w->waiter[w->at].parent, 32);
	return waiting_take(p, w, parent);
}

void waiting_free(struct waiting *w)
{
	free(w->waiter);
	free(w->bucket);
	*w = (struct waiting){0};
}
