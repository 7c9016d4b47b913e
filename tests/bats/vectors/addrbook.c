/* Whom a node knows, and whom it has banned. Each table prints `name: N of M`, and what fails.
 */

#include <stdlib.h>

#include "net/addrbook.h"
#include "table.h"

/* Addresses. */

static void hosts(void)
{
	static const char *const rows[][2] = {
		{"127.0.0.1", "127.0.0.1"},
		{"::1", "::1"},
		{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
		{"::ffff:1.2.3.4", "1.2.3.4"},
		{"::FFFF:0102:0304", "1.2.3.4"},
		{"0.0.0.0", "0.0.0.0"},
		{"1.2.3", NULL},
		{"1.2.3.256", NULL},
		{"01.2.3.4", NULL},
		{" 1.2.3.4", NULL},
		{"1.2.3.4:5", NULL},
		{"[::1]", NULL},
		{"fe80::1%lo", NULL},
		{"localhost", NULL},
		{"", NULL},
	};
	struct table t = {.name = "hosts"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char out[BB_HOST_MAX + 1];
		const bool good = bb_host_normal(out, rows[i][0]);
		row(&t, rows[i][1] ? good && !strcmp(out, rows[i][1]) : !good, rows[i][0]);
	}
	end(&t);
}

static void groups(void)
{
	static const char *const rows[][2] = {
		{"8.8.4.4", "8.8"},
		{"172.32.255.1", "172.32"},
		{"2001:db8:1::1", "2001:0db8"},
		{"2001:db9::1", "2001:0db9"},
		{"10.1.2.3", "10.1.2.3"},
		{"127.0.0.1", "127.0.0.1"},
		{"fd00::1", "fd00::1"},
	};
	struct table t = {.name = "networks of hosts"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char out[BB_HOST_MAX + 1];
		bb_host_group(out, rows[i][0]);
		row(&t, !strcmp(out, rows[i][1]), rows[i][0]);
	}
	end(&t);
}

#define LABEL_50 "a2345678901234567890123456789012345678901234567890"
#define NAME_250 LABEL_50 LABEL_50 LABEL_50 LABEL_50 LABEL_50

static void endpoints(void)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} rows[] = {
		{"127.0.0.1:1", "127.0.0.1", 1},
		{"127.0.0.1", "127.0.0.1", 28333},
		{"[::1]:65535", "::1", 65535},
		{"[2001:DB8::1]", "2001:db8::1", 28333},
		{"[::ffff:1.2.3.4]:5", "1.2.3.4", 5},
		{"::1", "::1", 28333},
		{"Alice.Example:99", "alice.example", 99},
		{"net_2-alice", "net_2-alice", 28333},
		{NAME_250 "abc:1", NAME_250 "abc", 1},
		{NAME_250 "abcd:1", NULL, 0},
		{"alice:", NULL, 0},
		{"alice:0", NULL, 0},
		{"alice:65536", NULL, 0},
		{"alice:99999999999999999999", NULL, 0},
		{"alice:+1", NULL, 0},
		{"alice:1 ", NULL, 0},
		{"al ice:1", NULL, 0},
		{"-n:1", NULL, 0},
		{":1", NULL, 0},
		{"", NULL, 0},
		{"[]", NULL, 0},
		{"[::1", NULL, 0},
		{"[::1]1", NULL, 0},
		{"[alice]:1", NULL, 0},
		{"[1.2.3.4]:1", NULL, 0},
		{"alice:1:2", NULL, 0},
		{"caf\xc3\xa9", NULL, 0},
		{"al\"ice", NULL, 0},
	};
	struct table t = {.name = "endpoints"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct bb_net_address a;
		const bool good = bb_endpoint_parse(&a, rows[i].text, 28333);
		row(&t,
			rows[i].host ? good && !strcmp(a.host, rows[i].host) &&
					       a.port == rows[i].port
				     : !good,
			rows[i].text);
	}
	end(&t);
}

enum { NOW = 1735862400 };

static struct bb_net_address at(const char *host, uint16_t port)
{
	struct bb_net_address a = {
		.port = port, .services = BB_SERVICE_NETWORK, .time = NOW - 60};

	snprintf(a.host, sizeof(a.host), "%s", host);
	return a;
}

/* The nth of a great many addresses. */
static struct bb_net_address nth(unsigned n)
{
	char host[32];

