#include "payments.h"

#include <ctype.h>
#include <string.h>

#include "base/hex.h"
#include "bitcoin/policy.h"

int64_t payments_fee_rate(const struct tool *t, const char *text)
{
	int64_t rate = 0;
	int places = -1; /* digits after the point */

	for (const char *s = text; *s; s++) {
		if (*s == '.' && places < 0 && s > text && s[1]) {
			places = 0;
			continue;
		}
		if (!isdigit((unsigned char)*s) || (places >= 0 && ++places > 3))
			tool_usage(
				t, "--fee-rate: not a number with up to 3 decimals: %s", text);
		rate = 10 * rate + (*s - '0');
		if (rate > BB_MAX_FEE_PER_KVB)
			tool_usage(t, "--fee-rate: more than 1000000 sat/vB: %s", text);
	}
	for (int i = places > 0 ? places : 0; i < 3; i++)
		rate *= 10;
	if (!*text || rate > BB_MAX_FEE_PER_KVB)
		tool_usage(t, "--fee-rate: not a number up to 1000000: %s", text);
	return rate;
}

struct bb_outpoint payments_outpoint(const struct tool *t, const char *text)
{
	const char *colon = strchr(text, ':');
	struct bb_outpoint o;

	if (!colon || !bb_hash_decode(o.txid, BB_SPAN(text, (size_t)(colon - text))))
		tool_usage(t, "--input: not TXID:VOUT: %s", text);
	o.vout = (uint32_t)tool_number(t, "--input", colon + 1, 0, UINT32_MAX);
	return o;
}

/* What a buffer holds, to stay. */
static struct bb_span keep(const struct payments *p, struct bb_buf *b)
{
	struct bb_span kept = bb_arena_copy(p->arena, BB_SPAN(b->data, b->len));

	if (b->failed || !kept.data)
		tool_die(p->tool, BB_SYSTEM, "out of memory");
	bb_buf_free(b);
	return kept;
}

struct bb_span payments_address(
	const struct payments *p, const char *option, struct bb_span address)
{
	struct bb_buf script = {0};
	const char *why;

	if (!bb_address_script(&script, &why, address, p->network))
		tool_die(p->tool, BB_CALLER, "%s: %s: %.*s", option, why,
			address.len > 200 ? 200 : (int)address.len, (const char *)address.data);
	return keep(p, &script);
}

static struct bb_span read_hex(const struct payments *p, const char *option, struct bb_span hex)
{
	struct bb_span bytes;

	if (!bb_hex_span(&bytes, hex, p->arena))
		tool_usage(p->tool, "%s: not hex: %.*s", option,
			hex.len > 200 ? 200 : (int)hex.len, (const char *)hex.data);
	return bytes;
}

static struct bb_span data_script(const struct payments *p, const char *hex)
{
	struct bb_span data = read_hex(p, "--data", BB_SPAN(hex, strlen(hex)));
	struct bb_buf script = {0};

	bb_put_u8(&script, OP_RETURN);
	bb_put_push(&script, data);
	return keep(p, &script);
}

static void read_one(
	const struct payments *p, struct bb_txbuild *b, const struct payment *payment)
{
	const char *option = payment->kind == PAY_ADDRESS ? "--to" : "--to-script";
	const char *equals = strrchr(payment->text, '=');
	const struct bb_span to = BB_SPAN(payment->text,
		equals ? (size_t)(equals - payment->text) : strlen(payment->text));
	struct bb_txout out = {0};

	if (payment->kind == PAY_ADDRESS)
		out.script = payments_address(p, option, to);
	else
		out.script = read_hex(p, option, to);
	if (!equals && (!b->sweep || b->rest.data))
		tool_usage(p->tool, "%s: the amount is missing: %s", option, payment->text);
	if (!equals) {
		b->rest = out.script;
		b->rest_at = b->pay_count;
		return;
	}
	out.value_sat = tool_amount(p->tool, equals + 1);
	if (out.value_sat < bb_dust_limit(&bb_policy_core, out.script) && !b->allow_dust)
		tool_die(p->tool, BB_CALLER, "%s: dust, less than %lld sat: %s", option,
			(long long)bb_dust_limit(&bb_policy_core, out.script), payment->text);
	b->pay[b->pay_count++] = out;
}

void payments_read(const struct payments *p, struct bb_txbuild *b,
	const struct payment *payments, size_t count)
{
	int64_t total = 0;

	if (!count)
		tool_usage(p->tool, "nothing to pay: --to or --data is missing");
	if (!(b->pay = bb_arena_array(p->arena, count + 1, sizeof(*b->pay))))
		tool_die(p->tool, BB_SYSTEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		if (payments[i].kind == PAY_DATA)
			b->pay[b->pay_count++].script = data_script(p, payments[i].text);
		else
			read_one(p, b, &payments[i]);
	for (size_t i = 0; i < b->pay_count; i++)
		if ((total += b->pay[i].value_sat) > BB_MAX_MONEY)
			tool_die(p->tool, BB_CALLER, "--to: more than all money there can be");
}
