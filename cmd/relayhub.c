#include "relayhub.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "fault.h"
#include "net/hub.h"
#include "relayline.h"
#include "relaynames.h"
#include "relaysock.h"

enum {
	TOOL_LINE_MAX = 64 << 20, /* bytes; a block with all that can be told of it */
	READ_AT_ONCE = 256 << 10,
	INPUT_MAX = 512 << 20,	/* held of lines that are not whole yet, in all */
	OUTPUT_MAX = 128 << 20, /* queued to one connection */
	TOOLS_MAX = 256,
	CONNECT_S = 10,
	LINGER_MS = 1000, /* to take what is still on its way to it */
	STOP_S = 30,	  /* for the last verdicts */
	STORE_MS = 100,	  /* between looks for a store that is not there yet */
	FAILED_MS = 5000, /* before one that failed is tried again */
	SAVE_MS = 180000,
	PEERS_FILE_MAX = 16 << 20,
	LOG_MAX = 2048, /* bytes: what a pipe takes whole, or not at all */
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
	bool stopping, finishing;
	int dir_fd; /* locked as long as we live */
	int status;
	char store_why[BB_STORE_MESSAGE];
	struct bb_buf text; /* of the log */
};

static uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void after(struct event *e, uint64_t ms)
{
	const struct timeval t = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	event_add(e, &t);
}

/* The log: lines on standard error, lost where nobody takes them in time. */
static void say(void *hub, const char *words)
{
	struct relayhub *h = hub;
	struct bb_json_writer w = {.buf = &h->text};
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	char clean[LOG_MAX / 2];
	size_t len = 0;

	for (; words[len] && len < sizeof(clean) - 1; len++)
		clean[len] = (char)(words[len] & 0x80 ? '?' : words[len]);
	clean[len] = '\0';
	h->text.len = 0;
	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", "log");
	bb_json_member_str(&w, "tool", h->o->tool->name);
	bb_json_member_i64(&w, "time", (int64_t)time(NULL));
	bb_json_member_str(&w, "text", clean);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
	if (h->text.failed || h->text.len > LOG_MAX || poll(&p, 1, 0) != 1)
		return;
	if (write(STDERR_FILENO, h->text.data, h->text.len) < 0)
		h->text.len = 0;
}

static void say_why(struct relayhub *h, const char *what, const char *why)
{
	char words[1024];

	snprintf(words, sizeof(words), "%.700s: %.200s", what, why);
	say(h, words);
}

/* Something happened: the hub wants to think about it when this round is through. */
static void soon(struct event *e)
{
	event_active(e, 0, 0);
}

/* Connections. */

static struct connection *find(struct relayhub *h, uint64_t number)
{
	struct connection *c = h->bucket[number % BUCKETS];

	while (c && c->number != number)
		c = c->next;
	return c;
}

static struct connection *add_connection(struct relayhub *h, enum kind kind)
{
	struct connection *c = calloc(1, sizeof(*c)), **bucket;

	if (!c)
		return NULL;
	c->hub = h;
	c->kind = kind;
	c->number = ++h->last_number;
	c->lines.max = kind == PEER ? BB_PEER_LINE_MAX : h->o->max_line;
	bucket = &h->bucket[c->number % BUCKETS];
	c->next = *bucket;
	*bucket = c;
	return c;
}

static void free_connection(struct connection *c)
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
	soon(c->hub->reap);
}

/* Nothing more will be said to it; what is queued still goes. */
static void close_gently(struct connection *c)
{
	if (c->closing)
		return;
	c->closing = true;
	c->close_ms = clock_ms() + LINGER_MS;
	if (c->bev && !c->broken) /* what it still says is thrown away */
		bufferevent_enable(c->bev, EV_READ);
	soon(c->hub->reap);
}

/* Let go all that are through; the hub is told of those that it has not given up itself. */

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

static void finish(struct relayhub *h);
static void let_chain_in(struct relayhub *h, bool on);

static void on_reap(evutil_socket_t fd, short what, void *hub)
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
				free_connection(c);
				continue;
			}
			left++;
			closing += c->closing;
		}
	}
	if (closing)
		after(h->reap, LINGER_MS / 4);
	if (!h->chain && h->stopping)
		finish(h);
	else if (!h->chain)
		let_chain_in(h, true);
	if (h->finishing && !left)
		event_base_loopbreak(h->base);
	else if (!h->stopping)
		soon(h->tick);
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
	say_why(h, most->at.host, "dropped, for too much waits for the ends of lines");
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

