/* bb-chain: what the store holds, as lines. */

#include <string.h>

#include "base/hex.h"
#include "bitcoin/address.h"
#include "bitcoin/pow.h"
#include "chain_read.h"

static void open_line(struct bb_json_writer *w, const char *type)
{
	bb_json_open(w, '{');
	bb_json_member_str(w, "type", type);
}

static void close_line(struct bb_json_writer *w)
{
	bb_json_close(w, '}');
	bb_json_end_line(w);
}

void chain_json_node(struct bb_json_writer *w, const struct bb_node *n)
{
	const struct bb_header *h = &n->header;

	bb_json_member_hash(w, "id", n->id);
	bb_json_member_i64(w, "height", n->height);
	bb_json_member_i64(w, "version", (uint32_t)h->version);
	bb_json_member_i64(w, "timestamp", h->time);
	if (n->status & BB_NODE_DATA) {
		bb_json_member_i64(w, "tx_count", n->tx_count);
		bb_json_member_i64(w, "size", n->place.len);
		bb_json_member_i64(w, "weight", n->weight);
	}
	bb_json_member_hash(w, "merkle_root", h->merkle_root);
	bb_json_key(w, "previousblockhash");
	if (n->prev == BB_NO_NODE)
		bb_json_null(w);
	else
		bb_json_hash(w, h->prev);
	bb_json_member_i64(w, "mediantime", n->mtp);
	bb_json_member_i64(w, "nonce", h->nonce);
	bb_json_member_i64(w, "bits", h->bits);
	bb_json_key(w, "difficulty");
	bb_json_double(w, bb_difficulty(h->bits));
	bb_json_member_hash(w, "chainwork", n->work);
}

void chain_json_claims(
	struct bb_json_writer *w, const struct chain *c, const struct bb_blockline *l)
{
	const struct bb_block_claims *claims = &l->claims;
	/* The genesis block's are what they are. */
	const bool expected = claims->expected_bits >= 0;

	bb_json_key(w, "prev_times");
	bb_json_open(w, '[');
	for (size_t i = 0; i < claims->prev_time_count; i++)
		bb_json_i64(w, claims->prev_times[i]);
	bb_json_close(w, ']');
	bb_json_member_i64(
		w, "expected_bits", expected ? claims->expected_bits : l->block.header.bits);
	bb_json_member_i64(w, "now", chain_now(c));
}

bool chain_put_block(struct chain *c, const struct bb_node *n)
{
	struct bb_json_writer w = {.buf = &c->out.buf};
	struct bb_stored_block b;

	if (!bb_query_block(&b, &c->store, &c->network, &c->arena, n, c->prevouts))
		return false;
	open_line(&w, "block");
	if (c->full) {
		bb_json_block(&w, &b.line, &c->network);
	} else {
		bb_json_member_i64(&w, "height", n->height);
		bb_json_member_hex(&w, "hex", b.bytes);
		if (c->prevouts)
			bb_json_prevouts(&w, b.line.prevouts, b.line.prevout_count);
	}
	if (c->prevouts)
		chain_json_claims(&w, c, &b.line);
	close_line(&w);
	return true;
}

static void member_waiting(struct bb_json_writer *w)
{
	bb_json_key(w, "status");
	bb_json_open(w, '{');
	bb_json_key(w, "confirmed");
	bb_json_bool(w, false);
	bb_json_close(w, '}');
}

static void member_status(struct bb_json_writer *w, int32_t height, const unsigned char id[32],
	uint32_t block_time)
{
	bb_json_key(w, "status");
	bb_json_open(w, '{');
	bb_json_key(w, "confirmed");
	bb_json_bool(w, true);
	bb_json_member_i64(w, "block_height", height);
	bb_json_member_hash(w, "block_hash", id);
	bb_json_member_i64(w, "block_time", block_time);
	bb_json_close(w, '}');
}

