/* bb-keygen: make and derive keys and addresses. */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/sandbox.h"
#include "crypto/bip39.h"
#include "passphrase.h"
#include "tool.h"
#include "wallet/keyline.h"

static const struct tool tool = {"bb-keygen",
	"usage: bb-keygen -o FILE | --print-secret [--count N] [--mnemonic[=WORDS]] [OPTIONS]\n"
	"       bb-keygen [-o FILE] [--print-secret] [--derive PATH | --descriptor] [--xpub]\n"
	"                 [--account N] [--seed] [OPTIONS] FILE|- ...\n"
	"       bb-keygen -y FILE [OPTIONS]\n"
	"OPTIONS: [-n NETWORK] [-t p2pkh|p2sh-p2wpkh|p2wpkh|p2tr] [--uncompressed] "
	"[--encrypt]\n"
	"       [--passphrase-fd N | --passphrase-file FILE] [--fail-fast]\n"
	"       [--mnemonic-passphrase-fd N | --mnemonic-passphrase-file FILE]\n"
	"       [--help] [--version]\n"};

enum { POOL_KEYS = 512, FLUSH_SIZE = 1 << 20, SLACK = 16 << 10, MAX_ACCOUNT = 0x7fffffff };

struct keygen {
	/* The call. */
	const char *output, *derive;
	char *public_of;
	bool print_secret, encrypt, seed, uncompressed;
	int64_t count, words; /* words 0: no mnemonic */
	size_t file_count;    /* to read; 0: new keys */
	struct passphrase passphrase, mnemonic_passphrase, new_passphrase;

	struct bb_lines in; /* reports errors and keeps the status */
	struct bb_network network;
	struct bb_curve *curve;
	struct bb_key_reader reader;
	struct bb_keyline line;
	struct bb_seal seal; /* of what is written */
	struct bb_sink file, out;
	off_t kept; /* bytes of the file that are safe on disk */
	uint64_t records;
};

/* Output: what is printed of a key follows its secret to the disk. */

/* The system fails us: of the file stay the lines whose addresses were printed, whole. */
static noreturn void give_up(struct keygen *g, const char *what, const char *why)
{
	if (g->file.fd > STDERR_FILENO && (!g->kept || ftruncate(g->file.fd, g->kept) != 0))
		unlink(g->output);
	tool_die(&tool, BB_SYSTEM, "%s: %s", what, why);
}

static void flush(struct keygen *g)
{
	if (g->file.buf.len) {
		if (!bb_sink_flush(&g->file))
			give_up(g, g->output, strerror(g->file.error));
		if (fdatasync(g->file.fd) != 0)
			give_up(g, g->output, strerror(errno));
		g->kept = lseek(g->file.fd, 0, SEEK_CUR);
	}
	bb_sink_flush(&g->out);
}

/* The file's name, too, must survive a loss of power. */
static bool sync_name(const char *path)
{
	char *copy = strdup(path);
	int dir = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool ok = dir < 0 || fsync(dir) == 0 || errno == EINVAL; /* it may be unreadable */

	if (dir >= 0)
		close(dir);
	free(copy);
	return ok;
}

