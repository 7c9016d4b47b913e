#ifndef BB_CMD_RELAYKEEPER_H
#define BB_CMD_RELAYKEEPER_H

/* What a hub changes in its folder when it can no longer do so itself: who may write or remove
 * one file there, may all that lie below, a wallet's keys too. So a second process does it,
 * which knows these names only, and reads nothing but what the hub tells it. It ends with the
 * hub. */

#include <stddef.h>

#include "base/bytes.h"

/* -1: it cannot be started (errno). */
int relaykeeper_start(const char *dir);
/* DIR/peers is this from now on, or what it was: 0 or what went wrong, as in errno. */
int relaykeeper_save(int keeper, struct bb_span peers);
/* Sockets of that name are removed, and the keeper ends. Returns as above. */
int relaykeeper_end(int keeper);

#endif
