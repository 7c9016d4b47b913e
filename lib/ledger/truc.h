#ifndef BB_LEDGER_TRUC_H
#define BB_LEDGER_TRUC_H

/* BIP 431: transactions of version 3 wait alone, or as one parent with one small child, so that
 * nobody can pin them. */

#include "ledger/accept_inside.h"

/* Against those that wait (SingleTRUCChecks). False with Core's words in `detail`, and in
 * *sibling the other child that could make room; 0: none could. */
bool bb_truc_check(char detail[BB_DETAIL_SIZE], uint64_t *sibling, struct bb_attempt *t,
	const struct bb_candidate *c);
/* And against those it comes with (PackageTRUCChecks). */
bool bb_truc_check_package(
	char detail[BB_DETAIL_SIZE], struct bb_attempt *t, const struct bb_candidate *c);

#endif