/* The store. */

static bool is_made(const struct relayhub *h)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/chain", h->o->dir) < PATH_MAX &&
	       access(path, F_OK) == 0;
}

/* A pipeline makes it, some time after it has come. */
static bool open_store(struct relayhub *h)
{
	char why[BB_STORE_MESSAGE];

	if (h->store.env || !is_made(h))
		return false;
	if (bb_store_open(&h->store, why, h->o->dir, BB_STORE_READ, h->o->network)) {
		fault_watch(&h->store);
		return true;
	}
	if (strcmp(why, h->store_why) != 0)
		say_why(h, "the store", why);
	memcpy(h->store_why, why, sizeof(why));
	return false;
}

/* One that failed was given up by the hub: it is opened anew. */
static void look_for_store(struct relayhub *h)
{
	h->looked_ms = clock_ms();
	if (h->store.env)
		bb_store_close(&h->store);
	h->store = (struct bb_store){0};
	if (open_store(h))
		bb_hub_store(h->hub, &h->store);
}

static bool lacks_store(const struct relayhub *h)
{
	return !h->store.env || h->store.why;
}

/* Lines that come. */

static void deliver(struct connection *c, struct bb_span line)
{
	struct relayhub *h = c->hub;

	if (c->kind == PEER)
		bb_hub_peer_line(h->hub, c->number, line);
	else if (c->kind == TOOL)
		bb_hub_tool_line(h->hub, c->number, line);
	else if (line.data)
		bb_hub_chain_line(h->hub, line);
	else
		say(h, "the pipeline wrote a line that is too long");
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
		look_for_store(c->hub);
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
		soon(c->hub->tick);
}

static void on_read(struct bufferevent *bev, void *connection)
{
	(void)bev;
	take_lines(connection);
}

/* End of file goes round: behind the last line, which has gone. */
static void end_chain(struct connection *c)
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
		soon(c->hub->reap);
	else if (c == c->hub->chain && c->hub->stopping)
		end_chain(c);
	else if (!c->hub->stopping)
		soon(c->hub->tick);
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
			soon(c->hub->reap);
	} else {
		break_off(c);
	}
}

/* What stands. */

static bool wrap(struct connection *c, evutil_socket_t fd)
{
	c->bev = bufferevent_socket_new(
		c->hub->base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!c->bev)
		return false;
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	bufferevent_set_max_single_read(c->bev, READ_AT_ONCE);
	bufferevent_set_max_single_write(c->bev, READ_AT_ONCE);
	bufferevent_setwatermark(c->bev, EV_READ, 0, c->lines.max + READ_AT_ONCE);
	return true;
}

static bool greet(struct connection *c)
{
	struct relayhub *h = c->hub;

	if (c->kind == PEER)
		return bb_hub_connected(h->hub, c->number, &c->at, c->outbound);
	if (c->kind == TOOL)
		return bb_hub_tool_connected(h->hub, c->number);
	h->chain = c;
	bb_hub_chain_up(h->hub);
	return true;
}

/* It stands; whom the hub does not want goes at once. */
static void begin(struct connection *c)
{
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	if (!greet(c)) {
		c->closing = c->broken = true;
		soon(c->hub->reap);
	}
	soon(c->hub->tick);
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
		begin(c);
}

/* Whom we listen to. */

/* One pipeline at a time; the next one waits at the door until the last one's end was seen. */
static void let_chain_in(struct relayhub *h, bool on)
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
		c = add_connection(h, l->kind);
	if (!c) {
		evutil_closesocket(fd);
		return;
	}
	h->tools += c->kind == TOOL;
	if (!relaysock_address(&c->at, from))
		snprintf(c->at.host, sizeof(c->at.host), "local");
	else
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!wrap(c, fd)) {
		evutil_closesocket(fd);
		free_connection(c);
		return;
	}
	if (c->kind == CHAIN)
		let_chain_in(h, false);
	begin(c);
}

