#include "bitcoin/eval.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/curve.h"
#include "crypto/hash.h"

enum {
	NUM_SIZE = 4,	   /* bytes of a number that arithmetic takes */
	LOCKTIME_SIZE = 5, /* and of one that a lock time takes */
	SIGOP_WEIGHT = 50, /* budget a tapscript signature costs (BIP 342) */
};

/* The state of one script's run. */
struct run {
	struct bb_eval *ev;
	struct bb_stack *stack, *alt;
	struct bb_reader r;
	struct bb_op op;
	const unsigned char *code_start;     /* after the last OP_CODESEPARATOR */
	size_t conditions, false_conditions; /* open IFs, and those not taken */
	unsigned op_count;
	uint32_t op_index; /* counts opcodes, for tapscript's OP_CODESEPARATOR */
};

/* The stack. */

struct bb_span bb_element_span(const struct bb_element *e)
{
	return BB_SPAN(e->len <= sizeof(e->u.here) ? e->u.here : e->u.there, e->len);
}

static bool stack_room(struct bb_stack *s, size_t n)
{
	struct bb_element *e;
	size_t cap = s->cap ? s->cap : 64;

	while (cap < s->count + n)
		cap *= 2;
	if (cap == s->cap)
		return true;
	if (!(e = realloc(s->e, cap * sizeof(*e))))
		return false;
	s->e = e;
	s->cap = cap;
	return true;
}

bool bb_stack_push(struct bb_stack *s, struct bb_span bytes)
{
	struct bb_element *e;

	if (s->count == s->cap && !stack_room(s, 1))
		return false;
	e = &s->e[s->count++];
	e->len = (uint32_t)bytes.len;
	if (bytes.len > sizeof(e->u.here))
		e->u.there = bytes.data;
	else if (bytes.len)
		memcpy(e->u.here, bytes.data, bytes.len);
	return true;
}

bool bb_stack_copy(struct bb_stack *to, const struct bb_stack *from)
{
	to->count = 0;
	if (!stack_room(to, from->count))
		return false;
	if (from->count)
		memcpy(to->e, from->e, from->count * sizeof(*to->e));
	to->count = from->count;
	return true;
}

bool bb_element_true(const struct bb_element *e)
{
	struct bb_span s = bb_element_span(e);

	for (size_t i = 0; i < s.len; i++)
		if (s.data[i])
			return i + 1 < s.len || s.data[i] != 0x80;
	return false;
}

/* The element n places from the top, which is 1. */
static struct bb_element *top(struct run *run, size_t n)
{
	return &run->stack->e[run->stack->count - n];
}

static struct bb_span top_span(struct run *run, size_t n)
{
	return bb_element_span(top(run, n));
}

static bool has(struct run *run, size_t n)
{
	return run->stack->count >= n;
}

static enum bb_script_error push(struct run *run, struct bb_span s)
{
	return bb_stack_push(run->stack, s) ? BB_SCRIPT_OK : BB_SCRIPT_UNKNOWN_ERROR;
}

static enum bb_script_error push_num(struct run *run, int64_t n)
{
	unsigned char bytes[9];

	return push(run, BB_SPAN(bytes, bb_script_num_encode(bytes, n)));
}

static enum bb_script_error push_bool(struct run *run, bool truth)
{
	return push(run, truth ? BB_LIT("\x01") : BB_SPAN(NULL, 0));
}

/* A copy of an element that stands n from the top goes on top. */
static enum bb_script_error push_copy(struct run *run, size_t n)
{
	struct bb_element e;

	if (!stack_room(run->stack, 1))
		return BB_SCRIPT_UNKNOWN_ERROR;
	e = *top(run, n);
	run->stack->e[run->stack->count++] = e;
	return BB_SCRIPT_OK;
}

/* Move the element n from the top to the top. */
static void roll(struct run *run, size_t n)
{
	struct bb_element e = *top(run, n);

	memmove(top(run, n), top(run, n) + 1, (n - 1) * sizeof(e));
	*top(run, 1) = e;
}

static void drop(struct run *run, size_t n)
{
	run->stack->count -= n;
}

static bool flag(struct run *run, uint32_t f)
{
	return run->ev->flags & f;
}

static bool number(int64_t *out, struct run *run, size_t n, size_t size)
{
	return bb_script_num_decode(
		out, top_span(run, n), flag(run, BB_VERIFY_MINIMALDATA), size);
}

/* Conditions. */

static bool executing(const struct run *run)
{
	return run->false_conditions == 0;
}

static bool push_condition(struct run *run, bool truth)
{
	struct bb_interpreter *vm = run->ev->vm;

	if (run->conditions == vm->condition_cap) {
		size_t cap = vm->condition_cap ? 2 * vm->condition_cap : 64;
		unsigned char *p = realloc(vm->conditions, cap);
		if (!p)
			return false;
		vm->conditions = p;
		vm->condition_cap = cap;
	}
	vm->conditions[run->conditions++] = truth;
	run->false_conditions += !truth;
	return true;
}

