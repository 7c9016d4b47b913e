/* A template as a line. */

#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/json.h"
#include "bitcoin/merkle.h"
#include "bitcoin/pow.h"
#include "crypto/hash.h"
#include "ledger/blocktemplate.h"

static void member_empty(struct bb_json_writer *w, const char *key)
{
	bb_json_key(w, key);
	bb_json_open(w, '{');
	bb_json_close(w, '}');
}

static void member_words(struct bb_json_writer *w, const char *key, const char *const *words)
{
	bb_json_key(w, key);
	bb_json_open(w, '[');
	while (*words)
		bb_json_str(w, *words++);
	bb_json_close(w, ']');
}

/* BIP 9: "!" before a rule that a miner must know to make a block at all. */
static void member_rules(struct bb_json_writer *w, bool segwit, bool signet)
{
	const char *rules[5] = {"csv"};
	size_t count = 1;

	if (segwit) {
		rules[count++] = "!segwit";
		rules[count++] = "taproot";
	}
	if (signet)
		rules[count++] = "!signet";
	member_words(w, "rules", rules);
}

/* Before segwit, its units are not the miner's: limits and sigops are a quarter (BIP 145). */
static void put_tx(struct bb_json_writer *w, const struct bb_template_tx *tx, int scale)
{
	bb_json_open(w, '{');
	bb_json_member_hex(w, "data", tx->bytes);
	bb_json_member_hash(w, "txid", tx->txid);
	bb_json_member_hash(w, "hash", tx->wtxid);
	bb_json_key(w, "depends");
	bb_json_open(w, '[');
	for (size_t i = 0; i < tx->depend_count; i++)
		bb_json_i64(w, tx->depends[i]);
	bb_json_close(w, ']');
	bb_json_member_i64(w, "fee", tx->fee_sat);
	bb_json_member_i64(w, "sigops", tx->sigops_cost / scale);
	bb_json_member_i64(w, "weight", tx->weight);
	bb_json_close(w, '}');
}

static void put_txs(struct bb_json_writer *w, const struct bb_block_template *t, int scale)
{
	bb_json_key(w, "transactions");
	bb_json_open(w, '[');
	for (size_t i = 0; i < t->tx_count; i++)
		put_tx(w, &t->tx[i], scale);
	bb_json_close(w, ']');
}

/* The output that commits to the witnesses, the coinbase's reserved value being zero (BIP 141).
 */
static void member_commitment(struct bb_json_writer *w, const struct bb_block_template *t)
{
	unsigned char script[38] = {0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed};
	unsigned char roots[64] = {0}; /* the witnesses', and that value */
	struct bb_buf hashes = {0};
	unsigned char(*leaf)[32] = (void *)bb_buf_room(&hashes, 32 * (t->tx_count + 1));

	if (!leaf) {
		w->buf->failed = true;
		return;
	}
	memset(leaf[0], 0, 32);
	for (size_t i = 0; i < t->tx_count; i++)
		memcpy(leaf[i + 1], t->tx[i].wtxid, 32);
	bb_merkle_root(roots, NULL, leaf, t->tx_count + 1);
	bb_sha256d(script + 6, roots, sizeof(roots));
	bb_buf_free(&hashes);
	bb_json_member_hex(w, "default_witness_commitment", BB_SPAN(script, sizeof(script)));
}

static void member_longpollid(struct bb_json_writer *w, const struct bb_block_template *t)
{
	char text[64 + 21];

	bb_hash_encode(text, t->prev.id);
	snprintf(text + 64, sizeof(text) - 64, "%" PRIu64, t->sequence);
	bb_json_member_str(w, "longpollid", text);
}

/* What the header may be. */
static void put_work(struct bb_json_writer *w, const struct bb_block_template *t)
{
	static const char *const mutable[] = {"time", "transactions", "prevblock", NULL};
	unsigned char target[32] = {0};

	bb_target_from_bits(target, t->bits);
	bb_json_member_hash(w, "target", target);
	bb_json_member_i64(w, "mintime", t->mintime);
	member_words(w, "mutable", mutable);
	bb_json_member_str(w, "noncerange", "00000000ffffffff");
}

static void put_limits(struct bb_json_writer *w, int scale)
{
	bb_json_member_i64(w, "sigoplimit", BB_MAX_BLOCK_SIGOPS_COST / scale);
	bb_json_member_i64(w, "sizelimit", BB_MAX_BLOCK_WEIGHT / scale);
	if (scale == 1)
		bb_json_member_i64(w, "weightlimit", BB_MAX_BLOCK_WEIGHT);
}

/* Most of it is hex: so much is asked of memory once. */
static void make_room(struct bb_buf *out, const struct bb_block_template *t)
{
	size_t size = 2048;

	for (size_t i = 0; i < t->tx_count; i++)
		size += 2 * t->tx[i].bytes.len + 12 * t->tx[i].depend_count + 320;
	bb_buf_room(out, size);
}

void bb_put_template(
	struct bb_buf *out, const struct bb_block_template *t, const struct bb_network *n)
{
	static const char *const capabilities[] = {"proposal", NULL};
	const struct bb_span challenge = BB_SPAN(n->signet_challenge, n->signet_challenge_len);
	const bool segwit = t->height >= n->segwit_height;
	const int scale = segwit ? 1 : BB_WITNESS_SCALE;
	struct bb_json_writer w = {.buf = out};
	char bits[9];

	make_room(out, t);
	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", "template");
	member_words(&w, "capabilities", capabilities);
	bb_json_member_i64(&w, "version", t->version);
	member_rules(&w, segwit, challenge.len);
	member_empty(&w, "vbavailable");
	bb_json_member_i64(&w, "vbrequired", 0);
	bb_json_member_hash(&w, "previousblockhash", t->prev.id);
	put_txs(&w, t, scale);
	member_empty(&w, "coinbaseaux");
	bb_json_member_i64(&w, "coinbasevalue", t->value_sat);
	member_longpollid(&w, t);
	put_work(&w, t);
	put_limits(&w, scale);
	bb_json_member_i64(&w, "curtime", t->curtime);
	snprintf(bits, sizeof(bits), "%08" PRIx32, t->bits);
	bb_json_member_str(&w, "bits", bits);
	bb_json_member_i64(&w, "height", t->height);
	if (challenge.len)
		bb_json_member_hex(&w, "signet_challenge", challenge);
	if (segwit)
		member_commitment(&w, t);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}
