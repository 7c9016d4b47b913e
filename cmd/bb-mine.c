#include "tool.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/sandbox.h"
#include "bitcoin/address.h"
#include "clock.h"
#include "crypto/curve.h"
#include "hashrate.h"
#include "miner.h"
#include "keys.h"
#include "values.h"

static const struct tool tool = {
	.name = "bb-mine",
	.synopsis =
		"usage: bb-mine [-n network] [--to address|script] [-j threads] [option ...] "
		"[file ...]\n"
		"Finds the nonce: block templates in (getblocktemplate's), blocks out.\n"
		"  --to ADDRESS|SCRIPT      who is paid: an address, or a script in hex\n"
		"  --text TEXT              to stand in the coinbase, up to 84 bytes\n"
		"  -j, --jobs N             search on N threads (1); 0: one for every core\n"
		"  --max-tries N            give a template up after so many nonces\n"
		"  --every SECONDS          rest so long after each block\n"
		"  -k FILE                  a key file, or - for stdin, that signs a signet's "
		"blocks;\n"
		"                           again for more\n"
		"  --passphrase-fd N, --passphrase-file FILE\n"
		"                           opens encrypted key files\n"
		"  -n, --network NAME|FILE  whose rules and addresses ($BB_NETWORK, else "
		"regtest)\n"
		"  --fail-fast, --max-line BYTES, --help, --version\n",
};

enum { TO = TOOL_OWN, TEXT, MAX_TRIES, EVERY, PASSPHRASE_FD, PASSPHRASE_FILE };

static const struct option options[] = {
	TOOL_LONG,
	{"to", required_argument, 0, TO},
	{"text", required_argument, 0, TEXT},
	{"jobs", required_argument, 0, 'j'},
	{"max-tries", required_argument, 0, MAX_TRIES},
	{"every", required_argument, 0, EVERY},
	{"passphrase-fd", required_argument, 0, PASSPHRASE_FD},
	{"passphrase-file", required_argument, 0, PASSPHRASE_FILE},
	{0},
};

enum { MAX_REST_S = 24 * 3600 };

/* A template and what is made of it. */
struct job {
	struct bb_arena arena;
	struct bb_template template;
	struct bb_assembly assembly;
	uint64_t line; /* where it was read */
};

/* One run of the tool. */
struct run {
	/* As asked for. */
	const char *network_name, *to;
	struct keys keys;
	unsigned threads;
	uint64_t max_tries, every_ms;
	struct bb_payout payout;

	struct bb_lines in;
	struct bb_sink out;
	struct bb_network network;
	struct bb_buf script; /* that is paid */
	struct bb_curve *curve;
	struct bb_signer *signer; /* NULL: no keys */

	struct values values;
	struct bb_arena work; /* a template's JSON */
	struct job job[2];    /* the one at hand, and room for the next */
	unsigned at;	      /* the one at hand */
	bool busy;
	bool waits;	  /* the one at hand, for the end of the rest */
	uint64_t rest_ms; /* until then */
	struct miner *miner;
	bool unpaid;		   /* whoever mines here; it ends */
	struct bb_candidate first; /* a template's first candidate, to be judged */
	struct bb_buf block;
	struct hashrate hashrate;
};

/* The call. */

static void read_option(struct run *r, int opt)
{
	switch (opt) {
	case TO: r->to = optarg; break;
	case TEXT:
		r->payout.text = BB_SPAN(optarg, strlen(optarg));
		if (r->payout.text.len > BB_PAYOUT_TEXT)
			tool_usage(&tool, "--text: longer than %d bytes", BB_PAYOUT_TEXT);
		break;
	case 'j': r->threads = tool_threads(&tool, optarg); break;
	case MAX_TRIES:
		r->max_tries = (uint64_t)tool_number(
			&tool, "--max-tries", optarg, 1, INT64_MAX);
		break;
	case EVERY:
		r->every_ms = 1000 *
			      (uint64_t)tool_number(&tool, "--every", optarg, 0, MAX_REST_S);
		break;
	case 'k': r->keys.names[r->keys.count++] = optarg; break;
	case PASSPHRASE_FD:
		passphrase_from_fd(&tool, &r->keys.passphrase, "--passphrase-fd", optarg);
		break;
	case PASSPHRASE_FILE: passphrase_from_file(&tool, &r->keys.passphrase, optarg); break;
	default: tool_option(&tool, opt, &r->in, &r->network_name);
	}
}

/* An address, else a script in hex. */
static void read_payout(struct run *r)
{
	const struct bb_span to = BB_SPAN(r->to, strlen(r->to));
	const char *why;
	unsigned char *room;

	if (!bb_address_script(&r->script, &why, to, &r->network)) {
		room = bb_buf_room(&r->script, to.len / 2 + 1);
		if (!room)
			tool_die(&tool, BB_SYSTEM, "out of memory");
		if (!to.len || to.len % 2 || !bb_hex_decode(room, to.data, to.len / 2))
			tool_die(&tool, BB_CALLER, "--to: %s: %.200s", why, r->to);
		r->script.len = to.len / 2;
	}
	r->payout.script = BB_SPAN(r->script.data, r->script.len);
}

