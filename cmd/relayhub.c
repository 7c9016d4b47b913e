#include "relayhub_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fault.h"
#include "relaykeeper.h"
#include "relaylog.h"
#include "relaypeers.h"
#include "relayrights.h"
#include "relaysock.h"

enum {
	TOOL_LINE_MAX = 64 << 20, /* bytes; a block with all that can be told of it */
	STOP_S = 30,		  /* for the last verdicts */
	STORE_MS = 100,		  /* between looks for a store that is not there yet */
	FAILED_MS = 5000,	  /* before one that failed is tried again */
	SAVE_MS = 180000,
	LOG_MS = 60000,
	LOG_LINES = 600, /* of peers, in LOG_MS */
};

void relayhub_after(struct event *e, uint64_t ms)
{
	const struct timeval t = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	event_add(e, &t);
}

/* Of peers, as many lines as they like to come and be sent away. */
static bool is_of_peer(const char *words)
{
	return strncmp(words, "peer ", 5) == 0 || strncmp(words, "host ", 5) == 0;
}

/* They must not fill the log, nor keep anything else out of it. */
void relayhub_say(void *hub, const char *words)
{
	struct relayhub *h = hub;
	const uint64_t now = clock_ms();
	char left_out[64];

	if (now >= h->log_ms + LOG_MS) {
		snprintf(left_out, sizeof(left_out), "%zu lines are left out here",
			h->log_lines > LOG_LINES ? h->log_lines - LOG_LINES : 0);
		if (h->log_lines > LOG_LINES)
			relaylog(h->o->tool, left_out);
		h->log_ms = now;
		h->log_lines = 0;
	}
	if (!is_of_peer(words) || ++h->log_lines <= LOG_LINES)
		relaylog(h->o->tool, words);
}

void relayhub_say_why(struct relayhub *h, const char *what, const char *why)
{
	char words[1024];

	snprintf(words, sizeof(words), "%.700s: %.200s", what, why);
	relayhub_say(h, words);
}

void relayhub_soon(struct event *e)
{
	event_active(e, 0, 0);
}

/* The store. */

static bool is_made(const struct relayhub *h)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/chain/data.mdb", h->o->dir) < PATH_MAX &&
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
		relayhub_say_why(h, "the store", why);
	memcpy(h->store_why, why, sizeof(why));
	return false;
}

/* One that failed was given up by the hub: it is opened anew. */
void relayhub_look_for_store(struct relayhub *h)
{
	h->looked_ms = clock_ms();
	if (h->store.env)
		bb_store_close(&h->store);
	h->store = (struct bb_store){0};
	if (open_store(h))
		bb_hub_store(h->hub, &h->store);
}

/* A mempool that was not written out before the machine went down, a pipeline makes anew. */
static bool lacks_pool(const struct relayhub *h)
{
	return h->chain && (!h->store.pool_env || h->store.pool_why);
}

