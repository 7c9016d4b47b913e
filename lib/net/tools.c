/* Local tools: their lines go to the ledger, verdicts come back under their own numbers. */

#include "net/hub_inside.h"

#include <stdlib.h>

#include "bitcoin/judge.h"

enum {
	TOOLS_MAX = 256,
	VALUES_ADDED = 1 << 19, /* at most, to a line on its way to the judge */
};

/* What a line is to the hub itself (struct bb_owner). */
enum { LINE, RECONSIDER };

/* A line's own `from`, as it stood there: verdicts bring it back. */
struct claim {
	uint64_t line;
	struct claim *next;
	size_t len;
	unsigned char from[];
};

struct tool *tools_find(struct bb_hub *h, uint64_t connection)
{
	struct tool *t = h->tools;

	while (t && t->connection != connection)
		t = t->next;
	return t;
}

bool bb_hub_tool_connected(struct bb_hub *h, uint64_t connection)
{
	struct tool *t;
	size_t count = 0;

	for (t = h->tools; t; t = t->next)
		count++;
	if (count >= TOOLS_MAX || !(t = calloc(1, sizeof(*t))))
		return false;
	t->connection = connection;
	t->next = h->tools;
	h->tools = t;
	return true;
}

void bb_hub_tool_trusted(struct bb_hub *h, uint64_t connection)
{
	struct tool *t = tools_find(h, connection);

	if (t)
		t->trusted = true;
}

static void free_tool(struct bb_hub *h, struct tool *t)
{
	struct tool **at = &h->tools;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	while (t->first) {
		struct claim *c = t->first;
		t->first = c->next;
		free(c);
	}
	free(t);
}

bool tools_closed(struct bb_hub *h, uint64_t connection)
{
	struct tool *t = tools_find(h, connection);

	if (t)
		free_tool(h, t);
	return t;
}

void tools_close(struct bb_hub *h, struct tool *t)
{
	const uint64_t connection = t->connection;

	free_tool(h, t);
	h->c.io.close(h->c.io.arg, connection);
}

void tools_free(struct bb_hub *h)
{
	while (h->tools)
		free_tool(h, h->tools);
}

/* Limits. */

static size_t queued(struct bb_hub *h, const struct tool *t)
{
	return h->c.io.queued(h->c.io.arg, t->connection);
}

/* It does not take what it is told, or its lines bring much that is kept for their verdicts. */
static bool has_much(struct bb_hub *h, const struct tool *t)
{
	return queued(h, t) + t->claimed > TOOL_QUEUE;
}

/* Who has nothing on its way may still ask something, however many lines are, but not where
 * these are large. */
void tools_read(struct bb_hub *h)
{
	const bool flooded = bb_outstanding_bytes(h->out) > 2 * (size_t)CHAIN_BYTES;

	for (struct tool *t = h->tools; t; t = t->next) {
		const bool pause = flooded || (h->full && t->waiting) || has_much(h, t);
		if (pause == t->paused)
			continue;
		t->paused = pause;
		h->c.io.read(h->c.io.arg, t->connection, !pause);
	}
}

static void send_buf(struct bb_hub *h, const struct tool *t)
{
	if (!h->buf.failed)
		h->c.io.send(h->c.io.arg, t->connection, BB_SPAN(h->buf.data, h->buf.len));
}

static void close_if_done(struct bb_hub *h, struct tool *t)
{
	if (t->ended && !t->waiting && !t->watch)
		tools_close(h, t);
}

/* Watching. */

bool tools_watched(const struct bb_hub *h)
{
	const struct tool *t = h->tools;

	while (t && !t->watch)
		t = t->next;
	return t;
}

void tools_watch(struct bb_hub *h, struct bb_span lines)
{
	for (struct tool *t = h->tools; t; t = t->next) {
		if (!t->watch)
			continue;
		if (queued(h, t) > TOOL_QUEUE)
			t->stuck = true;
		if (!t->stuck)
			h->c.io.send(h->c.io.arg, t->connection, lines);
	}
}

void tools_tick(struct bb_hub *h)
{
	struct tool *next;

	for (struct tool *t = h->tools; t; t = next) {
		next = t->next;
		if (!t->stuck)
			continue;
		hub_log(h, "a watcher is dropped: it does not read");
		tools_close(h, t);
	}
	tools_read(h);
}

