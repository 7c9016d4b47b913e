#include "ledger/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "bitcoin/pow.h"
#include "crypto/hash.h"
#include "ledger/coinshash.h"
#include "ledger/events.h"
#include "ledger/orphans.h"
#include "ledger/verify_inside.h"
#include "ledger/verifypool.h"

/* A set as the sum of its members' hashes, in four numbers of 64 bits: what was put in and
 * taken out again leaves nothing. */
struct sum {
	uint64_t lane[4];
	uint64_t count;
};

/* BIP 30: a block whose coinbase repeats an earlier one's. What that left unspent is lost. */
struct repeat {
	bool awaited;
	int32_t height;
	unsigned char txid[32];
	struct sum coins; /* of that txid, so far */
};

enum {
	REPEATS = sizeof((struct bb_network){0}.bip30_exceptions) /
		  sizeof(*(struct bb_network){0}.bip30_exceptions)
};

struct check {
	struct bb_verify *v;
	struct bb_store *s;
	const struct bb_network *n;
	struct bb_arena arena;
	struct bb_buf bytes, record;
	struct bb_rows rows;

	uint64_t nodes, children, leaves, candidates; /* counted in the tree */
	uint64_t last_linked, last_end;		      /* and the greatest */
	struct sum coins, unspent, txs, history;      /* what the blocks say there must be */
	uint64_t undo_count;
	struct repeat repeat[REPEATS];
	bool blind; /* some block could not be followed */
};

/* Reports. */

void bb_verify_wrong(struct bb_verify *v, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	v->found++;
	v->wrong(v->arg, text);
}

const char *bb_verify_damage(struct bb_store *s)
{
	static const char damage[] = "the store is damaged";
	const char *why = s->why;

	if (!why || strncmp(why, damage, sizeof(damage) - 1) != 0)
		return NULL;
	s->why = NULL;
	return why;
}

static void wrong_node(struct check *c, const struct bb_node *n, const char *what)
{
	char id[64];

	bb_hash_encode(id, n->id);
	bb_verify_wrong(c->v, "block %.64s at height %" PRId32 ": %s", id, n->height, what);
}

/* Hold this of a node; if it does not, or a look-up on the way met damage, say so. */
static bool expect(struct check *c, bool good, const struct bb_node *n, const char *otherwise)
{
	const char *why = bb_verify_damage(c->s);

	if (c->s->why)
		return false;
	if (good && !why)
		return true;
	wrong_node(c, n, why ? why : otherwise);
	return false;
}

/* The same of the whole. */
static bool expect_all(struct check *c, bool good, const char *otherwise)
{
	const char *why = bb_verify_damage(c->s);

	if (c->s->why)
		return false;
	if (good && !why)
		return true;
	bb_verify_wrong(c->v, "%s", why ? why : otherwise);
	return false;
}

/* Sums. */

static void sum_change(struct sum *sum, struct bb_span member, bool in)
{
	unsigned char hash[32];

	bb_sha256(hash, member.data, member.len);
	for (int i = 0; i < 4; i++) {
		const uint64_t v = bb_le64(hash + 8 * i);
		sum->lane[i] += in ? v : -v;
	}
	sum->count += in ? 1 : UINT64_MAX;
}

static void sum_take(struct sum *from, const struct sum *what)
{
	for (int i = 0; i < 4; i++)
		from->lane[i] -= what->lane[i];
	from->count -= what->count;
}

static void compare_sums(struct check *c, const struct sum *stored, const struct sum *due,
	const char *what, const char *by)
{
	if (stored->count != due->count)
		bb_verify_wrong(c->v,
			"%s: the store holds %" PRIu64 ", by %s there are %" PRIu64, what,
			stored->count, by, due->count);
	else if (memcmp(stored->lane, due->lane, sizeof(due->lane)) != 0)
		bb_verify_wrong(c->v, "%s: as many as by %s, but not the same", what, by);
}

/* A block's bytes. */

