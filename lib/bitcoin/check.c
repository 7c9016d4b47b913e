#include "bitcoin/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bitcoin/merkle.h"
#include "bitcoin/pow.h"
#include "bitcoin/retarget.h"
#include "crypto/hash.h"

const char *bb_unjudged_name(enum bb_unjudged bit)
{
	switch (bit) {
	case BB_UNJUDGED_FINAL: return "non-final";
	case BB_UNJUDGED_BIP68: return "non-BIP68-final";
	case BB_UNJUDGED_MATURITY: return "bad-txns-premature-spend-of-coinbase";
	case BB_UNJUDGED_INPUTS: return "missing-prevouts";
	case BB_UNJUDGED_SUBSIDY: return "bad-cb-amount";
	case BB_UNJUDGED_HEIGHT: return "bad-cb-height";
	case BB_UNJUDGED_TIME_OLD: return "time-too-old";
	case BB_UNJUDGED_TIME_NEW: return "time-too-new";
	case BB_UNJUDGED_BITS: return "bad-diffbits";
	case BB_UNJUDGED_COUNT: break;
	}
	return "";
}

/* Transactions by themselves. */

static int compare_outpoints(const void *a, const void *b)
{
	const struct bb_outpoint *x = *(const struct bb_outpoint *const *)a;
	const struct bb_outpoint *y = *(const struct bb_outpoint *const *)b;
	int order = memcmp(x->txid, y->txid, 32);

	return order ? order : (x->vout > y->vout) - (x->vout < y->vout);
}

/* Does a list of outpoints name one twice? Sorts the list. */
static bool has_twins(const struct bb_outpoint **list, size_t count)
{
	qsort(list, count, sizeof(*list), compare_outpoints);
	for (size_t i = 1; i < count; i++)
		if (bb_outpoint_equal(list[i - 1], list[i]))
			return true;
	return false;
}

static bool spends_twice(const struct bb_tx *tx)
{
	const struct bb_outpoint *few[64], **list = few;
	bool twins = true;

	if (tx->in_count > 64 && !(list = malloc(tx->in_count * sizeof(*list))))
		return true; /* unsure: never call it good */
	for (size_t i = 0; i < tx->in_count; i++)
		list[i] = &tx->in[i].prevout;
	twins = has_twins(list, tx->in_count);
	if (list != few)
		free(list);
	return twins;
}

static const char *check_outputs(const struct bb_tx *tx)
{
	int64_t sum = 0;

	for (size_t i = 0; i < tx->out_count; i++) {
		const int64_t value = tx->out[i].value_sat;
		if (value < 0)
			return "bad-txns-vout-negative";
		if (value > BB_MAX_MONEY)
			return "bad-txns-vout-toolarge";
		if ((sum += value) > BB_MAX_MONEY)
			return "bad-txns-txouttotal-toolarge";
	}
	return NULL;
}

const char *bb_check_tx(const struct bb_tx *tx)
{
	const char *why;

	if (!tx->in_count)
		return "bad-txns-vin-empty";
	if (!tx->out_count)
		return "bad-txns-vout-empty";
	if (bb_tx_base_size(tx) * BB_WITNESS_SCALE > BB_MAX_BLOCK_WEIGHT)
		return "bad-txns-oversize";
	if ((why = check_outputs(tx)))
		return why;
	if (spends_twice(tx))
		return "bad-txns-inputs-duplicate";
	if (bb_tx_is_coinbase(tx)) {
		if (tx->in[0].script_sig.len < 2 || tx->in[0].script_sig.len > 100)
			return "bad-cb-length";
		return NULL;
	}
	for (size_t i = 0; i < tx->in_count; i++)
		if (bb_outpoint_is_null(&tx->in[i].prevout))
			return "bad-txns-prevout-null";
	return NULL;
}

bool bb_tx_has_locktime(const struct bb_tx *tx)
{
	if (!tx->locktime)
		return false;
	for (size_t i = 0; i < tx->in_count; i++)
		if (tx->in[i].sequence != BB_SEQUENCE_FINAL)
			return true;
	return false;
}

