#ifndef BB_LEDGER_ACCEPT_H
#define BB_LEDGER_ACCEPT_H

/* May a transaction wait in the mempool? Bitcoin Core 31's order of checks and its reasons
 * (MemPoolAccept): PreChecks, ReplacementChecks, cluster limits, ephemeral dust, scripts.
 *
 * Within a transaction of the store. */

#include "bitcoin/judge.h"
#include "ledger/outcome.h"
#include "ledger/pool.h"

/* A transaction on its way in, with all that can be said of it without the ledger: any thread
 * may prepare one. */
struct bb_incoming_tx {
	struct bb_span bytes; /* borrowed, with witness */
	struct bb_tx tx;
	unsigned char txid[32], wtxid[32];
	/* Somebody trusted has run its scripts, under consensus and standard flags. */
	bool marked;
	unsigned char mark_prevouts[32]; /* on these (bb_prevouts_hash) */
	const char *mark_standard;	 /* NULL: valid; else the reject reason */
};
/* From its bytes. False when they are no transaction. */
bool bb_incoming_tx_parse(struct bb_incoming_tx *in, struct bb_arena *a, struct bb_span bytes);

enum bb_acceptance_kind {
	BB_ACCEPT_ADD,	/* as a node takes it in, or sendrawtransaction */
	BB_ACCEPT_TEST, /* change nothing (testmempoolaccept) */
	BB_ACCEPT_BACK, /* from a block taken back: no limits of fee, and TRUC's rules are left
			   out */
};

struct bb_acceptance {
	struct bb_verdict verdict; /* id: the txid */
	unsigned char wtxid[32];
	/* Accepted, duplicate, refused; orphan: inputs are not there yet. */
	enum bb_outcome outcome;
	int64_t fee_sat, vsize; /* vsize 0: not found out */
	/* What it would have to pay for: itself, or with those of its package. */
	struct bb_feerate effective;   /* fee and vbytes; size 0: none */
	unsigned char (*replaced)[32]; /* txids, in the arena */
	size_t replaced_count;
	unsigned char (*missing)[32]; /* of an orphan: the txids of the parents that are not
					 there, in the arena */
	size_t missing_count;
	bool reconsiderable; /* refused for its fee alone: a package may carry it */
};

/* One alone. False: the store failed. Accepted under BB_ACCEPT_ADD, it waits, the mempool is
 * within its limits, and events tell. Results lie in `a`. */
bool bb_accept_tx(struct bb_acceptance *r, struct bb_pool *p, struct bb_arena *a,
	const struct bb_incoming_tx *in, enum bb_acceptance_kind kind);

enum { BB_PACKAGE_MAX = 25, BB_PACKAGE_MAX_WEIGHT = 404000 };

struct bb_package_acceptance {
	/* Of the whole: Core's package_msg; "" when good. */
	char error[160], detail[BB_DETAIL_SIZE];
	/* One each, in order. verdict.error is "package-not-validated", outcome refused, where
	 * it was not come to. One that waits already is a duplicate; detail is "other-wtxid
	 * WTXID" where it waits with another witness. */
	struct bb_acceptance *tx;
	size_t count;
};
/* Several: BB_ACCEPT_ADD as submitpackage takes them (AcceptPackage: a child with its parents,
 * each alone where it can), BB_ACCEPT_TEST as testmempoolaccept does
 * (AcceptMultipleTransactions without replacement or package rates). */
bool bb_accept_package(struct bb_package_acceptance *r, struct bb_pool *p, struct bb_arena *a,
	const struct bb_incoming_tx *in, size_t count, enum bb_acceptance_kind kind);

#endif
