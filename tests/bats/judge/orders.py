#!/usr/bin/env python3
"""orders.py [SEED [TREES]]: random trees of blocks and headers, given to `bb-chain add` in
random orders and in several processes: after every line the tip is the valid chain with the
most work, of equals the one that was complete first; the coins are as the tip says.

The network adjusts its difficulty every four blocks, so that the longest chain often is not the
one with the most work."""

import json
import os
import random
import subprocess
import sys

from bitcoin import Tx
from build import Block, Builder, Draft, Rules
from harness import BIN, Table
from mutations import TRUE, with_witness

RULES = Rules(maturity=2, limit=0x2007FFFF, spacing=1, timespan=4)
START = 1700000000
ORDERS = 6


class Root(Draft):
    """A genesis block of our own: the work of regtest's is below our limit."""

    def __init__(self):
        super().__init__(Block(None, bytes(32), START - 1), START, RULES.limit)
        self.pay = [(None, TRUE)]

    def block(self):
        made = super().block()
        return Block(None, made.id, made.time, made.bits, made.raw, made.txs)


def network(root):
    return {"base": "regtest", "name": "orders", "genesis": root.name(),
            "pow_limit": "%064x" % ((0x080000 << 8 * 29) - 1), "no_retarget": False,
            "min_difficulty": False, "target_spacing": 1, "target_timespan": 4,
            "coinbase_maturity": RULES.maturity}


