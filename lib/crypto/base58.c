#include <string.h>

#include "crypto/base58.h"
#include "crypto/hash.h"

/* A number is a little-endian array of limbs: base 58^5 on the way to text, base 2^32 on the
 * way back, so that a step takes five characters or four bytes at once. */
enum {
	BASE_58_5 = 58 * 58 * 58 * 58 * 58,
	LIMB_CHARS = 5,
	ENCODE_LIMBS = BB_BASE58_MAX * 8 / 29 + 2, /* 58^5 holds 29 bits and a bit */
	DECODE_LIMBS = BB_BASE58_MAX / 4 + 2,
};

static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* The value of a character, or -1: the alphabet leaves out 0, I, O and l. */
static int digit_value(unsigned char c)
{
	if (c >= '1' && c <= '9')
		return c - '1';
	if (c >= 'A' && c <= 'Z' && c != 'I' && c != 'O')
		return c - 'A' + 9 - (c > 'I') - (c > 'O');
	if (c >= 'a' && c <= 'z' && c != 'l')
		return c - 'a' + 33 - (c > 'l');
	return -1;
}

/* number = number * factor + more, in limbs of that base; gives the new count. */
static inline size_t multiply_add(
	uint32_t *limb, size_t count, uint64_t base, uint64_t factor, uint32_t more)
{
	uint64_t carry = more;

	for (size_t i = 0; i < count; i++) {
		carry += limb[i] * factor;
		limb[i] = (uint32_t)(carry % base);
		carry /= base;
	}
	for (; carry; carry /= base)
		limb[count++] = (uint32_t)(carry % base);
	return count;
}

/* Bytes, without zeros in front, to limbs of base 58^5. */
static size_t number_from_bytes(uint32_t *limb, const unsigned char *p, size_t len)
{
	size_t count = 0;

	for (; len % 4; p++, len--)
		count = multiply_add(limb, count, BASE_58_5, 256, *p);
	for (; len; p += 4, len -= 4)
		count = multiply_add(limb, count, BASE_58_5, 1ULL << 32, bb_be32(p));
	return count;
}

/* The digits of the limbs, the first one not zero; gives their count. */
static size_t write_digits(unsigned char *out, const uint32_t *limb, size_t count)
{
	size_t n = 0;

	while (count--) {
		uint32_t rest = limb[count];

		for (uint32_t unit = BASE_58_5 / 58; unit; unit /= 58) {
			if (n || rest / unit)
				out[n++] = (unsigned char)alphabet[rest / unit];
			rest %= unit;
		}
	}
	return n;
}

bool bb_base58_encode(struct bb_buf *out, const void *data, size_t len)
{
	const unsigned char *p = data;
	uint32_t limb[ENCODE_LIMBS];
	unsigned char *text;
	size_t zeros = 0, count;

	if (len > BB_BASE58_MAX)
		return false;
	for (; len && !*p; p++, len--)
		zeros++;
	count = number_from_bytes(limb, p, len);
	text = bb_buf_room(out, zeros + count * LIMB_CHARS);
	if (text) {
		memset(text, alphabet[0], zeros);
		out->len += zeros + write_digits(text + zeros, limb, count);
	}
	bb_wipe(limb, count * sizeof(*limb));
	return text;
}

/* Text to limbs of base 2^32; false for a foreign character or a number of more than `max`
 * bytes. */
static bool number_from_text(uint32_t *limb, size_t *count, size_t max, struct bb_span text)
{
	while (text.len) {
		uint32_t factor = 1, value = 0;

		do {
			int digit = digit_value(*text.data);

			if (digit < 0)
				return false;
			value = value * 58 + (uint32_t)digit;
			factor *= 58;
			text.data++, text.len--;
		} while (text.len % LIMB_CHARS);
		*count = multiply_add(limb, *count, 1ULL << 32, factor, value);
		if (*count > max / 4 + 1)
			return false;
	}
	return true;
}

/* Limbs of base 2^32 to bytes without zeros in front; gives their count, or max + 1. */
static size_t write_bytes(unsigned char *out, size_t max, const uint32_t *limb, size_t count)
{
	size_t n = 0;

	for (size_t i = count * 4; i--;) {
		unsigned char byte = (unsigned char)(limb[i / 4] >> i % 4 * 8);

		if (!n && !byte)
			continue;
		if (n == max)
			return max + 1;
		out[n++] = byte;
	}
	return n;
}

bool bb_base58_decode(unsigned char *out, size_t *out_len, size_t max, struct bb_span text)
{
	uint32_t limb[DECODE_LIMBS];
	size_t zeros = 0, count = 0, n = 0;
	bool ok;

	if (max > BB_BASE58_MAX)
		max = BB_BASE58_MAX;
	for (; text.len && *text.data == (unsigned char)alphabet[0]; text.data++, text.len--)
		zeros++;
	if (zeros > max)
		return false;
	max -= zeros;
	ok = number_from_text(limb, &count, max, text);
	if (ok) {
		memset(out, 0, zeros);
		n = write_bytes(out + zeros, max, limb, count);
	}
	bb_wipe(limb, count * sizeof(*limb));
	*out_len = zeros + n;
	return ok && n <= max;
}

bool bb_base58check_encode(struct bb_buf *out, const void *data, size_t len)
{
	unsigned char bytes[BB_BASE58CHECK_MAX + 4], hash[32];
	bool ok;

	if (len > BB_BASE58CHECK_MAX)
		return false;
	if (len)
		memcpy(bytes, data, len);
	bb_sha256d(hash, data, len);
	memcpy(bytes + len, hash, 4);
	ok = bb_base58_encode(out, bytes, len + 4);
	bb_wipe(bytes, len + 4);
	return ok;
}

bool bb_base58check_decode(unsigned char *out, size_t *out_len, size_t max, struct bb_span text)
{
	unsigned char bytes[BB_BASE58CHECK_MAX + 4], hash[32];
	size_t len = 0;
	bool ok;

	if (max > BB_BASE58CHECK_MAX)
		max = BB_BASE58CHECK_MAX;
	ok = bb_base58_decode(bytes, &len, max + 4, text) && len >= 4;
	if (ok) {
		len -= 4;
		bb_sha256d(hash, bytes, len);
		ok = !memcmp(hash, bytes + len, 4);
	}
	if (ok && len)
		memcpy(out, bytes, len);
	bb_wipe(bytes, sizeof(bytes));
	*out_len = ok ? len : 0;
	return ok;
}
