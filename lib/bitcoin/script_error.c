/* The words of the interpreter: flags and errors by name. */

#include <string.h>

#include "bitcoin/interpreter.h"

static const struct {
	const char *name;
	uint32_t flag;
} flag_names[] = {
	{"NONE", 0},
	{"P2SH", BB_VERIFY_P2SH},
	{"STRICTENC", BB_VERIFY_STRICTENC},
	{"DERSIG", BB_VERIFY_DERSIG},
	{"LOW_S", BB_VERIFY_LOW_S},
	{"NULLDUMMY", BB_VERIFY_NULLDUMMY},
	{"SIGPUSHONLY", BB_VERIFY_SIGPUSHONLY},
	{"MINIMALDATA", BB_VERIFY_MINIMALDATA},
	{"DISCOURAGE_UPGRADABLE_NOPS", BB_VERIFY_DISCOURAGE_UPGRADABLE_NOPS},
	{"CLEANSTACK", BB_VERIFY_CLEANSTACK},
	{"CHECKLOCKTIMEVERIFY", BB_VERIFY_CHECKLOCKTIMEVERIFY},
	{"CHECKSEQUENCEVERIFY", BB_VERIFY_CHECKSEQUENCEVERIFY},
	{"WITNESS", BB_VERIFY_WITNESS},
	{"DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM",
		BB_VERIFY_DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM},
	{"MINIMALIF", BB_VERIFY_MINIMALIF},
	{"NULLFAIL", BB_VERIFY_NULLFAIL},
	{"WITNESS_PUBKEYTYPE", BB_VERIFY_WITNESS_PUBKEYTYPE},
	{"CONST_SCRIPTCODE", BB_VERIFY_CONST_SCRIPTCODE},
	{"TAPROOT", BB_VERIFY_TAPROOT},
	{"DISCOURAGE_UPGRADABLE_TAPROOT_VERSION",
		BB_VERIFY_DISCOURAGE_UPGRADABLE_TAPROOT_VERSION},
	{"DISCOURAGE_OP_SUCCESS", BB_VERIFY_DISCOURAGE_OP_SUCCESS},
	{"DISCOURAGE_UPGRADABLE_PUBKEYTYPE", BB_VERIFY_DISCOURAGE_UPGRADABLE_PUBKEYTYPE},
};

static bool flag_by_name(uint32_t *flag, struct bb_span name)
{
	for (size_t i = 0; i < sizeof(flag_names) / sizeof(*flag_names); i++) {
		if (bb_span_is(name, flag_names[i].name)) {
			*flag = flag_names[i].flag;
			return true;
		}
	}
	return false;
}

bool bb_flags_parse(uint32_t *flags, struct bb_span names)
{
	*flags = 0;
	while (names.len) {
		const unsigned char *comma = memchr(names.data, ',', names.len);
		size_t len = comma ? (size_t)(comma - names.data) : names.len;
		uint32_t flag;
		if (!flag_by_name(&flag, BB_SPAN(names.data, len)))
			return false;
		*flags |= flag;
		if (comma && len + 1 == names.len)
			return false;
		names = BB_SPAN(
			names.data + len + (comma != NULL), names.len - len - (comma != NULL));
	}
	return true;
}

void bb_put_flags(struct bb_buf *b, uint32_t flags)
{
	bool comma = false;

	for (size_t i = 0; i < sizeof(flag_names) / sizeof(*flag_names); i++) {
		const uint32_t flag = flag_names[i].flag;
		if (flag ? !(flags & flag) : flags)
			continue;
		if (comma)
			bb_put_u8(b, ',');
		bb_put_str(b, flag_names[i].name);
		comma = true;
	}
}

