#!/usr/bin/env python3
"""The alternative main chain of mainnet_alt.json, made again: its 2,016 blocks behind the main
network's genesis block, whose difficulty rises fourfold at the last.

	altchain.py [--lines] > file

writes them in the framing of blk*.dat, or as header lines. The file has times and nonces only;
the rest is as Bitcoin Core's mining_mainnet.py has it, and the proof of work says so."""

import json
import struct
import sys

from bitcoin import Tx, sha256d
from harness import read_json, shared

MAGIC = bytes.fromhex("f9beb4d9")
GENESIS = bytes.fromhex("000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f")[::-1]
BITS, BITS_AFTER, INTERVAL = 0x1D00FFFF, 0x1C3FFFC0, 2016
PAID = bytes.fromhex("76a914eadbac7f36c37e39361168b7aaee3cb24a25312d88ac")


def push_height(height):
    """BIP 34's push; OP_0 makes the short ones up to the two bytes that a scriptSig needs."""
    if height <= 16:
        return bytes([0x50 + height, 0])
    number = height.to_bytes(height.bit_length() // 8 + 1, "little")
    return bytes([len(number)]) + number


def coinbase(height):
    tx = Tx()
    tx.version = 2
    tx.vin = [[bytes(32), 0xFFFFFFFF, push_height(height), 0xFFFFFFFF]]
    tx.witness = [[]]
    tx.vout = [[50 * 10**8, PAID]]
    return tx


def blocks():
    """Each block's bytes from height 1 on; ends with an error at one without proof of work."""
    alt, prev = read_json(shared("vectors/mainnet_alt.json")), GENESIS
    for i, (time, nonce) in enumerate(zip(alt["timestamps"], alt["nonces"])):
        tx = coinbase(i + 1)
        bits = BITS if i + 1 < INTERVAL else BITS_AFTER
        header = struct.pack("<I32s32sIII", 0x20000000, prev, tx.txid(), time, bits, nonce)
        prev = sha256d(header)
        target = (bits & 0x7FFFFF) << 8 * ((bits >> 24) - 3)
        if int.from_bytes(prev, "little") > target:
            raise ValueError("height %d has no proof of work" % (i + 1))
        yield header + b"\x01" + tx.bytes()


def main(args):
    for height, block in enumerate(blocks(), 1):
        if args == ["--lines"]:
            print(json.dumps({"type": "header", "height": height, "hex": block[:80].hex()}))
        else:
            sys.stdout.buffer.write(MAGIC + struct.pack("<I", len(block)) + block)


if __name__ == "__main__":
    main(sys.argv[1:])
