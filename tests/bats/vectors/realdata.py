#!/usr/bin/env python3
"""The real network's transactions and blocks (INDEX.md beside them says what they are): judged,
tampered with, taken apart and put together again. Each check prints `name: N of M`."""

import json
import lzma
import os
import random
import subprocess
import sys

import chain
import nonces
from bitcoin import Reader, Tx
from harness import BIN, Table, judge, shared


def lines(name):
    with lzma.open(shared("data/%s.ndjson.xz" % name), "rt", encoding="utf-8") as f:
        for line in f:
            yield line.rstrip("\n")


def filtered(tool, text):
    """The lines that a tool makes of text."""
    done = subprocess.run([os.path.join(BIN, tool[0]), *tool[1:]], input=text.encode(),
                          stdout=subprocess.PIPE, check=False)
    return done.stdout.decode().splitlines()


def is_valid(verdict):
    return None if verdict["valid"] is True else "not valid: %s" % verdict.get("error")


def is_refused(verdict):
    if verdict["valid"] is not False or not verdict.get("error"):
        return "valid %s, error %s" % (verdict["valid"], verdict.get("error"))
    return None


def mainnet_txs():
    table = Table("mainnet-txs, all valid")
    judge(table, ((table.row("transaction"), line, is_valid) for line in lines("mainnet-txs")))
    table.end()


def tampered():
    table = Table("mainnet-txs-tampered, each input as Bitcoin Core 31 has it")

    def cases():
        for line in lines("mainnet-txs-tampered"):
            doc = json.loads(line)

            def complain(verdict, expect=doc["expect"]):
                got = [result == "OK" for result in verdict.get("inputs", [])]
                return None if got == expect else "got %s, expected %s" % (got, expect)
            yield table.row(doc["tampered"]), line, complain

    judge(table, cases())
    table.end()


def blocks():
    table = Table("mainnet-blocks-prevouts, all valid")
    judge(table, ((table.row("block"), line, is_valid)
                  for line in lines("mainnet-blocks-prevouts")), "-n", "main")
    table.end()


def block_spans(data):
    """The header's bytes, then each transaction's base bytes and witness bytes, as ranges."""
    r = Reader(data)
    r.take(80)
    yield 0, 80
    for _ in range(r.compact()):
        start = r.at
        tx = Tx().read(r)
        witness = len(tx.bytes()) - len(tx.bytes(witness=False)) - 2
        if witness > 0:
            yield r.at - 4 - witness, r.at - 4
            yield start, r.at - 4 - witness
        else:
            yield start, r.at


def flipped_blocks():
    table, dice = Table("mainnet-blocks-prevouts, one bit flipped, all refused"), random.Random(4)

    def cases():
        for line in lines("mainnet-blocks-prevouts"):
            doc = json.loads(line)
            data = bytes.fromhex(doc["hex"])
            before, _, behind = line.partition(doc["hex"])
            for number, (start, end) in enumerate(block_spans(data)):
                for _ in range(8 if number == 0 else 1):
                    at, bit = dice.randrange(start, end), dice.randrange(8)
                    changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]
                    label = table.row("height %d, byte %d, bit %d" % (doc["height"], at, bit))
                    yield label, before + changed.hex() + behind, is_refused

    judge(table, cases(), "-n", "main")
    table.end()


def modern_blocks():
    table = Table("modern-blocks, hex to full lines and back")
    for line in lines("modern-blocks"):
        table.row(str(json.loads(line)["height"]))
        full = filtered(("bb-decode", "-n", "main"), line + "\n")
        table.equal(len(full), 1, "lines")
        doc = json.loads(full[0])
        table.check("hex" not in doc and len(doc["tx"]) == doc["tx_count"], "not a full block line")
        back = filtered(("bb-encode", "-n", "main"), full[0] + "\n")
        table.check(back == [json.loads(line)["hex"]], "other bytes came back")
    table.end()


def tx_of_esplora(doc):
    tx = Tx()
    tx.version, tx.locktime = doc["version"], doc["locktime"]
    for vin in doc["vin"]:
        tx.vin.append([bytes.fromhex(vin["txid"])[::-1], vin["vout"], bytes.fromhex(vin["scriptsig"]),
                       vin["sequence"]])
        tx.witness.append([bytes.fromhex(item) for item in vin.get("witness", [])])
    tx.vout = [[out["value"], bytes.fromhex(out["scriptpubkey"])] for out in doc["vout"]]
    return tx


