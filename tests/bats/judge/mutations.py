"""Faulty blocks: a valid draft, and one rule broken. The words expected are those of Bitcoin
Core 31, from its validation.cpp, consensus/tx_check.cpp, consensus/tx_verify.cpp and
script/script_error.cpp; None stands for the valid twin of a rule's edge.

Not here, because no chain has coins enough: bad-txns-inputvalues-outofrange and
bad-txns-accumulated-fee-outofrange (blockrules.py has them)."""

import copy

from bitcoin import NUMS, Tx, push, push_number, sha256, tagged
from blockrules import COMMITMENT, SIGOPS, hash160, merkle
from build import FINAL
from keys import ALL, KEYS
from scripts import (OP, Lock, Policy, Spend, after, asm, bare, key_path, leaf_path, multi,
                     nested, older, p2sh, p2wpkh, p2wsh, pk, pkh, xpk)

TRUE = b"\x51"
PLAIN = asm(b"plain", "DROP 1")
MAX_MONEY = 21 * 10**14
PLAIN_VALUE, TRAP_VALUE = 10**6, 10**5
LOW, HIGH = 0xFFFFFFFE, 1 << 31
# Keys and scripts that build.py's transactions do not use.
A, B, C, D = KEYS[-4:]
VERY_TRUE = b"\x51\x61"
ONE_SIGOP = asm(0, "IF CHECKSIG ENDIF 1")
MANY = {"p2sh": p2sh("", Policy(SIGOPS, lambda sign: [])),
        "p2wsh": p2wsh("", Policy(SIGOPS, lambda sign: []))}
ONE = p2wsh("", Policy(ONE_SIGOP, lambda sign: []))


class Reserve:
    """Coins kept for faulty blocks: plain ones, which anybody can spend, and one of every
    trap."""

    def __init__(self):
        self.coins = {}  # script: outpoints

    def scripts(self):
        out = [(PLAIN_VALUE, PLAIN)] * 120
        out += [(TRAP_VALUE, trap.script) for trap in TRAPS.values()]
        out += [(TRAP_VALUE, b"")] * 9  # which build.py's transactions spend too
        out += [(TRAP_VALUE, TRAPS["p2wsh, a true script"].script)] * 20
        out += [(TRAP_VALUE, TRAPS["future, any witness"].script)] * 3
        out += [(TRAP_VALUE, MANY["p2sh"].script)] * 20 + [(TRAP_VALUE, ONE.script)]
        return out + [(TRAP_VALUE, MANY["p2wsh"].script)] * 80

    def note(self, tx):
        txid = tx.txid()
        for i, (_, script) in enumerate(tx.vout):
            self.coins.setdefault(script, []).append((txid, i))


class Case:
    """A draft with the means to break it."""

    def __init__(self, builder, reserve, draft):
        self.builder, self.reserve, self.draft = builder, reserve, draft
        self.rng, self.view = builder.rng, builder.view
        self.height, self.mtp, self.used = draft.height, draft.mtp, set()

    def coin(self, script=PLAIN):
        for key in self.reserve.coins[script]:
            if key not in self.used and key in self.view.coins:
                self.used.add(key)
                return self.view.coins[key]
        raise LookupError("the reserve has run out")

    def alone(self):
        """Nothing else in the block, so that its size and sigops are known."""
        self.draft.txs, self.draft.fees, self.draft.pay = [], 0, [(None, TRUE)]
        self.draft.commit = None
        return self.draft

    def make(self, coins=None, out=None, scriptsig=b"", witness=(), sequence=FINAL, version=2,
             locktime=0):
        """A transaction of plain coins, signed by nobody."""
        coins = [self.coin()] if coins is None else coins
        tx = Tx()
        tx.version, tx.locktime = version, locktime
        tx.vin = [[c.txid, c.vout, scriptsig, sequence] for c in coins]
        tx.vout = [[sum(c.value for c in coins), TRUE]] if out is None else out
        tx.witness = [list(witness) for _ in coins]
        return tx

    def spend(self, *args, **more):
        return self.draft.add(self.make(*args, **more))

    def of(self, tx, vout=0, **more):
        """Spend an output of another transaction."""
        child = self.make([], [[tx.vout[0][0], TRUE]], **more)
        child.vin, child.witness = [[tx.txid(), vout, b"", more.get("sequence", FINAL)]], [[]]
        return self.draft.add(child)


class Rule:
    """`change` breaks a case; `repair`, where it can, gives the same header its right body.
    `mixes`: it may be one of several in a block."""

    def __init__(self, reason, label, change, repair=None, mixes=True):
        self.reason, self.label, self.change = reason, label, change
        self.repair, self.mixes = repair, mixes


def put(**values):
    def change(c):
        for name, value in values.items():
            setattr(c.draft, name, value)
    return change


