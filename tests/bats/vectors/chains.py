#!/usr/bin/env python3
"""Chains for bb-chain's tests, and what a ledger must say of them, computed here apart from libbb:

grow COUNT ...   block lines of regtest, on top of the blocks of a file
ids FILE         the blocks' ids
adjust DIR       a network of barenet's rules on which work is cheap, and a chain on it
remine FILE HEIGHT BITS   a chain's block of that height, made anew with these bits
coins FILE       every coin of a chain of lines or blk framing, as utxo lines in order
sum FILE         their number, value, transactions, hash_serialized_3 and MuHash
history FILE HEX the txids that pay or spend a script, in order
proof            the proof line on standard input holds
frame [MAGIC]    lines to blk framing
"""

import argparse
import hashlib
import json
import os
import struct
import sys

from bitcoin import Reader, Tx, compact, push, push_number, sha256d, var

REGTEST = bytes.fromhex("fabfb5da")
REGTEST_BITS = 0x207FFFFF
GENESIS_TIME = 1296688602
FINAL = 0xFFFFFFFF
COIN = 10**8


# Blocks


def merkle(hashes):
    while len(hashes) > 1:
        hashes = hashes + hashes[-1:] * (len(hashes) % 2)
        hashes = [sha256d(a + b) for a, b in zip(hashes[::2], hashes[1::2])]
    return hashes[0]


def target(bits):
    """SetCompact, for bits of a target over 3 bytes."""
    return (bits & 0x7FFFFF) << 8 * ((bits >> 24) - 3)


def compact_bits(value):
    """GetCompact: three bytes of mantissa without a sign, and how many bytes in all."""
    size = (value.bit_length() + 7) // 8
    mantissa = value >> 8 * (size - 3)
    if mantissa & 0x800000:
        mantissa, size = mantissa >> 8, size + 1
    return size << 24 | mantissa


def mine(head):
    """The header whose nonce does the work that its bits ask for."""
    start, limit = hashlib.sha256(head[:64]), target(struct.unpack("<I", head[72:76])[0])
    for nonce in range(1 << 32):
        h = start.copy()
        h.update(head[64:] + struct.pack("<I", nonce))
        digest = hashlib.sha256(h.digest()).digest()
        if int.from_bytes(digest, "little") <= limit:
            return head + struct.pack("<I", nonce)
    raise ValueError("no nonce")


def block(prev, height, time, bits, txs, version=0x20000000):
    head = struct.pack("<I", version) + prev + merkle([tx.txid() for tx in txs])
    head = mine(head + struct.pack("<II", time, bits))
    return head + compact(len(txs)) + b"".join(tx.bytes() for tx in txs)


def coinbase(height, value, script, tag):
    tx = Tx()
    tx.vin = [[bytes(32), FINAL, push_number(height) + push(tag.encode()), FINAL]]
    tx.vout, tx.witness = [[value, script]], [[]]
    return tx


def spend(txid, value, script):
    """The first output of txid, which asks for no signature, to a script."""
    tx = Tx()
    tx.version = 2
    tx.vin, tx.vout, tx.witness = [[txid, 0, b"", FINAL]], [[value, script]], [[]]
    return tx


def transactions(raw):
    r = Reader(raw)
    r.take(80)
    return [Tx().read(r) for _ in range(r.compact())]


def regtest_genesis():
    """Core's CreateGenesisBlock for regtest."""
    tx = Tx()
    words = b"The Times 03/Jan/2009 Chancellor on brink of second bailout for banks"
    tx.vin = [[bytes(32), FINAL, bytes.fromhex("04ffff001d0104") + push(words), FINAL]]
    key = ("04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb6"
           "49f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f")
    tx.vout, tx.witness = [[50 * COIN, push(bytes.fromhex(key)) + b"\xac"]], [[]]
    head = struct.pack("<I", 1) + bytes(32) + tx.txid()
    head += struct.pack("<III", GENESIS_TIME, REGTEST_BITS, 2)
    return head + compact(1) + tx.bytes()


def unframed(data):
    while data:
        size, = struct.unpack("<I", data[4:8])
        yield data[8:8 + size]
        data = data[8 + size:]


def read_blocks(path):
    """The blocks of a file of lines or of blk framing, in its order."""
    with (sys.stdin.buffer if path == "-" else open(path, "rb")) as f:
        data = f.read()
    if data[:1] != b"{":
        return list(unframed(data))
    return [bytes.fromhex(json.loads(line)["hex"]) for line in data.splitlines()]


