#!/usr/bin/env python3
"""policy.py CASE: one case of the mempool's rules, as bb-chain judges it.

policy.py: the names of the cases.
policy.py --node COOKIE PORT: those in which older rules and Bitcoin Core 31's say the same, told
to a bitcoind as well.

The words expected are those of Bitcoin Core 31's sources, and of BIPs 125, 431 and 433 where
these tell the rule."""

import json
import os
import subprocess
import sys

import build
from bitcoin import Tx, push, sha256, sha256d
from blockrules import hash160
from build import COIN, FINAL
from crash import bb
from harness import BIN
from live import Live

NOW = build.GENESIS_TIME + 10**8
TRUE = b"\x00\x20" + sha256(b"\x51")  # P2WSH of OP_TRUE: anybody can spend it
ANCHOR = bytes.fromhex("51024e73")
KEY = b"\x02" + b"\x79\xbe\x66\x7e\xf9\xdc\xbb\xac\x55\xa0\x62\x95\xce\x87\x0b\x07\x02\x9b\xfc" \
    b"\xdb\x2d\xce\x28\xd9\x59\xf2\x81\x5b\x16\xf8\x17\x98"  # the generator
NO_BETTER = "insufficient feerate: does not improve feerate diagram"
CASES, SHARED = {}, {}


# What the judge's words begin with, and Core 31's for it.
FINER = (
    ("bad-txns-input-", "bad-txns-nonstandard-inputs"),
    ("bad-witness-", "bad-witness-nonstandard"),
    ("truc-", "TRUC-violation"),
)


def case(function):
    CASES[function.__name__] = function
    return function


def shared(function):
    """One that a bitcoind of older rules answers alike."""
    SHARED[function.__name__] = function
    return case(function)


def equal(got, wanted, what=""):
    if got != wanted:
        raise SystemExit("%s: got %r, expected %r" % (what, got, wanted))


def name(tx):
    return tx.txid()[::-1].hex()


def wtxid(tx):
    return sha256d(tx.bytes())[::-1].hex()


def both(tx):
    return "%s (wtxid=%s)" % (name(tx), wtxid(tx))


def weight(tx):
    return 3 * len(tx.bytes(False)) + len(tx.bytes())


def vsize(tx):
    return (weight(tx) + 3) // 4


class Out:
    """An output to spend: of a transaction, or of a block of the chain."""

    def __init__(self, txid, vout, value, script=TRUE):
        self.txid, self.vout, self.value, self.script = txid, vout, value, script
        self.script_sig, self.witness = b"", [b"\x51"] if script == TRUE else []


def outs(tx):
    txid = tx.txid()
    return [Out(txid, i, value, script) for i, (value, script) in enumerate(tx.vout)]


