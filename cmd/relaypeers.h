#ifndef BB_CMD_RELAYPEERS_H
#define BB_CMD_RELAYPEERS_H

/* DIR/peers: the nodes that are known, and who is banned (net/addrbook.h). */

#include "net/addrbook.h"

enum { RELAYPEERS_WHY = 1024 };

/* What can be read of it, if it is there. False: not all, and why. */
bool relaypeers_load(struct bb_addrbook *book, char why[RELAYPEERS_WHY], const char *dir);
/* Whole, by the keeper (relaykeeper.h); false: it is as it was before, and why. */
bool relaypeers_save(
	char why[RELAYPEERS_WHY], int keeper, const char *dir, const struct bb_addrbook *book);

#endif
