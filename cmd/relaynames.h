#ifndef BB_CMD_RELAYNAMES_H
#define BB_CMD_RELAYNAMES_H

/* Names of nodes, looked up without anybody waiting for it: a name may stand for many
 * addresses, which come and go. */

#include <event2/event.h>

#include "net/addrbook.h"

struct relaynames;

struct relaynames_told {
	/* Of every address of a name, as often as it is looked up. */
	void (*found)(void *arg, const struct bb_net_address *a);
	/* Of a name that has none, at first or any more; once, until it has one. */
	void (*unknown)(void *arg, const char *name, const char *why);
	void *arg;
};

/* NULL: memory. */
struct relaynames *relaynames_new(struct event_base *base, const struct relaynames_told *told);
void relaynames_free(struct relaynames *n);
/* A name to be looked up from now on. False: memory. */
bool relaynames_add(struct relaynames *n, const struct bb_net_address *name);
/* Look up those whose time has come: soon again what had no answer yet, every half minute what
 * had one. Returns when there will be the next, in the same milliseconds. */
uint64_t relaynames_turn(struct relaynames *n, uint64_t now_ms);

#endif
