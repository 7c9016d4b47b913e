#ifndef SIM_H
#define SIM_H

/* Nodes in one process, without sockets: hubs, each with a store and a ledger that takes every
 * transaction once, joined by queues of lines; and peers and tools that the test plays. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "ledger/ledger.h"
#include "ledger/poolrows.h"
#include "net/hub_inside.h"
#include "table.h"

enum { NODES_MAX = 10, LINKS_MAX = 4096, TXS_MAX = 10000, STEP_MS = 10, PORT = 18444 };

static inline void die(const char *why)
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

static inline unsigned add_tx(uint32_t locktime, int parent, bool witness, const char *item)
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

static inline unsigned new_tx(int parent, bool witness)
{
	return add_tx(tx_count, parent, witness, "witness");
}

/* The same as the last one, but for its witness. */
static inline unsigned new_twin(unsigned last)
{
	return add_tx(last, txs[last].parent, true, "a twin's");
}

/* -1: it is none of them. */
static inline int find_tx(struct bb_span bytes)
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
static bool no_dialling;       /* nobody can connect */

static inline int64_t now_s(void)
{
	return start_s + (int64_t)(now_ms / 1000);
}

static inline struct side *find_side(uint64_t connection)
{
	for (unsigned i = 0; i < link_count; i++)
		for (int j = 0; j < 2; j++)
			if (links[i]->side[j].connection == connection)
				return &links[i]->side[j];
	return NULL;
}

static inline struct side *other(const struct side *s)
{
	for (unsigned i = 0; i < link_count; i++)
		for (int j = 0; j < 2; j++)
			if (&links[i]->side[j] == s)
				return &links[i]->side[!j];
	return NULL;
}

static inline void count_tx(struct side *to, struct bb_span line)
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

static inline bool io_send(void *arg, uint64_t connection, struct bb_span lines)
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

static inline size_t io_queued(void *arg, uint64_t connection)
{
	struct side *s = find_side(connection);

	(void)arg;
	return s ? other(s)->in.len : 0;
}

static inline void io_close(void *arg, uint64_t connection)
{
	struct side *s = find_side(connection);

	(void)arg;
	if (s)
		s->closed = true;
}

static inline void io_read(void *arg, uint64_t connection, bool on)
{
	struct side *s = find_side(connection);

	(void)arg;
	if (s)
		s->off = !on;
}

static inline void io_chain(void *arg, struct bb_span lines)
{
	struct node *n = arg;

	if (!n->up)
		die("a line to a ledger that is down");
	bb_put(&n->in, lines.data, lines.len);
}

static inline bool io_connect(void *arg, const struct bb_net_address *to)
{
	struct node *n = arg;

	if (no_dialling)
		return false;
	if (n->dials < sizeof(n->dial) / sizeof(n->dial[0]))
		n->dial[n->dials++] = *to;
	return true;
}

static inline void io_log(void *arg, const char *line)
{
	struct node *n = arg;

	if (strstr(line, "killed the ledger"))
		snprintf(last_killer, sizeof(last_killer), "%s", line);
	if (getenv("HUB_LOG"))
		printf("# %s: %s\n", n->host, line);
}

static inline void make_store(struct node *n, const char *dir)
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

static inline struct node *new_node(const char *dir, unsigned outbound)
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

static inline struct link *new_link(struct node *a, struct node *b)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l || link_count == LINKS_MAX)
		die("too many links");
	l->side[0] = (struct side){.node = a, .connection = ++last_connection};
	l->side[1] = (struct side){.node = b, .connection = ++last_connection};
	return links[link_count++] = l;
}

static inline void free_link(unsigned i)
{
	for (int j = 0; j < 2; j++)
		bb_buf_free(&links[i]->side[j].in);
	free(links[i]);
	links[i] = links[--link_count];
}

static inline void clear_all(void)
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

static inline void dial(struct node *n, const struct bb_net_address *to)
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
static inline struct link *play_at(struct node *n, const char *host, bool outbound)
{
	struct bb_net_address at = {.port = 5};
	struct link *l = new_link(n, NULL);

	snprintf(at.host, sizeof(at.host), "%s", host);
	l->side[0].closed = !bb_hub_connected(n->hub, l->side[0].connection, &at, outbound);
	return l;
}

static inline struct link *play(struct node *n, const char *host)
{
	return play_at(n, host, false);
}

static inline struct peer *peer_of(const struct link *l)
{
	return hub_peer(l->side[0].node->hub, l->side[0].connection);
}