	snprintf(host, sizeof(host), "10.%u.%u.%u", n >> 16 & 255, n >> 8 & 255, n & 255);
	return at(host, 28333);
}

static bool none_busy(void *arg, const struct bb_net_address *a)
{
	(void)arg;
	(void)a;
	return false;
}

static bool is_host(void *host, const struct bb_net_address *a)
{
	return strcmp(host, a->host) == 0;
}

/* Is this host what is picked? NULL: nothing. */
static bool picks(struct bb_addrbook *b, int64_t now, const char *host)
{
	struct bb_net_address a;

	if (!bb_addrbook_pick(&a, b, now, none_busy, NULL))
		return !host;
	return host && strcmp(a.host, host) == 0;
}

static void kept_or_not(void)
{
	static const struct {
		const char *host, *from;
		uint16_t port;
		bool kept;
	} rows[] = {
		{"10.0.0.1", "10.9.9.9", 28333, true},
		{"10.0.0.1", "8.8.8.8", 28333, false},
		{"127.0.0.1", "8.8.8.8", 28333, false},
		{"169.254.169.254", "8.8.8.8", 80, false},
		{"::1", "2001:db8::1", 28333, false},
		{"fd00::1", "2001:db8::1", 28333, false},
		{"172.31.255.255", "8.8.8.8", 28333, false},
		{"172.32.0.0", "8.8.8.8", 28333, true},
		{"127.0.0.1", "10.9.9.9", 1, true},
		{"2001:db8::1", "10.9.9.9", 1, true},
		{"10.0.0.1", "10.9.9.9", 0, false},
		{"0.0.0.0", "10.9.9.9", 1, false},
		{"0.1.2.3", "10.9.9.9", 1, false},
		{"::", "10.9.9.9", 1, false},
		{"224.0.0.1", "10.9.9.9", 1, false},
		{"255.255.255.255", NULL, 1, false},
		{"ff02::1", "10.9.9.9", 1, false},
		{"alice", "10.9.9.9", 1, false},
		{"alice", NULL, 1, true},
		{"al/ice", NULL, 1, false},
		{"", NULL, 1, false},
	};
	struct table t = {.name = "addresses that are kept"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct bb_addrbook *b = bb_addrbook_new();
		const struct bb_net_address a = at(rows[i].host, rows[i].port);
		row(&t, bb_addrbook_add(b, &a, rows[i].from, NOW) == rows[i].kept,
			rows[i].host);
		row(&t, picks(b, NOW, rows[i].kept ? rows[i].host : NULL), rows[i].host);
		bb_addrbook_free(b);
	}
	end(&t);
}

/* An address that always fails is tried at these times and never between. */
static void back_off(struct table *t, bool named)
{
	static const unsigned waits[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600};
	static const unsigned waits_heard[] = {10, 20, 40, 80, 160, 320, 600, 600, 600};
	const unsigned *wait = named ? waits : waits_heard;
	const size_t count = named ? sizeof(waits) / sizeof(*waits)
				   : sizeof(waits_heard) / sizeof(*waits_heard);
	const struct bb_net_address a = at("10.0.0.1", 1);
	struct bb_addrbook *b = bb_addrbook_new();
	int64_t now = NOW;

	bb_addrbook_add(b, &a, named ? NULL : "10.9.9.9", now);
	row(t, bb_addrbook_next(b, now - 1) == INT64_MAX, "it can be tried at once");
	for (size_t i = 0; i < count; i++) {
		row(t, picks(b, now, a.host) && picks(b, now, NULL), "picked, once");
		row(t,
			bb_addrbook_failed(b, &a) == (named && i == 0) &&
				bb_addrbook_next(b, now) == now + wait[i],
			"the next time");
		row(t, picks(b, now + wait[i] - 1, NULL), "not before");
		now += wait[i];
	}
	row(t, picks(b, now, a.host), "the last time");
	bb_addrbook_failed(b, &a);
	row(t, picks(b, now + 600, named ? a.host : NULL),
		"forgotten unless a person named it");
	bb_addrbook_free(b);
}

