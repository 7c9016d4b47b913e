#include "base/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <unistr.h>

#include "base/json.h"

enum { READ_SIZE = 256 << 10, FLUSH_SIZE = 64 << 10 };

bool bb_sink_flush(struct bb_sink *s)
{
	size_t done = 0;

	if (s->buf.failed)
		s->error = ENOMEM;
	while (!s->error && done < s->buf.len) {
		ssize_t n = write(s->fd, s->buf.data + done, s->buf.len - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			poll(&(struct pollfd){.fd = s->fd, .events = POLLOUT}, 1, -1);
		else if (errno != EINTR)
			s->error = errno;
	}
	s->buf.len = 0;
	return !s->error;
}

void bb_sink_turn(struct bb_sink *s)
{
	if (s->buf.len >= FLUSH_SIZE)
		bb_sink_flush(s);
}

static void flush_sink(void *sink)
{
	bb_sink_flush(sink);
}

void bb_lines_tie(struct bb_lines *in, struct bb_sink *out)
{
	in->idle = flush_sink;
	in->arg = out;
}

void bb_lines_status(struct bb_lines *in, enum bb_status status)
{
	if (in->status < (int)status)
		in->status = status;
}

/* Words that may hold a file's name, which may be any bytes: what is not UTF-8 becomes "?". */
static void put_words(struct bb_json_writer *w, const char *words)
{
	const size_t len = strlen(words);
	char clean[1024];

	if (!u8_check((const uint8_t *)words, len)) {
		bb_json_str(w, words);
		return;
	}
	for (size_t i = 0; i <= len && i < sizeof(clean); i++)
		clean[i] = (char)(words[i] & 0x80 ? '?' : words[i]);
	clean[sizeof(clean) - 1] = '\0';
	bb_json_str(w, clean);
}

void bb_put_error(
	struct bb_buf *b, const char *tool, uint64_t line, const char *why, struct bb_span from)
{
	struct bb_json_writer w = {.buf = b};

	bb_json_open(&w, '{');
	bb_json_key(&w, "type");
	bb_json_str(&w, "error");
	bb_json_key(&w, "tool");
	bb_json_str(&w, tool);
	if (line) {
		bb_json_key(&w, "line");
		bb_json_i64(&w, (int64_t)line);
	}
	if (from.len) {
		bb_json_key(&w, "from");
		bb_json_raw(&w, from);
	}
	bb_json_key(&w, "error");
	put_words(&w, why);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

void bb_lines_report(struct bb_lines *in, uint64_t number, enum bb_status status,
	const char *why, struct bb_span from)
{
	struct bb_sink err = {.fd = STDERR_FILENO};

	bb_put_error(&err.buf, in->tool, number, why, from);
	bb_sink_flush(&err);
	bb_buf_free(&err.buf);
	bb_lines_status(in, status);
	if (in->fail_fast)
		in->stop = true;
}

void bb_lines_bad(struct bb_lines *in, const char *why)
{
	bb_lines_report(in, in->number, BB_CALLER, why, BB_SPAN(NULL, 0));
}

/* What the system says of the input at hand. */
static void report_errno(struct bb_lines *in, const char *what, enum bb_status status)
{
	char why[512];

	snprintf(why, sizeof(why), "%s %.300s: %s", what, in->name ? in->name : "stdin",
		strerror(errno));
	bb_lines_report(in, 0, status, why, BB_SPAN(NULL, 0));
}

/* Turn to the next input that can be opened. */
static bool next_file(struct bb_lines *in)
{
	bool first = !in->opened;

	if (in->opened && in->fd > STDIN_FILENO)
		close(in->fd);
	in->opened = true;
	in->file++;
	if (!in->files || !*in->files) {
		in->files = NULL;
		in->fd = STDIN_FILENO;
		return first;
	}
	while (*in->files) {
		const char *name = *in->files++;
		in->name = name;
		if (strcmp(name, "-") == 0)
			in->fd = STDIN_FILENO;
		else
			in->fd = open(name, O_RDONLY | O_CLOEXEC);
		if (in->fd >= 0)
			return true;
		report_errno(in, "cannot open", BB_CALLER);
	}
	in->fd = -1;
	return false;
}

/* One read(2) to the end of the buffer; false at the end of all input. */
static bool fill(struct bb_lines *in)
{
	struct pollfd pfd = {.fd = in->fd, .events = POLLIN};
	unsigned char *room;
	ssize_t n;

	if (in->at) {
		memmove(in->buf.data, in->buf.data + in->at, in->buf.len - in->at);
		in->buf.len -= in->at;
		in->at = 0;
	}
	if (!(room = bb_buf_room(&in->buf, READ_SIZE))) {
		bb_lines_report(
			in, in->number + 1, BB_SYSTEM, "out of memory", BB_SPAN(NULL, 0));
		return false;
	}
	if (in->idle && poll(&pfd, 1, 0) == 0)
		in->idle(in->arg);
	do
		n = read(in->fd, room, READ_SIZE);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		report_errno(in, "cannot read", errno == EISDIR ? BB_CALLER : BB_SYSTEM);
		n = 0;
	}
	if (n > 0) {
		in->buf.len += (size_t)n;
		in->bytes += (uint64_t)n;
		return true;
	}
	if (in->buf.len) /* the end of a file ends its last line */
		bb_put_u8(&in->buf, '\n');
	in->ended = !next_file(in);
	return in->buf.len || !in->ended;
}

/* Pass over the rest of a line too long to hold; the end of its file ends it too. */
static void skip_line(struct bb_lines *in)
{
	const unsigned char *lf;

	do {
		const uint64_t file = in->file;
		in->buf.len = in->at = 0;
		if (in->ended || !fill(in) || in->file != file)
			return;
	} while (!(lf = memchr(in->buf.data, '\n', in->buf.len)));
	in->at = (size_t)(lf - in->buf.data) + 1;
}

static bool blank(struct bb_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!memchr(" \t\r", s.data[i], 3))
			return false;
	return true;
}

