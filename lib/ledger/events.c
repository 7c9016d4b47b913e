#include "ledger/events.h"

enum {
	EVENT_SIZE = 37,      /* kind, LE32 height, id */
	POOL_EVENT_SIZE = 66, /* kind, reason, txid, by */
};

static const char *const names[] = {
	[BB_EVENT_CONNECTED] = "connected",
	[BB_EVENT_DISCONNECTED] = "disconnected",
	[BB_EVENT_TIP] = "tip",
	[BB_EVENT_ACCEPTED] = "accepted",
	[BB_EVENT_REPLACED] = "replaced",
	[BB_EVENT_REMOVED] = "removed",
};

static const char *removal_name(enum bb_removal r)
{
	static const char *const removals[] = {
		[BB_REMOVAL_EXPIRY] = "expiry",
		[BB_REMOVAL_SIZELIMIT] = "sizelimit",
		[BB_REMOVAL_REORG] = "reorg",
		[BB_REMOVAL_BLOCK] = "block",
		[BB_REMOVAL_CONFLICT] = "conflict",
		[BB_REMOVAL_REPLACED] = "replaced",
	};

	return removals[r];
}

/* Numbers. */

static uint64_t last_in(struct bb_store *s, enum bb_table t)
{
	struct bb_cursor c;
	uint64_t seq = 0;

	if (!bb_cursor_open(&c, s, t))
		return 0;
	if (bb_cursor_last(&c) && c.key.len == 8)
		seq = bb_be64(c.key.data);
	bb_cursor_close(&c);
	return seq;
}

uint64_t bb_event_last(struct bb_store *s)
{
	const uint64_t chain = last_in(s, BB_EVENTS), pool = last_in(s, BB_POOL_EVENTS);

	return chain > pool ? chain : pool;
}

/* Once in a transaction the tables are asked; from then on only we give numbers. */
static uint64_t next_seq(struct bb_store *s)
{
	if (!s->next_event) {
		const uint64_t last = bb_event_last(s);
		const uint64_t base = bb_store_number(s, "event_base");
		s->next_event = (last > base ? last : base) + 1;
	}
	return s->next_event++;
}

/* Writing. */

static void put_event(struct bb_store *s, enum bb_table t, struct bb_span value)
{
	unsigned char key[8];

	bb_store_put(s, t, bb_key64(key, next_seq(s)), value);
}

void bb_event_put(
	struct bb_store *s, enum bb_event_kind kind, const unsigned char id[32], int32_t height)
{
	unsigned char v[EVENT_SIZE];

	v[0] = kind;
	bb_set_le32(v + 1, (uint32_t)height);
	memcpy(v + 5, id, 32);
	put_event(s, BB_EVENTS, BB_SPAN(v, sizeof(v)));
	bb_store_set_number(
		s, "events", bb_store_count(s, BB_EVENTS)); /* for bb_verify_store */
}

static void forget_first(struct bb_store *s)
{
	struct bb_cursor c;

	if (!bb_cursor_open(&c, s, BB_POOL_EVENTS))
		return;
	if (bb_cursor_first(&c))
		bb_cursor_del(&c, c.key);
	bb_cursor_close(&c);
}

void bb_event_put_tx(struct bb_store *s, enum bb_event_kind kind, const unsigned char txid[32],
	enum bb_removal reason, const unsigned char *by)
{
	unsigned char v[POOL_EVENT_SIZE] = {kind, reason};

	memcpy(v + 2, txid, 32);
	if (by)
		memcpy(v + 34, by, 32);
	put_event(s, BB_POOL_EVENTS, BB_SPAN(v, sizeof(v)));
	if (bb_store_count(s, BB_POOL_EVENTS) > BB_POOL_EVENTS_KEPT)
		forget_first(s);
}

/* Reading. */

static bool parse_chain(struct bb_event *e, struct bb_span value)
{
	const unsigned char *v = value.data;

	if (value.len != EVENT_SIZE || v[0] < BB_EVENT_CONNECTED || v[0] > BB_EVENT_TIP)
		return false;
	e->kind = v[0];
	e->height = (int32_t)bb_le32(v + 1);
	memcpy(e->id, v + 5, 32);
	return true;
}

static bool parse_pool(struct bb_event *e, struct bb_span value)
{
	const unsigned char *v = value.data;

	if (value.len != POOL_EVENT_SIZE || v[0] < BB_EVENT_ACCEPTED ||
		v[0] > BB_EVENT_REMOVED || v[1] > BB_REMOVAL_REPLACED)
		return false;
	e->kind = v[0];
	e->reason = v[1];
	memcpy(e->id, v + 2, 32);
	memcpy(e->by, v + 34, 32);
	return true;
}

/* The first of one table. */
static bool first_after(struct bb_event *e, struct bb_store *s, enum bb_table t, uint64_t seq)
{
	unsigned char key[8];
	struct bb_cursor c;
	bool found = false;

	*e = (struct bb_event){0};
	if (!bb_cursor_open(&c, s, t))
		return false;
	if (bb_cursor_seek(&c, bb_key64(key, seq + 1))) {
		found = c.key.len == 8 &&
			(t == BB_EVENTS ? parse_chain(e, c.value) : parse_pool(e, c.value));
		if (found)
			e->seq = bb_be64(c.key.data);
		else
			bb_store_set_why(s, "the store is damaged: an event");
	}
	bb_cursor_close(&c);
	return found;
}

bool bb_event_after(struct bb_event *e, struct bb_store *s, uint64_t seq)
{
	struct bb_event chain, pool;
	bool of_chain, of_pool;

	if (seq == UINT64_MAX)
		return false;
	of_chain = first_after(&chain, s, BB_EVENTS, seq);
	of_pool = first_after(&pool, s, BB_POOL_EVENTS, seq);
	if (s->why || (!of_chain && !of_pool))
		return false;
	*e = of_chain && (!of_pool || chain.seq <= pool.seq) ? chain : pool;
	return true;
}

/* Lines. */

static void put_block(struct bb_json_writer *w, const struct bb_event *e)
{
	bb_json_member_hash(w, "id", e->id);
	bb_json_member_i64(w, "height", e->height);
}

static void put_tx(struct bb_json_writer *w, const struct bb_event *e)
{
	bb_json_member_hash(w, "txid", e->id);
	if (e->kind == BB_EVENT_ACCEPTED)
		return;
	bb_json_member_str(w, "reason", removal_name(e->reason));
	if (e->reason == BB_REMOVAL_REPLACED || e->reason == BB_REMOVAL_BLOCK ||
		e->reason == BB_REMOVAL_CONFLICT)
		bb_json_member_hash(w, "by", e->by);
}

void bb_put_event(struct bb_buf *out, const struct bb_event *e)
{
	struct bb_json_writer w = {.buf = out};

	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", "event");
	bb_json_member_i64(&w, "seq", (int64_t)e->seq);
	bb_json_member_str(&w, "event", names[e->kind]);
	if (bb_event_of_chain(e->kind))
		put_block(&w, e);
	else
		put_tx(&w, e);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}