/* Out of descriptors: let nobody in for a while. */
static void on_accept_error(struct evconnlistener *socket, void *listener)
{
	struct listener *l = listener;

	say_why(l->hub, "cannot let anybody in", strerror(errno));
	evconnlistener_disable(socket);
}

static void let_in_again(struct relayhub *h)
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

static void listen_to_all(struct relayhub *h)
{
	char why[RELAYSOCK_WHY];

	listen_on(h, CHAIN, relaysock_listen_unix(why, h->o->dir, "chain.sock", 0600), why);
	listen_on(h, TOOL, relaysock_listen_unix(why, h->o->dir, "relay.sock", 0660), why);
	for (size_t i = 0; i < h->o->tools.count; i++)
		listen_on(h, TOOL, relaysock_listen(why, &h->o->tools.at[i]), why);
	for (size_t i = 0; i < h->o->listen.count; i++)
		listen_on(h, PEER, relaysock_listen(why, &h->o->listen.at[i]), why);
}

static void listen_to_none(struct relayhub *h)
{
	for (size_t i = 0; i < h->listener_count; i++) {
		if (h->listeners[i].socket)
			evconnlistener_free(h->listeners[i].socket);
		h->listeners[i].socket = NULL;
	}
}

static void tell_ready(const struct relayhub_options *o)
{
	if (o->ready_fd < 0)
		return;
	if (write(o->ready_fd, "\n", 1) != 1)
		tool_die(o->tool, BB_SYSTEM, "--ready-fd: %s", strerror(errno));
	if (o->ready_fd > STDERR_FILENO)
		close(o->ready_fd);
}

/* What the hub asks for (struct bb_hub_io). */

