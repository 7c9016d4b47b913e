#include "bitcoin/detail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

/* Reasons whose text is always the same. */
static const struct {
	const char *reason, *text;
} fixed[] = {
	{"high-hash", "proof of work failed"},
	{"bad-signet-blksig", "signet block signature validation failure"},
	{"bad-txnmrklroot", "hashMerkleRoot mismatch"},
	{"bad-txns-duplicate", "duplicate transaction"},
	{"bad-blk-length", "size limits failed"},
	{"bad-cb-missing", "first tx is not coinbase"},
	{"bad-cb-multiple", "more than one coinbase"},
	{"bad-diffbits", "incorrect proof of work"},
	{"time-too-old", "block's timestamp is too early"},
	{"time-timewarp-attack", "block's timestamp is too early on diff adjustment block"},
	{"time-too-new", "block timestamp too far in the future"},
	{"bad-cb-height", "block height mismatch in coinbase"},
	{"bad-witness-nonce-size",
		"CheckWitnessMalleation : invalid witness reserved value size"},
	{"bad-witness-merkle-match",
		"CheckWitnessMalleation : witness merkle commitment mismatch"},
	{"unexpected-witness", "CheckWitnessMalleation : unexpected witness data found"},
	{"bad-blk-weight", "ContextualCheckBlock : weight limit failed"},
	{"bad-txns-inputs-missingorspent", "CheckTxInputs: inputs missing/spent"},
	{"bad-txns-accumulated-fee-outofrange", "accumulated fee in the block out of range"},
};

static bool fixed_detail(char out[BB_DETAIL_SIZE], const char *reason)
{
	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		if (strcmp(reason, fixed[i].reason) == 0) {
			snprintf(out, BB_DETAIL_SIZE, "%s", fixed[i].text);
			return true;
		}
	}
	return false;
}

void bb_money_text(char out[32], int64_t sat)
{
	int len = snprintf(out, 32, "%" PRId64 ".%08" PRId64, sat / BB_COIN, sat % BB_COIN);

	for (int kept = 8; kept > 2 && out[len - 1] == '0'; kept--)
		out[--len] = '\0';
}

/* What CheckTxInputs says of sums and immature coins; false when the reason is another. */
static bool inputs_detail(char out[BB_DETAIL_SIZE], const char *reason, const struct bb_tx *tx,
	const struct bb_prevout *prevouts, int64_t height, int64_t maturity)
{
	const bool below = strcmp(reason, "bad-txns-in-belowout") == 0;
	const bool premature = strcmp(reason, "bad-txns-premature-spend-of-coinbase") == 0;
	char in_text[32], out_text[32];
	int64_t in = 0, paid = 0;

	for (size_t i = 0; (below || premature) && i < tx->in_count; i++) {
		const struct bb_prevout *p = &prevouts[i];
		if (below) /* the values are then known to be in range */
			in += p->value_sat;
		if (premature && p->coinbase == 1 && height - p->height < maturity) {
			snprintf(out, BB_DETAIL_SIZE,
				"tried to spend coinbase at depth %" PRId64,
				height - p->height);
			return true;
		}
	}
	for (size_t i = 0; below && i < tx->out_count; i++)
		paid += tx->out[i].value_sat;
	if (in >= paid)
		return false;
	bb_money_text(in_text, in);
	bb_money_text(out_text, paid);
	snprintf(out, BB_DETAIL_SIZE, "value in (%s) < value out (%s)", in_text, out_text);
	return true;
}

void bb_tx_detail(char out[BB_DETAIL_SIZE], const char *reason, const struct bb_tx *tx,
	const struct bb_prevout *prevouts, int64_t height, int64_t maturity)
{
	out[0] = '\0';
	inputs_detail(out, reason, tx, prevouts, height, maturity);
}

static void txid_text(char out[65], const struct bb_tx *tx)
{
	unsigned char txid[32];

	bb_tx_txid(txid, tx);
	bb_hash_encode(out, txid);
	out[64] = '\0';
}

