#include "ledger/ledger.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "bitcoin/genesis.h"
#include "bitcoin/pow.h"
#include "ledger/connect.h"
#include "ledger/orphans.h"
#include "ledger/orphantx.h"
#include "ledger/poolblock.h"

/* Rules that wait for what is not there yet. */
enum {
	UNJUDGED_COINS = BB_UNJUDGED_INPUTS | BB_UNJUDGED_SUBSIDY | BB_UNJUDGED_MATURITY |
			 BB_UNJUDGED_BIP68,
	UNJUDGED_PLACE = BB_UNJUDGED_HEIGHT | BB_UNJUDGED_TIME_OLD | BB_UNJUDGED_TIME_NEW |
			 BB_UNJUDGED_BITS,
};

/* Transactions of the store. */

static bool begin_alone(struct bb_ledger *l)
{
	if (l->store->txn)
		return !l->store->why;
	if (!bb_store_begin(l->store))
		return false;
	if (bb_store_changed(l->store))
		bb_coins_drop(&l->coins);
	return true;
}

/* The same, and the mempool stands on the chain's tip. */
static bool begin(struct bb_ledger *l)
{
	l->pool.parallel = l->parallel;
	l->pool.now = l->now;
	return begin_alone(l) && (l->store->pool_fits || bb_pool_catch_up(&l->pool));
}

/* The coins are written by now, and give back memory for the rows. */
static bool settle(struct bb_ledger *l)
{
	bb_rows_flush(&l->rows);
	if (bb_store_commit(l->store))
		return true;
	bb_coins_drop(&l->coins);
	bb_rows_drop(&l->rows);
	bb_returned_clear(&l->pool.returned);
	l->pool.arrived.len = 0;
	return false;
}

bool bb_ledger_commit(struct bb_ledger *l)
{
	if (!l->store->txn)
		return !l->store->why;
	begin(l);
	bb_coins_flush(&l->coins);
	bb_coins_trim(&l->coins);
	return settle(l);
}

bool bb_ledger_finish(struct bb_ledger *l)
{
	if (!l->store->txn)
		return !l->store->why;
	begin(l);
	bb_arena_free(&l->arena);
	bb_buf_free(&l->bytes);
	bb_coins_flush(&l->coins);
	bb_coins_drop(&l->coins);
	return settle(l);
}

bool bb_ledger_tip(struct bb_node *tip, struct bb_ledger *l)
{
	return begin(l) && bb_tree_tip(tip, l->store);
}

/* Verdicts. */

static enum bb_outcome refuse(struct bb_verdict *v, const char *reason)
{
	v->valid = false;
	v->unjudged = 0;
	snprintf(v->error, sizeof(v->error), "%s", reason);
	return BB_OUTCOME_REFUSED;
}

/* A known header that must not be built on. */
static enum bb_outcome refuse_again(struct bb_verdict *v)
{
	char id[64];

	bb_hash_encode(id, v->id);
	snprintf(v->detail, sizeof(v->detail), "block %.64s was previously marked invalid", id);
	return refuse(v, "duplicate-invalid");
}

/* Headers. */

/* What is known of a header that comes: its node, or why there is none. */
enum entrance {
	NEW,
	KNOWN,
	NO_PARENT,
	NOT_LET_IN, /* the verdict says why; or the store failed */
};

static bool check_in_chain(struct bb_verdict *v, struct bb_ledger *l, const struct bb_header *h,
	const struct bb_node *prev)
{
	struct bb_block_claims claims;
	const struct bb_block alone = {.header = *h};
	char reason[BB_REASON_SIZE];
	unsigned unjudged = 0;

	if (!bb_tree_claims(&claims, l->store, prev) ||
		!bb_tree_expected_bits(
			&claims.expected_bits, l->store, l->network, prev, h->time))
		return false;
	claims.now = l->now < 0 ? (int64_t)time(NULL) : l->now;
	if (bb_check_header(reason, &unjudged, h, &claims, l->network))
		return true;
	refuse(v, reason);
	bb_block_detail(v->detail, reason, &alone, SIZE_MAX, NULL, &claims, l->network);
	return false;
}

/* AcceptBlockHeader: find its node, or make one. */
static enum entrance enter(
	struct bb_node *n, struct bb_verdict *v, struct bb_ledger *l, const struct bb_header *h)
{
	const bool genesis = memcmp(v->id, l->network->genesis, 32) == 0;
	struct bb_store *s = l->store;
	struct bb_node prev;

