#include "arrivaltx.h"

#include <string.h>

#include "base/hex.h"
#include "bitcoin/txline.h"
#include "chain.h"

static bool bad(const char **why, const char *reason)
{
	*why = reason;
	return false;
}

static bool is_package(const struct bb_json *doc)
{
	return bb_json_is(bb_json_find(doc, "type"), "package");
}

bool arrivaltx_is(const struct bb_json *doc)
{
	return bb_line_is_tx(doc) || is_package(doc);
}

/* What of a line is looked at here. */
struct keys {
	const struct bb_json *hex, *version, *locktime, *vin, *vout;
	const struct bb_json *txid, *wtxid, *id, *checked;
};

static void find_keys(struct keys *k, const struct bb_json *doc)
{
	for (const struct bb_json *v = doc->child; v; v = v->next) {
		BB_JSON_TAKE(k, v, hex)
		BB_JSON_TAKE(k, v, version)
		BB_JSON_TAKE(k, v, locktime)
		BB_JSON_TAKE(k, v, vin)
		BB_JSON_TAKE(k, v, vout)
		BB_JSON_TAKE(k, v, txid)
		BB_JSON_TAKE(k, v, wtxid)
		BB_JSON_TAKE(k, v, id)
		BB_JSON_TAKE(k, v, checked)
	}
}

/* The bytes, from hex, fields, or both, which must then agree. The ledger knows for itself what
 * is spent. */
static bool get_bytes(struct bb_span *bytes, const char **why, struct bb_arena *a,
	const struct bb_json *doc, const struct keys *k)
{
	static const char *const claims[] = {
		"prevouts", "prevtxs", "at_height", "at_mtp", "txid", "wtxid", NULL};
	struct bb_json bare;
	struct bb_txline l;

	if (k->hex && !k->version && !k->locktime && !k->vin && !k->vout)
		return (k->hex->type == BB_JSON_STRING &&
			       bb_hex_span(bytes, k->hex->text, a)) ||
		       bad(why, "hex is odd or not hex");
	if (!bb_json_without(&bare, a, doc, claims))
		return bad(why, "out of memory");
	if (!bb_txline_read(&l, why, a, &bare))
		return false;
	*bytes = chain_tx_bytes(a, &l.tx);
	return bytes->data || bad(why, "out of memory");
}

static bool check_id(const unsigned char id[32], const char **why, const struct bb_json *v,
	const char *no_hash, const char *another)
{
	unsigned char stated[32];

	if (!v)
		return true;
	if (v->type != BB_JSON_STRING || !bb_hash_decode(stated, v->text))
		return bad(why, no_hash);
	return memcmp(stated, id, 32) == 0 || bad(why, another);
}

static bool check_ids(const struct bb_incoming_tx *in, const char **why, const struct keys *k)
{
	return check_id(in->txid, why, k->txid, "txid is not a hash", "txid does not match") &&
	       check_id(in->wtxid, why, k->wtxid, "wtxid is not a hash",
		       "wtxid does not match") &&
	       check_id(in->txid, why, k->id, "id is not a hash", "id does not match");
}

/* What bb-validate --mark found, if it speaks of this transaction and blocks may hold it. */
static bool read_mark(struct bb_incoming_tx *in, const char **why, struct bb_arena *a,
	const struct bb_json *mark)
{
	const struct bb_json *wtxid = bb_json_find(mark, "wtxid");
	const struct bb_json *prevouts = bb_json_find(mark, "prevouts");
	const struct bb_json *standard = bb_json_find(mark, "standard");
	const char *other;
	char *reason;

	if (!wtxid || !check_id(in->wtxid, &other, wtxid, "", "") ||
		!bb_json_is(bb_json_find(mark, "consensus"), "OK") || !standard ||
		standard->type != BB_JSON_STRING || !prevouts ||
		prevouts->type != BB_JSON_STRING || prevouts->text.len != 64 ||
		!bb_hex_decode(in->mark_prevouts, prevouts->text.data, 32))
		return true;
	if (!bb_json_is(standard, "OK")) {
		if (!(reason = bb_arena_array(a, standard->text.len + 1, 1)))
			return bad(why, "out of memory");
		memcpy(reason, standard->text.data, standard->text.len);
		in->mark_standard = reason;
	}
	in->marked = true;
	return true;
}

static bool read_tx(struct bb_incoming_tx *in, const char **why, struct bb_arena *a,
	const struct bb_json *doc, bool marks)
{
	struct bb_span bytes;
	struct keys k = {0};

	find_keys(&k, doc);
	if (!get_bytes(&bytes, why, a, doc, &k))
		return false;
	if (!bb_incoming_tx_parse(in, a, bytes))
		return bad(why, "hex is not a transaction");
	return check_ids(in, why, &k) && (!marks || read_mark(in, why, a, k.checked));
}

/* A member of a package: the line of a transaction, but that hex alone is enough. Its mark
 * counts for nothing: bb-validate judges whole lines, and has passed this one on as it came. */
static bool read_member(struct bb_incoming_tx *in, const char **why, struct bb_arena *a,
	const struct bb_json *v)
{
	const struct bb_json *type;

	if (v->type != BB_JSON_OBJECT)
		return bad(why, "txs has a member that is not an object");
	type = bb_json_find(v, "type");
	if (type && !bb_json_is(type, "tx"))
		return bad(why, "txs has a member that is not a transaction");
	return read_tx(in, why, a, v, false);
}

static bool read_package(
	struct arrivaltx *out, const char **why, struct bb_arena *a, const struct bb_json *doc)
{
	const struct bb_json *txs = bb_json_find(doc, "txs");
	struct bb_incoming_tx *in;

	if (!txs || txs->type != BB_JSON_ARRAY)
		return bad(why, "txs is not an array");
	if (!txs->count)
		return bad(why, "txs is empty");
	if (!(in = bb_arena_array(a, txs->count, sizeof(*in))))
		return bad(why, "out of memory");
	*out = (struct arrivaltx){.tx = in, .count = txs->count, .package = true};
	for (const struct bb_json *v = txs->child; v; v = v->next)
		if (!read_member(in++, why, a, v))
			return false;
	return true;
}

bool arrivaltx_read(struct arrivaltx *out, const char **why, struct bb_arena *a,
	const struct bb_json *doc, bool marks)
{
	struct bb_incoming_tx *in;

	if (is_package(doc))
		return read_package(out, why, a, doc);
	if (!(in = bb_arena_array(a, 1, sizeof(*in))))
		return bad(why, "out of memory");
	*out = (struct arrivaltx){.tx = in, .count = 1};
	return read_tx(in, why, a, doc, marks);
}
