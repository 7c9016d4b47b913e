#include "wallet/txbuild.h"

#include <string.h>

#include "bitcoin/policy.h"
#include "crypto/curve.h"

static const char too_large[] = "transaction too large"; /* bb_select_coins's own word */

/* Choosing. */

int64_t bb_txbuild_max_weight(const struct bb_txbuild *b)
{
	return b->allow_large ? BB_MAX_BLOCK_WEIGHT : BB_MAX_STANDARD_WEIGHT;
}

static int64_t output_weight(struct bb_span script)
{
	return BB_WITNESS_SCALE * (int64_t)(8 + bb_compact_len(script.len) + script.len);
}

/* The parameters for change of that script. */
static void set_change(
	struct bb_select_params *p, const struct bb_txbuild *b, struct bb_span script)
{
	const size_t outputs = b->pay_count;
	struct bb_input_size spend;
	const char *why;

	p->change_weight = output_weight(script);
	p->change_weight += BB_WITNESS_SCALE *
			    (int64_t)(bb_compact_len(outputs + 1) - bb_compact_len(outputs));
	p->dust_sat = b->sweep && b->allow_dust ? 1 : bb_dust_limit(&bb_policy_core, script);
	p->change_spend_weight = 0;
	if (!b->sweep && bb_input_size(&spend, &why, script, NULL))
		p->change_spend_weight = spend.weight;
}

static struct bb_select_params set_params(const struct bb_txbuild *b)
{
	struct bb_select_params p = {
		.base_weight = BB_WITNESS_SCALE *
			       (int64_t)(4 + 1 + bb_compact_len(b->pay_count) + 4),
		.fee_per_kvb = b->fee_per_kvb,
		.max_weight = bb_txbuild_max_weight(b),
		.all = b->sweep || b->spend_all,
		.need_change = b->sweep,
	};

	for (size_t i = 0; i < b->pay_count; i++) {
		p.base_weight += output_weight(b->pay[i].script);
		p.target_sat += b->pay[i].value_sat;
	}
	return p;
}

static bool select(struct bb_txbuild *b, const char **why, int64_t *short_sat,
	const struct bb_candidate *candidates, const struct bb_select_params *p)
{
	size_t confirmed = 0;

	while (confirmed < b->count && b->coins[confirmed].confirmed)
		confirmed++;
	if (!p->all && confirmed && confirmed < b->count &&
		bb_select_coins(&b->chosen, why, short_sat, candidates, confirmed, p))
		return true;
	return bb_select_coins(&b->chosen, why, short_sat, candidates, b->count, p);
}

/* The script that takes more room: what change may cost while its script is not yet known. */
static struct bb_span longest_script(const struct bb_txbuild *b)
{
	struct bb_span longest = BB_SPAN(NULL, 0);

	for (size_t i = 0; i < b->count; i++)
		if (b->coins[i].prevout.script.len > longest.len)
			longest = b->coins[i].prevout.script;
	return longest;
}

static bool prepare(struct bb_txbuild *b, struct bb_candidate **candidates, struct bb_arena *a)
{
	struct bb_candidate *c = bb_arena_array(a, b->count + 1, sizeof(*c));

	b->chosen.index = bb_arena_array(a, b->count + 1, sizeof(*b->chosen.index));
	if (!c || !b->chosen.index)
		return false;
	for (size_t i = 0; i < b->count; i++)
		c[i] = (struct bb_candidate){b->coins[i].prevout.value_sat,
			b->coins[i].size.weight, b->coins[i].size.witness};
	*candidates = c;
	return true;
}

/* Where change goes by itself: to the first input that somebody owns. An anchor is anybody's.
 */
static struct bb_span first_owned(const struct bb_txbuild *b)
{
	for (size_t i = 0; i < b->chosen.chosen; i++) {
		struct bb_span script = b->coins[b->chosen.index[i]].prevout.script;
		if (bb_script_type(script) != BB_ANCHOR)
			return script;
	}
	return BB_SPAN(NULL, 0);
}

bool bb_txbuild_choose(
	struct bb_txbuild *b, const char **why, int64_t *short_sat, struct bb_arena *a)
{
	struct bb_select_params p = set_params(b);
	struct bb_candidate *candidates;
	const bool first_input = !b->rest.data; /* change goes back to it */

	*short_sat = 0;
	*why = "out of memory";
	if (!prepare(b, &candidates, a))
		return false;
	set_change(&p, b, first_input ? longest_script(b) : b->rest);
	if (!select(b, why, short_sat, candidates, &p))
		return false;
	if (first_input) {
		b->rest = first_owned(b);
		set_change(&p, b, b->rest);
		bb_settle_change(&b->chosen, candidates, &p);
	}
	*why = "change needs an address (--change)";
	if (b->chosen.change_sat && !b->rest.len)
		return false;
	*why = too_large;
	return bb_selection_weight(&b->chosen, candidates, &p) <= p.max_weight;
}

/* Building. */

/* A place among the outputs that does not tell which one is change. */
static bool change_place(size_t *at, const struct bb_txbuild *b)
{
	uint64_t random = 0;

	*at = b->sweep ? b->rest_at : b->pay_count;
	if (b->sweep || b->keep_order)
		return true;
	if (!bb_random(&random, sizeof(random)))
		return false;
	*at = random % (b->pay_count + 1);
	return true;
}

bool bb_txbuild_tx(struct bb_tx *tx, struct bb_prevout **prevouts, const char **why,
	const struct bb_txbuild *b, struct bb_arena *a)
{
	const struct bb_selection *s = &b->chosen;
	size_t at;

	*tx = (struct bb_tx){.version = 2, .locktime = b->locktime, .in_count = s->chosen};
	tx->in = bb_arena_array(a, s->chosen, sizeof(*tx->in));
	*prevouts = bb_arena_array(a, s->chosen, sizeof(**prevouts));
	*why = "out of memory";
	if (!tx->in || !*prevouts)
		return false;
	for (size_t i = 0; i < s->chosen; i++) {
		const struct bb_utxo *c = &b->coins[s->index[i]];
		tx->in[i].prevout = c->outpoint;
		tx->in[i].sequence = b->sequence;
		(*prevouts)[i] = c->prevout;
	}
	tx->out = b->pay;
	tx->out_count = b->pay_count;
	if (!s->change_sat)
		return true;
	*why = "no entropy";
	if (!change_place(&at, b))
		return false;
	memmove(&tx->out[at + 1], &tx->out[at], (tx->out_count - at) * sizeof(*tx->out));
	tx->out[at] = (struct bb_txout){s->change_sat, b->rest};
	tx->out_count++;
	return true;
}

const struct bb_json *bb_txbuild_vin(
	bool *any, const char **why, const struct bb_txbuild *b, struct bb_arena *a)
{
	struct bb_buf text = {0};
	struct bb_json_writer w = {.buf = &text};
	const struct bb_json *fields = NULL;
	struct bb_span kept;

	*any = false;
	bb_json_open(&w, '{');
	bb_json_key(&w, "vin");
	bb_json_open(&w, '[');
	for (size_t i = 0; i < b->chosen.chosen; i++) {
		struct bb_span own = b->coins[b->chosen.index[i]].fields;
		*any |= own.len > 2;
		bb_json_raw(&w, own);
	}
	bb_json_close(&w, ']');
	bb_json_close(&w, '}');
	*why = "out of memory";
	kept = bb_arena_copy(a, BB_SPAN(text.data, text.len));
	if (!text.failed && kept.data)
		fields = bb_json_parse(a, why, kept);
	bb_buf_free(&text);
	return fields ? bb_json_get(fields, "vin") : NULL;
}
