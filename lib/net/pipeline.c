/* Lines to the ledger's pipeline, each kept until its verdict, and what the ledger says of
 * them.
 */

#include "net/hub_inside.h"

#include <stdio.h>

#include "base/hex.h"

/* The `from` of the hub's own question: no line has that number. */
#define PROBE "0"

/* To the ledger. */

static void pump(struct bb_hub *h)
{
	struct bb_buf *lines = hub_buf(h);

	if (!h->chain_up || h->chain_probed)
		return;
	while (bb_outstanding_next(lines, h->out))
		;
	if (lines->len)
		h->c.io.chain(h->c.io.arg, BB_SPAN(lines->data, lines->len));
}

/* What watchers see is what the ledger gets. */
static void show(struct bb_hub *h, struct bb_span line, uint64_t number)
{
	char end[40];

	if (!tools_watched(h))
		return;
	snprintf(end, sizeof(end), ",\"from\":\"%llu\"}\n", (unsigned long long)number);
	bb_put(hub_buf(h), line.data, line.len);
	bb_put_str(&h->buf, end);
	if (!h->buf.failed)
		tools_watch(h, BB_SPAN(h->buf.data, h->buf.len));
}

bool pipeline_add(struct bb_hub *h, const struct bb_owner *who, struct bb_span line)
{
	const uint64_t number = bb_outstanding_add(h->out, who, line);

	if (!number)
		return false;
	show(h, line, number);
	pump(h);
	limits_pressure(h);
	return true;
}

bool hub_to_chain(struct bb_hub *h, struct peer *p, enum bb_message_kind kind,
	const unsigned char id[32], struct bb_span bytes)
{
	static const size_t end = sizeof("}\n") - 1;
	struct bb_owner who = {.who = p->connection, .kind = kind};
	struct bb_buf line = {0};
	bool added;

	memcpy(who.id, id, sizeof(who.id));
	bb_put_object(&line, kind, bytes, NULL);
	added = !line.failed && pipeline_add(h, &who, BB_SPAN(line.data, line.len - end));
	if (!added)
		hub_log(h, "out of memory: a line of a peer is lost");
	bb_buf_free(&line);
	return added;
}

/* The chain's tip. */

static void tell_tip(struct bb_hub *h, const unsigned char id[32], int64_t height)
{
	memcpy(h->tip, id, sizeof(h->tip));
	h->height = height;
	flood_tip(h);
	fetch_tip(h, h->tip);
}

void pipeline_check_tip(struct bb_hub *h)
{
	struct bb_node tip;
	bool known;

	if (!hub_begin(h))
		return;
	known = bb_tree_tip(&tip, h->store);
	hub_end(h);
	if (known && memcmp(tip.id, h->tip, sizeof(h->tip)) != 0)
		tell_tip(h, tip.id, tip.height);
}

/* Verdicts. */

struct word {
	struct bb_span result, error;
};

static struct bb_span text_of(const struct bb_json *doc, const char *key)
{
	const struct bb_json *v = bb_json_find(doc, key);

	return v && v->type == BB_JSON_STRING ? v->text : BB_SPAN(NULL, 0);
}

static bool begins(struct bb_span text, const char *with)
{
	const size_t len = strlen(with);

	return text.len >= len && memcmp(text.data, with, len) == 0;
}

/* Broken rules that a sender could have seen for himself. What is early, known, or lacks work
 * is none, as in Core; nor is what stands on another's bad block, or what the pipeline could
 * not do. */
static bool is_fault(const struct word *w)
{
	static const char *const innocent[] = {"duplicate", "bad-prevblk", "time-too-new",
		"too-little-chainwork", "killed-the-ledger"};

	if (!bb_span_is(w->result, "refused") || !w->error.len)
		return false;
	for (size_t i = 0; i < sizeof(innocent) / sizeof(*innocent); i++)
		if (begins(w->error, innocent[i]))
			return false;
	return true;
}

static void blame(struct bb_hub *h, const struct bb_owner *who, struct bb_span error)
{
	struct peer *p = hub_peer(h, who->who);
	char why[64];

	snprintf(why, sizeof(why), "%.*s", (int)(error.len < 60 ? error.len : 60),
		(const char *)error.data);
	if (p)
		hub_blame(h, p, BAN_SCORE, why);
}

static void block_verdict(struct bb_hub *h, const struct bb_owner *who, const struct word *w)
{
	if (is_fault(w))
		blame(h, who, w->error);
	fetch_verdict(h, who, w->result, w->error);
	/* A pipeline may have died between the block and its event. */
	if (bb_span_is(w->result, "duplicate"))
		pipeline_check_tip(h);
}

static void tell(struct bb_hub *h, const struct bb_owner *who, const struct word *w)
{
	if (who->kind == BB_MSG_TX)
		flood_verdict(h, who, w->result, w->error);
	else
		block_verdict(h, who, w);
}

