#include "bitcoin/interpreter.h"

#include <stdlib.h>
#include <string.h>

#include "bitcoin/eval.h"
#include "crypto/curve.h"
#include "crypto/hash.h"

void bb_interpreter_free(struct bb_interpreter *vm)
{
	free(vm->stack.e);
	free(vm->altstack.e);
	free(vm->saved.e);
	free(vm->conditions);
	bb_buf_free(&vm->code);
	for (size_t i = 0; i < BB_SIGHASH_CLASSES; i++)
		bb_buf_free(&vm->memo[i].code);
	*vm = (struct bb_interpreter){0};
}

/* Is the top of the stack there and true? */
static bool top_true(const struct bb_stack *s)
{
	return s->count && bb_element_true(&s->e[s->count - 1]);
}

static enum bb_script_error run_base(
	struct bb_eval *ev, const char *where, struct bb_span script)
{
	ev->version = BB_SIG_BASE;
	ev->where = where;
	ev->script = script;
	return bb_eval(ev);
}

/* Witness programs. */

static bool is_op_success(uint8_t op)
{
	return op == 80 || op == 98 || (op >= 126 && op <= 129) || (op >= 131 && op <= 134) ||
	       (op >= 137 && op <= 138) || (op >= 141 && op <= 142) ||
	       (op >= 149 && op <= 153) || (op >= 187 && op <= 254);
}

/* OP_SUCCESS overrides everything, even limits, but not a push that runs past the end before
 * it (BIP 342). */
static enum bb_script_error find_op_success(bool *found, struct bb_span script)
{
	struct bb_reader r = bb_reader(script.data, script.len);
	struct bb_op op;

	*found = false;
	while (bb_left(&r)) {
		if (!bb_script_next(&op, &r))
			return BB_SCRIPT_BAD_OPCODE;
		if (is_op_success(op.opcode)) {
			*found = true;
			break;
		}
	}
	return BB_SCRIPT_OK;
}

/* Run a witness script on `count` witness items: its result must be one true element. */
static enum bb_script_error run_witness(struct bb_eval *ev, enum bb_sigversion version,
	const struct bb_span *items, size_t count)
{
	struct bb_stack *stack = &ev->vm->stack;
	enum bb_script_error e;
	bool success;

	ev->version = version;
	if (version == BB_SIG_TAPSCRIPT) {
		if ((e = find_op_success(&success, ev->script)))
			return e;
		if (success)
			return ev->flags & BB_VERIFY_DISCOURAGE_OP_SUCCESS
				       ? BB_SCRIPT_DISCOURAGE_OP_SUCCESS
				       : BB_SCRIPT_OK;
		if (count > BB_MAX_STACK)
			return BB_SCRIPT_STACK_SIZE;
	}
	stack->count = 0;
	for (size_t i = 0; i < count; i++) {
		if (items[i].len > BB_MAX_ELEMENT)
			return BB_SCRIPT_PUSH_SIZE;
		if (!bb_stack_push(stack, items[i]))
			return BB_SCRIPT_UNKNOWN_ERROR;
	}
	if ((e = bb_eval(ev)))
		return e;
	if (stack->count != 1)
		return BB_SCRIPT_CLEANSTACK;
	return top_true(stack) ? BB_SCRIPT_OK : BB_SCRIPT_EVAL_FALSE;
}

static enum bb_script_error verify_v0(
	struct bb_eval *ev, const struct bb_txin *in, struct bb_span program)
{
	unsigned char script[25] = {OP_DUP, OP_HASH160, 20}, hash[32];
	size_t count = in->witness_count;

	if (program.len == 20) {
		if (count != 2)
			return BB_SCRIPT_WITNESS_PROGRAM_MISMATCH;
		memcpy(script + 3, program.data, 20);
		script[23] = OP_EQUALVERIFY;
		script[24] = OP_CHECKSIG;
		ev->script = BB_SPAN(script, sizeof(script));
		ev->where = "p2wpkh";
		return run_witness(ev, BB_SIG_WITNESS_V0, in->witness, count);
	}
	if (program.len != 32)
		return BB_SCRIPT_WITNESS_PROGRAM_WRONG_LENGTH;
	if (!count)
		return BB_SCRIPT_WITNESS_PROGRAM_WITNESS_EMPTY;
	ev->script = in->witness[count - 1];
	ev->where = "witnessscript";
	bb_sha256(hash, ev->script.data, ev->script.len);
	if (memcmp(hash, program.data, 32) != 0)
		return BB_SCRIPT_WITNESS_PROGRAM_MISMATCH;
	return run_witness(ev, BB_SIG_WITNESS_V0, in->witness, count - 1);
}

