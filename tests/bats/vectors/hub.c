/* Nodes in one process, without sockets: hubs, each with a store and a ledger that takes every
 * transaction once, joined by queues of lines. Each table prints `name: N of M`, and what
 *fails.
 *
 *	hub DIR		DIR: an empty folder for the stores */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "ledger/ledger.h"
#include "ledger/poolrows.h"
#include "net/hub_inside.h"

enum { NODES_MAX = 10, LINKS_MAX = 4096, TXS_MAX = 10000, STEP_MS = 10, PORT = 18444 };

/* Random, and the same every time (splitmix64). */
static uint64_t state;

static uint64_t next(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static unsigned below(unsigned n)
{
	return (unsigned)(next() % n);
}

/* A table's count. */
struct count {
	const char *name;
	unsigned good, all;
};

static void row(struct count *t, bool good, const char *what)
{
	t->good += good;
	if (!good)
		printf("%s: row %u is wrong: %s\n", t->name, t->all, what);
	t->all++;
}

static bool all_good = true;

static void end(const struct count *t)
{
	printf("%s: %u of %u\n", t->name, t->good, t->all);
	all_good &= t->good == t->all;
}

static void die(const char *why)
{
	fprintf(stderr, "hub: %s\n", why);
	exit(3);
}

/* Transactions: each of one input and one output, known by the place where it stands. */

struct sim_tx {
	unsigned char txid[32], wtxid[32];
	char *line; /* as a tool hands it in */
	struct bb_buf bytes;
	int parent; /* what it spends; -1: something that is there */
	bool kills, refused;
};
static struct sim_tx txs[TXS_MAX];
static unsigned tx_count;

static unsigned add_tx(uint32_t locktime, int parent, bool witness, const char *item)
{
	struct sim_tx *t = &txs[tx_count];
	struct bb_span stack = BB_SPAN(item, strlen(item));
	struct bb_txin in = {
		.sequence = BB_SEQUENCE_FINAL, .witness = &stack, .witness_count = witness};
	struct bb_txout out = {.value_sat = 1000, .script = BB_LIT("\x51")};
	struct bb_tx tx = {2, &in, 1, &out, 1, locktime};
	struct bb_buf line = {0};

	if (tx_count == TXS_MAX)
		die("too many transactions");
	if (parent >= 0)
		memcpy(in.prevout.txid, txs[parent].txid, 32);
	else
		memset(in.prevout.txid, 0x77, 32);
	*t = (struct sim_tx){.parent = parent};
	bb_put_tx(&t->bytes, &tx, true);
	bb_tx_txid(t->txid, &tx);
	bb_tx_wtxid(t->wtxid, &tx);
	bb_put_object(&line, BB_MSG_TX, BB_SPAN(t->bytes.data, t->bytes.len), NULL);
	line.data[line.len - 1] = '\0';
	t->line = (char *)line.data;
	return tx_count++;
}

static unsigned new_tx(int parent, bool witness)
{
	return add_tx(tx_count, parent, witness, "witness");
}

/* The same as the last one, but for its witness. */
static unsigned new_twin(unsigned last)
{
	return add_tx(last, txs[last].parent, true, "a twin's");
}

/* -1: it is none of them. */
static int find_tx(struct bb_span bytes)
{
	struct bb_arena a = {0};
	struct bb_tx tx;
	int found = -1;

	if (bb_tx_parse(&tx, bytes, &a))
		for (unsigned i = tx.locktime; i < tx_count && i < tx.locktime + 2; i++)
			if (bb_span_equal(bytes, BB_SPAN(txs[i].bytes.data, txs[i].bytes.len)))
				found = (int)i;
	bb_arena_free(&a);
	return found;
}

/* Nodes and what joins them. */

struct node {
	struct bb_hub *hub;
	struct bb_addrbook *book;
	struct bb_store store;
	char host[32];
	struct bb_net_address dial[8];
	size_t dials;
	/* The ledger. */
	struct bb_buf in;
	bool up, idle; /* idle: it reads nothing */
	bool waits[TXS_MAX], orphan[TXS_MAX];
	unsigned handed[TXS_MAX]; /* in this life */
	unsigned handed_most;
	uint64_t commits, deaths;
};

struct side { /* of a link, at one node; node NULL: the test itself */
	struct node *node;
	uint64_t connection;
	struct bb_buf in; /* lines on their way to it */
	bool off, closed;
	unsigned char sent[TXS_MAX]; /* how often each transaction went to it */
};
struct link {
	struct side side[2];
	bool tool; /* side 1 is one */
};

static struct node *nodes[NODES_MAX];
static unsigned node_count;
static struct link *links[LINKS_MAX];
static unsigned link_count;
static uint64_t now_ms = 100000, last_connection;
static const int64_t start_s = 1700000000;
static unsigned sent_most;
static char last_killer[1024]; /* of the log */

static int64_t now_s(void)
{
	return start_s + (int64_t)(now_ms / 1000);
}

static struct side *find_side(uint64_t connection)
{
	for (unsigned i = 0; i < link_count; i++)
		for (int j = 0; j < 2; j++)
			if (links[i]->side[j].connection == connection)
				return &links[i]->side[j];
	return NULL;
}

static struct side *other(const struct side *s)
{
	for (unsigned i = 0; i < link_count; i++)
		for (int j = 0; j < 2; j++)
			if (&links[i]->side[j] == s)
				return &links[i]->side[!j];
	return NULL;
}

static void count_tx(struct side *to, struct bb_span line)
{
	static const char begin[] = "{\"type\":\"tx\",\"hex\":\"";
	const size_t len = sizeof(begin) - 1;
	struct bb_arena a = {0};
	struct bb_span bytes;
	int i;

	if (line.len < len + 3 || memcmp(line.data, begin, len) != 0)
		return;
	if (bb_hex_span(&bytes, BB_SPAN(line.data + len, line.len - len - 3), &a) &&
		(i = find_tx(bytes)) >= 0 && ++to->sent[i] > sent_most)
		sent_most = to->sent[i];
	bb_arena_free(&a);
}

static bool io_send(void *arg, uint64_t connection, struct bb_span lines)
{
	struct side *s = find_side(connection), *to = s ? other(s) : NULL;

	(void)arg;
	if (!s || s->closed)
		return false;
	bb_put(&to->in, lines.data, lines.len);
	if (s->node && to->node)
		count_tx(to, lines);
	return true;
}

static size_t io_queued(void *arg, uint64_t connection)
{
	struct side *s = find_side(connection);

	(void)arg;
	return s ? other(s)->in.len : 0;
}

static void io_close(void *arg, uint64_t connection)
{
	struct side *s = find_side(connection);

	(void)arg;
	if (s)
		s->closed = true;
}

static void io_read(void *arg, uint64_t connection, bool on)
{
	struct side *s = find_side(connection);

	(void)arg;
	if (s)
		s->off = !on;
}

static void io_chain(void *arg, struct bb_span lines)
{
	struct node *n = arg;

	if (!n->up)
		die("a line to a ledger that is down");
	bb_put(&n->in, lines.data, lines.len);
}

static void io_connect(void *arg, const struct bb_net_address *to)
{
	struct node *n = arg;

	if (n->dials < sizeof(n->dial) / sizeof(n->dial[0]))
		n->dial[n->dials++] = *to;
}

static void io_log(void *arg, const char *line)
{
	struct node *n = arg;

	if (strstr(line, "killed the ledger"))
		snprintf(last_killer, sizeof(last_killer), "%s", line);
	if (getenv("HUB_LOG"))
		printf("# %s: %s\n", n->host, line);
}

static void make_store(struct node *n, const char *dir)
{
	const struct bb_network *net = bb_network_find("regtest");
	char message[BB_STORE_MESSAGE], path[512];
	unsigned char tip[32];
	struct bb_ledger l;
	const char *why;

	snprintf(path, sizeof(path), "%s/%u-%s", dir, (unsigned)below(1u << 30), n->host);
	if (!bb_store_open(&n->store, message, path, BB_STORE_ALONE, net))
		die(message);
	if (!bb_ledger_open(&l, &why, &n->store, net, 1 << 20))
		die(why);
	if (!bb_ledger_commit(&l))
		die(n->store.why);
	bb_ledger_close(&l);
	memcpy(tip, net->genesis, 32);
	if (!bb_store_begin(&n->store))
		die(n->store.why);
	bb_pool_set_tip(&n->store, tip);
	if (!bb_store_commit(&n->store))
		die(n->store.why);
}

static struct node *new_node(const char *dir, unsigned outbound)
{
	struct node *n = calloc(1, sizeof(*n));
	struct bb_hub_config c = {
		.network = bb_network_find("regtest"),
		.store = &n->store,
		.agent = "sim:1",
		.listen = PORT,
		.outbound = outbound,
		.inbound = 100,
		.per_host = 8,
		.io = {n, io_send, io_queued, io_close, io_read, io_chain, io_connect, io_log},
	};

	snprintf(n->host, sizeof(n->host), "10.0.0.%u", node_count + 1);
	make_store(n, dir);
	n->book = c.book = bb_addrbook_new();
	if (!n->book || !(n->hub = bb_hub_new(&c)))
		die("out of memory");
	n->up = true;
	bb_hub_chain_up(n->hub);
	bb_hub_tick(n->hub, now_ms, now_s());
	nodes[node_count++] = n;
	return n;
}

static struct link *new_link(struct node *a, struct node *b)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l || link_count == LINKS_MAX)
		die("too many links");
	l->side[0] = (struct side){.node = a, .connection = ++last_connection};
	l->side[1] = (struct side){.node = b, .connection = ++last_connection};
	return links[link_count++] = l;
}

