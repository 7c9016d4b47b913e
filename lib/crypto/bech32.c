#include <string.h>

#include "crypto/bech32.h"

/* BIP 173: a string has at most 90 characters, six of them the checksum; a program 2 to 40
 * bytes (BIP 141). */
enum { TEXT_MAX = 90, HRP_MAX = 83, CHECKSUM = 6, PROGRAM_MIN = 2, PROGRAM_MAX = 40 };

static const char charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* The value of each lower-case character, from '0' to 'z'; -1 for none. */
static const signed char charset_value[] = {
	15, -1, 10, 17, 21, 20, 26, 30, 7, 5,		    /* 0-9 */
	-1, -1, -1, -1, -1, -1, -1,			    /* : to @ */
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, /* A-M */
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, /* N-Z */
	-1, -1, -1, -1, -1, -1,				    /* [ to ` */
	29, -1, 24, 13, 25, 9, 8, 23, -1, 18, 22, 31, 27,   /* a-m */
	19, -1, 1, 0, 3, 16, 11, 28, 12, 14, 6, 4, 2,	    /* n-z */
};

static int char_value(unsigned char c)
{
	return c < '0' || c > 'z' ? -1 : charset_value[c - '0'];
}

/* What the checksum comes to at the end of a right string. */
static uint32_t residue_of(enum bb_bech32 kind)
{
	return kind == BB_BECH32M ? 0x2bc830a3 : 1;
}

/* One step of the BCH code over GF(32). */
static uint32_t polymod(uint32_t c, unsigned value)
{
	static const uint32_t generator[] = {
		0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
	uint32_t top = c >> 25;

	c = (c & 0x1ffffff) << 5 ^ value;
	for (unsigned i = 0; i < 5; i++)
		c ^= generator[i] & -(top >> i & 1);
	return c;
}

static uint32_t polymod_hrp(const unsigned char *hrp, size_t len)
{
	uint32_t c = 1;

	for (size_t i = 0; i < len; i++)
		c = polymod(c, hrp[i] >> 5);
	c = polymod(c, 0);
	for (size_t i = 0; i < len; i++)
		c = polymod(c, hrp[i] & 31);
	return c;
}

/* Every character printable, and not of both cases; copied in lower case. */
static bool to_lower(unsigned char out[TEXT_MAX], struct bb_span text)
{
	bool lower = false, upper = false;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = text.data[i];

		if (c < 33 || c > 126)
			return false;
		lower |= c >= 'a' && c <= 'z';
		upper |= c >= 'A' && c <= 'Z';
		out[i] = c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
	}
	return !lower || !upper;
}

enum bb_bech32 bb_bech32_decode(
	char hrp[84], unsigned char *data5, size_t *data5_len, struct bb_span text)
{
	unsigned char lower[TEXT_MAX];
	size_t hrp_len = text.len;
	uint32_t c;

	if (text.len > TEXT_MAX || !to_lower(lower, text))
		return BB_BECH32_BAD;
	/* The last '1' is the separator. */
	while (hrp_len && lower[hrp_len - 1] != '1')
		hrp_len--;
	if (hrp_len < 2 || text.len - hrp_len < CHECKSUM)
		return BB_BECH32_BAD;
	hrp_len--;
	c = polymod_hrp(lower, hrp_len);
	*data5_len = 0;
	for (size_t i = hrp_len + 1; i < text.len; i++) {
		int value = char_value(lower[i]);

		if (value < 0)
			return BB_BECH32_BAD;
		c = polymod(c, (unsigned)value);
		if (i < text.len - CHECKSUM)
			data5[(*data5_len)++] = (unsigned char)value;
	}
	memcpy(hrp, lower, hrp_len);
	hrp[hrp_len] = '\0';
	if (c == residue_of(BB_BECH32))
		return BB_BECH32;
	return c == residue_of(BB_BECH32M) ? BB_BECH32M : BB_BECH32_BAD;
}