/* The control block's path must lead from the leaf to the output key (BIP 341). */
static bool commits(
	const unsigned char program[32], const unsigned char leaf[32], struct bb_span control)
{
	unsigned char node[32], tweak[32];
	struct bb_sha256 h;

	memcpy(node, leaf, 32);
	for (size_t at = BB_TAPROOT_CONTROL_BASE; at < control.len;
		at += BB_TAPROOT_CONTROL_NODE)
		bb_tapbranch_hash(node, node, control.data + at);
	bb_tagged_init(&h, "TapTweak");
	bb_sha256_add(&h, control.data + 1, 32);
	bb_sha256_add(&h, node, 32);
	bb_sha256_end(tweak, &h);
	return bb_taproot_commits(program, control.data[0] & 1, control.data + 1, tweak);
}

/* Bytes of the witness as serialised: what a tapscript's signatures may draw on. */
static int64_t witness_size(const struct bb_txin *in)
{
	size_t n = bb_compact_len(in->witness_count);

	for (size_t i = 0; i < in->witness_count; i++)
		n += bb_compact_len(in->witness[i].len) + in->witness[i].len;
	return (int64_t)n;
}

/* Show the key path's only step, as the CHECKSIG that it amounts to. */
static void trace_keypath(struct bb_eval *ev, struct bb_span sig, struct bb_span program)
{
	struct bb_stack *stack = &ev->vm->stack;
	struct bb_step s = {
		.txid = ev->vm->txid,
		.input = ev->index,
		.where = "keypath",
		.op = {.opcode = OP_CHECKSIG},
		.executed = true,
		.stack = stack,
		.altstack = &ev->vm->altstack,
	};

	stack->count = ev->vm->altstack.count = 0;
	if (bb_stack_push(stack, sig) && bb_stack_push(stack, program))
		ev->vm->trace(ev->vm->trace_arg, &s);
}

static enum bb_script_error verify_tapscript(
	struct bb_eval *ev, const struct bb_txin *in, size_t count, struct bb_span program)
{
	struct bb_span control = in->witness[count - 1];
	uint8_t leaf_version;

	ev->script = in->witness[count - 2];
	if (control.len < BB_TAPROOT_CONTROL_BASE ||
		control.len > BB_TAPROOT_CONTROL_BASE +
				      BB_TAPROOT_CONTROL_NODE * BB_TAPROOT_CONTROL_MAX_NODES ||
		(control.len - BB_TAPROOT_CONTROL_BASE) % BB_TAPROOT_CONTROL_NODE)
		return BB_SCRIPT_TAPROOT_WRONG_CONTROL_SIZE;
	leaf_version = control.data[0] & 0xfe;
	bb_tapleaf_hash(ev->taproot.leaf_hash, leaf_version, ev->script);
	if (!commits(program.data, ev->taproot.leaf_hash, control))
		return BB_SCRIPT_WITNESS_PROGRAM_MISMATCH;
	if (leaf_version != BB_TAPROOT_LEAF_TAPSCRIPT)
		return ev->flags & BB_VERIFY_DISCOURAGE_UPGRADABLE_TAPROOT_VERSION
			       ? BB_SCRIPT_DISCOURAGE_UPGRADABLE_TAPROOT_VERSION
			       : BB_SCRIPT_OK;
	ev->taproot.tapscript = true;
	ev->weight_left = witness_size(in) + 50;
	ev->where = "tapscript";
	return run_witness(ev, BB_SIG_TAPSCRIPT, in->witness, count - 2);
}

static enum bb_script_error verify_taproot(
	struct bb_eval *ev, const struct bb_txin *in, struct bb_span program)
{
	size_t count = in->witness_count;
	struct bb_span last;

	if (!(ev->flags & BB_VERIFY_TAPROOT))
		return BB_SCRIPT_OK;
	if (!count)
		return BB_SCRIPT_WITNESS_PROGRAM_WITNESS_EMPTY;
	last = in->witness[count - 1];
	ev->taproot = (struct bb_taproot_context){.codesep = 0xffffffff, .single = &ev->single};
	if (count >= 2 && last.len && last.data[0] == BB_ANNEX_TAG) {
		struct bb_sha256 h;
		bb_sha256_init(&h);
		bb_sha256_add_var(&h, last);
		bb_sha256_end(ev->taproot.annex_hash, &h);
		ev->taproot.has_annex = true;
		count--;
	}
	if (count > 1)
		return verify_tapscript(ev, in, count, program);
	if (ev->vm->trace)
		trace_keypath(ev, in->witness[0], program);
	return bb_check_schnorr(ev, in->witness[0], program.data);
}

static enum bb_script_error verify_program(struct bb_eval *ev, const struct bb_txin *in,
	unsigned version, struct bb_span program, bool in_p2sh)
{
	if (version == 0)
		return verify_v0(ev, in, program);
	if (version == 1 && program.len == 32 && !in_p2sh)
		return verify_taproot(ev, in, program);
	if (version == 1 && bb_span_equal(program, BB_LIT("\x4e\x73")) && !in_p2sh)
		return BB_SCRIPT_OK; /* pay to anchor */
	if (ev->flags & BB_VERIFY_DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM)
		return BB_SCRIPT_DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM;
	return BB_SCRIPT_OK;
}

/* The whole. */

