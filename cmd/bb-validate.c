/* bb-validate: judge lines by the consensus rules, needing nothing but the line. */

#include <string.h>

#include "base/hex.h"
#include "base/sandbox.h"
#include "bitcoin/script.h"
#include "crypto/hash.h"
#include "pool.h"
#include "tool.h"

static const struct tool tool = {
	"bb-validate",
	"usage: bb-validate [-n network] [-j threads] [--verdict] [--partial]\n"
	"                   [--line-flags] [--fail-fast] [--max-line bytes] [file ...]\n"
	"       bb-validate --mark [-n network] [-j threads] [--fail-fast]\n"
	"                   [--max-line bytes] [file ...]\n"
	"       bb-validate --trace [--verdict] [-n network] [--partial] [--line-flags]\n"
	"                   [--fail-fast] [--max-line bytes] [file ...]\n"
	"Passes valid transaction and block lines; verdicts on others go to stderr.\n"
	"  --verdict                a verdict for each line instead\n"
	"  -j, --jobs THREADS       so many threads (1); 0: one for each core\n"
	"  --partial                judge what can be judged where prevouts are missing\n"
	"  --line-flags             obey the lines' flags and input\n"
	"  --mark                   every line, with what was found as `checked`\n"
	"  --trace                  a line for each opcode executed\n"
	"  -n, --network NAME|FILE  whose rules ($BB_NETWORK, else regtest)\n"
	"  --fail-fast              stop at the first line that is malformed or invalid\n"
	"  --max-line BYTES, --help, --version\n",
};

enum { OPT_VERDICT = TOOL_OWN, OPT_PARTIAL, OPT_LINE_FLAGS, OPT_MARK, OPT_TRACE };

static const struct option options[] = {
	TOOL_LONG,
	{"jobs", required_argument, 0, 'j'},
	{"verdict", no_argument, 0, OPT_VERDICT},
	{"partial", no_argument, 0, OPT_PARTIAL},
	{"line-flags", no_argument, 0, OPT_LINE_FLAGS},
	{"mark", no_argument, 0, OPT_MARK},
	{"trace", no_argument, 0, OPT_TRACE},
	{0},
};

struct validate {
	struct bb_network network;
	bool verdict, partial, line_flags, mark, trace;
};

/* One line under judgement. */
struct record {
	struct worker *worker;
	const struct validate *opt;
	struct bb_span line;
	uint64_t number;
	struct bb_span from; /* raw, or empty */
	const struct bb_json *doc;
};

static void raise_status(struct worker *w, enum bb_status status)
{
	if (w->status < (int)status)
		w->status = status;
	w->bad = true;
}

static void pass(struct record *r)
{
	bb_put(r->worker->out, r->line.data, r->line.len);
	bb_put_u8(r->worker->out, '\n');
}

static void report(struct record *r, const struct bb_verdict *v)
{
	struct worker *w = r->worker;

	if (!v->valid)
		raise_status(w, BB_NO);
	if (r->opt->verdict)
		bb_put_verdict(w->out, v, r->number, r->from, true);
	else if (!v->valid)
		bb_put_verdict(w->err, v, r->number, r->from, true);
	else if (!r->opt->trace)
		pass(r);
}

/* --trace: a line for each opcode as it is about to be executed. */

static void put_stack(struct bb_json_writer *w, const char *key, const struct bb_stack *s)
{
	bb_json_key(w, key);
	bb_json_open(w, '[');
	for (size_t i = 0; i < s->count; i++)
		bb_json_hex(w, bb_element_span(&s->e[i]));
	bb_json_close(w, ']');
}

