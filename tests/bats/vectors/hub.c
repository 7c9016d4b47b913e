/* Who is let in, what is asked of whom, and who has to go: a node among peers and tools that
 *the test plays. Each table prints `name: N of M`, and what fails.
 *
 *	hub DIR		DIR: an empty folder for the stores */

#include "sim.h"

static bool is_none(void *arg, const struct bb_net_address *a)
{
	(void)arg;
	(void)a;
	return false;
}

/* Of the version that was sent there. */
static uint64_t nonce_of(struct link *l)
{
	struct bb_arena arena = {0};
	struct bb_message m;
	const char *why;
	struct bb_span line;
	size_t at = 0;

	if (!l->side[1].in.len)
		shake_hands(l, "regtest", "");
	if (!take_line(&line, &l->side[1].in, &at) ||
		!bb_message_parse(&m, &why, &arena, line) || m.kind != BB_MSG_VERSION)
		die("no version");
	bb_arena_free(&arena);
	return m.version.nonce;
}

static void handshakes(const char *dir)
{
	struct table t = {.name = "handshakes"};
	struct node *a = new_node(dir, 2), *b;
	struct bb_net_address self = {.port = PORT};
	struct link *l;

	l = play(a, "10.1.0.1");
	row(&t, !l->side[1].in.len, "who is called says nothing first");
	row(&t, bb_hub_line_max(a->hub, l->side[0].connection) == BB_HELLO_LINE_MAX,
		"before it lines are short");
	shake_hands(l, "regtest", "");
	row(&t, bb_hub_line_max(a->hub, l->side[0].connection) == BB_PEER_LINE_MAX,
		"and longer when it is done");
	row(&t, nonce_of(play(a, "10.1.0.1")) != nonce_of(l), "each connection its own nonce");
	row(&t, heard(l, "\"type\":\"version\"") && heard(l, "\"type\":\"verack\""), "version");
	row(&t, heard(l, "\"type\":\"feefilter\"") && heard(l, "\"type\":\"sendheaders\""),
		"what follows it");
	row(&t, !heard(l, "\"type\":\"getaddr\""), "what is asked of those we call only");
	say(l, "{\"type\":\"getaddr\"}");
	say(l, "{\"type\":\"ping\",\"nonce\":\"0000000000000005\"}");
	row(&t, heard(l, "{\"type\":\"pong\",\"nonce\":\"0000000000000005\"}"), "pong");
	say(l, "{\"type\":\"tomorrow\"}");
	row(&t, peer_of(l)->score == 0, "a message of the future");
	for (int i = 0; i < 5; i++)
		shake_hands(l, "regtest", "");
	row(&t, l->side[0].closed, "five more versions");
	l = play(a, "10.1.0.2");
	shake_hands(l, "signet", "");
	row(&t, l->side[0].closed, "another network");
	l = play(a, "10.1.0.3");
	say(l, "{\"type\":\"verack\"}");
	say(l, "{\"type\":\"mempool\"}");
	row(&t, peer_of(l)->score == 40, "before the handshake");
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
	no_dialling = true;
	bb_addrbook_add(a->book, &(struct bb_net_address){.host = "10.9.0.1", .port = 1}, NULL,
		now_s());
	run(5000);
	row(&t, a->hub->connecting_count == 0, "who cannot be called takes no place");
	no_dialling = false;
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
	struct table t = {.name = "misbehaviour"};
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

static void pings(struct table *t, const char *dir)
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

static void rates(struct table *t, const char *dir)
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

static void back_pressure(struct table *t, const char *dir)
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
static void choked(struct table *t, const char *dir)
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
	for (int i = 0; i < 3; i++) {
		run(20000);
		in->len -= 1000;
	}
	row(t, !l->side[0].closed && l->side[0].off, "who takes some has time");
	run(31000);
	row(t, l->side[0].closed, "or let go");
	free(much);
	clear_all();
}

/* Headers are asked for by one who has much to take already. */
static void headers_put_off(struct table *t, const char *dir)
{
	struct node *n = new_node(dir, 0);
	struct link *l = play(n, "10.1.0.1");
	struct bb_buf *in = &l->side[1].in;
	char genesis[65] = "", ask[256];

	bb_hash_encode(genesis, bb_network_find("regtest")->genesis);
	snprintf(ask, sizeof(ask),
		"{\"type\":\"getheaders\",\"locator\":[\"%s\"],\"stop\":\"%064d\"}", genesis,
		0);
	shake_hands(l, "regtest", "");
	bb_buf_room(in, PEER_QUEUE);
	memset(in->data + in->len, 0, PEER_QUEUE);
	in->len += PEER_QUEUE;
	say(l, ask);
	say(l, ask);
	run(1000);
	row(t, !heard(l, "{\"type\":\"headers\""), "headers are put off");
	in->len = 0;
	run(100);
	row(t, times_heard(l, "{\"type\":\"headers\"") == 1, "until he takes what he has");
	say(l, ask);
	row(t, times_heard(l, "{\"type\":\"headers\"") == 2, "and given at once then");
	clear_all();
}

