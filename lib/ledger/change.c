#include "ledger/change.h"

#include <stdlib.h>

#include "ledger/poolrows.h"

#define NONE UINT32_MAX

/* A transaction of a cluster that is touched, or one that comes. */
struct node {
	uint64_t number;
	struct bb_feerate rate;
	uint64_t parents;    /* in the cluster where it waits: bit i is node `first` + i */
	uint32_t first, end; /* that cluster's nodes, in its order */
	uint32_t leader;     /* the way to the lowest number of those it will stand with */
	uint32_t links;	     /* the first of those where it is the child, or NONE */
	unsigned char place; /* in the cluster that will be */
	bool gone;
};

/* A dependency that was not there before, into or out of one that comes. */
struct link {
	uint32_t parent;
	uint32_t next; /* of the same child */
};

/* One that comes. */
struct comer {
	struct bb_pool_entry *entry; /* the caller's, as is the transaction */
	const struct bb_tx *tx;
	uint32_t node;
	uint64_t *parent; /* numbers, each once */
	size_t parent_count;
	uint64_t *child; /* numbers, some perhaps twice */
	size_t child_count, child_cap;
};

/* A transaction of a cluster that will be. */
struct member {
	uint64_t cluster, number;
	uint32_t node;
};

/* A cluster that will be. Its id is the lowest of its numbers: clusters have none in common, so
 * no two have the same id, whatever becomes of them. */
struct future {
	size_t first, count;	   /* members: by number, linearised then */
	size_t chunk, chunk_count; /* in `chunks` */
	bool grows;		   /* somebody comes into it */
};

struct chunk {
	struct bb_feerate rate;
	unsigned char end;
};

struct bb_change {
	struct bb_store *store;
	const struct bb_policy *policy;
	struct bb_arena *arena;
	uint64_t next; /* the number of the first that comes; 0: not asked yet */
	bool fits;     /* `futures` and what hangs on them are as things stand */

	struct node *node;
	size_t nodes, node_cap;
	uint32_t *slot; /* nodes by number: a hash table, probed linearly, half empty */
	size_t slots;
	uint64_t *removed;
	size_t removed_count, removed_cap;
	struct comer *comer;
	size_t comers, comer_cap;
	struct link *link;
	size_t links, link_cap;

	uint64_t *cluster; /* ids of those touched */
	size_t clusters, cluster_cap;
	struct bb_feerate *was; /* their chunks */
	size_t was_count, was_cap;

	struct member *member;
	size_t members;
	struct future *future;
	size_t futures;
	struct chunk *chunk;
	size_t chunks;
};

static bool usable(const struct bb_change *c)
{
	return c && !c->store->why;
}

/* Memory for n of a size; NULL with why. */
static void *memory(const struct bb_change *c, size_t n, size_t size)
{
	void *p = n > SIZE_MAX / size ? NULL : bb_arena_alloc(c->arena, n * size);

	if (!p)
		bb_store_no_memory(c->store);
	return p;
}

/* Those items, where there is room for `more`; NULL with why. */
static void *room(const struct bb_change *c, void *items, size_t count, size_t *cap,
	size_t more, size_t size)
{
	size_t wanted = *cap * 2 > 8 ? *cap * 2 : 8;
	void *p;

	if (*cap - count >= more)
		return items;
	if (wanted < count + more)
		wanted = count + more;
	if (!(p = memory(c, wanted, size)))
		return NULL;
	if (count)
		memcpy(p, items, count * size);
	*cap = wanted;
	return p;
}

/* Nodes, and clusters as they are. */

/* Where the number stands in the table, or would. */
static uint32_t *slot_of(const struct bb_change *c, uint64_t number)
{
	const size_t mask = c->slots - 1;
	size_t i = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;

	while (c->slot[i] != NONE && c->node[c->slot[i]].number != number)
		i = (i + 1) & mask;
	return &c->slot[i];
}

static bool spread_slots(struct bb_change *c, size_t slots)
{
	uint32_t *slot = memory(c, slots, sizeof(*slot));

	if (!slot)
		return false;
	memset(slot, 0xff, slots * sizeof(*slot));
	c->slot = slot;
	c->slots = slots;
	for (size_t i = 0; i < c->nodes; i++)
		*slot_of(c, c->node[i].number) = (uint32_t)i;
	return true;
}

