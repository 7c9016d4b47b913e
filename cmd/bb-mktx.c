/* bb-mktx: build an unsigned transaction. */

#include "payments.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/sandbox.h"
#include "bitcoin/txline.h"
#include "wallet/utxos.h"

static const char synopsis[] =
	"usage: bb-mktx [-n network] --to address=amount ... [--to-script hex=amount ...]\n"
	"               [--data hex ...] [--change address] [--fee-rate rate]\n"
	"               [option ...] [file ...]\n"
	"       bb-mktx [-n network] --all --to address [option ...] [file ...]\n"
	"Reads utxo lines, writes an unsigned transaction that pays.\n"
	"An amount is as 8btc, 0.5btc or 1500sat.\n"
	"  --to ADDRESS=AMOUNT      pay; again for more outputs, which keep their order\n"
	"  --to-script HEX=AMOUNT   the same to a scriptPubKey\n"
	"  --data HEX               an OP_RETURN output\n"
	"  --change ADDRESS         where the rest goes (the first input's address)\n"
	"  --fee-rate RATE          satoshi per virtual byte, up to 3 decimals (1)\n"
	"  --max-fee AMOUNT         refuse a higher fee (0.1btc)\n"
	"  --all                    spend all coins; the --to without an amount gets\n"
	"                           the rest\n"
	"  --inputs all             spend all coins, with change\n"
	"  --input TXID:VOUT        spend exactly these coins\n"
	"  --height N               the chain's tip: tells which coinbases are mature;\n"
	"                           the line claims at_height N+1. Without it the\n"
	"                           highest height among the coins counts as the tip\n"
	"  --locktime N             a height, or a time from 500000000 up\n"
	"  --final                  not replaceable: sequence 0xffffffff, or 0xfffffffe\n"
	"                           under a locktime, instead of 0xfffffffd\n"
	"  --sequence N             of every input (BIP 68, BIP 125)\n"
	"  --allow-dust             outputs that peers would not relay\n"
	"  --allow-large            up to a block's weight, not 400000\n"
	"  --keep-order             change comes last, not at a random place\n"
	"  --lean                   hex and prevouts instead of every field\n"
	"  -n, --network NAME|FILE  whose addresses ($BB_NETWORK, else regtest)\n"
	"  --fail-fast              no transaction if a line is bad\n"
	"  --max-line BYTES, --help, --version\n";

static const struct tool tool = {.name = "bb-mktx", .synopsis = synopsis};

enum {
	TO = TOOL_OWN,
	TO_SCRIPT,
	DATA,
	CHANGE,
	FEE_RATE,
	MAX_FEE,
	ALL,
	INPUTS,
	INPUT,
	HEIGHT,
	LOCKTIME,
	FINAL,
	SEQUENCE,
	ALLOW_DUST,
	ALLOW_LARGE,
	KEEP_ORDER,
	LEAN,
};

static const struct option options[] = {
	TOOL_LONG,
	{"to", required_argument, 0, TO},
	{"to-script", required_argument, 0, TO_SCRIPT},
	{"data", required_argument, 0, DATA},
	{"change", required_argument, 0, CHANGE},
	{"fee-rate", required_argument, 0, FEE_RATE},
	{"max-fee", required_argument, 0, MAX_FEE},
	{"all", no_argument, 0, ALL},
	{"inputs", required_argument, 0, INPUTS},
	{"input", required_argument, 0, INPUT},
	{"height", required_argument, 0, HEIGHT},
	{"locktime", required_argument, 0, LOCKTIME},
	{"final", no_argument, 0, FINAL},
	{"sequence", required_argument, 0, SEQUENCE},
	{"allow-dust", no_argument, 0, ALLOW_DUST},
	{"allow-large", no_argument, 0, ALLOW_LARGE},
	{"keep-order", no_argument, 0, KEEP_ORDER},
	{"lean", no_argument, 0, LEAN},
	{0},
};

enum { REPLACEABLE = 0xfffffffd };

/* One run of the tool. */
struct run {
	/* As asked for. */
	struct payment *payments;
	size_t payment_count;
	struct bb_outpoint *inputs; /* none: choose */
	size_t input_count;
	const char *network_name, *change_address;
	int64_t max_fee_sat, height, sequence;
	bool final, lean;
	struct bb_txbuild build;

	struct bb_network network;
	struct bb_arena arena; /* what lasts */
	struct bb_lines in;
	struct bb_utxos coins;
	bool no_coin; /* was read */
	size_t immature;
	int64_t immature_sat;
};

static void *must(void *p)
{
	if (!p)
		tool_die(&tool, BB_SYSTEM, "out of memory");
	return p;
}

