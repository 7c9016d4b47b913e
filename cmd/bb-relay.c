#include "tool.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "relayhub.h"
#include "relaysock.h"
#include "relaytool.h"

static const struct tool tool = {
	.name = "bb-relay",
	.synopsis =
		"usage: bb-relay [-n network] [-d dir] [--node host:port] [option ...] [file "
		"...]\n"
		"       bb-relay [-n network] [-d dir] [--node host:port] --watch | --peers\n"
		"       bb-relay [-n network] [-d dir] --hub [option ...]\n"
		"Joins a node to the network, and a pipe to a node.\n"
		"  --node HOST:PORT         the node to hand lines to (the one of -d)\n"
		"  --watch                  print what passes there\n"
		"  --peers                  print who is connected to it\n"
		"  --hub                    be the node's place in the network:\n"
		"  --listen HOST[:PORT]     let peers in there; again for more\n"
		"  --peer HOST[:PORT]       connect to it; again for more\n"
		"  --seed NAME[:PORT]       connect to all whom the name stands for; again for "
		"more\n"
		"  --tools HOST:PORT        let tools in there too; again for more\n"
		"  --outbound N             connections to make (8)\n"
		"  --inbound N              connections to let in (117)\n"
		"  --per-host N             of them from one host (16)\n"
		"  --ready-fd N             write a line there when all this listens\n"
		"  -n, --network NAME|FILE  whose network ($BB_NETWORK, else regtest)\n"
		"  -d, --dir DIR            the node's directory ($BB_DIR, else "
		"~/.bb/NETWORK)\n"
		"  --fail-fast              stop at the first line that is malformed or "
		"refused\n"
		"  --max-line BYTES, --help, --version\n",
};

enum {
	HUB = TOOL_OWN,
	LISTEN,
	PEER,
	SEED,
	TOOLS,
	OUTBOUND,
	INBOUND,
	PER_HOST,
	READY_FD,
	NODE,
	WATCH,
	PEERS,
};
#define BIT(option) (1u << ((option)-TOOL_OWN))

static const struct option options[] = {
	TOOL_LONG,
	{"dir", required_argument, 0, 'd'},
	{"hub", no_argument, 0, HUB},
	{"listen", required_argument, 0, LISTEN},
	{"peer", required_argument, 0, PEER},
	{"seed", required_argument, 0, SEED},
	{"tools", required_argument, 0, TOOLS},
	{"outbound", required_argument, 0, OUTBOUND},
	{"inbound", required_argument, 0, INBOUND},
	{"per-host", required_argument, 0, PER_HOST},
	{"ready-fd", required_argument, 0, READY_FD},
	{"node", required_argument, 0, NODE},
	{"watch", no_argument, 0, WATCH},
	{"peers", no_argument, 0, PEERS},
	{0},
};

/* Addresses as they were given: what port they mean is known when the network is. */
struct words {
	const char *word[RELAYHUB_LIST];
	size_t count;
};

/* One run of the tool. */
struct run {
	struct bb_lines in;
	struct bb_sink out;
	const char *network_name, *dir, *node;
	struct words listen, peers, tools;
	unsigned given;
	struct bb_network network;
	struct relayhub_options hub;
	char path[PATH_MAX];
};

/* The call. */

static void add_word(struct words *w, const char *option)
{
	if (w->count == RELAYHUB_LIST)
		tool_usage(&tool, "more than %d times %s", RELAYHUB_LIST, option);
	w->word[w->count++] = optarg;
}

static unsigned number(const char *option, int64_t max)
{
	return (unsigned)tool_number(&tool, option, optarg, 0, max);
}

static void read_option(struct run *r, int opt)
{
	if (opt >= TOOL_OWN)
		r->given |= BIT(opt);
	switch (opt) {
	case 'd': r->dir = optarg; break;
	case HUB:
	case WATCH:
	case PEERS: break;
	case LISTEN: add_word(&r->listen, "--listen"); break;
	case PEER: add_word(&r->peers, "--peer"); break;
	case SEED: add_word(&r->peers, "--seed"); break;
	case TOOLS: add_word(&r->tools, "--tools"); break;
	case OUTBOUND: r->hub.outbound = number("--outbound", 1000); break;
	case INBOUND: r->hub.inbound = number("--inbound", 10000); break;
	case PER_HOST: r->hub.per_host = number("--per-host", 10000); break;
	case READY_FD: r->hub.ready_fd = (int)number("--ready-fd", INT_MAX); break;
	case NODE: r->node = optarg; break;
	default: tool_option(&tool, opt, &r->in, &r->network_name);
	}
}