struct bb_change *bb_change_new(
	struct bb_store *s, const struct bb_policy *p, struct bb_arena *a)
{
	enum { FIRST_SLOTS = 32 };
	struct bb_change *c = bb_arena_array(a, 1, sizeof(*c));

	if (!c) {
		bb_store_no_memory(s);
		return NULL;
	}
	c->store = s;
	c->policy = p;
	c->arena = a;
	return spread_slots(c, FIRST_SLOTS) ? c : NULL;
}

static bool add_node(struct bb_change *c, const struct node *n)
{
	struct node *p = room(c, c->node, c->nodes, &c->node_cap, 1, sizeof(*p));
	uint32_t *slot;

	if (!p)
		return false;
	c->node = p;
	if (c->slots < 2 * (c->nodes + 1) && !spread_slots(c, 2 * c->slots))
		return false;
	slot = slot_of(c, n->number);
	if (*slot != NONE)
		return bb_pool_damaged_cluster(c->store);
	*slot = (uint32_t)c->nodes;
	c->node[c->nodes] = *n;
	c->node[c->nodes++].links = NONE;
	return true;
}

/* A cluster as it is, and its place in the diagram. */
static bool add_cluster(struct bb_change *c, const struct bb_pool_cluster *cluster)
{
	const struct bb_cluster *g = &cluster->graph;
	const uint32_t first = (uint32_t)c->nodes;
	struct bb_feerate *was = room(
		c, c->was, c->was_count, &c->was_cap, g->chunk_count, sizeof(*was));
	uint64_t *id = room(c, c->cluster, c->clusters, &c->cluster_cap, 1, sizeof(*id));

	if (!was || !id)
		return false;
	c->was = was;
	c->cluster = id;
	memcpy(c->was + c->was_count, g->chunk, g->chunk_count * sizeof(*was));
	c->was_count += g->chunk_count;
	c->cluster[c->clusters++] = cluster->id;
	for (unsigned i = 0; i < g->count; i++) {
		const struct node n = {
			.number = cluster->number[i],
			.rate = g->tx[i],
			.parents = g->parents[i],
			.first = first,
			.end = first + g->count,
		};
		if (!add_node(c, &n))
			return false;
	}
	return true;
}

/* Its node, with its cluster's when it waits. NONE: s->why. */
static uint32_t node_of(struct bb_change *c, uint64_t number)
{
	struct bb_pool_cluster cluster;
	uint32_t at = *slot_of(c, number);

	if (at == NONE && bb_pool_cluster_of(&cluster, c->store, number) &&
		add_cluster(c, &cluster))
		at = *slot_of(c, number);
	if (at == NONE)
		bb_pool_damaged_cluster(c->store);
	return at;
}

/* Those that go. */

static bool remove_node(struct bb_change *c, uint32_t at)
{
	uint64_t *p = room(c, c->removed, c->removed_count, &c->removed_cap, 1, sizeof(*p));

	if (!p)
		return false;
	c->removed = p;
	if (!c->node[at].gone)
		c->removed[c->removed_count++] = c->node[at].number;
	c->node[at].gone = true;
	return true;
}

void bb_change_remove(struct bb_change *c, uint64_t number, bool descendants)
{
	uint64_t below;
	uint32_t at;

	if (!usable(c) || (at = node_of(c, number)) == NONE || !remove_node(c, at))
		return;
	c->fits = false;
	below = UINT64_C(1) << (at - c->node[at].first);
	for (uint32_t i = at + 1; descendants && i < c->node[at].end; i++)
		if (c->node[i].parents & below) {
			below |= UINT64_C(1) << (i - c->node[i].first);
			if (!remove_node(c, i))
				return;
		}
}

const uint64_t *bb_change_removed(size_t *count, const struct bb_change *c)
{
	*count = usable(c) ? c->removed_count : 0;
	return *count ? c->removed : NULL;
}

/* Those that come. */

