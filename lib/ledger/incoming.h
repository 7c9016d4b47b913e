#ifndef BB_LEDGER_INCOMING_H
#define BB_LEDGER_INCOMING_H

#include "bitcoin/check.h"
#include "bitcoin/detail.h"
#include "ledger/tree.h"

/* A block on its way in, with all that can be said of it without the ledger: any thread may
 * prepare one. */
struct bb_incoming {
	struct bb_span bytes; /* borrowed */
	struct bb_block block;
	unsigned char id[32];
	const char *refusal; /* CheckBlock's reason, or NULL */
	char detail[BB_DETAIL_SIZE];
	struct bb_arena *arena; /* holds the above, and is worked in when it connects */
};

/* From a block's bytes. False when they are no block. */
bool bb_incoming_parse(struct bb_incoming *in, struct bb_arena *a, struct bb_span bytes,
	const struct bb_network *n);
/* One that was kept, back from the files into `bytes`; `a` is reset. False: s->why. */
bool bb_incoming_read(struct bb_incoming *in, struct bb_arena *a, struct bb_buf *bytes,
	struct bb_store *s, const struct bb_network *n, const struct bb_node *node);

#endif