def header_rules(now):
    yield Rule("high-hash", "above the target", put(mined=False))
    for label, bits in (("too easy a", 0x2100FFFF), ("a negative", 0x20FFFFFF), ("no", 0)):
        yield Rule("high-hash", label + " target", put(bits=bits))
    yield Rule("bad-diffbits", "a harder target", put(bits=0x207FFFFE))
    yield Rule("bad-diffbits", "much harder", put(bits=0x201FFFFF))
    for reason, label, seconds in ((None, "a second after the median", 1),
                                   ("time-too-old", "the median itself", 0),
                                   ("time-too-old", "a second before it", -1)):
        yield Rule(reason, label, lambda c, s=seconds: setattr(c.draft, "time", c.mtp + s))
    yield Rule(None, "two hours ahead", put(time=now + 7200), mixes=False)
    yield Rule("time-too-new", "two hours and a second ahead", put(time=now + 7201))
    yield Rule("time-too-new", "in 2106", put(time=0xFFFFFFFF))
    yield Rule(None, "version 0x00000004", put(version=4))
    for version in (0, 1, 2, 3, 0x80000000, 0xFFFFFFFF):
        yield Rule("bad-version(0x%08x)" % version, "version 0x%08x" % version,
                   put(version=version), mixes=version < HIGH)


def at_height(offset, tail=b"bb"):
    def change(c):
        c.draft.coinbase.vin[0][2] = push_number(c.height + offset) + tail
    return change


def coinbase_script(make):
    def change(c):
        c.draft.coinbase.vin[0][2] = make(push_number(c.height))
    return change


def doubled(count, last):
    """So many transactions, of which the last ones come twice: the Merkle root is the same
    (CVE-2012-2459)."""
    def change(c):
        c.alone()
        for _ in range(count - 1):
            c.spend()
        c.draft.late.append(lambda txs: txs + txs[-last:])
    return change


def plain_again(c):
    c.draft.late.clear()


def another_body(c):
    """The header is of a body that has one transaction more."""
    c.spend()
    c.draft.late.append(lambda txs: txs[:-1])
    good = c.draft
    good.finish_coinbase()
    good.root = merkle([tx.txid() for tx in [good.coinbase] + good.txs])


def second_coinbase(c):
    tx = Tx()
    tx.vin, tx.vout = [[bytes(32), FINAL, push_number(c.height) + b"2nd", FINAL]], [[0, TRUE]]
    tx.witness = [[]]
    c.draft.add(tx)


def sized(size):
    """A block of that size without witnesses."""
    def change(c):
        draft = c.alone()
        draft.pay = [(None, TRUE), (0, bytes(0x10000))]
        rest = len(draft.block().raw) - 0x10000
        draft.pay[1] = 0, bytes(size - rest)
    return change


def body_rules():
    yield Rule("bad-txnmrklroot", "another root", put(root=sha256(b"root")))
    yield Rule("bad-txnmrklroot", "a transaction left out", another_body, plain_again, False)
    for count, last in ((3, 1), (6, 2), (5, 1), (7, 1), (12, 4)):
        yield Rule("bad-txns-duplicate", "%d, the last %d twice" % (count, last),
                   doubled(count, last), plain_again, False)

    def alike(c):
        c.alone()
        c.spend()
        tx = c.spend()
        c.draft.late.append(lambda txs: txs + [tx])
    yield Rule("bad-txns-duplicate", "two alike side by side", alike, mixes=False)
    yield Rule("bad-blk-length", "no transaction",
               lambda c: c.draft.late.append(lambda txs: []), mixes=False)
    yield Rule(None, "1,000,000 bytes", sized(10**6), mixes=False)
    yield Rule("bad-blk-length", "1,000,001 bytes", sized(10**6 + 1), mixes=False)

    def no_coinbase(c):
        c.spend()
        c.draft.with_coinbase = False
    yield Rule("bad-cb-missing", "a spend first", no_coinbase)
    yield Rule("bad-cb-multiple", "two", second_coinbase)
    yield Rule(None, "a coinbase script of 100 bytes",
               coinbase_script(lambda h: h + bytes(100 - len(h))))
    yield Rule("bad-cb-length", "101 bytes", coinbase_script(lambda h: h + bytes(101 - len(h))))
    yield Rule("bad-cb-length", "1 byte", coinbase_script(lambda h: b"\x51"))
    yield Rule("bad-cb-length", "none", coinbase_script(lambda h: b""))
    yield Rule("bad-cb-height", "the next height", at_height(1))
    yield Rule("bad-cb-height", "the height before", at_height(-1))
    yield Rule("bad-cb-height", "no push", coinbase_script(lambda h: h[1:] + b"bb"))
    yield Rule("bad-cb-height", "padded", coinbase_script(
        lambda h: push(h[1:] + b"\x00") + b"bb"))
    yield Rule("bad-cb-height", "OP_PUSHDATA1", coinbase_script(
        lambda h: b"\x4c" + h + b"bb"))
    yield Rule("bad-cb-height", "behind a byte", coinbase_script(lambda h: b"\x00" + h))
    yield Rule(None, "nothing behind the height", coinbase_script(lambda h: h))

    def sigops(count):
        return lambda c: setattr(c.alone(), "pay", [(None, OP["CHECKSIG"] * count)])
    yield Rule(None, "20,000 legacy sigops", sigops(20000), mixes=False)
    yield Rule("bad-blk-sigops", "20,001", sigops(20001))
    yield Rule("bad-blk-sigops", "20,020, by OP_CHECKMULTISIG", lambda c: setattr(
        c.alone(), "pay", [(None, OP["CHECKMULTISIG"] * 1001)]))


