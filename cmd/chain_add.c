/* bb-chain add, run, invalidate, reconsider: what changes the ledger line by line. */

#include <stdlib.h>
#include <string.h>

#include "base/sandbox.h"
#include "fault.h"
#include "intake.h"
#include "relaytool.h"

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

static int take_lines(struct chain *c, bool alone)
{
	struct intake k = {.chain = c, .events = alone, .orders = alone};
	struct bb_span line;

	if (!intake_open(&k))
		return chain_end(c);
	c->in.idle = settle;
	c->in.too_long = too_long;
	c->in.arg = &k;
	while (!k.stop && bb_lines_read(&c->in, &line))
		intake_line(&k, line, c->in.number);
	return finish(&k);
}

int chain_run(struct chain *c)
{
	chain_open(c, BB_STORE_ALONE);
	return take_lines(c, true);
}

/* A node that runs is the only one who writes: what is to be written goes through it. */

/* A node's socket may answer before there is a store: whoever lacks it, makes it. */
static int look_for_node(const struct chain *c)
{
	return chain_is_made(c) ? chain_node(c) : -1;
}

/* What a store would refuse, its node must not be asked for. */
static void check_call(struct chain *c)
{
	char why[BB_STORE_MESSAGE];

	if (c->own_rules)
		tool_die(c->tool, BB_CALLER,
			"a node runs in %s, and goes by its own clock and policy: no --now, no "
			"--policy",
			c->dir);
	fault_catch(c->tool->name, &c->store);
	if (!bb_store_open(&c->store, why, c->dir, BB_STORE_READ, &c->network))
		tool_die(c->tool, BB_SYSTEM, "%s", why);
	bb_store_close(&c->store);
	c->store = (struct bb_store){0};
}

/* Open the store to write, and return -1; where a node runs, connect to it instead. It is
 * looked for before the store, which its pipeline holds but while it is started again; and
 * behind it, for it may have come between. */
static int open_or_connect(struct chain *c)
{
	char why[BB_STORE_MESSAGE];
	int node = look_for_node(c);

	if (node < 0 && chain_open_to(why, c, BB_STORE_WRITE))
		return -1;
	if (node < 0)
		node = look_for_node(c);
	if (node < 0)
		tool_die(c->tool, BB_SYSTEM, "%s", why);
	check_call(c);
	bb_sandbox_enter(c->in.files && *c->in.files ? BB_SANDBOX_READER : BB_SANDBOX_FILTER);
	return node;
}

int chain_add(struct chain *c)
{
	const int node = open_or_connect(c);

	return node < 0 ? take_lines(c, false) : relaytool_lines(&c->in, &c->out, node, 0);
}

/* What a person says of a block, over the rules. */

typedef bool order(struct bb_verdict *v, enum bb_outcome *r, struct bb_ledger *l,
	const unsigned char id[32]);

static void obey(struct chain *c, order *fn, const unsigned char id[32])
{
	const struct arrival nothing = {0};
	struct intake k = {.chain = c};
	struct bb_verdict v;
	enum bb_outcome r;

	if (!intake_open(&k))
		return;
	if (fn(&v, &r, &k.ledger, id))
		intake_tell(&k, &nothing, &v, r);
	else
		intake_failed(&k);
	intake_close(&k);
}

static void hand_on(struct chain *c, int node, const char *type, const unsigned char id[32])
{
	struct bb_buf line = {0};
	struct bb_json_writer w = {.buf = &line};

	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", type);
	bb_json_member_hash(&w, "id", id);
	bb_json_close(&w, '}');
	if (line.failed)
		chain_error(c, 0, BB_SYSTEM, "out of memory");
	else
		relaytool_order(&c->in, &c->out, node, BB_SPAN(line.data, line.len));
	bb_buf_free(&line);
}

static int change(struct chain *c, order *fn, const char *type)
{
	unsigned char id[32];
	int node;

	if (!chain_hash(id, BB_SPAN(c->args[0], strlen(c->args[0]))))
		tool_usage(c->tool, "not the hash of a block: %s", c->args[0]);
	node = open_or_connect(c);
	if (node < 0)
		obey(c, fn, id);
	else
		hand_on(c, node, type, id);
	return chain_end(c);
}

int chain_invalidate(struct chain *c)
{
	return change(c, bb_ledger_invalidate, "invalidate");
}

int chain_reconsider(struct chain *c)
{
	return change(c, bb_ledger_reconsider, "reconsider");
}
