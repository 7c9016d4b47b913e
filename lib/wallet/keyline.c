#include "wallet/keyline.h"

#include <string.h>

#include "base/hex.h"
#include "bitcoin/address.h"

void bb_keyline_free(struct bb_keyline *l)
{
	bb_buf_wipe(&l->line);
	bb_buf_wipe(&l->secret);
	bb_buf_wipe(&l->script);
	bb_buf_wipe(&l->text);
}

static struct bb_span span(const struct bb_buf *b)
{
	return BB_SPAN(b->data, b->len);
}

/* Types. */

/* BIP 44, 49, 84, 86: the first step names the type. */
static bool type_of_purpose(enum bb_address_type *out, uint32_t purpose)
{
	for (int t = 0; t < BB_ADDRESS_TYPES; t++) {
		if (bb_address_type_purpose((enum bb_address_type)t) != purpose)
			continue;
		*out = (enum bb_address_type)t;
		return true;
	}
	return false;
}

static bool type_of_path(enum bb_address_type *out, const struct bb_path *path)
{
	return path && path->count && (path->step[0] & BB_HARDENED) &&
	       type_of_purpose(out, path->step[0] & ~BB_HARDENED);
}

/* The type whose address of the key is this script. */
static bool type_of_script(
	enum bb_address_type *out, struct bb_span script, struct bb_span pubkey)
{
	struct bb_buf own = {0};
	bool found = false;

	for (int t = 0; !found && t < BB_ADDRESS_TYPES; t++) {
		own.len = 0;
		found = bb_put_key_script(&own, (enum bb_address_type)t, pubkey) &&
			!own.failed && bb_span_equal(span(&own), script);
		*out = (enum bb_address_type)t;
	}
	bb_buf_free(&own);
	return found;
}

/* *known says whether the key line's address tells the type. */
static bool type_of_line(enum bb_address_type *out, bool *known, const char **why,
	const struct bb_keyline *l, const struct bb_key *k)
{
	const struct bb_json *address = k->line ? bb_json_find(k->line, "address") : NULL;
	struct bb_buf script = {0};

	*known = false;
	if (!address || !k->pubkey_len)
		return true;
	*why = "malformed key line: address";
	if (address->type == BB_JSON_STRING &&
		bb_address_script(&script, why, address->text, l->network)) {
		*why = "address does not belong to the key";
		*known = !script.failed &&
			 type_of_script(out, span(&script), BB_SPAN(k->pubkey, k->pubkey_len));
	}
	bb_buf_free(&script);
	return *known;
}

bool bb_key_type(enum bb_address_type *out, const char **why, const struct bb_keyline *l,
	const struct bb_key *k, const struct bb_path *path)
{
	const bool uncompressed = !k->secret.extended && !k->secret.compressed;
	bool known;

	if (!type_of_line(out, &known, why, l, k))
		return false;
	if (l->type_given)
		*out = l->type;
	else if (uncompressed)
		*out = BB_TYPE_P2PKH;
	else if (!type_of_path(out, path) && !known &&
		 !type_of_path(out, k->has_path ? &k->path : &k->secret.origin) &&
		 !type_of_purpose(out, k->purpose))
		*out = BB_TYPE_P2WPKH;
	*why = "an uncompressed key has a p2pkh address only";
	return !uncompressed || *out == BB_TYPE_P2PKH;
}

/* Lines. */

