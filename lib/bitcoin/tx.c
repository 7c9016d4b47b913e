#include "bitcoin/tx.h"

#include <string.h>

#include "crypto/hash.h"

enum {
	MAX_SIZE = 0x02000000, /* Core's limit on any length it reads, bytes or elements */
	MIN_TXIN = 41,
	MIN_TXOUT = 9,
};

const struct bb_prevout bb_prevout_unknown = {.height = -1, .coinbase = -1, .mtp = -1};

/* A count of elements of at least min_size bytes each: more than can follow is bad, so that a
 * lying count allocates nothing. */
static size_t get_count(struct bb_reader *r, size_t min_size)
{
	uint64_t n = bb_get_compact(r);

	if (n > MAX_SIZE || n > bb_left(r) / min_size) {
		r->bad = true;
		return 0;
	}
	return (size_t)n;
}

static struct bb_span get_var(struct bb_reader *r)
{
	return bb_get_span(r, get_count(r, 1));
}

static bool get_inputs(struct bb_tx *tx, struct bb_reader *r, struct bb_arena *a)
{
	tx->in_count = get_count(r, MIN_TXIN);
	if (!(tx->in = bb_arena_array(a, tx->in_count, sizeof(*tx->in))))
		return false;
	for (size_t i = 0; i < tx->in_count && !r->bad; i++) {
		struct bb_txin *in = &tx->in[i];
		struct bb_span txid = bb_get_span(r, 32);
		if (txid.len)
			memcpy(in->prevout.txid, txid.data, 32);
		in->prevout.vout = bb_get_le32(r);
		in->script_sig = get_var(r);
		in->sequence = bb_get_le32(r);
	}
	return !r->bad;
}

static bool get_outputs(struct bb_tx *tx, struct bb_reader *r, struct bb_arena *a)
{
	tx->out_count = get_count(r, MIN_TXOUT);
	if (!(tx->out = bb_arena_array(a, tx->out_count, sizeof(*tx->out))))
		return false;
	for (size_t i = 0; i < tx->out_count && !r->bad; i++) {
		tx->out[i].value_sat = (int64_t)bb_get_le64(r);
		tx->out[i].script = get_var(r);
	}
	return !r->bad;
}

static bool get_witnesses(struct bb_tx *tx, struct bb_reader *r, struct bb_arena *a)
{
	for (size_t i = 0; i < tx->in_count; i++) {
		struct bb_txin *in = &tx->in[i];
		in->witness_count = get_count(r, 1);
		if (!(in->witness = bb_arena_array(a, in->witness_count, sizeof(*in->witness))))
			return false;
		for (size_t k = 0; k < in->witness_count && !r->bad; k++)
			in->witness[k] = get_var(r);
	}
	/* A marker without any witness behind it is "superfluous". */
	return !r->bad && bb_tx_has_witness(tx);
}

bool bb_tx_read(struct bb_tx *tx, struct bb_reader *r, struct bb_arena *a, bool witness)
{
	uint8_t flags = 0;

	*tx = (struct bb_tx){.version = bb_get_le32(r)};
	if (!get_inputs(tx, r, a))
		return false;
	if (tx->in_count == 0 && witness) {
		/* The marker of BIP 144, or truly no inputs; the flags tell. */
		flags = bb_get_u8(r);
		if (flags && (!get_inputs(tx, r, a) || !get_outputs(tx, r, a)))
			return false;
	} else if (!get_outputs(tx, r, a)) {
		return false;
	}
	if ((flags & 1) && !get_witnesses(tx, r, a))
		return false;
	if (flags & ~1)
		return false;
	tx->locktime = bb_get_le32(r);
	return !r->bad;
}

bool bb_tx_parse(struct bb_tx *tx, struct bb_span bytes, struct bb_arena *a)
{
	struct bb_reader r = bb_reader(bytes.data, bytes.len);

	if (bb_tx_read(tx, &r, a, true) && !bb_left(&r))
		return true;
	r = bb_reader(bytes.data, bytes.len);
	return bb_tx_read(tx, &r, a, false) && !bb_left(&r);
}

bool bb_tx_has_witness(const struct bb_tx *tx)
{
	for (size_t i = 0; i < tx->in_count; i++)
		if (tx->in[i].witness_count)
			return true;
	return false;
}

static void put_var(struct bb_buf *b, struct bb_span s)
{
	bb_put_compact(b, s.len);
	bb_put(b, s.data, s.len);
}

void bb_put_tx(struct bb_buf *b, const struct bb_tx *tx, bool witness)
{
	witness = witness && bb_tx_has_witness(tx);
	bb_put_le32(b, tx->version);
	if (witness)
		bb_put(b, "\x00\x01", 2);
	bb_put_compact(b, tx->in_count);
	for (size_t i = 0; i < tx->in_count; i++) {
		bb_put(b, tx->in[i].prevout.txid, 32);
		bb_put_le32(b, tx->in[i].prevout.vout);
		put_var(b, tx->in[i].script_sig);
		bb_put_le32(b, tx->in[i].sequence);
	}
	bb_put_compact(b, tx->out_count);
	for (size_t i = 0; i < tx->out_count; i++) {
		bb_put_le64(b, (uint64_t)tx->out[i].value_sat);
		put_var(b, tx->out[i].script);
	}
	for (size_t i = 0; witness && i < tx->in_count; i++) {
		bb_put_compact(b, tx->in[i].witness_count);
		for (size_t k = 0; k < tx->in[i].witness_count; k++)
			put_var(b, tx->in[i].witness[k]);
	}
	bb_put_le32(b, tx->locktime);
}