static void free_link(unsigned i)
{
	for (int j = 0; j < 2; j++)
		bb_buf_free(&links[i]->side[j].in);
	free(links[i]);
	links[i] = links[--link_count];
}

static void clear_all(void)
{
	for (unsigned i = 0; i < node_count; i++) {
		bb_hub_free(nodes[i]->hub);
		bb_addrbook_free(nodes[i]->book);
		bb_store_close(&nodes[i]->store);
		bb_buf_free(&nodes[i]->in);
		free(nodes[i]);
	}
	node_count = 0;
	while (link_count)
		free_link(link_count - 1);
	for (unsigned i = 0; i < tx_count; i++) {
		bb_buf_free(&txs[i].bytes);
		free(txs[i].line);
	}
	tx_count = 0;
	sent_most = 0;
}

static void dial(struct node *n, const struct bb_net_address *to)
{
	struct bb_net_address from = {.port = (uint16_t)(40000 + below(20000))};
	struct node *m = NULL;
	struct link *l;

	for (unsigned i = 0; i < node_count; i++)
		if (strcmp(nodes[i]->host, to->host) == 0 && to->port == PORT)
			m = nodes[i];
	if (!m) {
		bb_hub_not_connected(n->hub, to);
		return;
	}
	l = new_link(n, m);
	snprintf(from.host, sizeof(from.host), "%s", n->host);
	if (!bb_hub_connected(n->hub, l->side[0].connection, to, true))
		l->side[0].closed = true;
	if (!bb_hub_connected(m->hub, l->side[1].connection, &from, false))
		l->side[1].closed = true;
}

/* A peer that the test plays: what the hub says to it is in side[1].in. */
static struct link *play(struct node *n, const char *host)
{
	struct bb_net_address at = {.port = 5};
	struct link *l = new_link(n, NULL);

	snprintf(at.host, sizeof(at.host), "%s", host);
	l->side[0].closed = !bb_hub_connected(n->hub, l->side[0].connection, &at, false);
	return l;
}

static struct link *play_tool(struct node *n)
{
	struct link *l = new_link(n, NULL);

	l->tool = true;
	l->side[0].closed = !bb_hub_tool_connected(n->hub, l->side[0].connection);
	return l;
}

