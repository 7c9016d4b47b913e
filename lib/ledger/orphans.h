#ifndef BB_LEDGER_ORPHANS_H
#define BB_LEDGER_ORPHANS_H

/* Blocks and headers that came before their parents: kept in the store, so that they may come
 * in any order and by any number of processes, and bounded: the oldest make room.
 *
 * In BB_ORPHANS, parent's hash, own hash, and its kind; LE64 age, then the bytes. In
 * BB_ORPHAN_AGE, BE64 age; that key. */

#include "bitcoin/block.h"
#include "ledger/store.h"

enum {
	BB_ORPHANS_MAX = 10000,
	BB_ORPHAN_BYTES_MAX = 128 << 20,
};

/* Behind one hash there can be no two bodies of a kind, so that nobody can fill the space with
 * others, or keep the right one out with a wrong one (CVE-2012-2459). */
enum bb_orphan_kind {
	BB_ORPHAN_HEADER,
	BB_ORPHAN_BARE,	     /* a block without any witness */
	BB_ORPHAN_COMMITTED, /* a block whose coinbase commits to the witnesses it has */
};

/* Keep it, if it is not there yet. */
void bb_orphans_put(struct bb_store *s, const unsigned char parent[32],
	const unsigned char id[32], enum bb_orphan_kind kind, struct bb_span bytes);
/* Take one out that waits for this parent: its bytes are appended. False: none. */
bool bb_orphans_take(struct bb_buf *bytes, struct bb_store *s, const unsigned char parent[32]);

#endif
