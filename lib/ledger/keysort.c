#include "ledger/keysort.h"

#include <stdlib.h>
#include <string.h>

enum { FEW = 24, MAX_BITS = 16 };

static void insertion_sort(
	struct bb_keyed *k, size_t count, int (*compare)(const void *a, const void *b))
{
	for (size_t i = 1; i < count; i++) {
		const struct bb_keyed one = k[i];
		size_t at = i;
		for (; at && compare(&k[at - 1], &one) > 0; at--)
			k[at] = k[at - 1];
		k[at] = one;
	}
}

static void sort_bucket(
	struct bb_keyed *k, size_t count, int (*compare)(const void *a, const void *b))
{
	if (count <= FEW)
		insertion_sort(k, count, compare);
	else
		qsort(k, count, sizeof(*k), compare);
}

/* Hashes spread evenly: one pass into buckets by their highest bits leaves a few in each. Keys
 * that somebody ground to lie together cost what qsort does. */
bool bb_keysort(struct bb_keyed *k, size_t count, int (*compare)(const void *a, const void *b))
{
	struct bb_keyed *spread;
	unsigned bits = 1;
	size_t *end; /* of each bucket */

	if (count <= FEW) {
		insertion_sort(k, count, compare);
		return true;
	}
	while (bits < MAX_BITS && (size_t)2 << bits <= count)
		bits++;
	spread = malloc(count * sizeof(*spread));
	end = calloc(((size_t)1 << bits) + 1, sizeof(*end));
	if (!spread || !end) {
		free(spread);
		free(end);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		end[(k[i].key >> (64 - bits)) + 1]++;
	for (size_t b = 1; b <= (size_t)1 << bits; b++)
		end[b] += end[b - 1];
	/* end[b] is where bucket b begins, and moves to its end as that fills. */
	for (size_t i = 0; i < count; i++)
		spread[end[k[i].key >> (64 - bits)]++] = k[i];
	for (size_t b = 0, from = 0; b < (size_t)1 << bits; from = end[b++])
		sort_bucket(spread + from, end[b] - from, compare);
	memcpy(k, spread, count * sizeof(*k));
	free(spread);
	free(end);
	return true;
}
