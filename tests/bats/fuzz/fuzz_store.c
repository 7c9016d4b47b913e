/* A store in which somebody has changed entries, or the blocks' bytes: every question, block,
 * invalidation and check either finds nothing, or says that the store is damaged; and
 * bb_verify_store finds every change that is one.
 *
 *	byte 0	what is done then: 1 questions, 2 the store is verified, 4 a block is treated
 *		as invalid and forgiven, 8 new blocks are given
 *	byte 1	which block that is
 *	then	up to four changes: a table of the chain's (one too many: the blocks' bytes;
 *		fuzz_pool.c does the mempool's), the entry as
 *		LE16, what: see change(); what it takes. BYTES are one byte of length and
 *		these */

#include <fcntl.h>

#include "chain.h"
#include "crypto/hash.h"

enum { MAX_CHANGES = 4, CHAIN = 6, MAX_FILE = 1 << 16 };

/* Blocks: the active chain, a side branch, one that is invalid, one of which only the header is
 * there, two without parents, and those that come later. */
enum {
	SIDE = CHAIN + 1,
	SIDE2,
	INVALID,
	HEADER,
	LOST,
	ORPHAN,
	ORPHAN_HEADER,
	NEXT,
	HEAVY,
	COUNT
};

static struct bb_store store;
static struct bb_network network;
static struct chain_block blocks[COUNT];
static bool ready;

static unsigned char file[MAX_FILE];
static size_t file_len;

/* What stands in the store, where verify can know it, as a number. */

static void add_entry(struct bb_sha256 *sum, const struct bb_cursor *c)
{
	const size_t key_len = c->key.len, len = c->value.len;

	bb_sha256_add(sum, (const unsigned char *)&key_len, sizeof(key_len));
	bb_sha256_add(sum, c->key.data, key_len);
	bb_sha256_add(sum, c->value.data, len);
}

static void add_entries(struct bb_sha256 *sum, enum bb_table t)
{
	struct bb_cursor c;

	bb_sha256_add(sum, (const unsigned char *)&t, sizeof(t));
	DEMAND(bb_cursor_open(&c, &store, t));
	for (bool more = bb_cursor_first(&c); more; more = bb_cursor_next(&c))
		add_entry(sum, &c);
	bb_cursor_close(&c);
}

/* Of a header without its block, nothing says how it stands; that a block's scripts were run,
 * is believed. */
enum { AT_STATUS = 152, AT_LINKED = 172, NODE_SIZE = 200 };

static void add_nodes(struct bb_sha256 *sum)
{
	struct bb_cursor c;

	DEMAND(bb_cursor_open(&c, &store, BB_NODES));
	for (bool more = bb_cursor_first(&c); more; more = bb_cursor_next(&c)) {
		unsigned char p[NODE_SIZE + 1] = {0};
		size_t len = c.value.len < sizeof(p) ? c.value.len : sizeof(p);
		memcpy(p, c.value.data, len);
		if (len == NODE_SIZE && !(p[AT_STATUS] & BB_NODE_DATA)) {
			p[AT_STATUS] &= ~BB_NODE_BAD;
			len = AT_LINKED + 8;
		}
		p[AT_STATUS] &= ~BB_NODE_JUDGED;
		bb_sha256_add(sum, c.key.data, c.key.len);
		bb_sha256_add(sum, p, len);
	}
	bb_cursor_close(&c);
}

static void add_numbers(struct bb_sha256 *sum)
{
	static const char *const words[] = {"file", "end", "linked", "orphan_bytes"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		const uint64_t v = bb_store_number(&store, words[i]);
		bb_sha256_add(sum, (const unsigned char *)&v, sizeof(v));
	}
}

static void add_file(struct bb_sha256 *sum)
{
	static unsigned char now[MAX_FILE];
	const int fd = openat(store.flat.dir_fd, "blk00000.dat", O_RDONLY | O_CLOEXEC);

	DEMAND(fd >= 0 && pread(fd, now, file_len, 0) == (ssize_t)file_len);
	close(fd);
	bb_sha256_add(sum, now, file_len);
}