/* {"type":"key","address":...,"pubkey":...,"path":...,"fingerprint":...; path may be NULL. */
static bool begin(struct bb_keyline *l, struct bb_json_writer *w, const char **why,
	enum bb_address_type type, struct bb_span pubkey, const struct bb_path *path,
	const unsigned char *fingerprint)
{
	l->line.len = l->script.len = l->text.len = l->secret.len = 0;
	l->secret_name = NULL;
	*w = (struct bb_json_writer){.buf = &l->line};
	*why = "key has no address of this type";
	/* Room for all that may hold a secret, which growing would copy about. */
	if (!bb_buf_room(&l->secret, BB_SECRET_TEXT) ||
		!bb_buf_room(&l->text, BB_SECRET_TEXT) ||
		!bb_buf_room(&l->line, 4 * BB_SECRET_TEXT) ||
		!bb_put_key_script(&l->script, type, pubkey) ||
		!bb_put_address(&l->text, span(&l->script), l->network))
		return false;
	bb_json_open(w, '{');
	bb_json_key(w, "type");
	bb_json_str(w, "key");
	bb_json_key(w, "address");
	bb_json_text(w, span(&l->text));
	bb_json_key(w, "pubkey");
	bb_json_hex(w, pubkey);
	if (!path)
		return true;
	l->text.len = 0;
	bb_put_path(&l->text, path->step, path->count);
	bb_json_key(w, "path");
	bb_json_text(w, span(&l->text));
	bb_json_key(w, "fingerprint");
	bb_json_hex(w, BB_SPAN(fingerprint, 4));
	return true;
}

static bool end(struct bb_keyline *l, const char **why)
{
	*why = "out of memory";
	return !l->line.failed && !l->secret.failed && !l->script.failed && !l->text.failed;
}

/* Its key text is l->text. */
static void put_descriptor(
	struct bb_keyline *l, struct bb_json_writer *w, const struct bb_descriptor *d)
{
	/* The secret's place is free until the line is done. */
	l->secret.len = 0;
	bb_put_descriptor(&l->secret, d);
	bb_json_key(w, "descriptor");
	bb_json_text(w, span(&l->secret));
	bb_wipe(l->secret.data, l->secret.len);
	l->secret.len = 0;
}

static void put_xkey_text(struct bb_keyline *l, const struct bb_xkey *x, bool secret)
{
	struct bb_xkey k = *x;

	if (!secret)
		bb_xkey_neuter(&k);
	l->text.len = 0;
	bb_xkey_encode(&l->text, &k, k.is_private ? l->network->xprv : l->network->xpub);
	bb_wipe(&k, sizeof(k));
}

static void put_xpub(struct bb_keyline *l, struct bb_json_writer *w, const struct bb_xkey *x)
{
	put_xkey_text(l, x, false);
	bb_json_key(w, "xpub");
	bb_json_text(w, span(&l->text));
}

static void put_single_text(struct bb_keyline *l, const unsigned char *key32, bool compressed,
	struct bb_span pubkey)
{
	l->text.len = 0;
	if (key32 && l->secret_descriptor)
		bb_put_wif(&l->text, key32, compressed, l->network);
	else
		bb_put_hex(&l->text, pubkey.data, pubkey.len);
}

bool bb_keyline_single(struct bb_keyline *l, const char **why, const struct bb_key *k,
	enum bb_address_type type)
{
	const struct bb_span pubkey = BB_SPAN(k->pubkey, k->pubkey_len);
	const struct bb_secret *s = &k->secret;
	struct bb_descriptor d = {.type = type};
	struct bb_json_writer w;

	if (!begin(l, &w, why, type, pubkey, k->has_path ? &k->path : NULL, s->fingerprint))
		return false;
	if (l->descriptor) {
		put_single_text(l, s->key32, s->compressed, pubkey);
		d.key = span(&l->text);
		if (k->has_path) {
			d.fingerprint = s->fingerprint;
			d.origin = k->path.step;
			d.origin_count = k->path.count;
		}
		put_descriptor(l, &w, &d);
	}
	l->secret_name = bb_key_form_name(BB_KEY_WIF);
	bb_put_wif(&l->secret, s->key32, s->compressed, l->network);
	return end(l, why);
}

/* The descriptor of all keys of an account's chain: the path's steps between the account and
 * the last, or else the receive chain. */
