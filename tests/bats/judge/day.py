#!/usr/bin/env python3
"""day.py STEPS [SEED [OPTION...]]: a random day of a mempool; bb-chain's writers get the options.

Transactions of every kind come: chains of descendants, conflicts and replacements, dust, what is
not standard, what is not final, children before their parents, packages, bad signatures. Blocks
come: mined out of bb-chain's own templates, by others who have seen other transactions, and on
branches that take over. `bb-chain run` is stopped, and killed, and goes on.

After each branch that took over, what was in blocks that are abandoned waits again, or is mined
again, or is impossible. And every few steps:
- the events tell what waits, one by one;
- a fresh store that has seen nothing but the active chain takes in what waits, all of it;
- every input of what waits is valid, and nothing of it is left unjudged;
- templates are blocks that connect, in which nobody rides for nothing."""

import json
import os
import random
import subprocess
import sys

import build
from bitcoin import Reader, Tx, sha256d
from build import Builder, Coin
from crash import bb
from harness import BIN, Table
from live import Live
from scripts import kinds

# Of a thousand steps so many at least are what a day is made of, or it has tested nothing.
LEAST = {
    "accepted": 200, "refused": 250, "orphan": 15, "replacing": 5, "package accepted": 12,
    "package refused": 15, "reorganisations": 10, "blocks from templates": 10,
    "transactions in them": 100, "blocks of others": 4, "restarts": 1, "looked at": 80,
}
CHECKED = 60  # steps between two looks at everything
MISSING = "bad-txns-inputs-missingorspent"
NOW = build.GENESIS_TIME + 10**8
PLAIN = {
    "p2pk", "p2pkh", "multisig", "p2sh multisig", "p2sh p2pkh", "p2wpkh", "p2sh-p2wpkh",
    "p2wsh pk", "p2wsh multisig", "p2wsh csv", "p2wsh cltv", "p2sh csv", "p2sh cltv",
    "p2tr key", "p2tr key, tree", "p2tr leaf", "p2tr csv", "p2tr cltv", "p2tr checksigadd",
}


def name(tx):
    return tx.txid()[::-1].hex()


class DayBuilder(Builder):
    """Pays mostly to what is standard, and signs as nodes relay it."""

    versions = (2,) * 30 + (3,) * 4 + (0x7FFFFFFF,)
    tidy = True

    def lock(self, sunk=True):
        while True:
            lock = self.rng.choice(kinds(self.rng, self.root.time))
            if lock.kind in PLAIN or self.rng.random() < 0.02:
                self.locks[lock.script] = lock
                return lock.script

    def outputs(self, total):
        rng, count = self.rng, self.rng.choice((1, 1, 2, 2, 3, 8))
        if total < 2000 * count:
            return [[total, self.lock()]]
        cuts = sorted(rng.randrange(total) for _ in range(count - 1))
        return [[high - low, self.lock()] for low, high in zip([0, *cuts], [*cuts, total])]


class Ledger:
    """A store, and its live writer."""

    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.start()

    def start(self):
        self.live = Live(self.folder, *self.options)

    def say(self, line):
        return self.live.say(line)

    def lines(self, *verb, **more):
        done = bb(self.folder, *verb, **more)
        if done.returncode > 1:
            raise RuntimeError("bb-chain %s: %d" % (verb[0], done.returncode))
        return [json.loads(line) for line in done.stdout.splitlines()]


