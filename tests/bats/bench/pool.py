#!/usr/bin/env python3
"""pool.py BIN BITCOIND BENCH COUNT: bb-chain's mempool and templates.

COUNT transactions, of two inputs each and of mixed types, come into the mempool of a chain that
holds their coins: through `bb-chain add`, through `bb-validate --mark` in front of `bb-chain run`,
and through a real bitcoind's sendrawtransaction, a thousand calls in one HTTP request so that what
is measured is the node and not who calls it. BENCH runs the bare curve operations of the same.
"""

import json
import os
import random
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "peers"))
from chain import MAGIC, MATURITY, VALUE, Chain, Coins, genesis  # noqa: E402
from ledger import Cost, told  # noqa: E402
from rpc import Node  # noqa: E402

ROUNDS = 3
TEMPLATE_TARGET_MS = 50
BATCH, THEIRS = 1000, 5000  # calls in a request; transactions that bitcoind is given


def make(bin_dir, folder, count):
    """The chain's file, and one of lines: transactions on top of it, at rates of all kinds."""
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as keys, open(f"{folder}/chain.blk", "wb") as file:
        file.write(MAGIC + struct.pack("<I", 285) + genesis())
        chain, coins, funded = Chain(file), Coins(bin_dir, keys), []
        # The node that is measured beside takes no longer output scripts in.
        coins.kinds = [kind for kind in coins.kinds if len(kind[0]) <= 34]
        for n in range(0, 2 * count, 4000):
            here = min(4000, 2 * count - n)
            txid = chain.add([(VALUE, coins.kind(n + i)[0]) for i in range(here)])
            funded += [(txid, i, n + i) for i in range(here)]
        for _ in range(MATURITY):
            chain.add([(VALUE, b"\x51")])
        lines = [coins.line(funded[i:i + 2],
                            [(i, VALUE), (i + 1, VALUE - 100 - rng.randrange(200))])
                 for i in range(0, 2 * count, 2)]
        with open(f"{folder}/txs", "w", encoding="ascii") as out:
            for _, data in coins.sign(lines):
                out.write('{"type":"tx","hex":"%s"}\n' % data.hex())


class Pool:
    def __init__(self, bin_dir, folder):
        self.bin, self.folder = bin_dir, folder
        self.chain = [f"{bin_dir}/bb-chain", "-n", "regtest", "-d", f"{folder}/store"]
        self.verb("import", f"{folder}/chain.blk")
        shutil.copytree(f"{folder}/store", f"{folder}/before")

    def verb(self, *args, **more):
        return subprocess.run([*self.chain, *args], check=True, stdout=subprocess.PIPE,
                              **more).stdout

    def fresh(self):
        shutil.rmtree(f"{self.folder}/store")
        shutil.copytree(f"{self.folder}/before", f"{self.folder}/store")

    def count(self):
        return json.loads(self.verb("mempool", "--stats"))["count"]

    def add(self):
        self.fresh()
        return Cost([*self.chain, "add", f"{self.folder}/txs"])

    def marked(self, threads):
        """Scripts in front, on so many threads; the ledger behind trusts their marks."""
        self.fresh()
        start = time.monotonic()
        validate = subprocess.Popen(
            [f"{self.bin}/bb-validate", "-n", "regtest", "-j", str(threads), "--mark",
             f"{self.folder}/full"], stdout=subprocess.PIPE)
        run = subprocess.Popen([*self.chain, "run", "--trust-marks"], stdin=validate.stdout,
                               stdout=subprocess.DEVNULL)
        validate.stdout.close()
        run.wait()
        validate.wait()
        return time.monotonic() - start


