/* Transactions through several nodes at once, among disasters, and anything at any time. Each
 * table prints `name: N of M`, and what fails.
 *
 *	floods DIR	DIR: an empty folder for the stores */

#include "sim.h"

static unsigned random_tx(void)
{
	return new_tx(tx_count && below(3) == 0 ? (int)below(tx_count) : -1, below(2));
}

/* A network of so many nodes, a tool at each. */
static void begin_round(
	struct link *tool[NODES_MAX], const char *dir, unsigned seed, unsigned count)
{
	state = seed;
	make_network(dir, count);
	run(500);
	for (unsigned i = 0; i < count; i++)
		tool[i] = play_tool(nodes[i]);
}

static void floods(const char *dir)
{
	struct table t = {.name = "floods"};

	for (unsigned round = 0; round < 6; round++) {
		const unsigned count = 4 + round;
		struct link *tool[NODES_MAX];
		unsigned verdicts = 0;
		begin_round(tool, dir, 1000 + round, count);
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
	struct table t = {.name = "10000 transactions through five in a row"};
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
	struct table t = {.name = "floods among disasters"};

	for (unsigned round = 0; round < 6; round++) {
		const unsigned count = 4 + round;
		struct link *tool[NODES_MAX];
		uint64_t deaths = 0;
		unsigned verdicts = 0;
		begin_round(tool, dir, 2000 + round, count);
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
	struct table t = {.name = "lines that kill"};
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
	struct table t = {.name = "anything at any time"};
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
	killers(argv[1]);
	floods(argv[1]);
	long_flood(argv[1]);
	disasters(argv[1]);
	anything(argv[1]);
	return !all_good;
}
