/* Headers, blocks and what is served of them, between hubs in one process: nodes with stores of
 * their own, links of memory, and peers that say what the test has them say. The ledger is a
 * `bb-chain run` behind pipes.
 *
 *	fetch BB-CHAIN LONG BRANCH EXTENDED DEEP NEW
 *
 * Stores of regtest: LONG; BRANCH, which leaves it some blocks before its tip and has more
 *work; EXTENDED, which has a block more than BRANCH; DEEP, which has only the
 * genesis block in common with them and more than 2,000 others, of more work; NEW, which has
 *but the genesis block. Each table prints `name: N of M`, and what fails. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bitcoin/pow.h"
#include "net/fetch_inside.h"
#include "table.h"

enum { LINKS = 64, PATIENCE_MS = 60000 };

static void die(const char *what)
{
	fprintf(stderr, "fetch: %s\n", what);
	exit(3);
}

/* The clock: the machine's, and what the test lets pass at once. */
static uint64_t skipped_ms;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + skipped_ms;
}

/* Nodes. */

struct node {
	struct bb_hub *hub;
	struct bb_addrbook *book;
	struct bb_store *store;
	pid_t ledger; /* 0: none */
	int to, from; /* its pipes */
	struct bb_buf out, in;
	unsigned blocks, headers; /* lines given to it */
};

/* Lines on their way to one end. */
struct side {
	struct node *node; /* NULL: the test itself */
	uint64_t connection;
	struct bb_buf queue;
	unsigned count[BB_MSG_MEMPOOL + 1]; /* messages that came, by kind */
	struct bb_buf last[BB_MSG_MEMPOOL + 1];
	bool mute; /* no block comes through */
};
struct link {
	struct side side[2];
	bool closed;
};

static struct link links[LINKS];
static size_t link_count;
static struct bb_arena arena;

static struct link *find_link(int *side, const struct node *n, uint64_t connection)
{
	for (size_t i = 0; i < link_count; i++)
		for (int k = 0; k < 2; k++)
			if (links[i].side[k].node == n &&
				links[i].side[k].connection == connection) {
				*side = k;
				return &links[i];
			}
	die("no such connection");
	return NULL;
}

static bool on_send(void *arg, uint64_t connection, struct bb_span lines)
{
	int k;
	struct link *l = find_link(&k, arg, connection);

	if (!l->closed)
		bb_put(&l->side[!k].queue, lines.data, lines.len);
	return !l->closed;
}

static size_t on_queued(void *arg, uint64_t connection)
{
	int k;

	return find_link(&k, arg, connection)->side[!k].queue.len;
}

static void on_close(void *arg, uint64_t connection)
{
	int k;

	find_link(&k, arg, connection)->closed = true;
}

static void on_read(void *arg, uint64_t connection, bool on)
{
	(void)arg;
	(void)connection;
	(void)on;
}

static void count_lines(struct node *n, struct bb_span lines)
{
	static const char block[] = "{\"type\":\"block\"", header[] = "{\"type\":\"header\"";

	for (size_t i = 0; i < lines.len; i++) {
		if (i && lines.data[i - 1] != '\n')
			continue;
		if (lines.len - i >= sizeof(header)) {
			n->blocks += memcmp(lines.data + i, block, sizeof(block) - 1) == 0;
			n->headers += memcmp(lines.data + i, header, sizeof(header) - 1) == 0;
		}
	}
}

static void on_chain(void *arg, struct bb_span lines)
{
	struct node *n = arg;

	count_lines(n, lines);
	bb_put(&n->out, lines.data, lines.len);
}

static bool on_connect(void *arg, const struct bb_net_address *to)
{
	(void)arg;
	(void)to;
	return true;
}

static void on_log(void *arg, const char *line)
{
	(void)arg;
	if (getenv("FETCH_LOG"))
		fprintf(stderr, "%s\n", line);
}

static struct bb_store *open_store(const char *dir)
{
	struct bb_store *s = calloc(1, sizeof(*s));
	char message[BB_STORE_MESSAGE];

	if (!s || !bb_store_open(s, message, dir, BB_STORE_READ, bb_network_find("regtest")))
		die(s ? message : "memory");
	return s;
}

static void close_store(struct bb_store *s)
{
	bb_store_close(s);
	free(s);
}

static struct node *new_node(struct bb_store *s)
{
	struct node *n = calloc(1, sizeof(*n));
	struct bb_hub_config c = {
		.network = bb_network_find("regtest"),
		.store = s,
		.agent = "test",
		.outbound = 8,
		.inbound = LINKS,
		.per_host = LINKS,
		.io = {n, on_send, on_queued, on_close, on_read, on_chain, on_connect, on_log},
	};

