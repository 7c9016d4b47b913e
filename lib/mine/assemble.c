#include "mine/assemble.h"

#include <stdlib.h>
#include <string.h>

#include "bitcoin/check.h"
#include "bitcoin/merkle.h"
#include "bitcoin/script.h"
#include "bitcoin/signet.h"
#include "mine/signet.h"

enum { EXTRANONCE = 8, MAX_SCRIPT_SIG = 100 };

/* BIP 141: the witness reserved value. */
static const unsigned char reserved32[32];

static bool bad(const char **why, const char *reason)
{
	*why = reason;
	return false;
}

/* The coinbase. */

/* Behind what stands there already: the text, and room for the extranonce. */
static bool set_script_sig(struct bb_assembly *b, struct bb_txin *in, const char **why,
	struct bb_arena *a, struct bb_buf *script, struct bb_span text)
{
	static const unsigned char zero[EXTRANONCE];

	if (text.len)
		bb_put_push(script, text);
	bb_put_push(script, BB_SPAN(zero, EXTRANONCE));
	b->extranonce_at = script->len - EXTRANONCE;
	in->script_sig = bb_arena_copy(a, BB_SPAN(script->data, script->len));
	if (script->failed || !in->script_sig.data)
		return bad(why, "out of memory");
	return script->len <= MAX_SCRIPT_SIG ||
	       bad(why, "the coinbase's scriptSig would be longer than 100 bytes");
}

/* BIP 34: the height comes first. */
static bool own_script_sig(struct bb_assembly *b, struct bb_txin *in, const char **why,
	struct bb_arena *a, struct bb_span text)
{
	struct bb_buf script = {0};
	bool ok;

	bb_put_script_num(&script, b->t->height);
	bb_put(&script, b->t->aux.data, b->t->aux.len);
	ok = set_script_sig(b, in, why, a, &script, text);
	bb_buf_free(&script);
	return ok;
}

static bool set_witness(struct bb_txin *in, struct bb_arena *a)
{
	if (!(in->witness = bb_arena_array(a, 1, sizeof(*in->witness))))
		return false;
	in->witness[0] = BB_SPAN(reserved32, 32);
	in->witness_count = 1;
	return true;
}

/* Before segwit a block may hold no witness, though Bitcoin Core states a commitment even then.
 */
static bool has_segwit(const struct bb_assembly *b)
{
	return b->t->height >= b->network->segwit_height;
}

/* Does the block need a commitment although the template states none? */
static bool wants_commitment(const struct bb_assembly *b)
{
	const struct bb_template *t = b->t;

	if (b->network->signet_challenge_len)
		return true;
	for (size_t i = 0; i < t->tx_count; i++)
		if (bb_tx_has_witness(&t->tx[i]))
			return true;
	return false;
}

/* BIP 141's commitment to the witnesses of these transactions. */
static bool make_commitment(
	struct bb_span *script, const struct bb_template *t, struct bb_arena *a)
{
	unsigned char both[64] = {0}, out[38] = {OP_RETURN, 36, 0xaa, 0x21, 0xa9, 0xed};
	struct bb_block block = {.tx_count = t->tx_count + 1};

	if (!(block.tx = bb_arena_array(a, block.tx_count, sizeof(*block.tx))))
		return false;
	memcpy(block.tx + 1, t->tx, t->tx_count * sizeof(*t->tx));
	if (!bb_block_witness_root(both, &block))
		return false;
	bb_sha256d(out + 6, both, sizeof(both));
	*script = bb_arena_copy(a, BB_SPAN(out, sizeof(out)));
	return script->data;
}

/* As Bitcoin Core makes it: not final before the height (BIP 54), so that no two are alike. */
static bool own_coinbase(
	struct bb_assembly *b, const char **why, struct bb_arena *a, const struct bb_payout *p)
{
	const struct bb_template *t = b->t;
	struct bb_txin *in = bb_arena_array(a, 1, sizeof(*in));
	struct bb_txout *out = bb_arena_array(a, 2, sizeof(*out));
	struct bb_span commitment = has_segwit(b) ? t->commitment : BB_SPAN(NULL, 0);

