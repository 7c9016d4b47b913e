/* Transactions, packages and blocks given to a ledger with a mempool, in any order, good ones
 * and bad ones, conflicts and orphans, branches that take over, templates that are mined: after
 * it the store is whole, what waits is what the events tell, and a template connects. Then
 * somebody changes rows of the mempool: bb_verify_store finds every change that is one, and all
 * questions, transactions and blocks find nothing, or say that the store is damaged.
 *
 * The input: a byte of policy, then steps, a byte each, and what they take:
 *	0-2	make a transaction: see make_tx(), and give it, unless the byte has bit 3
 *	3	a package of some that were made: how many, the last of them
 *	4	bytes of one that was made: which, LE16 where a byte is changed, by what
 *	5	a block of some that were made: the parent, how many, which
 *	6	a block of the template, on the tip
 *	7	bit 3: a block is treated as invalid, or forgiven: which; else time passes:
 *quarters of an hour, and the mempool has so much room A step 255 ends them; then up to four
 *changes (change()), and steps again. */

#include "chain.h"
#include "ledger/blocktemplate.h"
#include "ledger/estimate.h"

enum { BASE = 12, MAX_BLOCKS = 40, MAX_STEPS = 64, MAX_TXS = 48, MAX_CHANGES = 4 };

/* An output that was made, and the number of its script. */
struct output {
	struct bb_outpoint o;
	int64_t value;
	unsigned script;
};
enum { MAX_OUTPUTS = MAX_BLOCKS + MAX_TXS * CHAIN_OUTPUTS };

static struct bb_store store;
static struct bb_network network;
static struct bb_policy policy;
static struct chain_block blocks[MAX_BLOCKS]; /* the genesis block's header first */
static struct chain_tx txs[MAX_TXS];
static struct output outputs[MAX_OUTPUTS];
static size_t block_count, tx_count, output_count;
static bool damaged; /* on purpose: anything may fail, and nothing fall */

static void forgive(void)
{
	DEMAND(!store.why || (damaged && *store.why));
	store.why = NULL;
}

/* Scripts: anybody's, bare and behind a hash; nobody's; data. */
static unsigned script_number(unsigned kind)
{
	static const unsigned numbers[] = {0, 0, 0, 3, 3, 1, 2, 0};

	return numbers[kind % 8];
}

static void remember(const unsigned char txid[32], const struct bb_txout *out, uint32_t count,
	const unsigned *scripts)
{
	for (uint32_t i = 0; i < count && output_count < MAX_OUTPUTS; i++) {
		struct output *made = &outputs[output_count++];
		memcpy(made->o.txid, txid, 32);
		made->o.vout = i;
		made->value = out[i].value_sat;
		made->script = scripts[i];
	}
}

/* Transactions. */

/* The last ones are likelier: chains of descendants. */
static const struct output *pick(struct bb_reader *r)
{
	const uint8_t back = bb_get_u8(r);

	return &outputs[output_count - 1 - back % output_count];
}

static void spend(struct chain_tx *t, const struct output *from, uint32_t sequence)
{
	static const unsigned char unlock[] = {0x01, 0x51};

	chain_spend(t, &from->o, sequence);
	if (from->script == 3)
		t->in[t->tx.in_count - 1].script_sig = BB_SPAN(unlock, sizeof(unlock));
}

/* Shape, fee, which outputs it spends, its own scripts. */
static struct chain_tx *make_tx(struct bb_reader *r)
{
	static const uint32_t sequences[] = {
		BB_SEQUENCE_FINAL, BB_SEQUENCE_FINAL - 1, 1, 3, BB_SEQUENCE_BY_TIME | 1, 0};
	static const int64_t fees[] = {0, 10, 100, 300, 1000, 5000, 20000, -1};
	const uint8_t shape = bb_get_u8(r), more = bb_get_u8(r);
	struct chain_tx *t = &txs[tx_count++];
	const unsigned pays = 2 + (shape >> 2) % 3; /* with one it would be too small */
	unsigned scripts[CHAIN_OUTPUTS];
	unsigned char txid[32];
	int64_t sum = 0;

