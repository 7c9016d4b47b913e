#include "net/seen.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/curve.h"
#include "net/idtable.h"

enum { FIRST_SLOTS = 64 };
/* Places are 32 bits, and slots twice as many. */
#define MOST ((size_t)1 << 30)

bool bb_seen_init(struct bb_seen *s, size_t most)
{
	*s = (struct bb_seen){.most = most > MOST ? MOST : most ? most : 1};
	return bb_random(s->key, sizeof(s->key));
}

void bb_seen_free(struct bb_seen *s)
{
	free(s->id);
	free(s->slot);
	*s = (struct bb_seen){0};
}

static size_t home(const struct bb_seen *s, const unsigned char id[32])
{
	return (size_t)bb_id_mix(id, s->key) & (s->slots - 1);
}

/* Hashes there is room for; half the slots at most are taken, so that a search ends soon. */
static size_t capacity(const struct bb_seen *s)
{
	return s->slots / 2 < s->most ? s->slots / 2 : s->most;
}

/* The slot that holds it, or the free one where it would be. */
static size_t search(const struct bb_seen *s, const unsigned char id[32])
{
	size_t i = home(s, id);

	while (s->slot[i] && memcmp(s->id[s->slot[i] - 1], id, 32) != 0)
		i = (i + 1) & (s->slots - 1);
	return i;
}

bool bb_seen_has(const struct bb_seen *s, const unsigned char id[32])
{
	return s->slots && s->slot[search(s, id)];
}

/* Twice the slots. The ring is never turned yet: that begins when it has its full size. */
static bool grow(struct bb_seen *s)
{
	struct bb_seen bigger = *s;
	unsigned char(*id)[32];

	bigger.slots = s->slots ? 2 * s->slots : FIRST_SLOTS;
	if (!(id = realloc(s->id, capacity(&bigger) * sizeof(*id))))
		return false;
	s->id = bigger.id = id;
	if (!(bigger.slot = calloc(bigger.slots, sizeof(*bigger.slot))))
		return false;
	for (size_t i = 0; i < s->count; i++)
		bigger.slot[search(&bigger, id[i])] = (uint32_t)i + 1;
	free(s->slot);
	*s = bigger;
	return true;
}

/* Free a slot, and move up those behind it that no search would find over the gap. */
static void vacate(struct bb_seen *s, size_t gap)
{
	const size_t mask = s->slots - 1;

	for (size_t i = (gap + 1) & mask; s->slot[i]; i = (i + 1) & mask) {
		const size_t from_home = (i - home(s, s->id[s->slot[i] - 1])) & mask;
		if (from_home < ((i - gap) & mask))
			continue;
		s->slot[gap] = s->slot[i];
		gap = i;
	}
	s->slot[gap] = 0;
}

bool bb_seen_add(struct bb_seen *s, const unsigned char id[32])
{
	size_t place;

	if (bb_seen_has(s, id))
		return false;
	if (s->count == capacity(s) && s->count < s->most && !grow(s))
		return false;
	if (s->count < s->most) {
		place = s->count++;
	} else {
		place = s->first;
		s->first = (s->first + 1) % s->most;
		vacate(s, search(s, s->id[place]));
	}
	memcpy(s->id[place], id, 32);
	s->slot[search(s, id)] = (uint32_t)place + 1;
	return true;
}

void bb_seen_clear(struct bb_seen *s)
{
	if (s->slots)
		memset(s->slot, 0, s->slots * sizeof(*s->slot));
	s->first = s->count = 0;
}