static void say(struct link *l, const char *line)
{
	const struct bb_span s = BB_SPAN(line, strlen(line));
	const struct side *to = &l->side[0];

	if (l->tool)
		bb_hub_tool_line(to->node->hub, to->connection, s);
	else
		bb_hub_peer_line(to->node->hub, to->connection, s);
}

static bool heard(struct link *l, const char *text)
{
	const struct bb_buf *b = &l->side[1].in;

	return b->len && memmem(b->data, b->len, text, strlen(text));
}

static unsigned times_heard(struct link *l, const char *text)
{
	const struct bb_buf *b = &l->side[1].in;
	const unsigned char *at = b->data, *end_of = b->data + b->len;
	unsigned n = 0;

	while (at && (at = memmem(at, (size_t)(end_of - at), text, strlen(text)))) {
		at++;
		n++;
	}
	return n;
}

static void shake_hands(struct link *l, const char *network, const char *more)
{
	char line[512], genesis[65] = "";

	bb_hash_encode(genesis, bb_network_find("regtest")->genesis);
	snprintf(line, sizeof(line),
		"{\"type\":\"version\",\"protocol\":1,\"network\":\"%s\",\"genesis\":\"%s\","
		"\"agent\":\"play\",\"height\":0,\"nonce\":\"%016llx\",\"listen\":0,"
		"\"services\":\"0000000000000000\"%s}",
		network, genesis, (unsigned long long)next(), more);
	say(l, line);
	say(l, "{\"type\":\"verack\"}");
	say(l, "{\"type\":\"headers\",\"headers\":[]}");
}

/* The ledger of a node. */

static void put_in_pool(struct node *n, int i)
{
	const struct bb_span bytes = BB_SPAN(txs[i].bytes.data, txs[i].bytes.len);
	const struct bb_prevout spent = {
		.known = true, .value_sat = 2000, .script = BB_LIT("\x51")};
	struct bb_pool_entry e = {.fee_sat = 1000, .bytes = bytes, .prevouts = &spent};
	struct bb_arena a = {0};
	struct bb_tx tx;

	n->waits[i] = true;
	if (!bb_tx_parse(&tx, bytes, &a))
		die("a transaction of ours");
	e.number = bb_pool_next_number(&n->store);
	memcpy(e.txid, txs[i].txid, 32);
	memcpy(e.wtxid, txs[i].wtxid, 32);
	e.time = now_s();
	e.weight = e.adjusted_weight = (uint32_t)bb_tx_weight(&tx);
	bb_pool_put_entry(&n->store, &e, &tx);
	bb_arena_free(&a);
}

static void put_accepted(struct bb_buf *out, int i)
{
	struct bb_json_writer w = {.buf = out};

	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", "event");
	bb_json_member_str(&w, "event", "accepted");
	bb_json_member_hash(&w, "txid", txs[i].txid);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

static void accept(struct node *n, struct bb_buf *events, int i)
{
	put_in_pool(n, i);
	put_accepted(events, i);
	for (unsigned c = 0; c < tx_count; c++) {
		if (!n->orphan[c] || txs[c].parent != i)
			continue;
		n->orphan[c] = false;
		accept(n, events, (int)c);
	}
}

/* False: it kills. */
static bool judge(
	struct node *n, struct bb_buf *out, struct bb_buf *events, struct bb_span line)
{
	static uint64_t lines;
	const char *why, *result = "accepted";
	const struct bb_json *doc;
	struct bb_arena a = {0};
	struct bb_json_writer w = {.buf = out};
	struct bb_span bytes;
	int i;

	/* The hub asks whether we live. */
	if (memmem(line.data, line.len, "\"from\":\"0\"", 10)) {
		bb_put_str(out, "{\"type\":\"verdict\",\"from\":\"0\",\"valid\":true}\n");
		return true;
	}
	doc = bb_json_parse(&a, &why, line);
	if (!doc || !bb_json_is(bb_json_get(doc, "type"), "tx") ||
		!bb_hex_span(&bytes, bb_json_get(doc, "hex")->text, &a) ||
		(i = find_tx(bytes)) < 0)
		die("a line to the ledger that is none of the transactions");
	if (++n->handed[i] > n->handed_most)
		n->handed_most = n->handed[i];
	if (txs[i].kills) {
		bb_arena_free(&a);
		return false;
	}
	if (txs[i].refused) {
		result = "refused";
	} else if (n->waits[i]) {
		result = "duplicate";
	} else if (txs[i].parent >= 0 && !n->waits[txs[i].parent]) {
		result = "orphan";
		n->orphan[i] = true;
	} else {
		accept(n, events, i);
	}
	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", "verdict");
	bb_json_member_i64(&w, "line", (int64_t)++lines);
	bb_json_member_hash(&w, "id", txs[i].txid);
	bb_json_key(&w, "from");
	bb_json_raw(&w, bb_json_get(doc, "from")->raw);
	bb_json_key(&w, "valid");
	bb_json_bool(&w, strcmp(result, "orphan") != 0);
	bb_json_member_str(&w, "result", result);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
	bb_arena_free(&a);
	return true;
}

/* Each line of a buffer, up to `most`, which are taken out of it. */
static bool take_line(struct bb_span *line, const struct bb_buf *b, size_t *at)
{
	const unsigned char *lf = *at < b->len ? memchr(b->data + *at, '\n', b->len - *at)
					       : NULL;

	if (!lf)
		return false;
	*line = BB_SPAN(b->data + *at, (size_t)(lf - b->data) - *at);
	*at += line->len + 1;
	return true;
}

static void drop_front(struct bb_buf *b, size_t len)
{
	if (len)
		memmove(b->data, b->data + len, b->len - len);
	b->len -= len;
}

static void ledger_dies(struct node *n)
{
	n->up = false;
	n->deaths++;
	n->in.len = 0;
	memset(n->handed, 0, sizeof(n->handed));
	bb_hub_chain_down(n->hub);
}

static void tell_hub(struct node *n, const struct bb_buf *lines)
{
	struct bb_span line;
	size_t at = 0;

	while (take_line(&line, lines, &at))
		bb_hub_chain_line(n->hub, line);
}

/* `dies`: after its commit, before it tells all. */
static void run_ledger(struct node *n, bool dies)
{
	struct bb_buf out = {0}, events = {0}, in = n->in;
	struct bb_span line;
	size_t at = 0;
	bool lives = true;

	if (!n->up || n->idle || (!in.len && !dies))
		return;
	if (!bb_store_begin(&n->store))
		die(n->store.why);
	for (int i = 0; lives && i < 300 && take_line(&line, &in, &at); i++)
		lives = judge(n, &out, &events, line);
	drop_front(&n->in, at);
	if (!bb_store_commit(&n->store))
		die(n->store.why);
	n->commits++;
	if (dies || !lives) {
		if (out.len)
			out.len = below((unsigned)out.len);
		tell_hub(n, &out);
		ledger_dies(n);
	} else {
		bb_put(&out, events.data, events.len);
		tell_hub(n, &out);
	}
	bb_buf_free(&out);
	bb_buf_free(&events);
}

/* Time goes on. */

static void deliver(struct side *s)
{
	struct bb_buf in = s->in;
	struct bb_span line;
	size_t at = 0;

	if (!s->node || s->off || s->closed)
		return;
	s->in = (struct bb_buf){0};
	while (!s->off && !s->closed && take_line(&line, &in, &at))
		bb_hub_peer_line(s->node->hub, s->connection, line);
	drop_front(&in, at);
	bb_put(&in, s->in.data, s->in.len);
	bb_buf_free(&s->in);
	s->in = in;
}

/* Both have gone, or one has and the other has read what was said to it. */
static void close_links(void)
{
	for (unsigned i = 0; i < link_count; i++) {
		for (int j = 0; j < 2; j++) {
			struct side *s = &links[i]->side[j], *o = &links[i]->side[!j];
			const bool reads = !o->closed && !o->off && o->in.len;
			if (!s->closed || !s->node || !o->node || reads)
				continue;
			if (!o->closed)
				bb_hub_closed(o->node->hub, o->connection);
			free_link(i--);
			break;
		}
	}
}

static void step(void)
{
	now_ms += STEP_MS;
	for (unsigned i = 0; i < node_count; i++) {
		struct node *n = nodes[i];
		while (n->dials) {
			const struct bb_net_address to = n->dial[--n->dials];
			dial(n, &to);
		}
	}
	for (unsigned i = 0; i < link_count; i++)
		for (int j = 0; j < 2; j++)
			deliver(&links[i]->side[j]);
	close_links();
	for (unsigned i = 0; i < node_count; i++) {
		run_ledger(nodes[i], false);
		if (!nodes[i]->up && below(30) == 0) {
			nodes[i]->up = true;
			bb_hub_chain_up(nodes[i]->hub);
		}
		bb_hub_tick(nodes[i]->hub, now_ms, now_s());
	}
}

static void run(uint64_t ms)
{
	for (const uint64_t until = now_ms + ms; now_ms < until;)
		step();
}

static void person_names(struct node *n, const struct node *m)
{
	struct bb_net_address a = {.port = PORT};

	snprintf(a.host, sizeof(a.host), "%s", m->host);
	bb_addrbook_add(n->book, &a, NULL, now_s());
}

static bool arrived_everywhere(void)
{
	for (unsigned i = 0; i < node_count; i++)
		for (unsigned t = 0; t < tx_count; t++)
			if (!txs[t].kills && !nodes[i]->waits[t])
				return false;
	return true;
}

static unsigned ready_links(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < node_count; i++)
		for (const struct peer *p = nodes[i]->hub->peers; p; p = p->next)
			n += p->ready;
	return n / 2;
}

