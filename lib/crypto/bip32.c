#include <stdio.h>
#include <string.h>

#include "crypto/base58.h"
#include "crypto/bip32.h"
#include "crypto/hash.h"

bool bb_xkey_master(struct bb_xkey *out, const struct bb_curve *c, struct bb_span seed)
{
	unsigned char hash[64];
	bool ok;

	if (seed.len < 16 || seed.len > 64)
		return false;
	bb_hmac_sha512(hash, BB_LIT("Bitcoin seed"), seed);
	memset(out, 0, sizeof(*out));
	out->is_private = true;
	memcpy(out->key32, hash, 32);
	memcpy(out->chain, hash + 32, 32);
	ok = bb_key_pubkey(out->pubkey33, c, out->key32, true);
	bb_wipe(hash, sizeof(hash));
	if (!ok)
		bb_wipe(out, sizeof(*out));
	return ok;
}

/* The HMAC of one step (CKDpriv, CKDpub): 32 bytes to add to the key, 32 of chain code. */
static void child_hash(unsigned char hash[64], const struct bb_xkey *parent, uint32_t index)
{
	unsigned char data[37];

	if (index & BB_HARDENED) {
		data[0] = 0;
		memcpy(data + 1, parent->key32, 32);
	} else {
		memcpy(data, parent->pubkey33, 33);
	}
	bb_set_be32(data + 33, index);
	bb_hmac_sha512(hash, BB_SPAN(parent->chain, 32), BB_SPAN(data, sizeof(data)));
	bb_wipe(data, sizeof(data));
}

bool bb_xkey_child(struct bb_xkey *out, const struct bb_curve *c, const struct bb_xkey *parent,
	uint32_t index)
{
	struct bb_xkey child;
	unsigned char hash[64];
	bool ok;

	if (parent->depth == 255 || (!parent->is_private && (index & BB_HARDENED)))
		return false;
	child = *parent;
	child.depth++;
	child.index = index;
	bb_xkey_fingerprint(child.parent, parent);
	child_hash(hash, parent, index);
	memcpy(child.chain, hash + 32, 32);
	if (child.is_private)
		ok = bb_key_add(child.key32, hash) &&
		     bb_key_pubkey(child.pubkey33, c, child.key32, true);
	else
		ok = bb_pubkey_add(child.pubkey33, hash);
	if (ok)
		*out = child;
	bb_wipe(&child, sizeof(child));
	bb_wipe(hash, sizeof(hash));
	return ok;
}

void bb_xkey_neuter(struct bb_xkey *k)
{
	bb_wipe(k->key32, sizeof(k->key32));
	k->is_private = false;
}

void bb_xkey_fingerprint(unsigned char out[4], const struct bb_xkey *k)
{
	unsigned char hash[20];

	bb_hash160(hash, k->pubkey33, sizeof(k->pubkey33));
	memcpy(out, hash, 4);
}

/* Where the parts of a serialised key lie. */
enum { AT_DEPTH = 4, AT_PARENT = 5, AT_INDEX = 9, AT_CHAIN = 13, AT_KEY = 45 };

void bb_xkey_encode(struct bb_buf *out, const struct bb_xkey *k, uint32_t version)
{
	unsigned char raw[BB_BIP32_SIZE];

	bb_set_be32(raw, version);
	raw[AT_DEPTH] = k->depth;
	memcpy(raw + AT_PARENT, k->parent, 4);
	bb_set_be32(raw + AT_INDEX, k->index);
	memcpy(raw + AT_CHAIN, k->chain, 32);
	if (k->is_private) {
		raw[AT_KEY] = 0;
		memcpy(raw + AT_KEY + 1, k->key32, 32);
	} else {
		memcpy(raw + AT_KEY, k->pubkey33, 33);
	}
	bb_base58check_encode(out, raw, sizeof(raw));
	bb_wipe(raw, sizeof(raw));
}

/* Version bytes of BIP 32 and SLIP 132, which say by themselves what kind of key follows; all
 * others are refused. */
static bool version_fits(uint32_t version, bool is_private)
{
	static const struct {
		uint32_t public, private;
	} known[] = {
		{0x0488b21e, 0x0488ade4}, /* xpub */
		{0x049d7cb2, 0x049d7878}, /* ypub */
		{0x04b24746, 0x04b2430c}, /* zpub */
		{0x0295b43f, 0x0295b005}, /* Ypub */
		{0x02aa7ed3, 0x02aa7a99}, /* Zpub */
		{0x043587cf, 0x04358394}, /* tpub */
		{0x044a5262, 0x044a4e28}, /* upub */
		{0x045f1cf6, 0x045f18bc}, /* vpub */
		{0x024289ef, 0x024285b5}, /* Upub */
		{0x02575483, 0x02575048}, /* Vpub */
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (version == (is_private ? known[i].private : known[i].public))
			return true;
	}
	return false;
}

