/* bb-encode: lines to bytes. */

#include <string.h>

#include "base/hex.h"
#include "base/sandbox.h"
#include "record.h"

static const struct tool tool = {
	"bb-encode",
	"usage: bb-encode [-n network] [--type tx|block|header|script|address] [--binary]\n"
	"                 [--fail-fast] [--max-line bytes] [file ...]\n"
	"Reads lines of JSON and writes the bytes of each, a line of hex.\n"
	"  --type TYPE              tx, block, header or script: only these;\n"
	"                           address: a script's address instead of its bytes\n"
	"  --binary                 raw bytes, one record after another\n"
	"  -n, --network NAME|FILE  whose addresses ($BB_NETWORK, else regtest)\n"
	"  --fail-fast              stop at the first bad line\n"
	"  --max-line BYTES, --help, --version\n",
};

struct encoder {
	enum record_type type;
	bool binary;
	struct bb_network network;
	struct bb_arena arena;
	struct bb_buf bytes;
};

static bool put_record(
	struct bb_buf *out, const char **why, struct encoder *e, const struct record *r)
{
	if (r->type == RECORD_ADDRESS && !e->binary) {
		*why = "the script has no address";
		if (!bb_put_address(out, r->script, &e->network))
			return false;
		bb_put_u8(out, '\n');
		return true;
	}
	if (e->binary) {
		record_put_bytes(out, r);
		return true;
	}
	e->bytes.len = 0;
	record_put_bytes(&e->bytes, r);
	bb_put_hex(out, e->bytes.data, e->bytes.len);
	bb_put_u8(out, '\n');
	out->failed |= e->bytes.failed;
	return true;
}

static void encode(
	struct bb_lines *in, struct bb_sink *out, struct encoder *e, struct bb_span line)
{
	const struct bb_json *from = NULL, *doc;
	const char *why;
	struct record r;

	doc = bb_json_parse(&e->arena, &why, line);
	if (doc)
		from = bb_json_find(doc, "from");
	if (!doc || !record_from_json(&r, &why, &e->arena, doc, e->type, &e->network) ||
		!put_record(&out->buf, &why, e, &r))
		bb_lines_report(
			in, in->number, BB_CALLER, why, from ? from->raw : BB_SPAN(NULL, 0));
	bb_arena_reset(&e->arena);
}

int main(int argc, char **argv)
{
	enum { TYPE = TOOL_OWN, BINARY };
	static const struct option options[] = {TOOL_LONG, {"type", required_argument, 0, TYPE},
		{"binary", no_argument, 0, BINARY}, {0}};
	struct bb_lines in = {.tool = tool.name};
	struct bb_sink out = {.fd = 1};
	struct encoder e = {0};
	const char *network = NULL;
	struct bb_span line;
	int opt;

	while ((opt = getopt_long(argc, argv, "n:", options, NULL)) != -1)
		switch (opt) {
		case TYPE: e.type = record_type(&tool, optarg); break;
		case BINARY: e.binary = true; break;
		default: tool_option(&tool, opt, &in, &network);
		}
	tool_network(&tool, &e.network, network);
	in.files = argv + optind;
	bb_lines_tie(&in, &out);
	tool_keep_to(in.files, NULL, 0);
	bb_sandbox_enter(BB_SANDBOX_READER);
	while (bb_lines_read(&in, &line)) {
		encode(&in, &out, &e, line);
		bb_sink_turn(&out);
	}
	bb_buf_free(&e.bytes);
	bb_arena_free(&e.arena);
	return bb_lines_close(&in, &out);
}
