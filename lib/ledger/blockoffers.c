/* A template out of transactions that are offered, in memory alone. */

#include <stdlib.h>

#include "bitcoin/check.h"
#include "ledger/template_inside.h"

#define NONE UINT32_MAX

/* Of each offer. */
struct known {
	unsigned char txid[32], wtxid[32];
	int64_t fee_sat, sigops_cost;
	struct bb_feerate rate; /* fee and adjusted weight */
	size_t first_input;	/* among the inputs of all */
	bool seen;
	uint32_t next;	   /* of its inputs, whose parent is not looked at yet */
	uint32_t group;	   /* of a dependency group's tree; itself: the root */
	uint32_t at;	   /* its place in `line` */
	uint32_t position; /* in the template, from 1; 0: not in it */
};

/* Of each input. */
struct input {
	const struct bb_outpoint *outpoint;
	uint32_t parent; /* the offer it spends, or NONE */
	uint32_t first;	 /* the first input that spends the same */
	bool taken;	 /* of that first one: something is in that spends it */
};

struct piece {
	struct bb_feerate chunk, rate;	      /* its own; and that which it is taken by */
	uint32_t group, number, first, count; /* in `line` */
};

struct offers {
	struct bb_filling f;
	struct bb_offer *offer;
	struct known *of;
	size_t count;
	struct input *in;
	struct bb_prevout *prevout; /* of each: as claimed, or as the block has it */
	size_t in_count;
	uint32_t *by_id;    /* the offers, by txid */
	uint32_t *by_spend; /* the inputs, by outpoint */
	uint32_t *line; /* those that may come in: parents first, then by group, then to mine */
	size_t line_count;
	struct piece *piece;
	size_t piece_count;
};

static bool allocate(struct offers *o)
{
	struct bb_arena *a = o->f.arena;

	for (size_t i = 0; i < o->count; i++)
		o->in_count += o->offer[i].tx.in_count;
	o->of = bb_arena_array(a, o->count, sizeof(*o->of));
	o->in = bb_arena_array(a, o->in_count, sizeof(*o->in));
	o->prevout = bb_arena_array(a, o->in_count, sizeof(*o->prevout));
	o->by_id = bb_arena_array(a, o->count, sizeof(*o->by_id));
	o->by_spend = bb_arena_array(a, o->in_count, sizeof(*o->by_spend));
	o->line = bb_arena_array(a, o->count, sizeof(*o->line));
	o->piece = bb_arena_array(a, o->count, sizeof(*o->piece));
	return o->count < NONE && o->in_count < NONE && o->of && o->in && o->prevout &&
	       o->by_id && o->by_spend && o->line && o->piece;
}

/* Who spends whom. */

