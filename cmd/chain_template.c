/* bb-chain template: what could be mined next, out of the mempool or out of lines. */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "chain.h"
#include "clock.h"
#include "ledger/blocktemplate.h"

/* From the mempool. It is gathered within a transaction and written after its end. */

static bool build(struct bb_block_template *t, struct chain *c)
{
	return !chain_empty(c) &&
	       bb_template_from_pool(t, &c->store, &c->network, &c->arena, chain_now(c));
}

/* Is there a store at all? */
static bool has_store(const struct chain *c)
{
	char path[PATH_MAX];

	return c->dir && snprintf(path, sizeof(path), "%s/chain/data.mdb", c->dir) < PATH_MAX &&
	       (access(path, F_OK) == 0 || errno != ENOENT);
}

/* On top of the genesis block, before there is a store, or anything in it. */
static void put_first(struct chain *c)
{
	struct bb_block_template t = {0};

	if (bb_template_from_offers(&t, NULL, &c->network, &c->arena, chain_now(c), NULL, 0))
		bb_put_template(&c->out.buf, &t, &c->network);
	else if (t.genesis_missing)
		chain_error(c, 0, BB_NO, "there is no block yet");
	else
		chain_error(c, 0, BB_SYSTEM, "out of memory");
}

static int first(struct chain *c)
{
	bb_sandbox_enter(BB_SANDBOX_FILTER);
	put_first(c);
	return chain_end(c);
}

static int once(struct chain *c)
{
	struct bb_block_template t;
	struct bb_node tip;

	chain_open(c, BB_STORE_READ);
	if (bb_store_begin(&c->store)) {
		if (!bb_tree_tip(&tip, &c->store) && !c->store.why)
			put_first(c);
		else if (build(&t, c))
			bb_put_template(&c->out.buf, &t, &c->network);
	}
	bb_store_end(&c->store);
	if (chain_failed(c))
		c->out.buf.len = 0;
	return chain_end(c);
}

/* Again and again. A tip is told of at once; a mempool that got better, not more often than a
 * miner should begin anew; and the same once more when the time in it is old, on which bits may
 * depend. */

enum { PAUSE_MS = 5000, RENEW_MS = 60000 };

struct told {
	bool any;
	unsigned char prev[32]; /* of the last one */
	int64_t fee_sat;
	uint64_t sequence; /* the last event that was looked at */
	int64_t looked_ms; /* when a template was last built */
	int64_t told_ms;   /* and told */
};

/* Is it still the tip that was last told of? */
static bool same_tip(const struct told *told, struct chain *c)
{
	struct bb_node tip;

	return told->any && bb_tree_tip(&tip, &c->store) && memcmp(tip.id, told->prev, 32) == 0;
}

static void tell(struct told *told, struct chain *c, const struct bb_block_template *t)
{
	bb_put_template(&c->out.buf, t, &c->network);
	told->any = true;
	memcpy(told->prev, t->prev.id, 32);
	told->fee_sat = t->fee_sat;
	told->told_ms = (int64_t)clock_ms();
}

/* Look at the store, within a transaction. How long to wait at most before the next look, in
 * milliseconds. */
static int look(struct told *told, struct chain *c)
{
	const bool same = same_tip(told, c);
	const int64_t now_ms = (int64_t)clock_ms(), pause = told->looked_ms + PAUSE_MS - now_ms;
	const int64_t renewal = told->told_ms + RENEW_MS - now_ms;
	struct bb_block_template t;

	if (same && renewal > 0) {
		if (bb_event_last(&c->store) == told->sequence)
			return (int)renewal;
		if (pause > 0)
			return (int)(pause < renewal ? pause : renewal);
	}
	if (!build(&t, c))
		return RENEW_MS;
	told->looked_ms = now_ms;
	told->sequence = t.sequence;
	if (!same || renewal <= 0 || t.fee_sat > told->fee_sat)
		tell(told, c, &t);
	return (int)(told->told_ms + RENEW_MS - now_ms);
}

static void watch(struct chain *c, int fd)
{
	struct told told = {0};
	int wait_ms = RENEW_MS;

	do {
		if (bb_store_begin(&c->store))
			wait_ms = look(&told, c);
		bb_store_end(&c->store);
		bb_arena_reset(&c->arena);
		if (chain_failed(c) || !told.any || !bb_sink_flush(&c->out))
			break;
	} while (chain_wait(c, fd, wait_ms));
}

static int watch_store(struct chain *c)
{
	const int fd = chain_watch(c);
	const char *unwatched = strerror(errno);

	chain_open(c, BB_STORE_READ);
	if (fd < 0)
		chain_error(c, 0, BB_SYSTEM, "cannot watch the store: %s", unwatched);
	else
		watch(c, fd);
	if (fd >= 0)
		close(fd);
	return chain_end(c);
}

/* From lines. */

struct offers {
	struct bb_offer *offer;
	struct bb_span *from; /* of each line: who sent it */
	size_t count, room;
	bool failed; /* memory */
};

