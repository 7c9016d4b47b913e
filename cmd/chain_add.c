/* bb-chain add, run, invalidate, reconsider: what changes the ledger line by line. */

#include <stdlib.h>
#include <string.h>

#include "intake.h"

static int finish(struct intake *k)
{
	struct chain *c = k->chain;

	intake_close(k);
	return bb_lines_close(&c->in, &c->out);
}

/* Before input could block: everything read so far is judged, on the disk, and told. When that
 * was the end, no more input is waited for. */
static void settle(void *arg)
{
	struct intake *k = arg;
	int status;

	intake_drain(k);
	intake_commit(k);
	if (!k->stop)
		return;
	status = finish(k);
	chain_close(k->chain);
	exit(status);
}

static void too_long(void *arg)
{
	struct intake *k = arg;

	intake_line(k, BB_SPAN(NULL, 0), k->chain->in.number);
}

static int take_lines(struct chain *c, enum bb_store_mode mode, bool events)
{
	struct intake k = {.chain = c, .events = events};
	struct bb_span line;

	if (!intake_open(&k, mode))
		return chain_end(c);
	c->in.idle = settle;
	c->in.too_long = too_long;
	c->in.arg = &k;
	while (!k.stop && bb_lines_read(&c->in, &line))
		intake_line(&k, line, c->in.number);
	return finish(&k);
}

int chain_add(struct chain *c)
{
	return take_lines(c, BB_STORE_WRITE, false);
}

int chain_run(struct chain *c)
{
	return take_lines(c, BB_STORE_ALONE, true);
}

/* What a person says of a block, over the rules. */

static int change(struct chain *c, bool (*fn)(struct bb_verdict *v, enum bb_outcome *r,
					   struct bb_ledger *l, const unsigned char id[32]))
{
	const struct arrival nothing = {0};
	struct intake k = {.chain = c};
	struct bb_verdict v;
	enum bb_outcome r;
	unsigned char id[32];

	if (!chain_hash(id, BB_SPAN(c->args[0], strlen(c->args[0]))))
		tool_usage(c->tool, "not the hash of a block: %s", c->args[0]);
	if (!intake_open(&k, BB_STORE_WRITE))
		return chain_end(c);
	if (fn(&v, &r, &k.ledger, id))
		intake_tell(&k, &nothing, &v, r);
	else
		intake_failed(&k);
	intake_close(&k);
	return chain_end(c);
}

int chain_invalidate(struct chain *c)
{
	return change(c, bb_ledger_invalidate);
}

int chain_reconsider(struct chain *c)
{
	return change(c, bb_ledger_reconsider);
}
