#include "ledger/connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/events.h"
#include "ledger/poolblock.h"
#include "ledger/query.h"

/* Below this height no coinbase can repeat an earlier one's height by chance, once BIP 34
 * binds; from it on some of before BIP 34 could come true (Core's
 * BIP34_IMPLIES_BIP30_LIMIT). */
enum { BIP34_IMPLIES_BIP30_LIMIT = 1983702 };

/* A block being connected. */
struct turn {
	struct bb_ledger *l;
	struct bb_node *node, prev;
	struct bb_incoming *in;
	struct bb_block_claims claims;
	uint32_t flags;
	struct bb_prevout *prevouts; /* bb_block_spends of them */
	size_t spends;
};

static void refuse(struct turn *t, const char *reason)
{
	struct bb_verdict *v = &t->l->failure;

	*v = (struct bb_verdict){0};
	memcpy(v->id, t->node->id, 32);
	snprintf(v->error, sizeof(v->error), "%s", reason);
}

/* What is spent. */

static bool find_prevout(
	struct turn *t, struct bb_prevout *p, const struct bb_tx *tx, const struct bb_txin *in)
{
	struct bb_coin coin;

	*p = bb_prevout_unknown;
	if (!bb_coins_get(&coin, &t->l->coins, &in->prevout))
		return true; /* one of the block's own, or none */
	return bb_query_coin_prevout(p, t->l->store, t->in->arena, &coin, tx, in);
}

static bool find_prevouts(struct turn *t)
{
	const struct bb_block *block = &t->in->block;
	struct bb_prevout *p;

	t->spends = bb_block_spends(block);
	p = t->prevouts = bb_arena_array(t->in->arena, t->spends + 1, sizeof(*p));
	for (size_t i = 1; p && i < block->tx_count; i++)
		for (size_t k = 0; k < block->tx[i].in_count; k++)
			if (!find_prevout(t, p++, &block->tx[i], &block->tx[i].in[k]))
				return false;
	return p;
}

/* BIP 30: a transaction may not have the id of one with coins left. */

static bool is_known_repeat(const struct bb_network *n, const struct bb_node *node)
{
	for (size_t i = 0; i < n->bip30_exception_count; i++)
		if (node->height == n->bip30_exceptions[i].height &&
			memcmp(node->id, n->bip30_exceptions[i].hash, 32) == 0)
			return true;
	return false;
}

static bool repeats_may_be(const struct turn *t)
{
	const struct bb_network *n = t->l->network;
	struct bb_node bip34;

	if (is_known_repeat(n, t->node))
		return true;
	if (t->node->height >= BIP34_IMPLIES_BIP30_LIMIT || t->prev.height < n->bip34_height)
		return false;
	return bb_tree_ancestor(&bip34, t->l->store, &t->prev, n->bip34_height) &&
	       memcmp(bip34.id, n->bip34_hash, 32) == 0;
}

static bool overwrites(struct turn *t)
{
	const struct bb_block *block = &t->in->block;
	unsigned char txid[32];

	if (repeats_may_be(t))
		return false;
	for (size_t i = 0; i < block->tx_count; i++) {
		bb_block_txid(txid, block, i);
		if (bb_coins_have_tx(&t->l->coins, txid, (uint32_t)block->tx[i].out_count))
			return true;
	}
	return false;
}

/* Scripts. */

/* Somebody trusted has run them on these very coins, under no weaker rules. */
static bool scripts_known(const struct turn *t, const struct bb_known_scripts *known)
{
	unsigned char hash[32];

	if (t->node->status & BB_NODE_JUDGED)
		return true;
	if (!known || (t->flags & ~bb_block_flags(t->l->network, t->node->id, known->height)))
		return false;
	bb_prevouts_hash(hash, t->prevouts, t->spends);
	return memcmp(hash, known->prevouts, 32) == 0;
}

/* Of each transaction but the coinbase: did its scripts pass under these flags or more when it
 * came to the mempool? NULL: memory. */
