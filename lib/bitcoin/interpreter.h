#ifndef BB_BITCOIN_INTERPRETER_H
#define BB_BITCOIN_INTERPRETER_H

/* The script interpreter: Bitcoin's rules for spending, exactly as Bitcoin Core 31 has them. */

#include "bitcoin/script.h"
#include "bitcoin/sighash.h"

enum bb_flag {
	BB_VERIFY_P2SH = 1 << 0,
	BB_VERIFY_STRICTENC = 1 << 1,
	BB_VERIFY_DERSIG = 1 << 2,
	BB_VERIFY_LOW_S = 1 << 3,
	BB_VERIFY_NULLDUMMY = 1 << 4,
	BB_VERIFY_SIGPUSHONLY = 1 << 5,
	BB_VERIFY_MINIMALDATA = 1 << 6,
	BB_VERIFY_DISCOURAGE_UPGRADABLE_NOPS = 1 << 7,
	BB_VERIFY_CLEANSTACK = 1 << 8,
	BB_VERIFY_CHECKLOCKTIMEVERIFY = 1 << 9,
	BB_VERIFY_CHECKSEQUENCEVERIFY = 1 << 10,
	BB_VERIFY_WITNESS = 1 << 11,
	BB_VERIFY_DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM = 1 << 12,
	BB_VERIFY_MINIMALIF = 1 << 13,
	BB_VERIFY_NULLFAIL = 1 << 14,
	BB_VERIFY_WITNESS_PUBKEYTYPE = 1 << 15,
	BB_VERIFY_CONST_SCRIPTCODE = 1 << 16,
	BB_VERIFY_TAPROOT = 1 << 17,
	BB_VERIFY_DISCOURAGE_UPGRADABLE_TAPROOT_VERSION = 1 << 18,
	BB_VERIFY_DISCOURAGE_OP_SUCCESS = 1 << 19,
	BB_VERIFY_DISCOURAGE_UPGRADABLE_PUBKEYTYPE = 1 << 20,

	/* Today's consensus, and what relay policy adds. */
	BB_VERIFY_CONSENSUS = BB_VERIFY_P2SH | BB_VERIFY_DERSIG | BB_VERIFY_NULLDUMMY |
			      BB_VERIFY_CHECKLOCKTIMEVERIFY | BB_VERIFY_CHECKSEQUENCEVERIFY |
			      BB_VERIFY_WITNESS | BB_VERIFY_TAPROOT,
	BB_VERIFY_STANDARD = (1 << 21) - 1 - BB_VERIFY_SIGPUSHONLY,
};

/* "P2SH,WITNESS,..." as in script_tests.json ("" and "NONE": none); false at an unknown name.
 */
bool bb_flags_parse(uint32_t *flags, struct bb_span names);
/* The names of flags, as bb_flags_parse takes them. */
void bb_put_flags(struct bb_buf *b, uint32_t flags);

enum bb_script_error {
	BB_SCRIPT_OK,
	BB_SCRIPT_UNKNOWN_ERROR,
	BB_SCRIPT_EVAL_FALSE,
	BB_SCRIPT_OP_RETURN,
	BB_SCRIPT_SCRIPT_SIZE,
	BB_SCRIPT_PUSH_SIZE,
	BB_SCRIPT_OP_COUNT,
	BB_SCRIPT_STACK_SIZE,
	BB_SCRIPT_SIG_COUNT,
	BB_SCRIPT_PUBKEY_COUNT,
	BB_SCRIPT_VERIFY,
	BB_SCRIPT_EQUALVERIFY,
	BB_SCRIPT_CHECKMULTISIGVERIFY,
	BB_SCRIPT_CHECKSIGVERIFY,
	BB_SCRIPT_NUMEQUALVERIFY,
	BB_SCRIPT_BAD_OPCODE,
	BB_SCRIPT_DISABLED_OPCODE,
	BB_SCRIPT_INVALID_STACK_OPERATION,
	BB_SCRIPT_INVALID_ALTSTACK_OPERATION,
	BB_SCRIPT_UNBALANCED_CONDITIONAL,
	BB_SCRIPT_NEGATIVE_LOCKTIME,
	BB_SCRIPT_UNSATISFIED_LOCKTIME,
	BB_SCRIPT_SCRIPTNUM,
	BB_SCRIPT_SIG_HASHTYPE,
	BB_SCRIPT_SIG_DER,
	BB_SCRIPT_MINIMALDATA,
	BB_SCRIPT_SIG_PUSHONLY,
	BB_SCRIPT_SIG_HIGH_S,
	BB_SCRIPT_SIG_NULLDUMMY,
	BB_SCRIPT_PUBKEYTYPE,
	BB_SCRIPT_CLEANSTACK,
	BB_SCRIPT_MINIMALIF,
	BB_SCRIPT_NULLFAIL,
	BB_SCRIPT_DISCOURAGE_UPGRADABLE_NOPS,
	BB_SCRIPT_DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM,
	BB_SCRIPT_DISCOURAGE_UPGRADABLE_TAPROOT_VERSION,
	BB_SCRIPT_DISCOURAGE_OP_SUCCESS,
	BB_SCRIPT_DISCOURAGE_UPGRADABLE_PUBKEYTYPE,
	BB_SCRIPT_WITNESS_PROGRAM_WRONG_LENGTH,
	BB_SCRIPT_WITNESS_PROGRAM_WITNESS_EMPTY,
	BB_SCRIPT_WITNESS_PROGRAM_MISMATCH,
	BB_SCRIPT_WITNESS_MALLEATED,
	BB_SCRIPT_WITNESS_MALLEATED_P2SH,
	BB_SCRIPT_WITNESS_UNEXPECTED,
	BB_SCRIPT_WITNESS_PUBKEYTYPE,
	BB_SCRIPT_SCHNORR_SIG_SIZE,
	BB_SCRIPT_SCHNORR_SIG_HASHTYPE,
	BB_SCRIPT_SCHNORR_SIG,
	BB_SCRIPT_TAPROOT_WRONG_CONTROL_SIZE,
	BB_SCRIPT_TAPSCRIPT_VALIDATION_WEIGHT,
	BB_SCRIPT_TAPSCRIPT_CHECKMULTISIG,
	BB_SCRIPT_TAPSCRIPT_MINIMALIF,
	BB_SCRIPT_TAPSCRIPT_EMPTY_PUBKEY,
	BB_SCRIPT_OP_CODESEPARATOR,
	BB_SCRIPT_SIG_FINDANDDELETE,
	BB_SCRIPT_ERROR_COUNT,
};

