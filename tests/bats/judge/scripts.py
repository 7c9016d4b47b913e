"""Every kind of output, and what unlocks it."""

import functools

from bitcoin import (NUMS, OPCODES, push, push_number, sha256, tagged, tapbranch, tapleaf,
                     taproot_output)
from keys import (ALL, ANYONECANPAY, KEYS, NONE, SINGLE, ecdsa, legacy_hash, schnorr,
                  segwit_hash, taproot_hash, tweaked)
from blockrules import hash160

FINAL = 0xFFFFFFFF
TYPES = [t | more for t in (ALL, NONE, SINGLE) for more in (0, ANYONECANPAY)]
OP = {name: bytes([code]) for name, code in OPCODES.items()}
OP["CHECKSIGADD"], OP["0"], OP["1NEGATE"] = b"\xba", b"\x00", b"\x4f"
OP.update((str(n), bytes([0x50 + n])) for n in range(1, 17))


def asm(*parts):
    """Bytes are pushed, numbers too, words are opcodes."""
    out = b""
    for part in parts:
        if isinstance(part, bytes):
            out += push(part)
        elif isinstance(part, int):
            out += push_number(part)
        else:
            out += b"".join(OP[word] for word in part.split())
    return out


class Lock:
    """An output script with what unlocks it.

    unlock(spend) returns the script signature and the witness; `sequence` and `locktime` are
    what BIPs 112 and 65 make it ask of its spender."""

    def __init__(self, kind, script, unlock, sequence=None, locktime=None):
        self.kind, self.script, self.unlock = kind, script, unlock
        self.sequence, self.locktime = sequence, locktime
        program = 4 <= len(script) <= 42 and script[1] == len(script) - 2
        self.witness = "p2w" in kind or (program and (script[0] == 0 or 0x51 <= script[0] <= 0x60))


class Spend:
    """Input i of a transaction that is about to be signed, and the coins it spends. `kind` is
    the hash type, or None for one at random; `tidy`: signatures are such as nodes relay."""

    def __init__(self, tx, i, coins, rng, kind=None, tidy=False):
        self.tx, self.i, self.coins, self.rng, self.kind = tx, i, coins, rng, kind
        self.tidy = tidy

    def hash_type(self, more=()):
        more = [] if self.tidy else list(more)
        return self.rng.choice(TYPES + more) if self.kind is None else self.kind

    def legacy(self, code):
        def sign(key):
            # Hash types that nobody defined sign like ALL (no STRICTENC in blocks).
            kind = self.hash_type((0, 4, 0x50))
            digest = legacy_hash(self.tx, self.i, code, kind)
            return ecdsa(key.secret, digest, self.tidy) + bytes([kind])
        return sign

    def segwit(self, code):
        def sign(key):
            kind = self.hash_type()
            value = self.coins[self.i].value
            digest = segwit_hash(self.tx, self.i, code, value, kind)
            return ecdsa(key.secret, digest, self.tidy) + bytes([kind])
        return sign

    def taproot(self, leaf=b"", annex=b"", separator=FINAL):
        def sign(key):
            kind = self.hash_type((0, 0))
            if kind & 3 == SINGLE and self.i >= len(self.tx.vout):
                kind = 0
            secret, x = (key.even, key.x) if leaf else key
            digest = taproot_hash(self.tx, self.i, self.coins, kind, annex, leaf, separator)
            return schnorr(secret, x, digest) + (bytes([kind]) if kind else b"")
        return sign


class Policy:
    """A script, the stack that satisfies it given a way to sign, and what its signatures sign:
    the script itself, or what follows its OP_CODESEPARATOR, the `separator`-th opcode."""

    def __init__(self, script, stack, code=None, separator=FINAL, **needs):
        self.script, self.stack = script, stack
        self.code, self.separator, self.needs = code or script, separator, needs


def pk(key, long=False):
    return Policy(asm(key.long if long else key.pub, "CHECKSIG"), lambda sign: [sign(key)])


def pkh(key, long=False):
    pub = key.long if long else key.pub
    return Policy(asm("DUP HASH160", hash160(pub), "EQUALVERIFY CHECKSIG"),
                  lambda sign: [sign(key), pub])


def multi(m, keys):
    return Policy(asm(m, *[k.pub for k in keys], len(keys), "CHECKMULTISIG"),
                  lambda sign: [b""] + [sign(k) for k in keys[:m]])


def either(a, b, first):
    return Policy(asm("IF", a.pub, "ELSE", b.pub, "ENDIF CHECKSIG"),
                  lambda sign: [sign(a if first else b), b"\x01" if first else b""])


