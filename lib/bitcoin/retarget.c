#include "bitcoin/retarget.h"

#include <string.h>

#include "bitcoin/pow.h"

int64_t bb_retarget_interval(const struct bb_network *n)
{
	return n->target_timespan / n->target_spacing;
}

/* target * factor / divisor, and at most the limit. The product has 96 bits of room above the
 * number's 256, so nothing is lost of it. */
static void scale(unsigned char target[32], uint64_t factor, uint32_t divisor,
	const unsigned char limit[32])
{
	const uint64_t low = factor & UINT32_MAX, high = factor >> 32;
	uint32_t product[11] = {0};
	uint64_t rest = 0;
	bool over = false;

	for (int i = 0; i < 8; i++) {
		const uint64_t digit = bb_le32(target + 4 * i);
		uint64_t carry = product[i] + digit * low;
		product[i] = (uint32_t)carry;
		carry = (carry >> 32) + product[i + 1] + digit * high;
		product[i + 1] = (uint32_t)carry;
		product[i + 2] = (uint32_t)(carry >> 32);
	}
	for (int i = 10; i >= 0; i--) {
		rest = rest << 32 | product[i];
		product[i] = (uint32_t)(rest / divisor);
		rest %= divisor;
		over |= i >= 8 && product[i];
	}
	for (int i = 0; i < 8; i++)
		bb_set_le32(target + 4 * i, product[i]);
	if (over || bb_number_compare(target, limit) > 0)
		memcpy(target, limit, 32);
}

uint32_t bb_retarget(
	const struct bb_network *n, uint32_t bits, uint32_t first_time, uint32_t last_time)
{
	const int64_t timespan = n->target_timespan;
	int64_t taken = (int64_t)last_time - first_time;
	unsigned char target[32];

	if (n->no_retarget)
		return bits;
	/* From the period's first block to its last there are one fewer steps than blocks:
	 * Bitcoin's off-by-one, which is consensus. */
	if (taken < timespan / 4)
		taken = timespan / 4;
	if (taken > timespan * 4)
		taken = timespan * 4;
	bb_target_from_bits(target, bits);
	scale(target, (uint64_t)taken, n->target_timespan, n->pow_limit);
	return bb_target_to_bits(target);
}

/* Testnets: the lowest difficulty for a block that comes late, else that of the last block
 * that was not let off so. */
static bool lenient_bits(uint32_t *bits, const struct bb_network *n,
	const struct bb_ancestry *chain, int64_t height, const struct bb_header *last,
	uint32_t time)
{
	const uint32_t lowest = bb_target_to_bits(n->pow_limit);
	struct bb_header h = *last;

	*bits = lowest;
	if (time > (int64_t)last->time + 2 * (int64_t)n->target_spacing)
		return true;
	while (height > 0 && height % bb_retarget_interval(n) && h.bits == lowest)
		if (!chain->at(chain->arg, --height, &h))
			return false;
	*bits = h.bits;
	return true;
}

bool bb_next_bits(uint32_t *bits, const struct bb_network *n, const struct bb_ancestry *chain,
	int64_t height, uint32_t time)
{
	const int64_t interval = bb_retarget_interval(n);
	struct bb_header first, last;

	if (!chain->at(chain->arg, height, &last))
		return false;
	*bits = last.bits;
	if ((height + 1) % interval)
		return !n->min_difficulty || lenient_bits(bits, n, chain, height, &last, time);
	if (n->no_retarget)
		return true;
	if (!chain->at(chain->arg, height + 1 - interval, &first))
		return false;
	/* BIP 94: the first block of a period cannot be let off, so it holds the real bits. */
	*bits = bb_retarget(n, n->bip94 ? first.bits : last.bits, first.time, last.time);
	return true;
}