static bool *scripts_run_before(struct turn *t)
{
	const struct bb_block *block = &t->in->block;
	struct bb_pool *pool = &t->l->pool;
	const bool none = !bb_store_count(pool->store, BB_POOL_TXS);
	bool *known = bb_arena_array(t->in->arena, block->tx_count, sizeof(*known));
	uint32_t passed;

	for (size_t i = 1; known && !none && i < block->tx_count; i++) {
		passed = bb_pool_known_flags(pool, &block->tx[i], block->txid[i]);
		known[i - 1] = passed && !(t->flags & ~passed);
	}
	return known;
}

static bool run_scripts(struct turn *t)
{
	const struct bb_block *block = &t->in->block;
	struct bb_verdict *v = &t->l->failure;
	const bool *known = scripts_run_before(t);
	struct bb_script_results r;
	char reason[sizeof(v->error)];

	if (!known ||
		!bb_run_scripts(&r, t->in->arena, &t->l->vm, t->l->parallel, block->tx + 1,
			block->tx_count - 1, t->prevouts, known, SIZE_MAX, t->flags))
		return bb_store_no_memory(t->l->store);
	if (r.failed == SIZE_MAX)
		return !t->l->store->why;
	snprintf(reason, sizeof(reason), "block-script-verify-flag-failed (%s)",
		bb_script_error_text(r.result[r.failed]));
	refuse(t, reason);
	v->has_input = true;
	v->input = r.failed;
	v->script_error = r.result[r.failed];
	bb_script_detail(v->detail, &block->tx[r.failed_tx + 1], r.failed_input);
	return false;
}

/* The rules that need the coins, in ConnectBlock's order. */
static bool judge(struct turn *t, const struct bb_known_scripts *known)
{
	struct bb_ledger *l = t->l;
	unsigned unjudged = 0;
	size_t at = SIZE_MAX;
	const char *why;

	if (overwrites(t)) {
		refuse(t, "bad-txns-BIP30");
		strcpy(l->failure.detail, "tried to overwrite transaction");
		return false;
	}
	if (!find_prevouts(t))
		return bb_store_no_memory(l->store);
	why = bb_check_block_inputs(
		&unjudged, &at, &t->in->block, t->prevouts, &t->claims, t->flags, l->network);
	if (l->store->why)
		return false; /* what was not found may be there */
	if (why) {
		refuse(t, why);
		bb_block_detail(l->failure.detail, why, &t->in->block, at, t->prevouts,
			&t->claims, l->network);
		return false;
	}
	if (unjudged) {
		l->store->why = "a rule was left unjudged";
		return false;
	}
	return scripts_known(t, known) || run_scripts(t);
}

/* The coins and all that follows them. */

static void spend_and_create(struct turn *t)
{
	const struct bb_block *block = &t->in->block;
	struct bb_coins *coins = &t->l->coins;
	struct bb_outpoint o;
	struct bb_coin coin = {.height = t->node->height, .coinbase = true};

	for (size_t i = 0; i < block->tx_count; i++) {
		const struct bb_tx *tx = &block->tx[i];
		for (size_t k = 0; i && k < tx->in_count; k++)
			bb_coins_spend(coins, &tx->in[k].prevout);
		bb_block_txid(o.txid, block, i);
		for (o.vout = 0; o.vout < tx->out_count; o.vout++) {
			coin.value_sat = tx->out[o.vout].value_sat;
			coin.script = tx->out[o.vout].script;
			if (bb_output_is_coin(&tx->out[o.vout]))
				bb_coins_add(coins, &o, &coin);
		}
		coin.coinbase = false;
	}
}

