/* What nodes say to each other, what they remember, what is on its way, and whom they know:
 * against tables and naive models. Each table prints `name: N of M`, and what fails. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "net/addrbook.h"
#include "net/message.h"
#include "net/outstanding.h"
#include "net/seen.h"

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
struct table {
	const char *name;
	unsigned good, all;
};

static void row(struct table *t, bool good, const char *what)
{
	t->good += good;
	if (!good)
		printf("%s: row %u is wrong: %s\n", t->name, t->all, what);
	t->all++;
}

static bool end(const struct table *t)
{
	printf("%s: %u of %u\n", t->name, t->good, t->all);
	return t->good == t->all;
}

static struct bb_span span(const char *s)
{
	return BB_SPAN(s, strlen(s));
}

static struct bb_span filled(const struct bb_buf *b)
{
	return BB_SPAN(b->data, b->len);
}

static bool holds(const struct bb_buf *b, const char *s)
{
	return bb_span_equal(filled(b), span(s));
}

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

static bool canonical_lines(void)
{
	struct table t = {.name = "messages, there and back"};

	for (unsigned i = 0; i < CANONICAL; i++)
		row(&t, becomes(span(canonical[i]), canonical[i]), canonical[i]);
	return end(&t);
}

/* Lines that others may write, and what they come to. */
static bool lenient_lines(void)
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
	return end(&t);
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

static bool malformed_lines(void)
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
	return end(&t);
}

/* A line with `item` so many times in a list. */
static void put_list(
	struct bb_buf *b, const char *head, const char *item, size_t count, const char *tail)
{
	b->len = 0;
	bb_put_str(b, head);
	for (size_t i = 0; i < count; i++) {
		bb_put_str(b, i ? "," : "");
		bb_put_str(b, item);
	}
	bb_put_str(b, tail);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
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

static bool limits(void)
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
	return end(&t);
}

/* Whatever is changed in a line: it is refused, or what it is written as is read as the same.
 */
static bool changed_lines(void)
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
	return end(&t);
}

static bool objects(void)
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
	return end(&t);
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
	at[0] = now_ms();
	bb_message_parse(&m, &why, &arena, filled(&inv));
	at[1] = now_ms();
	bb_put_message(&out, &m);
	at[2] = now_ms();
	bb_message_parse(&m, &why, &arena, filled(&block));
	at[3] = now_ms();
	printf("milliseconds: reading 50,000 items %.1f, writing them %.1f, reading 4 MB "
	       "%.1f\n",
		at[1] - at[0], at[2] - at[1], at[3] - at[2]);
	bb_buf_free(&inv);
	bb_buf_free(&block);
	bb_buf_free(&out);
	bb_arena_free(&arena);
}

/* Seen, against a list. */

struct seen_model {
	unsigned char id[1000][32];
	size_t count;
};

static bool model_has(const struct seen_model *s, const unsigned char id[32])
{
	for (size_t i = 0; i < s->count; i++)
		if (memcmp(s->id[i], id, 32) == 0)
			return true;
	return false;
}

static bool model_add(struct seen_model *s, size_t most, const unsigned char id[32])
{
	if (model_has(s, id))
		return false;
	if (s->count == most)
		memmove(s->id, s->id + 1, --s->count * 32);
	memcpy(s->id[s->count++], id, 32);
	return true;
}

/* One of twice as many as fit. */
static void some_id(unsigned char id[32], size_t most)
{
	const unsigned n = below(2 * (unsigned)most + 1);

	memset(id, 0, 32);
	bb_set_le32(id + 4 * (n % 8), n);
}

static bool seen(void)
{
	static const size_t sizes[] = {1, 2, 3, 31, 32, 33, 63, 64, 65, 100, 1000};
	static struct seen_model model;
	struct table t = {.name = "what was seen, against a list"};
	unsigned char id[32];

	state = 2;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct bb_seen s;
		model.count = 0;
		row(&t,
			bb_seen_init(&s, sizes[i]) && s.most == sizes[i] &&
				!bb_seen_has(&s, id),
			"new");
		for (unsigned step = 0; step < 3000; step++) {
			bool same;
			some_id(id, sizes[i]);
			if (below(2000) == 0) {
				bb_seen_clear(&s);
				model.count = 0;
			}
			same = bb_seen_has(&s, id) == model_has(&model, id);
			if (below(3))
				same &= bb_seen_add(&s, id) == model_add(&model, sizes[i], id);
			row(&t, same, "not as the list");
		}
		for (size_t k = 0; k < model.count; k++)
			row(&t, bb_seen_has(&s, model.id[k]), "lost");
		row(&t, s.count == model.count, "count");
		bb_seen_free(&s);
		row(&t, !bb_seen_has(&s, id), "freed");
	}
	return end(&t);
}

