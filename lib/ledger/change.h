#ifndef BB_LEDGER_CHANGE_H
#define BB_LEDGER_CHANGE_H

/* A change of the mempool that is being considered: transactions that would come and go, and
 * what would become of the clusters they touch. Nothing is written before bb_change_apply, so a
 * reader may consider one too (Core's changeset over its staged TxGraph).
 *
 * Memory is the arena's; when it is out, or the store fails, s->why tells, and every question
 * is answered with false. */

#include "ledger/pool.h"

struct bb_change;

struct bb_change *bb_change_new(
	struct bb_store *s, const struct bb_policy *p, struct bb_arena *a);

/* It goes, and with it all that depend on it if these are wanted. */
void bb_change_remove(struct bb_change *c, uint64_t number, bool descendants);
/* Those that go, so far; each once. */
const uint64_t *bb_change_removed(size_t *count, const struct bb_change *c);
/* It comes. Its parents are found through what it spends, among those that wait and those that
 * come with it, its children (after a reorganisation) through who spends its outputs. e->number
 * is given now, and true only when applied; `e` and `tx` stay the caller's until then. False:
 * s->why. */
bool bb_change_add(struct bb_change *c, struct bb_pool_entry *e, const struct bb_tx *tx);

/* Every cluster that would be keeps the policy's limits; one that only shrinks always does.
 * Until this was true the next ones must not be asked, unless nothing comes. */
bool bb_change_fits(struct bb_change *c);
/* The feerate diagram of the clusters touched would be better than it is: strictly, and nowhere
 * worse (ImprovesFeerateDiagram). */
bool bb_change_improves(struct bb_change *c);

/* Write it: entries, indexes, clusters, chunks, totals. Events are the caller's. */
bool bb_change_apply(struct bb_change *c);

#endif
