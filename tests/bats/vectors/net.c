/* What nodes say to each other, and headers that have to show their work. Each table prints
 * `name: N of M`, and what fails. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "net/message.h"
#include "net/presync.h"
#include "table.h"

/* Messages. */

#define HASH_1	"00000000000000000000000000000000000000000000000000000000000000a1"
#define HASH_2	"000004dadc4ca8caeee35eedd1d4e127e6dede36ba0f38fe77a8452d321285fe"
#define HASH_0	"0000000000000000000000000000000000000000000000000000000000000000"
#define FORTY	"0123456789abcdef0123456789abcdef01234567"
#define HEADER	FORTY FORTY FORTY FORTY
#define ADDRESS "\"host\":\"10.0.0.1\",\"port\":28333,\"time\":1735862400,"
#define VERSION(agent, listen)                                                                 \
	"{\"type\":\"version\",\"protocol\":1,\"network\":\"barenet\",\"genesis\":\"" HASH_2   \
	"\",\"agent\":\"" agent                                                                \
	"\",\"height\":12,\"nonce\":\"fedcba9876543210\",\"listen\":" listen                   \
	",\"services\":\"0000000000000001\"}"

/* As they are written; read, they are written the same. */
static const char *const canonical[] = {
	VERSION("bb:0.1.0", "28333"),
	VERSION("", "0"),
	"{\"type\":\"verack\"}",
	"{\"type\":\"ping\",\"nonce\":\"00000000000000ff\"}",
	"{\"type\":\"pong\",\"nonce\":\"ffffffffffffffff\"}",
	"{\"type\":\"getaddr\"}",
	"{\"type\":\"addr\",\"addrs\":[]}",
	"{\"type\":\"addr\",\"addrs\":[{" ADDRESS "\"services\":\"0000000000000009\"},"
	"{\"host\":\"2001:db8::1\",\"port\":1,\"time\":0,\"services\":\"0000000000000000\"}]}",
	"{\"type\":\"inv\",\"items\":[{\"kind\":\"tx\",\"id\":\"" HASH_1 "\"},"
	"{\"kind\":\"block\",\"id\":\"" HASH_2 "\"}]}",
	"{\"type\":\"getdata\",\"items\":[{\"kind\":\"block\",\"id\":\"" HASH_2 "\"}]}",
	"{\"type\":\"notfound\",\"items\":[]}",
	"{\"type\":\"getheaders\",\"locator\":[\"" HASH_2 "\",\"" HASH_1
	"\"],\"stop\":\"" HASH_0 "\"}",
	"{\"type\":\"getheaders\",\"locator\":[],\"stop\":\"" HASH_1 "\"}",
	"{\"type\":\"headers\",\"headers\":[\"" HEADER "\",\"" HEADER "\"]}",
	"{\"type\":\"headers\",\"headers\":[]}",
	"{\"type\":\"block\",\"hex\":\"" HEADER "00\"}",
	"{\"type\":\"tx\",\"hex\":\"0200ff\"}",
	"{\"type\":\"sendheaders\"}",
	"{\"type\":\"feefilter\",\"feerate\":100}",
	"{\"type\":\"feefilter\",\"feerate\":2100000000000000}",
	"{\"type\":\"mempool\"}",
};
enum { CANONICAL = sizeof(canonical) / sizeof(*canonical) };

/* Is it read, and written as that? */
static bool becomes(struct bb_span line, const char *expected)
{
	struct bb_arena arena = {0};
	struct bb_message m;
	struct bb_buf out = {0};
	const char *why;
	bool same = bb_message_parse(&m, &why, &arena, line);

	if (same) {
		bb_put_message(&out, &m);
		same = out.len == strlen(expected) + 1 && out.data[out.len - 1] == '\n' &&
		       memcmp(out.data, expected, out.len - 1) == 0;
	}
	bb_buf_free(&out);
	bb_arena_free(&arena);
	return same;
}

static void canonical_lines(void)
{
	struct table t = {.name = "messages, there and back"};

	for (unsigned i = 0; i < CANONICAL; i++)
		row(&t, becomes(span(canonical[i]), canonical[i]), canonical[i]);
	end(&t);
}