static bool nothing_left(void)
{
	for (unsigned i = 0; i < node_count; i++) {
		const struct bb_hub *h = nodes[i]->hub;
		if (bb_outstanding_count(h->out) || bb_outstanding_bytes(h->out))
			return false;
		for (const struct peer *p = h->peers; p; p = p->next)
			if (p->txs_asked || p->paused || p->score)
				return false;
	}
	return true;
}

/* A random network, connected, in which each node knows one or two others at first. */
static void make_network(const char *dir, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		new_node(dir, 1 + below(3));
		if (i)
			person_names(nodes[i], nodes[below(i)]);
	}
}

/* Tables. */

static unsigned random_tx(void)
{
	return new_tx(tx_count && below(3) == 0 ? (int)below(tx_count) : -1, below(2));
}

static void floods(const char *dir)
{
	struct count t = {.name = "floods"};

	for (unsigned round = 0; round < 6; round++) {
		state = 1000 + round;
		const unsigned count = 4 + round;
		struct link *tool[NODES_MAX];
		unsigned verdicts = 0;
		make_network(dir, count);
		run(500);
		for (unsigned i = 0; i < count; i++)
			tool[i] = play_tool(nodes[i]);
		for (unsigned i = 0; i < 400; i++) {
			const unsigned tx = random_tx();
			say(tool[below(count)], txs[tx].line);
			if (below(20) == 0)
				step();
		}
		for (unsigned i = 0; i < 500 && !arrived_everywhere(); i++)
			step();
		run(1000);
		row(&t, arrived_everywhere(), "a transaction did not arrive everywhere");
		row(&t, sent_most == 1, "a transaction was sent twice to one peer");
		for (unsigned i = 0; i < count; i++) {
			row(&t, nodes[i]->handed_most <= 1,
				"a transaction was handed twice to one ledger");
			verdicts += times_heard(tool[i], "\"type\":\"verdict\"");
		}
		row(&t, verdicts == 400, "verdicts of tools");
		row(&t, nothing_left(), "something is left over");
		clear_all();
	}
	end(&t);
}