static void read_call(struct run *r, int argc, char **argv)
{
	int opt;

	keys_room(&tool, &r->keys, argc);
	while ((opt = getopt_long(argc, argv, "j:k:n:", options, NULL)) != -1)
		read_option(r, opt);
	keys_check_stdin(&tool, &r->keys, argv + optind, "templates");
	tool_network(&tool, &r->network, r->network_name);
	if (r->keys.count && !r->network.signet_challenge_len)
		tool_usage(&tool, "-k: blocks are signed on a signet only (-n)");
	if (r->to)
		read_payout(r);
	r->in.files = argv + optind;
}

static void clear_terminal(void *run)
{
	hashrate_hide(&((struct run *)run)->hashrate);
}

/* What needs files and terminals comes first; they are held when the rest is given up. */
static void open_all(struct run *r)
{
	if (r->keys.count) {
		if (!(r->curve = bb_curve_new()))
			tool_die(&tool, BB_SYSTEM, "no memory or no entropy");
		keys_open(&tool, &r->keys);
	}
	hashrate_open(&r->hashrate, tool.name);
	tool_keep_to(r->in.files, NULL, 0);
	bb_sandbox_enter(
		(*r->in.files ? BB_SANDBOX_READER : BB_SANDBOX_FILTER) | keys_rights(&r->keys));
	if (r->keys.count) {
		keys_load(&tool, &r->keys, r->curve, &r->network);
		if (!(r->signer = bb_signer_new(&r->keys.ring, r->curve, &r->network)))
			tool_die(&tool, BB_SYSTEM, "out of memory");
	}
	if (!(r->miner = miner_new(r->threads)))
		tool_die(&tool, BB_SYSTEM, "no memory or no threads");
	r->values.in = &r->in;
	r->values.speaks = clear_terminal;
	r->values.arg = r;
}

/* Templates. */

static void report(struct run *r, uint64_t line, enum bb_status status, const char *why,
	const struct bb_json *from)
{
	hashrate_hide(&r->hashrate);
	bb_lines_report(&r->in, line, status, why, from ? from->raw : BB_SPAN(NULL, 0));
}

/* The template of a value, which may be the answer that a node gave to a call. NULL with *why.
 */
static const struct bb_json *find_template(const char **why, const struct bb_json *doc)
{
	const struct bb_json *type = bb_json_find(doc, "type"), *result;

	*why = "not a template";
	if (type)
		return bb_json_is(type, "template") ? doc : NULL;
	if (!bb_json_get(doc, "result"))
		return doc;
	result = bb_json_find(doc, "result");
	if (!result && bb_json_find(doc, "error"))
		*why = "an error of a node's in place of a template";
	return result && result->type == BB_JSON_OBJECT ? result : NULL;
}

/* The candidate that is judged before the work begins: unsigned first, to find out whether the
 * challenge wants a signature. */
static bool try_first(
	struct run *r, enum bb_status *status, const char **why, struct bb_assembly *b)
{
	const uint32_t time = b->t->header.time;

	*status = BB_CALLER;
	if (!bb_candidate_make(&r->first, why, b, 0, time, NULL) ||
		!bb_candidate_check(&r->first, why, b))
		return false;
	if (!b->sign)
		return true;
	*why = "the signet's challenge needs a signature (-k)";
	if (!r->signer)
		return false;
	*status = BB_NO;
	return bb_candidate_make(&r->first, why, b, 0, time, r->signer) &&
	       bb_candidate_check(&r->first, why, b);
}

/* Without --to only a template that pays somebody itself is of use; another of its kind will be
 * like it, so the call is wrong. */
static bool pays_somebody(struct run *r, const char **why, const struct bb_template *t)
{
	r->unpaid = !r->payout.script.len && !t->coinbase;
	if (r->unpaid)
		*why = "nobody would be paid: the template has no coinbasetxn, and --to is not "
		       "given";
	return !r->unpaid;
}

/* False with a reason and a status for it. */
static bool read_template(struct job *j, char why[256], enum bb_status *status, struct run *r,
	const struct bb_json *doc)
{
	const struct bb_json *result;
	const char *reason;
	size_t at = SIZE_MAX;

	*status = BB_CALLER;
	result = find_template(&reason, doc);
	if (result &&
		bb_template_read(&j->template, &reason, &at, &j->arena, result, &r->network) &&
		pays_somebody(r, &reason, &j->template) &&
		bb_assemble(&j->assembly, &reason, &j->arena, &j->template, &r->payout,
			&r->network) &&
		try_first(r, status, &reason, &j->assembly))
		return true;
	if (at != SIZE_MAX)
		snprintf(why, 256, "transactions[%zu]: %s", at, reason);
	else if (*status == BB_NO)
		snprintf(why, 256, "the signet's challenge was not signed: %s", reason);
	else
		snprintf(why, 256, "%s", reason);
	return false;
}

