#include "base/hex.h"

static const char digits[] = "0123456789abcdef";

/* Value plus one of each hex digit, so that zero marks all other characters. */
/* clang-format off */
static const unsigned char value[256] = {
	['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,	['6'] = 7,  ['7'] = 8,
	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};
/* clang-format on */

void bb_hex_encode(char *out, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
}

bool bb_hex_decode(unsigned char *out, const void *hex, size_t len)
{
	const unsigned char *p = hex;
	unsigned bad = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned hi = value[p[2 * i]], lo = value[p[2 * i + 1]];
		bad |= (hi - 1) | (lo - 1);
		out[i] = (unsigned char)((hi - 1) << 4 | (lo - 1));
	}
	return bad <= 15;
}

bool bb_hex_span(struct bb_span *out, struct bb_span hex, struct bb_arena *a)
{
	unsigned char *p;

	if (hex.len % 2 || !(p = bb_arena_alloc(a, hex.len / 2 + 1)))
		return false;
	*out = BB_SPAN(p, hex.len / 2);
	return bb_hex_decode(p, hex.data, hex.len / 2);
}

void bb_put_hex(struct bb_buf *b, const void *data, size_t len)
{
	unsigned char *p = bb_buf_room(b, 2 * len);

	if (p) {
		bb_hex_encode((char *)p, data, len);
		b->len += 2 * len;
	}
}

void bb_hash_encode(char out[64], const unsigned char hash[32])
{
	unsigned char turned[32];

	for (int i = 0; i < 32; i++)
		turned[i] = hash[31 - i];
	bb_hex_encode(out, turned, 32);
}

bool bb_hash_decode(unsigned char hash[32], struct bb_span hex)
{
	unsigned char turned[32];

	if (hex.len != 64 || !bb_hex_decode(turned, hex.data, 32))
		return false;
	for (int i = 0; i < 32; i++)
		hash[i] = turned[31 - i];
	return true;
}