/* Lines that others may write, and what they come to. */
static void lenient_lines(void)
{
	static const char *const rows[][2] = {
		{" { \"nonce\" : \"F\" , \"type\" : \"ping\" } ",
			"{\"type\":\"ping\",\"nonce\":\"000000000000000f\"}"},
		{"{\"type\":\"pong\",\"nonce\":\"1\",\"more\":{\"a\":[1,2]},\"nonce\":\"2\"}",
			"{\"type\":\"pong\",\"nonce\":\"0000000000000002\"}"},
		{"{\"\\u0074ype\":\"verac\\u006b\",\"from\":\"7\"}", "{\"type\":\"verack\"}"},
		{"{\"type\":\"tx\",\"hex\":\"AbCd\",\"prevouts\":[],\"checked\":{}}",
			"{\"type\":\"tx\",\"hex\":\"abcd\"}"},
		{"{\"type\":\"addr\",\"addrs\":[{\"host\":\"::ffff:10.0.0.1\",\"port\":65535,"
		 "\"time\":4294967295,\"services\":\"0\",\"name\":\"x\"},{\"host\":"
		 "\"2001:0DB8:0::0001\",\"port\":1,\"time\":0,\"services\":\"0\"}]}",
			"{\"type\":\"addr\",\"addrs\":[{\"host\":\"10.0.0.1\",\"port\":65535,"
			"\"time\":4294967295,\"services\":\"0000000000000000\"},"
			"{\"host\":\"2001:db8::1\",\"port\":1,\"time\":0,"
			"\"services\":\"0000000000000000\"}]}"},
	};
	struct table t = {.name = "messages of others"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		row(&t, becomes(span(rows[i][0]), rows[i][1]), rows[i][0]);
	end(&t);
}

/* Is it refused, with that for a reason? NULL: passed over. */
static bool refused(struct bb_span line, const char *expected)
{
	struct bb_arena arena = {0};
	struct bb_message m;
	const char *why = "read";
	const bool read = bb_message_parse(&m, &why, &arena, line);

	bb_arena_free(&arena);
	return !read && (expected && why ? strcmp(why, expected) == 0 : expected == why);
}

static void malformed_lines(void)
{
	static const char no_nonce[] = "no nonce of up to 16 hex digits";
	static const char no_item[] = "an item lacks kind or id";
	static const char no_header[] = "headers: not 80 bytes of hex";
	static const char no_address[] = "addr: not an address";
	static const char no_locator[] = "getheaders: locator has what is no hash";
	static const char *const rows[][2] = {
		{"", "malformed JSON"},
		{"[]", "malformed JSON: not an object"},
		{"{\"type\":\"verack\"", "malformed JSON"},
		{"{\"type\":\"verack\"} {}", "malformed JSON"},
		{"{}", "no type"},
		{"{\"type\":null}", "no type"},
		{"{\"type\":7}", "no type"},
		{"{\"type\":\"wtxidrelay\"}", NULL},
		{"{\"type\":\"\"}", NULL},
		{"{\"type\":\"VERACK\"}", NULL},
		{"{\"type\":\"verack\\u0000\"}", NULL},
		{"{\"type\":\"ping\"}", no_nonce},
		{"{\"type\":\"ping\",\"nonce\":7}", no_nonce},
		{"{\"type\":\"ping\",\"nonce\":\"\"}", no_nonce},
		{"{\"type\":\"ping\",\"nonce\":\"0x1\"}", no_nonce},
		{"{\"type\":\"ping\",\"nonce\":\"-1\"}", no_nonce},
		{"{\"type\":\"pong\",\"nonce\":\"00000000000000001\"}", no_nonce},
		{"{\"type\":\"inv\"}", "a list is missing"},
		{"{\"type\":\"inv\",\"items\":{}}", "a list is missing"},
		{"{\"type\":\"inv\",\"items\":null}", "a list is missing"},
		{"{\"type\":\"inv\",\"items\":[7]}", no_item},
		{"{\"type\":\"inv\",\"items\":[{\"kind\":\"tx\"}]}", no_item},
		{"{\"type\":\"inv\",\"items\":[{\"id\":\"" HASH_1 "\"}]}", no_item},
		{"{\"type\":\"inv\",\"items\":[{\"kind\":\"wtx\",\"id\":\"" HASH_1 "\"}]}",
			no_item},
		{"{\"type\":\"inv\",\"items\":[{\"kind\":\"tx\",\"id\":\"" HASH_1 "0\"}]}",
			no_item},
		{"{\"type\":\"inv\",\"items\":[{\"kind\":\"tx\",\"id\":\"" FORTY "\"}]}",
			no_item},
		{"{\"type\":\"headers\",\"headers\":[\"" HEADER "00\"]}", no_header},
		{"{\"type\":\"headers\",\"headers\":[\"" FORTY "\"]}", no_header},
		{"{\"type\":\"headers\",\"headers\":[\"" FORTY FORTY FORTY
		 "zz23456789abcdef0123456789abcdef01234567\"]}",
			no_header},
		{"{\"type\":\"headers\",\"headers\":[[\"" HEADER "\"]]}", no_header},
		{"{\"type\":\"getheaders\",\"locator\":[\"\"],\"stop\":\"" HASH_0 "\"}",
			no_locator},
		{"{\"type\":\"getheaders\",\"locator\":[null],\"stop\":\"" HASH_0 "\"}",
			no_locator},
		{"{\"type\":\"getheaders\",\"locator\":[]}", "getheaders: no stop"},
		{"{\"type\":\"getheaders\",\"locator\":[],\"stop\":0}", "getheaders: no stop"},
		{"{\"type\":\"block\"}", "no hex"},
		{"{\"type\":\"block\",\"hex\":\"\"}", "no hex"},
		{"{\"type\":\"block\",\"hex\":[]}", "no hex"},
		{"{\"type\":\"tx\",\"hex\":\"abc\"}", "hex is odd or not hex"},
		{"{\"type\":\"tx\",\"hex\":\"a\\u0000\"}", "hex is odd or not hex"},
		{"{\"type\":\"feefilter\"}", "feefilter: no feerate"},
		{"{\"type\":\"feefilter\",\"feerate\":-1}", "feefilter: no feerate"},
		{"{\"type\":\"feefilter\",\"feerate\":1.5}", "feefilter: no feerate"},
		{"{\"type\":\"feefilter\",\"feerate\":2100000000000001}",
			"feefilter: no feerate"},
		{VERSION("bb\\u0000", "1"), "version: no agent"},
		{VERSION("bb\\u001b[2J", "1"), "version: no agent"},
		{VERSION("bb\xc3\xa9", "1"), "version: no agent"},
		{VERSION("bb", "65536"), "version: no listen"},
		{VERSION("bb", "-1"), "version: no listen"},
		{VERSION("bb", "\"1\""), "version: no listen"},
		{VERSION("bb", "1,\"network\":7"), "version: no network"},
		{VERSION("bb", "1,\"network\":\"" HASH_1 "\""), "version: no network"},
		{VERSION("bb", "1,\"protocol\":0"), "version: no protocol"},
		{VERSION("bb", "1,\"protocol\":2147483648"), "version: no protocol"},
		{VERSION("bb", "1,\"genesis\":\"\""), "version: no genesis"},
		{VERSION("bb", "1,\"height\":-2"), "version: no height"},
		{VERSION("bb", "1,\"nonce\":null"), "version: no nonce"},
		{"{\"type\":\"version\"}", "version: no protocol"},
		{"{\"type\":\"addr\",\"addrs\":[\"10.0.0.1\"]}", no_address},
		{"{\"type\":\"addr\",\"addrs\":[{" ADDRESS "\"port\":0,\"services\":\"0\"}]}",
			no_address},
		{"{\"type\":\"addr\",\"addrs\":[{" ADDRESS "\"time\":-1,\"services\":\"0\"}]}",
			no_address},
		{"{\"type\":\"addr\",\"addrs\":[{" ADDRESS
		 "\"time\":4294967296,\"services\":\"0\"}]}",
			no_address},
		{"{\"type\":\"addr\",\"addrs\":[{" ADDRESS "\"services\":1}]}", no_address},
		{"{\"type\":\"addr\",\"addrs\":[{" ADDRESS
		 "\"host\":\"node.example\",\"services\":\"0\"}]}",
			no_address},
		{"{\"type\":\"addr\",\"addrs\":[{" ADDRESS
		 "\"host\":\"10.0.0.1\\u0000x\",\"services\":\"0\"}]}",
			no_address},
		{"{\"type\":\"addr\",\"addrs\":[{" ADDRESS
		 "\"host\":\"fe80::1%eth0\",\"services\":\"0\"}]}",
			no_address},
	};
	struct table t = {.name = "malformed lines"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		row(&t, refused(span(rows[i][0]), rows[i][1]), rows[i][0]);
	end(&t);
}

static bool read_count(struct bb_span line, size_t count)
{
	struct bb_arena arena = {0};
	struct bb_message m;
	const char *why;
	const bool good = bb_message_parse(&m, &why, &arena, line) && m.count == count;

	bb_arena_free(&arena);
	return good;
}

static void list_limit(struct table *t, struct bb_buf *b, const char *head, const char *item,
	size_t most, const char *tail)
{
	put_list(b, head, item, most, tail);
	row(t, read_count(filled(b), most), head);
	put_list(b, head, item, most + 1, tail);
	row(t, refused(filled(b), "too many items"), head);
}

static bool object_of(struct bb_buf *b, size_t bytes)
{
	struct bb_arena arena = {0};
	struct bb_message m;
	const char *why;
	bool good;

	put_list(b, "{\"type\":\"block\",\"hex\":\"", "", 0, "");
	for (size_t i = 0; i < bytes; i++)
		bb_put_str(b, "5a");
	bb_put_str(b, "\"}");
	good = bb_message_parse(&m, &why, &arena, filled(b)) && m.bytes.len == bytes &&
	       m.bytes.data[0] == 0x5a && m.bytes.data[bytes - 1] == 0x5a;
	bb_arena_free(&arena);
	return good;
}

static void limits(void)
{
	struct table t = {.name = "limits of messages"};
	struct bb_buf b = {0};

	list_limit(&t, &b, "{\"type\":\"inv\",\"items\":[",
		"{\"kind\":\"tx\",\"id\":\"" HASH_1 "\"}", 50000, "]}");
	list_limit(&t, &b, "{\"type\":\"getdata\",\"items\":[",
		"{\"kind\":\"block\",\"id\":\"" HASH_1 "\"}", 50000, "]}");
	list_limit(&t, &b, "{\"type\":\"headers\",\"headers\":[", "\"" HEADER "\"", 2000, "]}");
	list_limit(&t, &b, "{\"type\":\"addr\",\"addrs\":[", "{" ADDRESS "\"services\":\"0\"}",
		1000, "]}");
	list_limit(&t, &b, "{\"type\":\"getheaders\",\"stop\":\"" HASH_0 "\",\"locator\":[",
		"\"" HASH_2 "\"", 101, "]}");
	row(&t, object_of(&b, 4000000), "a block as large as any");
	object_of(&b, 4000001);
	row(&t, refused(filled(&b), "larger than any block"), "a larger one");
	put_list(&b, "{\"type\":\"verack\",\"x\":[", "0", 8000000, "]}");
	row(&t, refused(filled(&b), "too many items"), "a line of zeros");
	put_list(&b, "{\"type\":\"verack\",\"x\":\"", "a", 8388608, "\"}");
	row(&t, refused(filled(&b), "line too long"), "a line over 16 MiB");
	put_list(&b, "{\"type\":\"verack\",\"x\":", "", 0, "");
	for (unsigned i = 0; i < 100; i++)
		bb_put_str(&b, "[");
	row(&t, refused(filled(&b), "malformed JSON: nested too deeply"), "nesting");
	for (unsigned len = 256; len <= 257; len++) {
		char agent[300], line[700];
		memset(agent, 'a', len);
		agent[len] = '\0';
		snprintf(line, sizeof(line), VERSION("%s", "0"), agent);
		row(&t, refused(span(line), "version: no agent") == (len > 256), "agent");
	}
	bb_buf_free(&b);
	end(&t);
}

/* Whatever is changed in a line: it is refused, or what it is written as is read as the same.
 */
static void changed_lines(void)
{
	struct table t = {.name = "changed lines"};
	struct bb_arena arena = {0};
	unsigned read = 0;

	state = 1;
	for (unsigned i = 0; i < 20000; i++) {
		const char *from = canonical[below(CANONICAL)];
		struct bb_buf line = {0}, out = {0};
		struct bb_message m;
		const char *why;
		bool good = true;
		bb_put_str(&line, from);
		for (unsigned changes = 1 + below(2); changes; changes--)
			line.data[below((unsigned)line.len)] =
				(unsigned char)"\"{}[],:\\\n\0\xffz 0123456789abcdef"[below(
					29)];
		if (below(8) == 0)
			line.len = below((unsigned)line.len);
		if (bb_message_parse(&m, &why, &arena, filled(&line))) {
			read++;
			bb_put_message(&out, &m);
			bb_put_u8(&out, 0);
			out.data[out.len - 2] = 0;
			good = becomes(span((char *)out.data), (char *)out.data);
		}
		row(&t, good, from);
		bb_arena_reset(&arena);
		bb_buf_free(&line);
		bb_buf_free(&out);
	}
	bb_arena_free(&arena);
	row(&t, read > 1000, "hardly any is still read");
	end(&t);
}

static void objects(void)
{
	static const char *const rows[] = {
		"{\"type\":\"tx\",\"hex\":\"01ff\",\"from\":\"12\"}\n",
		"{\"type\":\"block\",\"hex\":\"01ff\"}\n",
		"{\"type\":\"header\",\"hex\":\"01ff\",\"from\":\"\\\"\\\\\"}\n",
	};
	static const struct {
		enum bb_message_kind kind;
		const char *from;
	} calls[] = {{BB_MSG_TX, "12"}, {BB_MSG_BLOCK, NULL}, {BB_MSG_HEADERS, "\"\\"}};
	struct table t = {.name = "lines to the ledger"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct bb_buf b = {0};
		bb_put_object(&b, calls[i].kind, BB_LIT("\x01\xff"), calls[i].from);
		row(&t, holds(&b, rows[i]), rows[i]);
		bb_buf_free(&b);
	}
	end(&t);
}

/* Milliseconds a line: the largest inventory, the largest block. */
static void tell_times(void)
{
	struct bb_arena arena = {0};
	struct bb_buf inv = {0}, block = {0}, out = {0};
	struct bb_message m;
	const char *why;
	double at[4];

	put_list(&inv, "{\"type\":\"inv\",\"items\":[",
		"{\"kind\":\"tx\",\"id\":\"" HASH_1 "\"}", 50000, "]}");
	object_of(&block, 4000000);
	at[0] = milliseconds();
	bb_message_parse(&m, &why, &arena, filled(&inv));
	at[1] = milliseconds();
	bb_put_message(&out, &m);
	at[2] = milliseconds();
	bb_message_parse(&m, &why, &arena, filled(&block));
	at[3] = milliseconds();
	printf("milliseconds: reading 50,000 items %.1f, writing them %.1f, reading 4 MB "
	       "%.1f\n",
		at[1] - at[0], at[2] - at[1], at[3] - at[2]);
	bb_buf_free(&inv);
	bb_buf_free(&block);
	bb_buf_free(&out);
	bb_arena_free(&arena);
}

/* Headers on top of each other, of all bits alike; no proof of work is asked for here. */

enum { NOW = 1735862400, CHAIN = 1000, PERIOD = 4, HELD = 100, START_HEIGHT = 7, BATCH = 100 };

struct headers {
	struct bb_header h[CHAIN];
	unsigned char id[CHAIN][32];
};

static const uint32_t regtest_bits = 0x207fffff;

static struct bb_chain_point some_start(void)
{
	struct bb_chain_point p = {.bits = regtest_bits, .height = START_HEIGHT, .mtp = NOW};

	p.id[0] = 9;
	p.work[0] = p.block_work[0] = 2;
	return p;
}

static void make_headers(struct headers *out, unsigned char which)
{
	const struct bb_chain_point start = some_start();

	for (size_t i = 0; i < CHAIN; i++) {
		out->h[i] = (struct bb_header){
			.time = NOW + (uint32_t)i, .bits = regtest_bits, .nonce = which};
		memcpy(out->h[i].prev, i ? out->id[i - 1] : start.id, 32);
		bb_header_hash(out->id[i], &out->h[i]);
	}
}

/* `enough`: headers of that work, the one it stands on included. */
static struct bb_presync *new_presync(unsigned enough, int64_t seconds)
{
	const struct bb_chain_point start = some_start();
	struct bb_presync_rules r = {.network = bb_network_find("regtest"),
		.now = NOW + seconds,
		.period = PERIOD,
		.held = HELD};

	bb_set_le64(r.enough, 2 * (uint64_t)enough);
	return bb_presync_new(&r, &start);
}

/* So many, a batch at a time, as long as more are wanted; what may be taken is, and has to be
 * what was given. Returns what the last answer was. */
static enum bb_presync_word add_some(size_t *taken, bool *good, struct bb_presync *p,
	struct headers *c, size_t from, size_t until)
{
	enum bb_presync_word word = BB_PRESYNC_MORE;

	for (size_t i = from; i < until && word == BB_PRESYNC_MORE; i += BATCH) {
		struct bb_header h;
		unsigned char id[32];
		const size_t count = until - i < BATCH ? until - i : BATCH;
		word = bb_presync_add(p, c->h + i, c->id + i, count, count == BATCH);
		while (word != BB_PRESYNC_NO && bb_presync_take(&h, id, p)) {
			*good &= *taken < CHAIN && memcmp(id, c->id[*taken], 32) == 0 &&
				 memcmp(&h, &c->h[*taken], sizeof(h)) == 0;
			++*taken;
		}
	}
	return word;
}

static void presync(void)
{
	static struct headers one, other;
	struct table t = {.name = "headers that show their work"};
	const struct bb_chain_point start = some_start();
	struct bb_presync *p = new_presync(800, CHAIN);
	size_t taken = 0;
	bool good = true;

	make_headers(&one, 1);
	make_headers(&other, 2);
	row(&t, add_some(&taken, &good, p, &one, 0, 700) == BB_PRESYNC_MORE, "not enough yet");
	row(&t, memcmp(bb_presync_last(p), one.id[699], 32) == 0, "more is asked for");
	add_some(&taken, &good, p, &one, 700, 800);
	row(&t, !taken && memcmp(bb_presync_last(p), start.id, 32) == 0, "enough: all again");
	add_some(&taken, &good, p, &one, 0, 300);
	row(&t, good && taken == 300 - HELD, "all but those behind may come in");
	row(&t, bb_presync_taken(p)->height == START_HEIGHT + 300 - HELD, "where they stand");
	row(&t,
		add_some(&taken, &good, p, &one, 300, 800) == BB_PRESYNC_SHOWN && good &&
			taken == 800,
		"all is shown");
	bb_presync_free(p);

	p = new_presync(800, CHAIN);
	taken = 0;
	add_some(&taken, &good, p, &one, 0, 800);
	row(&t, add_some(&taken, &good, p, &other, 0, 800) == BB_PRESYNC_NO && !taken,
		"another chain the second time");
	bb_presync_free(p);

	p = new_presync(800, CHAIN);
	add_some(&taken, &good, p, &one, 0, 800);
	row(&t,
		add_some(&taken, &good, p, &one, 0, 450) == BB_PRESYNC_NO &&
			taken == 400 - HELD,
		"fewer the second time");
	bb_presync_free(p);

	p = new_presync(800, CHAIN);
	row(&t, add_some(&taken, &good, p, &one, 0, 750) == BB_PRESYNC_NO, "too little work");
	bb_presync_free(p);

	/* Six blocks a second, and two hours in the future: none has more. */
	p = new_presync(800, 100 - 7200);
	row(&t, add_some(&taken, &good, p, &one, 0, 700) == BB_PRESYNC_NO, "too many");
	bb_presync_free(p);

	p = new_presync(800, CHAIN);
	one.h[50].bits--;
	row(&t, add_some(&taken, &good, p, &one, 0, 100) == BB_PRESYNC_MORE,
		"bits of a test network");
	bb_presync_free(p);
	end(&t);
}

/* Of main, where bits change every 2,016 blocks, and to no more than four times the target. */
static void presync_bits(void)
{
	static const struct {
		int32_t height;
		uint32_t bits;
		bool good;
		const char *what;
	} rows[] = {
		{2014, 0x1b0404cb, true, "the same"},
		{2014, 0x1b0404cc, false, "others within a period"},
		{2015, 0x1b0404cb, true, "the same after it"},
		{2015, 0x1b10132c, true, "four times the target"},
		{2015, 0x1b10132d, false, "more"},
		{2015, 0x1b010132, true, "a fourth of it"},
		{2015, 0x1b010131, false, "less"},
		{2015, 0x00000000, false, "none"},
	};
	struct table t = {.name = "bits that may follow"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct bb_chain_point start = {
			.bits = 0x1b0404cb, .height = rows[i].height, .mtp = NOW};
		struct bb_presync_rules r = {.network = bb_network_find("main"),
			.now = NOW,
			.period = PERIOD,
			.held = HELD};
		struct bb_header h = {.bits = rows[i].bits};
		unsigned char id[1][32] = {{1}};
		struct bb_presync *p;
		memset(r.enough, 0xff, sizeof(r.enough));
		p = bb_presync_new(&r, &start);
		row(&t, (bb_presync_add(p, &h, id, 1, true) == BB_PRESYNC_MORE) == rows[i].good,
			rows[i].what);
		bb_presync_free(p);
	}
	end(&t);
}

int main(void)
{
	canonical_lines();
	lenient_lines();
	malformed_lines();
	limits();
	changed_lines();
	objects();
	tell_times();
	presync();
	presync_bits();
	return !all_good;
}
