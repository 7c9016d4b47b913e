#ifndef BB_FUZZ_CHAIN_H
#define BB_FUZZ_CHAIN_H

/* Blocks made on demand, and a store of a few of them in a folder of this process alone. What a
 * run does to the store it does in one transaction, which is never committed: for its time
 * bb_store_begin and bb_store_end do nothing (they are wrapped). */

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bitcoin/genesis.h"
#include "bitcoin/merkle.h"
#include "bitcoin/pow.h"
#include "fuzz.h"
#include "ledger/ledger.h"
#include "ledger/coinshash.h"
#include "ledger/store_inside.h"
#include "ledger/verify.h"

enum { CHAIN_NOW = 1700000000, CHAIN_TXS = 4, CHAIN_INPUTS = 3, CHAIN_OUTPUTS = 4 };

static bool within_run;

bool __real_bb_store_begin(struct bb_store *s);
bool __wrap_bb_store_begin(struct bb_store *s);
void __real_bb_store_end(struct bb_store *s);
void __wrap_bb_store_end(struct bb_store *s);

bool __wrap_bb_store_begin(struct bb_store *s)
{
	return within_run ? !s->why : __real_bb_store_begin(s);
}

void __wrap_bb_store_end(struct bb_store *s)
{
	if (!within_run)
		__real_bb_store_end(s);
}

/* Regtest, but that coinbases are ripe soon and the subsidy falls. */
static inline struct bb_network chain_network(void)
{
	struct bb_network n = *bb_network_find("regtest");

	strcpy(n.name, "fuzz");
	n.coinbase_maturity = 2;
	n.halving_interval = 4;
	return n;
}

/* Scripts of outputs that anybody can spend, and that nobody can. */
static const unsigned char script_true[] = {0x51}, script_false[] = {0x00},
			   script_return[] = {0x6a, 0x01, 0x55},
			   script_p2sh_true[] = {0xa9, 0x14, 0xda, 0x17, 0x45, 0xe9, 0xb5, 0x49,
				   0xbd, 0x0b, 0xfa, 0x1a, 0x56, 0x99, 0x71, 0xc7, 0x7e, 0xba,
				   0x30, 0xcd, 0x5a, 0x4b, 0x87},
			   script_lock[] = {0x75, 0x51}, script_long[10001] = {0x51};

static inline struct bb_span chain_script(unsigned kind)
{
	switch (kind % 8) {
	case 1: return BB_SPAN(script_false, sizeof(script_false));
	case 2: return BB_SPAN(script_return, sizeof(script_return));
	case 3: return BB_SPAN(script_p2sh_true, sizeof(script_p2sh_true));
	case 4: return BB_SPAN(script_lock, sizeof(script_lock));
	case 5: return BB_SPAN(script_long, sizeof(script_long));
	case 6: return BB_SPAN(script_long, sizeof(script_long) - 1);
	default: return BB_SPAN(script_true, sizeof(script_true));
	}
}

/* A transaction in the making: everything in one place. */
struct chain_tx {
	struct bb_tx tx;
	struct bb_txin in[CHAIN_INPUTS];
	struct bb_txout out[CHAIN_OUTPUTS];
	unsigned char script_sig[8];
};

struct chain_block {
	struct bb_block block;
	struct chain_tx tx[CHAIN_TXS];
	struct bb_tx list[CHAIN_TXS];
	unsigned char id[32];
	int32_t height;
};

/* The coinbase of that height; `tag` makes it another. */
static inline void chain_coinbase(
	struct chain_tx *t, int32_t height, int64_t value, uint8_t tag)
{
	unsigned char *p = t->script_sig;

	*t = (struct chain_tx){.tx = {.version = 1, t->in, 1, t->out, 1}};
	if (height > 16)
		*p++ = 1;
	*p++ = (unsigned char)(height > 16 ? height : 0x50 + height);
	*p++ = 1;
	*p++ = tag;
	t->in[0] = (struct bb_txin){
		.prevout.vout = UINT32_MAX,
		.sequence = BB_SEQUENCE_FINAL,
		.script_sig = BB_SPAN(t->script_sig, p - t->script_sig),
	};
	t->out[0] = (struct bb_txout){value, chain_script(0)};
}

/* Merkle root and work for regtest's limit, whatever the bits say. */
static inline void chain_finish(struct chain_block *b, const struct bb_network *n)
{
	struct bb_header *h = &b->block.header;
	bool mutated;

	for (size_t i = 0; i < b->block.tx_count; i++)
		b->list[i] = b->tx[i].tx;
	b->block.tx = b->list;
	DEMAND(bb_block_merkle_root(h->merkle_root, &mutated, &b->block));
	do {
		h->nonce++;
		bb_header_hash(b->id, h);
	} while (!bb_pow_valid(b->id, 0x207fffff, n));
}

/* A block on top of `prev`, with its coinbase alone; not finished. Blocks stay where they are
 * made. */
