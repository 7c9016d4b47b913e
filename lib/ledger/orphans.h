#ifndef BB_LEDGER_ORPHANS_H
#define BB_LEDGER_ORPHANS_H

/* Blocks and headers that came before their parents: kept in the store, so that they may come
 * in any order and by any number of processes, and bounded: the oldest make room.
 *
 * In BB_ORPHANS, parent's hash, own hash, and 8 bytes of the SHA-256 of the bytes, since
 * another body behind the same hash must not keep the right one out (CVE-2012-2459); LE64 age,
 * then the bytes, a header's or a block's. In BB_ORPHAN_AGE, BE64 age; that key. */

#include "bitcoin/block.h"
#include "ledger/store.h"

enum {
	BB_ORPHANS_MAX = 10000,
	BB_ORPHAN_BYTES_MAX = 128 << 20,
};

/* Keep it; the same bytes again stay as they are. */
void bb_orphans_put(struct bb_store *s, const unsigned char parent[32],
	const unsigned char id[32], struct bb_span bytes);
/* Take one out that waits for this parent: its bytes are appended. False: none. */
bool bb_orphans_take(struct bb_buf *bytes, struct bb_store *s, const unsigned char parent[32]);

#endif