/* A block line, at once. */
static void write_block(struct run *r)
{
	const struct job *j = &r->job[r->at];
	struct bb_json_writer w = {.buf = &r->out.buf};
	const struct bb_candidate *c;
	struct bb_header header;
	unsigned char id[32];
	uint32_t nonce;

	c = miner_found(r->miner, &nonce);
	r->block.len = 0;
	bb_put_candidate(&r->block, &header, c, &j->assembly, nonce);
	bb_header_hash(id, &header);
	r->out.buf.failed |= r->block.failed;
	bb_json_open(&w, '{');
	bb_json_key(&w, "type");
	bb_json_str(&w, "block");
	bb_json_key(&w, "hex");
	bb_json_hex(&w, BB_SPAN(r->block.data, r->block.len));
	bb_json_key(&w, "height");
	bb_json_i64(&w, j->template.height);
	bb_json_key(&w, "id");
	bb_json_hash(&w, id);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
	hashrate_hide(&r->hashrate);
	bb_sink_flush(&r->out);
	r->rest_ms = clock_ms() + r->every_ms;
}

/* What the work came to, if it has come to an end. */
static void settle(struct run *r, enum miner_state state)
{
	const struct job *j = &r->job[r->at];

	r->busy = state == MINER_BUSY;
	if (state == MINER_FOUND)
		write_block(r);
	else if (state == MINER_SPENT)
		report(r, j->line, BB_NO, "no block was found", NULL);
	else if (state == MINER_FAILED)
		report(r, j->line, BB_SYSTEM, miner_why(r->miner), NULL);
}

/* What is next takes the place of the one at hand. */
static void change(struct run *r)
{
	if (r->busy)
		settle(r, miner_stop(r->miner));
	r->at = !r->at;
	r->busy = false;
	r->waits = true;
}

/* How long to wait for news: not at all at work, to the end of a rest, or for ever. */
static int patience_ms(const struct run *r)
{
	const uint64_t now_ms = clock_ms();

	if (!r->busy && !r->waits)
		return -1;
	return r->waits && now_ms < r->rest_ms ? (int)(r->rest_ms - now_ms) : 0;
}

static void begin(struct run *r)
{
	r->waits = false;
	r->busy = true;
	hashrate_start(&r->hashrate, miner_hashes(r->miner), r->job[r->at].template.height,
		r->job[r->at].template.target);
	miner_set(r->miner, &r->job[r->at].assembly, r->max_tries, r->signer);
}

static void take(struct run *r, struct bb_span value)
{
	struct job *next = &r->job[!r->at];
	const struct bb_json *doc;
	enum bb_status status = BB_CALLER;
	const char *malformed;
	char why[256];

	bb_arena_reset(&next->arena);
	next->line = r->values.line;
	doc = bb_json_parse(&r->work, &malformed, value);
	if (!doc)
		report(r, next->line, BB_CALLER, malformed, NULL);
	else if (read_template(next, why, &status, r, doc))
		change(r);
	else
		report(r, next->line, status, why, bb_json_find(doc, "from"));
	bb_arena_reset(&r->work);
}

/* Templates are looked for between turns, and waited for when there is nothing to do. */
static void mine(struct run *r)
{
	bool ended = false;

	while (!r->out.error && !r->unpaid && !(r->in.fail_fast && r->in.status)) {
		struct bb_span value;
		enum values_state state = VALUES_END;
		if (!ended)
			state = values_next(&r->values, &value, patience_ms(r));
		else if (r->waits)
			poll(NULL, 0, patience_ms(r));
		ended = state == VALUES_END;
		if (state == VALUES_GOT)
			take(r, value);
		else if (r->busy)
			settle(r, miner_turn(r->miner));
		else if (r->waits && patience_ms(r) == 0)
			begin(r);
		else if (ended && !r->waits)
			return;
		hashrate_turn(&r->hashrate, miner_hashes(r->miner));
	}
}

static int close_all(struct run *r)
{
	hashrate_hide(&r->hashrate);
	miner_free(r->miner);
	values_free(&r->values);
	bb_candidate_free(&r->first);
	for (int i = 0; i < 2; i++)
		bb_arena_free(&r->job[i].arena);
	bb_arena_free(&r->work);
	bb_signer_free(r->signer);
	keys_free(&r->keys);
	bb_curve_free(r->curve);
	bb_buf_free(&r->script);
	bb_buf_free(&r->block);
	return bb_lines_close(&r->in, &r->out);
}

int main(int argc, char **argv)
{
	struct run r = {
		.in = {.tool = "bb-mine"},
		.out = {.fd = STDOUT_FILENO},
		.threads = 1,
		.max_tries = UINT64_MAX,
	};

	bb_sandbox_hide();
	read_call(&r, argc, argv);
	open_all(&r);
	mine(&r);
	return close_all(&r);
}