static void back_offs(void)
{
	struct table t = {.name = "times of trying again"};
	const struct bb_net_address a = at("10.0.0.1", 1);
	struct bb_addrbook *b = bb_addrbook_new();

	back_off(&t, true);
	back_off(&t, false);
	bb_addrbook_add(b, &a, "10.9.9.9", NOW);
	for (unsigned i = 0; i < 5; i++)
		bb_addrbook_failed(b, &a);
	row(&t, picks(b, NOW, a.host), "failures without a try do not wait");
	bb_addrbook_reached(b, &a, NOW);
	row(&t, bb_addrbook_next(b, NOW) == NOW + 10, "reached: from 10 s again");
	row(&t, picks(b, NOW - 7200, a.host), "a clock that is set back");
	bb_addrbook_free(b);
	end(&t);
}

static void order_of_picking(void)
{
	struct table t = {.name = "whom to connect to"};
	struct bb_addrbook *b = bb_addrbook_new();
	struct bb_net_address a = at("10.0.0.1", 1), reached = at("10.0.0.2", 1);
	struct bb_net_address named = at("alice", 1), out;
	char busy[] = "alice";
	unsigned first = 0;

	row(&t, picks(b, NOW, NULL) && bb_addrbook_next(b, NOW) == INT64_MAX, "nobody");
	bb_addrbook_add(b, &a, "10.9.9.9", NOW);
	bb_addrbook_add(b, &reached, "10.9.9.9", NOW);
	bb_addrbook_reached(b, &reached, NOW);
	bb_addrbook_add(b, &named, NULL, NOW);
	row(&t, !bb_addrbook_pick(&out, b, NOW, is_host, busy) || strcmp(out.host, "alice"),
		"not who is busy");
	row(&t, picks(b, NOW + 100, "alice"), "named first");
	row(&t, picks(b, NOW + 100, "10.0.0.2"), "then reached");
	row(&t, picks(b, NOW + 100, "10.0.0.1"), "then the others");
	row(&t, picks(b, NOW + 100, NULL), "then nobody");
	bb_addrbook_forget(b, &a);
	bb_addrbook_add(b, &a, "10.9.9.8", NOW + 1000);
	row(&t,
		picks(b, NOW + 1000, "alice") && picks(b, NOW + 1000, "10.0.0.2") &&
			picks(b, NOW + 1000, NULL),
		"not ourselves, whoever tells");
	bb_addrbook_ban(b, "10.0.0.2", NOW + 5000, "lied");
	row(&t, picks(b, NOW + 2000, "alice") && picks(b, NOW + 2000, NULL), "not the banned");
	row(&t, bb_addrbook_next(b, NOW + 4000) == NOW + 5000, "until the ban ends");
	row(&t, picks(b, NOW + 5000, "alice") && picks(b, NOW + 5000, "10.0.0.2"),
		"then again");
	bb_addrbook_free(b);
	for (unsigned i = 0; i < 400; i++) {
		b = bb_addrbook_new();
		bb_addrbook_add(b, &a, "10.9.9.9", NOW);
		bb_addrbook_add(b, &reached, "10.9.9.9", NOW);
		first += picks(b, NOW, a.host);
		bb_addrbook_free(b);
	}
	row(&t, first > 130 && first < 270, "random among equals");
	end(&t);
}

static size_t saved(struct bb_buf *out, const struct bb_addrbook *b)
{
	size_t lines = 0;

	out->len = 0;
	bb_addrbook_save(out, b);
	for (size_t i = 0; i < out->len; i++)
		lines += out->data[i] == '\n';
	return lines;
}