static void limits(const char *dir)
{
	struct table t = {.name = "limits"};

	pings(&t, dir);
	rates(&t, dir);
	back_pressure(&t, dir);
	choked(&t, dir);
	headers_put_off(&t, dir);
	end(&t);
}

static void tools(const char *dir)
{
	struct table t = {.name = "tools"};
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
	struct table t = {.name = "asking"};
	struct node *n = new_node(dir, 0);
	struct link *l[3];
	char inv[192], want[256], none[256], id[65] = "", parent[65] = "";
	unsigned tx, child, refused, second, third;

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
	second = heard(l[1], want) ? 1 : 2;
	third = 3 - second;
	row(&t, heard(l[second], want) && !heard(l[third], want), "of another, in a while");
	say(l[second], none);
	run(100);
	row(&t, heard(l[third], want), "of the third, who has it");
	say(l[third], txs[tx].line);
	say(l[second], txs[tx].line);
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

/* Who announces first and does not give: others must get their turn. */

static void announce_to(struct link *l, unsigned tx)
{
	char inv[192], id[65] = "";

	bb_hash_encode(id, txs[tx].txid);
	snprintf(inv, sizeof(inv),
		"{\"type\":\"inv\",\"items\":[{\"kind\":\"tx\",\"id\":\"%s\"}]}", id);
	say(l, inv);
}

static bool was_asked(struct link *l, unsigned tx)
{
	char want[192], id[65] = "";

	bb_hash_encode(id, txs[tx].txid);
	snprintf(want, sizeof(want),
		"{\"type\":\"getdata\",\"items\":[{\"kind\":\"tx\",\"id\":\"%s\"}]}", id);
	return heard(l, want);
}

static struct link *meet(struct node *n, const char *host, bool outbound)
{
	struct link *l = play_at(n, host, outbound);

	shake_hands(l, "regtest", "");
	return l;
}

/* It sends all but one of what it announced, slowly. */
static void dribble(struct table *t, struct node *n)
{
	struct link *first = meet(n, "10.1.0.1", false), *other = meet(n, "10.1.0.2", false);
	const unsigned held = new_tx(-1, false);

	announce_to(first, held);
	announce_to(other, held);
	for (int i = 0; i < 4; i++) {
		const unsigned tx = new_tx(-1, false);
		announce_to(first, tx);
		run(TX_ASK_MS / 3);
		say(first, txs[tx].line);
	}
	run(100);
	row(t, was_asked(other, held), "who dribbles others holds none up");
}

static void whom_we_called(struct table *t, struct node *n)
{
	struct link *first = meet(n, "10.1.1.1", false), *called = meet(n, "10.1.1.2", true);
	struct link *others[8];
	const unsigned tx = new_tx(-1, false), late = new_tx(-1, false);
	char host[32];

	announce_to(first, tx);
	announce_to(called, tx);
	run(100);
	row(t, was_asked(first, tx) && !was_asked(called, tx), "the first is asked");
	run(2500);
	row(t, was_asked(called, tx), "whom we called soon");
	announce_to(first, late);
	for (int i = 0; i < 8; i++) {
		snprintf(host, sizeof(host), "10.1.2.%d", i);
		others[i] = meet(n, host, false);
		announce_to(others[i], late);
	}
	announce_to(called, late);
	run(3000);
	row(t, was_asked(called, late), "however many announced it before");
}

/* A child that comes before its parent, with a spoilt witness: it is refused when that comes.
 */
static void spoilt_child(struct table *t, struct node *n)
{
	struct link *l[] = {meet(n, "10.1.5.1", false), meet(n, "10.1.5.2", false)};
	struct link *spoils = meet(n, "10.1.5.3", false);
	const unsigned parent = new_tx(-1, false), spoilt = new_tx((int)parent, true),
		       good = new_twin(spoilt);
	bool asked;

	txs[spoilt].refused = true;
	say(spoils, txs[spoilt].line);
	run(100);
	announce_to(l[0], good);
	announce_to(l[1], good);
	run(TX_ASK_MS);
	row(t, !was_asked(l[0], good) && !was_asked(l[1], good), "an orphan waits");
	say(l[0], txs[parent].line);
	run(TX_ASK_MS);
	asked = was_asked(l[1], good);
	row(t, was_asked(l[0], good) != asked, "refused with its parent there: one is asked");
	say(l[asked], txs[good].line);
	run(100);
	row(t, n->waits[good], "who has it with its own witness");
}

/* Eight announce before the ninth, from eight hosts or from one: how often is he asked among
 * the next four? */
static unsigned times_asked(struct node *n, const char *hosts, unsigned rounds)
{
	struct link *first = meet(n, "10.1.3.1", false), *last = meet(n, "10.1.3.2", false);
	struct link *between[8];
	unsigned tx[200], times = 0;
	char host[32];

	for (unsigned i = 0; i < 8; i++) {
		snprintf(host, sizeof(host), hosts, i);
		between[i] = meet(n, host, false);
	}
	for (unsigned k = 0; k < rounds; k++) {
		tx[k] = new_tx(-1, false);
		announce_to(first, tx[k]);
		for (unsigned i = 0; i < 8; i++)
			announce_to(between[i], tx[k]);
		announce_to(last, tx[k]);
	}
	run(6 * TX_ASK_MS);
	for (unsigned k = 0; k < rounds; k++) {
		char id[65] = "";
		bb_hash_encode(id, txs[tx[k]].txid);
		times += heard(last, id);
	}
	return times;
}

static void announcers(const char *dir)
{
	struct table t = {.name = "who announces and does not give"};
	struct node *n = new_node(dir, 0);
	unsigned times;

	dribble(&t, n);
	whom_we_called(&t, n);
	spoilt_child(&t, n);
	times = times_asked(n, "10.1.4.%u", 200);
	row(&t, times > 40 && times < 140, "the ninth has his share of four places");
	row(&t, times_asked(n, "8.8.8.8", 20) == 20, "one host has but one of them");
	clear_all();
	end(&t);
}

/* No room: who has to go. */

enum { INBOUND = 100, GOOD = 16 };

static void evictions(const char *dir)
{
	struct table t = {.name = "who has to go"};
	struct node *n = new_node(dir, 0);
	struct link *apart[INBOUND / 2], *crowd[INBOUND / 2], *l;
	unsigned left = 0;
	char host[32];

	for (unsigned i = 0; i < INBOUND / 2; i++) {
		snprintf(host, sizeof(host), "20.%u.0.1", 10 + i);
		apart[i] = meet(n, host, false);
		snprintf(host, sizeof(host), "30.1.0.%u", 1 + i);
		crowd[i] = meet(n, host, false);
		step();
	}
	/* The youngest of the crowd have each one thing to be proud of. */
	for (unsigned i = 0; i < GOOD; i++) {
		struct peer *p = peer_of(crowd[INBOUND / 2 - 1 - i]);
		if (i < 8)
			p->latency_least_ms = 1 + i;
		else if (i < 12)
			p->tx_good_ms = now_ms - i;
		else
			p->block_good_ms = now_ms - i;
	}
	l = meet(n, "20.1.0.1", false);
	row(&t, !l->side[0].closed, "there is room for one more");
	row(&t, crowd[INBOUND / 2 - 1 - GOOD]->side[0].closed,
		"the youngest of the largest network that gave nothing has gone");
	for (unsigned i = 0; i < 200; i++) {
		snprintf(host, sizeof(host), "30.1.1.%u", i);
		meet(n, host, false);
		step();
	}
	for (unsigned i = 0; i < INBOUND / 2; i++)
		left += !apart[i]->side[0].closed;
	row(&t, left == INBOUND / 2 && !l->side[0].closed, "a crowd pushes out itself alone");
	left = 0;
	for (unsigned i = 0; i < GOOD; i++)
		left += !crowd[INBOUND / 2 - 1 - i]->side[0].closed;
	row(&t, left == GOOD, "and none who is good at something");
	row(&t, !crowd[0]->side[0].closed, "nor the oldest");
	clear_all();

	/* Less than half of all, and there before the others. */
	n = new_node(dir, 0);
	n->hub->c.inbound = 60;
	for (unsigned i = 0; i < 60; i++) {
		snprintf(host, sizeof(host), i < 27 ? "30.1.0.%u" : "20.%u.0.1", 1 + i);
		l = meet(n, host, false);
		if (i < 27)
			crowd[i] = l;
		step();
	}
	l = meet(n, "20.200.0.1", false);
	left = 0;
	for (unsigned i = 0; i < 27; i++)
		left += !crowd[i]->side[0].closed;
	row(&t, left == 27 && !l->side[0].closed, "nor those who were long here");
	clear_all();

	n = new_node(dir, 0);
	n->hub->c.inbound = 4;
	for (unsigned i = 0; i < 4; i++) {
		snprintf(host, sizeof(host), "30.1.0.%u", 1 + i);
		crowd[i] = meet(n, host, false);
	}
	row(&t, play(n, "30.1.0.9")->side[0].closed && !crowd[3]->side[0].closed,
		"of few none has to go");
	l = play_tool(n);
	say(crowd[0], txs[new_tx(-1, false)].line);
	run(1000);
	row(&t, peer_of(crowd[0])->tx_good_ms && !peer_of(crowd[1])->tx_good_ms,
		"who sent a good transaction");
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
	announcers(argv[1]);
	evictions(argv[1]);
	return !all_good;
}
