#ifndef BB_MINE_SEARCH_H
#define BB_MINE_SEARCH_H

/* The search for a nonce whose header's SHA-256d meets a target. */

#include <stdbool.h>
#include <stdint.h>

/* A header with everything but its nonce, hashed as far as that does not matter. Kernels only
 * read it: threads may share one. The nonce's word is that of its four bytes in the header,
 * read big-endian as SHA-256 does. */
struct bb_search {
	uint32_t midstate[8];	  /* of the first 64 bytes */
	uint32_t tail[3];	  /* the words before the nonce, big-endian */
	unsigned char target[32]; /* little-endian number: hashes up to it are good */
	uint32_t target_top;	  /* its highest 32 bits */
	uint32_t four[8];	  /* the state after four rounds, but for the nonce's word,
				   * which is to be added to 0 and 4 */
};

void bb_search_init(
	struct bb_search *s, const unsigned char header[80], const unsigned char target[32]);

/* One way to search; all give the same results. */
struct bb_kernel {
	const char *name;     /* "portable", "avx2", "sha-ni", "avx512" */
	bool (*usable)(void); /* on this processor */
	/* Try `count` nonces from *nonce on, which do not pass 2^32. True: *nonce is the first
	 * that is good; false: none is, and *nonce is as it was. */
	bool (*search)(const struct bb_search *s, uint32_t *nonce, uint64_t count);
};

/* By number, up to NULL, the portable one first and faster ones later; NULL for a name that is
 * none; and the fastest that this processor can use. */
const struct bb_kernel *bb_kernel_at(unsigned i);
const struct bb_kernel *bb_kernel_find(const char *name);
const struct bb_kernel *bb_kernel_best(void);

#endif
