#include "ledger/incoming.h"

#include <string.h>

bool bb_incoming_parse(struct bb_incoming *in, struct bb_arena *a, struct bb_span bytes,
	const struct bb_network *n)
{
	const struct bb_block_claims nothing = {.height = -1, .expected_bits = -1, .now = -1};

	memset(in, 0, sizeof(*in));
	in->bytes = bytes;
	in->arena = a;
	if (!bb_block_parse(&in->block, bytes, a) || !bb_block_hash_txs(&in->block, a))
		return false;
	bb_header_hash(in->id, &in->block.header);
	in->refusal = bb_check_block_alone(&in->block, n);
	if (in->refusal)
		bb_block_detail(
			in->detail, in->refusal, &in->block, SIZE_MAX, NULL, &nothing, n);
	return true;
}

bool bb_incoming_read(struct bb_incoming *in, struct bb_arena *a, struct bb_buf *bytes,
	struct bb_store *s, const struct bb_network *n, const struct bb_node *node)
{
	bytes->len = 0;
	bb_arena_reset(a);
	if (!bb_flat_read(bytes, &s->flat, &s->why, &node->place, 0, node->place.len))
		return false;
	if (bb_incoming_parse(in, a, BB_SPAN(bytes->data, bytes->len), n) &&
		memcmp(in->id, node->id, 32) == 0 && !in->refusal)
		return true;
	return bb_store_set_why(s, "the store is damaged: a block's bytes are not its own");
}