def riddle(word):
    return Policy(asm("SHA256", sha256(word), "EQUAL"), lambda sign: [word])


def total(a, b):
    return Policy(asm(a, "ADD", a + b, "NUMEQUAL"), lambda sign: [bytes([b])])


def after(n, key):
    return Policy(asm(n, "CHECKLOCKTIMEVERIFY DROP", key.pub, "CHECKSIG"),
                  lambda sign: [sign(key)], locktime=n)


def older(n, key):
    return Policy(asm(n, "CHECKSEQUENCEVERIFY DROP", key.pub, "CHECKSIG"),
                  lambda sign: [sign(key)], sequence=n)


def separated(key):
    tail = asm(key.pub, "CHECKSIG")
    return Policy(asm("NOP CODESEPARATOR") + tail, lambda sign: [sign(key)], tail, 1)


def pushes(stack):
    return b"".join(push(item) for item in stack)


def bare(kind, policy):
    return Lock(kind, policy.script,
                lambda s: (pushes(policy.stack(s.legacy(policy.code))), []), **policy.needs)


def p2sh(kind, policy):
    return Lock(kind, asm("HASH160", hash160(policy.script), "EQUAL"), lambda s: (
        pushes(policy.stack(s.legacy(policy.code)) + [policy.script]), []), **policy.needs)


def p2wsh(kind, policy):
    return Lock(kind, asm(0, sha256(policy.script)), lambda s: (
        b"", policy.stack(s.segwit(policy.code)) + [policy.script]), **policy.needs)


def p2wpkh(kind, key):
    return Lock(kind, asm(0, hash160(key.pub)),
                lambda s: (b"", [s.segwit(pkh(key).script)(key), key.pub]))


def nested(kind, inner):
    """A witness program within P2SH."""
    return Lock(kind, asm("HASH160", hash160(inner.script), "EQUAL"),
                lambda s: (push(inner.script), inner.unlock(s)[1]), inner.sequence,
                inner.locktime)


def key_path(kind, key, root=b"", annex=b""):
    x, _, secret = tweaked(key, root)
    return Lock(kind, asm(1, x), lambda s: (
        b"", [s.taproot(annex=annex)((secret, x))] + ([annex] if annex else [])))


@functools.lru_cache(None)
def nobodys(root):
    return taproot_output(NUMS, root)


def leaf_path(kind, policy, key=None, siblings=(), annex=b"", version=0xC0):
    """A leaf below `siblings`, the nearest first; `key` None: an inner key nobody knows."""
    leaf = root = tapleaf(policy.script, version)
    for sibling in siblings:
        root = tapbranch(root, sibling)
    x, odd = tweaked(key, root)[:2] if key else nobodys(root)
    control = bytes([version | odd]) + (key.x if key else NUMS) + b"".join(siblings)
    return Lock(kind, asm(1, x), lambda s: (b"", policy.stack(
        s.taproot(leaf, annex, policy.separator)) + [policy.script, control]
        + ([annex] if annex else [])), **policy.needs)


def xpk(key):
    return Policy(asm(key.x, "CHECKSIG"), lambda sign: [sign(key)])


def multi_a(m, keys):
    """BIP 342's way: the last m sign."""
    script = asm(keys[0].x, "CHECKSIG")
    for key in keys[1:]:
        script += asm(key.x, "CHECKSIGADD")
    skipped = len(keys) - m
    return Policy(script + asm(m, "NUMEQUAL"), lambda sign: [
        b"" if j < skipped else sign(k) for j, k in enumerate(keys)][::-1])


def xolder(n, key):
    return Policy(asm(n, "CHECKSEQUENCEVERIFY DROP", key.x, "CHECKSIG"),
                  lambda sign: [sign(key)], sequence=n)


def xafter(n, key):
    return Policy(asm(n, "CHECKLOCKTIMEVERIFY VERIFY", key.x, "CHECKSIG"),
                  lambda sign: [sign(key)], locktime=n)


def xseparated(key):
    return Policy(asm("NOP CODESEPARATOR", key.x, "CHECKSIG"), lambda sign: [sign(key)],
                  separator=1)


