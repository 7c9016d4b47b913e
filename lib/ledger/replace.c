/* Replacement: others spend the same, and go if that serves miners (ReplacementChecks,
 * PackageRBFChecks, policy/rbf.cpp). */

#include <inttypes.h>
#include <stdio.h>

#include "ledger/accept_inside.h"

enum { MAX_CLUSTERS = 100 }; /* that a replacement may touch */

/* A rate as Core prints it: bitcoin for 1,000 vbytes. */
static void put_rate(char out[48], struct bb_feerate r)
{
	const int64_t sat = r.fee_sat * 1000 / r.size;

	snprintf(out, 48, "%" PRId64 ".%08" PRId64 " BTC/kvB", sat / BB_COIN, sat % BB_COIN);
}

/* Rule 5: do those conflicts lie in few enough clusters? */
static bool few_clusters(char detail[BB_DETAIL_SIZE], struct bb_attempt *t,
	const uint64_t *conflicts, size_t count, const unsigned char txid[32])
{
	uint64_t *clusters = bb_arena_array(t->a, count, sizeof(*clusters));
	struct bb_pool_cluster c;

	detail[0] = '\0';
	if (!clusters)
		return bb_store_no_memory(t->s);
	for (size_t i = 0; i < count; i++) {
		if (!bb_pool_cluster_of(&c, t->s, conflicts[i]))
			return false;
		clusters[i] = c.id;
	}
	bb_pool_numbers_unique(clusters, &count);
	if (count <= MAX_CLUSTERS)
		return true;
	snprintf(detail, BB_DETAIL_SIZE,
		"rejecting replacement %s; too many conflicting clusters (%zu > %d)",
		bb_id_text(txid).s, count, MAX_CLUSTERS);
	return false;
}

/* They go, and all that depend on them: the fees that are lost so. */
static int64_t remove_all(struct bb_attempt *t, const uint64_t *conflicts, size_t count)
{
	const uint64_t *gone;
	struct bb_pool_entry e;
	int64_t fees = 0;

	for (size_t i = 0; i < count; i++)
		bb_change_remove(t->change, conflicts[i], true);
	gone = bb_change_removed(&count, t->change);
	for (size_t i = 0; i < count && bb_pool_get(&e, t->s, gone[i]); i++)
		fees += e.fee_sat;
	return fees;
}

/* Rules 3 and 4: the fees lost are paid again, and its own relay on top. */
static bool pays(char detail[BB_DETAIL_SIZE], struct bb_attempt *t, int64_t lost,
	struct bb_feerate paid, const unsigned char txid[32])
{
	const int64_t relay = bb_fee_at(t->p->policy->incremental_rate, paid.size);
	const bool less = paid.fee_sat < lost;
	char a[32], b[32];

	if (!less && paid.fee_sat - lost >= relay)
		return true;
	bb_money_text(a, less ? paid.fee_sat : paid.fee_sat - lost);
	bb_money_text(b, less ? lost : relay);
	snprintf(detail, BB_DETAIL_SIZE, "rejecting replacement %s, %s; %s < %s",
		bb_id_text(txid).s,
		less ? "less fees than conflicting txs" : "not enough additional fees to relay",
		a, b);
	return false;
}

#define NO_BETTER "insufficient feerate: does not improve feerate diagram"

bool bb_replace_check(struct bb_attempt *t, struct bb_candidate *c)
{
	const struct bb_feerate paid = bb_candidate_rate(c);
	const bool sibling = c->evicts_sibling;
	char detail[BB_DETAIL_SIZE];

	if (!few_clusters(detail, t, c->conflicts, c->conflict_count, c->in->txid))
		return bb_accept_refuse(c->result,
			sibling ? "too many potential replacements (including sibling eviction)"
				: "too many potential replacements",
			"%s", detail);
	if (!pays(detail, t, remove_all(t, c->conflicts, c->conflict_count), paid, c->in->txid))
		return bb_accept_refuse_fee(c->result, paid,
			sibling ? "insufficient fee (including sibling eviction)"
				: "insufficient fee",
			detail);
	if (!bb_change_fits(t->change))
		return bb_accept_refuse(c->result, "too-large-cluster", "%s", "");
	if (!bb_change_improves(t->change))
		return bb_accept_refuse_fee(c->result, paid, "replacement-failed", NO_BETTER);
	return true;
}

/* Packages. */

/* The conflicts of both, each once. */
static uint64_t *all_conflicts(size_t *count, struct bb_attempt *t)
{
	const struct bb_candidate *parent = &t->tx[0], *child = &t->tx[1];
	uint64_t *all;

	*count = 0;
	all = bb_arena_array(
		t->a, parent->conflict_count + child->conflict_count, sizeof(*all));
	if (!all) {
		bb_store_no_memory(t->s);
		return NULL;
	}
	for (size_t i = 0; i < parent->conflict_count; i++)
		all[(*count)++] = parent->conflicts[i];
	for (size_t i = 0; i < child->conflict_count; i++)
		all[(*count)++] = child->conflicts[i];
	bb_pool_numbers_unique(all, count);
	return all;
}

/* The child must be there for the parent's sake, not only to pay for relay. */
static bool child_lifts_parent(
	char detail[BB_DETAIL_SIZE], struct bb_feerate both, struct bb_feerate parent)
{
	char a[48], b[48];

	if (bb_feerate_compare(both, parent) > 0)
		return true;
	put_rate(a, both);
	put_rate(b, parent);
	snprintf(detail, BB_DETAIL_SIZE, "package feerate %s <= parent feerate is %s", a, b);
	return false;
}

bool bb_replace_check_package(struct bb_package_acceptance *r, struct bb_attempt *t)
{
	const unsigned char *child = t->tx[t->count - 1].in->txid;
	char detail[BB_DETAIL_SIZE];
	uint64_t *conflicts;
	size_t count;

	if (t->count != 2)
		return bb_package_refuse(
			r, "package RBF failed: package must be 1-parent-1-child", "");
	if (t->tx[0].parent_count || t->tx[1].parent_count)
		return bb_package_refuse(r,
			"package RBF failed: new transaction cannot have mempool ancestors",
			"");
	if (!(conflicts = all_conflicts(&count, t)))
		return false;
	if (!few_clusters(detail, t, conflicts, count, child))
		return bb_package_refuse(
			r, "package RBF failed: too many potential replacements", detail);
	if (!pays(detail, t, remove_all(t, conflicts, count), t->total, child))
		return bb_package_refuse(
			r, "package RBF failed: insufficient anti-DoS fees", detail);
	if (!child_lifts_parent(detail, t->total, bb_candidate_rate(&t->tx[0])))
		return bb_package_refuse(r,
			"package RBF failed: package feerate is less than or equal to parent "
			"feerate",
			detail);
	if (!bb_change_fits(t->change))
		return bb_package_refuse(r, "too-large-cluster", "");
	if (!bb_change_improves(t->change))
		return bb_package_refuse(r, "package RBF failed: " NO_BETTER, "");
	return true;
}