static bool connect_block(struct turn *t, const struct bb_known_scripts *known)
{
	struct bb_ledger *l = t->l;
	struct bb_store *s = l->store;

	/* The genesis block is what it is; its output never was a coin. */
	if (t->node->height) {
		if (!bb_tree_named(&t->prev, s, t->node->prev) ||
			!bb_tree_claims(&t->claims, s, &t->prev) || !judge(t, known))
			return false;
		spend_and_create(t);
		bb_undo_put_block(s, t->node->number, &t->in->block, t->prevouts);
	}
	if (!bb_rows_block(&l->rows, &t->in->block, t->prevouts, t->node->height, true))
		bb_store_no_memory(s);
	t->node->status |= BB_NODE_JUDGED;
	bb_tree_update(s, t->node);
	bb_tree_extend(s, t->node);
	bb_event_put(s, BB_EVENT_CONNECTED, t->node->id, t->node->height);
	l->moved = true;
	return !s->why;
}

/* Back. */

static bool unspend(struct bb_ledger *l, const struct bb_tx *tx, const struct bb_prevout *p)
{
	for (size_t k = 0; k < tx->in_count; k++) {
		const struct bb_coin coin = {
			.value_sat = p[k].value_sat,
			.height = (int32_t)p[k].height,
			.coinbase = p[k].coinbase == 1,
			.script = p[k].script,
		};
		bb_coins_add(&l->coins, &tx->in[k].prevout, &coin);
	}
	return !l->store->why;
}

static bool uncreate(struct bb_ledger *l, const struct bb_block *block, size_t i)
{
	const struct bb_tx *tx = &block->tx[i];
	struct bb_outpoint o;

	bb_block_txid(o.txid, block, i);
	for (o.vout = 0; o.vout < tx->out_count; o.vout++)
		if (bb_output_is_coin(&tx->out[o.vout]) && !bb_coins_spend(&l->coins, &o)) {
			if (!l->store->why)
				bb_store_set_why(l->store,
					"the store is damaged: a block to take back "
					"has lost its coins");
			return false;
		}
	return true;
}

/* A repeated coinbase took the place of an earlier one's coins; they come back. (Core loses
 * them, on a way back of 800,000 blocks.) */
static bool restore_repeated(struct turn *t)
{
	struct bb_store *s = t->l->store;
	struct bb_coin coin = {.coinbase = true};
	struct bb_stored_tx earlier;
	struct bb_outpoint o;

	bb_block_txid(o.txid, &t->in->block, 0);
	bb_rows_flush(&t->l->rows);
	if (!bb_query_tx_below(&earlier, s, t->in->arena, o.txid, t->node->height))
		return !s->why;
	coin.height = earlier.node.height;
	for (o.vout = 0; o.vout < earlier.tx.out_count; o.vout++) {
		coin.value_sat = earlier.tx.out[o.vout].value_sat;
		coin.script = earlier.tx.out[o.vout].script;
		if (bb_output_is_coin(&earlier.tx.out[o.vout]))
			bb_coins_add(&t->l->coins, &o, &coin);
	}
	return !s->why;
}

static bool take_back(struct turn *t)
{
	struct bb_ledger *l = t->l;
	const struct bb_block *block = &t->in->block;
	struct bb_prevout *p;

	t->spends = bb_block_spends(block);
	p = t->prevouts = bb_arena_array(t->in->arena, t->spends + 1, sizeof(*p));
	if (!p || !bb_undo_get_block(p, l->store, t->in->arena, t->node->number, block))
		return false;
	p += t->spends;
	for (size_t i = block->tx_count; i-- > 0;) {
		if (!uncreate(l, block, i))
			return false;
		if (i && !unspend(l, &block->tx[i], p -= block->tx[i].in_count))
			return false;
	}
	if (is_known_repeat(l->network, t->node) && !restore_repeated(t))
		return false;
	if (!bb_rows_block(&l->rows, block, t->prevouts, t->node->height, false))
		return false;
	bb_undo_del_block(l->store, t->node->number);
	bb_tree_retract(l->store, t->node);
	bb_event_put(l->store, BB_EVENT_DISCONNECTED, t->node->id, t->node->height);
	l->moved = true;
	return !l->store->why;
}

/* Along the way. */

