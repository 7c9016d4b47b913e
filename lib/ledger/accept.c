#include <stdarg.h>
#include <stdio.h>

#include "ledger/accept_inside.h"

bool bb_incoming_tx_parse(struct bb_incoming_tx *in, struct bb_arena *a, struct bb_span bytes)
{
	memset(in, 0, sizeof(*in));
	in->bytes = bytes;
	if (!bb_tx_parse(&in->tx, bytes, a))
		return false;
	bb_tx_txid(in->txid, &in->tx);
	bb_tx_wtxid(in->wtxid, &in->tx);
	return true;
}

/* Results. */

void bb_accept_reset(struct bb_acceptance *r, const struct bb_incoming_tx *in)
{
	*r = (struct bb_acceptance){.outcome = BB_OUTCOME_REFUSED};
	memcpy(r->verdict.id, in->txid, 32);
	memcpy(r->wtxid, in->wtxid, 32);
	strcpy(r->verdict.error, "package-not-validated");
}

bool bb_accept_refuse(struct bb_acceptance *r, const char *reason, const char *format, ...)
{
	struct bb_verdict *v = &r->verdict;
	va_list args;

	r->outcome = BB_OUTCOME_REFUSED;
	r->reconsiderable = false;
	v->valid = false;
	snprintf(v->error, sizeof(v->error), "%s", reason);
	va_start(args, format);
	vsnprintf(v->detail, sizeof(v->detail), format, args);
	va_end(args);
	return false;
}

bool bb_accept_refuse_fee(
	struct bb_acceptance *r, struct bb_feerate paid, const char *reason, const char *detail)
{
	bb_accept_refuse(r, reason, "%s", detail);
	r->reconsiderable = true;
	r->effective = paid;
	return false;
}

/* Is it, or what depends on it, a parent of this one? */
static bool is_ancestor(struct bb_attempt *t, const struct bb_candidate *c, uint64_t number)
{
	size_t count;
	const uint64_t *below = bb_pool_descendants(&count, t->s, t->a, number);

	for (size_t i = 0; below && i < c->parent_count; i++) {
		if (c->parents[i] == number)
			return true;
		for (size_t k = 0; k < count; k++)
			if (c->parents[i] == below[k])
				return true;
	}
	return false;
}

/* Nobody may spend what he takes the place of. Of several such the first by txid is told, as
 * Core does. */
static bool check_disjoint(struct bb_attempt *t, struct bb_candidate *c)
{
	struct bb_pool_entry e, first = {0};

	for (size_t i = 0; i < c->conflict_count; i++)
		if (is_ancestor(t, c, c->conflicts[i]) &&
			bb_pool_get(&e, t->s, c->conflicts[i]) &&
			(!first.number || memcmp(e.txid, first.txid, 32) < 0))
			first = e;
	if (!first.number)
		return !t->s->why;
	return bb_accept_refuse(c->result, "bad-txns-spends-conflicting-tx",
		"%s spends conflicting transaction %s", bb_id_text(c->in->txid).s,
		bb_id_text(first.txid).s);
}

/* Ephemeral dust: who spends from a transaction that has some, spends it too. */

static bool spends_dust_of(const struct bb_policy *policy, const struct bb_tx *tx,
	const unsigned char parent_txid[32], const struct bb_tx *parent)
{
	struct bb_outpoint o;

	memcpy(o.txid, parent_txid, 32);
	for (o.vout = 0; o.vout < parent->out_count; o.vout++) {
		const struct bb_txout *out = &parent->out[o.vout];
		if (out->value_sat < bb_dust_limit(policy, out->script) &&
			!bb_tx_spends(tx, &o))
			return false;
	}
	return true;
}

static bool parent_dust_is_spent(struct bb_attempt *t, const struct bb_candidate *c, size_t i)
{
	struct bb_pool_entry e;
	struct bb_tx parent;

	return bb_pool_get(&e, t->s, c->parents[i]) &&
	       bb_pool_parse_tx(&parent, t->a, t->s, &e) &&
	       spends_dust_of(t->p->policy, &c->in->tx, e.txid, &parent);
}

