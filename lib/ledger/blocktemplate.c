#include "ledger/blocktemplate.h"

#include "bitcoin/genesis.h"
#include "bitcoin/retarget.h"
#include "ledger/template_inside.h"

enum {
	VERSION = 0x20000000, /* no deployment is signalled (BIP 9) */
	MIN_TX_WEIGHT = 240,  /* no valid transaction is smaller (MIN_TRANSACTION_WEIGHT) */
	MOST = BB_MAX_BLOCK_WEIGHT / MIN_TX_WEIGHT,
	/* Near the end, looking for what still fits is given up (BlockAssembler::addChunks). */
	FULL_ENOUGH = 4000,
	MAX_FAILURES = 1000,
};

/* The header. */

static uint32_t saturated(int64_t v)
{
	return v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

/* The earliest time that the block may have: behind the median, and as BIP 94 wants it even
 * where that does not bind (GetMinimumTime). */
static uint32_t minimum_time(const struct bb_node *prev, const struct bb_network *n)
{
	const int64_t old = (int64_t)prev->mtp + 1;
	const int64_t warp = (int64_t)prev->header.time - n->timewarp_limit;
	const bool first = ((int64_t)prev->height + 1) % bb_retarget_interval(n) == 0;

	return saturated(first && warp > old ? warp : old);
}

static bool genesis_at(void *arg, int64_t height, struct bb_header *out)
{
	*out = *(const struct bb_header *)arg;
	return height == 0;
}

/* The genesis block as a node of no store; false where it is not known. */
static bool get_genesis(struct bb_node *out, const struct bb_network *n)
{
	struct bb_buf bytes = {0};
	const bool known = bb_put_genesis(&bytes, n) && !bytes.failed &&
			   bb_header_parse(&out->header, BB_SPAN(bytes.data, BB_HEADER_SIZE));

	bb_buf_free(&bytes);
	bb_header_hash(out->id, &out->header);
	out->mtp = out->header.time;
	return known;
}

/* What to build on; *s becomes NULL where that is not of the store. */
static bool get_prev(struct bb_block_template *t, struct bb_store **s,
	const struct bb_network *n, bool from_genesis)
{
	if (*s && bb_tree_tip(&t->prev, *s)) {
		t->sequence = bb_event_last(*s);
		return true;
	}
	if (*s && (*s)->why)
		return false;
	*s = NULL;
	t->genesis_missing = !from_genesis || !get_genesis(&t->prev, n);
	return !t->genesis_missing;
}

static bool get_bits(
	struct bb_block_template *t, struct bb_store *s, const struct bb_network *n)
{
	struct bb_ancestry genesis = {genesis_at, &t->prev.header};
	int64_t bits;

	if (!s)
		return bb_next_bits(&t->bits, n, &genesis, 0, t->curtime);
	if (!bb_tree_expected_bits(&bits, s, n, &t->prev, t->curtime))
		return false;
	t->bits = (uint32_t)bits;
	return true;
}

/* Filling. */

bool bb_filling_begin(struct bb_filling *f, struct bb_store *s, int64_t now, bool from_genesis,
	uint64_t count)
{
	struct bb_block_template *t = f->t;

	*t = (struct bb_block_template){.version = VERSION};
	if (!get_prev(t, &s, f->network, from_genesis))
		return false;
	t->height = t->prev.height + 1;
	t->mintime = minimum_time(&t->prev, f->network);
	t->curtime = saturated(now) > t->mintime ? saturated(now) : t->mintime;
	t->value_sat = bb_subsidy(f->network, t->height);
	f->segwit = t->height >= f->network->segwit_height;
	f->room = count < MOST ? (size_t)count : MOST;
	t->tx = bb_arena_alloc(f->arena, f->room * sizeof(*t->tx));
	if (!t->tx && s)
		bb_store_no_memory(s);
	return t->tx && get_bits(t, s, f->network);
}

bool bb_filling_ends(struct bb_feerate chunk)
{
	const int64_t vsize = bb_vsize(chunk.size);

	return bb_feerate_compare((struct bb_feerate){chunk.fee_sat, vsize},
		       (struct bb_feerate){BB_TEMPLATE_MIN_RATE, 1000}) < 0;
}

/* A chunk's size is its adjusted weight, and so may keep it out, while what is in counts with
 * its true one: so does Bitcoin Core (TestChunkBlockLimits, AddToBlock). */
bool bb_filling_fits(
	const struct bb_filling *f, struct bb_feerate chunk, int64_t sigops_cost, size_t count)
{
	const struct bb_block_template *t = f->t;

	return BB_TEMPLATE_RESERVED_WEIGHT + t->weight + chunk.size < BB_MAX_BLOCK_WEIGHT &&
	       BB_TEMPLATE_RESERVED_SIGOPS + t->sigops_cost + sigops_cost <
		       BB_MAX_BLOCK_SIGOPS_COST &&
	       bb_money_range(chunk.fee_sat) && bb_money_range(t->value_sat + chunk.fee_sat) &&
	       count <= f->room - t->tx_count;
}

bool bb_filling_failed(struct bb_filling *f)
{
	return ++f->failures > MAX_FAILURES &&
	       BB_TEMPLATE_RESERVED_WEIGHT + f->t->weight + FULL_ENOUGH > BB_MAX_BLOCK_WEIGHT;
}

struct bb_template_tx *bb_filling_add(struct bb_filling *f, const struct bb_template_tx *tx)
{
	struct bb_block_template *t = f->t;
	struct bb_template_tx *at = &t->tx[t->tx_count++];

	*at = *tx;
	t->fee_sat += tx->fee_sat;
	t->value_sat += tx->fee_sat;
	t->weight += tx->weight;
	t->sigops_cost += tx->sigops_cost;
	f->failures = 0;
	return at;
}

/* From the mempool. Of each cluster of more than one chunk is remembered how far it got. */

#define SKIPPED UINT32_MAX

struct progress {
	uint64_t cluster;
	uint32_t last; /* position of its last transaction, from 1; SKIPPED; 0: no entry */
};

struct walk {
	struct bb_filling f;
	struct bb_store *store;
	struct progress *slot; /* a hash table, probed linearly */
	size_t slots, used;
	uint32_t *mate; /* of each transaction: the one before it of its cluster; 0: none */
};

static struct progress *probe(struct progress *slot, size_t slots, uint64_t cluster)
{
	size_t i = (size_t)((cluster * 0x9e3779b97f4a7c15u) >> 32) & (slots - 1);

	while (slot[i].last && slot[i].cluster != cluster)
		i = (i + 1) & (slots - 1);
	return &slot[i];
}

static bool grow(struct walk *w)
{
	const size_t slots = w->slots ? 2 * w->slots : 1024;
	struct progress *slot = bb_arena_array(w->f.arena, slots, sizeof(*slot));

	if (!slot)
		return bb_store_no_memory(w->store);
	for (size_t i = 0; i < w->slots; i++)
		if (w->slot[i].last)
			*probe(slot, slots, w->slot[i].cluster) = w->slot[i];
	w->slot = slot;
	w->slots = slots;
	return true;
}

static uint32_t progress_of(const struct walk *w, uint64_t cluster)
{
	return w->slots ? probe(w->slot, w->slots, cluster)->last : 0;
}

static bool remember(struct walk *w, uint64_t cluster, uint32_t last)
{
	struct progress *p;

	if (2 * w->used >= w->slots && !grow(w))
		return false;
	p = probe(w->slot, w->slots, cluster);
	w->used += !p->last;
	*p = (struct progress){cluster, last};
	return true;
}

/* What it spends of those before it, once for each input, as Bitcoin Core lists them. */
static bool find_depends(
	struct walk *w, struct bb_template_tx *x, const struct bb_pool_entry *e, uint32_t last)
{
	const struct bb_block_template *t = w->f.t;
	struct bb_tx tx;

	if (!bb_pool_parse_tx(&tx, w->f.arena, w->store, e))
		return false;
	if (!(x->depends = bb_arena_array(w->f.arena, tx.in_count, sizeof(*x->depends))))
		return bb_store_no_memory(w->store);
	for (size_t i = 0; i < tx.in_count; i++)
		for (uint32_t at = last; at; at = w->mate[at - 1])
			if (memcmp(t->tx[at - 1].txid, tx.in[i].prevout.txid, 32) == 0)
				x->depends[x->depend_count++] = at;
	return true;
}

static bool add_entry(
	struct walk *w, const struct bb_pool_entry *e, uint64_t parents, uint32_t *last)
{
	struct bb_template_tx x = {.bytes = e->bytes,
		.fee_sat = e->fee_sat,
		.weight = e->weight,
		.sigops_cost = e->sigops_cost};
	struct bb_template_tx *at;

	memcpy(x.txid, e->txid, 32);
	memcpy(x.wtxid, e->wtxid, 32);
	at = bb_filling_add(&w->f, &x);
	w->mate[w->f.t->tx_count - 1] = *last;
	if (parents && !find_depends(w, at, e, *last))
		return false;
	*last = (uint32_t)w->f.t->tx_count;
	return true;
}

/* The transactions of a chunk, and how many sigops they cost. */
static bool get_entries(struct bb_pool_entry *e, int64_t *sigops_cost, bool *witness,
	struct walk *w, const struct bb_pool_chunk *k, const struct bb_pool_cluster *c)
{
	struct bb_feerate sum = {0};

	*sigops_cost = 0;
	*witness = false;
	for (unsigned i = 0; i < k->count; i++) {
		if (!bb_pool_get(&e[i], w->store, c->number[k->first + i]))
			return bb_pool_damaged_cluster(w->store);
		sum = bb_feerate_sum(
			sum, (struct bb_feerate){e[i].fee_sat, e[i].adjusted_weight});
		*sigops_cost += e[i].sigops_cost;
		*witness |= memcmp(e[i].txid, e[i].wtxid, 32) != 0;
	}
	if (sum.fee_sat != k->rate.fee_sat || sum.size != k->rate.size)
		return bb_pool_damaged_chunk(w->store);
	return true;
}

/* What comes behind a chunk in its cluster may depend on it. */
static bool skip(struct walk *w, const struct bb_pool_chunk *k, bool *full)
{
	*full = bb_filling_failed(&w->f);
	return remember(w, k->cluster, SKIPPED);
}

/* One chunk, whole or not at all; false: the store failed. */
static bool take_chunk(struct walk *w, const struct bb_pool_chunk *k, bool *full)
{
	struct bb_pool_entry e[BB_CLUSTER_MAX];
	struct bb_pool_cluster c;
	uint32_t last = progress_of(w, k->cluster);
	int64_t sigops_cost;
	bool witness;

	if (last == SKIPPED)
		return true;
	if (!bb_filling_fits(&w->f, k->rate, 0, k->count))
		return skip(w, k, full);
	if (!bb_pool_chunk_cluster(&c, w->store, k))
		return false;
	if (!get_entries(e, &sigops_cost, &witness, w, k, &c))
		return false;
	if (!bb_filling_fits(&w->f, k->rate, sigops_cost, k->count) ||
		(witness && !w->f.segwit))
		return skip(w, k, full);
	for (unsigned i = 0; i < k->count; i++)
		if (!add_entry(w, &e[i], c.graph.parents[k->first + i], &last))
			return false;
	return k->first + k->count == c.graph.count || remember(w, k->cluster, last);
}

static bool take_chunks(struct walk *w)
{
	struct bb_pool_chunk k;
	struct bb_cursor at;
	bool full = false, good = true;

	if (!bb_cursor_open(&at, w->store, BB_POOL_CHUNKS))
		return false;
	for (bool more = bb_cursor_first(&at); more && good && !full;
		more = bb_cursor_next(&at)) {
		good = bb_pool_chunk(&k, &at);
		if (!good || bb_filling_ends(k.rate))
			break;
		good = take_chunk(w, &k, &full);
	}
	bb_cursor_close(&at);
	return good && !w->store->why;
}

bool bb_template_from_pool(struct bb_block_template *t, struct bb_store *s,
	const struct bb_network *n, struct bb_arena *a, int64_t now)
{
	const uint64_t count = s->pool_fits ? bb_store_count(s, BB_POOL_TXS) : 0;
	struct walk w = {.f = {.t = t, .network = n, .arena = a}, .store = s};

	if (!bb_filling_begin(&w.f, s, now, false, count))
		return false;
	if (!(w.mate = bb_arena_alloc(a, w.f.room * sizeof(*w.mate))))
		return bb_store_no_memory(s);
	return !count || take_chunks(&w);
}
