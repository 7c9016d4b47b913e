/* Packages: several transactions that may pay for each other (policy/packages.cpp,
 * AcceptPackage, AcceptMultipleTransactions). */

#include <stdio.h>
#include <stdlib.h>

#include "ledger/truc.h"

bool bb_package_refuse(struct bb_package_acceptance *r, const char *error, const char *detail)
{
	snprintf(r->error, sizeof(r->error), "%s", error);
	snprintf(r->detail, sizeof(r->detail), "%s", detail);
	return false;
}

#define TRANSACTION_FAILED "transaction failed"

/* Is it well formed? */

static bool has_duplicates(const struct bb_incoming_tx *in, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			if (memcmp(in[i].txid, in[k].txid, 32) == 0)
				return true;
	return false;
}

/* Parents come before their children. */
static bool is_sorted(const struct bb_incoming_tx *in, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = i; k < count; k++)
			if (bb_tx_spends_from(&in[i].tx, in[k].txid))
				return false;
	return true;
}

struct spend {
	const struct bb_outpoint *o;
	size_t by;
};

static int compare_spends(const void *a, const void *b)
{
	const struct bb_outpoint *x = ((const struct spend *)a)->o,
				 *y = ((const struct spend *)b)->o;
	const int order = memcmp(x->txid, y->txid, 32);

	return order ? order : (x->vout > y->vout) - (x->vout < y->vout);
}

/* No two of them spend the same (within one, that is a fault of its own), and all do spend. */
static bool is_consistent(
	struct bb_arena *a, const struct bb_incoming_tx *in, size_t count, struct bb_store *s)
{
	struct spend *all;
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (!in[i].tx.in_count)
			return false;
		n += in[i].tx.in_count;
	}
	if (!(all = bb_arena_array(a, n, sizeof(*all))))
		return bb_store_no_memory(s);
	n = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < in[i].tx.in_count; k++)
			all[n++] = (struct spend){&in[i].tx.in[k].prevout, i};
	qsort(all, n, sizeof(*all), compare_spends);
	for (size_t i = 1; i < n; i++)
		if (all[i].by != all[i - 1].by && bb_outpoint_equal(all[i].o, all[i - 1].o))
			return false;
	return true;
}

/* NULL or the reason (IsWellFormedPackage). */
static const char *check_form(
	struct bb_arena *a, const struct bb_incoming_tx *in, size_t count, struct bb_store *s)
{
	int64_t weight = 0;

	if (count > BB_PACKAGE_MAX)
		return "package-too-many-transactions";
	for (size_t i = 0; i < count; i++)
		weight += bb_tx_weight(&in[i].tx);
	if (count > 1 && weight > BB_PACKAGE_MAX_WEIGHT)
		return "package-too-large";
	if (has_duplicates(in, count))
		return "package-contains-duplicates";
	if (!is_sorted(in, count))
		return "package-not-sorted";
	return is_consistent(a, in, count, s) ? NULL : "conflict-in-package";
}

static bool is_child_with_parents(const struct bb_incoming_tx *in, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++)
		if (!bb_tx_spends_from(&in[count - 1].tx, in[i].txid))
			return false;
	return true;
}

/* All together (AcceptMultipleTransactions). */

static bool fail_tx(struct bb_package_acceptance *r, struct bb_candidate *c, const char *error)
{
	c->judged = true;
	return bb_package_refuse(r, error, "");
}

static bool precheck_all(struct bb_package_acceptance *r, struct bb_attempt *t)
{
	char detail[BB_DETAIL_SIZE];

	for (size_t i = 0; i < t->count; i++)
		if (!bb_accept_precheck(t, &t->tx[i]))
			return fail_tx(r, &t->tx[i], TRANSACTION_FAILED);
	for (size_t i = 0; i < t->count; i++)
		if (!bb_truc_check_package(detail, t, &t->tx[i]))
			return bb_package_refuse(r, "TRUC-violation", detail);
	return true;
}

