#!/usr/bin/env python3
"""crash.py add|import|admin KILLS [SEED]: kill -9 a writer at random instants, again and again.

After each kill the store opens and its tip is one that an acknowledged line led to, or a later
one; what was acknowledged is known when it comes again; going on from there ends where the
model ends. Every few kills `verify` finds nothing wrong.

crash.py chain FILE SIZE: only make a chain, of some SIZE bytes, as a blk file."""

import json
import os
import random
import select
import subprocess
import sys
import time

import build
from build import Builder
from harness import BIN, Table

MAGIC = bytes.fromhex("fabfb5da")
NOW = build.GENESIS_TIME + 10**8
VERIFIED = 5  # kills between two looks at everything


def bb(folder, *verb, **more):
    return subprocess.run([os.path.join(BIN, "bb-chain"), "-d", folder, *verb],
                          stdout=subprocess.PIPE, check=False, **more)


def victim(*args, **more):
    """A bb-chain that is to be killed. Under AddressSanitizer it looks for no leaks at its end,
    because to be killed while it does leaves a report."""
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return subprocess.Popen([os.path.join(BIN, "bb-chain"), *args],
                            env=dict(os.environ, ASAN_OPTIONS=sanitizer), **more)


def killed(process):
    """It is now; what it had printed."""
    process.kill()
    rest = process.stdout.read()
    process.wait()
    process.stdout.close()
    process.stdin.close()
    return rest


def tip_of(folder):
    """None where there is no store yet."""
    done = bb(folder, "tip", stderr=subprocess.DEVNULL)
    return json.loads(done.stdout)["id"] if done.returncode == 0 else None


class Chain:
    """A chain with a branch every few blocks that takes over, some of them many blocks deep,
    and now and then a block that is refused. `lines`: block, whether it is good, the tip
    after it."""

    def __init__(self, rng, length, txs=2):
        self.builder, self.lines = Builder(rng), []
        tip = self.builder.root
        for _ in range(105):
            tip = self.builder.grow(tip, 1)
            self.lines.append((tip, True, tip))
        while len(self.lines) < length:
            depth = rng.choice((0, 0, 0, 1, 2, 20))
            at = tip.ancestor(tip.height - depth)
            if rng.random() < 0.1:
                draft = self.builder.draft(at)
                draft.extra = 1
                # On a branch it is not connected, and so not refused.
                if not depth:
                    self.lines.append((draft.block(), False, tip))
            for _ in range(depth + 1):
                at = self.builder.grow(at, txs)
                tip = at if at.height > tip.height else tip
                self.lines.append((at, True, tip))
        self.tip = tip
        self.builder.view.move(tip)
        self.hash = self.builder.view.hash()

    def write_lines(self, start, stop):
        return "".join('{"type":"block","hex":"%s"}\n' % block.raw.hex()
                       for block, _, _ in self.lines[start:stop]).encode()

    def write_blk(self, path):
        with open(path, "wb") as file:
            for block, _, _ in self.lines:
                file.write(MAGIC + len(block.raw).to_bytes(4, "little") + block.raw)


