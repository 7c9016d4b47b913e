"""Where the tables lie, how libbb and bb-validate are asked, and how a table is counted."""

import collections
import contextlib
import json
import os
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
SHARED = os.environ.get("BB_SHARED", os.path.join(os.path.dirname(REPO), "shared"))
BIN = os.environ.get("BIN", os.path.join(REPO, "bin"))
BUILD = os.environ.get("BUILD", os.path.join(REPO, "build"))
NPM = os.path.join(BUILD, "npm")
if "BB_SHARED" in os.environ and not os.path.isdir(SHARED):
    sys.exit("BB_SHARED names no folder: " + SHARED)
# Those told of a table before the rest is only counted.
SHOWN = 20


def shared(name):
    """The path of one of the shared vectors or data, or None on a machine without them."""
    path = os.path.join(SHARED, name)
    return path if os.path.exists(path) else None


def npm(name):
    """The path of a file of an unpacked npm package, or None where npm brought nothing."""
    path = os.path.join(NPM, name)
    return path if os.path.exists(path) else None


def read_json(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def read_text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


# How many rows each table has where the shared vectors and data are: a file cut short, or a row
# that a converter passes over, must not go unseen.
ROWS = {
    "script_tests": 1222,
    "tx_valid": 121,
    "tx_invalid": 93,
    "sighash": 500,
    "base58_encode_decode": 21,
    "key_io_valid": 70,
    "key_io_invalid": 70,
    "multisig, whoever signed before": 1963,
    "bip32": 17,
    "bip32, invalid keys": 16,
    "bip49": 10,
    "bip84": 13,
    "bip86": 22,
    "bip143, signature hashes": 14,
    "bip143, signed transactions": 8,
    "bip173, valid strings": 7,
    "bip173, invalid strings": 12,
    "bip173, valid addresses": 6,
    "bip173, invalid addresses": 10,
    "bip173, examples": 4,
    "bip350, valid strings": 7,
    "bip350, invalid strings": 14,
    "bip350, valid addresses": 8,
    "bip350, invalid addresses": 15,
    "bip340": 19,
    "bip341, outputs": 7,
    "bip341, key path spending": 9,
    "bip39 english": 24,
    "bip39 chinese_simplified": 24,
    "bip39 chinese_traditional": 24,
    "bip39 czech": 24,
    "bip39 french": 24,
    "bip39 italian": 24,
    "bip39 japanese": 24,
    "bip39 korean": 24,
    "bip39 portuguese": 24,
    "bip39 spanish": 24,
    "bip39 russian": 24,
    "bip39 turkish": 24,
    "genesis blocks": 6,
    "network parameters, written and read again": 16,
    "difficulty under every mixture of rules": 4801,
    "work of compact targets": 214,
    "an alternative main chain to its first retarget": 2016,
    "Merkle branches of every leaf": 824,
    "muhash": 4,
    "nonces, every kernel against hashlib": 560,
    "nonces, none is tried past the last": 40,
    "script_assets_test": 2243,
    "block rules": 174,
    "mainnet-txs, all valid": 4000,
    "mainnet-txs-tampered, each input as Bitcoin Core 31 has it": 3959,
    "mainnet-blocks-prevouts, all valid": 13,
    "mainnet-blocks-prevouts, one bit flipped, all refused": 1212,
    "modern-blocks, hex to full lines and back": 3,
    "mainnet-txs, decoded as Esplora does": 4000,
    "mainnet-txs, encoded from Esplora's lines": 4000,
    "mainnet-retargets, the chain's work": 400,
    "mainnet-retargets, the bits of the next period": 199,
    "mainnet-0-1000, the coins' muhash": 1,
    "mainnet-0-1000, nonces found again": 1001,
    "modern-blocks, nonces found again": 3,
    "core31 mempool_accept": 95,
    "core31 mempool_cluster": 1385,
    "core31 mempool_datacarrier": 25,
    "core31 mempool_dust": 470,
    "core31 mempool_reorg": 189,
    "core31 mempool_sigoplimit": 471,
    "core31 p2p_invalid_tx": 82,
    "core31 rpc_packages": 1258,
}


class Table:
    """Counts rows: all of a row's checks must hold. Prints `name: N of M` at the end."""

    failed = []

    def __init__(self, name):
        self.name, self.bad, self.rows = name, collections.OrderedDict(), 0

    def row(self, label):
        self.rows += 1
        self.label = "row %d: %s" % (self.rows, label)
        return self.label

    def check(self, ok, note, label=None):
        if not ok:
            self.bad.setdefault(label or self.label, []).append(note)

    def equal(self, got, expected, what, label=None):
        self.check(got == expected, "%s: got %s, expected %s" % (what, got, expected), label)

    def end(self):
        for label, notes in list(self.bad.items())[:SHOWN]:
            print("%s: %s: %s" % (self.name, label[:160], notes[0][:400]), file=sys.stderr)
        if len(self.bad) > SHOWN:
            print("%s: and %d more" % (self.name, len(self.bad) - SHOWN), file=sys.stderr)
        print("%s: %d of %d" % (self.name, self.rows - len(self.bad), self.rows), flush=True)
        wanted = ROWS.get(self.name, self.rows) if shared("vectors") else self.rows
        if self.rows != wanted:
            print("not ok %s: %d rows, and there should be %d" % (self.name, self.rows, wanted),
                  flush=True)
        if self.bad or not self.rows or self.rows != wanted:
            Table.failed.append(self.name)


class Library:
    """libbb, asked through the driver vectors.c: one line, one answer."""

    def __init__(self):
        self.process = subprocess.Popen([os.path.join(BUILD, "vectors")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, operation, *args):
        fields = [operation]
        for a in args:
            if a is None:
                fields.append("-")
            elif isinstance(a, (bytes, bytearray)):
                fields.append(a.hex())
            else:
                fields.append(str(a))
        self.process.stdin.write("\t".join(fields).encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer.endswith(b"\n"):
            raise RuntimeError("the driver died over: " + "\t".join(fields)[:200])
        return answer[:-1].decode("utf-8", "replace")


def judge(table, cases, *options):
    """Run one bb-validate over the lines of (label, line, complain) cases and hand each verdict
    to complain(verdict), which gives a complaint or None. The lines stream: there may be many."""
    command = [os.path.join(BIN, "bb-validate"), "--verdict", *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    waiting, broken = collections.deque(), []

    def feed():
        try:
            for label, line, complain in cases:
                waiting.append((label, complain))
                text = line if isinstance(line, str) else json.dumps(line, separators=(",", ":"))
                process.stdin.write(text.encode() + b"\n")
        except BrokenPipeError:
            pass
        except Exception as e:  # of the converter: told by the thread that waits
            broken.append(e)
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        for number, text in enumerate(process.stdout, 1):
            label, complain = waiting.popleft()
            verdict = json.loads(text)
            if verdict.get("type") != "verdict" or verdict.get("line") != number:
                table.check(False, "not the verdict of line %d: %s" % (number, text[:200]), label)
                continue
            complaint = complain(verdict)
            table.check(not complaint, complaint, label)
    except BaseException:
        process.kill()  # or the feeder would wait for ever
        raise
    feeder.join()
    status = process.wait()
    if broken:
        raise broken[0]
    table.check(not waiting, "%d lines got no verdict" % len(waiting), "the end")
    table.check(status in (0, 1, 2), "bb-validate ended with status %d" % status, "the end")


def tx_line(tx, prevouts, **more):
    """A transaction in the lean form; prevouts are (script, value)."""
    return dict(type="tx", hex=tx.hex(),
                prevouts=[{"scriptpubkey": s.hex(), "value": v} for s, v in prevouts], **more)