static const char *load_block(struct bb_block *block, struct check *c, const struct bb_node *n)
{
	unsigned char id[32];
	const char *why;

	c->bytes.len = 0;
	bb_arena_reset(&c->arena);
	if (!bb_flat_read(&c->bytes, &c->s->flat, &why, &n->place, 0, n->place.len))
		return why;
	if (!bb_block_parse(block, BB_SPAN(c->bytes.data, c->bytes.len), &c->arena) ||
		!bb_block_hash_txs(block, &c->arena))
		return "its bytes are no block";
	bb_header_hash(id, &block->header);
	if (memcmp(id, n->id, 32) != 0)
		return "its bytes are another block's";
	if (block->tx_count != n->tx_count || bb_block_weight(block) != n->weight)
		return "its size is not as noted";
	return bb_check_block_alone(block, c->n); /* with the Merkle root */
}

/* And what binds it at its place. */
static const char *check_place(struct bb_block_claims *claims, struct check *c,
	const struct bb_block *block, const struct bb_node *n)
{
	struct bb_node prev;
	unsigned unjudged = 0;

	if (!n->height)
		return NULL;
	if (!bb_tree_get(&prev, c->s, n->prev) || !bb_tree_claims(claims, c->s, &prev))
		return "what came before it cannot be told";
	return bb_check_block_in_context(&unjudged, block, claims, c->n);
}

static bool check_block(struct bb_block *block, struct bb_block_claims *claims, struct check *c,
	const struct bb_node *n)
{
	const char *why = load_block(block, c, n);

	if (!why)
		why = check_place(claims, c, block, n);
	return expect(c, !why, n, why);
}

/* The tree. */

/* Linked, and not known to be invalid: it could lead the chain. */
static bool could_lead(const struct bb_node *n)
{
	return n->linked && !(n->status & BB_NODE_BAD);
}

static void check_identity(struct check *c, const struct bb_node *n)
{
	unsigned char id[32];
	struct bb_node same;

	bb_header_hash(id, &n->header);
	expect(c, memcmp(id, n->id, 32) == 0, n, "its header is another's");
	expect(c, bb_pow_valid(n->id, n->header.bits, c->n), n, "its hash shows no work");
	expect(c, bb_tree_find(&same, c->s, n->id) && same.number == n->number, n,
		"it cannot be found by its hash");
	expect(c, (n->status & BB_NODE_DATA) || !(n->status & BB_NODE_JUDGED), n,
		"it was judged without its data");
}

static void check_genesis(struct check *c, const struct bb_node *n)
{
	unsigned char work[32];

	bb_work_from_bits(work, n->header.bits);
	expect(c, memcmp(n->id, c->n->genesis, 32) == 0, n, "it is not the network's genesis");
	expect(c, memcmp(work, n->work, 32) == 0, n, "its work is wrong");
	expect(c, n->mtp == n->header.time, n, "its median time past is wrong");
	expect(c, !(n->status & BB_NODE_DOOMED), n, "it is doomed by no parent");
	expect(c, !n->linked == !(n->status & BB_NODE_DATA), n, "it is linked wrongly");
}

/* The median of its own time and the ten before. */
static int64_t own_mtp(const struct bb_node *n, const struct bb_block_claims *c)
{
	struct bb_block_claims own = {0};
	const size_t from = c->prev_time_count > 10 ? c->prev_time_count - 10 : 0;

	for (size_t i = from; i < c->prev_time_count; i++)
		own.prev_times[own.prev_time_count++] = c->prev_times[i];
	own.prev_times[own.prev_time_count++] = n->header.time;
	return bb_claims_mtp(&own);
}

/* The header against those before it. */
static void check_header(struct check *c, const struct bb_node *n, const struct bb_node *prev)
{
	struct bb_block_claims claims;
	char reason[BB_REASON_SIZE];
	unsigned unjudged = 0;

	if (!expect(c,
		    bb_tree_claims(&claims, c->s, prev) &&
			    bb_tree_expected_bits(
				    &claims.expected_bits, c->s, c->n, prev, n->header.time),
		    n, "what came before it cannot be told"))
		return;
	expect(c, bb_check_header(reason, &unjudged, &n->header, &claims, c->n), n, reason);
	expect(c, own_mtp(n, &claims) == n->mtp, n, "its median time past is wrong");
}