def differences(expected, got, path=""):
    """Where a decoded line differs from Esplora's, in what Esplora tells."""
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            yield "%s: no object" % path
            return
        for key, value in expected.items():
            if not key.startswith("inner_"):
                yield from differences(value, got.get(key), path + "." + key)
    elif isinstance(expected, list):
        if not isinstance(got, list) or len(got) != len(expected):
            yield "%s: other length" % path
            return
        for i, (a, b) in enumerate(zip(expected, got)):
            yield from differences(a, b, "%s[%d]" % (path, i))
    elif expected == "unknown" and got == "multisig" and path.endswith("_type"):
        return  # the server of this data had no such type yet; bb-lines(5) has
    elif expected != got:
        yield "%s: got %s, expected %s" % (path, got, expected)


def esplora():
    """Disassembly, types, addresses and everything else Esplora says of 4,000 transactions is
    what bb-decode makes of their bytes; and bb-encode makes the bytes of Esplora's lines."""
    table, docs = Table("mainnet-txs, decoded as Esplora does"), []
    lean = []
    for line in lines("mainnet-txs"):
        doc = json.loads(line)
        docs.append(doc)
        prevouts = [{k: vin["prevout"][k] for k in ("scriptpubkey", "value")} for vin in doc["vin"]]
        lean.append(json.dumps({"type": "tx", "hex": tx_of_esplora(doc).bytes().hex(),
                                "prevouts": prevouts}))
    full = filtered(("bb-decode", "-n", "main"), "\n".join(lean) + "\n")
    table.check(len(full) == len(docs), "%d lines came back" % len(full), "all")
    for doc, line in zip(docs, full):
        got = json.loads(line)
        table.row(got.get("txid", "?"))
        for difference in differences(doc, got):
            table.check(False, difference)
        table.equal(got.get("txid"), tx_of_esplora(doc).txid()[::-1].hex(), "txid")
    table.end()
    table = Table("mainnet-txs, encoded from Esplora's lines")
    hexes = filtered(("bb-encode", "-n", "main"), "\n".join(map(json.dumps, docs)) + "\n")
    table.check(len(hexes) == len(docs), "%d lines came back" % len(hexes), "all")
    for doc, text in zip(docs, hexes):
        table.row(text[:64])
        table.check(text == tx_of_esplora(doc).bytes().hex(), "other bytes")
    table.end()


def main():
    for name, file, test in (
            ("mainnet-txs", "mainnet-txs.ndjson.xz", mainnet_txs),
            ("mainnet-txs-tampered", "mainnet-txs-tampered.ndjson.xz", tampered),
            ("mainnet-blocks-prevouts", "mainnet-blocks-prevouts.ndjson.xz", blocks),
            ("mainnet-blocks-prevouts, flipped", "mainnet-blocks-prevouts.ndjson.xz",
             flipped_blocks),
            ("modern-blocks", "modern-blocks.ndjson.xz", modern_blocks),
            ("mainnet-txs and Esplora", "mainnet-txs.ndjson.xz", esplora),
            ("mainnet-retargets", "mainnet-retargets.csv", chain.mainnet_retargets),
            ("mainnet-0-1000 and MuHash", "mainnet-0-1000.blk", chain.mainnet_muhash),
            ("mainnet-0-1000 and nonces", "mainnet-0-1000.blk", nonces.mainnet_nonces),
            ("modern-blocks and nonces", "modern-blocks.ndjson.xz", nonces.modern_nonces)):
        if shared("data") and not shared("data/" + file):
            print("%s: its file is missing: %s" % (name, file), flush=True)
            Table.failed.append(name)
            continue
        if not shared("data"):
            print("%s: left out: there is no shared data here" % name, flush=True)
            continue
        try:
            test()
        except Exception as e:
            print("%s: broke off: %s: %s" % (name, type(e).__name__, e), flush=True)
            Table.failed.append(name)
    return 1 if Table.failed else 0


if __name__ == "__main__":
    sys.exit(main())
