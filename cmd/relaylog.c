#include "relaylog.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"

enum { LOG_MAX = 2048 }; /* bytes: what a pipe takes whole, or not at all */

/* What is not ASCII may be no UTF-8: it comes from anywhere. */
static void clean(char *out, size_t size, const char *words)
{
	size_t len = 0;

	for (; words[len] && len < size - 1; len++)
		out[len] = (char)(words[len] & 0x80 ? '?' : words[len]);
	out[len] = '\0';
}

void relaylog(const struct tool *t, const char *words)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	char text[LOG_MAX / 2];
	struct bb_buf line = {0};
	struct bb_json_writer w = {.buf = &line};

	clean(text, sizeof(text), words);
	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", "log");
	bb_json_member_str(&w, "tool", t->name);
	bb_json_member_i64(&w, "time", (int64_t)time(NULL));
	bb_json_member_str(&w, "text", text);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
	if (!line.failed && line.len <= LOG_MAX && poll(&p, 1, 0) == 1 &&
		write(STDERR_FILENO, line.data, line.len) < 0)
		line.len = 0; /* whom could it be told? */
	bb_buf_free(&line);
}