static void put_ranged(struct bb_keyline *l, struct bb_json_writer *w,
	enum bb_address_type type, const struct bb_key *k, const struct bb_xkey *account,
	size_t account_depth, const struct bb_path *path)
{
	static const uint32_t receive[1] = {0};
	const bool below = path->count > account_depth;
	struct bb_descriptor d = {.type = type,
		.origin = path->step,
		.origin_count = account_depth,
		.fingerprint = account_depth ? k->secret.fingerprint : NULL,
		.step = below ? path->step + account_depth : receive,
		.step_count = below ? path->count - account_depth - 1 : 1,
		.ranged = true};

	put_xkey_text(l, account, l->secret_descriptor);
	d.key = span(&l->text);
	put_descriptor(l, w, &d);
}

/* The path of the wallet's account: BIP 44's, or the one the key line is of. */
static bool account_path(struct bb_path *out, const char **why, const struct bb_keyline *l,
	const struct bb_key *k, enum bb_address_type type)
{
	const struct bb_secret *s = &k->secret;
	const bool master = s->xkey.is_private && s->xkey.depth == 0;

	if (k->has_path && !l->type_given && !l->account_given) {
		*out = k->path;
		while (out->count > s->origin.count &&
			!(out->step[out->count - 1] & BB_HARDENED))
			out->count--;
		if (out->count > s->origin.count)
			return true;
	}
	*out = s->origin;
	if (master) {
		out->step[0] = bb_address_type_purpose(type) | BB_HARDENED;
		out->step[1] = l->network->coin_type | BB_HARDENED;
		out->step[2] = l->account | BB_HARDENED;
		out->count = 3;
	}
	*why = "only a secret master key has accounts to choose from";
	return master || !l->account_given;
}

bool bb_keyline_wallet(struct bb_keyline *l, const char **why, const struct bb_key *k,
	enum bb_address_type type, enum bb_chain chain)
{
	struct bb_xkey leaf, account;
	struct bb_json_writer w;
	struct bb_path path;
	size_t account_depth;
	bool ok = false;

	if (!account_path(&path, why, l, k, type))
		return false;
	if (chain == BB_CHAIN_OWN && k->has_path && !l->type_given && !l->account_given) {
		path = k->path;
	} else {
		*why = "path has too many steps";
		if (path.count > BB_PATH_MAX - 2)
			return false;
		path.step[path.count++] = chain == BB_CHAIN_CHANGE;
		path.step[path.count++] = 0;
	}
	if (bb_secret_derive(&leaf, &account, &account_depth, why, &k->secret, l->curve,
		    path.step, path.count) &&
		begin(l, &w, why, type, BB_SPAN(leaf.pubkey33, 33), &path,
			k->secret.fingerprint)) {
		put_xpub(l, &w, &account);
		put_ranged(l, &w, type, k, &account, account_depth, &path);
		if (k->form != BB_KEY_XPUB) {
			l->secret_name = bb_key_form_name(k->form);
			bb_put_key_text(&l->secret, k, l->network);
		}
		ok = end(l, why);
	}
	bb_wipe(&leaf, sizeof(leaf));
	bb_wipe(&account, sizeof(account));
	return ok;
}

bool bb_keyline_own(struct bb_keyline *l, const char **why, const struct bb_key *k)
{
	enum bb_address_type type;

	if (!bb_key_type(&type, why, l, k, NULL))
		return false;
	return k->secret.extended ? bb_keyline_wallet(l, why, k, type, BB_CHAIN_OWN)
				  : bb_keyline_single(l, why, k, type);
}

/* Other lines of the same key. */

void bb_keyline_others(struct bb_keyline *l, const struct bb_json *line)
{
	static const char *const known[] = {"type", "address", "pubkey", "path", "fingerprint",
		"xpub", "descriptor", "wif", "xprv", "mnemonic", "kdf", "salt", "cipher",
		"nonce", "data", NULL};
	struct bb_json_writer w = {.buf = &l->line, .comma = true};

	bb_json_others(&w, line, known);
}

void bb_keyline_sealed(struct bb_keyline *l, const struct bb_json *line)
{
	static const char *const secret[] = {
		"wif", "xprv", "mnemonic", "kdf", "salt", "cipher", "nonce", "data", NULL};
	struct bb_json_writer w = {.buf = &l->line};

	l->line.len = 0;
	l->secret_name = NULL;
	bb_json_open(&w, '{');
	bb_json_others(&w, line, secret);
}