static void check_parent(struct check *c, const struct bb_node *n)
{
	struct bb_node prev, skip, same;
	unsigned char work[32];
	bool linked;

	if (!expect(c, bb_tree_get(&prev, c->s, n->prev), n, "its parent is missing"))
		return;
	bb_work_from_bits(work, n->header.bits);
	bb_number_add(work, prev.work);
	linked = (n->status & BB_NODE_DATA) && prev.linked;
	expect(c, memcmp(n->header.prev, prev.id, 32) == 0, n, "its parent is another");
	if (!expect(c, n->height == prev.height + 1, n, "its height is wrong"))
		return;
	expect(c, memcmp(work, n->work, 32) == 0, n, "its work is wrong");
	expect(c, !linked == !n->linked && (!linked || n->linked > prev.linked), n,
		"it is linked wrongly");
	expect(c, !(n->status & BB_NODE_DOOMED) == !(prev.status & BB_NODE_BAD), n,
		"its parent's fate is not its own");
	expect(c,
		bb_tree_get(&skip, c->s, n->skip) &&
			skip.height == bb_tree_skip_height(n->height) &&
			bb_tree_ancestor(&same, c->s, &prev, skip.height) &&
			same.number == skip.number,
		n, "its way back leads elsewhere");
	check_header(c, n, &prev);
}

/* Is it a linked one that could lead, without a child that could? *children: how many. */
static bool is_candidate(struct check *c, const struct bb_node *n, uint64_t *children)
{
	bool leads = could_lead(n);
	struct bb_node child;

	*children = 0;
	for (uint32_t next = n->child; next != BB_NO_NODE; next = child.sibling) {
		/* Siblings' numbers fall, so that even a damaged list has an end. */
		if (!expect(c, bb_tree_get(&child, c->s, next) && child.prev == n->number, n,
			    "its children are another's"))
			break;
		++*children;
		leads = leads && !could_lead(&child);
	}
	return leads;
}

static void check_children(struct check *c, const struct bb_node *n)
{
	const bool leaf = n->child == BB_NO_NODE;
	unsigned char key[4];
	uint64_t children;

	c->candidates += is_candidate(c, n, &children);
	c->children += children;
	c->leaves += leaf;
	expect(c, bb_store_has(c->s, BB_LEAVES, bb_key32(key, n->number)) == leaf, n,
		leaf ? "it is a leaf, and not noted as one" : "it is noted as a leaf");
}

static void note_greatest(struct check *c, const struct bb_node *n)
{
	const uint64_t end = (uint64_t)n->place.file << 32 | (n->place.pos + n->place.len);

	if (n->linked > c->last_linked)
		c->last_linked = n->linked;
	if ((n->status & BB_NODE_DATA) && end > c->last_end)
		c->last_end = end;
}

static void check_node(struct check *c, const struct bb_node *n)
{
	struct bb_block_claims claims;
	struct bb_block block;

	check_identity(c, n);
	if (n->number)
		check_parent(c, n);
	else
		check_genesis(c, n);
	check_children(c, n);
	note_greatest(c, n);
	/* Blocks of the active chain are read in its order, later. */
	if ((n->status & BB_NODE_DATA) && !bb_tree_is_active(c->s, n))
		check_block(&block, &claims, c, n);
}

/* Its work, and what is left of all numbers after `linked` (tree.c). */
static bool candidate_key_fits(struct bb_span key, const struct bb_node *n)
{
	unsigned char work[32];

	if (key.len != 40)
		return false;
	for (int i = 0; i < 32; i++)
		work[i] = key.data[31 - i];
	return memcmp(work, n->work, 32) == 0 &&
	       bb_be64(key.data + 32) == UINT64_MAX - n->linked;
}

/* Each is one and has its own key: then as many as there should be are all. */
static void check_candidates(struct check *c)
{
	uint64_t count = 0, children;
	struct bb_cursor at;
	struct bb_node n;
	bool more;

	if (!bb_cursor_open(&at, c->s, BB_CANDIDATES))
		return;
	for (more = bb_cursor_first(&at); more && !c->s->why; more = bb_cursor_next(&at)) {
		if (!expect_all(c,
			    at.value.len == 4 && bb_tree_get(&n, c->s, bb_le32(at.value.data)),
			    "a candidate for the tip is no block"))
			continue;
		expect(c, is_candidate(c, &n, &children) && candidate_key_fits(at.key, &n), &n,
			"it is no such candidate for the tip");
		count++;
	}
	bb_cursor_close(&at);
	if (count != c->candidates)
		bb_verify_wrong(c->v, "candidates for the tip: %" PRIu64 " instead of %" PRIu64,
			count, c->candidates);
}

