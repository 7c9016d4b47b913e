/* Signet's block signature (BIP 325): the block is signed as if it spent the challenge. */

#include <string.h>

#include "bitcoin/check.h"
#include "bitcoin/merkle.h"
#include "crypto/hash.h"

static const unsigned char signet_header[4] = {0xec, 0xc7, 0xda, 0xa2};

/* Take the signature's section out of the commitment: `kept` is the script with the section
 * cut down to its header, `solution` what it held. False when there is none. */
static bool cut_solution(
	struct bb_buf *kept, struct bb_span *solution, struct bb_span commitment)
{
	struct bb_reader r = bb_reader(commitment.data, commitment.len);
	struct bb_op op;
	bool found = false;

	while (bb_script_next(&op, &r)) {
		if (!op.data.len) {
			bb_put_u8(kept, op.opcode);
			continue;
		}
		if (!found && op.data.len > 4 && memcmp(op.data.data, signet_header, 4) == 0) {
			*solution = BB_SPAN(op.data.data + 4, op.data.len - 4);
			op.data.len = 4;
			found = true;
		}
		bb_put_push(kept, op.data);
	}
	return found;
}

/* The solution is a scriptSig and a witness, serialised, and nothing after them. */
static bool read_solution(struct bb_txin *in, struct bb_arena *a, struct bb_span solution)
{
	struct bb_reader r = bb_reader(solution.data, solution.len);
	uint64_t count;

	in->script_sig = bb_get_span(&r, bb_get_compact(&r));
	count = bb_get_compact(&r);
	if (r.bad || count > bb_left(&r) ||
		!(in->witness = bb_arena_array(a, (size_t)count, sizeof(*in->witness))))
		return false;
	in->witness_count = (size_t)count;
	for (size_t i = 0; i < count; i++)
		in->witness[i] = bb_get_span(&r, bb_get_compact(&r));
	return !r.bad && !bb_left(&r);
}

/* The Merkle root with the solution taken out of the coinbase. */
static bool signed_root(unsigned char root[32], const struct bb_block *block, size_t at,
	struct bb_span commitment, struct bb_arena *a)
{
	struct bb_tx coinbase = block->tx[0];
	struct bb_block copy = *block;

	coinbase.out = bb_arena_array(a, coinbase.out_count, sizeof(*coinbase.out));
	copy.tx = bb_arena_array(a, block->tx_count, sizeof(*copy.tx));
	if (!coinbase.out || !copy.tx)
		return false;
	memcpy(coinbase.out, block->tx[0].out, coinbase.out_count * sizeof(*coinbase.out));
	coinbase.out[at].script = commitment;
	memcpy(copy.tx, block->tx, block->tx_count * sizeof(*copy.tx));
	copy.tx[0] = coinbase;
	copy.txid = NULL; /* the coinbase has another one now */
	return bb_block_merkle_root(root, NULL, &copy);
}

/* The two virtual transactions: one pays the challenge and commits to the block, the other
 * spends it with the solution. */
static bool verify(const struct bb_block *block, const struct bb_network *n,
	struct bb_txin spend, const unsigned char root[32])
{
	const uint32_t flags = BB_VERIFY_P2SH | BB_VERIFY_WITNESS | BB_VERIFY_DERSIG |
			       BB_VERIFY_NULLDUMMY;
	unsigned char script[74] = {OP_0, 72};
	struct bb_span challenge = BB_SPAN(n->signet_challenge, n->signet_challenge_len);
	struct bb_txin pay_in = {.prevout.vout = 0xffffffff, .script_sig = BB_SPAN(script, 74)};
	struct bb_txout pay_out = {0, challenge}, spend_out = {0, BB_LIT("\x6a")};
	struct bb_tx pay = {0, &pay_in, 1, &pay_out, 1, 0};
	struct bb_tx tx = {0, &spend, 1, &spend_out, 1, 0};
	struct bb_prevout prevout = {.known = true, .script = challenge};
	struct bb_interpreter vm = {0};
	struct bb_sighash_cache cache;
	bool ok;

	bb_set_le32(script + 2, (uint32_t)block->header.version);
	memcpy(script + 6, block->header.prev, 32);
	memcpy(script + 38, root, 32);
	bb_set_le32(script + 70, block->header.time);
	bb_tx_txid(spend.prevout.txid, &pay);
	bb_sighash_cache_init(&cache, &tx, &prevout);
	ok = bb_verify_input(&vm, &cache, 0, flags) == BB_SCRIPT_OK;
	bb_interpreter_free(&vm);
	return ok;
}

bool bb_signet_valid(const struct bb_block *block, const struct bb_network *n)
{
	unsigned char hash[32], root[32];
	struct bb_txin spend = {0};
	struct bb_arena a = {0};
	struct bb_buf kept = {0};
	struct bb_span solution, commitment;
	int at;
	bool ok = false;

	bb_header_hash(hash, &block->header);
	if (memcmp(hash, n->genesis, 32) == 0)
		return true;
	if (!block->tx_count || (at = bb_witness_commitment_index(&block->tx[0])) < 0)
		return false;
	commitment = block->tx[0].out[at].script;
	if (cut_solution(&kept, &solution, commitment)) {
		if (!read_solution(&spend, &a, solution))
			goto out;
		commitment = BB_SPAN(kept.data, kept.len);
	} /* else none: a trivial challenge may do without */
	if (!kept.failed && signed_root(root, block, (size_t)at, commitment, &a))
		ok = verify(block, n, spend, root);
out:
	bb_buf_free(&kept);
	bb_arena_free(&a);
	return ok;
}
