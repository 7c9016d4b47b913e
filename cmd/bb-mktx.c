#include "tool.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/sandbox.h"
#include "bitcoin/policy.h"
#include "bitcoin/txline.h"
#include "crypto/curve.h"
#include "wallet/coinselect.h"
#include "wallet/utxo.h"

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

/* An output as the command line asks for it. */
struct wish {
	int kind; /* TO, TO_SCRIPT, DATA */
	const char *text;
};

/* One run of the tool. */
struct run {
	/* As asked for. */
	struct bb_network network;
	struct wish *wishes;
	size_t wish_count;
	struct bb_outpoint *inputs;
	size_t input_count;
	const char *network_name, *change_address;
	int64_t fee_per_kvb, max_fee_sat, height, locktime, sequence;
	bool all, inputs_all, final, allow_dust, allow_large, keep_order, lean;

	struct bb_txout *pay; /* the outputs with an amount, and room for one more */
	size_t pay_count;
	struct bb_span rest; /* script of the change or of a sweep's output; may be empty */
	size_t rest_at;	     /* the place of a sweep's output among the others */

	struct bb_arena arena; /* what lasts */
	struct bb_lines in;
	struct bb_buf coin_buf; /* of struct bb_utxo */
	struct bb_utxo *coins;
	size_t count;
	int64_t tip; /* -1: not known */
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

/* The command line. */

/* "2.5" satoshi per virtual byte, exactly. */
static int64_t read_fee_rate(const char *text)
{
	int64_t rate = 0;
	int places = -1; /* digits after the point */

	for (const char *s = text; *s; s++) {
		if (*s == '.' && places < 0 && s > text && s[1]) {
			places = 0;
			continue;
		}
		if (!isdigit((unsigned char)*s) || (places >= 0 && ++places > 3))
			tool_usage(&tool, "--fee-rate: not a number with up to 3 decimals: %s",
				text);
		rate = 10 * rate + (*s - '0');
		if (rate > BB_MAX_FEE_PER_KVB)
			tool_usage(&tool, "--fee-rate: more than 1000000 sat/vB: %s", text);
	}
	for (int i = places > 0 ? places : 0; i < 3; i++)
		rate *= 10;
	if (!*text || rate > BB_MAX_FEE_PER_KVB)
		tool_usage(&tool, "--fee-rate: not a number up to 1000000: %s", text);
	return rate;
}

static struct bb_outpoint read_outpoint(const char *text)
{
	const char *colon = strchr(text, ':');
	struct bb_outpoint o;

	if (!colon || !bb_hash_decode(o.txid, BB_SPAN(text, (size_t)(colon - text))))
		tool_usage(&tool, "--input: not TXID:VOUT: %s", text);
	o.vout = (uint32_t)tool_number(&tool, "--input", colon + 1, 0, UINT32_MAX);
	return o;
}

static struct bb_span read_hex(struct run *r, const char *option, const char *text, size_t len)
{
	struct bb_span bytes;

	if (!bb_hex_span(&bytes, BB_SPAN(text, len), &r->arena))
		tool_usage(
			&tool, "%s: not hex: %.*s", option, len > 200 ? 200 : (int)len, text);
	return bytes;
}

static struct bb_span read_address(struct run *r, const char *option, struct bb_span address)
{
	struct bb_buf script = {0};
	struct bb_span kept;
	const char *why;

	if (!bb_address_script(&script, &why, address, &r->network))
		tool_die(&tool, BB_CALLER, "%s: %s: %.*s", option, why,
			address.len > 200 ? 200 : (int)address.len, (const char *)address.data);
	kept = bb_arena_copy(&r->arena, BB_SPAN(script.data, script.len));
	must((void *)kept.data);
	bb_buf_free(&script);
	return kept;
}

static struct bb_span data_script(struct run *r, const char *hex)
{
	struct bb_span data = read_hex(r, "--data", hex, strlen(hex));
	struct bb_buf script = {0};

