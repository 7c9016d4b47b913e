#!/usr/bin/env python3
"""chain.py BIN FILE [INPUTS | --coins COINS]: a regtest chain in blk*.dat's framing, to measure with.

Either so many inputs of mixed types, signed by bb-sign, over blocks of two thousand or so, a sixth of
them of 2 keys of 3, always the first two, as one wallet's are; or so many coins, each to a script of
its own.
"""

import hashlib
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "vectors"))
from bitcoin import Tx, compact, push, push_number, sha256, sha256d  # noqa: E402

MAGIC = bytes.fromhex("fabfb5da")
BITS, TIME, VERSION = 0x207FFFFF, 1600000000, 0x20000000
TARGET = 0x7FFFFF << 8 * (0x20 - 3)
GENESIS = struct.pack("<I32s32sIII", 1, bytes(32), bytes.fromhex(
    "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"), 1296688602, BITS, 2)
MATURITY, KEYS, A_BLOCK = 100, 300, 1000  # keys of each type; transactions in a block
VALUE = 1000  # satoshi an output: little enough for every subsidy here


def merkle(hashes):
    while len(hashes) > 1:
        if len(hashes) % 2:
            hashes.append(hashes[-1])
        hashes = [sha256d(hashes[i] + hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


class Chain:
    """Blocks on top of regtest's genesis, written as they are made."""

    def __init__(self, file):
        self.file, self.tip, self.height = file, sha256d(GENESIS), 0

    def coinbase(self, outputs):
        tx = Tx()
        tx.vin = [[bytes(32), 0xFFFFFFFF, push_number(self.height) + b"\0bb", 0xFFFFFFFF]]
        tx.vout = [list(output) for output in outputs]
        tx.witness = [[bytes(32)]]
        return tx

    def add(self, outputs, txs=()):
        """txs: pairs of txid and bytes. Returns the coinbase's txid."""
        self.height += 1
        coinbase = self.coinbase(outputs)
        wtxids = [bytes(32)] + [sha256d(data) for _, data in txs]
        commitment = sha256d(merkle(wtxids) + bytes(32))
        coinbase.vout.append([0, b"\x6a\x24\xaa\x21\xa9\xed" + commitment])
        txid = coinbase.txid()
        root = merkle([txid] + [i for i, _ in txs])
        for nonce in range(1 << 32):
            header = struct.pack("<I32s32sIII", VERSION, self.tip, root, TIME + 600 * self.height,
                                 BITS, nonce)
            if int.from_bytes(sha256d(header), "little") <= TARGET:
                break
        self.tip = sha256d(header)
        data = header + compact(len(txs) + 1) + coinbase.bytes() + b"".join(t for _, t in txs)
        self.file.write(MAGIC + struct.pack("<I", len(data)) + data)
        return txid


class Coins:
    """Keys of every type, and what spends their outputs."""

    def __init__(self, bin_dir, folder):
        self.bin, self.folder = bin_dir, folder
        self.files, self.kinds = [], []
        for kind in ("p2pkh", "p2sh-p2wpkh", "p2wpkh", "p2tr"):
            for line in self.keys(kind):
                self.kinds.append((self.script(line), {}))
        pairs = self.keys("p2pkh")
        for i, line in enumerate(pairs):
            pubkey = bytes.fromhex(line["pubkey"])
            two = (b"\x52" + push(pubkey) + push(bytes.fromhex(pairs[i - 1]["pubkey"])) +
                   push(bytes.fromhex(pairs[i - 2]["pubkey"])) + b"\x53\xae")
            self.kinds.append((push(pubkey) + b"\xac", {}))
            self.kinds.append((b"\x00\x20" + sha256(two), {"witnessscript": two.hex()}))

    def keys(self, kind):
        file = f"{self.folder}/{kind}-{len(self.files)}"
        self.files += ["-k", file]
        out = subprocess.run([f"{self.bin}/bb-keygen", "-n", "regtest", "-t", kind, "--count",
                              str(KEYS), "-o", file], check=True, capture_output=True)
        return [json.loads(line) for line in out.stdout.splitlines()]

    def script(self, key):
        pubkey = bytes.fromhex(key["pubkey"])
        digest = hashlib.new("ripemd160", sha256(pubkey)).digest()
        address = key["address"]
        if address.startswith("bcrt1p"):
            return self.decode(address)
        if address.startswith("bcrt1"):
            return b"\x00\x14" + digest
        if address.startswith("2"):
            inner = hashlib.new("ripemd160", sha256(b"\x00\x14" + digest)).digest()
            return b"\xa9\x14" + inner + b"\x87"
        return b"\x76\xa9\x14" + digest + b"\x88\xac"

    def decode(self, address):
        out = subprocess.run([f"{self.bin}/bb-decode", "-n", "regtest", "--type", "address"],
                             input=address.encode() + b"\n", check=True, capture_output=True)
        return bytes.fromhex(json.loads(out.stdout)["hex"])

    def kind(self, n):
        """Interleaved, so that every transaction spends two types."""
        return self.kinds[n * 7919 % len(self.kinds)]

    def line(self, inputs, outputs):
        vin = []
        for txid, vout, n in inputs:
            script, extra = self.kind(n)
            vin.append({"txid": txid[::-1].hex(), "vout": vout, "sequence": 0xFFFFFFFD,
                        "scriptsig": "", **extra,
                        "prevout": {"scriptpubkey": script.hex(), "value": VALUE}})
        vout = [{"scriptpubkey": self.kind(n)[0].hex(), "value": value} for n, value in outputs]
        return json.dumps({"type": "tx", "version": 2, "locktime": 0, "vin": vin, "vout": vout})

    def sign(self, lines):
        """Two at a time; the answers in order."""
        half = len(lines) // 2
        started = []
        for i, part in enumerate((lines[:half], lines[half:])):
            name = f"{self.folder}/part{i}"
            Path(name).write_text("".join(line + "\n" for line in part), encoding="ascii")
            with open(f"{name}.out", "wb") as out:
                sign = subprocess.Popen([f"{self.bin}/bb-sign", "-n", "regtest", *self.files, name],
                                        stdout=subprocess.PIPE)
                encode = subprocess.Popen([f"{self.bin}/bb-encode"], stdin=sign.stdout, stdout=out)
            sign.stdout.close()
            started.append((sign, encode, f"{name}.out"))
        for sign, encode, name in started:
            if sign.wait() or encode.wait():
                sys.exit("chain.py: signing failed")
            for line in Path(name).read_text(encoding="ascii").splitlines():
                data = bytes.fromhex(line)
                yield Tx(data).txid(), data


def inputs_chain(chain, bin_dir, count):
    with tempfile.TemporaryDirectory() as folder:
        coins = Coins(bin_dir, folder)
        funded, n = [], 0
        while n < count:
            here = min(4000, count - n)
            txid = chain.add([(VALUE, coins.kind(n + i)[0]) for i in range(here)])
            funded += [(txid, i, n + i) for i in range(here)]
            n += here
        for _ in range(MATURITY):
            chain.add([(VALUE, b"\x51")])
        lines = [coins.line(funded[i:i + 2], [(n + i, VALUE), (n + i + 1, VALUE - 300)])
                 for i in range(0, count, 2)]
        batch = []
        for tx in coins.sign(lines):
            batch.append(tx)
            if len(batch) == A_BLOCK:
                chain.add([(VALUE, b"\x51")], batch)
                batch = []
        if batch:
            chain.add([(VALUE, b"\x51")], batch)


def coins_chain(chain, count):
    for start in range(0, count, 20000):
        chain.add([(VALUE, b"\x00\x14" + sha256(struct.pack("<I", i))[:20])
                   for i in range(start, min(start + 20000, count))])


def main():
    bin_dir, name, *rest = sys.argv[1:]
    with open(name, "wb") as file:
        file.write(MAGIC + struct.pack("<I", 285) + genesis())
        chain = Chain(file)
        if rest[0] == "--coins":
            coins_chain(chain, int(rest[1]))
        else:
            inputs_chain(chain, bin_dir, int(rest[0]))
    print(f"{chain.height} blocks, {Path(name).stat().st_size} bytes", file=sys.stderr)


def genesis():
    tx = Tx()
    text = b"The Times 03/Jan/2009 Chancellor on brink of second bailout for banks"
    tx.vin = [[bytes(32), 0xFFFFFFFF, bytes.fromhex("04ffff001d0104") + push(text), 0xFFFFFFFF]]
    key = ("04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f3550"
           "4e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f")
    tx.vout = [[50 * 10**8, push(bytes.fromhex(key)) + b"\xac"]]
    return GENESIS + b"\x01" + tx.bytes()


if __name__ == "__main__":
    main()
