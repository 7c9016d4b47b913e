#include "relaytool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"

enum {
	WINDOW = 1 << 20, /* bytes handed in and not answered */
	READ_SIZE = 64 << 10,
	SEND_SIZE = 64 << 10,
};

/* A line that was handed in. */
struct handed {
	uint64_t number; /* here; the node counts for itself */
	size_t bytes;
	bool answered;
};

struct handing {
	struct bb_lines *in;
	struct bb_sink *out;
	int fd;
	struct handed *lines; /* not answered, in order; the first is the node's line `first` */
	uint64_t first;
	size_t at, count, room; /* of lines: where they begin, how many, places */
	size_t unanswered;	/* of them */
	size_t bytes;		/* of the unanswered */
	struct bb_buf going, coming;
	size_t gone_to; /* of `going`, sent */
	size_t seen;	/* of `coming`: no LF up to there */
	struct bb_arena arena;
	bool gone, stop;
	struct sigaction pipe; /* what SIGPIPE does, outside */
};

/* A socket that closes must not end us, but a reader of our output that goes away does. */
static void hold_sigpipe(struct sigaction *before)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGPIPE, &ignore, before);
}

static void let_sigpipe(const struct sigaction *before, const struct bb_sink *out)
{
	sigaction(SIGPIPE, before, NULL);
	if (out->error == EPIPE)
		raise(SIGPIPE);
}

/* Lines that were handed in. */

static bool add_handed(struct handing *h, size_t bytes)
{
	if (h->at + h->count == h->room && h->at > h->room / 2) {
		memmove(h->lines, h->lines + h->at, h->count * sizeof(*h->lines));
		h->at = 0;
	}
	if (h->at + h->count == h->room) {
		const size_t room = h->room ? 2 * h->room : 64;
		struct handed *lines = realloc(h->lines, room * sizeof(*lines));
		if (!lines)
			return false;
		h->lines = lines;
		h->room = room;
	}
	h->lines[h->at + h->count++] = (struct handed){h->in->number, bytes, false};
	h->unanswered++;
	h->bytes += bytes;
	return true;
}

/* The one that the node calls `line`, which has its answer now; NULL: nobody asked. */
static const struct handed *answer(struct handing *h, uint64_t line)
{
	struct handed *l;

	if (line < h->first || line - h->first >= h->count)
		return NULL;
	l = &h->lines[h->at + (line - h->first)];
	if (l->answered)
		return NULL;
	l->answered = true;
	h->unanswered--;
	h->bytes -= l->bytes;
	return l;
}

static void forget_answered(struct handing *h)
{
	while (h->count && h->lines[h->at].answered) {
		h->at++;
		h->first++;
		h->count--;
	}
}

/* What the node says. */

/* As it came, but for the number of the line. */
static void put_numbered(struct bb_buf *out, const struct bb_json *doc, uint64_t number)
{
	struct bb_json_writer w = {.buf = out};

	bb_json_open(&w, '{');
	for (const struct bb_json *v = doc->child; v; v = v->next) {
		bb_json_key_span(&w, v->key);
		if (bb_span_is(v->key, "line"))
			bb_json_i64(&w, (int64_t)number);
		else
			bb_json_raw(&w, v->raw);
	}
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

static void put_verdict(struct handing *h, const struct bb_json *doc, uint64_t line,
	uint64_t number, struct bb_span raw)
{
	const struct bb_json *valid = bb_json_find(doc, "valid");
	const bool good = valid && valid->type == BB_JSON_BOOL && valid->truth &&
			  !bb_json_is(bb_json_find(doc, "result"), "orphan");

	if (bb_json_is(bb_json_find(doc, "error"), "malformed-line"))
		bb_lines_status(h->in, BB_CALLER);
	else if (!good)
		bb_lines_status(h->in, BB_NO);
	if (number == line) {
		bb_put(&h->out->buf, raw.data, raw.len);
		bb_put_u8(&h->out->buf, '\n');
	} else {
		put_numbered(&h->out->buf, doc, number);
	}
}

static void take_answer(struct handing *h, struct bb_span raw)
{
	const char *why;
	const struct bb_json *doc = bb_json_parse(&h->arena, &why, raw);
	const struct handed *l = NULL;
	int64_t line;

	if (doc && bb_json_int(&line, bb_json_find(doc, "line"), 1, INT64_MAX))
		l = answer(h, (uint64_t)line);
	if (l)
		put_verdict(h, doc, (uint64_t)line, l->number, raw);
	forget_answered(h);
	bb_arena_reset(&h->arena);
	if (h->in->fail_fast && h->in->status)
		h->stop = true;
}

static void take_answers(struct handing *h)
{
	struct bb_buf *b = &h->coming;
	size_t at = 0;
	const unsigned char *lf;

	while (!h->stop && (lf = memchr(b->data + h->seen, '\n', b->len - h->seen))) {
		take_answer(h, BB_SPAN(b->data + at, (size_t)(lf - (b->data + at))));
		h->seen = at = (size_t)(lf - b->data) + 1;
	}
	memmove(b->data, b->data + at, b->len - at);
	b->len -= at;
	h->seen = b->len;
}

/* The connection. */

static void pull(struct handing *h)
{
	unsigned char *room = bb_buf_room(&h->coming, READ_SIZE);
	const ssize_t n = room ? read(h->fd, room, READ_SIZE) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		h->gone = true;
		return;
	}
	h->coming.len += (size_t)n;
	take_answers(h);
}

