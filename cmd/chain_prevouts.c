/* bb-chain prevouts: what transactions and blocks spend, from the ledger; of transactions also
 * what the mempool pays.
 *
 * Behind it, what such a line says of its surroundings is the ledger's word or is not there. */

#include <string.h>

#include "chain_read.h"

/* Expanded inputs: each one's `prevout` anew, the rest as it stood. */

static void member_prevout(
	struct bb_json_writer *w, const struct bb_prevout *p, const struct bb_network *n)
{
	bb_json_key(w, "prevout");
	if (!p->known) {
		bb_json_null(w);
		return;
	}
	bb_json_open(w, '{');
	bb_json_prevout(w, p, n);
	bb_json_close(w, '}');
}

static void put_input(struct bb_json_writer *w, const struct bb_json *o,
	const struct bb_prevout *p, const struct bb_network *n)
{
	const struct bb_json *old = bb_json_get(o, "prevout");

	bb_json_open(w, '{');
	for (const struct bb_json *v = o->child; v; v = v->next)
		if (v == old)
			member_prevout(w, p, n);
		else if (!bb_span_is(v->key, "prevout"))
			bb_json_member_raw(w, v);
	if (!old)
		member_prevout(w, p, n);
	bb_json_close(w, '}');
}

static void put_inputs(struct bb_json_writer *w, const struct bb_json *vin,
	const struct bb_prevout *p, const struct bb_network *n)
{
	bb_json_key(w, "vin");
	bb_json_open(w, '[');
	for (const struct bb_json *v = vin->child; v; v = v->next)
		put_input(w, v, p++, n);
	bb_json_close(w, ']');
}

/* Where its prevouts belong: inside the inputs of an expanded transaction, beside those of one
 * that is only hex. */
static const struct bb_json *expanded_inputs(const struct bb_json *doc)
{
	const struct bb_json *vin = bb_json_find(doc, "vin");

	for (const struct bb_json *v = vin ? vin->child : NULL; v; v = v->next)
		if (bb_json_get(v, "txid") || bb_json_get(v, "prevout"))
			return vin;
	return NULL;
}

/* What the fee is by these prevouts; false when they are not all known. */
static bool fee(int64_t *fee_sat, const struct bb_tx *tx, const struct bb_prevout *p)
{
	unsigned unjudged = 0;

	return !bb_tx_is_coinbase(tx) &&
	       !bb_check_tx_inputs(fee_sat, &unjudged, tx, p, -1, 0) &&
	       !(unjudged & BB_UNJUDGED_INPUTS);
}

/* A transaction's members but those in `dropped`, with these prevouts in place of its own. A
 * fee is only said where the ledger can say it. */
static void put_tx_members(struct bb_json_writer *w, const struct bb_json *doc,
	const struct bb_tx *tx, const struct bb_prevout *p, const struct bb_network *n)
{
	static const char *const dropped[] = {
		"prevouts", "at_height", "at_mtp", "checked", NULL};
	const struct bb_json *vin = expanded_inputs(doc);
	int64_t fee_sat;

	for (const struct bb_json *v = doc->child; v; v = v->next) {
		if (v == vin)
			put_inputs(w, vin, p, n);
		else if (bb_span_is(v->key, "fee") && !bb_tx_is_coinbase(tx)) {
			if (fee(&fee_sat, tx, p))
				bb_json_member_i64(w, "fee", fee_sat);
		} else if (!(vin && bb_span_is(v->key, "vin")) &&
			   !bb_span_is_among(v->key, dropped))
			bb_json_member_raw(w, v);
	}
	if (!vin)
		bb_json_prevouts(w, p, tx->in_count);
}

/* Transactions. */

static void forget(struct bb_prevout *prevouts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		prevouts[i] = bb_prevout_unknown;
}

static bool put_tx(struct chain *c, const struct bb_json *doc)
{
	struct bb_json_writer w = {.buf = &c->out.buf};
	struct bb_txline l;
	struct bb_node tip;
	const char *why;
	bool begun;

	if (!bb_txline_read(&l, &why, &c->arena, doc))
		return false;
	begun = bb_tree_tip(&tip, &c->store);
	if (begun)
		chain_get_prevouts(l.prevouts, c, &l.tx, &tip);
	else
		forget(l.prevouts, l.tx.in_count);
	bb_json_open(&w, '{');
	put_tx_members(&w, doc, &l.tx, l.prevouts, &c->network);
	if (begun) {
		bb_json_member_i64(&w, "at_height", (int64_t)tip.height + 1);
		bb_json_member_i64(&w, "at_mtp", tip.mtp);
	}
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
	return true;
}

/* Blocks. */

/* The block of a line that is in the active chain already: what it spent then. */
static bool known_block(struct bb_blockline *l, struct chain *c, const struct bb_node *n)
{
	struct bb_stored_block b;

	if (!bb_tree_is_active(&c->store, n) ||
		!bb_query_block(&b, &c->store, &c->network, &c->arena, n, true))
		return false;
	/* One hash may stand for other lists of transactions, too (CVE-2012-2459). */
	if (b.line.block.tx_count != l->block.tx_count ||
		b.line.prevout_count != l->prevout_count)
		return false;
	l->claims = b.line.claims;
	l->prevouts = b.line.prevouts;
	return true;
}