def transaction_rules():
    half = MAX_MONEY // 2 + 1

    def empty(c):
        c.draft.add(Tx())
    yield Rule("bad-txns-vin-empty", "no inputs", empty)
    yield Rule("bad-txns-vout-empty", "no outputs", lambda c: c.spend(out=[]))
    yield Rule("bad-txns-vout-negative", "-1", lambda c: c.spend(out=[[-1, TRUE]]))
    yield Rule("bad-txns-vout-toolarge", "21,000,000 and a satoshi",
               lambda c: c.spend(out=[[MAX_MONEY + 1, TRUE]]))
    yield Rule("bad-txns-txouttotal-toolarge", "twice half of that",
               lambda c: c.spend(out=[[half, TRUE]] * 2))
    yield Rule("bad-txns-vout-negative", "the coinbase's",
               lambda c: c.draft.pay.append((-1, TRUE)))

    def twice(c):
        tx = c.spend()
        tx.vin, tx.witness = tx.vin * 2, [[], []]
    yield Rule("bad-txns-inputs-duplicate", "an outpoint twice", twice)

    def null(c):
        tx = c.spend()
        tx.vin.append([bytes(32), FINAL, b"", FINAL])
        tx.witness.append([])
    yield Rule("bad-txns-prevout-null", "beside another", null)


def witnessed(c):
    """Something to commit to."""
    lock = TRAPS["p2wsh, a true script"]
    return c.spend([c.coin(lock.script)], witness=lock.unlock(Spend(None, 0, (), None))[1])


def nonce(*stack):
    def change(c):
        witnessed(c)
        c.draft.nonce = list(stack)
        if not stack:
            c.draft.wrong = 1  # or the node's submitblock would add the missing nonce itself
    return change


def right_nonce(c):
    c.draft.nonce, c.draft.wrong = [bytes(32)], 0


def witness_rules():
    for label, stack in (("no byte", [b""]), ("31 bytes", [bytes(31)]),
                         ("33 bytes", [bytes(33)]), ("two items", [bytes(32)] * 2),
                         ("no witness", [])):
        # The commitment is of another nonce then, and so the header is another one.
        yield Rule("bad-witness-nonce-size", label, nonce(*stack), mixes=bool(stack))

    def nonce_lost(c):
        witnessed(c)
        c.draft.commit, c.draft.nonce = True, [bytes(32)]
        c.draft.late.append(lambda txs: [with_witness(txs[0], [b""])] + txs[1:])
    yield Rule("bad-witness-nonce-size", "of a good block", nonce_lost, plain_again, False)

    def wrong(c):
        witnessed(c)
        c.draft.wrong = 1
    yield Rule("bad-witness-merkle-match", "a bit flipped", wrong)

    def tampered(c):
        witnessed(c)
        c.draft.late.append(lambda txs: txs[:-1] + [with_witness(txs[-1], [b"other", VERY_TRUE])])
    yield Rule("bad-witness-merkle-match", "another witness", tampered, plain_again, False)

    def stripped(c):
        witnessed(c)
        c.draft.late.append(lambda txs: txs[:-1] + [with_witness(txs[-1], [])])
    yield Rule("bad-witness-merkle-match", "a witness taken away", stripped, plain_again, False)

    def last_wrong(c):
        witnessed(c)
        c.draft.late.append(last_commitment_wrong)
    yield Rule("bad-witness-merkle-match", "the last of two counts", last_wrong, mixes=False)

    def first_wrong(c):
        witnessed(c)
        c.draft.commitments = [(0, COMMITMENT + bytes(32))]
    yield Rule(None, "the first of two does not", first_wrong)
    yield Rule(None, "a commitment with bytes behind it", trailing_commitment, mixes=False)

    def uncommitted(c):
        witnessed(c)
        c.draft.commit = False
    yield Rule("unexpected-witness", "a spend's", uncommitted)

    def surprise(c):
        c.alone().late.append(lambda txs: [with_witness(txs[0], [bytes(32)])])
    yield Rule("unexpected-witness", "the coinbase's", surprise, plain_again, False)

    def added(c):
        c.alone()
        c.spend()
        c.draft.late.append(lambda txs: txs[:-1] + [with_witness(txs[-1], [b"x"])])
    yield Rule("unexpected-witness", "put into a good block", added, plain_again, False)
    yield Rule(None, "weight 4,000,000", weighing(4000000), mixes=False)
    yield Rule("bad-blk-weight", "4,000,001", weighing(4000001), mixes=False)


def with_witness(tx, stack):
    other = Tx()
    other.version, other.vin, other.vout = tx.version, tx.vin, tx.vout
    other.locktime, other.witness = tx.locktime, [stack] + tx.witness[1:]
    return other


def last_commitment_wrong(txs):
    cb = with_witness(txs[0], txs[0].witness[0])
    cb.vout = cb.vout + [[0, COMMITMENT + bytes(32)]]
    return [cb] + txs[1:]


def trailing_commitment(c):
    """BIP 141: 38 bytes or more."""
    witnessed(c)

    def longer(txs):
        cb = with_witness(txs[0], txs[0].witness[0])
        cb.vout = cb.vout[:-1] + [[0, cb.vout[-1][1] + b"and more"]]
        return [cb] + txs[1:]
    c.draft.late.append(longer)


def weighing(weight):
    """Most of it by one output; the rest is witness."""
    def change(c):
        draft = c.alone()
        lock = TRAPS["future, any witness"]
        tx = c.spend([c.coin(lock.script)], out=[[0, b"\x6a" + bytes(970000)]])
        item = 0x10000
        for _ in range(2):
            tx.witness = [[bytes(item)]]
            raw = draft.block().raw
            base = 81 + sum(len(t.bytes(False)) for t in draft.all())
            item += weight - 3 * base - len(raw)
        tx.witness = [[bytes(item)]]
    return change