static enum bb_script_error op_if(struct run *run)
{
	bool truth = false;

	if (executing(run)) {
		struct bb_span s;
		bool exact;
		if (!has(run, 1))
			return BB_SCRIPT_INVALID_STACK_OPERATION;
		s = top_span(run, 1);
		exact = s.len == 0 || (s.len == 1 && s.data[0] == 1);
		if (!exact && run->ev->version == BB_SIG_TAPSCRIPT)
			return BB_SCRIPT_TAPSCRIPT_MINIMALIF;
		if (!exact && run->ev->version == BB_SIG_WITNESS_V0 &&
			flag(run, BB_VERIFY_MINIMALIF))
			return BB_SCRIPT_MINIMALIF;
		truth = bb_element_true(top(run, 1)) == (run->op.opcode == OP_IF);
		drop(run, 1);
	}
	return push_condition(run, truth) ? BB_SCRIPT_OK : BB_SCRIPT_UNKNOWN_ERROR;
}

static enum bb_script_error op_else(struct run *run)
{
	unsigned char *c;

	if (!run->conditions)
		return BB_SCRIPT_UNBALANCED_CONDITIONAL;
	c = &run->ev->vm->conditions[run->conditions - 1];
	run->false_conditions += *c ? 1 : -(size_t)1;
	*c = !*c;
	return BB_SCRIPT_OK;
}

static enum bb_script_error op_endif(struct run *run)
{
	if (!run->conditions)
		return BB_SCRIPT_UNBALANCED_CONDITIONAL;
	run->false_conditions -= !run->ev->vm->conditions[--run->conditions];
	return BB_SCRIPT_OK;
}

static enum bb_script_error op_verify(struct run *run, enum bb_script_error failure)
{
	if (!has(run, 1))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	if (!bb_element_true(top(run, 1)))
		return failure;
	drop(run, 1);
	return BB_SCRIPT_OK;
}

/* Lock times: BIP 65 and BIP 112. */

static bool locktime_reached(struct run *run, int64_t lock)
{
	const struct bb_tx *tx = run->ev->cache->tx;

	return (tx->locktime < BB_LOCKTIME_THRESHOLD) == (lock < BB_LOCKTIME_THRESHOLD) &&
	       lock <= tx->locktime && tx->in[run->ev->index].sequence != BB_SEQUENCE_FINAL;
}

static bool sequence_reached(struct run *run, int64_t lock)
{
	const struct bb_tx *tx = run->ev->cache->tx;
	const uint32_t sequence = tx->in[run->ev->index].sequence;
	const uint32_t mask = BB_SEQUENCE_BY_TIME | BB_SEQUENCE_MASK;

	return tx->version >= 2 && !(sequence & BB_SEQUENCE_DISABLE) &&
	       (sequence & BB_SEQUENCE_BY_TIME) == ((uint32_t)lock & BB_SEQUENCE_BY_TIME) &&
	       ((uint32_t)lock & mask) <= (sequence & mask);
}

static enum bb_script_error op_locktime(struct run *run)
{
	const bool absolute = run->op.opcode == OP_CHECKLOCKTIMEVERIFY;
	int64_t lock;

	if (!flag(run,
		    absolute ? BB_VERIFY_CHECKLOCKTIMEVERIFY : BB_VERIFY_CHECKSEQUENCEVERIFY))
		return BB_SCRIPT_OK; /* still a NOP */
	if (!has(run, 1))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	if (!number(&lock, run, 1, LOCKTIME_SIZE))
		return BB_SCRIPT_SCRIPTNUM;
	if (lock < 0)
		return BB_SCRIPT_NEGATIVE_LOCKTIME;
	if (!absolute && (lock & BB_SEQUENCE_DISABLE))
		return BB_SCRIPT_OK;
	if (!(absolute ? locktime_reached(run, lock) : sequence_reached(run, lock)))
		return BB_SCRIPT_UNSATISFIED_LOCKTIME;
	return BB_SCRIPT_OK;
}

/* The stack's opcodes. */

static enum bb_script_error op_pick(struct run *run)
{
	int64_t n;

	if (!has(run, 2))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	if (!number(&n, run, 1, NUM_SIZE))
		return BB_SCRIPT_SCRIPTNUM;
	drop(run, 1);
	if (n < 0 || (uint64_t)n >= run->stack->count)
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	if (run->op.opcode == OP_PICK)
		return push_copy(run, (size_t)n + 1);
	roll(run, (size_t)n + 1);
	return BB_SCRIPT_OK;
}

/* Copy the elements from `from` down to `to` places below the top, in their order. */
static enum bb_script_error dup_many(struct run *run, size_t from, size_t count)
{
	enum bb_script_error e = BB_SCRIPT_OK;

	while (count-- && !e)
		e = push_copy(run, from);
	return e;
}

