#include "bitcoin/blockline.h"

#include <string.h>

#include "base/hex.h"
#include "bitcoin/pow.h"

/* Reading. */

struct keys {
	const struct bb_json *hex, *id, *version, *timestamp, *merkle_root, *previousblockhash;
	const struct bb_json *nonce, *bits, *tx, *prevouts, *prevtxs;
	const struct bb_json *height, *prev_times, *expected_bits, *now;
	bool genesis; /* previousblockhash is there, as null */
};

static void find_keys(struct keys *k, const struct bb_json *o)
{
	const struct bb_json *prev = bb_json_get(o, "previousblockhash");

	k->genesis = prev && prev->type == BB_JSON_NULL;
	for (const struct bb_json *v = o->child; v; v = v->next) {
		BB_JSON_TAKE(k, v, hex)
		BB_JSON_TAKE(k, v, id)
		BB_JSON_TAKE(k, v, version)
		BB_JSON_TAKE(k, v, timestamp)
		BB_JSON_TAKE(k, v, merkle_root)
		BB_JSON_TAKE(k, v, previousblockhash)
		BB_JSON_TAKE(k, v, nonce)
		BB_JSON_TAKE(k, v, bits)
		BB_JSON_TAKE(k, v, tx)
		BB_JSON_TAKE(k, v, prevouts)
		BB_JSON_TAKE(k, v, prevtxs)
		BB_JSON_TAKE(k, v, height)
		BB_JSON_TAKE(k, v, prev_times)
		BB_JSON_TAKE(k, v, expected_bits)
		BB_JSON_TAKE(k, v, now)
	}
}

static bool bad(const char **why, const char *reason)
{
	*why = reason;
	return false;
}

static bool get_u32(uint32_t *out, const char **why, const struct bb_json *v, int64_t min,
	const char *reason)
{
	int64_t n;

	if (!v)
		return true;
	if (!bb_json_int(&n, v, min, UINT32_MAX))
		return bad(why, reason);
	*out = (uint32_t)n;
	return true;
}

static bool get_hash(
	unsigned char hash[32], const char **why, const struct bb_json *v, const char *reason)
{
	return !v || (v->type == BB_JSON_STRING && bb_hash_decode(hash, v->text)) ||
	       bad(why, reason);
}

/* The header's fields that are there, over what the bytes gave. */
static bool header_fields(struct bb_header *h, const char **why, const struct keys *k)
{
	uint32_t version = (uint32_t)h->version;

	if (k->genesis)
		memset(h->prev, 0, 32);
	if (!get_u32(&version, why, k->version, INT32_MIN, "version is not a 32-bit number") ||
		!get_u32(&h->time, why, k->timestamp, 0, "timestamp is not a 32-bit number") ||
		!get_u32(&h->bits, why, k->bits, 0, "bits is not a 32-bit number") ||
		!get_u32(&h->nonce, why, k->nonce, 0, "nonce is not a 32-bit number") ||
		!get_hash(h->merkle_root, why, k->merkle_root, "merkle_root is not a hash") ||
		!get_hash(
			h->prev, why, k->previousblockhash, "previousblockhash is not a hash"))
		return false;
	h->version = (int32_t)version;
	return true;
}

static bool same_header(const struct bb_header *a, const struct bb_header *b)
{
	return a->version == b->version && a->time == b->time && a->bits == b->bits &&
	       a->nonce == b->nonce && memcmp(a->prev, b->prev, 32) == 0 &&
	       memcmp(a->merkle_root, b->merkle_root, 32) == 0;
}

/* Header fields and id, of a header that the bytes gave (`given`) or that has only these. */
static bool get_header(struct bb_header *h, const char **why, const struct keys *k, bool given)
{
	struct bb_header got = {0};
	unsigned char stated[32], id[32];

	if (given)
		got = *h;
	else if (!k->version || !k->timestamp || !k->bits || !k->nonce || !k->merkle_root ||
		 (!k->previousblockhash && !k->genesis))
		return bad(why, "a header needs hex, or version, timestamp, bits, nonce, "
				"merkle_root and previousblockhash");
	if (!header_fields(&got, why, k))
		return false;
	if (given && !same_header(h, &got))
		return bad(why, "hex and the header's fields do not agree");
	*h = got;
	if (!k->id)
		return true;
	bb_header_hash(id, h);
	return get_hash(stated, why, k->id, "id is not a hash") &&
	       (memcmp(id, stated, 32) == 0 || bad(why, "id does not match"));
}