	*t = (struct chain_tx){.tx = {.in = t->in, .out = t->out}};
	t->tx.version = 1 + (more >> 6) % 3;
	t->tx.locktime = shape >> 7 ? more & 31 : 0;
	for (unsigned i = 0; i <= shape % CHAIN_INPUTS; i++) {
		const struct output *from = pick(r);
		sum += from->value;
		spend(t, from, sequences[(more >> 3) % 6]);
	}
	sum -= fees[more % 8] + (int64_t)(shape >> 4);
	for (unsigned i = 0; i < pays; i++) {
		scripts[i] = script_number(bb_get_u8(r));
		chain_pay(t, sum > 0 ? sum / pays : 0, scripts[i]);
	}
	bb_tx_txid(txid, &t->tx);
	remember(txid, t->out, pays, scripts);
	return t;
}

static void check_result(const struct bb_acceptance *a)
{
	DEMAND(a->verdict.valid ==
		(a->outcome == BB_OUTCOME_ACCEPTED || a->outcome == BB_OUTCOME_DUPLICATE));
	DEMAND(!a->verdict.error[0] == a->verdict.valid);
	/* Its parents may have come back in the meantime, and others have taken its place. */
	if (a->outcome == BB_OUTCOME_DUPLICATE || damaged)
		return;
	DEMAND(a->outcome != BB_OUTCOME_ACCEPTED || a->vsize > 0);
}

static void give_bytes(struct bb_ledger *l, struct bb_span bytes)
{
	struct bb_arena a = {0};
	struct bb_incoming_tx in;
	struct bb_acceptance r;

	if (bb_incoming_tx_parse(&in, &a, bytes) && bb_ledger_add_tx(&r, l, &a, &in))
		check_result(&r);
	forgive();
	bb_arena_free(&a);
}

static void give_tx(struct bb_ledger *l, const struct chain_tx *t)
{
	struct bb_buf bytes = {0};

	bb_put_tx(&bytes, &t->tx, true);
	give_bytes(l, buf_span(&bytes));
	bb_buf_free(&bytes);
}

static void give_package(struct bb_ledger *l, size_t count, size_t last)
{
	struct bb_buf bytes[4] = {0};
	struct bb_incoming_tx in[4];
	struct bb_package_acceptance r;
	struct bb_arena a = {0};

	if (count > tx_count)
		count = tx_count;
	for (size_t i = 0; i < count; i++) {
		bb_put_tx(
			&bytes[i], &txs[(last + tx_count + 1 + i - count) % tx_count].tx, true);
		DEMAND(bb_incoming_tx_parse(&in[i], &a, buf_span(&bytes[i])));
	}
	if (count && bb_ledger_add_package(&r, l, &a, in, count))
		for (size_t i = 0; i < r.count; i++)
			check_result(&r.tx[i]);
	forgive();
	for (size_t i = 0; i < count; i++)
		bb_buf_free(&bytes[i]);
	bb_arena_free(&a);
}

static void give_changed(struct bb_ledger *l, struct bb_reader *r)
{
	const struct chain_tx *t = &txs[bb_get_u8(r) % tx_count];
	const size_t at = bb_get_le16(r);
	const uint8_t by = bb_get_u8(r);
	struct bb_buf bytes = {0};

	bb_put_tx(&bytes, &t->tx, true);
	bytes.data[at % bytes.len] ^= by;
	give_bytes(l, buf_span(&bytes));
	bb_buf_free(&bytes);
}

/* Blocks. */

/* Merkle root and work. */
static void finish(struct chain_block *b, struct bb_tx *list, size_t count)
{
	struct bb_header *h = &b->block.header;
	bool mutated;

	list[0] = b->tx[0].tx;
	b->block.tx = list;
	b->block.tx_count = count;
	DEMAND(bb_block_merkle_root(h->merkle_root, &mutated, &b->block));
	do {
		h->nonce++;
		bb_header_hash(b->id, h);
	} while (!bb_pow_valid(b->id, 0x207fffff, &network));
}

static enum bb_outcome give_block(struct bb_ledger *l, const struct chain_block *b)
{
	static const unsigned any = 0;
	struct bb_verdict v;
	const enum bb_outcome r = chain_give_block(l, b, &v);
	unsigned char txid[32];

	forgive();
	bb_tx_txid(txid, &b->tx[0].tx);
	remember(txid, b->tx[0].out, 1, &any);
	return r;
}

