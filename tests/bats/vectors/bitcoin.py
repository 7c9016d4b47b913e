"""What the vectors' converters need of Bitcoin, from the BIPs' text and Bitcoin Core's test
harness: bytes of transactions, short script assembly, a taproot output. It is written
apart from libbb so that neither can hide the other's mistake."""

import hashlib
import struct


def sha256(data):
    return hashlib.sha256(data).digest()


def sha256d(data):
    return sha256(sha256(data))


def tagged(tag, data):
    """BIP 340's tagged hash."""
    t = sha256(tag.encode())
    return sha256(t + t + data)


def compact(n):
    if n < 0xFD:
        return bytes([n])
    if n <= 0xFFFF:
        return b"\xfd" + struct.pack("<H", n)
    if n <= 0xFFFFFFFF:
        return b"\xfe" + struct.pack("<I", n)
    return b"\xff" + struct.pack("<Q", n)


def var(data):
    return compact(len(data)) + data


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise ValueError("short")
        piece = self.data[self.at:self.at + n]
        self.at += n
        return piece

    def u32(self):
        return struct.unpack("<I", self.take(4))[0]

    def i64(self):
        return struct.unpack("<q", self.take(8))[0]

    def compact(self):
        n = self.take(1)[0]
        if n < 0xFD:
            return n
        size = {0xFD: 2, 0xFE: 4, 0xFF: 8}[n]
        return int.from_bytes(self.take(size), "little")

    def var(self):
        return self.take(self.compact())

    def done(self):
        return self.at == len(self.data)


class Tx:
    """version, vin [txid, vout, script, sequence], vout [value, script], witness, locktime."""

    def __init__(self, data=None):
        self.version, self.vin, self.vout, self.witness, self.locktime = 1, [], [], [], 0
        if data is not None:
            self.read(Reader(data))

    def read(self, r):
        """The segwit form (BIP 144) or the basic one."""
        self.version = r.u32()
        count, flag = r.compact(), 0
        if count == 0:
            flag = r.take(1)[0]
            if flag == 0:
                raise ValueError("no inputs")
            count = r.compact()
        self.vin = [[r.take(32), r.u32(), r.var(), r.u32()] for _ in range(count)]
        self.vout = [[r.i64(), r.var()] for _ in range(r.compact())]
        self.witness = [[] for _ in self.vin]
        if flag:
            self.witness = [[r.var() for _ in range(r.compact())] for _ in self.vin]
        self.locktime = r.u32()
        return self

    def bytes(self, witness=True):
        out = struct.pack("<I", self.version)
        witness = witness and any(self.witness)
        if witness:
            out += b"\x00\x01"
        out += compact(len(self.vin))
        for txid, vout, script, sequence in self.vin:
            out += txid + struct.pack("<I", vout) + var(script) + struct.pack("<I", sequence)
        out += compact(len(self.vout))
        for value, script in self.vout:
            out += struct.pack("<q", value) + var(script)
        if witness:
            for stack in self.witness:
                out += compact(len(stack)) + b"".join(var(item) for item in stack)
        return out + struct.pack("<I", self.locktime)

    def txid(self):
        return sha256d(self.bytes(witness=False))


