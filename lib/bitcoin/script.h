#ifndef BB_BITCOIN_SCRIPT_H
#define BB_BITCOIN_SCRIPT_H

/* Scripts as bytes: opcodes, walking, pushing, classes, text. Running them is interpreter.h. */

#include "base/bytes.h"

/* clang-format off */
enum bb_opcode {
	OP_0 = 0x00, OP_PUSHDATA1 = 0x4c, OP_PUSHDATA2, OP_PUSHDATA4, OP_1NEGATE, OP_RESERVED,
	OP_1 = 0x51, OP_16 = 0x60,
	OP_NOP = 0x61, OP_VER, OP_IF, OP_NOTIF, OP_VERIF, OP_VERNOTIF, OP_ELSE, OP_ENDIF,
	OP_VERIFY, OP_RETURN,
	OP_TOALTSTACK = 0x6b, OP_FROMALTSTACK, OP_2DROP, OP_2DUP, OP_3DUP, OP_2OVER, OP_2ROT,
	OP_2SWAP, OP_IFDUP, OP_DEPTH, OP_DROP, OP_DUP, OP_NIP, OP_OVER, OP_PICK, OP_ROLL,
	OP_ROT, OP_SWAP, OP_TUCK,
	OP_CAT = 0x7e, OP_SUBSTR, OP_LEFT, OP_RIGHT, OP_SIZE, OP_INVERT, OP_AND, OP_OR, OP_XOR,
	OP_EQUAL, OP_EQUALVERIFY, OP_RESERVED1, OP_RESERVED2,
	OP_1ADD = 0x8b, OP_1SUB, OP_2MUL, OP_2DIV, OP_NEGATE, OP_ABS, OP_NOT, OP_0NOTEQUAL,
	OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD, OP_LSHIFT, OP_RSHIFT, OP_BOOLAND, OP_BOOLOR,
	OP_NUMEQUAL, OP_NUMEQUALVERIFY, OP_NUMNOTEQUAL, OP_LESSTHAN, OP_GREATERTHAN,
	OP_LESSTHANOREQUAL, OP_GREATERTHANOREQUAL, OP_MIN, OP_MAX, OP_WITHIN,
	OP_RIPEMD160 = 0xa6, OP_SHA1, OP_SHA256, OP_HASH160, OP_HASH256, OP_CODESEPARATOR,
	OP_CHECKSIG, OP_CHECKSIGVERIFY, OP_CHECKMULTISIG, OP_CHECKMULTISIGVERIFY,
	OP_NOP1 = 0xb0, OP_CHECKLOCKTIMEVERIFY, OP_CHECKSEQUENCEVERIFY, OP_NOP4, OP_NOP10 = 0xb9,
	OP_CHECKSIGADD = 0xba,
	OP_INVALIDOPCODE = 0xff,
};
/* clang-format on */

enum {
	BB_MAX_SCRIPT = 10000, /* bytes, before tapscript */
	BB_MAX_ELEMENT = 520,  /* bytes of a stack element */
	BB_MAX_OPS = 201,      /* non-push opcodes, before tapscript */
	BB_MAX_STACK = 1000,   /* elements, both stacks together */
	BB_MAX_MULTISIG_KEYS = 20,
	BB_ANNEX_TAG = 0x50,
	BB_TAPROOT_LEAF_TAPSCRIPT = 0xc0,
	BB_TAPROOT_CONTROL_BASE = 33,
	BB_TAPROOT_CONTROL_NODE = 32,
	BB_TAPROOT_CONTROL_MAX_NODES = 128,
};

/* One instruction: its opcode and what it pushes (empty for the others). */
struct bb_op {
	uint8_t opcode;
	struct bb_span data;
};

/* The next instruction; false at the end and, with r->bad set, when a push runs past it. */
bool bb_script_next(struct bb_op *op, struct bb_reader *r);

/* Shortest pushes; numbers from -1 to 16 become their opcodes in bb_put_script_num. */
void bb_put_push(struct bb_buf *b, struct bb_span data);
void bb_put_script_num(struct bb_buf *b, int64_t n);
/* A number as bytes on the stack: little-endian, sign in the highest bit; up to 9 bytes. */
size_t bb_script_num_encode(unsigned char out9[9], int64_t n);
/* False when longer than max_len or, if `minimal`, not in shortest form. */
bool bb_script_num_decode(int64_t *out, struct bb_span data, bool minimal, size_t max_len);

/* Is this push made with the shortest opcode (BIP 62 rule 3)? */
bool bb_push_is_minimal(const struct bb_op *op);
bool bb_script_is_push_only(struct bb_span script);
/* Never spendable: begins with OP_RETURN, or longer than 10,000 bytes. */
bool bb_script_is_unspendable(struct bb_span script);

/* Esplora's scriptpubkey_type. */
enum bb_script_type {
	BB_P2PK,
	BB_P2PKH,
	BB_P2SH,
	BB_P2WPKH,
	BB_P2WSH,
	BB_P2TR,
	BB_MULTISIG,
	BB_OP_RETURN,
	BB_ANCHOR,
	BB_PROVABLY_UNSPENDABLE,
	BB_EMPTY,
	BB_UNKNOWN,
};

enum bb_script_type bb_script_type(struct bb_span script);
/* "p2pk" "p2pkh" "p2sh" "v0_p2wpkh" ... */
const char *bb_script_type_name(enum bb_script_type type);

bool bb_script_is_p2sh(struct bb_span script);
/* A witness program: version 0 to 16 and 2 to 40 bytes (BIP 141). */
bool bb_script_is_witness(unsigned *version, struct bb_span *program, struct bb_span script);
/* m-of-n with up to 20 keys of 33 or 65 bytes; keys[] borrow from the script. */
bool bb_script_is_multisig(
	unsigned *m, unsigned *n, struct bb_span keys[20], struct bb_span script);

/* The scriptPubKeys of the single-key and script types. hash/key lengths as named. */
void bb_put_p2pkh(struct bb_buf *b, const unsigned char hash20[20]);
void bb_put_p2sh(struct bb_buf *b, const unsigned char hash20[20]);
void bb_put_witness(struct bb_buf *b, unsigned version, struct bb_span program);

/* Esplora's disassembly: "OP_DUP OP_HASH160 OP_PUSHBYTES_20 <hex> ..."; a push that runs past
 * the end gives "<push past end>". */
void bb_put_asm(struct bb_buf *b, struct bb_span script);
/* "OP_DUP", "OP_PUSHBYTES_20", "OP_PUSHNUM_1", "OP_RETURN_186" ...: into name[24]. */
void bb_opcode_name(char name[24], uint8_t opcode);

/* Signature operations as consensus counts them: legacy (accurate false) or, inside P2SH and
 * witness scripts, with multisig keys counted exactly. */
unsigned bb_script_sigops(struct bb_span script, bool accurate);
/* The last push of a scriptSig that is push only: the redeem script; false if there is none. */
bool bb_script_last_push(struct bb_span *data, struct bb_span script_sig);

#endif