/* Lines on their way, against a list that says the rules plainly. */

struct model_line {
	bool there, sent, suspect;
	unsigned alone;
	struct bb_owner who;
	char text[24];
};

enum { MODEL_LINES = 4000 };

struct way {
	struct bb_outstanding *o;
	struct model_line line[MODEL_LINES + 1]; /* by number */
	uint64_t last, ended;
	struct bb_buf out;
};

static size_t model_count(const struct way *w, bool sent_only, bool suspect_only)
{
	size_t n = 0;

	for (uint64_t i = 1; i <= w->last; i++)
		n += w->line[i].there && (!sent_only || w->line[i].sent) &&
		     (!suspect_only || w->line[i].suspect);
	return n;
}

/* The number of the one that may be sent now; 0: none. */
static uint64_t model_next(const struct way *w)
{
	const bool suspects = model_count(w, false, true);

	if (suspects && model_count(w, true, false))
		return 0;
	for (uint64_t i = 1; i <= w->last; i++)
		if (w->line[i].there && !w->line[i].sent && w->line[i].suspect == suspects)
			return i;
	return 0;
}

static bool same_owner(const struct bb_owner *a, const struct bb_owner *b)
{
	return a->tool == b->tool && a->who == b->who && a->line == b->line &&
	       memcmp(a->id, b->id, 32) == 0 && a->kind == b->kind;
}

static bool add_line(struct way *w)
{
	struct model_line *l = &w->line[++w->last];

	*l = (struct model_line){.there = true,
		.who = {.tool = below(2),
			.who = 1 + below(4),
			.line = next(),
			.kind = below(9)}};
	some_id(l->who.id, 100);
	snprintf(l->text, sizeof(l->text), "{\"n\":%u", below(100000));
	return bb_outstanding_add(w->o, &l->who, span(l->text)) == w->last;
}

/* Is what came out that line as it goes to the pipeline? */
static bool is_line(const struct way *w, uint64_t number)
{
	char whole[64];

	snprintf(whole, sizeof(whole), "%s,\"from\":\"%llu\"}\n", w->line[number].text,
		(unsigned long long)number);
	return holds(&w->out, whole);
}

static bool send_line(struct way *w)
{
	const uint64_t number = model_next(w);

	w->out.len = 0;
	if (!bb_outstanding_next(&w->out, w->o))
		return !number && !w->out.len;
	w->line[number].sent = true;
	return number && is_line(w, number);
}

static bool answer(struct way *w, uint64_t number)
{
	struct bb_owner who;
	struct model_line *l = &w->line[number <= MODEL_LINES ? number : 0];
	const bool asked = number <= w->last && l->there && l->sent;

	if (bb_outstanding_done(&who, w->o, number) != asked)
		return false;
	if (!asked)
		return true;
	l->there = false;
	w->ended++;
	return same_owner(&who, &l->who);
}

/* What was alone at two deaths comes out, once, and nothing else. */
static bool die(struct way *w)
{
	const bool alone = model_count(w, true, false) == 1;
	struct bb_owner who;

	bb_outstanding_died(w->o);
	for (uint64_t i = 1; i <= w->last; i++) {
		struct model_line *l = &w->line[i];
		if (!l->there || !l->sent)
			continue;
		l->sent = false;
		l->suspect = true;
		l->alone += alone;
		if (l->alone < 2)
			continue;
		l->there = false;
		w->ended++;
		w->out.len = 0;
		if (!bb_outstanding_dropped(&who, &w->out, w->o) || !is_line(w, i) ||
			!same_owner(&who, &l->who))
			return false;
	}
	return !bb_outstanding_dropped(&who, &w->out, w->o);
}

