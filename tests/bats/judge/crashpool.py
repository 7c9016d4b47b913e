#!/usr/bin/env python3
"""crashpool.py kill KILLS [SEED]: kill -9 a writer at random instants while it takes in transactions
and blocks; these are made of its own templates, or take over from others.

After each kill the next writer finds every transaction that was acknowledged as accepted: it
waits, or is in a block of the active chain, or an event tells why it left. What the events tell
is what waits, one by one. Now and then the mempool is put back to before the last block, as
where death came between the two commits of one transaction. Every few kills `verify` finds
nothing wrong."""

import hashlib
import json
import os
import random
import select
import shutil
import subprocess
import sys
import time

import build
from bitcoin import Reader, Tx, sha256d
from build import Block, Draft
from crash import VERIFIED, bb, killed, victim
from harness import BIN, Table

NOW = build.GENESIS_TIME + 10**8
ANYONE = b"\x00\x20" + hashlib.sha256(b"\x51").digest()  # P2WSH of OP_TRUE
STORE = "store"
DEEPEST = 3  # blocks that a branch takes back at once


def tx_of(coins, fee, outs):
    """Spends (txid, vout, value) and pays to everybody, in so many outputs."""
    tx, left = Tx(), sum(value for _, _, value in coins) - fee
    tx.version = 2
    tx.vin = [[txid, vout, b"", 0xFFFFFFFD] for txid, vout, _ in coins]
    tx.witness = [[b"\x51"] for _ in coins]
    tx.vout = [[left // outs, ANYONE] for _ in range(outs)]
    return tx


def name(tx):
    return tx.txid()[::-1].hex()


def block_line(raw):
    return json.dumps({"type": "block", "hex": raw.hex()}).encode() + b"\n"


class Pool:
    def __init__(self, table, rng):
        self.table, self.rng = table, rng
        self.txs = {}  # by name: all that were ever offered, or are in the first blocks
        self.accepted = set()  # acknowledged
        self.spoken = 0  # the last event looked at
        self.fate = {}  # by name: the last that an event told of it
        self.blocks = {build.genesis().name(): build.genesis()}
        self.depth = {}  # by txid: how many stand on each other, of those not buried
        self.coins, self.count = [], {}
        self.grow()

    def tally(self, what, more=1):
        self.count[what] = self.count.get(what, 0) + more

    # The chain.

    def draft(self, parent):
        self.tally("drafts")
        draft = Draft(parent, parent.mtp + 1, label=self.count["drafts"].to_bytes(4, "little"))
        draft.pay = [(None, ANYONE)]
        return draft

    def keep(self, block):
        self.blocks[block.name()] = block
        return block

    def grow(self):
        """The first blocks, the last of which splits coinbases into many coins."""
        at, lines, ripe = build.genesis(), [], []
        for _ in range(125):
            draft = self.draft(at)
            if draft.height == 125:
                for txid, value in ripe[:20]:
                    tx = draft.add(tx_of([(txid, 0, value)], 10000, 50), 10000)
                    self.txs[name(tx)] = tx
            at = self.keep(draft.block())
            ripe.append((draft.coinbase.txid(), draft.coinbase.vout[0][0]))
            lines.append(block_line(at.raw))
        done = bb(STORE, "add", "--now", str(NOW), input=b"".join(lines))
        self.table.equal(done.returncode, 0, "add")
        self.refresh(set(self.txs))

    def mined(self):
        """A block of the store's own template, as a line; None where there is no template."""
        done = bb(STORE, "template", "--now", str(NOW), stderr=subprocess.DEVNULL)
        if done.returncode:
            return None
        done = subprocess.run([os.path.join(BIN, "bb-mine"), "--to", "51"], input=done.stdout,
                              stdout=subprocess.PIPE, check=True)
        raw = bytes.fromhex(json.loads(done.stdout)["hex"])
        parent = self.blocks[raw[4:36][::-1].hex()]
        self.keep(Block(parent, sha256d(raw[:80]), int.from_bytes(raw[68:72], "little"), raw=raw))
        self.tally("blocks from templates")
        return block_line(raw)

    def branch(self):
        """Empty blocks that take over from the last few of the active chain."""
        at = self.tip()
        depth = self.rng.choice((1, 1, 2, DEEPEST))
        at = at.ancestor(max(125, at.height - depth))
        lines = b""
        for _ in range(depth + 1):
            at = self.keep(self.draft(at).block())
            lines += block_line(at.raw)
        self.tally("branches")
        return lines

    def tip(self):
        return self.blocks[json.loads(bb(STORE, "tip").stdout)["id"]]

    # Transactions.

    def offer(self):
        """A line: of coins, of outputs of what waits, or of what was spent just before. Families
        stay small, so that all of one may wait at once when blocks are taken back."""
        rng = self.rng
        coins = [rng.choice(self.coins)] if self.coins else []
        if rng.random() < 0.2:
            old = [coin for coin in rng.sample(self.coins, min(len(self.coins), 20))
                   if coin[0] not in self.depth]
            coins = old[:2] or coins
        value, depth = sum(v for _, _, v in coins), max(
            (self.depth.get(txid, 0) for txid, _, _ in coins), default=0)
        outs, fee = rng.choice((1, 2, 2, 3)), rng.randrange(50, 5000)
        if value < fee + 1000 * outs:
            return b""
        tx = tx_of(coins, fee, outs)
        txid = tx.txid()
        self.txs[name(tx)] = tx
        self.depth[txid] = depth + 1
        if rng.random() < 0.9:
            self.coins = [c for c in self.coins if c not in coins]
        if depth < 2 and rng.random() < 0.6:
            self.coins += [(txid, i, v) for i, (v, _) in enumerate(tx.vout)]
        return json.dumps({"type": "tx", "hex": tx.bytes().hex()}).encode() + b"\n"

    def refresh(self, there):
        """What can be spent, when these wait or are mined."""
        txs = [self.txs[txid] for txid in there if txid in self.txs]
        spent = {(v[0], v[1]) for tx in txs for v in tx.vin}
        self.coins = [(txid, i, out[0]) for tx in txs for txid in (tx.txid(),)
                      for i, out in enumerate(tx.vout)
                      if (txid, i) not in spent and self.depth.get(txid, 0) < 3]
        self.rng.shuffle(self.coins)
        del self.coins[500:]

    # A kill.

    def kill(self, n):
        rng = self.rng
        self.table.row("kill %d" % n)
        verb = rng.choice(("add", "run"))
        process = victim("-d", STORE, "-j", "1", verb, "--now", str(NOW),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        data = self.branch() if rng.random() < 0.25 else b""
        at = rng.randrange(len(data) + 1)
        data = data[:data.rfind(b"\n", 0, at) + 1] + b"".join(
            self.offer() for _ in range(rng.randrange(60))) + data[data.rfind(b"\n", 0, at) + 1:]
        for line in self.feed(process, data).splitlines(True):
            if line.endswith(b"\n"):
                self.told(json.loads(line))
        self.look(n)

    def feed(self, process, data):
        """Lines, and blocks of the templates of that moment, until it is killed."""
        rng, printed = self.rng, b""
        end = time.monotonic() + 0.006 + rng.choice((0.005, 0.02, 0.05, 0.1)) * rng.random()
        os.set_blocking(process.stdin.fileno(), False)
        while (left := end - time.monotonic()) > 0:
            if not data and rng.random() < 0.3:
                # It is killed soon after a block has come, as a rule.
                data = self.mined() or b""
                end = time.monotonic() + 0.012 * rng.random()
            if len(data) < 65536:
                data += b"".join(self.offer() for _ in range(rng.choice((1, 20, 100))))
            readable, writable, _ = select.select(
                [process.stdout], [process.stdin] if data else [], [], max(0, left))
            if writable:
                try:
                    data = data[os.write(process.stdin.fileno(), data):]
                except BrokenPipeError:
                    self.table.check(False, "it ended by itself: %d" % process.wait())
                    break
            if readable:
                printed += os.read(process.stdout.fileno(), 65536)
        return printed + killed(process)

    def told(self, line):
        if line["type"] != "verdict":
            return
        self.tally("%s %s" % ("block" if line["id"] in self.blocks else "tx", line["result"]))
        if line["result"] == "accepted" and line["id"] in self.txs:
            self.accepted.add(line["id"])
        elif line["id"] in self.blocks:
            self.table.check(line["valid"], "a block is refused: %s" % line)

    # What is there afterwards.

    def look(self, n):
        before = self.waiting()
        self.wake()
        waiting = self.waiting()
        self.tally("mempools that caught up", before != waiting)
        mined = self.judge(waiting)
        if n % VERIFIED == 0:
            self.whole(len(waiting))
        self.refresh(waiting | mined)
        if n % VERIFIED == 2:
            self.between()

    def wake(self):
        """A writer opens the store and does nothing of its own."""
        done = bb(STORE, "add", "--now", str(NOW),
                  input=block_line(next(b.raw for b in self.blocks.values() if b.height == 1)))
        self.table.equal(done.returncode, 0, "the next writer")

    def waiting(self):
        done = bb(STORE, "mempool", "--full")
        self.table.check(done.returncode in (0, 1), "mempool: %d" % done.returncode)
        return {json.loads(line)["txid"] for line in done.stdout.splitlines()}

    def listen(self):
        last = self.spoken
        for line in bb(STORE, "events", "--since", str(last)).stdout.splitlines():
            event = json.loads(line)
            self.table.check(event["seq"] > self.spoken, "an event's number: %s" % event)
            self.spoken = event["seq"]
            if "txid" in event:
                self.fate[event["txid"]] = event["event"], event.get("reason")

    def judge(self, waiting):
        """Every one that was acknowledged; gives those that are mined."""
        table, tip, mined = self.table, self.tip(), set()
        for line in bb(STORE, "blocks", "--from", "125").stdout.splitlines():
            raw = bytes.fromhex(json.loads(line)["hex"])
            txids = self.txids(raw)
            mined |= {txid[::-1].hex() for txid in txids}
            if self.blocks[sha256d(raw[:80])[::-1].hex()].height < tip.height - DEEPEST:
                for txid in txids:
                    self.depth.pop(txid, None)
        self.listen()
        told = {txid for txid, (what, _) in self.fate.items() if what == "accepted"}
        table.equal(sorted(told ^ waiting), [], "what waits, and what the events tell")
        table.equal(sorted(waiting & mined), [], "what waits, and is mined")
        for txid in self.accepted - waiting - mined:
            what, reason = self.fate.get(txid, ("never told", None))
            table.check(what == "replaced" or (what == "removed" and reason != "block"),
                        "%s is lost: %s, %s" % (txid, what, reason))
        return mined

    @staticmethod
    def txids(raw):
        reader, out = Reader(raw[80:]), set()
        for _ in range(reader.compact()):
            tx = Tx()
            tx.read(reader)
            out.add(tx.txid())
        return out

    def whole(self, count):
        done = bb(STORE, "verify")
        self.table.equal((done.returncode, json.loads(done.stdout)["mempool"]), (0, count),
                         "verify")

    def between(self):
        """Death between the commits: the chain has the block, the mempool does not know."""
        data = os.path.join(STORE, "mempool", "data.mdb")
        shutil.copyfile(data, "data.mdb")
        lines = self.branch() if self.rng.random() < 0.5 else self.mined()
        done = bb(STORE, "add", "--now", str(NOW), input=lines)
        self.table.equal(done.returncode, 0, "add")
        shutil.copyfile("data.mdb", data)
        self.tally("put back")
        self.table.equal(self.waiting(), set(), "a mempool of another tip")
        self.table.equal(bb(STORE, "verify").returncode, 0, "verify of that")
        self.wake()
        waiting = self.waiting()
        self.refresh(waiting | self.judge(waiting))
        self.whole(len(waiting))


def main():
    what, count = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    table = Table("kill -9 while accepting and mining")
    pool = Pool(table, random.Random(seed))
    if what == "offer":
        with open("txs", "wb") as file:
            file.write(b"".join(pool.offer() for _ in range(count)))
        return
    print("seed %d" % seed)
    for n in range(1, count + 1):
        pool.kill(n)
    for result, times in sorted(pool.count.items()):
        print("%7d %s" % (times, result))
    print("%7d acknowledged" % len(pool.accepted))
    table.end()
    sys.exit(bool(Table.failed))


if __name__ == "__main__":
    main()