/* The scriptSig must be nothing but the push of the redeem script. */
static bool is_only_push(struct bb_span script_sig, struct bb_span redeem)
{
	struct bb_reader r = bb_reader(script_sig.data, script_sig.len);
	struct bb_op op;

	return bb_script_next(&op, &r) && !bb_left(&r) && bb_span_equal(op.data, redeem) &&
	       op.opcode == redeem.len; /* a witness program has at most 42 bytes */
}

/* The scriptSig's last element is the redeem script; it runs on the others (BIP 16). */
static enum bb_script_error verify_p2sh(
	struct bb_eval *ev, const struct bb_txin *in, bool *witness)
{
	struct bb_stack *stack = &ev->vm->stack;
	struct bb_element element;
	struct bb_span redeem, program;
	enum bb_script_error e;
	unsigned version;

	if (!bb_script_is_push_only(in->script_sig))
		return BB_SCRIPT_SIG_PUSHONLY;
	if (!bb_stack_copy(stack, &ev->vm->saved))
		return BB_SCRIPT_UNKNOWN_ERROR;
	element = stack->e[--stack->count];
	redeem = bb_element_span(&element);
	if ((e = run_base(ev, "redeemscript", redeem)))
		return e;
	if (!top_true(stack))
		return BB_SCRIPT_EVAL_FALSE;
	if (!(ev->flags & BB_VERIFY_WITNESS) ||
		!bb_script_is_witness(&version, &program, redeem))
		return BB_SCRIPT_OK;
	*witness = true;
	if (!is_only_push(in->script_sig, redeem))
		return BB_SCRIPT_WITNESS_MALLEATED_P2SH;
	if ((e = verify_program(ev, in, version, program, true)))
		return e;
	stack->count = 1; /* a witness program is clean by itself */
	return BB_SCRIPT_OK;
}

enum bb_script_error bb_verify_input(
	struct bb_interpreter *vm, struct bb_sighash_cache *cache, size_t index, uint32_t flags)
{
	const struct bb_txin *in = &cache->tx->in[index];
	const struct bb_span script_pubkey = cache->prevouts[index].script;
	struct bb_eval ev = {.vm = vm, .cache = cache, .index = index, .flags = flags};
	const bool p2sh = (flags & BB_VERIFY_P2SH) && bb_script_is_p2sh(script_pubkey);
	struct bb_span program;
	enum bb_script_error e;
	bool witness = false;
	unsigned version;

	if ((flags & BB_VERIFY_SIGPUSHONLY) && !bb_script_is_push_only(in->script_sig))
		return BB_SCRIPT_SIG_PUSHONLY;
	for (size_t i = 0; i < BB_SIGHASH_CLASSES; i++)
		vm->memo[i].have = false;
	if (vm->trace)
		bb_tx_txid(vm->txid, cache->tx);
	vm->stack.count = 0;
	if ((e = run_base(&ev, "scriptsig", in->script_sig)))
		return e;
	if (p2sh && !bb_stack_copy(&vm->saved, &vm->stack))
		return BB_SCRIPT_UNKNOWN_ERROR;
	if ((e = run_base(&ev, "scriptpubkey", script_pubkey)))
		return e;
	if (!top_true(&vm->stack))
		return BB_SCRIPT_EVAL_FALSE;
	if ((flags & BB_VERIFY_WITNESS) &&
		bb_script_is_witness(&version, &program, script_pubkey)) {
		witness = true;
		if (in->script_sig.len)
			return BB_SCRIPT_WITNESS_MALLEATED;
		if ((e = verify_program(&ev, in, version, program, false)))
			return e;
		vm->stack.count = 1; /* a witness program is clean by itself */
	}
	if (p2sh && (e = verify_p2sh(&ev, in, &witness)))
		return e;
	if ((flags & BB_VERIFY_CLEANSTACK) && vm->stack.count != 1)
		return BB_SCRIPT_CLEANSTACK;
	if ((flags & BB_VERIFY_WITNESS) && !witness && in->witness_count)
		return BB_SCRIPT_WITNESS_UNEXPECTED;
	return BB_SCRIPT_OK;
}

static int64_t program_sigops(
	const struct bb_txin *in, unsigned version, struct bb_span program)
{
	if (version != 0)
		return 0; /* tapscript has its own budget */
	if (program.len == 20)
		return 1;
	if (program.len == 32 && in->witness_count)
		return bb_script_sigops(in->witness[in->witness_count - 1], true);
	return 0;
}

int64_t bb_input_witness_sigops(
	const struct bb_txin *in, struct bb_span script_pubkey, uint32_t flags)
{
	struct bb_span program, redeem;
	unsigned version;

	if (!(flags & BB_VERIFY_WITNESS))
		return 0;
	if (bb_script_is_witness(&version, &program, script_pubkey))
		return program_sigops(in, version, program);
	if (bb_script_is_p2sh(script_pubkey) && bb_script_last_push(&redeem, in->script_sig) &&
		bb_script_is_witness(&version, &program, redeem))
		return program_sigops(in, version, program);
	return 0;
}
