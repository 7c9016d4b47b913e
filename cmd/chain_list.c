/* bb-chain: tip, tips, headers, blocks, block. */

#include <stdlib.h>
#include <string.h>

#include "bitcoin/pow.h"
#include "chain_read.h"

static void open_header(struct bb_json_writer *w)
{
	bb_json_open(w, '{');
	bb_json_key(w, "type");
	bb_json_str(w, "header");
}

static void close_header(struct bb_json_writer *w)
{
	bb_json_close(w, '}');
	bb_json_end_line(w);
}

int chain_tip(struct chain *c)
{
	struct bb_json_writer w = {.buf = &c->out.buf};
	struct bb_node tip;

	chain_open(c, BB_STORE_READ);
	if (bb_store_begin(&c->store) && !chain_empty(c) && bb_tree_tip(&tip, &c->store)) {
		open_header(&w);
		chain_json_node(&w, &tip);
		close_header(&w);
	}
	bb_store_end(&c->store);
	chain_failed(c);
	return chain_end(c);
}

/* The branches. */

static int most_work_first(const void *a, const void *b)
{
	const struct bb_node *x = a, *y = b;
	const int order = bb_number_compare(y->work, x->work);

	return order ? order : (x->number > y->number) - (x->number < y->number);
}

/* As getchaintips of Bitcoin Core names it. */
static const char *tip_status(const struct bb_node *n, const struct bb_node *active)
{
	if (n->number == active->number)
		return "active";
	if (n->status & BB_NODE_BAD)
		return "invalid";
	if (!n->linked) /* its block, or an ancestor's, is missing */
		return "headers-only";
	return n->status & BB_NODE_JUDGED ? "valid-fork" : "valid-headers";
}

static bool put_tip(struct chain *c, const struct bb_node *n, const struct bb_node *active)
{
	struct bb_json_writer w = {.buf = &c->out.buf};
	struct bb_node fork;

	if (!bb_tree_fork(&fork, &c->store, active, n))
		return false;
	open_header(&w);
	chain_json_node(&w, n);
	bb_json_key(&w, "status");
	bb_json_str(&w, tip_status(n, active));
	bb_json_key(&w, "branch_length");
	bb_json_i64(&w, n->height - fork.height);
	close_header(&w);
	return true;
}

/* Headers that no other builds on, but the active chain's; NULL: the store failed. */
static struct bb_node *get_leaves(size_t *count, struct chain *c, const struct bb_node *active)
{
	const uint64_t max = bb_store_count(&c->store, BB_LEAVES);
	struct bb_node *leaves = bb_arena_array(&c->arena, max, sizeof(*leaves));
	struct bb_cursor at;

	*count = 0;
	if (!leaves)
		c->store.why = "out of memory";
	if (!leaves || !bb_cursor_open(&at, &c->store, BB_LEAVES))
		return NULL;
	for (bool more = bb_cursor_first(&at); more && *count < max; more = bb_cursor_next(&at))
		if (at.key.len == 4 &&
			bb_tree_named(&leaves[*count], &c->store, bb_be32(at.key.data)))
			*count += leaves[*count].number != active->number;
	bb_cursor_close(&at);
	qsort(leaves, *count, sizeof(*leaves), most_work_first);
	return c->store.why ? NULL : leaves;
}

/* The active chain's end is one of them even where headers go on from it. */
static void put_tips(struct chain *c)
{
	struct bb_node active, *leaves;
	size_t count;
	bool good;

	if (chain_empty(c) || !bb_tree_tip(&active, &c->store))
		return;
	leaves = get_leaves(&count, c, &active);
	good = leaves && put_tip(c, &active, &active);
	for (size_t i = 0; good && i < count; i++)
		good = put_tip(c, &leaves[i], &active);
}

int chain_tips(struct chain *c)
{
	chain_open(c, BB_STORE_READ);
	if (bb_store_begin(&c->store))
		put_tips(c);
	bb_store_end(&c->store);
	chain_failed(c);
	return chain_end(c);
}

/* Ranges. */

static bool put_header(struct chain *c, const struct bb_node *n)
{
	struct bb_json_writer w = {.buf = &c->out.buf};
	struct bb_buf bytes = {0};

	open_header(&w);
	if (c->full) {
		chain_json_node(&w, n);
	} else {
		bb_put_header(&bytes, &n->header);
		bb_json_key(&w, "height");
		bb_json_i64(&w, n->height);
		bb_json_key(&w, "hex");
		bb_json_hex(&w, BB_SPAN(bytes.data, bytes.len));
		w.buf->failed |= bytes.failed;
		bb_buf_free(&bytes);
	}
	close_header(&w);
	return true;
}

int chain_headers(struct chain *c)
{
	return chain_walk(c, put_header);
}

int chain_blocks(struct chain *c)
{
	return chain_walk(c, chain_put_block);
}

/* Single blocks. */

static bool answer_block(struct chain *c, const struct asked *q)
{
	struct bb_node n;
	bool good = true;

	if (!chain_names_block(q->name))
		return chain_refuse(c, q, BB_CALLER, "neither a block's hash nor a height");
	if (!bb_store_begin(&c->store))
		return !chain_failed(c);
	if (!chain_find(&n, c, q->name))
		good = chain_missing(c, q, "no such block");
	else if (!(n.status & BB_NODE_DATA))
		good = chain_missing(c, q, "of that block only the header is here");
	else if (!chain_put_block(c, &n))
		good = chain_missing(c, q,
			"what that block spends is not known: it is not of "
			"the active chain");
	bb_store_end(&c->store);
	return good;
}

int chain_block(struct chain *c)
{
	return chain_answer(c, answer_block);
}
