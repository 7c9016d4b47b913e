/* A line of JSON: what is read as a transaction, block or header is written back, in the form
 * it came in and in the others, and read again as the same. Whatever is read is judged too. */

#include <string.h>

#include "bitcoin/judge.h"
#include "fuzz.h"
#include "wallet/partial.h"
#include "wallet/utxo.h"

static const struct bb_json *parse(struct bb_arena *a, const struct bb_buf *line)
{
	const char *why;
	const struct bb_json *doc;

	DEMAND(!line->failed);
	doc = bb_json_parse(a, &why,
		BB_SPAN(line->data,
			line->len - (line->len && line->data[line->len - 1] == '\n')));
	DEMAND(doc);
	return doc;
}

static void same_json(const struct bb_json *x, const struct bb_json *y)
{
	DEMAND(x->type == y->type && x->truth == y->truth && x->count == y->count);
	DEMAND(bb_span_equal(x->key, y->key) && bb_span_equal(x->text, y->text));
	y = y->child;
	for (const struct bb_json *v = x->child; v; v = v->next, y = y->next)
		same_json(v, y);
}

static void same_tx(const struct bb_tx *x, const struct bb_tx *y)
{
	struct bb_buf a = {0}, b = {0};

	bb_put_tx(&a, x, true);
	bb_put_tx(&b, y, true);
	DEMAND(bb_span_equal(buf_span(&a), buf_span(&b)));
	bb_buf_free(&a);
	bb_buf_free(&b);
}

static void same_prevouts(const struct bb_prevout *x, const struct bb_prevout *y, size_t count)
{
	for (; count--; x++, y++) {
		DEMAND(x->known == y->known);
		if (x->known)
			DEMAND(x->value_sat == y->value_sat &&
				bb_span_equal(x->script, y->script) && x->height == y->height &&
				x->coinbase == y->coinbase && x->mtp == y->mtp);
	}
}

/* The whole line again: every value as it was, in a form that reads the same. */
static void copy(const struct bb_json *doc, struct bb_arena *a)
{
	static const char *const none[] = {NULL};
	struct bb_buf line = {0};
	struct bb_json_writer w = {.buf = &line};

	bb_json_open(&w, '{');
	bb_json_others(&w, doc, none);
	bb_json_close(&w, '}');
	same_json(doc, parse(a, &line));
	bb_buf_free(&line);
}

static void reread_tx(const struct bb_txline *l, struct bb_arena *a, const struct bb_buf *line)
{
	const char *why;
	struct bb_txline again;

	DEMAND(bb_txline_read(&again, &why, a, parse(a, line)));
	same_tx(&l->tx, &again.tx);
	same_prevouts(l->prevouts, again.prevouts, l->tx.in_count);
	DEMAND(l->all_known == again.all_known);
}

static void tx_full(const struct bb_txline *l, struct bb_arena *a, const struct bb_network *n)
{
	struct bb_buf line = {0};
	struct bb_json_writer w = {.buf = &line};

	bb_json_open(&w, '{');
	bb_json_tx(&w, &l->tx, l->prevouts, l->vin, n);
	bb_json_close(&w, '}');
	reread_tx(l, a, &line);
	bb_buf_free(&line);
}

static void tx_lean(const struct bb_txline *l, struct bb_arena *a)
{
	struct bb_buf line = {0}, bytes = {0};
	struct bb_json_writer w = {.buf = &line};

	bb_put_tx(&bytes, &l->tx, true);
	bb_json_open(&w, '{');
	bb_json_key(&w, "hex");
	bb_json_hex(&w, buf_span(&bytes));
	bb_json_prevouts(&w, l->prevouts, l->tx.in_count);
	bb_json_close(&w, '}');
	/* Bytes without inputs can mean another transaction (BIP 144's marker). */
	if (l->tx.in_count)
		reread_tx(l, a, &line);
	bb_buf_free(&line);
	bb_buf_free(&bytes);
}

/* The line as a tool writes it that changed nothing in it. */
static void tx_again(const struct bb_txline *l, struct bb_arena *a, const struct bb_network *n)
{
	struct bb_buf line = {0};

	bb_txline_write(&line, l, NULL, n);
	reread_tx(l, a, &line);
	bb_buf_free(&line);
}

