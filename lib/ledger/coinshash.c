#include "ledger/coinshash.h"

#include <string.h>

#include "crypto/hash.h"
#include "crypto/muhash.h"

void bb_put_coin_record(struct bb_buf *b, const struct bb_outpoint *o, const struct bb_coin *c)
{
	bb_put(b, o->txid, 32);
	bb_put_le32(b, o->vout);
	bb_put_le32(b, 2 * (uint32_t)c->height + c->coinbase);
	bb_put_le64(b, (uint64_t)c->value_sat);
	bb_put_compact(b, c->script.len);
	bb_put(b, c->script.data, c->script.len);
}

struct summing {
	struct bb_coins_sum *out;
	enum bb_coins_hash kind;
	struct bb_sha256 sha;
	struct bb_muhash *muhash;
	struct bb_buf record;
	unsigned char txid[32]; /* of the coin before */
};

static bool add_coin(struct summing *sum, const struct bb_cursor *at)
{
	struct bb_coins_sum *out = sum->out;
	struct bb_outpoint o;
	struct bb_coin coin;

	if (!bb_outpoint_from_key(&o, at->key) || !bb_coin_parse(&coin, at->value))
		return false;
	out->txs += out->count == 0 || memcmp(sum->txid, o.txid, 32) != 0;
	memcpy(sum->txid, o.txid, 32);
	out->count++;
	/* More than there can be comes only of a damaged store: it wraps round. */
	out->value_sat = (int64_t)((uint64_t)out->value_sat + (uint64_t)coin.value_sat);
	out->bytes += at->key.len + at->value.len;
	if (sum->kind == BB_COINS_NO_HASH)
		return true;
	sum->record.len = 0;
	bb_put_coin_record(&sum->record, &o, &coin);
	if (sum->record.failed)
		return true;
	if (sum->muhash)
		bb_muhash_insert(sum->muhash, BB_SPAN(sum->record.data, sum->record.len));
	else
		bb_sha256_add(&sum->sha, sum->record.data, sum->record.len);
	return true;
}

/* The hash of what was added; false when memory ran out. */
static bool finish(struct summing *sum)
{
	if (sum->record.failed)
		return false;
	if (sum->kind == BB_COINS_MUHASH)
		return bb_muhash_end(sum->out->hash, sum->muhash);
	if (sum->kind == BB_COINS_HASH_SERIALIZED_3)
		bb_sha256d_end(sum->out->hash, &sum->sha);
	return true;
}

bool bb_coins_sum(struct bb_coins_sum *out, struct bb_store *s, enum bb_coins_hash kind)
{
	struct summing sum = {.out = out, .kind = kind};
	struct bb_cursor at;
	const char *why = NULL;

	*out = (struct bb_coins_sum){0};
	bb_sha256_init(&sum.sha);
	if (kind == BB_COINS_MUHASH && !(sum.muhash = bb_muhash_new()))
		why = "out of memory";
	else if (bb_cursor_open(&at, s, BB_COINS)) {
		for (bool more = bb_cursor_first(&at); more && !why; more = bb_cursor_next(&at))
			if (!add_coin(&sum, &at))
				why = "the store is damaged: not a coin";
		bb_cursor_close(&at);
	}
	if (!why && !s->why && !finish(&sum))
		why = "out of memory";
	if (sum.muhash)
		bb_muhash_free(sum.muhash);
	bb_buf_free(&sum.record);
	if (why && !s->why)
		s->why = why;
	return !s->why;
}