static enum bb_script_error op_stack(struct run *run)
{
	static const unsigned char need[] = {
		[OP_TOALTSTACK - OP_TOALTSTACK] = 1,
		[OP_2DROP - OP_TOALTSTACK] = 2,
		[OP_2DUP - OP_TOALTSTACK] = 2,
		[OP_3DUP - OP_TOALTSTACK] = 3,
		[OP_2OVER - OP_TOALTSTACK] = 4,
		[OP_2ROT - OP_TOALTSTACK] = 6,
		[OP_2SWAP - OP_TOALTSTACK] = 4,
		[OP_IFDUP - OP_TOALTSTACK] = 1,
		[OP_DROP - OP_TOALTSTACK] = 1,
		[OP_DUP - OP_TOALTSTACK] = 1,
		[OP_NIP - OP_TOALTSTACK] = 2,
		[OP_OVER - OP_TOALTSTACK] = 2,
		[OP_PICK - OP_TOALTSTACK] = 2,
		[OP_ROLL - OP_TOALTSTACK] = 2,
		[OP_ROT - OP_TOALTSTACK] = 3,
		[OP_SWAP - OP_TOALTSTACK] = 2,
		[OP_TUCK - OP_TOALTSTACK] = 2,
	};

	if (!has(run, need[run->op.opcode - OP_TOALTSTACK]))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	switch (run->op.opcode) {
	case OP_TOALTSTACK:
		if (!stack_room(run->alt, 1))
			return BB_SCRIPT_UNKNOWN_ERROR;
		run->alt->e[run->alt->count++] = *top(run, 1);
		drop(run, 1);
		return BB_SCRIPT_OK;
	case OP_FROMALTSTACK:
		if (!run->alt->count)
			return BB_SCRIPT_INVALID_ALTSTACK_OPERATION;
		if (!stack_room(run->stack, 1))
			return BB_SCRIPT_UNKNOWN_ERROR;
		run->stack->e[run->stack->count++] = run->alt->e[--run->alt->count];
		return BB_SCRIPT_OK;
	case OP_2DROP: drop(run, 2); return BB_SCRIPT_OK;
	case OP_2DUP: return dup_many(run, 2, 2);
	case OP_3DUP: return dup_many(run, 3, 3);
	case OP_2OVER: return dup_many(run, 4, 2);
	case OP_2ROT:
		roll(run, 6);
		roll(run, 6);
		return BB_SCRIPT_OK;
	case OP_2SWAP:
		roll(run, 4);
		roll(run, 4);
		return BB_SCRIPT_OK;
	case OP_IFDUP: return bb_element_true(top(run, 1)) ? push_copy(run, 1) : BB_SCRIPT_OK;
	case OP_DEPTH: return push_num(run, (int64_t)run->stack->count);
	case OP_DROP: drop(run, 1); return BB_SCRIPT_OK;
	case OP_DUP: return push_copy(run, 1);
	case OP_NIP:
		roll(run, 2);
		drop(run, 1);
		return BB_SCRIPT_OK;
	case OP_OVER: return push_copy(run, 2);
	case OP_PICK:
	case OP_ROLL: return op_pick(run);
	case OP_ROT: roll(run, 3); return BB_SCRIPT_OK;
	case OP_SWAP: roll(run, 2); return BB_SCRIPT_OK;
	case OP_TUCK: roll(run, 2); return push_copy(run, 2);
	default: return BB_SCRIPT_BAD_OPCODE;
	}
}

/* Comparison and arithmetic. */

static enum bb_script_error op_equal(struct run *run)
{
	bool equal;

	if (!has(run, 2))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	equal = bb_span_equal(top_span(run, 1), top_span(run, 2));
	if (run->op.opcode == OP_EQUALVERIFY && !equal)
		return BB_SCRIPT_EQUALVERIFY;
	drop(run, 2);
	return run->op.opcode == OP_EQUALVERIFY ? BB_SCRIPT_OK : push_bool(run, equal);
}

static enum bb_script_error op_unary(struct run *run)
{
	int64_t n;

	if (!has(run, 1))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	if (!number(&n, run, 1, NUM_SIZE))
		return BB_SCRIPT_SCRIPTNUM;
	drop(run, 1);
	switch (run->op.opcode) {
	case OP_1ADD: return push_num(run, n + 1);
	case OP_1SUB: return push_num(run, n - 1);
	case OP_NEGATE: return push_num(run, -n);
	case OP_ABS: return push_num(run, n < 0 ? -n : n);
	case OP_NOT: return push_bool(run, n == 0);
	default: return push_bool(run, n != 0); /* OP_0NOTEQUAL */
	}
}

static enum bb_script_error op_binary(struct run *run)
{
	int64_t a, b;

