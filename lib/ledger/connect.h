#ifndef BB_LEDGER_CONNECT_H
#define BB_LEDGER_CONNECT_H

/* The active chain moves: one block up or down (ConnectBlock, DisconnectBlock), and on to the
 * most work (ActivateBestChain). */

#include "ledger/incoming.h"
#include "ledger/state.h"

/* A block that has just come, still in memory. */
struct bb_fresh {
	uint32_t number; /* its node */
	struct bb_incoming *in;
	const struct bb_known_scripts *known; /* may be NULL */
};

/* Go to the best candidate, whatever has to be taken back and judged for it; what fails is
 * marked, l->failed and l->failure tell of the last. `fresh` may be NULL. False: the store
 * failed. */
bool bb_activate(struct bb_ledger *l, const struct bb_fresh *fresh);

#endif
