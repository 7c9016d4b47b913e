#ifndef BB_CMD_HASHRATE_H
#define BB_CMD_HASHRATE_H

/* How fast a search is, and how long it takes at that: one line on stderr, if that is a
 * terminal, drawn anew a few times a second.
 *
 *	bb-mine  height 101  33.1 MH/s  a block in 2:10 on average
 */

#include <stdbool.h>
#include <stdint.h>

struct hashrate {
	const char *name; /* NULL: nothing is drawn */
	int64_t height;
	double expected; /* hashes for a block */
	uint64_t start_ms, drawn_ms, start_hashes;
	bool shown;
};

/* Before the sandbox. */
void hashrate_open(struct hashrate *r, const char *name);
/* A search begins, when so many hashes had been done before. */
void hashrate_start(
	struct hashrate *r, uint64_t hashes, int64_t height, const unsigned char target[32]);
/* So many are done. Cheap: call it often. */
void hashrate_turn(struct hashrate *r, uint64_t hashes);
/* Take it off the terminal: before anything else is written there, and at the end. */
void hashrate_hide(struct hashrate *r);

#endif