def envelope(key, size):
    """Data that no opcode ever sees."""
    script = asm(0, "IF") + push(bytes(520)) * (size // 520) + asm("ENDIF", key.x, "CHECKSIG")
    return Policy(script, lambda sign: [sign(key)])


def anything(*stack):
    return lambda s: (b"", list(stack))


def strange(key):
    """A public key of an unknown type in tapscript: any signature will do."""
    return Policy(asm(b"\x05" + key.x, "CHECKSIG"), lambda sign: [b"signed"])


HEIGHTS = (1, 16, 17, 90)
SIBLINGS = (tagged("TapLeaf", b"a"), tagged("TapLeaf", b"b"), tagged("TapLeaf", b"c"))


def kinds(rng, start):
    """One lock of each kind with keys at random; `start` is a time that has passed."""
    a, b, c = rng.sample(KEYS[:8], 3)
    # Taproot's output keys cost much: few of them.
    t, u, v = KEYS[:3] if rng.random() < 0.5 else KEYS[3:6]
    word = rng.choice((b"", b"word", bytes(520)))
    height, age = rng.choice(HEIGHTS), rng.choice((0, 1, 3, 5))
    past, aged = start - rng.choice((1, 600)), 1 << 22 | rng.choice((0, 1, 2))
    long = rng.random() < 0.3
    true = Policy(b"\x51", lambda sign: [])
    return (
        bare("p2pk", pk(a, long)),
        bare("p2pkh", pkh(a, long)),
        bare("multisig", multi(rng.choice((0, 1, 2)), [a, b, c])),
        bare("riddle", riddle(word)),
        bare("sum", total(3, 4)),
        bare("either", either(a, b, rng.random() < 0.5)),
        bare("cltv height", after(height, a)),
        bare("cltv time", after(past, a)),
        bare("csv height", older(age, a)),
        bare("csv time", older(aged, a)),
        bare("separated", separated(a)),
        bare("true", true),
        Lock("empty", b"", lambda s: (b"\x51", [])),
        Lock("anchor", bytes.fromhex("51024e73"), anything()),
        Lock("future", asm(rng.choice((2, 9, 16)), b"witness"), anything(b"any", b"", word)),
        Lock("future taproot", asm(1, b"x" * 33), anything(b"any")),
        bare("10,000 bytes", Policy(asm(*[bytes(400), "DROP"] * 24, bytes(299), "DROP 1"),
                                    lambda sign: [])),
        p2sh("p2sh p2pkh", pkh(a)),
        p2sh("p2sh multisig", multi(2, [a, b, c])),
        p2sh("p2sh true", true),
        p2sh("p2sh either", either(a, b, rng.random() < 0.5)),
        p2sh("p2sh cltv", after(height, a)),
        p2sh("p2sh csv", older(age, a)),
        p2sh("p2sh separated", separated(a)),
        p2wpkh("p2wpkh", a),
        nested("p2sh-p2wpkh", p2wpkh("", a)),
        p2wsh("p2wsh pk", pk(a)),
        p2wsh("p2wsh multisig", multi(2, [a, b, c])),
        p2wsh("p2wsh either", either(a, b, rng.random() < 0.5)),
        p2wsh("p2wsh cltv", after(past, a)),
        p2wsh("p2wsh csv", older(aged, a)),
        p2wsh("p2wsh separated", separated(a)),
        p2wsh("p2wsh true", true),
        nested("p2sh-p2wsh multisig", p2wsh("", multi(1, [a, b]))),
        nested("p2sh-p2wsh csv", p2wsh("", older(age, a))),
        key_path("p2tr key", t),
        key_path("p2tr key, annex", u, annex=b"\x50annex"),
        key_path("p2tr key, tree", t, SIBLINGS[0]),
        leaf_path("p2tr leaf", xpk(a), t if a in KEYS[:3] else None),
        leaf_path("p2tr leaf, deep", xpk(t), u, SIBLINGS),
        leaf_path("p2tr leaf, annex", xpk(t), u, SIBLINGS[:1], b"\x50"),
        leaf_path("p2tr checksigadd", multi_a(2, [t, u, v]), t),
        leaf_path("p2tr csv", xolder(3, t), u, SIBLINGS[1:]),
        leaf_path("p2tr cltv", xafter(16, t), u),
        leaf_path("p2tr separated", xseparated(u), v),
        leaf_path("p2tr envelope", envelope(t, 520), u),
        leaf_path("p2tr big", envelope(t, 20800), u),
        leaf_path("p2tr either", Policy(
            asm("IF", t.x, "ELSE", u.x, "ENDIF CHECKSIG"), lambda sign: [sign(u), b""]), u),
        leaf_path("p2tr success", Policy(b"\x50junk", lambda sign: [b"any"]), t),
        leaf_path("p2tr leaf version", Policy(b"junk", lambda sign: [b"any"]), t,
                  version=0xC2),
        leaf_path("p2tr strange key", strange(t), u),
    )


# Outputs that nobody can spend.
SUNK = (b"\x6a", b"\x6a\x04data", b"\x6a" + push(bytes(80)), bytes(10001), b"\x00", b"\xff",
        b"\x51\x20" + b"\xff" * 32, b"\x4c")
