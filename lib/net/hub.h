#ifndef BB_NET_HUB_H
#define BB_NET_HUB_H

/* The node's place in the network: peers on one side, its own ledger's pipeline on the other,
 * local tools beside. Knows nothing of sockets and nothing of the rules: whoever drives it
 * hands in what came and carries out what it asks for; every line goes to the ledger, and what
 * the ledger says of it decides. What to fetch and what to serve is read from the store.
 *
 * Nothing here blocks. Time is the driver's: milliseconds of a clock that only goes forward. */

#include "ledger/store.h"
#include "net/addrbook.h"

struct bb_hub;

/* What the hub asks for. None may call the hub again from within but to queue. */
struct bb_hub_io {
	void *arg;
	/* Queue bytes, whole lines, to a connection; false: it has gone. */
	bool (*send)(void *arg, uint64_t connection, struct bb_span lines);
	/* Bytes queued to it and not yet taken. */
	size_t (*queued)(void *arg, uint64_t connection);
	/* Close it, once what is queued has gone or in a second; the hub has forgotten it. */
	void (*close)(void *arg, uint64_t connection);
	/* Stop or go on reading from it. */
	void (*read)(void *arg, uint64_t connection, bool on);
	/* Queue whole lines to the ledger's pipeline; only between chain_up and chain_down. */
	void (*chain)(void *arg, struct bb_span lines);
	/* Begin to connect; the driver answers with bb_hub_connected or bb_hub_not_connected.
	 * False: it cannot, and does not answer. */
	bool (*connect)(void *arg, const struct bb_net_address *to);
	/* A line for the log: why somebody was dropped or banned, a line that kills. */
	void (*log)(void *arg, const char *line);
};

struct bb_hub_config {
	const struct bb_network *network;
	struct bb_store
		*store; /* borrowed, open for reading; env NULL: not there yet (bb_hub_store) */
	struct bb_addrbook *book;   /* borrowed */
	const char *agent;	    /* "bb:0.1.0" */
	uint16_t listen;	    /* where we listen; 0: nowhere */
	unsigned outbound, inbound; /* connections at most */
	unsigned per_host;	    /* inbound ones */
	struct bb_hub_io io;
};

/* NULL: memory, or no randomness. */
struct bb_hub *bb_hub_new(const struct bb_hub_config *c);
void bb_hub_free(struct bb_hub *h);
/* The store is there now (a pipeline makes it). Where it fails later the hub goes on without;
 * s->why tells, and it may be given one opened anew. NULL: it is closed. */
void bb_hub_store(struct bb_hub *h, struct bb_store *s);

/* What came. Connections are numbered by the driver, from 1, each number once. */

/* A connection stands: `outbound`, we made it, and `at` is what the hub asked for. False:
 * refused (full, banned); close it. */
bool bb_hub_connected(
	struct bb_hub *h, uint64_t connection, const struct bb_net_address *at, bool outbound);
void bb_hub_not_connected(struct bb_hub *h, const struct bb_net_address *to);
void bb_hub_closed(struct bb_hub *h, uint64_t connection);
/* How long a line of a peer may be now: what is there to be said before the handshake is short,
 * and whoever has not come so far has no claim to much of our memory. */
enum { BB_HELLO_LINE_MAX = 4096 };
size_t bb_hub_line_max(struct bb_hub *h, uint64_t connection);
/* A line of a peer, without LF. Data NULL: it was too long. */
void bb_hub_peer_line(struct bb_hub *h, uint64_t connection, struct bb_span line);

/* A local tool: lines for the ledger, whose verdicts go back to it with its own line numbers
 * and its own `from`; {"type":"watch"}: everything that passes from now on; {"type":"peers"}: a
 * line for each peer. */
bool bb_hub_tool_connected(struct bb_hub *h, uint64_t connection);
/* It is one of this node's own people, and may order the ledger about: lines of the types
 * invalidate and reconsider, with the `id` of a block, which nobody else may hand in. */
void bb_hub_tool_trusted(struct bb_hub *h, uint64_t connection);
void bb_hub_tool_line(struct bb_hub *h, uint64_t connection, struct bb_span line);
/* It has no more to say; it is closed when its last verdict has been told. */
void bb_hub_tool_ended(struct bb_hub *h, uint64_t connection);

/* The pipeline. */
void bb_hub_chain_up(struct bb_hub *h);
void bb_hub_chain_line(struct bb_hub *h, struct bb_span line); /* verdict, event, or error */
void bb_hub_chain_down(struct bb_hub *h);

/* Let time pass: pings, timeouts, stalls, connections to make; first of all, and then after
 * whatever came. Returns when to be called again, at the latest. */
uint64_t bb_hub_tick(struct bb_hub *h, uint64_t now_ms, int64_t now_s);

#endif
