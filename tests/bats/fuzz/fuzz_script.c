/* Scripts: run under any flags, in any kind of output, with the tracer on; and taken apart.
 *
 *	byte 0	the form (low three bits), 0x08: signatures are weak, 0x10: sighashes filled in
 *	byte 1	the input to judge, of a whole transaction
 *	2 to 5	flags, little-endian
 *	6 to 9	flags to take away
 *	then	FORM_TX: a count byte, that many prevouts (value, script with its compact size),
 *		and the transaction;
 *		the others: version, locktime, sequence (4 bytes each), value (8), then spans,
 *each with two bytes of length before it: scriptSig, script, witness items
 *
 * The script goes into a scriptPubKey as the form says, so that mutations need not find hashes.
 * A weak signature is good when its last byte is odd: mutations cannot find real ones either.
 */

#include <string.h>

#include "bitcoin/address.h"
#include "bitcoin/interpreter.h"
#include "bitcoin/policy.h"
#include "crypto/curve.h"
#include "fuzz.h"
#include "wallet/inputsize.h"

enum form { FORM_TX, FORM_BARE, FORM_P2SH, FORM_P2WSH, FORM_P2SH_P2WSH, FORM_TAPSCRIPT, FORMS };
enum { FORM_MASK = 7, WEAK = 8, FILL = 16 };
enum { MAX_ITEMS = 64 };

/* BIP 341's point without known secret. */
static const unsigned char internal32[32] = {0x50, 0x92, 0x9b, 0x74, 0xc1, 0xa0, 0x49, 0x54,
	0xb7, 0x8b, 0x4b, 0x60, 0x35, 0xe9, 0x7a, 0x5e, 0x07, 0x8a, 0x5a, 0x0f, 0x28, 0xec,
	0x96, 0xd5, 0x47, 0xbf, 0xee, 0x9a, 0xce, 0x80, 0x3a, 0xc0};

static bool weak;

bool __real_bb_ecdsa_verify(
	struct bb_span der, const unsigned char msg32[32], struct bb_span pubkey);
bool __wrap_bb_ecdsa_verify(
	struct bb_span der, const unsigned char msg32[32], struct bb_span pubkey);
bool __real_bb_schnorr_verify(const unsigned char sig64[64], const unsigned char msg32[32],
	const unsigned char xonly32[32]);
bool __wrap_bb_schnorr_verify(const unsigned char sig64[64], const unsigned char msg32[32],
	const unsigned char xonly32[32]);

bool __wrap_bb_ecdsa_verify(
	struct bb_span der, const unsigned char msg32[32], struct bb_span pubkey)
{
	return weak ? der.len && (der.data[der.len - 1] & 1)
		    : __real_bb_ecdsa_verify(der, msg32, pubkey);
}

bool __wrap_bb_schnorr_verify(const unsigned char sig64[64], const unsigned char msg32[32],
	const unsigned char xonly32[32])
{
	return weak ? sig64[63] & 1 : __real_bb_schnorr_verify(sig64, msg32, xonly32);
}

/* What is spent, and by what. */
struct spend {
	struct bb_tx tx;
	struct bb_prevout *prevouts;
	size_t index;
	bool fill;
	struct bb_buf pubkey_script, redeem, script_sig, control; /* made here */
};

static bool read_prevouts(struct spend *s, struct bb_reader *r, struct bb_arena *a)
{
	size_t count = bb_get_u8(r);
	struct bb_prevout *p = bb_arena_array(a, count, sizeof(*p));

	s->prevouts = p;
	for (size_t i = 0; i < count; i++) {
		p[i].value_sat = (int64_t)bb_get_le64(r);
		p[i].script = bb_get_span(r, bb_get_compact(r));
		p[i].known = true;
	}
	return !r->bad && bb_tx_parse(&s->tx, BB_SPAN(r->p, bb_left(r)), a) &&
	       s->tx.in_count == count && count;
}

static struct bb_span next_item(struct bb_reader *r)
{
	size_t len = bb_get_le16(r), left = bb_left(r);

	return bb_get_span(r, len < left ? len : left);
}

static void put_program(struct bb_buf *b, struct bb_span script)
{
	unsigned char hash[32];

	bb_sha256(hash, script.data, script.len);
	bb_put_witness(b, 0, BB_SPAN(hash, 32));
}

static void put_p2sh(struct bb_buf *b, struct bb_span script)
{
	unsigned char hash[20];

	bb_hash160(hash, script.data, script.len);
	bb_put_p2sh(b, hash);
}

static void put_taproot(struct spend *s, struct bb_span script)
{
	unsigned char leaf[32], output[32];
	bool odd;

	bb_tapleaf_hash(leaf, BB_TAPROOT_LEAF_TAPSCRIPT, script);
	DEMAND(bb_taproot_output(output, &odd, internal32, leaf));
	bb_put_witness(&s->pubkey_script, 1, BB_SPAN(output, 32));
	bb_put_u8(&s->control, BB_TAPROOT_LEAF_TAPSCRIPT | odd);
	bb_put(&s->control, internal32, 32);
}

