#include "relaytool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bitcoin/judge.h"
#include "ledgerline.h"

enum {
	WINDOW = 1 << 20, /* bytes handed in and not answered */
	READ_SIZE = 64 << 10,
	SEND_SIZE = 64 << 10,
	ANSWER_MAX = 128 << 20, /* bytes of one; a hub holds no more for a connection */
};

/* A line that was handed in. */
struct handed {
	uint64_t number; /* here; the node counts for itself; 0: none */
	size_t bytes;	 /* of the window, until its verdict is printed */
	bool answered;
	struct bb_buf verdict; /* kept until those before it have theirs */
};

struct handing {
	struct bb_lines *in;
	struct bb_sink *out;
	int fd;
	unsigned failures;
	struct handed *lines; /* not printed, in order; the first is the node's line `first` */
	uint64_t first;
	size_t at, count, room; /* of lines: where they begin, how many, places */
	size_t unanswered;	/* of them */
	size_t bytes;		/* of all of them */
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

static struct handed *add_handed(struct handing *h, uint64_t number, size_t bytes)
{
	struct handed *l;

	if (h->at + h->count == h->room && h->at > h->room / 2) {
		memmove(h->lines, h->lines + h->at, h->count * sizeof(*h->lines));
		h->at = 0;
	}
	if (h->at + h->count == h->room) {
		const size_t room = h->room ? 2 * h->room : 64;
		struct handed *lines = realloc(h->lines, room * sizeof(*lines));
		if (!lines)
			return NULL;
		h->lines = lines;
		h->room = room;
	}
	l = &h->lines[h->at + h->count++];
	*l = (struct handed){.number = number, .bytes = bytes};
	h->unanswered++;
	h->bytes += bytes;
	return l;
}

/* The one that the node calls `line`, which waits for its answer; NULL: nobody asked. */
static struct handed *find_asked(struct handing *h, uint64_t line)
{
	struct handed *l;