static bool disconnect(struct bb_ledger *l, struct bb_node *tip)
{
	struct bb_incoming in;
	struct turn t = {.l = l, .node = tip, .in = &in};

	if (!bb_incoming_read(&in, &l->arena, &l->bytes, l->store, l->network, tip))
		return false;
	if (!take_back(&t) && !l->store->why)
		bb_store_set_why(l->store, "the store is damaged: undo data are missing");
	return !l->store->why && bb_tree_named(tip, l->store, tip->prev) &&
	       bb_pool_disconnected(&l->pool, &in);
}

/* False: it failed and is marked, or the store failed. */
static bool connect_node(struct bb_ledger *l, struct bb_node *n, const struct bb_fresh *fresh)
{
	const bool is_fresh = fresh && fresh->number == n->number;
	struct bb_incoming in;
	struct turn t = {.l = l, .node = n, .in = is_fresh ? fresh->in : &in};

	if (n->status & BB_NODE_BAD)
		bb_store_set_why(
			l->store, "the store is damaged: a candidate is marked invalid");
	if (l->store->why)
		return false;
	if (!is_fresh && !bb_incoming_read(&in, &l->arena, &l->bytes, l->store, l->network, n))
		return false;
	t.flags = bb_block_flags(l->network, n->id, n->height);
	if (connect_block(&t, is_fresh ? fresh->known : NULL))
		return bb_pool_connected(&l->pool, t.in, n);
	if (l->store->why)
		return false;
	l->failed = n->number;
	bb_tree_fail(l->store, n);
	return false;
}

/* On a long way memory must not grow with it: the transaction on disk takes over. */
static void spill(struct bb_ledger *l)
{
	if (!bb_ledger_full(l))
		return;
	bb_coins_flush(&l->coins);
	bb_rows_flush(&l->rows);
	bb_coins_trim(&l->coins);
}

/* The numbers from `top` down to just above the fork, so that the last is the first to connect.
 * NULL: memory, or the store failed. */
static uint32_t *path(
	size_t *count, struct bb_ledger *l, const struct bb_node *top, int32_t fork_height)
{
	const size_t want = (size_t)(top->height - fork_height);
	uint32_t *way = malloc(want * sizeof(*way));
	struct bb_node n = *top;

	if (!way) {
		bb_store_no_memory(l->store);
		return NULL;
	}
	for (*count = 0; *count < want; (*count)++) {
		if (*count && !bb_tree_named(&n, l->store, n.prev)) {
			free(way);
			return NULL;
		}
		way[*count] = n.number;
	}
	return way;
}

/* Towards `best` for as long as nothing fails. */
static void walk(struct bb_ledger *l, struct bb_node *tip, bool has_tip,
	const struct bb_node *best, const struct bb_fresh *fresh)
{
	struct bb_node fork = {.height = -1}, n;
	bool good = true;
	uint32_t *way;
	size_t count;

	if (has_tip && !bb_tree_fork(&fork, l->store, tip, best))
		return;
	while (has_tip && tip->number != fork.number) {
		spill(l);
		if (!disconnect(l, tip))
			return;
	}
	if (!(way = path(&count, l, best, fork.height)))
		return;
	while (good && count) {
		spill(l);
		good = bb_tree_named(&n, l->store, way[--count]) && connect_node(l, &n, fresh);
	}
	free(way);
}

bool bb_activate(struct bb_ledger *l, const struct bb_fresh *fresh)
{
	struct bb_store *s = l->store;
	struct bb_node tip, best;
	bool has_tip = bb_tree_tip(&tip, s);

	l->moved = false;
	while (!s->why && bb_tree_best(&best, s)) {
		if (has_tip && tip.number == best.number)
			break;
		walk(l, &tip, has_tip, &best, fresh);
		has_tip = bb_tree_tip(&tip, s);
	}
	/* Also where the way led back to where it began: whoever follows has seen it. */
	if (!s->why && has_tip && l->moved && bb_pool_settle(&l->pool))
		bb_event_put(s, BB_EVENT_TIP, tip.id, tip.height);
	return !s->why;
}
