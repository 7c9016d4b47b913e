/* bb-chain: the ledger. This is the table of its verbs, and what they all do alike. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "ledger/estimate.h"

static const struct tool tool = {
	"bb-chain",
	"usage: bb-chain [-n network] [-d dir] [option ...] verb [argument ...]\n"
	"Judges blocks, keeps the coins, and answers questions about the chain.\n"
	"  add [FILE ...]           take in block, header, transaction and package lines;\n"
	"                           a verdict for each\n"
	"  run [FILE ...]           the same as the only writer, and events\n"
	"  test [FILE ...]          what add would say of transactions and packages\n"
	"  import [FILE|DIR ...]    take in blk*.dat files, or lines\n"
	"  export                   the active chain as a blk*.dat file\n"
	"  invalidate ID            treat a block as invalid from now on\n"
	"  reconsider ID            forget that it was found invalid\n"
	"  tip                      the end of the active chain\n"
	"  tips                     the end of every branch\n"
	"  headers                  of the active chain\n"
	"  blocks                   of the active chain\n"
	"  block ID|HEIGHT ...      single blocks, of any branch\n"
	"  tx [TXID ...]            transactions of the active chain or the mempool\n"
	"  utxo [ADDR ...]          the coins of addresses\n"
	"  balance [ADDR ...]       their sums\n"
	"  history [ADDR ...]       transactions that pay or spend them\n"
	"  coins                    every coin there is\n"
	"  mempool                  what waits to be mined, best first\n"
	"  fee-rate                 what to pay to be mined soon\n"
	"  template                 the next block to mine\n"
	"  prevouts [FILE ...]      fill in what transactions and blocks spend\n"
	"  proof TXID ...           that transactions are in their blocks\n"
	"  params                   the parameters in force\n"
	"  verify                   is the store whole?\n"
	"  events                   what happened to the chain and the mempool\n"
	"  -n, --network NAME|FILE  whose rules ($BB_NETWORK, else regtest)\n"
	"  -d, --dir DIR            the node's directory ($BB_DIR, else ~/.bb/NETWORK)\n"
	"  -j, --jobs THREADS       writers: so many threads (1); 0: one for each core\n"
	"  --cache MIB              writers: coins kept in memory (128)\n"
	"  --now EPOCH              the time (the clock's), where it counts\n"
	"  --policy NAME=VALUE      of the mempool, one of Bitcoin Core's options for it\n"
	"  --trust-marks            run: spare the scripts that the lines' marks vouch for\n"
	"  --from HEIGHT            headers, blocks, export: the first\n"
	"  --from FILE              template: of these transaction lines instead\n"
	"  --to HEIGHT              headers, blocks, export: the last\n"
	"  --prevouts               blocks, block: with all that they spend\n"
	"  --full                   lists of headers, blocks, transactions: Esplora's keys\n"
	"  --confirmed              utxo: as if nothing waited\n"
	"  --hash                   coins: Bitcoin Core's hash of all coins\n"
	"  --muhash                 coins: Bitcoin Core's MuHash of all coins\n"
	"  --stats                  mempool: how much waits, by fee rate\n"
	"  --target N               fee-rate: within so many blocks (6)\n"
	"  --watch                  template: again when there is a better one\n"
	"  --since N                events: those behind number N\n"
	"  --follow                 events: and wait for more\n"
	"  --fail-fast              stop at the first record that is malformed or refused\n"
	"  --max-line BYTES, --help, --version\n",
};

enum {
	OPT_CACHE = TOOL_OWN,
	OPT_NOW,
	OPT_TRUST_MARKS,
	OPT_FROM,
	OPT_TO,
	OPT_PREVOUTS,
	OPT_FULL,
	OPT_HASH,
	OPT_MUHASH,
	OPT_SINCE,
	OPT_FOLLOW,
	OPT_POLICY,
	OPT_STATS,
	OPT_TARGET,
	OPT_WATCH,
	OPT_CONFIRMED,
	OPT_JOBS, /* as a bit; its letter is j */
};
#define BIT(option) (1u << ((option)-TOOL_OWN))