class Day:
    def __init__(self, table, rng, options):
        self.table, self.rng, self.options = table, rng, options
        self.small = any("limitcluster" in option for option in options)
        self.builder = DayBuilder(rng)
        self.ledger = Ledger("day", options)
        self.tip = self.builder.root
        self.seen = {}  # txid, display order -> Tx: everything that was ever accepted or mined
        self.coins = {}  # outputs of what waits, as far as we know, by outpoint
        self.spent = set()  # outpoints that what waits spends
        self.late = []  # transactions held back: their children came first
        self.back = set()  # of blocks that were taken back
        self.helped = set()  # who came in a package
        self.abandoned = {}  # of blocks that a branch took over from
        self.since, self.waiting = 0, set()
        self.count = {}
        for _ in range(130):
            self.mined(self.builder.grow(self.tip, 2))

    def tally(self, what, more=1):
        self.count[what] = self.count.get(what, 0) + more

    # Blocks.

    def mined(self, block):
        verdict = self.ledger.say({"type": "block", "hex": block.raw.hex()})
        self.table.check(verdict["result"] == "connected",
                         "a good block is %s: %s" % (verdict["result"], verdict.get("error")))
        self.move(block)

    def move(self, block):
        """The active chain's new tip; what is left of the old branch is abandoned."""
        at, new = self.tip, block
        while at is not new:
            if new.height >= at.height:
                self.seen.update((name(tx), tx) for tx in new.txs[1:])
                new = new.parent
            else:
                self.abandoned.update((name(tx), tx) for tx in at.txs[1:])
                self.back.update(name(tx) for tx in at.txs[1:])
                at = at.parent
        self.tip = block
        self.builder.view.move(block)

    def from_template(self):
        """A block as bb-mine makes it of bb-chain's template; into the model too."""
        template = self.ledger.lines("template", "--now", str(NOW))[0]
        self.profitable(template)
        done = subprocess.run([os.path.join(BIN, "bb-mine"), "--to", "51"],
                              input=json.dumps(template).encode(), stdout=subprocess.PIPE,
                              check=True)
        raw = bytes.fromhex(json.loads(done.stdout)["hex"])
        self.tally("blocks from templates")
        self.tally("transactions in them", len(template["transactions"]))
        self.mined(self.parse(raw))
        self.listed()

    def parse(self, raw):
        reader = Reader(raw[80:])
        txs = []
        for _ in range(reader.compact()):
            tx = Tx()
            tx.read(reader)
            txs.append(tx)
        time, bits = (int.from_bytes(raw[i:i + 4], "little") for i in (68, 72))
        return build.Block(self.tip, sha256d(raw[:80]), time, bits, raw, txs)

    def profitable(self, template):
        """No transaction is there but pays, itself or by those that need it."""
        txs = template["transactions"]
        pays = [tx["fee"] for tx in txs]
        needs = [set() for _ in txs]
        for i in reversed(range(len(txs))):
            for parent in txs[i]["depends"]:
                needs[parent - 1] |= {i} | needs[i]
        for i, tx in enumerate(txs):
            self.table.check(pays[i] + sum(pays[k] for k in needs[i]) > 0,
                             "rides for nothing: " + tx["txid"])
            self.table.check(all(p <= i for p in tx["depends"]), "a child before its parent")

    def foreign(self, parent, known):
        """Somebody else's block: some of what waits, and transactions we have never seen."""
        draft = self.builder.draft(parent)
        self.builder.view.move(parent)
        # Its size must stay small: a random part of those given.
        view, own = self.builder.view.coins, {}
        spent = set()
        for tx in known:
            coins = [view.get((v[0], v[1])) or own.get((v[0], v[1])) for v in tx.vin]
            keys = {(v[0], v[1]) for v in tx.vin}
            if not all(coins) or keys & spent or not self.may(tx, coins, draft):
                continue
            spent |= keys
            fee = sum(c.value for c in coins) - sum(o[0] for o in tx.vout)
            draft.add(tx, fee)
            txid = tx.txid()
            for i, (value, script) in enumerate(tx.vout):
                own[txid, i] = Coin(txid, i, value, script, draft.height, False, draft.mtp)
        keys = [k for k in view if k not in spent]
        for _ in range(self.rng.choice((0, 1, 3)) if keys else 0):
            coins = self.builder.gather(keys, spent, draft.height, draft.mtp)
            if coins:
                tx, fee = self.builder.spend(coins, draft.height, draft.mtp)
                draft.add(tx, fee)
        block = draft.block()
        self.builder.view.move(self.tip)
        return block

    @staticmethod
    def may(tx, coins, draft):
        return build.is_final(tx, draft.height, draft.mtp) and all(
            build.is_mature(c, draft.height, 100)
            and (tx.version < 2 or build.age(v[3], c, draft.height, draft.mtp))
            for v, c in zip(tx.vin, coins))

    def listed(self):
        """What waits; and that its outputs are what is to be spent next."""
        waiting = [self.seen[tx["txid"]] for tx in self.ledger.lines("mempool", "--full")]
        self.coins, self.spent = {}, set()
        for tx in waiting:
            self.accepted(tx)
        return waiting

    def foreign_block(self):
        known = [tx for tx in self.listed() if self.rng.random() < 0.5]
        self.tally("blocks of others")
        self.mined(self.foreign(self.tip, known))
        self.listed()

    def branch(self):
        """Another branch takes over, with some of what the old one held, and some of what waits."""
        depth = self.rng.choice((1, 1, 1, 2, 3, 6))
        at, old, blocks = self.tip, [], []
        for _ in range(depth):
            old = at.txs[1:] + old
            at = at.parent
        known = [tx for tx in old + self.listed() if self.rng.random() < 0.6]
        for _ in range(depth + 1):
            block = self.foreign(at, known)
            mined = {tx.txid() for tx in block.txs}
            known = [tx for tx in known if tx.txid() not in mined]
            blocks.append(block)
            at = block
        for block in blocks[:-1]:
            verdict = self.ledger.say({"type": "block", "hex": block.raw.hex()})
            self.table.equal(verdict["result"], "side", "a branch's block")
        self.tally("reorganisations")
        self.mined(blocks[-1])
        self.lost({name(tx) for tx in self.listed()})

    # Transactions.

    def spendable(self):
        """A coin of the chain, an output of what waits, or one that is spent already."""
        rng, height, mtp = self.rng, self.tip.height + 1, self.tip.mtp
        for _ in range(30):
            source = self.coins if self.coins and rng.random() < 0.6 else self.builder.view.coins
            coin = source[rng.choice(list(source))]
            lock = self.builder.locks.get(coin.script)
            if not lock or coin.value < 1000:
                continue
            if self.builder.ready(coin, height, mtp) or rng.random() < 0.03:
                return coin
        return None

    def make(self):
        rng, height, mtp = self.rng, self.tip.height + 1, self.tip.mtp
        coins = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            coin = self.spendable()
            if coin and all((coin.txid, coin.vout) != (c.txid, c.vout) for c in coins):
                coins.append(coin)
        times = {(self.builder.locks[c.script].locktime or 0) >= 500000000 for c in coins
                 if self.builder.locks[c.script].locktime is not None}
        if not coins or len(times) > 1:
            return None
        total = sum(c.value for c in coins)
        rate = rng.choice((0, 0.05, 0.1, 0.2, 1, 1, 2, 3, 5, 10, 30, 100))
        if any((c.txid, c.vout) in self.spent for c in coins):
            rate *= rng.choice((1, 10, 100))
        fee = min(total, int(rate * 180 * len(coins)))
        out = None
        kind = rng.random()
        if kind < 0.03:
            out = [[total - fee - 200 if total > fee + 200 else 0, self.builder.lock()],
                   [min(200, total), self.builder.lock()]]
        elif kind < 0.05:
            out = [[total - fee, b"\x61\x61"]]
        elif kind < 0.08:
            out = [[total - fee, self.builder.lock()], [0, b"\x6a\x04data"]]
        elif kind < 0.10:
            fee, out = 0, [[total, self.builder.lock()], [0, bytes.fromhex("51024e73")]]
        tx, _ = self.builder.spend(coins, height, mtp, out, fee)
        if rng.random() < 0.03 and tx.witness[0] and tx.witness[0][0]:
            spoilt = bytearray(tx.witness[0][0])
            spoilt[-2 if len(spoilt) > 1 else 0] ^= 1
            tx.witness[0][0] = bytes(spoilt)
        if rng.random() < 0.02:
            tx.locktime = height + rng.choice((0, 5))
            tx.vin[0][3] = 0xFFFFFFFE
        return tx

    def accepted(self, tx):
        txid = tx.txid()
        self.seen[name(tx)] = tx
        for i, (value, script) in enumerate(tx.vout):
            self.coins[txid, i] = Coin(txid, i, value, script, self.tip.height + 1, False,
                                       self.tip.mtp)
        for vin in tx.vin:
            self.spent.add((vin[0], vin[1]))
            # Now and then it is spent again.
            if self.rng.random() < 0.8:
                self.coins.pop((vin[0], vin[1]), None)

    def offer(self, tx):
        verdict = self.ledger.say({"type": "tx", "hex": tx.bytes().hex()})
        self.table.equal(verdict["id"], name(tx), "id")
        self.tally(verdict["result"])
        if verdict.get("replaced"):
            self.tally("replacing")
        if "error" in verdict:
            self.tally("  " + verdict["error"])
        if verdict["result"] == "accepted":
            self.accepted(tx)
        elif verdict["result"] == "orphan":
            self.seen[verdict["id"]] = tx

    def transaction(self):
        tx = self.make()
        if not tx:
            return
        if self.rng.random() < 0.05:
            # Its child comes first.
            self.accepted(tx)
            self.late.append(tx)
            return
        self.offer(tx)
        if self.late and self.rng.random() < 0.3:
            self.offer(self.late.pop(0))

    def package(self):
        parent, child = self.make(), None
        if not parent:
            return
        rng, height, mtp = self.rng, self.tip.height + 1, self.tip.mtp
        txid = parent.txid()
        outs = [Coin(txid, i, v, s, height, False, mtp) for i, (v, s) in enumerate(parent.vout)]
        outs = [c for c in outs if c.script in self.builder.locks and c.value > 1000
                and self.builder.ready(c, height, mtp)]
        if not outs:
            return
        child, _ = self.builder.spend(outs[:1], height, mtp, None,
                                      min(outs[0].value, rng.choice((100, 1000, 10000))))
        verdict = self.ledger.say({"type": "package", "txs": [
            {"type": "tx", "hex": tx.bytes().hex()} for tx in (parent, child)]})
        self.tally("package " + verdict["result"])
        if "error" in verdict:
            self.tally("  package: " + verdict["error"])
        for tx, result in zip((parent, child), verdict["txs"]):
            if result["valid"]:
                self.helped.add(result["id"])
                self.accepted(tx)

    # Looking.

    def look(self):
        table, ledger = self.table, self.ledger
        waiting = ledger.lines("mempool", "--full")
        names = {tx["txid"] for tx in waiting}
        for event in ledger.lines("events", "--since", str(self.since)):
            self.since = event["seq"]
            if event["event"] == "accepted":
                table.check(event["txid"] not in self.waiting, "accepted twice")
                self.waiting.add(event["txid"])
            elif event["event"] in ("removed", "replaced"):
                table.check(event["txid"] in self.waiting, "left, and was not there")
                self.waiting.discard(event["txid"])
        table.equal(sorted(self.waiting ^ names), [], "what waits, and what the events tell")
        self.again(waiting)
        self.valid()
        table.equal(ledger.lines("verify")[0]["valid"], True, "verify")
        self.tally("looked at", len(waiting))

    def again(self, waiting):
        """A fresh node with the same chain, given the same lines, holds the same."""
        folder = "fresh"
        subprocess.run(["rm", "-rf", folder], check=True)
        bb(folder, "add", *self.options, input=bb(self.ledger.folder, "blocks").stdout)
        done = bb(folder, "add", *self.options, input=self.offers().encode())
        verdicts = []
        for line in done.stdout.splitlines():
            verdict = json.loads(line)
            verdicts += verdict.get("txs", [verdict])
        self.table.equal(len(verdicts), len(waiting), "lines")
        free = set()
        for verdict in verdicts:
            # What a block held that is taken back pays whatever it pays, and may be of any
            # family; who paid for a parent may be gone. Then their children wait, too.
            parents = {v[0][::-1].hex() for v in self.seen[verdict["id"]].vin}
            mine, error = {verdict["id"]}, verdict.get("error")
            if (error == "min relay fee not met" and (mine | parents) & (self.back | self.helped)
                    or error == "TRUC-violation" and (mine | parents) & self.back
                    or error in (MISSING, "package-not-validated") and parents & free):
                free.add(verdict["id"])
            else:
                self.table.check(verdict["result"] == "accepted", "a fresh node says %s: %s, %s"
                                 % (verdict["result"], verdict.get("error"),
                                    verdict.get("detail")))
        self.tally("came back for less than the least", len(free))
        if not free:
            ours, fresh = (json.loads(bb(f, "mempool", "--stats").stdout)
                           for f in (self.ledger.folder, folder))
            for key in ("count", "vsize", "fee", "histogram"):
                self.table.equal(ours[key], fresh[key], "mempool's " + key)

    def offers(self):
        """What waits as lines for another node: what a child pays for goes with it."""
        left, low, lines = {}, set(), []
        for tx in self.ledger.lines("mempool"):
            mine = Tx(bytes.fromhex(tx["hex"]))
            left[name(mine)] = mine, tx["fee"]
            if tx["fee"] * 10 < tx["vsize"]:
                low.add(name(mine))
        needs = {txid: {v[0][::-1].hex() for v in tx.vin} & set(left)
                 for txid, (tx, _) in left.items()}

        def offer(*txids):
            txs = [{"type": "tx", "hex": left.pop(txid)[0].bytes().hex()} for txid in txids]
            lines.append(txs[0] if len(txs) == 1 else {"type": "package", "txs": txs})

        while left:
            ready = [txid for txid in left if not needs[txid] & left.keys()]
            payers = [txid for txid in left if txid not in low
                      and needs[txid] & left.keys() <= low & set(ready)]
            alone = [txid for txid in ready if txid not in low]
            if alone:
                offer(alone[0])
            elif payers:
                best = max(payers, key=lambda txid: left[txid][1])
                offer(*needs[best] & left.keys(), best)
            else:
                offer(ready[0])
        return "".join(json.dumps(line) + "\n" for line in lines)

    def valid(self):
        judged = subprocess.run([os.path.join(BIN, "bb-validate"), "--verdict"],
                                input=bb(self.ledger.folder, "mempool").stdout,
                                stdout=subprocess.PIPE, check=False)
        for line in judged.stdout.splitlines():
            verdict = json.loads(line)
            self.table.check(verdict["valid"] and "unjudged" not in verdict,
                             "bb-validate: " + line.decode()[:200])

    def lost(self, names):
        """Of abandoned blocks: mined again, waiting, or impossible."""
        active, at = set(), self.tip
        while at:
            active |= {name(tx) for tx in at.txs}
            at = at.parent
        gone = {txid: tx for txid, tx in self.abandoned.items()
                if txid not in active and txid not in names}
        lines = "".join(json.dumps({"type": "tx", "hex": tx.bytes().hex()}) + "\n"
                        for tx in gone.values())
        done = bb(self.ledger.folder, "test", *self.options, input=lines.encode())
        for line in done.stdout.splitlines():
            verdict = json.loads(line)
            # Or it would have to take the place of another that came back; and where clusters
            # are small, one may have been full until somebody left it who could not stay.
            self.table.check(not verdict["valid"] or verdict.get("replaced") or self.small,
                             "lost: " + verdict["id"])
            self.tally("  abandoned: " + verdict.get("error", "replacing another"))
        self.abandoned = {}

    def restart(self):
        self.ledger.live.end(kill=self.rng.random() < 0.5)
        self.ledger.start()
        self.tally("restarts")

    def step(self, n):
        self.table.row("step %d" % n)
        what = self.rng.random()
        if what < 0.84:
            self.transaction()
        elif what < 0.92:
            self.package()
        elif what < 0.945:
            self.from_template()
        elif what < 0.96:
            self.foreign_block()
        elif what < 0.985:
            self.branch()
        elif what < 0.99:
            self.restart()
        if n % CHECKED == 0:
            self.look()


def main():
    steps = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    print("seed %d" % seed)
    table = Table("a random day")
    day = Day(table, random.Random(seed), ["--now", str(NOW), *sys.argv[3:]])
    for n in range(1, steps + 1):
        day.step(n)
    day.look()
    day.ledger.live.end()
    table.row("enough of everything")
    for what, count in sorted(day.count.items()):
        print("%7d %s" % (count, what))
    for what, least in LEAST.items():
        count = day.count.get(what, 0)
        table.check(count >= least * steps // 1000, "%d %s" % (count, what))
    table.end()
    sys.exit(bool(Table.failed))


if __name__ == "__main__":
    main()
