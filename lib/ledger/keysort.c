#include "ledger/keysort.h"

#include <stdlib.h>

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

/* Where each bucket, of the keys with the same highest bits, has room next, and where it ends.
 */
struct bucket {
	size_t next, end;
};

static void lay_out(struct bucket *b, const struct bb_keyed *k, size_t count, unsigned shift)
{
	const size_t buckets = (size_t)1 << (64 - shift);
	size_t at = 0;

	for (size_t i = 0; i < count; i++)
		b[k[i].key >> shift].end++;
	for (size_t i = 0; i < buckets; i++) {
		b[i].next = at;
		b[i].end = at += b[i].end;
	}
}

/* Each exchange brings one home. */
static void deal_out(struct bucket *b, struct bb_keyed *k, unsigned shift)
{
	const size_t buckets = (size_t)1 << (64 - shift);

	for (size_t i = 0; i < buckets; i++)
		while (b[i].next < b[i].end) {
			const struct bb_keyed one = k[b[i].next];
			struct bucket *home = &b[one.key >> shift];
			k[b[i].next] = k[home->next];
			k[home->next++] = one;
		}
}

/* Hashes spread evenly: one pass into buckets by their highest bits leaves a few in each. Keys
 * that somebody ground to lie together cost what qsort does. */
bool bb_keysort(struct bb_keyed *k, size_t count, int (*compare)(const void *a, const void *b))
{
	struct bucket *b;
	unsigned bits = 1;

	if (count <= FEW) {
		insertion_sort(k, count, compare);
		return true;
	}
	while (bits < MAX_BITS && (size_t)2 << bits <= count)
		bits++;
	if (!(b = calloc((size_t)1 << bits, sizeof(*b))))
		return false;
	lay_out(b, k, count, 64 - bits);
	deal_out(b, k, 64 - bits);
	for (size_t i = 0, from = 0; i < (size_t)1 << bits; from = b[i++].end)
		sort_bucket(k + from, b[i].end - from, compare);
	free(b);
	return true;
}