bool chain_put_tx(struct chain *c, const struct bb_stored_tx *t)
{
	const int64_t mtp = bb_query_coin_mtp(&c->store, t->node.height);
	struct bb_json_writer w = {.buf = &c->out.buf};
	unsigned char txid[32];

	if (c->store.why)
		return false;
	open_line(&w, "tx");
	if (c->full) {
		bb_json_tx(&w, &t->tx, t->prevouts, NULL, &c->network);
	} else {
		bb_tx_txid(txid, &t->tx);
		bb_json_member_hash(&w, "txid", txid);
		bb_json_member_hex(&w, "hex", t->bytes);
		bb_json_prevouts(&w, t->prevouts, t->tx.in_count);
	}
	member_status(&w, t->node.height, t->node.id, t->node.header.time);
	bb_json_member_i64(&w, "at_height", t->node.height);
	bb_json_member_i64(&w, "at_mtp", mtp);
	close_line(&w);
	return true;
}

/* The mempool. */

void chain_get_prevouts(struct bb_prevout *prevouts, struct chain *c, const struct bb_tx *tx,
	const struct bb_node *tip)
{
	bb_query_prevouts(prevouts, tx, &c->store, &c->arena);
	for (size_t i = 0; i < tx->in_count; i++)
		if (!prevouts[i].known)
			bb_pool_output(&prevouts[i], &c->store, &tx->in[i].prevout, tip);
}

static void members_waiting(struct bb_json_writer *w, const struct bb_pool_entry *e,
	struct bb_feerate chunk, const struct bb_node *tip)
{
	bb_json_member_i64(w, "vsize", bb_vsize(e->adjusted_weight));
	bb_json_member_i64(w, "sigops", e->sigops_cost);
	bb_json_member_i64(w, "time", e->time);
	bb_json_member_i64(w, "chunk_fee", chunk.fee_sat);
	bb_json_member_i64(w, "chunk_vsize", bb_vsize(chunk.size));
	member_waiting(w);
	bb_json_member_i64(w, "at_height", (int64_t)tip->height + 1);
	bb_json_member_i64(w, "at_mtp", tip->mtp);
}

/* Of what waits, all that it spends is there. */
static bool all_known(const struct bb_prevout *prevouts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!prevouts[i].known)
			return false;
	return true;
}

/* Those that it spends from directly and that wait too. */
static bool find_parents(
	uint64_t **numbers, size_t *count, struct chain *c, const struct bb_tx *tx)
{
	uint64_t number;

	*count = 0;
	if (!(*numbers = bb_arena_array(&c->arena, tx->in_count, sizeof(**numbers))))
		return bb_store_no_memory(&c->store);
	for (size_t i = 0; i < tx->in_count; i++)
		if ((number = bb_pool_number(&c->store, tx->in[i].prevout.txid)))
			(*numbers)[(*count)++] = number;
	bb_pool_numbers_unique(*numbers, count);
	return !c->store.why;
}

static void member_depends(
	struct bb_json_writer *w, struct chain *c, const uint64_t *numbers, size_t count)
{
	struct bb_pool_entry e;

	bb_json_key(w, "depends");
	bb_json_open(w, '[');
	for (size_t i = 0; i < count; i++)
		if (bb_pool_get(&e, &c->store, numbers[i]))
			bb_json_hash(w, e.txid);
		else
			bb_pool_damaged_tx(&c->store);
	bb_json_close(w, ']');
}

bool chain_put_waiting(struct chain *c, const struct bb_pool_entry *e, struct bb_feerate chunk,
	const struct bb_node *tip)
{
	struct bb_json_writer w = {.buf = &c->out.buf};
	struct bb_prevout *prevouts;
	uint64_t *parents;
	size_t parent_count;
	struct bb_tx tx;

	if (!bb_pool_parse_tx(&tx, &c->arena, &c->store, e) ||
		!find_parents(&parents, &parent_count, c, &tx))
		return false;
	if (!(prevouts = bb_arena_array(&c->arena, tx.in_count, sizeof(*prevouts))))
		return bb_store_no_memory(&c->store);
	chain_get_prevouts(prevouts, c, &tx, tip);
	if (c->store.why)
		return false;
	if (!all_known(prevouts, tx.in_count))
		return bb_pool_damaged_tx(&c->store);
	open_line(&w, "tx");
	if (c->full) {
		bb_json_tx(&w, &tx, prevouts, NULL, &c->network);
	} else {
		bb_json_member_hash(&w, "txid", e->txid);
		bb_json_member_hex(&w, "hex", e->bytes);
		bb_json_prevouts(&w, prevouts, tx.in_count);
		bb_json_member_i64(&w, "fee", e->fee_sat);
		bb_json_member_i64(&w, "weight", e->weight);
	}
	members_waiting(&w, e, chunk, tip);
	member_depends(&w, c, parents, parent_count);
	close_line(&w);
	return !c->store.why;
}