	bb_put_u8(&script, OP_RETURN);
	bb_put_push(&script, data);
	data = bb_arena_copy(&r->arena, BB_SPAN(script.data, script.len));
	if (script.failed || !data.data)
		must(NULL);
	bb_buf_free(&script);
	return data;
}

/* ADDRESS=AMOUNT or HEX=AMOUNT; without an amount: the output that gets the rest of --all. */
static void read_payment(struct run *r, const struct wish *wish)
{
	const char *option = wish->kind == TO ? "--to" : "--to-script";
	const char *equals = strrchr(wish->text, '=');
	size_t len = equals ? (size_t)(equals - wish->text) : strlen(wish->text);
	struct bb_txout out = {0};

	if (wish->kind == TO)
		out.script = read_address(r, option, BB_SPAN(wish->text, len));
	else
		out.script = read_hex(r, option, wish->text, len);
	if (!equals && (!r->all || r->rest.data))
		tool_usage(&tool, "%s: the amount is missing: %s", option, wish->text);
	if (!equals) {
		r->rest = out.script;
		r->rest_at = r->pay_count;
		return;
	}
	out.value_sat = tool_amount(&tool, equals + 1);
	if (out.value_sat < bb_dust_limit(out.script) && !r->allow_dust)
		tool_die(&tool, BB_CALLER, "%s: dust, less than %lld sat: %s", option,
			(long long)bb_dust_limit(out.script), wish->text);
	r->pay[r->pay_count++] = out;
}

static void read_wishes(struct run *r)
{
	int64_t total = 0;

	tool_network(&tool, &r->network, r->network_name);
	if (!r->wish_count)
		tool_usage(&tool, "nothing to pay: --to or --data is missing");
	r->pay = must(bb_arena_array(&r->arena, r->wish_count + 1, sizeof(*r->pay)));
	for (size_t i = 0; i < r->wish_count; i++)
		if (r->wishes[i].kind == DATA)
			r->pay[r->pay_count++].script = data_script(r, r->wishes[i].text);
		else
			read_payment(r, &r->wishes[i]);
	for (size_t i = 0; i < r->pay_count; i++)
		if ((total += r->pay[i].value_sat) > BB_MAX_MONEY)
			tool_die(&tool, BB_CALLER, "--to: more than all money there can be");
	if (r->all && !r->rest.data)
		tool_usage(&tool, "--all needs a --to without an amount, which gets the rest");
	if (r->all && r->change_address)
		tool_usage(&tool, "--all leaves no change");
	if (r->change_address)
		r->rest = read_address(
			r, "--change", BB_SPAN(r->change_address, strlen(r->change_address)));
}

static void check_sequence(struct run *r)
{
	if (r->final && r->sequence >= 0)
		tool_usage(&tool, "--final and --sequence exclude each other");
	if (r->final)
		r->sequence = r->locktime ? BB_SEQUENCE_FINAL - 1 : BB_SEQUENCE_FINAL;
	else if (r->sequence < 0)
		r->sequence = REPLACEABLE;
	if (r->locktime && r->sequence == BB_SEQUENCE_FINAL)
		tool_usage(&tool, "--locktime has no effect with that --sequence");
}

static void read_option(struct run *r, int opt)
{
	switch (opt) {
	case TO:
	case TO_SCRIPT:
	case DATA: r->wishes[r->wish_count++] = (struct wish){opt, optarg}; break;
	case CHANGE: r->change_address = optarg; break;
	case FEE_RATE: r->fee_per_kvb = read_fee_rate(optarg); break;
	case MAX_FEE: r->max_fee_sat = tool_amount(&tool, optarg); break;
	case ALL: r->all = true; break;
	case INPUTS:
		if (strcmp(optarg, "all") != 0)
			tool_usage(
				&tool, "--inputs takes only all; --input TXID:VOUT names one");
		r->inputs_all = true;
		break;
	case INPUT: r->inputs[r->input_count++] = read_outpoint(optarg); break;
	case HEIGHT: r->height = tool_number(&tool, "--height", optarg, 0, INT32_MAX); break;
	case LOCKTIME:
		r->locktime = tool_number(&tool, "--locktime", optarg, 0, UINT32_MAX);
		break;
	case FINAL: r->final = true; break;
	case SEQUENCE:
		r->sequence = tool_number(&tool, "--sequence", optarg, 0, UINT32_MAX);
		break;
	case ALLOW_DUST: r->allow_dust = true; break;
	case ALLOW_LARGE: r->allow_large = true; break;
	case KEEP_ORDER: r->keep_order = true; break;
	case LEAN: r->lean = true; break;
	default: tool_option(&tool, opt, &r->in, &r->network_name);
	}
}

static void read_call(struct run *r, int argc, char **argv)
{
	int opt;

	r->wishes = must(bb_arena_array(&r->arena, (size_t)argc, sizeof(*r->wishes)));
	r->inputs = must(bb_arena_array(&r->arena, (size_t)argc, sizeof(*r->inputs)));
	while ((opt = getopt_long(argc, argv, "n:", options, NULL)) != -1)
		read_option(r, opt);
	r->in.files = argv + optind;
	check_sequence(r);
	read_wishes(r);
}

/* The coins. */

/* The same coin again is passed over, but two that differ cannot both be true. */
static void drop_doubles(struct run *r)
{
	size_t kept = 0;

	bb_utxos_sort(r->coins, r->count);
	for (size_t i = 0; i < r->count; i++) {
		const struct bb_utxo *c = &r->coins[i],
				     *last = kept ? &r->coins[kept - 1] : NULL;
		if (!last || !bb_outpoint_equal(&last->outpoint, &c->outpoint))
			r->coins[kept++] = *c;
		else if (last->prevout.value_sat != c->prevout.value_sat ||
			 !bb_span_equal(last->prevout.script, c->prevout.script))
			bb_lines_report(&r->in, c->line, BB_CALLER,
				"differs from an earlier line on this coin", BB_SPAN(NULL, 0));
	}
	r->count = kept;
}

static void read_coins(struct run *r)
{
	struct bb_arena work = {0};
	struct bb_span text;
	struct bb_utxo coin;
	const char *why;

	while (bb_lines_read(&r->in, &text)) {
		const struct bb_json *line = bb_json_parse(&work, &why, text);
		if (line && bb_utxo_read(&coin, &why, &r->arena, &work, line, &r->network)) {
			coin.line = r->in.number;
			bb_put(&r->coin_buf, &coin, sizeof(coin));
		} else {
			bb_lines_bad(&r->in, why);
		}
		bb_arena_reset(&work);
	}
	bb_arena_free(&work);
	if (r->coin_buf.failed)
		must(NULL);
	r->coins = (struct bb_utxo *)(void *)r->coin_buf.data;
	r->count = r->coin_buf.len / sizeof(*r->coins);
	drop_doubles(r);
}

/* Confirmed coins first, else as they were read. */
static int by_line(const void *x, const void *y)
{
	const struct bb_utxo *a = x, *b = y;

	if (a->confirmed != b->confirmed)
		return a->confirmed ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

/* Keep only what --input names; each must be there. The coins are sorted by outpoint. */
static void keep_wanted(struct run *r)
{
	bool *wanted = must(bb_arena_array(&r->arena, r->count + 1, sizeof(*wanted)));
	char txid[65] = "";
	size_t kept = 0;

	for (size_t i = 0; i < r->input_count; i++) {
		const struct bb_outpoint *o = &r->inputs[i];
		const struct bb_utxo *found = bb_utxos_find(r->coins, r->count, o);
		bb_hash_encode(txid, o->txid);
		if (!found)
			refuse(r, BB_NO, "--input: no such coin was read: %s:%u", txid,
				o->vout);
		wanted[found - r->coins] = true;
	}
	for (size_t i = 0; i < r->count; i++)
		if (wanted[i])
			r->coins[kept++] = r->coins[i];
	r->count = kept;
}

/* Leave out coinbases that the next block may not spend, or that are not known to be old
 * enough. */
static void drop_immature(struct run *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->count; i++) {
		const struct bb_utxo *c = &r->coins[i];
		if (bb_utxo_is_mature(c, r->tip, &r->network)) {
			r->coins[kept++] = *c;
		} else {
			r->immature++;
			r->immature_sat += c->prevout.value_sat;
		}
	}
	r->count = kept;
}

/* Without --height the tip is at least as high as the highest coin. */
static void sort_out(struct run *r)
{
	r->tip = r->height;
	for (size_t i = 0; i < r->count && r->height < 0; i++)
		if (r->coins[i].prevout.height > r->tip)
			r->tip = r->coins[i].prevout.height;
	if (r->input_count)
		keep_wanted(r);
	drop_immature(r);
	if (r->count)
		qsort(r->coins, r->count, sizeof(*r->coins), by_line);
}

/* Choosing. */

static int64_t output_weight(struct bb_span script)
{
	return BB_WITNESS_SCALE * (int64_t)(8 + bb_compact_len(script.len) + script.len);
}

/* Change parameters for change of that script. */
static void set_change(struct bb_select_params *p, const struct run *r, struct bb_span script)
{
	struct bb_input_size spend;
	const char *why;

	p->change_weight = output_weight(script);
	p->change_weight += BB_WITNESS_SCALE * (int64_t)(bb_compact_len(r->pay_count + 1) -
							 bb_compact_len(r->pay_count));
	p->dust_sat = r->all && r->allow_dust ? 1 : bb_dust_limit(script);
	p->change_spend_weight = 0;
	if (!r->all && bb_input_size(&spend, &why, script, NULL))
		p->change_spend_weight = spend.weight;
}

static struct bb_select_params set_params(const struct run *r)
{
	struct bb_select_params p = {
		.base_weight = BB_WITNESS_SCALE *
			       (int64_t)(4 + 1 + bb_compact_len(r->pay_count) + 4),
		.fee_per_kvb = r->fee_per_kvb,
		.max_weight = r->allow_large ? BB_MAX_BLOCK_WEIGHT : BB_MAX_STANDARD_WEIGHT,
		.all = r->all || r->inputs_all || r->input_count,
		.need_change = r->all,
	};

