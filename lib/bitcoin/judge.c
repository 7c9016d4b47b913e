#include "bitcoin/judge.h"

#include <stdio.h>
#include <string.h>

#include "bitcoin/detail.h"
#include "bitcoin/policy.h"

/* The first reason stands; what comes later does not replace it. */
static void refuse(struct bb_verdict *v, const char *reason)
{
	if (v->error[0])
		return;
	snprintf(v->error, sizeof(v->error), "%s", reason);
	v->valid = false;
}

static void refuse_script(struct bb_verdict *v, const char *prefix, enum bb_script_error e,
	size_t number, const struct bb_tx *tx, size_t index)
{
	char reason[sizeof(v->error)];

	v->has_input = true;
	v->input = number;
	v->script_error = e;
	if (v->error[0])
		return;
	snprintf(reason, sizeof(reason), "%s-script-verify-flag-failed (%s)", prefix,
		bb_script_error_text(e));
	refuse(v, reason);
	bb_script_detail(v->detail, tx, index);
}

/* Scripts. */

/* Judge the scripts of these transactions; `prefix` begins the reject reason of the first that
 * fails. */
static void run_scripts(struct bb_verdict *v, const struct bb_judge *j, const struct bb_tx *tx,
	size_t tx_count, const struct bb_prevout *prevouts, size_t only, uint32_t flags,
	const char *prefix)
{
	struct bb_script_results r;

	if (!bb_run_scripts(&r, j->arena, j->vm, j->parallel, tx, tx_count, prevouts, NULL,
		    only, flags)) {
		refuse(v, "out of memory");
		return;
	}
	v->results = r.result;
	v->result_count = r.count;
	if (r.failed != SIZE_MAX)
		refuse_script(v, prefix, r.result[r.failed], r.failed, &tx[r.failed_tx],
			r.failed_input);
}

/* Transactions. */

static void run_tx_scripts(struct bb_verdict *v, const struct bb_judge *j,
	const struct bb_txline *l, uint32_t flags, size_t only)
{
	run_scripts(v, j, &l->tx, 1, l->prevouts, only, flags, "mempool");
}

/* `flags` and `input` of the line. */
static bool read_line_flags(
	uint32_t *flags, size_t *only, const char **why, const struct bb_txline *l)
{
	const struct bb_json *f = bb_json_find(l->doc, "flags"),
			     *i = bb_json_find(l->doc, "input");
	int64_t n;

	if (f && (f->type != BB_JSON_STRING || !bb_flags_parse(flags, f->text))) {
		*why = "flags: not a list of script flags";
		return false;
	}
	if (i && (!bb_json_int(&n, i, 0, INT64_MAX) || (uint64_t)n >= l->tx.in_count)) {
		*why = "input: no such input";
		return false;
	}
	if (i)
		*only = (size_t)n;
	return true;
}

/* More signature operations than any block may hold. Like a weight over a block's, it spares
 * the scripts, which might take very long. */
static bool too_costly(const struct bb_txline *l)
{
	return bb_tx_sigops_cost(&l->tx, l->prevouts, BB_VERIFY_CONSENSUS) >
	       BB_MAX_BLOCK_SIGOPS_COST;
}

/* The rules around the scripts, in the order of Core's mempool. */
static void check_around(
	struct bb_verdict *v, const struct bb_judge *j, const struct bb_txline *l, bool costly)
{
	const char *why;
	int64_t fee;

