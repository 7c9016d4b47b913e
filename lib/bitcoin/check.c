#include "bitcoin/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bitcoin/merkle.h"
#include "bitcoin/pow.h"
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

/* CheckBlock: what a block says of itself. */
static const char *check_alone(const struct bb_block *block, const struct bb_network *n)
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
		else if (c->height % (n->target_timespan / n->target_spacing) == 0 &&
			 h->time < c->prev_times[c->prev_time_count - 1] - n->timewarp_limit)
			return "time-timewarp-attack";
	}
	if (c->now < 0)
		*unjudged |= BB_UNJUDGED_TIME_NEW;
	else if (h->time - (int64_t)n->max_future > c->now)
		return "time-too-new";
	return NULL;
}

/* ContextualCheckBlockHeader. */
static bool check_header(char reason[BB_REASON_SIZE], unsigned *unjudged,
	const struct bb_header *h, const struct bb_block_claims *c, const struct bb_network *n)
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

static const char *check_witness(const struct bb_block *block, bool segwit)
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

/* ContextualCheckBlock. */
static const char *check_in_context(unsigned *unjudged, const struct bb_block *block,
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
		(why = check_witness(block, c->height < 0 || c->height >= n->segwit_height)))
		return why;
	if (bb_block_weight(block) > BB_MAX_BLOCK_WEIGHT)
		return "bad-blk-weight";
	return NULL;
}

bool bb_check_block(char reason[BB_REASON_SIZE], unsigned *unjudged,
	const struct bb_block *block, const struct bb_block_claims *claims,
	const struct bb_network *n)
{
	unsigned char hash[32];
	const char *why = check_alone(block, n);

	bb_header_hash(hash, &block->header);
	if (!why && memcmp(hash, n->genesis, 32) == 0)
		return true; /* it has no context */
	if (!why) {
		if (!check_header(reason, unjudged, &block->header, claims, n))
			return false;
		why = check_in_context(unjudged, block, claims, n);
	}
	if (why)
		snprintf(reason, BB_REASON_SIZE, "%s", why);
	return !why;
}

/* A block's inputs. */

/* Transactions of the block by txid, to know what the block spends of its own. */
struct own_tx {
	unsigned char txid[32];
	size_t at;
};

static int compare_own(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

/* Every spend of the block with its place, to find coins spent twice. */
struct spend {
	const struct bb_outpoint *outpoint;
	size_t tx;
};

static int compare_spends(const void *a, const void *b)
{
	const struct spend *x = a, *y = b;
	int order = compare_outpoints(&x->outpoint, &y->outpoint);

	return order ? order : (x->tx > y->tx) - (x->tx < y->tx);
}

/* The first transaction that spends what is not there, and why. */
struct trouble {
	size_t tx;
	const char *why;
};

static void blame(struct trouble *t, size_t tx, const char *why)
{
	if (tx < t->tx)
		*t = (struct trouble){tx, why};
}

/* Does a claim about one of the block's own outputs say anything else than the truth? Where it
 * is silent it is made to say it. */
static bool own_claim_holds(
	struct bb_prevout *claim, const struct bb_txout *out, const struct bb_prevout *truth)
{
	if (!claim->known) {
		claim->known = true;
		claim->value_sat = out->value_sat;
		claim->script = out->script;
	}
	if (out->value_sat != claim->value_sat || !bb_span_equal(out->script, claim->script) ||
		(claim->coinbase >= 0 && claim->coinbase != truth->coinbase) ||
		(claim->height >= 0 && truth->height >= 0 && claim->height != truth->height) ||
		(claim->mtp >= 0 && truth->mtp >= 0 && claim->mtp != truth->mtp))
		return false;
	claim->coinbase = truth->coinbase;
	claim->height = truth->height >= 0 ? truth->height : claim->height;
	claim->mtp = truth->mtp >= 0 ? truth->mtp : claim->mtp;
	return true;
}

/* An output made in this very block must be made before it is spent, and be as claimed. */
static void check_own(struct trouble *t, const struct bb_block *block, const struct own_tx *own,
	const struct spend *s, struct bb_prevout *claim, const struct bb_block_claims *c)
{
	const struct own_tx *found = bsearch(
		s->outpoint->txid, own, block->tx_count, sizeof(*own), compare_own);
	const struct bb_prevout truth = {
		.height = c->height,
		.coinbase = found && found->at == 0,
		.mtp = times_claimed(c) ? bb_claims_mtp(c) : -1,
	};

	if (!found)
		return;
	/* At no height is the block's own coinbase mature. */
	if (found->at == 0 && c->height < 0)
		blame(t, s->tx, "bad-txns-premature-spend-of-coinbase");
	if (found->at >= s->tx || s->outpoint->vout >= block->tx[found->at].out_count)
		blame(t, s->tx, "bad-txns-inputs-missingorspent");
	else if (!own_claim_holds(claim, &block->tx[found->at].out[s->outpoint->vout], &truth))
		blame(t, s->tx, "prevout-mismatch");
}

/* Nothing is spent twice, before it exists, or other than it was made. */
static struct trouble check_spends(const struct bb_block *block, struct bb_prevout *prevouts,
	const struct bb_block_claims *c)
{
	const size_t count = bb_block_spends(block);
	struct spend *spends = calloc(count + 1, sizeof(*spends));
	struct own_tx *own = calloc(block->tx_count, sizeof(*own));
	struct trouble t = {SIZE_MAX, NULL};
	size_t n = 0;

	if (!spends || !own) {
		blame(&t, 0, "out of memory");
		goto out;
	}
	for (size_t i = 0; i < block->tx_count; i++) {
		bb_tx_txid(own[i].txid, &block->tx[i]);
		own[i].at = i;
	}
	qsort(own, block->tx_count, sizeof(*own), compare_own);
	for (size_t i = 1; i < block->tx_count; i++) {
		for (size_t k = 0; k < block->tx[i].in_count; k++, n++) {
			spends[n] = (struct spend){&block->tx[i].in[k].prevout, i};
			check_own(&t, block, own, &spends[n], &prevouts[n], c);
		}
	}
	qsort(spends, count, sizeof(*spends), compare_spends);
	for (n = 1; n < count; n++)
		if (bb_outpoint_equal(spends[n - 1].outpoint, spends[n].outpoint))
			blame(&t, spends[n].tx, "bad-txns-inputs-missingorspent");
out:
	free(spends);
	free(own);
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
	const struct trouble trouble = check_spends(block, prevouts, claims);
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