/* Ranges. */

/* The path from the master, of one from the master or from the key. */
static bool whole_path(
	struct bb_path *out, const char **why, const struct bb_secret *s, struct bb_span text)
{
	const size_t known = s->origin.count;

	if (!bb_path_parse(out, why, text))
		return false;
	if (!known || (text.len && text.data[0] == 'm'))
		return true;
	*why = "path has too many steps";
	if (out->count + known > BB_PATH_MAX)
		return false;
	memmove(out->step + known, out->step, out->count * sizeof(*out->step));
	memcpy(out->step, s->origin.step, known * sizeof(*out->step));
	if (!out->count)
		out->last = s->origin.last;
	out->count += known;
	return true;
}

bool bb_key_range_begin(struct bb_key_range *r, const char **why, const struct bb_keyline *l,
	const struct bb_key *k, struct bb_span path)
{
	*r = (struct bb_key_range){.key = k};
	*why = "a single key has no paths below it";
	if (!k->secret.extended || !whole_path(&r->path, why, &k->secret, path) ||
		!bb_key_type(&r->type, why, l, k, &r->path))
		return false;
	r->at_key = r->path.count <= k->secret.origin.count;
	*why = "a hardened step needs the secret key, and an xpub has none";
	if (!r->at_key && (r->path.last & BB_HARDENED) && !k->secret.xkey.is_private)
		return false;
	*why = "path does not lead through the key";
	if (r->at_key && r->path.count && r->path.last != r->path.step[r->path.count - 1])
		return false;
	return bb_secret_derive(&r->parent, NULL, NULL, why, &k->secret, l->curve, r->path.step,
		r->path.count - !r->at_key);
}

/* Members of the derived key itself. A hardened one is an account: it has its xpub and
 * the descriptor of its receive chain. */
static void put_derived(struct bb_keyline *l, struct bb_json_writer *w,
	const struct bb_key_range *r, const struct bb_xkey *x)
{
	const struct bb_path *path = &r->path;
	const struct bb_span pubkey = BB_SPAN(x->pubkey33, 33);
	const bool account = r->at_key || (x->index & BB_HARDENED);
	struct bb_descriptor d = {.type = r->type,
		.fingerprint = r->key->secret.fingerprint,
		.origin = path->step,
		.origin_count = path->count};

	if (account || l->xpub)
		put_xpub(l, w, x);
	if (account) {
		put_ranged(l, w, r->type, r->key, x, path->count, path);
	} else if (l->descriptor) {
		put_single_text(l, x->is_private ? x->key32 : NULL, true, pubkey);
		d.key = span(&l->text);
		put_descriptor(l, w, &d);
	}
	if (!x->is_private)
		return;
	l->secret_name = bb_key_form_name(account ? BB_KEY_XPRV : BB_KEY_WIF);
	if (account)
		bb_xkey_encode(&l->secret, x, l->network->xprv);
	else
		bb_put_wif(&l->secret, x->key32, true, l->network);
}

bool bb_key_range_next(struct bb_keyline *l, const char **why, struct bb_key_range *r)
{
	uint32_t *index = r->path.count ? &r->path.step[r->path.count - 1] : NULL;
	struct bb_xkey x = r->parent;
	struct bb_json_writer w;
	bool ok = false;

	*why = NULL;
	if (r->done)
		return false;
	*why = "path leads to no key";
	if ((r->at_key || bb_xkey_child(&x, l->curve, &r->parent, *index)) &&
		begin(l, &w, why, r->type, BB_SPAN(x.pubkey33, 33), &r->path,
			r->key->secret.fingerprint)) {
		put_derived(l, &w, r, &x);
		ok = end(l, why);
	}
	r->done = r->at_key || *index == r->path.last;
	if (!r->done)
		++*index;
	bb_wipe(&x, sizeof(x));
	return ok;
}