/* What the next ones follow. */
static void check_counters(struct check *c)
{
	const uint64_t file = bb_store_number(c->s, "file"), end = bb_store_number(c->s, "end");

	expect_all(c, bb_store_number(c->s, "linked") == c->last_linked,
		"the count of linked blocks is wrong");
	expect_all(c, file == c->last_end >> 32 && end == (c->last_end & UINT32_MAX),
		"the last block does not end where the blocks' files are said to");
}

static void check_tip(struct check *c)
{
	struct bb_node tip, best;
	const bool has_best = bb_tree_best(&best, c->s);

	if (has_best && expect(c, bb_tree_tip(&tip, c->s), &best, "it is not the tip"))
		expect(c, tip.number == best.number, &tip, "it is the tip, and not the best");
	expect_all(c, has_best || !bb_store_count(c->s, BB_HEIGHTS), "no tip can be told");
}

static void check_tree(struct check *c)
{
	struct bb_node n;

	c->nodes = bb_store_count(c->s, BB_NODES);
	for (uint32_t i = 0; i < c->nodes && !c->s->why; i++) {
		const char *why;
		if (bb_tree_get(&n, c->s, i))
			check_node(c, &n);
		else if ((why = bb_verify_damage(c->s)) || !c->s->why)
			bb_verify_wrong(c->v, "header number %" PRIu32 ": %s", i,
				why ? why : "it is missing");
	}
	expect_all(c, bb_store_count(c->s, BB_IDS) == c->nodes,
		"there are more hashes of headers than headers");
	expect_all(c, c->children + (c->nodes > 0) == c->nodes,
		"not every header is its parent's child");
	expect_all(c, bb_store_count(c->s, BB_LEAVES) == c->leaves,
		"there are more leaves noted than leaves");
	check_candidates(c);
	check_counters(c);
	check_tip(c);
}

/* The active chain. */

/* A coin made or spent. */
static void count_coin(
	struct check *c, const struct bb_outpoint *o, const struct bb_coin *coin, bool made)
{
	struct bb_span record;

	c->record.len = 0;
	bb_put_coin_record(&c->record, o, coin);
	record = BB_SPAN(c->record.data, c->record.len);
	sum_change(&c->coins, record, made);
	for (size_t i = 0; i < REPEATS; i++)
		if (c->repeat[i].awaited && memcmp(c->repeat[i].txid, o->txid, 32) == 0)
			sum_change(&c->repeat[i].coins, record, made);
}

static void count_outputs(
	struct check *c, const struct bb_block *block, size_t i, int32_t height)
{
	struct bb_coin coin = {.height = height, .coinbase = i == 0};
	const struct bb_tx *tx = &block->tx[i];
	struct bb_outpoint o;

	bb_block_txid(o.txid, block, i);
	for (o.vout = 0; o.vout < tx->out_count; o.vout++) {
		coin.value_sat = tx->out[o.vout].value_sat;
		coin.script = tx->out[o.vout].script;
		if (bb_output_is_coin(&tx->out[o.vout]))
			count_coin(c, &o, &coin, true);
	}
}

static void count_inputs(
	struct check *c, const struct bb_tx *tx, const struct bb_prevout *prevouts)
{
	for (size_t i = 0; i < tx->in_count; i++) {
		const struct bb_coin coin = {
			.value_sat = prevouts[i].value_sat,
			.height = (int32_t)prevouts[i].height,
			.coinbase = prevouts[i].coinbase == 1,
			.script = prevouts[i].script,
		};
		count_coin(c, &tx->in[i].prevout, &coin, false);
	}
}

static void count_coins(struct check *c, const struct bb_block *block,
	const struct bb_prevout *prevouts, int32_t height)
{
	for (size_t i = 0; i < REPEATS; i++)
		if (c->repeat[i].awaited && c->repeat[i].height == height) {
			c->repeat[i].awaited = false;
			sum_take(&c->coins, &c->repeat[i].coins);
		}
	for (size_t i = 0; i < block->tx_count; i++) {
		if (i) {
			count_inputs(c, &block->tx[i], prevouts);
			prevouts += block->tx[i].in_count;
		}
		count_outputs(c, block, i, height);
	}
}