	if (bb_tree_find(n, s, v->id)) {
		if (!(n->status & BB_NODE_BAD))
			return KNOWN;
		refuse_again(v);
		return NOT_LET_IN;
	}
	if (!bb_pow_valid(v->id, h->bits, l->network)) {
		refuse(v, "high-hash");
		strcpy(v->detail, "proof of work failed");
		return NOT_LET_IN;
	}
	if (!genesis) {
		if (!bb_tree_find(&prev, s, h->prev))
			return s->why ? NOT_LET_IN : NO_PARENT;
		if (prev.status & BB_NODE_BAD) {
			refuse(v, "bad-prevblk");
			return NOT_LET_IN;
		}
		if (!check_in_chain(v, l, h, &prev))
			return NOT_LET_IN;
	}
	if (s->why)
		return NOT_LET_IN;
	bb_tree_add(n, s, genesis ? NULL : &prev, h, v->id);
	return NEW;
}

static enum bb_outcome keep_header(
	struct bb_verdict *v, struct bb_ledger *l, const struct bb_header *h)
{
	struct bb_buf bytes = {0};

	bb_put_header(&bytes, h);
	if (bytes.failed)
		bb_store_no_memory(l->store);
	else
		bb_orphans_put(l->store, h->prev, v->id, BB_ORPHAN_HEADER,
			BB_SPAN(bytes.data, bytes.len));
	bb_buf_free(&bytes);
	v->unjudged = UNJUDGED_PLACE & ~BB_UNJUDGED_HEIGHT; /* it has no coinbase */
	return BB_OUTCOME_ORPHAN;
}

/* A body that no place in a chain could make good is not kept; its hash may yet be. */
static enum bb_outcome keep_block(
	struct bb_verdict *v, struct bb_ledger *l, const struct bb_incoming *in)
{
	const char *committed = bb_check_witness(&in->block, true);
	const bool bare = !bb_check_witness(&in->block, false);

	if (committed && !bare)
		return refuse(v, committed);
	if (bb_block_weight(&in->block) > BB_MAX_BLOCK_WEIGHT)
		return refuse(v, "bad-blk-weight");
	bb_orphans_put(l->store, in->block.header.prev, v->id,
		bare ? BB_ORPHAN_BARE : BB_ORPHAN_COMMITTED, in->bytes);
	v->unjudged = UNJUDGED_PLACE | UNJUDGED_COINS | BB_UNJUDGED_FINAL;
	return BB_OUTCOME_ORPHAN;
}

static enum bb_outcome take_header(
	struct bb_verdict *v, struct bb_ledger *l, const struct bb_header *h)
{
	struct bb_node n;

	switch (enter(&n, v, l, h)) {
	case NEW: return BB_OUTCOME_ACCEPTED;
	case KNOWN: return BB_OUTCOME_DUPLICATE;
	case NOT_LET_IN: return BB_OUTCOME_REFUSED;
	case NO_PARENT: break;
	}
	return keep_header(v, l, h);
}

/* Blocks. */

/* ContextualCheckBlock; what another body could mend is not held against the hash. */
static bool check_body(
	struct bb_verdict *v, struct bb_ledger *l, struct bb_incoming *in, struct bb_node *n)
{
	struct bb_block_claims claims;
	struct bb_node prev;
	unsigned unjudged = 0;
	const char *why;

	if (!n->height)
		return true;
	if (!bb_tree_named(&prev, l->store, n->prev) ||
		!bb_tree_claims(&claims, l->store, &prev))
		return false;
	why = bb_check_block_in_context(&unjudged, &in->block, &claims, l->network);
	if (!why)
		return true;
	refuse(v, why);
	bb_block_detail(v->detail, why, &in->block, SIZE_MAX, NULL, &claims, l->network);
	if (!bb_reason_is_mutation(why))
		bb_tree_fail(l->store, n);
	return false;
}

static void keep_data(struct bb_ledger *l, struct bb_incoming *in, struct bb_node *n)
{
	struct bb_store *s = l->store;

	if (!bb_flat_append(&n->place, &s->flat, &s->why, in->bytes))
		return;
	n->status |= BB_NODE_DATA;
	n->tx_count = (uint32_t)in->block.tx_count;
	n->weight = (uint32_t)bb_block_weight(&in->block);
	bb_tree_update(s, n);
	bb_tree_link(s, n);
}

/* How the block stands now. */
static enum bb_outcome standing(struct bb_verdict *v, struct bb_ledger *l, uint32_t number)
{
	struct bb_node n;

	if (!bb_tree_named(&n, l->store, number))
		return BB_OUTCOME_REFUSED;
	if (l->failed == number) {
		*v = l->failure;
		return BB_OUTCOME_REFUSED;
	}
	if (n.status & BB_NODE_BAD)
		return refuse(v, "bad-prevblk");
	if (bb_tree_is_active(l->store, &n))
		return BB_OUTCOME_CONNECTED;
	if (!(n.status & BB_NODE_JUDGED))
		v->unjudged = UNJUDGED_COINS;
	return BB_OUTCOME_SIDE;
}

