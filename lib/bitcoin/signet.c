/* Signet's block signature (BIP 325): the block is signed as if it spent the challenge. */

#include <string.h>

#include "bitcoin/check.h"
#include "bitcoin/merkle.h"
#include "bitcoin/signet.h"
#include "crypto/hash.h"

const unsigned char bb_signet_mark[BB_SIGNET_MARK_SIZE] = {0xec, 0xc7, 0xda, 0xa2};

/* Take the signature's section out of the commitment: `kept` is the script with the section
 * cut down to its mark, `solution` what it held. False when there is none. */
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
		if (!found && op.data.len > BB_SIGNET_MARK_SIZE &&
			memcmp(op.data.data, bb_signet_mark, BB_SIGNET_MARK_SIZE) == 0) {
			*solution = BB_SPAN(op.data.data + BB_SIGNET_MARK_SIZE,
				op.data.len - BB_SIGNET_MARK_SIZE);
			op.data.len = BB_SIGNET_MARK_SIZE;
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

void bb_signet_txs_init(struct bb_signet_txs *s, const struct bb_header *h,
	const unsigned char root[32], struct bb_span challenge)
{
	*s = (struct bb_signet_txs){
		.pay = {0, &s->pay_in, 1, &s->pay_out, 1, 0},
		.spend = {0, &s->spend_in, 1, &s->spend_out, 1, 0},
		.prevout = {.known = true, .script = challenge},
		.script = {OP_0, 72},
		.pay_in = {.prevout.vout = 0xffffffff, .script_sig = BB_SPAN(s->script, 74)},
		.pay_out.script = challenge,
		.spend_out.script = BB_LIT("\x6a"),
	};
	bb_set_le32(s->script + 2, (uint32_t)h->version);
	memcpy(s->script + 6, h->prev, 32);
	memcpy(s->script + 38, root, 32);
	bb_set_le32(s->script + 70, h->time);
	bb_tx_txid(s->spend_in.prevout.txid, &s->pay);
}

static bool verify(const struct bb_block *block, const struct bb_network *n,
	const struct bb_txin *solution, const unsigned char root[32])
{
	const uint32_t flags = BB_VERIFY_P2SH | BB_VERIFY_WITNESS | BB_VERIFY_DERSIG |
			       BB_VERIFY_NULLDUMMY;
	struct bb_interpreter vm = {0};
	struct bb_sighash_cache cache;
	struct bb_signet_txs s;
	bool ok;

	bb_signet_txs_init(&s, &block->header, root,
		BB_SPAN(n->signet_challenge, n->signet_challenge_len));
	s.spend_in.script_sig = solution->script_sig;
	s.spend_in.witness = solution->witness;
	s.spend_in.witness_count = solution->witness_count;
	bb_sighash_cache_init(&cache, &s.spend, &s.prevout);
	ok = bb_verify_input(&vm, &cache, 0, flags) == BB_SCRIPT_OK;
	bb_interpreter_free(&vm);
	return ok;
}

bool bb_signet_valid(const struct bb_block *block, const struct bb_network *n)
{
	unsigned char hash[32], root[32];
	struct bb_txin spend = {0}; /* scriptSig and witness */
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
		ok = verify(block, n, &spend, root);
out:
	bb_buf_free(&kept);
	bb_arena_free(&a);
	return ok;
}