static void count_rows(struct check *c, const struct bb_block *block,
	const struct bb_prevout *prevouts, int32_t height)
{
	unsigned char key[BB_ROW_SIZE];

	bb_rows_drop(&c->rows);
	if (!bb_rows_block(&c->rows, block, prevouts, height, true)) {
		c->s->why = "out of memory";
		return;
	}
	for (size_t i = 0; i < c->rows.count; i++) {
		const enum bb_table t = bb_rows_at(key, &c->rows, i);
		sum_change(
			t == BB_TXS ? &c->txs : &c->history, BB_SPAN(key, sizeof(key)), true);
	}
}

/* The rules on the coins that it spent, but for their scripts. */
static void check_inputs(struct check *c, const struct bb_node *n, const struct bb_block *block,
	struct bb_prevout *prevouts, const struct bb_block_claims *claims)
{
	const uint32_t flags = bb_block_flags(c->n, n->id, n->height);
	unsigned unjudged = 0;
	const char *why;
	size_t at;

	why = bb_check_block_inputs(&unjudged, &at, block, prevouts, claims, flags, c->n);
	expect(c, !why, n, why);
}

/* One block of the active chain; false: it cannot be followed. */
static bool follow(struct check *c, const struct bb_node *n)
{
	const unsigned good = BB_NODE_DATA | BB_NODE_JUDGED;
	struct bb_block_claims claims;
	struct bb_prevout *prevouts;
	struct bb_block block;

	expect(c, (n->status & (good | BB_NODE_BAD)) == good && n->linked, n,
		"it is active, and not found valid");
	if (!check_block(&block, &claims, c, n))
		return false;
	prevouts = bb_arena_array(&c->arena, bb_block_spends(&block) + 1, sizeof(*prevouts));
	if (!prevouts) {
		c->s->why = "out of memory";
		return false;
	}
	if (!expect(c, bb_undo_get_block(prevouts, c->s, &c->arena, n->number, &block), n,
		    "what it spent is missing"))
		return false;
	c->undo_count += block.tx_count - 1;
	count_rows(c, &block, prevouts, n->height);
	/* The genesis block's output never was a coin. */
	if (n->height) {
		count_coins(c, &block, prevouts, n->height);
		check_inputs(c, n, &block, prevouts, &claims);
	}
	return true;
}

/* Which transactions come twice, so that the first time is known to be one. */
static void find_repeats(struct check *c)
{
	for (size_t i = 0; i < c->n->bip30_exception_count; i++) {
		struct repeat *r = &c->repeat[i];
		struct bb_block block;
		struct bb_node n;
		r->height = c->n->bip30_exceptions[i].height;
		if (!bb_tree_at(&n, c->s, r->height) ||
			memcmp(n.id, c->n->bip30_exceptions[i].hash, 32) != 0 ||
			load_block(&block, c, &n))
			continue;
		bb_block_txid(r->txid, &block, 0);
		r->awaited = true;
	}
	bb_verify_damage(c->s); /* it is met again in turn */
}

static void check_chain(struct check *c)
{
	const uint64_t count = bb_store_count(c->s, BB_HEIGHTS);
	struct bb_node n, before = {.number = BB_NO_NODE};

	find_repeats(c);
	for (int32_t h = 0; (uint64_t)h < count && !c->s->why; h++) {
		const char *why;
		if (c->v->turn && h % 64 == 0)
			c->v->turn(c->v->arg, h, (int32_t)(count - 1));
		if (!bb_tree_at(&n, c->s, h)) {
			if ((why = bb_verify_damage(c->s)) || !c->s->why)
				bb_verify_wrong(c->v, "height %" PRId32 ": %s", h,
					why ? why : "it is missing");
			c->blind = true;
			continue;
		}
		if (h == 0 || before.number != BB_NO_NODE)
			expect(c, n.prev == before.number, &n,
				"it does not stand on the active block below");
		before = n;
		if (follow(c, &n))
			c->v->blocks++;
		else
			c->blind = true;
	}
	if (count && c->v->turn)
		c->v->turn(c->v->arg, (int32_t)(count - 1), (int32_t)(count - 1));
}

/* The coins and the indexes, against what the blocks said. */

