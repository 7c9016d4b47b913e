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

/* The inputs of a transaction, or of all in a block, as one row, so that threads may take them
 * in any order. */
struct row {
	struct bb_sighash_cache *caches; /* one for each transaction */
	size_t cache_count;
	uint32_t *tx_of; /* of each input; NULL: all are of the first transaction */
	uint32_t *first; /* the first input of each transaction */
	size_t count;	 /* inputs */
	size_t only;	 /* judge this one alone, unless SIZE_MAX */
	uint32_t flags;
	unsigned char *results;
};

enum { INPUTS_A_TURN = 16 };

/* Can this input's script be judged with the prevouts at hand? Taproot signs them all. */
static bool can_judge(const struct bb_sighash_cache *cache, size_t index)
{
	const struct bb_prevout *p = &cache->prevouts[index];
	struct bb_span program;
	unsigned version;

	if (!p->known || cache->all_known)
		return p->known;
	return !bb_script_is_witness(&version, &program, p->script) || version == 0;
}

static void fill_cache(void *arg, size_t i, struct bb_interpreter *vm)
{
	struct row *row = arg;

	(void)vm;
	bb_sighash_cache_fill(&row->caches[i]);
}

static void run_turn(void *arg, size_t turn, struct bb_interpreter *vm)
{
	struct row *row = arg;
	size_t end = (turn + 1) * INPUTS_A_TURN;

	if (end > row->count)
		end = row->count;
	for (size_t n = turn * INPUTS_A_TURN; n < end; n++) {
		const size_t t = row->tx_of ? row->tx_of[n] : 0;
		const size_t index = n - (row->tx_of ? row->first[t] : 0);
		if ((row->only == SIZE_MAX || n == row->only) &&
			can_judge(&row->caches[t], index))
			row->results[n] = (unsigned char)bb_verify_input(
				vm, &row->caches[t], index, row->flags);
	}
}

static void for_all(const struct bb_judge *j, bool parallel,
	void (*fn)(void *, size_t, struct bb_interpreter *), struct row *row, size_t count)
{
	if (parallel) {
		j->parallel->run(j->parallel->pool, fn, row, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		fn(row, i, j->vm);
}

/* Judge the row's scripts; `prefix` begins the reject reason of the first that fails. */
static void run_row(
	struct bb_verdict *v, const struct bb_judge *j, struct row *row, const char *prefix)
{
	const size_t turns = (row->count + INPUTS_A_TURN - 1) / INPUTS_A_TURN;
	const bool parallel = j->parallel && turns > 2;

	if (!row->results) {
		refuse(v, "out of memory");
		return;
	}
	memset(row->results, BB_RESULT_NONE, row->count);
	if (parallel) /* what is shared must not change any more */
		for_all(j, parallel, fill_cache, row, row->cache_count);
	for_all(j, parallel, run_turn, row, turns);
	v->results = row->results;
	v->result_count = row->count;
	for (size_t n = 0; n < row->count && !v->has_input; n++) {
		const size_t t = row->tx_of ? row->tx_of[n] : 0;
		if (row->results[n] && row->results[n] != BB_RESULT_NONE)
			refuse_script(v, prefix, row->results[n], n, row->caches[t].tx,
				n - (row->tx_of ? row->first[t] : 0));
	}
}

/* Transactions. */

static void run_scripts(struct bb_verdict *v, const struct bb_judge *j,
	const struct bb_txline *l, uint32_t flags, size_t only)
{
	struct bb_sighash_cache cache;
	struct row row = {
		.caches = &cache,
		.cache_count = 1,
		.count = l->tx.in_count,
		.only = only,
		.flags = flags,
		.results = bb_arena_alloc(j->arena, l->tx.in_count + 1),
	};

	bb_sighash_cache_init(&cache, &l->tx, l->prevouts);
	run_row(v, j, &row, "mempool");
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
		run_scripts(v, j, l, flags, only);
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
		run_scripts(v, j, l, flags, only);
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
	*standard = bb_check_standard(&l->tx);
	if (!*standard)
		*standard = bb_check_standard_inputs(&l->tx, l->prevouts);
	if (!*standard) {
		/* Policy's flags contain consensus': what passes them has passed both. */
		run_scripts(&v, j, l, BB_VERIFY_STANDARD, SIZE_MAX);
		*standard = keep_reason(j, &v);
		if (v.valid)
			return;
		v = (struct bb_verdict){.valid = true};
	}
	run_scripts(&v, j, l, BB_VERIFY_CONSENSUS, SIZE_MAX);
	*consensus = keep_reason(j, &v);
}

/* Blocks. */

static void run_block_scripts(struct bb_verdict *v, const struct bb_judge *j,
	const struct bb_blockline *l, uint32_t flags)
{
	const size_t txs = l->block.tx_count - 1; /* the coinbase spends nothing */
	struct row row = {
		.caches = bb_arena_array(j->arena, txs, sizeof(*row.caches)),
		.cache_count = txs,
		.tx_of = bb_arena_array(j->arena, l->prevout_count, sizeof(*row.tx_of)),
		.first = bb_arena_array(j->arena, txs, sizeof(*row.first)),
		.count = l->prevout_count,
		.only = SIZE_MAX,
		.flags = flags,
		.results = bb_arena_alloc(j->arena, l->prevout_count + 1),
	};
	size_t n = 0;

	if (!row.caches || !row.tx_of || !row.first)
		row.results = NULL;
	for (size_t t = 0; t < txs && row.results; t++) {
		const struct bb_tx *tx = &l->block.tx[t + 1];
		bb_sighash_cache_init(&row.caches[t], tx, l->prevouts + n);
		row.first[t] = (uint32_t)n;
		for (size_t k = 0; k < tx->in_count; k++)
			row.tx_of[n++] = (uint32_t)t;
	}
	run_row(v, j, &row, "block");
}

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
		run_block_scripts(v, j, l, flags);
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

static void put_unjudged(struct bb_json_writer *w, unsigned unjudged)
{
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
	bb_json_key(&w, "type");
	bb_json_str(&w, "verdict");
	bb_json_key(&w, "line");
	bb_json_i64(&w, (int64_t)line);
	if (has_id) {
		bb_json_key(&w, "id");
		bb_json_hash(&w, v->id);
	}
	if (from.len) {
		bb_json_key(&w, "from");
		bb_json_raw(&w, from);
	}
	bb_json_key(&w, "valid");
	bb_json_bool(&w, v->valid);
	if (v->error[0]) {
		bb_json_key(&w, "error");
		bb_json_str(&w, v->error);
	}
	if (v->detail[0]) {
		bb_json_key(&w, "detail");
		bb_json_str(&w, v->detail);
	}
	if (v->has_input) {
		bb_json_key(&w, "script_error");
		bb_json_str(&w, bb_script_error_name(v->script_error));
		bb_json_key(&w, "input");
		bb_json_i64(&w, (int64_t)v->input);
	}
	if (v->results)
		put_results(&w, v);
	if (v->unjudged)
		put_unjudged(&w, v->unjudged);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}