/* Its number, whether it waits or comes; 0: neither. */
static uint64_t number_of(const struct bb_change *c, const unsigned char txid[32])
{
	for (size_t i = 0; i < c->comers; i++)
		if (memcmp(c->comer[i].entry->txid, txid, 32) == 0)
			return c->comer[i].entry->number;
	return bb_pool_number(c->store, txid);
}

static bool find_parents(const struct bb_change *c, struct comer *n)
{
	const struct bb_txin *in = n->tx->in;

	if (!(n->parent = memory(c, n->tx->in_count, sizeof(*n->parent))))
		return false;
	for (size_t i = 0; i < n->tx->in_count; i++) {
		uint64_t p = 0;
		if (i == 0 || memcmp(in[i].prevout.txid, in[i - 1].prevout.txid, 32) != 0)
			p = number_of(c, in[i].prevout.txid);
		if (p)
			n->parent[n->parent_count++] = p;
	}
	bb_pool_numbers_unique(n->parent, &n->parent_count);
	return !c->store->why;
}

static bool add_child(const struct bb_change *c, struct comer *n, struct bb_span value)
{
	uint64_t *p = room(c, n->child, n->child_count, &n->child_cap, 1, sizeof(*p));

	if (!p)
		return false;
	n->child = p;
	if (value.len != 8)
		return bb_pool_damaged_cluster(c->store);
	n->child[n->child_count++] = bb_le64(value.data);
	return true;
}

/* Whoever spends one of its outputs already: outpoints of one transaction stand together. */
static bool find_children(const struct bb_change *c, struct comer *n)
{
	const struct bb_span txid = BB_SPAN(n->entry->txid, 32);
	struct bb_cursor at;

	if (!bb_cursor_open(&at, c->store, BB_POOL_SPENT))
		return false;
	for (bool more = bb_cursor_seek(&at, txid); more; more = bb_cursor_next(&at))
		if (at.key.len < txid.len || memcmp(at.key.data, txid.data, txid.len) != 0 ||
			!add_child(c, n, at.value))
			break;
	bb_cursor_close(&at);
	return !c->store->why;
}

bool bb_change_add(struct bb_change *c, struct bb_pool_entry *e, const struct bb_tx *tx)
{
	struct comer n = {.entry = e, .tx = tx}, *p;

	if (!usable(c) || (!c->next && !(c->next = bb_pool_next_number(c->store))))
		return false;
	e->number = c->next + c->comers;
	n.node = (uint32_t)c->nodes;
	p = room(c, c->comer, c->comers, &c->comer_cap, 1, sizeof(*p));
	if (!p || !find_parents(c, &n) || !find_children(c, &n) ||
		!add_node(c, &(struct node){
				     .number = e->number,
				     .rate = {e->fee_sat, e->adjusted_weight},
				     .first = n.node,
				     .end = n.node + 1,
			     }))
		return false;
	c->comer = p;
	c->comer[c->comers++] = n;
	c->fits = false;
	return true;
}

/* Who will stand with whom. */

static bool add_link(struct bb_change *c, uint32_t parent, uint32_t child)
{
	struct link *p = room(c, c->link, c->links, &c->link_cap, 1, sizeof(*p));

	if (!p || parent == NONE || child == NONE)
		return false;
	c->link = p;
	c->link[c->links] = (struct link){.parent = parent, .next = c->node[child].links};
	c->node[child].links = (uint32_t)c->links++;
	return true;
}

/* What one comes into; it is not looked up when it has too many parents for any cluster. */
static bool link_comer(struct bb_change *c, const struct comer *n)
{
	if ((int64_t)n->parent_count >= c->policy->cluster_count)
		return false;
	for (size_t i = 0; i < n->parent_count; i++)
		if (!add_link(c, node_of(c, n->parent[i]), n->node))
			return false;
	for (size_t i = 0; i < n->child_count; i++)
		if (!add_link(c, n->node, node_of(c, n->child[i])))
			return false;
	return true;
}

static bool link_comers(struct bb_change *c)
{
	c->links = 0;
	for (size_t i = 0; i < c->nodes; i++)
		c->node[i].links = NONE;
	for (size_t i = 0; i < c->comers; i++)
		if (!link_comer(c, &c->comer[i]))
			return false;
	return true;
}

