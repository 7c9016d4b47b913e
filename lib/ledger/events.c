#include "ledger/events.h"

/* kind, LE32 height, id */
enum { EVENT_SIZE = 37 };

static const char *const names[] = {
	[BB_EVENT_CONNECTED] = "connected",
	[BB_EVENT_DISCONNECTED] = "disconnected",
	[BB_EVENT_TIP] = "tip",
};

static uint64_t last_seq(struct bb_store *s)
{
	struct bb_cursor c;
	uint64_t seq = 0;

	if (!bb_cursor_open(&c, s, BB_EVENTS))
		return 0;
	if (bb_cursor_last(&c) && c.key.len == 8)
		seq = bb_be64(c.key.data);
	bb_cursor_close(&c);
	return seq;
}

void bb_event_put(
	struct bb_store *s, enum bb_event_kind kind, const unsigned char id[32], int32_t height)
{
	unsigned char key[8], v[EVENT_SIZE];

	v[0] = kind;
	bb_set_le32(v + 1, (uint32_t)height);
	memcpy(v + 5, id, 32);
	bb_store_put(s, BB_EVENTS, bb_key64(key, last_seq(s) + 1), BB_SPAN(v, sizeof(v)));
}

static bool event_parse(struct bb_event *e, struct bb_span key, struct bb_span value)
{
	const unsigned char *v = value.data;

	if (key.len != 8 || value.len != EVENT_SIZE || v[0] < BB_EVENT_CONNECTED ||
		v[0] > BB_EVENT_TIP)
		return false;
	e->seq = bb_be64(key.data);
	e->kind = v[0];
	e->height = (int32_t)bb_le32(v + 1);
	memcpy(e->id, v + 5, 32);
	return true;
}

bool bb_event_after(struct bb_event *e, struct bb_store *s, uint64_t seq)
{
	unsigned char key[8];
	struct bb_cursor c;
	bool found = false;

	if (seq == UINT64_MAX || !bb_cursor_open(&c, s, BB_EVENTS))
		return false;
	if (bb_cursor_seek(&c, bb_key64(key, seq + 1))) {
		found = event_parse(e, c.key, c.value);
		if (!found && !s->why)
			s->why = "the store is damaged: an event";
	}
	bb_cursor_close(&c);
	return found;
}

void bb_put_event(struct bb_buf *out, const struct bb_event *e)
{
	struct bb_json_writer w = {.buf = out};

	bb_json_open(&w, '{');
	bb_json_key(&w, "type");
	bb_json_str(&w, "event");
	bb_json_key(&w, "seq");
	bb_json_i64(&w, (int64_t)e->seq);
	bb_json_key(&w, "event");
	bb_json_str(&w, names[e->kind]);
	bb_json_key(&w, "id");
	bb_json_hash(&w, e->id);
	bb_json_key(&w, "height");
	bb_json_i64(&w, e->height);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}