def lock_rules():
    nonfinal = "bad-txns-nonfinal"

    def lock(**more):
        return lambda c: c.spend(**{k: v(c) if callable(v) else v for k, v in more.items()})
    for reason, off in ((None, 1), (nonfinal, 0), (nonfinal, -1)):
        yield Rule(reason, "a locktime %d below the height" % off,
                   lock(locktime=lambda c, o=off: c.height - o, sequence=LOW))
        yield Rule(reason, "a locktime %d below the median time" % off,
                   lock(locktime=lambda c, o=off: c.mtp - o, sequence=LOW))
    yield Rule(None, "a locktime of final inputs", lock(locktime=lambda c: c.height))
    yield Rule(nonfinal, "BIP 113, above the median, below the block's time",
               lock(locktime=lambda c: c.draft.time - 1, sequence=LOW))

    def coinbase(c):
        c.draft.coinbase.locktime, c.draft.coinbase.vin[0][3] = c.height, 0
    yield Rule(nonfinal, "the coinbase", coinbase)

    def aged(more, by_time, flag=0, version=2):
        def change(c):
            coin = c.coin()
            n = (c.mtp - coin.mtp) // 512 if by_time else c.height - coin.height
            c.spend([coin], sequence=flag | by_time << 22 | min(n + more, 0xFFFF),
                    version=version)
        return change
    for by_time in (False, True):
        how = "BIP 68, by " + ("time" if by_time else "height")
        yield Rule(None, how + ", just old enough", aged(0, by_time))
        yield Rule(nonfinal, how + ", too young", aged(1, by_time))
        yield Rule(None, how + ", version 1", aged(1, by_time, version=1))
        yield Rule(None, how + ", disabled", aged(1, by_time, HIGH))
        yield Rule(nonfinal, how + ", version -1", aged(1, by_time, version=0xFFFFFFFF))
    yield Rule(nonfinal, "BIP 68, a coin of the same block",
               lambda c: c.of(c.spend(), sequence=1))
    yield Rule(None, "BIP 68, none of the same block", lambda c: c.of(c.spend(), sequence=0))


def spending_rules():
    lost = "bad-txns-inputs-missingorspent"
    yield Rule(None, "an output of the same block", lambda c: c.of(c.spend()))

    def backwards(c):
        child, parent = c.of(c.spend()), c.draft.txs[-2]
        c.draft.txs[-2:] = [child, parent]
    yield Rule(lost, "of a later transaction", backwards)
    yield Rule(lost, "that never was", lambda c: c.of(c.make()))
    yield Rule(lost, "an output it has not", lambda c: c.of(c.spend(), 1))

    def again(c):
        coin = c.coin()
        c.spend([coin])
        c.spend([coin], out=[[1, TRUE]])
    yield Rule(lost, "spent twice", again)

    def made_here(c):
        parent = c.spend()
        c.of(parent)
        c.of(parent, version=1)
    yield Rule(lost, "spent twice, made here", made_here)

    def spent_before(c):
        at = c.draft.parent
        while not at.undo:
            at = at.parent
        coin = c.rng.choice(at.undo)
        c.spend([coin], out=[[coin.value, b"\x52"]])
    yield Rule(lost, "spent in a block before", spent_before)

    def repeated(c):
        """Its txid has unspent outputs: BIP 30, before anybody looks at its inputs."""
        at = c.draft.parent
        while len(at.txs) < 2 or not any((at.txs[1].txid(), i) in c.view.coins
                                         for i in range(len(at.txs[1].vout))):
            at = at.parent
        c.draft.add(at.txs[1])
    yield Rule("bad-txns-BIP30", "a transaction again", repeated)
    yield Rule(lost, "an OP_RETURN output", lambda c: c.of(c.spend(
        out=[[0, b"\x6a"]]), 0))
    yield Rule(lost, "an output over 10,000 bytes", lambda c: c.of(c.spend(
        out=[[0, TRUE * 10001]]), 0))

    def genesis(c):
        txid = bytes.fromhex("4a5e1e4baab89f3a32518a88c31bc87f"
                             "618f76673e2cc77ab2127b7afdeda33b")[::-1]
        tx = c.spend()
        tx.vin[0][:2] = [txid, 0]
    yield Rule(lost, "the genesis block's", genesis)
    young = "bad-txns-premature-spend-of-coinbase"

    def coinbase(depth):
        def change(c):
            tx = c.draft.parent.ancestor(c.height - depth).txs[0]
            c.of(tx)
        return change
    for depth in (1, 50, 99):
        yield Rule(young, "%d deep" % depth, coinbase(depth))

    def own(c):
        c.alone().commit = False
        c.draft.late.append(lambda txs: txs + [of_coinbase(c, txs[0])])
    yield Rule(young, "the block's own", own, mixes=False)
    yield Rule("bad-txns-in-belowout", "a satoshi short",
               lambda c: c.spend(out=[[PLAIN_VALUE + 1, TRUE]]))
    yield Rule("bad-txns-in-belowout", "two outputs",
               lambda c: c.spend(out=[[PLAIN_VALUE, TRUE], [1, TRUE]]))
    yield Rule("bad-cb-amount", "a satoshi more", put(extra=1))
    yield Rule("bad-cb-amount", "twice as much", lambda c: setattr(
        c.draft, "pay", [(None, TRUE)] * 2))
    yield Rule(None, "a satoshi less", put(extra=-1))

    def greedy(c):
        c.spend(out=[[PLAIN_VALUE - 7, TRUE]])
        c.draft.extra = 8
    yield Rule("bad-cb-amount", "a satoshi more than the fee", greedy)


