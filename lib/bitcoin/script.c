#include "bitcoin/script.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"

bool bb_script_next(struct bb_op *op, struct bb_reader *r)
{
	uint64_t len = 0;

	op->data = BB_SPAN(r->p, 0);
	if (!bb_left(r))
		return false;
	op->opcode = bb_get_u8(r);
	if (op->opcode < OP_PUSHDATA1)
		len = op->opcode;
	else if (op->opcode == OP_PUSHDATA1)
		len = bb_get_u8(r);
	else if (op->opcode == OP_PUSHDATA2)
		len = bb_get_le16(r);
	else if (op->opcode == OP_PUSHDATA4)
		len = bb_get_le32(r);
	op->data = bb_get_span(r, len);
	return !r->bad;
}

void bb_put_push(struct bb_buf *b, struct bb_span data)
{
	if (data.len < OP_PUSHDATA1) {
		bb_put_u8(b, (uint8_t)data.len);
	} else if (data.len <= 0xff) {
		bb_put_u8(b, OP_PUSHDATA1);
		bb_put_u8(b, (uint8_t)data.len);
	} else if (data.len <= 0xffff) {
		bb_put_u8(b, OP_PUSHDATA2);
		bb_put_le16(b, (uint16_t)data.len);
	} else {
		bb_put_u8(b, OP_PUSHDATA4);
		bb_put_le32(b, (uint32_t)data.len);
	}
	bb_put(b, data.data, data.len);
}

size_t bb_script_num_encode(unsigned char out9[9], int64_t n)
{
	uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	size_t len = 0;

	for (; rest; rest >>= 8)
		out9[len++] = rest & 0xff;
	if (len && out9[len - 1] & 0x80)
		out9[len++] = 0;
	if (n < 0)
		out9[len - 1] |= 0x80;
	return len;
}

bool bb_script_num_decode(int64_t *out, struct bb_span data, bool minimal, size_t max_len)
{
	uint64_t n = 0;

	*out = 0;
	if (data.len > max_len || data.len > 8)
		return false;
	if (!data.len)
		return true;
	/* Shortest form: the top byte holds more than a sign, or its sign bit is needed. */
	if (minimal && !(data.data[data.len - 1] & 0x7f) &&
		(data.len == 1 || !(data.data[data.len - 2] & 0x80)))
		return false;
	for (size_t i = 0; i < data.len; i++)
		n |= (uint64_t)data.data[i] << 8 * i;
	if (data.data[data.len - 1] & 0x80)
		*out = -(int64_t)(n & ~((uint64_t)0x80 << 8 * (data.len - 1)));
	else
		*out = (int64_t)n;
	return true;
}

void bb_put_script_num(struct bb_buf *b, int64_t n)
{
	unsigned char bytes[9];

	if (n == 0)
		bb_put_u8(b, OP_0);
	else if (n == -1 || (n >= 1 && n <= 16))
		bb_put_u8(b, (uint8_t)(OP_1 - 1 + n));
	else
		bb_put_push(b, BB_SPAN(bytes, bb_script_num_encode(bytes, n)));
}

bool bb_push_is_minimal(const struct bb_op *op)
{
	const struct bb_span d = op->data;

	if (d.len == 0)
		return op->opcode == OP_0;
	if (d.len == 1 && ((d.data[0] >= 1 && d.data[0] <= 16) || d.data[0] == 0x81))
		return false; /* OP_1 to OP_16, OP_1NEGATE */
	if (d.len < OP_PUSHDATA1)
		return op->opcode == d.len;
	if (d.len <= 0xff)
		return op->opcode == OP_PUSHDATA1;
	if (d.len <= 0xffff)
		return op->opcode == OP_PUSHDATA2;
	return true;
}

bool bb_script_is_push_only(struct bb_span script)
{
	struct bb_reader r = bb_reader(script.data, script.len);
	struct bb_op op;

	while (bb_script_next(&op, &r))
		if (op.opcode > OP_16)
			return false;
	return !r.bad;
}

bool bb_script_is_unspendable(struct bb_span script)
{
	return (script.len && script.data[0] == OP_RETURN) || script.len > BB_MAX_SCRIPT;
}

/* Classes. */

static bool is_p2pkh(struct bb_span s)
{
	return s.len == 25 && s.data[0] == OP_DUP && s.data[1] == OP_HASH160 &&
	       s.data[2] == 20 && s.data[23] == OP_EQUALVERIFY && s.data[24] == OP_CHECKSIG;
}

bool bb_script_is_p2sh(struct bb_span s)
{
	return s.len == 23 && s.data[0] == OP_HASH160 && s.data[1] == 20 &&
	       s.data[22] == OP_EQUAL;
}

bool bb_script_is_witness(unsigned *version, struct bb_span *program, struct bb_span s)
{
	if (s.len < 4 || s.len > 42 ||
		(s.data[0] != OP_0 && (s.data[0] < OP_1 || s.data[0] > OP_16)))
		return false;
	if (s.data[1] + 2u != s.len)
		return false;
	*version = s.data[0] ? s.data[0] - (OP_1 - 1u) : 0;
	*program = BB_SPAN(s.data + 2, s.len - 2);
	return true;
}

