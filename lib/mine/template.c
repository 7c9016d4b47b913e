#include "mine/template.h"

#include <string.h>

#include "base/hex.h"
#include "bitcoin/pow.h"

struct keys {
	const struct bb_json *rules, *version, *previousblockhash, *transactions, *coinbaseaux;
	const struct bb_json *coinbasetxn, *coinbasevalue, *target, *mintime, *maxtime;
	const struct bb_json *mutable, *noncerange, *sizelimit, *weightlimit, *curtime, *bits;
	const struct bb_json *height, *signet_challenge, *default_witness_commitment;
};

static void find_keys(struct keys *k, const struct bb_json *o)
{
	for (const struct bb_json *v = o->child; v; v = v->next) {
		BB_JSON_TAKE(k, v, rules)
		BB_JSON_TAKE(k, v, version)
		BB_JSON_TAKE(k, v, previousblockhash)
		BB_JSON_TAKE(k, v, transactions)
		BB_JSON_TAKE(k, v, coinbaseaux)
		BB_JSON_TAKE(k, v, coinbasetxn)
		BB_JSON_TAKE(k, v, coinbasevalue)
		BB_JSON_TAKE(k, v, target)
		BB_JSON_TAKE(k, v, mintime)
		BB_JSON_TAKE(k, v, maxtime)
		BB_JSON_TAKE(k, v, mutable)
		BB_JSON_TAKE(k, v, noncerange)
		BB_JSON_TAKE(k, v, sizelimit)
		BB_JSON_TAKE(k, v, weightlimit)
		BB_JSON_TAKE(k, v, curtime)
		BB_JSON_TAKE(k, v, bits)
		BB_JSON_TAKE(k, v, height)
		BB_JSON_TAKE(k, v, signet_challenge)
		BB_JSON_TAKE(k, v, default_witness_commitment)
	}
}

static bool bad(const char **why, const char *reason)
{
	*why = reason;
	return false;
}

static bool is_array(const struct bb_json *v)
{
	return v && v->type == BB_JSON_ARRAY;
}

static bool contains(const struct bb_json *array, const char *word)
{
	for (const struct bb_json *v = is_array(array) ? array->child : NULL; v; v = v->next)
		if (bb_json_is(v, word))
			return true;
	return false;
}

/* BIP 9: one who does not know a rule marked so must not mine by it. */
static bool knows_rules(const char **why, const struct bb_json *rules)
{
	if (rules && rules->type != BB_JSON_ARRAY)
		return bad(why, "rules is not an array");
	for (const struct bb_json *v = rules ? rules->child : NULL; v; v = v->next) {
		if (v->type != BB_JSON_STRING)
			return bad(why, "rules has a member that is not a string");
		if (v->text.len && v->text.data[0] == '!' && !bb_json_is(v, "!segwit") &&
			!bb_json_is(v, "!signet") && !bb_json_is(v, "!csv") &&
			!bb_json_is(v, "!taproot"))
			return bad(why, "rules demands one that is not known here");
	}
	return true;
}

/* The header. */

static bool get_u32(uint32_t *out, const char **why, const struct bb_json *v,
	const char *missing, const char *wrong)
{
	int64_t n;

	if (!v)
		return bad(why, missing);
	if (!bb_json_int(&n, v, 0, UINT32_MAX))
		return bad(why, wrong);
	*out = (uint32_t)n;
	return true;
}

static bool get_version(int32_t *version, const char **why, const struct bb_json *v)
{
	int64_t n;

	if (!v)
		return bad(why, "version is missing");
	if (!bb_json_int(&n, v, INT32_MIN, UINT32_MAX))
		return bad(why, "version is not a 32-bit number");
	*version = (int32_t)(uint32_t)n;
	return true;
}

static bool get_hash(unsigned char hash[32], const struct bb_json *v)
{
	return v->type == BB_JSON_STRING && bb_hash_decode(hash, v->text);
}

/* Bits, as hex of the number; and a target, which may be harder than these say. */
static bool get_target(struct bb_template *t, const char **why, const struct keys *k,
	const struct bb_network *n)
{
	unsigned char bits[4], stated[32];

	if (!k->bits)
		return bad(why, "bits is missing");
	if (k->bits->type != BB_JSON_STRING || k->bits->text.len != 8 ||
		!bb_hex_decode(bits, k->bits->text.data, 4))
		return bad(why, "bits is not a string of 8 hex digits");
	t->header.bits = bb_be32(bits);
	if (!bb_target_from_bits(t->target, t->header.bits) ||
		bb_number_compare(t->target, n->pow_limit) > 0)
		return bad(why, "bits is no target of this network");
	if (k->target && !get_hash(stated, k->target))
		return bad(why, "target is not a string of 64 hex digits");
	if (k->target && bb_number_compare(stated, t->target) < 0)
		memcpy(t->target, stated, 32);
	return true;
}