static bool check_total(struct bb_package_acceptance *r, struct bb_attempt *t)
{
	struct bb_candidate *last = &t->tx[t->count - 1];

	for (size_t i = 0; i < t->count; i++)
		t->total = bb_feerate_sum(t->total, bb_candidate_rate(&t->tx[i]));
	if (!t->rules.package_rates || bb_accept_fee(t, last->result, t->total))
		return true;
	return fail_tx(r, last, TRANSACTION_FAILED);
}

static bool check_mempool(struct bb_package_acceptance *r, struct bb_attempt *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->tx[i].conflict_count)
			return bb_replace_check_package(r, t);
	if (bb_change_fits(t->change))
		return true;
	return bb_package_refuse(r, "too-large-cluster", "");
}

/* A test tells of each as far as it comes. */
static bool run_scripts(struct bb_package_acceptance *r, struct bb_attempt *t)
{
	for (size_t i = 0; i < t->count; i++) {
		if (!bb_accept_scripts(t, &t->tx[i]))
			return fail_tx(r, &t->tx[i], TRANSACTION_FAILED);
		if (t->rules.test)
			bb_accept_good(t, &t->tx[i]);
	}
	return true;
}

static void judge_together(struct bb_package_acceptance *r, struct bb_attempt *t)
{
	if (!precheck_all(r, t) || !check_total(r, t) || !check_mempool(r, t))
		return;
	for (size_t i = 0; i < t->count; i++)
		if (!bb_accept_dust_spends(t, &t->tx[i])) {
			fail_tx(r, &t->tx[i], "unspent-dust");
			return;
		}
	if (run_scripts(r, t))
		bb_attempt_finish(t);
}

/* Those at the places `at`. What is found out of each stands in r->tx. */
static bool judge_some(struct bb_package_acceptance *r, struct bb_pool *p, struct bb_arena *a,
	const struct bb_incoming_tx *in, const size_t *at, size_t count,
	struct bb_accept_rules rules)
{
	const struct bb_incoming_tx *list[BB_PACKAGE_MAX];
	struct bb_acceptance result[BB_PACKAGE_MAX];
	struct bb_attempt t;

	for (size_t i = 0; i < count; i++)
		list[i] = &in[at[i]];
	if (!bb_attempt_begin(&t, p, a, rules, result, list, count))
		return false;
	judge_together(r, &t);
	for (size_t i = 0; i < count; i++)
		if (t.tx[i].judged)
			r->tx[at[i]] = result[i];
	return !p->store->why;
}

/* A child with its parents (AcceptPackage). */

enum fate {
	IN,    /* it waits, now or before */
	RETRY, /* not by itself; its package may carry it */
	HOPELESS,
};

/* One alone, as long as it is not there already. */
static bool judge_one(enum fate *fate, struct bb_acceptance *r, struct bb_pool *p,
	struct bb_arena *a, const struct bb_incoming_tx *in)
{
	const struct bb_accept_rules rules = {.replace = true, .replace_siblings = true};
	struct bb_pool_entry e;
	struct bb_attempt t;

	bb_accept_reset(r, in);
	*fate = IN;
	if (bb_pool_find(&e, p->store, in->txid)) {
		r->outcome = BB_OUTCOME_DUPLICATE;
		r->verdict.valid = true;
		r->verdict.error[0] = '\0';
		if (memcmp(e.wtxid, in->wtxid, 32) != 0)
			snprintf(r->verdict.detail, sizeof(r->verdict.detail), "other-wtxid %s",
				bb_id_text(e.wtxid).s);
		r->fee_sat = e.fee_sat;
		r->vsize = bb_vsize(e.adjusted_weight);
		return true;
	}
	if (p->store->why || !bb_attempt_begin(&t, p, a, rules, r, &in, 1))
		return false;
	bb_attempt_single(&t);
	if (r->outcome != BB_OUTCOME_ACCEPTED)
		*fate = r->reconsiderable || t.tx->missing ? RETRY : HOPELESS;
	return !p->store->why;
}

