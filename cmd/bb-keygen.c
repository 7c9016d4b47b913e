/* bb-keygen: make and derive keys and addresses. */

#include <stdlib.h>
#include <string.h>

#include "base/sandbox.h"
#include "keygen.h"
#include "passphrase.h"

static const struct tool tool = {"bb-keygen",
	"usage: bb-keygen -o FILE | --print-secret [--count N] [--mnemonic[=WORDS]] [OPTIONS]\n"
	"       bb-keygen [-o FILE] [--print-secret] [--derive PATH | --descriptor] [--xpub]\n"
	"                 [--account N] [--seed] [OPTIONS] FILE|- ...\n"
	"       bb-keygen -y FILE [OPTIONS]\n"
	"Makes keys of the system's entropy, or derives them from what files hold.\n"
	"  -o, --output FILE        secrets go to a new file of mode 0600\n"
	"  --print-secret           secrets go to stdout\n"
	"  --count N                so many new keys\n"
	"  --mnemonic[=WORDS]       a mnemonic of 12, 15, 18, 21 or 24 words\n"
	"  --uncompressed           a new key with an uncompressed public key\n"
	"  -y, --public FILE        a key file's public lines again\n"
	"  --derive PATH            keys below an extended key, as m/84h/1h/0h/0/0-19\n"
	"  --descriptor             output descriptors of both chains\n"
	"  --xpub                   the extended public key too\n"
	"  --account N              of the default path (0)\n"
	"  --seed                   hex is a BIP 32 seed, not entropy\n"
	"  -t, --address-type TYPE  p2pkh, p2sh-p2wpkh, p2wpkh or p2tr\n"
	"  --encrypt                secrets under a passphrase\n"
	"  --passphrase-fd N, --passphrase-file FILE\n"
	"                           the passphrase of encrypted keys\n"
	"  --mnemonic-passphrase-fd N, --mnemonic-passphrase-file FILE\n"
	"                           BIP 39's passphrase of mnemonics\n"
	"  -n, --network NAME|FILE  whose addresses ($BB_NETWORK, else regtest)\n"
	"  --fail-fast              stop at the first bad line\n"
	"  --max-line BYTES, --help, --version\n"};

enum { MAX_ACCOUNT = 0x7fffffff };

/* One run of the tool. */
struct run {
	struct keygen g;

	/* As asked for. */
	char *public_of;
	const char *network_name;
	bool uncompressed;
	int64_t count, words; /* words 0: no mnemonic */
	struct passphrase passphrase, mnemonic_passphrase, new_passphrase;

	char *const *names; /* of the files to read */
	size_t file_count;  /* 0: new keys */
	struct bb_keyfile *files;
	struct bb_network network;
	struct bb_curve *curve;
	int terminal; /* to ask for a passphrase; -1: none */
	struct passphrase_prompt prompt;
};

/* The call. */

enum {
	UNCOMPRESSED = TOOL_OWN,
	COUNT,
	MNEMONIC,
	SEED,
	DERIVE,
	ACCOUNT,
	XPUB,
	DESCRIPTOR,
	PRINT_SECRET,
	ENCRYPT,
	PASS_FD,
	PASS_FILE,
	WORDS_FD,
	WORDS_FILE,
};

static const struct option long_options[] = {TOOL_LONG, {"output", required_argument, 0, 'o'},
	{"public", required_argument, 0, 'y'}, {"address-type", required_argument, 0, 't'},
	{"uncompressed", no_argument, 0, UNCOMPRESSED}, {"count", required_argument, 0, COUNT},
	{"mnemonic", optional_argument, 0, MNEMONIC}, {"seed", no_argument, 0, SEED},
	{"derive", required_argument, 0, DERIVE}, {"account", required_argument, 0, ACCOUNT},
	{"xpub", no_argument, 0, XPUB}, {"descriptor", no_argument, 0, DESCRIPTOR},
	{"print-secret", no_argument, 0, PRINT_SECRET}, {"encrypt", no_argument, 0, ENCRYPT},
	{"passphrase-fd", required_argument, 0, PASS_FD},
	{"passphrase-file", required_argument, 0, PASS_FILE},
	{"mnemonic-passphrase-fd", required_argument, 0, WORDS_FD},
	{"mnemonic-passphrase-file", required_argument, 0, WORDS_FILE}, {0}};