static bool get_bytes(
	struct bb_span *bytes, const char **why, struct bb_arena *a, const struct bb_json *hex)
{
	return (hex->type == BB_JSON_STRING && bb_hex_span(bytes, hex->text, a)) ||
	       bad(why, "hex is odd or not hex");
}

bool bb_header_from_json(
	struct bb_header *h, const char **why, struct bb_arena *a, const struct bb_json *doc)
{
	struct keys k = {0};
	struct bb_span bytes;

	find_keys(&k, doc);
	if (k.hex) {
		if (!get_bytes(&bytes, why, a, k.hex))
			return false;
		if (!bb_header_parse(h, bytes))
			return bad(why, "hex is not a header of 80 bytes");
	}
	return get_header(h, why, &k, k.hex != NULL);
}

static bool same_tx(const struct bb_tx *x, const struct bb_tx *y)
{
	struct bb_buf a = {0}, b = {0};
	bool same;

	bb_put_tx(&a, x, true);
	bb_put_tx(&b, y, true);
	same = !a.failed && !b.failed &&
	       bb_span_equal(BB_SPAN(a.data, a.len), BB_SPAN(b.data, b.len));
	bb_buf_free(&a);
	bb_buf_free(&b);
	return same;
}

/* A member of tx[]: what it spends goes to *prevouts, one for each input. */
static bool get_tx(struct bb_tx *tx, struct bb_prevout **prevouts, const char **why,
	struct bb_arena *a, const struct bb_json *v)
{
	struct bb_txline l;

	if (v->type != BB_JSON_OBJECT)
		return bad(why, "tx has a member that is not an object");
	if (!bb_txline_read(&l, why, a, v))
		return false;
	*tx = l.tx;
	*prevouts = l.prevouts;
	return true;
}

/* The expanded transactions: the block's own, or to be compared with those of the bytes. */
static bool get_txs(struct bb_blockline *l, struct bb_prevout **of_tx, const char **why,
	struct bb_arena *a, const struct bb_json *array, bool given)
{
	size_t i = 0;

	for (const struct bb_json *v = array->child; v; v = v->next, i++) {
		struct bb_tx tx;
		if (!get_tx(&tx, &of_tx[i], why, a, v))
			return false;
		if (given && !same_tx(&tx, &l->block.tx[i]))
			return bad(why, "hex and tx do not agree");
		l->block.tx[i] = tx;
	}
	return true;
}

/* Room for every spent output, filled with what the transactions themselves stated. */
static bool gather_prevouts(struct bb_blockline *l, struct bb_prevout *const *of_tx,
	const char **why, struct bb_arena *a)
{
	struct bb_prevout *p;

	l->prevout_count = bb_block_spends(&l->block);
	p = bb_arena_array(a, l->prevout_count + 1, sizeof(*p));
	if (!p)
		return bad(why, "out of memory");
	l->prevouts = p;
	for (size_t i = 1; i < l->block.tx_count; i++)
		for (size_t k = 0; k < l->block.tx[i].in_count; k++, p++)
			if (of_tx)
				*p = of_tx[i][k];
			else
				bb_prevout_from_json(p, why, a, NULL);
	return true;
}

static bool get_prevouts(struct bb_blockline *l, const char **why, struct bb_arena *a,
	const struct bb_json *array)
{
	struct bb_prevout *p = l->prevouts;

	if (array->type != BB_JSON_ARRAY)
		return bad(why, "prevouts is not an array");
	if (array->count != l->prevout_count)
		return bad(why, "prevouts are not as many as the block's inputs");
	for (const struct bb_json *v = array->child; v; v = v->next, p++) {
		struct bb_prevout got;
		if (!bb_prevout_from_json(&got, why, a, v))
			return false;
		if (!bb_prevout_merge(p, &got))
			return bad(why, "prevouts and tx do not agree");
	}
	return true;
}

