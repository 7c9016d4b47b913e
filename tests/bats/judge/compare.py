#!/usr/bin/env python3
"""compare.py COOKIE PORT: the same blocks to a real node on regtest and to bb-chain, one by
one; after each, the same answer, the same tip, the same reason."""

import argparse
import glob
import json
import os
import random
import select
import subprocess
import sys

import build
import mutations
from build import Builder
from harness import BIN, Table
from mutations import TRUE, Case, Reserve, Rule
from rpc import Node

MAGIC = bytes.fromhex("fabfb5da")
KEY = bytes.fromhex("fa01bf02b503da04")
NOW = build.GENESIS_TIME + 10**8
PATIENCE = 60  # seconds to wait for a verdict
CHECKED = 200  # submissions between two looks at the coins

# Each known difference: what the judge (Knots 29.4.3, by submitblock) says for what Core 31's
# validation says. Any other difference fails.
WORDS = (
    ("mandatory-script-verify-flag-failed", "block-script-verify-flag-failed"),
    ("(unknown error)", "(Script number overflowed or is non-minimally encoded)"),
    ("(Public key is neither compressed or uncompressed)", "(Empty public key in tapscript)"),
)
# Its words for results of the ledger that are no reasons. It forgets orphans at once.
RESULTS = {None: "connected", "duplicate": "duplicate", "inconclusive": "side",
           "prev-blk-not-found": "orphan"}
# It says "inconclusive" too when the branch is found invalid further down: the block is doomed.
DOOMED = "inconclusive", "bad-prevblk", "duplicate-invalid"
# By a rule's label.
OTHERS = ["Block decode failed", "bad-version-sha256d"]
JUDGES_OWN = {
    # It takes negative versions for something of its own.
    "version 0x80000000": (OTHERS, "bad-version(0x80000000)"),
    "version 0xffffffff": (OTHERS, "bad-version(0xffffffff)"),
    # Its RPC adds a missing witness nonce by itself; the commitment is wrong besides.
    "no witness": (["bad-witness-merkle-match"], "bad-witness-nonce-size"),
}


# Rules that bind from a height on, by their reasons or labels.
YOUNG = ("bad-version(0x0000", "bad-cb-height", "nonfinal", "Dummy", "DER", "Locktime",
         "Negative locktime", "witness-", "unexpected-witness", "Witness")
ACTIVATION = {"bip34": 230, "dersig": 240, "cltv": 250, "csv": 260, "segwit": 270}


def core31(answer, label):
    """What Core 31 would have said."""
    own = JUDGES_OWN.get(label.removesuffix(", again"))
    if own and answer in own[0]:
        return own[1]
    for words in WORDS:
        answer = answer and answer.replace(*words)
    return answer