/* Put the script where the form wants it. */
static void wrap(struct spend *s, enum form form, struct bb_span script)
{
	struct bb_txin *in = &s->tx.in[0];

	switch (form) {
	case FORM_BARE: bb_put(&s->pubkey_script, script.data, script.len); break;
	case FORM_P2SH:
		put_p2sh(&s->pubkey_script, script);
		bb_put(&s->script_sig, in->script_sig.data, in->script_sig.len);
		bb_put_push(&s->script_sig, script);
		in->script_sig = buf_span(&s->script_sig);
		break;
	case FORM_P2WSH: put_program(&s->pubkey_script, script); break;
	case FORM_P2SH_P2WSH:
		put_program(&s->redeem, script);
		put_p2sh(&s->pubkey_script, buf_span(&s->redeem));
		bb_put_push(&s->script_sig, buf_span(&s->redeem));
		in->script_sig = buf_span(&s->script_sig);
		break;
	default: put_taproot(s, script); break;
	}
	if (form >= FORM_P2WSH)
		in->witness[in->witness_count++] = script;
	if (form == FORM_TAPSCRIPT)
		in->witness[in->witness_count++] = buf_span(&s->control);
	s->prevouts[0].script = buf_span(&s->pubkey_script);
}

static bool read_parts(struct spend *s, struct bb_reader *r, struct bb_arena *a, enum form form)
{
	struct bb_span script;
	struct bb_txin *in;

	s->tx = (struct bb_tx){.version = bb_get_le32(r), .in_count = 1, .out_count = 1};
	s->tx.locktime = bb_get_le32(r);
	s->tx.in = in = bb_arena_array(a, 1, sizeof(*in));
	s->tx.out = bb_arena_array(a, 1, sizeof(*s->tx.out));
	s->prevouts = bb_arena_array(a, 1, sizeof(*s->prevouts));
	in->sequence = bb_get_le32(r);
	in->witness = bb_arena_array(a, MAX_ITEMS + 2, sizeof(*in->witness));
	s->prevouts[0] = (struct bb_prevout){.known = true};
	s->tx.out[0].value_sat = s->prevouts[0].value_sat = (int64_t)bb_get_le64(r);
	if (r->bad)
		return false;
	in->script_sig = next_item(r);
	script = next_item(r);
	while (bb_left(r) > 1 && in->witness_count < MAX_ITEMS)
		in->witness[in->witness_count++] = next_item(r);
	wrap(s, form, script);
	return true;
}

/* As script_tests.json is credited: the outpoint names a transaction that pays this script. */
static void credit(struct spend *s)
{
	static const unsigned char zeros[2] = {0};
	struct bb_txin in = {.sequence = BB_SEQUENCE_FINAL, .script_sig = BB_SPAN(zeros, 2)};
	struct bb_txout out = {s->prevouts[0].value_sat, s->prevouts[0].script};
	struct bb_tx tx = {.version = 1, .in = &in, .in_count = 1, .out = &out, .out_count = 1};

	in.prevout.vout = UINT32_MAX;
	bb_tx_txid(s->tx.in[0].prevout.txid, &tx);
}

struct trace {
	size_t steps;
	uint64_t seen; /* keeps the reads */
};

static void read_stack(struct trace *t, const struct bb_stack *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct bb_span e = bb_element_span(&s->e[i]);
		if (e.len)
			t->seen += e.data[0] + e.data[e.len - 1];
	}
}

static void on_step(void *arg, const struct bb_step *step)
{
	struct trace *t = arg;
	char name[24];

	t->steps++;
	bb_opcode_name(name, step->op.opcode);
	t->seen += strlen(name) + strlen(step->where) + step->position + step->input;
	read_stack(t, step->stack);
	read_stack(t, step->altstack);
	for (size_t i = 0; i < step->condition_count; i++)
		t->seen += step->conditions[i];
}

static enum bb_script_error verify(
	struct bb_interpreter *vm, const struct spend *s, uint32_t flags)
{
	struct bb_sighash_cache cache;

	bb_sighash_cache_init(&cache, &s->tx, s->prevouts);
	if (s->fill)
		bb_sighash_cache_fill(&cache);
	return bb_verify_input(vm, &cache, s->index, flags);
}

/* Flags stand on others: CLEANSTACK on WITNESS, and that on P2SH. */
static uint32_t with_their_base(uint32_t flags)
{
	if (flags & BB_VERIFY_CLEANSTACK)
		flags |= BB_VERIFY_WITNESS;
	if (flags & BB_VERIFY_WITNESS)
		flags |= BB_VERIFY_P2SH;
	return flags;
}