bool bb_accept_dust_spends(struct bb_attempt *t, struct bb_candidate *c)
{
	const struct bb_policy *policy = t->p->policy;
	bool spent = true;

	if (!policy->standard)
		return true;
	for (size_t i = 0; i < t->count && spent; i++) {
		const struct bb_incoming_tx *k = t->tx[i].in;
		if (bb_tx_spends_from(&c->in->tx, k->txid))
			spent = spends_dust_of(policy, &c->in->tx, k->txid, &k->tx);
	}
	for (size_t i = 0; i < c->parent_count && spent; i++)
		spent = parent_dust_is_spent(t, c, i);
	if (spent)
		return true;
	return bb_accept_refuse(c->result, "missing-ephemeral-spends",
		"tx %s (wtxid=%s) did not spend parent's ephemeral dust",
		bb_id_text(c->in->txid).s, bb_id_text(c->in->wtxid).s);
}

/* Scripts. Policy's flags contain those of every block: what passes them has passed all. */

/* Somebody trusted has run them on these very prevouts. False: nobody has, or stopped before.
 */
static bool scripts_known(const struct bb_candidate *c)
{
	static const char failed[] = "mempool-script-verify-flag-failed ";
	const struct bb_incoming_tx *in = c->in;
	unsigned char hash[32];

	if (!in->marked || (in->mark_standard &&
				   strncmp(in->mark_standard, failed, sizeof(failed) - 1) != 0))
		return false;
	bb_prevouts_hash(hash, c->prevouts, in->tx.in_count);
	return memcmp(hash, in->mark_prevouts, 32) == 0;
}

bool bb_accept_scripts(struct bb_attempt *t, struct bb_candidate *c)
{
	struct bb_verdict *v = &c->result->verdict;
	char reason[sizeof(v->error)], detail[BB_DETAIL_SIZE];
	struct bb_script_results r;

	if (scripts_known(c))
		return !c->in->mark_standard ||
		       bb_accept_refuse(c->result, c->in->mark_standard, "%s", "");
	if (!bb_run_scripts(&r, t->a, t->p->vm, t->p->parallel, &c->in->tx, 1, c->prevouts,
		    NULL, SIZE_MAX, BB_VERIFY_STANDARD))
		return bb_store_no_memory(t->s);
	if (r.failed == SIZE_MAX)
		return true;
	snprintf(reason, sizeof(reason), "mempool-script-verify-flag-failed (%s)",
		bb_script_error_text(r.result[r.failed]));
	bb_script_detail(detail, &c->in->tx, r.failed_input);
	v->has_input = true;
	v->input = r.failed;
	v->script_error = r.result[r.failed];
	return bb_accept_refuse(c->result, reason, "%s", detail);
}

/* They enter. */

/* The txids of those that go; like Core, the first tells of them. */
static bool list_replaced(struct bb_attempt *t)
{
	struct bb_acceptance *r = t->tx[0].result;
	const uint64_t *gone = bb_change_removed(&r->replaced_count, t->change);
	struct bb_pool_entry e;

	r->replaced = bb_arena_array(t->a, r->replaced_count, sizeof(*r->replaced));
	if (!r->replaced && r->replaced_count)
		return bb_store_no_memory(t->s);
	for (size_t i = 0; i < r->replaced_count; i++) {
		if (!bb_pool_get(&e, t->s, gone[i]))
			return false;
		memcpy(r->replaced[i], e.txid, 32);
	}
	return true;
}

/* In their place stands the last, who pays for them. */
static void put_events(struct bb_attempt *t)
{
	const struct bb_acceptance *r = t->tx[0].result;
	const unsigned char *by = t->tx[t->count - 1].in->txid;

	for (size_t i = 0; i < r->replaced_count; i++)
		bb_event_put_tx(
			t->s, BB_EVENT_REPLACED, r->replaced[i], BB_REMOVAL_REPLACED, by);
	for (size_t i = 0; i < t->count; i++)
		bb_event_put_tx(t->s, BB_EVENT_ACCEPTED, t->tx[i].in->txid, 0, NULL);
}