static void verdict(const struct bb_verdict *v, const struct bb_json *doc, struct bb_arena *a)
{
	const struct bb_json *from = bb_json_get(doc, "from");
	struct bb_buf line = {0};

	DEMAND(v->valid == !v->error[0]);
	bb_put_verdict(&line, v, 1, from ? from->raw : BB_SPAN(NULL, 0), true);
	parse(a, &line);
	bb_buf_free(&line);
}

static void judge_tx(const struct bb_txline *l, struct bb_judge *j)
{
	const char *why, *consensus, *standard;
	struct bb_verdict v;

	for (int i = 0; i < 8; i++) {
		j->partial = i & 1;
		j->line_flags = i & 2;
		j->every_input = i & 4;
		if (bb_judge_tx(&v, &why, j, l))
			verdict(&v, l->doc, j->arena);
	}
	if (l->all_known) {
		bb_judge_mark(&consensus, &standard, j, l);
		DEMAND(!consensus || standard);
	}
}

static void do_tx(const struct bb_json *doc, struct bb_judge *j)
{
	const char *why = NULL;
	struct bb_txline l;

	if (!bb_txline_read(&l, &why, j->arena, doc)) {
		DEMAND(why);
		return;
	}
	tx_again(&l, j->arena, j->network);
	tx_full(&l, j->arena, j->network);
	tx_lean(&l, j->arena);
	judge_tx(&l, j);
	for (const struct bb_json *in = l.vin ? l.vin->child : NULL; in; in = in->next) {
		struct bb_partial partial;
		bb_partial_read(&partial, &why, j->arena, in);
	}
}

static void do_block(const struct bb_json *doc, struct bb_judge *j)
{
	struct bb_buf line = {0}, x = {0}, y = {0};
	struct bb_json_writer w = {.buf = &line};
	const char *why = NULL;
	struct bb_blockline l, again;
	struct bb_verdict v;

	if (!bb_blockline_read(&l, &why, j->arena, doc)) {
		DEMAND(why);
		return;
	}
	bb_json_open(&w, '{');
	bb_json_block(&w, &l, j->network);
	bb_json_close(&w, '}');
	DEMAND(bb_blockline_read(&again, &why, j->arena, parse(j->arena, &line)));
	bb_put_block(&x, &l.block);
	bb_put_block(&y, &again.block);
	DEMAND(bb_span_equal(buf_span(&x), buf_span(&y)));
	DEMAND(l.prevout_count == again.prevout_count && l.all_known == again.all_known);
	same_prevouts(l.prevouts, again.prevouts, l.prevout_count);
	DEMAND(l.claims.height == again.claims.height);
	for (int i = 0; i < 4; i++) {
		j->partial = i & 1;
		j->every_input = i & 2;
		bb_judge_block(&v, j, &l);
		verdict(&v, doc, j->arena);
	}
	bb_buf_free(&line);
	bb_buf_free(&x);
	bb_buf_free(&y);
}

static void do_header(const struct bb_json *doc, struct bb_arena *a)
{
	struct bb_buf line = {0}, x = {0}, y = {0};
	struct bb_json_writer w = {.buf = &line};
	const char *why = NULL;
	struct bb_header h, again;

	if (!bb_header_from_json(&h, &why, a, doc)) {
		DEMAND(why);
		return;
	}
	bb_json_open(&w, '{');
	bb_json_header(&w, &h);
	bb_json_close(&w, '}');
	DEMAND(bb_header_from_json(&again, &why, a, parse(a, &line)));
	bb_put_header(&x, &h);
	bb_put_header(&y, &again);
	DEMAND(bb_span_equal(buf_span(&x), buf_span(&y)));
	bb_buf_free(&line);
	bb_buf_free(&x);
	bb_buf_free(&y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bb_arena arena = {0};
	struct bb_interpreter vm = {0};
	struct bb_judge j = {.network = bb_network_find("main"), .vm = &vm, .arena = &arena};
	const char *why = NULL;
	const struct bb_json *doc = bb_json_parse(&arena, &why, BB_SPAN(data, size));
	struct bb_network network;
	struct bb_utxo utxo;

	DEMAND(doc || why);
	if (doc) {
		copy(doc, &arena);
		if (bb_line_is_block(doc))
			do_block(doc, &j);
		else if (bb_line_is_tx(doc))
			do_tx(doc, &j);
		else if (bb_line_is_header(doc))
			do_header(doc, &arena);
		bb_utxo_read(&utxo, &why, &arena, &arena, doc, j.network);
		bb_network_parse(&network, &why, doc);
	}
	bb_interpreter_free(&vm);
	bb_arena_free(&arena);
	return 0;
}
