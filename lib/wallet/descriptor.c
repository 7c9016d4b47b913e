#include "wallet/descriptor.h"

#include <string.h>

#include "base/hex.h"
#include "bitcoin/script.h"
#include "crypto/bip32.h"
#include "crypto/hash.h"

/* BIP 382 to 386: the function around the key. */
static const struct {
	const char *name, *open, *close;
	uint32_t purpose;
} types[BB_ADDRESS_TYPES] = {
	[BB_TYPE_P2PKH] = {"p2pkh", "pkh(", ")", 44},
	[BB_TYPE_P2SH_P2WPKH] = {"p2sh-p2wpkh", "sh(wpkh(", "))", 49},
	[BB_TYPE_P2WPKH] = {"p2wpkh", "wpkh(", ")", 84},
	[BB_TYPE_P2TR] = {"p2tr", "tr(", ")", 86},
};

bool bb_address_type_find(enum bb_address_type *out, const char *name)
{
	for (int i = 0; i < BB_ADDRESS_TYPES; i++) {
		if (strcmp(types[i].name, name) != 0)
			continue;
		*out = (enum bb_address_type)i;
		return true;
	}
	return false;
}

uint32_t bb_address_type_purpose(enum bb_address_type type)
{
	return types[type].purpose;
}

static void put_p2sh_p2wpkh(struct bb_buf *script, const unsigned char hash20[20])
{
	unsigned char redeem[22] = {OP_0, 20}, script_hash20[20];

	memcpy(redeem + 2, hash20, 20);
	bb_hash160(script_hash20, redeem, sizeof(redeem));
	bb_put_p2sh(script, script_hash20);
}

bool bb_put_key_script(struct bb_buf *script, enum bb_address_type type, struct bb_span pubkey)
{
	unsigned char hash20[20], output32[32];
	bool odd;

	if (pubkey.len != 33 && (pubkey.len != 65 || type != BB_TYPE_P2PKH))
		return false;
	if (type == BB_TYPE_P2TR) {
		if (!bb_taproot_output(output32, &odd, pubkey.data + 1, NULL))
			return false;
		bb_put_witness(script, 1, BB_SPAN(output32, 32));
		return true;
	}
	bb_hash160(hash20, pubkey.data, pubkey.len);
	if (type == BB_TYPE_P2PKH)
		bb_put_p2pkh(script, hash20);
	else if (type == BB_TYPE_P2WPKH)
		bb_put_witness(script, 0, BB_SPAN(hash20, 20));
	else
		put_p2sh_p2wpkh(script, hash20);
	return true;
}

/* "/84h/1h": bb_put_path's text without its m. */
static void put_steps(struct bb_buf *out, const uint32_t *step, size_t count)
{
	struct bb_buf path = {0};

	if (!count)
		return;
	bb_put_path(&path, step, count);
	if (path.failed)
		out->failed = true;
	else
		bb_put(out, path.data + 1, path.len - 1);
	bb_buf_free(&path);
}

void bb_put_descriptor(struct bb_buf *out, const struct bb_descriptor *d)
{
	const size_t start = out->len;
	/* BIP 386: inside tr() a key stands without its parity byte. */
	const size_t skip = d->type == BB_TYPE_P2TR && d->key.len == 66 ? 2 : 0;
	char checksum[8] = "";

	bb_put_str(out, types[d->type].open);
	if (d->fingerprint) {
		char hex[8];
		bb_hex_encode(hex, d->fingerprint, 4);
		bb_put_u8(out, '[');
		bb_put(out, hex, sizeof(hex));
		put_steps(out, d->origin, d->origin_count);
		bb_put_u8(out, ']');
	}
	bb_put(out, d->key.data + skip, d->key.len - skip);
	put_steps(out, d->step, d->step_count);
	if (d->ranged)
		bb_put_str(out, "/*");
	bb_put_str(out, types[d->type].close);
	if (out->failed)
		return;
	bb_descriptor_checksum(checksum, BB_SPAN(out->data + start, out->len - start));
	bb_put_u8(out, '#');
	bb_put(out, checksum, sizeof(checksum));
}

/* BIP 380's checksum: a BCH code over GF(32), eight symbols of 5 bits. */

static uint64_t polymod(uint64_t c, unsigned symbol)
{
	static const uint64_t generator[5] = {
		0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd};
	unsigned top = (unsigned)(c >> 35);

	c = (c & 0x7ffffffff) << 5 ^ symbol;
	for (int i = 0; i < 5; i++)
		if (top >> i & 1)
			c ^= generator[i];
	return c;
}

bool bb_descriptor_checksum(char out[8], struct bb_span text)
{
	/* A character's place: its low 5 bits are one symbol, three places' high bits make
	 * another. */
	static const char places[] = "0123456789()[],'/*abcdefgh@:$%{}"
				     "IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~"
				     "ijklmnopqrstuvwxyzABCDEFGH`#\"\\ ";
	static const char symbols[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
	unsigned high = 0, gathered = 0;
	uint64_t c = 1;

	for (size_t i = 0; i < text.len; i++) {
		const char *at = memchr(places, text.data[i], sizeof(places) - 1);
		if (!at)
			return false;
		c = polymod(c, (unsigned)(at - places) & 31);
		high = 3 * high + ((unsigned)(at - places) >> 5);
		if (++gathered < 3)
			continue;
		c = polymod(c, high);
		high = gathered = 0;
	}
	if (gathered)
		c = polymod(c, high);
	for (int i = 0; i < 8; i++)
		c = polymod(c, 0);
	c ^= 1;
	for (int i = 0; i < 8; i++)
		out[i] = symbols[c >> 5 * (7 - i) & 31];
	return true;
}
