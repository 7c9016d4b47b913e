/* Text a person types or pastes: addresses, keys, paths, mnemonics. What is read goes back to
 * the same text.
 *
 * The first byte says what the others are: the text itself, or what is put under a good
 * checksum, which mutations would not find: a payload for base58check, or a prefix's number and
 * five-bit values for bech32 and bech32m. */

#include <ctype.h>
#include <string.h>

#include "bitcoin/address.h"
#include "bitcoin/interpreter.h"
#include "crypto/base58.h"
#include "crypto/bech32.h"
#include "crypto/bip32.h"
#include "crypto/bip39.h"
#include "fuzz.h"
#include "wallet/descriptor.h"
#include "wallet/keyfile.h"
#include "wallet/partial.h"

enum { TEXT, BASE58, BECH32, BECH32M, KINDS };
enum { TEXT_MAX = 2048 };

static struct bb_curve *curve;

/* Equal but for the case of bech32, which is written low. */
static bool same_folded(const struct bb_buf *b, struct bb_span text)
{
	if (b->len != text.len)
		return false;
	for (size_t i = 0; i < b->len; i++)
		if (b->data[i] != tolower(text.data[i]))
			return false;
	return true;
}

static void do_address(struct bb_span text, const struct bb_network *n)
{
	struct bb_buf script = {0}, again = {0};
	const char *why = NULL;

	if (bb_address_script(&script, &why, text, n)) {
		DEMAND(bb_put_address(&again, buf_span(&script), n));
		DEMAND(bb_span_equal(buf_span(&again), text) || same_folded(&again, text));
	} else {
		DEMAND(why && !script.len);
	}
	bb_buf_free(&script);
	bb_buf_free(&again);
}

static void do_script(struct bb_span script, const struct bb_network *n)
{
	struct bb_buf text = {0}, again = {0};
	const char *why;

	if (bb_put_address(&text, script, n)) {
		DEMAND(bb_address_script(&again, &why, buf_span(&text), n));
		DEMAND(bb_span_equal(buf_span(&again), script));
	} else {
		DEMAND(!text.len);
	}
	bb_buf_free(&text);
	bb_buf_free(&again);
}

static void do_wif(struct bb_span text, const struct bb_network *n)
{
	struct bb_buf again = {0};
	unsigned char key[32];
	bool compressed;

	if (!bb_wif_decode(key, &compressed, text, n))
		return;
	bb_put_wif(&again, key, compressed, n);
	DEMAND(bb_span_equal(buf_span(&again), text));
	bb_buf_free(&again);
}

static void do_xkey(struct bb_span text)
{
	struct bb_buf again = {0};
	struct bb_xkey key, child;
	uint32_t version;

	if (!bb_xkey_decode(&key, &version, curve, text))
		return;
	bb_xkey_encode(&again, &key, version);
	DEMAND(bb_span_equal(buf_span(&again), text));
	/* Deriving and taking away the secret may change places. */
	if (key.is_private && bb_xkey_child(&child, curve, &key, 7)) {
		struct bb_xkey public = key, below;
		bb_xkey_neuter(&public);
		DEMAND(bb_xkey_child(&below, NULL, &public, 7));
		DEMAND(memcmp(below.pubkey33, child.pubkey33, 33) == 0);
		DEMAND(memcmp(below.chain, child.chain, 32) == 0);
	}
	bb_buf_free(&again);
}

static void do_path(struct bb_span text)
{
	struct bb_path path, again;
	struct bb_buf out = {0};
	unsigned char fingerprint[4];
	const char *why = NULL;

	if (bb_path_parse(&path, &why, text)) {
		DEMAND(path.count <= BB_PATH_MAX);
		DEMAND(!path.count || path.last >= path.step[path.count - 1]);
		bb_put_path(&out, path.step, path.count);
		DEMAND(bb_path_parse(&again, &why, buf_span(&out)));
		DEMAND(again.count == path.count);
		DEMAND(memcmp(again.step, path.step, path.count * sizeof(*path.step)) == 0);
	} else {
		DEMAND(why);
	}
	bb_derivation_parse(fingerprint, &path, text);
	bb_buf_free(&out);
}

static void do_base58(struct bb_span text)
{
	unsigned char bytes[BB_BASE58_MAX];
	struct bb_buf again = {0};
	size_t len;

	if (bb_base58_decode(bytes, &len, sizeof(bytes), text)) {
		DEMAND(bb_base58_encode(&again, bytes, len));
		DEMAND(bb_span_equal(buf_span(&again), text));
	}
	again.len = 0;
	if (text.len <= BB_BASE58_MAX) {
		DEMAND(bb_base58_encode(&again, text.data, text.len));
		DEMAND(bb_base58_decode(bytes, &len, sizeof(bytes), buf_span(&again)));
		DEMAND(bb_span_equal(BB_SPAN(bytes, len), text));
	}
	bb_buf_free(&again);
}

