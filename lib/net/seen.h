#ifndef BB_NET_SEEN_H
#define BB_NET_SEEN_H

/* A set of hashes that forgets the oldest: what was told, asked or refused already. Bounded,
 * and its places cannot be guessed from outside. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bb_seen {
	size_t most; /* hashes; set by bb_seen_init */
	/* Private. */
	unsigned char (*id)[32]; /* a ring, in order of arrival */
	uint32_t *slot;		 /* open addressing: 1 + place in the ring; 0: free */
	size_t slots, first, count;
	uint64_t key[2];
};

/* Memory is taken as it fills. False: no randomness. */
bool bb_seen_init(struct bb_seen *s, size_t most);
void bb_seen_free(struct bb_seen *s);
bool bb_seen_has(const struct bb_seen *s, const unsigned char id[32]);
/* False where it was there already, or memory is out. */
bool bb_seen_add(struct bb_seen *s, const unsigned char id[32]);
void bb_seen_clear(struct bb_seen *s);

#endif