static void set_type(struct run *r, const char *name)
{
	if (!bb_address_type_find(&r->g.line.type, name))
		tool_usage(&tool, "unknown address type: %s", name);
	r->g.line.type_given = true;
}

static void set_words(struct run *r, const char *words)
{
	r->words = words ? tool_number(&tool, "--mnemonic", words, 12, 24) : 12;
	if (r->words % 3)
		tool_usage(&tool, "--mnemonic: 12, 15, 18, 21 or 24 words");
}

static void set_option(struct run *r, int opt)
{
	switch (opt) {
	case 'o': r->g.out.path = optarg; break;
	case 'y': r->public_of = optarg; break;
	case 't': set_type(r, optarg); break;
	case UNCOMPRESSED: r->uncompressed = true; break;
	case COUNT: r->count = tool_number(&tool, "--count", optarg, 1, INT64_MAX); break;
	case MNEMONIC: set_words(r, optarg); break;
	case SEED: r->g.seed = true; break;
	case DERIVE: r->g.derive = optarg; break;
	case ACCOUNT:
		r->g.line.account_given = true;
		r->g.line.account = (uint32_t)tool_number(
			&tool, "--account", optarg, 0, MAX_ACCOUNT);
		break;
	case XPUB: r->g.line.xpub = true; break;
	case DESCRIPTOR: r->g.line.descriptor = true; break;
	case PRINT_SECRET: r->g.out.print_secret = true; break;
	case ENCRYPT: r->g.out.encrypt = true; break;
	case PASS_FD:
		passphrase_from_fd(&tool, &r->passphrase, "--passphrase-fd", optarg);
		break;
	case PASS_FILE: passphrase_from_file(&tool, &r->passphrase, optarg); break;
	case WORDS_FD:
		passphrase_from_fd(
			&tool, &r->mnemonic_passphrase, "--mnemonic-passphrase-fd", optarg);
		break;
	case WORDS_FILE: passphrase_from_file(&tool, &r->mnemonic_passphrase, optarg); break;
	default: tool_option(&tool, opt, &r->g.in, &r->network_name);
	}
}

static void check_call(struct run *r, bool files)
{
	const bool reads = files || r->public_of,
		   keeps = r->g.out.path || r->g.out.print_secret;
	struct bb_path path;
	const char *why;

	if (r->public_of && (files || keeps || r->g.derive || r->g.line.descriptor))
		tool_usage(&tool, "-y shows one file's keys, and nothing else");
	if (reads && (r->words || r->count || r->uncompressed))
		tool_usage(&tool, "--count, --mnemonic and --uncompressed are for new keys");
	if (!reads && !keeps)
		tool_usage(&tool, "a new key would be lost: give -o FILE or --print-secret");
	if (!reads && !r->words && (r->g.derive || r->g.seed || r->g.line.account_given))
		tool_usage(&tool, "paths need --mnemonic, or a FILE or - to read a key from");
	if (r->g.out.encrypt && !keeps)
		tool_usage(&tool, "--encrypt needs a place: -o FILE or --print-secret");
	if (r->g.derive &&
		!bb_path_parse(&path, &why, BB_SPAN(r->g.derive, strlen(r->g.derive))))
		tool_usage(&tool, "--derive: %s", why);
	if (r->g.derive && r->g.line.account_given)
		tool_usage(&tool, "--derive says the account, and so does --account");
	if (r->uncompressed && r->g.line.type_given && r->g.line.type != BB_TYPE_P2PKH)
		tool_usage(&tool, "an uncompressed key has a p2pkh address only");
	if (r->uncompressed && r->words)
		tool_usage(&tool, "keys of a mnemonic are compressed");
}

static void read_call(struct run *r, int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "n:o:y:t:", long_options, NULL)) != -1)
		set_option(r, opt);
	check_call(r, argc > optind);
	r->names = r->public_of ? &r->public_of : argv + optind;
	r->file_count = r->public_of ? 1 : (size_t)(argc - optind);
	r->count = r->count ? r->count : 1;
	tool_network(&tool, &r->network, r->network_name);
}

