#include "tool.h"

#include <ctype.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bitcoin/tx.h"

enum { MAX_PARAMETERS = 1 << 20, MAX_THREADS = 1024 };

/* The call's words, for errors about them. */
static char **words;

/* Before main, for every tool. Wrong options are reported here, as a line of JSON, and not by
 * getopt. And where a shell closed stdin, stdout or stderr, no file may come to stand in its
 * place: reading from it, or writing to it, shall fail. */
__attribute__((constructor)) static void start(int argc, char **argv)
{
	(void)argc;
	words = argv;
	opterr = 0;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
			_exit(BB_SYSTEM);
}

noreturn void tool_die(const struct tool *t, enum bb_status status, const char *fmt, ...)
{
	struct bb_sink err = {.fd = STDERR_FILENO};
	char why[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	bb_put_error(&err.buf, t->name, 0, why, BB_SPAN(NULL, 0));
	bb_sink_flush(&err);
	exit(status);
}

noreturn void tool_usage(const struct tool *t, const char *fmt, ...)
{
	char why[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	tool_die(t, BB_CALLER, "%s (see --help)", why);
}

/* Print and leave; what cannot be printed is a failure too. */
static noreturn void say(const struct tool *t, const char *text)
{
	struct bb_sink out = {.fd = STDOUT_FILENO};

	bb_put_str(&out.buf, text);
	if (!bb_sink_flush(&out))
		tool_die(t, BB_SYSTEM, "cannot write: %s", strerror(out.error));
	exit(BB_OK);
}

static noreturn void wrong_option(const struct tool *t)
{
	const char *word = words[optind - 1];

	if (optopt == 'h')
		say(t, t->synopsis);
	if (optopt > 0 && optopt < TOOL_HELP && word[0] == '-' && word[1] != '-')
		tool_usage(t, "unknown option, or one without its argument: -%c", optopt);
	if (optopt)
		tool_usage(t,
			"an option without its argument, or with one it does not take: %s",
			word);
	tool_usage(t, "unknown option: %s", word);
}

void tool_option(const struct tool *t, int opt, struct bb_lines *in, const char **network)
{
	char version[128];

	switch (opt) {
	case TOOL_HELP: say(t, t->synopsis);
	case TOOL_VERSION:
		snprintf(version, sizeof(version), "%s %s\n", t->name, BB_VERSION);
		say(t, version);
	case TOOL_FAIL_FAST: in->fail_fast = true; break;
	case TOOL_MAX_LINE:
		in->max_line = (size_t)tool_number(t, "--max-line", optarg, 1, INT64_MAX / 8);
		break;
	case 'n': *network = optarg; break;
	default: wrong_option(t);
	}
}

/* The parameters of a JSON file. */
static void read_network(const struct tool *t, struct bb_network *out, const char *path)
{
	struct bb_buf text = {0};
	struct bb_arena arena = {0};
	const struct bb_json *object;
	const char *why;

	if (!bb_read_file(&text, &why, path, MAX_PARAMETERS))
		tool_die(t, BB_CALLER, "network %s: %s", path, why);
	object = bb_json_parse(&arena, &why, BB_SPAN(text.data, text.len));
	if (!object || !bb_network_parse(out, &why, object))
		tool_die(t, BB_CALLER, "network %s: %s", path, why);
	bb_arena_free(&arena);
	bb_buf_free(&text);
}

void tool_network(const struct tool *t, struct bb_network *out, const char *name)
{
	const struct bb_network *found;

	if (!name)
		name = getenv("BB_NETWORK");
	if (!name || !*name)
		name = "regtest";
	if ((found = bb_network_find(name)))
		*out = *found;
	else if (access(name, F_OK) == 0 || strchr(name, '/'))
		read_network(t, out, name);
	else
		tool_die(t, BB_CALLER, "unknown network: %s", name);
}

const char *tool_dir(char path[PATH_MAX], const struct tool *t, const char *given,
	const struct bb_network *network)
{
	const char *dir = given ? given : getenv("BB_DIR");
	const char *home = getenv("HOME");

	if (dir && *dir)
		return dir;
	if (!home || !*home)
		return NULL;
	if (snprintf(path, PATH_MAX, "%s/.bb/%s", home, network->name) >= PATH_MAX)
		tool_die(t, BB_CALLER, "$HOME is too long");
	return path;
}

/* Digits and, after a point, up to `places` more, as a number of the smallest unit. */
static bool decimal(int64_t *out, const char *s, size_t len, int places)
{
	int64_t n = 0;
	int after = -1; /* digits read after the point */

	if (!len || !isdigit((unsigned char)s[0]) || !isdigit((unsigned char)s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '.' && after < 0 && places) {
			after = 0;
			continue;
		}
		if (!isdigit((unsigned char)s[i]) || (after >= 0 && ++after > places))
			return false;
		if (n > (INT64_MAX - 9) / 10)
			return false;
		n = 10 * n + (s[i] - '0');
	}
	for (int i = after > 0 ? after : 0; i < places; i++) {
		if (n > INT64_MAX / 10)
			return false;
		n *= 10;
	}
	*out = n;
	return true;
}

int64_t tool_amount(const struct tool *t, const char *text)
{
	size_t len = strlen(text);
	int64_t value_sat;
	bool btc = len > 3 && strcmp(text + len - 3, "btc") == 0;

	if (!btc && !(len > 3 && strcmp(text + len - 3, "sat") == 0))
		tool_die(
			t, BB_CALLER, "an amount needs its unit, as 8btc or 1500sat: %s", text);
	if (!decimal(&value_sat, text, len - 3, btc ? 8 : 0))
		tool_die(t, BB_CALLER, "not an amount: %s", text);
	if (value_sat > BB_MAX_MONEY)
		tool_die(t, BB_CALLER, "more than all money there can be: %s", text);
	return value_sat;
}

int64_t tool_number(
	const struct tool *t, const char *option, const char *text, int64_t min, int64_t max)
{
	int64_t n = 0;
	bool negative = text[0] == '-';

	if (!decimal(&n, text + negative, strlen(text + negative), 0) ||
		(negative ? -n : n) < min || (negative ? -n : n) > max)
		tool_die(t, BB_CALLER, "%s: not a number from %lld to %lld: %s", option,
			(long long)min, (long long)max, text);
	return negative ? -n : n;
}

unsigned tool_threads(const struct tool *t, const char *text)
{
	int64_t n = text ? tool_number(t, "-j", text, 0, MAX_THREADS) : 0;
	cpu_set_t set;

	if (n)
		return (unsigned)n;
	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		return (unsigned)CPU_COUNT(&set);
	return 1;
}

bool tool_is_doubtful(const char *word, size_t count)
{
	return (count >= 12 || strlen(word) >= 40 || strchr(word, ' ')) && !strpbrk(word, "/.");
}

/* A secret typed where a file's name belongs must not go on into a log. */
const char *tool_safe_name(const char *name, size_t files)
{
	return tool_is_doubtful(name, files) ? "a file not named here, for it may be a "
					       "secret (they come from files or stdin)"
					     : name;
}

void tool_keep_to(char *const *files, const struct bb_sandbox_path *more, size_t count)
{
	struct bb_sandbox_path *all;
	size_t n = 0, named = 0;

	while (files && files[named])
		named++;
	if (!(all = calloc(named + count + 1, sizeof(*all))))
		return;
	for (; n < named; n++)
		all[n] = (struct bb_sandbox_path){files[n], BB_SANDBOX_READ};
	for (size_t i = 0; i < count; i++)
		all[n++] = more[i];
	while (named &&
		(strcmp(files[named - 1], "-") == 0 || access(files[named - 1], F_OK) == 0))
		named--;
	if (n && !named)
		bb_sandbox_paths(all, n);
	free(all);
}

bool tool_is_hex(struct bb_span s)
{
	size_t digits = 0;

	while (s.len && memchr(" \t\r", s.data[s.len - 1], 3))
		s.len--;
	while (s.len && memchr(" \t\r", s.data[0], 3))
		s.data++, s.len--;
	while (digits < s.len && isxdigit(s.data[digits]))
		digits++;
	return s.len && digits == s.len;
}