static bool orphan(struct way *w)
{
	const bool tool = below(2);
	const uint64_t who = 1 + below(4);

	bb_outstanding_orphan(w->o, tool, who);
	for (uint64_t i = 1; i <= w->last; i++)
		if (w->line[i].who.tool == tool && w->line[i].who.who == who)
			w->line[i].who.who = 0;
	return true;
}

static bool same_size(const struct way *w)
{
	size_t bytes = 0;

	for (uint64_t i = 1; i <= w->last; i++)
		bytes += w->line[i].there ? strlen(w->line[i].text) : 0;
	return bb_outstanding_bytes(w->o) == bytes &&
	       bb_outstanding_count(w->o) == model_count(w, false, false);
}

static bool step(struct way *w)
{
	switch (below(40)) {
	case 0: return die(w);
	case 1: return orphan(w);
	case 2: return answer(w, next());
	case 3: return same_size(w);
	default: break;
	}
	switch (below(3)) {
	case 0: return w->last == MODEL_LINES || add_line(w);
	case 1: return send_line(w);
	default: return answer(w, w->last ? 1 + next() % w->last : 1);
	}
}

/* Send and answer what is left, in any order. */
static bool drain(struct way *w)
{
	bool good = true;

	while (good && bb_outstanding_count(w->o)) {
		good &= send_line(w);
		for (uint64_t i = w->last; i; i--)
			if (w->line[i].sent && w->line[i].there && below(2))
				good &= answer(w, i);
	}
	return good && w->ended == w->last && same_size(w);
}

static bool on_the_way(void)
{
	static struct way w;
	struct table t = {.name = "lines on their way, against a list"};

	for (unsigned round = 0; round < 40; round++) {
		state = 3 + round;
		w = (struct way){.o = bb_outstanding_new(), .out = w.out};
		for (unsigned i = 0; i < 250; i++)
			row(&t, step(&w), "not as the list");
		row(&t, drain(&w), "what is left does not come out");
		bb_outstanding_free(w.o);
	}
	bb_buf_free(&w.out);
	return end(&t);
}

static uint64_t add_numbered(struct bb_outstanding *o, uint64_t line)
{
	const struct bb_owner who = {.tool = true, .who = 1, .line = line};

	return bb_outstanding_add(o, &who, BB_LIT("{\"type\":\"tx\",\"hex\":\"00\""));
}

/* 1, 2 and 3 are on their way at a death, 2 kills; 4 comes later. */
static bool a_killer(void)
{
	struct table t = {.name = "a line that kills"};
	struct bb_outstanding *o = bb_outstanding_new();
	struct bb_buf b = {0};
	struct bb_owner who;

	for (uint64_t i = 1; i <= 3; i++)
		row(&t, add_numbered(o, i) == i && bb_outstanding_next(&b, o), "sent");
	bb_outstanding_died(o);
	row(&t, add_numbered(o, 4) == 4, "one more");
	row(&t, bb_outstanding_next(&b, o) && !bb_outstanding_next(&b, o), "1 goes alone");
	row(&t, !bb_outstanding_done(&who, o, 3), "3 is not sent again yet");
	row(&t, bb_outstanding_done(&who, o, 1) && who.line == 1, "1 is answered");
	for (unsigned deaths = 1; deaths <= 2; deaths++) {
		row(&t, bb_outstanding_next(&b, o) && !bb_outstanding_next(&b, o), "2 alone");
		row(&t, !bb_outstanding_dropped(&who, &b, o), "not dropped yet");
		bb_outstanding_died(o);
	}
	row(&t, bb_outstanding_count(o) == 2 && !bb_outstanding_done(&who, o, 2), "it is out");
	b.len = 0;
	row(&t,
		bb_outstanding_dropped(&who, &b, o) && who.line == 2 &&
			holds(&b, "{\"type\":\"tx\",\"hex\":\"00\",\"from\":\"2\"}\n"),
		"it is named");
	row(&t, !bb_outstanding_dropped(&who, &b, o), "once");
	b.len = 0;
	row(&t, bb_outstanding_next(&b, o) && !bb_outstanding_next(&b, o), "3 goes alone");
	row(&t, bb_outstanding_done(&who, o, 3) && who.line == 3, "3 is answered");
	row(&t, bb_outstanding_next(&b, o) && bb_outstanding_done(&who, o, 4), "then 4");
	row(&t, !bb_outstanding_count(o) && !bb_outstanding_bytes(o), "nothing is left");
	bb_outstanding_free(o);
	bb_buf_free(&b);
	return end(&t);
}