/* From one end to the other, all at once. */
static void long_flood(const char *dir)
{
	struct count t = {.name = "10000 transactions through five in a row"};
	struct link *tool;
	uint64_t since;

	for (unsigned i = 0; i < 5; i++) {
		new_node(dir, i > 0);
		if (i)
			person_names(nodes[i], nodes[i - 1]);
	}
	run(1000);
	row(&t, ready_links() == 4, "links");
	tool = play_tool(nodes[0]);
	for (unsigned i = 0; i < 10000; i++)
		say(tool, txs[new_tx(-1, i % 2)].line);
	since = now_ms;
	while (now_ms - since < 60000 && !arrived_everywhere())
		step();
	printf("milliseconds on their way: %u\n", (unsigned)(now_ms - since));
	row(&t, arrived_everywhere(), "a transaction did not arrive everywhere");
	row(&t, sent_most == 1, "a transaction was sent twice to one peer");
	for (unsigned i = 0; i < node_count; i++)
		row(&t, nodes[i]->handed_most == 1,
			"a transaction was handed twice to one ledger");
	run(1000);
	row(&t, nothing_left(), "something is left over");
	clear_all();
	end(&t);
}

static void lose_a_link(void)
{
	const unsigned i = below(link_count);
	struct link *l = links[i];

	if (!l->side[0].node || !l->side[1].node)
		return;
	for (int j = 0; j < 2; j++)
		if (!l->side[j].closed)
			bb_hub_closed(l->side[j].node->hub, l->side[j].connection);
	free_link(i);
}

/* Connections break, ledgers die with and without having told what they did. */
static void disasters(const char *dir)
{
	struct count t = {.name = "floods among disasters"};

	for (unsigned round = 0; round < 6; round++) {
		state = 2000 + round;
		const unsigned count = 4 + round;
		struct link *tool[NODES_MAX];
		uint64_t deaths = 0;
		unsigned verdicts = 0;
		make_network(dir, count);
		run(500);
		for (unsigned i = 0; i < count; i++)
			tool[i] = play_tool(nodes[i]);
		for (unsigned i = 0; i < 400; i++) {
			say(tool[below(count)], txs[random_tx()].line);
			if (below(8) == 0)
				step();
			if (below(40) == 0)
				lose_a_link();
			if (below(40) == 0)
				run_ledger(nodes[below(count)], true);
		}
		/* The longest wait is for one that was asked and has gone silent. */
		for (unsigned i = 0; i < 6000 && !arrived_everywhere(); i++)
			step();
		run(3000);
		row(&t, arrived_everywhere(), "a transaction did not arrive everywhere");
		row(&t, sent_most == 1, "a transaction was sent twice over one connection");
		for (unsigned i = 0; i < count; i++) {
			deaths += nodes[i]->deaths;
			row(&t, nodes[i]->handed_most <= 1,
				"a transaction was handed twice to one life of a ledger");
			verdicts += times_heard(tool[i], "\"type\":\"verdict\"");
		}
		row(&t, deaths > 0, "no ledger died");
		row(&t, verdicts == 400, "verdicts of tools");
		row(&t, nothing_left(), "something is left over");
		clear_all();
	}
	end(&t);
}

/* A line that kills, from a tool and from a peer. */
static void killers(const char *dir)
{
	struct count t = {.name = "lines that kill"};
	struct link *tool, *peer;
	struct node *n;
	unsigned bad, good;

	n = new_node(dir, 0);
	tool = play_tool(n);
	peer = play(n, "10.1.0.1");
	shake_hands(peer, "regtest", "");
	for (int i = 0; i < 50; i++)
		say(tool, txs[new_tx(-1, false)].line);
	txs[bad = new_tx(-1, true)].kills = true;
	say(tool, txs[bad].line);
	for (int i = 0; i < 50; i++)
		say(tool, txs[new_tx(-1, false)].line);
	run(20000);
	row(&t, times_heard(tool, "\"type\":\"verdict\"") == 101, "verdicts");
	row(&t,
		times_heard(tool, "\"result\":\"accepted\"") +
				times_heard(tool, "\"result\":\"duplicate\"") ==
			100,
		"the others");
	row(&t, heard(tool, "\"line\":51,\"valid\":false,\"error\":\"killed-the-ledger\""),
		"the killer's verdict");
	row(&t, n->deaths == 3, "deaths");
	txs[bad].line[strlen(txs[bad].line) - 1] = '\0';
	row(&t, strstr(last_killer, txs[bad].line), "the log names it");
	n->idle = true;
	say(tool, txs[good = new_tx(-1, false)].line);
	for (int i = 0; i < 4; i++) {
		if (n->up)
			ledger_dies(n);
		run(2000);
	}
	n->idle = false;
	run(2000);
	row(&t, n->waits[good], "a line that a ledger never came to is not to blame");
	n->deaths = 3;
	txs[bad = new_tx(-1, false)].kills = true;
	good = new_tx(-1, false);
	say(peer, txs[bad].line);
	say(peer, txs[good].line);
	run(20000);
	say(peer, txs[bad].line);
	run(2000);
	row(&t, n->waits[good], "a peer's other line");
	row(&t, n->deaths == 6, "deaths by a peer's");
	row(&t, !peer->side[0].closed, "the peer stays");
	clear_all();
	end(&t);
}

static bool is_none(void *arg, const struct bb_net_address *a)
{
	(void)arg;
	(void)a;
	return false;
}