/* End without a transaction, in the highest status that occurred. */
__attribute__((format(printf, 3, 4))) static noreturn void refuse(
	struct run *r, enum bb_status status, const char *fmt, ...)
{
	char why[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	bb_lines_report(&r->in, 0, status, why, BB_SPAN(NULL, 0));
	exit(r->in.status);
}

/* The call. */

static void read_option(struct run *r, int opt)
{
	struct bb_txbuild *b = &r->build;

	switch (opt) {
	case TO: r->payments[r->payment_count++] = (struct payment){PAY_ADDRESS, optarg}; break;
	case TO_SCRIPT:
		r->payments[r->payment_count++] = (struct payment){PAY_SCRIPT, optarg};
		break;
	case DATA: r->payments[r->payment_count++] = (struct payment){PAY_DATA, optarg}; break;
	case CHANGE: r->change_address = optarg; break;
	case FEE_RATE: b->fee_per_kvb = payments_fee_rate(&tool, optarg); break;
	case MAX_FEE: r->max_fee_sat = tool_amount(&tool, optarg); break;
	case ALL: b->sweep = true; break;
	case INPUTS:
		if (strcmp(optarg, "all") != 0)
			tool_usage(
				&tool, "--inputs takes only all; --input TXID:VOUT names one");
		b->spend_all = true;
		break;
	case INPUT: r->inputs[r->input_count++] = payments_outpoint(&tool, optarg); break;
	case HEIGHT:
		r->height = tool_number(&tool, "--height", optarg, 0, INT32_MAX - 1);
		break;
	case LOCKTIME:
		b->locktime = (uint32_t)tool_number(&tool, "--locktime", optarg, 0, UINT32_MAX);
		break;
	case FINAL: r->final = true; break;
	case SEQUENCE:
		r->sequence = tool_number(&tool, "--sequence", optarg, 0, UINT32_MAX);
		break;
	case ALLOW_DUST: b->allow_dust = true; break;
	case ALLOW_LARGE: b->allow_large = true; break;
	case KEEP_ORDER: b->keep_order = true; break;
	case LEAN: r->lean = true; break;
	default: tool_option(&tool, opt, &r->in, &r->network_name);
	}
}

static void check_sequence(struct run *r)
{
	struct bb_txbuild *b = &r->build;

	if (r->final && r->sequence >= 0)
		tool_usage(&tool, "--final and --sequence exclude each other");
	b->sequence = r->sequence < 0 ? REPLACEABLE : (uint32_t)r->sequence;
	if (r->final)
		b->sequence = b->locktime ? BB_SEQUENCE_FINAL - 1 : BB_SEQUENCE_FINAL;
	if (b->locktime && b->sequence == BB_SEQUENCE_FINAL)
		tool_usage(&tool, "--locktime has no effect with that --sequence");
}

static void read_payments(struct run *r)
{
	const struct payments p = {&tool, &r->network, &r->arena};
	struct bb_txbuild *b = &r->build;

	tool_network(&tool, &r->network, r->network_name);
	payments_read(&p, b, r->payments, r->payment_count);
	if (b->sweep && !b->rest.data)
		tool_usage(&tool, "--all needs a --to without an amount, which gets the rest");
	if (b->sweep && r->change_address)
		tool_usage(&tool, "--all leaves no change");
	if (r->change_address)
		b->rest = payments_address(
			&p, "--change", BB_SPAN(r->change_address, strlen(r->change_address)));
}

static void read_call(struct run *r, int argc, char **argv)
{
	int opt;

	r->payments = must(bb_arena_array(&r->arena, (size_t)argc, sizeof(*r->payments)));
	r->inputs = must(bb_arena_array(&r->arena, (size_t)argc, sizeof(*r->inputs)));
	while ((opt = getopt_long(argc, argv, "n:", options, NULL)) != -1)
		read_option(r, opt);
	r->in.files = argv + optind;
	check_sequence(r);
	read_payments(r);
}

/* The coins. */

static void report_differs(void *arg, uint64_t line)
{
	bb_lines_report(arg, line, BB_CALLER,
		"differs from an earlier line on this coin, which is not spent",
		BB_SPAN(NULL, 0));
}

static void read_coins(struct run *r)
{
	struct bb_arena work = {0};
	struct bb_span text;
	struct bb_utxo coin;
	const char *why;

	while (bb_lines_read(&r->in, &text)) {
		const struct bb_json *line = bb_json_parse(&work, &why, text);
		const struct bb_json *from = line ? bb_json_find(line, "from") : NULL;
		if (line && bb_utxo_read(&coin, &why, &r->arena, &work, line, &r->network)) {
			coin.line = r->in.number;
			if (!bb_utxos_add(&r->coins, &coin))
				must(NULL);
		} else {
			bb_lines_report(&r->in, r->in.number, BB_CALLER, why,
				from ? from->raw : BB_SPAN(NULL, 0));
		}
		bb_arena_reset(&work);
	}
	bb_arena_free(&work);
	bb_utxos_settle(&r->coins, report_differs, &r->in);
	r->no_coin = !r->coins.count;
}

/* Only what --input names and the next block may spend. Without --height the tip is at least
 * as high as the highest coin. */
static void sort_out(struct run *r)
{
	const int64_t tip = r->height >= 0 ? r->height : bb_utxos_tip(&r->coins);
	const struct bb_outpoint *missing;
	char txid[65] = "";

	if (r->input_count && !bb_utxos_keep(&r->coins, &missing, r->inputs, r->input_count)) {
		bb_hash_encode(txid, missing->txid);
		refuse(r, BB_NO, "--input: no such coin was read: %s:%u", txid, missing->vout);
	}
	r->immature = bb_utxos_drop_immature(&r->coins, &r->immature_sat, tip, &r->network);
	if (r->input_count && r->immature)
		refuse(r, BB_NO, "--input: %zu of the coins named are immature coinbases",
			r->immature);
	bb_utxos_by_line(&r->coins);
	r->build.coins = r->coins.coin;
	r->build.count = r->coins.count;
	r->build.spend_all |= r->input_count > 0;
}

/* Why no coins could be chosen, and what may help. */
static noreturn void not_enough(struct run *r, const char *why, int64_t short_sat)
{
	const bool large = strcmp(why, "transaction too large") == 0;
	char more[300] = "";
	size_t len = 0;

	if (large)
		len = (size_t)snprintf(more, sizeof(more), ": over %lld weight units%s",
			(long long)bb_txbuild_max_weight(&r->build),
			r->build.allow_large ? "" : " (--allow-large)");
	if (short_sat)
		len += (size_t)snprintf(more + len, sizeof(more) - len, ": short of %lld sat%s",
			(long long)short_sat, r->no_coin ? "; no coin was read" : "");
	if (r->immature)
		snprintf(more + len, sizeof(more) - len,
			"; left out: %zu coinbase coin%s of %lld sat not known to be mature%s",
			r->immature, r->immature == 1 ? "" : "s", (long long)r->immature_sat,
			r->height < 0 ? " (--height tells the tip)" : "");
	refuse(r, strcmp(why, "out of memory") == 0 ? BB_SYSTEM : BB_NO, "%s%s", why, more);
}

static void choose(struct run *r)
{
	int64_t short_sat;
	const char *why;

	sort_out(r);
	if (!bb_txbuild_choose(&r->build, &why, &short_sat, &r->arena))
		not_enough(r, why, short_sat);
	if (r->build.chosen.fee_sat > r->max_fee_sat)
		refuse(r, BB_NO, "the fee would be %lld sat, over --max-fee",
			(long long)r->build.chosen.fee_sat);
}

/* Writing. */

static void write_lean(struct bb_json_writer *w, const struct bb_tx *tx,
	const struct bb_prevout *prevouts, const struct bb_json *vin)
{
	struct bb_buf bytes = {0};

	bb_put_tx(&bytes, tx, false);
	if (bytes.failed)
		must(NULL);
	bb_json_key(w, "hex");
	bb_json_hex(w, BB_SPAN(bytes.data, bytes.len));
	bb_json_prevouts(w, prevouts, tx->in_count);
	if (vin) {
		bb_json_key(w, "vin");
		bb_json_raw(w, vin->raw);
	}
	bb_buf_free(&bytes);
}

static void write_tx(struct bb_buf *out, struct run *r)
{
	struct bb_json_writer w = {.buf = out};
	const struct bb_json *vin;
	struct bb_prevout *prevouts;
	struct bb_tx tx;
	const char *why;
	bool any;

	if (!(vin = bb_txbuild_vin(&any, &why, &r->build, &r->arena)) ||
		!bb_txbuild_tx(&tx, &prevouts, &why, &r->build, &r->arena))
		tool_die(&tool, BB_SYSTEM, "%s", why);
	bb_json_open(&w, '{');
	bb_json_key(&w, "type");
	bb_json_str(&w, "tx");
	if (r->lean)
		write_lean(&w, &tx, prevouts, any ? vin : NULL);
	else
		bb_json_tx(&w, &tx, prevouts, vin, &r->network);
	if (r->height >= 0) {
		bb_json_key(&w, "at_height");
		bb_json_i64(&w, r->height + 1);
	}
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

int main(int argc, char **argv)
{
	struct run r = {
		.in = {.tool = "bb-mktx"},
		.max_fee_sat = BB_COIN / 10,
		.height = -1,
		.sequence = -1,
		.build.fee_per_kvb = 1000,
	};
	struct bb_sink out = {.fd = 1};
	int status;

	read_call(&r, argc, argv);
	tool_keep_to(r.in.files, NULL, 0);
	bb_sandbox_enter(*r.in.files ? BB_SANDBOX_READER : BB_SANDBOX_FILTER);
	bb_lines_tie(&r.in, &out);
	read_coins(&r);
	if (!r.in.fail_fast || !r.in.status) {
		choose(&r);
		write_tx(&out.buf, &r);
	}
	status = bb_lines_close(&r.in, &out);
	bb_utxos_free(&r.coins);
	bb_arena_free(&r.arena);
	return status;
}
