#include "mine/signet.h"

#include "bitcoin/signet.h"
#include "bitcoin/txline.h"

/* The virtual transaction that spends the challenge, as signers take it: a line. */
static bool spend_line(struct bb_txline *l, const char **why, const struct bb_signet_txs *s,
	struct bb_arena *work)
{
	struct bb_buf bytes = {0}, text = {0};
	struct bb_json_writer w = {.buf = &text};
	const struct bb_json *doc = NULL;
	struct bb_span line;

	bb_put_tx(&bytes, &s->spend, true);
	bb_json_open(&w, '{');
	bb_json_key(&w, "type");
	bb_json_str(&w, "tx");
	bb_json_key(&w, "hex");
	bb_json_hex(&w, BB_SPAN(bytes.data, bytes.len));
	bb_json_prevouts(&w, &s->prevout, 1);
	bb_json_close(&w, '}');
	line = bb_arena_copy(work, BB_SPAN(text.data, text.len));
	*why = "out of memory";
	if (!bytes.failed && !text.failed && line.data)
		doc = bb_json_parse(work, why, line);
	bb_buf_free(&bytes);
	bb_buf_free(&text);
	return doc && bb_txline_read(l, why, work, doc);
}

static void put_solution(struct bb_buf *b, const struct bb_txin *in)
{
	bb_put_compact(b, in->script_sig.len);
	bb_put(b, in->script_sig.data, in->script_sig.len);
	bb_put_compact(b, in->witness_count);
	for (size_t i = 0; i < in->witness_count; i++) {
		bb_put_compact(b, in->witness[i].len);
		bb_put(b, in->witness[i].data, in->witness[i].len);
	}
}

bool bb_signet_solve(struct bb_buf *solution, const char **why, struct bb_signer *s,
	const struct bb_header *h, const struct bb_network *n, struct bb_arena *work)
{
	const struct bb_span challenge = BB_SPAN(n->signet_challenge, n->signet_challenge_len);
	struct bb_sign_report report;
	struct bb_signet_txs txs;
	struct bb_buf line = {0};
	struct bb_txline l;
	bool ok;

	bb_signet_txs_init(&txs, h, h->merkle_root, challenge);
	ok = spend_line(&l, why, &txs, work) &&
	     bb_sign_line(&line, &report, why, s, &l, work, -1);
	bb_buf_free(&line);
	if (ok && !report.complete) {
		*why = report.why;
		ok = false;
	}
	if (ok)
		put_solution(solution, &l.tx.in[0]);
	if (ok && solution->failed) {
		*why = "out of memory";
		ok = false;
	}
	return ok;
}