static void sum_store(unsigned char out[32])
{
	struct bb_sha256 sum;

	bb_sha256_init(&sum);
	for (enum bb_table t = BB_IDS; t < BB_CHAIN_TABLES; t++)
		add_entries(&sum, t);
	add_nodes(&sum);
	add_numbers(&sum);
	add_file(&sum);
	bb_sha256_end(out, &sum);
}

/* Changes. */

static struct bb_span get_bytes(struct bb_reader *r)
{
	const size_t len = bb_get_u8(r);

	return bb_get_span(r, len < bb_left(r) ? len : bb_left(r));
}

static void change_file(struct bb_reader *r)
{
	const off_t at = bb_get_le16(r);
	const struct bb_span bytes = get_bytes(r);
	const int fd = openat(store.flat.dir_fd, "blk00000.dat", O_WRONLY | O_CLOEXEC);

	DEMAND(fd >= 0 && pwrite(fd, bytes.data, bytes.len, at) == (ssize_t)bytes.len);
	close(fd);
}

/* 0 value BYTES; 1 gone; 2 at an offset of its value, BYTES; 3 the same of its key; 4 a new
 * one, key BYTES and value BYTES; 5 the value of another, LE16. */
static void change(struct bb_reader *r)
{
	const unsigned t = bb_get_u8(r) % (BB_CHAIN_TABLES + 1);
	struct bb_buf key = {0}, value = {0}, more = {0};
	size_t number;
	uint8_t what;

	if (t == BB_CHAIN_TABLES) {
		change_file(r);
		return;
	}
	number = bb_get_le16(r);
	what = bb_get_u8(r) % 6;
	if (what == 4) {
		const struct bb_span k = get_bytes(r);
		chain_put_entry(&store, t, k, get_bytes(r));
	} else if (chain_entry(&key, &value, &store, t, number)) {
		bb_store_del(&store, t, buf_span(&key));
		if (what == 0)
			chain_put_entry(&store, t, buf_span(&key), get_bytes(r));
		if (what == 2 || what == 3) {
			const size_t at = bb_get_u8(r);
			lay_over(what == 2 ? &value : &key, at, get_bytes(r));
			chain_put_entry(&store, t, buf_span(&key), buf_span(&value));
		}
		if (what == 5) {
			struct bb_buf k = {0};
			if (chain_entry(&k, &more, &store, t, bb_get_le16(r)))
				chain_put_entry(&store, t, buf_span(&key), buf_span(&more));
			bb_buf_free(&k);
		}
	}
	bb_buf_free(&key);
	bb_buf_free(&value);
	bb_buf_free(&more);
}

/* What is done with it. After each, a failure is forgotten, so that the next has its turn. */

static void forgive(void)
{
	DEMAND(!store.why || *store.why);
	store.why = NULL;
}

static void ask_blocks(struct bb_arena *a)
{
	struct bb_stored_block b;
	struct bb_node n, tip, fork, up;

	const bool has_tip = bb_tree_tip(&tip, &store);
	forgive();
	for (uint32_t i = 0; i < COUNT; i++) {
		for (int prevouts = 0; prevouts < 2; prevouts++) {
			if (bb_tree_get(&n, &store, i) &&
				bb_query_block(&b, &store, &network, a, &n, prevouts))
				DEMAND(!store.why && (!prevouts || b.line.all_known));
			forgive();
		}
		if (has_tip && bb_tree_get(&n, &store, i)) {
			if (bb_tree_fork(&fork, &store, &tip, &n))
				DEMAND(fork.number <= n.number);
			forgive();
			bb_tree_ancestor(&up, &store, &tip, (int32_t)i);
			forgive();
		}
		bb_tree_find(&n, &store, blocks[i].id);
		forgive();
		bb_tree_at(&n, &store, (int32_t)i);
		forgive();
	}
}