/* The length that the first byte of a public key asks for. */
static size_t pubkey_len(struct bb_span key)
{
	if (!key.len)
		return 0;
	switch (key.data[0]) {
	case 2:
	case 3: return 33;
	case 4:
	case 6:
	case 7: return 65;
	default: return 0;
	}
}

static bool is_pubkey(struct bb_span key)
{
	return key.len && key.len == pubkey_len(key);
}

static bool is_p2pk(struct bb_span s)
{
	return (s.len == 35 || s.len == 67) && s.data[0] == s.len - 2 &&
	       s.data[s.len - 1] == OP_CHECKSIG && is_pubkey(BB_SPAN(s.data + 1, s.len - 2));
}

/* The count of keys or signatures that an instruction of a multisig states. */
static bool key_count(unsigned *out, const struct bb_op *op)
{
	int64_t n;

	if (op->opcode >= OP_1 && op->opcode <= OP_16)
		n = op->opcode - (OP_1 - 1);
	else if (!bb_push_is_minimal(op) || op->opcode > OP_PUSHDATA4 ||
		 !bb_script_num_decode(&n, op->data, true, 4))
		return false;
	*out = (unsigned)n;
	return n >= 1 && n <= BB_MAX_MULTISIG_KEYS;
}

bool bb_script_is_multisig(
	unsigned *m, unsigned *n, struct bb_span keys[20], struct bb_span script)
{
	struct bb_reader r = bb_reader(script.data, script.len);
	struct bb_op op;
	unsigned found = 0;

	if (!script.len || script.data[script.len - 1] != OP_CHECKMULTISIG)
		return false;
	if (!bb_script_next(&op, &r) || !key_count(m, &op))
		return false;
	while (bb_script_next(&op, &r) && is_pubkey(op.data)) {
		if (found == BB_MAX_MULTISIG_KEYS)
			return false;
		keys[found++] = op.data;
	}
	return !r.bad && key_count(n, &op) && *n == found && *m <= *n && bb_left(&r) == 1;
}

/* An opcode that fails as soon as it is met, so that nothing after it can be spent. */
static bool is_fatal(uint8_t opcode)
{
	switch (opcode) {
	case OP_RESERVED:
	case OP_VER:
	case OP_VERIF:
	case OP_VERNOTIF:
	case OP_RETURN:
	case OP_RESERVED1:
	case OP_RESERVED2:
	case OP_INVERT:
	case OP_AND:
	case OP_OR:
	case OP_XOR:
	case OP_2MUL:
	case OP_2DIV: return true;
	default:
		return (opcode >= OP_CAT && opcode <= OP_RIGHT) ||
		       (opcode >= OP_MUL && opcode <= OP_RSHIFT) || opcode >= OP_CHECKSIGADD;
	}
}

enum bb_script_type bb_script_type(struct bb_span s)
{
	struct bb_span program, keys[20];
	unsigned version, m, n;

	if (!s.len)
		return BB_EMPTY;
	if (s.data[0] == OP_RETURN)
		return BB_OP_RETURN;
	if (is_p2pkh(s))
		return BB_P2PKH;
	if (bb_script_is_p2sh(s))
		return BB_P2SH;
	if (bb_script_is_witness(&version, &program, s)) {
		if (version == 0 && program.len == 20)
			return BB_P2WPKH;
		if (version == 0 && program.len == 32)
			return BB_P2WSH;
		if (version == 1 && program.len == 32)
			return BB_P2TR;
		if (version == 1 && bb_span_equal(program, BB_LIT("\x4e\x73")))
			return BB_ANCHOR;
		return BB_UNKNOWN;
	}
	if (is_p2pk(s))
		return BB_P2PK;
	if (is_fatal(s.data[0]))
		return BB_PROVABLY_UNSPENDABLE;
	if (bb_script_is_multisig(&m, &n, keys, s))
		return BB_MULTISIG;
	return BB_UNKNOWN;
}

const char *bb_script_type_name(enum bb_script_type type)
{
	static const char *const names[] = {
		[BB_P2PK] = "p2pk",
		[BB_P2PKH] = "p2pkh",
		[BB_P2SH] = "p2sh",
		[BB_P2WPKH] = "v0_p2wpkh",
		[BB_P2WSH] = "v0_p2wsh",
		[BB_P2TR] = "v1_p2tr",
		[BB_MULTISIG] = "multisig",
		[BB_OP_RETURN] = "op_return",
		[BB_ANCHOR] = "anchor",
		[BB_PROVABLY_UNSPENDABLE] = "provably_unspendable",
		[BB_EMPTY] = "empty",
		[BB_UNKNOWN] = "unknown",
	};

	return names[type];
}

void bb_put_p2pkh(struct bb_buf *b, const unsigned char hash20[20])
{
	bb_put(b, (unsigned char[]){OP_DUP, OP_HASH160, 20}, 3);
	bb_put(b, hash20, 20);
	bb_put(b, (unsigned char[]){OP_EQUALVERIFY, OP_CHECKSIG}, 2);
}