class Tree:
    """Some blocks, of which some are bad: `bad` holds those, and all that stand on them."""

    def __init__(self, rng, root):
        self.rng, self.builder = rng, Builder(rng, RULES, root)
        self.blocks, self.bad, self.lines = [root], set(), []
        self.hasty = {root}  # blocks on whose branches time passes slowly
        for _ in range(rng.randrange(15, 45)):
            self.add()

    def add(self):
        rng, builder = self.rng, self.builder
        # Mostly near the ends, so that branches grow.
        parent = max(rng.sample(self.blocks, min(3, len(self.blocks))), key=lambda b: b.height)
        hasty = (parent in self.hasty) != (rng.random() < 0.15)
        draft = builder.draft(parent, parent.mtp + (1 if hasty else rng.choice((4, 30))))
        kind = rng.random()
        if parent in self.bad:
            draft.pay = [(None, TRUE)]
        else:
            builder.fill(draft, rng.choice((0, 1, 2)))
        if kind < 0.07:
            draft.extra = 1  # found when it is connected
        elif kind < 0.10:
            draft.coinbase.vin[0][2] = b"\x01\x7f\x00\x00"  # found when it comes
        block = draft.block()
        if kind < 0.10 or parent in self.bad:
            self.bad.add(block)
        if hasty:
            self.hasty.add(block)
        self.blocks.append(block)
        self.lines.append((block, block.raw))
        if rng.random() < 0.15:
            self.twins(block)

    def twins(self, block):
        """The same header with a wrong body: a witness that it does not commit to, none at
        all, or its last transaction twice (CVE-2012-2459)."""
        if len(block.txs) % 2 and len(block.txs) > 1:
            self.twin(block, block.txs + block.txs[-1:])
        self.twin(block, [with_witness(block.txs[0], [b"wrong"])] + block.txs[1:])
        if any(any(tx.witness) for tx in block.txs):
            self.twin(block, [Tx(tx.bytes(witness=False)) for tx in block.txs])

    def twin(self, block, txs):
        raw = block.raw[:80] + bytes([len(txs)]) + b"".join(tx.bytes() for tx in txs)
        self.lines.append((None, raw))

    def order(self):
        """The lines shuffled, one way or another. Each is a block or None, and JSON."""
        rng = self.rng
        lines = [(b, {"type": "block", "hex": raw.hex()}) for b, raw in self.lines]
        lines += rng.sample(lines, min(len(lines), 4))  # some come twice
        kind = rng.randrange(4)
        if kind == 0:
            rng.shuffle(lines)
        elif kind == 1:  # nearly in order
            lines = jittered(rng, lines)
        elif kind == 2:  # children first
            lines.reverse()
        headers = [(None, {"type": "header", "hex": b.raw[:80].hex()}) for b in self.blocks[1:]]
        if kind == 3:  # headers first
            rng.shuffle(lines)
            lines = headers + lines
        else:
            for header in rng.sample(headers, len(headers) // 4):
                lines.insert(rng.randrange(len(lines) + 1), header)
        return lines


def jittered(rng, lines):
    """Each some places off."""
    order = sorted(range(len(lines)), key=lambda i: i + rng.randrange(6))
    return [lines[i] for i in order]


class Expected:
    """Which tips are right after each line."""

    def __init__(self, tree, root):
        self.bad, self.children, self.come = tree.bad, {}, {root}
        for block in tree.blocks[1:]:
            self.children.setdefault(block.parent, []).append(block)
        self.linked, self.now = {root: 0}, 0

    def after(self, block, tip):
        """Take a line; the tips that may follow `tip`."""
        self.now += 1
        if block is not None and block not in self.come:
            self.come.add(block)
            if block.parent in self.linked:
                self.link(block)
        good = [b for b in self.linked if b not in self.bad]
        most = max(b.work for b in good)
        best = [b for b in good if b.work == most]
        if tip in best:
            return [tip]
        first = min(self.linked[b] for b in best)
        return [b for b in best if self.linked[b] == first]

    def link(self, block):
        self.linked[block] = self.now
        for child in self.children.get(block, []):
            if child in self.come:
                self.link(child)


def chain(folder, *verb, **more):
    return subprocess.run([os.path.join(BIN, "bb-chain"), "-n", "network.json", "-d", folder,
                           *verb], stdout=subprocess.PIPE, check=False, **more)


def run(table, tree, root, folder):
    """One order, by some processes in turn."""
    rng, lines = tree.rng, tree.order()
    lines.insert(0, (None, {"type": "block", "hex": root.raw.hex()}))
    cuts = sorted(rng.sample(range(1, len(lines)), rng.randrange(0, 4)))
    expected, tip, at = Expected(tree, root), root, 0
    names = {b.name(): b for b in tree.blocks}
    for start, end in zip([0] + cuts, cuts + [len(lines)]):
        text = "".join(json.dumps(line) + "\n" for _, line in lines[start:end])
        done = chain(folder, "add", "--now", str(START + 10**6), input=text.encode())
        table.check(done.returncode in (0, 1), "add ended with %d" % done.returncode)
        verdicts = done.stdout.splitlines()
        table.equal(len(verdicts), end - start, "verdicts")
        for verdict in map(json.loads, verdicts):
            right = expected.after(lines[at][0], tip)
            table.check(names.get(verdict["tip"]) in right,
                        "line %d: the tip is %s at %d, not %s" % (
                            at + 1, verdict["tip"], verdict["height"],
                            [(b.name(), b.height) for b in right]))
            tip, at = names.get(verdict["tip"]), at + 1
    if tip is None:
        return root
    tree.builder.view.move(tip)
    coins = json.loads(chain(folder, "coins", "--hash").stdout)
    table.equal((coins["id"], coins["hash"]), (tip.name(), tree.builder.view.hash()), "coins")
    table.equal(chain(folder, "verify").returncode, 0, "verify")
    return tip


def side_by_side(table, tree, root, folder):
    """One order by two processes at once, which take turns."""
    lines = [{"type": "block", "hex": root.raw.hex()}] + [line for _, line in tree.order()]
    chain(folder, "add", input=json.dumps(lines[0]).encode() + b"\n")
    both = []
    for part in (lines[1::2], lines[2::2]):
        path = "%s.lines.%d" % (folder, len(both))
        with open(path, "w", encoding="ascii") as file:
            file.writelines(json.dumps(line) + "\n" for line in part)
        both.append(subprocess.Popen(
            [os.path.join(BIN, "bb-chain"), "-n", "network.json", "-d", folder, "add", "--now",
             str(START + 10**6), path], stdout=subprocess.DEVNULL))
    for process in both:
        table.check(process.wait() in (0, 1), "add ended with %d" % process.returncode)
    good = [b for b in tree.blocks if b not in tree.bad]
    most = max(b.work for b in good)
    coins = json.loads(chain(folder, "coins", "--hash").stdout)
    tip = {b.name(): b for b in good if b.work == most}.get(coins["id"])
    table.check(tip, "the tip is %s" % coins["id"])
    if tip:
        tree.builder.view.move(tip)
        table.equal(coins["hash"], tree.builder.view.hash(), "coins")
    table.equal(chain(folder, "verify").returncode, 0, "verify")


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    trees = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    print("seed %d" % seed)
    root = Root().block()
    with open("network.json", "w", encoding="ascii") as file:
        json.dump(network(root), file)
    table = Table("the most work, in every order of arrival")
    shorter = 0
    for t in range(trees):
        tree = Tree(random.Random("%d %d" % (seed, t)), root)
        for order in range(ORDERS):
            table.row("tree %d, order %d" % (t, order))
            tip = run(table, tree, root, "store-%d-%d" % (t, order))
        table.row("tree %d, two processes at once" % t)
        side_by_side(table, tree, root, "store-%d-both" % t)
        good = [b for b in tree.blocks if b not in tree.bad]
        shorter += max(b.height for b in good) > tip.height
    print("trees whose best chain is not their longest: %d of them" % shorter)
    table.check(shorter or len(sys.argv) > 1, "work and length never differed")
    table.end()
    sys.exit(bool(Table.failed))


if __name__ == "__main__":
    main()