/* Is it a call that makes sense? Exits 2 when it is none. */
static void check_call(const struct run *r)
{
	const unsigned asks = BIT(WATCH) | BIT(PEERS), ours = asks | BIT(NODE);
	const unsigned wrong = r->given & BIT(HUB) ? r->given & ours : r->given & ~ours;

	for (size_t i = 0; options[i].name; i++)
		if (options[i].val >= TOOL_OWN && wrong & BIT(options[i].val))
			tool_usage(&tool, "--%s goes with%s --hub only", options[i].name,
				r->given & BIT(HUB) ? "out" : "");
	if ((r->given & asks) == asks)
		tool_usage(&tool, "--watch goes with no --peers");
	if (r->given & (BIT(HUB) | asks) && *r->in.files)
		tool_usage(&tool, "no files are read here: %.200s", *r->in.files);
}

static const char *node_dir(struct run *r)
{
	const char *dir = tool_dir(r->path, &tool, r->dir, &r->network);

	if (!dir)
		tool_die(&tool, BB_CALLER, "no directory: neither -d, $BB_DIR nor $HOME");
	return dir;
}

/* Port 0: it must be told. */
static void read_address(struct bb_net_address *out, const char *word, uint16_t port)
{
	if (!bb_endpoint_parse(out, word, port) || !out->port)
		tool_die(&tool, BB_CALLER, "not an address%s: %.200s",
			port ? "" : ", as host:port", word);
}

static void read_addresses(struct relayhub_list *out, const struct words *in, uint16_t port)
{
	for (size_t i = 0; i < in->count; i++)
		read_address(&out->at[out->count++], in->word[i], port);
}

/* Where to listen: no name is looked up for that. */
static void read_places(struct relayhub_list *out, const struct words *in, uint16_t port)
{
	struct sockaddr_storage sa;

	read_addresses(out, in, port);
	for (size_t i = 0; i < in->count; i++)
		if (!relaysock_sockaddr(&sa, &out->at[i]))
			tool_die(&tool, BB_CALLER, "listen at %.200s: not an IP address",
				in->word[i]);
}

static void read_call(struct run *r, int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "n:d:", options, NULL)) != -1)
		read_option(r, opt);
	r->in.files = argv + optind;
	check_call(r);
	tool_network(&tool, &r->network, r->network_name);
}

/* What it does. */

static int run_hub(struct run *r)
{
	r->hub.tool = &tool;
	r->hub.network = &r->network;
	r->hub.dir = node_dir(r);
	r->hub.max_line = r->in.max_line;
	read_places(&r->hub.listen, &r->listen, r->network.port);
	read_addresses(&r->hub.peers, &r->peers, r->network.port);
	read_places(&r->hub.tools, &r->tools, 0);
	return relayhub_run(&r->hub);
}

static int connect_to_node(struct run *r)
{
	char why[RELAYSOCK_WHY];
	struct bb_net_address at;
	int fd;

	if (r->node) {
		read_address(&at, r->node, 0);
		fd = relaysock_connect(why, &at);
	} else {
		fd = relaysock_connect_unix(why, node_dir(r), "relay.sock");
	}
	if (fd < 0)
		tool_die(&tool, BB_SYSTEM, "%s", why);
	return fd;
}

/* What it prints ends with the node; of the peers, with the last one. */
static int ask(struct run *r, const char *line, enum bb_status end)
{
	const int fd = connect_to_node(r);

	if (!relaytool_say(fd, line))
		tool_die(&tool, BB_SYSTEM, "the node went away");
	if (!end)
		shutdown(fd, SHUT_WR);
	bb_sandbox_enter(BB_SANDBOX_FILTER);
	return relaytool_print(&r->in, &r->out, fd, end);
}

static int hand_in(struct run *r)
{
	const int fd = connect_to_node(r);

	tool_keep_to(r->in.files, NULL, 0);
	bb_sandbox_enter(*r->in.files ? BB_SANDBOX_READER : BB_SANDBOX_FILTER);
	return relaytool_lines(&r->in, &r->out, fd, RELAYTOOL_ORPHANS);
}

int main(int argc, char **argv)
{
	struct run r = {
		.in = {.tool = "bb-relay"},
		.out = {.fd = STDOUT_FILENO},
		.hub = {.outbound = 8, .inbound = 117, .per_host = 16, .ready_fd = -1},
	};

	read_call(&r, argc, argv);
	if (r.given & BIT(HUB))
		return run_hub(&r);
	if (r.given & BIT(WATCH))
		return ask(&r, "{\"type\":\"watch\"}\n", BB_SYSTEM);
	if (r.given & BIT(PEERS))
		return ask(&r, "{\"type\":\"peers\"}\n", BB_OK);
	return hand_in(&r);
}