static void too_long(struct bb_lines *in)
{
	in->records++;
	if (in->too_long)
		in->too_long(in->arg);
	else
		bb_lines_bad(in, "line too long");
}

bool bb_lines_read(struct bb_lines *in, struct bb_span *line)
{
	const size_t max = in->max_line ? in->max_line : BB_MAX_LINE;
	size_t seen = 0; /* bytes of this line already searched */

	if (!in->opened && !next_file(in))
		return false;
	while (!in->stop) {
		unsigned char *start = in->buf.data + in->at;
		size_t have = in->buf.len - in->at;
		unsigned char *lf = have > seen ? memchr(start + seen, '\n', have - seen)
						: NULL;
		if (lf) {
			*line = BB_SPAN(start, (size_t)(lf - start));
			in->at += line->len + 1;
			in->number++;
			seen = 0;
		}
		if (lf && line->len > max) {
			too_long(in);
		} else if (lf && !blank(*line)) {
			in->records++;
			return true;
		} else if (!lf && have > max) {
			in->number++;
			too_long(in);
			skip_line(in);
			seen = 0;
		} else if (!lf) {
			seen = have;
			if (in->ended || !fill(in))
				return false;
		}
	}
	return false;
}

int bb_lines_close(struct bb_lines *in, struct bb_sink *out)
{
	if (out && !bb_sink_flush(out)) {
		char why[256];
		snprintf(why, sizeof(why), "cannot write: %s", strerror(out->error));
		bb_lines_report(in, 0, BB_SYSTEM, why, BB_SPAN(NULL, 0));
	}
	if (!in->records && !in->status)
		bb_lines_report(in, 0, BB_NO, "no input", BB_SPAN(NULL, 0));
	if (out)
		bb_buf_free(&out->buf);
	if (in->opened && in->fd > STDIN_FILENO)
		close(in->fd);
	bb_buf_free(&in->buf);
	return in->status;
}

bool bb_read_file(struct bb_buf *out, const char **why, const char *path, size_t max)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	while (fd >= 0) {
		unsigned char *room = bb_buf_room(out, 4096);
		if (!room) {
			errno = ENOMEM;
			break;
		}
		n = read(fd, room, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		out->len += (size_t)n;
		if (out->len > max) {
			errno = EFBIG;
			n = -1;
			break;
		}
	}
	if (n < 0)
		*why = strerror(errno);
	if (fd > STDIN_FILENO)
		close(fd);
	return n == 0;
}