static const struct option options[] = {
	TOOL_LONG,
	{"dir", required_argument, 0, 'd'},
	{"jobs", required_argument, 0, 'j'},
	{"cache", required_argument, 0, OPT_CACHE},
	{"now", required_argument, 0, OPT_NOW},
	{"trust-marks", no_argument, 0, OPT_TRUST_MARKS},
	{"from", required_argument, 0, OPT_FROM},
	{"to", required_argument, 0, OPT_TO},
	{"prevouts", no_argument, 0, OPT_PREVOUTS},
	{"full", no_argument, 0, OPT_FULL},
	{"hash", no_argument, 0, OPT_HASH},
	{"muhash", no_argument, 0, OPT_MUHASH},
	{"since", required_argument, 0, OPT_SINCE},
	{"follow", no_argument, 0, OPT_FOLLOW},
	{"policy", required_argument, 0, OPT_POLICY},
	{"stats", no_argument, 0, OPT_STATS},
	{"target", required_argument, 0, OPT_TARGET},
	{"watch", no_argument, 0, OPT_WATCH},
	{"confirmed", no_argument, 0, OPT_CONFIRMED},
	{0},
};

enum {
	MANY = 1 << 30, /* arguments */
	WRITER = BIT(OPT_JOBS) | BIT(OPT_CACHE),
	TAKER = WRITER | BIT(OPT_NOW),
	RANGE = BIT(OPT_FROM) | BIT(OPT_TO),
	FULL = BIT(OPT_FULL),
	BLOCK = BIT(OPT_PREVOUTS) | FULL,
	POOL = BIT(OPT_POLICY) | BIT(OPT_NOW),
};

struct verb {
	const char *name;
	int (*run)(struct chain *c);
	size_t least, most; /* arguments */
	unsigned options;   /* that it takes, but for those that all take */
	bool files;	    /* its arguments are files of lines */
};

static const struct verb verbs[] = {
	{"add", chain_add, 0, MANY, TAKER | POOL, true},
	{"run", chain_run, 0, MANY, TAKER | POOL | BIT(OPT_TRUST_MARKS), true},
	{"test", chain_test, 0, MANY, POOL, true},
	{"import", chain_import, 0, MANY, TAKER | POOL},
	{"export", chain_export, 0, 0, RANGE},
	{"invalidate", chain_invalidate, 1, 1, WRITER | POOL},
	{"reconsider", chain_reconsider, 1, 1, WRITER | POOL},
	{"tip", chain_tip, 0, 0, 0},
	{"tips", chain_tips, 0, 0, 0},
	{"headers", chain_headers, 0, 0, RANGE | FULL},
	{"blocks", chain_blocks, 0, 0, RANGE | BLOCK},
	{"block", chain_block, 1, MANY, BLOCK},
	{"tx", chain_tx, 0, MANY, FULL},
	{"utxo", chain_utxo, 0, MANY, BIT(OPT_CONFIRMED)},
	{"balance", chain_balance, 0, MANY, 0},
	{"history", chain_history, 0, MANY, FULL},
	{"coins", chain_coins, 0, 0, BIT(OPT_HASH) | BIT(OPT_MUHASH)},
	{"mempool", chain_mempool, 0, 0, POOL | FULL | BIT(OPT_STATS)},
	{"fee-rate", chain_fee_rate, 0, 0, POOL | BIT(OPT_TARGET)},
	{"template", chain_template, 0, 0, BIT(OPT_NOW) | BIT(OPT_FROM) | BIT(OPT_WATCH)},
	{"prevouts", chain_prevouts, 0, MANY, 0, true},
	{"proof", chain_proof, 1, MANY, 0},
	{"params", chain_params, 0, 0, 0},
	{"verify", chain_verify, 0, 0, 0},
	{"events", chain_events, 0, 0, BIT(OPT_SINCE) | BIT(OPT_FOLLOW)},
};

/* The call. */

static int64_t number(const char *option, int64_t max)
{
	return tool_number(&tool, option, optarg, 0, max);
}

static void set_policy(struct chain *c, const char *setting)
{
	const char *why;

	if (!bb_policy_set(&c->policy, &why, setting))
		tool_usage(&tool, "--policy %s: %s", setting, why);
	c->own_rules = true;
}