class Crashes:
    def __init__(self, table, rng, chain):
        self.table, self.rng, self.chain, self.stores = table, rng, chain, 0
        self.fresh()

    def fresh(self):
        self.stores += 1
        self.folder = "store%d" % self.stores
        self.at = self.given = 0  # lines acknowledged, and lines that it has seen

    def kill(self, n):
        """Feed some lines, kill, look; `at` lines are acknowledged then."""
        rng, lines, table = self.rng, self.chain.lines, self.table
        table.row("kill %d" % n)
        back = rng.randrange(min(self.at, 6) + 1)
        start, stop = self.at - back, min(len(lines), self.at + rng.randrange(1, 60))
        process = victim("-d", self.folder, "-j", str(rng.choice((1, 2))), "--cache",
                         str(rng.choice((0, 1, 128))), "add", "--now", str(NOW),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        printed = self.feed(process, self.chain.write_lines(start, stop))
        verdicts = [json.loads(line) for line in printed.splitlines(True)
                    if line.endswith(b"\n")]
        for i, verdict in enumerate(verdicts):
            self.right(verdict, start + i, again=i < back)
        acknowledged = max(self.at, start + len(verdicts))
        self.given = max(self.given, stop)
        # From the state after the last acknowledged line on, any may be.
        tips = {tip.name() for _, _, tip in lines[max(0, acknowledged - 1):self.given]}
        if acknowledged == 0:
            tips |= {build.genesis().name(), None}
        table.check(tip_of(self.folder) in tips,
                    "the tip is not one of lines %d to %d" % (acknowledged, self.given))
        self.at = acknowledged
        if n % VERIFIED == 0 and self.at:
            table.equal(bb(self.folder, "verify").returncode, 0, "verify")
        if self.at == len(lines):
            self.finish()

    def feed(self, process, data):
        """Write in pieces, so that groups are of all sizes, and kill at a random instant."""
        rng, printed = self.rng, b""
        end = time.monotonic() + rng.choice((0.004, 0.02, 0.06, 0.2)) * rng.random() + 0.006
        os.set_blocking(process.stdin.fileno(), False)
        while (left := end - time.monotonic()) > 0:
            readable, writable, _ = select.select(
                [process.stdout], [process.stdin] if data else [], [], left)
            if writable:
                piece = data[:rng.choice((999, 65536))]
                try:
                    data = data[os.write(process.stdin.fileno(), piece):]
                except BrokenPipeError:
                    self.table.check(False, "it ended by itself: %d" % process.wait())
                    break
            if readable:
                printed += os.read(process.stdout.fileno(), 65536)
        return printed + killed(process)

    def right(self, verdict, index, again):
        block, good, tip = self.chain.lines[index]
        results = ("connected", "side") if good else ("refused",)
        if again:  # it was acknowledged before
            results = ("duplicate",) if good else ("refused",)
        elif good:
            results += ("duplicate",)  # committed, and killed before it could be told
        self.table.check(verdict["id"] == block.name() and verdict["result"] in results,
                         "line %d: %s, expected %s" % (index, verdict, results))

    def finish(self):
        """The end of the chain: everything is as the model says, and a new store."""
        coins = json.loads(bb(self.folder, "coins", "--hash").stdout)
        self.table.equal((coins["id"], coins["hash"]), (self.chain.tip.name(), self.chain.hash),
                         "coins")
        self.table.equal(bb(self.folder, "verify").returncode, 0, "verify")
        self.fresh()

    def complete(self):
        """What is left of the last store's lines, unharmed."""
        self.table.row("the end of the last store")
        done = bb(self.folder, "add", "--now", str(NOW),
                  input=self.chain.write_lines(self.at, None))
        self.table.check(done.returncode in (0, 1), "add: %d" % done.returncode)
        self.finish()


def kill_import(table, rng, chain, kills):
    """Kill `import` on its way; the one after the last few is left to end."""
    chain.write_blk("blk00000.dat")
    known = {block.name() for block, _, _ in chain.lines} | {build.genesis().name(), None}
    n = 0
    while n < kills:
        folder = "import%d" % n
        for _ in range(6):
            n += 1
            table.row("import, kill %d" % n)
            process = victim("-d", folder, "-j", str(rng.choice((1, 2))), "--cache",
                             str(rng.choice((0, 1, 128))), "import", "--now", str(NOW),
                             "blk00000.dat", stdout=subprocess.DEVNULL)
            try:
                process.wait(0.005 + 0.25 * rng.random())
            except subprocess.TimeoutExpired:
                process.kill()
            process.wait()
            tip = tip_of(folder)
            table.check(tip in known, "the tip is no block of the chain")
            if tip is not None:
                table.equal(bb(folder, "verify").returncode, 0, "verify at " + tip)
        done = bb(folder, "import", "--now", str(NOW), "blk00000.dat")
        table.check(done.returncode in (0, 1), "import: %d" % done.returncode)
        coins = json.loads(bb(folder, "coins", "--hash").stdout)
        table.equal((coins["id"], coins["hash"]), (chain.tip.name(), chain.hash), "coins")
        table.equal(bb(folder, "verify").returncode, 0, "verify")


def kill_admin(table, rng, chain, kills):
    """invalidate and reconsider: killed, all or nothing of it has happened."""
    done = bb("admin", "add", "--now", str(NOW), input=chain.write_lines(0, None))
    table.check(done.returncode in (0, 1), "add: %d" % done.returncode)
    block = chain.tip.ancestor(chain.tip.height - 25)
    bb("admin", "invalidate", block.name())
    below = tip_of("admin")
    bb("admin", "reconsider", block.name())
    table.equal(tip_of("admin"), chain.tip.name(), "reconsidered")
    for n in range(kills):
        table.row("invalidate and reconsider, kill %d" % n)
        process = victim("-d", "admin", ("invalidate", "reconsider")[n % 2], block.name(),
                         stdout=subprocess.PIPE)
        time.sleep(0.02 * rng.random())
        process.kill()
        told = process.stdout.read()
        process.wait()
        process.stdout.close()
        tip = tip_of("admin")
        table.check(tip in (below, chain.tip.name()), "the tip is half-way: %s" % tip)
        if told.endswith(b"\n"):
            table.equal(tip, json.loads(told)["tip"], "what it said")
        if n % VERIFIED == 0:
            table.equal(bb("admin", "verify").returncode, 0, "verify")
    bb("admin", "reconsider", block.name())
    table.equal(tip_of("admin"), chain.tip.name(), "reconsidered")


def make_chain(path, size):
    """All of it on one branch, in order."""
    builder = Builder(random.Random(3))
    tip, left = builder.root, size
    with open(path, "wb") as file:
        while left > 0:
            tip = builder.grow(tip, 6)
            left -= file.write(MAGIC + len(tip.raw).to_bytes(4, "little") + tip.raw)
    builder.view.move(tip)
    print(json.dumps({"id": tip.name(), "height": tip.height, "hash": builder.view.hash()}))


def main():
    what, count = sys.argv[1], int(sys.argv[-1] if sys.argv[1] == "chain" else sys.argv[2])
    if what == "chain":
        make_chain(sys.argv[2], count)
        return
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    print("seed %d" % seed)
    rng = random.Random(seed)
    table = Table("kill -9 of " + what)
    if what == "add":
        crashes = Crashes(table, rng, Chain(rng, 700))
        for n in range(1, count + 1):
            crashes.kill(n)
        crashes.complete()
    elif what == "import":
        kill_import(table, rng, Chain(rng, 900, 5), count)
    else:
        kill_admin(table, rng, Chain(rng, 300), count)
    table.end()
    sys.exit(bool(Table.failed))


if __name__ == "__main__":
    main()
