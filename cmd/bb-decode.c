/* bb-decode: bytes to lines. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/sandbox.h"
#include "bitcoin/script.h"
#include "record.h"

static const struct tool tool = {
	"bb-decode",
	"bb-decode [-n network] [--type tx|block|header|script|address] [--lean | --full]\n"
	"          [--binary] [--fail-fast] [--max-line bytes] [file ...]\n",
};

struct decoder {
	enum record_type type;
	bool lean;
	struct bb_network network;
	struct bb_arena arena;
	struct bb_buf bytes;
	struct bb_lines in;
	struct bb_sink out;
};

/* Writing lines. Of the line that came in, what is not made new is kept. */

static void member_type(struct bb_json_writer *w, const char *type)
{
	bb_json_key(w, "type");
	bb_json_str(w, type);
}

static void member_hex(struct bb_json_writer *w, struct decoder *d, const struct record *r)
{
	d->bytes.len = 0;
	record_put_bytes(&d->bytes, r);
	d->out.buf.failed |= d->bytes.failed;
	bb_json_key(w, "hex");
	bb_json_hex(w, BB_SPAN(d->bytes.data, d->bytes.len));
}

static void others(
	struct bb_json_writer *w, const struct bb_json *doc, const char *const *known)
{
	if (doc)
		bb_json_others(w, doc, known);
}

static bool any_known(const struct bb_prevout *prevouts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (prevouts[i].known)
			return true;
	return false;
}

/* The members of inputs that the bytes do not hold, partial signatures among them. */
static void member_partial_inputs(struct bb_json_writer *w, const struct bb_json *vin)
{
	static const char *const known[] = {"txid", "vout", "prevout", "scriptsig",
		"scriptsig_asm", "witness", "is_coinbase", "sequence", "inner_redeemscript_asm",
		"inner_witnessscript_asm", NULL};
	const struct bb_json_writer before = *w;
	const size_t len = w->buf->len;
	bool any = false;

	bb_json_key(w, "vin");
	bb_json_open(w, '[');
	for (const struct bb_json *v = vin ? vin->child : NULL; v; v = v->next) {
		bb_json_open(w, '{');
		bb_json_others(w, v, known);
		any |= w->comma; /* something stands in the braces */
		bb_json_close(w, '}');
	}
	bb_json_close(w, ']');
	if (!any) {
		*w = before;
		w->buf->len = len;
	}
}

static void put_tx(struct bb_json_writer *w, struct decoder *d, const struct record *r)
{
	/* A stated fee stays where it cannot be computed. */
	static const char *const known[] = {"type", "hex", "txid", "wtxid", "version",
		"locktime", "vin", "vout", "size", "weight", "prevouts", "fee", NULL};
	static const char *const known_but_fee[] = {"type", "hex", "txid", "wtxid", "version",
		"locktime", "vin", "vout", "size", "weight", "prevouts", NULL};
	const struct bb_txline *l = &r->tx;

	member_type(w, "tx");
	if (d->lean) {
		member_hex(w, d, r);
		if (any_known(l->prevouts, l->tx.in_count))
			bb_json_prevouts(w, l->prevouts, l->tx.in_count);
		member_partial_inputs(w, l->vin);
	} else {
		bb_json_tx(w, &l->tx, l->prevouts, l->vin, &d->network);
	}
	others(w, r->doc, l->all_known || bb_tx_is_coinbase(&l->tx) ? known : known_but_fee);
}

static void put_block(struct bb_json_writer *w, struct decoder *d, const struct record *r)
{
	static const char *const known[] = {"type", "hex", "id", "version", "timestamp",
		"tx_count", "size", "weight", "merkle_root", "previousblockhash", "nonce",
		"bits", "difficulty", "tx", "prevouts", "height", "mediantime", NULL};
	static const char *const known_lean[] = {"type", "hex", "id", "version", "timestamp",
		"tx_count", "size", "weight", "merkle_root", "previousblockhash", "nonce",
		"bits", "difficulty", "tx", "prevouts", NULL};
	const struct bb_blockline *l = &r->block;

	member_type(w, "block");
	if (d->lean) {
		member_hex(w, d, r);
		if (l->all_known || any_known(l->prevouts, l->prevout_count))
			bb_json_prevouts(w, l->prevouts, l->prevout_count);
	} else {
		bb_json_block(w, l, &d->network);
	}
	others(w, r->doc, d->lean ? known_lean : known);
}

