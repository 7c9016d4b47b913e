/* Bytes as a transaction, a header and a block: what parses goes back to the same bytes, and
 * its sizes, ids and rules can be worked out. */

#include <string.h>

#include "bitcoin/check.h"
#include "bitcoin/merkle.h"
#include "bitcoin/policy.h"
#include "bitcoin/pow.h"
#include "fuzz.h"

static void do_tx(struct bb_span bytes, struct bb_arena *a)
{
	struct bb_buf whole = {0}, base = {0};
	unsigned char txid[32], wtxid[32];
	struct bb_tx tx;

	if (!bb_tx_parse(&tx, bytes, a))
		return;
	bb_put_tx(&whole, &tx, true);
	bb_put_tx(&base, &tx, false);
	DEMAND(bb_span_equal(buf_span(&whole), bytes));
	DEMAND(bb_tx_total_size(&tx) == whole.len && bb_tx_base_size(&tx) == base.len);
	DEMAND(bb_tx_weight(&tx) == (int64_t)(3 * base.len + whole.len));
	DEMAND(bb_tx_has_witness(&tx) == (whole.len > base.len));
	bb_tx_txid(txid, &tx);
	bb_tx_wtxid(wtxid, &tx);
	DEMAND(bb_tx_has_witness(&tx) || memcmp(txid, wtxid, 32) == 0);
	bb_check_tx(&tx);
	bb_tx_is_final(&tx, 500000, 1500000000);
	DEMAND(bb_tx_legacy_sigops(&tx) >= 0);
	bb_check_standard(&bb_policy_core, &tx);
	bb_buf_free(&whole);
	bb_buf_free(&base);
}

static void do_block(struct bb_span bytes, struct bb_arena *a)
{
	const struct bb_block_claims claims = {
		.height = 800000, .expected_bits = 0x207fffff, .now = 1700000000};
	struct bb_buf out = {0};
	char reason[BB_REASON_SIZE];
	unsigned unjudged = 0;
	unsigned char root[32];
	struct bb_block block;
	bool mutated;

	if (!bb_block_parse(&block, bytes, a))
		return;
	bb_put_block(&out, &block);
	DEMAND(bb_span_equal(buf_span(&out), bytes));
	DEMAND(bb_block_size(&block) == out.len);
	DEMAND(bb_block_weight(&block) >= (int64_t)out.len);
	if (block.tx_count)
		bb_block_merkle_root(root, &mutated, &block);
	for (size_t i = 0; bb_network_at(i); i++)
		bb_check_block(reason, &unjudged, &block, &claims, bb_network_at(i));
	bb_buf_free(&out);
}

static void do_header(struct bb_span bytes)
{
	struct bb_buf out = {0};
	unsigned char target[32];
	struct bb_header h;

	if (!bb_header_parse(&h, bytes))
		return;
	bb_put_header(&out, &h);
	DEMAND(bb_span_equal(buf_span(&out), bytes));
	if (bb_target_from_bits(target, h.bits)) {
		unsigned char again[32];
		DEMAND(bb_target_from_bits(again, bb_target_to_bits(target)));
		DEMAND(memcmp(target, again, 32) == 0);
	}
	bb_difficulty(h.bits);
	bb_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bb_arena arena = {0};
	struct bb_span bytes = BB_SPAN(data, size);

	do_tx(bytes, &arena);
	do_block(bytes, &arena);
	if (size >= BB_HEADER_SIZE)
		do_header(BB_SPAN(data, BB_HEADER_SIZE));
	bb_arena_free(&arena);
	return 0;
}
