#!/usr/bin/env python3
"""ledger.py BIN BITCOIND INPUTS.blk COINS.blk: bb-chain against a real bitcoind, and by itself.

Both load the same file, in turns, with two threads and every script run; wall time, since what
threads share is the point, of the whole process until its data are on the disk. bitcoind's own
start and stop, measured on a file without blocks, are taken off its time.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
TIME_TARGET, MEMORY_TARGET, QUERY_TARGET_MS = 0.8, 0.5, 1.0


class Cost:
    def __init__(self, command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
        start = time.monotonic()
        process = subprocess.Popen(command, stdin=stdin, stdout=stdout)
        _, status, usage = os.wait4(process.pid, 0)
        self.wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"ledger.py: {command[0]} ended with {process.returncode}")
        self.cpu, self.mib = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Bench:
    def __init__(self, bin_dir, bitcoind, folder):
        self.chain = [f"{bin_dir}/bb-chain", "-n", "regtest"]
        self.bitcoind, self.folder = bitcoind, folder

    def ours(self, file, threads=2):
        """Into a new store, which stays."""
        store = f"{self.folder}/store"
        shutil.rmtree(store, ignore_errors=True)
        return Cost([*self.chain, "-d", store, "-j", str(threads), "import", file])

    def theirs(self, file):
        data = f"{self.folder}/node"
        shutil.rmtree(data, ignore_errors=True)
        os.mkdir(data)
        cost = Cost([self.bitcoind, "-regtest", f"-datadir={data}", "-server=0", "-listen=0",
                     "-connect=0", "-dnsseed=0", "-fixedseeds=0", "-corepolicy=1", "-par=2",
                     "-disablewallet=1", "-blockmaxweight=4000000", f"-loadblock={file}",
                     "-stopafterblockimport=1"])
        log = Path(f"{data}/regtest/debug.log").read_text(encoding="utf-8")
        self.their_tip = re.findall(r"new best=([0-9a-f]{64})", log)[-1]
        return cost

    def ask(self, *verb, stdin=subprocess.DEVNULL):
        out = subprocess.run([*self.chain, "-d", f"{self.folder}/store", *verb], check=True,
                             stdin=stdin, stdout=subprocess.PIPE)
        return [json.loads(line) for line in out.stdout.splitlines()]

    def pages(self):
        """Bytes on disk of each table, and its entries."""
        out = subprocess.run(["mdb_stat", "-a", f"{self.folder}/store/chain"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
        tables = {}
        for name, body in re.findall(r"Status of (\w+)\n((?:  .*\n)*)", out):
            n = {key: int(value) for key, value in re.findall(r"  ([\w ]+): (\d+)", body)}
            pages = n["Branch pages"] + n["Leaf pages"] + n["Overflow pages"]
            tables[name] = (pages * 4096, n["Entries"])
        return tables


def told(name, value, target=None, good=True):
    end = f"  (target {target}: {'met' if good else 'MISSED'})" if target else ""
    print(f"{name:44} {value}{end}", flush=True)


def against_node(bench, file, inputs):
    empty = f"{bench.folder}/empty"
    Path(empty).touch()
    bench.their_tip = None
    base = statistics.median(start_alone(bench, empty) for _ in range(3))
    times, memories, ours, theirs = [], [], [], []
    for _ in range(ROUNDS):
        theirs.append(bench.theirs(file))
        ours.append(bench.ours(file))
        times.append(ours[-1].wall / (theirs[-1].wall - base))
        memories.append(ours[-1].mib / theirs[-1].mib)
        tip = bench.ask("tip")[0]
        if tip["id"] != bench.their_tip:
            sys.exit("ledger.py: the tips differ")
    ratio, memory = statistics.median(times), statistics.median(memories)
    mine = statistics.median(c.wall for c in ours)
    node = statistics.median(c.wall for c in theirs)
    told(f"import, {inputs} inputs, -j2, wall", f"{mine:.2f} s; bitcoind {node:.2f} s, "
         f"{base:.2f} s of it its start and stop")
    told("  ratio of its time", f"{ratio:.2f}", TIME_TARGET, ratio <= TIME_TARGET)
    told("  CPU, ours and its", f"{statistics.median(c.cpu for c in ours):.2f} s, "
         f"{statistics.median(c.cpu for c in theirs):.2f} s")
    told("  memory, ours and its", f"{statistics.median(c.mib for c in ours):.0f} MiB, "
         f"{statistics.median(c.mib for c in theirs):.0f} MiB")
    told("  ratio of its memory", f"{memory:.2f}", MEMORY_TARGET, memory <= MEMORY_TARGET)
    told("  microseconds of CPU an input",
         f"{1e6 * statistics.median(c.cpu for c in ours) / inputs:.1f}")


def start_alone(bench, empty):
    data = f"{bench.folder}/node"
    shutil.rmtree(data, ignore_errors=True)
    os.mkdir(data)
    return Cost([bench.bitcoind, "-regtest", f"-datadir={data}", "-server=0", "-listen=0",
                 "-connect=0", "-dnsseed=0", "-fixedseeds=0", "-corepolicy=1", "-par=2",
                 "-disablewallet=1", f"-loadblock={empty}", "-stopafterblockimport=1"]).wall


def sizes(bench, what):
    tables = bench.pages()
    for name in ("coins", "unspent", "txs", "history", "undo", "nodes"):
        size, entries = tables[name]
        told(f"  {what}: table {name}", f"{size / max(entries, 1):.1f} bytes an entry, "
             f"{entries} entries")


def by_itself(bench, file):
    cost = bench.ours(file, threads=1)
    whole = bench.ask("coins", "--hash")[0]
    told(f"coins written, {whole['count']} of them", f"{whole['count'] / cost.wall:,.0f} a second, "
         f"{cost.mib:.0f} MiB")
    read = Cost([*bench.chain, "-d", f"{bench.folder}/store", "coins", "--hash"])
    told("coins read, for their hash", f"{whole['count'] / read.wall:,.0f} a second")
    data = Path(f"{bench.folder}/store/chain/data.mdb").stat()
    told("bytes a coin, the whole store but blocks",
         f"{data.st_blocks * 512 / whole['count']:.0f}")
    sizes(bench, "coins")
    queries(bench)


def queries(bench):
    """Scripts that have a coin each, spread over the set: many for one process, and one each."""
    lines = [json.dumps({"scriptpubkey": coin["scriptpubkey"]}) for coin in sample(bench, 5000)]
    Path(f"{bench.folder}/ask").write_text("\n".join(lines) + "\n", encoding="ascii")
    with open(f"{bench.folder}/ask", "rb") as stdin:
        many = Cost([*bench.chain, "-d", f"{bench.folder}/store", "utxo"], stdin=stdin)
    ms = 1000 * many.cpu / len(lines)
    told("query by script, CPU, one of many", f"{ms:.4f} ms", QUERY_TARGET_MS, ms < QUERY_TARGET_MS)
    Path(f"{bench.folder}/one").write_text(lines[0] + "\n", encoding="ascii")
    walls = []
    for _ in range(50):
        with open(f"{bench.folder}/one", "rb") as stdin:
            walls.append(Cost([*bench.chain, "-d", f"{bench.folder}/store", "utxo"],
                              stdin=stdin).wall)
    told("  start to exit, for one", f"{1000 * statistics.median(walls):.2f} ms")


def sample(bench, count):
    out = subprocess.Popen([*bench.chain, "-d", f"{bench.folder}/store", "coins"],
                           stdout=subprocess.PIPE)
    every = 1000000 // count
    picked = [json.loads(line) for i, line in enumerate(out.stdout) if i % every == 0]
    out.wait()
    return picked[:count]


def main():
    bin_dir, bitcoind, inputs_file, inputs, coins_file = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(bin_dir, bitcoind, folder)
        if bitcoind:
            against_node(bench, inputs_file, int(inputs))
        else:
            print("no bitcoind here: the comparison is left out")
            bench.ours(inputs_file)
        sizes(bench, "inputs")
        by_itself(bench, coins_file)


if __name__ == "__main__":
    main()
