#include "ledger/truc.h"

#include <stdio.h>

enum {
	MAX_VSIZE = 10000,
	CHILD_MAX_VSIZE = 1000,
};

/* A parent, waiting or on its way in. */
struct parent {
	unsigned char txid[32], wtxid[32];
	uint32_t version;
};

static bool waiting_parent(struct parent *out, struct bb_attempt *t, uint64_t number)
{
	struct bb_pool_entry e;

	if (!bb_pool_get(&e, t->s, number))
		return false;
	memcpy(out->txid, e.txid, 32);
	memcpy(out->wtxid, e.wtxid, 32);
	out->version = e.bytes.len >= 4 ? bb_le32(e.bytes.data) : 0;
	return true;
}

static void coming_parent(struct parent *out, const struct bb_incoming_tx *in)
{
	memcpy(out->txid, in->txid, 32);
	memcpy(out->wtxid, in->wtxid, 32);
	out->version = in->tx.version;
}

/* Core's words; all of these return false. */

static bool wrong_version(
	char *detail, const struct bb_incoming_tx *in, const struct parent *parent)
{
	const bool truc = in->tx.version == BB_TRUC_VERSION;

	snprintf(detail, BB_DETAIL_SIZE,
		"%sversion=3 tx %s (wtxid=%s) cannot spend from %sversion=3 tx %s (wtxid=%s)",
		truc ? "" : "non-", bb_id_text(in->txid).s, bb_id_text(in->wtxid).s,
		truc ? "non-" : "", bb_id_text(parent->txid).s, bb_id_text(parent->wtxid).s);
	return false;
}

static bool too_big(char *detail, const struct bb_incoming_tx *in, const char *what,
	int64_t vsize, int limit)
{
	snprintf(detail, BB_DETAIL_SIZE,
		"version=3 %s %s (wtxid=%s) is too big: %lld > %d virtual bytes", what,
		bb_id_text(in->txid).s, bb_id_text(in->wtxid).s, (long long)vsize, limit);
	return false;
}

static bool too_many_ancestors(char *detail, const struct bb_incoming_tx *in)
{
	snprintf(detail, BB_DETAIL_SIZE, "tx %s (wtxid=%s) would have too many ancestors",
		bb_id_text(in->txid).s, bb_id_text(in->wtxid).s);
	return false;
}

static bool too_many_children(char *detail, const struct parent *parent)
{
	snprintf(detail, BB_DETAIL_SIZE, "tx %s (wtxid=%s) would exceed descendant count limit",
		bb_id_text(parent->txid).s, bb_id_text(parent->wtxid).s);
	return false;
}

/* One parent has one child. */

static bool has_ancestors(struct bb_attempt *t, uint64_t number)
{
	size_t count = 0;

	return bb_pool_ancestors(&count, t->s, t->a, number) && count;
}

static bool is_conflict(const struct bb_candidate *c, uint64_t number)
{
	for (size_t i = 0; i < c->conflict_count; i++)
		if (c->conflicts[i] == number)
			return true;
	return false;
}

/* Is the place beside the parent free, or about to be? A child that has no other parent and no
 * child of its own could be made to go; there are other shapes after a reorganisation. */
static bool has_place(uint64_t *sibling, struct bb_attempt *t, const struct bb_candidate *c)
{
	size_t count, others;
	const uint64_t *below = bb_pool_descendants(&count, t->s, t->a, c->parents[0]);

	if (!below)
		return false;
	for (size_t i = 0; i < count; i++)
		if (is_conflict(c, below[i]))
			return true;
	if (count == 1 && bb_pool_ancestors(&others, t->s, t->a, below[0]) && others == 1)
		*sibling = below[0];
	return !count;
}

static bool versions_agree(char *detail, struct bb_attempt *t, const struct bb_candidate *c)
{
	const bool truc = c->in->tx.version == BB_TRUC_VERSION;
	struct parent parent;

	for (size_t i = 0; i < c->parent_count; i++) {
		if (!waiting_parent(&parent, t, c->parents[i]))
			return false;
		if ((parent.version == BB_TRUC_VERSION) != truc)
			return wrong_version(detail, c->in, &parent);
	}
	return true;
}