	for (size_t i = 0; i < r->pay_count; i++) {
		p.base_weight += output_weight(r->pay[i].script);
		p.target_sat += r->pay[i].value_sat;
	}
	return p;
}

static const char too_large[] = "transaction too large"; /* bb_select_coins's own word */

/* Why no coins could be chosen, and what may help. */
static noreturn void not_enough(struct run *r, const char *why, int64_t short_sat)
{
	char text[300];
	size_t len;

	len = (size_t)snprintf(text, sizeof(text), "%s", why);
	if (strcmp(why, too_large) == 0)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
			": over %d weight units%s",
			r->allow_large ? BB_MAX_BLOCK_WEIGHT : BB_MAX_STANDARD_WEIGHT,
			r->allow_large ? "" : " (--allow-large)");
	if (short_sat)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ": short of %lld sat",
			(long long)short_sat);
	if (r->immature)
		snprintf(text + len, sizeof(text) - len,
			"; left out: %zu coinbase coin%s of %lld sat not known to be mature%s",
			r->immature, r->immature == 1 ? "" : "s", (long long)r->immature_sat,
			r->height < 0 ? " (--height tells the tip)" : "");
	refuse(r, strcmp(why, "out of memory") == 0 ? BB_SYSTEM : BB_NO, "%s", text);
}