static void put_header(struct bb_json_writer *w, struct decoder *d, const struct record *r)
{
	static const char *const known[] = {"type", "hex", "id", "version", "timestamp",
		"merkle_root", "previousblockhash", "nonce", "bits", "difficulty", NULL};

	member_type(w, "header");
	if (d->lean)
		member_hex(w, d, r);
	else
		bb_json_header(w, &r->header);
	others(w, r->doc, known);
}

static void put_script(struct bb_json_writer *w, struct decoder *d, const struct record *r)
{
	static const char *const known[] = {
		"type", "hex", "asm", "scripttype", "address", NULL};

	member_type(w, "script");
	member_hex(w, d, r);
	d->bytes.len = 0;
	bb_put_asm(&d->bytes, r->script);
	bb_json_key(w, "asm");
	bb_json_text(w, BB_SPAN(d->bytes.data, d->bytes.len));
	bb_json_key(w, "scripttype");
	bb_json_str(w, bb_script_type_name(bb_script_type(r->script)));
	d->bytes.len = 0;
	if (bb_put_address(&d->bytes, r->script, &d->network)) {
		bb_json_key(w, "address");
		bb_json_text(w, BB_SPAN(d->bytes.data, d->bytes.len));
	}
	others(w, r->doc, known);
}

static void put_record(struct decoder *d, const struct record *r)
{
	struct bb_json_writer w = {.buf = &d->out.buf};

	bb_json_open(&w, '{');
	switch (r->type) {
	case RECORD_TX: put_tx(&w, d, r); break;
	case RECORD_BLOCK: put_block(&w, d, r); break;
	case RECORD_HEADER: put_header(&w, d, r); break;
	default: put_script(&w, d, r);
	}
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

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
		put_record(d, &r);
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

/* Raw bytes: records back to back, or blocks in the framing of blk*.dat, magic and length. */

enum { READ_SIZE = 256 << 10, GUESS_SIZE = 4 << 20, MAX_RECORD = 32 << 20, FRAME = 8 };

struct stream {
	struct decoder *d;
	int fd;
	struct bb_buf buf;
	size_t at;
	bool ended;
	uint64_t records;
};

static struct bb_span left(const struct stream *s)
{
	return BB_SPAN(s->buf.data + s->at, s->buf.len - s->at);
}

static void stream_bad(struct stream *s, enum bb_status status, const char *why)
{
	bb_lines_report(&s->d->in, s->records, status, why, BB_SPAN(NULL, 0));
}

/* One read, behind what is there; output goes out before one that could block. */
static void fill(struct stream *s)
{
	struct pollfd ready = {.fd = s->fd, .events = POLLIN};
	unsigned char *room;
	ssize_t n;

	if (s->at) {
		s->buf.len -= s->at;
		memmove(s->buf.data, s->buf.data + s->at, s->buf.len);
		s->at = 0;
	}
	if (poll(&ready, 1, 0) == 0)
		bb_sink_flush(&s->d->out);
	room = bb_buf_room(&s->buf, READ_SIZE);
	do
		n = room ? read(s->fd, room, READ_SIZE) : 0;
	while (n < 0 && errno == EINTR);
	if (n < 0 || !room)
		stream_bad(s, BB_SYSTEM, room ? strerror(errno) : "out of memory");
	s->ended = n <= 0;
	s->buf.len += n > 0 ? (size_t)n : 0;
}

/* Are there n bytes? Reads until there are, or the stream ends. */
static bool have(struct stream *s, size_t n)
{
	while (left(s).len < n && !s->ended)
		fill(s);
	return left(s).len >= n;
}

/* The length of the record that begins here; 0 when it is not whole. */
static size_t record_len(struct stream *s, enum record_type type)
{
	struct bb_reader r = bb_reader(left(s).data, left(s).len);
	struct bb_tx tx;
	uint64_t txs = type != RECORD_HEADER;
	bool good = true;

	if (type != RECORD_TX)
		bb_get_span(&r, BB_HEADER_SIZE);
	if (type == RECORD_BLOCK)
		txs = bb_get_compact(&r);
	for (; txs && good; txs--)
		good = bb_tx_read(&tx, &r, &s->d->arena, true);
	bb_arena_reset(&s->d->arena);
	return good && !r.bad ? left(s).len - bb_left(&r) : 0;
}

static bool is_framed(struct stream *s)
{
	return have(s, 4) && bb_le32(left(s).data) == s->d->network.magic;
}

/* What a stream holds, by its start. A header may look like a transaction without inputs, so
 * the larger is tried first. */
static enum record_type guess(struct stream *s)
{
	have(s, GUESS_SIZE);
	if (record_len(s, RECORD_BLOCK) > BB_HEADER_SIZE + 1)
		return RECORD_BLOCK;
	if (left(s).len % BB_HEADER_SIZE == 0)
		return RECORD_HEADER;
	return RECORD_TX;
}

static size_t max_record(const struct stream *s)
{
	size_t max = s->d->in.max_line;

	return max && max < MAX_RECORD ? max : MAX_RECORD;
}

/* The next record's bytes, which the stream is then past. False at the end; with *why set, when
 * what is left is none. */
static bool next_bare(
	struct bb_span *bytes, const char **why, struct stream *s, enum record_type type)
{
	size_t len;

	while (!(len = record_len(s, type)) && !s->ended && left(s).len < max_record(s))
		have(s, left(s).len + 1);
	*bytes = BB_SPAN(left(s).data, len);
	if (!len && left(s).len)
		*why = "what follows is no whole record";
	s->at += len;
	return len;
}

static bool next_framed(struct bb_span *bytes, const char **why, struct stream *s)
{
	size_t len;

	/* Core sets space aside in zeros. */
	while (!is_framed(s) && left(s).len && left(s).data[0] == 0)
		s->at++;
	if (!left(s).len)
		return false;
	*why = "what follows is no block behind this network's magic";
	if (!is_framed(s) || !have(s, FRAME))
		return false;
	*why = "a block too long";
	if ((len = bb_le32(left(s).data + 4)) > max_record(s))
		return false;
	*why = "a block cut short";
	if (!have(s, FRAME + len))
		return false;
	*why = NULL;
	*bytes = BB_SPAN(left(s).data + FRAME, len);
	s->at += FRAME + len;
	return true;
}

static void decode_stream(struct stream *s)
{
	struct decoder *d = s->d;
	enum record_type type = d->type;
	const bool framed = (type == RECORD_ANY || type == RECORD_BLOCK) && is_framed(s);
	const char *why = NULL;
	struct bb_span bytes;
	struct record r;

	if (type == RECORD_ANY)
		type = framed ? RECORD_BLOCK : guess(s);
	while (framed ? next_framed(&bytes, &why, s) : next_bare(&bytes, &why, s, type)) {
		s->records++;
		if (record_from_bytes(&r, &why, &d->arena, bytes, type))
			put_record(d, &r);
		else
			stream_bad(s, BB_CALLER, why);
		bb_arena_reset(&d->arena);
		bb_sink_turn(&d->out);
		if (d->in.fail_fast && d->in.status)
			return;
	}
	if (why) {
		s->records++;
		stream_bad(s, BB_CALLER, why);
	}
}

static void decode_file(struct stream *s, const char *name)
{
	s->fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	s->at = s->buf.len = 0;
	s->ended = false;
	if (s->fd < 0)
		stream_bad(s, BB_CALLER, strerror(errno));
	else
		decode_stream(s);
	if (s->fd > STDIN_FILENO)
		close(s->fd);
}

/* Each file is a stream of its own. */
static int decode_streams(struct decoder *d, char *const *files)
{
	struct stream s = {.d = d};

	if (!*files)
		decode_file(&s, "-");
	for (; *files && !(d->in.fail_fast && d->in.status); files++)
		decode_file(&s, *files);
	bb_buf_free(&s.buf);
	d->in.records = s.records;
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
		case LEAN: d.lean = true; break;
		case FULL: d.lean = false; break;
		case BINARY: binary = true; break;
		default: tool_option(&tool, opt, &d.in, &network);
		}
	if (binary && d.type >= RECORD_SCRIPT)
		tool_usage(&tool, "--binary reads transactions, blocks and headers only");
	tool_network(&tool, &d.network, network);
	d.in.files = argv + optind;
	bb_sandbox_enter(BB_SANDBOX_READER);
	status = binary ? decode_streams(&d, argv + optind) : decode_lines(&d);
	bb_buf_free(&d.bytes);
	bb_arena_free(&d.arena);
	return status;
}