	if (line < h->first || line - h->first >= h->count)
		return NULL;
	l = &h->lines[h->at + (line - h->first)];
	return l->answered ? NULL : l;
}

static void print(struct handing *h, struct handed *l)
{
	h->out->buf.failed |= l->verdict.failed;
	bb_put(&h->out->buf, l->verdict.data, l->verdict.len);
	bb_buf_free(&l->verdict);
}

/* What has its verdict now; in order, so that one that comes early waits. */
static void answered(struct handing *h, struct handed *l, enum bb_status status)
{
	l->answered = true;
	l->bytes += l->verdict.len;
	h->bytes += l->verdict.len;
	h->unanswered--;
	bb_lines_status(h->in, status);
	while (h->count && h->lines[h->at].answered) {
		print(h, &h->lines[h->at]);
		h->bytes -= h->lines[h->at++].bytes;
		h->first++;
		h->count--;
	}
	if (h->in->fail_fast && h->in->status)
		h->stop = true;
}

/* What the node says. */

/* As it came, but for the number of the line. */
static void put_numbered(struct bb_buf *out, const struct bb_json *doc, uint64_t number)
{
	struct bb_json_writer w = {.buf = out};

	bb_json_open(&w, '{');
	for (const struct bb_json *v = doc->child; v; v = v->next) {
		const bool line = bb_span_is(v->key, "line");
		if (!line)
			bb_json_member_raw(&w, v);
		else if (number)
			bb_json_member_i64(&w, "line", (int64_t)number);
	}
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

static enum bb_status status_of(const struct handing *h, const struct bb_json *doc)
{
	const struct bb_json *valid = bb_json_find(doc, "valid");

	if (bb_json_is(bb_json_find(doc, "error"), "malformed-line"))
		return BB_CALLER;
	if (!valid || valid->type != BB_JSON_BOOL || !valid->truth)
		return BB_NO;
	return h->failures & RELAYTOOL_ORPHANS &&
			       bb_json_is(bb_json_find(doc, "result"), "orphan")
		       ? BB_NO
		       : BB_OK;
}

static void take_answer(struct handing *h, struct bb_span raw)
{
	const char *why;
	const struct bb_json *doc = bb_json_parse(&h->arena, &why, raw);
	struct handed *l = NULL;
	int64_t line;

	if (doc && bb_json_int(&line, bb_json_find(doc, "line"), 1, INT64_MAX))
		l = find_asked(h, (uint64_t)line);
	if (l && l->number == (uint64_t)line) {
		bb_put(&l->verdict, raw.data, raw.len);
		bb_put_u8(&l->verdict, '\n');
	} else if (l) {
		put_numbered(&l->verdict, doc, l->number);
	}
	if (l)
		answered(h, l, status_of(h, doc));
	bb_arena_reset(&h->arena);
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
	h->gone = h->gone || h->coming.len > ANSWER_MAX;
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
	const uint64_t from = h->unanswered ? h->lines[h->at].number : 0;
	char why[128] = "the node went away";

	if (h->unanswered && !from)
		snprintf(why, sizeof(why), "the node went away without a verdict");
	else if (h->unanswered)
		snprintf(why, sizeof(why),
			"the node went away: %zu line%s without a verdict, from here on",
			h->unanswered, h->unanswered == 1 ? "" : "s");
	bb_lines_report(h->in, from, BB_SYSTEM, why, BB_SPAN(NULL, 0));
}

/* Verdicts that had come early are told even where those before them never will be. */
static void end(struct handing *h, bool ended)
{
	for (size_t i = 0; i < h->count; i++)
		print(h, &h->lines[h->at + i]);
	if (h->gone && (h->unanswered || !ended))
		tell_lost(h);
	bb_sink_flush(h->out);
	let_sigpipe(&h->pipe, h->out);
	close(h->fd);
	free(h->lines);
	bb_buf_free(&h->going);
	bb_buf_free(&h->coming);
	bb_arena_free(&h->arena);
}

/* While there is no input: what the node says is printed at once. When the node has gone, no
 * more input is waited for. */
static void idle(void *handing)
{
	struct handing *h = handing;

	while (goes_on(h) && !turn(h, h->in->fd, -1))
		;
	if (goes_on(h))
		return;
	end(h, false);
	exit(bb_lines_close(h->in, h->out));
}

static struct handed *no_memory(struct handing *h, uint64_t number)
{
	bb_lines_report(h->in, number, BB_SYSTEM, "out of memory", BB_SPAN(NULL, 0));
	h->stop = true;
	return NULL;
}

/* The next of the node's lines; an empty one it counts, and says nothing of it. */
static struct handed *hand_in(struct handing *h, uint64_t number, struct bb_span line)
{
	struct handed *l = add_handed(h, number, line.len + 1);

	if (!l)
		return no_memory(h, number);
	bb_put(&h->going, line.data, line.len);
	bb_put_u8(&h->going, '\n');
	if (!h->going.failed)
		return l;
	h->going.len = h->gone_to = 0;
	return no_memory(h, number);
}

/* What the ledger would call malformed is told here, as the ledger tells it: no line of the
 * input is anything else to the node, neither a question nor an order. */
static void refuse(struct handing *h, const char *why, struct bb_span from)
{
	struct bb_verdict v = {.error = "malformed-line"};
	struct handed *l = hand_in(h, h->in->number, BB_SPAN(NULL, 0));

	if (!l)
		return;
	strncat(v.detail, why, sizeof(v.detail) - 1);
	bb_put_verdict(&l->verdict, &v, h->in->number, from, false);
	answered(h, l, BB_CALLER);
	bb_sink_turn(h->out);
}

static void too_long(void *handing)
{
	refuse(handing, "line too long", BB_SPAN(NULL, 0));
}

static bool is_far_ahead(const struct handing *h)
{
	return h->bytes > WINDOW || (h->in->fail_fast && h->unanswered);
}

static void take_line(struct handing *h, struct bb_span line)
{
	enum ledgerline kind;
	struct bb_span from;
	const char *why;

	if (ledgerline_read(&kind, &from, &why, &h->arena, line, false))
		hand_in(h, h->in->number, line);
	else
		refuse(h, why, from);
	bb_arena_reset(&h->arena);
	if (h->going.len >= SEND_SIZE)
		turn(h, -1, 0);
	while (goes_on(h) && is_far_ahead(h))
		turn(h, -1, -1);
}

static void begin(struct handing *h)
{
	hold_sigpipe(&h->pipe);
	h->first = 1;
}

static void await_verdicts(struct handing *h)
{
	while (goes_on(h) && h->unanswered)
		turn(h, -1, -1);
}

int relaytool_lines(struct bb_lines *in, struct bb_sink *out, int fd, unsigned failures)
{
	struct handing h = {.in = in, .out = out, .fd = fd, .failures = failures};
	struct bb_span line;

	begin(&h);
	in->idle = idle;
	in->too_long = too_long;
	in->arg = &h;
	while (goes_on(&h) && bb_lines_read(in, &line))
		take_line(&h, line);
	await_verdicts(&h);
	end(&h, !h.unanswered);
	return bb_lines_close(in, out);
}

void relaytool_order(struct bb_lines *in, struct bb_sink *out, int fd, struct bb_span line)
{
	struct handing h = {.in = in, .out = out, .fd = fd};

	begin(&h);
	hand_in(&h, 0, line);
	await_verdicts(&h);
	end(&h, !h.unanswered);
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
