#ifndef BB_MINE_KERNEL_H
#define BB_MINE_KERNEL_H

/* What the kernels have in common. */

#include "mine/search.h"

/* Does this one nonce give a good hash? Kernels compare one word only, and confirm with this.
 */
bool bb_search_good(const struct bb_search *s, uint32_t nonce);

/* The first good nonce among the lanes of `candidates` (bit i: nonce + i), of which the first
 * `count` are asked for. */
bool bb_search_confirm(
	const struct bb_search *s, uint32_t *nonce, uint32_t candidates, uint64_t count);

extern const struct bb_kernel bb_kernel_portable;
#if defined(__x86_64__)
extern const struct bb_kernel bb_kernel_avx2, bb_kernel_sha_ni, bb_kernel_avx512;
#endif

#endif