static void do_bech32(struct bb_span text)
{
	struct bb_buf again = {0};
	unsigned char data5[84], program[40];
	enum bb_bech32 kind;
	unsigned version;
	char hrp[84];
	size_t len;

	kind = bb_bech32_decode(hrp, data5, &len, text);
	if (kind == BB_BECH32_BAD)
		return;
	DEMAND(bb_bech32_encode(&again, hrp, data5, len, kind));
	DEMAND(same_folded(&again, text));
	again.len = 0;
	if (bb_segwit_decode(&version, program, &len, hrp, text)) {
		DEMAND((version == 0) == (kind == BB_BECH32));
		DEMAND(bb_segwit_encode(&again, hrp, version, BB_SPAN(program, len)));
		DEMAND(same_folded(&again, text));
	}
	bb_buf_free(&again);
}

static void do_mnemonic(struct bb_span text)
{
	unsigned char entropy[32], back[32];
	struct bb_buf again = {0};
	const char *why = NULL;
	size_t len, back_len;

	if (bb_mnemonic_decode(entropy, &len, &why, text)) {
		DEMAND(bb_mnemonic_encode(&again, BB_SPAN(entropy, len)));
		DEMAND(bb_mnemonic_decode(back, &back_len, &why, buf_span(&again)));
		DEMAND(bb_span_equal(BB_SPAN(entropy, len), BB_SPAN(back, back_len)));
	} else {
		DEMAND(why);
	}
	bb_buf_free(&again);
}

/* A line of a key file; what it gave is written as a text that gives the same. */
static void do_key(struct bb_span text, const struct bb_network *n)
{
	struct bb_key_reader r = {.curve = curve, .network = n};
	struct bb_buf out = {0};
	const char *why = NULL;
	struct bb_key key, again;

	if (bb_key_read(&key, &why, &r, text)) {
		bb_put_key_text(&out, &key, n);
		DEMAND(bb_key_read(&again, &why, &r, buf_span(&out)));
		DEMAND(again.form == key.form);
		DEMAND(again.secret.extended == key.secret.extended);
		if (key.secret.extended)
			DEMAND(memcmp(again.secret.xkey.pubkey33, key.secret.xkey.pubkey33,
				       33) == 0);
		else
			DEMAND(memcmp(again.secret.key32, key.secret.key32, 32) == 0);
	} else {
		DEMAND(why);
	}
	bb_buf_free(&out);
	bb_key_reader_free(&r);
}

static void do_text(struct bb_span text)
{
	char checksum[8];
	uint32_t flags;
	int hash_type;

	for (size_t i = 0; bb_network_at(i); i++) {
		do_address(text, bb_network_at(i));
		do_script(text, bb_network_at(i));
		do_wif(text, bb_network_at(i));
	}
	do_xkey(text);
	do_path(text);
	do_base58(text);
	do_bech32(text);
	do_mnemonic(text);
	do_key(text, bb_network_find("main"));
	do_key(text, bb_network_find("regtest"));
	bb_descriptor_checksum(checksum, text);
	bb_sighash_parse(&hash_type, text);
	bb_flags_parse(&flags, text);
}

static void do_bech32_parts(struct bb_span bytes, enum bb_bech32 kind)
{
	static const char *const prefixes[] = {"bc", "tb", "bcrt", "bare", "a"};
	unsigned char data5[84];
	struct bb_buf text = {0};
	size_t len = bytes.len > 80 ? 79 : bytes.len - 1;

	for (size_t i = 0; i < len; i++)
		data5[i] = bytes.data[i + 1] & 31;
	if (bb_bech32_encode(&text, prefixes[bytes.data[0] % 5], data5, len, kind))
		do_text(buf_span(&text));
	bb_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bb_buf text = {0};
	struct bb_span rest;

	if (size < 2 || size > TEXT_MAX)
		return 0;
	rest = BB_SPAN(data + 1, size - 1);
	if (!curve)
		DEMAND(curve = bb_curve_new());
	switch (data[0] % KINDS) {
	case TEXT: do_text(rest); break;
	case BASE58:
		if (rest.len <= BB_BASE58CHECK_MAX &&
			bb_base58check_encode(&text, rest.data, rest.len))
			do_text(buf_span(&text));
		break;
	case BECH32: do_bech32_parts(rest, BB_BECH32); break;
	default: do_bech32_parts(rest, BB_BECH32M); break;
	}
	bb_buf_free(&text);
	return 0;
}
