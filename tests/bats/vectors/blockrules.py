#!/usr/bin/env python3
"""A valid block of regtest for each rule of blocks, and the same with that one rule broken. The
words expected are those of Bitcoin Core's validation.cpp, consensus/tx_check.cpp and
consensus/tx_verify.cpp; only missing-prevouts and prevout-mismatch are bb's own."""

import hashlib
import json
import os
import struct
import sys
import tempfile

from bitcoin import OPCODES, Tx, compact, push, push_number, sha256, sha256d, var
from harness import Table, judge

HEIGHT = 500  # also a multiple of BIP94's period below
SUBSIDY = 50 * 10**8 >> HEIGHT // 150
COIN, MAX_MONEY = 10**6, 21 * 10**14
LIMIT = 0x207FFFFF
PREV_TIMES = [1700000000 + 600 * i for i in range(11)]
MTP, TIME = PREV_TIMES[5], PREV_TIMES[-1] + 600
FINAL = 0xFFFFFFFF
TRUE, FALSE = b"\x51", b"\x00"
FUTURE = b"\x60\x02bb"  # witness version 16: its witness may be anything
COMMITMENT = b"\x6a\x24\xaa\x21\xa9\xed"
# 2000 signature operations, none executed.
SIGOPS = bytes([0, OPCODES["IF"], *[OPCODES["CHECKMULTISIG"]] * 100, OPCODES["ENDIF"]]) + TRUE
EVAL_FALSE = "Script evaluated without error but finished with a false/empty top stack element"
BIP94 = {"base": "regtest", "bip94": True, "target_spacing": 600, "target_timespan": 6000}


def prevout(script=TRUE, value=COIN, height=100, coinbase=False, mtp=PREV_TIMES[0] - 60000):
    return dict(scriptpubkey=script.hex(), value=value, height=height, coinbase=coinbase,
                mtp=mtp)