bool bb_tx_is_final(const struct bb_tx *tx, int64_t height, int64_t mtp)
{
	return !bb_tx_has_locktime(tx) ||
	       tx->locktime < (tx->locktime < BB_LOCKTIME_THRESHOLD ? height : mtp);
}

/* Transactions and what they spend. */

const char *bb_check_sequence_locks(unsigned *unjudged, const struct bb_tx *tx,
	const struct bb_prevout *prevouts, int64_t height, int64_t mtp)
{
	bool unsure = false;

	for (size_t i = 0; i < tx->in_count && tx->version >= 2; i++) {
		const uint32_t sequence = tx->in[i].sequence;
		const int64_t lock = sequence & BB_SEQUENCE_MASK;
		const bool by_time = sequence & BB_SEQUENCE_BY_TIME;
		const int64_t since = by_time ? prevouts[i].mtp : prevouts[i].height;
		const int64_t now = by_time ? mtp : height;
		if (sequence & BB_SEQUENCE_DISABLE)
			continue;
		if (since < 0 || now < 0)
			unsure = true;
		else if (now < since + (by_time ? lock << BB_SEQUENCE_GRANULARITY : lock))
			return "non-BIP68-final";
	}
	if (unsure)
		*unjudged |= BB_UNJUDGED_BIP68;
	return NULL;
}

/* May this coin be spent at that height? Where claims lack, the bit is set instead. */
static bool mature(
	unsigned *unjudged, const struct bb_prevout *p, int64_t height, int64_t maturity)
{
	const bool known = p->height >= 0 && height >= 0;

	if (p->coinbase == 0 || (known && height - p->height >= maturity))
		return true;
	if (known && p->coinbase == 1)
		return false;
	*unjudged |= BB_UNJUDGED_MATURITY;
	return true;
}

const char *bb_check_tx_inputs(int64_t *fee_sat, unsigned *unjudged, const struct bb_tx *tx,
	const struct bb_prevout *prevouts, int64_t height, int64_t maturity)
{
	const char *why = check_outputs(tx);
	bool all_known = true;
	int64_t in = 0, out = 0;

	*fee_sat = 0;
	if (why)
		return why;
	for (size_t i = 0; i < tx->in_count; i++) {
		if (!mature(unjudged, &prevouts[i], height, maturity))
			return "bad-txns-premature-spend-of-coinbase";
		all_known &= prevouts[i].known;
		if (prevouts[i].known && (!bb_money_range(prevouts[i].value_sat) ||
						 !bb_money_range(in += prevouts[i].value_sat)))
			return "bad-txns-inputvalues-outofrange";
	}
	if (!all_known) {
		*unjudged |= BB_UNJUDGED_INPUTS;
		return NULL;
	}
	for (size_t i = 0; i < tx->out_count; i++)
		out += tx->out[i].value_sat;
	if (in < out)
		return "bad-txns-in-belowout";
	*fee_sat = in - out;
	return NULL;
}

int64_t bb_tx_legacy_sigops(const struct bb_tx *tx)
{
	int64_t n = 0;

	for (size_t i = 0; i < tx->in_count; i++)
		n += bb_script_sigops(tx->in[i].script_sig, false);
	for (size_t i = 0; i < tx->out_count; i++)
		n += bb_script_sigops(tx->out[i].script, false);
	return n;
}

int64_t bb_tx_sigops_cost(
	const struct bb_tx *tx, const struct bb_prevout *prevouts, uint32_t flags)
{
	int64_t cost = bb_tx_legacy_sigops(tx) * BB_WITNESS_SCALE;
	struct bb_span redeem;

	if (bb_tx_is_coinbase(tx))
		return cost;
	for (size_t i = 0; i < tx->in_count; i++) {
		if ((flags & BB_VERIFY_P2SH) && bb_script_is_p2sh(prevouts[i].script) &&
			bb_script_last_push(&redeem, tx->in[i].script_sig))
			cost += (int64_t)bb_script_sigops(redeem, true) * BB_WITNESS_SCALE;
		cost += bb_input_witness_sigops(&tx->in[i], prevouts[i].script, flags);
	}
	return cost;
}