	if (!in || !out)
		return bad(why, "out of memory");
	if (has_segwit(b) && !commitment.len && wants_commitment(b) &&
		!make_commitment(&commitment, t, a))
		return bad(why, "out of memory");
	b->coinbase = (struct bb_tx){2, in, 1, out, 1, (uint32_t)t->height - 1};
	in->prevout.vout = UINT32_MAX;
	in->sequence = BB_SEQUENCE_FINAL - 1;
	out[0] = (struct bb_txout){t->value_sat, p->script};
	if (commitment.len) {
		out[1].script = commitment;
		b->coinbase.out_count = 2;
		if (!set_witness(in, a))
			return bad(why, "out of memory");
	}
	return own_script_sig(b, in, why, a, p->text);
}

/* The server's, extended as far as that is allowed; its witness need not be in the data. */
static bool given_coinbase(
	struct bb_assembly *b, const char **why, struct bb_arena *a, const struct bb_payout *p)
{
	struct bb_txin *in = bb_arena_array(a, 1, sizeof(*in));
	struct bb_buf script = {0};
	bool ok = true;

	if (!in)
		return bad(why, "out of memory");
	b->coinbase = *b->t->coinbase;
	*in = b->coinbase.in[0];
	b->coinbase.in = in;
	if (has_segwit(b) && !in->witness_count &&
		bb_witness_commitment_index(&b->coinbase) >= 0 && !set_witness(in, a))
		return bad(why, "out of memory");
	if (b->t->may_append) {
		bb_put(&script, in->script_sig.data, in->script_sig.len);
		ok = set_script_sig(b, in, why, a, &script, p->text);
		bb_buf_free(&script);
	} else if (p->text.len) {
		ok = bad(why, "the template does not let its coinbase carry a text");
	}
	return ok;
}

static bool make_branch(struct bb_assembly *b, struct bb_arena *a)
{
	const struct bb_template *t = b->t;
	const size_t count = t->tx_count + 1;
	unsigned char(*hashes)[32] = calloc(count, sizeof(*hashes));

	b->depth = bb_merkle_depth(count);
	b->branch = bb_arena_array(a, b->depth + 1, sizeof(*b->branch));
	if (hashes && b->branch) {
		memcpy(hashes + 1, t->txid, t->tx_count * sizeof(*t->txid));
		bb_merkle_branch(b->branch, hashes, count, 0);
	}
	free(hashes);
	return hashes && b->branch;
}

bool bb_assemble(struct bb_assembly *b, const char **why, struct bb_arena *a,
	const struct bb_template *t, const struct bb_payout *p, const struct bb_network *n)
{
	const bool own = p->script.len;

	*b = (struct bb_assembly){.t = t, .network = n};
	if (own && t->value_sat < 0)
		return bad(why, "coinbasevalue is missing, so nobody else can be paid");
	if (!own && !t->coinbase)
		return bad(why, "coinbasetxn is missing, and nobody is to be paid");
	if (!(own ? own_coinbase(b, why, a, p) : given_coinbase(b, why, a, p)))
		return false;
	b->commitment_at = bb_witness_commitment_index(&b->coinbase);
	return make_branch(b, a) || bad(why, "out of memory");
}

/* Candidates. */

static void set_root(struct bb_candidate *c, const struct bb_assembly *b)
{
	unsigned char pair[64];

	bb_tx_txid(pair, &c->coinbase);
	for (size_t i = 0; i < b->depth; i++) {
		memcpy(pair + 32, b->branch[i], 32);
		bb_sha256d(pair, pair, sizeof(pair));
	}
	memcpy(c->header.merkle_root, pair, 32);
}

/* The commitment's script with one more push behind it. */
static bool set_commitment(
	struct bb_candidate *c, const struct bb_assembly *b, struct bb_span push)
{
	const struct bb_span script = b->coinbase.out[b->commitment_at].script;
	struct bb_buf longer = {0};
	struct bb_span kept;

	bb_put(&longer, script.data, script.len);
	bb_put_push(&longer, push);
	kept = bb_arena_copy(&c->arena, BB_SPAN(longer.data, longer.len));
	c->coinbase.out[b->commitment_at].script = kept;
	bb_buf_free(&longer);
	return !longer.failed && kept.data;
}