def of_coinbase(c, cb):
    tx = c.make([], [[0, TRUE]])
    tx.vin, tx.witness = [[cb.txid(), 0, b"", FINAL]], [[]]
    return tx


def sigop_cost(kind, more):
    def change(c):
        c.alone()
        lock = MANY[kind]
        count = 10 if kind == "p2sh" else 40
        coins = [c.coin(lock.script) for _ in range(count)]
        scriptsig, witness = lock.unlock(Spend(None, 0, coins, c.rng))
        c.spend(coins, scriptsig=scriptsig, witness=witness)
        if more:
            c.spend([c.coin(ONE.script)], witness=[ONE_SIGOP])
    return change


def sigop_rules():
    for kind in MANY:
        yield Rule(None, kind + " sigops, cost 80,000", sigop_cost(kind, False), mixes=False)
        yield Rule("bad-blk-sigops", kind + ", cost 80,001", sigop_cost(kind, True))


# Scripts that fail, by what is said of them.
FALSE_TOP = "Script evaluated without error but finished with a false/empty top stack element"
OVERFLOW = "Script number overflowed or is non-minimally encoded"
UNCLEAN = "Stack size must be exactly one after execution"
ERRORS = {}  # label of a trap: the text, or None
TRAPS = {}


def trap(text, label, lock, **more):
    lock.more = more
    TRAPS[label], ERRORS[label] = lock, text


def fixed(text, label, script, scriptsig=b"", witness=(), **more):
    trap(text, label, Lock(label, script, lambda s: (scriptsig, list(witness))), **more)


def wrapped(text, label, script, *stack, **more):
    """The same script bare, in P2SH, and in P2WSH."""
    policy = Policy(script, lambda sign: list(stack))
    for kind, wrap in (("bare", bare), ("p2sh", p2sh), ("p2wsh", p2wsh)):
        if kind == "p2sh" and len(script) > 520:
            continue
        trap(text, "%s, %s" % (kind, label), wrap(label, policy), **more)


def spoiled(text, label, lock, spoil, **more):
    """A lock opened in the right way but for one thing."""
    trap(text, label, Lock(label, lock.script, lambda s: spoil(*lock.unlock(s))), **more)


def item(i, change):
    """Change one item of a witness."""
    def spoil(scriptsig, witness):
        return scriptsig, witness[:i] + [change(witness[i])] + witness[i + 1:]
    return spoil


def flip(data):
    return data[:10] + bytes([data[10] ^ 1]) + data[11:]


def traps():
    script_traps()
    signature_traps()
    lock_traps()
    program_traps()
    taproot_traps()


def script_traps():
    pub = A.pub
    wrapped(None, "a true script", VERY_TRUE)
    wrapped(FALSE_TOP, "OP_0", b"\x00")
    wrapped(FALSE_TOP, "minus zero", asm(b"\x80"))
    fixed(FALSE_TOP, "bare, empty", b"")
    wrapped("Script failed an OP_VERIFY operation", "VERIFY", asm(0, "VERIFY 1"))
    wrapped("Script failed an OP_EQUALVERIFY operation", "EQUALVERIFY",
            asm(1, 2, "EQUALVERIFY 1"))
    wrapped("Script failed an OP_NUMEQUALVERIFY operation", "NUMEQUALVERIFY",
            asm(1, 2, "NUMEQUALVERIFY 1"))
    wrapped("Script failed an OP_CHECKSIGVERIFY operation", "CHECKSIGVERIFY",
            asm(0, pub, "CHECKSIGVERIFY 1"))
    wrapped("Script failed an OP_CHECKMULTISIGVERIFY operation", "CHECKMULTISIGVERIFY",
            asm(0, 0, 1, pub, 1, "CHECKMULTISIGVERIFY 1"))
    wrapped("OP_RETURN was encountered", "RETURN", asm(1, "RETURN"))
    wrapped("Opcode missing or not understood", "0xba", asm(1) + b"\xba")
    wrapped("Opcode missing or not understood", "RESERVED", asm(1, "RESERVED"))
    wrapped("Opcode missing or not understood", "VERIF, skipped", asm(0, "IF VERIF ENDIF 1"))
    wrapped(None, "RESERVED, skipped", asm(0, "IF RESERVED ENDIF 1"))
    wrapped("Attempted to use a disabled opcode", "CAT, skipped", asm(0, "IF CAT ENDIF 1"))
    wrapped("Operation not valid with the current stack size", "DUP", asm("DUP"))
    wrapped("Operation not valid with the current altstack size", "FROMALTSTACK",
            asm("FROMALTSTACK"))
    wrapped("Invalid OP_IF construction", "IF", asm(1, 1, "IF"))
    wrapped("Invalid OP_IF construction", "ENDIF", asm(1, "ENDIF"))
    wrapped("Push value size limit exceeded", "521 bytes", asm(bytes(521), "DROP 1"))
    wrapped("Operation limit exceeded", "202 opcodes", asm(1, *["NOP"] * 202))
    wrapped(None, "201 opcodes", asm(1, *["NOP"] * 201))
    wrapped("Stack size limit exceeded", "1,001 items", asm(*[1] * 1001))
    wrapped("Signature count negative or greater than pubkey count", "two of one",
            asm(0, 0, 0, 2, pub, 1, "CHECKMULTISIG"))
    wrapped("Pubkey count negative or limit exceeded", "21 keys", asm(0, 0, 21, "CHECKMULTISIG"))
    wrapped(OVERFLOW, "five bytes", asm(bytes(5), "1ADD"))
    wrapped("Script is too big", "10,001 bytes", asm(1) + OP["NOP"] * 10000)
    TRAPS.pop("bare, 10,001 bytes")
    ERRORS.pop("bare, 10,001 bytes")
    fixed("Script is too big", "a scriptSig of 10,001 bytes", asm(b"big", "DROP 1"),
          push(bytes(500)) * 19 + b"\x00" * 444)
    fixed("Only push operators allowed in signatures", "p2sh, NOP in the scriptSig",
          asm("HASH160", hash160(VERY_TRUE), "EQUAL"), OP["NOP"] + push(VERY_TRUE))
    fixed(FALSE_TOP, "p2sh, another script", asm("HASH160", hash160(b"\x52"), "EQUAL"),
          push(TRUE))
    fixed("Opcode missing or not understood", "a push cut short", b"\x4b\x51", TRUE)
    fixed("Opcode missing or not understood", "a push cut short in the scriptSig",
          asm(b"cut", "DROP 1"), b"\x05\x51")