/* A prefix may not be written in capitals, else its checksum would not be its own. */
static bool is_hrp(const unsigned char *hrp, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (hrp[i] < 33 || hrp[i] > 126 || (hrp[i] >= 'A' && hrp[i] <= 'Z'))
			return false;
	}
	return len >= 1 && len <= HRP_MAX;
}

bool bb_bech32_encode(struct bb_buf *out, const char *hrp, const unsigned char *data5,
	size_t data5_len, enum bb_bech32 kind)
{
	const unsigned char *prefix = (const unsigned char *)hrp;
	size_t hrp_len = strlen(hrp);
	unsigned char text[TEXT_MAX], *p = text;
	uint32_t c;

	if (kind == BB_BECH32_BAD || !is_hrp(prefix, hrp_len) ||
		data5_len > TEXT_MAX - CHECKSUM - 1 - hrp_len)
		return false;
	memcpy(p, hrp, hrp_len);
	p += hrp_len;
	*p++ = '1';
	c = polymod_hrp(prefix, hrp_len);
	for (size_t i = 0; i < data5_len; i++) {
		if (data5[i] > 31)
			return false;
		c = polymod(c, data5[i]);
		*p++ = (unsigned char)charset[data5[i]];
	}
	for (size_t i = 0; i < CHECKSUM; i++)
		c = polymod(c, 0);
	c ^= residue_of(kind);
	for (size_t i = 0; i < CHECKSUM; i++)
		*p++ = (unsigned char)charset[c >> 5 * (CHECKSUM - 1 - i) & 31];
	bb_put(out, text, (size_t)(p - text));
	return !out->failed;
}

static bool is_program(unsigned version, size_t len)
{
	if (version > 16 || len < PROGRAM_MIN || len > PROGRAM_MAX)
		return false;
	return version || len == 20 || len == 32;
}

/* BIP 350: version 0 stays with bech32. */
static enum bb_bech32 kind_of(unsigned version)
{
	return version ? BB_BECH32M : BB_BECH32;
}

bool bb_segwit_encode(
	struct bb_buf *out, const char *hrp, unsigned version, struct bb_span program)
{
	unsigned char data5[1 + (PROGRAM_MAX * 8 + 4) / 5];
	size_t n = 0;
	unsigned bits = 0;
	uint32_t acc = 0;

	if (!is_program(version, program.len))
		return false;
	data5[n++] = (unsigned char)version;
	for (size_t i = 0; i < program.len; i++) {
		acc = acc << 8 | program.data[i];
		for (bits += 8; bits >= 5; bits -= 5)
			data5[n++] = acc >> (bits - 5) & 31;
	}
	if (bits)
		data5[n++] = acc << (5 - bits) & 31;
	return bb_bech32_encode(out, hrp, data5, n, kind_of(version));
}

bool bb_segwit_decode(unsigned *version, unsigned char program[40], size_t *program_len,
	const char *hrp, struct bb_span text)
{
	unsigned char data5[TEXT_MAX];
	char found[HRP_MAX + 1];
	size_t len, n = 0;
	unsigned bits = 0;
	uint32_t acc = 0;
	enum bb_bech32 kind = bb_bech32_decode(found, data5, &len, text);

	if (kind == BB_BECH32_BAD || strcmp(found, hrp) || !len || kind != kind_of(data5[0]))
		return false;
	for (size_t i = 1; i < len; i++) {
		acc = acc << 5 | data5[i];
		bits += 5;
		if (bits < 8)
			continue;
		bits -= 8;
		if (n == PROGRAM_MAX)
			return false;
		program[n++] = (unsigned char)(acc >> bits);
	}
	/* What is left over is padding: under five bits, all zero. */
	if (bits > 4 || (acc & ((1u << bits) - 1)) || !is_program(data5[0], n))
		return false;
	*version = data5[0];
	*program_len = n;
	return true;
}
