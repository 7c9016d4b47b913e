/* bb-chain: params, verify, export. */

#include <string.h>

#include "chain_read.h"
#include "ledger/verify.h"
#include "progress.h"

int chain_params(struct chain *c)
{
	struct bb_json_writer w = {.buf = &c->out.buf};

	bb_json_open(&w, '{');
	bb_json_network(&w, &c->network);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
	return chain_end(c);
}

/* Is the store whole? */

struct verifying {
	struct chain *chain;
	struct progress progress;
};

static void say_wrong(void *arg, const char *text)
{
	struct verifying *v = arg;

	progress_hide(&v->progress);
	chain_error(v->chain, 0, BB_NO, "%s", text);
}

static void turn(void *arg, int32_t height, int32_t of)
{
	struct verifying *v = arg;

	v->progress.total = of > 0 ? (uint64_t)of : 0;
	progress_turn(&v->progress, (uint64_t)height, (uint64_t)height);
}

static void put_verify(struct chain *c, const struct bb_verify *v, const struct bb_node *tip)
{
	struct bb_json_writer w = {.buf = &c->out.buf};

	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", "verify");
	bb_json_key(&w, "valid");
	bb_json_bool(&w, v->found == 0);
	if (tip)
		bb_json_member_i64(&w, "height", tip->height);
	bb_json_member_i64(&w, "blocks", (int64_t)v->blocks);
	bb_json_member_i64(&w, "coins", (int64_t)v->coins);
	bb_json_member_i64(&w, "mempool", (int64_t)v->mempool);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

int chain_verify(struct chain *c)
{
	struct verifying arg = {.chain = c};
	struct bb_verify v = {.wrong = say_wrong, .turn = turn, .arg = &arg};
	struct bb_node tip;
	bool finished, has_tip;

	progress_count(&arg.progress, c->tool->name, "blocks", 0); /* before the sandbox */
	chain_open(c, BB_STORE_READ);
	finished = bb_verify_store(&v, &c->store, &c->network);
	progress_hide(&arg.progress);
	if (finished && bb_store_begin(&c->store)) {
		has_tip = bb_tree_tip(&tip, &c->store);
		put_verify(c, &v, has_tip ? &tip : NULL);
		bb_store_end(&c->store);
	}
	if (!finished && !chain_failed(c))
		chain_error(c, 0, BB_SYSTEM, "out of memory");
	return chain_end(c);
}

/* The blocks as blk*.dat has them: the network's magic, the length, the bytes. */
static bool put_framed(struct chain *c, const struct bb_node *n)
{
	struct bb_buf *out = &c->out.buf;
	const size_t before = out->len;
	const char *why;

	if (!(n->status & BB_NODE_DATA))
		return false;
	bb_put_le32(out, c->network.magic);
	bb_put_le32(out, n->place.len);
	if (bb_flat_read(out, &c->store.flat, &why, &n->place, 0, n->place.len))
		return true;
	out->len = before;
	c->store.why = why;
	return false;
}

int chain_export(struct chain *c)
{
	return chain_walk(c, put_framed);
}