void bb_put_p2sh(struct bb_buf *b, const unsigned char hash20[20])
{
	bb_put(b, (unsigned char[]){OP_HASH160, 20}, 2);
	bb_put(b, hash20, 20);
	bb_put_u8(b, OP_EQUAL);
}

void bb_put_witness(struct bb_buf *b, unsigned version, struct bb_span program)
{
	bb_put_u8(b, (uint8_t)(version ? OP_1 - 1 + version : OP_0));
	bb_put_push(b, program);
}

/* Text. */

/* clang-format off */
static const char *const names[] = {
	[OP_PUSHDATA1] = "PUSHDATA1", "PUSHDATA2", "PUSHDATA4", "PUSHNUM_NEG1", "RESERVED",
	[OP_NOP] = "NOP", "VER", "IF", "NOTIF", "VERIF", "VERNOTIF", "ELSE", "ENDIF", "VERIFY",
	"RETURN", "TOALTSTACK", "FROMALTSTACK", "2DROP", "2DUP", "3DUP", "2OVER", "2ROT", "2SWAP",
	"IFDUP", "DEPTH", "DROP", "DUP", "NIP", "OVER", "PICK", "ROLL", "ROT", "SWAP", "TUCK", "CAT",
	"SUBSTR", "LEFT", "RIGHT", "SIZE", "INVERT", "AND", "OR", "XOR", "EQUAL", "EQUALVERIFY",
	"RESERVED1", "RESERVED2", "1ADD", "1SUB", "2MUL", "2DIV", "NEGATE", "ABS", "NOT", "0NOTEQUAL",
	"ADD", "SUB", "MUL", "DIV", "MOD", "LSHIFT", "RSHIFT", "BOOLAND", "BOOLOR", "NUMEQUAL",
	"NUMEQUALVERIFY", "NUMNOTEQUAL", "LESSTHAN", "GREATERTHAN", "LESSTHANOREQUAL",
	"GREATERTHANOREQUAL", "MIN", "MAX", "WITHIN", "RIPEMD160", "SHA1", "SHA256", "HASH160",
	"HASH256", "CODESEPARATOR", "CHECKSIG", "CHECKSIGVERIFY", "CHECKMULTISIG",
	"CHECKMULTISIGVERIFY", "NOP1", "CLTV", "CSV", "NOP4", "NOP5", "NOP6", "NOP7", "NOP8", "NOP9",
	"NOP10", "CHECKSIGADD",
};
/* clang-format on */

void bb_opcode_name(char name[24], uint8_t opcode)
{
	if (opcode == OP_0)
		strcpy(name, "OP_0");
	else if (opcode < OP_PUSHDATA1)
		snprintf(name, 24, "OP_PUSHBYTES_%u", opcode);
	else if (opcode >= OP_1 && opcode <= OP_16)
		snprintf(name, 24, "OP_PUSHNUM_%u", opcode - (OP_1 - 1u));
	else if (opcode <= OP_CHECKSIGADD)
		snprintf(name, 24, "OP_%s", names[opcode]);
	else if (opcode == OP_INVALIDOPCODE)
		strcpy(name, "OP_INVALIDOPCODE");
	else
		snprintf(name, 24, "OP_RETURN_%u", opcode);
}

void bb_put_asm(struct bb_buf *b, struct bb_span script)
{
	struct bb_reader r = bb_reader(script.data, script.len);
	struct bb_op op;
	char name[24];

	while (bb_left(&r)) {
		bool first = r.p == script.data, whole = bb_script_next(&op, &r);
		bb_opcode_name(name, op.opcode);
		if (!first)
			bb_put_u8(b, ' ');
		bb_put_str(b, name);
		if (!whole) {
			bb_put_str(b, " <push past end>");
		} else if (op.data.len) {
			bb_put_u8(b, ' ');
			bb_put_hex(b, op.data.data, op.data.len);
		}
	}
}

/* Counting. */

unsigned bb_script_sigops(struct bb_span script, bool accurate)
{
	struct bb_reader r = bb_reader(script.data, script.len);
	struct bb_op op;
	uint8_t last = OP_INVALIDOPCODE;
	unsigned n = 0;

	while (bb_script_next(&op, &r)) {
		if (op.opcode == OP_CHECKSIG || op.opcode == OP_CHECKSIGVERIFY)
			n++;
		else if (op.opcode != OP_CHECKMULTISIG && op.opcode != OP_CHECKMULTISIGVERIFY)
			;
		else if (accurate && last >= OP_1 && last <= OP_16)
			n += last - (OP_1 - 1u);
		else
			n += BB_MAX_MULTISIG_KEYS;
		last = op.opcode;
	}
	return n;
}

bool bb_script_last_push(struct bb_span *data, struct bb_span script_sig)
{
	struct bb_reader r = bb_reader(script_sig.data, script_sig.len);
	struct bb_op op;

	*data = BB_SPAN(script_sig.data, 0);
	while (bb_script_next(&op, &r)) {
		if (op.opcode > OP_16)
			return false;
		*data = op.data;
	}
	return !r.bad;
}