/* BIP 23: the time may change where `mutable` says so. It stays where bits depend on it, and
 * within half of what the network allows, for clocks differ. */
static bool get_times(struct bb_template *t, const char **why, const struct keys *k,
	const struct bb_network *n)
{
	uint32_t mintime = 0, maxtime = UINT32_MAX;
	uint64_t last;

	if (!get_u32(&t->header.time, why, k->curtime, "curtime is missing",
		    "curtime is not a 32-bit number") ||
		(k->mintime && !get_u32(&mintime, why, k->mintime, NULL,
				       "mintime is not a 32-bit number")) ||
		(k->maxtime && !get_u32(&maxtime, why, k->maxtime, NULL,
				       "maxtime is not a 32-bit number")))
		return false;
	if (t->header.time < mintime)
		return bad(why, "curtime is before mintime");
	if (t->header.time > maxtime)
		return bad(why, "curtime is after maxtime");
	if (k->mutable && k->mutable->type != BB_JSON_ARRAY)
		return bad(why, "mutable is not an array");
	t->last_time = t->header.time;
	if (n->min_difficulty ||
		!(contains(k->mutable, "time") || contains(k->mutable, "time/increment")))
		return true;
	last = (uint64_t)t->header.time + n->max_future / 2;
	t->last_time = last < maxtime ? (uint32_t)last : maxtime;
	return true;
}

/* BIP 23: the first and the last nonce, as hex of numbers. */
static bool get_nonces(struct bb_template *t, const char **why, const struct bb_json *v)
{
	unsigned char range[8] = {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};

	if (v && (v->type != BB_JSON_STRING || v->text.len != 16 ||
			 !bb_hex_decode(range, v->text.data, 8)))
		return bad(why, "noncerange is not a string of 16 hex digits");
	t->first_nonce = bb_be32(range);
	t->last_nonce = bb_be32(range + 4);
	return t->first_nonce <= t->last_nonce || bad(why, "noncerange is empty");
}

static bool get_height(struct bb_template *t, const char **why, const struct bb_json *v)
{
	if (!v)
		return bad(why, "height is missing");
	return bb_json_int(&t->height, v, 1, INT32_MAX) || bad(why, "height is not a height");
}

static bool get_header(struct bb_template *t, const char **why, const struct keys *k,
	const struct bb_network *n)
{
	if (!get_version(&t->header.version, why, k->version))
		return false;
	if (!k->previousblockhash)
		return bad(why, "previousblockhash is missing");
	if (!get_hash(t->header.prev, k->previousblockhash))
		return bad(why, "previousblockhash is not a hash");
	return get_target(t, why, k, n) && get_times(t, why, k, n) &&
	       get_nonces(t, why, k->noncerange) && get_height(t, why, k->height);
}

/* The transactions. */

static bool matches(const struct bb_json *stated, const unsigned char hash[32])
{
	unsigned char given[32];

	return !stated || (get_hash(given, stated) && memcmp(given, hash, 32) == 0);
}

static bool get_data(
	struct bb_tx *tx, const char **why, struct bb_arena *a, const struct bb_json *v)
{
	const struct bb_json *data = bb_json_find(v, "data");
	struct bb_span bytes;

	if (!data)
		return bad(why, "data is missing");
	if (data->type != BB_JSON_STRING || !bb_hex_span(&bytes, data->text, a))
		return bad(why, "data is odd or not hex");
	return bb_tx_parse(tx, bytes, a) || bad(why, "data is not a transaction");
}

static bool get_tx(struct bb_tx *tx, unsigned char txid[32], const char **why,
	struct bb_arena *a, const struct bb_json *v)
{
	unsigned char wtxid[32];

	if (v->type != BB_JSON_OBJECT)
		return bad(why, "not an object");
	if (!get_data(tx, why, a, v))
		return false;
	if (bb_tx_is_coinbase(tx))
		return bad(why, "data is a coinbase");
	bb_tx_txid(txid, tx);
	memcpy(wtxid, txid, 32);
	if (bb_tx_has_witness(tx))
		bb_tx_wtxid(wtxid, tx);
	if (!matches(bb_json_find(v, "txid"), txid))
		return bad(why, "txid does not match");
	return matches(bb_json_find(v, "hash"), wtxid) || bad(why, "hash does not match");
}

