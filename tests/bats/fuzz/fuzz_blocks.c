/* Blocks and headers given to a ledger in any order, good ones and bad ones, branches, blocks
 * told to be invalid and forgiven: whatever happens, the store is whole afterwards, the tip is
 * the best there is, and nothing refused has moved it.
 *
 * The input is a list of steps, a byte each, and what they take:
 *	0-2	make a block: see make(), and give it unless told to keep it
 *	3	give one that was made: which, 0 the block, 1 its header
 *	4	treat one as invalid: which
 *	5	forget that: which
 *	6	write everything gathered into the tables; odd: forget what is in memory
 *	7	bytes: their length as LE16, what to mend (1 parent, 2 bits, 4 Merkle root and
 *		work), the parent; then a block */

#include "chain.h"

enum { BASE = 4, MAX_BLOCKS = 40, MAX_STEPS = 48, MAX_POOL = 256 };

static struct bb_store store;
static struct bb_network network;
static struct chain_block blocks[MAX_BLOCKS]; /* the genesis block's header first */
static struct bb_outpoint pool[MAX_POOL];     /* outputs made */
static size_t block_count, pool_count;

static void remember(const struct chain_block *b)
{
	for (size_t i = 0; i < b->block.tx_count; i++)
		for (uint32_t v = 0; v < b->tx[i].tx.out_count && pool_count < MAX_POOL; v++)
			pool[pool_count++] = chain_output(b, i, v);
}

static void demand_whole(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "found wrong: %s\n", text);
}

static void check_store(struct bb_ledger *l)
{
	struct bb_verify v = {.wrong = demand_whole};
	struct bb_coins_sum sum;
	struct bb_node tip, best;

	chain_flush(l);
	DEMAND(bb_verify_store(&v, &store, &network) && v.found == 0);
	DEMAND(bb_tree_tip(&tip, &store) && bb_tree_best(&best, &store));
	DEMAND(tip.number == best.number);
	DEMAND(bb_coins_sum(&sum, &store, BB_COINS_NO_HASH) && sum.count == v.coins);
}

static void give(struct bb_ledger *l, const struct chain_block *b, bool header)
{
	struct bb_node before, after;
	struct bb_verdict v;
	enum bb_outcome r;

	DEMAND(bb_ledger_tip(&before, l));
	if (header)
		DEMAND(bb_ledger_add_header(&v, &r, l, &b->block.header));
	else
		r = chain_give_block(l, b, &v);
	DEMAND(!store.why && bb_ledger_tip(&after, l));
	DEMAND(bb_number_compare(after.work, before.work) >= 0);
	DEMAND(v.valid == (r != BB_OUTCOME_REFUSED) && !v.error[0] == v.valid);
	if (r == BB_OUTCOME_REFUSED || r == BB_OUTCOME_ORPHAN || r == BB_OUTCOME_DUPLICATE)
		DEMAND(before.number == after.number);
	DEMAND(r != BB_OUTCOME_CONNECTED ||
		(bb_tree_find(&before, &store, b->id) && bb_tree_is_active(&store, &before)));
}

/* Steps. */

static void make_tx(struct chain_block *b, struct bb_reader *r)
{
	static const uint32_t sequences[] = {
		BB_SEQUENCE_FINAL, 0, 1, 3, BB_SEQUENCE_BY_TIME | 1, BB_SEQUENCE_DISABLE};
	struct chain_tx *t = chain_add_tx(b);
	const uint8_t shape = bb_get_u8(r), more = bb_get_u8(r);

	for (unsigned i = 0; i <= shape % CHAIN_INPUTS; i++) {
		const size_t which = bb_get_u8(r) % (pool_count + 1);
		/* the last: an output of the transaction before, in this very block */
		const struct bb_outpoint o = which < pool_count
						     ? pool[which]
						     : chain_output(
							       b, b->block.tx_count - 2, 0);
		chain_spend(t, &o, sequences[more % 6]);
	}
	for (unsigned i = 0; i <= (shape >> 2) % CHAIN_OUTPUTS; i++) {
		const uint8_t pay = bb_get_u8(r);
		chain_pay(t, (int64_t)(pay >> 3) << 26, pay & 7);
	}
	t->tx.version = 1 + (shape >> 7);
	t->tx.locktime = more & 0x80 ? more & 0x7f : 0;
}

/* Parent, what is wrong with it, how many transactions, its time; then these. */
static void make(struct bb_ledger *l, struct bb_reader *r)
{
	enum {
		KEEP = 1,
		BITS = 2,
		HEIGHT = 4,
		VALUE = 8,
		ROOT = 16,
		WORKLESS = 32,
		TWICE = 64
	};
	const struct chain_block *prev = &blocks[bb_get_u8(r) % block_count];
	const uint8_t flaws = bb_get_u8(r), txs = bb_get_u8(r), time = bb_get_u8(r);
	struct chain_block *b = &blocks[block_count];

	chain_start(b, &prev->block.header, prev->height + 1 + !!(flaws & HEIGHT), &network,
		flaws & TWICE ? 0 : (uint8_t)block_count);
	b->block.header.time += (uint32_t)((int8_t)time * 64);
	b->block.header.bits -= !!(flaws & BITS);
	for (unsigned i = 0; i < txs % CHAIN_TXS; i++)
		make_tx(b, r);
	b->tx[0].out[0].value_sat += flaws & VALUE ? 1 : -(int64_t)(txs >> 2);
	chain_finish(b, &network);
	b->height = prev->height + 1;
	if (flaws & (ROOT | WORKLESS)) {
		b->block.header.merkle_root[0] ^= !!(flaws & ROOT);
		b->block.header.nonce += !!(flaws & WORKLESS);
		bb_header_hash(b->id, &b->block.header);
	}
	block_count++;
	remember(b);
	if (!(flaws & KEEP))
		give(l, b, false);
}

