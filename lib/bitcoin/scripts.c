#include "bitcoin/scripts.h"

#include <string.h>

/* All inputs as one row, so that threads may take them in any order. */
struct row {
	struct bb_sighash_cache *caches; /* one for each transaction */
	uint32_t *tx_of;		 /* of each input */
	uint32_t *first;		 /* input of each transaction */
	size_t count;			 /* inputs */
	const bool *known;		 /* transactions that need not be run; or NULL */
	size_t only;			 /* judge this one alone, unless SIZE_MAX */
	uint32_t flags;
	unsigned char *result;
};

enum { INPUTS_A_TURN = 4 };

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
	if (!row->known || !row->known[i])
		bb_sighash_cache_fill(&row->caches[i]);
}

static void run_turn(void *arg, size_t turn, struct bb_interpreter *vm)
{
	struct row *row = arg;
	size_t end = (turn + 1) * INPUTS_A_TURN;

	if (end > row->count)
		end = row->count;
	for (size_t n = turn * INPUTS_A_TURN; n < end; n++) {
		const size_t t = row->tx_of[n], index = n - row->first[t];
		if (row->only != SIZE_MAX && n != row->only)
			continue;
		if (row->known && row->known[t])
			row->result[n] = BB_SCRIPT_OK;
		else if (can_judge(&row->caches[t], index))
			row->result[n] = (unsigned char)bb_verify_input(
				vm, &row->caches[t], index, row->flags);
	}
}

/* Lay the inputs out; false when memory is out. */
static bool row_init(struct row *row, struct bb_arena *a, const struct bb_tx *tx,
	size_t tx_count, const struct bb_prevout *prevouts)
{
	size_t n = 0;

	for (size_t t = 0; t < tx_count; t++)
		row->count += tx[t].in_count;
	row->caches = bb_arena_array(a, tx_count, sizeof(*row->caches));
	row->first = bb_arena_array(a, tx_count, sizeof(*row->first));
	row->tx_of = bb_arena_array(a, row->count, sizeof(*row->tx_of));
	row->result = bb_arena_alloc(a, row->count + 1);
	if (!row->caches || !row->first || !row->tx_of || !row->result)
		return false;
	for (size_t t = 0; t < tx_count; t++) {
		bb_sighash_cache_init(&row->caches[t], &tx[t], prevouts + n);
		row->first[t] = (uint32_t)n;
		for (size_t k = 0; k < tx[t].in_count; k++)
			row->tx_of[n++] = (uint32_t)t;
	}
	memset(row->result, BB_RESULT_NONE, row->count);
	return true;
}

bool bb_run_scripts(struct bb_script_results *out, struct bb_arena *a,
	struct bb_interpreter *vm, const struct bb_parallel *parallel, const struct bb_tx *tx,
	size_t tx_count, const struct bb_prevout *prevouts, const bool *known, size_t only,
	uint32_t flags)
{
	struct row row = {.known = known, .only = only, .flags = flags};
	size_t turns, n = 0;

	if (!row_init(&row, a, tx, tx_count, prevouts))
		return false;
	turns = (row.count + INPUTS_A_TURN - 1) / INPUTS_A_TURN;
	if (parallel && turns > 2) {
		/* What is shared must not change any more. */
		parallel->run(parallel->pool, fill_cache, &row, tx_count);
		parallel->run(parallel->pool, run_turn, &row, turns);
	} else {
		for (size_t i = 0; i < turns; i++)
			run_turn(&row, i, vm);
	}
	*out = (struct bb_script_results){.result = row.result,
		.count = row.count,
		.failed = SIZE_MAX,
		.failed_tx = SIZE_MAX,
		.failed_input = SIZE_MAX};
	while (n < row.count && (!row.result[n] || row.result[n] == BB_RESULT_NONE))
		n++;
	if (n < row.count) {
		out->failed = n;
		out->failed_tx = row.tx_of[n];
		out->failed_input = n - row.first[row.tx_of[n]];
	}
	return true;
}
