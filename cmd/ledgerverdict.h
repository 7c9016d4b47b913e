#ifndef BB_CMD_LEDGERVERDICT_H
#define BB_CMD_LEDGERVERDICT_H

/* The ledger's verdicts as lines: what bb_put_verdict writes, with `result`, and the tip that
 * they are as of. */

#include "ledger/accept.h"

/* What stands around a verdict. */
struct ledgerverdict {
	uint64_t line;		   /* 0: none */
	struct bb_span from;	   /* raw, or empty */
	const struct bb_node *tip; /* NULL: there is none */
};

void ledgerverdict_put(struct bb_buf *out, const struct ledgerverdict *around,
	const struct bb_verdict *v, enum bb_outcome r);
void ledgerverdict_put_tx(
	struct bb_buf *out, const struct ledgerverdict *around, const struct bb_acceptance *r);
void ledgerverdict_put_package(struct bb_buf *out, const struct ledgerverdict *around,
	const struct bb_package_acceptance *r);

#endif
