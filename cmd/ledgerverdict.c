#include "ledgerverdict.h"

static void member_from(struct bb_json_writer *w, struct bb_span from)
{
	if (!from.len)
		return;
	bb_json_key(w, "from");
	bb_json_raw(w, from);
}

static void member_result(struct bb_json_writer *w, bool valid, enum bb_outcome r)
{
	bb_json_key(w, "valid");
	bb_json_bool(w, valid);
	bb_json_member_str(w, "result", bb_outcome_name(r));
}

static void open_verdict(struct bb_json_writer *w, const struct ledgerverdict *around)
{
	bb_json_open(w, '{');
	bb_json_member_str(w, "type", "verdict");
	if (around->line)
		bb_json_member_i64(w, "line", (int64_t)around->line);
}

static void close_verdict(struct bb_json_writer *w, const struct ledgerverdict *around)
{
	if (around->tip) {
		bb_json_member_hash(w, "tip", around->tip->id);
		bb_json_member_i64(w, "height", around->tip->height);
	}
	bb_json_close(w, '}');
	bb_json_end_line(w);
}

/* Blocks and headers. */

void ledgerverdict_put(struct bb_buf *out, const struct ledgerverdict *around,
	const struct bb_verdict *v, enum bb_outcome r)
{
	struct bb_json_writer w = {.buf = out};

	open_verdict(&w, around);
	bb_json_member_hash(&w, "id", v->id);
	member_from(&w, around->from);
	member_result(&w, v->valid, r);
	bb_json_failure(&w, v);
	bb_json_unjudged(&w, v->unjudged);
	close_verdict(&w, around);
}

/* Transactions. */

static void members_ids(struct bb_json_writer *w, const struct bb_acceptance *r)
{
	bb_json_member_hash(w, "id", r->verdict.id);
	bb_json_member_hash(w, "wtxid", r->wtxid);
}

/* Where there are any. */
static void member_txids(
	struct bb_json_writer *w, const char *key, unsigned char (*txids)[32], size_t count)
{
	if (!count)
		return;
	bb_json_key(w, key);
	bb_json_open(w, '[');
	for (size_t i = 0; i < count; i++)
		bb_json_hash(w, txids[i]);
	bb_json_close(w, ']');
}

static void members_acceptance(
	struct bb_json_writer *w, const struct bb_acceptance *r, bool effective)
{
	member_result(w, r->verdict.valid, r->outcome);
	bb_json_failure(w, &r->verdict);
	if (r->vsize) {
		bb_json_member_i64(w, "fee", r->fee_sat);
		bb_json_member_i64(w, "vsize", r->vsize);
	}
	if (effective && r->effective.size) {
		bb_json_member_i64(w, "effective_fee", r->effective.fee_sat);
		bb_json_member_i64(w, "effective_vsize", r->effective.size);
	}
	member_txids(w, "replaced", r->replaced, r->replaced_count);
	member_txids(w, "missing", r->missing, r->missing_count);
}

void ledgerverdict_put_tx(
	struct bb_buf *out, const struct ledgerverdict *around, const struct bb_acceptance *r)
{
	struct bb_json_writer w = {.buf = out};

	open_verdict(&w, around);
	members_ids(&w, r);
	member_from(&w, around->from);
	members_acceptance(&w, r, false);
	close_verdict(&w, around);
}

void ledgerverdict_put_package(struct bb_buf *out, const struct ledgerverdict *around,
	const struct bb_package_acceptance *r)
{
	struct bb_json_writer w = {.buf = out};
	const bool valid = !r->error[0];

	open_verdict(&w, around);
	member_from(&w, around->from);
	member_result(&w, valid, valid ? BB_OUTCOME_ACCEPTED : BB_OUTCOME_REFUSED);
	if (!valid)
		bb_json_member_str(&w, "error", r->error);
	if (r->detail[0])
		bb_json_member_str(&w, "detail", r->detail);
	bb_json_key(&w, "txs");
	bb_json_open(&w, '[');
	for (size_t i = 0; i < r->count; i++) {
		bb_json_open(&w, '{');
		members_ids(&w, &r->tx[i]);
		members_acceptance(&w, &r->tx[i], true);
		bb_json_close(&w, '}');
	}
	bb_json_close(&w, ']');
	close_verdict(&w, around);
}
