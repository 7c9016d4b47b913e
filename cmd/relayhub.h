#ifndef BB_CMD_RELAYHUB_H
#define BB_CMD_RELAYHUB_H

/* The hub's driver (net/hub.h): its sockets, files, names, clocks and signals. */

#include "net/addrbook.h"
#include "tool.h"

enum { RELAYHUB_LIST = 64 };

/* Addresses that a call names. */
struct relayhub_list {
	struct bb_net_address at[RELAYHUB_LIST];
	size_t count;
};

struct relayhub_options {
	const struct tool *tool;
	const struct bb_network *network;
	const char *dir;
	size_t max_line;	     /* of tools; 0: the default */
	struct relayhub_list listen; /* where peers are let in; the first is told to others */
	struct relayhub_list tools;  /* where tools are, beside DIR/relay.sock */
	struct relayhub_list peers;  /* to connect to, by address or name */
	unsigned outbound, inbound, per_host; /* connections at most */
	int ready_fd;			      /* told when all listens; -1: nobody is */
};

/* Until a signal stops it; returns the exit status. */
int relayhub_run(const struct relayhub_options *o);

#endif