static bool queue(struct connection *c, struct bb_span lines)
{
	struct evbuffer *out;

	if (!c || !c->bev || c->broken || c->closing || c->shut)
		return false;
	out = bufferevent_get_output(c->bev);
	if (evbuffer_get_length(out) + lines.len <= OUTPUT_MAX &&
		evbuffer_add(out, lines.data, lines.len) == 0)
		return true;
	say_why(c->hub, c->at.host, "dropped, for it does not take what it is sent");
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
		close_gently(c);
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

static void io_connect(void *hub, const struct bb_net_address *to)
{
	const struct timeval most = {.tv_sec = CONNECT_S};
	struct relayhub *h = hub;
	struct connection *c = add_connection(h, PEER);
	struct sockaddr_storage sa;
	const socklen_t len = relaysock_sockaddr(&sa, to);

	if (!c)
		return; /* the address is tried again in its time */
	c->at = *to;
	c->outbound = c->connecting = true;
	if (!len || !wrap(c, -1) || bufferevent_set_timeouts(c->bev, NULL, &most) != 0 ||
		bufferevent_socket_connect(c->bev, (struct sockaddr *)&sa, (int)len) != 0)
		break_off(c);
}

static struct bb_hub_io io(struct relayhub *h)
{
	return (struct bb_hub_io){.arg = h,
		.send = io_send,
		.queued = io_queued,
		.close = io_close,
		.read = io_read,
		.chain = io_chain,
		.connect = io_connect,
		.log = say};
}

/* Peers that are known. */

static bool peers_path(char path[PATH_MAX], const struct relayhub *h, const char *name)
{
	return snprintf(path, PATH_MAX, "%s/%s", h->o->dir, name) < PATH_MAX;
}

static void load_peers(struct relayhub *h)
{
	struct bb_buf text = {0};
	char path[PATH_MAX], words[64];
	const char *why;
	size_t bad;

	if (!peers_path(path, h, "peers") || access(path, F_OK) != 0)
		return;
	if (!bb_read_file(&text, &why, path, PEERS_FILE_MAX)) {
		say_why(h, path, why);
		bb_buf_free(&text);
		return;
	}
	bad = bb_addrbook_load(h->book, BB_SPAN(text.data, text.len));
	snprintf(words, sizeof(words), "%zu lines cannot be read", bad);
	if (bad)
		say_why(h, path, words);
	bb_buf_free(&text);
}

static bool write_file(const char *path, struct bb_span text)
{
	struct bb_sink file = {
		.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
	bool ok;

	if (file.fd < 0)
		return false;
	bb_put(&file.buf, text.data, text.len);
	ok = bb_sink_flush(&file);
	if (!ok)
		errno = file.error;
	bb_buf_free(&file.buf);
	return close(file.fd) == 0 && ok;
}

/* Whole, or as it was before. */
static void save_peers(struct relayhub *h)
{
	char path[PATH_MAX], new[PATH_MAX];
	struct bb_buf text = {0};

	h->saved_ms = clock_ms();
	bb_addrbook_save(&text, h->book);
	if (!text.failed && peers_path(path, h, "peers") && peers_path(new, h, "peers.new") &&
		(!write_file(new, BB_SPAN(text.data, text.len)) || rename(new, path) != 0))
		say_why(h, path, strerror(errno));
	bb_buf_free(&text);
}

static void found(void *hub, const struct bb_net_address *a)
{
	struct relayhub *h = hub;

	bb_addrbook_add(h->book, a, NULL, (int64_t)time(NULL));
	if (!h->stopping)
		soon(h->tick);
}

/* Those that a person named: addresses are known now, names are looked up. */
static void add_named(struct relayhub *h)
{
	for (size_t i = 0; i < h->o->peers.count; i++) {
		const struct bb_net_address *a = &h->o->peers.at[i];
		struct sockaddr_storage sa;
		if (relaysock_sockaddr(&sa, a))
			bb_addrbook_add(h->book, a, NULL, (int64_t)time(NULL));
		else if (!relaynames_add(h->names, a))
			tool_die(h->o->tool, BB_SYSTEM, "out of memory");
	}
}

/* Time. */

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void on_tick(evutil_socket_t fd, short what, void *hub)
{
	struct relayhub *h = hub;
	const uint64_t now = clock_ms();
	uint64_t next;

	(void)fd;
	if (h->stopping)
		return;
	if (what & EV_TIMEOUT)
		let_in_again(h);
	if (lacks_store(h) && now >= h->looked_ms + (h->store.why ? FAILED_MS : STORE_MS))
		look_for_store(h);
	next = bb_hub_tick(h->hub, now, (int64_t)time(NULL));
	if (h->outbound < h->o->outbound)
		next = min(next, relaynames_turn(h->names, now));
	if (now >= h->saved_ms + SAVE_MS)
		save_peers(h);
	next = min(next, h->saved_ms + SAVE_MS);
	if (!h->store.env && h->chain)
		next = min(next, now + STORE_MS);
	after(h->tick, next > now ? min(next - now, 1000) : 1);
}

/* The way out: nothing more is taken from peers and tools; end of file goes round through the
 * pipeline; its last verdicts are handed out; then everybody is let go. */

static void finish(struct relayhub *h)
{
	if (h->finishing)
		return;
	h->finishing = true;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct connection *c = h->bucket[i]; c; c = c->next) {
			close_gently(c);
			if (c->kind != TOOL) /* it will not wait for us */
				c->close_ms = 0;
		}
	soon(h->reap);
}

static void stop_reading(struct connection *c)
{
	if (c->kind != CHAIN && c->bev && !c->closing && !c->connecting)
		bufferevent_disable(c->bev, EV_READ);
}

static void on_signal(evutil_socket_t number, short what, void *hub)
{
	struct relayhub *h = hub;

	(void)number, (void)what;
	if (h->stopping) {
		h->status = h->chain ? BB_SYSTEM : h->status;
		event_base_loopbreak(h->base);
		return;
	}
	h->stopping = true;
	listen_to_none(h);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct connection *c = h->bucket[i]; c; c = c->next)
			stop_reading(c);
	after(h->deadline, STOP_S * 1000);
	if (!h->chain)
		finish(h);
	else if (!evbuffer_get_length(bufferevent_get_output(h->chain->bev)))
		end_chain(h->chain);
}

static void on_deadline(evutil_socket_t fd, short what, void *hub)
{
	struct relayhub *h = hub;

	(void)fd, (void)what;
	say(h, "the pipeline did not end in time; lines of it are without a verdict");
	h->status = BB_SYSTEM;
	event_base_loopbreak(h->base);
}

/* Begin and end. */

/* The folder is made where there is none, and is ours alone: nobody else may hold its sockets.
 */