	if (!has(run, 2))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	if (!number(&a, run, 2, NUM_SIZE) || !number(&b, run, 1, NUM_SIZE))
		return BB_SCRIPT_SCRIPTNUM;
	drop(run, 2);
	switch (run->op.opcode) {
	case OP_ADD: return push_num(run, a + b);
	case OP_SUB: return push_num(run, a - b);
	case OP_BOOLAND: return push_bool(run, a && b);
	case OP_BOOLOR: return push_bool(run, a || b);
	case OP_NUMEQUAL: return push_bool(run, a == b);
	case OP_NUMEQUALVERIFY: return a == b ? BB_SCRIPT_OK : BB_SCRIPT_NUMEQUALVERIFY;
	case OP_NUMNOTEQUAL: return push_bool(run, a != b);
	case OP_LESSTHAN: return push_bool(run, a < b);
	case OP_GREATERTHAN: return push_bool(run, a > b);
	case OP_LESSTHANOREQUAL: return push_bool(run, a <= b);
	case OP_GREATERTHANOREQUAL: return push_bool(run, a >= b);
	case OP_MIN: return push_num(run, a < b ? a : b);
	default: return push_num(run, a > b ? a : b); /* OP_MAX */
	}
}

static enum bb_script_error op_within(struct run *run)
{
	int64_t n, low, high;

	if (!has(run, 3))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	if (!number(&n, run, 3, NUM_SIZE) || !number(&low, run, 2, NUM_SIZE) ||
		!number(&high, run, 1, NUM_SIZE))
		return BB_SCRIPT_SCRIPTNUM;
	drop(run, 3);
	return push_bool(run, low <= n && n < high);
}

static enum bb_script_error op_hash(struct run *run)
{
	unsigned char out[32];
	size_t len = 32;
	struct bb_span s;

	if (!has(run, 1))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	s = top_span(run, 1);
	switch (run->op.opcode) {
	case OP_RIPEMD160:
		bb_ripemd160(out, s.data, s.len);
		len = 20;
		break;
	case OP_SHA1:
		bb_sha1(out, s.data, s.len);
		len = 20;
		break;
	case OP_SHA256: bb_sha256(out, s.data, s.len); break;
	case OP_HASH160:
		bb_hash160(out, s.data, s.len);
		len = 20;
		break;
	default: bb_sha256d(out, s.data, s.len); break; /* OP_HASH256 */
	}
	drop(run, 1);
	return push(run, BB_SPAN(out, len));
}

/* Signatures. */

/* Strict DER of BIP 66: 30 len 02 rlen R 02 slen S hashtype, R and S positive and shortest. */
bool bb_sig_is_der(struct bb_span sig)
{
	const unsigned char *p = sig.data;
	size_t r_len, s_len;

	if (sig.len < 9 || sig.len > 73 || p[0] != 0x30 || p[1] != sig.len - 3)
		return false;
	r_len = p[3];
	if (5 + r_len >= sig.len)
		return false;
	s_len = p[5 + r_len];
	if (r_len + s_len + 7 != sig.len)
		return false;
	if (p[2] != 0x02 || r_len == 0 || (p[4] & 0x80))
		return false;
	if (r_len > 1 && p[4] == 0 && !(p[5] & 0x80))
		return false;
	p += 4 + r_len;
	if (p[0] != 0x02 || s_len == 0 || (p[2] & 0x80))
		return false;
	return !(s_len > 1 && p[2] == 0 && !(p[3] & 0x80));
}

bool bb_pubkey_is_compressed(struct bb_span key)
{
	return key.len == 33 && (key.data[0] == 2 || key.data[0] == 3);
}

bool bb_pubkey_is_plausible(struct bb_span key)
{
	return bb_pubkey_is_compressed(key) || (key.len == 65 && key.data[0] == 4);
}

static enum bb_script_error check_encodings(
	struct run *run, struct bb_span sig, struct bb_span key)
{
	const uint32_t der = BB_VERIFY_DERSIG | BB_VERIFY_LOW_S | BB_VERIFY_STRICTENC;

	if (sig.len) {
		const uint8_t type = sig.data[sig.len - 1] & ~BB_SIGHASH_ANYONECANPAY;
		if (flag(run, der) && !bb_sig_is_der(sig))
			return BB_SCRIPT_SIG_DER;
		if (flag(run, BB_VERIFY_LOW_S) &&
			!bb_ecdsa_is_low_s(BB_SPAN(sig.data, sig.len - 1)))
			return BB_SCRIPT_SIG_HIGH_S;
		if (flag(run, BB_VERIFY_STRICTENC) &&
			(type < BB_SIGHASH_ALL || type > BB_SIGHASH_SINGLE))
			return BB_SCRIPT_SIG_HASHTYPE;
	}
	if (flag(run, BB_VERIFY_STRICTENC) && !bb_pubkey_is_plausible(key))
		return BB_SCRIPT_PUBKEYTYPE;
	if (flag(run, BB_VERIFY_WITNESS_PUBKEYTYPE) && run->ev->version == BB_SIG_WITNESS_V0 &&
		!bb_pubkey_is_compressed(key))
		return BB_SCRIPT_WITNESS_PUBKEYTYPE;
	return BB_SCRIPT_OK;
}