def signature_traps():
    for kind, wrap, index in (("p2pkh", lambda k: bare("", pkh(k)), None),
                              ("p2wsh", lambda k: p2wsh("", pk(k)), 0)):
        def edit(change, index=index):
            if index is not None:
                return item(index, change)
            return lambda scriptsig, w: (push(change(scriptsig[1:1 + scriptsig[0]]))
                                         + scriptsig[1 + scriptsig[0]:], w)
        spoiled(FALSE_TOP, kind + ", a bit of the signature flipped", wrap(A),
                edit(lambda sig: sig[:12] + bytes([sig[12] ^ 1]) + sig[13:]))
        spoiled(FALSE_TOP, kind + ", another hash type", wrap(B),
                edit(lambda sig: sig[:-1] + bytes([sig[-1] ^ 3])), kind=ALL)
        spoiled(FALSE_TOP, kind + ", no signature", wrap(C), edit(lambda sig: b""))
        for label, change in (
                ("a byte behind s", lambda sig: sig[:-1] + b"\x00" + sig[-1:]),
                ("a negative r", lambda sig: sig[:4] + b"\xff" + sig[5:]),
                ("no hash type", lambda sig: sig[:-1]),
                ("another tag", lambda sig: b"\x31" + sig[1:])):
            spoiled("Non-canonical DER signature", "%s, %s" % (kind, label), wrap(D),
                    edit(change))
    two = multi(2, [A, B, C])
    spoiled("Dummy CHECKMULTISIG argument must be zero", "p2wsh multisig, a dummy",
            p2wsh("", two), item(0, lambda dummy: b"\x01"))
    trap("Dummy CHECKMULTISIG argument must be zero", "bare multisig, a dummy",
         bare("", Policy(two.script, lambda sign: [b"\x00"] + two.stack(sign)[1:])))
    trap(FALSE_TOP, "bare multisig, signatures in another order",
         bare("", Policy(two.script, lambda sign: two.stack(sign)[:1]
                         + two.stack(sign)[:0:-1])), kind=ALL)
    trap("Operation not valid with the current stack size", "bare multisig, one signature",
         bare("", Policy(two.script, lambda sign: two.stack(sign)[1:])))


def lock_traps():
    """BIPs 65 and 112. What their spenders say: height and times are far beyond n here."""
    unmet = "Locktime requirement not satisfied"
    for kind, wrap in (("bare", bare), ("p2sh", p2sh), ("p2wsh", p2wsh)):
        wrapper = lambda policy, wrap=wrap: wrap("", policy)
        cltv = lambda n: wrapper(after(n, A))
        csv = lambda n: wrapper(older(n, A))
        trap("Negative locktime", kind + " cltv, negative",
             wrapper(Policy(asm(-1, "CHECKLOCKTIMEVERIFY"), lambda s: [])), sequence=LOW)
        trap("Operation not valid with the current stack size", kind + " cltv, nothing",
             wrapper(Policy(asm("CHECKLOCKTIMEVERIFY"), lambda s: [])), sequence=LOW)
        trap(unmet, kind + " cltv, a block too soon", cltv(31), sequence=LOW, locktime=30)
        trap(None, kind + " cltv, its height", cltv(30), sequence=LOW, locktime=30)
        trap(unmet, kind + " cltv, time against height", cltv(500000000), sequence=LOW,
             locktime=30)
        trap(unmet, kind + " cltv, height against time", cltv(32), sequence=LOW,
             locktime=500000000)
        trap(unmet, kind + " cltv, a final input", cltv(29), locktime=29)
        trap(OVERFLOW, kind + " cltv, six bytes", wrapper(Policy(
            asm(bytes(6), "CHECKLOCKTIMEVERIFY"), lambda s: [])), sequence=LOW)
        trap("Negative locktime", kind + " csv, negative",
             wrapper(Policy(asm(-1, "CHECKSEQUENCEVERIFY"), lambda s: [])), sequence=1)
        trap(unmet, kind + " csv, a block too soon", csv(8), sequence=7)
        trap(None, kind + " csv, its age", csv(7), sequence=7)
        trap(unmet, kind + " csv, time against height", csv(1 << 22 | 7), sequence=7)
        trap(unmet, kind + " csv, height against time", csv(6), sequence=1 << 22 | 1)
        trap(unmet, kind + " csv, version 1", csv(5), sequence=7, version=1)
        trap(unmet, kind + " csv, disabled in the input", csv(4), sequence=HIGH | 7)
        trap(None, kind + " csv, disabled in the script", csv(HIGH | 9), sequence=HIGH)