# Opcodes by their name without "OP_", from 0x50 and 0x61 to 0xb9: the range in which Core's
# ParseScript knows names.
NAMES = (
    "NOP VER IF NOTIF VERIF VERNOTIF ELSE ENDIF VERIFY RETURN TOALTSTACK FROMALTSTACK 2DROP "
    "2DUP 3DUP 2OVER 2ROT 2SWAP IFDUP DEPTH DROP DUP NIP OVER PICK ROLL ROT SWAP TUCK CAT SUBSTR "
    "LEFT RIGHT SIZE INVERT AND OR XOR EQUAL EQUALVERIFY RESERVED1 RESERVED2 1ADD 1SUB 2MUL 2DIV "
    "NEGATE ABS NOT 0NOTEQUAL ADD SUB MUL DIV MOD LSHIFT RSHIFT BOOLAND BOOLOR NUMEQUAL "
    "NUMEQUALVERIFY NUMNOTEQUAL LESSTHAN GREATERTHAN LESSTHANOREQUAL GREATERTHANOREQUAL MIN MAX "
    "WITHIN RIPEMD160 SHA1 SHA256 HASH160 HASH256 CODESEPARATOR CHECKSIG CHECKSIGVERIFY "
    "CHECKMULTISIG CHECKMULTISIGVERIFY NOP1 CHECKLOCKTIMEVERIFY CHECKSEQUENCEVERIFY NOP4 NOP5 "
    "NOP6 NOP7 NOP8 NOP9 NOP10"
).split()
OPCODES = {name: 0x61 + i for i, name in enumerate(NAMES)}
OPCODES["RESERVED"] = 0x50
OPCODES["NOP2"], OPCODES["NOP3"] = 0xB1, 0xB2


def push(data):
    """CScript << bytes: no small numbers, the length alone chooses the opcode."""
    n = len(data)
    if n < 0x4C:
        return bytes([n]) + data
    if n <= 0xFF:
        return b"\x4c" + bytes([n]) + data
    if n <= 0xFFFF:
        return b"\x4d" + struct.pack("<H", n) + data
    return b"\x4e" + struct.pack("<I", n) + data


def number(n):
    """CScriptNum's bytes: little-endian, the sign in the highest bit."""
    if n == 0:
        return b""
    out = bytearray(abs(n).to_bytes((abs(n).bit_length() + 7) // 8, "little"))
    if out[-1] & 0x80:
        out.append(0)
    if n < 0:
        out[-1] |= 0x80
    return bytes(out)


def push_number(n):
    """CScript << int64_t."""
    if n == 0:
        return b"\x00"
    if n == -1 or 1 <= n <= 16:
        return bytes([n + 0x50])
    return push(number(n))


def parse_script(text):
    """Core's ParseScript: numbers, raw hex, 'strings', opcodes with or without OP_."""
    out = b""
    for word in text.replace("\t", " ").replace("\n", " ").split(" "):
        digits = word[1:] if word[:1] == "-" else word
        if not word:
            continue
        if digits.isascii() and digits.isdigit():
            out += push_number(int(word))
        elif word[:2] == "0x" and len(word) > 2:
            out += bytes.fromhex(word[2:])
        elif len(word) >= 2 and word[0] == word[-1] == "'":
            out += push(word[1:-1].encode())
        else:
            out += bytes([OPCODES[word.removeprefix("OP_")]])
    return out


# secp256k1, as far as BIP 341's output key needs it.
P = 2**256 - 2**32 - 977
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)
# BIP 341's point without a known key.
NUMS = bytes.fromhex("50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0")


def point_add(a, b):
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0] and a[1] != b[1]:
        return None
    if a == b:
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def point_mul(point, n):
    out = None
    while n:
        if n & 1:
            out = point_add(out, point)
        point = point_add(point, point)
        n >>= 1
    return out


def lift_x(x32):
    x = int.from_bytes(x32, "big")
    y = pow(x**3 + 7, (P + 1) // 4, P)
    if y * y % P != (x**3 + 7) % P:
        raise ValueError("not on the curve")
    return x, y if y % 2 == 0 else P - y


def taproot_output(internal, root=b""):
    """The output key and whether its y is odd."""
    t = int.from_bytes(tagged("TapTweak", internal + root), "big")
    x, y = point_add(lift_x(internal), point_mul(G, t))
    return x.to_bytes(32, "big"), y & 1


def tapleaf(script, version=0xC0):
    return tagged("TapLeaf", bytes([version]) + var(script))


def tapbranch(a, b):
    return tagged("TapBranch", min(a, b) + max(a, b))
