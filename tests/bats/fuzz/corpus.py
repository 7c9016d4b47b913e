"""Write the first inputs of the fuzz targets: corpus.py OUT. A folder a target; each input is
named by its hash, so that it stands once.

seeds/ holds some for every machine, a line each: of `line` and `sign` as they are, of `address`
text after `text:`, or hex after `base58:`, `bech32:`, `bech32m:`, of the others in hex. More come
from the shared vectors and data where these are there."""

import hashlib
import json
import lzma
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "vectors"))

from bitcoin import Tx, compact, parse_script, var  # noqa: E402
from harness import read_json, read_text, shared  # noqa: E402

OUT = sys.argv[1]
TX_LINES, LINE_MAX = 400, 6000
STANDARD, CONSENSUS = 0x1FFFDF, 0x20E15
FORM_TX, FORM_BARE = 0, 1
KINDS = {"text": 0, "base58": 1, "bech32": 2, "bech32m": 3}


def put(target, data):
    folder = os.path.join(OUT, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, hashlib.sha1(data).hexdigest()), "wb") as f:
        f.write(data)


def put_address(text):
    put("address", b"\0" + text.encode())


def seeds(target):
    with open(os.path.join(HERE, "seeds", target + ".txt"), encoding="utf-8") as f:
        return [line.rstrip("\n") for line in f if line.strip() and line[0] != "#"]


def committed():
    for target in "line", "sign":
        for line in seeds(target):
            put(target, line.encode())
    for target in "tx", "script", "blocks", "pool", "store", "blkfile":
        for line in seeds(target):
            put(target, bytes.fromhex(line))
    for line in seeds("address"):
        kind, rest = line.split(":", 1)
        put("address", bytes([KINDS[kind]]) + (rest.encode() if kind == "text" else bytes.fromhex(rest)))


def lines(name):
    path = shared("data/" + name)
    if path:
        with lzma.open(path, "rt", encoding="utf-8") as f:
            yield from f


def script_head(form, index, flags):
    return struct.pack("<BBII", form, index, flags, 0)


def real_transactions():
    """Every tenth of the tampered ones, in lean form: as a line, as bytes, as scripts."""
    for i, text in enumerate(lines("mainnet-txs-tampered.ndjson.xz")):
        line = json.loads(text)
        raw, prevouts = bytes.fromhex(line["hex"]), line["prevouts"]
        if i % 10 or len(text) > LINE_MAX or len(prevouts) > 8:
            continue
        put("line", text.encode().strip())
        put("tx", raw)
        known = b"".join(
            struct.pack("<q", p["value"]) + var(bytes.fromhex(p["scriptpubkey"])) for p in prevouts)
        put("script", script_head(FORM_TX, i % len(prevouts), STANDARD if i & 16 else CONSENSUS) +
            bytes([len(prevouts)]) + known + raw)
    for i, text in enumerate(lines("mainnet-txs.ndjson.xz")):
        if i % 10 == 0 and len(text) <= LINE_MAX:
            put("line", text.encode().strip())


def real_blocks():
    for text in lines("mainnet-blocks-prevouts.ndjson.xz"):
        if len(text) < 40000:
            put("line", text.encode().strip())
            put("tx", bytes.fromhex(json.loads(text)["hex"]))


def script_tests():
    path = shared("vectors/script_tests.json")
    for row in read_json(path) if path else []:
        if len(row) < 4:
            continue
        witness, value = [], 0
        if isinstance(row[0], list):
            *items, amount = row[0]
            row, value = row[1:], int(round(amount * 10**8))
            if any("#" in item for item in items):
                continue
            witness = [bytes.fromhex(item) for item in items]
        try:
            spans = [parse_script(row[0]), parse_script(row[1])] + witness
        except ValueError:
            continue
        body = struct.pack("<IIIq", 1, 0, 0xFFFFFFFF, value)
        for span in spans:
            body += struct.pack("<H", len(span)) + span
        for flags in STANDARD, CONSENSUS:
            put("script", script_head(FORM_BARE, 0, flags) + body)


def vectors():
    for name in "key_io_valid", "key_io_invalid", "base58_encode_decode":
        path = shared("vectors/%s.json" % name)
        for row in read_json(path) if path else []:
            for text in row:
                if isinstance(text, str):
                    put_address(text)
    for bip in "0032", "0049", "0084", "0086", "0173", "0350":
        path = shared("vectors/bips/bip-%s-test-vectors.txt" % bip)
        for word in read_text(path).split() if path else []:
            if 4 < len(word) < 200:
                put_address(word.strip("*\"'`,"))


committed()
real_transactions()
real_blocks()
script_tests()
vectors()