static uint32_t leader_of(struct bb_change *c, uint32_t i)
{
	while (c->node[i].leader != i)
		i = c->node[i].leader = c->node[c->node[i].leader].leader;
	return i;
}

static void unite(struct bb_change *c, uint32_t a, uint32_t b)
{
	if (c->node[a].gone || c->node[b].gone)
		return;
	a = leader_of(c, a);
	b = leader_of(c, b);
	if (c->node[a].number < c->node[b].number)
		c->node[b].leader = a;
	else
		c->node[a].leader = b;
}

static void unite_all(struct bb_change *c)
{
	for (uint32_t i = 0; i < c->nodes; i++)
		c->node[i].leader = i;
	for (uint32_t i = 0; i < c->nodes; i++) {
		const struct node *n = &c->node[i];
		for (uint64_t left = n->parents; left; left &= left - 1)
			unite(c, i, n->first + (uint32_t)__builtin_ctzll(left));
		for (uint32_t l = n->links; l != NONE; l = c->link[l].next)
			unite(c, i, c->link[l].parent);
	}
}

static int by_cluster(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return x->cluster != y->cluster ? (x->cluster > y->cluster) - (x->cluster < y->cluster)
					: (x->number > y->number) - (x->number < y->number);
}

static bool gather_members(struct bb_change *c)
{
	c->members = 0;
	if (!(c->member = memory(c, c->nodes, sizeof(*c->member))))
		return false;
	for (uint32_t i = 0; i < c->nodes; i++)
		if (!c->node[i].gone)
			c->member[c->members++] = (struct member){
				.cluster = c->node[leader_of(c, i)].number,
				.number = c->node[i].number,
				.node = i,
			};
	qsort(c->member, c->members, sizeof(*c->member), by_cluster);
	return true;
}

static bool gather_futures(struct bb_change *c)
{
	struct future *f = NULL;

	c->futures = 0;
	if (!(c->future = memory(c, c->members, sizeof(*c->future))))
		return false;
	for (size_t i = 0; i < c->members; i++) {
		const struct member *m = &c->member[i];
		if (i == 0 || m->cluster != m[-1].cluster) {
			f = &c->future[c->futures++];
			*f = (struct future){.first = i};
		}
		f->count++;
		f->grows |= c->next && m->number >= c->next;
	}
	return true;
}

/* What only shrinks keeps the limits under which it came in, though these were lowered since: a
 * block's transactions could not leave otherwise. */
static bool keeps_limits(const struct bb_change *c, const struct future *f)
{
	const struct member *m = &c->member[f->first];
	int64_t weight = 0;

	if (f->count > BB_CLUSTER_MAX)
		return false;
	if (!f->grows)
		return true;
	for (size_t i = 0; i < f->count; i++)
		weight += c->node[m[i].node].rate.size;
	return (int64_t)f->count <= c->policy->cluster_count &&
	       weight <= c->policy->cluster_vsize * BB_WITNESS_SCALE;
}

/* Clusters as they will be. */

static uint64_t bit_of(const struct bb_change *c, uint32_t at)
{
	return c->node[at].gone ? 0 : UINT64_C(1) << c->node[at].place;
}

/* On whom it will depend, by their places. */
static uint64_t parents_of(const struct bb_change *c, const struct node *n)
{
	uint64_t parents = 0;

	for (uint64_t left = n->parents; left; left &= left - 1)
		parents |= bit_of(c, n->first + (uint32_t)__builtin_ctzll(left));
	for (uint32_t l = n->links; l != NONE; l = c->link[l].next)
		parents |= bit_of(c, c->link[l].parent);
	return parents;
}

/* Its members in the order in which they stand now. */
static void set_graph(struct bb_cluster *g, struct bb_change *c, const struct future *f)
{
	const struct member *m = &c->member[f->first];

	g->count = (unsigned)f->count;
	for (unsigned i = 0; i < g->count; i++)
		c->node[m[i].node].place = (unsigned char)i;
	for (unsigned i = 0; i < g->count; i++) {
		g->tx[i] = c->node[m[i].node].rate;
		g->parents[i] = parents_of(c, &c->node[m[i].node]);
	}
}