/* The same walk into a hash: no copy of the whole is made. */
static void hash_tx(unsigned char out[32], const struct bb_tx *tx, bool witness)
{
	struct bb_sha256 h;

	bb_sha256_init(&h);
	bb_sha256_add_le32(&h, tx->version);
	if (witness)
		bb_sha256_add(&h, "\x00\x01", 2);
	bb_sha256_add_compact(&h, tx->in_count);
	for (size_t i = 0; i < tx->in_count; i++) {
		bb_sha256_add(&h, tx->in[i].prevout.txid, 32);
		bb_sha256_add_le32(&h, tx->in[i].prevout.vout);
		bb_sha256_add_var(&h, tx->in[i].script_sig);
		bb_sha256_add_le32(&h, tx->in[i].sequence);
	}
	bb_sha256_add_compact(&h, tx->out_count);
	for (size_t i = 0; i < tx->out_count; i++) {
		bb_sha256_add_le64(&h, (uint64_t)tx->out[i].value_sat);
		bb_sha256_add_var(&h, tx->out[i].script);
	}
	for (size_t i = 0; witness && i < tx->in_count; i++) {
		bb_sha256_add_compact(&h, tx->in[i].witness_count);
		for (size_t k = 0; k < tx->in[i].witness_count; k++)
			bb_sha256_add_var(&h, tx->in[i].witness[k]);
	}
	bb_sha256_add_le32(&h, tx->locktime);
	bb_sha256d_end(out, &h);
}

void bb_tx_txid(unsigned char out[32], const struct bb_tx *tx)
{
	hash_tx(out, tx, false);
}

void bb_tx_wtxid(unsigned char out[32], const struct bb_tx *tx)
{
	hash_tx(out, tx, bb_tx_has_witness(tx));
}

size_t bb_tx_base_size(const struct bb_tx *tx)
{
	size_t n = 8 + bb_compact_len(tx->in_count) + bb_compact_len(tx->out_count);

	for (size_t i = 0; i < tx->in_count; i++)
		n += 40 + bb_compact_len(tx->in[i].script_sig.len) + tx->in[i].script_sig.len;
	for (size_t i = 0; i < tx->out_count; i++)
		n += 8 + bb_compact_len(tx->out[i].script.len) + tx->out[i].script.len;
	return n;
}

size_t bb_tx_total_size(const struct bb_tx *tx)
{
	size_t n = bb_tx_base_size(tx);

	if (!bb_tx_has_witness(tx))
		return n;
	n += 2;
	for (size_t i = 0; i < tx->in_count; i++) {
		n += bb_compact_len(tx->in[i].witness_count);
		for (size_t k = 0; k < tx->in[i].witness_count; k++)
			n += bb_compact_len(tx->in[i].witness[k].len) +
			     tx->in[i].witness[k].len;
	}
	return n;
}

int64_t bb_tx_weight(const struct bb_tx *tx)
{
	return (int64_t)(3 * bb_tx_base_size(tx) + bb_tx_total_size(tx));
}

bool bb_outpoint_is_null(const struct bb_outpoint *o)
{
	static const unsigned char zero[32];

	return o->vout == 0xffffffff && memcmp(o->txid, zero, 32) == 0;
}

bool bb_outpoint_equal(const struct bb_outpoint *a, const struct bb_outpoint *b)
{
	return a->vout == b->vout && memcmp(a->txid, b->txid, 32) == 0;
}

bool bb_has_sequence_lock(const struct bb_tx *tx, const struct bb_txin *in)
{
	return tx->version >= 2 && !(in->sequence & BB_SEQUENCE_DISABLE);
}

bool bb_tx_spends(const struct bb_tx *tx, const struct bb_outpoint *o)
{
	for (size_t i = 0; i < tx->in_count; i++)
		if (bb_outpoint_equal(&tx->in[i].prevout, o))
			return true;
	return false;
}

bool bb_tx_spends_from(const struct bb_tx *tx, const unsigned char txid[32])
{
	for (size_t i = 0; i < tx->in_count; i++)
		if (memcmp(tx->in[i].prevout.txid, txid, 32) == 0)
			return true;
	return false;
}

bool bb_tx_is_coinbase(const struct bb_tx *tx)
{
	return tx->in_count == 1 && bb_outpoint_is_null(&tx->in[0].prevout);
}

bool bb_money_range(int64_t value_sat)
{
	return value_sat >= 0 && value_sat <= BB_MAX_MONEY;
}