static bool apply_prevtxs(struct bb_blockline *l, const char **why, struct bb_arena *a,
	const struct bb_json *prevtxs)
{
	struct bb_spend *spends = bb_arena_array(a, l->prevout_count, sizeof(*spends));
	size_t n = 0;

	if (!spends)
		return bad(why, "out of memory");
	for (size_t i = 1; i < l->block.tx_count; i++)
		for (size_t k = 0; k < l->block.tx[i].in_count; k++, n++) {
			spends[n].outpoint = &l->block.tx[i].in[k].prevout;
			spends[n].prevout = &l->prevouts[n];
		}
	return bb_prevtxs_apply(spends, n, why, a, prevtxs);
}

static bool get_claims(struct bb_block_claims *c, const char **why, const struct keys *k)
{
	*c = (struct bb_block_claims){.height = -1, .expected_bits = -1, .now = -1};
	if (k->height && !bb_json_int(&c->height, k->height, 0, INT32_MAX))
		return bad(why, "height is not a height");
	if (k->expected_bits &&
		!bb_json_int(&c->expected_bits, k->expected_bits, 0, UINT32_MAX))
		return bad(why, "expected_bits is not a 32-bit number");
	if (k->now && !bb_json_int(&c->now, k->now, 0, INT64_MAX))
		return bad(why, "now is not a time");
	if (!k->prev_times)
		return true;
	if (k->prev_times->type != BB_JSON_ARRAY || k->prev_times->count > 11)
		return bad(why, "prev_times is not an array of at most 11 times");
	for (const struct bb_json *v = k->prev_times->child; v; v = v->next)
		if (!bb_json_int(&c->prev_times[c->prev_time_count++], v, 0, UINT32_MAX))
			return bad(why, "prev_times has a member that is not a time");
	return true;
}

/* The block itself, from bytes, fields, or both; *of_tx, when fields, has each one's prevouts.
 */
static bool get_block(struct bb_blockline *l, struct bb_prevout ***of_tx, const char **why,
	struct bb_arena *a, const struct keys *k)
{
	struct bb_span bytes;

	if (k->tx && k->tx->type != BB_JSON_ARRAY)
		return bad(why, "tx is not an array");
	if (k->hex) {
		if (!get_bytes(&bytes, why, a, k->hex))
			return false;
		if (!bb_block_parse(&l->block, bytes, a))
			return bad(why, "hex is not a block");
		if (k->tx && k->tx->count != l->block.tx_count)
			return bad(why, "hex and tx do not agree");
	} else if (!k->tx) {
		return bad(why, "a block needs hex, or the header's fields and tx");
	} else {
		l->block.tx_count = k->tx->count;
		l->block.tx = bb_arena_array(a, k->tx->count, sizeof(*l->block.tx));
		if (!l->block.tx)
			return bad(why, "out of memory");
	}
	if (!get_header(&l->block.header, why, k, k->hex != NULL))
		return false;
	if (!k->tx)
		return true;
	*of_tx = bb_arena_array(a, k->tx->count, sizeof(**of_tx));
	if (!*of_tx)
		return bad(why, "out of memory");
	return get_txs(l, *of_tx, why, a, k->tx, k->hex != NULL);
}

bool bb_line_is_header(const struct bb_json *doc)
{
	const struct bb_json *type = bb_json_find(doc, "type");

	if (type)
		return bb_json_is(type, "header");
	return bb_json_find(doc, "merkle_root") && !bb_json_find(doc, "tx");
}

bool bb_line_is_block(const struct bb_json *doc)
{
	const struct bb_json *type = bb_json_find(doc, "type");

	if (type)
		return bb_json_is(type, "block");
	return bb_json_find(doc, "merkle_root") && bb_json_find(doc, "tx");
}

bool bb_blockline_read(
	struct bb_blockline *l, const char **why, struct bb_arena *a, const struct bb_json *doc)
{
	struct bb_prevout **of_tx = NULL;
	struct keys k = {0};

	*l = (struct bb_blockline){.doc = doc};
	find_keys(&k, doc);
	if (!get_block(l, &of_tx, why, a, &k) || !gather_prevouts(l, of_tx, why, a))
		return false;
	if (k.prevouts && !get_prevouts(l, why, a, k.prevouts))
		return false;
	if (k.prevtxs && !apply_prevtxs(l, why, a, k.prevtxs))
		return false;
	l->all_known = true;
	for (size_t i = 0; i < l->prevout_count; i++)
		l->all_known = l->all_known && l->prevouts[i].known;
	return get_claims(&l->claims, why, &k);
}