/* The script from the last OP_CODESEPARATOR on: what signatures sign. */
static struct bb_span script_code(const struct run *run)
{
	return BB_SPAN(run->code_start, (size_t)(run->r.end - run->code_start));
}

/* FindAndDelete: remove every push of the signature that stands at an opcode's place. *code
 * then borrows from vm->code. False when memory is out. */
static bool find_and_delete(
	struct run *run, size_t *found, struct bb_span *code, struct bb_span sig)
{
	struct bb_buf *kept = &run->ev->vm->code;
	struct bb_buf needle = {0}, out = {0};
	struct bb_reader r = bb_reader(code->data, code->len);
	const unsigned char *from = r.p;
	struct bb_op op;
	bool ok;

	*found = 0;
	if (sig.len >= code->len ||
		(sig.len && !memmem(code->data, code->len, sig.data, sig.len)))
		return true;
	bb_put_push(&needle, sig);
	do {
		bb_put(&out, from, (size_t)(r.p - from));
		while (needle.len && bb_left(&r) >= needle.len &&
			!memcmp(r.p, needle.data, needle.len)) {
			r.p += needle.len;
			++*found;
		}
		from = r.p;
	} while (bb_script_next(&op, &r));
	bb_put(&out, from, (size_t)(r.end - from));
	ok = !needle.failed && !out.failed;
	bb_buf_free(&needle);
	if (!ok || !*found) {
		bb_buf_free(&out);
		return ok;
	}
	bb_buf_free(kept);
	*kept = out;
	*code = BB_SPAN(kept->data, kept->len);
	return true;
}

/* What a pre-segwit signature check leaves out of the script code it signs. */
static enum bb_script_error delete_signature(
	struct run *run, struct bb_span *code, struct bb_span sig)
{
	size_t found;

	if (run->ev->version != BB_SIG_BASE)
		return BB_SCRIPT_OK;
	if (!find_and_delete(run, &found, code, sig))
		return BB_SCRIPT_UNKNOWN_ERROR;
	if (found && flag(run, BB_VERIFY_CONST_SCRIPTCODE))
		return BB_SCRIPT_SIG_FINDANDDELETE;
	return BB_SCRIPT_OK;
}

/* What an ECDSA signature of that type signs. Equal work is done once for each input. */
static void ecdsa_message(
	unsigned char out[32], struct bb_eval *ev, struct bb_span code, uint8_t type)
{
	const bool v0 = ev->version == BB_SIG_WITNESS_V0;
	struct bb_sighash_memo *m = &ev->vm->memo[bb_sighash_class(type)];

	if (!m->have || m->v0 != v0 ||
		!bb_span_equal(BB_SPAN(m->code.data, m->code.len), code)) {
		m->have = false;
		if (v0) {
			bb_sighash_v0_start(&m->start, ev->cache, ev->index, code,
				ev->cache->prevouts[ev->index].value_sat, type);
		} else if (!bb_sighash_legacy_start(
				   &m->start, ev->cache->tx, ev->index, code, type)) {
			bb_sighash_legacy(out, ev->cache->tx, ev->index, code, type);
			return;
		}
		m->v0 = v0;
		m->code.len = 0;
		bb_put(&m->code, code.data, code.len);
		m->have = !m->code.failed;
	}
	bb_sighash_end(out, &m->start, type);
}

static bool check_ecdsa(
	struct run *run, struct bb_span sig, struct bb_span key, struct bb_span code)
{
	unsigned char hash[32];

	if (!sig.len || !key.len)
		return false;
	ecdsa_message(hash, run->ev, code, sig.data[sig.len - 1]);
	return bb_ecdsa_verify(BB_SPAN(sig.data, sig.len - 1), hash, key);
}

enum bb_script_error bb_check_schnorr(
	struct bb_eval *ev, struct bb_span sig, const unsigned char xonly32[32])
{
	unsigned char hash[32];
	uint8_t type = BB_SIGHASH_DEFAULT;

	if (sig.len != 64 && sig.len != 65)
		return BB_SCRIPT_SCHNORR_SIG_SIZE;
	if (sig.len == 65 && (type = sig.data[64]) == BB_SIGHASH_DEFAULT)
		return BB_SCRIPT_SCHNORR_SIG_HASHTYPE;
	if (!bb_sighash_taproot(hash, ev->cache, ev->index, type, &ev->taproot))
		return BB_SCRIPT_SCHNORR_SIG_HASHTYPE;
	return bb_schnorr_verify(sig.data, hash, xonly32) ? BB_SCRIPT_OK
							  : BB_SCRIPT_SCHNORR_SIG;
}

static enum bb_script_error checksig_ecdsa(
	struct run *run, bool *success, struct bb_span sig, struct bb_span key)
{
	struct bb_span code = script_code(run);
	enum bb_script_error e;

	if ((e = delete_signature(run, &code, sig)) || (e = check_encodings(run, sig, key)))
		return e;
	*success = check_ecdsa(run, sig, key, code);
	if (!*success && sig.len && flag(run, BB_VERIFY_NULLFAIL))
		return BB_SCRIPT_NULLFAIL;
	return BB_SCRIPT_OK;
}