/* What nobody has but a damaged index of who spends what. */
static bool has_cycle(const struct bb_cluster *g)
{
	const uint64_t all = UINT64_MAX >> (BB_CLUSTER_MAX - g->count);
	uint64_t done = 0, before;

	do {
		before = done;
		for (unsigned i = 0; i < g->count; i++)
			if (!(g->parents[i] & ~done))
				done |= UINT64_C(1) << i;
	} while (done != before && done != all);
	return done != all;
}

static bool linearise(struct bb_change *c, struct future *f)
{
	struct member *m = &c->member[f->first], by[BB_CLUSTER_MAX];
	struct bb_cluster g;

	set_graph(&g, c, f);
	if (has_cycle(&g))
		return bb_pool_damaged_cluster(c->store);
	bb_cluster_linearise(&g);
	memcpy(by, m, f->count * sizeof(*m));
	for (unsigned i = 0; i < g.count; i++)
		m[i] = by[g.order[i]];
	f->chunk = c->chunks;
	f->chunk_count = g.chunk_count;
	for (unsigned i = 0; i < g.chunk_count; i++)
		c->chunk[c->chunks++] = (struct chunk){g.chunk[i], g.chunk_end[i]};
	return true;
}

static bool linearise_all(struct bb_change *c)
{
	c->chunks = 0;
	if (!(c->chunk = memory(c, c->members, sizeof(*c->chunk))))
		return false;
	for (size_t i = 0; i < c->futures; i++)
		if (!linearise(c, &c->future[i]))
			return false;
	return true;
}

bool bb_change_fits(struct bb_change *c)
{
	if (!usable(c) || c->fits)
		return usable(c);
	if (!link_comers(c))
		return false;
	unite_all(c);
	if (!gather_members(c) || !gather_futures(c))
		return false;
	for (size_t i = 0; i < c->futures; i++)
		if (!keeps_limits(c, &c->future[i]))
			return false;
	return c->fits = linearise_all(c);
}

bool bb_change_improves(struct bb_change *c)
{
	struct bb_feerate *is, *was;

	if (!usable(c) || !c->fits || !(is = memory(c, c->chunks, sizeof(*is))) ||
		!(was = memory(c, c->was_count, sizeof(*was))))
		return false;
	for (size_t i = 0; i < c->chunks; i++)
		is[i] = c->chunk[i].rate;
	for (size_t i = 0; i < c->was_count; i++)
		was[i] = c->was[i];
	return bb_diagram_compare(is, c->chunks, was, c->was_count) == BB_DIAGRAM_BETTER;
}

/* Writing. */

static void put_future(struct bb_change *c, const struct future *f)
{
	const struct member *m = &c->member[f->first];
	struct bb_pool_cluster out;

	out.id = m[0].cluster;
	set_graph(&out.graph, c, f);
	for (unsigned i = 0; i < out.graph.count; i++) {
		out.number[i] = m[i].number;
		out.graph.order[i] = (unsigned char)i;
	}
	out.graph.chunk_count = (unsigned)f->chunk_count;
	for (size_t i = 0; i < f->chunk_count; i++) {
		out.graph.chunk[i] = c->chunk[f->chunk + i].rate;
		out.graph.chunk_end[i] = c->chunk[f->chunk + i].end;
	}
	bb_pool_put_cluster(c->store, &out);
}

/* Does a cluster that will be have this id? They are in the order of their ids. */
static bool stays(const struct bb_change *c, uint64_t id)
{
	size_t low = 0, high = c->futures;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (c->member[c->future[middle].first].cluster < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < c->futures && c->member[c->future[low].first].cluster == id;
}

bool bb_change_apply(struct bb_change *c)
{
	if (!bb_change_fits(c))
		return false;
	for (size_t i = 0; i < c->removed_count; i++)
		bb_pool_del_entry(c->store, c->removed[i]);
	for (size_t i = 0; i < c->comers; i++)
		bb_pool_put_entry(c->store, c->comer[i].entry, c->comer[i].tx);
	for (size_t i = 0; i < c->clusters; i++)
		if (!stays(c, c->cluster[i]))
			bb_pool_del_cluster(c->store, c->cluster[i]);
	for (size_t i = 0; i < c->futures; i++)
		put_future(c, &c->future[i]);
	return !c->store->why;
}
