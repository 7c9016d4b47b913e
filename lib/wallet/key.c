#include "wallet/key.h"

#include <string.h>

#include "base/hex.h"
#include "bitcoin/address.h"
#include "crypto/base58.h"
#include "crypto/bip39.h"

const char *bb_key_form_name(enum bb_key_form form)
{
	static const char *const name[] = {"wif", "xprv", "mnemonic", "xpub"};

	return name[form];
}

void bb_put_key_text(struct bb_buf *out, const struct bb_key *k, const struct bb_network *n)
{
	if (k->form == BB_KEY_WIF)
		bb_put_wif(out, k->secret.key32, k->secret.compressed, n);
	else if (k->form == BB_KEY_MNEMONIC)
		bb_put_str(out, k->words);
	else
		bb_xkey_encode(
			out, &k->secret.xkey, k->secret.xkey.is_private ? n->xprv : n->xpub);
}

/* BIP 32's version bytes and SLIP 132's, on networks with Bitcoin's. */
static bool version_known(uint32_t *purpose, uint32_t version, const struct bb_network *n)
{
	static const struct {
		uint32_t net, version, purpose; /* net: the xpub of the networks it is for */
	} slip132[] = {
		{0x0488b21e, 0x049d7cb2, 49}, /* ypub */
		{0x0488b21e, 0x049d7878, 49}, /* yprv */
		{0x0488b21e, 0x04b24746, 84}, /* zpub */
		{0x0488b21e, 0x04b2430c, 84}, /* zprv */
		{0x043587cf, 0x044a5262, 49}, /* upub */
		{0x043587cf, 0x044a4e28, 49}, /* uprv */
		{0x043587cf, 0x045f1cf6, 84}, /* vpub */
		{0x043587cf, 0x045f18bc, 84}, /* vprv */
	};

	*purpose = 0;
	if (version == n->xpub || version == n->xprv)
		return true;
	for (size_t i = 0; i < sizeof(slip132) / sizeof(*slip132); i++) {
		if (slip132[i].net != n->xpub || slip132[i].version != version)
			continue;
		*purpose = slip132[i].purpose;
		return true;
	}
	return false;
}

static void set_extended(struct bb_key *out)
{
	out->secret.extended = true;
	out->secret.origin.count = out->secret.stated = 0;
	bb_xkey_fingerprint(out->secret.fingerprint, &out->secret.xkey);
}

/* A WIF or an extended key. */
static bool read_base58(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span text)
{
	struct bb_secret *s = &out->secret;
	unsigned char payload[80];
	uint32_t version;
	size_t len;
	bool known, same;

	if (bb_wif_decode(s->key32, &s->compressed, text, r->network)) {
		out->form = BB_KEY_WIF;
		out->pubkey_len = bb_key_pubkey(out->pubkey, r->curve, s->key32, s->compressed);
		*why = "not a key";
		return out->pubkey_len != 0;
	}
	known = bb_base58check_decode(payload, &len, sizeof(payload), text);
	same = known && payload[0] == r->network->base58_secret;
	bb_wipe(payload, sizeof(payload));
	*why = "not a key: neither WIF, extended key nor mnemonic";
	if (!known || (len != BB_BIP32_SIZE && len != 33 && len != 34))
		return false;
	*why = same ? "malformed WIF" : "key is of another network";
	if (len != BB_BIP32_SIZE)
		return false;
	*why = "malformed extended key";
	if (!bb_xkey_decode(&s->xkey, &version, r->curve, text))
		return false;
	*why = "key is of another network";
	if (!version_known(&out->purpose, version, r->network))
		return false;
	out->form = s->xkey.is_private ? BB_KEY_XPRV : BB_KEY_XPUB;
	set_extended(out);
	return true;
}

static bool read_mnemonic(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span text)
{
	struct bb_buf words = {0};
	unsigned char entropy[32], seed[64];
	size_t len;
	bool ok = false;

	if (!bb_mnemonic_decode(entropy, &len, why, text))
		goto out;
	*why = "out of memory";
	if (!bb_buf_room(&words, BB_SECRET_TEXT) ||
		!bb_mnemonic_encode(&words, BB_SPAN(entropy, len)) ||
		words.len >= sizeof(out->words))
		goto out;
	memcpy(out->words, words.data, words.len);
	out->words[words.len] = '\0';
	*why = "mnemonic or its passphrase gives no seed (is it UTF-8?)";
	if (!bb_mnemonic_seed(seed, BB_SPAN(words.data, words.len), r->mnemonic_passphrase) ||
		!bb_xkey_master(&out->secret.xkey, r->curve, BB_SPAN(seed, 64)))
		goto out;
	out->form = BB_KEY_MNEMONIC;
	set_extended(out);
	ok = true;
out:
	bb_wipe(entropy, sizeof(entropy));
	bb_wipe(seed, sizeof(seed));
	bb_buf_wipe(&words);
	return ok;
}