/* AcceptBlock and ActivateBestChain. */
static enum bb_outcome take_block(struct bb_verdict *v, struct bb_ledger *l,
	struct bb_incoming *in, const struct bb_known_scripts *known)
{
	struct bb_fresh fresh = {.in = in, .known = known};
	struct bb_node n;

	if (in->refusal) {
		memcpy(v->detail, in->detail, sizeof(v->detail));
		return refuse(v, in->refusal);
	}
	/* A genesis block that is not built in: nothing is there to be spent. */
	if (memcmp(v->id, l->network->genesis, 32) == 0 &&
		(in->block.tx_count > 1 || bb_block_weight(&in->block) > BB_MAX_BLOCK_WEIGHT))
		return refuse(v, "bad-genesis");
	switch (enter(&n, v, l, &in->block.header)) {
	case NO_PARENT: return keep_block(v, l, in);
	case NOT_LET_IN: return BB_OUTCOME_REFUSED;
	case NEW:
	case KNOWN: break;
	}
	if (n.status & BB_NODE_DATA) {
		if (!(n.status & BB_NODE_JUDGED))
			v->unjudged = UNJUDGED_COINS;
		return BB_OUTCOME_DUPLICATE;
	}
	if (!check_body(v, l, in, &n))
		return BB_OUTCOME_REFUSED;
	keep_data(l, in, &n);
	fresh.number = n.number;
	l->failed = BB_NO_NODE;
	if (!bb_activate(l, &fresh))
		return BB_OUTCOME_REFUSED;
	return standing(v, l, n.number);
}

/* Orphans. */

/* One that waited: nobody is there to hear its verdict. If it has a place in the tree now, it
 * may be a parent in turn; what waits for one without goes on waiting. */
static void adopt_one(struct bb_buf *parents, struct bb_ledger *l, struct bb_span bytes)
{
	struct bb_verdict v = {.valid = true};
	struct bb_arena arena = {0};
	struct bb_incoming in;
	struct bb_header h;
	struct bb_node n;

	if (bytes.len == BB_HEADER_SIZE && bb_header_parse(&h, bytes)) {
		bb_header_hash(v.id, &h);
		take_header(&v, l, &h);
	} else if (bb_incoming_parse(&in, &arena, bytes, l->network)) {
		memcpy(v.id, in.id, 32);
		take_block(&v, l, &in, NULL);
	} else if (!l->store->why) {
		bb_store_set_why(l->store, "the store is damaged: an orphan is no block");
	}
	if (bb_tree_find(&n, l->store, v.id))
		bb_put(parents, v.id, 32);
	bb_arena_free(&arena);
}

static void adopt_orphans(struct bb_ledger *l, const unsigned char parent[32])
{
	struct bb_buf parents = {0}, bytes = {0};
	unsigned char id[32];
	struct bb_node n;

	if (!bb_store_count(l->store, BB_ORPHANS) || !bb_tree_find(&n, l->store, parent))
		return;
	bb_put(&parents, parent, 32);
	for (size_t at = 0; !parents.failed && at < parents.len && !l->store->why; at += 32) {
		memcpy(id, parents.data + at, 32);
		for (bytes.len = 0; bb_orphans_take(&bytes, l->store, id); bytes.len = 0)
			adopt_one(&parents, l, BB_SPAN(bytes.data, bytes.len));
	}
	if (parents.failed)
		bb_store_no_memory(l->store);
	bb_buf_free(&parents);
	bb_buf_free(&bytes);
}

/* The doors. */

static bool start(struct bb_verdict *v, struct bb_ledger *l, const unsigned char id[32])
{
	*v = (struct bb_verdict){.valid = true};
	memcpy(v->id, id, 32);
	return begin(l);
}

bool bb_ledger_add_block(struct bb_verdict *v, enum bb_outcome *r, struct bb_ledger *l,
	struct bb_incoming *in, const struct bb_known_scripts *scripts_known)
{
	if (!start(v, l, in->id))
		return false;
	*r = take_block(v, l, in, scripts_known);
	/* Of a refused one too, if it has a place in the tree: they learn their fate. */
	if (*r != BB_OUTCOME_ORPHAN && !in->refusal)
		adopt_orphans(l, in->id);
	return !l->store->why;
}