static uint32_t without_baseless(uint32_t flags)
{
	if (!(flags & BB_VERIFY_P2SH))
		flags &= ~BB_VERIFY_WITNESS;
	if (!(flags & BB_VERIFY_WITNESS))
		flags &= ~BB_VERIFY_CLEANSTACK;
	return flags;
}

/* Every flag is a soft fork: what passes with it passes without it. */
static void soft_forks(struct bb_interpreter *vm, const struct spend *s, uint32_t without)
{
	static const uint32_t history[] = {BB_VERIFY_STANDARD, BB_VERIFY_CONSENSUS,
		BB_VERIFY_CONSENSUS & ~BB_VERIFY_TAPROOT, BB_VERIFY_P2SH | BB_VERIFY_WITNESS,
		BB_VERIFY_P2SH, 0};
	bool passed = false;

	for (size_t i = 0; i < sizeof(history) / sizeof(*history); i++) {
		bool ok = verify(vm, s, history[i]) == BB_SCRIPT_OK;
		DEMAND(ok || !passed);
		if (ok)
			DEMAND(verify(vm, s, without_baseless(history[i] & ~without)) ==
				BB_SCRIPT_OK);
		passed = ok;
	}
}

static void run(const struct spend *s, uint32_t flags, uint32_t without)
{
	static struct bb_interpreter used; /* must not remember anything */
	struct bb_interpreter fresh = {0};
	struct trace trace = {0};
	enum bb_script_error e, traced;

	flags = with_their_base(flags);
	e = verify(&fresh, s, flags);
	DEMAND(e < BB_SCRIPT_ERROR_COUNT && bb_script_error_name(e) && bb_script_error_text(e));
	used.trace = on_step;
	used.trace_arg = &trace;
	traced = verify(&used, s, flags);
	used.trace = NULL;
	DEMAND(traced == e);
	if (e == BB_SCRIPT_OK)
		DEMAND(verify(&used, s, without_baseless(flags & ~without)) == BB_SCRIPT_OK);
	soft_forks(&used, s, without);
	bb_interpreter_free(&fresh);
}

/* A script by itself. */
static void take_apart(struct bb_span script)
{
	const struct bb_network *n = bb_network_find("main");
	struct bb_buf text = {0}, again = {0};
	struct bb_span keys[20], data;
	unsigned m, of;
	struct bb_input_size size;
	const char *why;

	bb_put_asm(&text, script);
	DEMAND(!text.failed && (text.len > 0) == (script.len > 0));
	DEMAND(bb_script_type_name(bb_script_type(script)));
	DEMAND(bb_script_sigops(script, true) <= bb_script_sigops(script, false));
	if (bb_script_is_push_only(script))
		DEMAND(bb_script_sigops(script, false) == 0);
	if (bb_script_is_multisig(&m, &of, keys, script))
		DEMAND(m >= 1 && m <= of && of <= 20 && bb_script_sigops(script, true) == of);
	bb_script_last_push(&data, script);
	bb_dust_limit(&bb_policy_core, script);
	bb_input_size(&size, &why, script, NULL);
	text.len = 0;
	if (bb_put_address(&text, script, n)) {
		DEMAND(bb_address_script(&again, &why, buf_span(&text), n));
		DEMAND(bb_span_equal(buf_span(&again), script));
	}
	bb_buf_free(&text);
	bb_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bb_reader r = bb_reader(data, size);
	uint8_t how = bb_get_u8(&r), index = bb_get_u8(&r);
	uint32_t flags = bb_get_le32(&r), without = bb_get_le32(&r);
	enum form form = (how & FORM_MASK) % FORMS;
	struct bb_arena arena = {0};
	struct spend s = {.fill = how & FILL};
	bool ok = form == FORM_TX ? read_prevouts(&s, &r, &arena)
				  : read_parts(&s, &r, &arena, form);

	if (ok) {
		s.index = index % s.tx.in_count;
		weak = how & WEAK;
		if (form != FORM_TX)
			credit(&s);
		run(&s, flags & ((1u << 21) - 1), without);
		take_apart(s.prevouts[s.index].script);
		take_apart(s.tx.in[s.index].script_sig);
		for (size_t i = 0; i < s.tx.in[s.index].witness_count; i++)
			take_apart(s.tx.in[s.index].witness[i]);
		DEMAND(bb_input_witness_sigops(
			       &s.tx.in[s.index], s.prevouts[s.index].script, flags) >= 0);
		bb_check_standard(&bb_policy_core, &s.tx);
		bb_check_standard_inputs(&bb_policy_core, &s.tx, s.prevouts);
	}
	bb_buf_free(&s.pubkey_script);
	bb_buf_free(&s.redeem);
	bb_buf_free(&s.script_sig);
	bb_buf_free(&s.control);
	bb_arena_free(&arena);
	return 0;
}