static void trace_step(void *arg, const struct bb_step *step)
{
	struct record *r = arg;
	struct bb_json_writer w = {.buf = r->worker->out};
	char name[24];

	if (!step->executed)
		return;
	bb_opcode_name(name, step->op.opcode);
	bb_json_open(&w, '{');
	bb_json_key(&w, "type");
	bb_json_str(&w, "trace");
	bb_json_key(&w, "line");
	bb_json_i64(&w, (int64_t)r->number);
	bb_json_key(&w, "id");
	bb_json_hash(&w, step->txid);
	bb_json_key(&w, "input");
	bb_json_i64(&w, (int64_t)step->input);
	bb_json_key(&w, "script");
	bb_json_str(&w, step->where);
	bb_json_key(&w, "position");
	bb_json_i64(&w, (int64_t)step->position);
	bb_json_key(&w, "opcode");
	bb_json_str(&w, name);
	if (step->op.data.len) {
		bb_json_key(&w, "data");
		bb_json_hex(&w, step->op.data);
	}
	put_stack(&w, "stack", step->stack);
	put_stack(&w, "altstack", step->altstack);
	bb_json_key(&w, "condition");
	bb_json_open(&w, '[');
	for (size_t i = 0; i < step->condition_count; i++)
		bb_json_bool(&w, step->conditions[i]);
	bb_json_close(&w, ']');
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
	worker_turn(r->worker);
}

/* --mark: the line with what was found, for a judge that trusts this process. */

static void put_mark_open(struct record *r, struct bb_json_writer *w)
{
	static const char *const dropped[] = {"checked", NULL};

	bb_json_open(w, '{');
	bb_json_others(w, r->doc, dropped);
}

static void put_result(struct bb_json_writer *w, const char *key, const char *reason)
{
	bb_json_key(w, key);
	bb_json_str(w, reason ? reason : "OK");
}