static bool lacks_store(const struct relayhub *h)
{
	return !h->store.env || h->store.why || lacks_pool(h);
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

/* Peers that are known. */

static void load_peers(struct relayhub *h)
{
	char why[RELAYPEERS_WHY];

	if (!relaypeers_load(h->book, why, h->o->dir))
		relayhub_say(h, why);
}

static void save_peers(struct relayhub *h)
{
	char why[RELAYPEERS_WHY];

	h->saved_ms = clock_ms();
	if (!relaypeers_save(why, h->keeper, h->o->dir, h->book))
		relayhub_say(h, why);
}

static void found(void *hub, const struct bb_net_address *a)
{
	struct relayhub *h = hub;

	bb_addrbook_add(h->book, a, NULL, (int64_t)time(NULL));
	if (!h->stopping)
		relayhub_soon(h->tick);
}

static void unknown(void *hub, const char *name, const char *why)
{
	char words[BB_HOST_MAX + 32];

	snprintf(words, sizeof(words), "no address of %s", name);
	relayhub_say_why(hub, words, why);
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
		relaydoor_let_in_again(h);
	if (lacks_store(h) && now >= h->looked_ms + (h->store.env ? FAILED_MS : STORE_MS))
		relayhub_look_for_store(h);
	next = bb_hub_tick(h->hub, now, (int64_t)time(NULL));
	if (h->outbound < h->o->outbound)
		next = min(next, relaynames_turn(h->names, now));
	if (now >= h->saved_ms + SAVE_MS)
		save_peers(h);
	next = min(next, h->saved_ms + SAVE_MS);
	if (!h->store.env && h->chain)
		next = min(next, now + STORE_MS);
	relayhub_after(h->tick, next > now ? min(next - now, 1000) : 1);
}

/* The way out: nothing more is taken from peers and tools; end of file goes round through the
 * pipeline; its last verdicts are handed out; then everybody is let go. */

void relayhub_finish(struct relayhub *h)
{
	if (h->finishing)
		return;
	h->finishing = true;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct connection *c = h->bucket[i]; c; c = c->next) {
			relayconn_close(c);
			if (c->kind != TOOL) /* it will not wait for us */
				c->close_ms = 0;
		}
	relayhub_soon(h->reap);
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
	relaydoor_close(h);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct connection *c = h->bucket[i]; c; c = c->next)
			stop_reading(c);
	relayhub_after(h->deadline, STOP_S * 1000);
	if (!h->chain)
		relayhub_finish(h);
	else if (!evbuffer_get_length(bufferevent_get_output(h->chain->bev)))
		relayconn_end_chain(h->chain);
}

static void on_deadline(evutil_socket_t fd, short what, void *hub)
{
	struct relayhub *h = hub;

	(void)fd, (void)what;
	relayhub_say(h, "the pipeline did not end in time; lines of it are without a verdict");
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
	relayrights_prepare(h->dir_fd);
	h->keeper = relaykeeper_start(dir);
	if (h->keeper < 0)
		tool_die(h->o->tool, BB_SYSTEM, "cannot start a process: %s", strerror(errno));
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

/* What libevent says of name servers; of names we tell ourselves. */
static void pass_over(int severity, const char *words)
{
	(void)severity, (void)words;
}

static void make_events(struct relayhub *h)
{
	event_set_log_callback(pass_over);
	h->base = event_base_new();
	h->book = bb_addrbook_new();
	if (!h->base || !h->book)
		tool_die(h->o->tool, BB_SYSTEM, "no memory or no randomness");
	h->tick = evtimer_new(h->base, on_tick, h);
	h->reap = evtimer_new(h->base, relayconn_reap, h);
	h->deadline = evtimer_new(h->base, on_deadline, h);
	h->interrupted = evsignal_new(h->base, SIGINT, on_signal, h);
	h->terminated = evsignal_new(h->base, SIGTERM, on_signal, h);
	h->names = relaynames_new(h->base, &(struct relaynames_told){found, unknown, h});
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
		.io = relayconn_io(h)};

	open_store(h);
	h->hub = bb_hub_new(&config);
	if (!h->hub)
		tool_die(o->tool, BB_SYSTEM, "no memory or no randomness");
	bb_hub_tick(h->hub, clock_ms(), (int64_t)time(NULL));
}

static void free_all(struct relayhub *h)
{
	relaydoor_close(h);
	for (size_t i = 0; i < BUCKETS; i++)
		while (h->bucket[i])
			relayconn_free(h->bucket[i]);
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
}

static void leave_folder(struct relayhub *h)
{
	int err;

	save_peers(h);
	err = relaykeeper_end(h->keeper);
	if (err)
		relayhub_say_why(h, "the sockets stay behind", strerror(err));
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
	relaydoor_listen(h);
	h->saved_ms = clock_ms();
	relayhub_soon(h->tick);
	relayrights_drop(o.dir);
	tell_ready(&o);
	event_base_dispatch(h->base);
	leave_folder(h);
	free_all(h);
	status = h->status;
	close(h->dir_fd);
	free(h);
	return status;
}
