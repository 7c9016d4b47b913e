#include "bitcoin/pow.h"

#include <string.h>

/* Compact form: a byte count, a sign bit, and 23 bits of the number's highest bytes. */

bool bb_target_from_bits(unsigned char target[32], uint32_t bits)
{
	const unsigned size = bits >> 24;
	uint32_t word = bits & 0x007fffff;

	memset(target, 0, 32);
	if (size < 3)
		word >>= 8 * (3 - size);
	if (word == 0 || (bits & 0x00800000))
		return false;
	for (unsigned i = 0; i < 3; i++) {
		unsigned char byte = (word >> 8 * i) & 0xff;
		unsigned at = size > 3 ? size - 3 + i : i;
		if (at < 32)
			target[at] = byte;
		else if (byte)
			return false;
	}
	return true;
}

uint32_t bb_target_to_bits(const unsigned char target[32])
{
	unsigned size = 32;
	uint32_t word = 0;

	while (size && !target[size - 1])
		size--;
	for (unsigned i = 1; i <= 3; i++)
		word = word << 8 | (size >= i ? target[size - i] : 0);
	/* The highest bit of the word is the sign. */
	if (word & 0x00800000) {
		word >>= 8;
		size++;
	}
	return word | size << 24;
}

int bb_number_compare(const unsigned char a[32], const unsigned char b[32])
{
	for (int i = 31; i >= 0; i--)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

void bb_number_add(unsigned char a[32], const unsigned char b[32])
{
	unsigned carry = 0;

	for (int i = 0; i < 32; i++) {
		carry += (unsigned)a[i] + b[i];
		a[i] = (unsigned char)carry;
		carry >>= 8;
	}
}

/* A number in four digits of 64 bits, the lowest first. */

static bool below(const uint64_t a[4], const uint64_t b[4])
{
	for (int i = 3; i > 0; i--)
		if (a[i] != b[i])
			return a[i] < b[i];
	return a[0] < b[0];
}

static void take_away(uint64_t a[4], const uint64_t b[4])
{
	bool borrow = false;

	for (int i = 0; i < 4; i++) {
		const uint64_t had = a[i];
		a[i] = had - b[i] - borrow;
		borrow = had < b[i] || (had == b[i] && borrow);
	}
}

/* Returns the bit that falls out at the top. */
static bool shift_in(uint64_t a[4], bool bit)
{
	const bool out = a[3] >> 63;

	for (int i = 3; i > 0; i--)
		a[i] = a[i] << 1 | a[i - 1] >> 63;
	a[0] = a[0] << 1 | bit;
	return out;
}

void bb_work_from_bits(unsigned char work[32], uint32_t bits)
{
	static const unsigned char one[32] = {1};
	uint64_t quotient[4] = {0}, rest[4] = {1}, divisor[4];
	unsigned char target[32];

	memset(work, 0, 32);
	if (!bb_target_from_bits(target, bits))
		return;
	bb_number_add(target, one); /* at least 2, so that the quotient fits */
	for (int i = 0; i < 4; i++)
		divisor[i] = bb_le64(target + 8 * i);
	for (int i = 0; i < 256; i++) {
		const bool over = shift_in(rest, false), fits = over || !below(rest, divisor);
		if (fits)
			take_away(rest, divisor);
		shift_in(quotient, fits);
	}
	for (int i = 0; i < 4; i++)
		bb_set_le64(work + 8 * i, quotient[i]);
}

bool bb_pow_valid(const unsigned char hash[32], uint32_t bits, const struct bb_network *n)
{
	unsigned char target[32];

	return bb_target_from_bits(target, bits) &&
	       bb_number_compare(target, n->pow_limit) <= 0 &&
	       bb_number_compare(hash, target) <= 0;
}

double bb_difficulty(uint32_t bits)
{
	const uint32_t word = bits & 0x00ffffff;
	double difficulty;

	/* No such target: Core would print an infinity, which JSON does not have. */
	if (word == 0)
		return 0;
	difficulty = (double)0x0000ffff / word;
	for (unsigned size = bits >> 24; size < 29; size++)
		difficulty *= 256;
	for (unsigned size = bits >> 24; size > 29; size--)
		difficulty /= 256;
	return difficulty;
}
