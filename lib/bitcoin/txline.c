#include "bitcoin/txline.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "bitcoin/script.h"

/* Reading. Bulk comes through here: an object's members are walked once, and what is not read
 * costs a comparison of lengths. */

struct job {
	struct bb_arena *arena;
	const char **why;
	bool given; /* the bytes are there: fields are only compared with them */
};

static bool bad(struct job *j, const char *why)
{
	*j->why = why;
	return false;
}

static bool get_hash(
	struct job *j, unsigned char hash[32], const struct bb_json *v, const char *why)
{
	return (v->type == BB_JSON_STRING && bb_hash_decode(hash, v->text)) || bad(j, why);
}

static bool get_hex(
	struct job *j, struct bb_span *out, const struct bb_json *v, const char *why)
{
	return (v->type == BB_JSON_STRING && bb_hex_span(out, v->text, j->arena)) ||
	       bad(j, why);
}

static bool get_u32(
	struct job *j, uint32_t *out, const struct bb_json *v, int64_t min, const char *why)
{
	int64_t n;

	if (!bb_json_int(&n, v, min, UINT32_MAX))
		return bad(j, why);
	*out = (uint32_t)n;
	return true;
}

static bool get_optional(
	struct job *j, int64_t *out, const struct bb_json *v, int64_t max, const char *why)
{
	return !v || bb_json_int(out, v, 0, max) || bad(j, why);
}

static bool get_array(struct job *j, const struct bb_json *v, size_t given_count,
	const char *wrong_type, const char *wrong_count)
{
	if (v->type != BB_JSON_ARRAY)
		return bad(j, wrong_type);
	return !j->given || v->count == given_count || bad(j, wrong_count);
}

/* Prevouts. */

struct prevout_keys {
	const struct bb_json *scriptpubkey, *value, *height, *coinbase, *mtp;
};

static void find_prevout_keys(struct prevout_keys *k, const struct bb_json *o)
{
	for (const struct bb_json *v = o->child; v; v = v->next) {
		BB_JSON_TAKE(k, v, scriptpubkey)
		BB_JSON_TAKE(k, v, value)
		BB_JSON_TAKE(k, v, height)
		BB_JSON_TAKE(k, v, coinbase)
		BB_JSON_TAKE(k, v, mtp)
	}
}

static bool get_prevout(struct job *j, struct bb_prevout *p, const struct bb_json *o)
{
	struct prevout_keys k = {0};

	*p = bb_prevout_unknown;
	if (!o || o->type == BB_JSON_NULL)
		return true;
	if (o->type != BB_JSON_OBJECT)
		return bad(j, "prevout is not an object");
	find_prevout_keys(&k, o);
	if (!k.scriptpubkey || !k.value)
		return bad(j, "prevout lacks scriptpubkey or value");
	if (!get_hex(j, &p->script, k.scriptpubkey, "prevout's scriptpubkey is not hex"))
		return false;
	if (!bb_json_int(&p->value_sat, k.value, 0, INT64_MAX))
		return bad(j, "prevout's value is not an amount in satoshi");
	if (k.coinbase && k.coinbase->type != BB_JSON_BOOL)
		return bad(j, "prevout's coinbase is not true or false");
	if (k.coinbase)
		p->coinbase = k.coinbase->truth;
	p->known = true;
	return get_optional(j, &p->height, k.height, INT32_MAX,
		       "prevout's height is not a height") &&
	       get_optional(j, &p->mtp, k.mtp, UINT32_MAX, "prevout's mtp is not a time");
}

bool bb_prevout_from_json(
	struct bb_prevout *p, const char **why, struct bb_arena *a, const struct bb_json *v)
{
	struct job j = {.arena = a, .why = why};

	return get_prevout(&j, p, v);
}

bool bb_prevout_merge(struct bb_prevout *p, const struct bb_prevout *more)
{
	if (!more->known)
		return true;
	if (!p->known) {
		*p = *more;
		return true;
	}
	if (p->value_sat != more->value_sat || !bb_span_equal(p->script, more->script))
		return false;
	if ((p->height != more->height && p->height >= 0 && more->height >= 0) ||
		(p->mtp != more->mtp && p->mtp >= 0 && more->mtp >= 0) ||
		(p->coinbase != more->coinbase && p->coinbase >= 0 && more->coinbase >= 0))
		return false;
	p->height = p->height < 0 ? more->height : p->height;
	p->mtp = p->mtp < 0 ? more->mtp : p->mtp;
	p->coinbase = p->coinbase < 0 ? more->coinbase : p->coinbase;
	return true;
}