	if (bb_tx_is_coinbase(&l->tx))
		refuse(v, "coinbase");
	if (bb_tx_weight(&l->tx) > BB_MAX_BLOCK_WEIGHT)
		refuse(v, "tx-size");
	if (bb_tx_has_locktime(&l->tx)) {
		const bool by_time = l->tx.locktime >= BB_LOCKTIME_THRESHOLD;
		if ((by_time ? l->at_mtp : l->at_height) < 0)
			v->unjudged |= BB_UNJUDGED_FINAL;
		else if (!bb_tx_is_final(&l->tx, l->at_height, l->at_mtp))
			refuse(v, "non-final");
	}
	if (!l->all_known && !bb_tx_is_coinbase(&l->tx)) {
		if (!j->partial)
			refuse(v, "missing-prevouts");
		v->unjudged |= BB_UNJUDGED_INPUTS;
	}
	why = bb_check_sequence_locks(
		&v->unjudged, &l->tx, l->prevouts, l->at_height, l->at_mtp);
	if (why)
		refuse(v, why);
	why = bb_check_tx_inputs(&fee, &v->unjudged, &l->tx, l->prevouts, l->at_height,
		j->network->coinbase_maturity);
	if (why && v->valid)
		bb_tx_detail(v->detail, why, &l->tx, l->prevouts, l->at_height,
			j->network->coinbase_maturity);
	if (why)
		refuse(v, why);
	if (costly)
		refuse(v, "bad-txns-too-many-sigops");
}

bool bb_judge_tx(struct bb_verdict *v, const char **why, const struct bb_judge *j,
	const struct bb_txline *l)
{
	uint32_t flags = BB_VERIFY_CONSENSUS;
	size_t only = SIZE_MAX;
	const char *reason = bb_check_tx(&l->tx);
	bool costly, run;

	*v = (struct bb_verdict){.valid = true};
	bb_tx_txid(v->id, &l->tx);
	if (j->line_flags && !read_line_flags(&flags, &only, why, l))
		return false;
	if (only != SIZE_MAX) { /* judged whatever the rest of the transaction is */
		if (!l->prevouts[only].known)
			refuse(v, "missing-prevouts");
		run_tx_scripts(v, j, l, flags, only);
		return true;
	}
	costly = too_costly(l);
	if (reason)
		refuse(v, reason);
	else
		check_around(v, j, l, costly);
	run = (l->all_known || j->partial) && !bb_tx_is_coinbase(&l->tx) && !costly &&
	      bb_tx_weight(&l->tx) <= BB_MAX_BLOCK_WEIGHT;
	if (run && (v->valid || j->every_input))
		run_tx_scripts(v, j, l, flags, only);
	return true;
}

static const char *keep_reason(const struct bb_judge *j, const struct bb_verdict *v)
{
	struct bb_span copy;

	if (v->valid)
		return NULL;
	copy = bb_arena_copy(j->arena, BB_SPAN(v->error, strlen(v->error) + 1));
	return copy.data ? (const char *)copy.data : "out of memory";
}

void bb_judge_mark(const char **consensus, const char **standard, const struct bb_judge *j,
	const struct bb_txline *l)
{
	struct bb_verdict v = {.valid = true};
	const char *reason = bb_check_tx(&l->tx);

	if (!reason && bb_tx_is_coinbase(&l->tx))
		reason = "coinbase";
	if (!reason && !l->all_known)
		reason = "missing-prevouts";
	if (!reason && bb_tx_weight(&l->tx) > BB_MAX_BLOCK_WEIGHT)
		reason = "tx-size";
	if (!reason && too_costly(l))
		reason = "bad-txns-too-many-sigops";
	*consensus = *standard = reason;
	if (reason)
		return;
	*standard = bb_check_standard(&bb_policy_core, &l->tx);
	if (!*standard)
		*standard = bb_check_standard_inputs(&bb_policy_core, &l->tx, l->prevouts);
	if (!*standard) {
		/* Policy's flags contain consensus': what passes them has passed both. */
		run_tx_scripts(&v, j, l, BB_VERIFY_STANDARD, SIZE_MAX);
		*standard = keep_reason(j, &v);
		if (v.valid)
			return;
		v = (struct bb_verdict){.valid = true};
	}
	run_tx_scripts(&v, j, l, BB_VERIFY_CONSENSUS, SIZE_MAX);
	*consensus = keep_reason(j, &v);
}

/* Blocks. */

