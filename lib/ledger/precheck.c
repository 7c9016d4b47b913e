/* What is cheap to look at, before anything else is done for a transaction (PreChecks). */

#include <stdio.h>
#include <stdlib.h>

#include "ledger/query.h"
#include "ledger/truc.h"

/* What can be said without the mempool and the coins. */

static bool check_alone(struct bb_attempt *t, struct bb_candidate *c)
{
	const struct bb_tx *tx = &c->in->tx;
	const struct bb_policy *policy = t->p->policy;
	const char *why = bb_check_tx(tx);
	char detail[BB_DETAIL_SIZE];

	if (!why && bb_tx_is_coinbase(tx))
		why = "coinbase";
	if (why)
		return bb_accept_refuse(c->result, why, "%s", "");
	if ((why = bb_check_standard(policy, tx))) {
		bb_policy_detail(detail, why, policy, tx, NULL);
		return bb_accept_refuse(c->result, why, "%s", detail);
	}
	if (!bb_tx_is_final(tx, t->tip.height + 1, t->tip.mtp))
		return bb_accept_refuse(c->result, "non-final", "%s", "");
	return true;
}

/* Those that wait. */

static bool check_new(struct bb_attempt *t, struct bb_candidate *c)
{
	struct bb_pool_entry e;

	if (!bb_pool_find(&e, t->s, c->in->txid))
		return !t->s->why;
	c->present = memcmp(e.wtxid, c->in->wtxid, 32) == 0;
	if (c->present)
		return bb_accept_refuse(c->result, "txn-already-in-mempool", "%s", "");
	return bb_accept_refuse(c->result, "txn-same-nonwitness-data-in-mempool", "%s", "");
}

static bool find_conflicts(struct bb_attempt *t, struct bb_candidate *c)
{
	const struct bb_tx *tx = &c->in->tx;
	uint64_t spender;

	/* With room for a sibling. */
	c->conflicts = bb_arena_array(t->a, tx->in_count + 1, sizeof(*c->conflicts));
	if (!c->conflicts)
		return bb_store_no_memory(t->s);
	for (size_t i = 0; i < tx->in_count; i++) {
		if (!(spender = bb_pool_spender(t->s, &tx->in[i].prevout)))
			continue;
		if (!t->rules.replace)
			return bb_accept_refuse(
				c->result, "bip125-replacement-disallowed", "%s", "");
		c->conflicts[c->conflict_count++] = spender;
	}
	bb_pool_numbers_unique(c->conflicts, &c->conflict_count);
	return !t->s->why;
}

/* What is spent. */

static bool keep_prevout(struct bb_prevout *p, struct bb_attempt *t)
{
	const struct bb_span script = p->script;

	p->script = bb_arena_copy(t->a, script);
	return p->script.data || !script.len || bb_store_no_memory(t->s);
}

/* An output of one that comes with it, and before it. */
static bool find_in_package(struct bb_prevout *p, const struct bb_attempt *t,
	const struct bb_candidate *c, const struct bb_outpoint *o)
{
	for (const struct bb_candidate *k = t->tx; k < c; k++) {
		if (memcmp(k->in->txid, o->txid, 32) != 0 || o->vout >= k->in->tx.out_count)
			continue;
		p->known = true;
		p->value_sat = k->in->tx.out[o->vout].value_sat;
		p->script = k->in->tx.out[o->vout].script;
		p->height = t->tip.height + 1;
		p->coinbase = 0;
		p->mtp = t->tip.mtp;
		return true;
	}
	return false;
}

static bool get_coin(struct bb_coin *coin, struct bb_attempt *t, const struct bb_outpoint *o)
{
	return t->p->coins ? bb_coins_get(coin, t->p->coins, o) : bb_query_coin(coin, t->s, o);
}

static bool find_in_chain(struct bb_prevout *p, struct bb_attempt *t, const struct bb_tx *tx,
	const struct bb_txin *in)
{
	struct bb_coin coin;

	return get_coin(&coin, t, &in->prevout) &&
	       bb_query_coin_prevout(p, t->s, t->a, &coin, tx, in);
}

