/* The hub's connections: what comes of each as lines, what goes, and how it ends. */

#include "relayhub_inside.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "clock.h"
#include "relaysock.h"

enum {
	READ_AT_ONCE = 256 << 10,
	INPUT_MAX = 512 << 20,	/* held of lines that are not whole yet, in all */
	OUTPUT_MAX = 128 << 20, /* queued to one connection */
	CONNECT_S = 10,
	LINGER_MS = 1000, /* to take what is still on its way to it */
};

static struct connection *find(struct relayhub *h, uint64_t number)
{
	struct connection *c = h->bucket[number % BUCKETS];

	while (c && c->number != number)
		c = c->next;
	return c;
}

struct connection *relayconn_add(struct relayhub *h, enum kind kind)
{
	struct connection *c = calloc(1, sizeof(*c)), **bucket;

	if (!c)
		return NULL;
	c->hub = h;
	c->kind = kind;
	c->number = ++h->last_number;
	c->lines.max = kind == PEER ? BB_HELLO_LINE_MAX : h->o->max_line;
	bucket = &h->bucket[c->number % BUCKETS];
	c->next = *bucket;
	*bucket = c;
	return c;
}

void relayconn_free(struct connection *c)
{
	struct relayhub *h = c->hub;
	struct connection **at = &h->bucket[c->number % BUCKETS];

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	h->held -= c->held;
	h->tools -= c->kind == TOOL;
	h->outbound -= c->outbound && !c->connecting;
	if (c->bev)
		bufferevent_free(c->bev);
	free(c);
}

/* It has gone, or shall: that is told and done when this round is through. */
static void break_off(struct connection *c)
{
	c->broken = true;
	if (c->bev)
		bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	relayhub_soon(c->hub->reap);
}

void relayconn_close(struct connection *c)
{
	if (c->closing)
		return;
	c->closing = true;
	c->close_ms = clock_ms() + LINGER_MS;
	if (c->bev && !c->broken) /* what it still says is thrown away */
		bufferevent_enable(c->bev, EV_READ);
	relayhub_soon(c->hub->reap);
}

static void tell_gone(struct connection *c)
{
	struct relayhub *h = c->hub;

	if (c == h->chain) {
		h->chain = NULL;
		bb_hub_chain_down(h->hub);
	} else if (c->connecting) {
		bb_hub_not_connected(h->hub, &c->at);
	} else if (c->kind != CHAIN) {
		bb_hub_closed(h->hub, c->number);
	}
}

/* A closing one: is it through? Else what is queued goes, then the end of it, and the other
 * side may end too. */
static bool is_through(struct connection *c, uint64_t now_ms)
{
	const bool empty = c->bev && !evbuffer_get_length(bufferevent_get_output(c->bev));

	if (!c->bev || c->broken || now_ms >= c->close_ms || (empty && c->ended))
		return true;
	if (empty && !c->shut) {
		c->shut = true;
		shutdown(bufferevent_getfd(c->bev), SHUT_WR);
	}
	return false;
}

void relayconn_reap(evutil_socket_t fd, short what, void *hub)
{
	struct relayhub *h = hub;
	const uint64_t now_ms = clock_ms();
	size_t left = 0, closing = 0;

	(void)fd, (void)what;
	for (size_t i = 0; i < BUCKETS; i++) {
		struct connection *c = h->bucket[i], *next;
		for (; c; c = next) {
			if (c->broken && !c->closing)
				tell_gone(c);
			next = c->next;
			if (c->closing ? is_through(c, now_ms) : c->broken) {
				relayconn_free(c);
				continue;
			}
			left++;
			closing += c->closing;
		}
	}
	if (closing)
		relayhub_after(h->reap, LINGER_MS / 4);
	if (!h->chain && h->stopping)
		relayhub_finish(h);
	else if (!h->chain)
		relaydoor_let_chain_in(h, true);
	if (h->finishing && !left)
		event_base_loopbreak(h->base);
	else if (!h->stopping)
		relayhub_soon(h->tick);
}

/* The memory that lines take that have not come to their end is bounded: whoever holds the most
 * of it goes. */
