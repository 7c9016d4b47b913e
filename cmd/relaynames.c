#include "relaynames.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "relaysock.h"

enum { FIRST_MS = 500, AGAIN_MS = 30000 };

struct name {
	struct relaynames *all;
	struct bb_net_address at;
	struct evdns_getaddrinfo_request *asked; /* NULL: no answer is due */
	uint64_t next_ms;			 /* when to ask again */
	unsigned wait_ms;
	bool unknown;
	struct name *next;
};

struct relaynames {
	struct event_base *base;
	struct evdns_base *dns; /* NULL: not yet, or no name server is known */
	struct relaynames_told told;
	struct name *names;
	uint64_t now_ms; /* of the last turn */
	bool freeing;
};

struct relaynames *relaynames_new(struct event_base *base, const struct relaynames_told *told)
{
	struct relaynames *n = calloc(1, sizeof(*n));

	if (n)
		*n = (struct relaynames){.base = base, .told = *told};
	return n;
}

/* Whoever still waits for an answer is told that there is none. */
void relaynames_free(struct relaynames *n)
{
	if (!n)
		return;
	n->freeing = true;
	if (n->dns)
		evdns_base_free(n->dns, 1);
	event_base_loop(n->base, EVLOOP_NONBLOCK);
	while (n->names) {
		struct name *gone = n->names;
		n->names = gone->next;
		free(gone);
	}
	free(n);
}

bool relaynames_add(struct relaynames *n, const struct bb_net_address *at)
{
	struct name *name = calloc(1, sizeof(*name));

	if (!name)
		return false;
	*name = (struct name){.all = n, .at = *at, .wait_ms = FIRST_MS, .next = n->names};
	n->names = name;
	return true;
}

static void answered(int err, struct evutil_addrinfo *all, void *arg)
{
	struct name *name = arg;
	const struct relaynames_told *told = &name->all->told;
	struct bb_net_address a;

	name->asked = NULL;
	if (err && !name->unknown && !name->all->freeing)
		told->unknown(told->arg, name->at.host, evutil_gai_strerror(err));
	name->unknown = err;
	for (const struct evutil_addrinfo *i = err ? NULL : all; i; i = i->ai_next) {
		if (name->all->freeing || !relaysock_address(&a, i->ai_addr))
			continue;
		name->wait_ms = AGAIN_MS;
		name->next_ms = name->all->now_ms + AGAIN_MS;
		told->found(told->arg, &a);
	}
	if (all)
		evutil_freeaddrinfo(all);
}

static void ask(struct name *name)
{
	const struct evutil_addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
	char port[8];

	snprintf(port, sizeof(port), "%u", (unsigned)name->at.port);
	name->asked = evdns_getaddrinfo(
		name->all->dns, name->at.host, port, &hints, answered, name);
}

/* The name servers of the system, read again as long as there are none. One that is silent for
 * a name has not failed: in a network of containers that is how an unknown name is answered. */
static bool have_servers(struct relaynames *n)
{
	if (n->dns)
		return true;
	n->dns = evdns_base_new(
		n->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (n->dns)
		evdns_base_set_option(n->dns, "max-timeouts:", "255");
	return n->dns;
}

uint64_t relaynames_turn(struct relaynames *n, uint64_t now_ms)
{
	uint64_t next = UINT64_MAX;

	n->now_ms = now_ms;
	for (struct name *i = n->names; i; i = i->next) {
		if (!i->asked && now_ms >= i->next_ms) {
			i->next_ms = now_ms + i->wait_ms;
			i->wait_ms = 2 * i->wait_ms < AGAIN_MS ? 2 * i->wait_ms : AGAIN_MS;
			if (have_servers(n))
				ask(i);
		}
		if (i->next_ms < next)
			next = i->next_ms;
	}
	return next;
}