static enum bb_script_error checksig_tapscript(
	struct run *run, bool *success, struct bb_span sig, struct bb_span key)
{
	*success = sig.len > 0;
	if (*success && (run->ev->weight_left -= SIGOP_WEIGHT) < 0)
		return BB_SCRIPT_TAPSCRIPT_VALIDATION_WEIGHT;
	if (!key.len)
		return BB_SCRIPT_TAPSCRIPT_EMPTY_PUBKEY;
	if (key.len == 32)
		return *success ? bb_check_schnorr(run->ev, sig, key.data) : BB_SCRIPT_OK;
	/* Keys of other sizes are left for later soft forks: any signature passes. */
	if (flag(run, BB_VERIFY_DISCOURAGE_UPGRADABLE_PUBKEYTYPE))
		return BB_SCRIPT_DISCOURAGE_UPGRADABLE_PUBKEYTYPE;
	return BB_SCRIPT_OK;
}

static enum bb_script_error checksig(
	struct run *run, bool *success, struct bb_span sig, struct bb_span key)
{
	if (run->ev->version == BB_SIG_TAPSCRIPT)
		return checksig_tapscript(run, success, sig, key);
	return checksig_ecdsa(run, success, sig, key);
}

static enum bb_script_error op_checksig(struct run *run)
{
	enum bb_script_error e;
	bool success;

	if (!has(run, 2))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	if ((e = checksig(run, &success, top_span(run, 2), top_span(run, 1))))
		return e;
	if (run->op.opcode == OP_CHECKSIGVERIFY && !success)
		return BB_SCRIPT_CHECKSIGVERIFY;
	drop(run, 2);
	return run->op.opcode == OP_CHECKSIGVERIFY ? BB_SCRIPT_OK : push_bool(run, success);
}

static enum bb_script_error op_checksigadd(struct run *run)
{
	enum bb_script_error e;
	bool success;
	int64_t n;

	if (run->ev->version != BB_SIG_TAPSCRIPT)
		return BB_SCRIPT_BAD_OPCODE;
	if (!has(run, 3))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	if (!number(&n, run, 2, NUM_SIZE))
		return BB_SCRIPT_SCRIPTNUM;
	if ((e = checksig(run, &success, top_span(run, 3), top_span(run, 1))))
		return e;
	drop(run, 3);
	return push_num(run, n + success);
}

#define BB_HABIT_SURE (UINT32_C(1) << 31)

/* Where a multisig's parts lie on the stack: dummy sig... m key... n. */
struct multisig {
	size_t keys, sigs;	     /* how many */
	size_t first_key, first_sig; /* places from the top; each counts downwards */
	size_t dummy;
};

static enum bb_script_error multisig_layout(struct run *run, struct multisig *m)
{
	int64_t n;

	if (!has(run, 1))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	if (!number(&n, run, 1, NUM_SIZE))
		return BB_SCRIPT_SCRIPTNUM;
	if (n < 0 || n > BB_MAX_MULTISIG_KEYS)
		return BB_SCRIPT_PUBKEY_COUNT;
	if ((run->op_count += (unsigned)n) > BB_MAX_OPS)
		return BB_SCRIPT_OP_COUNT;
	m->keys = (size_t)n;
	m->first_key = 2;
	if (!has(run, 2 + m->keys))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	if (!number(&n, run, 2 + m->keys, NUM_SIZE))
		return BB_SCRIPT_SCRIPTNUM;
	if (n < 0 || (size_t)n > m->keys)
		return BB_SCRIPT_SIG_COUNT;
	m->sigs = (size_t)n;
	m->first_sig = 3 + m->keys;
	m->dummy = m->first_sig + m->sigs;
	/* One element more than needed is consumed: an old bug, now a rule (BIP 147). */
	return has(run, m->dummy) ? BB_SCRIPT_OK : BB_SCRIPT_INVALID_STACK_OPERATION;
}

static struct bb_span multisig_sig(struct run *run, const struct multisig *m, size_t i)
{
	return top_span(run, m->first_sig + i);
}

static struct bb_span multisig_key(struct run *run, const struct multisig *m, size_t i)
{
	return top_span(run, m->first_key + i);
}

/* What is known of signatures and keys before their turn. */
struct guess {
	size_t key_of[BB_MAX_MULTISIG_KEYS]; /* which signature is good with, or NOBODY */
	size_t bad_sig, bad_key;	     /* a pair that does not match */
};
enum { NOBODY = BB_MAX_MULTISIG_KEYS };

/* The one who pays from a multisig mostly signs with the same keys as last time. Trying these
 * first spares the signatures that are checked in vain on the way to them, a fifth of all on
 * the main network. True: all match, and so they do in whatever order they are tried, since
 * taking the first key that fits always leaves the most for the rest.
 *
 * No encoding may be wrong, for then the script may fail by where that is met. */