/* Blocks. */

static int compare_times(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int64_t bb_claims_mtp(const struct bb_block_claims *c)
{
	int64_t sorted[11];

	if (!c->prev_time_count)
		return -1;
	memcpy(sorted, c->prev_times, c->prev_time_count * sizeof(*sorted));
	qsort(sorted, c->prev_time_count, sizeof(*sorted), compare_times);
	return sorted[c->prev_time_count / 2];
}

uint32_t bb_block_flags(
	const struct bb_network *n, const unsigned char hash[32], int64_t height)
{
	uint32_t flags = BB_VERIFY_P2SH | BB_VERIFY_WITNESS | BB_VERIFY_TAPROOT;

	for (size_t i = 0; i < n->flag_exception_count; i++)
		if (memcmp(hash, n->flag_exceptions[i].hash, 32) == 0)
			flags = n->flag_exceptions[i].flags;
	if (height < 0 || height >= n->dersig_height)
		flags |= BB_VERIFY_DERSIG;
	if (height < 0 || height >= n->cltv_height)
		flags |= BB_VERIFY_CHECKLOCKTIMEVERIFY;
	if (height < 0 || height >= n->csv_height)
		flags |= BB_VERIFY_CHECKSEQUENCEVERIFY;
	if (height < 0 || height >= n->segwit_height)
		flags |= BB_VERIFY_NULLDUMMY;
	return flags;
}

const char *bb_check_block_alone(const struct bb_block *block, const struct bb_network *n)
{
	unsigned char hash[32];
	size_t base = BB_HEADER_SIZE + bb_compact_len(block->tx_count);
	int64_t sigops = 0;
	bool mutated;

	bb_header_hash(hash, &block->header);
	if (!bb_pow_valid(hash, block->header.bits, n))
		return "high-hash";
	if (n->signet_challenge_len && !bb_signet_valid(block, n))
		return "bad-signet-blksig";
	if (!bb_block_merkle_root(hash, &mutated, block))
		return "out of memory";
	if (memcmp(hash, block->header.merkle_root, 32) != 0)
		return "bad-txnmrklroot";
	if (mutated)
		return "bad-txns-duplicate";
	for (size_t i = 0; i < block->tx_count; i++)
		base += bb_tx_base_size(&block->tx[i]);
	if (!block->tx_count || block->tx_count * BB_WITNESS_SCALE > BB_MAX_BLOCK_WEIGHT ||
		base * BB_WITNESS_SCALE > BB_MAX_BLOCK_WEIGHT)
		return "bad-blk-length";
	if (!bb_tx_is_coinbase(&block->tx[0]))
		return "bad-cb-missing";
	for (size_t i = 1; i < block->tx_count; i++)
		if (bb_tx_is_coinbase(&block->tx[i]))
			return "bad-cb-multiple";
	for (size_t i = 0; i < block->tx_count; i++) {
		const char *why = bb_check_tx(&block->tx[i]);
		if (why)
			return why;
	}
	for (size_t i = 0; i < block->tx_count; i++)
		sigops += bb_tx_legacy_sigops(&block->tx[i]);
	if (sigops * BB_WITNESS_SCALE > BB_MAX_BLOCK_SIGOPS_COST)
		return "bad-blk-sigops";
	return NULL;
}

/* The claimed times, if they are as many as the claimed height says there must be. */
static bool times_claimed(const struct bb_block_claims *c)
{
	const int64_t want = c->height < 0 || c->height > 11 ? 11 : c->height;

	return c->prev_time_count && (int64_t)c->prev_time_count >= want;
}

static const char *check_header_time(unsigned *unjudged, const struct bb_header *h,
	const struct bb_block_claims *c, const struct bb_network *n)
{
	if (!times_claimed(c)) {
		*unjudged |= BB_UNJUDGED_TIME_OLD;
	} else if (h->time <= bb_claims_mtp(c)) {
		return "time-too-old";
	} else if (n->bip94) {
		/* BIP 94: a period's first block may not lie far before its parent. */
		if (c->height < 0)
			*unjudged |= BB_UNJUDGED_TIME_OLD;
		else if (c->height % bb_retarget_interval(n) == 0 &&
			 h->time < c->prev_times[c->prev_time_count - 1] - n->timewarp_limit)
			return "time-timewarp-attack";
	}
	if (c->now < 0)
		*unjudged |= BB_UNJUDGED_TIME_NEW;
	else if (h->time - (int64_t)n->max_future > c->now)
		return "time-too-new";
	return NULL;
}

bool bb_check_header(char reason[BB_REASON_SIZE], unsigned *unjudged, const struct bb_header *h,
	const struct bb_block_claims *c, const struct bb_network *n)
{
	const char *why = NULL;
	int32_t least;

	if (c->expected_bits < 0)
		*unjudged |= BB_UNJUDGED_BITS;
	else if (h->bits != c->expected_bits)
		why = "bad-diffbits";
	if (!why)
		why = check_header_time(unjudged, h, c, n);
	if (why) {
		snprintf(reason, BB_REASON_SIZE, "%s", why);
		return false;
	}
	if (c->height < 0)
		return true;
	least = c->height >= n->cltv_height	? 4
		: c->height >= n->dersig_height ? 3
		: c->height >= n->bip34_height	? 2
						: INT32_MIN;
	if (h->version >= least)
		return true;
	snprintf(reason, BB_REASON_SIZE, "bad-version(0x%08x)", (unsigned)h->version);
	return false;
}

static bool has_witness(const struct bb_block *block)
{
	for (size_t i = 0; i < block->tx_count; i++)
		if (bb_tx_has_witness(&block->tx[i]))
			return true;
	return false;
}

const char *bb_check_witness(const struct bb_block *block, bool segwit)
{
	const struct bb_txin *in = &block->tx[0].in[0];
	int at = segwit ? bb_witness_commitment_index(&block->tx[0]) : -1;
	unsigned char both[64], hash[32];

	if (at >= 0) {
		if (in->witness_count != 1 || in->witness[0].len != 32)
			return "bad-witness-nonce-size";
		if (!bb_block_witness_root(both, block))
			return "out of memory";
		memcpy(both + 32, in->witness[0].data, 32);
		bb_sha256d(hash, both, 64);
		if (memcmp(hash, block->tx[0].out[at].script.data + 6, 32) != 0)
			return "bad-witness-merkle-match";
		return NULL;
	}
	return has_witness(block) ? "unexpected-witness" : NULL;
}

/* BIP 34: the coinbase's scriptSig begins with the height, minimally pushed. */
static bool has_height(const struct bb_tx *coinbase, int64_t height)
{
	struct bb_span s = coinbase->in[0].script_sig;
	struct bb_buf push = {0};
	bool same;

	bb_put_script_num(&push, height);
	same = !push.failed && s.len >= push.len && memcmp(s.data, push.data, push.len) == 0;
	bb_buf_free(&push);
	return same;
}

static const char *check_final(unsigned *unjudged, const struct bb_block *block,
	const struct bb_block_claims *c, const struct bb_network *n)
{
	const bool bip113 = c->height >= n->csv_height;
	const int64_t mtp = times_claimed(c) ? bb_claims_mtp(c) : -1;
	const int64_t cutoff = bip113 ? mtp : block->header.time;

	for (size_t i = 0; i < block->tx_count; i++) {
		const struct bb_tx *tx = &block->tx[i];
		const bool by_time = tx->locktime >= BB_LOCKTIME_THRESHOLD;
		if (!bb_tx_has_locktime(tx))
			continue;
		if (c->height < 0 || (by_time && cutoff < 0))
			*unjudged |= BB_UNJUDGED_FINAL;
		else if (!bb_tx_is_final(tx, c->height, cutoff))
			return "bad-txns-nonfinal";
	}
	return NULL;
}

const char *bb_check_block_in_context(unsigned *unjudged, const struct bb_block *block,
	const struct bb_block_claims *c, const struct bb_network *n)
{
	const char *why = check_final(unjudged, block, c, n);

	if (why)
		return why;
	if (c->height < 0)
		*unjudged |= BB_UNJUDGED_HEIGHT;
	else if (c->height >= n->bip34_height && !has_height(&block->tx[0], c->height))
		return "bad-cb-height";
	/* Without a height only what holds on both sides of segwit's start can be told. */
	if ((c->height >= 0 || has_witness(block)) &&
		(why = bb_check_witness(block, c->height < 0 || c->height >= n->segwit_height)))
		return why;
	if (bb_block_weight(block) > BB_MAX_BLOCK_WEIGHT)
		return "bad-blk-weight";
	return NULL;
}

bool bb_reason_is_mutation(const char *reason)
{
	static const char *const mutations[] = {"bad-txnmrklroot", "bad-txns-duplicate",
		"bad-witness-nonce-size", "bad-witness-merkle-match", "unexpected-witness"};

	for (size_t i = 0; i < sizeof(mutations) / sizeof(*mutations); i++)
		if (strcmp(reason, mutations[i]) == 0)
			return true;
	return false;
}

bool bb_check_block(char reason[BB_REASON_SIZE], unsigned *unjudged,
	const struct bb_block *block, const struct bb_block_claims *claims,
	const struct bb_network *n)
{
	unsigned char hash[32];
	const char *why = bb_check_block_alone(block, n);

	bb_header_hash(hash, &block->header);
	if (!why && memcmp(hash, n->genesis, 32) == 0)
		return true; /* it has no context */
	if (!why) {
		if (!bb_check_header(reason, unjudged, &block->header, claims, n))
			return false;
		why = bb_check_block_in_context(unjudged, block, claims, n);
	}
	if (why)
		snprintf(reason, BB_REASON_SIZE, "%s", why);
	return !why;
}

/* A block's inputs. */

static const char missing[] = "bad-txns-inputs-missingorspent";

/* Tables of a block's transactions by txid, and of what they spend by outpoint. The hash is
 * multilinear, so two outpoints meet by chance only; its keys follow from the Merkle root,
 * which whoever made the block could not know before it was made. */
struct table {
	uint32_t *head, *next; /* an entry's number + 1, or 0 */
	size_t mask;
};

struct block_index {
	const struct bb_block *block;
	unsigned char (*txid)[32]; /* of each transaction */
	bool own_txid;		   /* made here */
	struct table by_txid, by_outpoint;
	const struct bb_outpoint **spent; /* by each input so far */
	struct bb_prevout made;		  /* what is true of every output of the block */
	uint64_t key[10];
};

static bool table_init(struct table *t, size_t count)
{
	size_t places = 16;

	while (places < count)
		places *= 2;
	t->mask = places - 1;
	t->head = calloc(places + count, sizeof(*t->head));
	t->next = t->head ? t->head + places : NULL;
	return t->head;
}

static void table_add(struct table *t, uint64_t hash, size_t number)
{
	uint32_t *head = &t->head[hash >> 32 & t->mask];

	t->next[number] = *head;
	*head = (uint32_t)number + 1;
}

static uint64_t hash_txid(const struct block_index *x, const unsigned char txid[32])
{
	uint64_t sum = x->key[0];

	for (int i = 0; i < 8; i++)
		sum += x->key[i + 1] * bb_le32(txid + 4 * i);
	return sum;
}

static void draw_keys(struct block_index *x)
{
	unsigned char seed[33], bytes[96];

	memcpy(seed, x->block->header.merkle_root, 32);
	for (unsigned i = 0; i < 3; i++) {
		seed[32] = (unsigned char)i;
		bb_sha256(bytes + 32 * i, seed, sizeof(seed));
	}
	for (int i = 0; i < 10; i++)
		x->key[i] = bb_le64(bytes + 8 * i);
}

static bool index_txids(struct block_index *x)
{
	const struct bb_block *block = x->block;

	x->txid = block->txid;
	if (!x->txid) {
		x->own_txid = true;
		if (!(x->txid = calloc(block->tx_count, sizeof(*x->txid))))
			return false;
		for (size_t i = 0; i < block->tx_count; i++)
			bb_tx_txid(x->txid[i], &block->tx[i]);
	}
	for (size_t i = 0; i < block->tx_count; i++)
		table_add(&x->by_txid, hash_txid(x, x->txid[i]), i);
	return true;
}

/* False when memory is out. */
static bool index_init(struct block_index *x, const struct bb_block *block)
{
	const size_t spends = bb_block_spends(block);

	*x = (struct block_index){.block = block};
	draw_keys(x);
	x->spent = calloc(spends + 1, sizeof(*x->spent));
	return x->spent && table_init(&x->by_outpoint, spends) &&
	       table_init(&x->by_txid, block->tx_count) && index_txids(x);
}

static void index_free(struct block_index *x)
{
	free(x->by_txid.head);
	free(x->by_outpoint.head);
	free(x->spent);
	if (x->own_txid)
		free(x->txid);
}

/* The transaction of the block that has this txid, or SIZE_MAX. */
static size_t find_own(const struct block_index *x, const unsigned char txid[32], uint64_t hash)
{
	for (uint32_t i = x->by_txid.head[hash >> 32 & x->by_txid.mask]; i;
		i = x->by_txid.next[i - 1])
		if (memcmp(x->txid[i - 1], txid, 32) == 0)
			return i - 1;
	return SIZE_MAX;
}

/* Note that input `number` spends this; false when one before it did. */
static bool note_spent(
	struct block_index *x, const struct bb_outpoint *o, uint64_t hash, size_t number)
{
	struct table *t = &x->by_outpoint;

	hash += x->key[9] * o->vout;
	for (uint32_t i = t->head[hash >> 32 & t->mask]; i; i = t->next[i - 1])
		if (bb_outpoint_equal(x->spent[i - 1], o))
			return false;
	x->spent[number] = o;
	table_add(t, hash, number);
	return true;
}

/* Does a claim about one of the block's own outputs say anything else than the truth? Where it
 * is silent it is made to say it. */
static bool own_claim_holds(struct bb_prevout *claim, const struct bb_prevout *truth)
{
	if (!claim->known) {
		claim->known = true;
		claim->value_sat = truth->value_sat;
		claim->script = truth->script;
	}
	if (truth->value_sat != claim->value_sat ||
		!bb_span_equal(truth->script, claim->script) ||
		(claim->coinbase >= 0 && claim->coinbase != truth->coinbase) ||
		(claim->height >= 0 && truth->height >= 0 && claim->height != truth->height) ||
		(claim->mtp >= 0 && truth->mtp >= 0 && claim->mtp != truth->mtp))
		return false;
	claim->coinbase = truth->coinbase;
	claim->height = truth->height >= 0 ? truth->height : claim->height;
	claim->mtp = truth->mtp >= 0 ? truth->mtp : claim->mtp;
	return true;
}

/* A spend of what transaction `own` of this very block made before. */
static const char *check_own(const struct block_index *x, size_t own, uint32_t vout,
	struct bb_prevout *claim, bool from_ledger)
{
	const struct bb_tx *tx = &x->block->tx[own];
	struct bb_prevout truth = x->made;

	/* What never can be spent never is among the coins. */
	if (vout >= tx->out_count || bb_script_is_unspendable(tx->out[vout].script))
		return missing;
	/* At no height is the block's own coinbase mature. */
	if (own == 0 && truth.height < 0)
		return "bad-txns-premature-spend-of-coinbase";
	truth.coinbase = own == 0;
	truth.value_sat = tx->out[vout].value_sat;
	truth.script = tx->out[vout].script;
	if (from_ledger)
		*claim = truth; /* a coin that had the same name is no more (BIP 30) */
	else if (!own_claim_holds(claim, &truth))
		return "prevout-mismatch";
	return NULL;
}

/* One input of transaction `tx`: its coin is there, spent for the first time, and as claimed.
 */
static const char *check_spend(struct block_index *x, size_t tx, size_t number,
	const struct bb_outpoint *o, struct bb_prevout *claim, bool from_ledger)
{
	const uint64_t hash = hash_txid(x, o->txid);
	const size_t own = find_own(x, o->txid, hash);

	if (!note_spent(x, o, hash, number))
		return missing;
	if (own < tx)
		return check_own(x, own, o->vout, claim, from_ledger);
	if (from_ledger ? !claim->known : own != SIZE_MAX)
		return missing;
	return NULL;
}

/* The first transaction that spends what is not there, and why. */
struct trouble {
	size_t tx;
	const char *why;
};

static struct trouble check_spends(const struct bb_block *block, struct bb_prevout *prevouts,
	const struct bb_block_claims *c, int64_t mtp)
{
	struct trouble t = {SIZE_MAX, NULL};
	struct block_index x;
	size_t n = 0;

	if (block->tx_count < 2)
		return t;
	if (!index_init(&x, block))
		t = (struct trouble){0, "out of memory"};
	x.made = (struct bb_prevout){.known = true, .height = c->height, .mtp = mtp};
	for (size_t i = 1; i < block->tx_count && !t.why; i++) {
		const struct bb_tx *tx = &block->tx[i];
		for (size_t k = 0; k < tx->in_count; k++, n++) {
			const char *why = check_spend(
				&x, i, n, &tx->in[k].prevout, &prevouts[n], c->from_ledger);
			if (why == missing || !t.why) /* whether all are there comes first */
				t.why = why;
		}
		t.tx = t.why ? i : SIZE_MAX;
	}
	index_free(&x);
	return t;
}

/* One transaction's turn in the block. */
static const char *check_turn(int64_t *fees, int64_t *cost, unsigned *unjudged,
	const struct bb_tx *tx, const struct bb_prevout *prevouts, int64_t height, int64_t mtp,
	uint32_t flags, const struct bb_network *n)
{
	int64_t fee;
	const char *why = bb_check_tx_inputs(
		&fee, unjudged, tx, prevouts, height, n->coinbase_maturity);

	if (why)
		return why;
	if (!bb_money_range(*fees += fee))
		return "bad-txns-accumulated-fee-outofrange";
	if ((flags & BB_VERIFY_CHECKSEQUENCEVERIFY) &&
		bb_check_sequence_locks(unjudged, tx, prevouts, height, mtp))
		return "bad-txns-nonfinal";
	if ((*cost += bb_tx_sigops_cost(tx, prevouts, flags)) > BB_MAX_BLOCK_SIGOPS_COST)
		return "bad-blk-sigops";
	return NULL;
}

const char *bb_check_block_inputs(unsigned *unjudged, size_t *at, const struct bb_block *block,
	struct bb_prevout *prevouts, const struct bb_block_claims *claims, uint32_t flags,
	const struct bb_network *n)
{
	const int64_t mtp = times_claimed(claims) ? bb_claims_mtp(claims) : -1;
	const struct trouble trouble = check_spends(block, prevouts, claims, mtp);
	int64_t fees = 0, cost = bb_tx_sigops_cost(&block->tx[0], NULL, flags), paid = 0;
	const char *why;

	for (size_t i = 1; i < block->tx_count; i++) {
		*at = i;
		if (i >= trouble.tx)
			return trouble.why;
		if ((why = check_turn(&fees, &cost, unjudged, &block->tx[i], prevouts,
			     claims->height, mtp, flags, n)))
			return why;
		prevouts += block->tx[i].in_count;
	}
	*at = SIZE_MAX;
	for (size_t i = 0; i < block->tx[0].out_count; i++)
		paid += block->tx[0].out[i].value_sat;
	if (claims->height < 0 || (*unjudged & BB_UNJUDGED_INPUTS))
		*unjudged |= BB_UNJUDGED_SUBSIDY;
	else if (paid > fees + bb_subsidy(n, claims->height))
		return "bad-cb-amount";
	return NULL;
}