/* Opening. */

/* The passphrase to encrypt under. */
static void prepare_seal(struct run *r)
{
	const char *why;

	r->new_passphrase = r->passphrase;
	if (!r->passphrase.given && !passphrase_ask(&r->new_passphrase, &why, r->terminal,
					    "New passphrase: ", true))
		tool_die(&tool, BB_CALLER, "%s", why);
	if (!r->new_passphrase.len)
		tool_die(&tool, BB_CALLER, "an empty passphrase encrypts nothing");
	r->g.out.seal.passphrase = passphrase_span(&r->new_passphrase);
}

/* All at once, before rights are dropped. What cannot be opened is reported. */
static void open_files(struct run *r)
{
	const char *why;

	if (!(r->files = calloc(r->file_count + 1, sizeof(*r->files))))
		keyout_fail(&r->g.out, "cannot begin", "out of memory");
	for (size_t i = 0; i < r->file_count; i++)
		if (!bb_keyfile_open(&r->files[i], &why, r->names[i]))
			keygen_report(
				&r->g, tool_safe_name(r->names[i], r->file_count), 0, why);
}

static void start(struct run *r)
{
	struct keygen *g = &r->g;

	if (!r->passphrase.given && (g->out.encrypt || (r->file_count && !r->public_of)))
		r->terminal = passphrase_terminal();
	if (g->out.encrypt)
		prepare_seal(r);
	if (!(r->curve = bb_curve_new()))
		tool_die(&tool, BB_SYSTEM, "no memory or no entropy");
	g->again = r->public_of != NULL;
	g->line.network = &r->network;
	g->line.curve = r->curve;
	g->line.secret_descriptor = g->out.print_secret && !g->out.encrypt;
	if (!r->file_count && !r->words && !g->line.type_given)
		g->line.type = r->uncompressed ? BB_TYPE_P2PKH : BB_TYPE_P2WPKH;
	r->prompt = (struct passphrase_prompt){&r->passphrase, r->terminal};
	g->reader = (struct bb_key_reader){
		.curve = r->curve,
		.network = &r->network,
		.seal.passphrase = passphrase_span(&r->passphrase),
		.mnemonic_passphrase = passphrase_span(&r->mnemonic_passphrase),
		.ask = r->passphrase.given ? NULL : passphrase_answer,
		.arg = &r->prompt,
	};
	keyout_open(&g->out, r->file_count || r->count > 1);
	open_files(r);
	bb_sandbox_enter(r->terminal >= 0 ? BB_SANDBOX_TERMINAL : BB_SANDBOX_FILTER);
}

/* Flush, wipe, and give the exit status. */
static int finish(struct run *r)
{
	struct keygen *g = &r->g;
	const int error = keyout_close(&g->out);

	if (error) {
		keygen_report(g, "cannot write", 0, strerror(error));
		bb_lines_status(&g->in, BB_SYSTEM);
	}
	if (r->file_count && !g->records && !g->in.status)
		bb_lines_report(&g->in, 0, BB_NO, "no input", BB_SPAN(NULL, 0));
	bb_key_reader_free(&g->reader);
	bb_curve_free(r->curve);
	bb_keyline_free(&g->line);
	bb_wipe(&r->passphrase, sizeof(r->passphrase));
	bb_wipe(&r->mnemonic_passphrase, sizeof(r->mnemonic_passphrase));
	bb_wipe(&r->new_passphrase, sizeof(r->new_passphrase));
	free(r->files);
	return g->in.status;
}

int main(int argc, char **argv)
{
	struct run r = {.g = {.in.tool = "bb-keygen", .out.tool = &tool}, .terminal = -1};

	bb_sandbox_hide();
	read_call(&r, argc, argv);
	start(&r);
	for (size_t i = 0; i < r.file_count; i++)
		if (r.files[i].buf)
			keygen_file(&r.g, &r.files[i], r.names[i]);
	if (!r.file_count && r.words)
		keygen_mnemonics(&r.g, r.count, (size_t)r.words);
	else if (!r.file_count)
		keygen_singles(&r.g, r.count, r.uncompressed);
	return finish(&r);
}
