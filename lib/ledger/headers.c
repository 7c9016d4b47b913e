#include "ledger/headers.h"

#include <string.h>

#include "bitcoin/pow.h"

/* The best header. */

static void weigh(struct bb_node *best, bool *any, const struct bb_node *n)
{
	if (n->status & BB_NODE_BAD)
		return;
	if (!*any || bb_number_compare(n->work, best->work) > 0)
		*best = *n;
	*any = true;
}

/* The best of a tree is a leaf, or where leaves are bad, something below one: the tip, which is
 * never bad, and what is above it and good are reached from the leaves downwards. */
static bool weigh_leaves(struct bb_node *best, struct bb_store *s)
{
	struct bb_cursor c;
	struct bb_node n;
	bool any = false, more;

	if (!bb_cursor_open(&c, s, BB_LEAVES))
		return false;
	for (more = bb_cursor_first(&c); more && !s->why; more = bb_cursor_next(&c)) {
		if (c.key.len != 4 || !bb_tree_named(&n, s, bb_be32(c.key.data)))
			bb_store_set_why(s, "the store is damaged: a leaf");
		while (!s->why && (n.status & BB_NODE_BAD) && n.prev != BB_NO_NODE)
			bb_tree_named(&n, s, n.prev);
		if (!s->why)
			weigh(best, &any, &n);
	}
	bb_cursor_close(&c);
	return any && !s->why;
}

bool bb_headers_best(struct bb_node *out, struct bb_best_header *kept, struct bb_store *s)
{
	const uint64_t nodes = bb_store_count(s, BB_NODES);
	struct bb_node n;
	bool any = false;

	if (!nodes || nodes >= BB_NO_NODE)
		return false;
	if (kept->nodes && kept->nodes <= nodes && bb_tree_named(out, s, kept->number)) {
		weigh(&n, &any, out);
		for (uint64_t i = kept->nodes; any && i < nodes; i++)
			if (bb_tree_named(&n, s, (uint32_t)i))
				weigh(out, &any, &n);
	}
	if (!any && !weigh_leaves(out, s))
		return false;
	/* A branch that was forgiven brings no new node, but the tip may be on it. */
	any = true;
	if (bb_tree_tip(&n, s))
		weigh(out, &any, &n);
	*kept = (struct bb_best_header){.number = out->number, .nodes = nodes};
	return !s->why;
}

/* Locators. */

size_t bb_headers_locator(unsigned char out[BB_LOCATOR_ENTRIES][32], struct bb_store *s,
	const struct bb_node *from)
{
	struct bb_node at = *from;
	int64_t step = 1;
	size_t count = 0;

	for (;;) {
		memcpy(out[count++], at.id, 32);
		if (at.height == 0)
			return count;
		if (count == BB_LOCATOR_ENTRIES ||
			!bb_tree_ancestor(&at, s, &at,
				at.height > step ? (int32_t)(at.height - step) : 0))
			return 0;
		if (count > 10)
			step *= 2;
	}
}

bool bb_headers_fork(
	struct bb_node *out, struct bb_store *s, unsigned char (*locator)[32], size_t count)
{
	struct bb_node n, tip;

	if (!bb_tree_tip(&tip, s))
		return false;
	for (size_t i = 0; i < count && !s->why; i++) {
		if (!bb_tree_find(&n, s, locator[i]))
			continue;
		/* One that builds on our tip has all that we have. */
		if (n.height > tip.height && !bb_tree_ancestor(&n, s, &n, tip.height))
			break;
		if (bb_tree_is_active(s, &n)) {
			*out = n;
			return true;
		}
	}
	return !s->why && bb_tree_at(out, s, 0);
}

size_t bb_headers_after(struct bb_header *out, size_t most, struct bb_node *last,
	struct bb_store *s, const struct bb_node *fork, const unsigned char stop[32])
{
	struct bb_node n;
	size_t count = 0;

	*last = *fork;
	while (count < most && bb_tree_at(&n, s, last->height + 1)) {
		out[count++] = n.header;
		*last = n;
		if (memcmp(n.id, stop, 32) == 0)
			break;
	}
	return s->why ? 0 : count;
}

/* What is missing. */

/* The highest block on the way to `target` that is linked: all below it are. */
static bool last_linked(struct bb_node *out, struct bb_store *s, const struct bb_node *target)
{
	struct bb_node tip, n;
	int32_t good, bad;

	if (target->linked) {
		*out = *target;
		return true;
	}
	if (!bb_tree_tip(&tip, s) || !bb_tree_fork(out, s, &tip, target))
		return false;
	good = out->height; /* it is of the active chain */
	bad = target->height;
	while (bad - good > 1) {
		const int32_t middle = good + (bad - good) / 2;
		if (!bb_tree_ancestor(&n, s, target, middle))
			return false;
		if (n.linked) {
			good = middle;
			*out = n;
		} else {
			bad = middle;
		}
	}
	return true;
}

/* From the highest in reach down, for only that way is without a search at each. */
static bool list_missing(struct bb_missing *m, size_t room, struct bb_store *s,
	const struct bb_node *base, const struct bb_node *top)
{
	struct bb_missing_block *const end = m->block + room;
	struct bb_node n = *top;

	for (;;) {
		if (!(n.status & BB_NODE_DATA)) {
			struct bb_missing_block *b = end - ++m->count;
			memcpy(b->id, n.id, 32);
			b->height = n.height;
		} else if (!m->above) {
			m->above = n.height;
		}
		if (n.height <= base->height + 1)
			break;
		if (m->count == room || !bb_tree_named(&n, s, n.prev))
			return bb_store_set_why(s, "the store is damaged: a node's ancestor");
	}
	memmove(m->block, end - m->count, m->count * sizeof(*m->block));
	return true;
}

bool bb_headers_missing(struct bb_missing *out, struct bb_missing_block *block, int32_t ahead,
	struct bb_store *s, const struct bb_node *target)
{
	struct bb_node base, top;

	*out = (struct bb_missing){.block = block};
	if (!last_linked(&base, s, target))
		return false;
	if (base.height >= target->height || ahead <= 0)
		return true;
	if (target->height - base.height <= ahead)
		top = *target;
	else if (!bb_tree_ancestor(&top, s, target, base.height + ahead))
		return false;
	return list_missing(out, (size_t)ahead, s, &base, &top);
}