static void handshakes(const char *dir)
{
	struct count t = {.name = "handshakes"};
	struct node *a = new_node(dir, 2), *b;
	struct bb_net_address self = {.port = PORT};
	struct link *l;

	l = play(a, "10.1.0.1");
	row(&t, !l->side[1].in.len, "who is called says nothing first");
	shake_hands(l, "regtest", "");
	row(&t, heard(l, "\"type\":\"version\"") && heard(l, "\"type\":\"verack\""), "version");
	row(&t, heard(l, "\"type\":\"feefilter\"") && heard(l, "\"type\":\"sendheaders\""),
		"what follows it");
	row(&t, !heard(l, "\"type\":\"getaddr\""), "what is asked of those we call only");
	say(l, "{\"type\":\"getaddr\"}");
	say(l, "{\"type\":\"ping\",\"nonce\":\"0000000000000005\"}");
	row(&t, heard(l, "{\"type\":\"pong\",\"nonce\":\"0000000000000005\"}"), "pong");
	say(l, "{\"type\":\"tomorrow\"}");
	row(&t, hub_peer(a->hub, l->side[0].connection)->score == 0, "a message of the future");
	for (int i = 0; i < 5; i++)
		shake_hands(l, "regtest", "");
	row(&t, l->side[0].closed, "five more versions");
	l = play(a, "10.1.0.2");
	shake_hands(l, "signet", "");
	row(&t, l->side[0].closed, "another network");
	l = play(a, "10.1.0.3");
	say(l, "{\"type\":\"verack\"}");
	say(l, "{\"type\":\"mempool\"}");
	row(&t, hub_peer(a->hub, l->side[0].connection)->score == 40, "before the handshake");
	run(HANDSHAKE_MS + 1000);
	row(&t, l->side[0].closed, "no handshake");
	snprintf(self.host, sizeof(self.host), "%s", a->host);
	person_names(a, a);
	run(10000);
	row(&t, !a->hub->peers, "ourselves");
	row(&t, !bb_addrbook_pick(&self, a->book, now_s() + 10000, is_none, NULL),
		"ourselves, again");
	b = new_node(dir, 2);
	person_names(a, b);
	person_names(b, a);
	run(20000);
	row(&t, ready_links() == 1, "each called the other");
	run(100000);
	row(&t, ready_links() == 1, "and stay connected once");
	clear_all();
	end(&t);
}

static void say_times(struct link *l, const char *line, unsigned times)
{
	while (times-- && !l->side[0].closed)
		say(l, line);
}

static void misbehaviour(const char *dir)
{
	struct count t = {.name = "misbehaviour"};
	struct node *n = new_node(dir, 0);
	struct link *l, *m;

	l = play(n, "10.1.0.1");
	m = play(n, "10.1.0.1");
	shake_hands(l, "regtest", "");
	say_times(l, "{\"type\":\"inv\",\"items\":3}", 4);
	row(&t, !l->side[0].closed, "four malformed lines");
	say(l, "]");
	row(&t, l->side[0].closed && m->side[0].closed,
		"five, and the host's other connection");
	row(&t, play(n, "10.1.0.1")->side[0].closed, "a banned host");
	row(&t, !play(n, "10.1.0.2")->side[0].closed, "another host");
	l = play(n, "10.1.0.3");
	bb_hub_peer_line(n->hub, l->side[0].connection, BB_SPAN(NULL, 0));
	row(&t, l->side[0].closed, "a line too long");
	now_ms += (uint64_t)BAN_SECONDS * 1000 + 1000;
	run(100);
	row(&t, !play(n, "10.1.0.1")->side[0].closed, "a ban that has ended");
	l = play(n, "127.0.0.1");
	bb_hub_peer_line(n->hub, l->side[0].connection, BB_SPAN(NULL, 0));
	row(&t, l->side[0].closed && !play(n, "127.0.0.1")->side[0].closed,
		"this machine is not banned");
	for (int i = 0; i < 8; i++)
		l = play(n, "10.1.0.9");
	row(&t, !l->side[0].closed && play(n, "10.1.0.9")->side[0].closed,
		"connections of one host");
	clear_all();
	end(&t);
}

static void pings(struct count *t, const char *dir)
{
	struct node *n = new_node(dir, 0);
	struct link *l = play(n, "10.1.0.1");

	shake_hands(l, "regtest", "");
	run(PING_MS + 1000);
	row(t, times_heard(l, "\"type\":\"ping\"") == 1, "a ping");
	run(PONG_MS - 5000);
	row(t, !l->side[0].closed, "not answered yet");
	run(10000);
	row(t, l->side[0].closed, "never answered");
	clear_all();
}

static void rates(struct count *t, const char *dir)
{
	struct node *n = new_node(dir, 0);
	struct link *l = play(n, "10.1.0.1");

	shake_hands(l, "regtest", "");
	say_times(l, "{\"type\":\"ping\",\"nonce\":\"0000000000000005\"}", 4900);
	row(t, !l->side[0].off, "a burst");
	say_times(l, "{\"type\":\"ping\",\"nonce\":\"0000000000000005\"}", 200);
	row(t, l->side[0].off && !l->side[0].closed, "more is not read");
	run(1000);
	row(t, !l->side[0].off, "but in a while");
	clear_all();
}

static void back_pressure(struct count *t, const char *dir)
{
	struct node *n = new_node(dir, 0);
	struct link *l = play(n, "10.1.0.1"), *tool = play_tool(n), *asks = play_tool(n);
	char line[128];

	n->idle = true;
	shake_hands(l, "regtest", "");
	for (int i = 0; i <= CHAIN_LINES; i++) {
		snprintf(
			line, sizeof(line), "{\"type\":\"package\",\"from\":%d,\"txs\":[]}", i);
		say(tool, line);
	}
	row(t, l->side[0].off && tool->side[0].off && !asks->side[0].off,
		"a ledger that does not read");
	say(asks, "{\"type\":\"peers\"}");
	row(t, heard(asks, "\"host\":\"10.1.0.1\"") && heard(asks, "\"paused\":true"),
		"peers are told of");
	run(300000);
	row(t, !l->side[0].closed, "clocks stand still");
	n->in.len = 0;
	for (int i = 0; i <= CHAIN_LINES; i++) {
		snprintf(line, sizeof(line),
			"{\"type\":\"verdict\",\"line\":7,\"from\":\"%d\",\"valid\":true}",
			i + 1);
		bb_hub_chain_line(n->hub, BB_SPAN(line, strlen(line)));
	}
	row(t, !l->side[0].off && !tool->side[0].off, "all is judged");
	row(t,
		heard(tool, "{\"type\":\"verdict\",\"line\":1,\"from\":0,\"valid\":true}") &&
			heard(tool, "\"line\":8193,\"from\":8192,\"valid\":true}"),
		"each with its own line and from");
	run(1000);
	row(t, !l->side[0].closed, "and the peer is still there");
	clear_all();
}