static const struct {
	const char *name, *text;
} errors[BB_SCRIPT_ERROR_COUNT] = {
	[BB_SCRIPT_OK] = {"OK", "No error"},
	[BB_SCRIPT_UNKNOWN_ERROR] = {"UNKNOWN_ERROR", "unknown error"},
	[BB_SCRIPT_EVAL_FALSE] = {"EVAL_FALSE", "Script evaluated without error but finished "
						"with a false/empty top stack element"},
	[BB_SCRIPT_OP_RETURN] = {"OP_RETURN", "OP_RETURN was encountered"},
	[BB_SCRIPT_SCRIPT_SIZE] = {"SCRIPT_SIZE", "Script is too big"},
	[BB_SCRIPT_PUSH_SIZE] = {"PUSH_SIZE", "Push value size limit exceeded"},
	[BB_SCRIPT_OP_COUNT] = {"OP_COUNT", "Operation limit exceeded"},
	[BB_SCRIPT_STACK_SIZE] = {"STACK_SIZE", "Stack size limit exceeded"},
	[BB_SCRIPT_SIG_COUNT] = {"SIG_COUNT",
		"Signature count negative or greater than pubkey count"},
	[BB_SCRIPT_PUBKEY_COUNT] = {"PUBKEY_COUNT", "Pubkey count negative or limit exceeded"},
	[BB_SCRIPT_VERIFY] = {"VERIFY", "Script failed an OP_VERIFY operation"},
	[BB_SCRIPT_EQUALVERIFY] = {"EQUALVERIFY", "Script failed an OP_EQUALVERIFY operation"},
	[BB_SCRIPT_CHECKMULTISIGVERIFY] = {"CHECKMULTISIGVERIFY",
		"Script failed an OP_CHECKMULTISIGVERIFY operation"},
	[BB_SCRIPT_CHECKSIGVERIFY] = {"CHECKSIGVERIFY",
		"Script failed an OP_CHECKSIGVERIFY operation"},
	[BB_SCRIPT_NUMEQUALVERIFY] = {"NUMEQUALVERIFY",
		"Script failed an OP_NUMEQUALVERIFY operation"},
	[BB_SCRIPT_BAD_OPCODE] = {"BAD_OPCODE", "Opcode missing or not understood"},
	[BB_SCRIPT_DISABLED_OPCODE] = {"DISABLED_OPCODE", "Attempted to use a disabled opcode"},
	[BB_SCRIPT_INVALID_STACK_OPERATION] = {"INVALID_STACK_OPERATION",
		"Operation not valid with the current stack size"},
	[BB_SCRIPT_INVALID_ALTSTACK_OPERATION] = {"INVALID_ALTSTACK_OPERATION",
		"Operation not valid with the current altstack size"},
	[BB_SCRIPT_UNBALANCED_CONDITIONAL] = {"UNBALANCED_CONDITIONAL",
		"Invalid OP_IF construction"},
	[BB_SCRIPT_NEGATIVE_LOCKTIME] = {"NEGATIVE_LOCKTIME", "Negative locktime"},
	[BB_SCRIPT_UNSATISFIED_LOCKTIME] = {"UNSATISFIED_LOCKTIME",
		"Locktime requirement not satisfied"},
	[BB_SCRIPT_SCRIPTNUM] = {"SCRIPTNUM",
		"Script number overflowed or is non-minimally encoded"},
	[BB_SCRIPT_SIG_HASHTYPE] = {"SIG_HASHTYPE",
		"Signature hash type missing or not understood"},
	[BB_SCRIPT_SIG_DER] = {"SIG_DER", "Non-canonical DER signature"},
	[BB_SCRIPT_MINIMALDATA] = {"MINIMALDATA", "Data push larger than necessary"},
	[BB_SCRIPT_SIG_PUSHONLY] = {"SIG_PUSHONLY",
		"Only push operators allowed in signatures"},
	[BB_SCRIPT_SIG_HIGH_S] = {"SIG_HIGH_S",
		"Non-canonical signature: S value is unnecessarily high"},
	[BB_SCRIPT_SIG_NULLDUMMY] = {"SIG_NULLDUMMY",
		"Dummy CHECKMULTISIG argument must be zero"},
	[BB_SCRIPT_PUBKEYTYPE] = {"PUBKEYTYPE",
		"Public key is neither compressed or uncompressed"},
	[BB_SCRIPT_CLEANSTACK] = {"CLEANSTACK",
		"Stack size must be exactly one after execution"},
	[BB_SCRIPT_MINIMALIF] = {"MINIMALIF", "OP_IF/NOTIF argument must be minimal"},
	[BB_SCRIPT_NULLFAIL] = {"NULLFAIL",
		"Signature must be zero for failed CHECK(MULTI)SIG operation"},
	[BB_SCRIPT_DISCOURAGE_UPGRADABLE_NOPS] = {"DISCOURAGE_UPGRADABLE_NOPS",
		"NOPx reserved for soft-fork upgrades"},
	[BB_SCRIPT_DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM] =
		{"DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM",
			"Witness version reserved for soft-fork upgrades"},
	[BB_SCRIPT_DISCOURAGE_UPGRADABLE_TAPROOT_VERSION] =
		{"DISCOURAGE_UPGRADABLE_TAPROOT_VERSION",
			"Taproot version reserved for soft-fork upgrades"},
	[BB_SCRIPT_DISCOURAGE_OP_SUCCESS] = {"DISCOURAGE_OP_SUCCESS",
		"OP_SUCCESSx reserved for soft-fork upgrades"},
	[BB_SCRIPT_DISCOURAGE_UPGRADABLE_PUBKEYTYPE] = {"DISCOURAGE_UPGRADABLE_PUBKEYTYPE",
		"Public key version reserved for soft-fork upgrades"},
	[BB_SCRIPT_WITNESS_PROGRAM_WRONG_LENGTH] = {"WITNESS_PROGRAM_WRONG_LENGTH",
		"Witness program has incorrect length"},
	[BB_SCRIPT_WITNESS_PROGRAM_WITNESS_EMPTY] = {"WITNESS_PROGRAM_WITNESS_EMPTY",
		"Witness program was passed an empty witness"},
	[BB_SCRIPT_WITNESS_PROGRAM_MISMATCH] = {"WITNESS_PROGRAM_MISMATCH",
		"Witness program hash mismatch"},
	[BB_SCRIPT_WITNESS_MALLEATED] = {"WITNESS_MALLEATED",
		"Witness requires empty scriptSig"},
	[BB_SCRIPT_WITNESS_MALLEATED_P2SH] = {"WITNESS_MALLEATED_P2SH",
		"Witness requires only-redeemscript scriptSig"},
	[BB_SCRIPT_WITNESS_UNEXPECTED] = {"WITNESS_UNEXPECTED",
		"Witness provided for non-witness script"},
	[BB_SCRIPT_WITNESS_PUBKEYTYPE] = {"WITNESS_PUBKEYTYPE",
		"Using non-compressed keys in segwit"},
	[BB_SCRIPT_SCHNORR_SIG_SIZE] = {"SCHNORR_SIG_SIZE", "Invalid Schnorr signature size"},
	[BB_SCRIPT_SCHNORR_SIG_HASHTYPE] = {"SCHNORR_SIG_HASHTYPE",
		"Invalid Schnorr signature hash type"},
	[BB_SCRIPT_SCHNORR_SIG] = {"SCHNORR_SIG", "Invalid Schnorr signature"},
	[BB_SCRIPT_TAPROOT_WRONG_CONTROL_SIZE] = {"TAPROOT_WRONG_CONTROL_SIZE",
		"Invalid Taproot control block size"},
	[BB_SCRIPT_TAPSCRIPT_VALIDATION_WEIGHT] = {"TAPSCRIPT_VALIDATION_WEIGHT",
		"Too much signature validation relative to witness weight"},
	[BB_SCRIPT_TAPSCRIPT_CHECKMULTISIG] = {"TAPSCRIPT_CHECKMULTISIG",
		"OP_CHECKMULTISIG(VERIFY) is not available in tapscript"},
	[BB_SCRIPT_TAPSCRIPT_MINIMALIF] = {"TAPSCRIPT_MINIMALIF",
		"OP_IF/NOTIF argument must be minimal in tapscript"},
	[BB_SCRIPT_TAPSCRIPT_EMPTY_PUBKEY] = {"TAPSCRIPT_EMPTY_PUBKEY",
		"Empty public key in tapscript"},
	[BB_SCRIPT_OP_CODESEPARATOR] = {"OP_CODESEPARATOR",
		"Using OP_CODESEPARATOR in non-witness script"},
	[BB_SCRIPT_SIG_FINDANDDELETE] = {"SIG_FINDANDDELETE",
		"Signature is found in scriptCode"},
};

const char *bb_script_error_name(enum bb_script_error e)
{
	return errors[e].name;
}

const char *bb_script_error_text(enum bb_script_error e)
{
	return errors[e].text;
}