void bb_accept_good(struct bb_attempt *t, struct bb_candidate *c)
{
	c->judged = true;
	c->result->outcome = BB_OUTCOME_ACCEPTED;
	c->result->effective = t->rules.package_rates ? t->total : bb_candidate_rate(c);
	c->result->verdict.valid = true;
	c->result->verdict.error[0] = '\0';
}

void bb_attempt_finish(struct bb_attempt *t)
{
	if (t->s->why || !list_replaced(t))
		return;
	if (!t->rules.test) {
		if (!bb_change_apply(t->change))
			return;
		put_events(t);
	}
	for (size_t i = 0; i < t->count; i++)
		bb_accept_good(t, &t->tx[i]);
}

/* One alone. */

bool bb_attempt_begin(struct bb_attempt *t, struct bb_pool *p, struct bb_arena *a,
	struct bb_accept_rules rules, struct bb_acceptance *results,
	const struct bb_incoming_tx *const *in, size_t count)
{
	*t = (struct bb_attempt){.p = p, .s = p->store, .a = a, .rules = rules, .count = count};
	if (!bb_tree_tip(&t->tip, t->s))
		t->tip.height = -1; /* before the genesis block there are no coins */
	if (t->s->why)
		return false;
	t->tx = bb_arena_array(a, count, sizeof(*t->tx));
	t->change = bb_change_new(t->s, p->policy, a);
	if (!t->tx || !t->change)
		return bb_store_no_memory(t->s);
	for (size_t i = 0; i < count; i++) {
		t->tx[i].in = in[i];
		t->tx[i].result = &results[i];
		bb_accept_reset(&results[i], in[i]);
	}
	return true;
}

void bb_attempt_single(struct bb_attempt *t)
{
	struct bb_candidate *c = t->tx;

	if (!bb_accept_precheck(t, c))
		return;
	if (c->conflict_count) {
		if (!bb_replace_check(t, c) || !check_disjoint(t, c))
			return;
	} else if (!bb_change_fits(t->change)) {
		bb_accept_refuse(c->result, "too-large-cluster", "%s", "");
		return;
	}
	if (bb_accept_dust_spends(t, c) && bb_accept_scripts(t, c))
		bb_attempt_finish(t);
}

/* Within the limits again: is it still there? */
static bool make_room(struct bb_attempt *t)
{
	struct bb_candidate *c = t->tx;

	if (t->rules.test || c->result->outcome != BB_OUTCOME_ACCEPTED)
		return true;
	if (!t->rules.back && !bb_pool_limit(t->p))
		return false;
	if (!bb_pool_number(t->s, c->in->txid))
		bb_accept_refuse_fee(c->result, bb_candidate_rate(c), "mempool full", "");
	else
		bb_put(&t->p->arrived, c->in->txid, 32);
	return !t->s->why;
}

/* Who has it already needs no excuse; who lacks its parents may wait for them, but not for what
 * is gone. */
static void soften(struct bb_attempt *t, struct bb_candidate *c)
{
	struct bb_acceptance *r = c->result;
	struct bb_verdict *v = &r->verdict;

	if (c->missing) {
		if (t->rules.back || bb_accept_find_missing(t, c))
			r->outcome = BB_OUTCOME_ORPHAN;
	} else if (c->present) {
		r->outcome = BB_OUTCOME_DUPLICATE;
		v->valid = true;
		v->error[0] = '\0';
	}
}

bool bb_accept_tx(struct bb_acceptance *r, struct bb_pool *p, struct bb_arena *a,
	const struct bb_incoming_tx *in, enum bb_acceptance_kind kind)
{
	const struct bb_accept_rules rules = {
		.test = kind == BB_ACCEPT_TEST,
		.back = kind == BB_ACCEPT_BACK,
		.replace = true,
		.replace_siblings = true,
	};
	struct bb_attempt t;

	if (!bb_attempt_begin(&t, p, a, rules, r, &in, 1))
		return false;
	bb_attempt_single(&t);
	if (p->store->why || !make_room(&t))
		return false;
	if (kind != BB_ACCEPT_TEST)
		soften(&t, t.tx);
	return !p->store->why;
}