static inline void chain_start(struct chain_block *b, const struct bb_header *prev,
	int32_t height, const struct bb_network *n, uint8_t tag)
{
	*b = (struct chain_block){.height = height};
	b->block.header = (struct bb_header){
		.version = 4, .time = prev->time + 600, .bits = 0x207fffff};
	bb_header_hash(b->block.header.prev, prev);
	b->block.tx_count = 1;
	chain_coinbase(&b->tx[0], height, bb_subsidy(n, height), tag);
}

/* One more transaction, yet without inputs and outputs. */
static inline struct chain_tx *chain_add_tx(struct chain_block *b)
{
	struct chain_tx *t = &b->tx[b->block.tx_count++];

	t->tx = (struct bb_tx){.version = 2, .in = t->in, .out = t->out};
	return t;
}

static inline void chain_spend(
	struct chain_tx *t, const struct bb_outpoint *o, uint32_t sequence)
{
	t->in[t->tx.in_count++] = (struct bb_txin){.prevout = *o, .sequence = sequence};
}

static inline void chain_pay(struct chain_tx *t, int64_t value, unsigned script)
{
	t->out[t->tx.out_count++] = (struct bb_txout){value, chain_script(script)};
}

static inline struct bb_outpoint chain_output(
	const struct chain_block *b, size_t tx, uint32_t vout)
{
	struct bb_outpoint o = {.vout = vout};

	bb_tx_txid(o.txid, &b->tx[tx].tx);
	return o;
}

/* The block that is known to begin with; its header alone. */
static inline void chain_genesis(struct chain_block *b, const struct bb_network *n)
{
	struct bb_buf bytes = {0};

	DEMAND(bb_put_genesis(&bytes, n));
	DEMAND(bb_header_parse(&b->block.header, BB_SPAN(bytes.data, BB_HEADER_SIZE)));
	bb_header_hash(b->id, &b->block.header);
	bb_buf_free(&bytes);
}

/* Folders. */

static char chain_folder[] = "/dev/shm/bb-fuzz-chain-XXXXXX";

static inline void remove_in(const char *below)
{
	char path[512];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s%s", chain_folder, below);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (unlinkat(dirfd(d), e->d_name, 0) != 0)
			continue;
	if (d)
		closedir(d);
	rmdir(path);
}

static inline void chain_remove(void)
{
	remove_in("/chain");
	remove_in("/blocks");
	remove_in("/mempool");
	remove_in("");
}

static inline void chain_make_store(struct bb_store *s, const struct bb_network *n)
{
	char message[BB_STORE_MESSAGE];

	DEMAND(mkdtemp(chain_folder));
	atexit(chain_remove);
	DEMAND(bb_store_open(s, message, chain_folder, BB_STORE_ALONE, n));
	mdb_env_set_flags(s->env, MDB_NOSYNC, 1);
}

/* Entries. */

/* The one of that number, copied. */
static inline bool chain_entry(struct bb_buf *key, struct bb_buf *value, struct bb_store *s,
	enum bb_table t, size_t number)
{
	const uint64_t count = bb_store_count(s, t);
	struct bb_cursor c;
	bool more;

	if (!count || !bb_cursor_open(&c, s, t))
		return false;
	more = bb_cursor_first(&c);
	for (number %= count; more && number; number--)
		more = bb_cursor_next(&c);
	if (more) {
		bb_put(key, c.key.data, c.key.len);
		bb_put(value, c.value.data, c.value.len);
	}
	bb_cursor_close(&c);
	return more;
}

static inline void chain_put_entry(
	struct bb_store *s, enum bb_table t, struct bb_span key, struct bb_span value)
{
	if (key.len && key.len < 400)
		bb_store_put(s, t, key, value);
}

static inline void lay_over(struct bb_buf *b, size_t at, struct bb_span bytes)
{
	for (size_t i = 0; i < bytes.len && at + i < b->len; i++)
		b->data[at + i] = bytes.data[i];
}

/* Verdicts. */

static inline enum bb_outcome chain_give(
	struct bb_ledger *l, struct bb_span bytes, struct bb_verdict *v)
{
	struct bb_arena a = {0};
	struct bb_incoming in;
	enum bb_outcome r = BB_OUTCOME_REFUSED;

	*v = (struct bb_verdict){0};
	if (bb_incoming_parse(&in, &a, bytes, l->network) &&
		!bb_ledger_add_block(v, &r, l, &in, NULL))
		r = BB_OUTCOME_REFUSED;
	bb_arena_free(&a);
	return r;
}

static inline enum bb_outcome chain_give_block(
	struct bb_ledger *l, const struct chain_block *b, struct bb_verdict *v)
{
	struct bb_buf bytes = {0};
	enum bb_outcome r;

	bb_put_block(&bytes, &b->block);
	r = chain_give(l, buf_span(&bytes), v);
	bb_buf_free(&bytes);
	return r;
}

/* Everything gathered into the transaction, and where the blocks' files end, as a commit would.
 */
static inline void chain_flush(struct bb_ledger *l)
{
	bb_coins_flush(&l->coins);
	bb_rows_flush(&l->rows);
	bb_script_rows_flush(l->store);
	if (l->store->flat.dirty) {
		bb_store_set_number(l->store, "file", l->store->flat.file);
		bb_store_set_number(l->store, "end", l->store->flat.end);
	}
}

#endif