/* A peer that asks and does not read. */
static void choked(struct count *t, const char *dir)
{
	enum { MUCH = 17 << 20, LITTLE = 1 << 20 };
	struct node *n = new_node(dir, 0);
	struct link *l = play(n, "10.1.0.1");
	struct bb_buf *in = &l->side[1].in;
	unsigned char *much = calloc(1, MUCH);

	shake_hands(l, "regtest", "");
	bb_put(in, much, MUCH);
	say(l, "{\"type\":\"ping\",\"nonce\":\"0000000000000005\"}");
	row(t, l->side[0].off && !l->side[0].closed, "who takes no answers is not heard");
	in->len = LITTLE;
	run(1000);
	row(t, !l->side[0].off, "until he takes them");
	bb_put(in, much, MUCH);
	say(l, "{\"type\":\"ping\",\"nonce\":\"0000000000000005\"}");
	run(31000);
	row(t, l->side[0].closed, "or let go");
	free(much);
	clear_all();
}

static void limits(const char *dir)
{
	struct count t = {.name = "limits"};

	pings(&t, dir);
	rates(&t, dir);
	back_pressure(&t, dir);
	choked(&t, dir);
	end(&t);
}

static void tools(const char *dir)
{
	struct count t = {.name = "tools"};
	struct node *n = new_node(dir, 0);
	struct link *watch = play_tool(n), *tool = play_tool(n);
	const unsigned a = new_tx(-1, false), b = new_tx(-1, true);
	char line[512], seen[512];

	say(watch, "{\"type\":\"watch\"}");
	say(tool, "{");
	say(tool, "");
	say(tool, "{\"type\":\"money\",\"from\":\"x\"}");
	row(&t,
		heard(tool, "{\"type\":\"verdict\",\"line\":1,\"valid\":false,"
			    "\"error\":\"malformed-line\""),
		"no JSON");
	row(&t,
		heard(tool, "{\"type\":\"verdict\",\"line\":3,\"from\":\"x\",\"valid\":false,"
			    "\"error\":\"malformed-line\""),
		"neither this nor that");
	row(&t, !n->in.len, "the ledger is not troubled");
	snprintf(line, sizeof(line), "{\"from\":[1, {}],%s", txs[a].line + 1);
	say(tool, line);
	say(tool, txs[b].line);
	bb_hub_tool_ended(n->hub, tool->side[0].connection);
	row(&t, !tool->side[0].closed, "it waits for its verdicts");
	run(100);
	row(&t, tool->side[0].closed, "and is closed then");
	row(&t, heard(tool, "\"line\":4,\"id\":") && heard(tool, "\"from\":[1, {}],"),
		"its from");
	row(&t, heard(tool, "\"line\":5,\"id\":") && times_heard(tool, "\"from\"") == 2,
		"or none");
	snprintf(seen, sizeof(seen), "%.*s,\"from\":\"2\"}\n", (int)strlen(txs[b].line) - 1,
		txs[b].line);
	row(&t, heard(watch, seen), "a watcher sees what goes in");
	row(&t,
		times_heard(watch, "\"type\":\"verdict\"") == 2 &&
			times_heard(watch, "\"event\":\"accepted\"") == 2,
		"and what comes of it");
	bb_buf_room(&watch->side[1].in, TOOL_QUEUE + 1);
	watch->side[1].in.len += TOOL_QUEUE + 1;
	tool = play_tool(n);
	say(tool, txs[new_tx(-1, false)].line);
	run(100);
	row(&t, watch->side[0].closed, "one that does not read");
	clear_all();
	end(&t);
}

/* Asked for: once, then of another. */
static void asking(const char *dir)
{
	struct count t = {.name = "asking"};
	struct node *n = new_node(dir, 0);
	struct link *l[3];
	char inv[192], want[256], none[256], id[65] = "", parent[65] = "";
	unsigned tx, child, refused;

	for (int i = 0; i < 3; i++) {
		snprintf(inv, sizeof(inv), "10.1.0.%d", i + 1);
		l[i] = play(n, inv);
		shake_hands(l[i], "regtest", "");
	}
	tx = new_tx(-1, true);
	bb_hash_encode(id, txs[tx].txid);
	snprintf(inv, sizeof(inv),
		"{\"type\":\"inv\",\"items\":[{\"kind\":\"tx\",\"id\":\"%s\"}]}", id);
	snprintf(want, sizeof(want), "{\"type\":\"getdata\"%s", inv + 13);
	snprintf(none, sizeof(none), "{\"type\":\"notfound\"%s", inv + 13);
	for (int i = 0; i < 3; i++)
		say(l[i], inv);
	run(100);
	row(&t, heard(l[0], want) && !heard(l[1], want) && !heard(l[2], want), "of the first");
	run(TX_ASK_MS + 100);
	row(&t, heard(l[1], want) && !heard(l[2], want), "of the second, in a while");
	say(l[1], none);
	run(100);
	row(&t, heard(l[2], want), "of the third, who has it");
	say(l[2], txs[tx].line);
	say(l[1], txs[tx].line);
	run(1000);
	row(&t, n->waits[tx] && n->handed_most == 1, "handed in once");
	say(l[0], inv);
	run(1000);
	row(&t, times_heard(l[0], want) == 1, "not asked for again");
	row(&t,
		!times_heard(l[2], "\"type\":\"inv\"") &&
			!times_heard(l[0], "\"type\":\"inv\""),
		"those who told of it are not told");
	/* A spoilt witness: the next who announced it is asked. */
	refused = new_tx(-1, true);
	tx = new_twin(refused);
	txs[refused].refused = true;
	bb_hash_encode(id, txs[tx].txid);
	snprintf(inv, sizeof(inv),
		"{\"type\":\"inv\",\"items\":[{\"kind\":\"tx\",\"id\":\"%s\"}]}", id);
	snprintf(want, sizeof(want), "{\"type\":\"getdata\"%s", inv + 13);
	say(l[0], inv);
	say(l[1], inv);
	say(l[0], txs[refused].line);
	say(l[2], inv);
	row(&t, !heard(l[1], want), "a transaction on its way through the ledger");
	run(100);
	row(&t, heard(l[1], want) && !heard(l[2], want), "and refused: the next is asked");
	say(l[0], txs[refused].line);
	say(l[1], txs[tx].line);
	run(100);
	row(&t, n->waits[tx] && n->handed[refused] == 1, "who has it with its own witness");
	/* An orphan's parent is asked for. */
	tx = new_tx(-1, false);
	child = new_tx((int)tx, false);
	bb_hash_encode(parent, txs[tx].txid);
	say(l[1], txs[child].line);
	run(1000);
	snprintf(want, sizeof(want),
		"{\"type\":\"getdata\",\"items\":[{\"kind\":\"tx\",\"id\":\"%s\"}]}", parent);
	row(&t, heard(l[1], want) && !heard(l[0], want), "an orphan's parent, of its sender");
	say(l[1], txs[tx].line);
	run(1000);
	row(&t, n->waits[tx] && n->waits[child], "both are in");
	row(&t, heard(l[0], parent), "and told");
	/* Fees: each pays 1,000 satoshi. */
	say(l[0], "{\"type\":\"feefilter\",\"feerate\":100000}");
	tx = new_tx(-1, false);
	bb_hash_encode(id, txs[tx].txid);
	say(l[1], txs[tx].line);
	run(1000);
	row(&t, heard(l[2], id) && !heard(l[0], id), "who wants more is not told");
	say(l[2], "{\"type\":\"mempool\"}");
	run(1000);
	row(&t, times_heard(l[2], id) == 2, "but all, when asked");
	clear_all();
	end(&t);
}