/* Writing. */

static void member_id(struct bb_json_writer *w, const struct bb_header *h)
{
	unsigned char id[32];

	bb_header_hash(id, h);
	bb_json_member_hash(w, "id", id);
}

static void member_previous(struct bb_json_writer *w, const struct bb_header *h)
{
	static const unsigned char zero[32];

	if (memcmp(h->prev, zero, 32) != 0) {
		bb_json_member_hash(w, "previousblockhash", h->prev);
	} else {
		bb_json_key(w, "previousblockhash");
		bb_json_null(w);
	}
}

static void members_work(struct bb_json_writer *w, const struct bb_header *h)
{
	bb_json_member_i64(w, "nonce", h->nonce);
	bb_json_member_i64(w, "bits", h->bits);
	bb_json_key(w, "difficulty");
	bb_json_double(w, bb_difficulty(h->bits));
}

void bb_json_header(struct bb_json_writer *w, const struct bb_header *h)
{
	member_id(w, h);
	bb_json_member_i64(w, "version", (uint32_t)h->version);
	bb_json_member_i64(w, "timestamp", h->time);
	bb_json_member_hash(w, "merkle_root", h->merkle_root);
	member_previous(w, h);
	members_work(w, h);
}

/* The median of this block's time and the ten before it, where the claims reach that far;
 * else what the line says of it. */
static void member_mediantime(struct bb_json_writer *w, const struct bb_blockline *l)
{
	const struct bb_block_claims *c = &l->claims;
	const struct bb_json *stated = l->doc ? bb_json_find(l->doc, "mediantime") : NULL;
	struct bb_block_claims with = {0};
	size_t skip = c->prev_time_count == 11;

	if (c->prev_time_count >= 10 ||
		(c->height >= 0 && (int64_t)c->prev_time_count == c->height)) {
		with.prev_time_count = c->prev_time_count - skip;
		memcpy(with.prev_times, c->prev_times + skip,
			with.prev_time_count * sizeof(*with.prev_times));
		with.prev_times[with.prev_time_count++] = l->block.header.time;
		bb_json_member_i64(w, "mediantime", bb_claims_mtp(&with));
	} else if (stated) {
		bb_json_key(w, "mediantime");
		bb_json_raw(w, stated->raw);
	}
}

static void member_txs(
	struct bb_json_writer *w, const struct bb_blockline *l, const struct bb_network *n)
{
	static const char *const known[] = {"type", "hex", "txid", "wtxid", "version",
		"locktime", "vin", "vout", "size", "weight", "prevouts", "fee", NULL};
	const struct bb_json *array = l->doc ? bb_json_find(l->doc, "tx") : NULL;
	const struct bb_json *old = array ? array->child : NULL;
	const struct bb_prevout *p = l->prevouts;

	bb_json_key(w, "tx");
	bb_json_open(w, '[');
	for (size_t i = 0; i < l->block.tx_count; i++) {
		const struct bb_tx *tx = &l->block.tx[i];
		bb_json_open(w, '{');
		bb_json_tx(w, tx, i ? p : NULL, old ? bb_json_find(old, "vin") : NULL, n);
		if (old)
			bb_json_others(w, old, known);
		bb_json_close(w, '}');
		p += i ? tx->in_count : 0;
		old = old ? old->next : NULL;
	}
	bb_json_close(w, ']');
}

void bb_json_block(
	struct bb_json_writer *w, const struct bb_blockline *l, const struct bb_network *n)
{
	const struct bb_header *h = &l->block.header;

	member_id(w, h);
	if (l->claims.height >= 0)
		bb_json_member_i64(w, "height", l->claims.height);
	bb_json_member_i64(w, "version", (uint32_t)h->version);
	bb_json_member_i64(w, "timestamp", h->time);
	bb_json_member_i64(w, "tx_count", (int64_t)l->block.tx_count);
	bb_json_member_i64(w, "size", (int64_t)bb_block_size(&l->block));
	bb_json_member_i64(w, "weight", bb_block_weight(&l->block));
	bb_json_member_hash(w, "merkle_root", h->merkle_root);
	member_previous(w, h);
	member_mediantime(w, l);
	members_work(w, h);
	member_txs(w, l, n);
}