static bool guess_multisig(
	struct run *run, struct guess *g, const struct multisig *m, struct bb_span code)
{
	const uint32_t habit = run->ev->vm->habit[m->sigs][m->keys];
	size_t sig = 0;

	*g = (struct guess){.bad_sig = NOBODY};
	for (size_t i = 0; i < m->sigs; i++)
		g->key_of[i] = NOBODY;
	if (!(habit & BB_HABIT_SURE))
		return false;
	for (size_t i = 0; i < m->keys; i++)
		if (check_encodings(run, multisig_sig(run, m, i < m->sigs ? i : 0),
			    multisig_key(run, m, i)))
			return false;
	for (size_t key = 0; key < m->keys; key++) {
		if (!(habit >> key & 1))
			continue;
		if (!check_ecdsa(
			    run, multisig_sig(run, m, sig), multisig_key(run, m, key), code)) {
			g->bad_sig = sig;
			g->bad_key = key;
			return false;
		}
		g->key_of[sig++] = key;
	}
	return true;
}

static bool multisig_fits(struct run *run, const struct guess *g, const struct multisig *m,
	size_t sig, size_t key, struct bb_span code)
{
	if (g->key_of[sig] == key)
		return true;
	if (g->bad_sig == sig && g->bad_key == key)
		return false;
	return check_ecdsa(run, multisig_sig(run, m, sig), multisig_key(run, m, key), code);
}

static void remember_multisig(struct run *run, const struct multisig *m, uint32_t keys)
{
	uint32_t *habit = &run->ev->vm->habit[m->sigs][m->keys];

	*habit = keys | ((*habit & ~BB_HABIT_SURE) == keys ? BB_HABIT_SURE : 0);
}

/* Each signature must match a key, in the keys' order; the last are tried first. */
static enum bb_script_error multisig_match(
	struct run *run, bool *success, const struct multisig *m, struct bb_span code)
{
	size_t sig = 0, key = 0;
	uint32_t matched = 0;
	struct guess g;
	enum bb_script_error e;

	*success = true;
	if (!m->sigs || guess_multisig(run, &g, m, code))
		return BB_SCRIPT_OK;
	for (; *success && sig < m->sigs; key++) {
		if ((e = check_encodings(
			     run, multisig_sig(run, m, sig), multisig_key(run, m, key))))
			return e;
		if (multisig_fits(run, &g, m, sig, key, code)) {
			matched |= UINT32_C(1) << key;
			sig++;
		}
		*success = m->sigs - sig <= m->keys - key - 1;
	}
	if (*success)
		remember_multisig(run, m, matched);
	return BB_SCRIPT_OK;
}

static enum bb_script_error op_checkmultisig(struct run *run)
{
	struct multisig m;
	struct bb_span code = script_code(run);
	enum bb_script_error e;
	bool success;

	if (run->ev->version == BB_SIG_TAPSCRIPT)
		return BB_SCRIPT_TAPSCRIPT_CHECKMULTISIG;
	if ((e = multisig_layout(run, &m)))
		return e;
	for (size_t k = 0; k < m.sigs; k++)
		if ((e = delete_signature(run, &code, top_span(run, m.first_sig + k))))
			return e;
	if ((e = multisig_match(run, &success, &m, code)))
		return e;
	for (size_t k = 0; k < m.sigs && !success && flag(run, BB_VERIFY_NULLFAIL); k++)
		if (top(run, m.first_sig + k)->len)
			return BB_SCRIPT_NULLFAIL;
	if (flag(run, BB_VERIFY_NULLDUMMY) && top(run, m.dummy)->len)
		return BB_SCRIPT_SIG_NULLDUMMY;
	drop(run, m.dummy);
	if (run->op.opcode == OP_CHECKMULTISIG)
		return push_bool(run, success);
	return success ? BB_SCRIPT_OK : BB_SCRIPT_CHECKMULTISIGVERIFY;
}

/* Dispatch. */

static bool disabled(uint8_t opcode)
{
	return (opcode >= OP_CAT && opcode <= OP_RIGHT) ||
	       (opcode >= OP_INVERT && opcode <= OP_XOR) || opcode == OP_2MUL ||
	       opcode == OP_2DIV || (opcode >= OP_MUL && opcode <= OP_RSHIFT);
}

static enum bb_script_error op_size(struct run *run)
{
	if (!has(run, 1))
		return BB_SCRIPT_INVALID_STACK_OPERATION;
	return push_num(run, top(run, 1)->len);
}

static enum bb_script_error op_nop(struct run *run)
{
	return flag(run, BB_VERIFY_DISCOURAGE_UPGRADABLE_NOPS)
		       ? BB_SCRIPT_DISCOURAGE_UPGRADABLE_NOPS
		       : BB_SCRIPT_OK;
}

static enum bb_script_error execute(struct run *run)
{
	const uint8_t opcode = run->op.opcode;