static void take_folder(struct relayhub *h)
{
	const char *dir = h->o->dir;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/", dir) >= PATH_MAX)
		tool_die(h->o->tool, BB_CALLER, "-d: too long");
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0777) != 0 && errno != EEXIST)
			tool_die(h->o->tool, BB_SYSTEM, "make %s: %s", path, strerror(errno));
		*slash = '/';
	}
	h->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (h->dir_fd < 0)
		tool_die(h->o->tool, BB_SYSTEM, "open %s: %s", dir, strerror(errno));
	if (flock(h->dir_fd, LOCK_EX | LOCK_NB) != 0)
		tool_die(h->o->tool, BB_SYSTEM, "another hub runs in %s", dir);
}

/* A connection is a descriptor; no other program is started; a pipe that closes is an error as
 * any other, and a terminal's end none of ours. */
static void prepare_process(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

static void make_events(struct relayhub *h)
{
	h->base = event_base_new();
	h->book = bb_addrbook_new();
	if (!h->base || !h->book)
		tool_die(h->o->tool, BB_SYSTEM, "no memory or no randomness");
	h->tick = evtimer_new(h->base, on_tick, h);
	h->reap = evtimer_new(h->base, on_reap, h);
	h->deadline = evtimer_new(h->base, on_deadline, h);
	h->interrupted = evsignal_new(h->base, SIGINT, on_signal, h);
	h->terminated = evsignal_new(h->base, SIGTERM, on_signal, h);
	h->names = relaynames_new(h->base, found, h);
	if (!h->tick || !h->reap || !h->deadline || !h->interrupted || !h->terminated ||
		!h->names || event_add(h->interrupted, NULL) != 0 ||
		event_add(h->terminated, NULL) != 0)
		tool_die(h->o->tool, BB_SYSTEM, "out of memory");
}

static void make_hub(struct relayhub *h)
{
	const struct relayhub_options *o = h->o;
	const struct bb_hub_config config = {.network = o->network,
		.store = &h->store,
		.book = h->book,
		.agent = "bb:" BB_VERSION,
		.listen = o->listen.count ? o->listen.at[0].port : 0,
		.outbound = o->outbound,
		.inbound = o->inbound,
		.per_host = o->per_host,
		.io = io(h)};

	open_store(h);
	h->hub = bb_hub_new(&config);
	if (!h->hub)
		tool_die(o->tool, BB_SYSTEM, "no memory or no randomness");
	bb_hub_tick(h->hub, clock_ms(), (int64_t)time(NULL));
}

static void free_all(struct relayhub *h)
{
	listen_to_none(h);
	for (size_t i = 0; i < BUCKETS; i++)
		while (h->bucket[i])
			free_connection(h->bucket[i]);
	relaynames_free(h->names);
	bb_hub_free(h->hub);
	event_free(h->tick);
	event_free(h->reap);
	event_free(h->deadline);
	event_free(h->interrupted);
	event_free(h->terminated);
	event_base_free(h->base);
	libevent_global_shutdown();
	bb_addrbook_free(h->book);
	if (h->store.env)
		bb_store_close(&h->store);
	bb_buf_free(&h->text);
}

static void remove_socket(const struct relayhub *h, const char *name)
{
	if (unlinkat(h->dir_fd, name, 0) != 0)
		say_why((struct relayhub *)h, name, strerror(errno));
}

int relayhub_run(const struct relayhub_options *options)
{
	struct relayhub_options o = *options;
	struct relayhub *h = calloc(1, sizeof(*h));
	int status;

	if (!h)
		tool_die(o.tool, BB_SYSTEM, "out of memory");
	if (!o.max_line)
		o.max_line = TOOL_LINE_MAX;
	h->o = &o;
	prepare_process();
	take_folder(h);
	make_events(h);
	fault_catch("bb-relay", &h->store);
	load_peers(h);
	add_named(h);
	make_hub(h);
	listen_to_all(h);
	h->saved_ms = clock_ms();
	soon(h->tick);
	tell_ready(&o);
	event_base_dispatch(h->base);
	remove_socket(h, "relay.sock");
	remove_socket(h, "chain.sock");
	save_peers(h);
	free_all(h);
	status = h->status;
	close(h->dir_fd);
	free(h);
	return status;
}
