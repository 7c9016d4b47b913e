#include "keyout.h"

#include <unistd.h>

enum { FLUSH_SIZE = 1 << 20, SLACK = 16 << 10 };

noreturn void keyout_fail(struct keyout *o, const char *what, const char *why)
{
	if (o->path)
		newfile_close(&o->file);
	tool_die(o->tool, BB_SYSTEM, "%s: %s", what, why);
}

void keyout_open(struct keyout *o, bool many)
{
	/* Once for all: secrets are not copied about. */
	const size_t room = many ? FLUSH_SIZE + SLACK : SLACK;
	enum bb_status status;
	const char *why;

	o->out.fd = STDOUT_FILENO;
	if (o->path && (status = newfile_open(&o->file, &why, o->path)) != BB_OK)
		tool_die(o->tool, status, "%s: %s", o->path, why);
	if (!bb_buf_room(&o->out.buf, room) ||
		(o->path && !bb_buf_room(&o->file.sink.buf, room)))
		keyout_fail(o, "cannot begin", "out of memory");
}

static void put_line(
	struct keyout *o, struct bb_buf *to, const struct bb_keyline *l, bool with_secret)
{
	const struct bb_span secret = BB_SPAN(l->secret.data, l->secret.len);
	struct bb_json_writer w = {.buf = to, .comma = true};

	bb_put(to, l->line.data, l->line.len);
	if (with_secret && o->encrypt) {
		if (!bb_key_seal(&w, &o->seal, secret))
			keyout_fail(o, "cannot encrypt", "no memory or no entropy");
	} else if (with_secret) {
		bb_json_key(&w, l->secret_name);
		bb_json_text(&w, secret);
	}
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

void keyout_keep(struct keyout *o, const struct bb_keyline *l)
{
	if (o->path)
		put_line(o, &o->file.sink.buf, l, true);
}

void keyout_print(struct keyout *o, const struct bb_keyline *l)
{
	put_line(o, &o->out.buf, l, o->print_secret && l->secret_name);
	if (o->out.buf.len >= FLUSH_SIZE || o->file.sink.buf.len >= FLUSH_SIZE)
		keyout_flush(o);
}

void keyout_flush(struct keyout *o)
{
	const char *why;

	if (o->path && !newfile_flush(&o->file, &why))
		keyout_fail(o, o->path, why);
	bb_sink_flush(&o->out);
}

int keyout_close(struct keyout *o)
{
	keyout_flush(o);
	if (o->path)
		newfile_close(&o->file);
	bb_buf_wipe(&o->out.buf);
	bb_wipe(&o->seal, sizeof(o->seal));
	return o->out.error;
}
