#ifndef BB_CMD_LEDGERLINE_H
#define BB_CMD_LEDGERLINE_H

/* A line for the ledger: what it is about, before anybody looks closer. */

#include "base/json.h"

enum ledgerline {
	LEDGERLINE_BLOCK = 0,
	LEDGERLINE_HEADER,
	LEDGERLINE_TX, /* or a package */
	LEDGERLINE_INVALIDATE,
	LEDGERLINE_RECONSIDER,
};

/* Returns NULL with *why where it is malformed, or nothing that the ledger takes: orders, which
 * are to invalidate and to reconsider, it takes only with `orders`.
 *
 * Out: kind  set where it is not malformed
 *      from  the line's own, raw; empty: it has none, or is no JSON
 */
const struct bb_json *ledgerline_read(enum ledgerline *kind, struct bb_span *from,
	const char **why, struct bb_arena *a, struct bb_span line, bool orders);

#endif