/* Anything at any time. */

static void put_random_items(struct bb_json_writer *w)
{
	bb_json_key(w, "items");
	bb_json_open(w, '[');
	for (unsigned i = below(4); i; i--) {
		bb_json_open(w, '{');
		bb_json_member_str(w, "kind", below(3) ? "tx" : "block");
		bb_json_member_hash(w, "id", txs[below(tx_count)].txid);
		bb_json_close(w, '}');
	}
	bb_json_close(w, ']');
}

static void random_message(struct bb_buf *line)
{
	static const char *const kinds[] = {"inv", "getdata", "notfound", "getaddr", "addr",
		"ping", "pong", "headers", "sendheaders", "feefilter", "mempool", "verack",
		"getheaders"};
	struct bb_json_writer w = {.buf = line};
	const char *kind = kinds[below(sizeof(kinds) / sizeof(*kinds))];

	line->len = 0;
	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", kind);
	put_random_items(&w);
	bb_json_member_str(&w, "nonce", "0123456789abcdef");
	bb_json_key(&w, "headers");
	bb_json_raw(&w, BB_LIT("[]"));
	bb_json_key(&w, "locator");
	bb_json_raw(&w, BB_LIT("[]"));
	bb_json_member_hash(&w, "stop", txs[below(tx_count)].txid);
	bb_json_member_i64(&w, "feerate", below(10000));
	bb_json_key(&w, "addrs");
	bb_json_raw(&w, BB_LIT("[{\"host\":\"10.3.0.1\",\"port\":7,\"time\":1700000000,"
			       "\"services\":\"1\"}]"));
	bb_json_close(&w, '}');
	bb_put_u8(line, '\0');
}

static void random_verdict(struct bb_buf *line)
{
	static const char *const results[] = {"accepted", "orphan", "duplicate", "refused", ""};
	static const char *const errors[] = {
		"bad-txns-in-belowout", "dust", "min relay fee not met"};
	struct bb_json_writer w = {.buf = line};
	char from[24];

	line->len = 0;
	snprintf(from, sizeof(from), "%u", below(2000));
	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", "verdict");
	bb_json_member_str(&w, "from", from);
	bb_json_member_str(&w, "result", results[below(5)]);
	bb_json_member_str(&w, "error", errors[below(3)]);
	bb_json_close(&w, '}');
	bb_put_u8(line, '\0');
}

/* A ledger that says what it likes, and peers that do. */
static void anything(const char *dir)
{
	struct count t = {.name = "anything at any time"};
	struct node *n = new_node(dir, 2);
	struct link *peer[5] = {NULL}, *tool = play_tool(n), *last;
	struct bb_buf line = {0};
	char host[32];

	state = 3000;
	n->idle = true;
	say(tool, "{\"type\":\"watch\"}");
	for (int i = 0; i < 200; i++)
		random_tx();
	for (int i = 0; i < 40000; i++) {
		struct link **p = &peer[below(5)];
		if (!*p || (*p)->side[0].closed) {
			snprintf(host, sizeof(host), "10.%u.%u.1", i / 250, i % 250);
			*p = play(n, host);
			shake_hands(*p, "regtest", "");
		}
		random_message(&line);
		say(*p, (const char *)line.data);
		if (below(3) == 0)
			say(*p, txs[below(tx_count)].line);
		if (below(50) == 0)
			say(tool, txs[below(tx_count)].line);
		random_verdict(&line);
		if (n->up)
			bb_hub_chain_line(n->hub, BB_SPAN(line.data, line.len - 1));
		if (below(200) == 0)
			step();
		if (below(500) == 0 && n->up)
			ledger_dies(n);
		if (below(1000) == 0 && !(*p)->side[0].closed) {
			bb_hub_closed(n->hub, (*p)->side[0].connection);
			(*p)->side[0].closed = true;
		}
	}
	last = play(n, "10.200.0.1");
	shake_hands(last, "regtest", "");
	say(last, "{\"type\":\"ping\",\"nonce\":\"0000000000000005\"}");
	row(&t, heard(last, "{\"type\":\"pong\",\"nonce\":\"0000000000000005\"}"),
		"the hub is still there");
	bb_buf_free(&line);
	clear_all();
	end(&t);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("DIR");
	handshakes(argv[1]);
	misbehaviour(argv[1]);
	limits(argv[1]);
	tools(argv[1]);
	asking(argv[1]);
	killers(argv[1]);
	floods(argv[1]);
	long_flood(argv[1]);
	disasters(argv[1]);
	anything(argv[1]);
	return !all_good;
}
