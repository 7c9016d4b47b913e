#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "crypto/curve.h"
#include "keys.h"
#include "progress.h"
#include "wallet/partial.h"
#include "wallet/sign.h"

static const struct tool tool = {
	.name = "bb-sign",
	.synopsis =
		"usage: bb-sign [-n network] -k keyfile ... [option ...] [file ...]\n"
		"Signs what its keys can sign of transaction lines; passes on what it cannot.\n"
		"  -k FILE                  a key file, or - for stdin; again for more\n"
		"  --partial                expect other signers: incomplete lines are no "
		"failure\n"
		"  --sighash TYPE           all, none, single, each also with |anyonecanpay, "
		"or default;\n"
		"                           stated: what each input asks for, even if it signs "
		"less\n"
		"  --verify                 run the interpreter over each input that was "
		"completed\n"
		"  --scan N                 keys of each chain to try for an input that does "
		"not tell\n"
		"                           which key of an extended key it needs (1000); 0: "
		"none\n"
		"  --derive PATH            try these keys too, as m/84h/0h/1h/0/0-19; again "
		"for more\n"
		"  --passphrase-fd N, --passphrase-file FILE\n"
		"                           opens encrypted key files\n"
		"  --mnemonic-passphrase-fd N, --mnemonic-passphrase-file FILE\n"
		"                           BIP 39's passphrase of mnemonics\n"
		"  -n, --network NAME|FILE  whose addresses ($BB_NETWORK, else regtest)\n"
		"  --fail-fast, --max-line BYTES, --help, --version\n",
};

enum {
	PARTIAL = TOOL_OWN,
	SIGHASH,
	VERIFY,
	SCAN,
	DERIVE,
	PASSPHRASE_FD,
	PASSPHRASE_FILE,
	MNEMONIC_PASSPHRASE_FD,
	MNEMONIC_PASSPHRASE_FILE,
};

static const struct option options[] = {
	TOOL_LONG,
	{"partial", no_argument, 0, PARTIAL},
	{"sighash", required_argument, 0, SIGHASH},
	{"verify", no_argument, 0, VERIFY},
	{"scan", required_argument, 0, SCAN},
	{"derive", required_argument, 0, DERIVE},
	{"passphrase-fd", required_argument, 0, PASSPHRASE_FD},
	{"passphrase-file", required_argument, 0, PASSPHRASE_FILE},
	{"mnemonic-passphrase-fd", required_argument, 0, MNEMONIC_PASSPHRASE_FD},
	{"mnemonic-passphrase-file", required_argument, 0, MNEMONIC_PASSPHRASE_FILE},
	{0},
};

/* One run of the tool. */
struct run {
	/* As asked for. */
	struct keys keys;
	const char **paths;
	size_t path_count;
	const char *network_name;
	int sighash;  /* -1: each type's default */
	int64_t scan; /* -1: the default */
	bool partial, verify;

	struct bb_lines in;
	struct bb_network network;
	struct bb_curve *curve;
	struct bb_signer *signer;
	struct bb_arena arena;
	struct progress progress;
};

static void read_option(struct run *r, int opt)
{
	switch (opt) {
	case 'k': r->keys.names[r->keys.count++] = optarg; break;
	case PARTIAL: r->partial = true; break;
	case SIGHASH:
		if (strcmp(optarg, "stated") == 0)
			r->sighash = BB_SIGHASH_AS_STATED;
		else if (!bb_sighash_parse(&r->sighash, BB_SPAN(optarg, strlen(optarg))))
			tool_usage(&tool, "--sighash: no such type: %s", optarg);
		break;
	case VERIFY: r->verify = true; break;
	case SCAN: r->scan = tool_number(&tool, "--scan", optarg, 0, INT32_MAX); break;
	case DERIVE: r->paths[r->path_count++] = optarg; break;
	case PASSPHRASE_FD:
		passphrase_from_fd(&tool, &r->keys.passphrase, "--passphrase-fd", optarg);
		break;
	case PASSPHRASE_FILE: passphrase_from_file(&tool, &r->keys.passphrase, optarg); break;
	case MNEMONIC_PASSPHRASE_FD:
		passphrase_from_fd(&tool, &r->keys.mnemonic_passphrase,
			"--mnemonic-passphrase-fd", optarg);
		break;
	case MNEMONIC_PASSPHRASE_FILE:
		passphrase_from_file(&tool, &r->keys.mnemonic_passphrase, optarg);
		break;
	default: tool_option(&tool, opt, &r->in, &r->network_name);
	}
}