/* Do the first steps of the path lead from the master to this key, as far as it tells? */
static bool leads_to(
	const struct bb_path *path, const unsigned char fingerprint[4], const struct bb_xkey *x)
{
	return x->depth && path->count >= x->depth && path->step[x->depth - 1] == x->index &&
	       (x->depth > 1 || memcmp(fingerprint, x->parent, 4) == 0);
}

static void set_origin(struct bb_secret *s, const unsigned char fingerprint[4],
	const struct bb_path *path, size_t count)
{
	memcpy(s->fingerprint, fingerprint, 4);
	s->origin = *path;
	s->origin.count = count;
	s->origin.last = count ? path->step[count - 1] : 0;
	s->stated = count;
}

static bool path_of(struct bb_path *out, struct bb_span text)
{
	const char *why;

	return bb_path_parse(out, &why, text) &&
	       (!out->count || out->last == out->step[out->count - 1]);
}

/* "[d34db33f/84h/1h/0h]xpub..." (BIP 380). */
static bool read_with_origin(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span text)
{
	const unsigned char *end = memchr(text.data, ']', text.len);
	unsigned char fingerprint[4];
	struct bb_path path = {0};
	size_t len;

	*why = "malformed key origin";
	if (!end || (len = (size_t)(end - text.data)) < 9 || (len > 9 && text.data[9] != '/') ||
		!bb_hex_decode(fingerprint, text.data + 1, 4))
		return false;
	if (len > 9 && !path_of(&path, BB_SPAN(text.data + 10, len - 10)))
		return false;
	if (!read_base58(out, why, r, BB_SPAN(end + 1, text.len - len - 1)))
		return false;
	*why = "key origin does not belong to the key";
	if (!out->secret.extended || path.count != out->secret.xkey.depth)
		return false;
	if (!path.count)
		return memcmp(fingerprint, out->secret.fingerprint, 4) == 0;
	if (!leads_to(&path, fingerprint, &out->secret.xkey))
		return false;
	set_origin(&out->secret, fingerprint, &path, path.count);
	return true;
}

static bool read_text(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span text)
{
	*why = "not a key";
	if (!text.len)
		return false;
	if (text.data[0] == '[')
		return read_with_origin(out, why, r, text);
	if (memchr(text.data, ' ', text.len) || memchr(text.data, '\t', text.len))
		return read_mnemonic(out, why, r, text);
	return read_base58(out, why, r, text);
}

bool bb_secret_derive(struct bb_xkey *out, struct bb_xkey *account, size_t *account_depth,
	const char **why, const struct bb_secret *s, const struct bb_curve *c,
	const uint32_t *step, size_t count)
{
	const size_t known = s->origin.count;
	struct bb_xkey next;
	bool ok = false;

	*why = "path does not lead through the key";
	if (count < known ||
		(known && memcmp(step, s->origin.step, known * sizeof(*step)) != 0))
		return false;
	*out = s->xkey;
	if (account)
		*account = *out;
	if (account_depth)
		*account_depth = known;
	for (size_t i = known; i < count; i++) {
		*why = "a hardened step needs the secret key, and an xpub has none";
		if ((step[i] & BB_HARDENED) && !out->is_private)
			goto out;
		*why = "path leads to no key";
		if (!bb_xkey_child(&next, c, out, step[i]))
			goto out;
		*out = next;
		if (account && (step[i] & BB_HARDENED))
			*account = next;
		if (account_depth && (step[i] & BB_HARDENED))
			*account_depth = i + 1;
	}
	ok = true;
out:
	bb_wipe(&next, sizeof(next));
	if (!ok)
		bb_wipe(out, sizeof(*out));
	if (!ok && account)
		bb_wipe(account, sizeof(*account));
	return ok;
}