static void bound_input(struct relayhub *h)
{
	struct connection *most = NULL;

	if (h->held <= INPUT_MAX)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct connection *c = h->bucket[i]; c; c = c->next)
			if (!c->broken && c->held > (most ? most->held : 0))
				most = c;
	if (!most)
		return;
	relayhub_say_why(h, most->at.host, "dropped, for too much waits for the ends of lines");
	evbuffer_drain(bufferevent_get_input(most->bev), most->held);
	h->held -= most->held;
	most->held = 0;
	break_off(most);
}

static void count_input(struct connection *c)
{
	const size_t now = evbuffer_get_length(bufferevent_get_input(c->bev));

	c->hub->held += now - c->held;
	c->held = now;
	bound_input(c->hub);
}

/* Lines that come. */

static void bound_lines(struct connection *c)
{
	bufferevent_setwatermark(c->bev, EV_READ, 0, c->lines.max + READ_AT_ONCE);
}

/* What it says may make the next line a longer one. */
static void take_peer_line(struct connection *c, struct bb_span line)
{
	const size_t max = c->lines.max;

	bb_hub_peer_line(c->hub->hub, c->number, line);
	c->lines.max = bb_hub_line_max(c->hub->hub, c->number);
	if (c->lines.max != max)
		bound_lines(c);
}

static void deliver(struct connection *c, struct bb_span line)
{
	struct relayhub *h = c->hub;

	if (c->kind == PEER)
		take_peer_line(c, line);
	else if (c->kind == TOOL)
		bb_hub_tool_line(h->hub, c->number, line);
	else if (line.data)
		bb_hub_chain_line(h->hub, line);
	else
		relayhub_say(h, "the pipeline wrote a line that is too long");
}

static bool is_read(const struct connection *c)
{
	return !c->paused && !c->closing && !c->broken &&
	       (c->kind == CHAIN || !c->hub->stopping);
}

/* All lines were taken, and no more will come. */
static void at_end(struct connection *c)
{
	struct bb_span line;

	c->told = true;
	if (c->kind != TOOL) {
		break_off(c);
		return;
	}
	if (relayline_last(&c->lines, &line, bufferevent_get_input(c->bev)) != RELAYLINE_NONE)
		bb_hub_tool_line(c->hub->hub, c->number, line);
	if (!c->closing)
		bb_hub_tool_ended(c->hub->hub, c->number);
}

static void take_lines(struct connection *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct bb_span line;
	bool more = true;

	if (c->kind == CHAIN && !c->hub->store.env)
		relayhub_look_for_store(c->hub);
	while (more && is_read(c)) {
		more = relayline_next(&c->lines, &line, in) != RELAYLINE_NONE;
		if (more)
			deliver(c, line);
	}
	if (c->closing)
		evbuffer_drain(in, evbuffer_get_length(in));
	count_input(c);
	if (c->ended && !c->told && is_read(c))
		at_end(c);
	if (!c->hub->stopping)
		relayhub_soon(c->hub->tick);
}

static void on_read(struct bufferevent *bev, void *connection)
{
	(void)bev;
	take_lines(connection);
}

void relayconn_end_chain(struct connection *c)
{
	if (c->shut)
		return;
	c->shut = true;
	shutdown(bufferevent_getfd(c->bev), SHUT_WR);
}

/* What was queued has gone. */
static void on_write(struct bufferevent *bev, void *connection)
{
	struct connection *c = connection;

	(void)bev;
	if (c->closing)
		relayhub_soon(c->hub->reap);
	else if (c == c->hub->chain && c->hub->stopping)
		relayconn_end_chain(c);
	else if (!c->hub->stopping)
		relayhub_soon(c->hub->tick);
}

static void connected(struct connection *c);

static void on_event(struct bufferevent *bev, short what, void *connection)
{
	struct connection *c = connection;

	(void)bev;
	if (what & BEV_EVENT_CONNECTED) {
		connected(c);
	} else if (!c->connecting && what & BEV_EVENT_EOF) {
		c->ended = true;
		take_lines(c);
		/* Deferred, the two may have become one: it has ended, and takes nothing. */
		if (what & BEV_EVENT_ERROR)
			break_off(c);
		else if (c->closing)
			relayhub_soon(c->hub->reap);
	} else {
		break_off(c);
	}
}

/* What stands. */