class Spend:
    """A transaction and what it spends."""

    made = 0

    def __init__(self, *coins, out=((COIN // 2, TRUE),), scriptsig=b"", witness=(),
                 sequence=FINAL, locktime=0):
        self.tx, self.coins = Tx(), list(coins) or [prevout()]
        self.tx.version, self.tx.locktime = 2, locktime
        for _ in self.coins:
            Spend.made += 1
            outpoint = sha256(b"coin %d" % Spend.made)
            self.tx.vin.append([outpoint, 0, scriptsig, sequence])
            self.tx.witness.append(list(witness))
        self.tx.vout = [list(o) for o in out]

    def of(self, other, claim=None):
        """Spend the first output of another, as `claim` tells it."""
        value, script = other.tx.vout[0]
        self.tx.vin[0][:2] = [other.tx.txid(), 0]
        self.coins[0] = claim or dict(scriptpubkey=script.hex(), value=value)
        return self

    def line(self, **claims):
        return dict(type="tx", hex=self.tx.bytes().hex(), prevouts=self.coins, **claims)


def merkle(hashes):
    while len(hashes) > 1:
        hashes = hashes + hashes[-1:] * (len(hashes) % 2)
        hashes = [sha256d(a + b) for a, b in zip(hashes[::2], hashes[1::2])]
    return hashes[0] if hashes else bytes(32)


def coinbase(value=SUBSIDY, script=push_number(HEIGHT) + b"bb", out=()):
    tx = Tx()
    tx.vin, tx.vout = [[bytes(32), FINAL, script, FINAL]], [[value, TRUE], *map(list, out)]
    tx.witness = [[]]
    return tx


def committed(spends, nonce=bytes(32), wrong=0, solution=b"", cb=None):
    """A coinbase that commits to the witnesses (BIP 141), with signet's solution (BIP 325)."""
    cb = cb or coinbase()
    root = merkle([bytes(32)] + [sha256d(s.tx.bytes()) for s in spends])
    commitment = bytearray(sha256d(root + nonce))
    commitment[0] ^= wrong
    cb.vout.append([0, COMMITMENT + bytes(commitment) + solution])
    cb.witness = [[nonce]]
    return cb


def block(spends=(), cb=None, txs=None, mined=True, root=None, version=0x20000000, time=TIME,
          bits=LIMIT, **claims):
    """A block's line. Claims come over the default ones; None takes one away."""
    if txs is None:
        txs = [cb or coinbase()] + [s.tx for s in spends]
    root = root or merkle([tx.txid() for tx in txs])
    head = struct.pack("<I", version) + sha256(b"before") + root
    head += struct.pack("<II", time, bits)
    target = (LIMIT & 0xFFFFFF) << 8 * ((LIMIT >> 24) - 3)
    nonce = 0
    while mined != (int.from_bytes(sha256d(head + struct.pack("<I", nonce)), "little")
                    <= target - (1 << 236)):
        nonce += 1
    raw = head + struct.pack("<I", nonce) + compact(len(txs))
    raw += b"".join(tx.bytes() for tx in txs)
    line = dict(type="block", hex=raw.hex(), height=HEIGHT, prev_times=PREV_TIMES,
                expected_bits=LIMIT, now=TIME,
                prevouts=[coin for s in spends for coin in s.coins])
    line.update(claims)
    return {key: value for key, value in line.items() if value is not None}


class Cases:
    """The lines, by the options that they are judged with."""

    def __init__(self, table):
        self.table, self.groups = table, {}

    def add(self, label, line, complain, net=None, partial=False):
        key = json.dumps(net) if net else None, partial
        text = json.dumps(line, separators=(",", ":"))
        self.groups.setdefault(key, []).append((self.table.row(label), text, complain))

    def valid(self, label, line, net=None):
        def complain(verdict):
            if verdict["valid"] is not True or verdict.get("unjudged"):
                return "valid expected, got %s, unjudged %s" % (told(verdict),
                                                                verdict.get("unjudged"))
            return None
        self.add(label + ": kept", line, complain, net)

    def broken(self, error, label, line, net=None, partial=False):
        def complain(verdict):
            if verdict["valid"] is not False or verdict.get("error") != error:
                return "%s expected, got %s" % (error, told(verdict))
            return None
        self.add("%s: %s" % (error, label), line, complain, net, partial)

    def unjudged(self, label, line, rules, partial=False):
        def complain(verdict):
            got = sorted(verdict.get("unjudged", []))
            if verdict["valid"] is not True or got != sorted(rules):
                return "unjudged %s expected, got %s, %s" % (sorted(rules), got, told(verdict))
            return None
        self.add("unjudged without " + label, line, complain, partial=partial)

    def judge(self):
        with tempfile.TemporaryDirectory() as folder:
            for number, ((net, partial), cases) in enumerate(self.groups.items()):
                name = "regtest"
                if net:
                    name = os.path.join(folder, "net%d.json" % number)
                    with open(name, "w", encoding="utf-8") as f:
                        f.write(net + "\n")
                judge(self.table, cases, "-n", name, *(["--partial"] if partial else []))


def told(verdict):
    return "%s (%s)" % (verdict.get("error", "valid"), verdict.get("detail"))


def header(c):
    c.valid("an empty block", block())
    c.broken("high-hash", "above the target", block(mined=False))
    c.broken("high-hash", "a target above the limit", block(bits=0x2100FFFF))
    c.broken("high-hash", "a negative target", block(bits=0x20FFFFFF))
    c.broken("high-hash", "no target", block(bits=0))
    c.broken("bad-diffbits", "not the expected bits", block(bits=0x207FFFFE))
    c.valid("bits, as expected", block(bits=0x207FFFFE, expected_bits=0x207FFFFE))
    c.valid("a second after the median", block(time=MTP + 1))
    c.broken("time-too-old", "the median itself", block(time=MTP))
    c.valid("two hours ahead", block(now=TIME - 7200))
    c.broken("time-too-new", "a second more than two hours ahead", block(now=TIME - 7201))
    c.valid("BIP94, 600 s before its parent", block(time=PREV_TIMES[-1] - 600), BIP94)
    c.broken("time-timewarp-attack", "601 s before its parent",
             block(time=PREV_TIMES[-1] - 601), BIP94)
    c.valid("BIP94, within a period", block(
        time=PREV_TIMES[-1] - 601, height=HEIGHT + 1,
        cb=coinbase(script=push_number(HEIGHT + 1) + b"bb")), BIP94)
    c.valid("601 s before its parent, without BIP94", block(time=PREV_TIMES[-1] - 601))
    c.valid("version 4", block(version=4))
    for version in (0, 1, 2, 3, 0x80000000, 0xFFFFFFFF):
        c.broken("bad-version(0x%08x)" % version, "too low, as int32_t", block(version=version))


def body(c):
    spends = [Spend() for _ in range(5)]
    c.valid("six transactions", block(spends))
    c.broken("bad-txnmrklroot", "another root", block(spends, root=sha256(b"root")))
    c.broken("bad-txns-duplicate", "three, the last doubled", block(spends[:2] + spends[1:2]))
    c.broken("bad-txns-duplicate", "six, the last two doubled", block(spends + spends[3:]))
    c.broken("bad-blk-length", "no transaction", block(txs=[]))
    room = 10**6 - 81 - len(coinbase(out=[(0, bytes(0x10000))]).bytes()) + 0x10000
    c.valid("1,000,000 bytes", block(cb=coinbase(out=[(0, bytes(room))])))
    c.broken("bad-blk-length", "1,000,001 bytes",
             block(cb=coinbase(out=[(0, bytes(room + 1))])))
    c.broken("bad-cb-missing", "a spend first", block(spends, txs=[s.tx for s in spends],
                                                       prevouts=spends_of(spends[1:])))
    c.broken("bad-cb-multiple", "two coinbases", block(
        txs=[coinbase(), coinbase(script=push_number(HEIGHT) + b"b2")], prevouts=[None]))
    c.valid("a coinbase script of 100 bytes",
            block(cb=scripted(push_number(HEIGHT) + bytes(97))))
    c.broken("bad-cb-length", "101 bytes", block(cb=scripted(push_number(HEIGHT) + bytes(98))))
    c.broken("bad-cb-length", "1 byte", block(height=5, cb=scripted(push_number(5), 50 * 10**8),
                                               prev_times=PREV_TIMES[:5]))
    c.valid("a coinbase script of 2 bytes, height 16", block(
        height=16, cb=scripted(push_number(16) + TRUE, 50 * 10**8)))
    for label, script in (("another height", push_number(HEIGHT + 1) + b"bb"),
                          ("no push", b"\xf4\x01bb"), ("padded", b"\x03\xf4\x01\x00bb"),
                          ("OP_PUSHDATA1", b"\x4c\x02\xf4\x01bb")):
        c.broken("bad-cb-height", label, block(cb=scripted(script)))
    sigops = bytes([OPCODES["CHECKSIG"]])
    c.valid("20,000 legacy sigops", block(cb=coinbase(out=[(0, sigops * 20000)])))
    c.broken("bad-blk-sigops", "20,001", block(cb=coinbase(out=[(0, sigops * 20001)])))


def spends_of(spends):
    return [coin for s in spends for coin in s.coins]


def scripted(script, value=SUBSIDY):
    return coinbase(value, script)


def transactions(c):
    empty = Spend()
    empty.tx.vin, empty.tx.vout, empty.coins = [], [], []
    twice = Spend(prevout(), prevout())
    twice.tx.vin[1] = twice.tx.vin[0]
    null = Spend(prevout(), prevout())
    null.tx.vin[1][:2] = [bytes(32), FINAL]
    half = MAX_MONEY // 2 + 1
    for error, label, spend in (
            ("bad-txns-vin-empty", "no inputs", empty),
            ("bad-txns-vout-empty", "no outputs", Spend(out=())),
            ("bad-txns-vout-negative", "-1", Spend(out=[(-1, TRUE)])),
            ("bad-txns-vout-toolarge", "21,000,000 and a satoshi",
             Spend(out=[(MAX_MONEY + 1, TRUE)])),
            ("bad-txns-txouttotal-toolarge", "twice half of that",
             Spend(out=[(half, TRUE), (half, TRUE)])),
            ("bad-txns-inputs-duplicate", "an outpoint twice", twice),
            ("bad-txns-prevout-null", "a null outpoint beside another", null)):
        c.broken(error, label, block([spend]))
        if spend is not empty:  # which has no bytes of its own outside a block
            c.broken(error, label + ", loose", spend.line())


def witnesses(c):
    spends = [Spend(prevout(FUTURE), witness=[b"any"])]
    c.valid("a witness committed to", block(spends, committed(spends)))
    c.valid("another nonce", block(spends, committed(spends, b"n" * 32)))
    for nonce in (b"", bytes(31), bytes(33)):
        c.broken("bad-witness-nonce-size", "%d bytes" % len(nonce),
                 block(spends, committed(spends, nonce)))
    for label, stack in (("no witness", []), ("two items", [bytes(32)] * 2)):
        cb = committed(spends)
        cb.witness = [stack]
        c.broken("bad-witness-nonce-size", label, block(spends, cb))
    c.broken("bad-witness-merkle-match", "a bit flipped",
             block(spends, committed(spends, wrong=1)))
    c.broken("bad-witness-merkle-match", "the last of two counts",
             block(spends, committed(spends, wrong=1, cb=committed(spends))))
    c.valid("the last of two commitments",
            block(spends, committed(spends, cb=committed(spends, wrong=1))))
    c.broken("unexpected-witness", "a spend's", block(spends))
    cb = coinbase()
    cb.witness = [[bytes(32)]]
    c.broken("unexpected-witness", "the coinbase's", block(cb=cb))
    for weight in (4000000, 4000001):
        line = weighing(weight)
        if weight <= 4000000:
            c.valid("weight 4,000,000", line)
        else:
            c.broken("bad-blk-weight", "4,000,001", line)


def weighing(weight):
    """A block of that weight, most of it by one output; the rest is witness."""
    item = 0x10000
    for _ in range(2):
        spends = [Spend(prevout(FUTURE), out=[(0, bytes(970000))], witness=[bytes(item)])]
        txs = [committed(spends).bytes(), spends[0].tx.bytes()]
        base = [committed(spends).bytes(False), spends[0].tx.bytes(False)]
        item += weight - (3 * (81 + sum(map(len, base))) + 81 + sum(map(len, txs)))
    return block(spends, committed(spends))


def locks(c):
    def lock(**more):
        return block([Spend(**more)])
    c.valid("locktime, the height before", lock(locktime=HEIGHT - 1, sequence=0xFFFFFFFE))
    c.broken("bad-txns-nonfinal", "its height", lock(locktime=HEIGHT, sequence=0xFFFFFFFE))
    c.valid("locktime of a final input", lock(locktime=HEIGHT))
    c.valid("locktime before the median time", lock(locktime=MTP - 1, sequence=0xFFFFFFFE))
    c.broken("bad-txns-nonfinal", "the median time", lock(locktime=MTP, sequence=0xFFFFFFFE))
    cb = coinbase()
    cb.locktime, cb.vin[0][3] = HEIGHT, 0
    c.broken("bad-txns-nonfinal", "the coinbase", block(cb=cb))

    def aged(sequence, coin, version=2):
        spend = Spend(coin, sequence=sequence)
        spend.tx.version = version
        return spend
    by_height, by_time = prevout(height=HEIGHT - 10), prevout(mtp=MTP - 1024)
    for label, kept, broken in (
            ("BIP 68, height", (10, by_height), (11, by_height)),
            ("BIP 68, time", (1 << 22 | 2, by_time), (1 << 22 | 3, by_time))):
        c.valid(label, block([aged(*kept)]))
        c.broken("bad-txns-nonfinal", label, block([aged(*broken)]))
        c.valid(label + ", version 1", block([aged(*broken, version=1)]))
        c.valid(label + ", disabled", block([aged(broken[0] | 1 << 31, broken[1])]))
        at = dict(at_height=HEIGHT, at_mtp=MTP)
        c.valid(label + ", loose", aged(*kept).line(**at))
        c.broken("non-BIP68-final", label, aged(*broken).line(**at))
    parent = Spend()
    young = Spend(sequence=1).of(parent)
    c.broken("bad-txns-nonfinal", "BIP 68, a coin of the same block", block([parent, young]))


def spending(c):
    parent = Spend()
    child = Spend(out=[(COIN // 4, TRUE)]).of(parent)
    c.valid("an output of the same block", block([parent, child]))
    c.broken("bad-txns-inputs-missingorspent", "of a later transaction", block([child, parent]))
    again = Spend(out=[(COIN // 8, TRUE)]).of(parent)
    c.broken("bad-txns-inputs-missingorspent", "spent twice, made here",
             block([parent, child, again]))
    other = Spend(out=[(COIN // 8, TRUE)])
    other.tx.vin[0] = list(parent.tx.vin[0])
    c.broken("bad-txns-inputs-missingorspent", "spent twice, made before",
             block([parent, other]))
    absent = Spend(out=[(COIN // 8, TRUE)]).of(parent)
    absent.tx.vin[0][1] = 1
    c.broken("bad-txns-inputs-missingorspent", "an output it has not", block([parent, absent]))
    for label, script in (("OP_RETURN", b"\x6a"), ("over 10,000 bytes", b"\x61" * 10001)):
        burnt = Spend(out=[(COIN // 2, script)])
        c.broken("bad-txns-inputs-missingorspent", "made here, and never a coin: " + label,
                 block([burnt, Spend(out=[(COIN // 4, TRUE)]).of(burnt)]))
    for label, claim in (("value", prevout(value=COIN)),
                         ("script", prevout(b"\x52", COIN // 2))):
        lied = Spend(out=[(COIN // 4, TRUE)]).of(parent, claim)
        c.broken("prevout-mismatch", label, block([parent, lied]))
    young = "bad-txns-premature-spend-of-coinbase"
    for depth in (100, 99, 1):
        spend = Spend(prevout(height=HEIGHT - depth, coinbase=True))
        for label, line in (("in a block", block([spend])),
                            ("loose", spend.line(at_height=HEIGHT))):
            label = "a coinbase %d deep, %s" % (depth, label)
            if depth < 100:
                c.broken(young, label, line)
            else:
                c.valid(label, line)
    made = Spend()
    made.tx = coinbase()
    c.broken(young, "the block's own", block([Spend().of(made)], made.tx))


def sums(c):
    half = MAX_MONEY // 2 + 1
    rich = Spend(prevout(value=half), prevout(value=half))
    poor = Spend(out=[(COIN + 1, TRUE)])
    for error, label, spend in (("bad-txns-inputvalues-outofrange", "twice half of it", rich),
                                ("bad-txns-in-belowout", "a satoshi short", poor)):
        c.broken(error, label, block([spend]))
        c.broken(error, label + ", loose", spend.line())
    c.valid("no fee", block([Spend(out=[(COIN, TRUE)])]))
    fees = [Spend(prevout(value=MAX_MONEY // 2 + COIN)) for _ in range(2)]
    c.broken("bad-txns-accumulated-fee-outofrange", "twice half of it", block(fees))
    c.broken("bad-cb-amount", "a satoshi more", block(cb=coinbase(SUBSIDY + 1)))
    fee = Spend(out=[(COIN - 7, TRUE)])
    c.valid("the subsidy and a fee", block([fee], coinbase(SUBSIDY + 7)))
    c.broken("bad-cb-amount", "a satoshi more than the fee",
             block([fee], coinbase(SUBSIDY + 8)))
    for height, value in ((149, 50 * 10**8), (150, 25 * 10**8)):
        at = dict(height=height)
        c.valid("subsidy at %d" % height, block(
            cb=coinbase(value, push_number(height) + b"bb"), **at))
        c.broken("bad-cb-amount", "at %d" % height, block(
            cb=coinbase(value + 1, push_number(height) + b"bb"), **at))


def scripts(c):
    failed = "script-verify-flag-failed (%s)" % EVAL_FALSE
    bad = Spend(prevout(FALSE))
    c.broken("block-" + failed, "OP_0", block([bad]))
    c.broken("block-" + failed, "the second input",
             block([Spend(), Spend(prevout(), prevout(FALSE))]))
    c.broken("mempool-" + failed, "OP_0, loose", bad.line())
    c.broken("block-script-verify-flag-failed (OP_RETURN was encountered)", "OP_RETURN",
             block([Spend(prevout(b"\x6a"))]))
    p2sh = b"\xa9\x14" + hash160(SIGOPS) + b"\x87"
    p2wsh = FALSE + push(sha256(SIGOPS))
    one = FALSE + bytes([OPCODES["IF"], OPCODES["CHECKSIG"], OPCODES["ENDIF"]]) + TRUE
    more = Spend(prevout(FALSE + push(sha256(one))), witness=[one])
    for label, full in (
            ("P2SH", Spend(*[prevout(p2sh)] * 10, scriptsig=push(SIGOPS))),
            ("P2WSH", Spend(*[prevout(p2wsh)] * 40, witness=[SIGOPS]))):
        spends = [full, more]
        c.valid("%s sigops, cost 80,000" % label, block([full], committed([full])))
        c.broken("bad-blk-sigops", "%s, cost 80,001" % label, block(spends, committed(spends)))
        full = Spend(*full.coins * 2)
        full.tx.vin = [[i[0], 0, push(SIGOPS) if label == "P2SH" else b"", i[3]]
                       for i in full.tx.vin]
        full.tx.witness = [[SIGOPS] if label == "P2WSH" else [] for _ in full.tx.vin]
        c.broken("bad-txns-too-many-sigops", "%s, loose" % label, full.line())


def hash160(data):
    return hashlib.new("ripemd160", sha256(data)).digest()


def signet(c):
    secret = b"a word"
    riddle = bytes([OPCODES["SHA256"]]) + push(sha256(secret)) + bytes([OPCODES["EQUAL"]])

    def net(challenge):
        return {"base": "regtest", "signet_challenge": challenge.hex()}

    def solved(solution):
        return block(cb=committed([], solution=push(b"\xec\xc7\xda\xa2" + solution)))
    none = block(cb=committed([]))
    c.valid("signet, OP_TRUE", none, net(TRUE))
    c.broken("bad-signet-blksig", "OP_TRUE, but no commitment", block(), net(TRUE))
    c.broken("bad-signet-blksig", "OP_0", none, net(FALSE))
    c.valid("signet, solved", solved(var(push(secret)) + b"\x00"), net(riddle))
    c.broken("bad-signet-blksig", "unsolved", none, net(riddle))
    c.broken("bad-signet-blksig", "a wrong solution", solved(var(push(b"word")) + b"\x00"),
             net(riddle))
    c.broken("bad-signet-blksig", "bytes behind the solution",
             solved(var(push(secret)) + b"\x00\x00"), net(riddle))
    c.broken("bad-signet-blksig", "a short solution", solved(var(push(secret))), net(riddle))


def loose(c):
    at = dict(at_height=HEIGHT, at_mtp=MTP)
    c.valid("a loose transaction", Spend().line(**at))
    for label, kept, broken in (("height", HEIGHT - 1, HEIGHT), ("time", MTP - 1, MTP)):
        c.valid("locktime by %s, loose" % label, Spend(locktime=kept, sequence=0).line(
            at_height=HEIGHT, at_mtp=MTP))
        c.broken("non-final", "by " + label, Spend(locktime=broken, sequence=0).line(**at))
    made = Spend()
    made.tx, made.coins = coinbase(), [None]
    c.broken("coinbase", "loose", made.line())
    short = Spend(prevout(), prevout())
    short.coins[1] = None
    c.broken("missing-prevouts", "one of two, loose", short.line(**at))
    c.broken("missing-prevouts", "one of two, in a block", block([short]))
    c.broken("bad-txns-oversize", "1,000,000 bytes of script",
             Spend(out=[(0, bytes(10**6))]).line(**at))
    c.broken("tx-size", "over 4,000,000 by its witness", Spend(
        prevout(FUTURE), out=[(0, bytes(990000))], witness=[bytes(50000)]).line(**at))


def claims(c):
    """Each rule that lacks its claim is named, and no other."""
    young, later = "bad-txns-premature-spend-of-coinbase", "non-BIP68-final"

    def spend(*lacking, by_time=True):
        """Locked both ways by time or by height; its first coin is a coinbase."""
        coins = [prevout(coinbase=True), prevout()]
        for key in lacking:
            del coins[0][key]
        return Spend(*coins, sequence=1 << 22 | 1 if by_time else 10,
                     locktime=(MTP if by_time else HEIGHT) - 1)
    for by_time in (True, False):
        how = ", by %s" % ("time" if by_time else "height")
        own = spend(by_time=by_time)
        at = dict(at_height=HEIGHT, at_mtp=MTP)
        c.valid("every claim" + how, block([own]))
        c.valid("every claim, loose" + how, own.line(**at))
        # Without its height nobody knows which clock a block's locktimes go by (BIP 113).
        for key, rules in (
                ("height", ["bad-cb-height", "bad-cb-amount", "non-final", young]
                 + [later] * (not by_time)),
                ("prev_times", ["time-too-old"] + ["non-final", later] * by_time)):
            c.unjudged(key + how, block([own], **{key: None}), rules)
        for key, rules in (("height", [young] + [later] * (not by_time)),
                           ("mtp", [later] * by_time)):
            lacking = spend(key, by_time=by_time)
            c.unjudged("a prevout's " + key + how, block([lacking]), rules)
            c.unjudged("a prevout's %s, loose" % key + how, lacking.line(**at), rules)
        for key, rules in (("at_height", [young] + ["non-final", later] * (not by_time)),
                           ("at_mtp", ["non-final", later] * by_time)):
            c.unjudged(key + how, own.line(**{k: v for k, v in at.items() if k != key}), rules)
    for key, rule in (("expected_bits", "bad-diffbits"), ("now", "time-too-new")):
        c.unjudged(key, block(**{key: None}), [rule])
    shallow = Spend(prevout(height=HEIGHT - 1))
    del shallow.coins[0]["coinbase"]
    c.unjudged("a prevout's coinbase", block([shallow]), [young])
    shallow.coins[0]["height"] = 100
    c.valid("a coin too old for that", block([shallow]))
    short = Spend(prevout(), prevout())
    short.coins[1] = None
    rules = ["missing-prevouts", young]
    c.unjudged("a prevout", block([short]), ["bad-cb-amount"] + rules, partial=True)
    c.unjudged("a prevout, loose", short.line(at_height=HEIGHT, at_mtp=MTP), rules,
               partial=True)
    short = Spend(prevout(), prevout(), sequence=10)
    short.coins[1] = None
    rules = rules + [later]
    c.unjudged("a locked prevout", block([short]), ["bad-cb-amount"] + rules, partial=True)
    c.unjudged("a locked prevout, loose", short.line(at_height=HEIGHT, at_mtp=MTP), rules,
               partial=True)
    twice = Spend(out=[(COIN // 8, TRUE)])
    twice.tx.vin[0] = list(short.tx.vin[0])
    c.broken("bad-txns-inputs-missingorspent", "spent twice, one prevout missing",
             block([short, twice]), partial=True)
    c.unjudged("ten of the times", block(prev_times=PREV_TIMES[1:]), ["time-too-old"])


def block_rules():
    table = Table("block rules")
    cases = Cases(table)
    for part in (header, body, transactions, witnesses, locks, spending, sums, scripts, signet,
                 loose, claims):
        part(cases)
    cases.judge()
    table.end()


if __name__ == "__main__":
    block_rules()
    sys.exit(1 if Table.failed else 0)