def spend(coins, fee, count=1, version=2, sequence=FINAL, locktime=0, to=(), size=0):
    """All of these coins to `count` outputs, and what is in `to` besides; `size`: so many
    vbytes, with data that fill it up."""
    tx = Tx()
    tx.version, tx.locktime = version, locktime
    tx.vin = [[c.txid, c.vout, c.script_sig, sequence] for c in coins]
    tx.witness = [list(c.witness) for c in coins]
    value = sum(c.value for c in coins) - fee - sum(v for v, _ in to)
    tx.vout = [[value // count, TRUE] for _ in range(count)] + [list(o) for o in to]
    tx.vout[0][0] += value - value // count * count
    missing = size - vsize(tx)
    if missing > 0:
        tx.vout.append([0, b""])
        for data in range(missing - 9, missing - 20, -1):
            tx.vout[-1][1] = b"\x6a" + push(bytes(max(data, 0)))
            if vsize(tx) <= size:
                break
    return tx


def p2sh(script):
    return b"\xa9\x14" + hash160(script) + b"\x87"


def p2wsh(script):
    return b"\x00\x20" + sha256(script)


class World:
    """A store with a chain of its own, `run` on it, and plenty of coins to spend."""

    def __init__(self, *options, folder="store", node=None):
        self.folder, self.options, self.node = folder, list(options), node
        self.now, self.count = NOW, 0
        self.start()
        self.tip = build.genesis()
        self.coins, self.since = [], 0
        first = self.mine(pay=TRUE)
        for _ in range(100):
            self.mine()
        fan = spend(outs(first.txs[0])[:1], 0, count=400)
        self.mine([fan])
        self.coins = outs(fan)[::-1]

    def start(self):
        self.live = Live(self.folder, "--now", str(self.now), *self.options)

    def stop(self):
        equal(self.live.end() in (0, 1), True, "status of run")

    def again(self, seconds=0, options=()):
        """A new start, so much later."""
        self.stop()
        self.now += seconds
        if options:
            self.options = list(options)
        self.start()

    def say(self, line):
        return self.live.say(line)

    def ask(self, *verb, lines=()):
        policy = [o for o in self.options if o != "--trust-marks"]
        policy = policy if verb[0] in ("test", "mempool", "template") else []
        now = ["--now", str(self.now)] if verb[0] in ("test", "template") else []
        done = bb(self.folder, *verb, *now, *policy,
                  input="".join(json.dumps(l) + "\n" for l in lines).encode())
        equal(done.returncode in (0, 1), True, "status of " + verb[0])
        return [json.loads(line) for line in done.stdout.splitlines()]

    # Blocks.

    def block(self, txs=(), parent=None, pay=b"\x51", time=None):
        parent = parent or self.tip
        self.count += 1
        label = self.count.to_bytes(4, "little")
        draft = build.Draft(parent, time or parent.mtp + 600, label=label)
        draft.pay = [(None, pay)]
        for tx in txs:
            draft.add(tx)
        return draft.block()

    def give(self, block, result="connected"):
        verdict = self.say({"type": "block", "hex": block.raw.hex()})
        equal(verdict["result"], result, "block: %s" % verdict.get("error"))
        if result == "connected":
            self.tip = block
        if self.node:
            self.node.call("submitblock", [block.raw.hex()])
        return verdict

    def mine(self, txs=(), **more):
        block = self.block(txs, **more)
        self.give(block)
        return block

    def branch(self, parent, *bodies, times=None):
        """Blocks on top of another, one for each list of transactions; the last takes over."""
        for i, txs in enumerate(bodies):
            time = times[i] if times else None
            block = self.block(txs, parent, time=time)
            self.give(block, "connected" if i + 1 == len(bodies) else "side")
            parent = block
        return parent

    def coin(self):
        return self.coins.pop()

    # Transactions.

    def offer(self, tx, *words, result=None):
        """Given to `run`, and to `test` before: the same answer, of these words."""
        line = {"type": "tx", "hex": tx.bytes().hex()}
        test = self.ask("test", lines=[line])[0]
        verdict = self.say(line)
        equal(verdict["id"], name(tx), "id")
        wanted = ", ".join(words)
        if verdict["result"] not in ("duplicate", "orphan") and words[:1] != ("mempool full",):
            equal(told(test), wanted, "test")
        equal(told(verdict), wanted)
        equal(verdict["result"], result or ("refused" if words else "accepted"), "result")
        if self.node:
            self.ask_node(tx, wanted)
        return verdict

    def ask_node(self, tx, wanted):
        """Its finer words for some of Core's reasons, and what its older rules ask first, count
        as these; it takes one that waits already for good news."""
        _, error = self.node.call("sendrawtransaction", [tx.bytes().hex(), 0])
        words = error["message"] if error else ""
        if not words and wanted == "txn-same-nonwitness-data-in-mempool":
            return
        for finer, reason in FINER:
            if words.startswith(finer):
                words = reason + words[len(words.split(",")[0]):]
                wanted = wanted if "," in words else wanted.split(",")[0]
        if "; new feerate " in words:
            words, wanted = words.split(",")[0], wanted.split(",")[0]
        equal(words, wanted, "bitcoind")

    def package(self, *txs, verb="say"):
        line = {"type": "package", "txs": [{"type": "tx", "hex": tx.bytes().hex()} for tx in txs]}
        verdict = self.say(line) if verb == "say" else self.ask("test", lines=[line])[0]
        equal([t["id"] for t in verdict["txs"]], [name(tx) for tx in txs], "ids")
        if self.node and verb == "say":
            self.package_to_node(txs, verdict)
        return verdict

    def package_to_node(self, txs, verdict):
        answer, error = self.node.call("submitpackage", [[tx.bytes().hex() for tx in txs], 0])
        equal(error, None, "submitpackage")
        for tx, ours in zip(txs, verdict["txs"]):
            theirs = answer["tx-results"][wtxid(tx)]
            equal("error" not in theirs, ours["valid"], "bitcoind, of a package")

    def waiting(self, *txs):
        """These wait, and nothing else."""
        listed = {tx["txid"] for tx in self.ask("mempool", "--full")}
        names = {name(tx) for tx in txs}
        if not self.node:
            equal(sorted(listed), sorted(names), "what waits")
            return
        # Other cases have left theirs.
        theirs, _ = self.node.call("getrawmempool", [])
        equal(sorted(names - listed), [], "what waits")
        equal(sorted(listed ^ set(theirs)), [], "what waits here and there")

    def events(self):
        """What happened since the last look, in few words."""
        out = []
        for event in self.ask("events", "--since", str(self.since)):
            self.since = event["seq"]
            if event["event"] in ("accepted", "replaced", "removed"):
                out.append((event["event"], event["txid"],
                            event["by"] if event["event"] == "replaced" else event.get("reason")))
        return out

    def end(self):
        equal(self.ask("verify")[0]["valid"], True, "verify")
        if self.tip.height > 1:
            lines = self.ask("mempool")
            if lines:
                done = subprocess.run(
                    [os.path.join(BIN, "bb-validate"), "-n", "regtest", "--verdict"],
                    input="".join(json.dumps(l) + "\n" for l in lines).encode(),
                    stdout=subprocess.PIPE, check=False)
                for text in done.stdout.splitlines():
                    verdict = json.loads(text)
                    equal(verdict["valid"], True, text.decode())
        self.stop()


def told(verdict):
    return ", ".join(filter(None, (verdict.get("error"), verdict.get("detail"))))


def amount(sat):
    """As Core prints money."""
    text = "%d.%08d" % divmod(sat, COIN)
    while text[-1] == "0" and text[-3] != ".":
        text = text[:-1]
    return text


def relay(size):
    return -(-size // 10)


# What needs no mempool.


def odd_coins(w, *scripts):
    """Outputs with these scripts, in a block: nobody relays some of them."""
    tx = spend([w.coin()], 0, to=[(COIN // 1000, s) for s in scripts])
    w.mine([tx])
    return outs(tx)[1:]


@shared
def inputs_of_scripts_that_are_not_standard(w):
    odd = b"\x05" + KEY[1:]
    unknown = (
        b"\x61\x51", b"\x51", b"", push(odd) + b"\xac", b"\x4c\x21" + KEY + b"\xac",
        b"\x51" + push(odd) + b"\x51\xae", b"\x51" + push(KEY) + b"\x01\x01\xae",
        b"\x01\x01" + push(KEY) + b"\x51\xae", b"\x00" + push(KEY) + b"\x51\xae",
        b"\x52" + push(KEY) + b"\x51\xae", b"\x51" + push(KEY) * 21 + b"\x01\x15\xae",
        b"\x51" + push(KEY) * 16 + b"\x01\x10\xae", b"\x51" + push(KEY) * 17 + b"\x02\x11\x00\xae",
        b"\x76\xa9\x4c\x14" + bytes(20) + b"\x88\xac", b"\xa9\x4c\x14" + bytes(20) + b"\x87",
        b"\x51\x29" + bytes(41), b"\x51\x01a", b"\x00\x02aa")
    undefined = b"\x52\x02ab", b"\x51\x02ab", b"\x60\x28" + bytes(40)
    for coin in odd_coins(w, *unknown, *undefined):
        what = "witness program is undefined" if coin.script in undefined else "script unknown"
        w.offer(spend([w.coin(), coin], 1000), "bad-txns-nonstandard-inputs", "input 1 " + what)


@shared
def inputs_of_scripts_that_are_run(w):
    """Standard by their form: two empty pushes do not satisfy them."""
    long = b"\x06" + KEY[1:] + bytes.fromhex(
        "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")
    empty = "Script evaluated without error but finished with a false/empty top stack element"
    kind = "Public key is neither compressed or uncompressed"
    words = {
        push(long) + b"\xac": kind,
        push(b"\x04" + long[1:]) + b"\xac": empty,
        b"\x51" + push(long) + b"\x51\xae": kind,
        b"\x51\x4c\x21" + KEY + b"\x51\xae": "Data push larger than necessary",
        b"\x51" + push(KEY) * 17 + b"\x01\x11\xae": empty,
        b"\x51" + push(KEY) * 20 + b"\x01\x14\xae": empty,
        b"\x76\xa9\x14" + bytes(20) + b"\x88\xac": "Script failed an OP_EQUALVERIFY operation",
        ANCHOR: "Witness requires empty scriptSig",
    }
    for coin in odd_coins(w, *words):
        coin.script_sig = b"\x00\x00"
        tx = spend([w.coin(), coin], 1000)
        w.offer(tx, "mempool-script-verify-flag-failed (%s)" % words[coin.script],
                "input 1 of %s (wtxid %s), spending %s:%d" % (
                    name(tx), wtxid(tx), coin.txid[::-1].hex(), coin.vout))


@shared
def inputs_of_p2sh_that_are_not_standard(w):
    many, few = (b"\x00\x63" + b"\xac" * n + b"\x68\x51" for n in (16, 15))
    coins = odd_coins(w, p2sh(many), p2sh(few), p2sh(b""), p2sh(b"\x51"), p2sh(b"\x51"))
    coins[0].script_sig, coins[1].script_sig = push(many), push(few)
    bad = "bad-txns-nonstandard-inputs"
    w.offer(spend([coins[0]], 1000), bad,
            "p2sh redeemscript sigops exceed limit (input 0: 16 > 15)")
    w.offer(spend([coins[1]], 1000))
    w.offer(spend([coins[2]], 1000), bad, "input 0 P2SH redeemscript missing")
    # Too long a push is no scriptSig that can be run.
    coins[3].script_sig = push(b"\0" * 521)
    w.offer(spend([coins[3]], 1000), bad,
            "p2sh scriptsig malformed (input 0: Push value size limit exceeded)")
    coins[3].script_sig = b"\x50" + push(b"\x51")
    w.offer(spend([coins[3]], 1000), bad,
            "p2sh scriptsig malformed (input 0: Opcode missing or not understood)")
    coins[3].script_sig = b"\x76" + push(b"\x51")
    w.offer(spend([coins[3]], 1000), "scriptsig-not-pushonly")
    coins[3].script_sig = push(b"\x51")
    w.offer(spend([coins[3]], 1000))


@shared
def witnesses_that_are_not_standard(w):
    long = b"\x75" + b"\x61" * 3599 + b"\x51"
    exact = b"\x61" * 3599 + b"\x51"
    drops = b"\x75" * 101 + b"\x51"
    one = b"\x75\x51"
    coins = odd_coins(w, p2wsh(long), p2wsh(drops), p2wsh(one), p2wsh(one), ANCHOR, p2sh(b"\x51"),
                      b"\x51\x20" + KEY[1:], p2wsh(exact))
    bad = "bad-witness-nonstandard"
    coins[0].witness = [b"", long]
    coins[1].witness = [b""] * 101 + [drops]
    coins[2].witness = [b"a" * 81, one]
    coins[4].witness = [b""]
    coins[5].script_sig, coins[5].witness = push(b"\x51"), [b"\x51"]
    coins[6].witness = [b"\0" * 64, b"\x50annex"]
    for i in 0, 1, 2, 4, 5, 6:
        w.offer(spend([w.coin(), coins[i]], 4000), bad)
    coins[3].witness = [b"a" * 80, one]
    coins[4].witness = []
    coins[7].witness = [exact]
    w.offer(spend([w.coin(), coins[3], coins[4]], 4000))


@shared
def outputs_that_are_not_standard(w):
    def offered(*to, words=(), **more):
        w.offer(spend([w.coin()], 1000, to=to, **more), *words)

    multi = b"\x51" + push(KEY) * 4 + b"\x54\xae"
    offered((1000, multi), words=["scriptpubkey"])
    offered((1000, b"\x52" + push(KEY) + b"\x51\xae"), words=["scriptpubkey"])
    offered((1000, b"\x00\x10" + b"a" * 16), words=["scriptpubkey"])
    offered((0, b"\x6a\x50\xff"), words=["scriptpubkey"])
    offered((0, b"\x6a\x02a"), words=["scriptpubkey"])
    offered((100, TRUE), (100, TRUE), words=["dust"])
    # Dust, and it pays: Core 29 has the same words for it.
    offered((239, ANCHOR), words=["dust", "tx with dust output must be 0-fee"])
    offered((240, ANCHOR))
    offered((1000, b"\x52\x02zz"))


@case
def data_outputs_count_together(w):
    """100,000 bytes of scripts. A transaction that size is over the weight of a standard one."""
    half = b"\x6a" + push(b"\0" * 49800)
    w.offer(spend([w.coin()], 20000, to=[(0, half), (0, half)]))
    w.again(options=["--policy", "datacarriersize=%d" % (2 * len(half) - 1)])
    w.offer(spend([w.coin()], 20000, to=[(0, half), (0, half)]), "datacarrier")
    w.offer(spend([w.coin()], 20000, to=[(0, b"\x6a" + push(b"\0" * 100000))]), "tx-size")


def data_limits(w):
    def offered(sizes, *words):
        w.offer(spend([w.coin()], 2000, to=[(0, b"\x6a" + b"\x00" * (n - 1)) for n in sizes]),
                *words)

    return offered


@case
def the_limit_of_data_may_be_set(w):
    w.again(options=["--policy", "datacarriersize=83"])
    offered = data_limits(w)
    offered([83])
    offered([84], "datacarrier")
    offered([40, 43])
    offered([40, 44], "datacarrier")
    w.again(options=["--policy", "datacarrier=0"])
    data_limits(w)([1], "datacarrier")


@case
def bare_multisig_may_be_forbidden(w):
    multi = b"\x51" + push(KEY) + b"\x51\xae"
    w.offer(spend([w.coin()], 1000, to=[(1000, multi)]))
    w.again(options=["--policy", "permitbaremultisig=0"])
    w.offer(spend([w.coin()], 1000, to=[(1000, multi)]), "bare-multisig")


@case
def sigops_weigh(w):
    """20 vbytes for four units of cost: -bytespersigop."""
    multi = b"\x51" + push(KEY) + b"\x51\xae"
    tx = spend([w.coin()], 0, to=[(1000, multi)] * 3)
    # A bare multisig counts as 20 signatures, each as four units.
    size = 3 * 20 * 4 * 20 // 4
    assert size > vsize(tx)
    w.offer(tx, "min relay fee not met", "0 < %d" % relay(size))
    w.offer(spend([w.coin()], relay(size) - 1, to=[(1000, multi)] * 3),
            "min relay fee not met", "%d < %d" % (relay(size) - 1, relay(size)))
    verdict = w.offer(spend([w.coin()], relay(size), to=[(1000, multi)] * 3))
    equal(verdict["vsize"], size, "vsize")
    w.offer(spend([w.coin()], 90000, to=[(1000, multi)] * 200))
    w.offer(spend([w.coin()], 90000, to=[(1000, multi)] * 201), "bad-txns-too-many-sigops",
            "16080")


@case
def the_increment_raises_the_least(w):
    w.again(options=["--policy", "minrelaytxfee=100sat", "--policy", "incrementalrelayfee=2000sat"])
    tx = spend([w.coin()], 150)
    w.offer(tx, "min relay fee not met", "150 < %d" % (2 * vsize(tx)))
    w.again(options=["--policy", "incrementalrelayfee=2000sat",
                     "--policy", "minrelaytxfee=1000sat"])
    w.offer(tx)
    # Rule 4 asks for the increment.
    coin = w.coin()
    first, less = spend([coin], 300), spend([coin], 300 + 2 * vsize(tx) - 1)
    w.offer(first)
    w.offer(less, "insufficient fee", "rejecting replacement %s, not enough additional fees to "
            "relay; %s < %s" % (name(less), amount(2 * vsize(tx) - 1), amount(2 * vsize(tx))))
    w.offer(spend([coin], 300 + 2 * vsize(tx)))


# In order.


@shared
def the_order_of_the_checks(w):
    """Of two faults the earlier one is told."""
    coin = w.coin()
    first = spend([coin], 1000)
    w.offer(first)
    # Form before finality, finality before presence, presence before conflicts and coins.
    w.offer(spend([coin], 900, version=4, locktime=500, sequence=0), "version")
    w.offer(spend([coin], 900, locktime=500, sequence=0), "non-final")
    gone = Out(b"\x11" * 32, 0, COIN)
    w.offer(spend([gone], 900, locktime=500, sequence=0), "non-final")
    # Missing before conflicting, and before fees.
    w.offer(spend([coin, gone], 0), "bad-txns-inputs-missingorspent",
            result="orphan")
    # Locks before amounts.
    w.offer(spend([coin], -5, sequence=200), "non-BIP68-final")
    w.offer(spend([coin], -5), "bad-txns-in-belowout", "value in (%s) < value out (%s)" % (
        amount(coin.value), amount(coin.value + 5)))
    # Fees before scripts; a replacement's, too.
    spoilt = spend([w.coin()], 0)
    spoilt.witness = [[b"\x52"]]
    w.offer(spoilt, "min relay fee not met", "0 < %d" % relay(vsize(spoilt)))
    spoilt = spend([coin], 1000)
    spoilt.witness = [[b"\x52"]]
    w.offer(spoilt, "txn-same-nonwitness-data-in-mempool")
    spoilt = spend([coin], 1001)
    spoilt.witness = [[b"\x52"]]
    w.offer(spoilt, "insufficient fee", "rejecting replacement %s, not enough additional fees to "
            "relay; 0.00000001 < %s" % (name(spoilt), amount(relay(vsize(spoilt)))))


# Replacement.


@shared
def replacement_pays_again_and_for_its_relay(w):
    coin = w.coin()
    first = spend([coin], 1000)
    w.offer(first)
    size = vsize(first)
    for fee in 20, 999:
        tx = spend([coin], fee)
        w.offer(tx, "insufficient fee", "rejecting replacement %s, less fees than conflicting txs; "
                "%s < 0.00001" % (name(tx), amount(fee)))
    for fee in 1, relay(size) - 1:
        tx = spend([coin], 1000 + fee)
        w.offer(tx, "insufficient fee", "rejecting replacement %s, not enough additional fees to "
                "relay; %s < %s" % (name(tx), amount(fee), amount(relay(size))))
    w.offer(spend([coin], 1000 + relay(size)))


@case
def replacement_tells_what_it_replaced(w):
    a, b = w.coin(), w.coin()
    parent = spend([a], 1000, count=2)
    child = spend(outs(parent)[:1], 700)
    other = spend([b], 300)
    for tx in parent, child, other:
        w.offer(tx)
    w.events()
    # Both families' fees count, descendants' too.
    tx = spend([a, b], 1999)
    w.offer(tx, "insufficient fee", "rejecting replacement %s, less fees than conflicting txs; "
            "0.00001999 < 0.00002" % name(tx))
    tx = spend([a, b], 2000 + relay(vsize(tx)))
    equal(w.events(), [], "refused ones leave no trace")
    verdict = w.offer(tx)
    equal(sorted(verdict["replaced"]), sorted(map(name, (parent, child, other))), "replaced")
    *gone, last = w.events()
    equal(sorted(gone), sorted(("replaced", name(t), name(tx)) for t in (parent, child, other)),
          "events")
    equal(last, ("accepted", name(tx), None), "what replaces comes last")
    w.waiting(tx)


@case
def replacement_must_improve_the_diagram(w):
    """More fees in all, but for a worse rate."""
    coin = w.coin()
    w.offer(spend([coin], 2000))
    big = spend([coin], 2500, size=2000)
    w.offer(big, "replacement-failed", NO_BETTER)
    # The same rate with more behind it never is below, and ends above.
    w.offer(spend([coin], 2600))


@case
def replacement_may_not_spend_what_it_replaces(w):
    a, b = w.coin(), w.coin()
    parent = spend([a], 1000, count=2)
    child = spend(outs(parent)[:1], 1000)
    w.offer(parent)
    w.offer(child)
    for spent in outs(parent)[1], outs(child)[0]:
        low, high = spend([a, spent], 1000), spend([a, spent], 50000)
        w.offer(low, "insufficient fee", "rejecting replacement %s, less fees than conflicting "
                "txs; 0.00001 < 0.00002" % name(low))
        w.offer(high, "bad-txns-spends-conflicting-tx", "%s spends conflicting transaction %s" % (
            name(high), name(parent)))
    w.offer(spend([b], 1000))


@case
def a_hundred_clusters_may_be_replaced(w):
    coins = [w.coin() for _ in range(101)]
    for coin in coins:
        w.say({"type": "tx", "hex": spend([coin], 100).bytes().hex()})
    tx = spend(coins, 90000)
    w.offer(tx, "too many potential replacements", "rejecting replacement %s; too many "
            "conflicting clusters (101 > 100)" % name(tx))
    verdict = w.offer(spend(coins[:100], 90000))
    equal(len(verdict["replaced"]), 100, "replaced")


@case
def conflicts_in_one_cluster_count_once(w):
    """101 conflicts that stand in few clusters."""
    coins, first = [], []
    for _ in range(2):
        top = spend([w.coin()], 1000, count=60)
        w.offer(top)
        mid = outs(top)
        for coin in mid:
            w.say({"type": "tx", "hex": spend([coin], 30).bytes().hex()})
        coins += mid
        first.append(top)
    equal(len(coins) > 100, True)
    verdict = w.offer(spend(coins, 90000))
    equal(len(verdict["replaced"]), 120, "replaced")
    equal(len(w.ask("mempool")), 3, "what is left")


def chain(w, coin, length, fee=100):
    txs = []
    for _ in range(length):
        txs.append(spend([coin], fee))
        verdict = w.say({"type": "tx", "hex": txs[-1].bytes().hex()})
        equal(told(verdict), "", "a chain's")
        coin = outs(txs[-1])[0]
    return txs


@case
def a_cluster_holds_64_and_what_is_replaced_goes_first(w):
    coin = w.coin()
    txs = chain(w, coin, 64)
    w.offer(spend(outs(txs[-1]), 100), "too-large-cluster")
    # The last one's place is free for another.
    last = spend(outs(txs[-2]), 500)
    w.offer(last)
    # But not for two clusters in one.
    other = w.coin()
    w.offer(spend([other], 100, count=2))
    twin = spend([other], 1000, count=2)
    w.offer(twin)
    joined = spend([outs(txs[-2])[0], outs(twin)[1]], 5000)
    w.offer(joined, "too-large-cluster")
    # A conflict in the middle takes its descendants along.
    middle = spend([outs(txs[30])[0], outs(twin)[1]], 50000)
    equal(len(w.offer(middle)["replaced"]), 33, "replaced")
    # Too little paid is told first.
    poor = spend([outs(txs[29])[0]], 99)
    w.offer(poor, "insufficient fee", "rejecting replacement %s, less fees than conflicting txs; "
            "0.00000099 < %s" % (name(poor), amount(100 + 50000)))


@case
def a_cluster_holds_404000_weight_units(w):
    big = [(0, b"\x6a" + push(b"\0" * 99000))]
    top = spend([w.coin()], 20000, to=big, count=2)
    w.offer(top)
    left = 404000 - weight(top)
    child = spend(outs(top)[:1], 20000, size=(left + 3) // 4 + 1)
    w.offer(child, "too-large-cluster")
    fits = spend(outs(top)[:1], 20000, size=left // 4)
    while weight(fits) > left:
        fits = spend(outs(top)[:1], 20000, size=vsize(fits) - 1)
    w.offer(fits)
    w.offer(spend(outs(top)[1:2], 20000, size=404000 // 4 - vsize(top) - vsize(fits) + 200),
            "too-large-cluster")


# BIP 431.


@shared
def truc_sizes_and_versions(w):
    tx = spend([w.coin()], 90000, count=231, version=3)
    more = spend([w.coin()], 90000, count=232, version=3)
    assert vsize(tx) <= 10000 < vsize(more), (vsize(tx), vsize(more))
    w.offer(more, "TRUC-violation", "version=3 tx %s is too big: %d > 10000 virtual bytes" % (
        both(more), vsize(more)))
    w.offer(tx)
    v3 = spend([w.coin()], 1000, count=3, version=3)
    v2 = spend([w.coin()], 1000, count=3)
    w.offer(v3)
    w.offer(v2)
    child = spend(outs(v3)[:1], 1000)
    w.offer(child, "TRUC-violation", "non-version=3 tx %s cannot spend from version=3 tx %s" % (
        both(child), both(v3)))
    child = spend(outs(v2)[:1], 1000, version=3)
    w.offer(child, "TRUC-violation", "version=3 tx %s cannot spend from non-version=3 tx %s" % (
        both(child), both(v2)))
    for count in 24, 20:
        child = spend(outs(v3)[:1], 5000, count=count, version=3)
        words = ()
        if vsize(child) > 1000:
            words = ("TRUC-violation", "version=3 child tx %s is too big: %d > 1000 virtual bytes"
                     % (both(child), vsize(child)))
        w.offer(child, *words)
    grand = spend(outs(child)[:1], 1000, version=3)
    w.offer(grand, "TRUC-violation", "tx %s would have too many ancestors" % both(grand))
    a, b = (spend([w.coin()], 1000, version=3) for _ in range(2))
    w.offer(a)
    w.offer(b)
    two = spend(outs(a) + outs(b), 1000, version=3)
    w.offer(two, "TRUC-violation", "tx %s would have too many ancestors" % both(two))


@shared
def a_sibling_is_evicted_for_its_fees(w):
    parent = spend([w.coin()], 1000, count=3, version=3)
    first = spend(outs(parent)[:1], 1000, version=3)
    w.offer(parent)
    w.offer(first)
    poor = spend(outs(parent)[1:2], 999, version=3)
    w.offer(poor, "insufficient fee (including sibling eviction)", "rejecting replacement %s, less "
            "fees than conflicting txs; 0.00000999 < 0.00001" % name(poor))
    # One that spends the same is replaced as ever.
    w.offer(spend(outs(parent)[:2], 2000, version=3))
    verdict = w.offer(spend(outs(parent)[2:], 4000, version=3))
    equal(len(verdict["replaced"]), 1, "replaced")


@case
def a_sibling_s_eviction_obeys_the_diagram(w):
    parent = spend([w.coin()], 1000, count=3, version=3)
    w.offer(parent)
    w.offer(spend(outs(parent)[:1], 3000, version=3))
    big = spend(outs(parent)[1:2], 3500, version=3, size=990)
    w.offer(big, "replacement-failed", NO_BETTER)


@case
def truc_after_a_reorganisation(w):
    """What a block held comes back whatever BIP 431 says; then a sibling is evicted only from a
    family of two."""
    parent = spend([w.coin()], 1000, count=4, version=3)
    a, b = (spend([o], 1000, count=2, version=3) for o in outs(parent)[:2])
    far = spend([w.coin()], 1000, count=3, version=3)
    son = spend(outs(far)[:1], 1000, count=2, version=3)
    grandson = spend(outs(son)[:1], 1000, version=3)
    mixed = spend([w.coin()], 1000, count=2)
    odd = spend(outs(mixed)[:1], 1000, version=3, count=2)
    txs = [parent, a, b, far, son, grandson, mixed, odd]
    fork = w.tip
    w.mine(txs)
    w.branch(fork, [], [])
    w.waiting(*txs)
    third = spend(outs(parent)[2:3], 90000, version=3)
    w.offer(third, "TRUC-violation", "tx %s would exceed descendant count limit" % both(parent))
    late = spend(outs(far)[1:2], 90000, version=3)
    w.offer(late, "TRUC-violation", "tx %s would exceed descendant count limit" % both(far))
    # It takes the place of one that is a child; what it does not conflict with may stay.
    again = spend([outs(parent)[0], outs(parent)[2]], 90000, version=3)
    w.offer(again)
    more = spend(outs(odd)[1:], 1000, version=3)
    w.offer(more, "TRUC-violation", "tx %s would have too many ancestors" % both(more))
    w.waiting(parent, again, b, far, son, grandson, mixed, odd)


@case
def truc_in_packages(w):
    def refused(detail, *txs):
        verdict = w.package(*txs, verb="test")
        equal(told(verdict), "TRUC-violation, " + detail, "package")

    parent = spend([w.coin()], 1000, count=3, version=3)
    a, b = (spend([o], 1000, version=3) for o in outs(parent)[:2])
    refused("tx %s would exceed descendant count limit" % both(parent), parent, a, b)
    son = spend(outs(a), 1000, version=3)
    refused("tx %s would have too many ancestors" % both(son), parent, a, son)
    plain = spend(outs(parent)[:1], 1000)
    refused("non-version=3 tx %s cannot spend from version=3 tx %s" % (both(plain), both(parent)),
            parent, plain)
    other = spend([w.coin()], 1000)
    child = spend(outs(other), 1000, version=3)
    refused("version=3 tx %s cannot spend from non-version=3 tx %s" % (both(child), both(other)),
            other, child)
    big = spend(outs(parent)[:1], 9000, version=3, size=1001)
    refused("version=3 child tx %s is too big: 1001 > 1000 virtual bytes" % both(big), parent, big)
    # A parent of no fee with one child that pays: what BIP 431 is for.
    free = spend([w.coin()], 0, version=3)
    verdict = w.package(free, spend(outs(free), 1000, version=3))
    equal(verdict["valid"], True, told(verdict))
    # A sibling is evicted by one that can come alone, not for a package's sake.
    top = spend([w.coin()], 1000, count=4, version=3)
    first = spend(outs(top)[:1], 1000, version=3)
    w.offer(top)
    w.offer(first)
    second = spend(outs(top)[1:2], 5000, version=3)
    verdict = w.package(second, spend([w.coin()], 1000), verb="test")
    equal(told(verdict["txs"][0]), "TRUC-violation, tx %s would exceed descendant count limit"
          % both(top))
    verdict = w.package(top, second)
    equal([t["result"] for t in verdict["txs"]], ["duplicate", "accepted"])
    equal(verdict["txs"][1]["replaced"], [name(first)], "replaced")


# Ephemeral dust.


@case
def dust_is_swept_by_whoever_spends_its_parent(w):
    parent = spend([w.coin()], 0, count=2, to=[(100, TRUE)])
    w.offer(parent, "min relay fee not met", "0 < %d" % relay(vsize(parent)))
    one, two, dust = outs(parent)
    bad = spend([one], 1000)
    verdict = w.package(parent, bad)
    equal(told(verdict), "unspent-dust", "package")
    equal(told(verdict["txs"][1]), "missing-ephemeral-spends, tx %s did not spend parent's "
          "ephemeral dust" % both(bad))
    good = spend([one, dust], 1000)
    equal(w.package(parent, good)["valid"], True)
    # Another child would have to spend it, too, and so to replace the first.
    late = spend([two], 5000)
    w.offer(late, "missing-ephemeral-spends", "tx %s did not spend parent's ephemeral dust"
            % both(late))
    heir = spend([two, dust], 5000)
    equal(w.offer(heir)["replaced"], [name(good)], "replaced")
    # One that pays a fee may have no dust, in a package neither.
    rich = spend([w.coin()], 1, to=[(100, TRUE)])
    verdict = w.package(rich, spend(outs(rich), 1000))
    equal(told(verdict), "transaction failed")
    equal(told(verdict["txs"][0]), "dust, tx with dust output must be 0-fee")


@case
def dust_and_reorganisations(w):
    """Rules of fees and of TRUC are left out for what comes back; those of dust are not."""
    parent = spend([w.coin()], 0, count=3, to=[(100, TRUE)])
    one, two, three, dust = outs(parent)
    sweeper, other = spend([one, dust], 1000), spend([two], 1000)
    rich = spend([w.coin()], 5, to=[(100, TRUE)])
    heir = spend(outs(rich), 1000)
    dusty = spend([w.coin()], 0, to=[(100, TRUE), (100, TRUE)])
    fork = w.tip
    w.mine([parent, sweeper, other, rich, heir, dusty])
    last = spend([three], 2000)
    w.offer(last)
    w.events()
    w.branch(fork, [], [])
    # What waited stays, though it does not sweep: Core does not look at it again.
    w.waiting(parent, sweeper, last)
    equal(w.events(), [("accepted", name(parent), None), ("accepted", name(sweeper), None)],
          "events")
    more = spend(outs(last), 1000)
    w.offer(more)


# Packages.


@case
def a_package_replaces_as_parent_and_child_only(w):
    a, b, c = w.coin(), w.coin(), w.coin()
    first = spend([a], 1000)
    w.offer(first)

    def refused(error, detail, *txs):
        verdict = w.package(*txs)
        equal(told(verdict), ", ".join(filter(None, (error, detail))), "package")

    parent = spend([a], 0, count=2)
    other = spend([b], 0)
    child = spend([outs(parent)[0], outs(other)[0]], 50000)
    refused("package RBF failed: package must be 1-parent-1-child", "", parent, other, child)
    old = spend([c], 1000)
    w.offer(old)
    child = spend([outs(parent)[0], outs(old)[0]], 50000)
    refused("package RBF failed: new transaction cannot have mempool ancestors", "", parent, child)
    child = spend(outs(parent)[:1], 1000)
    size = vsize(parent) + vsize(child)
    refused("package RBF failed: insufficient anti-DoS fees",
            "rejecting replacement %s, not enough additional fees to relay; 0.00 < %s" % (
                name(child), amount(relay(size))), parent, child)
    child = spend(outs(parent)[:1], 900)
    refused("package RBF failed: insufficient anti-DoS fees", "rejecting replacement %s, less fees "
            "than conflicting txs; 0.000009 < 0.00001" % name(child), parent, child)
    # Its parent alone pays enough relay, not enough to replace; the child adds nothing.
    parent2 = spend([a], 1005)
    poor = spend(outs(parent2), 1005)
    rate = (2010 * 1000 // (vsize(parent2) + vsize(poor)), 1005 * 1000 // vsize(parent2))
    refused("package RBF failed: package feerate is less than or equal to parent feerate",
            "package feerate %s <= parent feerate is %s" % tuple(
                "0.%08d BTC/kvB" % r for r in rate), parent2, poor)
    big = spend(outs(parent)[:1], 1500, size=2000)
    refused("package RBF failed: " + NO_BETTER, "", parent, big)
    child = spend(outs(parent)[:1], 5000)
    verdict = w.package(parent, child)
    equal(verdict["valid"], True, told(verdict))
    equal([verdict["txs"][0].get("replaced"), verdict["txs"][1].get("replaced")],
          [[name(first)], None], "replaced")
    equal({t["effective_fee"] for t in verdict["txs"]}, {5000}, "effective fee")
    w.waiting(old, parent, child)


@case
def a_package_s_child_may_replace_too(w):
    """The conflict is the child's."""
    a, b = w.coin(), w.coin()
    first = spend([b], 1000)
    w.offer(first)
    parent = spend([a], 0)
    child = spend([outs(parent)[0], b], 500)
    verdict = w.package(parent, child)
    equal(told(verdict), "package RBF failed: insufficient anti-DoS fees, rejecting replacement "
          "%s, less fees than conflicting txs; 0.000005 < 0.00001" % name(child))
    child = spend([outs(parent)[0], b], 3000)
    equal(w.package(parent, child)["txs"][0]["replaced"], [name(first)], "replaced")
    w.waiting(parent, child)


@shared
def a_package_meets_what_waits(w):
    """Those that wait are not counted again; one with another witness stands for its twin."""
    script = b"\x75\x51"
    coin = odd_coins(w, p2wsh(script))[0]
    coin.witness = [b"a", script]
    twin = spend([coin], 1000)
    coin.witness = [b"b", script]
    other = spend([coin], 1000)
    equal(name(twin), name(other))
    w.offer(twin)
    child = spend(outs(twin), 1000)
    verdict = w.package(other, child)
    equal(verdict["valid"], True, told(verdict))
    equal([verdict["txs"][0].get("result"), verdict["txs"][0].get("detail")],
          ["duplicate", "other-wtxid " + wtxid(twin)])
    equal(verdict["txs"][1]["result"], "accepted")
    # All of it again.
    verdict = w.package(twin, child)
    equal([t["result"] for t in verdict["txs"]], ["duplicate"] * 2)
    # The fee of one that waits pays for no other: it was spent once.
    rich = spend([w.coin()], 50000)
    w.offer(rich)
    free = spend([w.coin()], 0)
    heir = spend(outs(rich) + outs(free), 5)
    verdict = w.package(rich, free, heir)
    equal(told(verdict), "transaction failed")
    size = vsize(free) + vsize(heir)
    equal([told(t) for t in verdict["txs"]],
          ["", "min relay fee not met, 0 < %d" % relay(vsize(free)),
           "min relay fee not met, 5 < %d" % relay(size)])


@case
def a_package_is_given_up_where_one_is_hopeless(w):
    """The others are judged by themselves all the same."""
    good, bad = spend([w.coin()], 1000), spend([w.coin()], 1000)
    bad.witness = [[b"\x52"]]
    free = spend([w.coin()], 0)
    child = spend(outs(good) + outs(bad) + outs(free), 9000)
    verdict = w.package(good, bad, free, child)
    equal(told(verdict), "transaction failed")
    equal([t["result"] for t in verdict["txs"]], ["accepted"] + ["refused"] * 3)
    equal([t.get("error") for t in verdict["txs"]][2:],
          ["min relay fee not met", "bad-txns-inputs-missingorspent"])
    w.waiting(good)


@case
def a_package_is_well_formed(w):
    a, b = w.coin(), w.coin()
    parent, rival = spend([a], 1000), spend([a], 2000)
    child = spend(outs(parent), 1000)
    for error, txs in (
            ("package-not-sorted", (child, parent)),
            ("package-contains-duplicates", (parent, parent)),
            ("conflict-in-package", (parent, rival)),
            ("package-not-child-with-parents", (parent, spend([b], 1000)))):
        verdict = w.package(*txs)
        equal(told(verdict), error)
        equal({t["error"] for t in verdict["txs"]}, {"package-not-validated"})
    many = [spend([w.coin()], 1000) for _ in range(25)]
    verdict = w.package(*many, spend([outs(t)[0] for t in many], 9000))
    equal(told(verdict), "package-too-many-transactions")
    top = spend([b], 90000, to=[(0, b"\x6a" + push(b"\0" * 60000))])
    verdict = w.package(top, spend([outs(top)[0]], 90000, to=[(0, b"\x6a" + push(b"\0" * 60000))]))
    equal(told(verdict), "package-too-large")
    # A test knows no replacement in packages.
    w.offer(parent)
    verdict = w.package(rival, spend([w.coin()], 1000), verb="test")
    equal([told(verdict), told(verdict["txs"][0])],
          ["transaction failed", "bip125-replacement-disallowed"])


# The mempool's size and age.

FULL = ["--policy", "maxmempool=1"]


def flood(w, rate, count=12, size=90000):
    """Big ones, each at its own rate, above `rate` sat/vB."""
    txs = []
    for i in range(count):
        txs.append(spend([w.coin()], (rate + i) * size, size=size))
        verdict = w.say({"type": "tx", "hex": txs[-1].bytes().hex()})
        equal(verdict["result"], "accepted", told(verdict))
    return txs


@case
def a_full_mempool_keeps_the_best(w):
    w.again(options=FULL)
    txs = flood(w, 1, count=15)
    # 11 of them fit into a million bytes.
    w.waiting(*txs[4:])
    removed = [e for e in w.events() if e[0] == "removed"]
    equal(removed, [("removed", name(tx), "sizelimit") for tx in txs[:4]], "events")
    # What the last one evicted paid, and 0.1 sat/vB more.
    least = 4 * 90000 * 1000 // vsize(txs[3]) + 100
    tx = spend([w.coin()], 200)
    wanted = -(-least * vsize(tx) // 1000)
    w.offer(tx, "mempool min fee not met", "200 < %d" % wanted)
    w.offer(spend([w.coin()], wanted - 1), "mempool min fee not met", "%d < %d" % (
        wanted - 1, wanted))
    equal(w.ask("mempool", "--stats")[0]["min_fee_rate"], least, "the minimum")
    w.offer(spend([w.coin()], wanted))
    # Enough for the minimum, and still the worst of all when there is no room for it.
    fat = spend([w.coin()], -(-least * 90000 // 1000) + 10, size=90000)
    verdict = w.say({"type": "tx", "hex": fat.bytes().hex()})
    equal(told(verdict), "mempool full")
    equal("replaced" in verdict, False, "replaced")


@case
def one_may_replace_and_find_no_room(w):
    """What it replaced is gone all the same."""
    w.again(options=FULL)
    coin = w.coin()
    old = spend([coin], 3 * 50000, size=50000)
    w.offer(old)
    rich = flood(w, 10, count=10)
    w.events()
    new = spend([coin], 4 * 99000, size=99000)
    verdict = w.say({"type": "tx", "hex": new.bytes().hex()})
    equal([told(verdict), verdict["result"], verdict["replaced"]],
          ["mempool full", "refused", [name(old)]])
    w.waiting(*rich)
    equal(w.events(), [("replaced", name(old), name(new)), ("accepted", name(new), None),
                       ("removed", name(new), "sizelimit")], "events")


@case
def a_full_mempool_and_packages(w):
    """The package's members are looked for when there is room again."""
    w.again(options=FULL)
    poor, rich = spend([w.coin()], 55000, size=55000), spend([w.coin()], 99 * 44000, size=44000)
    w.offer(poor)
    child = spend(outs(poor)[:1] + outs(rich)[:1], 200)
    flood(w, 10, count=10)
    w.events()
    # The last one comes in over the limit, and the worst chunk is what waited before it.
    verdict = w.package(poor, rich, child)
    equal(told(verdict), "transaction failed")
    equal([told(t) for t in verdict["txs"]], ["mempool full", "", "mempool full"])
    equal(w.events(), [("accepted", name(rich), None), ("accepted", name(child), None),
                       *[("removed", name(tx), "sizelimit") for tx in (poor, child)]], "events")


@case
def the_minimum_falls_after_a_block(w):
    w.again(options=FULL)
    flood(w, 20, count=12)
    rate = w.ask("mempool", "--stats")[0]["min_fee_rate"]
    equal(rate > 20000, True, "minimum")
    # It stays until a block has come.
    w.again(seconds=24 * 3600, options=FULL)
    equal(w.ask("mempool", "--stats", "--now", str(w.now))[0]["min_fee_rate"], rate)
    w.mine()
    w.again(seconds=12 * 3600)
    equal(w.ask("mempool", "--stats", "--now", str(w.now))[0]["min_fee_rate"], (rate + 1) // 2,
          "after 12 hours")
    # At half of the increment it is nothing.
    w.again(seconds=12 * 3600 * 9)
    equal(w.ask("mempool", "--stats", "--now", str(w.now))[0]["min_fee_rate"], 100)


@case
def the_old_leave_with_their_descendants(w):
    old = spend([w.coin()], 1000)
    w.offer(old)
    w.again(seconds=336 * 3600)
    child = spend(outs(old), 1000)
    w.offer(child)
    w.events()
    w.again(seconds=1)
    other = spend([w.coin()], 1000)
    verdict = w.say({"type": "tx", "hex": other.bytes().hex()})
    equal(told(verdict), "")
    w.waiting(other)
    equal(w.events(), [("accepted", name(other), None), ("removed", name(old), "expiry"),
                       ("removed", name(child), "expiry")], "events")


# Reorganisations.


@case
def locks_that_a_shorter_past_breaks(w):
    """By height, by time, and by a coin's age."""
    fork = w.tip
    parent = spend([w.coin()], 1000)
    w.mine([parent])
    for _ in range(8):
        w.mine(time=w.tip.time + 5000)
    by_time = spend([w.coin()], 1000, locktime=w.tip.mtp - 1, sequence=0xFFFFFFFE)
    by_age = spend(outs(parent), 1000, sequence=3)
    heir = spend(outs(by_age), 1000)
    old = w.coin()
    by_spans = spend([old], 1000, sequence=1 << 22 | 2)
    plain = spend([w.coin()], 1000, locktime=50, sequence=0)
    early = spend([w.coin()], 1000, locktime=w.tip.mtp - 1)  # final by its sequence
    for tx in by_time, by_age, heir, by_spans, plain, early:
        w.offer(tx)
    w.events()
    t = fork.mtp + 1
    w.branch(fork, *[[]] * 9, [parent], times=range(t, t + 10))
    w.waiting(plain, early)
    gone = [e for e in w.events() if e[0] == "removed"]
    equal(sorted(gone), sorted(("removed", name(tx), "reorg")
                               for tx in (by_time, by_age, heir, by_spans)), "events")


@case
def coinbases_that_are_not_ripe_any_more(w):
    w.mine()
    ripe = w.tip.ancestor(w.tip.height - 99)
    coin = outs(ripe.txs[0])[0]
    coin.script_sig, coin.witness = b"", []
    tx = Tx()
    tx.version = 2
    tx.vin, tx.witness = [[coin.txid, 0, b"", FINAL]], [[]]
    tx.vout = [[coin.value - 1000, TRUE]]
    w.offer(tx, "bad-txns-nonstandard-inputs", "input 0 script unknown")
    w.again(options=["--policy", "acceptnonstdtxn=1"])
    w.offer(tx)
    heir = spend(outs(tx), 1000)
    w.offer(heir)
    unripe = Tx(tx.bytes())
    after = outs(w.tip.ancestor(w.tip.height - 98).txs[0])[0]
    unripe.vin[0][0] = after.txid
    w.offer(unripe, "bad-txns-premature-spend-of-coinbase",
            "tried to spend coinbase at depth 99")
    w.events()
    tip = w.tip
    w.stop()
    equal(bb(w.folder, "invalidate", tip.name()).returncode, 0, "invalidate")
    w.tip = tip.parent
    w.start()
    w.waiting()
    equal(w.events(), [("removed", name(tx), "reorg"), ("removed", name(heir), "reorg")])


@case
def what_a_block_taken_back_paid_to_its_miner_is_gone(w):
    fork = w.tip
    block = w.mine(pay=TRUE)
    for _ in range(100):
        w.mine()
    tx = spend(outs(block.txs[0])[:1], 1000)
    heir = spend(outs(tx), 1000)
    w.offer(tx)
    w.offer(heir)
    w.events()
    w.branch(fork, *[[]] * 102)
    w.waiting()
    equal([e for e in w.events() if e[0] == "removed"],
          [("removed", name(tx), "reorg"), ("removed", name(heir), "reorg")], "events")


@case
def what_comes_back_is_free_of_fees_and_not_of_standards(w):
    """bypass_limits: neither the relay minimum nor TRUC; but forms, scripts, clusters."""
    fork = w.tip
    free, fifth = spend([w.coin()], 0), spend([w.coin()], 1000, version=5)
    chained, coin = [], w.coin()
    for _ in range(70):
        chained.append(spend([coin], 100))
        coin = outs(chained[-1])[0]
    heir = spend(outs(fifth), 1000)
    w.mine([free, fifth, *chained])
    w.offer(heir)
    w.events()
    w.branch(fork, [], [])
    w.waiting(free, *chained[:64])
    equal(("removed", name(heir), "reorg") in w.events(), True, "events")


@case
def a_family_too_large_for_what_comes_back(w):
    """A cluster of 64 waits on an output of a block that goes."""
    fork = w.tip
    top = spend([w.coin()], 5000)
    w.mine([top])
    txs = chain(w, outs(top)[0], 64)
    w.branch(fork, [], [])
    w.waiting(top, *txs[:63])


@shared
def rivals_that_are_mined_elsewhere(w):
    fork = w.tip
    a, b = w.coin(), w.coin()
    one, rival = spend([a], 1000), spend([a, b], 1000)
    child = spend(outs(one), 1000)
    w.mine([one])
    w.offer(child)
    w.events()
    w.branch(fork, [rival], [])
    w.waiting()
    equal(w.events(), [("removed", name(child), "reorg")], "events")
    # And back: what was refused is there again, with nobody to spend it.
    fork2 = w.tip
    waiting = spend(outs(rival), 1000)
    w.offer(waiting)
    w.mine([waiting])
    w.branch(fork2, [], [])
    w.waiting(waiting)


@case
def a_branch_that_fails_gives_back_what_it_held(w):
    fork = w.tip
    a, b = w.coin(), w.coin()
    one, two = spend([a], 1000), spend([b], 1000)
    bad = spend([w.coin()], 1000)
    bad.witness = [[b"\x52"]]
    w.mine([one])
    child = spend(outs(one), 1000)
    w.offer(child)
    first = w.block([two], fork)
    second = w.block([bad], first)
    w.give(first, "side")
    verdict = w.say({"type": "block", "hex": second.raw.hex()})
    equal(verdict["valid"], False, told(verdict))
    equal(w.ask("tip")[0]["id"], w.tip.name(), "tip")
    # Its own chain's transaction is mined still, and so its child waits.
    w.waiting(child, two)


# Blocks of what is known.


@case
def what_waits_is_not_known_with_another_witness(w):
    """A block's transaction is known by its wtxid."""
    tx = spend([w.coin()], 1000)
    w.offer(tx)
    spoilt = Tx(tx.bytes())
    spoilt.witness = [[b"\x00\x51"]]
    verdict = w.give(w.block([spoilt]), "refused")
    equal("block-script-verify-flag-failed" in verdict["error"], True, verdict["error"])
    w.waiting(tx)
    w.mine([tx])
    w.waiting()


@case
def what_waits_is_judged_again_by_all_but_its_scripts(w):
    """Ages, locks, maturity and amounts are the block's own."""
    fork = w.tip.ancestor(w.tip.height - 1)
    parent = spend([w.coin()], 1000)
    w.mine([parent])
    w.mine()
    aged = spend(outs(parent), 1000, sequence=2)
    high = spend([w.coin()], 1000, locktime=w.tip.height, sequence=0)
    w.offer(aged)
    w.offer(high)
    for txs, error in ([parent, aged], "bad-txns-nonfinal"), ([high], "bad-txns-nonfinal"):
        block = w.block(txs, fork)
        verdict = w.say({"type": "block", "hex": block.raw.hex()})
        if verdict["result"] == "side":
            at = block
            while verdict["result"] == "side":
                at = w.block([], at)
                verdict = w.say({"type": "block", "hex": at.raw.hex()})
        equal(told(verdict).split(",")[0] in (error, "bad-prevblk"), True, told(verdict))
    equal(w.ask("tip")[0]["id"], w.tip.name(), "tip")
    w.waiting(aged, high)
    w.mine([aged, high])
    w.waiting()


@shared
def a_block_s_rival_drives_out_a_family(w):
    a = w.coin()
    one = spend([a], 1000)
    child = spend(outs(one), 1000)
    w.offer(one)
    w.offer(child)
    w.events()
    w.mine([spend([a], 5)])
    w.waiting()
    equal(w.events(), [("removed", name(one), "conflict"), ("removed", name(child), "conflict")])


# Marks.


def mark_of(tx, coins, **more):
    text = b"".join(c.value.to_bytes(8, "little") + bytes([len(c.script)]) + c.script
                    for c in coins)
    return dict({"wtxid": wtxid(tx), "prevouts": sha256(text).hex(), "consensus": "OK",
                 "standard": "OK"}, **more)


@case
def marks_count_where_they_are_trusted(w):
    def offered(tx, mark):
        return w.say({"type": "tx", "hex": tx.bytes().hex(), "checked": mark})

    coin = w.coin()
    tx = spend([coin], 1000)
    tx.witness = [[b"\x52"]]
    failed = "mempool-script-verify-flag-failed (Witness program hash mismatch)"
    equal(offered(tx, mark_of(tx, [coin]))["error"], failed, "a mark that nobody trusts")
    w.again(options=["--trust-marks"])
    # Of other bytes, on other coins, of none, or of no consensus: it does not count.
    other, dear = spend([coin], 1000), Out(coin.txid, coin.vout, coin.value + 1)
    for mark in (mark_of(other, [coin]), mark_of(tx, [dear]), mark_of(tx, []),
                 mark_of(tx, [coin], consensus="EVAL_FALSE"), {}, [], "OK", None,
                 mark_of(tx, [coin], standard=1), mark_of(tx, [coin], prevouts="00"),
                 mark_of(tx, [coin], standard="dust")):
        equal(offered(tx, mark)["error"], failed, str(mark))
    # What the judge refused for its scripts is refused at once.
    good = spend([coin], 1000)
    equal(offered(good, mark_of(good, [coin], standard=failed))["error"], failed)
    equal(offered(good, mark_of(good, [coin]))["result"], "accepted")
    # A mark says nothing of fees, locks and conflicts.
    rival = spend([coin], 1001)
    equal(offered(rival, mark_of(rival, [coin]))["error"], "insufficient fee")


@case
def marks_of_peers_do_not_pass_the_judge(w):
    """bb-validate takes away what it did not find itself, and what it cannot reach does not
    count."""
    w.again(options=["--trust-marks"])
    coin = w.coin()
    tx = spend([coin], 1000)
    tx.witness = [[b"\x52"]]
    line = {"type": "tx", "hex": tx.bytes().hex(), "checked": mark_of(tx, [coin]),
            "prevouts": [{"scriptpubkey": TRUE.hex(), "value": coin.value}]}
    bare = {key: line[key] for key in ("type", "hex", "checked")}
    for hostile in (line, bare, {"type": "package", "txs": [line]},
                    {"type": "package", "txs": [bare], "checked": line["checked"]}):
        done = subprocess.run([os.path.join(BIN, "bb-validate"), "-n", "regtest", "--mark"],
                              input=json.dumps(hostile).encode(), stdout=subprocess.PIPE,
                              check=True)
        verdict = w.say(json.loads(done.stdout))
        equal(verdict.get("txs", [verdict])[0]["error"],
              "mempool-script-verify-flag-failed (Witness program hash mismatch)")
    w.waiting()


# Orphans.


@case
def orphans_wait_for_all_their_parents(w):
    a, b = (spend([w.coin()], 1000) for _ in range(2))
    child = spend(outs(a) + outs(b), 1000)
    heir = spend(outs(child), 1000)
    for tx in heir, child:
        w.offer(tx, "bad-txns-inputs-missingorspent", result="orphan")
    w.offer(a)
    w.waiting(a)
    w.offer(b)
    w.waiting(a, b, child, heir)
    # One whose parent is mined.
    top = spend([w.coin()], 1000)
    late = spend(outs(top), 1000)
    w.offer(late, "bad-txns-inputs-missingorspent", result="orphan")
    w.mine([top])
    w.waiting(a, b, child, heir, late)
    # A bad one is dropped when it is seen to be bad; it is no duplicate then.
    top = spend([w.coin()], 1000)
    bad = spend(outs(top), 1000)
    bad.witness = [[b"\x52"]]
    w.offer(bad, "bad-txns-inputs-missingorspent", result="orphan")
    w.offer(top)
    w.waiting(a, b, child, heir, late, top)


def run_shared(cookie, port):
    from rpc import Node

    class Judge:
        def __init__(self):
            self.node = Node(cookie, port)

        def call(self, method, params):
            return self.node.call(method, json.dumps(params))

    w = World(node=Judge())
    for function in SHARED.values():
        function(w)
    w.end()
    print("%d cases agree" % len(SHARED))


def main():
    if len(sys.argv) == 1:
        print("\n".join(CASES))
    elif sys.argv[1] == "--node":
        run_shared(*sys.argv[2:])
    else:
        w = World()
        CASES[sys.argv[1]](w)
        w.end()


if __name__ == "__main__":
    main()
