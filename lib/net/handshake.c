/* Who is there: versions are exchanged, the caller's first, and each is acknowledged. */

#include "net/hub_inside.h"

#include <stdio.h>

enum { AGAIN_SCORE = 20 };

void handshake_send_version(struct bb_hub *h, struct peer *p)
{
	struct bb_message m = {.kind = BB_MSG_VERSION};
	struct bb_version *v = &m.version;

	v->protocol = BB_NET_PROTOCOL;
	v->height = h->height;
	snprintf(v->network, sizeof(v->network), "%s", h->c.network->name);
	memcpy(v->genesis, h->c.network->genesis, sizeof(v->genesis));
	snprintf(v->agent, sizeof(v->agent), "%s", h->c.agent);
	v->nonce = p->nonce;
	v->services = BB_SERVICE_NETWORK;
	v->listen = h->c.listen;
	hub_send(h, p, &m);
}

static void send_verack(struct bb_hub *h, struct peer *p)
{
	hub_send(h, p, &(struct bb_message){.kind = BB_MSG_VERACK});
}

bool handshake_is_at(const struct peer *p, const struct bb_net_address *a)
{
	const uint16_t port = p->outbound ? p->at.port : p->version.listen;

	return port == a->port && strcmp(p->at.host, a->host) == 0;
}

static const char *check_version(const struct bb_hub *h, const struct bb_version *v)
{
	if (strcmp(v->network, h->c.network->name) != 0 ||
		memcmp(v->genesis, h->c.network->genesis, sizeof(v->genesis)) != 0)
		return "it is of another network";
	return v->protocol >= BB_NET_PROTOCOL ? NULL : "its protocol is too old";
}

/* Nonces are each connection's own, for one of our life would tell all our addresses: it is
 * ourselves whom we sent it. */
static bool is_ours(const struct bb_hub *h, uint64_t nonce)
{
	for (const struct peer *p = h->peers; p; p = p->next)
		if (p->outbound && p->nonce == nonce)
			return true;
	return false;
}

/* We reached ourselves. The side that called knows the address: it must see its nonce too. */
static void meet_ourselves(struct bb_hub *h, struct peer *p, uint64_t nonce)
{
	if (p->outbound) {
		bb_addrbook_forget(h->c.book, &p->at);
	} else {
		p->nonce = nonce;
		handshake_send_version(h, p);
	}
	hub_drop(h, p, NULL);
}

/* The connection that we made to the very node that calls: it says that it listens where we
 * called. NULL: none. */
static struct peer *called(struct bb_hub *h, const struct peer *caller)
{
	struct bb_net_address at = {.port = caller->version.listen};

	memcpy(at.host, caller->at.host, sizeof(at.host));
	for (struct peer *q = h->peers; q; q = q->next)
		if (q->outbound && handshake_is_at(q, &at))
			return q;
	return NULL;
}

/* Of two connections between the same two nodes, which can come about when each calls the other
 * at once, both ends keep the same one: the one that is done, if it is still alive, or that of
 * the caller with the greater nonce. */
static bool is_second(struct bb_hub *h, struct peer *p)
{
	struct peer *q = p->outbound ? NULL : called(h, p);

	if (!q)
		return false;
	if (q->ready || q->nonce > p->version.nonce) {
		hub_probe(h, q);
		return true;
	}
	hub_drop(h, q, "it is connected twice");
	return false;
}

static void take_version(struct bb_hub *h, struct peer *p, const struct bb_version *v)
{
	const char *why;

	if (p->has_version) {
		hub_blame(h, p, AGAIN_SCORE, "a second version");
		return;
	}
	if (is_ours(h, v->nonce)) {
		meet_ourselves(h, p, v->nonce);
		return;
	}
	if ((why = check_version(h, v))) {
		hub_drop(h, p, why);
		return;
	}
	p->version = *v;
	p->has_version = true;
	if (is_second(h, p)) {
		hub_drop(h, p, "it is connected already");
		return;
	}
	if (!p->outbound)
		handshake_send_version(h, p);
	send_verack(h, p);
}

static void take_verack(struct bb_hub *h, struct peer *p)
{
	if (!p->has_version) {
		hub_blame(h, p, AGAIN_SCORE, "verack before version");
		return;
	}
	p->ready = true;
	p->pinged_ms = h->now_ms;
	hub_log(h, "peer %s:%u connected, %s us", p->at.host, p->at.port,
		p->outbound ? "called by" : "which called");
	gossip_ready(h, p);
	flood_ready(h, p);
	fetch_ready(h, p);
}

void handshake_message(struct bb_hub *h, struct peer *p, const struct bb_message *m)
{
	if (m->kind == BB_MSG_VERSION)
		take_version(h, p, &m->version);
	else
		take_verack(h, p);
}