def line(raw):
    return json.dumps({"type": "block", "hex": raw.hex()}, separators=(",", ":"))


def grow(args):
    chain = [regtest_genesis()] + (read_blocks(args.onto) if args.onto else [])
    chain = chain[:args.at + 1] if args.at is not None else chain
    script, pay = bytes.fromhex(args.script), bytes.fromhex(args.pay or args.script)
    bits = REGTEST_BITS
    for _ in range(args.count):
        height, prev = len(chain), sha256d(chain[-1][:80])
        time = struct.unpack("<I", chain[-1][68:72])[0] + args.spacing
        spends, fees = [], 0
        if args.spend and height > 101:
            old = transactions(chain[height - 100])[0]
            if old.vout[0][1] == b"\x51":
                spends, fees = [spend(old.txid(), old.vout[0][0] - 1000, pay)], 1000
        if args.steal:
            spends = [spend(sha256d(b"no such transaction"), COIN, pay)]
        value = (50 * COIN >> height // 150) + fees + args.extra
        chain.append(block(prev, height, time, bits,
                           [coinbase(height, value, script, args.tag)] + spends))
        print(line(chain[-1]))


def tell_ids(args):
    for raw in read_blocks(args.file):
        print(sha256d(raw[:80])[::-1].hex())


# Difficulty

PERIOD, TIMESPAN, LIMIT = 60, 600, (1 << 244) - 1


def adjust(args):
    """Barenet's rules, with a limit that Python meets: periods that are fast, slow, too slow for
    the clamp, as they should be, and one whose clock jumps back and forth."""
    start, bits = 1735862400, compact_bits(LIMIT)
    first = coinbase(0, 50 * COIN, b"\x51", "a network for one test")
    chain = [block(bytes(32), 0, start, bits, [first], version=1)]
    genesis = sha256d(chain[0][:80])[::-1].hex()
    with open(os.path.join(args.dir, "net.json"), "w", encoding="utf-8") as f:
        json.dump({"base": "barenet", "name": "adjust", "magic": "bbbafee8", "genesis": genesis,
                   "pow_limit": "%064x" % LIMIT}, f)
    times, all_bits = [start], [bits]
    for steps in ([1], [20, 17], [3, 2, 4], [70], [10], [11, 30, -18, 9]):
        for i in range(PERIOD):
            height, time = len(chain), times[-1] + steps[i % len(steps)]
            if height % PERIOD == 0:
                # BIP 94: from the bits of the period's first block; the off-by-one is Bitcoin's
                span = times[-1] - times[-PERIOD]
                span = min(max(span, TIMESPAN // 4), TIMESPAN * 4)
                bits = compact_bits(min(target(all_bits[-PERIOD]) * span // TIMESPAN, LIMIT))
            prev = sha256d(chain[-1][:80])
            value = 50 * COIN >> height // 2100
            chain.append(block(prev, height, time, bits,
                               [coinbase(height, value, b"\x51", "adjust")]))
            times.append(time)
            all_bits.append(bits)
    with open(os.path.join(args.dir, "chain.ndjson"), "w", encoding="utf-8") as f:
        f.writelines(line(raw) + "\n" for raw in chain)
    with open(os.path.join(args.dir, "bits"), "w", encoding="utf-8") as f:
        f.writelines("%d\n" % b for b in all_bits)


def remine(args):
    raw = read_blocks(args.file)[args.height]
    print(line(mine(raw[:72] + struct.pack("<I", args.bits)) + raw[80:]))


# What a ledger must say


def coins_of(chain):
    """Outpoint to (value, script, height, coinbase), in order of txid's bytes and number."""
    coins = {}
    for height, raw in enumerate(chain):
        for i, tx in enumerate(transactions(raw)):
            if i:
                for txid, vout, _, _ in tx.vin:
                    del coins[txid, vout]
            for n, (value, script) in enumerate(tx.vout):
                if height and script[:1] != b"\x6a" and len(script) <= 10000:
                    coins[tx.txid(), n] = value, script, height, i == 0
    return dict(sorted(coins.items()))


def with_genesis(blocks):
    """Blocks that do not begin with a genesis block stand on regtest's."""
    return blocks if blocks[0][4:36] == bytes(32) else [regtest_genesis()] + blocks


def tell_coins(args):
    for (txid, vout), (value, script, height, made) in \
            coins_of(with_genesis(read_blocks(args.file))).items():
        print(json.dumps(dict(txid=txid[::-1].hex(), vout=vout, value=value,
                              scriptpubkey=script.hex(), height=height, coinbase=made),
                         separators=(",", ":")))


def chacha20(key, size):
    """The first bytes of its key stream, nonce and counter 0 (RFC 8439's block function)."""
    def quarter(x, a, b, c, d):
        for i, j, k, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[i] = (x[i] + x[j]) & 0xFFFFFFFF
            x[k] ^= x[i]
            x[k] = (x[k] << by | x[k] >> 32 - by) & 0xFFFFFFFF
    out = b""
    while len(out) < size:
        state = list(struct.unpack("<16I", b"expand 32-byte k" + key +
                                   struct.pack("<QQ", len(out) // 64, 0)))
        x = state[:]
        for _ in range(10):
            for i in range(4):
                quarter(x, i, 4 + i, 8 + i, 12 + i)
            for i in range(4):
                quarter(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
        out += struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(x, state)))
    return out[:size]


def tell_sum(args):
    coins = coins_of(with_genesis(read_blocks(args.file)))
    all_bytes, product, prime = hashlib.sha256(), 1, 2**3072 - 1103717
    for (txid, vout), (value, script, height, made) in coins.items():
        record = txid + struct.pack("<IIq", vout, 2 * height + made, value) + var(script)
        all_bytes.update(record)
        if args.muhash:
            key = hashlib.sha256(record).digest()
            product = product * int.from_bytes(chacha20(key, 384), "little") % prime
    out = dict(count=len(coins), txs=len({txid for txid, _ in coins}),
               value=sum(coin[0] for coin in coins.values()),
               hash=hashlib.sha256(all_bytes.digest()).digest()[::-1].hex())
    if args.muhash:
        out["muhash"] = hashlib.sha256(product.to_bytes(384, "little")).digest()[::-1].hex()
    print(json.dumps(out, separators=(",", ":")))


def tell_history(args):
    wanted, outputs = bytes.fromhex(args.script), {}
    for raw in with_genesis(read_blocks(args.file)):
        for i, tx in enumerate(transactions(raw)):
            paid = [script for _, script in tx.vout]
            spent = [outputs[txid, vout] for txid, vout, _, _ in tx.vin] if i else []
            outputs.update({(tx.txid(), n): script for n, script in enumerate(paid)})
            if wanted in paid + spent:
                print(tx.txid()[::-1].hex())


def branch(leaf, position, hashes):
    for h in hashes:
        h = bytes.fromhex(h)[::-1]
        leaf = sha256d(h + leaf if position & 1 else leaf + h)
        position >>= 1
    return leaf if position == 0 else None


def check_proof(_):
    """Each line's branches lead to its header's root, and that header is the block's."""
    for text in sys.stdin:
        p = json.loads(text)
        header, coinbase_tx = bytes.fromhex(p["header"]), Tx(bytes.fromhex(p["coinbase_tx"]))
        txid = bytes.fromhex(p["txid"])[::-1]
        assert p["type"] == "proof"
        assert len(header) == 80 and sha256d(header)[::-1].hex() == p["id"], "id"
        assert branch(txid, p["position"], p["hashes"]) == header[36:68], "hashes"
        assert branch(coinbase_tx.txid(), 0, p["coinbase_hashes"]) == header[36:68], "coinbase"
        assert len(p["hashes"]) == len(p["coinbase_hashes"]), "depth"


def frame(args):
    for raw in read_blocks("-"):
        sys.stdout.buffer.write(bytes.fromhex(args.magic) + struct.pack("<I", len(raw)) + raw)


def main():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(required=True)

    def verb(name, function):
        sub = verbs.add_parser(name)
        sub.set_defaults(function=function)
        return sub.add_argument

    option = verb("grow", grow)
    option("count", type=int)
    option("--onto")
    option("--at", type=int)
    option("--script", default="51")
    option("--pay")
    option("--spend", action="store_true")
    option("--extra", type=int, default=0)
    option("--steal", action="store_true")
    option("--tag", default="a")
    option("--spacing", type=int, default=600)
    verb("ids", tell_ids)("file")
    verb("adjust", adjust)("dir")
    option = verb("remine", remine)
    option("file")
    option("height", type=int)
    option("bits", type=int)
    verb("coins", tell_coins)("file")
    option = verb("sum", tell_sum)
    option("file")
    option("--muhash", action="store_true")
    option = verb("history", tell_history)
    option("file")
    option("script")
    verb("proof", check_proof)
    verb("frame", frame)("magic", nargs="?", default=REGTEST.hex())
    args = parser.parse_args()
    args.function(args)


main()