static int order(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int by_id(const void *a, const void *b, void *arg)
{
	const struct known *of = ((const struct offers *)arg)->of;
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const int c = memcmp(of[x].txid, of[y].txid, 32);

	return c ? c : order(x, y);
}

static int by_spend(const void *a, const void *b, void *arg)
{
	const struct input *in = ((const struct offers *)arg)->in;
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const int c = memcmp(in[x].outpoint->txid, in[y].outpoint->txid, 32);

	if (c)
		return c;
	if (in[x].outpoint->vout != in[y].outpoint->vout)
		return order(in[x].outpoint->vout, in[y].outpoint->vout);
	return order(x, y);
}

/* The first offer of that txid, or NONE. */
static uint32_t find(const struct offers *o, const unsigned char txid[32])
{
	size_t low = 0, high = o->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (memcmp(o->of[o->by_id[middle]].txid, txid, 32) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == o->count || memcmp(o->of[o->by_id[low]].txid, txid, 32) != 0)
		return NONE;
	return o->by_id[low];
}

static void list(struct offers *o)
{
	struct input *in = o->in;

	for (size_t i = 0; i < o->count; i++) {
		const struct bb_tx *tx = &o->offer[i].tx;
		struct known *k = &o->of[i];
		bb_tx_txid(k->txid, tx);
		bb_tx_wtxid(k->wtxid, tx);
		k->first_input = (size_t)(in - o->in);
		k->group = o->by_id[i] = (uint32_t)i;
		for (size_t j = 0; j < tx->in_count; j++)
			*in++ = (struct input){.outpoint = &tx->in[j].prevout};
	}
	for (size_t i = 0; i < o->in_count; i++)
		o->by_spend[i] = (uint32_t)i;
}

static void relate(struct offers *o)
{
	list(o);
	qsort_r(o->by_id, o->count, sizeof(*o->by_id), by_id, o);
	qsort_r(o->by_spend, o->in_count, sizeof(*o->by_spend), by_spend, o);
	for (size_t i = 0; i < o->in_count; i++) {
		struct input *in = &o->in[o->by_spend[i]];
		const struct input *before = i ? &o->in[o->by_spend[i - 1]] : NULL;
		in->parent = find(o, in->outpoint->txid);
		in->first = before && bb_outpoint_equal(before->outpoint, in->outpoint)
				    ? before->first
				    : o->by_spend[i];
	}
}

/* What cannot be in the block. */

static const char *check_parents(struct offers *o, const struct bb_offer *x,
	const struct known *k, struct bb_prevout *prevouts)
{
	const struct bb_block_template *t = o->f.t;

	for (size_t i = 0; i < x->tx.in_count; i++) {
		const struct input *in = &o->in[k->first_input + i];
		const struct bb_txout *out;
		prevouts[i] = x->prevouts[i];
		if (in->parent == NONE)
			continue;
		if (o->offer[in->parent].refusal ||
			in->outpoint->vout >= o->offer[in->parent].tx.out_count)
			return "bad-txns-inputs-missingorspent";
		out = &o->offer[in->parent].tx.out[in->outpoint->vout];
		if (out->value_sat != prevouts[i].value_sat ||
			!bb_span_equal(out->script, prevouts[i].script))
			return "prevout-mismatch";
		prevouts[i].height = t->height; /* as the block itself has it */
		prevouts[i].coinbase = 0;
		prevouts[i].mtp = t->prev.mtp;
	}
	for (size_t i = 0; i < x->tx.in_count; i++)
		if (o->in[o->in[k->first_input + i].first].taken)
			return "bad-txns-inputs-missingorspent";
	return NULL;
}

/* Alone, and as far as its prevouts' claims go: the rules of a block (BIP 68, BIP 113 as
 * Bitcoin Core fills its blocks, whatever the height). */
static const char *check_alone(const struct offers *o, const struct bb_offer *x)
{
	const struct bb_block_template *t = o->f.t;
	const char *why = bb_check_tx(&x->tx);

	if (why)
		return why;
	if (bb_tx_is_coinbase(&x->tx))
		return "bad-cb-multiple";
	if (!o->f.segwit && bb_tx_has_witness(&x->tx))
		return "unexpected-witness";
	return bb_tx_is_final(&x->tx, t->height, t->prev.mtp) ? NULL : "bad-txns-nonfinal";
}

static const char *check_spends(struct known *k, const struct offers *o, const struct bb_tx *tx,
	const struct bb_prevout *prevouts)
{
	const struct bb_block_template *t = o->f.t;
	const struct bb_network *n = o->f.network;
	unsigned unjudged = 0;
	const char *why = bb_check_tx_inputs(
		&k->fee_sat, &unjudged, tx, prevouts, t->height, n->coinbase_maturity);

	if (!why && t->height >= n->csv_height &&
		bb_check_sequence_locks(&unjudged, tx, prevouts, t->height, t->prev.mtp))
		why = "bad-txns-nonfinal";
	return why;
}

static const char *check(struct offers *o, uint32_t i)
{
	struct bb_offer *x = &o->offer[i];
	struct known *k = &o->of[i];
	struct bb_prevout *prevouts = &o->prevout[k->first_input];
	static const unsigned char no_hash[32];
	const char *why = check_alone(o, x);

	if (!why && find(o, k->txid) != i)
		why = "bad-txns-duplicate";
	if (!why)
		why = check_parents(o, x, k, prevouts);
	if (!why)
		why = check_spends(k, o, &x->tx, prevouts);
	if (why)
		return why;
	k->sigops_cost = bb_tx_sigops_cost(
		&x->tx, prevouts, bb_block_flags(o->f.network, no_hash, o->f.t->height));
	k->rate = (struct bb_feerate){k->fee_sat,
		bb_adjusted_weight(&bb_policy_core, bb_tx_weight(&x->tx), k->sigops_cost)};
	return NULL;
}

static uint32_t root(struct offers *o, uint32_t i)
{
	while (o->of[i].group != i)
		i = o->of[i].group = o->of[o->of[i].group].group;
	return i;
}

/* Its parents are judged: so can it be. The root of a group is the one of it that came into the
 * line first. */
static void judge(struct offers *o, uint32_t i)
{
	const struct known *k = &o->of[i];
	struct input *in = &o->in[k->first_input];

	if ((o->offer[i].refusal = check(o, i)))
		return;
	o->of[i].at = (uint32_t)o->line_count;
	o->line[o->line_count++] = i;
	for (size_t j = 0; j < o->offer[i].tx.in_count; j++) {
		o->in[in[j].first].taken = true;
		if (in[j].parent != NONE) {
			const uint32_t a = root(o, i), b = root(o, in[j].parent);
			if (o->of[a].at < o->of[b].at)
				o->of[b].group = a;
			else
				o->of[a].group = b;
		}
	}
}

/* The next parent that nobody has looked at; NONE: there is none. */
static uint32_t open_parent(struct offers *o, uint32_t i)
{
	struct known *k = &o->of[i];

	while (k->next < o->offer[i].tx.in_count) {
		const uint32_t parent = o->in[k->first_input + k->next++].parent;
		if (parent != NONE && !o->of[parent].seen)
			return parent;
	}
	return NONE;
}

/* All in the order of their lines, but each behind its parents. */
static bool judge_all(struct offers *o)
{
	uint32_t *path = bb_arena_array(o->f.arena, o->count, sizeof(*path));
	size_t depth = 0;

	for (uint32_t i = 0; path && i < o->count; i++) {
		if (o->of[i].seen)
			continue;
		o->of[i].seen = true;
		path[depth++] = i;
		while (depth) {
			const uint32_t parent = open_parent(o, path[depth - 1]);
			if (parent == NONE) {
				judge(o, path[--depth]);
				continue;
			}
			o->of[parent].seen = true;
			path[depth++] = parent;
		}
	}
	return path;
}

/* The order to mine them in. A cluster holds 64 transactions: a larger group is cut, parents
 * first, into pieces of so many; each is put in its best order, and none is taken before those
 * cut off before it. That is sound, and short of the best only where a child beyond the cut
 * would have paid for its parent. */

static int by_group(const void *a, const void *b, void *arg)
{
	struct offers *o = arg;
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const uint32_t g = o->of[root(o, x)].at, h = o->of[root(o, y)].at;

	return g != h ? order(g, h) : order(o->of[x].at, o->of[y].at);
}

static int best_first(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	const int c = bb_feerate_compare(y->rate, x->rate);

	return c ? c : order(x->number, y->number);
}

/* The part of the line from `first`, as a cluster. */
static void get_cluster(struct bb_cluster *c, const struct offers *o, uint32_t first)
{
	for (unsigned i = 0; i < c->count; i++) {
		const uint32_t x = o->line[first + i];
		const struct input *in = &o->in[o->of[x].first_input];
		c->tx[i] = o->of[x].rate;
		for (size_t j = 0; j < o->offer[x].tx.in_count; j++) {
			const uint32_t at = in[j].parent == NONE ? NONE
								 : o->of[in[j].parent].at;
			if (at != NONE && at >= first && at < first + i)
				c->parents[i] |= (uint64_t)1 << (at - first);
		}
	}
}

/* Put a part of the line in order, and its chunks behind those before; what they are taken by
 * never rises within a group. */
static void linearise(struct offers *o, uint32_t first, unsigned count, uint32_t group)
{
	uint32_t sorted[BB_CLUSTER_MAX];
	struct bb_cluster c = {.count = count};
	unsigned begin = 0;

	get_cluster(&c, o, first);
	bb_cluster_linearise(&c);
	for (unsigned i = 0; i < count; i++)
		sorted[i] = o->line[first + c.order[i]];
	memcpy(o->line + first, sorted, count * sizeof(*sorted));
	for (unsigned i = 0; i < c.chunk_count; i++) {
		const struct piece *before = o->piece_count ? &o->piece[o->piece_count - 1]
							    : NULL;
		struct piece *p = &o->piece[o->piece_count];
		*p = (struct piece){c.chunk[i], c.chunk[i], group, (uint32_t)o->piece_count++,
			first + begin, c.chunk_end[i] - begin};
		if (before && before->group == group &&
			bb_feerate_compare(before->rate, p->rate) < 0)
			p->rate = before->rate;
		begin = c.chunk_end[i];
	}
}

static void cut(struct offers *o)
{
	const uint32_t end = (uint32_t)o->line_count;
	uint32_t first = 0, group, count;

	qsort_r(o->line, o->line_count, sizeof(*o->line), by_group, o);
	for (uint32_t i = 0; i < end; i++)
		o->of[o->line[i]].at = i;
	while (first < end) {
		group = root(o, o->line[first]);
		for (count = 1; count < BB_CLUSTER_MAX && first + count < end &&
				root(o, o->line[first + count]) == group;)
			count++;
		linearise(o, first, count, group);
		first += count;
	}
	qsort(o->piece, o->piece_count, sizeof(*o->piece), best_first);
}

/* Filling. */

static bool add(struct offers *o, uint32_t i)
{
	const struct bb_offer *x = &o->offer[i];
	struct known *k = &o->of[i];
	struct bb_template_tx tx = {.bytes = x->bytes,
		.fee_sat = k->fee_sat,
		.weight = (uint32_t)bb_tx_weight(&x->tx),
		.sigops_cost = (uint32_t)k->sigops_cost};

	if (!(tx.depends = bb_arena_array(o->f.arena, x->tx.in_count, sizeof(*tx.depends))))
		return false;
	for (size_t j = 0; j < x->tx.in_count; j++) {
		const uint32_t parent = o->in[k->first_input + j].parent;
		if (parent != NONE)
			tx.depends[tx.depend_count++] = o->of[parent].position;
	}
	memcpy(tx.txid, k->txid, 32);
	memcpy(tx.wtxid, k->wtxid, 32);
	bb_filling_add(&o->f, &tx);
	k->position = (uint32_t)o->f.t->tx_count;
	return true;
}

static bool fill(struct offers *o)
{
	bool *skipped = bb_arena_array(o->f.arena, o->count, sizeof(*skipped));

	for (size_t i = 0; skipped && i < o->piece_count; i++) {
		const struct piece *p = &o->piece[i];
		int64_t sigops_cost = 0;
		if (bb_filling_ends(p->rate))
			break;
		if (skipped[p->group])
			continue;
		for (uint32_t j = 0; j < p->count; j++)
			sigops_cost += o->of[o->line[p->first + j]].sigops_cost;
		if (!bb_filling_fits(&o->f, p->chunk, sigops_cost, p->count)) {
			skipped[p->group] = true;
			if (bb_filling_failed(&o->f))
				break;
			continue;
		}
		for (uint32_t j = 0; j < p->count; j++)
			if (!add(o, o->line[p->first + j]))
				return false;
	}
	return skipped;
}

bool bb_template_from_offers(struct bb_block_template *t, struct bb_store *s,
	const struct bb_network *n, struct bb_arena *a, int64_t now, struct bb_offer *offers,
	size_t count)
{
	struct offers o = {
		.f = {.t = t, .network = n, .arena = a}, .offer = offers, .count = count};

	if (!bb_filling_begin(&o.f, s, now, true, count))
		return false;
	if (!allocate(&o))
		goto memory;
	relate(&o);
	if (!judge_all(&o))
		goto memory;
	cut(&o);
	if (fill(&o))
		return true;
memory:
	if (s)
		bb_store_no_memory(s);
	return false;
}