static void ask_txs(struct bb_arena *a)
{
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < blocks[i].block.tx_count; k++) {
			const struct bb_outpoint o = chain_output(&blocks[i], k, 0);
			struct bb_stored_tx t;
			struct bb_coin coin;
			struct bb_prevout p[CHAIN_INPUTS];
			if (bb_query_tx(&t, &store, a, o.txid))
				DEMAND(!store.why && t.tx.in_count);
			forgive();
			bb_query_coin(&coin, &store, &o);
			forgive();
			bb_query_prevouts(p, &blocks[i].tx[k].tx, &store, a);
			forgive();
		}
}

static void ask_scripts(struct bb_arena *a)
{
	struct bb_unspent *coins;
	struct bb_stored_tx t;
	struct bb_row *rows;
	size_t count;

	for (unsigned kind = 0; kind < 8; kind++) {
		if (bb_query_unspent(&coins, &count, &store, a, chain_script(kind)))
			for (size_t i = 0; i < count; i++)
				bb_query_coin_mtp(&store, coins[i].coin.height);
		forgive();
		if (bb_query_history(&rows, &count, &store, a, chain_script(kind)))
			for (size_t i = 0; i < count; i++) {
				bb_query_tx_at(&t, &store, a, &rows[i]);
				forgive();
			}
		forgive();
	}
}

static void ask_events(void)
{
	struct bb_buf out = {0};
	struct bb_event e;
	uint64_t seq = 0;

	for (; bb_event_after(&e, &store, seq); seq = e.seq) {
		DEMAND(e.seq > seq);
		bb_put_event(&out, &e);
	}
	forgive();
	bb_buf_free(&out);
}

static void ask(void)
{
	struct bb_arena a = {0};
	struct bb_coins_sum sum;

	ask_blocks(&a);
	ask_txs(&a);
	ask_scripts(&a);
	ask_events();
	bb_coins_sum(&sum, &store, BB_COINS_HASH_SERIALIZED_3);
	forgive();
	bb_arena_free(&a);
}

static void count_wrong(void *arg, const char *text)
{
	(void)arg;
	DEMAND(*text);
}

/* True when it is found whole. */
static bool verify(void)
{
	struct bb_verify v = {.wrong = count_wrong};
	const bool finished = bb_verify_store(&v, &store, &network);

	DEMAND(finished == !store.why);
	forgive();
	return finished && !v.found;
}

static void judge_anew(struct bb_ledger *l, const struct chain_block *b)
{
	struct bb_verdict v;
	enum bb_outcome r;

	bb_ledger_invalidate(&v, &r, l, b->id);
	forgive();
	bb_ledger_reconsider(&v, &r, l, b->id);
	forgive();
}

static void give(struct bb_ledger *l)
{
	static const unsigned char order[] = {LOST, NEXT, HEAVY, SIDE2, HEADER};
	struct bb_verdict v;
	enum bb_outcome r;

	for (size_t i = 0; i < sizeof(order); i++) {
		chain_give_block(l, &blocks[order[i]], &v);
		forgive();
	}
	bb_ledger_add_header(&v, &r, l, &blocks[NEXT].block.header);
	forgive();
	chain_flush(l);
	forgive();
}

/* The store. */

static void make_block(size_t i, size_t prev, int64_t spent_from)
{
	struct chain_block *b = &blocks[i];

	chain_start(
		b, &blocks[prev].block.header, blocks[prev].height + 1, &network, (uint8_t)i);
	if (spent_from >= 0) {
		const struct bb_outpoint o = chain_output(&blocks[spent_from], 0, 0);
		struct chain_tx *t = chain_add_tx(b);
		chain_spend(t, &o, BB_SEQUENCE_FINAL);
		for (unsigned k = 0; k < CHAIN_OUTPUTS; k++)
			chain_pay(t, BB_COIN, k);
	}
	if (i == INVALID)
		b->tx[0].out[0].value_sat++;
	chain_finish(b, &network);
}