	if (!n || !(n->book = c.book = bb_addrbook_new()) || !(n->hub = bb_hub_new(&c)))
		die("no hub");
	n->store = s;
	bb_hub_tick(n->hub, now_ms(), time(NULL));
	return n;
}

static void free_node(struct node *n)
{
	bb_hub_free(n->hub);
	bb_addrbook_free(n->book);
	bb_buf_free(&n->out);
	bb_buf_free(&n->in);
	free(n);
}

static void start_ledger(struct node *n, const char *bb_chain, const char *dir)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0 || (n->ledger = fork()) < 0)
		die("no process");
	if (n->ledger == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		execl(bb_chain, bb_chain, "run", "-n", "regtest", "-d", dir, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	n->to = to[1];
	n->from = from[0];
	fcntl(n->to, F_SETFL, O_NONBLOCK);
	fcntl(n->from, F_SETFL, O_NONBLOCK);
	bb_hub_chain_up(n->hub);
}

static void stop_ledger(struct node *n)
{
	close(n->to);
	close(n->from);
	waitpid(n->ledger, NULL, 0);
	n->ledger = 0;
	bb_hub_chain_down(n->hub);
}

/* Whole lines of a buffer, one after the other; what is left moves to its beginning. */
static bool next_line(struct bb_span *line, const struct bb_buf *b, size_t *at)
{
	const unsigned char *from = b->data + *at, *lf;

	if (*at >= b->len || !(lf = memchr(from, '\n', b->len - *at)))
		return false;
	*line = BB_SPAN(from, (size_t)(lf - from));
	*at += line->len + 1;
	return true;
}

static void work_ledger(struct node *n)
{
	struct bb_span line;
	unsigned char *room;
	size_t at = 0;
	ssize_t got;

	if (n->out.len && (got = write(n->to, n->out.data, n->out.len)) > 0) {
		memmove(n->out.data, n->out.data + got, n->out.len - (size_t)got);
		n->out.len -= (size_t)got;
	}
	while ((room = bb_buf_room(&n->in, 65536)) && (got = read(n->from, room, 65536)) > 0)
		n->in.len += (size_t)got;
	while (next_line(&line, &n->in, &at))
		bb_hub_chain_line(n->hub, line);
	if (at) {
		memmove(n->in.data, n->in.data + at, n->in.len - at);
		n->in.len -= at;
	}
}

/* Links. */

static void note(struct side *s, struct bb_span line)
{
	struct bb_message m;
	const char *why;

	bb_arena_reset(&arena);
	if (!bb_message_parse(&m, &why, &arena, line))
		die("a hub sends what is no message");
	s->count[m.kind]++;
	s->last[m.kind].len = 0;
	bb_put(&s->last[m.kind], line.data, line.len);
}

static bool is_block(struct bb_span line)
{
	static const char block[] = "{\"type\":\"block\"";

	return line.len > sizeof(block) && memcmp(line.data, block, sizeof(block) - 1) == 0;
}

static bool deliver(struct link *l, int k)
{
	struct side *s = &l->side[k];
	struct bb_buf b = s->queue;
	struct bb_span line;
	size_t at = 0;

	s->queue = (struct bb_buf){0};
	while (next_line(&line, &b, &at)) {
		if (!s->node)
			note(s, line);
		else if (!l->closed && !(s->mute && is_block(line)))
			bb_hub_peer_line(s->node->hub, s->connection, line);
	}
	bb_buf_free(&b);
	return at > 0;
}

static struct node *nodes[8];
static size_t node_count;

/* Everything that can happen now. */
static void turn(void)
{
	bool some = false;

	for (size_t i = 0; i < link_count; i++)
		some |= deliver(&links[i], 0) | deliver(&links[i], 1);
	for (size_t i = 0; i < node_count; i++) {
		struct node *n = nodes[i];
		if (n->ledger)
			work_ledger(n);
		bb_hub_tick(n->hub, now_ms(), time(NULL));
		if (n->ledger && !some) {
			struct pollfd p[] = {
				{n->from, POLLIN, 0}, {n->out.len ? n->to : -1, POLLOUT, 0}};
			poll(p, 2, 2);
		}
	}
}

static struct link *new_link(struct node *a, struct node *b)
{
	struct link *l = &links[link_count++];

	l->side[0] = (struct side){.node = a, .connection = link_count};
	l->side[1] = (struct side){.node = b, .connection = link_count};
	return l;
}

static void let_in(struct node *n, bool outbound)
{
	struct bb_net_address at = {.port = 18444};

	snprintf(at.host, sizeof(at.host), "10.0.0.%zu", link_count);
	if (!bb_hub_connected(n->hub, link_count, &at, outbound))
		die("not let in");
}

static struct link *connect_nodes(struct node *from, struct node *to)
{
	struct link *l = new_link(from, to);

	let_in(to, false);
	let_in(from, true);
	return l;
}

static void disconnect(struct link *l)
{
	l->closed = true;
	for (int k = 0; k < 2; k++)
		if (l->side[k].node)
			bb_hub_closed(l->side[k].node->hub, l->side[k].connection);
}

/* A peer that the test plays. */

static void say(struct link *l, const struct bb_message *m)
{
	bb_put_message(&l->side[1].queue, m);
}

static struct link *meet_as(struct node *n, int64_t height, bool outbound)
{
	struct link *l = new_link(NULL, n);
	struct bb_message m = {.kind = BB_MSG_VERSION};

	m.version = (struct bb_version){.protocol = BB_NET_PROTOCOL,
		.height = height,
		.network = "regtest",
		.agent = "played",
		.nonce = 1000 + link_count,
		.services = BB_SERVICE_NETWORK};
	memcpy(m.version.genesis, bb_network_find("regtest")->genesis, 32);
	let_in(n, outbound);
	say(l, &m);
	say(l, &(struct bb_message){.kind = BB_MSG_VERACK});
	for (int i = 0; i < 10; i++)
		turn();
	return l;
}

/* It calls. */
static struct link *meet(struct node *n, int64_t height)
{
	return meet_as(n, height, false);
}

static struct peer *peer_of(struct node *n, const struct link *l)
{
	return hub_peer(n->hub, l->side[1].connection);
}

static unsigned score_of(struct node *n, const struct link *l)
{
	const struct peer *p = peer_of(n, l);

	return p ? p->score : BAN_SCORE;
}

/* The message of that kind that came last. */
static bool last_said(struct bb_message *m, const struct link *l, enum bb_message_kind kind)
{
	const struct bb_buf *b = &l->side[0].last[kind];
	const char *why;

	bb_arena_reset(&arena);
	return b->len && bb_message_parse(m, &why, &arena, BB_SPAN(b->data, b->len)) &&
	       m->kind == kind;
}

#define UNTIL(condition)                                                                       \
	for (const uint64_t from_ = now_ms(); !(condition) && now_ms() - from_ < PATIENCE_MS;) \
	turn()

/* So that what should not happen has had its time. */
static void settle(struct node *n)
{
	UNTIL(bb_outstanding_count(n->hub->out) == 0);
	for (int i = 0; i < 20; i++)
		turn();
}

/* Stores. */

static bool node_at(struct bb_node *out, struct bb_store *s, int32_t height)
{
	bool good;

	if (!bb_store_begin(s))
		die(s->why);
	good = height < 0 ? bb_tree_tip(out, s) : bb_tree_at(out, s, height);
	bb_store_end(s);
	return good;
}

static bool same_tip(struct bb_store *a, struct bb_store *b)
{
	struct bb_node x, y;

	return node_at(&x, a, -1) && node_at(&y, b, -1) && memcmp(x.id, y.id, 32) == 0;
}

static struct bb_span block_at(struct bb_buf *b, struct bb_store *s, int32_t height)
{
	struct bb_node n;
	const char *why;

	b->len = 0;
	if (!node_at(&n, s, height) ||
		!bb_flat_read(b, &s->flat, &why, &n.place, 0, n.place.len))
		die("no such block");
	return BB_SPAN(b->data, b->len);
}

/* Proof of work, for what is made up here. */
static void mine(struct bb_header *h, unsigned char id[32])
{
	for (h->nonce = 0;; h->nonce++) {
		bb_header_hash(id, h);
		if (bb_pow_valid(id, h->bits, bb_network_find("regtest")))
			return;
	}
}

static struct bb_header on_top(const struct bb_node *n, uint32_t time_s)
{
	struct bb_header h = {.version = 0x20000000,
		.time = time_s ? time_s : n->header.time + 1,
		.bits = n->header.bits};

	memcpy(h.prev, n->id, 32);
	return h;
}

/* From nothing, of two at once, of which one gives no blocks. */
static void from_nothing(struct node *honest, struct node *stalling, struct node *fresh)
{
	struct table t = {"sync from two, one of which stalls"};
	struct link *a, *b;
	struct bb_node tip;
	const uint64_t from = now_ms();
	unsigned most = 0;
	bool both = false;

	node_at(&tip, honest->store, -1);
	b = connect_nodes(stalling, fresh);
	b->side[1].mute = true;
	a = connect_nodes(honest, fresh);
	for (const uint64_t began = now_ms();
		!same_tip(honest->store, fresh->store) && now_ms() - began < PATIENCE_MS;) {
		const struct peer *p = peer_of(fresh, a), *q = peer_of(fresh, b);
		turn();
		if (p && p->blocks_in_flight > most)
			most = p->blocks_in_flight;
		both |= p && q && p->blocks_in_flight && q->blocks_in_flight;
	}
	settle(fresh);
	printf("%d blocks in %.1f s\n", (int)tip.height, (double)(now_ms() - from) / 1000);
	row(&t, same_tip(honest->store, fresh->store), "the same tip");
	row(&t, fresh->headers == (unsigned)tip.height, "each header goes in once");
	row(&t, fresh->blocks == (unsigned)tip.height, "each block goes in once");
	row(&t, both, "blocks are asked of both at once");
	row(&t, most <= BLOCKS_A_PEER, "not too many of one");
	row(&t, score_of(fresh, a) == 0, "who delivers is not blamed");
	row(&t, score_of(fresh, b) == 20, "who stalls is blamed");
	row(&t, peer_of(fresh, b) && peer_of(fresh, b)->window < BLOCKS_A_PEER,
		"who stalls is asked for less");
	row(&t, peer_of(fresh, a) && peer_of(fresh, a)->blocks_in_flight == 0,
		"nothing is owed any more");
	disconnect(b);
	disconnect(a);
	end(&t);
}

/* What others ask of ours is what the store has. */

static bool headers_equal(const struct bb_message *m, struct bb_store *s, int32_t from)
{
	struct bb_node n;

	for (size_t i = 0; i < m->count; i++)
		if (!node_at(&n, s, from + (int32_t)i) ||
			memcmp(&n.header, &m->headers[i], sizeof(n.header)) != 0)
			return false;
	return true;
}

static bool asked_headers(struct bb_message *m, struct link *l, unsigned char (*locator)[32],
	size_t count, const unsigned char *stop)
{
	struct bb_message q = {.kind = BB_MSG_GETHEADERS, .locator = locator, .count = count};
	const unsigned before = l->side[0].count[BB_MSG_HEADERS];

	if (stop)
		memcpy(q.stop, stop, 32);
	say(l, &q);
	for (int i = 0; i < 5; i++)
		turn();
	return l->side[0].count[BB_MSG_HEADERS] == before + 1 &&
	       last_said(m, l, BB_MSG_HEADERS);
}

static void ask_item(struct link *l, enum bb_inv_kind kind, const unsigned char id[32])
{
	struct bb_inv item = {.kind = kind};

	memcpy(item.id, id, 32);
	say(l, &(struct bb_message){.kind = BB_MSG_GETDATA, .items = &item, .count = 1});
	for (int i = 0; i < 5; i++)
		turn();
}

static void serving(struct node *n)
{
	struct table t = {"headers and blocks served"};
	struct link *l = meet(n, 0);
	unsigned char locator[2][32] = {{1, 2, 3}};
	struct bb_buf bytes = {0};
	struct bb_node tip, x, y;
	struct bb_message m;
	unsigned good = 0;

	node_at(&tip, n->store, -1);
	node_at(&x, n->store, 1500);
	node_at(&y, n->store, 1510);
	row(&t,
		asked_headers(&m, l, locator, 1, NULL) && m.count == BB_HEADERS_MAX &&
			headers_equal(&m, n->store, 1),
		"from the genesis block on");
	memcpy(locator[1], x.id, 32);
	row(&t,
		asked_headers(&m, l, locator, 2, NULL) &&
			m.count == (size_t)(tip.height - 1500) &&
			headers_equal(&m, n->store, 1501),
		"from a known one on");
	row(&t, asked_headers(&m, l, locator, 2, y.id) && m.count == 10, "up to one");
	row(&t,
		asked_headers(&m, l, NULL, 0, y.id) && m.count == 1 &&
			headers_equal(&m, n->store, 1510),
		"one alone");
	memcpy(locator[0], tip.id, 32);
	row(&t, asked_headers(&m, l, locator, 2, NULL) && m.count == 0, "none");
	for (int32_t i = 0; i <= tip.height; i += 100) {
		const struct bb_span block = block_at(&bytes, n->store, i);
		node_at(&x, n->store, i);
		ask_item(l, BB_INV_BLOCK, x.id);
		good += last_said(&m, l, BB_MSG_BLOCK) && bb_span_equal(m.bytes, block);
	}
	row(&t, good == (unsigned)tip.height / 100 + 1, "blocks");
	ask_item(l, BB_INV_BLOCK, (unsigned char[32]){9});
	row(&t, last_said(&m, l, BB_MSG_NOTFOUND) && m.count == 1 && m.items[0].id[0] == 9,
		"an unknown block");
	ask_item(l, BB_INV_TX, (unsigned char[32]){7});
	row(&t,
		last_said(&m, l, BB_MSG_NOTFOUND) && m.items[0].kind == BB_INV_TX &&
			m.items[0].id[0] == 7,
		"an unknown transaction");
	row(&t, score_of(n, l) == 0, "nothing of it is blamed");
	disconnect(l);
	bb_buf_free(&bytes);
	end(&t);
}

/* Another branch with more work; and what is told of it. */
static void reorganise(struct node *n, struct node *branch)
{
	struct table t = {"a reorganisation"};
	struct link *l = meet(n, 0), *far = meet(n, 0), *b;
	struct bb_node tip, old;
	struct bb_message m;

	node_at(&tip, branch->store, -1);
	node_at(&old, n->store, -1);
	say(l, &(struct bb_message){.kind = BB_MSG_SENDHEADERS});
	say(far, &(struct bb_message){.kind = BB_MSG_SENDHEADERS});
	/* One knows our tip, of the other nothing is known. */
	asked_headers(&m, l, &old.id, 1, NULL);
	b = connect_nodes(n, branch);
	UNTIL(same_tip(n->store, branch->store));
	settle(n);
	UNTIL(l->side[0].count[BB_MSG_HEADERS] >= 2 || l->side[0].count[BB_MSG_INV]);
	row(&t, same_tip(n->store, branch->store), "the branch with more work");
	row(&t,
		last_said(&m, l, BB_MSG_HEADERS) && m.count >= 1 && m.count <= HEADERS_TOLD &&
			headers_equal(&m, branch->store, tip.height + 1 - (int32_t)m.count),
		"its headers are told");
	row(&t,
		last_said(&m, far, BB_MSG_INV) && m.items[0].kind == BB_INV_BLOCK &&
			memcmp(m.items[0].id, tip.id, 32) == 0,
		"its tip is told to whom nothing is known of");
	row(&t, l->side[0].count[BB_MSG_INV] == 0, "and to nobody twice");
	ask_item(l, BB_INV_BLOCK, old.id);
	row(&t, last_said(&m, l, BB_MSG_BLOCK), "the old tip is still served");
	disconnect(l);
	disconnect(far);
	disconnect(b);
	end(&t);
}

/* What peers must not do, and what they may. */

static void say_headers(struct node *n, struct link *l, struct bb_header *h, size_t count)
{
	say(l, &(struct bb_message){.kind = BB_MSG_HEADERS, .headers = h, .count = count});
	for (int i = 0; i < 5; i++)
		turn();
	settle(n);
}

static void bad_headers(struct table *t, struct node *n, const struct bb_node *tip)
{
	struct bb_header h[3];
	unsigned char id[32];
	struct link *l = meet(n, 0);
	struct bb_message m;
	unsigned asked;

	h[0] = on_top(tip, 0);
	mine(&h[0], id);
	h[1] = on_top(tip, tip->header.time + 2);
	mine(&h[1], id);
	say_headers(n, l, h, 2);
	row(t, !peer_of(n, l), "headers that do not stand on each other");

	l = meet(n, 0);
	h[0] = on_top(tip, 0);
	do {
		h[0].nonce++;
		bb_header_hash(id, &h[0]);
	} while (bb_pow_valid(id, h[0].bits, n->hub->c.network));
	say_headers(n, l, h, 1);
	row(t, !peer_of(n, l), "a header without proof of work");

	l = meet(n, 0);
	h[0] = on_top(tip, 0);
	h[0].bits--;
	mine(&h[0], id);
	say_headers(n, l, h, 1);
	row(t, !peer_of(n, l), "a header with the wrong bits");

	l = meet(n, 0);
	h[0] = on_top(tip, (uint32_t)time(NULL) + 3 * 3600);
	mine(&h[0], id);
	say_headers(n, l, h, 1);
	row(t, score_of(n, l) == 0, "a header from the future is no fault");
	asked = n->headers;
	say_headers(n, l, h, 1);
	row(t, n->headers == asked + 1, "and may be good later");
	disconnect(l);

	l = meet(n, 0);
	say(l, &(struct bb_message){.kind = BB_MSG_HEADERS}); /* what it was asked for */
	memset(h[0].prev, 5, 32);
	mine(&h[0], id);
	asked = l->side[0].count[BB_MSG_GETHEADERS];
	say_headers(n, l, h, 1);
	row(t,
		score_of(n, l) == 0 && l->side[0].count[BB_MSG_GETHEADERS] == asked + 1 &&
			last_said(&m, l, BB_MSG_GETHEADERS) && m.count > 10,
		"a header without a parent: it is asked for what is before");
	say(l, &(struct bb_message){.kind = BB_MSG_HEADERS});
	say_headers(n, l, h, 1);
	row(t, score_of(n, l) == 20, "and blamed when that does not help");
	disconnect(l);
}

static void say_block(struct node *n, struct link *l, struct bb_span bytes)
{
	say(l, &(struct bb_message){.kind = BB_MSG_BLOCK, .bytes = bytes});
	for (int i = 0; i < 5; i++)
		turn();
	settle(n);
}

static void bad_blocks(struct table *t, struct node *n)
{
	struct link *l = meet(n, 0);
	struct bb_buf bytes = {0};
	const unsigned before = n->blocks;

	say_block(n, l, block_at(&bytes, n->store, 0));
	row(t, score_of(n, l) == 1 && n->blocks == before, "a block that nobody asked for");
	bytes.data[4]++;
	say_block(n, l, BB_SPAN(bytes.data, bytes.len));
	row(t, score_of(n, l) != 0 && n->blocks == before, "a block of nowhere");
	disconnect(l);
	l = meet(n, 0);
	say_block(n, l, BB_SPAN(bytes.data, 90));
	row(t, !peer_of(n, l), "a block that is none");
	bb_buf_free(&bytes);
}

/* Two peers tell of one block; who is asked gives it a wrong body, or says he has not got it.
 */
static void good_blocks(
	struct table *t, struct node *n, const struct bb_node *tip, struct bb_store *longer)
{
	struct link *l[2] = {meet(n, 0), meet(n, 0)};
	struct bb_buf bytes = {0};
	struct bb_header h;
	struct bb_span block = block_at(&bytes, longer, tip->height + 1);
	unsigned char id[32];
	struct bb_message m;
	int asked, other;

	bb_header_parse(&h, BB_SPAN(block.data, BB_HEADER_SIZE));
	bb_header_hash(id, &h);
	say_headers(n, l[0], &h, 1);
	say_headers(n, l[1], &h, 1);
	UNTIL(last_said(&m, l[0], BB_MSG_GETDATA) || last_said(&m, l[1], BB_MSG_GETDATA));
	asked = l[0]->side[0].count[BB_MSG_GETDATA] == 0;
	other = !asked;
	row(t,
		last_said(&m, l[asked], BB_MSG_GETDATA) && m.count == 1 &&
			memcmp(m.items[0].id, id, 32) == 0 &&
			!l[other]->side[0].count[BB_MSG_GETDATA],
		"a new block is asked of one");
	say(l[asked], &(struct bb_message){.kind = BB_MSG_NOTFOUND,
			      .items = &(struct bb_inv){.kind = BB_INV_BLOCK},
			      .count = 1});
	bytes.data[bytes.len - 1] ^= 1; /* the coinbase's lock time */
	say_block(n, l[asked], block);
	bytes.data[bytes.len - 1] ^= 1;
	row(t, !peer_of(n, l[asked]), "a wrong body is its sender's fault");
	UNTIL(last_said(&m, l[other], BB_MSG_GETDATA));
	row(t, last_said(&m, l[other], BB_MSG_GETDATA) && memcmp(m.items[0].id, id, 32) == 0,
		"and the block is asked of the other");
	say_block(n, l[other], block);
	UNTIL(same_tip(n->store, longer));
	row(t, same_tip(n->store, longer), "who has the right one");
	row(t, score_of(n, l[other]) == 0, "and is not blamed");
	disconnect(l[other]);
	bb_buf_free(&bytes);
}

/* Headers whose blocks nobody gives keep nothing up for long. */
static void withheld(struct table *t, struct node *n)
{
	struct bb_header h[20];
	struct bb_node tip, at;
	struct link *l = meet(n, 0), *other = meet(n, 0);

	node_at(&tip, n->store, -1);
	at = tip;
	for (int i = 0; i < 20; i++) {
		h[i] = on_top(&at, 0);
		mine(&h[i], at.id);
		at.header = h[i];
	}
	say_headers(n, l, h, 20);
	/* Its turn is after the other's. */
	UNTIL(other->side[0].count[BB_MSG_GETHEADERS]);
	say_headers(n, other, NULL, 0);
	UNTIL(l->side[0].count[BB_MSG_GETDATA]);
	row(t, peer_of(n, l)->blocks_in_flight == BLOCKS_A_PEER, "blocks of the best headers");
	skipped_ms += BLOCK_DEAD_MS + 1;
	UNTIL(!peer_of(n, l));
	row(t, !peer_of(n, l), "who does not give what he tells of is dropped");
	row(t, peer_of(n, other) != NULL, "who tells of nothing is not");
	disconnect(other);
	l = meet(n, 0);
	skipped_ms += HEADERS_MS + 1;
	UNTIL(!peer_of(n, l));
	row(t, !peer_of(n, l), "nor is there patience with who does not answer getheaders");
}

/* A branch that is longer than a message, and at first has less work than ours. */

static void say_deep(
	struct node *n, struct link *l, struct bb_store *deep, int32_t from, size_t count)
{
	static struct bb_header h[BB_HEADERS_MAX];
	struct bb_node at;

	for (size_t i = 0; i < count; i++) {
		node_at(&at, deep, from + (int32_t)i);
		h[i] = at.header;
	}
	say_headers(n, l, h, count);
}

/* It shows one chain, and when it is asked for it again gives another. */
static void another_chain(struct table *t, struct node *n, struct node *deep)
{
	static struct bb_header h[BB_HEADERS_MAX];
	struct link *l = meet(n, 0);
	const unsigned before = n->headers;
	struct bb_node tip, at;
	struct bb_message m;

	node_at(&tip, deep->store, -1);
	say_deep(n, l, deep->store, 1, BB_HEADERS_MAX);
	say_deep(n, l, deep->store, BB_HEADERS_MAX + 1, (size_t)tip.height - BB_HEADERS_MAX);
	node_at(&at, deep->store, 0);
	row(t,
		last_said(&m, l, BB_MSG_GETHEADERS) && memcmp(m.locator[0], at.id, 32) == 0 &&
			n->headers == before,
		"what has shown enough work is asked for again");
	for (size_t i = 0; i < BB_HEADERS_MAX; i++) {
		h[i] = on_top(&at, 0);
		mine(&h[i], at.id);
		at.header = h[i];
	}
	say_headers(n, l, h, BB_HEADERS_MAX);
	row(t, n->headers == before, "another chain does not go in instead");
	say_deep(n, l, deep->store, 1, 10);
	row(t, n->headers == before, "nor the beginning of one");
	disconnect(l);
}

static void kill_ledger(struct node *n)
{
	kill(n->ledger, SIGKILL);
	stop_ledger(n);
	n->out.len = n->in.len = 0;
}

static bool gives_block(struct node *n, struct link *l, struct bb_store *s, int32_t height)
{
	const unsigned before = l->side[0].count[BB_MSG_BLOCK];
	struct bb_node at;

	node_at(&at, s, height);
	ask_item(l, BB_INV_BLOCK, at.id);
	return peer_of(n, l) && l->side[0].count[BB_MSG_BLOCK] == before + 1;
}

/* Blocks of the branch that was left, which end 200 blocks below the tip and were made 20 days
 * before those of their height. */
static void stale_blocks(struct table *t, struct node *n, struct bb_store *left)
{
	struct bb_network slow = *n->hub->c.network;
	struct link *l = meet(n, 0);

	row(t, gives_block(n, l, left, -1), "blocks of the branch left are served");
	row(t, gives_block(n, l, left, 1000), "of less than a month ago");
	row(t, !gives_block(n, l, left, 500), "but none that are older");
	slow.target_spacing = 3600;
	n->hub->c.network = &slow;
	row(t, gives_block(n, l, left, -1) && !gives_block(n, l, left, 1000),
		"nor with a month's work on the other branch");
	row(t, gives_block(n, l, n->store, 500), "those of the chain are all served");
	n->hub->c.network = bb_network_find("regtest");
	disconnect(l);
}

static void deep_branch(struct node *n, struct node *deep, struct bb_store *left,
	const char *bb_chain, const char *dir)
{
	struct table t = {"a branch of more than 2,000 blocks"};
	struct link *l = meet(n, 0);
	unsigned before = n->headers;
	struct bb_node at;
	struct bb_message m;

	say_deep(n, l, deep->store, 1, BB_HEADERS_MAX);
	node_at(&at, deep->store, BB_HEADERS_MAX);
	row(&t, last_said(&m, l, BB_MSG_GETHEADERS) && memcmp(m.locator[0], at.id, 32) == 0,
		"there may be more: it is asked for");
	say_deep(n, l, deep->store, BB_HEADERS_MAX + 1, 5);
	row(&t, n->headers == before, "of too little work nothing goes in");
	row(&t, score_of(n, l) == 0, "which is no fault");
	disconnect(l);
	another_chain(&t, n, deep);

	l = connect_nodes(n, deep);
	UNTIL(n->headers >= before + BB_HEADERS_MAX / 2);
	before = n->blocks;
	UNTIL(n->blocks >= before + 100);
	kill_ledger(n);
	for (int i = 0; i < 20; i++)
		turn();
	start_ledger(n, bb_chain, dir);
	UNTIL(same_tip(n->store, deep->store));
	row(&t, same_tip(n->store, deep->store),
		"of more work all does, though the ledger dies");
	settle(n);
	node_at(&at, deep->store, -1);
	row(&t,
		peer_of(n, l) && peer_of(n, l)->blocks_in_flight == 0 &&
			peer_of(n, l)->headers_in_flight == 0 && score_of(n, l) == 0,
		"nothing is owed any more");
	row(&t, peer_of(n, l)->block_good_ms > 0, "who gave good blocks is known");
	disconnect(l);
	stale_blocks(&t, n, left);
	end(&t);
}

/* Who is asked for headers first, and answers with what is known, for as long as he likes. */
static void leading(struct node *n, struct bb_store *known)
{
	struct table t = {"who is asked for headers first"};
	struct link *l = meet(n, 0), *other = meet(n, 0), *called;
	unsigned *asked = &l->side[0].count[BB_MSG_GETHEADERS], answers = 0;

	row(&t, *asked == 1 && !other->side[0].count[BB_MSG_GETHEADERS], "one alone");
	for (int i = 0; i < 50 && !other->side[0].count[BB_MSG_GETHEADERS]; i++) {
		say_deep(n, l, known, 1, BB_HEADERS_MAX);
		answers++;
		skipped_ms += BLOCK_STALL_MS - 500;
	}
	row(&t, *asked == answers + 1, "as long as he has more to tell");
	row(&t, other->side[0].count[BB_MSG_GETHEADERS] == 1, "but not for ever");
	disconnect(l);
	say_headers(n, other, NULL, 0);
	l = meet(n, 0);
	other = meet(n, 0);
	called = meet_as(n, 0, true);
	say_headers(n, l, NULL, 0);
	row(&t,
		called->side[0].count[BB_MSG_GETHEADERS] == 1 &&
			!other->side[0].count[BB_MSG_GETHEADERS],
		"whom we called before who calls us");
	disconnect(l);
	disconnect(other);
	disconnect(called);
	end(&t);
}

static void hostile(struct node *n, struct bb_store *longer)
{
	struct table t = {"peers that are wrong"};
	struct bb_node tip;

	node_at(&tip, n->store, -1);
	bad_headers(&t, n, &tip);
	bad_blocks(&t, n);
	good_blocks(&t, n, &tip, longer);
	withheld(&t, n);
	end(&t);
}

int main(int argc, char **argv)
{
	struct bb_store *longer, *branch, *extended, *deep, *made;

	if (argc != 7)
		die("usage: fetch BB-CHAIN LONG BRANCH EXTENDED DEEP NEW");
	signal(SIGPIPE, SIG_IGN);
	longer = open_store(argv[2]);
	branch = open_store(argv[3]);
	extended = open_store(argv[4]);
	deep = open_store(argv[5]);
	made = open_store(argv[6]);
	nodes[node_count++] = new_node(longer);
	nodes[node_count++] = new_node(longer);
	nodes[node_count++] = new_node(branch);
	nodes[node_count++] = new_node(made);
	nodes[node_count++] = new_node(deep);
	start_ledger(nodes[3], argv[1], argv[6]);
	from_nothing(nodes[0], nodes[1], nodes[3]);
	serving(nodes[3]);
	reorganise(nodes[3], nodes[2]);
	hostile(nodes[3], extended);
	deep_branch(nodes[3], nodes[4], extended, argv[1], argv[6]);
	leading(nodes[3], deep);
	stop_ledger(nodes[3]);
	for (size_t i = 0; i < node_count; i++)
		free_node(nodes[i]);
	for (size_t i = 0; i < link_count; i++)
		for (int k = 0; k < 2; k++) {
			bb_buf_free(&links[i].side[k].queue);
			for (size_t m = 0; m <= BB_MSG_MEMPOOL; m++)
				bb_buf_free(&links[i].side[k].last[m]);
		}
	bb_arena_free(&arena);
	close_store(longer);
	close_store(branch);
	close_store(extended);
	close_store(deep);
	close_store(made);
	return all_good ? 0 : 1;
}