static void read_call(struct run *r, int argc, char **argv)
{
	int opt;

	keys_room(&tool, &r->keys, argc);
	if (!(r->paths = calloc((size_t)argc, sizeof(*r->paths))))
		tool_die(&tool, BB_SYSTEM, "out of memory");
	while ((opt = getopt_long(argc, argv, "k:n:", options, NULL)) != -1)
		read_option(r, opt);
	if (!r->keys.count)
		tool_usage(&tool, "no key file: -k");
	keys_check_stdin(&tool, &r->keys, argv + optind, "lines");
	tool_network(&tool, &r->network, r->network_name);
	r->in.files = argv + optind;
}

/* The key files and a terminal are held; lines may come from files yet to be opened. */
static void drop_rights(const struct run *r)
{
	tool_keep_to(r->in.files, NULL, 0);
	bb_sandbox_enter(
		(*r->in.files ? BB_SANDBOX_READER : BB_SANDBOX_FILTER) | keys_rights(&r->keys));
}

static void add_paths(struct run *r)
{
	struct bb_path path;
	const char *why;

	for (size_t i = 0; i < r->path_count; i++) {
		const char *text = r->paths[i];
		if (!bb_path_parse(&path, &why, BB_SPAN(text, strlen(text))))
			tool_die(&tool, BB_CALLER, "--derive: %s: %s", text, why);
		if (!bb_signer_derive(r->signer, &path))
			tool_die(&tool, BB_CALLER, "--derive: no extended key lies above %s",
				text);
	}
}

static void open_signer(struct run *r)
{
	if (!(r->curve = bb_curve_new()))
		tool_die(&tool, BB_SYSTEM, "no memory or no entropy");
	keys_open(&tool, &r->keys);
	drop_rights(r);
	keys_load(&tool, &r->keys, r->curve, &r->network);
	if (!(r->signer = bb_signer_new(&r->keys.ring, r->curve, &r->network)))
		tool_die(&tool, BB_SYSTEM, "out of memory");
	if (r->scan >= 0)
		bb_signer_scan(r->signer, (uint32_t)r->scan);
	add_paths(r);
	if (r->verify)
		bb_signer_verify(r->signer);
}

/* Say of a line that is not complete which input is not, and why. What only waits for other
 * signers is no failure under --partial. */
static void report_incomplete(
	struct run *r, const struct bb_sign_report *report, const struct bb_txline *l)
{
	const struct bb_json *from = bb_json_find(l->doc, "from");
	const size_t missing = l->tx.in_count - report->complete;
	char why[256], more[64] = "";

	if (!missing || (r->partial && !report->refused))
		return;
	if (missing > 1)
		snprintf(more, sizeof(more), " (and %zu more of %zu)", missing - 1,
			l->tx.in_count);
	snprintf(why, sizeof(why), "input %zu: %s%s", report->input, report->why, more);
	progress_hide(&r->progress);
	bb_lines_report(&r->in, r->in.number, BB_NO, why, from ? from->raw : BB_SPAN(NULL, 0));
}

/* False with *why and, where the line tells it, the sender of a line that is no transaction. */
static bool sign_line(struct bb_buf *out, struct run *r, const char **why, struct bb_span *from,
	struct bb_span line)
{
	const struct bb_json *doc = bb_json_parse(&r->arena, why, line), *sender;
	struct bb_sign_report report;
	struct bb_txline l;

	if (!doc)
		return false;
	if ((sender = bb_json_find(doc, "from")))
		*from = sender->raw;
	*why = "not a transaction";
	if (!bb_line_is_tx(doc) || !bb_txline_read(&l, why, &r->arena, doc) ||
		!bb_sign_line(out, &report, why, r->signer, &l, &r->arena, r->sighash))
		return false;
	if (!report.changed) {
		bb_put(out, line.data, line.len);
		bb_put_u8(out, '\n');
	}
	report_incomplete(r, &report, &l);
	return true;
}

int main(int argc, char **argv)
{
	struct run r = {.in = {.tool = "bb-sign"}, .sighash = -1, .scan = -1};
	struct bb_sink out = {.fd = 1};
	struct bb_span line;
	const char *why;

	bb_sandbox_hide();
	read_call(&r, argc, argv);
	progress_start(&r.progress, tool.name, r.in.files);
	open_signer(&r);
	bb_lines_tie(&r.in, &out);
	while (bb_lines_read(&r.in, &line)) {
		struct bb_span from = BB_SPAN(NULL, 0);
		if (!sign_line(&out.buf, &r, &why, &from, line)) {
			progress_hide(&r.progress);
			bb_lines_report(&r.in, r.in.number, BB_CALLER, why, from);
		}
		progress_turn(&r.progress, r.in.number, r.in.bytes);
		bb_sink_turn(&out);
		bb_arena_reset(&r.arena);
	}
	progress_hide(&r.progress);
	bb_signer_free(r.signer);
	keys_free(&r.keys);
	bb_curve_free(r.curve);
	bb_arena_free(&r.arena);
	free(r.paths);
	return bb_lines_close(&r.in, &out);
}
