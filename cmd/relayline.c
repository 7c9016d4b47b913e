#include "relayline.h"

static void drop_taken(struct relayline *l, struct evbuffer *in)
{
	evbuffer_drain(in, l->taken);
	l->taken = 0;
}

/* Where the line at hand ends; -1: not here yet. */
static ev_ssize_t find_end(struct relayline *l, struct evbuffer *in)
{
	struct evbuffer_ptr from;

	if (l->searched >= evbuffer_get_length(in))
		return -1;
	if (evbuffer_ptr_set(in, &from, l->searched, EVBUFFER_PTR_SET) != 0)
		return -1;
	from = evbuffer_search(in, "\n", 1, &from);
	if (from.pos < 0)
		l->searched = evbuffer_get_length(in);
	return from.pos;
}

/* Of a line that is too long, what has come so far. */
static void skip(struct relayline *l, struct evbuffer *in)
{
	const ev_ssize_t end = find_end(l, in);

	l->skipping = end < 0;
	l->searched = 0;
	evbuffer_drain(in, end < 0 ? evbuffer_get_length(in) : (size_t)end + 1);
}

static enum relayline_state give(struct relayline *l, struct bb_span *line, struct evbuffer *in,
	size_t len, size_t with_lf)
{
	l->searched = 0;
	l->taken = with_lf;
	*line = BB_SPAN(NULL, 0);
	if (len > l->max)
		return RELAYLINE_TOO_LONG;
	line->data = evbuffer_pullup(in, (ev_ssize_t)with_lf);
	line->len = line->data ? len : 0;
	return line->data ? RELAYLINE_GOT : RELAYLINE_TOO_LONG;
}

enum relayline_state relayline_next(
	struct relayline *l, struct bb_span *line, struct evbuffer *in)
{
	ev_ssize_t end;

	drop_taken(l, in);
	if (l->skipping)
		skip(l, in);
	if (l->skipping)
		return RELAYLINE_NONE;
	end = find_end(l, in);
	if (end >= 0)
		return give(l, line, in, (size_t)end, (size_t)end + 1);
	if (evbuffer_get_length(in) <= l->max)
		return RELAYLINE_NONE;
	l->skipping = true;
	*line = BB_SPAN(NULL, 0);
	return RELAYLINE_TOO_LONG;
}

enum relayline_state relayline_last(
	struct relayline *l, struct bb_span *line, struct evbuffer *in)
{
	const enum relayline_state state = relayline_next(l, line, in);
	const size_t len = evbuffer_get_length(in);

	if (state != RELAYLINE_NONE || !len)
		return state;
	return give(l, line, in, len, len);
}