static void make_block(struct bb_ledger *l, struct bb_reader *r)
{
	const struct chain_block
		*prev = &blocks[block_count - 1 - bb_get_u8(r) % (block_count - BASE + 4)];
	const size_t count = bb_get_u8(r) % 6;
	struct chain_block *b = &blocks[block_count];
	struct bb_tx list[6];

	chain_start(b, &prev->block.header, prev->height + 1, &network, (uint8_t)block_count);
	for (size_t i = 0; i < count; i++) {
		const uint8_t which = bb_get_u8(r);
		list[i + 1] = txs[which % (tx_count ? tx_count : 1)].tx;
	}
	finish(b, list, 1 + (tx_count ? count : 0));
	block_count++;
	give_block(l, b);
}

static const struct chain_block *find_block(const unsigned char id[32])
{
	for (size_t i = 0; i < block_count; i++)
		if (memcmp(blocks[i].id, id, 32) == 0)
			return &blocks[i];
	return NULL;
}

/* What is offered to miners is a block. */
static void mine(struct bb_ledger *l)
{
	struct chain_block *b = &blocks[block_count];
	const struct chain_block *prev;
	struct bb_block_template t;
	struct bb_arena a = {0};
	struct bb_node tip;
	struct bb_tx *list;

	if (bb_ledger_tip(&tip, l) &&
		bb_template_from_pool(&t, &store, &network, &a, CHAIN_NOW) &&
		(prev = find_block(t.prev.id))) {
		DEMAND(damaged || t.prev.number == tip.number);
		DEMAND((list = bb_arena_array(&a, t.tx_count + 1, sizeof(*list))));
		chain_start(b, &prev->block.header, prev->height + 1, &network,
			(uint8_t)block_count);
		for (size_t i = 0; i < t.tx_count; i++)
			DEMAND(bb_tx_parse(
				       &list[i + 1], bb_arena_copy(&a, t.tx[i].bytes), &a) ||
				damaged);
		b->tx[0].out[0].value_sat = t.value_sat;
		if (!damaged) {
			finish(b, list, t.tx_count + 1);
			block_count++;
			DEMAND(give_block(l, b) == BB_OUTCOME_CONNECTED);
		}
	}
	forgive();
	bb_arena_free(&a);
}

static void judge_anew(struct bb_ledger *l, const struct chain_block *b, bool good)
{
	struct bb_verdict v;
	enum bb_outcome r;

	if (good)
		bb_ledger_reconsider(&v, &r, l, b->id);
	else
		bb_ledger_invalidate(&v, &r, l, b->id);
	forgive();
}

/* Steps. */

static void pass_time(struct bb_ledger *l, uint8_t quarters, uint8_t room)
{
	l->now += quarters * 900;
	policy.pool_bytes = room & 15 ? (room & 15) * 1500 : 1 << 20;
	policy.cluster_count = room >> 4 ? room >> 4 : 64;
}

static void step(struct bb_ledger *l, struct bb_reader *r, uint8_t kind)
{
	struct chain_tx *t;

	switch (kind % 8) {
	case 3: {
		const size_t count = 1 + bb_get_u8(r) % 4;
		if (tx_count)
			give_package(l, count, bb_get_u8(r) % tx_count);
		break;
	}
	case 4:
		if (tx_count)
			give_changed(l, r);
		break;
	case 5:
		if (block_count < MAX_BLOCKS)
			make_block(l, r);
		break;
	case 6:
		if (block_count < MAX_BLOCKS)
			mine(l);
		break;
	case 7:
		if (kind & 8) {
			const uint8_t which = bb_get_u8(r);
			judge_anew(l, &blocks[which % block_count], kind & 16);
		} else {
			const uint8_t quarters = bb_get_u8(r);
			pass_time(l, quarters, bb_get_u8(r));
		}
		break;
	default:
		if (tx_count == MAX_TXS)
			break;
		t = make_tx(r);
		if (!(kind & 8))
			give_tx(l, t);
	}
}

static void take_steps(struct bb_ledger *l, struct bb_reader *r)
{
	for (int i = 0; i < MAX_STEPS && bb_left(r); i++) {
		const uint8_t kind = bb_get_u8(r);
		if (kind == 255)
			break;
		step(l, r, kind);
	}
}

/* What must hold. */

static void say(void *arg, const char *text)
{
	(void)arg;
	if (!damaged)
		fprintf(stderr, "found wrong: %s\n", text);
}