/* Coins. */

bool chain_birth(struct chain_birth *b, struct chain *c, int32_t height)
{
	struct bb_node n;

	if (!bb_tree_at(&n, &c->store, height)) {
		if (!c->store.why)
			c->store.why = "the store is damaged: a coin of no block";
		return false;
	}
	b->height = height;
	memcpy(b->id, n.id, 32);
	b->time = n.header.time;
	b->mtp = bb_query_coin_mtp(&c->store, height);
	return !c->store.why;
}

/* A script's address, if it has one. */
static void member_address(struct bb_json_writer *w, const char *key, struct bb_span script,
	const struct bb_network *n)
{
	const struct bb_json_writer before = *w;
	const size_t len = w->buf->len;

	bb_json_key(w, key);
	bb_put_u8(w->buf, '"');
	if (bb_put_address(w->buf, script, n)) {
		bb_put_u8(w->buf, '"');
		w->comma = true;
	} else {
		*w = before;
		w->buf->len = len;
	}
}

void chain_put_utxo(struct chain *c, const struct bb_outpoint *o, const struct bb_coin *coin,
	const struct chain_birth *b)
{
	struct bb_json_writer w = {.buf = &c->out.buf};

	open_line(&w, "utxo");
	bb_json_member_hash(&w, "txid", o->txid);
	bb_json_member_i64(&w, "vout", o->vout);
	bb_json_member_i64(&w, "value", coin->value_sat);
	bb_json_member_hex(&w, "scriptpubkey", coin->script);
	bb_json_member_str(
		&w, "scriptpubkey_type", bb_script_type_name(bb_script_type(coin->script)));
	member_address(&w, "scriptpubkey_address", coin->script, &c->network);
	if (b)
		bb_json_member_i64(&w, "height", coin->height);
	bb_json_key(&w, "coinbase");
	bb_json_bool(&w, coin->coinbase);
	if (b) {
		bb_json_member_i64(&w, "mtp", b->mtp);
		member_status(&w, b->height, b->id, b->time);
	} else {
		member_waiting(&w);
	}
	close_line(&w);
}

void chain_put_balance(struct chain *c, struct bb_span script, const struct chain_balance *b)
{
	struct bb_json_writer w = {.buf = &c->out.buf};
	size_t before;

	open_line(&w, "balance");
	before = w.buf->len;
	member_address(&w, "address", script, &c->network);
	if (w.buf->len == before)
		bb_json_member_hex(&w, "scriptpubkey", script);
	bb_json_member_i64(&w, "value", b->value_sat);
	bb_json_member_i64(&w, "count", (int64_t)b->count);
	bb_json_member_i64(&w, "immature", b->immature_sat);
	bb_json_member_i64(&w, "unconfirmed", b->unconfirmed_sat);
	bb_json_member_i64(&w, "height", b->height);
	close_line(&w);
}

/* A Merkle branch. */
static void member_branch(
	struct bb_json_writer *w, const char *key, unsigned char (*branch)[32], size_t depth)
{
	bb_json_key(w, key);
	bb_json_open(w, '[');
	for (size_t i = 0; i < depth; i++)
		bb_json_hash(w, branch[i]);
	bb_json_close(w, ']');
}

void chain_put_proof(struct chain *c, const struct chain_proof *p)
{
	struct bb_json_writer w = {.buf = &c->out.buf};

	open_line(&w, "proof");
	bb_json_member_hash(&w, "txid", p->txid);
	bb_json_member_i64(&w, "height", p->node->height);
	bb_json_member_hash(&w, "id", p->node->id);
	bb_json_member_i64(&w, "position", (int64_t)p->position);
	member_branch(&w, "hashes", p->branch, p->depth);
	bb_json_member_hex(&w, "header", p->header);
	member_branch(&w, "coinbase_hashes", p->coinbase_branch, p->depth);
	bb_json_member_hex(&w, "coinbase_tx", p->coinbase);
	close_line(&w);
}