static inline struct link *play_tool(struct node *n)
{
	struct link *l = new_link(n, NULL);

	l->tool = true;
	l->side[0].closed = !bb_hub_tool_connected(n->hub, l->side[0].connection);
	return l;
}

static inline void say(struct link *l, const char *line)
{
	const struct bb_span s = BB_SPAN(line, strlen(line));
	const struct side *to = &l->side[0];

	if (l->tool)
		bb_hub_tool_line(to->node->hub, to->connection, s);
	else
		bb_hub_peer_line(to->node->hub, to->connection, s);
}

static inline bool heard(struct link *l, const char *text)
{
	const struct bb_buf *b = &l->side[1].in;

	return b->len && memmem(b->data, b->len, text, strlen(text));
}

static inline unsigned times_heard(struct link *l, const char *text)
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

static inline void shake_hands(struct link *l, const char *network, const char *more)
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

static inline void put_in_pool(struct node *n, int i)
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

static inline void put_accepted(struct bb_buf *out, int i)
{
	struct bb_json_writer w = {.buf = out};

	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", "event");
	bb_json_member_str(&w, "event", "accepted");
	bb_json_member_hash(&w, "txid", txs[i].txid);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

static inline void accept(struct node *n, struct bb_buf *events, int i)
{
	put_in_pool(n, i);
	put_accepted(events, i);
	for (unsigned c = 0; c < tx_count; c++) {
		if (!n->orphan[c] || txs[c].parent != i)
			continue;
		n->orphan[c] = false;
		bb_store_del(&n->store, BB_POOL_ORPHANS, BB_SPAN(txs[c].wtxid, 32));
		if (!txs[c].refused)
			accept(n, events, (int)c);
	}
}

static inline void keep_orphan(struct node *n, int i)
{
	n->orphan[i] = true;
	bb_store_put(&n->store, BB_POOL_ORPHANS, BB_SPAN(txs[i].wtxid, 32),
		BB_SPAN(txs[i].bytes.data, txs[i].bytes.len));
}

/* False: it kills. */
static inline bool judge(
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
	if (n->waits[i]) {
		result = "duplicate";
	} else if (txs[i].parent >= 0 && !n->waits[txs[i].parent]) {
		result = "orphan";
		keep_orphan(n, i);
	} else if (txs[i].refused) {
		result = "refused";
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
static inline bool take_line(struct bb_span *line, const struct bb_buf *b, size_t *at)
{
	const unsigned char *lf = *at < b->len ? memchr(b->data + *at, '\n', b->len - *at)
					       : NULL;

	if (!lf)
		return false;
	*line = BB_SPAN(b->data + *at, (size_t)(lf - b->data) - *at);
	*at += line->len + 1;
	return true;
}

static inline void drop_front(struct bb_buf *b, size_t len)
{
	if (len)
		memmove(b->data, b->data + len, b->len - len);
	b->len -= len;
}

static inline void ledger_dies(struct node *n)
{
	n->up = false;
	n->deaths++;
	n->in.len = 0;
	memset(n->handed, 0, sizeof(n->handed));
	bb_hub_chain_down(n->hub);
}

static inline void tell_hub(struct node *n, const struct bb_buf *lines)
{
	struct bb_span line;
	size_t at = 0;

	while (take_line(&line, lines, &at))
		bb_hub_chain_line(n->hub, line);
}

/* `dies`: after its commit, before it tells all. */
static inline void run_ledger(struct node *n, bool dies)
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

static inline void deliver(struct side *s)
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
static inline void close_links(void)
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

static inline void step(void)
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

static inline void run(uint64_t ms)
{
	for (const uint64_t until = now_ms + ms; now_ms < until;)
		step();
}

static inline void person_names(struct node *n, const struct node *m)
{
	struct bb_net_address a = {.port = PORT};

	snprintf(a.host, sizeof(a.host), "%s", m->host);
	bb_addrbook_add(n->book, &a, NULL, now_s());
}

static inline bool arrived_everywhere(void)
{
	for (unsigned i = 0; i < node_count; i++)
		for (unsigned t = 0; t < tx_count; t++)
			if (!txs[t].kills && !nodes[i]->waits[t])
				return false;
	return true;
}

static inline unsigned ready_links(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < node_count; i++)
		for (const struct peer *p = nodes[i]->hub->peers; p; p = p->next)
			n += p->ready;
	return n / 2;
}

static inline bool nothing_left(void)
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
static inline void make_network(const char *dir, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		new_node(dir, 1 + below(3));
		if (i)
			person_names(nodes[i], nodes[below(i)]);
	}
}

#endif