void bb_judge_block(
	struct bb_verdict *v, const struct bb_judge *j, const struct bb_blockline *l)
{
	char reason[BB_REASON_SIZE];
	const char *why = NULL;
	size_t at = SIZE_MAX;
	uint32_t flags;
	bool sound;

	*v = (struct bb_verdict){.valid = true};
	bb_header_hash(v->id, &l->block.header);
	flags = bb_block_flags(j->network, v->id, l->claims.height);
	sound = bb_check_block(reason, &v->unjudged, &l->block, &l->claims, j->network);
	if (!sound)
		refuse(v, reason);
	if (!l->all_known)
		v->unjudged |= BB_UNJUDGED_INPUTS | BB_UNJUDGED_SUBSIDY;
	if (!l->all_known && !j->partial)
		refuse(v, "missing-prevouts");
	if (sound && (l->all_known || j->partial))
		why = bb_check_block_inputs(&v->unjudged, &at, &l->block, l->prevouts,
			&l->claims, flags, j->network);
	if (why)
		refuse(v, why);
	if (!v->valid)
		bb_block_detail(v->detail, v->error, &l->block, at, l->prevouts, &l->claims,
			j->network);
	if (l->all_known && (v->valid || (j->every_input && l->block.tx_count)))
		run_scripts(v, j, l->block.tx + 1, l->block.tx_count - 1, l->prevouts, SIZE_MAX,
			flags, "block"); /* the coinbase spends nothing */
}

/* Lines. */

void bb_prevouts_hash(unsigned char out[32], const struct bb_prevout *prevouts, size_t count)
{
	struct bb_sha256 h;

	bb_sha256_init(&h);
	for (size_t i = 0; i < count; i++) {
		bb_sha256_add_le64(&h, (uint64_t)prevouts[i].value_sat);
		bb_sha256_add_var(&h, prevouts[i].script);
	}
	bb_sha256_end(out, &h);
}

static void put_results(struct bb_json_writer *w, const struct bb_verdict *v)
{
	bb_json_key(w, "inputs");
	bb_json_open(w, '[');
	for (size_t i = 0; i < v->result_count; i++) {
		if (v->results[i] == BB_RESULT_NONE)
			bb_json_null(w);
		else
			bb_json_str(w, bb_script_error_name(v->results[i]));
	}
	bb_json_close(w, ']');
}

void bb_json_failure(struct bb_json_writer *w, const struct bb_verdict *v)
{
	if (v->error[0])
		bb_json_member_str(w, "error", v->error);
	if (v->detail[0]) {
		bb_json_member_str(w, "detail", v->detail);
	}
	if (v->has_input) {
		bb_json_member_str(w, "script_error", bb_script_error_name(v->script_error));
		bb_json_member_i64(w, "input", (int64_t)v->input);
	}
}

void bb_json_unjudged(struct bb_json_writer *w, unsigned unjudged)
{
	if (!unjudged)
		return;
	bb_json_key(w, "unjudged");
	bb_json_open(w, '[');
	for (unsigned bit = 0; bit < BB_UNJUDGED_COUNT; bit++)
		if (unjudged & 1u << bit)
			bb_json_str(w, bb_unjudged_name(1u << bit));
	bb_json_close(w, ']');
}

void bb_put_verdict(struct bb_buf *out, const struct bb_verdict *v, uint64_t line,
	struct bb_span from, bool has_id)
{
	struct bb_json_writer w = {.buf = out};

	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", "verdict");
	bb_json_member_i64(&w, "line", (int64_t)line);
	if (has_id)
		bb_json_member_hash(&w, "id", v->id);
	if (from.len) {
		bb_json_key(&w, "from");
		bb_json_raw(&w, from);
	}
	bb_json_key(&w, "valid");
	bb_json_bool(&w, v->valid);
	bb_json_failure(&w, v);
	if (v->results)
		put_results(&w, v);
	bb_json_unjudged(&w, v->unjudged);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}