static void push(struct handing *h)
{
	const ssize_t n = write(h->fd, h->going.data + h->gone_to, h->going.len - h->gone_to);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		pull(h); /* its last words, then its end */
		h->gone = h->gone || errno == EPIPE;
	}
	h->gone_to += n > 0 ? (size_t)n : 0;
	if (h->gone_to == h->going.len)
		h->gone_to = h->going.len = 0;
}

/* Wait until the node takes or says something, or, if `input` is one, until that has input:
 * then true. */
static bool turn(struct handing *h, int input, int timeout_ms)
{
	struct pollfd p[] = {
		{.fd = h->fd, .events = (short)(POLLIN | (h->going.len ? POLLOUT : 0))},
		{.fd = input, .events = POLLIN},
	};

	bb_sink_flush(h->out);
	if (h->out->error)
		h->stop = true;
	if (h->stop || poll(p, 2, timeout_ms) < 0)
		return false;
	if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
		pull(h);
	if (!h->gone && p[0].revents & POLLOUT)
		push(h);
	return p[1].revents;
}

static bool goes_on(const struct handing *h)
{
	return !h->gone && !h->stop;
}

static void tell_lost(struct handing *h)
{
	char why[128];

	forget_answered(h);
	if (!h->unanswered) {
		bb_lines_report(h->in, 0, BB_SYSTEM, "the node went away", BB_SPAN(NULL, 0));
		return;
	}
	snprintf(why, sizeof(why),
		"the node went away: %zu line%s without a verdict, from here on", h->unanswered,
		h->unanswered == 1 ? "" : "s");
	bb_lines_report(h->in, h->lines[h->at].number, BB_SYSTEM, why, BB_SPAN(NULL, 0));
}

static int finish(struct handing *h, bool ended)
{
	int status;

	if (h->gone && (h->unanswered || !ended))
		tell_lost(h);
	bb_sink_flush(h->out);
	let_sigpipe(&h->pipe, h->out);
	close(h->fd);
	free(h->lines);
	bb_buf_free(&h->going);
	bb_buf_free(&h->coming);
	bb_arena_free(&h->arena);
	status = bb_lines_close(h->in, h->out);
	return status;
}

/* While there is no input: what the node says is printed at once. When the node has gone, no
 * more input is waited for. */
static void idle(void *handing)
{
	struct handing *h = handing;

	while (goes_on(h) && !turn(h, h->in->fd, -1))
		;
	if (!goes_on(h))
		exit(finish(h, false));
}

static void hand_in(struct handing *h, struct bb_span line)
{
	if (!add_handed(h, line.len + 1)) {
		bb_lines_report(
			h->in, h->in->number, BB_SYSTEM, "out of memory", BB_SPAN(NULL, 0));
		h->stop = true;
		return;
	}
	bb_put(&h->going, line.data, line.len);
	bb_put_u8(&h->going, '\n');
	if (h->going.failed) {
		h->going.len = h->gone_to = 0;
		h->gone = true;
	}
	if (h->going.len >= SEND_SIZE)
		turn(h, -1, 0);
	while (goes_on(h) && h->bytes > WINDOW)
		turn(h, -1, -1);
}

int relaytool_lines(struct bb_lines *in, struct bb_sink *out, int fd)
{
	struct handing h = {.in = in, .out = out, .fd = fd, .first = 1};
	struct bb_span line;

	hold_sigpipe(&h.pipe);
	in->idle = idle;
	in->arg = &h;
	while (goes_on(&h) && bb_lines_read(in, &line))
		hand_in(&h, line);
	while (goes_on(&h) && h.unanswered)
		turn(&h, -1, -1);
	return finish(&h, !h.unanswered);
}

bool relaytool_say(int fd, const char *line)
{
	struct bb_sink node = {.fd = fd};
	struct sigaction before;

	hold_sigpipe(&before);
	bb_put_str(&node.buf, line);
	bb_sink_flush(&node);
	bb_buf_free(&node.buf);
	sigaction(SIGPIPE, &before, NULL);
	return !node.error;
}

/* Something came, or ended; false: it is our reader that has gone. */
static bool wait_to_read(int fd, int out)
{
	struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = out}};

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	return !(p[1].revents & POLLERR);
}

int relaytool_print(struct bb_lines *in, struct bb_sink *out, int fd, enum bb_status end)
{
	unsigned char *room;
	ssize_t n = 1;

	while (n > 0 && bb_sink_flush(out) && wait_to_read(fd, out->fd) &&
		(room = bb_buf_room(&out->buf, READ_SIZE))) {
		n = read(fd, room, READ_SIZE);
		if (n > 0)
			out->buf.len += (size_t)n;
		else if (n < 0 && (errno == EAGAIN || errno == EINTR))
			n = 1;
	}
	close(fd);
	if (!bb_sink_flush(out))
		bb_lines_report(in, 0, BB_SYSTEM, "cannot write", BB_SPAN(NULL, 0));
	else if (n <= 0 && end)
		bb_lines_report(in, 0, end, "the node went away", BB_SPAN(NULL, 0));
	bb_buf_free(&out->buf);
	return in->status;
}