bool bb_truc_check(char detail[BB_DETAIL_SIZE], uint64_t *sibling, struct bb_attempt *t,
	const struct bb_candidate *c)
{
	const int64_t vsize = c->result->vsize;
	struct parent parent;

	*sibling = 0;
	detail[0] = '\0';
	if (!versions_agree(detail, t, c))
		return false;
	if (c->in->tx.version != BB_TRUC_VERSION)
		return true;
	if (vsize > MAX_VSIZE)
		return too_big(detail, c->in, "tx", vsize, MAX_VSIZE);
	if (!c->parent_count)
		return true;
	if (c->parent_count > 1 || has_ancestors(t, c->parents[0]))
		return too_many_ancestors(detail, c->in);
	if (vsize > CHILD_MAX_VSIZE)
		return too_big(detail, c->in, "child tx", vsize, CHILD_MAX_VSIZE);
	if (has_place(sibling, t, c))
		return true;
	return waiting_parent(&parent, t, c->parents[0]) && too_many_children(detail, &parent);
}

/* Packages. */

/* The parents in the package: how many, and the first. */
static size_t coming_parents(
	struct parent *first, const struct bb_attempt *t, const struct bb_candidate *c)
{
	size_t count = 0;

	for (const struct bb_candidate *k = t->tx; k < c; k++)
		if (bb_tx_spends_from(&c->in->tx, k->in->txid) && !count++)
			coming_parent(first, k->in);
	return count;
}

static bool parents_are_no_truc(
	char *detail, struct bb_attempt *t, const struct bb_candidate *c)
{
	struct parent parent;

	if (!versions_agree(detail, t, c))
		return false;
	for (const struct bb_candidate *k = t->tx; k < c; k++) {
		coming_parent(&parent, k->in);
		if (bb_tx_spends_from(&c->in->tx, parent.txid) &&
			parent.version == BB_TRUC_VERSION)
			return wrong_version(detail, c->in, &parent);
	}
	return true;
}

/* Nobody else in the package stands on the parent, or on the child. An input is looked at for
 * both before the next one. */
static bool is_only_child(char *detail, const struct bb_attempt *t,
	const struct bb_candidate *c, const struct parent *parent)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct bb_incoming_tx *k = t->tx[i].in;
		for (size_t n = 0; k != c->in && n < k->tx.in_count; n++) {
			const unsigned char *from = k->tx.in[n].prevout.txid;
			if (memcmp(from, parent->txid, 32) == 0)
				return too_many_children(detail, parent);
			if (memcmp(from, c->in->txid, 32) == 0)
				return too_many_ancestors(detail, k);
		}
	}
	return true;
}

bool bb_truc_check_package(
	char detail[BB_DETAIL_SIZE], struct bb_attempt *t, const struct bb_candidate *c)
{
	const int64_t vsize = c->result->vsize;
	struct parent parent = {{0}};
	size_t coming, below;

	detail[0] = '\0';
	if (c->in->tx.version != BB_TRUC_VERSION)
		return parents_are_no_truc(detail, t, c);
	coming = coming_parents(&parent, t, c);
	if (c->parent_count + coming > 1 ||
		(c->parent_count && has_ancestors(t, c->parents[0])))
		return too_many_ancestors(detail, c->in);
	if (!c->parent_count && !coming)
		return true;
	if (vsize > CHILD_MAX_VSIZE)
		return too_big(detail, c->in, "child tx", vsize, CHILD_MAX_VSIZE);
	if (c->parent_count && !waiting_parent(&parent, t, c->parents[0]))
		return false;
	if (parent.version != BB_TRUC_VERSION)
		return wrong_version(detail, c->in, &parent);
	if (!is_only_child(detail, t, c, &parent))
		return false;
	if (!c->parent_count)
		return true;
	if (!bb_pool_descendants(&below, t->s, t->a, c->parents[0]))
		return false;
	return !below || too_many_children(detail, &parent);
}
