#ifndef BB_BITCOIN_BLOCKLINE_H
#define BB_BITCOIN_BLOCKLINE_H

/* A line that holds a block or a header: bb-lines(5) to struct and back. */

#include "bitcoin/check.h"
#include "bitcoin/txline.h"

struct bb_blockline {
	const struct bb_json *doc;
	struct bb_block block;
	struct bb_prevout *prevouts; /* bb_block_spends of them, in input order; never NULL */
	size_t prevout_count;
	bool all_known;
	struct bb_block_claims claims;
};

bool bb_line_is_block(const struct bb_json *doc);
bool bb_line_is_header(const struct bb_json *doc);

bool bb_blockline_read(struct bb_blockline *l, const char **why, struct bb_arena *a,
	const struct bb_json *doc);
/* From hex or fields. */
bool bb_header_from_json(
	struct bb_header *h, const char **why, struct bb_arena *a, const struct bb_json *doc);

/* Members between the caller's braces: id [height] version timestamp tx_count size weight
 * merkle_root previousblockhash [mediantime] nonce bits difficulty tx[]. */
void bb_json_block(
	struct bb_json_writer *w, const struct bb_blockline *l, const struct bb_network *n);
/* The header's alone. */
void bb_json_header(struct bb_json_writer *w, const struct bb_header *h);

#endif