/* One option of our own; its bit. What --from says depends on the verb. */
static unsigned take_option(struct chain *c, int opt)
{
	switch (opt) {
	case 'j': c->threads = tool_threads(&tool, optarg); return BIT(OPT_JOBS);
	case OPT_CACHE: c->cache = (size_t)number("--cache", 1 << 20) << 20; break;
	case OPT_NOW:
		c->now = number("--now", INT64_MAX);
		c->own_rules = true;
		break;
	case OPT_TRUST_MARKS: c->trust_marks = true; break;
	case OPT_FROM: c->offers = optarg; break;
	case OPT_TO: c->to = number("--to", INT32_MAX); break;
	case OPT_PREVOUTS: c->prevouts = true; break;
	case OPT_FULL: c->full = true; break;
	case OPT_HASH: c->hash = true; break;
	case OPT_MUHASH: c->muhash = true; break;
	case OPT_SINCE: c->since = number("--since", INT64_MAX); break;
	case OPT_FOLLOW: c->follow = true; break;
	case OPT_POLICY: set_policy(c, optarg); break;
	case OPT_STATS: c->stats = true; break;
	case OPT_TARGET:
		c->target = (int)tool_number(&tool, "--target", optarg, 1, BB_WAITS_KEPT);
		break;
	case OPT_WATCH: c->watch = true; break;
	case OPT_CONFIRMED: c->confirmed = true; break;
	}
	return BIT(opt);
}

static const struct verb *find_verb(const char *name)
{
	if (!name)
		tool_usage(&tool, "which verb?");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	tool_usage(&tool, "unknown verb: %s", name);
}

/* --from is a height everywhere but to template. */
static void read_from(struct chain *c, const struct verb *v)
{
	if (!c->offers || v->run == chain_template)
		return;
	c->from = tool_number(&tool, "--from", c->offers, 0, INT32_MAX);
	c->offers = NULL;
}

/* Is it a call that makes sense? Exits 2 when it is none. */
static void check_call(const struct verb *v, struct chain *c, unsigned given)
{
	for (size_t i = 0; options[i].name; i++)
		if (options[i].val >= TOOL_OWN && given & BIT(options[i].val) & ~v->options)
			tool_usage(&tool, "%s takes no --%s", v->name, options[i].name);
	if (given & BIT(OPT_JOBS) & ~v->options)
		tool_usage(&tool, "%s takes no -j", v->name);
	if (c->arg_count < v->least)
		tool_usage(&tool, "%s needs an argument", v->name);
	if (c->arg_count > v->most)
		tool_usage(&tool, "%s takes no such argument: %s", v->name, c->args[v->most]);
	read_from(c, v);
	if (c->hash && c->muhash)
		tool_usage(&tool, "--hash goes with no --muhash");
	if (c->to >= 0 && c->from > c->to)
		tool_usage(&tool, "--from lies behind --to");
	if (c->stats && c->full)
		tool_usage(&tool, "--stats goes with no --full");
	if (c->offers && c->watch)
		tool_usage(&tool, "--from goes with no --watch");
}

int main(int argc, char **argv)
{
	struct chain c = {.tool = &tool,
		.in = {.tool = tool.name},
		.out = {.fd = 1},
		.threads = 1,
		.from = -1,
		.to = -1,
		.now = -1,
		.target = 6,
		.policy = bb_policy_core,
		.cache = (size_t)128 << 20};
	const char *network = NULL, *dir = NULL;
	const struct verb *verb;
	char path[PATH_MAX];
	unsigned given = 0;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "n:d:j:", options, NULL)) != -1) {
		if (opt == 'd')
			dir = optarg;
		else if (opt == 'j' || opt >= TOOL_OWN)
			given |= take_option(&c, opt);
		else
			tool_option(&tool, opt, &c.in, &network);
	}
	verb = find_verb(argv[optind]);
	c.args = argv + optind + 1;
	c.arg_count = (size_t)(argc - optind - 1);
	check_call(verb, &c, given);
	tool_network(&tool, &c.network, network);
	c.dir = tool_dir(path, &tool, dir, &c.network);
	c.in.files = verb->files ? c.args : NULL;
	status = verb->run(&c);
	chain_close(&c);
	return status;
}