def program_traps():
    fixed("Witness program has incorrect length", "v0, 21 bytes", asm(0, b"v" * 21),
          witness=[b"x"])
    fixed("Witness program was passed an empty witness", "p2wsh, no witness",
          asm(0, sha256(b"x")))
    fixed("Witness program hash mismatch", "p2wsh, another script", asm(0, sha256(b"y")),
          witness=[TRUE])
    fixed("Witness program hash mismatch", "p2wpkh, one item", p2wpkh("", D).script,
          witness=[A.pub])
    spoiled("Script failed an OP_EQUALVERIFY operation", "p2wpkh, another key", p2wpkh("", A),
            item(1, lambda pub: B.pub))
    spoiled("Witness requires empty scriptSig", "p2wpkh, a scriptSig", p2wpkh("", B),
            lambda scriptsig, witness: (TRUE, witness))
    spoiled("Witness requires only-redeemscript scriptSig", "p2sh-p2wpkh, two pushes",
            nested("", p2wpkh("", C)), lambda scriptsig, witness: (TRUE + scriptsig, witness))
    fixed("Witness provided for non-witness script", "a witness for OP_TRUE",
          asm(b"unwitnessed", "DROP 1"), witness=[b"x"])
    fixed(UNCLEAN, "p2wsh, two left", asm(0, sha256(VERY_TRUE * 2)), witness=[VERY_TRUE * 2])
    fixed("Push value size limit exceeded", "p2wsh, an item of 521 bytes",
          asm(0, sha256(asm("DROP 1"))), witness=[bytes(521), asm("DROP 1")])
    fixed(None, "future, any witness", asm(16, b"future"), witness=[bytes(100000)])
    fixed(None, "nearly an anchor, a witness", asm(2, bytes.fromhex("4e73")), witness=[b"any"])
    fixed("Witness requires empty scriptSig", "future, a scriptSig", asm(15, b"future"), TRUE)


def leaf_trap(text, label, script, *stack, **more):
    trap(text, "tapscript, " + label,
         leaf_path("", Policy(script, lambda sign: list(stack)), A), **more)


def taproot_traps():
    key, wrong = key_path("", D), "Invalid Schnorr signature"
    size, kind = wrong + " size", wrong + " hash type"
    spoiled(wrong, "p2tr, a bit flipped", key, item(0, flip))
    spoiled(size, "p2tr, 63 bytes", key, item(0, lambda sig: sig[:63]))
    spoiled(size, "p2tr, 66 bytes", key, item(0, lambda sig: sig[:64] + b"\x01\x01"))
    spoiled(size, "p2tr, no bytes", key, item(0, lambda sig: b""))
    for n in (0, 4, 0x80, 0x84):
        spoiled(kind, "p2tr, hash type %d" % n, key,
                item(0, lambda sig, n=n: sig[:64] + bytes([n])))
    spoiled(kind, "p2tr, SINGLE without its output", key, lambda scriptsig, witness: (
        b"", [witness[0][:64] + b"\x03"]), out=[])
    spoiled(wrong, "p2tr, an annex nobody signed", key, lambda scriptsig, witness: (
        b"", witness + [b"\x50"]))
    fixed("Witness program was passed an empty witness", "p2tr, no witness", key.script)
    leaf = leaf_path("", xpk(A), B, (tagged("x", b""),))
    spoiled("Invalid Taproot control block size", "p2tr, a byte more of the control block",
            leaf, item(2, lambda control: control + b"x"))
    spoiled("Invalid Taproot control block size", "p2tr, 32 bytes of it",
            leaf, item(2, lambda control: control[:32]))
    spoiled("Invalid Taproot control block size", "p2tr, 129 steps", leaf,
            item(2, lambda control: control[:33] + bytes(32 * 129)))
    for label, change in (("another leaf version", lambda c: bytes([c[0] ^ 2]) + c[1:]),
                          ("the other parity", lambda c: bytes([c[0] ^ 1]) + c[1:]),
                          ("another path", lambda c: c[:-1] + bytes([c[-1] ^ 1])),
                          ("another inner key", lambda c: c[:1] + NUMS + c[33:]),
                          ("an inner key off the curve", lambda c: c[:1] + bytes(32) + c[33:])):
        spoiled("Witness program hash mismatch", "p2tr, " + label, leaf, item(2, change))
    spoiled("Witness program hash mismatch", "p2tr, another script", leaf,
            item(1, lambda script: TRUE))
    spoiled(wrong, "tapscript, a bit flipped", leaf, item(0, flip))
    spoiled(size, "tapscript, 65 bytes and one", leaf, item(0, lambda s: s[:64] + b"\x01\x01"))
    spoiled(FALSE_TOP, "tapscript, no signature", leaf, item(0, lambda s: b""))
    fixed("Witness requires empty scriptSig", "p2tr, a scriptSig", key.script, TRUE, [b"x"])
    tapscript_traps()