static void open_output(struct keygen *g)
{
	int fd = open(g->output, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		tool_die(&tool, BB_CALLER, "%s: exists already, and is not overwritten",
			g->output);
	if (fd < 0)
		tool_die(&tool, BB_SYSTEM, "%s: %s", g->output, strerror(errno));
	g->file.fd = fd;
	if (fchmod(fd, 0600) != 0 || !sync_name(g->output))
		give_up(g, g->output, strerror(errno));
}

static void put_line(struct keygen *g, struct bb_sink *to, bool with_secret)
{
	const struct bb_keyline *l = &g->line;
	const struct bb_span secret = BB_SPAN(l->secret.data, l->secret.len);
	struct bb_json_writer w = {.buf = &to->buf, .comma = true};

	bb_put(&to->buf, l->line.data, l->line.len);
	if (with_secret && g->encrypt) {
		if (!bb_key_seal(&w, &g->seal, secret))
			give_up(g, "cannot encrypt", "no memory or no entropy");
	} else if (with_secret) {
		bb_json_key(&w, l->secret_name);
		bb_json_text(&w, secret);
	}
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

/* The line in work, to stdout. */
static void print_line(struct keygen *g)
{
	put_line(g, &g->out, g->print_secret && g->line.secret_name);
	if (g->out.buf.len >= FLUSH_SIZE || g->file.buf.len >= FLUSH_SIZE)
		flush(g);
}

/* Report what is wrong in a file, or with name NULL elsewhere. */
static void report(struct keygen *g, const char *name, uint64_t number, const char *why)
{
	const bool named = name && strcmp(name, "-") != 0;
	char text[512];

	snprintf(text, sizeof(text), "%.300s: %s", named ? name : "", why);
	bb_lines_report(&g->in, number, BB_CALLER, named ? text : why, BB_SPAN(NULL, 0));
}

/* Keys read and made. */

/* The line that stands for the whole key. */
static bool own_line(struct keygen *g, const char **why, const struct bb_key *k)
{
	enum bb_address_type type;

	if (!bb_key_type(&type, why, &g->line, k, NULL))
		return false;
	return k->secret.extended ? bb_keyline_wallet(&g->line, why, k, type, BB_CHAIN_OWN)
				  : bb_keyline_single(&g->line, why, k, type);
}

static bool print_range(struct keygen *g, const char **why, const struct bb_key *k)
{
	const struct bb_span path = BB_SPAN(g->derive, strlen(g->derive));
	struct bb_key_range range;
	bool ok = bb_key_range_begin(&range, why, &g->line, k, path);

	while (ok && !g->out.error) {
		ok = bb_key_range_next(&g->line, why, &range);
		if (ok)
			print_line(g);
	}
	ok = ok || (range.done && !*why);
	bb_wipe(&range, sizeof(range));
	return ok;
}

/* Both chains of a wallet. */
static bool print_chains(struct keygen *g, const char **why, const struct bb_key *k)
{
	enum bb_address_type type;

	if (!bb_key_type(&type, why, &g->line, k, NULL))
		return false;
	for (int chain = BB_CHAIN_RECEIVE; chain <= BB_CHAIN_CHANGE; chain++) {
		if (!bb_keyline_wallet(&g->line, why, k, type, (enum bb_chain)chain))
			return false;
		if (g->line.secret_descriptor) /* which says it all */
			g->line.secret_name = NULL;
		print_line(g);
	}
	return true;
}

/* What -y takes over from the line it shows: all but what is secret or made anew. */
static void put_others(struct keygen *g, const struct bb_json *line, bool sealed)
{
	static const char *const secret[] = {
		"wif", "xprv", "mnemonic", "kdf", "salt", "cipher", "nonce", "data", NULL};
	static const char *const known[] = {"type", "address", "pubkey", "path", "fingerprint",
		"xpub", "descriptor", "wif", "xprv", "mnemonic", "kdf", "salt", "cipher",
		"nonce", "data", NULL};
	struct bb_json_writer w = {.buf = &g->line.line, .comma = !sealed};

	if (sealed) {
		g->line.line.len = 0;
		bb_json_open(&w, '{');
	}
	bb_json_others(&w, line, sealed ? secret : known);
}

static bool use_key(struct keygen *g, const char **why, const struct bb_key *k)
{
	*why = "an xpub holds no secret";
	if ((g->output || g->print_secret) && k->form == BB_KEY_XPUB)
		return false;
	if (g->output) {
		if (!own_line(g, why, k))
			return false;
		put_line(g, &g->file, true);
	}
	if (g->derive)
		return print_range(g, why, k);
	if (g->line.descriptor && k->secret.extended)
		return print_chains(g, why, k);
	if (!own_line(g, why, k))
		return false;
	if (g->public_of && k->line)
		put_others(g, k->line, false);
	print_line(g);
	return true;
}

/* Fresh single keys, their entropy fetched for many at once. */
static void make_singles(struct keygen *g)
{
	unsigned char pool[POOL_KEYS][32];
	struct bb_key k = {.form = BB_KEY_WIF, .secret.compressed = !g->uncompressed};
	const char *why;

	while (g->count > 0 && !g->out.error) {
		const size_t n = g->count < POOL_KEYS ? (size_t)g->count : POOL_KEYS;
		if (!bb_random(pool, 32 * n))
			give_up(g, "new key", "the system gives no entropy");
		for (size_t i = 0; i < n; i++) {
			memcpy(k.secret.key32, pool[i], 32);
			k.pubkey_len = bb_key_pubkey(
				k.pubkey, g->reader.curve, pool[i], k.secret.compressed);
			if (!k.pubkey_len) /* once in 2^128 */
				continue;
			if (!bb_keyline_single(&g->line, &why, &k, g->line.type))
				give_up(g, "new key", why);
			if (g->output)
				put_line(g, &g->file, true);
			print_line(g);
			g->count--;
		}
	}
	bb_wipe(pool, sizeof(pool));
	bb_wipe(&k, sizeof(k));
}

/* Entropy as a mnemonic sentence, or a seed as its extended key: text for bb_key_read. */
static bool key_text_of(struct keygen *g, struct bb_buf *text, const char **why,
	const unsigned char *bytes, size_t len)
{
	struct bb_xkey master;

	*why = "entropy must be 16, 20, 24, 28 or 32 bytes (a BIP 32 seed needs --seed)";
	if (!g->seed)
		return bb_mnemonic_encode(text, BB_SPAN(bytes, len));
	*why = "a seed must be 16 to 64 bytes";
	if (!bb_xkey_master(&master, g->reader.curve, BB_SPAN(bytes, len)))
		return false;
	bb_xkey_encode(text, &master, g->network.xprv);
	bb_wipe(&master, sizeof(master));
	return true;
}

static bool use_bytes(
	struct keygen *g, const char **why, const unsigned char *bytes, size_t len)
{
	struct bb_buf text = {0};
	struct bb_key k = {0};
	bool ok;

	*why = "out of memory";
	ok = bb_buf_room(&text, BB_SECRET_TEXT) && key_text_of(g, &text, why, bytes, len) &&
	     bb_key_read(&k, why, &g->reader, BB_SPAN(text.data, text.len)) &&
	     use_key(g, why, &k);
	bb_wipe(&k, sizeof(k));
	bb_buf_wipe(&text);
	return ok;
}

static void make_mnemonics(struct keygen *g)
{
	const size_t len = (size_t)g->words * 4 / 3;
	unsigned char entropy[32];
	const char *why;

	while (g->count-- > 0 && !g->out.error) {
		if (!bb_random(entropy, len))
			give_up(g, "new key", "the system gives no entropy");
		if (!use_bytes(g, &why, entropy, len)) {
			report(g, NULL, 0, why);
			break;
		}
	}
	bb_wipe(entropy, sizeof(entropy));
}

/* Lines of files. */

/* The passphrase of a sealed line, when there is one to be had. */
static bool have_passphrase(struct keygen *g, const char **why)
{
	if (!g->passphrase.given && !passphrase_ask(&g->passphrase, why, "Passphrase: ", false))
		return false;
	g->passphrase.given = true;
	g->reader.seal.passphrase = passphrase_span(&g->passphrase);
	return true;
}

/* A key line whose secret is sealed: NULL for all else. */
static const struct bb_json *sealed_line(struct keygen *g, struct bb_span line)
{
	const char *why;
	const struct bb_json *object = line.data[0] == '{' ? bb_key_line(&why, &g->reader, line)
							   : NULL;

	return object && bb_key_is_sealed(object) ? object : NULL;
}

static bool is_hex(struct bb_span line)
{
	unsigned char byte;

	if (line.len % 2)
		return false;
	for (size_t i = 0; i < line.len; i += 2)
		if (!bb_hex_decode(&byte, line.data + i, 1))
			return false;
	return true;
}

static bool use_hex(struct keygen *g, const char **why, struct bb_span line)
{
	unsigned char bytes[64];
	bool ok;

	*why = "a seed must be 16 to 64 bytes";
	if (line.len / 2 > sizeof(bytes))
		return false;
	bb_hex_decode(bytes, line.data, line.len / 2);
	ok = use_bytes(g, why, bytes, line.len / 2);
	bb_wipe(bytes, sizeof(bytes));
	return ok;
}

static bool use_line(
	struct keygen *g, const char **why, const struct bb_keyfile *f, struct bb_span line)
{
	const struct bb_json *sealed = sealed_line(g, line);
	struct bb_key k = {0};
	bool ok;

	*why = f->exposed;
	if (is_hex(line))
		return !f->exposed && use_hex(g, why, line);
	if (sealed && g->public_of) {
		put_others(g, sealed, true);
		g->line.secret_name = NULL;
		print_line(g);
		return true;
	}
	if (sealed && !have_passphrase(g, why))
		return false;
	ok = bb_key_read(&k, why, &g->reader, line);
	if (ok && f->exposed && k.form != BB_KEY_XPUB) {
		*why = f->exposed;
		ok = false;
	}
	ok = ok && use_key(g, why, &k);
	bb_wipe(&k, sizeof(k));
	return ok;
}

/* A secret typed where a file's name belongs must not go on into a log. */
static const char *safe_name(const char *name, size_t files)
{
	const bool doubtful = files >= 12 || strlen(name) >= 40 || strchr(name, ' ');

	return doubtful && !strpbrk(name, "/.") ? "a file not named here, for it may be a "
						  "secret (they come from files or "
						  "stdin)"
						: name;
}

/* All at once, before rights are dropped. What cannot be opened is reported. */
static struct bb_keyfile *open_files(struct keygen *g, char *const *names, size_t count)
{
	struct bb_keyfile *files = calloc(count + 1, sizeof(*files));
	const char *why;

	if (!files)
		give_up(g, "cannot begin", "out of memory");
	for (size_t i = 0; i < count; i++)
		if (!bb_keyfile_open(&files[i], &why, names[i]))
			report(g, safe_name(names[i], count), 0, why);
	return files;
}

static void use_file(struct keygen *g, struct bb_keyfile *f, const char *name)
{
	struct bb_span line;
	const char *why;

	while (!g->out.error && !(g->in.fail_fast && g->in.status)) {
		bool read = bb_keyfile_next(f, &line, &why);
		if (!read && !why)
			break;
		g->records++;
		if (!read || !use_line(g, &why, f, line))
			report(g, name, f->number, why);
		if (strcmp(name, "-") == 0)
			flush(g);
	}
	bb_keyfile_close(f);
}

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

static void set_type(struct keygen *g, const char *name)
{
	if (!bb_address_type_find(&g->line.type, name))
		tool_usage(&tool, "unknown address type: %s", name);
	g->line.type_given = true;
}

static void set_words(struct keygen *g, const char *words)
{
	g->words = words ? tool_number(&tool, "--mnemonic", words, 12, 24) : 12;
	if (g->words % 3)
		tool_usage(&tool, "--mnemonic: 12, 15, 18, 21 or 24 words");
}

static void set_option(struct keygen *g, int opt, const char **network)
{
	switch (opt) {
	case 'o': g->output = optarg; break;
	case 'y': g->public_of = optarg; break;
	case 't': set_type(g, optarg); break;
	case UNCOMPRESSED: g->uncompressed = true; break;
	case COUNT: g->count = tool_number(&tool, "--count", optarg, 1, INT64_MAX); break;
	case MNEMONIC: set_words(g, optarg); break;
	case SEED: g->seed = true; break;
	case DERIVE: g->derive = optarg; break;
	case ACCOUNT:
		g->line.account_given = true;
		g->line.account = (uint32_t)tool_number(
			&tool, "--account", optarg, 0, MAX_ACCOUNT);
		break;
	case XPUB: g->line.xpub = true; break;
	case DESCRIPTOR: g->line.descriptor = true; break;
	case PRINT_SECRET: g->print_secret = true; break;
	case ENCRYPT: g->encrypt = true; break;
	case PASS_FD:
		passphrase_from_fd(&tool, &g->passphrase, "--passphrase-fd", optarg);
		break;
	case PASS_FILE: passphrase_from_file(&tool, &g->passphrase, optarg); break;
	case WORDS_FD:
		passphrase_from_fd(
			&tool, &g->mnemonic_passphrase, "--mnemonic-passphrase-fd", optarg);
		break;
	case WORDS_FILE: passphrase_from_file(&tool, &g->mnemonic_passphrase, optarg); break;
	default: tool_option(&tool, opt, &g->in, network);
	}
}

static void check_call(struct keygen *g, bool files)
{
	const bool reads = files || g->public_of, keeps = g->output || g->print_secret;
	struct bb_path path;
	const char *why;

	if (g->public_of && (files || keeps || g->derive || g->line.descriptor))
		tool_usage(&tool, "-y shows one file's keys, and nothing else");
	if (reads && (g->words || g->count || g->uncompressed))
		tool_usage(&tool, "--count, --mnemonic and --uncompressed are for new keys");
	if (!reads && !keeps)
		tool_usage(&tool, "a new key would be lost: give -o FILE or --print-secret");
	if (!reads && !g->words && (g->derive || g->seed || g->line.account_given))
		tool_usage(&tool, "paths need --mnemonic, or a FILE or - to read a key from");
	if (g->encrypt && !keeps)
		tool_usage(&tool, "--encrypt needs a place: -o FILE or --print-secret");
	if (g->derive && !bb_path_parse(&path, &why, BB_SPAN(g->derive, strlen(g->derive))))
		tool_usage(&tool, "--derive: %s", why);
	if (g->derive && g->line.account_given)
		tool_usage(&tool, "--derive says the account, and so does --account");
	if (g->uncompressed && g->line.type_given && g->line.type != BB_TYPE_P2PKH)
		tool_usage(&tool, "an uncompressed key has a p2pkh address only");
	if (g->uncompressed && g->words)
		tool_usage(&tool, "keys of a mnemonic are compressed");
}

/* The passphrase to encrypt under. */
static void prepare_seal(struct keygen *g)
{
	const char *why;

	g->new_passphrase = g->passphrase;
	if (!g->passphrase.given &&
		!passphrase_ask(&g->new_passphrase, &why, "New passphrase: ", true))
		tool_die(&tool, BB_CALLER, "%s", why);
	if (!g->new_passphrase.len)
		tool_die(&tool, BB_CALLER, "an empty passphrase encrypts nothing");
	g->seal.passphrase = passphrase_span(&g->new_passphrase);
}

static void start(struct keygen *g, const char *network)
{
	/* Once for all: secrets are not copied about. */
	const size_t room = g->file_count || g->count > 1 ? FLUSH_SIZE + SLACK : SLACK;

	tool_network(&tool, &g->network, network);
	if (g->encrypt)
		prepare_seal(g);
	if (!(g->curve = bb_curve_new()))
		tool_die(&tool, BB_SYSTEM, "no memory or no entropy");
	g->line.network = g->reader.network = &g->network;
	g->line.curve = g->reader.curve = g->curve;
	g->line.secret_descriptor = g->print_secret && !g->encrypt;
	g->reader.mnemonic_passphrase = passphrase_span(&g->mnemonic_passphrase);
	g->reader.seal.passphrase = passphrase_span(&g->passphrase);
	if (!g->file_count && !g->words && !g->line.type_given)
		g->line.type = g->uncompressed ? BB_TYPE_P2PKH : BB_TYPE_P2WPKH;
	g->count = g->count ? g->count : 1;
	if (!bb_buf_room(&g->out.buf, room) || (g->output && !bb_buf_room(&g->file.buf, room)))
		tool_die(&tool, BB_SYSTEM, "out of memory");
	if (g->output)
		open_output(g);
}

/* A file to sync and a passphrase to ask for need more than the sandbox gives. */
static void drop_rights(const struct keygen *g)
{
	const bool asks = g->file_count && !g->public_of && !g->passphrase.given;

	if (!g->output && !(asks && passphrase_can_ask()))
		bb_sandbox_enter(BB_SANDBOX_FILTER);
}

/* Flush, wipe, and give the exit status. */
static int finish(struct keygen *g)
{
	struct stat st;

	flush(g);
	if (g->output && fstat(g->file.fd, &st) == 0 && st.st_size == 0)
		unlink(g->output); /* no key came */
	if (g->out.error) {
		report(g, "cannot write", 0, strerror(g->out.error));
		bb_lines_status(&g->in, BB_SYSTEM);
	}
	if (g->file_count && !g->records)
		bb_lines_status(&g->in, BB_NO);
	bb_buf_wipe(&g->file.buf);
	bb_buf_wipe(&g->out.buf);
	bb_key_reader_free(&g->reader);
	bb_curve_free(g->curve);
	bb_keyline_free(&g->line);
	bb_wipe(&g->seal, sizeof(g->seal));
	bb_wipe(&g->passphrase, sizeof(g->passphrase));
	bb_wipe(&g->mnemonic_passphrase, sizeof(g->mnemonic_passphrase));
	bb_wipe(&g->new_passphrase, sizeof(g->new_passphrase));
	return g->in.status;
}

int main(int argc, char **argv)
{
	struct keygen g = {.in.tool = "bb-keygen", .out.fd = STDOUT_FILENO};
	const char *network = NULL;
	struct bb_keyfile *files;
	char **names;
	int opt;

	bb_sandbox_hide();
	while ((opt = getopt_long(argc, argv, "n:o:y:t:", long_options, NULL)) != -1)
		set_option(&g, opt, &network);
	check_call(&g, argc > optind);
	names = g.public_of ? &g.public_of : argv + optind;
	g.file_count = g.public_of ? 1 : (size_t)(argc - optind);
	start(&g, network);
	files = open_files(&g, names, g.file_count);
	drop_rights(&g);
	for (size_t i = 0; i < g.file_count; i++)
		if (files[i].buf)
			use_file(&g, &files[i], names[i]);
	if (!g.file_count && g.words)
		make_mnemonics(&g);
	else if (!g.file_count)
		make_singles(&g);
	free(files);
	return finish(&g);
}
