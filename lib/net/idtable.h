#ifndef BB_NET_IDTABLE_H
#define BB_NET_IDTABLE_H

/* Things by their 32-byte id, each with an entry within itself; ids may be there more than
 * once. Its places cannot be guessed from outside. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bb_id_entry {
	unsigned char id[32];
	struct bb_id_entry *next; /* private */
};

struct bb_id_table { /* private */
	struct bb_id_entry **bucket;
	size_t buckets, count; /* a power of two */
	uint64_t key[2];
};

/* Ids are chosen by whoever sends them, so all their bits are mixed under a key that he does
 * not know: products of 64 bits, folded. */
uint64_t bb_id_mix(const unsigned char id[32], const uint64_t key[2]);
/* False: memory, or no randomness. */
bool bb_id_table_init(struct bb_id_table *t);
/* The entries are the caller's. */
void bb_id_table_free(struct bb_id_table *t);
/* NULL: none. Of several the last one added. */
struct bb_id_entry *bb_id_find(const struct bb_id_table *t, const unsigned char id[32]);
struct bb_id_entry *bb_id_any(const struct bb_id_table *t);
/* Its id is set. */
void bb_id_add(struct bb_id_table *t, struct bb_id_entry *e);
/* It is there. */
void bb_id_del(struct bb_id_table *t, struct bb_id_entry *e);

#endif