def tapscript_traps():
    multisig = "OP_CHECKMULTISIG(VERIFY) is not available in tapscript"
    leaf_trap(multisig, "CHECKMULTISIG", asm(0, 0, 0, "CHECKMULTISIG"))
    leaf_trap(multisig, "CHECKMULTISIGVERIFY", asm(0, 0, 0, "CHECKMULTISIGVERIFY 1"))
    leaf_trap("OP_IF/NOTIF argument must be minimal in tapscript", "IF of two",
              asm(2, "IF 1 ENDIF"))
    leaf_trap("OP_IF/NOTIF argument must be minimal in tapscript", "NOTIF of zero",
              asm(b"\x00", "NOTIF ENDIF 1"))
    leaf_trap(UNCLEAN, "two left", asm(1, 1))
    leaf_trap(UNCLEAN, "nothing left", asm("NOP"))
    leaf_trap("Stack size limit exceeded", "1,001 items", asm(*[1] * 1001))
    leaf_trap("Stack size limit exceeded", "1,001 items of witness",
              asm(*["2DROP"] * 500), *[b""] * 1001)
    leaf_trap("Push value size limit exceeded", "an item of 521 bytes", asm("DROP 1"), bytes(521))
    leaf_trap("Push value size limit exceeded", "a push of 521 bytes",
              asm(bytes(521), "DROP 1"))
    leaf_trap("Opcode missing or not understood", "0xff", asm(1) + b"\xff")
    leaf_trap("Opcode missing or not understood", "a push cut short", b"\x51\x05\x51")
    leaf_trap(None, "OP_SUCCESS before rubbish", b"\x6a\x7e\xff\x4c")
    leaf_trap("Opcode missing or not understood", "rubbish before OP_SUCCESS", b"\x4c\xff\x7e")
    leaf_trap(None, "no limit of opcodes", asm(1, *["NOP"] * 400))
    leaf_trap(None, "over 10,000 bytes", asm(*[bytes(500), "DROP"] * 30, 1))
    leaf_trap("OP_RETURN was encountered", "RETURN", asm("RETURN"))
    leaf_trap(OVERFLOW, "CHECKSIGADD of five bytes", asm(0, bytes(5), A.x, "CHECKSIGADD"))
    leaf_trap("Operation not valid with the current stack size", "CHECKSIGADD of two",
              asm(0, A.x, "CHECKSIGADD"))
    leaf_trap(None, "a key of 33 bytes", asm(b"x", b"\x02" + A.x, "CHECKSIG"))
    many = Policy(asm(*["DUP", A.x, "CHECKSIGVERIFY"] * 20, A.x, "CHECKSIG"),
                  lambda sign: [sign(A)])
    trap("Too much signature validation relative to witness weight",
         "tapscript, 21 signatures", leaf_path("", many, B))
    leaf_trap("Empty public key in tapscript", "an empty key",
              asm(b"x", 0, "CHECKSIG"))


traps()


def spring(label):
    """Spend a trap. The rest of its transaction is as `more` says."""
    lock = TRAPS[label]

    def change(c):
        more = dict(lock.more)
        kind, out = more.pop("kind", None), more.pop("out", None)
        tx = c.make([c.coin(lock.script)], [[1, TRUE]] if out is None else [], **more)
        coins = [c.view.coins[tx.vin[0][0], tx.vin[0][1]]]
        if out is not None:
            # Beside another input, so that its number is beyond the outputs.
            coins.insert(0, c.coin())
            tx.vin.insert(0, [coins[0].txid, coins[0].vout, b"", FINAL])
            tx.vout, tx.witness = [[1, TRUE]], [[], []]
        i = len(coins) - 1
        tx.vin[i][2], tx.witness[i] = lock.unlock(Spend(tx, i, coins, c.rng, kind))
        c.draft.add(tx)
    return change


def script_rules():
    for label, text in ERRORS.items():
        reason = text and "block-script-verify-flag-failed (%s)" % text
        yield Rule(reason, label, spring(label), mixes=len(TRAPS[label].script) < 1000)


def tamper(c):
    """Change what unlocks an input, whichever it is: the judges know what comes of it."""
    if not c.draft.txs:
        return
    n = c.rng.randrange(len(c.draft.txs))
    tx = Tx()
    tx.__dict__.update(copy.deepcopy(c.draft.txs[n].__dict__))
    if not tx.vin or len(tx.vin) != len(tx.witness):
        return
    c.draft.txs[n] = tx
    i = c.rng.randrange(len(tx.vin))
    stack = tx.witness[i]
    if stack:
        n = c.rng.randrange(len(stack))
        stack[n:n + 1] = c.rng.choice(([flipped(c.rng, stack[n])], [], [stack[n]] * 2, [b""]))
    else:
        tx.vin[i][2] = flipped(c.rng, tx.vin[i][2])


def flipped(rng, data):
    if not data:
        return b"\x01"
    n = rng.randrange(len(data))
    return data[:n] + bytes([data[n] ^ 1 << rng.randrange(8)]) + data[n + 1:]


def all_rules(now):
    """In Core's order of checks."""
    for part in (header_rules(now), body_rules(), transaction_rules(), witness_rules(),
                 lock_rules(), spending_rules(), sigop_rules(), script_rules()):
        yield from part