static const struct chain_block *which(struct bb_reader *r)
{
	return &blocks[bb_get_u8(r) % block_count];
}

static void judge_anew(struct bb_ledger *l, const struct chain_block *b, bool good)
{
	struct bb_node n;
	struct bb_verdict v;
	enum bb_outcome r;

	DEMAND(good ? bb_ledger_reconsider(&v, &r, l, b->id)
		    : bb_ledger_invalidate(&v, &r, l, b->id));
	if (r == BB_OUTCOME_REFUSED)
		return;
	DEMAND(bb_tree_find(&n, &store, b->id));
	DEMAND(good || ((n.status & BB_NODE_FAILED) && !bb_tree_is_active(&store, &n)));
}

static void forget(struct bb_ledger *l, bool all)
{
	chain_flush(l);
	if (all)
		bb_coins_drop(&l->coins);
	else
		bb_coins_trim(&l->coins);
}

static void mend(struct bb_block *b, uint8_t what, const struct bb_header *prev)
{
	unsigned char id[32];
	bool mutated;

	if (what & 1)
		bb_header_hash(b->header.prev, prev);
	if (what & 2) {
		b->header.bits = 0x207fffff;
		b->header.time = prev->time + 60;
	}
	if (!(what & 4) || !b->tx_count)
		return;
	DEMAND(bb_block_merkle_root(b->header.merkle_root, &mutated, b));
	do {
		b->header.nonce++;
		bb_header_hash(id, &b->header);
	} while (!bb_pow_valid(id, 0x207fffff, &network));
}

static void give_bytes(struct bb_ledger *l, struct bb_reader *r)
{
	const size_t len = bb_get_le16(r);
	const uint8_t what = bb_get_u8(r);
	const struct chain_block *prev = which(r);
	const struct bb_span bytes = bb_get_span(r, len < bb_left(r) ? len : bb_left(r));
	struct bb_arena a = {0};
	struct bb_buf out = {0};
	struct bb_node before, after;
	struct bb_block block;
	struct bb_verdict v;

	if (bb_block_parse(&block, bytes, &a)) {
		mend(&block, what, &prev->block.header);
		bb_put_block(&out, &block);
		DEMAND(bb_ledger_tip(&before, l));
		if (chain_give(l, buf_span(&out), &v) == BB_OUTCOME_REFUSED)
			DEMAND(bb_ledger_tip(&after, l) && after.number == before.number);
		DEMAND(!store.why);
	}
	bb_buf_free(&out);
	bb_arena_free(&a);
}

static void step(struct bb_ledger *l, struct bb_reader *r)
{
	const uint8_t kind = bb_get_u8(r);

	switch (kind % 8) {
	case 3: give(l, which(r), bb_get_u8(r) & 1); break;
	case 4: judge_anew(l, which(r), false); break;
	case 5: judge_anew(l, which(r), true); break;
	case 6: forget(l, kind & 8); break;
	case 7: give_bytes(l, r); break;
	default:
		if (block_count < MAX_BLOCKS)
			make(l, r);
	}
}

/* The store: a few blocks of one coinbase each. */

static void prepare(void)
{
	struct bb_ledger l;
	const char *why;

	network = chain_network();
	chain_make_store(&store, &network);
	chain_genesis(&blocks[0], &network);
	block_count = 1;
	DEMAND(bb_ledger_open(&l, &why, &store, &network, 1 << 20));
	l.now = CHAIN_NOW;
	while (block_count < BASE) {
		struct chain_block *b = &blocks[block_count];
		chain_start(b, &blocks[block_count - 1].block.header, (int32_t)block_count,
			&network, (uint8_t)block_count);
		chain_finish(b, &network);
		block_count++;
		give(&l, b, false);
	}
	DEMAND(bb_ledger_commit(&l));
	bb_ledger_close(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bb_reader r = bb_reader(data, size);
	struct bb_ledger l;
	const char *why;

	if (!block_count)
		prepare();
	block_count = BASE;
	pool_count = 0;
	for (size_t i = 1; i < BASE; i++)
		remember(&blocks[i]);
	DEMAND(bb_ledger_open(&l, &why, &store, &network, 1 << 16));
	l.now = CHAIN_NOW;
	within_run = true;
	for (int i = 0; i < MAX_STEPS && bb_left(&r); i++)
		step(&l, &r);
	check_store(&l);
	within_run = false;
	bb_ledger_close(&l);
	DEMAND(!store.why);
	return 0;
}