bool bb_ledger_add_header(struct bb_verdict *v, enum bb_outcome *r, struct bb_ledger *l,
	const struct bb_header *h)
{
	unsigned char id[32];

	bb_header_hash(id, h);
	if (!start(v, l, id))
		return false;
	*r = take_header(v, l, h);
	if (*r == BB_OUTCOME_ACCEPTED)
		adopt_orphans(l, id);
	return !l->store->why;
}

bool bb_ledger_add_tx(struct bb_acceptance *r, struct bb_ledger *l, struct bb_arena *a,
	const struct bb_incoming_tx *in)
{
	struct bb_pool *p = &l->pool;

	if (!begin(l) || !bb_accept_tx(r, p, a, in, BB_ACCEPT_ADD))
		return false;
	if (r->outcome == BB_OUTCOME_ORPHAN)
		bb_orphantx_put(p, in);
	else if (r->outcome == BB_OUTCOME_ACCEPTED)
		bb_orphantx_drop(p, in->wtxid);
	return bb_orphantx_adopt(p);
}

bool bb_ledger_add_package(struct bb_package_acceptance *r, struct bb_ledger *l,
	struct bb_arena *a, const struct bb_incoming_tx *in, size_t count)
{
	struct bb_pool *p = &l->pool;

	if (!begin(l) || !bb_accept_package(r, p, a, in, count, BB_ACCEPT_ADD))
		return false;
	for (size_t i = 0; i < r->count; i++)
		if (r->tx[i].outcome == BB_OUTCOME_ACCEPTED)
			bb_orphantx_drop(p, in[i].wtxid);
	return bb_orphantx_adopt(p);
}

/* The block that is to be judged anew, if there is one that can be. */
static bool find_to_change(
	struct bb_node *n, struct bb_verdict *v, enum bb_outcome *r, struct bb_ledger *l)
{
	if (!bb_tree_find(n, l->store, v->id))
		*r = refuse(v, "not-found");
	else if (!n->height)
		*r = refuse(v, "genesis");
	else
		*r = BB_OUTCOME_ACCEPTED;
	return *r == BB_OUTCOME_ACCEPTED && !l->store->why;
}

bool bb_ledger_invalidate(struct bb_verdict *v, enum bb_outcome *r, struct bb_ledger *l,
	const unsigned char id[32])
{
	struct bb_node n;

	if (!start(v, l, id))
		return false;
	if (find_to_change(&n, v, r, l)) {
		bb_tree_fail(l->store, &n);
		bb_activate(l, NULL);
	}
	return !l->store->why;
}

bool bb_ledger_reconsider(struct bb_verdict *v, enum bb_outcome *r, struct bb_ledger *l,
	const unsigned char id[32])
{
	struct bb_node n;

	if (!start(v, l, id))
		return false;
	if (find_to_change(&n, v, r, l)) {
		bb_tree_forgive(l->store, &n);
		bb_activate(l, NULL);
	}
	return !l->store->why;
}

/* Open and close. */

/* A new store begins with the genesis block, where it is known. */
static bool plant_genesis(struct bb_ledger *l)
{
	struct bb_buf bytes = {0};
	struct bb_arena arena = {0};
	struct bb_incoming in;
	struct bb_verdict v;
	enum bb_outcome r;

	if (!bb_store_count(l->store, BB_NODES) && bb_put_genesis(&bytes, l->network) &&
		bb_incoming_parse(&in, &arena, BB_SPAN(bytes.data, bytes.len), l->network))
		bb_ledger_add_block(&v, &r, l, &in, NULL);
	bb_buf_free(&bytes);
	bb_arena_free(&arena);
	return !l->store->why;
}

bool bb_ledger_open(struct bb_ledger *l, const char **why, struct bb_store *s,
	const struct bb_network *n, size_t cache)
{
	memset(l, 0, sizeof(*l));
	l->store = s;
	l->network = n;
	l->now = -1;
	l->rows.store = s;
	l->failed = BB_NO_NODE;
	l->pool = (struct bb_pool){.store = s,
		.network = n,
		.policy = &bb_policy_core,
		.coins = &l->coins,
		.rows = &l->rows,
		.vm = &l->vm,
		.now = -1};
	if (!bb_coins_init(&l->coins, s, cache)) {
		*why = "out of memory";
		return false;
	}
	/* The mempool catches up when `now` is known and the policy is set. */
	if (begin_alone(l) && plant_genesis(l))
		return true;
	*why = s->why;
	bb_ledger_close(l);
	return false;
}

void bb_ledger_close(struct bb_ledger *l)
{
	bb_store_end(l->store);
	bb_pool_free(&l->pool);
	bb_coins_free(&l->coins);
	bb_rows_free(&l->rows);
	bb_interpreter_free(&l->vm);
	bb_arena_free(&l->arena);
	bb_buf_free(&l->bytes);
}
