#ifndef BB_LEDGER_LEDGER_H
#define BB_LEDGER_LEDGER_H

/* The judge and keeper of the chain: takes blocks and headers in any order, holds the tip with
 * the most work, and the coins as of it. Bitcoin Core 31's order of checks and its reasons
 * (AcceptBlockHeader, AcceptBlock, ConnectBlock, ActivateBestChain).
 *
 * What it did counts once bb_ledger_commit has returned true; verdicts may be told only then.
 */

#include "ledger/accept.h"
#include "ledger/events.h"
#include "ledger/incoming.h"
#include "ledger/state.h"
#include "ledger/tree.h"
#include "ledger/undo.h"

/* `cache` bytes for coins. Opens the store's first transaction and connects the genesis block
 * of a new store, if it is known (genesis.h); else the first block must be it. */
bool bb_ledger_open(struct bb_ledger *l, const char **why, struct bb_store *s,
	const struct bb_network *n, size_t cache);
/* What was not committed has not happened. */
void bb_ledger_close(struct bb_ledger *l);

/* Take one in. The verdict says whether it is valid as far as it could be judged, `unjudged`
 * what could not: side blocks' scripts, orphans' surroundings. `scripts_known`: somebody
 * trusted has run its scripts on exactly these prevouts (bb_prevouts_hash), under the flags of
 * its height; NULL: nobody. False: the store failed (store->why), and nothing counts that
 * was not committed. */
bool bb_ledger_add_block(struct bb_verdict *v, enum bb_outcome *r, struct bb_ledger *l,
	struct bb_incoming *in, const struct bb_known_scripts *scripts_known);
bool bb_ledger_add_header(struct bb_verdict *v, enum bb_outcome *r, struct bb_ledger *l,
	const struct bb_header *h);
/* Into the mempool; one whose inputs are not there is kept as an orphan. Results lie in `a`. */
bool bb_ledger_add_tx(struct bb_acceptance *r, struct bb_ledger *l, struct bb_arena *a,
	const struct bb_incoming_tx *in);
bool bb_ledger_add_package(struct bb_package_acceptance *r, struct bb_ledger *l,
	struct bb_arena *a, const struct bb_incoming_tx *in, size_t count);
/* Treat a block as invalid from now on, or forget that it was; the tip follows. *r is
 * BB_OUTCOME_REFUSED with v->error "not-found", or "genesis" for what cannot be taken back. */
bool bb_ledger_invalidate(struct bb_verdict *v, enum bb_outcome *r, struct bb_ledger *l,
	const unsigned char id[32]);
bool bb_ledger_reconsider(struct bb_verdict *v, enum bb_outcome *r, struct bb_ledger *l,
	const unsigned char id[32]);

/* Everything so far to the disk; due when bb_ledger_full. The next call that changes anything
 * begins a transaction. */
bool bb_ledger_commit(struct bb_ledger *l);
/* The same as the last of many: with what is written, memory is given back on the way. */
bool bb_ledger_finish(struct bb_ledger *l);

/* The tip as of the transaction at hand or, between them, the last one; false before genesis.
 */
bool bb_ledger_tip(struct bb_node *tip, struct bb_ledger *l);

#endif
