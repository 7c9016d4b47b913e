/* bb-chain: utxo, balance, coins: what is unspent. */

#include <string.h>

#include "chain_read.h"
#include "ledger/coinshash.h"

/* By script. */

static bool put_waiting_utxos(struct chain *c, struct bb_span script)
{
	struct bb_unspent *coins;
	size_t count;

	if (!bb_query_unspent_waiting(&coins, &count, &c->store, &c->arena, script))
		return false;
	for (size_t i = 0; i < count; i++)
		chain_put_utxo(c, &coins[i].outpoint, &coins[i].coin, NULL);
	return true;
}

static bool put_utxos(struct chain *c, struct bb_span script)
{
	struct bb_unspent *coins;
	struct chain_birth birth;
	size_t count;

	if (!bb_query_unspent(&coins, &count, &c->store, &c->arena, script))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!c->confirmed && bb_pool_spender(&c->store, &coins[i].outpoint))
			continue;
		if (!chain_birth(&birth, c, coins[i].coin.height))
			return false;
		chain_put_utxo(c, &coins[i].outpoint, &coins[i].coin, &birth);
	}
	return c->confirmed || put_waiting_utxos(c, script);
}

static bool add(struct chain *c, int64_t *sum_sat, int64_t value_sat)
{
	return !__builtin_add_overflow(*sum_sat, value_sat, sum_sat) ||
	       bb_store_set_why(
		       &c->store, "the store is damaged: more value than there can be");
}

/* What comes in, by what waits. */
static bool add_waiting(struct chain *c, struct chain_balance *b, struct bb_span script)
{
	struct bb_unspent *coins;
	size_t count;

	if (!bb_query_unspent_waiting(&coins, &count, &c->store, &c->arena, script))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!add(c, &b->unconfirmed_sat, coins[i].coin.value_sat))
			return false;
	return true;
}

static bool put_balance(struct chain *c, struct bb_span script)
{
	struct chain_balance b = {0};
	struct bb_unspent *coins;
	struct bb_node tip;
	size_t count;

	if (!bb_tree_tip(&tip, &c->store) ||
		!bb_query_unspent(&coins, &count, &c->store, &c->arena, script))
		return false;
	b.height = tip.height;
	b.count = count;
	for (size_t i = 0; i < count; i++) {
		const struct bb_coin *coin = &coins[i].coin;
		if (!add(c, &b.value_sat, coin->value_sat))
			return false;
		if (bb_pool_spender(&c->store, &coins[i].outpoint) &&
			!add(c, &b.unconfirmed_sat, -coin->value_sat))
			return false;
		if (coin->coinbase &&
			(int64_t)b.height + 1 - coin->height < c->network.coinbase_maturity)
			b.immature_sat += coin->value_sat;
	}
	if (!add_waiting(c, &b, script))
		return false;
	chain_put_balance(c, script, &b);
	return true;
}

/* A script without coins has no lines: that is an answer. */
static bool answer(struct chain *c, const struct asked *q,
	bool (*put)(struct chain *c, struct bb_span script))
{
	const size_t before = c->out.buf.len;
	struct bb_span script;
	const char *why;
	bool good;

	if (!chain_asked_script(&script, &why, c, q))
		return chain_refuse(c, q, BB_CALLER, why);
	good = bb_store_begin(&c->store) && (chain_empty(c) || put(c, script)) && !c->store.why;
	if (!good && !c->store.why)
		c->store.why = "out of memory";
	bb_store_end(&c->store);
	if (!good)
		c->out.buf.len = before; /* half an answer is none */
	return good || !chain_failed(c);
}

static bool answer_utxo(struct chain *c, const struct asked *q)
{
	return answer(c, q, put_utxos);
}

static bool answer_balance(struct chain *c, const struct asked *q)
{
	return answer(c, q, put_balance);
}

int chain_utxo(struct chain *c)
{
	return chain_answer(c, answer_utxo);
}

int chain_balance(struct chain *c)
{
	return chain_answer(c, answer_balance);
}

/* All of them. */

enum { BIRTHS = 1 << 13 };

/* Blocks that were looked up, each in the place of its height. */
static const struct chain_birth *look_up(
	struct chain_birth births[BIRTHS], struct chain *c, int32_t height)
{
	struct chain_birth *b = &births[(uint32_t)height % BIRTHS];

	return b->height == height || chain_birth(b, c, height) ? b : NULL;
}

static bool put_coin(
	struct chain *c, struct bb_span key, struct bb_span value, struct chain_birth *births)
{
	const struct chain_birth *birth;
	struct bb_outpoint outpoint;
	struct bb_coin coin;

	if (!bb_outpoint_from_key(&outpoint, key) || !bb_coin_parse(&coin, value) ||
		coin.height < 0) {
		c->store.why = "the store is damaged: an entry that is no coin";
		return false;
	}
	if (!(birth = look_up(births, c, coin.height)))
		return false;
	chain_put_utxo(c, &outpoint, &coin, birth);
	return true;
}

/* One snapshot, so its transaction is held while stdout takes it. */
static void list_coins(struct chain *c)
{
	struct chain_birth *births = bb_arena_array(&c->arena, BIRTHS, sizeof(*births));
	struct bb_cursor at;
	bool more;

	if (!births)
		c->store.why = "out of memory";
	if (!births || !bb_cursor_open(&at, &c->store, BB_COINS))
		return;
	for (size_t i = 0; i < BIRTHS; i++)
		births[i].height = -1;
	for (more = bb_cursor_first(&at); more && !c->out.error; more = bb_cursor_next(&at)) {
		if (!put_coin(c, at.key, at.value, births))
			break;
		bb_sink_turn(&c->out);
	}
	bb_cursor_close(&at);
}

static void sum_coins(struct chain *c)
{
	struct bb_json_writer w = {.buf = &c->out.buf};
	struct bb_coins_sum sum;
	struct bb_node tip;

	if (!bb_tree_tip(&tip, &c->store) ||
		!bb_coins_sum(&sum, &c->store,
			c->hash ? BB_COINS_HASH_SERIALIZED_3 : BB_COINS_MUHASH))
		return;
	bb_json_open(&w, '{');
	bb_json_key(&w, "type");
	bb_json_str(&w, "coins");
	bb_json_key(&w, "id");
	bb_json_hash(&w, tip.id);
	bb_json_key(&w, "height");
	bb_json_i64(&w, tip.height);
	bb_json_key(&w, "count");
	bb_json_i64(&w, (int64_t)sum.count);
	bb_json_key(&w, "txs");
	bb_json_i64(&w, (int64_t)sum.txs);
	bb_json_key(&w, "value");
	bb_json_i64(&w, sum.value_sat);
	bb_json_key(&w, "bytes");
	bb_json_i64(&w, (int64_t)sum.bytes);
	bb_json_key(&w, c->hash ? "hash" : "muhash");
	bb_json_hash(&w, sum.hash);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

int chain_coins(struct chain *c)
{
	chain_open(c, BB_STORE_READ);
	if (bb_store_begin(&c->store) && !chain_empty(c)) {
		if (c->hash || c->muhash)
			sum_coins(c);
		else
			list_coins(c);
	}
	bb_store_end(&c->store);
	chain_failed(c);
	return chain_end(c);
}