/* The 33 bytes of key, secret or public; false when they are neither. */
static bool set_key(struct bb_xkey *k, const struct bb_curve *c, const unsigned char raw33[33])
{
	k->is_private = raw33[0] == 0;
	if (k->is_private) {
		memcpy(k->key32, raw33 + 1, 32);
		return bb_key_pubkey(k->pubkey33, c, k->key32, true);
	}
	memcpy(k->pubkey33, raw33, 33);
	return bb_pubkey_valid(BB_SPAN(raw33, 33));
}

/* A master has no parent. */
static bool is_orphan(const struct bb_xkey *k)
{
	static const unsigned char none[4];

	return k->index == 0 && !memcmp(k->parent, none, sizeof(none));
}

bool bb_xkey_decode(
	struct bb_xkey *out, uint32_t *version, const struct bb_curve *c, struct bb_span text)
{
	unsigned char raw[BB_BIP32_SIZE];
	size_t len;
	bool ok;

	ok = bb_base58check_decode(raw, &len, sizeof(raw), text) && len == sizeof(raw);
	memset(out, 0, sizeof(*out));
	if (ok) {
		*version = bb_be32(raw);
		out->depth = raw[AT_DEPTH];
		memcpy(out->parent, raw + AT_PARENT, 4);
		out->index = bb_be32(raw + AT_INDEX);
		memcpy(out->chain, raw + AT_CHAIN, 32);
		ok = set_key(out, c, raw + AT_KEY) && version_fits(*version, out->is_private) &&
		     (out->depth || is_orphan(out));
	}
	bb_wipe(raw, sizeof(raw));
	if (!ok)
		bb_wipe(out, sizeof(*out));
	return ok;
}

static bool is_hardened_mark(unsigned char c)
{
	return c == 'h' || c == 'H' || c == '\'';
}

/* An index, hardened or not, off the front of the text. */
static bool read_step(uint32_t *out, const char **why, struct bb_span *text)
{
	size_t digits = 0;
	uint64_t v = 0;

	for (; digits < text->len; digits++) {
		unsigned char c = text->data[digits];

		if (c < '0' || c > '9')
			break;
		v = v * 10 + (c - '0');
		if (v >= BB_HARDENED) {
			*why = "path index is too large";
			return false;
		}
	}
	if (!digits) {
		*why = "malformed path";
		return false;
	}
	text->data += digits;
	text->len -= digits;
	if (text->len && is_hardened_mark(*text->data)) {
		v |= BB_HARDENED;
		text->data++, text->len--;
	}
	*out = (uint32_t)v;
	return true;
}

/* The second half of "first-last", after the dash. */
static bool read_range(uint32_t *first, uint32_t *last, const char **why, struct bb_span *text)
{
	if (!read_step(last, why, text))
		return false;
	if (text->len || ((*first & BB_HARDENED) && !(*last & BB_HARDENED))) {
		*why = "malformed path";
		return false;
	}
	*first |= *last & BB_HARDENED;
	if (*first > *last) {
		*why = "path range runs backwards";
		return false;
	}
	return true;
}

static bool take(struct bb_span *text, unsigned char c)
{
	if (!text->len || *text->data != c)
		return false;
	text->data++, text->len--;
	return true;
}

bool bb_path_parse(struct bb_path *out, const char **why, struct bb_span text)
{
	out->count = 0;
	out->last = 0;
	if (take(&text, 'm')) {
		if (!text.len)
			return true;
		if (!take(&text, '/')) {
			*why = "malformed path";
			return false;
		}
	}
	do {
		uint32_t *step = &out->step[out->count];

		if (out->count == BB_PATH_MAX) {
			*why = "path has too many steps";
			return false;
		}
		if (!read_step(step, why, &text))
			return false;
		out->count++;
		out->last = *step;
		if (take(&text, '-') && !read_range(step, &out->last, why, &text))
			return false;
	} while (take(&text, '/'));
	if (text.len) {
		*why = "malformed path";
		return false;
	}
	return true;
}

void bb_put_path(struct bb_buf *out, const uint32_t *step, size_t count)
{
	char text[16];

	bb_put_str(out, "m");
	for (size_t i = 0; i < count; i++) {
		int n = snprintf(text, sizeof(text), "/%u%s", step[i] & ~BB_HARDENED,
			step[i] & BB_HARDENED ? "h" : "");

		bb_put(out, text, (size_t)n);
	}
}