	if (opcode >= OP_TOALTSTACK && opcode <= OP_TUCK)
		return op_stack(run);
	if (opcode == OP_1NEGATE || (opcode >= OP_1 && opcode <= OP_16))
		return push_num(run, opcode - (OP_1 - 1));
	if (opcode >= OP_1ADD && opcode <= OP_0NOTEQUAL)
		return op_unary(run);
	if (opcode >= OP_ADD && opcode <= OP_MAX)
		return op_binary(run);
	if (opcode >= OP_RIPEMD160 && opcode <= OP_HASH256)
		return op_hash(run);
	switch (opcode) {
	case OP_NOP: return BB_SCRIPT_OK;
	case OP_IF:
	case OP_NOTIF: return op_if(run);
	case OP_ELSE: return op_else(run);
	case OP_ENDIF: return op_endif(run);
	case OP_VERIFY: return op_verify(run, BB_SCRIPT_VERIFY);
	case OP_RETURN: return BB_SCRIPT_OP_RETURN;
	case OP_SIZE: return op_size(run);
	case OP_EQUAL:
	case OP_EQUALVERIFY: return op_equal(run);
	case OP_WITHIN: return op_within(run);
	case OP_CODESEPARATOR:
		run->code_start = run->r.p;
		run->ev->taproot.codesep = run->op_index;
		return BB_SCRIPT_OK;
	case OP_CHECKSIG:
	case OP_CHECKSIGVERIFY: return op_checksig(run);
	case OP_CHECKMULTISIG:
	case OP_CHECKMULTISIGVERIFY: return op_checkmultisig(run);
	case OP_CHECKSIGADD: return op_checksigadd(run);
	case OP_CHECKLOCKTIMEVERIFY:
	case OP_CHECKSEQUENCEVERIFY: return op_locktime(run);
	case OP_NOP1: return op_nop(run);
	default:
		return opcode >= OP_NOP4 && opcode <= OP_NOP10 ? op_nop(run)
							       : BB_SCRIPT_BAD_OPCODE;
	}
}

/* What holds for every opcode, taken branch or not; then what it does. */
static enum bb_script_error step(struct run *run)
{
	const uint8_t opcode = run->op.opcode;
	const enum bb_sigversion version = run->ev->version;

	if (run->op.data.len > BB_MAX_ELEMENT)
		return BB_SCRIPT_PUSH_SIZE;
	if (opcode > OP_16 && version != BB_SIG_TAPSCRIPT && ++run->op_count > BB_MAX_OPS)
		return BB_SCRIPT_OP_COUNT;
	if (disabled(opcode))
		return BB_SCRIPT_DISABLED_OPCODE;
	if (opcode == OP_CODESEPARATOR && version == BB_SIG_BASE &&
		flag(run, BB_VERIFY_CONST_SCRIPTCODE))
		return BB_SCRIPT_OP_CODESEPARATOR;
	if (!executing(run) && (opcode < OP_IF || opcode > OP_ENDIF))
		return BB_SCRIPT_OK;
	if (opcode > OP_PUSHDATA4)
		return execute(run);
	if (flag(run, BB_VERIFY_MINIMALDATA) && !bb_push_is_minimal(&run->op))
		return BB_SCRIPT_MINIMALDATA;
	return push(run, run->op.data);
}

static void trace(struct run *run, size_t position)
{
	struct bb_interpreter *vm = run->ev->vm;
	struct bb_step s = {
		.txid = vm->txid,
		.input = run->ev->index,
		.where = run->ev->where,
		.position = position,
		.op = run->op,
		.executed = executing(run) ||
			    (run->op.opcode >= OP_IF && run->op.opcode <= OP_ENDIF),
		.stack = run->stack,
		.altstack = run->alt,
		.conditions = vm->conditions,
		.condition_count = run->conditions,
	};

	vm->trace(vm->trace_arg, &s);
}

enum bb_script_error bb_eval(struct bb_eval *ev)
{
	struct run run = {
		.ev = ev,
		.stack = &ev->vm->stack,
		.alt = &ev->vm->altstack,
		.r = bb_reader(ev->script.data, ev->script.len),
	};
	enum bb_script_error e;

	if (ev->script.len > BB_MAX_SCRIPT && ev->version != BB_SIG_TAPSCRIPT)
		return BB_SCRIPT_SCRIPT_SIZE;
	run.code_start = run.r.p;
	run.alt->count = 0;
	ev->taproot.codesep = 0xffffffff;
	for (; bb_left(&run.r); run.op_index++) {
		const size_t position = ev->script.len - bb_left(&run.r);
		if (!bb_script_next(&run.op, &run.r))
			return BB_SCRIPT_BAD_OPCODE;
		if (ev->vm->trace)
			trace(&run, position);
		if ((e = step(&run)))
			return e;
		if (run.stack->count + run.alt->count > BB_MAX_STACK)
			return BB_SCRIPT_STACK_SIZE;
	}
	return run.conditions ? BB_SCRIPT_UNBALANCED_CONDITIONAL : BB_SCRIPT_OK;
}
