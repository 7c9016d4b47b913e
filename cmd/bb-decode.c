/* bb-decode: bytes to lines. */

#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/sandbox.h"
#include "bytestream.h"

static const struct tool tool = {
	"bb-decode",
	"usage: bb-decode [-n network] [--type tx|block|header|script|address]\n"
	"                 [--lean | --full] [--binary] [--fail-fast] [--max-line bytes]\n"
	"                 [file ...]\n"
	"Reads hex, addresses, lines or bytes, and writes each as a line of JSON.\n"
	"  --type TYPE              tx, block, header, script or address; the first three\n"
	"                           tell themselves\n"
	"  --full                   every field; the default\n"
	"  --lean                   hex, and what is not in it\n"
	"  --binary                 raw bytes come in, or blk*.dat files\n"
	"  -n, --network NAME|FILE  whose addresses ($BB_NETWORK, else regtest)\n"
	"  --fail-fast              stop at the first bad line\n"
	"  --max-line BYTES, --help, --version\n",
};

struct decoder {
	enum record_type type;
	struct bb_network network;
	struct record_writer writer;
	struct bb_arena arena;
	struct bb_lines in;
	struct bb_sink out;
	uint64_t records; /* of streams */
};

/* Lines: hex, an address, or JSON of either form. */

static struct bb_span trim(struct bb_span s)
{
	while (s.len && memchr(" \t\r", s.data[0], 3))
		s.data++, s.len--;
	while (s.len && memchr(" \t\r", s.data[s.len - 1], 3))
		s.len--;
	return s;
}

static bool from_text(
	struct record *r, const char **why, struct decoder *d, struct bb_span text)
{
	struct bb_span bytes;

	if (d->type == RECORD_ADDRESS)
		return record_from_address(r, why, &d->arena, text, &d->network);
	*why = "odd or not hex";
	return bb_hex_span(&bytes, text, &d->arena) &&
	       record_from_bytes(r, why, &d->arena, bytes, d->type);
}

static void decode(struct decoder *d, struct bb_span line)
{
	const struct bb_json *from = NULL, *doc;
	const char *why;
	struct record r;
	bool good;

	line = trim(line);
	if (line.len && line.data[0] == '{') {
		doc = bb_json_parse(&d->arena, &why, line);
		from = bb_json_find(doc, "from");
		good = doc && record_from_json(&r, &why, &d->arena, doc, d->type, &d->network);
	} else {
		good = from_text(&r, &why, d, line);
	}
	if (good)
		record_put_line(&d->out.buf, &d->writer, &r);
	else
		bb_lines_report(&d->in, d->in.number, BB_CALLER, why,
			from ? from->raw : BB_SPAN(NULL, 0));
	bb_arena_reset(&d->arena);
}

static int decode_lines(struct decoder *d)
{
	struct bb_span line;

	bb_lines_tie(&d->in, &d->out);
	while (bb_lines_read(&d->in, &line)) {
		decode(d, line);
		bb_sink_turn(&d->out);
	}
	return bb_lines_close(&d->in, &d->out);
}

/* Streams: raw bytes. Each file is one of its own. */

static void flush_output(void *arg)
{
	struct decoder *d = arg;

	bb_sink_flush(&d->out);
}

static void report(struct decoder *d, enum bb_status status, const char *why)
{
	bb_lines_report(&d->in, d->records, status, why, BB_SPAN(NULL, 0));
}

static void read_failed(void *arg, const char *why)
{
	report(arg, BB_SYSTEM, why);
}

static void decode_stream(struct decoder *d, struct bytestream *s)
{
	struct bb_span bytes;
	struct record r;
	const char *why;

	while (bytestream_next(&bytes, &why, s)) {
		d->records++;
		if (record_from_bytes(&r, &why, &d->arena, bytes, s->type))
			record_put_line(&d->out.buf, &d->writer, &r);
		else
			report(d, BB_CALLER, why);
		bb_arena_reset(&d->arena);
		bb_sink_turn(&d->out);
		if (d->in.fail_fast && d->in.status)
			return;
	}
	if (why) {
		d->records++;
		report(d, BB_CALLER, why);
	}
}

static int decode_streams(struct decoder *d, char *const *files)
{
	static char dash[] = "-";
	static char *const only_stdin[] = {dash, NULL};
	struct bytestream s = {
		.asked = d->type,
		.magic = d->network.magic,
		.max = d->in.max_line,
		.idle = flush_output,
		.failed = read_failed,
		.arg = d,
	};
	const char *why;

	for (files = *files ? files : only_stdin; *files; files++) {
		if (d->in.fail_fast && d->in.status)
			break;
		if (bytestream_open(&s, &why, *files))
			decode_stream(d, &s);
		else
			report(d, BB_CALLER, why);
		bytestream_close(&s);
	}
	bytestream_free(&s);
	d->in.records = d->records;
	return bb_lines_close(&d->in, &d->out);
}

int main(int argc, char **argv)
{
	enum { TYPE = TOOL_OWN, LEAN, FULL, BINARY };
	static const struct option options[] = {TOOL_LONG, {"type", required_argument, 0, TYPE},
		{"lean", no_argument, 0, LEAN}, {"full", no_argument, 0, FULL},
		{"binary", no_argument, 0, BINARY}, {0}};
	struct decoder d = {.in = {.tool = tool.name}, .out = {.fd = STDOUT_FILENO}};
	const char *network = NULL;
	bool binary = false;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "n:", options, NULL)) != -1)
		switch (opt) {
		case TYPE: d.type = record_type(&tool, optarg); break;
		case LEAN: d.writer.lean = true; break;
		case FULL: d.writer.lean = false; break;
		case BINARY: binary = true; break;
		default: tool_option(&tool, opt, &d.in, &network);
		}
	if (binary && d.type >= RECORD_SCRIPT)
		tool_usage(&tool, "--binary reads transactions, blocks and headers only");
	tool_network(&tool, &d.network, network);
	d.writer.network = &d.network;
	d.in.files = argv + optind;
	tool_keep_to(d.in.files, NULL, 0);
	bb_sandbox_enter(argv[optind] ? BB_SANDBOX_READER : BB_SANDBOX_FILTER);
	status = binary ? decode_streams(&d, argv + optind) : decode_lines(&d);
	bb_buf_free(&d.writer.bytes);
	bb_arena_free(&d.arena);
	return status;
}