class Ledger:
    """One long-lived `bb-chain add`, and others beside it."""

    def __init__(self, folder, network):
        self.base = [os.path.join(BIN, "bb-chain"), "-n", network, "-d", folder]
        self.now, self.process = NOW, None
        self.lines, self.verdicts = [open(folder + end, "wb")
                                     for end in (".lines", ".verdicts")]
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.base + ["add", "--now", str(self.now)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.read()
        return self.process.wait()

    def add(self, line):
        text = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        self.lines.write(text)
        self.lines.flush()
        self.process.stdin.write(text)
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            self.process.kill()
            raise RuntimeError("bb-chain add gave no verdict")
        answer = self.process.stdout.readline()
        if not answer.endswith(b"\n"):
            raise RuntimeError("bb-chain add ended: %s" % self.process.wait())
        self.verdicts.write(answer)
        return json.loads(answer)

    def ask(self, *verb):
        done = subprocess.run(self.base + list(verb), stdout=subprocess.PIPE, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError("bb-chain %s: status %d" % (" ".join(verb), done.returncode))
        return [json.loads(line) for line in done.stdout.splitlines()]


class Judges:
    """Both of them, and what they know."""

    def __init__(self, table, node, ledger):
        self.table, self.node, self.ledger = table, node, ledger
        root = build.genesis()
        self.blocks, self.tip, self.orphans = {root.id: root}, root, {}
        self.answers = {}  # the node's, counted

    def call(self, method, *params):
        """The result, or the error's message as if it were a reason."""
        result, error = self.node.call(method, json.dumps(params))
        return result if error is None else error["message"]

    def best(self):
        return self.blocks[bytes.fromhex(self.call("getbestblockhash"))[::-1]]

    def submit(self, block, label):
        """Give a block to both. Returns the node's answer."""
        self.table.row(label)
        answer = self.call("submitblock", block.raw.hex())
        verdict = self.ledger.add({"type": "block", "hex": block.raw.hex()})
        self.answers[answer] = self.answers.get(answer, 0) + 1
        self.compare(answer, verdict, label, block)
        if answer in (None, "inconclusive"):
            self.blocks.setdefault(block.id, block)
            self.call_orphans(block)
        elif answer == "prev-blk-not-found":
            self.orphans.setdefault(block.parent.id, []).append(block)
        self.same_tip(verdict)
        return answer

    def header(self, block, label):
        self.table.row(label)
        error = self.call("submitheader", block.raw[:80].hex())
        verdict = self.ledger.add({"type": "header", "hex": block.raw[:80].hex()})
        if error is not None and error.startswith("Must submit previous header"):
            error = "prev-blk-not-found"
        if error is None:
            self.table.check(verdict["valid"] and verdict["result"] in ("accepted", "duplicate"),
                             "the node takes the header, bb-chain says %s" % told(verdict))
        else:
            self.compare(error, verdict, label, block)
        self.same_tip(verdict)
        return error

    def compare(self, answer, verdict, label, block):
        check = self.table.check
        note = "the node says %s, bb-chain %s" % (answer, told(verdict))
        if answer == DOOMED[0] and verdict.get("error") == DOOMED[1]:
            again = self.call("submitblock", block.raw.hex())
            check(again == DOOMED[2], note + ", and then %s" % again)
        elif answer in RESULTS:
            check(verdict["valid"] and verdict["result"] == RESULTS[answer], note)
        else:
            check(not verdict["valid"] and verdict["result"] == "refused"
                  and verdict["error"] == core31(answer, label), note)

    def call_orphans(self, block):
        """bb-chain keeps orphans, the node does not: give it those that had to wait."""
        for child in self.orphans.pop(block.id, []):
            if self.call("submitblock", child.raw.hex()) in (None, "inconclusive"):
                self.blocks[child.id] = child
                self.call_orphans(child)

    def same_tip(self, verdict):
        self.tip = self.best()
        self.table.check(
            (verdict["tip"], verdict["height"]) == (self.tip.name(), self.tip.height),
            "the node's tip is %s at %d, bb-chain's %s at %s"
            % (self.tip.name(), self.tip.height, verdict["tip"], verdict["height"]))
        at = self.tip
        while at and at.doubtful:
            at.doubtful = False
            at = at.parent

    def same_coins(self):
        """The coins' hashes, their number and sum, and every branch."""
        self.table.row("coins and branches at height %d" % self.tip.height)
        for option, kind in (("--hash", "hash_serialized_3"), ("--muhash", "muhash")):
            node, ours = self.call("gettxoutsetinfo", kind), self.ledger.ask("coins", option)[0]
            self.table.equal(
                (ours["id"], ours["height"], ours[option[2:]], ours["count"], ours["txs"],
                 ours["value"]),
                (node["bestblock"], node["height"], node[kind], node["txouts"],
                 node["transactions"], round(node["total_amount"] * build.COIN)), "coins")
        node = {(t["hash"], t["height"], t["branchlen"], t["status"])
                for t in self.call("getchaintips")}
        ours = {(t["id"], t["height"], t["branch_length"], t["status"])
                for t in self.ledger.ask("tips")}
        self.table.check(node == ours, "branches: only the node's %s, only bb-chain's %s"
                         % (sorted(node - ours)[:3], sorted(ours - node)[:3]))


def told(verdict):
    return "%s %s (%s)" % (verdict.get("result"), verdict.get("error", ""),
                           verdict.get("detail", ""))


class Walk:
    """A walk through everything that may happen to a chain."""

    def __init__(self, judges, rng):
        self.judges, self.rng = judges, rng
        self.builder, self.reserve = Builder(rng), Reserve()
        self.funded, self.leaves, self.refused = -1000, [], []
        self.rules = list(mutations.all_rules(NOW))
        self.mixing = [rule for rule in self.rules if rule.mixes] + 40 * [
            Rule(None, "tampered", mutations.tamper)]

    def tip(self):
        return self.judges.tip

    def grow(self, count, txs=2):
        for _ in range(count):
            answer = self.judges.submit(self.builder.grow(self.tip(), txs), "a valid block")
            if answer is not None:
                raise RuntimeError("the node does not take a valid block: %s" % answer)

    def fund(self):
        """A block that pays the reserve, and some on top that it may ripen."""
        builder, out = self.builder, [list(o) for o in self.reserve.scripts()]
        need = sum(value for value, _ in out)
        while sum(coin.value for coin in self.spendable()) < need:
            self.grow(1)
        taken, total = [], 0
        for coin in sorted(self.spendable(), key=lambda c: -c.value):
            if total < need:
                taken.append(coin)
                total += coin.value
        out.append([total - need, builder.lock(False)])
        draft = builder.draft(self.tip())
        tx, _ = builder.spend(taken, draft.height, draft.mtp, out, 0)
        draft.add(tx)
        self.reserve.note(tx)
        self.judges.table.equal(self.judges.submit(draft.block(), "the reserve"), None,
                                "the reserve")
        self.funded = self.tip().height
        self.grow(10)

    def spendable(self):
        builder, tip = self.builder, self.tip()
        builder.view.move(tip)
        return [c for c in builder.view.coins.values()
                if builder.ready(c, tip.height + 1, tip.mtp)
                and builder.locks[c.script].locktime is None]

    def case(self, parent, txs):
        draft = self.builder.draft(parent)
        self.builder.view.move(parent)
        if txs:
            self.builder.fill(draft, txs)
        return Case(self.builder, self.reserve, draft)

    def rule(self, rule):
        """One rule broken on top of the tip: its reason; the same again; its child; and, where
        the header has a right body, that. Nothing else may have been held against it."""
        case = self.case(self.tip(), self.rng.choice((0, 2)) if rule.mixes else 0)
        rule.change(case)
        block = case.draft.block()
        block.doubtful = True
        answer = self.judges.submit(block, rule.label)
        self.judges.table.equal(core31(answer, rule.label), rule.reason, "what the node says")
        self.judges.submit(block, rule.label + ", again")
        if answer is None:
            return
        self.refused.append(block)
        if self.rng.random() < 0.5:
            self.judges.submit(self.bare(block), "the child of one refused: " + rule.label)
        if rule.repair:
            rule.repair(case)
            good = case.draft.block()
            assert good.id == block.id
            block.raw, block.txs = good.raw, good.txs
            self.judges.table.equal(self.judges.submit(block, rule.label + ", repaired"), None,
                                    "the right body")

    def bare(self, parent):
        """A block on one whose coins we do not know."""
        draft = self.builder.draft(parent)
        draft.pay, draft.commit = [(None, TRUE)], None
        block = draft.block()
        block.doubtful = True
        return block

    def all_rules(self):
        for rule in self.rules:
            if self.tip().height - self.funded > 60:
                self.fund()
            self.rule(rule)
            if self.rng.random() < 0.1:
                self.grow(1)

    def on(self, parent, txs):
        return self.bare(parent) if parent.doubtful else self.builder.grow(parent, txs)

    def mixed(self, parent):
        """Up to three rules broken in one block: which is found first is the order of checks."""
        case = self.case(parent, 3)
        scripts, broken = 0, []
        for rule in self.rng.sample(self.mixing, self.rng.choice((1, 2, 2, 3))):
            by_script = rule.label in mutations.ERRORS or rule.label == "tampered"
            if by_script and scripts:
                continue  # which script fails first is up to the node's threads
            scripts += by_script
            try:
                rule.change(case)
            except LookupError:
                continue  # its coins have been spent on this branch
            broken.append(rule.label)
        block = case.draft.block()
        block.doubtful, block.broken = True, " + ".join(broken)
        return block

    def side(self):
        """Somewhere to branch off: near the tip, or from a branch that is there."""
        tip = self.tip()
        if self.leaves and self.rng.random() < 0.6:
            leaf = self.rng.choice(self.leaves[-8:])
            if leaf.height > tip.height - 12:
                return leaf
        return tip.ancestor(max(1, tip.height - self.rng.randrange(1, 7)))

    def step(self):
        judges, rng, tip = self.judges, self.rng, self.tip()
        kind = rng.random()
        if kind < 0.35:
            self.grow(1, 3)
        elif kind < 0.65:
            block = self.mixed(tip)
            judges.submit(block, "broken on the tip: " + block.broken)
        elif kind < 0.82:
            block = self.on(self.side(), 2)
            if judges.submit(block, "a block on a branch") in (None, "inconclusive"):
                self.leaves.append(block)
        elif kind < 0.87:
            parent = self.side()
            if parent.doubtful:
                return
            block = self.mixed(parent)
            if judges.submit(block, "broken on a branch: " + block.broken) == "inconclusive":
                self.leaves.append(block)
        elif kind < 0.90:
            block = rng.choice(self.refused[-20:] + [tip.ancestor(rng.randrange(tip.height))])
            if block.height:
                judges.submit(block, "seen before")
        elif kind < 0.95:
            block = self.on(rng.choice((tip, self.side())), 1)
            judges.header(block, "a header first")
            judges.header(self.bare(block), "a header on a header")
            judges.submit(block, "its block")
        else:
            first = self.builder.grow(tip, 1)
            second = self.builder.grow(first, 1)
            third = self.builder.grow(second, 1)
            for block in rng.choice(((third, second), (second, third), (second,))):
                judges.submit(block, "an orphan")
            judges.submit(first, "an orphan's parent")

    def steps(self, count):
        for i in range(count):
            if self.tip().height - self.funded > 100:
                self.fund()
            self.step()
            if i % CHECKED == 0:
                self.judges.same_coins()

    def branch(self, depth, length, bad_at=None):
        """A branch from so far below the tip; one of its blocks pays itself too much."""
        at = self.tip().ancestor(self.tip().height - depth)
        for i in range(length):
            if i == bad_at:
                case = self.case(at, 1)
                case.draft.extra = 1
                at = case.draft.block()
                at.doubtful = True
            else:
                at = self.on(at, 1)
            self.judges.submit(at, "block %d of a branch of %d" % (i, length))
        return at

    def reorganisations(self):
        old = self.tip()
        for depth, length, bad_at in ((120, 121, None), (121, 130, None), (100, 110, 60),
                                      (100, 104, 100), (30, 35, 0), (105, 110, 105)):
            self.branch(depth, length, bad_at)
            self.judges.same_coins()
        for _ in range(3):
            old, new = self.tip(), old
            while self.tip() is old:
                new = self.on(new, 1)
                self.judges.submit(new, "branches in turn")
        self.judges.same_coins()

    def told_to(self, verb, method, block):
        """invalidate or reconsider, on both."""
        judges = self.judges
        judges.table.row("%s %s" % (verb, block.name()))
        judges.table.equal(judges.call(method, block.name()), None, method)
        verdict = judges.ledger.ask(verb, block.name())[0]
        judges.table.equal(verdict["result"], "accepted", verb)
        judges.same_tip(verdict)
        judges.same_coins()

    def invalidations(self):
        for depth in (0, 1, 5, 110):
            block = self.tip().ancestor(self.tip().height - depth)
            self.told_to("invalidate", "invalidateblock", block)
            self.judges.submit(block, "told to be invalid")
            self.judges.submit(self.bare(block), "on one told to be invalid")
            self.grow(2)
            self.told_to("reconsider", "reconsiderblock", block)
            self.grow(2)
        below = self.tip().ancestor(self.tip().height - 6)
        above = self.tip().ancestor(self.tip().height - 2)
        self.told_to("invalidate", "invalidateblock", above)
        self.told_to("invalidate", "invalidateblock", below)
        self.told_to("reconsider", "reconsiderblock", above)
        self.grow(1)

    def clock(self):
        """What was too new is not held against a block when its time has come."""
        judges = self.judges
        draft = self.builder.draft(self.tip(), NOW + 7201)
        block = draft.block()
        for label in ("a block from the future", "and again"):
            judges.table.equal(judges.submit(block, label), "time-too-new", label)
        judges.ledger.stop()
        judges.call("setmocktime", NOW + 1)
        judges.ledger.now = NOW + 1
        judges.ledger.start()
        judges.table.equal(judges.submit(block, "a second later"), None, "the same block")


    def tried(self, rule):
        """One rule on top of the tip, taken back at once where it binds nobody yet."""
        case = self.case(self.tip(), 0)
        rule.change(case)
        block = case.draft.block()
        accepted = self.judges.submit(block, rule.label) is None
        if accepted:
            self.judges.call("invalidateblock", block.name())
            self.judges.same_tip(self.judges.ledger.ask("invalidate", block.name())[0])
        return accepted

    def twice(self):
        """BIP 30, while coinbases need no height: one again while its output is unspent, and
        once more after that was spent."""
        def again():
            draft = self.builder.draft(self.tip())
            draft.coinbase.vin[0][2], draft.pay = b"\x04same", [(None, TRUE)]
            return draft.block()
        first = again()
        submit, equal = self.judges.submit, self.judges.table.equal
        equal(submit(first, "a coinbase"), None, "a coinbase")
        self.grow(5)
        equal(submit(again(), "the same coinbase"), "bad-txns-BIP30", "the same coinbase")
        self.grow(self.builder.rules.maturity - 6, 1)
        case = self.case(self.tip(), 0)
        case.of(first.txs[0])
        equal(submit(case.draft.block(), "its output is spent"), None, "its spender")
        equal(submit(again(), "the same coinbase, spent"), None, "the same coinbase, spent")
        equal(submit(again(), "and a third time"), "bad-txns-BIP30", "a third time")

    def activations(self, heights):
        """At each height at which a rule begins to bind, and the height before: what is
        refused for it, or for another of its kind."""
        self.builder.segwit = heights["segwit"]
        young = [rule for rule in self.rules if rule.reason and any(
            word in rule.reason or word in rule.label for word in YOUNG)]
        self.twice()
        self.fund()
        for name, height in sorted(heights.items(), key=lambda h: h[1]):
            self.grow(height - 2 - self.tip().height)
            before = [self.tried(rule) for rule in young]
            self.grow(1)
            after = [self.tried(rule) for rule in young]
            self.judges.table.row(name)
            self.judges.table.check(before != after, "nothing changed at its height")
            self.judges.same_coins()
        self.grow(3)


def at_once(judges, folder):
    """The same lines in one go, on two threads: the same verdicts as one by one."""
    ledger, table = judges.ledger, judges.table
    table.row("all lines at once")
    ledger.verdicts.flush()
    done = subprocess.run(
        ledger.base[:-1] + [folder, "-j", "2", "add", "--now", str(NOW), ledger.lines.name],
        stdout=subprocess.PIPE, check=False)
    table.equal(done.returncode, 1, "its status")
    ours = done.stdout.splitlines()
    with open(ledger.verdicts.name, "rb") as file:
        one_by_one = file.read().splitlines()
    table.equal(len(ours), len(one_by_one), "verdicts")
    for i, (line, wanted) in enumerate(zip(ours, one_by_one)):
        table.row("verdict %d of all at once" % (i + 1))
        table.equal(line, wanted, "verdict")


def validated(judges):
    """The whole chain again, by bb-validate: nothing is wrong, and nothing unjudged."""
    blocks = subprocess.Popen(judges.ledger.base + ["blocks", "--prevouts"],
                              stdout=subprocess.PIPE)
    verdicts = subprocess.run(
        [os.path.join(BIN, "bb-validate"), "-n", judges.ledger.base[2], "--verdict"],
        stdin=blocks.stdout, stdout=subprocess.PIPE, check=False).stdout.splitlines()
    judges.table.row("bb-chain blocks --prevouts")
    judges.table.equal(blocks.wait(), 0, "its status")
    judges.table.equal(len(verdicts), judges.tip.height + 1, "verdicts")
    for height, line in enumerate(verdicts):
        judges.table.row("block %d, validated" % height)
        verdict = json.loads(line)
        judges.table.check(verdict["valid"] and not verdict.get("unjudged"),
                           "%s, unjudged %s" % (told(verdict), verdict.get("unjudged")))


def imported(judges, blocks):
    """The node's own files of blocks, under the key that it chose, and under one that makes
    zeros of some bytes of a magic: the same tip and coins."""
    with open(os.path.join(blocks, "xor.dat"), "rb") as file:
        key = file.read()
    os.mkdir("keyed")
    with open(os.path.join("keyed", "xor.dat"), "wb") as file:
        file.write(KEY)
    for path in glob.glob(os.path.join(blocks, "blk*.dat")):
        with open(path, "rb") as file:
            data = xor(file.read(), key)
        end = 0  # what follows was set aside and not used
        while data[end:end + 4] == MAGIC:
            end += 8 + int.from_bytes(data[end + 4:end + 8], "little")
        with open(os.path.join("keyed", os.path.basename(path)), "wb") as file:
            file.write(xor(data[:end], KEY))
    for name in (blocks, "keyed"):
        judges.table.row("bb-chain import " + name)
        base = judges.ledger.base[:-1] + ["from-" + os.path.basename(name)]
        now = str(judges.ledger.now)
        done = subprocess.run(base + ["-j", "2", "import", "--now", now, name],
                              stdout=subprocess.PIPE, check=False)
        judges.table.equal(done.returncode, 1, "its status: there are blocks that fail")
        ours = json.loads(subprocess.run(base + ["coins", "--muhash"], stdout=subprocess.PIPE,
                                         check=False).stdout)
        node = judges.call("gettxoutsetinfo", "muhash")
        judges.table.equal((ours["id"], ours["muhash"]), (node["bestblock"], node["muhash"]),
                           "coins")


def xor(data, key):
    """Bytes under a repeated key."""
    keys = (key * (len(data) // len(key) + 1))[:len(data)]
    number = int.from_bytes(data, "little") ^ int.from_bytes(keys, "little")
    return number.to_bytes(len(data), "little")


def report(judges, walk):
    print("blocks given to both: %d" % sum(judges.answers.values()))
    print("inputs by kind: %s" % json.dumps(walk.builder.inputs, sort_keys=True))
    for answer, count in sorted(judges.answers.items(), key=str):
        print("%6d %s" % (count, answer))


def regtest(judges, walk, steps, blocks):
    """Every rule, and then everything that may happen to a chain."""
    walk.grow(160, 1)
    walk.all_rules()
    judges.same_coins()
    walk.steps(steps)
    walk.reorganisations()
    at_once(judges, "again")
    walk.invalidations()
    walk.steps(100)
    walk.clock()
    judges.same_coins()
    judges.table.row("bb-chain add")
    judges.table.equal(judges.ledger.stop(), 0, "its status, the last one refused nothing")
    validated(judges)
    imported(judges, blocks)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("cookie")
    options.add_argument("port")
    options.add_argument("--seed", type=int, default=3)
    options.add_argument("--steps", type=int, default=3000)
    options.add_argument("--activation", action="store_true",
                         help="the node has -testactivationheight as in ACTIVATION")
    options = options.parse_args()
    print("seed %d" % options.seed)
    network = "regtest"
    if options.activation:
        network = "activation.json"
        with open(network, "w", encoding="ascii") as file:
            json.dump({"base": "regtest", **{name + "_height": height
                                             for name, height in ACTIVATION.items()}}, file)
    table = Table("the judge, rules from a height on" if options.activation
                  else "the judge on regtest")
    judges = Judges(table, Node(options.cookie, options.port), Ledger("store", network))
    version = judges.call("getnetworkinfo")["subversion"]
    table.row(version)
    table.check("Knots:20260508" in version and "29.4.3" in version, "another judge")
    judges.call("setmocktime", NOW)
    walk = Walk(judges, random.Random(options.seed))
    if options.activation:
        walk.activations(ACTIVATION)
        judges.ledger.stop()
        validated(judges)
    else:
        regtest(judges, walk, options.steps,
                os.path.join(os.path.dirname(options.cookie), "blocks"))
    table.end()
    report(judges, walk)
    sys.exit(bool(Table.failed))


if __name__ == "__main__":
    main()
