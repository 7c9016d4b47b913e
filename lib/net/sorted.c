#include "net/sorted.h"

#include <stdlib.h>
#include <string.h>

/* Where it is, or where it would be. */
static size_t place_of(const struct bb_sorted *s, const void *key, bool *there)
{
	size_t low = 0, high = s->count;

	*there = false;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		const int order = s->order(s->item[middle], key);
		if (order == 0) {
			*there = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *bb_sorted_find(const struct bb_sorted *s, const void *key)
{
	bool there;
	const size_t i = place_of(s, key, &there);

	return there ? s->item[i] : NULL;
}

void *bb_sorted_add(struct bb_sorted *s, const void *item, size_t size)
{
	bool there;
	const size_t i = place_of(s, item, &there);
	void *copy;

	if (s->count == s->room) {
		const size_t room = s->room ? 2 * s->room : 64;
		void **more = realloc(s->item, room * sizeof(*more));
		if (!more)
			return NULL;
		s->item = more;
		s->room = room;
	}
	if (!(copy = malloc(size)))
		return NULL;
	memcpy(copy, item, size);
	memmove(s->item + i + 1, s->item + i, (s->count - i) * sizeof(*s->item));
	s->item[i] = copy;
	s->count++;
	return copy;
}

void bb_sorted_del(struct bb_sorted *s, void *item)
{
	bool there;
	const size_t i = place_of(s, item, &there);

	s->count--;
	memmove(s->item + i, s->item + i + 1, (s->count - i) * sizeof(*s->item));
	free(item);
}

void bb_sorted_free(struct bb_sorted *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->item[i]);
	free(s->item);
}