/* What the line says of where its key comes from. */
static bool read_line_origin(struct bb_key *out, const char **why, struct bb_key_reader *r,
	const struct bb_json *line)
{
	const struct bb_json *path = bb_json_find(line, "path");
	struct bb_secret *s = &out->secret;
	unsigned char fingerprint[4];
	bool has_fingerprint = bb_json_find(line, "fingerprint") != NULL, own;
	struct bb_xkey leaf;
	size_t len;

	*why = "malformed key line: fingerprint is not 8 hex digits";
	if (has_fingerprint && !bb_key_hex(fingerprint, &len, line, "fingerprint", 4, 4))
		return false;
	*why = "malformed key line: path";
	if (path && (path->type != BB_JSON_STRING || !path_of(&out->path, path->text)))
		return false;
	out->has_path = path && (has_fingerprint || s->extended);
	if (!s->extended) {
		if (out->has_path)
			memcpy(s->fingerprint, fingerprint, 4);
		return true;
	}
	own = !has_fingerprint || memcmp(fingerprint, s->fingerprint, 4) == 0;
	*why = out->form == BB_KEY_MNEMONIC ? "mnemonic with this passphrase has another "
					      "fingerprint (was it made with a "
					      "BIP 39 passphrase?)"
					    : "fingerprint and path do not lead to the key";
	if (!own && !(path && leads_to(&out->path, fingerprint, &s->xkey)))
		return false;
	if (!own)
		set_origin(s, fingerprint, &out->path, s->xkey.depth);
	if (!path)
		return true;
	if (!bb_secret_derive(
		    &leaf, NULL, NULL, why, s, r->curve, out->path.step, out->path.count))
		return false;
	memcpy(s->origin.step, out->path.step, sizeof(s->origin.step));
	s->stated = out->path.count;
	memcpy(out->pubkey, leaf.pubkey33, 33);
	out->pubkey_len = 33;
	bb_wipe(&leaf, sizeof(leaf));
	return true;
}

static bool read_line_secret(struct bb_key *out, const char **why, struct bb_key_reader *r,
	const struct bb_json *line)
{
	struct bb_buf text = {0};
	bool ok;

	if (bb_key_is_sealed(line)) {
		ok = (r->seal.passphrase.len || !r->ask || r->ask(why, r)) &&
		     bb_key_unseal(&text, why, line, &r->seal) &&
		     read_text(out, why, r, BB_SPAN(text.data, text.len));
		bb_buf_wipe(&text);
		return ok;
	}
	for (int form = BB_KEY_WIF; form <= BB_KEY_XPUB; form++) {
		const struct bb_json *v = bb_json_find(line, bb_key_form_name(form));
		if (!v)
			continue;
		*why = "malformed key line: the key is not a string";
		if (v->type != BB_JSON_STRING)
			return false;
		if (form == BB_KEY_MNEMONIC)
			return read_mnemonic(out, why, r, v->text);
		*why = "malformed key line: wif, xprv or xpub is something else";
		return read_base58(out, why, r, v->text) && (int)out->form == form;
	}
	*why = "key line holds no secret and no xpub";
	return false;
}

const struct bb_json *bb_key_line(
	const char **why, struct bb_key_reader *r, struct bb_span line)
{
	const struct bb_json *object, *type;

	bb_arena_wipe(&r->arena);
	if (!(object = bb_json_parse(&r->arena, why, line)))
		return NULL;
	type = bb_json_find(object, "type");
	*why = "not a key line";
	return !type || bb_json_is(type, "key") ? object : NULL;
}

bool bb_key_read(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span line)
{
	unsigned char pubkey[65];
	size_t len;

	*out = (struct bb_key){0};
	if (!line.len || line.data[0] != '{')
		return read_text(out, why, r, line);
	if (!(out->line = bb_key_line(why, r, line)) ||
		!read_line_secret(out, why, r, out->line) ||
		!read_line_origin(out, why, r, out->line))
		return false;
	if (!out->pubkey_len || !bb_json_find(out->line, "pubkey"))
		return true;
	*why = "malformed key line: pubkey";
	if (!bb_key_hex(pubkey, &len, out->line, "pubkey", 33, 65))
		return false;
	*why = "pubkey does not belong to the key";
	return bb_span_equal(BB_SPAN(pubkey, len), BB_SPAN(out->pubkey, out->pubkey_len));
}

bool bb_key_from_entropy(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span entropy)
{
	struct bb_buf text = {0};
	bool ok = false;

	*why = "out of memory";
	if (bb_buf_room(&text, BB_SECRET_TEXT)) {
		*why = "entropy must be 16, 20, 24, 28 or 32 bytes";
		ok = bb_mnemonic_encode(&text, entropy) &&
		     bb_key_read(out, why, r, BB_SPAN(text.data, text.len));
	}
	bb_buf_wipe(&text);
	return ok;
}

bool bb_key_from_seed(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span seed)
{
	*out = (struct bb_key){.form = BB_KEY_XPRV};
	*why = "a seed must be 16 to 64 bytes";
	if (!bb_xkey_master(&out->secret.xkey, r->curve, seed))
		return false;
	set_extended(out);
	return true;
}

void bb_key_reader_free(struct bb_key_reader *r)
{
	bb_arena_wipe(&r->arena);
	bb_arena_free(&r->arena);
	bb_wipe(&r->seal, sizeof(r->seal));
}