class Theirs:
    """bitcoind with the same chain."""

    def __init__(self, bitcoind, folder, file):
        self.folder, self.bitcoind = folder, bitcoind
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        os.mkfifo(f"{folder}/ready")
        # The FIFO is open as long as the node lives, so that its early death ends the wait too.
        self.process = subprocess.Popen(
            ["bash", "-c", 'exec 9>"$0/ready"; exec "$@"', folder, bitcoind, "-regtest",
             f"-datadir={folder}", "-server", "-listen=0", f"-rpcport={self.port}", "-dnsseed=0",
             "-fixedseeds=0", "-corepolicy=1", "-acceptnonstdtxn=1", "-par=2",
             "-disablewallet=1", "-blockmaxweight=4000000", "-minrelaytxfee=0.000001",
             "-checkmempool=0", "-checkblockindex=0",  # regtest's default looks at all each time
             f"-loadblock={file}", "-startupnotify=echo ready >&9"],
            stdout=subprocess.DEVNULL)
        with open(f"{folder}/ready", encoding="ascii") as ready:
            if ready.readline() != "ready\n":
                sys.exit("pool.py: bitcoind did not start")
        self.node = Node(f"{folder}/regtest/.cookie", self.port)

    def wait_for(self, height):
        while self.node.call("getblockcount", "[]")[0] < height:
            self.node.call("waitforblockheight", f"[{height}, 1000]")

    def cpu(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        ticks = fields.rsplit(")", 1)[1].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def send(self, txs):
        """Wall and CPU time of all."""
        bodies = [json.dumps([{"jsonrpc": "1.0", "id": n, "method": "sendrawtransaction",
                               "params": [tx, 0]} for n, tx in enumerate(txs[i:i + BATCH])])
                  for i in range(0, len(txs), BATCH)]
        cpu, start = self.cpu(), time.monotonic()
        for body in bodies:
            answers = self.node.batch(body)
            for answer in answers:
                if answer["error"]:
                    sys.exit(f"pool.py: bitcoind refused: {answer['error']}")
        return time.monotonic() - start, self.cpu() - cpu

    def stop(self):
        self.node.call("stop", "[]")
        self.process.wait()


def rates(pool, bitcoind, bench, folder, count):
    txs = [json.loads(line)["hex"] for line in open(f"{folder}/txs", encoding="ascii")]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(pool.add())
        if pool.count() != count:
            sys.exit(f"pool.py: {pool.count()} of {count} were accepted")
        if bitcoind:
            node = Theirs(bitcoind, f"{folder}/node", f"{folder}/chain.blk")
            try:
                node.wait_for(MATURITY + -(-2 * count // 4000))
                theirs.append(node.send(txs[:THEIRS]))
            finally:
                node.stop()
    wall = statistics.median(c.wall for c in ours)
    cpu = statistics.median(c.cpu for c in ours)
    told(f"add, {count} transactions of 2 inputs", f"{count / wall:,.0f} a second, "
         f"{1e6 * cpu / count:.0f} us of CPU each")
    if theirs:
        sent = min(count, THEIRS)
        their = statistics.median(t[0] for t in theirs) / sent
        told("  bitcoind's sendrawtransaction", f"{1 / their:,.0f} a second, "
             f"{1e6 * statistics.median(t[1] for t in theirs) / sent:.0f} us of CPU each")
        told("  times its rate", f"{their * count / wall:.2f}")
    with open(f"{folder}/full", "wb") as out:
        pool.fresh()
        out.write(pool.verb("prevouts", f"{folder}/txs"))
    out = subprocess.run([bench, "curve", f"{folder}/full"], check=True, stdout=subprocess.PIPE)
    bare = float(re.match(rb"([0-9.]+) s", out.stdout)[1])
    told("  share of it that is bare curve work", f"{bare / cpu:.2f}, "
         f"{1e6 * bare / count:.0f} us each")
    return wall


def marks(pool, count):
    one = statistics.median(pool.marked(1) for _ in range(ROUNDS))
    two = statistics.median(pool.marked(2) for _ in range(ROUNDS))
    told("bb-validate --mark -j1 in front", f"{count / one:,.0f} a second")
    told("  -j2", f"{count / two:,.0f} a second, {one / two:.2f} times that")


def template(pool, count):
    costs = [Cost([*pool.chain, "template"]) for _ in range(9)]
    ms = 1000 * statistics.median(c.cpu for c in costs)
    held = len(json.loads(pool.verb("template"))["transactions"])
    told(f"template of {pool.count()} waiting", f"{ms:.1f} ms of CPU, {held} transactions",
         f"{TEMPLATE_TARGET_MS} ms", ms < TEMPLATE_TARGET_MS)


def main():
    bin_dir, bitcoind, bench, count = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="bb-bench-pool.") as folder:
        make(bin_dir, folder, int(count))
        pool = Pool(bin_dir, folder)
        rates(pool, bitcoind, bench, folder, int(count))
        marks(pool, int(count))
        template(pool, int(count))


if __name__ == "__main__":
    main()
