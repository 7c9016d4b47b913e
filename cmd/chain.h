#ifndef BB_CMD_CHAIN_H
#define BB_CMD_CHAIN_H

/* bb-chain's verbs: one function each, in chain_*.c. */

#include "bitcoin/policy.h"
#include "ledger/ledger.h"
#include "ledger/query.h"
#include "tool.h"

/* What the call asked for. */
struct chain {
	const struct tool *tool;
	struct bb_network network;
	const char *dir; /* of the node */
	unsigned threads;
	char **args; /* behind the verb, NULL-terminated */
	size_t arg_count;
	struct bb_lines in;
	struct bb_sink out;

	int64_t from, to; /* heights; -1: not given */
	int64_t since;	  /* an event's number */
	int64_t now;	  /* -1: the clock's */
	size_t cache;	  /* bytes for coins in memory */
	bool prevouts, full, follow, hash, muhash, trust_marks, stats, watch, confirmed;
	bool own_rules;	    /* --now or --policy was given */
	int target;	    /* blocks, of fee-rate */
	const char *offers; /* the file of template --from; NULL: the mempool */
	struct bb_policy policy;

	struct bb_store store; /* open as the verb needs it */
	struct bb_arena arena; /* of the record at hand */
};

/* A verb opens what it needs, works, and returns the exit status. */
int chain_add(struct chain *c);
int chain_run(struct chain *c);
int chain_import(struct chain *c);
int chain_export(struct chain *c);
int chain_events(struct chain *c);
int chain_tip(struct chain *c);
int chain_tips(struct chain *c);
int chain_blocks(struct chain *c);
int chain_headers(struct chain *c);
int chain_block(struct chain *c);
int chain_tx(struct chain *c);
int chain_utxo(struct chain *c);
int chain_balance(struct chain *c);
int chain_history(struct chain *c);
int chain_coins(struct chain *c);
int chain_prevouts(struct chain *c);
int chain_proof(struct chain *c);
int chain_params(struct chain *c);
int chain_verify(struct chain *c);
int chain_invalidate(struct chain *c);
int chain_reconsider(struct chain *c);
int chain_test(struct chain *c);
int chain_mempool(struct chain *c);
int chain_fee_rate(struct chain *c);
int chain_template(struct chain *c);

/* For the verbs (chain.c). */

/* Open the store, or exit with status 3 and the reason; then give up what the verb does not
 * need. */
void chain_open(struct chain *c, enum bb_store_mode mode);
/* The same, but false with the reason where it cannot be opened. */
bool chain_open_to(char why[BB_STORE_MESSAGE], struct chain *c, enum bb_store_mode mode);
/* Is there a store? */
bool chain_is_made(const struct chain *c);
/* A connection to the node that runs in the store's folder, at its socket for tools
 * (relaysock.h); -1: none answers there. */
int chain_node(const struct chain *c);
/* An error line about a record or an argument (line 0), raising the status. */
void chain_error(struct chain *c, uint64_t line, enum bb_status status, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Did the store fail? Then says so, and where that helps, what to do; the verb should end. */
bool chain_failed(struct chain *c);
/* Flush, close everything, and give the exit status; for verbs without input lines. */
int chain_end(struct chain *c);
/* Close whatever a verb left open: for main. */
void chain_close(struct chain *c);
/* c->now, or the clock's: seconds since 1970. */
int64_t chain_now(const struct chain *c);
/* A hash from an argument or a field; false when it is none. */
bool chain_hash(unsigned char hash[32], struct bb_span text);
/* Does the store lack even its first block, or fail? The former is then said. Within a
 * transaction. */
bool chain_empty(struct chain *c);
/* Is it what a block is named by, the hash of one or a height? */
bool chain_names_block(const char *name);
/* The block an argument names: a hash, or a height of the active chain. Within a transaction.
 */
bool chain_find(struct bb_node *out, struct chain *c, const char *name);
/* A transaction's bytes, with witness, in the arena; data NULL: memory. */
struct bb_span chain_tx_bytes(struct bb_arena *a, const struct bb_tx *tx);
/* A descriptor that is readable when somebody has written to the store (bb_store_commit): armed
 * before the first look, so that nothing is missed between a look and the wait for the next. -1
 * with errno: not. */
int chain_watch(const struct chain *c);
/* Wait on it until somebody has written, or so many milliseconds; -1: for ever. False: nobody
 * reads our output any more. */
bool chain_wait(struct chain *c, int fd, int ms);

#endif