/* `height`: under whose rules a block's scripts ran; -1: no block, or none was claimed. */
static void put_mark(struct record *r, const char *id_key, const unsigned char id[32],
	int64_t height, const struct bb_prevout *prevouts, size_t count, const char *consensus,
	const char *standard)
{
	struct bb_json_writer w = {.buf = r->worker->out};
	unsigned char hash[32];

	put_mark_open(r, &w);
	bb_json_key(&w, "checked");
	bb_json_open(&w, '{');
	bb_json_key(&w, id_key);
	bb_json_hash(&w, id);
	if (height >= 0) {
		bb_json_key(&w, "height");
		bb_json_i64(&w, height);
	}
	bb_prevouts_hash(hash, prevouts, count);
	bb_json_key(&w, "prevouts");
	bb_json_hex(&w, BB_SPAN(hash, 32));
	put_result(&w, "consensus", consensus);
	if (standard || id_key[0] == 'w')
		put_result(&w, "standard", standard);
	bb_json_close(&w, '}');
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

/* A record that is not marked goes on, but never with a mark that came in. */
static void pass_unmarked(struct record *r)
{
	struct bb_json_writer w = {.buf = r->worker->out};

	if (!bb_json_get(r->doc, "checked")) {
		pass(r);
		return;
	}
	put_mark_open(r, &w);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

/* A line that could not be read as what it claims to be. Under --mark it goes on too: whoever
 * judges behind answers for every record. */
static void malformed(struct record *r, const char *why)
{
	struct worker *w = r->worker;

	if (r->opt->mark && r->line.data) {
		if (r->doc)
			pass_unmarked(r);
		else
			pass(r);
		return;
	}
	raise_status(w, BB_CALLER);
	if (r->opt->verdict) {
		struct bb_verdict v = {.error = "malformed-line"};
		strncat(v.detail, why, sizeof(v.detail) - 1);
		bb_put_verdict(w->out, &v, r->number, r->from, false);
	} else {
		bb_put_error(w->err, tool.name, r->number, why, r->from);
	}
}

/* Transactions and blocks. */

static struct bb_judge judge(const struct record *r)
{
	return (struct bb_judge){
		.network = &r->opt->network,
		.vm = &r->worker->vm,
		.arena = &r->worker->arena,
		.parallel = r->opt->trace ? NULL : r->worker->parallel,
		.partial = r->opt->partial,
		.line_flags = r->opt->line_flags,
		.every_input = !r->opt->mark,
	};
}

static void do_tx(struct record *r)
{
	const struct bb_judge j = judge(r);
	struct bb_txline l;
	struct bb_verdict v;
	const char *why, *standard;

	if (!bb_txline_read(&l, &why, j.arena, r->doc)) {
		malformed(r, why);
	} else if (r->opt->mark && !l.all_known) {
		pass_unmarked(r);
	} else if (r->opt->mark) {
		unsigned char wtxid[32];
		bb_tx_wtxid(wtxid, &l.tx);
		bb_judge_mark(&why, &standard, &j, &l);
		put_mark(r, "wtxid", wtxid, -1, l.prevouts, l.tx.in_count, why, standard);
	} else if (!bb_judge_tx(&v, &why, &j, &l)) {
		malformed(r, why);
	} else {
		report(r, &v);
	}
}

static void do_block(struct record *r)
{
	const struct bb_judge j = judge(r);
	struct bb_blockline l;
	struct bb_verdict v;
	const char *why;

	if (!bb_blockline_read(&l, &why, j.arena, r->doc)) {
		malformed(r, why);
	} else if (r->opt->mark && !l.all_known) {
		pass_unmarked(r);
	} else {
		bb_judge_block(&v, &j, &l);
		if (r->opt->mark)
			put_mark(r, "id", v.id, l.claims.height, l.prevouts, l.prevout_count,
				v.valid ? NULL : v.error, NULL);
		else
			report(r, &v);
	}
}

static void do_line(struct worker *w, void *arg, struct bb_span line, uint64_t number)
{
	const struct validate *opt = arg;
	struct record r = {.worker = w, .opt = opt, .line = line, .number = number};
	const struct bb_json *from;
	const char *why;

	if (!line.data) {
		malformed(&r, "line too long");
		return;
	}
	if (!(r.doc = bb_json_parse(&w->arena, &why, line))) {
		malformed(&r, why);
		return;
	}
	if ((from = bb_json_get(r.doc, "from")))
		r.from = from->raw;
	w->vm.trace = opt->trace ? trace_step : NULL;
	w->vm.trace_arg = &r;
	if (bb_line_is_block(r.doc))
		do_block(&r);
	else if (bb_line_is_tx(r.doc))
		do_tx(&r);
	else if (opt->mark)
		pass_unmarked(&r);
	else
		malformed(&r, "neither a transaction nor a block");
}

int main(int argc, char **argv)
{
	struct validate opt = {0};
	struct bb_lines in = {.tool = tool.name};
	struct bb_sink out = {.fd = 1};
	const char *network = NULL;
	unsigned threads = 1;
	struct pool *pool;
	int c;

	while ((c = getopt_long(argc, argv, "n:j:", options, NULL)) != -1) {
		switch (c) {
		case 'j': threads = tool_threads(&tool, optarg); break;
		case OPT_VERDICT: opt.verdict = true; break;
		case OPT_PARTIAL: opt.partial = true; break;
		case OPT_LINE_FLAGS: opt.line_flags = true; break;
		case OPT_MARK: opt.mark = true; break;
		case OPT_TRACE: opt.trace = true; break;
		default: tool_option(&tool, c, &in, &network); break;
		}
	}
	if (opt.mark && (opt.verdict || opt.trace || opt.line_flags || opt.partial))
		tool_usage(&tool,
			"--mark goes with none of --verdict, --trace, --line-flags, --partial");
	tool_network(&tool, &opt.network, network);
	in.files = argv + optind;
	tool_keep_to(in.files, NULL, 0);
	if (!(pool = pool_new(opt.trace ? 1 : threads, &in, &out, do_line, &opt)))
		tool_die(&tool, BB_SYSTEM, "cannot start %u threads", threads);
	bb_sandbox_enter(*in.files ? BB_SANDBOX_READER : BB_SANDBOX_FILTER);
	pool_run(pool);
	pool_free(pool);
	return bb_lines_close(&in, &out);
}
