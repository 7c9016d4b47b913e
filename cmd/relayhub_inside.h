#ifndef BB_CMD_RELAYHUB_INSIDE_H
#define BB_CMD_RELAYHUB_INSIDE_H

/* Private to relayhub.c (the hub's life), relayconn.c (its connections) and relaydoor.c (whom
 * it listens to). */

#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "net/hub.h"
#include "relayhub.h"
#include "relayline.h"
#include "relaynames.h"

enum {
	BUCKETS = 256,
	LISTENERS = 2 * RELAYHUB_LIST + 2,
};

enum kind { PEER, TOOL, CHAIN };

struct connection {
	struct relayhub *hub;
	uint64_t number;
	enum kind kind;
	struct bufferevent *bev; /* NULL: it could not even be tried */
	struct bb_net_address at;
	struct relayline lines;
	size_t held; /* bytes of input */
	bool outbound, connecting;
	bool local;   /* came over a Unix socket, whose mode says who may */
	bool paused;  /* not read from */
	bool ended;   /* nothing more will come */
	bool told;    /* the hub knows that */
	bool shut;    /* nothing more will go */
	bool broken;  /* to be freed, and the hub to be told */
	bool closing; /* to be freed once all has gone, or at: */
	uint64_t close_ms;
	struct connection *next;
};

struct listener {
	struct relayhub *hub;
	enum kind kind;
	struct evconnlistener *socket; /* NULL: none */
};

struct relayhub {
	const struct relayhub_options *o;
	struct event_base *base;
	struct bb_addrbook *book;
	struct bb_store store;
	struct bb_hub *hub;
	struct relaynames *names;
	struct connection *bucket[BUCKETS];
	struct connection *chain; /* the pipeline, or NULL */
	struct listener listeners[LISTENERS];
	size_t listener_count;
	uint64_t last_number;
	unsigned tools, outbound; /* connections that stand */
	size_t held;		  /* bytes of input of all */
	struct event *tick, *reap, *interrupted, *terminated, *deadline;
	uint64_t saved_ms, looked_ms; /* when the peers were saved, a store was looked for */
	uint64_t log_ms;	      /* since when log lines are counted */
	size_t log_lines;
	bool stopping, finishing;
	int dir_fd; /* locked as long as we live */
	int keeper; /* relaykeeper.h */
	int status;
	char store_why[BB_STORE_MESSAGE];
};

/* relayhub.c */

void relayhub_after(struct event *e, uint64_t ms);
/* Something happened: that is thought about when this round is through. */
void relayhub_soon(struct event *e);
void relayhub_say(void *hub, const char *words);
void relayhub_say_why(struct relayhub *h, const char *what, const char *why);
void relayhub_look_for_store(struct relayhub *h);
/* Everybody is let go. */
void relayhub_finish(struct relayhub *h);

/* relayconn.c */

/* NULL: memory. It has no socket yet. */
struct connection *relayconn_add(struct relayhub *h, enum kind kind);
/* Takes the socket, or with -1 makes one; false: memory. */
bool relayconn_wrap(struct connection *c, evutil_socket_t fd);
/* It stands; whom the hub does not want goes at once. */
void relayconn_begin(struct connection *c);
/* Nothing more will be said to it; what is queued still goes. */
void relayconn_close(struct connection *c);
/* End of file goes round: behind the last line, which has gone. */
void relayconn_end_chain(struct connection *c);
/* Let go all that are through; the hub is told of those that it has not given up itself. */
void relayconn_reap(evutil_socket_t fd, short what, void *hub);
void relayconn_free(struct connection *c);
/* What the hub asks for. */
struct bb_hub_io relayconn_io(struct relayhub *h);

/* relaydoor.c */

void relaydoor_listen(struct relayhub *h);
void relaydoor_close(struct relayhub *h);
/* One pipeline at a time; the next one waits at the door until the last one's end was seen. */
void relaydoor_let_chain_in(struct relayhub *h, bool on);
/* After there were no descriptors left. */
void relaydoor_let_in_again(struct relayhub *h);

#endif