/* Confirmed coins if they suffice, else all. */
static void choose(struct bb_selection *s, struct bb_candidate *candidates, struct run *r,
	const struct bb_select_params *p)
{
	size_t confirmed = 0;
	int64_t short_sat;
	const char *why;

	while (confirmed < r->count && r->coins[confirmed].confirmed)
		confirmed++;
	if (!p->all && confirmed && confirmed < r->count &&
		bb_select_coins(s, &why, &short_sat, candidates, confirmed, p))
		return;
	if (!bb_select_coins(s, &why, &short_sat, candidates, r->count, p))
		not_enough(r, why, short_sat);
}

/* The script that takes more room: what change may cost while its script is not yet known. */
static struct bb_span longest_script(const struct run *r)
{
	struct bb_span longest = BB_SPAN(NULL, 0);

	for (size_t i = 0; i < r->count; i++)
		if (r->coins[i].prevout.script.len > longest.len)
			longest = r->coins[i].prevout.script;
	return longest;
}

static struct bb_selection select_coins(struct run *r)
{
	struct bb_select_params p = set_params(r);
	struct bb_selection s = {0};
	struct bb_candidate *candidates;
	bool first_input = !r->rest.data; /* change goes back to it */

	candidates = must(bb_arena_array(&r->arena, r->count + 1, sizeof(*candidates)));
	s.index = must(bb_arena_array(&r->arena, r->count + 1, sizeof(*s.index)));
	for (size_t i = 0; i < r->count; i++)
		candidates[i] = (struct bb_candidate){r->coins[i].prevout.value_sat,
			r->coins[i].size.weight, r->coins[i].size.witness};
	set_change(&p, r, first_input ? longest_script(r) : r->rest);
	choose(&s, candidates, r, &p);
	if (first_input) {
		r->rest = r->coins[s.index[0]].prevout.script;
		set_change(&p, r, r->rest);
		bb_settle_change(&s, candidates, &p);
	}
	if (bb_selection_weight(&s, candidates, &p) > p.max_weight)
		not_enough(r, too_large, 0);
	if (s.fee_sat > r->max_fee_sat)
		refuse(r, BB_NO, "the fee would be %lld sat, over --max-fee",
			(long long)s.fee_sat);
	return s;
}

/* Writing. */

/* A place among the outputs that does not tell which one is change. */
static size_t change_place(const struct run *r)
{
	uint64_t random = 0;

	if (r->all)
		return r->rest_at;
	if (r->keep_order)
		return r->pay_count;
	if (!bb_random(&random, sizeof(random)))
		tool_die(&tool, BB_SYSTEM, "no entropy");
	return random % (r->pay_count + 1);
}

