/* bb-chain: tx, history, proof: by the indexes of the active chain, and of the mempool. */

#include <string.h>

#include "bitcoin/merkle.h"
#include "chain_read.h"

/* One of the mempool. */
static bool put_waiting(struct chain *c, uint64_t number)
{
	struct bb_pool_cluster k;
	struct bb_pool_entry e;
	struct bb_node tip;

	return bb_tree_tip(&tip, &c->store) && bb_pool_get(&e, &c->store, number) &&
	       bb_pool_cluster_of(&k, &c->store, number) &&
	       chain_put_waiting(
		       c, &e, bb_pool_chunk_of(&k, bb_pool_position(&k, number)), &tip);
}

static bool put_tx(struct chain *c, const unsigned char txid[32])
{
	struct bb_stored_tx t;
	uint64_t number;

	if (bb_query_tx(&t, &c->store, &c->arena, txid))
		return chain_put_tx(c, &t);
	number = c->store.why ? 0 : bb_pool_number(&c->store, txid);
	return number && put_waiting(c, number);
}

static bool answer_tx(struct chain *c, const struct asked *q)
{
	unsigned char txid[32];
	const char *why;
	bool good = true;

	if (!chain_asked_txid(txid, &why, q))
		return chain_refuse(c, q, BB_CALLER, why);
	if (!bb_store_begin(&c->store))
		return !chain_failed(c);
	if (!put_tx(c, txid))
		good = chain_missing(
			c, q, "no such transaction in the active chain or the mempool");
	bb_store_end(&c->store);
	return good;
}

int chain_tx(struct chain *c)
{
	return chain_answer(c, answer_tx);
}

/* What a script has seen. */

struct history {
	struct bb_span script;
	struct bb_row *rows;
	size_t count, at;
	/* The tip as of which the rows are. */
	int32_t height;
	unsigned char tip[32];
	struct bb_buf waiting; /* the lines of those that waited then */
	struct bb_arena arena; /* of a transaction */
};

/* Others may have rows that begin alike. */
static bool concerns(const struct bb_stored_tx *t, struct bb_span script)
{
	for (size_t i = 0; i < t->tx.out_count; i++)
		if (bb_span_equal(t->tx.out[i].script, script))
			return true;
	for (size_t i = 0; i < t->tx.in_count; i++)
		if (t->prevouts[i].known && bb_span_equal(t->prevouts[i].script, script))
			return true;
	return false;
}

/* What waits may be mined before the rows are written: it is kept as it is now. */
static bool find_waiting(struct history *h, struct chain *c)
{
	struct bb_buf *out = &c->out.buf;
	const size_t before = out->len;
	uint64_t *numbers;
	size_t count;
	bool good = bb_query_waiting(&numbers, &count, &c->store, &c->arena, h->script);

	for (size_t i = 0; good && i < count; i++) {
		good = put_waiting(c, numbers[i]) || bb_pool_damaged_tx(&c->store);
		bb_put(&h->waiting, out->data + before, out->len - before);
		out->len = before;
	}
	if (h->waiting.failed)
		good = bb_store_no_memory(&c->store);
	return good;
}

static bool find_rows(struct history *h, struct chain *c)
{
	struct bb_node tip;

	if (chain_empty(c) || !bb_tree_tip(&tip, &c->store) ||
		!bb_query_history(&h->rows, &h->count, &c->store, &c->arena, h->script))
		return false;
	h->height = tip.height;
	memcpy(h->tip, tip.id, 32);
	return find_waiting(h, c);
}

static bool put_row(struct history *h, struct chain *c)
{
	struct bb_stored_tx t;

	bb_arena_reset(&h->arena);
	if (!bb_query_tx_at(&t, &c->store, &h->arena, &h->rows[h->at++])) {
		if (!c->store.why)
			c->store.why = "the store is damaged: a row of no transaction";
		return false;
	}
	return !concerns(&t, h->script) || chain_put_tx(c, &t);
}

/* As many as make a piece of output, as of the tip that the rows were found at. */
static bool put_piece(struct history *h, struct chain *c)
{
	bool good = bb_store_begin(&c->store) && (h->rows || find_rows(h, c));

	if (good && !chain_is_still(c, h->height, h->tip)) {
		bb_store_end(&c->store);
		return false;
	}
	while (good && h->at < h->count && c->out.buf.len < CHAIN_PIECE)
		good = put_row(h, c);
	bb_store_end(&c->store);
	return good || !chain_failed(c);
}

static bool answer_history(struct chain *c, const struct asked *q)
{
	struct history h = {0};
	const char *why;
	bool good = true;

	if (!chain_asked_script(&h.script, &why, c, q))
		return chain_refuse(c, q, BB_CALLER, why);
	do {
		good = put_piece(&h, c);
		bb_sink_turn(&c->out);
	} while (good && h.at < h.count && !c->out.error);
	if (good)
		bb_put(&c->out.buf, h.waiting.data, h.waiting.len);
	bb_buf_free(&h.waiting);
	bb_arena_free(&h.arena);
	return good;
}

int chain_history(struct chain *c)
{
	return chain_answer(c, answer_history);
}

/* Proofs. */

/* The branch from transaction `index` of the block; false when memory is out. */
static bool get_branch(unsigned char (**branch)[32], struct bb_arena *a,
	const struct bb_block *block, size_t index)
{
	unsigned char(*hashes)[32] = bb_arena_array(a, block->tx_count, 32);

	*branch = bb_arena_array(a, bb_merkle_depth(block->tx_count) + 1, 32);
	if (!hashes || !*branch)
		return false;
	memcpy(hashes, block->txid, block->tx_count * 32);
	bb_merkle_branch(*branch, hashes, block->tx_count, index);
	return true;
}

static bool put_proof(struct chain *c, const unsigned char txid[32])
{
	struct bb_stored_tx t;
	struct bb_stored_block b;
	struct chain_proof p = {.txid = txid, .node = &t.node};
	struct bb_block *block = &b.line.block;

	if (!bb_query_tx(&t, &c->store, &c->arena, txid) ||
		!bb_query_block(&b, &c->store, &c->network, &c->arena, &t.node, false))
		return false;
	if (!block->tx_count || !bb_block_hash_txs(block, &c->arena))
		return false;
	while (p.position < block->tx_count && memcmp(block->txid[p.position], txid, 32) != 0)
		p.position++;
	if (p.position == block->tx_count)
		return false;
	p.depth = bb_merkle_depth(block->tx_count);
	p.header = BB_SPAN(b.bytes.data, BB_HEADER_SIZE);
	p.coinbase = chain_tx_bytes(&c->arena, &block->tx[0]);
	if (!get_branch(&p.branch, &c->arena, block, p.position) ||
		!get_branch(&p.coinbase_branch, &c->arena, block, 0) || !p.coinbase.data) {
		c->store.why = "out of memory";
		return false;
	}
	chain_put_proof(c, &p);
	return true;
}

static bool answer_proof(struct chain *c, const struct asked *q)
{
	unsigned char txid[32];
	const char *why;
	bool good = true;

	if (!chain_asked_txid(txid, &why, q))
		return chain_refuse(c, q, BB_CALLER, why);
	if (!bb_store_begin(&c->store))
		return !chain_failed(c);
	if (!put_proof(c, txid))
		good = chain_missing(c, q, "no such transaction in the active chain");
	bb_store_end(&c->store);
	return good;
}

int chain_proof(struct chain *c)
{
	return chain_answer(c, answer_proof);
}
