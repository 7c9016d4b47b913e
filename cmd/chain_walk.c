/* bb-chain: the active chain by height, out of many short transactions. */

#include <string.h>

#include "chain_read.h"

struct walk {
	int64_t at; /* the next height */
	bool begun; /* a block was put: */
	unsigned char last[32];
};

static bool reorganised(struct chain *c)
{
	chain_error(c, 0, BB_SYSTEM, "the chain was reorganised meanwhile");
	return false;
}

bool chain_is_still(struct chain *c, int32_t height, const unsigned char id[32])
{
	struct bb_node n;

	if (bb_tree_at(&n, &c->store, height) && memcmp(n.id, id, 32) == 0)
		return true;
	return !chain_failed(c) && reorganised(c);
}

/* Nothing at that height: the end, unless nothing was put, or what was is gone. */
static bool end_walk(const struct walk *walk, struct chain *c)
{
	if (walk->begun)
		chain_is_still(c, (int32_t)(walk->at - 1), walk->last);
	else if (!chain_failed(c) && !chain_empty(c))
		chain_error(c, 0, BB_NO, "no such height: %lld", (long long)c->from);
	return false;
}

static bool step(struct walk *walk, struct chain *c,
	bool (*put)(struct chain *c, const struct bb_node *n))
{
	struct bb_node n;

	if (c->to >= 0 && walk->at > c->to)
		return false;
	if (walk->at > INT32_MAX || !bb_tree_at(&n, &c->store, (int32_t)walk->at))
		return end_walk(walk, c);
	if (walk->begun && memcmp(n.header.prev, walk->last, 32) != 0)
		return reorganised(c);
	if (!put(c, &n)) {
		if (!chain_failed(c))
			chain_error(
				c, 0, BB_NO, "the block at height %d is not here", n.height);
		return false;
	}
	bb_arena_reset(&c->arena);
	memcpy(walk->last, n.id, 32);
	walk->begun = true;
	walk->at++;
	return true;
}

int chain_walk(struct chain *c, bool (*put)(struct chain *c, const struct bb_node *n))
{
	struct walk walk = {.at = c->from < 0 ? 0 : c->from};
	bool more;

	chain_open(c, BB_STORE_READ);
	do {
		if (!bb_store_begin(&c->store)) {
			chain_failed(c);
			break;
		}
		do
			more = step(&walk, c, put);
		while (more && c->out.buf.len < CHAIN_PIECE);
		bb_store_end(&c->store);
	} while (more && bb_sink_flush(&c->out));
	return chain_end(c);
}