/* Peers. */

static void put_peer(struct bb_hub *h, const struct peer *p)
{
	struct bb_json_writer w = {.buf = &h->buf};
	unsigned char services[8];

	for (int i = 0; i < 8; i++)
		services[i] = (unsigned char)(p->version.services >> (56 - 8 * i));
	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", "peer");
	bb_json_member_str(&w, "host", p->at.host);
	bb_json_member_i64(&w, "port", p->at.port);
	bb_json_key(&w, "outbound");
	bb_json_bool(&w, p->outbound);
	bb_json_key(&w, "ready");
	bb_json_bool(&w, p->ready);
	if (p->has_version) {
		bb_json_member_str(&w, "agent", p->version.agent);
		bb_json_member_i64(&w, "protocol", p->version.protocol);
		bb_json_member_hex(&w, "services", BB_SPAN(services, sizeof(services)));
		bb_json_member_i64(&w, "listen", p->version.listen);
		bb_json_member_i64(&w, "height", p->version.height);
	}
	bb_json_member_i64(&w, "since", h->now_s - (int64_t)((h->now_ms - p->since_ms) / 1000));
	bb_json_member_i64(&w, "ping_ms", (int64_t)p->latency_ms);
	bb_json_member_i64(&w, "score", p->score);
	bb_json_member_i64(&w, "feefilter", p->feefilter);
	bb_json_member_i64(&w, "blocks_in_flight", p->blocks_in_flight);
	bb_json_member_i64(&w, "txs_in_flight", (int64_t)p->txs_asked);
	bb_json_member_i64(&w, "queued", (int64_t)h->c.io.queued(h->c.io.arg, p->connection));
	bb_json_key(&w, "paused");
	bb_json_bool(&w, p->unread);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

static void tell_peers(struct bb_hub *h, const struct tool *t)
{
	hub_buf(h);
	for (const struct peer *p = h->peers; p; p = p->next)
		put_peer(h, p);
	if (h->buf.len)
		send_buf(h, t);
}

/* Verdicts. */

static void refuse_line(struct bb_hub *h, const struct tool *t, uint64_t line,
	const char *error, const char *detail, struct bb_span from)
{
	struct bb_verdict v = {0};

	strncat(v.error, error, sizeof(v.error) - 1);
	strncat(v.detail, detail, sizeof(v.detail) - 1);
	bb_put_verdict(hub_buf(h), &v, line, from, false);
	send_buf(h, t);
}

/* They stand in order, and verdicts come mostly so. */
static struct claim *take_claim(struct tool *t, uint64_t line)
{
	struct claim **at = &t->first, *before = NULL, *c;

	while (*at && (*at)->line < line) {
		before = *at;
		at = &(*at)->next;
	}
	if (!(c = *at) || c->line != line)
		return NULL;
	*at = c->next;
	t->claimed -= c->len;
	if (t->last == c)
		t->last = before;
	return c;
}

static void put_verdict(
	struct bb_buf *out, const struct bb_json *verdict, uint64_t line, const struct claim *c)
{
	struct bb_json_writer w = {.buf = out};

	bb_json_open(&w, '{');
	for (const struct bb_json *v = verdict->child; v; v = v->next) {
		const bool from = bb_span_is(v->key, "from");
		if (from && !c)
			continue;
		bb_json_key_span(&w, v->key);
		if (from)
			bb_json_raw(&w, BB_SPAN(c->from, c->len));
		else if (bb_span_is(v->key, "line"))
			bb_json_i64(&w, (int64_t)line);
		else
			bb_json_raw(&w, v->raw);
	}
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

void tools_verdict(struct bb_hub *h, const struct bb_owner *who, const struct bb_json *verdict)
{
	struct tool *t = tools_find(h, who->who);
	struct claim *c;

	if (who->kind == RECONSIDER)
		fetch_forgive(h);
	if (!t)
		return;
	c = take_claim(t, who->line);
	put_verdict(hub_buf(h), verdict, who->line, c);
	send_buf(h, t);
	free(c);
	t->waiting--;
	close_if_done(h, t);
}

void tools_killed(struct bb_hub *h, const struct bb_owner *who)
{
	struct tool *t = tools_find(h, who->who);
	struct claim *c;

	if (!t)
		return;
	c = take_claim(t, who->line);
	refuse_line(h, t, who->line, "killed-the-ledger", "",
		c ? BB_SPAN(c->from, c->len) : BB_SPAN(NULL, 0));
	free(c);
	t->waiting--;
	close_if_done(h, t);
}

/* Lines. */

static bool keep_claim(struct tool *t, const struct bb_json *from)
{
	struct claim *c;

	if (!from)
		return true;
	if (!(c = malloc(sizeof(*c) + from->raw.len)))
		return false;
	*c = (struct claim){.line = t->lines, .len = from->raw.len};
	memcpy(c->from, from->raw.data, c->len);
	*(t->last ? &t->last->next : &t->first) = c;
	t->last = c;
	t->claimed += c->len;
	return true;
}

/* What the ledger cannot read it cannot answer either: not even who asked. */
static bool is_readable(struct bb_span line, size_t values)
{
	return values + VALUES_ADDED <= bb_json_values_max(line.len);
}

static void hand_in(struct bb_hub *h, struct tool *t, const struct bb_json *doc, size_t values)
{
	static const char *const ours[] = {"from", NULL};
	const bool reconsider = bb_json_is(bb_json_find(doc, "type"), "reconsider");
	const struct bb_owner who = {.tool = true,
		.who = t->connection,
		.line = t->lines,
		.kind = reconsider ? RECONSIDER : LINE};
	const struct bb_json *from = bb_json_get(doc, "from");
	struct bb_buf line = {0};
	struct bb_json_writer w = {.buf = &line};
	const struct bb_span sender = from ? from->raw : BB_SPAN(NULL, 0);

	bb_json_open(&w, '{');
	bb_json_others(&w, doc, ours);
	t->waiting++;
	if (!line.failed && !is_readable(BB_SPAN(line.data, line.len), values)) {
		t->waiting--;
		refuse_line(h, t, t->lines, "malformed-line", "malformed JSON: too many values",
			sender);
	} else if (line.failed || !keep_claim(t, from) ||
		   !pipeline_add(h, &who, BB_SPAN(line.data, line.len))) {
		free(take_claim(t, t->lines));
		t->waiting--;
		refuse_line(h, t, t->lines, "out of memory", "", sender);
	}
	bb_buf_free(&line);
}

static bool is_for_ledger(const struct bb_json *doc)
{
	return bb_line_is_tx(doc) || bb_line_is_block(doc) || bb_line_is_header(doc) ||
	       bb_json_is(bb_json_find(doc, "type"), "package");
}

static void take_line(
	struct bb_hub *h, struct tool *t, const struct bb_json *doc, size_t values)
{
	const struct bb_json *type = bb_json_find(doc, "type");
	const struct bb_json *from = bb_json_get(doc, "from");

	if (bb_json_is(type, "watch"))
		t->watch = true;
	else if (bb_json_is(type, "peers"))
		tell_peers(h, t);
	else if (is_for_ledger(doc) || (t->trusted && bb_message_is_order(type)))
		hand_in(h, t, doc, values);
	else
		refuse_line(h, t, t->lines, "malformed-line",
			"neither a transaction, a package, a block nor a header",
			from ? from->raw : BB_SPAN(NULL, 0));
}

static bool is_blank(struct bb_span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r')
			return false;
	return true;
}

void bb_hub_tool_line(struct bb_hub *h, uint64_t connection, struct bb_span line)
{
	struct tool *t = tools_find(h, connection);
	const struct bb_json *doc;
	const char *why = "line too long";
	size_t values;

	if (!t)
		return;
	t->lines++;
	if (line.data && is_blank(line))
		return;
	bb_arena_reset(&h->arena);
	doc = line.data ? bb_json_parse_members(&values, &h->arena, &why, line) : NULL;
	if (doc)
		take_line(h, t, doc, values);
	else
		refuse_line(h, t, t->lines, "malformed-line", why, BB_SPAN(NULL, 0));
	if (h->full || has_much(h, t))
		tools_read(h);
}

void bb_hub_tool_ended(struct bb_hub *h, uint64_t connection)
{
	struct tool *t = tools_find(h, connection);

	if (!t)
		return;
	t->ended = true;
	close_if_done(h, t);
}