static bool get_txs(struct bb_template *t, const char **why, size_t *at, struct bb_arena *a,
	const struct bb_json *array)
{
	if (!array)
		return bad(why, "transactions is missing");
	if (array->type != BB_JSON_ARRAY)
		return bad(why, "transactions is not an array");
	t->tx = bb_arena_array(a, array->count, sizeof(*t->tx));
	t->txid = bb_arena_array(a, array->count, sizeof(*t->txid));
	if (!t->tx || !t->txid)
		return bad(why, "out of memory");
	for (const struct bb_json *v = array->child; v; v = v->next, t->tx_count++)
		if (!get_tx(&t->tx[t->tx_count], t->txid[t->tx_count], why, a, v)) {
			*at = t->tx_count;
			return false;
		}
	return true;
}

/* The coinbase. */

/* BIP 22: the values, byte for byte and without their keys. */
static bool get_aux(
	struct bb_template *t, const char **why, struct bb_arena *a, const struct bb_json *aux)
{
	struct bb_buf all = {0};
	struct bb_span bytes;
	bool ok = !aux || aux->type == BB_JSON_OBJECT;

	for (const struct bb_json *v = ok && aux ? aux->child : NULL; ok && v; v = v->next)
		if ((ok = v->type == BB_JSON_STRING && bb_hex_span(&bytes, v->text, a)))
			bb_put(&all, bytes.data, bytes.len);
	t->aux = bb_arena_copy(a, BB_SPAN(all.data, all.len));
	if (!ok)
		bad(why, "coinbaseaux is not an object of hex strings");
	else if (all.failed || !t->aux.data)
		ok = bad(why, "out of memory");
	bb_buf_free(&all);
	return ok;
}

/* The server's own coinbase, which may be extended where `mutable` says so (BIP 23). */
static bool get_coinbase(
	struct bb_template *t, const char **why, struct bb_arena *a, const struct keys *k)
{
	struct bb_tx *tx = bb_arena_alloc(a, sizeof(*tx));

	if (!tx)
		return bad(why, "out of memory");
	if (k->coinbasetxn->type != BB_JSON_OBJECT)
		return bad(why, "coinbasetxn is not an object");
	if (!get_data(tx, why, a, k->coinbasetxn) || !bb_tx_is_coinbase(tx))
		return bad(why, "coinbasetxn has no data that is a coinbase");
	t->coinbase = tx;
	t->may_append = contains(k->mutable, "coinbase") ||
			contains(k->mutable, "coinbase/append");
	return true;
}

static bool get_payment(
	struct bb_template *t, const char **why, struct bb_arena *a, const struct keys *k)
{
	const struct bb_json *commitment = k->default_witness_commitment;

	t->value_sat = -1;
	if (!k->coinbasevalue && !k->coinbasetxn)
		return bad(why, "coinbasevalue is missing");
	if (k->coinbasevalue && !bb_json_int(&t->value_sat, k->coinbasevalue, 0, BB_MAX_MONEY))
		return bad(why, "coinbasevalue is not an amount");
	if (k->coinbasetxn && !get_coinbase(t, why, a, k))
		return false;
	if (commitment && (commitment->type != BB_JSON_STRING ||
				  !bb_hex_span(&t->commitment, commitment->text, a)))
		return bad(why, "default_witness_commitment is odd or not hex");
	return get_aux(t, why, a, k->coinbaseaux);
}

static bool get_limits(struct bb_template *t, const char **why, const struct keys *k)
{
	t->max_weight = t->max_size = BB_MAX_BLOCK_WEIGHT;
	if (k->weightlimit &&
		!bb_json_int(&t->max_weight, k->weightlimit, 0, BB_MAX_BLOCK_WEIGHT))
		return bad(why, "weightlimit is not a number up to 4000000");
	if (k->sizelimit && !bb_json_int(&t->max_size, k->sizelimit, 0, BB_MAX_BLOCK_WEIGHT))
		return bad(why, "sizelimit is not a number up to 4000000");
	return true;
}

/* A template of another signet must not be signed and mined as if it were one of this. */
static bool same_challenge(const char **why, struct bb_arena *a, const struct bb_json *v,
	const struct bb_network *n)
{
	const struct bb_span own = BB_SPAN(n->signet_challenge, n->signet_challenge_len);
	struct bb_span stated;

	if (!v)
		return true;
	if (v->type != BB_JSON_STRING || !bb_hex_span(&stated, v->text, a))
		return bad(why, "signet_challenge is odd or not hex");
	return bb_span_equal(stated, own) || bad(why, "signet_challenge is not this network's");
}

bool bb_template_read(struct bb_template *t, const char **why, size_t *at, struct bb_arena *a,
	const struct bb_json *doc, const struct bb_network *n)
{
	struct keys k = {0};

	*t = (struct bb_template){0};
	*at = SIZE_MAX;
	find_keys(&k, doc);
	return knows_rules(why, k.rules) && get_header(t, why, &k, n) &&
	       same_challenge(why, a, k.signet_challenge, n) && get_limits(t, why, &k) &&
	       get_payment(t, why, a, &k) && get_txs(t, why, at, a, k.transactions);
}
