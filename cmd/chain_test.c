/* bb-chain test: what add would say of transactions and packages, changing nothing. */

#include <stdio.h>

#include "arrivaltx.h"
#include "chain.h"
#include "ledgerverdict.h"

/* A reader's view of the mempool. */
struct test {
	struct chain *chain;
	struct bb_pool pool;
	struct bb_interpreter vm;
	struct bb_span from; /* of the line at hand */
};

static void refused(struct test *t, enum bb_status status)
{
	bb_lines_status(&t->chain->in, status);
}

static void malformed(struct test *t, const char *why)
{
	struct bb_verdict v = {.error = "malformed-line"};

	snprintf(v.detail, sizeof(v.detail), "%s", why);
	bb_put_verdict(&t->chain->out.buf, &v, t->chain->in.number, t->from, false);
	refused(t, BB_CALLER);
}

static bool read_line(struct arrivaltx *tx, struct test *t, struct bb_span line)
{
	struct bb_arena *a = &t->chain->arena;
	const struct bb_json *doc, *from;
	const char *why;

	t->from = BB_SPAN(NULL, 0);
	doc = bb_json_parse(a, &why, line);
	if (doc && (from = bb_json_get(doc, "from")))
		t->from = from->raw;
	if (!doc && tool_is_hex(line))
		why = "malformed JSON (hex goes through bb-decode first)";
	if (doc && !arrivaltx_is(doc)) {
		why = "neither a transaction nor a package";
		doc = NULL;
	}
	if (doc && arrivaltx_read(tx, &why, a, doc, false))
		return true;
	malformed(t, why);
	return false;
}

/* Within a transaction of the store; false: it failed. */

static bool test_tx(struct test *t, const struct arrivaltx *tx, struct ledgerverdict *around)
{
	struct chain *c = t->chain;
	struct bb_acceptance r;

	if (!bb_accept_tx(&r, &t->pool, &c->arena, tx->tx, BB_ACCEPT_TEST))
		return false;
	if (!r.verdict.valid)
		refused(t, BB_NO);
	ledgerverdict_put_tx(&c->out.buf, around, &r);
	return true;
}

static bool test_package(
	struct test *t, const struct arrivaltx *tx, struct ledgerverdict *around)
{
	struct chain *c = t->chain;
	struct bb_package_acceptance r;

	if (!bb_accept_package(&r, &t->pool, &c->arena, tx->tx, tx->count, BB_ACCEPT_TEST))
		return false;
	if (r.error[0])
		refused(t, BB_NO);
	ledgerverdict_put_package(&c->out.buf, around, &r);
	return true;
}

static bool test_txs(struct test *t, const struct arrivaltx *tx)
{
	struct chain *c = t->chain;
	struct ledgerverdict around = {.line = c->in.number, .from = t->from};
	struct bb_node tip;

	if (bb_tree_tip(&tip, &c->store))
		around.tip = &tip;
	return tx->package ? test_package(t, tx, &around) : test_tx(t, tx, &around);
}

/* One line, as of the newest commit; false: the store failed. */
static bool test_line(struct test *t, struct bb_span line)
{
	struct chain *c = t->chain;
	const size_t before = c->out.buf.len;
	struct arrivaltx tx;
	bool good;

	if (!read_line(&tx, t, line))
		return true;
	good = bb_store_begin(&c->store) && test_txs(t, &tx);
	bb_store_end(&c->store);
	if (!good || c->store.why)
		c->out.buf.len = before; /* what it said cannot be relied on */
	return good && !c->store.why;
}

static void too_long(void *arg)
{
	struct test *t = arg;

	t->from = BB_SPAN(NULL, 0);
	malformed(t, "line too long");
}

static void flush(void *arg)
{
	struct test *t = arg;

	bb_sink_flush(&t->chain->out);
}

int chain_test(struct chain *c)
{
	struct test t = {.chain = c};
	struct bb_span line;

	chain_open(c, BB_STORE_READ);
	t.pool = (struct bb_pool){.store = &c->store,
		.network = &c->network,
		.policy = &c->policy,
		.vm = &t.vm,
		.now = c->now};
	c->in.idle = flush;
	c->in.too_long = too_long;
	c->in.arg = &t;
	while (!c->out.error && !(c->in.fail_fast && c->in.status) &&
		bb_lines_read(&c->in, &line)) {
		if (!test_line(&t, line)) {
			chain_failed(c);
			break;
		}
		bb_arena_reset(&c->arena);
		bb_sink_turn(&c->out);
	}
	bb_pool_free(&t.pool);
	bb_interpreter_free(&t.vm);
	return bb_lines_close(&c->in, &c->out);
}
