"""Multisig spends one after another in one process, which may remember who signed last: every
way of filling in signatures, of keys that stand there twice too, in random order, against what
the rule says of each by itself."""

import itertools
import json
import os
import random
import subprocess
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "judge"))
from bitcoin import Tx, push, sha256  # noqa: E402
from harness import BIN, Table  # noqa: E402
from keys import ALL, KEYS, ecdsa, segwit_hash  # noqa: E402

VALUE = 100000
OK, FALSE, DER = "OK", "EVAL_FALSE", "SIG_DER"


def multisig(m, keys):
    return (bytes([0x50 + m]) + b"".join(push(key.pub) for key in keys) +
            bytes([0x50 + len(keys)]) + b"\xae")


def padded(sig):
    """The same numbers, r with a zero too many: good but for its encoding."""
    return bytes([0x30, sig[1] + 1, 0x02, sig[3] + 1, 0]) + sig[4:]


def expected(signers, keys):
    """CHECKMULTISIG: from the last on, each signature takes the next key that fits. A signature
    that is not strict DER ends the script where it is first met (BIP 66)."""
    left = list(keys)
    signers = list(signers)
    while signers:
        if len(signers) > len(left):
            return FALSE
        if signers[-1] == DER:
            return DER
        if left.pop() is signers[-1]:
            signers.pop()
    return OK


class Spend:
    """A coin of one script, and what signs it; the signatures are made once."""

    def __init__(self, m, keys):
        self.m, self.keys, self.code = m, keys, multisig(m, keys)
        self.script = b"\x00\x20" + sha256(self.code)
        self.tx = Tx()
        self.tx.version = 2
        self.tx.vin = [[bytes([7]) * 32, 0, b"", 0xFFFFFFFF]]
        self.tx.vout = [[VALUE - 1000, b"\x51"]]
        digest = segwit_hash(self.tx, 0, self.code, VALUE, ALL)
        self.sigs = {key: ecdsa(key.secret, digest) + bytes([ALL])
                     for key in set(keys) | {KEYS[-1]}}
        self.sigs[None], self.sigs[DER] = b"", padded(self.sigs[keys[0]])

    def line(self, signers):
        self.tx.witness = [[b""] + [self.sigs[s] for s in signers] + [self.code]]
        return json.dumps({"type": "tx", "hex": self.tx.bytes().hex(), "prevouts": [
            {"scriptpubkey": self.script.hex(), "value": VALUE}]})


def remembered():
    table = Table("multisig, whoever signed before")
    rng = random.Random(1)
    a, b, c, d = KEYS[:4]
    rows = []
    for spend in (Spend(2, [a, b, c]), Spend(2, [a, b, a]), Spend(2, [a, a, b, b]),
                  Spend(1, [a, b, c]), Spend(3, [a, b, c, d]), Spend(3, [a, b, c])):
        # Its own keys, another's, nothing, and what is no signature.
        choices = list(dict.fromkeys(spend.keys)) + [KEYS[-1], None, DER]
        ways = list(itertools.product(choices, repeat=spend.m))
        good = [way for way in ways if expected(way, spend.keys) == OK]
        for way in rng.choices(ways, k=120):
            # Twice the same makes a habit, which the third may break.
            rows += [(spend, rng.choice(good))] * rng.choice((0, 2, 3)) + [(spend, way)]
    text = "".join(spend.line(way) + "\n" for spend, way in rows).encode()
    out = subprocess.run([os.path.join(BIN, "bb-validate"), "--verdict"], input=text,
                         stdout=subprocess.PIPE, check=False).stdout.splitlines()
    for (spend, way), verdict in itertools.zip_longest(rows, out):
        label = "%d of %d, signed by %s" % (spend.m, len(spend.keys), [
            spend.keys.index(s) if s in spend.keys else s and "other" for s in way])
        table.row(label)
        table.equal(verdict and json.loads(verdict)["inputs"], [expected(way, spend.keys)],
                    "inputs")
    table.end()
