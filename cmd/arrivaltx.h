#ifndef BB_CMD_ARRIVALTX_H
#define BB_CMD_ARRIVALTX_H

/* Transactions and packages out of lines, on their way to the mempool. */

#include "base/json.h"
#include "ledger/accept.h"

struct arrivaltx {
	struct bb_incoming_tx *tx; /* one, or a package's */
	size_t count;
	bool package;
};

/* Is it the line of a transaction or of a package? */
bool arrivaltx_is(const struct bb_json *doc);
/* Read it, in either form; what it says of its surroundings is passed over. With `marks`, what
 * bb-validate --mark found counts where it speaks of these very bytes; it marks no packages.
 * False with *why: a malformed line. Everything lies in the arena or borrows from the line. */
bool arrivaltx_read(struct arrivaltx *out, const char **why, struct bb_arena *a,
	const struct bb_json *doc, bool marks);

#endif