/* The name in script_tests.json ("EVAL_FALSE"), and Bitcoin Core's sentence. */
const char *bb_script_error_name(enum bb_script_error e);
const char *bb_script_error_text(enum bb_script_error e);

/* A stack element: up to 36 bytes in place, longer ones borrowed; no opcode makes long ones. */
struct bb_element {
	uint32_t len;
	union {
		unsigned char here[36];
		const unsigned char *there;
	} u;
};

struct bb_stack {
	struct bb_element *e;
	size_t count, cap;
};

struct bb_span bb_element_span(const struct bb_element *e);

/* One step of an execution, shown to a tracer before it is carried out. */
struct bb_step {
	const unsigned char *txid; /* 32 bytes, wire order */
	size_t input;
	const char *where; /* "scriptsig" "scriptpubkey" "redeemscript" "p2wpkh"
			    * "witnessscript" "keypath" "tapscript" */
	size_t position;   /* of the opcode in its script, bytes */
	struct bb_op op;
	bool executed; /* false inside a branch not taken */
	const struct bb_stack *stack, *altstack;
	const unsigned char *conditions; /* condition_count truths, outermost first */
	size_t condition_count;
};

/* What an input's earlier signature hashed, up to the hash type: scripts may check thousands of
 * signatures on one script code. */
struct bb_sighash_memo {
	bool have, v0;
	struct bb_buf code;
	struct bb_sha256 start;
};

/* Work space, reused from input to input; zero-initialise, one for each thread. */
struct bb_interpreter {
	/* Called before each opcode; NULL: no trace. */
	void (*trace)(void *arg, const struct bb_step *step);
	void *trace_arg;

	/* Private. */
	struct bb_stack stack, altstack, saved;
	unsigned char txid[32]; /* under trace */
	unsigned char *conditions;
	size_t condition_cap;
	struct bb_buf code; /* a script code under FindAndDelete */
	struct bb_sighash_memo memo[BB_SIGHASH_CLASSES];
	/* Of m signatures with n keys: which keys matched last, one bit each, the highest bit
	 * when they were those of the time before too. */
	uint32_t habit[BB_MAX_MULTISIG_KEYS + 1][BB_MAX_MULTISIG_KEYS + 1];
};

void bb_interpreter_free(struct bb_interpreter *vm);

/* Judge input `index`: its scriptSig and witness against the prevout it spends. The cache
 * holds the transaction and all prevouts. */
enum bb_script_error bb_verify_input(struct bb_interpreter *vm, struct bb_sighash_cache *cache,
	size_t index, uint32_t flags);

/* Signature operations cost of one input (BIP 141): P2SH and witness; legacy ones are counted
 * over the whole transaction by bb_tx_sigops_cost in check.h. */
int64_t bb_input_witness_sigops(
	const struct bb_txin *in, struct bb_span script_pubkey, uint32_t flags);

/* Encodings, as policy and the signer need them too. */
bool bb_sig_is_der(struct bb_span sig);		  /* strict DER with hash type (BIP 66) */
bool bb_pubkey_is_compressed(struct bb_span key); /* by length and first byte only */
bool bb_pubkey_is_plausible(struct bb_span key);  /* STRICTENC's: by length and first byte */

#endif