static bool find_prevout(struct bb_prevout *p, struct bb_attempt *t, struct bb_candidate *c,
	const struct bb_txin *in)
{
	uint64_t parent;

	*p = bb_prevout_unknown;
	if (find_in_package(p, t, c, &in->prevout))
		return true;
	parent = bb_pool_number(t->s, in->prevout.txid);
	if (!parent)
		return find_in_chain(p, t, &c->in->tx, in);
	if (!bb_pool_output(p, t->s, &in->prevout, &t->tip))
		return false;
	c->parents[c->parent_count++] = parent;
	return keep_prevout(p, t);
}

/* Is it in the chain already? Then it spent what is not there any more. */
static bool is_known(struct bb_attempt *t, const struct bb_incoming_tx *in)
{
	struct bb_outpoint o;
	struct bb_coin coin;

	memcpy(o.txid, in->txid, 32);
	for (o.vout = 0; o.vout < in->tx.out_count; o.vout++)
		if (get_coin(&coin, t, &o))
			return true;
	return false;
}

static bool find_prevouts(struct bb_attempt *t, struct bb_candidate *c)
{
	const struct bb_tx *tx = &c->in->tx;

	c->prevouts = bb_arena_array(t->a, tx->in_count, sizeof(*c->prevouts));
	c->parents = bb_arena_array(t->a, tx->in_count, sizeof(*c->parents));
	if (!c->prevouts || !c->parents)
		return bb_store_no_memory(t->s);
	for (size_t i = 0; i < tx->in_count; i++) {
		if (find_prevout(&c->prevouts[i], t, c, &tx->in[i]))
			continue;
		if (t->s->why)
			return false;
		c->present = is_known(t, c->in);
		if (c->present)
			return bb_accept_refuse(c->result, "txn-already-known", "%s", "");
		c->missing = true;
		return bb_accept_refuse(c->result, "bad-txns-inputs-missingorspent", "%s", "");
	}
	return !t->s->why;
}

/* Where what it spends is not to be found: is the transaction itself there? */
static bool is_here(struct bb_attempt *t, const unsigned char txid[32])
{
	if (bb_pool_number(t->s, txid))
		return true;
	if (t->p->rows)
		bb_rows_flush(t->p->rows);
	return bb_query_has_tx(t->s, t->a, txid);
}

static bool is_listed(const struct bb_acceptance *r, const unsigned char txid[32])
{
	for (size_t i = 0; i < r->missing_count; i++)
		if (memcmp(r->missing[i], txid, 32) == 0)
			return true;
	return false;
}

bool bb_accept_find_missing(struct bb_attempt *t, struct bb_candidate *c)
{
	const struct bb_tx *tx = &c->in->tx;
	struct bb_acceptance *r = c->result;
	struct bb_coin coin;
	struct bb_prevout p;

	if (!(r->missing = bb_arena_array(t->a, tx->in_count, sizeof(*r->missing))))
		return bb_store_no_memory(t->s);
	for (size_t i = 0; i < tx->in_count; i++) {
		const struct bb_outpoint *o = &tx->in[i].prevout;
		if (is_listed(r, o->txid) || get_coin(&coin, t, o) ||
			bb_pool_output(&p, t->s, o, &t->tip))
			continue;
		if (is_here(t, o->txid) || t->s->why) {
			r->missing_count = 0;
			return false;
		}
		memcpy(r->missing[r->missing_count++], o->txid, 32);
	}
	return !t->s->why;
}

struct named {
	uint64_t number;
	unsigned char txid[32];
};

static int compare_named(const void *a, const void *b)
{
	return memcmp(((const struct named *)a)->txid, ((const struct named *)b)->txid, 32);
}

/* Each parent once, by txid: the order in which Core finds faults with them. */
static bool sort_parents(struct bb_attempt *t, struct bb_candidate *c)
{
	struct bb_pool_entry e;
	struct named *list;

	bb_pool_numbers_unique(c->parents, &c->parent_count);
	if (c->parent_count < 2)
		return true;
	if (!(list = bb_arena_array(t->a, c->parent_count, sizeof(*list))))
		return bb_store_no_memory(t->s);
	for (size_t i = 0; i < c->parent_count; i++) {
		if (!bb_pool_get(&e, t->s, c->parents[i]))
			return false;
		list[i].number = e.number;
		memcpy(list[i].txid, e.txid, 32);
	}
	qsort(list, c->parent_count, sizeof(*list), compare_named);
	for (size_t i = 0; i < c->parent_count; i++)
		c->parents[i] = list[i].number;
	return true;
}

/* The rules that need what is spent. */