/* Many at once: the oldest answered last. */
static bool many(void)
{
	enum { LINES = 100000 };
	struct table t = {.name = "100,000 lines on their way"};
	struct bb_outstanding *o = bb_outstanding_new();
	struct bb_buf b = {0};
	struct bb_owner who;
	const double start = now_ms();
	bool good = true;

	for (uint64_t i = 1; i <= LINES; i++) {
		b.len = 0;
		good &= add_numbered(o, i) == i && bb_outstanding_next(&b, o);
	}
	row(&t, good && bb_outstanding_count(o) == LINES, "they are sent");
	for (uint64_t i = LINES; i; i--)
		good &= bb_outstanding_done(&who, o, i) && who.line == i;
	row(&t, good && !bb_outstanding_count(o), "they are answered");
	row(&t, now_ms() - start < 2000, "in time");
	bb_outstanding_free(o);
	bb_buf_free(&b);
	return end(&t);
}

/* Addresses. */

static bool hosts(void)
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
	return end(&t);
}

#define LABEL_50 "a2345678901234567890123456789012345678901234567890"
#define NAME_250 LABEL_50 LABEL_50 LABEL_50 LABEL_50 LABEL_50

static bool endpoints(void)
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
	return end(&t);
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

static bool kept_or_not(void)
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
	return end(&t);
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
		bb_addrbook_failed(b, &a);
		row(t, bb_addrbook_next(b, now) == now + wait[i], "the next time");
		row(t, picks(b, now + wait[i] - 1, NULL), "not before");
		now += wait[i];
	}
	row(t, picks(b, now, a.host), "the last time");
	bb_addrbook_failed(b, &a);
	row(t, picks(b, now + 600, named ? a.host : NULL),
		"forgotten unless a person named it");
	bb_addrbook_free(b);
}

static bool back_offs(void)
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
	return end(&t);
}

static bool order_of_picking(void)
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
	return end(&t);
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

static bool bounds(void)
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
	return end(&t);
}

static bool bans(void)
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
	row(&t, !bb_addrbook_unban(b, "10.0.0.1"), "and is gone");
	bb_addrbook_ban(b, "2001:db8:0:1::1", NOW + 100, "lied");
	row(&t, bb_addrbook_banned(b, "2001:db8:0:1:2::3", NOW), "with its /64");
	row(&t, !bb_addrbook_banned(b, "2001:db8:0:2::1", NOW), "but no other");
	bb_addrbook_ban(b, "fd00::1", NOW + 100, "lied");
	row(&t, !bb_addrbook_banned(b, "fd00::2", NOW), "alone in a private network");
	bb_addrbook_ban(b, "10.0.0.1", NOW + 500, "");
	row(&t, bb_addrbook_unban(b, "10.0.0.1"), "taken back");
	row(&t, !bb_addrbook_banned(b, "10.0.0.1", NOW + 100), "at once");
	bb_addrbook_ban(b, "not a host", NOW + 500, "");
	row(&t, !bb_addrbook_banned(b, "not a host", NOW), "what is no host");
	bb_addrbook_free(b);
	return end(&t);
}

static bool sampled(const struct bb_net_address *some, size_t count, const char *host)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(some[i].host, host) == 0)
			return true;
	return false;
}

static bool samples(void)
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
	return end(&t);
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

static bool files(void)
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
	return end(&t);
}

/* A reason is cut between characters, so that its line can be read again. */
static bool reasons(void)
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
	return end(&t);
}

int main(void)
{
	bool good = true;

	good &= canonical_lines();
	good &= lenient_lines();
	good &= malformed_lines();
	good &= limits();
	good &= changed_lines();
	good &= objects();
	tell_times();
	good &= seen();
	good &= on_the_way();
	good &= a_killer();
	good &= many();
	good &= hosts();
	good &= endpoints();
	good &= kept_or_not();
	good &= back_offs();
	good &= order_of_picking();
	good &= bounds();
	good &= bans();
	good &= samples();
	good &= files();
	good &= reasons();
	return !good;
}