/* Room for one more, kept in the arena. */
static bool make_room(struct offers *o, struct bb_arena *a)
{
	const size_t room = o->room ? 2 * o->room : 256;
	struct bb_offer *offer;
	struct bb_span *from;

	if (o->count < o->room)
		return true;
	offer = bb_arena_array(a, room, sizeof(*offer));
	from = bb_arena_array(a, room, sizeof(*from));
	if (!offer || !from)
		return false;
	if (o->count) {
		memcpy(offer, o->offer, o->count * sizeof(*offer));
		memcpy(from, o->from, o->count * sizeof(*from));
	}
	o->offer = offer;
	o->from = from;
	o->room = room;
	return true;
}

static bool keep_prevouts(struct bb_offer *x, struct bb_arena *a, const struct bb_txline *l)
{
	struct bb_prevout *p = bb_arena_array(a, x->tx.in_count, sizeof(*p));

	for (size_t i = 0; p && i < x->tx.in_count; i++) {
		p[i] = l->prevouts[i];
		p[i].script = bb_arena_copy(a, p[i].script);
		if (!p[i].script.data)
			return false;
	}
	x->prevouts = p;
	return p;
}

/* What is wanted of a line, without the rest of it. */
static bool keep(struct offers *o, struct bb_arena *a, const struct bb_txline *l, uint64_t line,
	struct bb_span from)
{
	struct bb_offer *x;

	if (!make_room(o, a))
		return false;
	x = &o->offer[o->count];
	*x = (struct bb_offer){.line = line, .bytes = chain_tx_bytes(a, &l->tx)};
	o->from[o->count] = bb_arena_copy(a, from);
	if (!x->bytes.data || !o->from[o->count].data || !bb_tx_parse(&x->tx, x->bytes, a) ||
		!keep_prevouts(x, a, l))
		return false;
	o->count++;
	return true;
}

static struct bb_span sender(const struct bb_json *doc)
{
	const struct bb_json *from = bb_json_find(doc, "from");

	return from ? from->raw : BB_SPAN(NULL, 0);
}

static void take_line(
	struct offers *o, struct chain *c, struct bb_arena *scratch, struct bb_span line)
{
	const char *why;
	const struct bb_json *doc = bb_json_parse(scratch, &why, line);
	struct bb_txline l;

	if (doc && !bb_line_is_tx(doc))
		bb_lines_bad(&c->in, "not a transaction");
	else if (!doc || !bb_txline_read(&l, &why, scratch, doc))
		bb_lines_bad(&c->in, why);
	else if (!l.all_known && !bb_tx_is_coinbase(&l.tx))
		bb_lines_report(&c->in, c->in.number, BB_NO, "missing-prevouts", sender(doc));
	else
		o->failed = !keep(o, &c->arena, &l, c->in.number, sender(doc));
}

static void read_offers(struct offers *o, struct chain *c)
{
	struct bb_arena scratch = {0};
	struct bb_span line;

	while (!o->failed && bb_lines_read(&c->in, &line)) {
		take_line(o, c, &scratch, line);
		bb_arena_reset(&scratch);
	}
	bb_arena_free(&scratch);
}

static void tell_refused(struct chain *c, const struct offers *o)
{
	for (size_t i = 0; i < o->count && !(c->in.fail_fast && c->in.status); i++)
		if (o->offer[i].refusal)
			bb_lines_report(&c->in, o->offer[i].line, BB_NO, o->offer[i].refusal,
				o->from[i]);
}

/* On top of the store's tip, or without a store of the genesis block. */
static void put_offers(struct chain *c, struct offers *o)
{
	struct bb_store *s = c->store.env ? &c->store : NULL;
	struct bb_block_template t = {0};
	bool good = (!s || bb_store_begin(s)) &&
		    bb_template_from_offers(
			    &t, s, &c->network, &c->arena, chain_now(c), o->offer, o->count);

	if (s)
		bb_store_end(s);
	if (good) {
		tell_refused(c, o);
		if (!(c->in.fail_fast && c->in.status))
			bb_put_template(&c->out.buf, &t, &c->network);
	} else if (t.genesis_missing) {
		chain_error(c, 0, BB_NO, "there is no block yet");
	} else if (!s || !chain_failed(c)) {
		chain_error(c, 0, BB_SYSTEM, "out of memory");
	}
}

static int from_lines(struct chain *c)
{
	char *const files[] = {(char *)c->offers, NULL};
	struct offers o = {0};

	c->in.files = files;
	if (has_store(c))
		chain_open(c, BB_STORE_READ);
	else
		bb_sandbox_enter(BB_SANDBOX_READER);
	read_offers(&o, c);
	if (o.failed)
		chain_error(c, c->in.number, BB_SYSTEM, "out of memory");
	else if (o.count && !(c->in.fail_fast && c->in.status))
		put_offers(c, &o);
	return bb_lines_close(&c->in, &c->out);
}

int chain_template(struct chain *c)
{
	if (c->offers)
		return from_lines(c);
	if (c->watch)
		return watch_store(c);
	return has_store(c) ? once(c) : first(c);
}