static bool check_inputs(struct bb_attempt *t, struct bb_candidate *c)
{
	const struct bb_tx *tx = &c->in->tx;
	const int64_t height = t->tip.height + 1, maturity = t->p->network->coinbase_maturity;
	const struct bb_policy *policy = t->p->policy;
	unsigned unjudged = 0;
	char detail[BB_DETAIL_SIZE];
	const char *why;

	if ((why = bb_check_sequence_locks(&unjudged, tx, c->prevouts, height, t->tip.mtp)))
		return bb_accept_refuse(c->result, why, "%s", "");
	why = bb_check_tx_inputs(
		&c->entry.fee_sat, &unjudged, tx, c->prevouts, height, maturity);
	if (why) {
		bb_tx_detail(detail, why, tx, c->prevouts, height, maturity);
		return bb_accept_refuse(c->result, why, "%s", detail);
	}
	if (unjudged && !t->s->why)
		t->s->why = "a rule was left unjudged";
	if ((why = bb_check_standard_inputs(policy, tx, c->prevouts))) {
		bb_policy_detail(detail, why, policy, tx, c->prevouts);
		return bb_accept_refuse(c->result, why, "%s", detail);
	}
	return !t->s->why;
}

static bool stage(struct bb_attempt *t, struct bb_candidate *c)
{
	struct bb_pool_entry *e = &c->entry;
	const int64_t cost = bb_tx_sigops_cost(&c->in->tx, c->prevouts, BB_VERIFY_STANDARD);
	const int64_t weight = bb_tx_weight(&c->in->tx);
	const int64_t adjusted = bb_adjusted_weight(t->p->policy, weight, cost);

	if (adjusted > UINT32_MAX) /* absurd bytes for a sigop: over every limit */
		return bb_accept_refuse(c->result, "too-large-cluster", "%s", "");
	memcpy(e->txid, c->in->txid, 32);
	memcpy(e->wtxid, c->in->wtxid, 32);
	e->time = bb_pool_now(t->p);
	e->height = t->tip.height;
	e->weight = (uint32_t)weight;
	e->adjusted_weight = (uint32_t)adjusted;
	e->sigops_cost = (uint32_t)cost;
	e->flags = BB_VERIFY_STANDARD;
	e->may_lapse = bb_pool_may_lapse(&c->in->tx, c->prevouts);
	e->bytes = c->in->bytes;
	e->prevouts = c->prevouts;
	c->result->fee_sat = e->fee_sat;
	c->result->vsize = bb_vsize(adjusted);
	return bb_change_add(t->change, e, &c->in->tx);
}

bool bb_accept_fee(struct bb_attempt *t, struct bb_acceptance *r, struct bb_feerate paid)
{
	const struct bb_policy *policy = t->p->policy;
	const int64_t rate = bb_pool_min_rate(t->s, policy, bb_pool_now(t->p));
	const int64_t pool_min = bb_fee_at(rate, paid.size);
	const int64_t relay_min = bb_fee_at(policy->min_relay_rate, paid.size);
	const bool room = paid.fee_sat >= pool_min;
	char detail[64];

	if (room && paid.fee_sat >= relay_min)
		return true;
	snprintf(detail, sizeof(detail), "%lld < %lld", (long long)paid.fee_sat,
		(long long)(room ? relay_min : pool_min));
	return bb_accept_refuse_fee(
		r, paid, room ? "min relay fee not met" : "mempool min fee not met", detail);
}

static bool check_truc(struct bb_attempt *t, struct bb_candidate *c)
{
	char detail[BB_DETAIL_SIZE];
	uint64_t sibling;

	if (bb_truc_check(detail, &sibling, t, c))
		return true;
	if (!sibling || !t->rules.replace_siblings)
		return bb_accept_refuse(c->result, "TRUC-violation", "%s", detail);
	c->conflicts[c->conflict_count++] = sibling;
	c->evicts_sibling = true;
	return true;
}

bool bb_accept_precheck(struct bb_attempt *t, struct bb_candidate *c)
{
	if (!check_alone(t, c) || !check_new(t, c) || !find_conflicts(t, c) ||
		!find_prevouts(t, c) || !sort_parents(t, c) || !check_inputs(t, c) ||
		!stage(t, c))
		return false;
	if (t->rules.back)
		return true;
	if (!t->rules.package_rates && !bb_accept_fee(t, c->result, bb_candidate_rate(c)))
		return false;
	return check_truc(t, c);
}