static void bounds(void)
{
	struct table t = {.name = "bounds of the book"};
	struct bb_addrbook *b = bb_addrbook_new();
	struct bb_net_address a, some[100];
	struct bb_buf out = {0};
	unsigned kept = 0;
	char from[32];

	for (unsigned i = 0; i < 2000; i++) {
		a = nth(i);
		kept += bb_addrbook_add(b, &a, "10.9.9.9", NOW);
	}
	row(&t, kept == BB_ADDRBOOK_FROM_ONE, "from one host");
	a = nth(0);
	bb_addrbook_reached(b, &a, NOW);
	a = at("alice", 1);
	bb_addrbook_add(b, &a, NULL, NOW);
	for (unsigned i = 0; i < 20000; i++) {
		a = nth(100000 + i);
		snprintf(from, sizeof(from), "10.11.0.%u", i % 50);
		bb_addrbook_add(b, &a, from, NOW);
	}
	row(&t, saved(&out, b) == BB_ADDRBOOK_MAX - 1, "in all; names are not saved");
	row(&t, picks(b, NOW, "alice") && picks(b, NOW, "10.0.0.0"),
		"the named and the reached are not pushed out");
	a = at("bob", 1);
	row(&t, bb_addrbook_add(b, &a, NULL, NOW) && picks(b, NOW, "bob"),
		"a person's fits in");
	row(&t, bb_addrbook_sample(some, 100, b) == 100, "a sample is full");
	for (unsigned i = 0; i < 3 * BB_BANS_MAX; i++)
		bb_addrbook_ban(b, nth(i).host, NOW + 1000 + i, "lied");
	row(&t, saved(&out, b) == BB_ADDRBOOK_MAX - 2 + BB_BANS_MAX, "bans");
	row(&t, !bb_addrbook_banned(b, nth(0).host, NOW), "the one that ends first went");
	row(&t, bb_addrbook_banned(b, nth(3 * BB_BANS_MAX - 1).host, NOW), "the last is there");
	bb_addrbook_free(b);
	b = bb_addrbook_new();
	for (unsigned i = 0; i < BB_ADDRBOOK_MAX; i++) {
		a = nth(i);
		snprintf(from, sizeof(from), "10.11.0.%u", i % 50);
		bb_addrbook_add(b, &a, from, NOW);
		bb_addrbook_reached(b, &a, NOW);
	}
	a = nth(BB_ADDRBOOK_MAX);
	row(&t, !bb_addrbook_add(b, &a, "10.9.9.9", NOW), "all were reached");
	row(&t, bb_addrbook_add(b, &a, NULL, NOW), "a person's fits in all the same");
	bb_addrbook_free(b);
	bb_buf_free(&out);
	end(&t);
}

static void bans(void)
{
	struct table t = {.name = "bans"};
	struct bb_addrbook *b = bb_addrbook_new();

	row(&t, !bb_addrbook_banned(b, "10.0.0.1", NOW), "nobody");
	bb_addrbook_ban(b, "::ffff:10.0.0.1", NOW + 100, "lied");
	row(&t, bb_addrbook_banned(b, "10.0.0.1", NOW), "by its canonical form");
	row(&t, !bb_addrbook_banned(b, "10.0.0.2", NOW), "no other");
	bb_addrbook_ban(b, "10.0.0.1", NOW + 50, "again");
	row(&t, bb_addrbook_banned(b, "10.0.0.1", NOW + 99), "not made shorter");
	row(&t, !bb_addrbook_banned(b, "10.0.0.1", NOW + 100), "it ends");
	row(&t, !bb_addrbook_banned(b, "10.0.0.1", NOW), "and is gone");
	bb_addrbook_ban(b, "2001:db8:0:1::1", NOW + 100, "lied");
	row(&t, bb_addrbook_banned(b, "2001:db8:0:1:2::3", NOW), "with its /64");
	row(&t, !bb_addrbook_banned(b, "2001:db8:0:2::1", NOW), "but no other");
	bb_addrbook_ban(b, "fd00::1", NOW + 100, "lied");
	row(&t, !bb_addrbook_banned(b, "fd00::2", NOW), "alone in a private network");
	bb_addrbook_ban(b, "not a host", NOW + 500, "");
	row(&t, !bb_addrbook_banned(b, "not a host", NOW), "what is no host");
	bb_addrbook_free(b);
	end(&t);
}

static bool sampled(const struct bb_net_address *some, size_t count, const char *host)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(some[i].host, host) == 0)
			return true;
	return false;
}