static bool judge_each(struct bb_package_acceptance *r, struct bb_pool *p, struct bb_arena *a,
	const struct bb_incoming_tx *in, size_t *retry, size_t *retries)
{
	bool hopeless = false;
	enum fate fate;

	for (size_t i = 0; i < r->count; i++) {
		if (!judge_one(&fate, &r->tx[i], p, a, &in[i]))
			return false;
		hopeless |= fate == HOPELESS || (fate == RETRY && r->count == 1);
		if (fate == RETRY)
			retry[(*retries)++] = i;
	}
	if (!hopeless)
		return true;
	*retries = 0;
	bb_package_refuse(r, TRANSACTION_FAILED, "");
	return true;
}

static bool judge_rest(struct bb_package_acceptance *r, struct bb_pool *p, struct bb_arena *a,
	const struct bb_incoming_tx *in, const size_t *at, size_t count)
{
	const struct bb_accept_rules rules = {.replace = true, .package_rates = true};
	enum fate fate;

	if (count > 1)
		return judge_some(r, p, a, in, at, count, rules);
	if (!judge_one(&fate, &r->tx[*at], p, a, &in[*at]))
		return false;
	if (fate != IN)
		bb_package_refuse(r, TRANSACTION_FAILED, "");
	return true;
}

/* The mempool within its limits again: who is still there? */
static bool make_room(struct bb_package_acceptance *r, struct bb_pool *p)
{
	if (!bb_pool_limit(p))
		return false;
	for (size_t i = 0; i < r->count; i++) {
		struct bb_acceptance *k = &r->tx[i];
		const bool accepted = k->outcome == BB_OUTCOME_ACCEPTED;
		if (!accepted && k->outcome != BB_OUTCOME_DUPLICATE)
			continue;
		if (!bb_pool_number(p->store, k->verdict.id)) {
			bb_accept_refuse(k, "mempool full", "%s", "");
			bb_package_refuse(r, TRANSACTION_FAILED, "");
		} else if (accepted) {
			bb_put(&p->arrived, k->verdict.id, 32);
		}
	}
	return !p->store->why;
}

static bool submit(struct bb_package_acceptance *r, struct bb_pool *p, struct bb_arena *a,
	const struct bb_incoming_tx *in)
{
	size_t retry[BB_PACKAGE_MAX], retries = 0;

	if (!is_child_with_parents(in, r->count)) {
		bb_package_refuse(r, "package-not-child-with-parents", "");
		return true;
	}
	if (!judge_each(r, p, a, in, retry, &retries))
		return false;
	if (retries && !judge_rest(r, p, a, in, retry, retries))
		return false;
	return make_room(r, p);
}

/* As testmempoolaccept: of one alone, what would be said of it; several take nobody's place,
 * and each pays for itself. */
static bool test(struct bb_package_acceptance *r, struct bb_pool *p, struct bb_arena *a,
	const struct bb_incoming_tx *in)
{
	const struct bb_accept_rules rules = {.test = true};
	size_t all[BB_PACKAGE_MAX];

	if (r->count == 1) {
		if (!bb_accept_tx(r->tx, p, a, in, BB_ACCEPT_TEST))
			return false;
		if (!r->tx->verdict.valid)
			bb_package_refuse(r, TRANSACTION_FAILED, "");
		return true;
	}
	for (size_t i = 0; i < r->count; i++)
		all[i] = i;
	return judge_some(r, p, a, in, all, r->count, rules);
}

bool bb_accept_package(struct bb_package_acceptance *r, struct bb_pool *p, struct bb_arena *a,
	const struct bb_incoming_tx *in, size_t count, enum bb_acceptance_kind kind)
{
	const char *why;

	*r = (struct bb_package_acceptance){.count = count};
	if (!(r->tx = bb_arena_array(a, count, sizeof(*r->tx))))
		return bb_store_no_memory(p->store);
	for (size_t i = 0; i < count; i++)
		bb_accept_reset(&r->tx[i], &in[i]);
	if ((why = check_form(a, in, count, p->store))) {
		bb_package_refuse(r, why, "");
		return !p->store->why;
	}
	return kind == BB_ACCEPT_TEST ? test(r, p, a, in) : submit(r, p, a, in);
}
