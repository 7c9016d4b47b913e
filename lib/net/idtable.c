#include "net/idtable.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/curve.h"

enum { BUCKETS_FIRST = 1024 };

uint64_t bb_id_mix(const unsigned char id[32], const uint64_t key[2])
{
	uint64_t h = key[0];

	for (unsigned i = 0; i < 32; i += 8) {
		const unsigned __int128 product = (unsigned __int128)(h ^ bb_le64(id + i)) *
						  (key[1] | 1);
		h = (uint64_t)product ^ (uint64_t)(product >> 64);
	}
	return h;
}

bool bb_id_table_init(struct bb_id_table *t)
{
	*t = (struct bb_id_table){.buckets = BUCKETS_FIRST};
	t->bucket = calloc(t->buckets, sizeof(struct bb_id_entry *));
	return t->bucket && bb_random(t->key, sizeof(t->key));
}

void bb_id_table_free(struct bb_id_table *t)
{
	free(t->bucket);
	*t = (struct bb_id_table){0};
}

static struct bb_id_entry **bucket_of(const struct bb_id_table *t, const unsigned char id[32])
{
	return &t->bucket[bb_id_mix(id, t->key) & (t->buckets - 1)];
}

struct bb_id_entry *bb_id_find(const struct bb_id_table *t, const unsigned char id[32])
{
	struct bb_id_entry *e = *bucket_of(t, id);

	while (e && memcmp(e->id, id, 32) != 0)
		e = e->next;
	return e;
}

struct bb_id_entry *bb_id_any(const struct bb_id_table *t)
{
	for (size_t i = 0; t->count && i < t->buckets; i++)
		if (t->bucket[i])
			return t->bucket[i];
	return NULL;
}

/* Without memory it stays as it is: slower, not wrong. */
static void grow(struct bb_id_table *t)
{
	const size_t count = t->buckets;
	struct bb_id_entry **old = t->bucket;
	struct bb_id_entry **more = calloc(2 * count, sizeof(struct bb_id_entry *));

	if (!more)
		return;
	t->bucket = more;
	t->buckets = 2 * count;
	for (size_t i = 0; i < count; i++) {
		while (old[i]) {
			struct bb_id_entry *e = old[i], **b = bucket_of(t, e->id);
			old[i] = e->next;
			e->next = *b;
			*b = e;
		}
	}
	free(old);
}

void bb_id_add(struct bb_id_table *t, struct bb_id_entry *e)
{
	struct bb_id_entry **b;

	if (t->count++ >= t->buckets)
		grow(t);
	b = bucket_of(t, e->id);
	e->next = *b;
	*b = e;
}

void bb_id_del(struct bb_id_table *t, struct bb_id_entry *e)
{
	struct bb_id_entry **at = bucket_of(t, e->id);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	t->count--;
}