static void build(struct bb_tx *tx, struct bb_prevout **prevouts, struct run *r,
	const struct bb_selection *s)
{
	*tx = (struct bb_tx){.version = 2, .locktime = (uint32_t)r->locktime};
	tx->in_count = s->chosen;
	tx->in = must(bb_arena_array(&r->arena, s->chosen, sizeof(*tx->in)));
	*prevouts = must(bb_arena_array(&r->arena, s->chosen, sizeof(**prevouts)));
	for (size_t i = 0; i < s->chosen; i++) {
		const struct bb_utxo *c = &r->coins[s->index[i]];
		tx->in[i].prevout = c->outpoint;
		tx->in[i].sequence = (uint32_t)r->sequence;
		(*prevouts)[i] = c->prevout;
	}
	tx->out = r->pay;
	tx->out_count = r->pay_count;
	if (s->change_sat) {
		size_t at = change_place(r);
		memmove(&tx->out[at + 1], &tx->out[at],
			(tx->out_count - at) * sizeof(*tx->out));
		tx->out[at] = (struct bb_txout){s->change_sat, r->rest};
		tx->out_count++;
	}
}

/* The fields for signers of each input, as {"vin":[...]}; *any: there is at least one. */
static const struct bb_json *signers_fields(
	bool *any, struct run *r, const struct bb_selection *s)
{
	struct bb_buf text = {0};
	struct bb_json_writer w = {.buf = &text};
	const struct bb_json *fields;
	struct bb_span kept;
	const char *why;

	*any = false;
	bb_json_open(&w, '{');
	bb_json_key(&w, "vin");
	bb_json_open(&w, '[');
	for (size_t i = 0; i < s->chosen; i++) {
		struct bb_span own = r->coins[s->index[i]].fields;
		*any |= own.len > 2;
		bb_json_raw(&w, own);
	}
	bb_json_close(&w, ']');
	bb_json_close(&w, '}');
	kept = bb_arena_copy(&r->arena, BB_SPAN(text.data, text.len));
	if (text.failed || !kept.data)
		must(NULL);
	bb_buf_free(&text);
	fields = bb_json_parse(&r->arena, &why, kept);
	if (!fields)
		tool_die(&tool, BB_SYSTEM, "%s", why);
	return bb_json_get(fields, "vin");
}

static void write_lean(struct bb_json_writer *w, const struct bb_tx *tx,
	const struct bb_prevout *prevouts, const struct bb_json *fields)
{
	struct bb_buf bytes = {0};

	bb_put_tx(&bytes, tx, false);
	if (bytes.failed)
		must(NULL);
	bb_json_key(w, "hex");
	bb_json_hex(w, BB_SPAN(bytes.data, bytes.len));
	bb_json_prevouts(w, prevouts, tx->in_count);
	if (fields) {
		bb_json_key(w, "vin");
		bb_json_raw(w, fields->raw);
	}
	bb_buf_free(&bytes);
}

static void write_tx(struct bb_buf *out, struct run *r, const struct bb_selection *s)
{
	struct bb_json_writer w = {.buf = out};
	struct bb_prevout *prevouts;
	struct bb_tx tx;
	bool any;
	const struct bb_json *fields = signers_fields(&any, r, s);

	build(&tx, &prevouts, r, s);
	bb_json_open(&w, '{');
	bb_json_key(&w, "type");
	bb_json_str(&w, "tx");
	if (r->lean)
		write_lean(&w, &tx, prevouts, any ? fields : NULL);
	else
		bb_json_tx(&w, &tx, prevouts, fields, &r->network);
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
		.fee_per_kvb = 1000,
		.max_fee_sat = BB_COIN / 10,
		.height = -1,
		.sequence = -1,
	};
	struct bb_sink out = {.fd = 1};
	struct bb_selection selection;
	int status;

	read_call(&r, argc, argv);
	bb_sandbox_enter(BB_SANDBOX_READER);
	bb_lines_tie(&r.in, &out);
	read_coins(&r);
	if (!r.in.fail_fast || !r.in.status) {
		sort_out(&r);
		selection = select_coins(&r);
		write_tx(&out.buf, &r, &selection);
	}
	status = bb_lines_close(&r.in, &out);
	bb_buf_free(&r.coin_buf);
	bb_arena_free(&r.arena);
	return status;
}
