#ifndef BB_LEDGER_KEYSORT_H
#define BB_LEDGER_KEYSORT_H

/* Many things in the order of their keys in a table, before they are written there. Keys begin
 * with 8 bytes of a hash, so most pairs are told apart by these as a number. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bb_keyed {
	uint64_t key; /* the first 8 bytes, big-endian */
	union {
		const void *item;
		uint64_t rest;
	} of;
};

/* In place. `compare` takes pointers to struct bb_keyed, as for qsort, and orders equal keys
 * too. False: memory; nothing is lost, but the order is undefined. */
bool bb_keysort(struct bb_keyed *k, size_t count, int (*compare)(const void *a, const void *b));

#endif