static bool verify(void)
{
	struct bb_verify v = {.wrong = say};
	const bool finished = bb_verify_store(&v, &store, &network);

	DEMAND(finished == !store.why);
	forgive();
	return finished && !v.found;
}

/* As many as came and did not leave. */
static void check_events(void)
{
	struct bb_pool_totals t;
	struct bb_event e;
	uint64_t count = 0;

	for (uint64_t seq = 0; bb_event_after(&e, &store, seq); seq = e.seq)
		if (!bb_event_of_chain(e.kind))
			count += e.kind == BB_EVENT_ACCEPTED ? 1 : UINT64_MAX;
	bb_pool_totals(&t, &store);
	DEMAND(!store.why && t.count == count);
}

/* Damage. */

static bool is_zero(struct bb_span s)
{
	size_t i = 0;

	while (i < s.len && !s.data[i])
		i++;
	return i == s.len;
}

/* What of an entry verify cannot know, and what stands in each other's place, is left out: when
 * somebody came, flags that no block asks for, ages, what numbers come next, the minimum. */
static bool blank(struct bb_buf *value, enum bb_table t, struct bb_span key)
{
	static const unsigned char unknown[32];
	enum { AT_TIME = 72, TIMES = 12, AT_FLAGS = 96, AT_NEXT = 32, ORPHANS = 24 };

	if (t == BB_POOL_TXS && value->len >= AT_FLAGS + 4) {
		memset(value->data + AT_TIME, 0, TIMES);
		bb_set_le32(value->data + AT_FLAGS,
			bb_le32(value->data + AT_FLAGS) &
				bb_block_flags(&network, unknown, BASE));
	}
	if (t == BB_POOL_ORPHANS && value->len >= 16)
		memset(value->data, 0, 16);
	if (t != BB_POOL_META)
		return true;
	if (bb_span_is(key, "totals") && value->len == AT_NEXT + 8)
		memset(value->data + AT_NEXT, 0, 8);
	if (bb_span_is(key, "orphans") && value->len == ORPHANS)
		memset(value->data, 0, 8);
	/* No row is as good as one of nothing. */
	return !bb_span_is(key, "rate") && !(key.len == 15 && key.data[0] == 'o') &&
	       !is_zero(buf_span(value));
}

static void add_entry(struct bb_sha256 *sum, enum bb_table t, const struct bb_cursor *c)
{
	struct bb_buf value = {0};

	bb_put(&value, c->value.data, c->value.len);
	if (blank(&value, t, c->key)) {
		bb_sha256_add(sum, (const unsigned char *)&c->key.len, sizeof(c->key.len));
		bb_sha256_add(sum, c->key.data, c->key.len);
		bb_sha256_add(sum, (const unsigned char *)&value.len, sizeof(value.len));
		bb_sha256_add(sum, value.data, value.len);
	}
	bb_buf_free(&value);
}

static void sum_pool(unsigned char out[32])
{
	struct bb_sha256 sum;
	struct bb_cursor c;

	bb_sha256_init(&sum);
	for (enum bb_table t = BB_POOL_META; t < BB_POOL_WAITS; t++) {
		bb_sha256_add(&sum, (const unsigned char *)&t, sizeof(t));
		DEMAND(bb_cursor_open(&c, &store, t));
		for (bool more = bb_cursor_first(&c); more; more = bb_cursor_next(&c))
			add_entry(&sum, t, &c);
		bb_cursor_close(&c);
	}
	bb_sha256_end(out, &sum);
}

static struct bb_span get_bytes(struct bb_reader *r)
{
	const size_t len = bb_get_u8(r) % 64;

	return bb_get_span(r, len < bb_left(r) ? len : bb_left(r));
}

/* A table, an entry, what: 0 another value; 1 it is gone; 2 over its value; 3 over its key; 4 a
 * new one; 5 the value of another. */