/* The number that the hub gave as `from`; 0: none. */
static uint64_t number_of(struct bb_span from)
{
	uint64_t n = 0;

	if (!from.len || from.len > 19)
		return 0;
	for (size_t i = 0; i < from.len; i++) {
		if (from.data[i] < '0' || from.data[i] > '9')
			return 0;
		n = 10 * n + (from.data[i] - '0');
	}
	return n;
}

static void take_verdict(struct bb_hub *h, const struct bb_json *doc)
{
	const struct word w = {text_of(doc, "result"), text_of(doc, "error")};
	struct bb_owner who;

	if (!bb_outstanding_done(&who, h->out, number_of(text_of(doc, "from")))) {
		hub_log(h, "a verdict that nobody waits for");
		return;
	}
	if (who.tool)
		tools_verdict(h, &who, doc);
	else
		tell(h, &who, &w);
	pump(h);
	limits_pressure(h);
}

/* Events. */

static void take_event(struct bb_hub *h, const struct bb_json *doc)
{
	const struct bb_span event = text_of(doc, "event");
	unsigned char id[32];
	int64_t height;

	if (bb_span_is(event, "disconnected"))
		h->rewound = true;
	if (bb_span_is(event, "accepted") && bb_hash_decode(id, text_of(doc, "txid")))
		(h->rewound ? announce_again : announce)(h, id);
	if (bb_span_is(event, "tip"))
		h->rewound = false;
	if (bb_span_is(event, "tip") && bb_hash_decode(id, text_of(doc, "id")) &&
		bb_json_int(&height, bb_json_find(doc, "height"), 0, INT32_MAX))
		tell_tip(h, id, height);
}

static void watch(struct bb_hub *h, struct bb_span line)
{
	if (!tools_watched(h))
		return;
	bb_put(hub_buf(h), line.data, line.len);
	bb_put_u8(&h->buf, '\n');
	if (!h->buf.failed)
		tools_watch(h, BB_SPAN(h->buf.data, h->buf.len));
}

void bb_hub_chain_line(struct bb_hub *h, struct bb_span line)
{
	const struct bb_json *doc;
	struct bb_span type;
	const char *why;
	size_t values;

	bb_arena_reset(&h->arena);
	doc = line.data ? bb_json_parse_members(&values, &h->arena, &why, line) : NULL;
	if (!doc) {
		hub_log(h, "the ledger wrote a line that cannot be read");
		return;
	}
	if (h->chain_probed && bb_span_is(text_of(doc, "from"), PROBE)) {
		h->chain_probed = false;
		pump(h);
		return;
	}
	watch(h, line);
	type = text_of(doc, "type");
	if (bb_span_is(type, "verdict"))
		take_verdict(h, doc);
	else if (bb_span_is(type, "event"))
		take_event(h, doc);
}

/* The pipeline's life. */

/* A pipeline may die before it is well up, and no line is to blame for it: before those that
 * wait it is asked about the genesis block's header, which it has. */
static void probe(struct bb_hub *h)
{
	struct bb_buf header = {0}, *line = hub_buf(h);
	struct bb_node genesis;
	bool known;

	if (!bb_outstanding_count(h->out) || !hub_begin(h))
		return;
	known = bb_tree_at(&genesis, h->store, 0);
	hub_end(h);
	if (!known)
		return;
	bb_put_header(&header, &genesis.header);
	bb_put_object(line, BB_MSG_HEADERS, BB_SPAN(header.data, header.len), PROBE);
	if (!header.failed && !line->failed) {
		h->chain_probed = true;
		h->c.io.chain(h->c.io.arg, BB_SPAN(line->data, line->len));
	}
	bb_buf_free(&header);
}

void bb_hub_chain_up(struct bb_hub *h)
{
	h->chain_up = true;
	probe(h);
	pump(h);
	announce_review(h);
	pipeline_check_tip(h);
}

/* Which line it was: for the log, the end of a long one is left out. */
static void log_killer(struct bb_hub *h, struct bb_span line)
{
	const size_t end = line.len && line.data[line.len - 1] == '\n';

	hub_log(h, "a line killed the ledger twice, and is dropped: %.*s",
		(int)(line.len > 640 ? 640 : line.len - end), (const char *)line.data);
}

static void drop_killers(struct bb_hub *h)
{
	static const struct word killed = {BB_LIT("refused"), BB_LIT("killed-the-ledger")};
	struct bb_buf line = {0};
	struct bb_owner who;

	while (bb_outstanding_dropped(&who, &line, h->out)) {
		log_killer(h, BB_SPAN(line.data, line.len));
		line.len = 0;
		if (who.tool)
			tools_killed(h, &who);
		else
			tell(h, &who, &killed);
	}
	bb_buf_free(&line);
}

void bb_hub_chain_down(struct bb_hub *h)
{
	if (!h->chain_up)
		return;
	h->chain_up = h->chain_probed = h->rewound = false;
	bb_arena_reset(&h->arena);
	bb_outstanding_died(h->out);
	drop_killers(h);
	limits_pressure(h);
}