static void check_coins(struct check *c)
{
	unsigned char key[8 + BB_OUTPOINT_MAX];
	struct sum stored = {0};
	struct bb_cursor at;
	bool more;

	if (!bb_cursor_open(&at, c->s, BB_COINS))
		return;
	for (more = bb_cursor_first(&at); more; more = bb_cursor_next(&at)) {
		struct bb_outpoint o;
		struct bb_coin coin;
		if (!bb_outpoint_from_key(&o, at.key) || !bb_coin_parse(&coin, at.value)) {
			bb_verify_wrong(c->v, "coins: one of them cannot be read");
			continue;
		}
		c->record.len = 0;
		bb_put_coin_record(&c->record, &o, &coin);
		sum_change(&stored, BB_SPAN(c->record.data, c->record.len), true);
		bb_script_prefix(key, coin.script);
		memcpy(key + 8, at.key.data, at.key.len);
		sum_change(&c->unspent, BB_SPAN(key, 8 + at.key.len), true);
	}
	bb_cursor_close(&at);
	c->v->coins = stored.count;
	if (!c->blind)
		compare_sums(c, &stored, &c->coins, "coins", "the blocks");
}

/* A table of keys without values. */
static void check_index(struct check *c, enum bb_table t, const struct sum *due,
	const char *what, const char *by)
{
	struct sum stored = {0};
	struct bb_cursor at;
	bool more, empty = true;

	if (!bb_cursor_open(&at, c->s, t))
		return;
	for (more = bb_cursor_first(&at); more; more = bb_cursor_next(&at)) {
		sum_change(&stored, at.key, true);
		empty = empty && !at.value.len;
	}
	bb_cursor_close(&at);
	if (c->s->why)
		return;
	if (!empty)
		bb_verify_wrong(c->v, "%s: some have values, which they never do", what);
	compare_sums(c, &stored, due, what, by);
}

/* Leaves are numbers, and nothing else. */
static void check_leaves(struct check *c)
{
	struct bb_cursor at;
	bool more, empty = true;

	if (!bb_cursor_open(&at, c->s, BB_LEAVES))
		return;
	for (more = bb_cursor_first(&at); more && empty; more = bb_cursor_next(&at))
		empty = !at.value.len;
	bb_cursor_close(&at);
	expect_all(c, empty, "leaves: some have values, which they never do");
}

static void check_tables(struct check *c)
{
	check_leaves(c);
	check_coins(c);
	if (c->record.failed)
		c->s->why = "out of memory";
	if (c->s->why)
		return;
	check_index(c, BB_UNSPENT, &c->unspent, "coins by script", "the coins");
	if (c->blind) {
		bb_verify_wrong(c->v,
			"coins and indexes were not compared with the blocks, since not all "
			"of these could be followed");
		return;
	}
	check_index(c, BB_TXS, &c->txs, "places of transactions", "the blocks");
	check_index(c, BB_HISTORY, &c->history, "histories of scripts", "the blocks");
	expect_all(c, bb_store_count(c->s, BB_UNDO) == c->undo_count,
		"there are more undo data than blocks of the active chain need");
}

/* Events: what they tell, from the first on, leads to the tip. */

/* The top of the chain after it; false: it does not fit. */
static bool event_fits(uint32_t *top, const struct bb_event *e, const struct bb_node *n)
{
	const uint32_t before = *top;

	if (e->kind == BB_EVENT_DISCONNECTED) {
		*top = n->prev;
		return before == n->number;
	}
	*top = n->number;
	return before == (e->kind == BB_EVENT_CONNECTED ? n->prev : n->number);
}

static void check_event(struct check *c, uint32_t *top, const struct bb_event *e)
{
	struct bb_node n;

	if (!bb_tree_find(&n, c->s, e->id) || n.height != e->height) {
		bb_verify_damage(c->s);
		bb_verify_wrong(c->v, "event %" PRIu64 ": it is about no block", e->seq);
	} else if (!event_fits(top, e, &n)) {
		bb_verify_wrong(c->v, "event %" PRIu64 ": it does not follow from those before",
			e->seq);
	}
}

