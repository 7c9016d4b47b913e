#include "values.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 256 << 10 };

static void report(struct values *v, uint64_t line, enum bb_status status, const char *why)
{
	v->speaks(v->arg);
	bb_lines_report(v->in, line, status, why, BB_SPAN(NULL, 0));
}

/* Of what began on that line. */
static void report_bad(struct values *v, const char *why)
{
	v->in->records++;
	report(v, v->line, BB_CALLER, why);
}

static bool stopped(const struct values *v)
{
	return v->in->fail_fast && v->in->status;
}

/* Characters. */

static void begin(struct values *v)
{
	v->state = VALUES_INSIDE;
	v->start = v->at;
	v->line = v->newlines + 1;
	v->depth = 1;
	v->quoted = v->escaped = v->skipped = false;
	v->last = '{';
}

static void break_off(struct values *v)
{
	report_bad(v, v->skipped ? "template too long" : "malformed JSON: it breaks off");
	v->state = VALUES_BETWEEN;
}

/* In a string, where a line cannot end: what does is broken. */
static void step_quoted(struct values *v, unsigned char c)
{
	if (c == '\n')
		break_off(v);
	else if (v->escaped)
		v->escaped = false;
	else if (c == '\\')
		v->escaped = true;
	else if (c == '"')
		v->quoted = false;
}

/* True when the value is whole. An object can stand behind a colon, a comma or a bracket only:
 * elsewhere it is the next value, and the one before has no end. */
static bool step_inside(struct values *v, unsigned char c)
{
	if (v->quoted) {
		step_quoted(v, c);
		return false;
	}
	if (c == '{' && !memchr(":,[", v->last, 3)) {
		break_off(v);
		begin(v);
		return false;
	}
	if (c == '{' || c == '[')
		v->depth++;
	if (c == '}' || c == ']')
		v->depth--;
	v->quoted = c == '"';
	if (!memchr(" \t\r\n", c, 4))
		v->last = c;
	return !v->depth;
}

static void step_outside(struct values *v, unsigned char c)
{
	if (v->state == VALUES_JUNK && c == '\n') {
		v->state = VALUES_BETWEEN;
		report_bad(v, "malformed JSON: not an object");
	} else if (v->state == VALUES_BETWEEN && c == '{') {
		begin(v);
	} else if (v->state == VALUES_BETWEEN && !memchr(" \t\r\n", c, 4)) {
		v->state = VALUES_JUNK;
		v->line = v->newlines + 1;
	}
}

/* Go on to the end of a value; false when there is none in what was read. */
static bool scan(struct values *v, struct bb_span *value)
{
	const size_t max = v->in->max_line ? v->in->max_line : BB_MAX_LINE;
	bool whole = false;

	while (v->at < v->buf.len && !whole && !stopped(v)) {
		const unsigned char c = v->buf.data[v->at];
		if (v->state == VALUES_INSIDE)
			whole = step_inside(v, c);
		else
			step_outside(v, c);
		v->within = c != '\n';
		v->newlines += !v->within;
		v->at++;
		if (v->state == VALUES_INSIDE && v->at - v->start > max)
			v->skipped = true;
		if (whole && v->skipped) {
			break_off(v);
			whole = false;
		}
	}
	if (!whole)
		return false;
	v->in->records++;
	v->state = VALUES_BETWEEN;
	*value = BB_SPAN(v->buf.data + v->start, v->at - v->start);
	return true;
}

/* Files. */

static void report_errno(struct values *v, const char *what, enum bb_status status)
{
	char why[512];

	snprintf(why, sizeof(why), "%s %.300s: %s", what, v->in->name ? v->in->name : "stdin",
		strerror(errno));
	report(v, 0, status, why);
}

/* Turn to the next input that can be opened. */
static bool next_file(struct values *v)
{
	struct bb_lines *in = v->in;

	if (v->opened && v->fd > STDIN_FILENO)
		close(v->fd);
	v->fd = STDIN_FILENO;
	if (!v->opened && (!in->files || !*in->files)) {
		in->files = NULL;
		return v->opened = true;
	}
	v->opened = true;
	while (in->files && *in->files && !stopped(v)) {
		in->name = *in->files++;
		if (strcmp(in->name, "-") == 0)
			return true;
		if ((v->fd = open(in->name, O_RDONLY | O_CLOEXEC)) >= 0)
			return true;
		report_errno(v, "cannot open", BB_CALLER);
	}
	return false;
}

/* The end of a file ends what stands in it. */
static void end_file(struct values *v)
{
	if (v->state == VALUES_INSIDE)
		break_off(v);
	else if (v->state == VALUES_JUNK)
		report_bad(v, "malformed JSON: not an object");
	v->state = VALUES_BETWEEN;
	v->newlines += v->within; /* the end of a file ends its last line */
	v->within = false;
	v->ended = !next_file(v);
}

/* Keep what belongs to a value, and nothing of one that is too long. */
static void drop_read(struct values *v)
{
	const size_t from = v->state == VALUES_INSIDE && !v->skipped ? v->start : v->buf.len;

	memmove(v->buf.data, v->buf.data + from, v->buf.len - from);
	v->buf.len -= from;
	v->at = v->buf.len;
	v->start = 0;
}

/* One read(2). */
static void fill(struct values *v)
{
	unsigned char *room;
	ssize_t n;

	if (v->buf.len)
		drop_read(v);
	if (!(room = bb_buf_room(&v->buf, READ_SIZE))) {
		report(v, 0, BB_SYSTEM, "out of memory");
		v->ended = true;
		return;
	}
	do
		n = read(v->fd, room, READ_SIZE);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		report_errno(v, "cannot read", errno == EISDIR ? BB_CALLER : BB_SYSTEM);
	if (n > 0)
		v->buf.len += (size_t)n;
	else
		end_file(v);
}

enum values_state values_next(struct values *v, struct bb_span *value, int wait_ms)
{
	if (!v->opened)
		v->ended = !next_file(v);
	for (;;) {
		struct pollfd pfd = {.fd = v->fd, .events = POLLIN};
		if (scan(v, value))
			return VALUES_GOT;
		if (v->ended || stopped(v))
			return VALUES_END;
		if (poll(&pfd, 1, wait_ms) > 0)
			fill(v);
		else if (wait_ms >= 0)
			return VALUES_NONE;
	}
}

void values_free(struct values *v)
{
	if (v->opened && v->fd > STDIN_FILENO)
		close(v->fd);
	bb_buf_free(&v->buf);
}
