#ifndef BB_NET_SORTED_H
#define BB_NET_SORTED_H

/* Things in an order of their own, each with memory of its own. Zero-initialise, but for
 * `order`. */

#include <stdbool.h>
#include <stddef.h>

struct bb_sorted {
	void **item;
	size_t count, room;
	int (*order)(const void *a, const void *b);
};

/* The one that is equal to the key, or NULL. */
void *bb_sorted_find(const struct bb_sorted *s, const void *key);
/* A copy of what is not there yet; NULL: memory. */
void *bb_sorted_add(struct bb_sorted *s, const void *item, size_t size);
/* It is there, and freed. */
void bb_sorted_del(struct bb_sorted *s, void *item);
void bb_sorted_free(struct bb_sorted *s);

#endif
