#ifndef BB_CMD_WAITING_H
#define BB_CMD_WAITING_H

/* Blocks that came before their parents, by parent: not they themselves, but where they stand
 * in which file. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place {
	uint32_t file, len;
	uint64_t pos;
};

struct waiter;
struct bucket;

/* Zero-initialise. */
struct waiting {
	size_t count;

	/* Private. */
	struct waiter *waiter;
	size_t used, cap;      /* a power of two */
	struct bucket *bucket; /* as many */
	uint32_t unused;       /* the first of a list of them, likewise */
	size_t at;	       /* of waiting_any */
};

/* False when memory is out. */
bool waiting_put(struct waiting *w, const unsigned char parent[32], const struct place *p);
/* Take one out that waits for this parent, those that came first before others. False: none. */
bool waiting_take(struct place *p, struct waiting *w, const unsigned char parent[32]);
/* Take out any. */
bool waiting_any(struct place *p, struct waiting *w);
void waiting_free(struct waiting *w);

#endif
