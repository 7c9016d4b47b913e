#ifndef BB_CMD_TOOL_H
#define BB_CMD_TOOL_H

/* What every main does alike: usage, errors about the call, the network. */

#include <getopt.h>
#include <limits.h>
#include <stdnoreturn.h>

#include "base/lines.h"
#include "base/sandbox.h"
#include "bitcoin/network.h"

/* Who is speaking: set once at the top of main. */
struct tool {
	const char *name;     /* "bb-sign" */
	const char *synopsis; /* the manual's SYNOPSIS, a line each, printed by --help */
};

/* Long options every tool has; put first in its table, values from 256 up are taken. */
#define TOOL_LONG                                                                              \
	{"help", no_argument, 0, TOOL_HELP}, {"version", no_argument, 0, TOOL_VERSION},        \
		{"fail-fast", no_argument, 0, TOOL_FAIL_FAST},                                 \
		{"max-line", required_argument, 0, TOOL_MAX_LINE},                             \
	{                                                                                      \
		"network", required_argument, 0, 'n'                                           \
	}

enum { TOOL_HELP = 256, TOOL_VERSION, TOOL_FAIL_FAST, TOOL_MAX_LINE, TOOL_OWN = 300 };

/* Handle an option of TOOL_LONG or an unknown one. Help and version print and exit 0. */
void tool_option(const struct tool *t, int opt, struct bb_lines *in, const char **network);
/* An error line about the call, then exit with that status. */
noreturn void tool_die(const struct tool *t, enum bb_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Exit 2 over a wrong call: the reason, and where the right one is told. */
noreturn void tool_usage(const struct tool *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The network of -n, else of $BB_NETWORK, else regtest; exits 2 when it is unknown. It may
 * be a JSON file of parameters. `out` holds it. */
void tool_network(const struct tool *t, struct bb_network *out, const char *name);
/* The node's directory: `given` by -d, else $BB_DIR, else ~/.bb/NETWORK, which `path` then
 * holds; NULL: there is not even $HOME. */
const char *tool_dir(char path[PATH_MAX], const struct tool *t, const char *given,
	const struct bb_network *network);
/* An amount with its unit, "8btc", "0.5btc", "1500sat", in satoshi; exits 2 when malformed. */
int64_t tool_amount(const struct tool *t, const char *text);
/* A decimal option argument within bounds; exits 2 otherwise. */
int64_t tool_number(
	const struct tool *t, const char *option, const char *text, int64_t min, int64_t max);
/* May a word that is not what it should be, one of so many, be a secret that was typed in its
 * place? One of many words, or long, or with blanks. */
bool tool_is_doubtful(const char *word, size_t words);
/* A file's name for an error, unless it may be such a secret. */
const char *tool_safe_name(const char *name, size_t files);
/* From here on no file can be opened but these of the call and `more`, where the system can do
 * that (bb_sandbox_paths, and as that before the first thread). One that is not there yet may
 * come to be: then nothing happens. */
void tool_keep_to(char *const *files, const struct bb_sandbox_path *more, size_t count);
/* Is a line nothing but hex, but for blanks around it? */
bool tool_is_hex(struct bb_span line);
/* Threads to use: -j's argument, or 0 for every core. */
unsigned tool_threads(const struct tool *t, const char *text);

#endif