static void samples(void)
{
	struct table t = {.name = "whom to tell of"};
	struct bb_addrbook *b = bb_addrbook_new();
	struct bb_net_address a, some[BB_ADDR_MAX];
	unsigned times[20] = {0}, least = 1000;
	size_t count;

	row(&t, bb_addrbook_sample(some, 10, b) == 0, "nobody");
	a = at("10.0.0.1", 1);
	a.time = NOW + 9999;
	bb_addrbook_add(b, &a, "10.9.9.9", NOW);
	a = at("10.0.0.2", 1);
	a.time = NOW - 40 * 86400;
	bb_addrbook_add(b, &a, "10.9.9.9", NOW);
	a = at("10.0.0.3", 1);
	bb_addrbook_add(b, &a, NULL, NOW);
	a = at("alice", 1);
	bb_addrbook_add(b, &a, NULL, NOW);
	bb_addrbook_reached(b, &a, NOW);
	a = at("10.0.0.4", 1);
	bb_addrbook_add(b, &a, "10.9.9.9", NOW);
	bb_addrbook_ban(b, "10.0.0.4", NOW + 9, "lied");
	a = at("10.0.0.5", 1);
	bb_addrbook_add(b, &a, "10.9.9.9", NOW);
	for (unsigned i = 0; i < 3; i++)
		bb_addrbook_failed(b, &a);
	count = bb_addrbook_sample(some, BB_ADDR_MAX, b);
	row(&t, count == 1 && sampled(some, count, "10.0.0.1"), "only who was heard of lately");
	row(&t, some[0].time == NOW && some[0].services == 1, "not from the future");
	a = at("10.0.0.3", 1);
	bb_addrbook_reached(b, &a, NOW + 1);
	count = bb_addrbook_sample(some, BB_ADDR_MAX, b);
	row(&t, count == 2 && sampled(some, count, "10.0.0.3"), "a named one, once reached");
	row(&t, bb_addrbook_sample(some, 0, b) == 0, "none wanted");
	bb_addrbook_free(b);
	b = bb_addrbook_new();
	for (unsigned i = 0; i < 20; i++) {
		a = nth(i);
		bb_addrbook_add(b, &a, "10.9.9.9", NOW);
	}
	for (unsigned round = 0; round < 2000; round++) {
		count = bb_addrbook_sample(some, 5, b);
		for (unsigned i = 0; i < 20; i++)
			times[i] += sampled(some, count, nth(i).host);
	}
	for (unsigned i = 0; i < 20; i++)
		least = times[i] < least ? times[i] : least;
	row(&t, least > 350, "everybody alike");
	bb_addrbook_free(b);
	end(&t);
}

#define SAVED_BAN                                                                              \
	"{\"type\":\"ban\",\"host\":\"10.6.6.6\",\"until\":1735862500,\"why\":"                \
	"\"\\\"lied\\\"\"}\n"
#define SAVED_PEERS                                                                            \
	"{\"type\":\"peer\",\"host\":\"10.0.0.1\",\"port\":28333,\"services\":"                \
	"\"0000000000000001\",\"time\":1735862400,\"tried\":1735862390,\"reached\":"           \
	"1735862400,\"fails\":0}\n"                                                            \
	"{\"type\":\"peer\",\"host\":\"2001:db8::1\",\"port\":1,\"services\":"                 \
	"\"ffffffffffffffff\",\"time\":5,\"tried\":6,\"reached\":0,\"fails\":7}\n"
#define FAILED_PEER                                                                            \
	"{\"type\":\"peer\",\"host\":\"10.0.0.1\",\"port\":28333,\"services\":"                \
	"\"0000000000000001\",\"time\":1735862400,\"tried\":1735862390,\"reached\":"           \
	"1735862380,\"fails\":3}\n"

/* What is read of it, written again. */
static bool loads(const char *text, size_t unread, const char *expected)
{
	struct bb_addrbook *b = bb_addrbook_new();
	struct bb_buf out = {0};
	bool good = bb_addrbook_load(b, span(text)) == unread;

	bb_addrbook_save(&out, b);
	good &= holds(&out, expected);
	bb_buf_free(&out);
	bb_addrbook_free(b);
	return good;
}

/* One that answered in the life before is tried at once, one that did not when it is due. */
static void after_a_restart(struct table *t)
{
	struct bb_addrbook *b = bb_addrbook_new();
	const struct bb_net_address a = at("10.0.0.1", 28333);

	bb_addrbook_load(b, span(SAVED_PEERS));
	row(t, picks(b, 1735862391, a.host), "tried at once");
	row(t, picks(b, 1735862391, "2001:db8::1"), "and one whose time has come");
	row(t, picks(b, 1735862400, NULL), "once");
	row(t, picks(b, 1735862401, a.host), "and then as any other");
	bb_addrbook_free(b);
	b = bb_addrbook_new();
	bb_addrbook_load(b, span(FAILED_PEER));
	row(t, picks(b, 1735862400, NULL), "not one that did not answer");
	row(t, picks(b, 1735862430, a.host), "before it is due");
	bb_addrbook_free(b);
}

