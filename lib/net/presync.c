#include "net/presync.h"

#include <stdlib.h>

#include "bitcoin/pow.h"
#include "bitcoin/retarget.h"
#include "crypto/curve.h"
#include "crypto/hash.h"

/* A header without what the one before tells. */
struct held {
	int32_t version;
	unsigned char merkle_root[32];
	uint32_t time, bits, nonce;
};

struct bb_presync {
	struct bb_presync_rules rules;
	struct bb_chain_point start, last, taken;
	bool again, shown; /* the second pass; it has shown its work too */
	unsigned char salt[32];
	unsigned offset; /* of the heights that have a bit */
	struct bb_buf bits;
	size_t bit_count, bits_most, bit_at;
	struct bb_buf held; /* struct held, from: */
	size_t held_at;	    /* bytes of it that were taken */
};

void bb_chain_point_step(
	struct bb_chain_point *p, const struct bb_header *h, const unsigned char id[32])
{
	if (h->bits != p->bits)
		bb_work_from_bits(p->block_work, h->bits);
	bb_number_add(p->work, p->block_work);
	p->bits = h->bits;
	p->height++;
	memmove(p->id, id, sizeof(p->id));
}

/* A block's time is above the median of the eleven before it, so that of six one at least is a
 * second later, and it is not far in the future. */
static size_t bits_most(const struct bb_presync_rules *r, const struct bb_chain_point *start)
{
	enum { BLOCKS_A_SECOND = 6 };
	const int64_t seconds = r->now - start->mtp + r->network->max_future;

	return 1 + (size_t)(seconds > 0 ? seconds : 0) * BLOCKS_A_SECOND / r->period;
}

struct bb_presync *bb_presync_new(
	const struct bb_presync_rules *r, const struct bb_chain_point *start)
{
	struct bb_presync *p = calloc(1, sizeof(*p));

	if (!p || !bb_random(p->salt, sizeof(p->salt)) ||
		!bb_random(&p->offset, sizeof(p->offset))) {
		free(p);
		return NULL;
	}
	p->rules = *r;
	p->offset %= r->period;
	p->start = p->last = *start;
	p->bits_most = bits_most(r, start);
	return p;
}

void bb_presync_free(struct bb_presync *p)
{
	if (!p)
		return;
	bb_buf_free(&p->bits);
	bb_buf_free(&p->held);
	free(p);
}

/* Could the bits follow (PermittedDifficultyTransition)? What they must be exactly is judged
 * when the header goes to the ledger. */
static bool may_follow(const struct bb_presync *p, uint32_t bits)
{
	const struct bb_network *n = p->rules.network;
	unsigned char target[32], easiest[32], hardest[32];

	if (n->min_difficulty)
		return true;
	if ((p->last.height + 1) % bb_retarget_interval(n))
		return bits == p->last.bits;
	return bb_target_from_bits(target, bits) &&
	       bb_target_from_bits(
		       easiest, bb_retarget(n, p->last.bits, 0, 4 * n->target_timespan)) &&
	       bb_target_from_bits(hardest, bb_retarget(n, p->last.bits, 0, 0)) &&
	       bb_number_compare(target, easiest) <= 0 &&
	       bb_number_compare(target, hardest) >= 0;
}

static bool is_enough(const struct bb_presync *p)
{
	return bb_number_compare(p->last.work, p->rules.enough) >= 0;
}

static bool has_bit(const struct bb_presync *p)
{
	return (unsigned)p->last.height % p->rules.period == p->offset;
}

static unsigned bit_of(const struct bb_presync *p, const unsigned char id[32])
{
	unsigned char hash[32];
	struct bb_sha256 h;

	bb_sha256_init(&h);
	bb_sha256_add(&h, p->salt, sizeof(p->salt));
	bb_sha256_add(&h, id, 32);
	bb_sha256_end(hash, &h);
	return hash[0] & 1;
}

static bool commit(struct bb_presync *p)
{
	if (p->bit_count == p->bits_most)
		return false;
	if (p->bit_count % 8 == 0)
		bb_put_u8(&p->bits, 0);
	if (p->bits.failed)
		return false;
	p->bits.data[p->bit_count / 8] |= (unsigned char)(bit_of(p, p->last.id)
							  << p->bit_count % 8);
	p->bit_count++;
	return true;
}

static bool is_as_committed(struct bb_presync *p)
{
	const size_t i = p->bit_at++;

	return i < p->bit_count && (p->bits.data[i / 8] >> i % 8 & 1u) == bit_of(p, p->last.id);
}

static void hold(struct bb_presync *p, const struct bb_header *h)
{
	struct held kept = {
		.version = h->version, .time = h->time, .bits = h->bits, .nonce = h->nonce};

	memcpy(kept.merkle_root, h->merkle_root, sizeof(kept.merkle_root));
	bb_put(&p->held, &kept, sizeof(kept));
}

/* What comes behind the work that was to be shown has no bit any more, nor needs one. */
static bool step(struct bb_presync *p, const struct bb_header *h, const unsigned char id[32])
{
	if (!may_follow(p, h->bits))
		return false;
	bb_chain_point_step(&p->last, h, id);
	if (!p->again)
		return !has_bit(p) || commit(p);
	p->shown |= is_enough(p);
	if (!p->shown && has_bit(p) && !is_as_committed(p))
		return false;
	hold(p, h);
	return !p->held.failed;
}

static void drop_taken(struct bb_presync *p)
{
	if (p->held_at)
		memmove(p->held.data, p->held.data + p->held_at, p->held.len - p->held_at);
	p->held.len -= p->held_at;
	p->held_at = 0;
}

enum bb_presync_word bb_presync_add(struct bb_presync *p, const struct bb_header *h,
	unsigned char (*id)[32], size_t count, bool full)
{
	drop_taken(p);
	for (size_t i = 0; i < count; i++)
		if (!step(p, &h[i], id[i]))
			return BB_PRESYNC_NO;
	if (p->shown)
		return BB_PRESYNC_SHOWN;
	if (!p->again && is_enough(p)) {
		p->again = true;
		p->last = p->taken = p->start;
		return BB_PRESYNC_MORE;
	}
	return full ? BB_PRESYNC_MORE : BB_PRESYNC_NO;
}

const unsigned char *bb_presync_last(const struct bb_presync *p)
{
	return p->last.id;
}

bool bb_presync_ready(const struct bb_presync *p)
{
	const size_t count = (p->held.len - p->held_at) / sizeof(struct held);

	return count > (p->shown ? 0 : p->rules.held);
}

const struct bb_chain_point *bb_presync_taken(const struct bb_presync *p)
{
	return &p->taken;
}

bool bb_presync_take(struct bb_header *h, unsigned char id[32], struct bb_presync *p)
{
	struct held kept;

	if (!bb_presync_ready(p))
		return false;
	memcpy(&kept, p->held.data + p->held_at, sizeof(kept));
	p->held_at += sizeof(kept);
	*h = (struct bb_header){.version = kept.version,
		.time = kept.time,
		.bits = kept.bits,
		.nonce = kept.nonce};
	memcpy(h->prev, p->taken.id, sizeof(h->prev));
	memcpy(h->merkle_root, kept.merkle_root, sizeof(h->merkle_root));
	bb_header_hash(id, h);
	bb_chain_point_step(&p->taken, h, id);
	return true;
}
