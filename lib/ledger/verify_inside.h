#ifndef BB_LEDGER_VERIFY_INSIDE_H
#define BB_LEDGER_VERIFY_INSIDE_H

/* What verify.c and verifypool.c share; nobody else's. */

#include "ledger/verify.h"

/* Count one thing found wrong, and tell it. */
void bb_verify_wrong(struct bb_verify *v, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Damage that a look-up met is a thing found, and the work goes on: it is taken from s->why.
 * NULL: there was none. Failures of the system stay in s->why and end it. */
const char *bb_verify_damage(struct bb_store *s);

#endif