/* What the tip's coins say of a block that may come next, and the block of itself. */
static void next_block(struct bb_blockline *l, struct chain *c)
{
	struct bb_prevout *p = l->prevouts;
	unsigned unjudged = 0;
	size_t at;

	for (size_t i = 1; i < l->block.tx_count; i++) {
		bb_query_prevouts(p, &l->block.tx[i], &c->store, &c->arena);
		p += l->block.tx[i].in_count;
	}
	/* Fills in what is spent of its own. */
	if (l->block.tx_count && bb_tx_is_coinbase(&l->block.tx[0]))
		bb_check_block_inputs(
			&unjudged, &at, &l->block, l->prevouts, &l->claims, 0, &c->network);
}

/* Everything that the ledger can say of the block's surroundings, and nothing else. */
static void inform(struct bb_blockline *l, struct chain *c)
{
	const struct bb_header *h = &l->block.header;
	struct bb_node n, tip;
	unsigned char id[32];

	forget(l->prevouts, l->prevout_count);
	l->claims = (struct bb_block_claims){.height = -1, .expected_bits = -1, .now = -1};
	bb_header_hash(id, h);
	if (bb_tree_find(&n, &c->store, id) && known_block(l, c, &n))
		return;
	if (!bb_tree_find(&n, &c->store, h->prev))
		return;
	if (!bb_tree_claims(&l->claims, &c->store, &n) ||
		!bb_tree_expected_bits(
			&l->claims.expected_bits, &c->store, &c->network, &n, h->time)) {
		l->claims.height = -1;
		return;
	}
	if (bb_tree_tip(&tip, &c->store) && tip.number == n.number)
		next_block(l, c);
}

/* The members of tx[] with what they spend; the first one spends nothing, if the block is any
 * good. */
static bool put_txs(struct bb_json_writer *w, struct chain *c, const struct bb_json *array,
	const struct bb_blockline *l)
{
	const size_t none_count = l->block.tx_count ? l->block.tx[0].in_count : 0;
	struct bb_prevout *none = bb_arena_array(&c->arena, none_count, sizeof(*none));
	const struct bb_prevout *p = l->prevouts;
	const struct bb_tx *tx = l->block.tx;

	if (!none)
		return false;
	forget(none, none_count);
	bb_json_key(w, "tx");
	bb_json_open(w, '[');
	for (const struct bb_json *v = array->child; v; v = v->next, tx++) {
		const bool first = v == array->child;
		bb_json_open(w, '{');
		put_tx_members(w, v, tx, first ? none : p, &c->network);
		bb_json_close(w, '}');
		p += first ? 0 : tx->in_count;
	}
	bb_json_close(w, ']');
	return true;
}

static bool put_block(struct chain *c, const struct bb_json *doc)
{
	static const char *const dropped[] = {
		"prevouts", "height", "prev_times", "expected_bits", "now", "checked", NULL};
	const struct bb_json *txs = bb_json_find(doc, "tx");
	struct bb_json_writer w = {.buf = &c->out.buf};
	struct bb_blockline l;
	const char *why;

	if (!bb_blockline_read(&l, &why, &c->arena, doc))
		return false;
	inform(&l, c);
	bb_json_open(&w, '{');
	for (const struct bb_json *v = doc->child; v; v = v->next)
		if (v == txs)
			w.buf->failed |= !put_txs(&w, c, txs, &l);
		else if (!bb_span_is(v->key, "tx") && !bb_span_is_among(v->key, dropped))
			bb_json_member_raw(&w, v);
	if (!txs)
		bb_json_prevouts(&w, l.prevouts, l.prevout_count);
	if (l.claims.height >= 0) {
		bb_json_member_i64(&w, "height", l.claims.height);
		chain_json_claims(&w, c, &l);
	}
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
	return true;
}

/* The filter. */

/* One line with what is known, as of the newest commit; false when it is to pass as it is. */
static bool informed(struct chain *c, struct bb_span line)
{
	const struct bb_json *doc;
	const char *why;
	bool done = false;

	if (!(doc = bb_json_parse(&c->arena, &why, line)))
		return false;
	if (!bb_line_is_block(doc) && !bb_line_is_tx(doc))
		return false;
	if (bb_store_begin(&c->store))
		done = bb_line_is_block(doc) ? put_block(c, doc) : put_tx(c, doc);
	bb_store_end(&c->store);
	return done;
}

int chain_prevouts(struct chain *c)
{
	struct bb_span line;

	chain_open(c, BB_STORE_READ);
	bb_lines_tie(&c->in, &c->out);
	while (!c->out.error && bb_lines_read(&c->in, &line)) {
		const size_t before = c->out.buf.len;
		const bool done = informed(c, line);
		if (c->store.why) { /* what it said of this line cannot be relied on */
			c->out.buf.len = before;
			chain_failed(c);
			break;
		}
		if (!done) {
			bb_put(&c->out.buf, line.data, line.len);
			bb_put_u8(&c->out.buf, '\n');
		}
		bb_arena_reset(&c->arena);
		bb_sink_turn(&c->out);
	}
	return bb_lines_close(&c->in, &c->out);
}
