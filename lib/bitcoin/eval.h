#ifndef BB_BITCOIN_EVAL_H
#define BB_BITCOIN_EVAL_H

/* Inside the interpreter: the execution of one script on a stack. interpreter.h is what the
 * rest of the world uses. */

#include "bitcoin/interpreter.h"

enum bb_sigversion { BB_SIG_BASE, BB_SIG_WITNESS_V0, BB_SIG_TAPSCRIPT };

struct bb_eval {
	struct bb_interpreter *vm; /* its stack is worked on */
	struct bb_sighash_cache *cache;
	size_t index; /* of the input */
	uint32_t flags;
	enum bb_sigversion version;
	const char *where; /* for the trace */
	struct bb_span script;

	/* Tapscript: leaf and annex set by the caller, and the sigops budget (BIP 342). */
	struct bb_taproot_context taproot;
	struct bb_single_output single;
	int64_t weight_left;
};

/* Run the script on vm->stack, with an empty altstack. */
enum bb_script_error bb_eval(struct bb_eval *ev);

/* A Schnorr signature with its optional hash type against a 32-byte key (BIP 341, 342). */
enum bb_script_error bb_check_schnorr(
	struct bb_eval *ev, struct bb_span sig, const unsigned char xonly32[32]);

/* False when memory is out. */
bool bb_stack_push(struct bb_stack *s, struct bb_span bytes);
bool bb_stack_copy(struct bb_stack *to, const struct bb_stack *from);
/* Neither empty nor any zero, negative zero included. */
bool bb_element_true(const struct bb_element *e);

#endif