static void files(void)
{
	static const char *const unreadable[] = {
		"x\n",
		"{}\n",
		"{\"type\":\"peers\"}\n",
		"{\"type\":\"peer\"}\n",
		"{\"type\":\"peer\",\"host\":\"10.0.0.9\"}\n",
		"{\"type\":\"peer\",\"host\":\"10.0.0.9\",\"port\":0}\n",
		"{\"type\":\"peer\",\"host\":\"10.0.0.9\",\"port\":65536}\n",
		"{\"type\":\"peer\",\"host\":\"alice\",\"port\":1}\n",
		"{\"type\":\"peer\",\"host\":\"0.0.0.0\",\"port\":1}\n",
		"{\"type\":\"peer\",\"host\":\"10.0.0.9\",\"port\":1,\"services\":1}\n",
		"{\"type\":\"peer\",\"host\":\"10.0.0.9\",\"port\":1,\"tried\":-1}\n",
		"{\"type\":\"peer\",\"host\":\"10.0.0.9\",\"port\":1,\"fails\":1e3}\n",
		"{\"type\":\"peer\",\"host\":\"10.0.0.9\",\"port\":1,\"reached\":"
		"9223372036854775807}\n",
		"{\"type\":\"ban\",\"host\":\"10.0.0.9\"}\n",
		"{\"type\":\"ban\",\"host\":\"10.0.0.9 \",\"until\":1735862500}\n",
		"{\"type\":\"ban\",\"until\":1735862500}\n",
		"\xff\xfe\n",
	};
	struct table t = {.name = "the file of peers"};
	struct bb_buf long_line = {0};

	row(&t, loads("", 0, ""), "nothing");
	row(&t, loads("\n\n", 0, ""), "no lines");
	row(&t, loads(SAVED_PEERS SAVED_BAN, 0, SAVED_PEERS SAVED_BAN), "there and back");
	row(&t, loads(SAVED_BAN SAVED_PEERS SAVED_BAN, 0, SAVED_PEERS SAVED_BAN), "any order");
	row(&t,
		loads("{\"type\":\"peer\",\"host\":\"10.0.0.1\",\"port\":2}", 0,
			"{\"type\":\"peer\",\"host\":\"10.0.0.1\",\"port\":2,\"services\":"
			"\"0000000000000000\",\"time\":0,\"tried\":0,\"reached\":0,\"fails\":0}"
			"\n"),
		"by hand, and cut off");
	for (size_t i = 0; i < sizeof(unreadable) / sizeof(*unreadable); i++) {
		char text[2000];
		snprintf(text, sizeof(text), "%s" SAVED_PEERS "%s" SAVED_BAN "%s",
			unreadable[i], unreadable[i], unreadable[i]);
		row(&t, loads(text, 3, SAVED_PEERS SAVED_BAN), unreadable[i]);
	}
	put_list(&long_line, "{\"type\":\"peer\",\"x\":[", "0", 100000, "]}\n" SAVED_PEERS);
	bb_put_u8(&long_line, 0);
	row(&t, loads((char *)long_line.data, 1, SAVED_PEERS), "a long line");
	bb_buf_free(&long_line);
	after_a_restart(&t);
	end(&t);
}

/* A reason is cut between characters, so that its line can be read again. */
static void reasons(void)
{
	struct table t = {.name = "reasons of bans"};

	for (unsigned before = 120; before <= 128; before++) {
		struct bb_addrbook *b = bb_addrbook_new(), *again = bb_addrbook_new();
		struct bb_buf out = {0};
		char why[300];
		memset(why, 'a', before);
		snprintf(why + before, sizeof(why) - before,
			"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
		bb_addrbook_ban(b, "10.0.0.1", NOW, why);
		bb_addrbook_save(&out, b);
		row(&t, bb_addrbook_load(again, filled(&out)) == 0, "read again");
		row(&t, bb_addrbook_banned(again, "10.0.0.1", NOW - 1), "banned again");
		bb_addrbook_free(b);
		bb_addrbook_free(again);
		bb_buf_free(&out);
	}
	end(&t);
}

int main(void)
{
	hosts();
	groups();
	endpoints();
	kept_or_not();
	back_offs();
	order_of_picking();
	bounds();
	bans();
	samples();
	files();
	reasons();
	return !all_good;
}