static void coinbase_detail(char out[BB_DETAIL_SIZE], const struct bb_block *block,
	const struct bb_prevout *prevouts, int64_t subsidy)
{
	int64_t paid = 0, limit = subsidy;

	for (size_t i = 0; i < block->tx[0].out_count; i++)
		paid += block->tx[0].out[i].value_sat;
	for (size_t i = 1; i < block->tx_count;
		i++) { /* one by one, so that no sum overflows */
		for (size_t k = 0; k < block->tx[i].in_count; k++)
			limit += (prevouts++)->value_sat;
		for (size_t k = 0; k < block->tx[i].out_count; k++)
			limit -= block->tx[i].out[k].value_sat;
	}
	snprintf(out, BB_DETAIL_SIZE,
		"coinbase pays too much (actual=%" PRId64 " vs limit=%" PRId64 ")", paid,
		limit);
}

/* What connecting a block says of the inputs of transaction `at`. */
static void connect_detail(char out[BB_DETAIL_SIZE], const char *reason,
	const struct bb_block *block, size_t at, const struct bb_prevout *prevouts,
	int64_t height, int64_t maturity)
{
	char txid[65], text[BB_DETAIL_SIZE / 2] = "";
	size_t len = 0;

	for (size_t i = 1; i < at; i++)
		prevouts += block->tx[i].in_count;
	txid_text(txid, &block->tx[at]);
	if (strcmp(reason, "bad-txns-nonfinal") == 0) {
		snprintf(
			out, BB_DETAIL_SIZE, "contains a non-BIP68-final transaction %s", txid);
		return;
	}
	if (fixed_detail(out, reason) ||
		inputs_detail(out, reason, &block->tx[at], prevouts, height, maturity))
		len = strlen(out);
	if (strcmp(reason, "bad-blk-sigops") == 0)
		snprintf(out, BB_DETAIL_SIZE, "too many sigops");
	else if (strncmp(reason, "bad-txns-accumulated", 20) != 0 && len < sizeof(text)) {
		memcpy(text, out, len + 1);
		snprintf(out, BB_DETAIL_SIZE, "%s in transaction %s", text, txid);
	}
}

void bb_block_detail(char out[BB_DETAIL_SIZE], const char *reason, const struct bb_block *block,
	size_t at, const struct bb_prevout *prevouts, const struct bb_block_claims *claims,
	const struct bb_network *n)
{
	char txid[65];

	out[0] = '\0';
	if (prevouts && at < block->tx_count)
		connect_detail(
			out, reason, block, at, prevouts, claims->height, n->coinbase_maturity);
	else if (fixed_detail(out, reason))
		;
	else if (strncmp(reason, "bad-version(", 12) == 0)
		snprintf(out, BB_DETAIL_SIZE, "rejected nVersion=0x%08x block",
			(unsigned)block->header.version);
	else if (strcmp(reason, "bad-txns-nonfinal") == 0)
		snprintf(out, BB_DETAIL_SIZE, "non-final transaction");
	else if (strcmp(reason, "bad-blk-sigops") == 0)
		snprintf(out, BB_DETAIL_SIZE, "out-of-bounds SigOpCount");
	else if (strcmp(reason, "bad-cb-amount") == 0)
		coinbase_detail(out, block, prevouts, bb_subsidy(n, claims->height));
	for (size_t i = 0; i < block->tx_count && !out[0]; i++) {
		const char *why = bb_check_tx(&block->tx[i]);
		if (!why || strcmp(why, reason) != 0)
			continue;
		txid_text(txid, &block->tx[i]);
		snprintf(out, BB_DETAIL_SIZE, "Transaction check failed (tx hash %s) ", txid);
	}
}

void bb_script_detail(char out[BB_DETAIL_SIZE], const struct bb_tx *tx, size_t index)
{
	unsigned char hash[32];
	char txid[65], wtxid[65] = "", spent[65] = "";

	txid_text(txid, tx);
	bb_tx_wtxid(hash, tx);
	bb_hash_encode(wtxid, hash);
	bb_hash_encode(spent, tx->in[index].prevout.txid);
	snprintf(out, BB_DETAIL_SIZE, "input %zu of %s (wtxid %s), spending %s:%u", index, txid,
		wtxid, spent, tx->in[index].prevout.vout);
}