bool relayconn_wrap(struct connection *c, evutil_socket_t fd)
{
	c->bev = bufferevent_socket_new(
		c->hub->base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!c->bev)
		return false;
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	bufferevent_set_max_single_read(c->bev, READ_AT_ONCE);
	bufferevent_set_max_single_write(c->bev, READ_AT_ONCE);
	bound_lines(c);
	return true;
}

static bool greet(struct connection *c)
{
	struct relayhub *h = c->hub;

	if (c->kind == PEER)
		return bb_hub_connected(h->hub, c->number, &c->at, c->outbound);
	if (c->kind == TOOL && !bb_hub_tool_connected(h->hub, c->number))
		return false;
	if (c->kind == TOOL && c->local)
		bb_hub_tool_trusted(h->hub, c->number);
	if (c->kind == TOOL)
		return true;
	h->chain = c;
	bb_hub_chain_up(h->hub);
	return true;
}

void relayconn_begin(struct connection *c)
{
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	if (!greet(c)) {
		c->closing = c->broken = true;
		relayhub_soon(c->hub->reap);
	}
	relayhub_soon(c->hub->tick);
}

static void connected(struct connection *c)
{
	int on = 1;

	if (!c->connecting)
		return;
	setsockopt(bufferevent_getfd(c->bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	bufferevent_set_timeouts(c->bev, NULL, NULL);
	c->connecting = false;
	c->hub->outbound++;
	if (c->hub->stopping)
		break_off(c);
	else
		relayconn_begin(c);
}

/* What the hub asks for (struct bb_hub_io). */

/* What goes to the pipeline the hub keeps in bounds itself: it has it all until the verdicts.
 */
static bool has_room(const struct connection *c, size_t len)
{
	return c->kind == CHAIN ||
	       evbuffer_get_length(bufferevent_get_output(c->bev)) + len <= OUTPUT_MAX;
}

static bool queue(struct connection *c, struct bb_span lines)
{

	if (!c || !c->bev || c->broken || c->closing || c->shut)
		return false;
	if (has_room(c, lines.len) &&
		evbuffer_add(bufferevent_get_output(c->bev), lines.data, lines.len) == 0)
		return true;
	relayhub_say_why(c->hub, c->at.host, "dropped, for it does not take what it is sent");
	break_off(c);
	return false;
}

static bool io_send(void *hub, uint64_t number, struct bb_span lines)
{
	return queue(find(hub, number), lines);
}

static size_t io_queued(void *hub, uint64_t number)
{
	const struct connection *c = find(hub, number);

	return c && c->bev ? evbuffer_get_length(bufferevent_get_output(c->bev)) : 0;
}

static void io_close(void *hub, uint64_t number)
{
	struct connection *c = find(hub, number);

	if (c)
		relayconn_close(c);
}

/* Lines that were there when it was paused are taken up in a round of their own. */
static void io_read(void *hub, uint64_t number, bool on)
{
	struct connection *c = find(hub, number);

	if (!c || !c->bev || c->paused == !on || c->closing || c->broken)
		return;
	c->paused = !on;
	if (!on) {
		bufferevent_disable(c->bev, EV_READ);
		return;
	}
	bufferevent_enable(c->bev, EV_READ);
	bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS);
}

static void io_chain(void *hub, struct bb_span lines)
{
	queue(((struct relayhub *)hub)->chain, lines);
}

static bool io_connect(void *hub, const struct bb_net_address *to)
{
	const struct timeval most = {.tv_sec = CONNECT_S};
	struct relayhub *h = hub;
	struct connection *c = relayconn_add(h, PEER);
	struct sockaddr_storage sa;
	const socklen_t len = relaysock_sockaddr(&sa, to);

	if (!c)
		return false;
	c->at = *to;
	c->outbound = c->connecting = true;
	if (!len || !relayconn_wrap(c, -1) ||
		bufferevent_set_timeouts(c->bev, NULL, &most) != 0 ||
		bufferevent_socket_connect(c->bev, (struct sockaddr *)&sa, (int)len) != 0)
		break_off(c);
	return true;
}

struct bb_hub_io relayconn_io(struct relayhub *h)
{
	return (struct bb_hub_io){.arg = h,
		.send = io_send,
		.queued = io_queued,
		.close = io_close,
		.read = io_read,
		.chain = io_chain,
		.connect = io_connect,
		.log = relayhub_say};
}
