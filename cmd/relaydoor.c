/* Whom the hub listens to: peers, tools, and its pipeline. */

#include "relayhub_inside.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "relaysock.h"

enum { TOOLS_MAX = 256 };

void relaydoor_let_chain_in(struct relayhub *h, bool on)
{
	for (size_t i = 0; i < h->listener_count; i++) {
		struct listener *l = &h->listeners[i];
		if (l->kind != CHAIN || !l->socket)
			continue;
		if (on)
			evconnlistener_enable(l->socket);
		else
			evconnlistener_disable(l->socket);
	}
}

static void on_accept(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *from,
	int len, void *listener)
{
	struct listener *l = listener;
	struct relayhub *h = l->hub;
	struct connection *c = NULL;
	int on = 1;

	(void)socket, (void)len;
	if (!(l->kind == TOOL && h->tools >= TOOLS_MAX) && !(l->kind == CHAIN && h->chain))
		c = relayconn_add(h, l->kind);
	if (!c) {
		evutil_closesocket(fd);
		return;
	}
	h->tools += c->kind == TOOL;
	c->local = from->sa_family == AF_UNIX;
	if (!relaysock_address(&c->at, from))
		snprintf(c->at.host, sizeof(c->at.host), "local");
	else
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!relayconn_wrap(c, fd)) {
		evutil_closesocket(fd);
		relayconn_free(c);
		return;
	}
	if (c->kind == CHAIN)
		relaydoor_let_chain_in(h, false);
	relayconn_begin(c);
}

/* Out of descriptors: let nobody in for a while. */
static void on_accept_error(struct evconnlistener *socket, void *listener)
{
	struct listener *l = listener;

	relayhub_say_why(l->hub, "cannot let anybody in", strerror(errno));
	evconnlistener_disable(socket);
}

void relaydoor_let_in_again(struct relayhub *h)
{
	for (size_t i = 0; i < h->listener_count; i++)
		if (h->listeners[i].socket && !(h->listeners[i].kind == CHAIN && h->chain))
			evconnlistener_enable(h->listeners[i].socket);
}

static void listen_on(struct relayhub *h, enum kind kind, int fd, const char *why)
{
	struct listener *l = &h->listeners[h->listener_count++];

	if (fd < 0)
		tool_die(h->o->tool, BB_SYSTEM, "%s", why);
	*l = (struct listener){.hub = h, .kind = kind};
	l->socket = evconnlistener_new(
		h->base, on_accept, l, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!l->socket)
		tool_die(h->o->tool, BB_SYSTEM, "out of memory");
	evconnlistener_set_error_cb(l->socket, on_accept_error);
}

void relaydoor_listen(struct relayhub *h)
{
	char why[RELAYSOCK_WHY];

	listen_on(h, CHAIN, relaysock_listen_unix(why, h->o->dir, "chain.sock", 0600), why);
	listen_on(h, TOOL, relaysock_listen_unix(why, h->o->dir, "relay.sock", 0660), why);
	for (size_t i = 0; i < h->o->tools.count; i++)
		listen_on(h, TOOL, relaysock_listen(why, &h->o->tools.at[i]), why);
	for (size_t i = 0; i < h->o->listen.count; i++)
		listen_on(h, PEER, relaysock_listen(why, &h->o->listen.at[i]), why);
}

void relaydoor_close(struct relayhub *h)
{
	for (size_t i = 0; i < h->listener_count; i++) {
		if (h->listeners[i].socket)
			evconnlistener_free(h->listeners[i].socket);
		h->listeners[i].socket = NULL;
	}
}