static void change(struct bb_reader *r)
{
	const enum bb_table t = BB_POOL_META +
				bb_get_u8(r) % (BB_TABLE_COUNT - BB_CHAIN_TABLES);
	const size_t number = bb_get_u8(r);
	const uint8_t what = bb_get_u8(r) % 6;
	struct bb_buf key = {0}, value = {0}, k = {0}, more = {0};

	if (what == 4) {
		const struct bb_span new_key = get_bytes(r);
		chain_put_entry(&store, t, new_key, get_bytes(r));
	} else if (chain_entry(&key, &value, &store, t, number)) {
		bb_store_del(&store, t, buf_span(&key));
		if (what == 0)
			chain_put_entry(&store, t, buf_span(&key), get_bytes(r));
		if (what == 2 || what == 3) {
			const size_t at = bb_get_u8(r);
			lay_over(what == 2 ? &value : &key, at, get_bytes(r));
			chain_put_entry(&store, t, buf_span(&key), buf_span(&value));
		}
		if (what == 5 && chain_entry(&k, &more, &store, t, bb_get_u8(r)))
			chain_put_entry(&store, t, buf_span(&key), buf_span(&more));
	}
	bb_buf_free(&key);
	bb_buf_free(&value);
	bb_buf_free(&k);
	bb_buf_free(&more);
}

static void ask(struct bb_ledger *l)
{
	struct bb_block_template t;
	struct bb_fee_estimate e;
	struct bb_arena a = {0};

	bb_template_from_pool(&t, &store, &network, &a, CHAIN_NOW);
	forgive();
	bb_estimate_rate(&e, &store, &policy, 3, l->now);
	forgive();
	for (size_t i = 0; i < tx_count; i++) {
		struct bb_prevout p[CHAIN_INPUTS];
		bb_query_prevouts(p, &txs[i].tx, &store, &a);
		forgive();
	}
	for (size_t i = 0; i < tx_count; i++)
		give_tx(l, &txs[i]);
	bb_arena_free(&a);
}

static void damage(struct bb_ledger *l, struct bb_reader *r)
{
	unsigned char before[32], after[32];
	bool whole;

	damaged = true;
	sum_pool(before);
	for (int i = 0; i < MAX_CHANGES && bb_left(r) > 3 && bb_get_u8(r) % 4; i++)
		change(r);
	forgive();
	sum_pool(after);
	whole = verify();
	DEMAND(!whole || memcmp(before, after, 32) == 0);
	ask(l);
	take_steps(l, r);
	chain_flush(l);
	forgive();
	verify();
	damaged = false;
}

/* The store: a few blocks of one coinbase each. */

static void prepare(void)
{
	struct bb_ledger l;
	const char *why;

	network = chain_network();
	network.halving_interval = 1000;
	chain_make_store(&store, &network);
	mdb_env_set_flags(store.pool_env, MDB_NOSYNC, 1);
	chain_genesis(&blocks[0], &network);
	block_count = 1;
	DEMAND(bb_ledger_open(&l, &why, &store, &network, 1 << 20));
	l.now = CHAIN_NOW;
	while (block_count < BASE) {
		struct chain_block *b = &blocks[block_count];
		struct bb_verdict v;
		chain_start(b, &blocks[block_count - 1].block.header, (int32_t)block_count,
			&network, (uint8_t)block_count);
		chain_finish(b, &network);
		block_count++;
		DEMAND(chain_give_block(&l, b, &v) == BB_OUTCOME_CONNECTED);
	}
	DEMAND(bb_ledger_commit(&l));
	bb_ledger_close(&l);
}

static void start(uint8_t about)
{
	static const unsigned any = 0;
	unsigned char txid[32];

	block_count = BASE;
	tx_count = output_count = 0;
	policy = bb_policy_core;
	policy.standard = (about & 7) == 7;
	policy.min_relay_rate = about & 8 ? 0 : 100;
	for (size_t i = 1; i < BASE; i++) {
		bb_tx_txid(txid, &blocks[i].tx[0].tx);
		remember(txid, blocks[i].tx[0].out, 1, &any);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bb_reader r = bb_reader(data, size);
	struct bb_ledger l;
	const char *why;

	if (!block_count)
		prepare();
	start(bb_get_u8(&r));
	DEMAND(bb_ledger_open(&l, &why, &store, &network, 1 << 16));
	l.now = CHAIN_NOW;
	l.pool.policy = &policy;
	within_run = true;
	take_steps(&l, &r);
	chain_flush(&l);
	DEMAND(verify());
	check_events();
	if (bb_left(&r))
		damage(&l, &r);
	within_run = false;
	bb_ledger_close(&l);
	store.why = NULL;
	return 0;
}