static void make_blocks(void)
{
	chain_genesis(&blocks[0], &network);
	for (size_t i = 1; i <= CHAIN; i++)
		make_block(i, i - 1, i > 3 ? (int64_t)i - 3 : -1);
	make_block(SIDE, CHAIN - 2, 1);
	make_block(SIDE2, SIDE, -1);
	make_block(INVALID, CHAIN, -1);
	make_block(HEADER, CHAIN, -1);
	make_block(LOST, CHAIN, 4);
	make_block(ORPHAN, LOST, 5);
	make_block(ORPHAN_HEADER, ORPHAN, -1);
	make_block(NEXT, CHAIN, -1);
	make_block(HEAVY, SIDE2, 3);
}

static void keep_file(void)
{
	const int fd = openat(store.flat.dir_fd, "blk00000.dat", O_RDONLY | O_CLOEXEC);
	const ssize_t n = read(fd, file, sizeof(file));

	DEMAND(n > 0 && n < (ssize_t)sizeof(file));
	file_len = (size_t)n;
	close(fd);
}

/* As it was; and away with those that a changed number has made. */
static void restore_file(void)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "blk%05u.dat", (unsigned)store.flat.write_file);
	if (store.flat.write_fd >= 0 && store.flat.write_file)
		unlinkat(store.flat.dir_fd, name, 0);
	bb_flat_close(&store.flat);
	fd = openat(store.flat.dir_fd, "blk00000.dat", O_WRONLY | O_CLOEXEC);
	DEMAND(fd >= 0 && pwrite(fd, file, file_len, 0) == (ssize_t)file_len);
	close(fd);
}

static void prepare(void)
{
	struct bb_ledger l;
	struct bb_verdict v;
	enum bb_outcome r;
	const char *why;

	network = chain_network();
	chain_make_store(&store, &network);
	make_blocks();
	DEMAND(bb_ledger_open(&l, &why, &store, &network, 1 << 20));
	l.now = CHAIN_NOW;
	for (size_t i = 1; i <= CHAIN; i++)
		DEMAND(chain_give_block(&l, &blocks[i], &v) == BB_OUTCOME_CONNECTED);
	DEMAND(chain_give_block(&l, &blocks[SIDE], &v) == BB_OUTCOME_SIDE);
	DEMAND(chain_give_block(&l, &blocks[INVALID], &v) == BB_OUTCOME_REFUSED);
	DEMAND(chain_give_block(&l, &blocks[ORPHAN], &v) == BB_OUTCOME_ORPHAN);
	DEMAND(bb_ledger_add_header(&v, &r, &l, &blocks[HEADER].block.header));
	DEMAND(bb_ledger_add_header(&v, &r, &l, &blocks[ORPHAN_HEADER].block.header));
	DEMAND(bb_ledger_commit(&l));
	bb_ledger_close(&l);
	keep_file();
	DEMAND(verify());
	ready = true;
}

static void run(struct bb_ledger *l, const uint8_t *data, size_t size)
{
	struct bb_reader r = bb_reader(data + 2, size - 2);
	unsigned char before[32], after[32];
	bool whole;

	sum_store(before);
	for (int i = 0; i < MAX_CHANGES && bb_left(&r) > 4; i++)
		change(&r);
	forgive();
	if (data[0] & 2) {
		sum_store(after);
		whole = verify();
		DEMAND(!whole || memcmp(before, after, 32) == 0);
	}
	if (data[0] & 1)
		ask();
	if (data[0] & 4)
		judge_anew(l, &blocks[data[1] % COUNT]);
	if (data[0] & 8)
		give(l);
	if (data[0] & 1)
		ask();
	verify();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bb_ledger l;
	const char *why;

	if (size < 2)
		return 0;
	if (!ready)
		prepare();
	DEMAND(bb_ledger_open(&l, &why, &store, &network, 1 << 16));
	l.now = CHAIN_NOW;
	within_run = true;
	run(&l, data, size);
	within_run = false;
	bb_ledger_close(&l);
	restore_file();
	return 0;
}