/* The lean form's array, beside what the inputs themselves may state. */
static bool get_prevouts(struct job *j, struct bb_prevout *prevouts, const struct bb_tx *tx,
	const struct bb_json *array)
{
	struct bb_prevout p;
	size_t i = 0;

	if (array->type != BB_JSON_ARRAY)
		return bad(j, "prevouts is not an array");
	if (array->count == 0 && bb_tx_is_coinbase(tx))
		return true;
	if (array->count != tx->in_count)
		return bad(j, "prevouts are not as many as the inputs");
	for (const struct bb_json *v = array->child; v; v = v->next, i++) {
		if (!get_prevout(j, &p, v))
			return false;
		if (!bb_prevout_merge(&prevouts[i], &p))
			return bad(j, "prevouts and vin do not agree");
	}
	return true;
}

/* The transactions spent from. */

static int by_txid(const void *a, const void *b)
{
	const struct bb_spend *x = a, *y = b;

	return memcmp(x->outpoint->txid, y->outpoint->txid, 32);
}

/* The first of the sorted spends of that transaction, or count. */
static size_t first_spend(
	const struct bb_spend *spends, size_t count, const unsigned char txid[32])
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (memcmp(spends[middle].outpoint->txid, txid, 32) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool apply_prevtx(
	struct job *j, struct bb_spend *spends, size_t count, const struct bb_tx *tx)
{
	unsigned char txid[32];
	size_t first, i;

	bb_tx_txid(txid, tx);
	first = first_spend(spends, count, txid);
	if (first < count && spends[first].proven)
		return true; /* the same again must not cost the same again */
	for (i = first; i < count && memcmp(spends[i].outpoint->txid, txid, 32) == 0; i++) {
		struct bb_prevout p = bb_prevout_unknown;
		uint32_t vout = spends[i].outpoint->vout;
		if (vout >= tx->out_count)
			return bad(j, "prevtxs: an input spends an output that is not there");
		p.known = true;
		p.value_sat = tx->out[vout].value_sat;
		p.script = tx->out[vout].script;
		p.coinbase = bb_tx_is_coinbase(tx);
		if (!bb_prevout_merge(spends[i].prevout, &p))
			return bad(j, "prevtxs do not match the prevouts");
		spends[i].proven = true;
	}
	return i > first || bad(j, "prevtxs: a transaction that no input spends from");
}

bool bb_prevtxs_apply(struct bb_spend *spends, size_t count, const char **why,
	struct bb_arena *a, const struct bb_json *prevtxs)
{
	struct job j = {.arena = a, .why = why};

	if (prevtxs->type != BB_JSON_ARRAY)
		return bad(&j, "prevtxs is not an array");
	qsort(spends, count, sizeof(*spends), by_txid);
	for (const struct bb_json *v = prevtxs->child; v; v = v->next) {
		struct bb_span bytes;
		struct bb_tx tx;
		if (!get_hex(&j, &bytes, v, "prevtxs: not hex"))
			return false;
		if (!bb_tx_parse(&tx, bytes, a))
			return bad(&j, "prevtxs: not a transaction");
		if (!apply_prevtx(&j, spends, count, &tx))
			return false;
	}
	return true;
}

/* Inputs and outputs: fields that are there go over what the bytes gave, and must then make no
 * difference. */

struct vin_keys {
	const struct bb_json *txid, *vout, *prevout, *scriptsig, *witness, *sequence;
};

static void find_vin_keys(struct vin_keys *k, const struct bb_json *o)
{
	for (const struct bb_json *v = o->child; v; v = v->next) {
		BB_JSON_TAKE(k, v, txid)
		BB_JSON_TAKE(k, v, vout)
		BB_JSON_TAKE(k, v, prevout)
		BB_JSON_TAKE(k, v, scriptsig)
		BB_JSON_TAKE(k, v, witness)
		BB_JSON_TAKE(k, v, sequence)
	}
}

static bool get_witness(struct job *j, struct bb_txin *in, const struct bb_json *array)
{
	struct bb_span *item;

	if (array->type != BB_JSON_ARRAY)
		return bad(j, "witness is not an array");
	item = bb_arena_array(j->arena, array->count, sizeof(*item));
	if (!item)
		return bad(j, "out of memory");
	in->witness = item;
	in->witness_count = array->count;
	for (const struct bb_json *v = array->child; v; v = v->next)
		if (!get_hex(j, item++, v, "witness has an item that is not hex"))
			return false;
	return true;
}

static bool same_input(const struct bb_txin *a, const struct bb_txin *b)
{
	if (!bb_outpoint_equal(&a->prevout, &b->prevout) || a->sequence != b->sequence ||
		!bb_span_equal(a->script_sig, b->script_sig) ||
		a->witness_count != b->witness_count)
		return false;
	for (size_t i = 0; i < a->witness_count; i++)
		if (!bb_span_equal(a->witness[i], b->witness[i]))
			return false;
	return true;
}

static bool get_input(
	struct job *j, struct bb_txin *in, struct bb_prevout *p, const struct bb_json *o)
{
	struct vin_keys k = {0};
	struct bb_txin got = *in;

	if (o->type != BB_JSON_OBJECT)
		return bad(j, "vin has a member that is not an object");
	find_vin_keys(&k, o);
	if (!j->given && (!k.txid || !k.vout || !k.scriptsig || !k.sequence))
		return bad(j, "vin lacks txid, vout, scriptsig or sequence");
	if (k.txid && !get_hash(j, got.prevout.txid, k.txid, "vin's txid is not a hash"))
		return false;
	if (k.vout &&
		!get_u32(j, &got.prevout.vout, k.vout, 0, "vin's vout is not a 32-bit number"))
		return false;
	if (k.scriptsig && !get_hex(j, &got.script_sig, k.scriptsig, "scriptsig is not hex"))
		return false;
	if (k.witness && !get_witness(j, &got, k.witness))
		return false;
	if (k.sequence &&
		!get_u32(j, &got.sequence, k.sequence, 0, "sequence is not a 32-bit number"))
		return false;
	if (k.prevout && !get_prevout(j, p, k.prevout))
		return false;
	if (j->given && !same_input(in, &got))
		return bad(j, "hex and vin do not agree");
	*in = got;
	return true;
}

static bool get_inputs(struct job *j, struct bb_tx *tx, struct bb_prevout *prevouts,
	const struct bb_json *array)
{
	size_t i = 0;

	for (const struct bb_json *v = array->child; v; v = v->next, i++)
		if (!get_input(j, &tx->in[i], &prevouts[i], v))
			return false;
	return true;
}

struct vout_keys {
	const struct bb_json *scriptpubkey, *value;
};

static void find_vout_keys(struct vout_keys *k, const struct bb_json *o)
{
	for (const struct bb_json *v = o->child; v; v = v->next) {
		BB_JSON_TAKE(k, v, scriptpubkey)
		BB_JSON_TAKE(k, v, value)
	}
}

/* The wire has any 64-bit value; that a negative one is wrong is for the rules to say. */
static bool get_output(struct job *j, struct bb_txout *out, const struct bb_json *o)
{
	struct vout_keys k = {0};
	struct bb_txout got = *out;

	if (o->type != BB_JSON_OBJECT)
		return bad(j, "vout has a member that is not an object");
	find_vout_keys(&k, o);
	if (!j->given && (!k.scriptpubkey || !k.value))
		return bad(j, "vout lacks scriptpubkey or value");
	if (k.scriptpubkey &&
		!get_hex(j, &got.script, k.scriptpubkey, "vout's scriptpubkey is not hex"))
		return false;
	if (k.value && !bb_json_int(&got.value_sat, k.value, INT64_MIN, INT64_MAX))
		return bad(j, "vout's value is not an amount in satoshi");
	if (j->given &&
		(out->value_sat != got.value_sat || !bb_span_equal(out->script, got.script)))
		return bad(j, "hex and vout do not agree");
	*out = got;
	return true;
}

static bool get_outputs(struct job *j, struct bb_tx *tx, const struct bb_json *array)
{
	struct bb_txout *out = tx->out;

	for (const struct bb_json *v = array->child; v; v = v->next)
		if (!get_output(j, out++, v))
			return false;
	return true;
}

/* The whole. */

struct tx_keys {
	const struct bb_json *hex, *txid, *wtxid, *version, *locktime, *vin, *vout;
	const struct bb_json *prevouts, *prevtxs, *at_height, *at_mtp;
};

static void find_tx_keys(struct tx_keys *k, const struct bb_json *o)
{
	for (const struct bb_json *v = o->child; v; v = v->next) {
		BB_JSON_TAKE(k, v, hex)
		BB_JSON_TAKE(k, v, txid)
		BB_JSON_TAKE(k, v, wtxid)
		BB_JSON_TAKE(k, v, version)
		BB_JSON_TAKE(k, v, locktime)
		BB_JSON_TAKE(k, v, vin)
		BB_JSON_TAKE(k, v, vout)
		BB_JSON_TAKE(k, v, prevouts)
		BB_JSON_TAKE(k, v, prevtxs)
		BB_JSON_TAKE(k, v, at_height)
		BB_JSON_TAKE(k, v, at_mtp)
	}
}

static bool get_bytes(struct job *j, struct bb_tx *tx, const struct bb_json *hex)
{
	struct bb_span bytes;

	if (!get_hex(j, &bytes, hex, "hex is odd or not hex"))
		return false;
	j->given = true;
	return bb_tx_parse(tx, bytes, j->arena) || bad(j, "hex is not a transaction");
}

/* Version and locktime, and room for inputs and outputs. */
static bool get_frame(struct job *j, struct bb_tx *tx, const struct tx_keys *k)
{
	uint32_t version = tx->version, locktime = tx->locktime;

	if (!j->given && (!k->version || !k->locktime || !k->vin || !k->vout))
		return bad(j, "a transaction needs hex, or version, locktime, vin and vout");
	if (k->version &&
		!get_u32(j, &version, k->version, INT32_MIN, "version is not a 32-bit number"))
		return false;
	if (k->locktime &&
		!get_u32(j, &locktime, k->locktime, 0, "locktime is not a 32-bit number"))
		return false;
	if (j->given && (version != tx->version || locktime != tx->locktime))
		return bad(j, "hex and version or locktime do not agree");
	if (k->vin && !get_array(j, k->vin, tx->in_count, "vin is not an array",
			      "hex and vin do not agree"))
		return false;
	if (k->vout && !get_array(j, k->vout, tx->out_count, "vout is not an array",
			       "hex and vout do not agree"))
		return false;
	if (j->given)
		return true;
	*tx = (struct bb_tx){.version = version, .locktime = locktime};
	tx->in_count = k->vin->count;
	tx->out_count = k->vout->count;
	tx->in = bb_arena_array(j->arena, tx->in_count, sizeof(*tx->in));
	tx->out = bb_arena_array(j->arena, tx->out_count, sizeof(*tx->out));
	return (tx->in && tx->out) || bad(j, "out of memory");
}

static bool check_ids(struct job *j, const struct bb_tx *tx, const struct tx_keys *k)
{
	unsigned char stated[32], id[32];

	if (k->txid) {
		if (!get_hash(j, stated, k->txid, "txid is not a hash"))
			return false;
		bb_tx_txid(id, tx);
		if (memcmp(id, stated, 32) != 0)
			return bad(j, "txid does not match");
	}
	if (k->wtxid) {
		if (!get_hash(j, stated, k->wtxid, "wtxid is not a hash"))
			return false;
		bb_tx_wtxid(id, tx);
		if (memcmp(id, stated, 32) != 0)
			return bad(j, "wtxid does not match");
	}
	return true;
}

static bool get_tx(
	struct job *j, struct bb_tx *tx, struct bb_prevout **prevouts, const struct tx_keys *k)
{
	*tx = (struct bb_tx){0};
	if (k->hex && !get_bytes(j, tx, k->hex))
		return false;
	if (!get_frame(j, tx, k))
		return false;
	*prevouts = bb_arena_alloc(j->arena, tx->in_count * sizeof(**prevouts));
	if (!*prevouts)
		return bad(j, "out of memory");
	for (size_t i = 0; i < tx->in_count; i++)
		(*prevouts)[i] = bb_prevout_unknown;
	return (!k->vin || get_inputs(j, tx, *prevouts, k->vin)) &&
	       (!k->vout || get_outputs(j, tx, k->vout)) && check_ids(j, tx, k);
}

static bool apply_prevtxs(struct job *j, struct bb_txline *l, const struct bb_json *prevtxs)
{
	struct bb_spend *spends = bb_arena_array(j->arena, l->tx.in_count, sizeof(*spends));

	if (!spends)
		return bad(j, "out of memory");
	for (size_t i = 0; i < l->tx.in_count; i++)
		spends[i] = (struct bb_spend){&l->tx.in[i].prevout, &l->prevouts[i], false};
	return bb_prevtxs_apply(spends, l->tx.in_count, j->why, j->arena, prevtxs);
}

bool bb_line_is_tx(const struct bb_json *doc)
{
	const struct bb_json *type = bb_json_find(doc, "type");

	if (type)
		return bb_json_is(type, "tx");
	return bb_json_find(doc, "vin") ||
	       (bb_json_find(doc, "hex") && bb_json_find(doc, "prevouts"));
}

bool bb_txline_read(
	struct bb_txline *l, const char **why, struct bb_arena *a, const struct bb_json *doc)
{
	struct job j = {.arena = a, .why = why};
	struct tx_keys k = {0};

	*l = (struct bb_txline){.doc = doc, .at_height = -1, .at_mtp = -1};
	find_tx_keys(&k, doc);
	if (!get_tx(&j, &l->tx, &l->prevouts, &k))
		return false;
	l->vin = k.vin;
	if (k.prevouts && !get_prevouts(&j, l->prevouts, &l->tx, k.prevouts))
		return false;
	if (k.prevtxs && !apply_prevtxs(&j, l, k.prevtxs))
		return false;
	l->all_known = l->tx.in_count > 0;
	for (size_t i = 0; i < l->tx.in_count; i++)
		l->all_known = l->all_known && l->prevouts[i].known;
	return get_optional(&j, &l->at_height, k.at_height, INT32_MAX,
		       "at_height is not a height") &&
	       get_optional(&j, &l->at_mtp, k.at_mtp, UINT32_MAX, "at_mtp is not a time");
}

/* Writing. */

/* A string of which no character needs an escape, made by `put`. */
static void open_text(struct bb_json_writer *w, const char *key)
{
	bb_json_key(w, key);
	bb_put_u8(w->buf, '"');
}

static void close_text(struct bb_json_writer *w)
{
	bb_put_u8(w->buf, '"');
	w->comma = true;
}

static void member_asm(struct bb_json_writer *w, const char *key, struct bb_span script)
{
	open_text(w, key);
	bb_put_asm(w->buf, script);
	close_text(w);
}

static void member_address(
	struct bb_json_writer *w, struct bb_span script, const struct bb_network *n)
{
	const struct bb_json_writer before = *w;
	size_t len = w->buf->len;

	open_text(w, "scriptpubkey_address");
	if (bb_put_address(w->buf, script, n)) {
		close_text(w);
	} else {
		*w = before;
		w->buf->len = len;
	}
}

static void members_output(struct bb_json_writer *w, struct bb_span script, int64_t value_sat,
	const struct bb_network *n)
{
	bb_json_member_hex(w, "scriptpubkey", script);
	member_asm(w, "scriptpubkey_asm", script);
	bb_json_member_str(w, "scriptpubkey_type", bb_script_type_name(bb_script_type(script)));
	member_address(w, script, n);
	bb_json_member_i64(w, "value", value_sat);
}

static void members_claims(struct bb_json_writer *w, const struct bb_prevout *p)
{
	if (p->height >= 0)
		bb_json_member_i64(w, "height", p->height);
	if (p->coinbase >= 0) {
		bb_json_key(w, "coinbase");
		bb_json_bool(w, p->coinbase);
	}
	if (p->mtp >= 0)
		bb_json_member_i64(w, "mtp", p->mtp);
}

void bb_json_prevout(
	struct bb_json_writer *w, const struct bb_prevout *p, const struct bb_network *n)
{
	members_output(w, p->script, p->value_sat, n);
	members_claims(w, p);
}

void bb_json_prevouts(struct bb_json_writer *w, const struct bb_prevout *prevouts, size_t count)
{
	bb_json_key(w, "prevouts");
	bb_json_open(w, '[');
	for (size_t i = 0; i < count; i++) {
		if (!prevouts[i].known) {
			bb_json_null(w);
			continue;
		}
		bb_json_open(w, '{');
		bb_json_member_hex(w, "scriptpubkey", prevouts[i].script);
		bb_json_member_i64(w, "value", prevouts[i].value_sat);
		members_claims(w, &prevouts[i]);
		bb_json_close(w, '}');
	}
	bb_json_close(w, ']');
}

static void member_witness(struct bb_json_writer *w, const struct bb_txin *in)
{
	if (!in->witness_count)
		return;
	bb_json_key(w, "witness");
	bb_json_open(w, '[');
	for (size_t i = 0; i < in->witness_count; i++)
		bb_json_hex(w, in->witness[i]);
	bb_json_close(w, ']');
}

static void put_input(struct bb_json_writer *w, const struct bb_txin *in,
	const struct bb_prevout *p, const struct bb_json *old, const struct bb_network *n)
{
	static const char *const known[] = {"txid", "vout", "prevout", "scriptsig",
		"scriptsig_asm", "witness", "is_coinbase", "sequence", NULL};

	bb_json_open(w, '{');
	bb_json_member_hash(w, "txid", in->prevout.txid);
	bb_json_member_i64(w, "vout", in->prevout.vout);
	bb_json_key(w, "prevout");
	if (p && p->known) {
		bb_json_open(w, '{');
		bb_json_prevout(w, p, n);
		bb_json_close(w, '}');
	} else {
		bb_json_null(w);
	}
	bb_json_member_hex(w, "scriptsig", in->script_sig);
	member_asm(w, "scriptsig_asm", in->script_sig);
	member_witness(w, in);
	bb_json_key(w, "is_coinbase");
	bb_json_bool(w, bb_outpoint_is_null(&in->prevout));
	bb_json_member_i64(w, "sequence", in->sequence);
	if (old)
		bb_json_others(w, old, known);
	bb_json_close(w, '}');
}

/* What the inputs hold over what the outputs pay; a coinbase has none, as Esplora says it. */
static bool fee(int64_t *fee_sat, const struct bb_tx *tx, const struct bb_prevout *prevouts)
{
	bool over = false;

	*fee_sat = 0;
	if (bb_tx_is_coinbase(tx))
		return true;
	if (!prevouts || !tx->in_count)
		return false;
	for (size_t i = 0; i < tx->in_count; i++) {
		if (!prevouts[i].known)
			return false;
		over |= __builtin_add_overflow(*fee_sat, prevouts[i].value_sat, fee_sat);
	}
	for (size_t i = 0; i < tx->out_count; i++)
		over |= __builtin_sub_overflow(*fee_sat, tx->out[i].value_sat, fee_sat);
	return !over;
}

void bb_json_tx(struct bb_json_writer *w, const struct bb_tx *tx,
	const struct bb_prevout *prevouts, const struct bb_json *old,
	const struct bb_network *n)
{
	const struct bb_json *old_in = old ? old->child : NULL;
	unsigned char txid[32];
	int64_t fee_sat;

	bb_tx_txid(txid, tx);
	bb_json_member_hash(w, "txid", txid);
	bb_json_member_i64(w, "version", tx->version);
	bb_json_member_i64(w, "locktime", tx->locktime);
	bb_json_key(w, "vin");
	bb_json_open(w, '[');
	for (size_t i = 0; i < tx->in_count; i++) {
		put_input(w, &tx->in[i], prevouts ? &prevouts[i] : NULL, old_in, n);
		old_in = old_in ? old_in->next : NULL;
	}
	bb_json_close(w, ']');
	bb_json_key(w, "vout");
	bb_json_open(w, '[');
	for (size_t i = 0; i < tx->out_count; i++) {
		bb_json_open(w, '{');
		members_output(w, tx->out[i].script, tx->out[i].value_sat, n);
		bb_json_close(w, '}');
	}
	bb_json_close(w, ']');
	bb_json_member_i64(w, "size", (int64_t)bb_tx_total_size(tx));
	bb_json_member_i64(w, "weight", bb_tx_weight(tx));
	if (fee(&fee_sat, tx, prevouts))
		bb_json_member_i64(w, "fee", fee_sat);
}

/* The same line again, of a transaction that has gained signatures. */

/* Behind which member of an input the witness goes when it had none: Esplora's order. A lean
 * line's input, without scriptsig, has its witness in the hex. */
static const struct bb_json *before_witness(const struct bb_json *o)
{
	const struct bb_json *sig = bb_json_get(o, "scriptsig");
	const struct bb_json *disassembly = bb_json_get(o, "scriptsig_asm");

	if (!sig || bb_json_get(o, "witness"))
		return NULL;
	return disassembly ? disassembly : sig;
}

static void rewrite_input(struct bb_json_writer *w, const struct bb_txin *in,
	const struct bb_json *o, const struct bb_txline_edit *edit, size_t index)
{
	const struct bb_json *before = before_witness(o);

	bb_json_open(w, '{');
	for (const struct bb_json *v = o->child; v; v = v->next) {
		if (edit->replaced && bb_span_is_among(v->key, edit->replaced))
			continue;
		if (bb_span_is(v->key, "scriptsig"))
			bb_json_member_hex(w, "scriptsig", in->script_sig);
		else if (bb_span_is(v->key, "scriptsig_asm"))
			member_asm(w, "scriptsig_asm", in->script_sig);
		else if (bb_span_is(v->key, "witness"))
			member_witness(w, in);
		else
			bb_json_member_raw(w, v);
		if (v == before)
			member_witness(w, in);
	}
	if (edit->vin_extra)
		edit->vin_extra(edit->arg, w, index);
	bb_json_close(w, '}');
}

static void rewrite_inputs(
	struct bb_json_writer *w, const struct bb_txline *l, const struct bb_txline_edit *edit)
{
	const struct bb_json *old = l->vin->child;

	bb_json_key(w, "vin");
	bb_json_open(w, '[');
	for (size_t i = 0; i < l->tx.in_count; i++, old = old->next)
		rewrite_input(w, &l->tx.in[i], old, edit, i);
	bb_json_close(w, ']');
}

static void add_inputs(
	struct bb_json_writer *w, const struct bb_txline *l, const struct bb_txline_edit *edit)
{
	bb_json_key(w, "vin");
	bb_json_open(w, '[');
	for (size_t i = 0; i < l->tx.in_count; i++) {
		bb_json_open(w, '{');
		edit->vin_extra(edit->arg, w, i);
		bb_json_close(w, '}');
	}
	bb_json_close(w, ']');
}

static void member_bytes(struct bb_json_writer *w, const struct bb_tx *tx)
{
	struct bb_buf bytes = {0};

	bb_put_tx(&bytes, tx, true);
	bb_json_member_hex(w, "hex", BB_SPAN(bytes.data, bytes.len));
	w->buf->failed |= bytes.failed;
	bb_buf_free(&bytes);
}

static void rewrite_member(struct bb_json_writer *w, const struct bb_txline *l,
	const struct bb_json *v, const struct bb_txline_edit *edit)
{
	unsigned char id[32];
	int64_t fee_sat;

	if (v->type == BB_JSON_NULL) {
		bb_json_member_raw(w, v);
	} else if (bb_span_is(v->key, "hex")) {
		member_bytes(w, &l->tx);
	} else if (bb_span_is(v->key, "txid")) {
		bb_tx_txid(id, &l->tx);
		bb_json_member_hash(w, "txid", id);
	} else if (bb_span_is(v->key, "wtxid")) {
		bb_tx_wtxid(id, &l->tx);
		bb_json_member_hash(w, "wtxid", id);
	} else if (bb_span_is(v->key, "size")) {
		bb_json_member_i64(w, "size", (int64_t)bb_tx_total_size(&l->tx));
	} else if (bb_span_is(v->key, "weight")) {
		bb_json_member_i64(w, "weight", bb_tx_weight(&l->tx));
	} else if (bb_span_is(v->key, "fee") && fee(&fee_sat, &l->tx, l->prevouts)) {
		bb_json_member_i64(w, "fee", fee_sat);
	} else if (v == l->vin) {
		rewrite_inputs(w, l, edit);
	} else if (!bb_span_is(v->key, "checked") && !bb_span_is(v->key, "vin")) {
		bb_json_member_raw(w, v);
	}
}

void bb_txline_write(struct bb_buf *out, const struct bb_txline *l,
	const struct bb_txline_edit *edit, const struct bb_network *n)
{
	static const struct bb_txline_edit none;
	struct bb_json_writer w = {.buf = out};

	(void)n;
	edit = edit ? edit : &none;
	bb_json_open(&w, '{');
	for (const struct bb_json *v = l->doc->child; v; v = v->next)
		rewrite_member(&w, l, v, edit);
	if (!l->vin && edit->vin_extra && edit->need_vin)
		add_inputs(&w, l, edit);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}