/* Numbers that are missing were the mempool's. */
static void check_events(struct check *c)
{
	uint32_t top = BB_NO_NODE;
	enum bb_event_kind last = 0;
	struct bb_node tip;
	struct bb_event e;
	uint64_t count = 0, put = bb_store_number(c->s, "events");

	for (uint64_t seq = 0; bb_event_after(&e, c->s, seq); seq = e.seq) {
		if (!bb_event_of_chain(e.kind))
			continue;
		check_event(c, &top, &e);
		last = e.kind;
		count++;
	}
	if (!expect_all(c, bb_store_count(c->s, BB_EVENTS) == count,
		    "events: some have no number") ||
		!expect_all(c, !put || put == count, "events: not as many as there were"))
		return;
	if (bb_tree_tip(&tip, c->s))
		expect(c, last == BB_EVENT_TIP && top == tip.number, &tip,
			"it is the tip, and no event says so");
	bb_verify_damage(c->s);
}

/* Orphans (orphans.h). */

/* Are the bytes of that kind, and could they be a block's? As the ledger's keep_block asks. */
static bool orphan_is_of_kind(struct check *c, struct bb_span bytes, unsigned kind)
{
	struct bb_block block;

	if (kind == BB_ORPHAN_HEADER)
		return bytes.len == BB_HEADER_SIZE;
	bb_arena_reset(&c->arena);
	if (!bb_block_parse(&block, bytes, &c->arena) || bb_check_block_alone(&block, c->n) ||
		bb_block_weight(&block) > BB_MAX_BLOCK_WEIGHT)
		return false;
	if (!bb_check_witness(&block, false))
		return kind == BB_ORPHAN_BARE;
	return kind == BB_ORPHAN_COMMITTED && !bb_check_witness(&block, true);
}

static bool orphan_fits(struct check *c, const struct bb_cursor *at)
{
	unsigned char id[32], age[8];
	struct bb_span bytes, key;
	struct bb_header h;

	if (at->key.len != 65 || at->value.len < 8 + BB_HEADER_SIZE)
		return false;
	bytes = BB_SPAN(at->value.data + 8, at->value.len - 8);
	bb_header_parse(&h, BB_SPAN(bytes.data, BB_HEADER_SIZE));
	bb_header_hash(id, &h);
	return memcmp(at->key.data, h.prev, 32) == 0 &&
	       memcmp(at->key.data + 32, id, 32) == 0 &&
	       orphan_is_of_kind(c, bytes, at->key.data[64]) &&
	       bb_store_get(
		       &key, c->s, BB_ORPHAN_AGE, bb_key64(age, bb_le64(at->value.data))) &&
	       bb_span_equal(key, at->key);
}

static void check_orphans(struct check *c)
{
	uint64_t bytes = 0, last_age = 0;
	struct bb_cursor at;
	bool more;

	if (!bb_cursor_open(&at, c->s, BB_ORPHANS))
		return;
	for (more = bb_cursor_first(&at); more && !c->s->why; more = bb_cursor_next(&at)) {
		char id[64] = "";
		if (at.key.len >= 64)
			bb_hash_encode(id, at.key.data + 32);
		if (!orphan_fits(c, &at))
			bb_verify_wrong(c->v, "orphan %.64s: it is not what it is kept as", id);
		else if (bb_le64(at.value.data) > last_age)
			last_age = bb_le64(at.value.data);
		bytes += at.value.len > 8 ? at.value.len - 8 : 0;
	}
	bb_cursor_close(&at);
	expect_all(c, bb_store_count(c->s, BB_ORPHANS) == bb_store_count(c->s, BB_ORPHAN_AGE),
		"orphans and their ages are not as many");
	expect_all(c, bytes == bb_store_number(c->s, "orphan_bytes"),
		"the orphans' size is not as noted");
	expect_all(c, last_age <= bb_store_number(c->s, "orphan_age"),
		"an orphan is younger than the last");
}

bool bb_verify_store(struct bb_verify *v, struct bb_store *s, const struct bb_network *n)
{
	struct check c = {.v = v, .s = s, .n = n};

	v->blocks = v->coins = v->mempool = v->found = 0;
	if (!bb_store_begin(s))
		return false;
	check_tree(&c);
	if (!s->why)
		check_chain(&c);
	if (!s->why)
		check_tables(&c);
	if (!s->why)
		check_events(&c);
	if (!s->why)
		check_orphans(&c);
	if (!s->why)
		bb_verify_pool(v, s, n);
	bb_store_end(s);
	bb_rows_free(&c.rows);
	bb_arena_free(&c.arena);
	bb_buf_free(&c.bytes);
	bb_buf_free(&c.record);
	return !s->why;
}