/* BIP 325: sign the block as it is with nothing but the mark, then put the solution behind
 * that. */
static bool sign(struct bb_candidate *c, const char **why, const struct bb_assembly *b,
	struct bb_signer *s)
{
	const size_t outs = b->coinbase.out_count * sizeof(*b->coinbase.out);
	struct bb_buf solution = {0};
	bool ok = false;

	if (b->commitment_at < 0)
		return bad(why, "the coinbase has no commitment to hold the signature");
	*why = "out of memory";
	if (!(c->coinbase.out = bb_arena_alloc(&c->arena, outs)))
		return false;
	memcpy(c->coinbase.out, b->coinbase.out, outs);
	bb_put(&solution, bb_signet_mark, BB_SIGNET_MARK_SIZE);
	if (!solution.failed && set_commitment(c, b, BB_SPAN(solution.data, solution.len))) {
		set_root(c, b);
		ok = bb_signet_solve(&solution, why, s, &c->header, b->network, &c->arena);
	}
	if (ok && !set_commitment(c, b, BB_SPAN(solution.data, solution.len)))
		ok = bad(why, "out of memory");
	bb_buf_free(&solution);
	return ok;
}

bool bb_candidate_make(struct bb_candidate *c, const char **why, const struct bb_assembly *b,
	uint64_t extranonce, uint32_t time, struct bb_signer *s)
{
	const struct bb_txin *in = b->coinbase.in;

	bb_arena_reset(&c->arena);
	c->header = b->t->header;
	c->header.time = time;
	c->coinbase = b->coinbase;
	c->coinbase.in = &c->in;
	c->in = *in;
	if (b->extranonce_at) {
		memcpy(c->script_sig, in->script_sig.data, in->script_sig.len);
		bb_set_le64(c->script_sig + b->extranonce_at, extranonce);
		c->in.script_sig.data = c->script_sig;
	}
	if (b->sign && !sign(c, why, b, s))
		return false;
	set_root(c, b);
	return true;
}

static bool within_limits(
	const char **why, const struct bb_block *block, const struct bb_template *t)
{
	if (bb_block_weight(block) > t->max_weight)
		return bad(why, "bad-blk-weight");
	return (int64_t)bb_block_size(block) <= t->max_size || bad(why, "bad-blk-length");
}

bool bb_candidate_check(const struct bb_candidate *c, const char **why, struct bb_assembly *b)
{
	const struct bb_template *t = b->t;
	const struct bb_network *n = b->network;
	struct bb_block block = {.header = c->header, .tx_count = t->tx_count + 1};
	unsigned char root[32];
	bool mutated = false, ok;

	if (!(block.tx = calloc(block.tx_count, sizeof(*block.tx))))
		return bad(why, "out of memory");
	block.tx[0] = c->coinbase;
	memcpy(block.tx + 1, t->tx, t->tx_count * sizeof(*t->tx));
	*why = "out of memory";
	if ((ok = bb_block_merkle_root(root, &mutated, &block)) && mutated)
		ok = bad(why, "bad-txns-duplicate");
	ok = ok && within_limits(why, &block, t) && !(*why = bb_check_tx(&c->coinbase)) &&
	     !(*why = bb_check_witness(&block, t->height >= n->segwit_height));
	if (ok && !b->sign && n->signet_challenge_len)
		b->sign = !bb_signet_valid(&block, n);
	else if (ok && b->sign && !bb_signet_valid(&block, n))
		ok = bad(why, "bad-signet-blksig");
	free(block.tx);
	return ok;
}

void bb_put_candidate(struct bb_buf *out, struct bb_header *h, const struct bb_candidate *c,
	const struct bb_assembly *b, uint32_t nonce)
{
	*h = c->header;
	h->nonce = nonce;
	bb_put_header(out, h);
	bb_put_compact(out, b->t->tx_count + 1);
	bb_put_tx(out, &c->coinbase, true);
	for (size_t i = 0; i < b->t->tx_count; i++)
		bb_put_tx(out, &b->t->tx[i], true);
}

void bb_candidate_free(struct bb_candidate *c)
{
	bb_arena_free(&c->arena);
}
