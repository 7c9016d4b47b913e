#include "wallet/utxo.h"

#include <string.h>

#include "base/hex.h"
#include "bitcoin/txline.h"

/* The hex of the script of the line's address. */
static bool script_of_address(struct bb_span *hex, const char **why, struct bb_arena *a,
	const struct bb_json *line, const struct bb_network *n)
{
	const struct bb_json *address = bb_json_find(line, "scriptpubkey_address");
	struct bb_buf script = {0}, text = {0};
	bool ok = false;

	*why = "scriptpubkey is missing";
	if (!address || address->type != BB_JSON_STRING)
		return false;
	if (bb_address_script(&script, why, address->text, n)) {
		*why = "out of memory";
		bb_put_hex(&text, script.data, script.len);
		*hex = bb_arena_copy(a, BB_SPAN(text.data, text.len));
		ok = !script.failed && !text.failed && hex->data;
	}
	bb_buf_free(&script);
	bb_buf_free(&text);
	return ok;
}

/* The coin as a prevout, by way of an object with what such a one has: the script may come
 * from an address, and -1 is no height. */
static bool read_prevout(struct bb_prevout *p, const char **why, struct bb_arena *a,
	const struct bb_json *line, const struct bb_network *n)
{
	static const char *const names[] = {
		"scriptpubkey", "value", "height", "coinbase", "mtp"};
	static const char about[] = "prevout's "; /* which this is not, for the caller */
	struct bb_json member[6] = {{.type = BB_JSON_STRING, .key = BB_LIT("scriptpubkey")}};
	struct bb_json object = {.type = BB_JSON_OBJECT};
	size_t count = bb_json_find(line, "scriptpubkey") ? 0 : 1;
	int64_t none;

	if (count && !script_of_address(&member[0].text, why, a, line, n))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct bb_json *v = bb_json_find(line, names[i]);
		if (v && !(strcmp(names[i], "height") == 0 && bb_json_int(&none, v, -1, -1)))
			member[count++] = *v;
	}
	for (size_t i = 0; i < count; i++)
		member[i].next = i + 1 < count ? &member[i + 1] : NULL;
	object.child = member;
	object.count = count;
	*why = "value is missing";
	if (!bb_json_find(line, "value"))
		return false;
	if (!bb_prevout_from_json(p, why, a, &object)) {
		if (strncmp(*why, about, strlen(about)) == 0)
			*why += strlen(about);
		return false;
	}
	*why = "value is more than all money there can be";
	return bb_money_range(p->value_sat);
}

/* The line's fields for the signers, but no signatures: those were made for another
 * transaction. */
static bool keep_fields(struct bb_span *out, struct bb_arena *keep, const struct bb_json *line)
{
	static const char *const names[] = {"redeemscript", "witnessscript", "sighash_type",
		"bip32_derivation", "tap_leaf_script", "tap_internal_key", "tap_merkle_root",
		"tap_bip32_derivation", NULL};
	struct bb_buf text = {0};
	struct bb_json_writer w = {.buf = &text};
	bool ok;

	bb_json_open(&w, '{');
	for (const char *const *name = names; *name; name++) {
		const struct bb_json *v = bb_json_find(line, *name);
		if (!v)
			continue;
		bb_json_key(&w, *name);
		bb_json_raw(&w, v->raw);
	}
	bb_json_close(&w, '}');
	*out = bb_arena_copy(keep, BB_SPAN(text.data, text.len));
	ok = !text.failed && out->data;
	bb_buf_free(&text);
	return ok;
}

/* The key that a p2pkh coin is for, as a hint: a long one makes a larger input. */
static bool read_pubkey(
	struct bb_partial *hints, struct bb_arena *a, const struct bb_json *line)
{
	const struct bb_json *v = bb_json_find(line, "pubkey");
	struct bb_span pubkey;

	return !v || (v->type == BB_JSON_STRING && bb_hex_span(&pubkey, v->text, a) &&
			     bb_pairs_set(&hints->derivations, a, pubkey, BB_SPAN(NULL, 0)));
}

/* Height and confirmation, from the coin's own keys or Esplora's status. */
static void read_status(struct bb_utxo *u, const struct bb_json *line)
{
	const struct bb_json *status = bb_json_find(line, "status");
	const struct bb_json *confirmed = bb_json_find(status, "confirmed");
	int64_t height;

	if (u->prevout.height < 0 &&
		bb_json_int(&height, bb_json_find(status, "block_height"), 0, INT32_MAX))
		u->prevout.height = height;
	if (confirmed && confirmed->type == BB_JSON_BOOL && !confirmed->truth)
		u->prevout.height = -1;
	u->confirmed = u->prevout.height >= 0 || (confirmed && confirmed->truth);
}

bool bb_utxo_read(struct bb_utxo *u, const char **why, struct bb_arena *keep,
	struct bb_arena *work, const struct bb_json *line, const struct bb_network *n)
{
	const struct bb_json *txid = bb_json_find(line, "txid");
	const struct bb_json *type = bb_json_find(line, "type");
	struct bb_partial hints;
	int64_t vout;

	*u = (struct bb_utxo){0};
	*why = "not a utxo";
	if ((type && !bb_json_is(type, "utxo")) || !txid || txid->type != BB_JSON_STRING)
		return false;
	*why = "malformed txid";
	if (!bb_hash_decode(u->outpoint.txid, txid->text))
		return false;
	*why = "malformed vout";
	if (!bb_json_int(&vout, bb_json_find(line, "vout"), 0, UINT32_MAX - 1))
		return false;
	u->outpoint.vout = (uint32_t)vout;
	if (!read_prevout(&u->prevout, why, work, line, n) ||
		!bb_partial_read(&hints, why, work, line))
		return false;
	*why = "malformed pubkey";
	if (!read_pubkey(&hints, work, line) ||
		!bb_input_size(&u->size, why, u->prevout.script, &hints))
		return false;
	read_status(u, line);
	*why = "out of memory";
	u->prevout.script = bb_arena_copy(keep, u->prevout.script);
	return u->prevout.script.data && keep_fields(&u->fields, keep, line);
}

bool bb_utxo_is_mature(const struct bb_utxo *u, int64_t tip, const struct bb_network *n)
{
	const struct bb_prevout *p = &u->prevout;

	if (p->coinbase != 1)
		return true;
	return p->height >= 0 && tip + 1 - p->height >= n->coinbase_maturity;
}
