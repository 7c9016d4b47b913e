"""The chain's own arithmetic, asked of libbb: genesis blocks, parameters, difficulty and work,
Merkle branches, MuHash."""

import csv
import json
import random
import struct

import altchain
from bitcoin import Reader, Tx, sha256d, var
from harness import Library, Table, shared

SATOSHIS_ROOT = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
# Hash and Merkle root, as Bitcoin Core's chainparams and DESIGN's barenet state them.
GENESIS = {
    "main": ("000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f", SATOSHIS_ROOT),
    "testnet3": ("000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943", SATOSHIS_ROOT),
    "testnet4": ("00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
                 "7aa0a7ae1e223414cb807e40cd57e667b718e42aaf9306db9102fe28912b7b4e"),
    "signet": ("00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6", SATOSHIS_ROOT),
    "regtest": ("0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206", SATOSHIS_ROOT),
    "barenet": ("000004dadc4ca8caeee35eedd1d4e127e6dede36ba0f38fe77a8452d321285fe",
                "0c05cbc3e20e7426592609b14d7d802d949f18021b69c4844cdd9ed3ede995d3"),
}


def display(hash32):
    return hash32[::-1].hex()


def genesis():
    table, lib = Table("genesis blocks"), Library()
    for name, (block_hash, root) in GENESIS.items():
        table.row(name)
        block = bytes.fromhex(lib.ask("genesis", name.encode()))
        table.equal(display(sha256d(block[:80])), block_hash, "hash")
        table.equal(display(block[36:68]), root, "Merkle root")
        table.equal(display(Tx(block[81:]).txid()), root, "coinbase")
    table.end()


# Networks that change a base in every way there is.
CUSTOM = (
    {},
    {"base": "main", "name": "fork-1", "magic": "01020304", "port": 1, "hrp": "x",
     "script_flag_exceptions": [{"hash": "11" * 32, "flags": "NONE"},
                                {"hash": "22" * 32, "flags": "P2SH,TAPROOT"}]},
    {"base": "main", "script_flag_exceptions": [], "bip30_exceptions": []},
    {"base": "main", "bip30_exceptions": [{"height": 7, "hash": "ab" * 32}]},
    {"base": "signet", "signet_challenge": "51"},
    {"base": "signet", "signet_challenge": ""},
    {"base": "testnet3", "base58": [1, 2, 3], "coin_type": 5, "timewarp_limit": 0},
    {"base": "testnet4", "base58": [1, 2, 3, "01020304", "fffefdfc"], "bip94": False},
    {"base": "regtest", "signet_challenge": "52" * 256, "minimum_chain_work": "01" * 32},
    {"base": "barenet", "target_spacing": 3, "target_timespan": 2147483647, "max_future": 0,
     "no_retarget": True, "min_difficulty": True, "halving_interval": 1, "coinbase_maturity": 0,
     "bip34_height": 9, "bip34_hash": "cd" * 32, "dersig_height": 8, "cltv_height": 7,
     "csv_height": 6, "segwit_height": 5, "pow_limit": "00" * 2 + "ff" * 30, "genesis": "ef" * 32},
)
DESIGN_ORDER = (
    "magic port hrp base58 genesis pow_limit target_spacing target_timespan no_retarget "
    "min_difficulty bip94 max_future halving_interval coinbase_maturity bip34_height bip34_hash "
    "dersig_height cltv_height csv_height segwit_height script_flag_exceptions bip30_exceptions "
    "minimum_chain_work signet_challenge").split()


def networks():
    table, lib = Table("network parameters, written and read again"), Library()
    for network in [name.encode() for name in GENESIS] + [json.dumps(c).encode() for c in CUSTOM]:
        table.row(network.decode())
        text = lib.ask("network-json", network)
        keys = list(json.loads(text))
        table.equal(keys[:2], ["base", "name"], "first keys")
        table.equal([k for k in keys if k in DESIGN_ORDER], DESIGN_ORDER, "keys")
        table.equal(lib.ask("network-equal", network, text.encode()), "true", "the same network")
        if network.startswith(b"{"):
            stated = json.loads(network)
            stated.pop("base", None)
            got = json.loads(text)
            got["base58"] = got["base58"][:len(stated.get("base58", []))] or got["base58"]
            table.equal({k: got[k] for k in stated}, stated, "stated parameters")
    table.end()


# Difficulty. A model of GetNextWorkRequired and GetBlockProof, apart from libbb.

def target(bits):
    size, word = bits >> 24, bits & 0x7FFFFF
    return word >> 8 * (3 - size) if size < 3 else word << 8 * (size - 3)


def compact_bits(number):
    size = (number.bit_length() + 7) // 8
    word = number << 8 * (3 - size) if size < 3 else number >> 8 * (size - 3)
    if word & 0x800000:
        word, size = word >> 8, size + 1
    return word | size << 24


def block_work(bits):
    return 2**256 // (target(bits) + 1)


def model_next_bits(n, chain, time):
    """chain: (time, bits) of each height."""
    interval = n["target_timespan"] // n["target_spacing"]
    limit, height = int(n["pow_limit"], 16), len(chain) - 1
    lowest, (last_time, bits) = compact_bits(limit), chain[-1]
    if (height + 1) % interval:
        if not n["min_difficulty"]:
            return bits
        if time > last_time + 2 * n["target_spacing"]:
            return lowest
        while height and height % interval and chain[height][1] == lowest:
            height -= 1
        return chain[height][1]
    if n["no_retarget"]:
        return bits
    first_time, first_bits = chain[height + 1 - interval]
    taken = min(max(last_time - first_time, n["target_timespan"] // 4), n["target_timespan"] * 4)
    old = target(first_bits if n["bip94"] else bits)
    return compact_bits(min(limit, old * taken // n["target_timespan"]))


def header(time, bits):
    return struct.pack("<I32s32sIII", 1, bytes(32), bytes(32), time, bits, 0)


def next_bits(lib, network, height, time, headers):
    pairs = [part for h, data in headers for part in (h, data)]
    return lib.ask("next-bits", network, height, time, *pairs)


def difficulty_rules():
    """Chains of random times under every mixture of the rules, with a retarget each few blocks."""
    table, lib, dice = Table("difficulty under every mixture of rules"), Library(), random.Random(9)
    for number in range(120):
        n = {"base": "regtest", "target_spacing": 10, "target_timespan": dice.choice((40, 70, 100)),
             "no_retarget": number % 8 == 7, "min_difficulty": bool(number & 1),
             "bip94": bool(number & 2), "pow_limit": "%064x" % dice.choice(
                 (2**224 - 1, 2**255 - 1, 0x0FFFFF << 216, 2**256 - 1, 0x377AE << 208))}
        network, lowest = json.dumps(n).encode(), compact_bits(int(n["pow_limit"], 16))
        chain = [(1000000, lowest)]
        for _ in range(40):
            time = chain[-1][0] + dice.choice((-30, 0, 1, 5, 10, 20, 21, 60, 400))
            height = len(chain) - 1
            table.row("%s, height %d" % (network.decode(), height + 1))
            expected = model_next_bits(n, chain, time)
            near = range(max(0, height - 11), height + 1)
            got = next_bits(lib, network, height, time, [(h, header(*chain[h])) for h in near])
            table.equal(got, "%08x" % expected, "bits")
            chain.append((time, expected))
    table.row("an ancestor out of reach")
    table.equal(next_bits(lib, b"main", 2015, 0, [(2015, header(1, 0x1D00FFFF))]), "false", "answer")
    table.end()


def works():
    table, lib, dice = Table("work of compact targets"), Library(), random.Random(10)
    rows = [0x1D00FFFF, 0x207FFFFF, 0x2100FFFF, 0x220000FF, 0x01010000, 0x03000001, 0x1E0FFFFF]
    rows += [dice.randrange(3, 33) << 24 | dice.randrange(1, 0x800000) for _ in range(200)]
    for bits in rows:
        table.row("%08x" % bits)
        ok = target(bits) < 2**256
        table.equal(lib.ask("work", bits), "%064x" % (block_work(bits) if ok else 0), "work")
    for bits in (0, 0x1D800001, 0x03800001, 0x01003456, 0x23000001, 0x2200FFFF, 0xFF7FFFFF):
        table.row("%08x, which is none" % bits)
        table.equal(lib.ask("work", bits), "0" * 64, "work")
    table.end()


def alt_retarget():
    """The first retarget of mainnet_alt.json's chain: the bits that each of its blocks must have."""
    table, lib = Table("an alternative main chain to its first retarget"), Library()
    chain = [bytes.fromhex(lib.ask("genesis", b"main"))[:80]]
    chain += [block[:80] for block in altchain.blocks()]
    for height, data in enumerate(chain[1:], 1):
        table.row("height %d" % height)
        _, time, bits, _ = struct.unpack("<68sIII", data)
        near = {max(0, height - 2016), height - 1}
        got = next_bits(lib, b"main", height - 1, time, [(h, chain[h]) for h in near])
        table.equal(got, "1c3fffc0" if height == 2016 else "1d00ffff", "bits")
        table.equal(got, "%08x" % bits, "the block's own bits")
    table.end()


def mainnet_retargets():
    """The first and last headers of 200 periods of the main network."""
    with open(shared("data/mainnet-retargets.csv"), encoding="ascii", newline="") as f:
        rows = [(int(height), bytes.fromhex(data), int(work, 16))
                for height, data, work in list(csv.reader(f))[1:]]
    lib = Library()
    table, above, prev = Table("mainnet-retargets, the chain's work"), 0, None
    for height, data, work in rows:
        table.row("height %d" % height)
        one = int(lib.ask("work", struct.unpack_from("<I", data, 72)[0]), 16)
        steps = 2015 if height % 2016 else 1
        table.equal(work, above + steps * one, "chainwork")
        table.check(steps > 1 or not prev or data[4:36] == sha256d(prev), "it does not link")
        above, prev = work, data
    table.end()
    table = Table("mainnet-retargets, the bits of the next period")
    for (h1, first, _), (h2, last, _), (_, new, _) in zip(rows[::2], rows[1::2], rows[2::2]):
        table.row("height %d" % (h2 + 1))
        time, bits = struct.unpack_from("<II", new, 68)
        table.equal(next_bits(lib, b"main", h2, time, [(h1, first), (h2, last)]), "%08x" % bits,
                    "bits")
    table.end()


# Merkle branches.

def merkle_root(hashes):
    while len(hashes) > 1:
        hashes = [sha256d(hashes[i] + hashes[min(i + 1, len(hashes) - 1)])
                  for i in range(0, len(hashes), 2)]
    return hashes[0]


def merkle_branches():
    table, lib = Table("Merkle branches of every leaf"), Library()
    for count in list(range(1, 35)) + [64, 65, 100]:
        hashes = [sha256d(b"%d/%d" % (count, i)) for i in range(count)]
        root = merkle_root(hashes)
        for index in range(count):
            table.row("leaf %d of %d" % (index, count))
            branch = bytes.fromhex(lib.ask("merkle-branch", index, b"".join(hashes)))
            table.equal(len(branch), 32 * (count - 1).bit_length(), "length")
            h, at = hashes[index], index
            for i in range(0, len(branch), 32):
                h = sha256d(branch[i:i + 32] + h if at & 1 else h + branch[i:i + 32])
                at >>= 1
            table.equal(h.hex(), root.hex(), "root")
    table.end()


# MuHash.

def elements(items):
    return b"".join(struct.pack("<H", len(item)) + item for item in items)


def muhash():
    """Core's muhash_tests: 0 and 1 put in, 2 taken out; the order does not matter, and what is
    taken out again was never there."""
    table, lib = Table("muhash"), Library()
    zero, one, two = (bytes([i]) + bytes(31) for i in range(3))
    expected = "10d312b100cbd32ada024a6646e40d3482fcff103668d2625f10002a607d5863"
    for into, out in (([zero, one], [two]), ([one, zero], [two]),
                      ([one, b"more", zero], [b"more", two])):
        table.row("%s / %s" % (into, out))
        table.equal(lib.ask("muhash", elements(into), elements(out)), expected, "hash")
    table.row("the empty set")
    table.equal(lib.ask("muhash", b"", b""),
                "dd5ad2a105c2d29495f577245c357409002329b9f4d6182c0af3dc2f462555c8", "hash")
    table.end()


def framed_blocks(name):
    with open(shared(name), "rb") as f:
        data = f.read()
    at = 0
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 4)[0]
        yield data[at + 8:at + 8 + size]
        at += 8 + size


def mainnet_muhash():
    """The coins after the main network's first thousand blocks."""
    table, coins = Table("mainnet-0-1000, the coins' muhash"), {}
    for height, block in enumerate(framed_blocks("data/mainnet-0-1000.blk")):
        r = Reader(block)
        r.take(80)
        for i in range(r.compact()):
            tx = Tx().read(r)
            for txid, vout, _, _ in tx.vin if i else ():
                del coins[txid, vout]
            for vout, (value, script) in enumerate(tx.vout if height else ()):
                coins[tx.txid(), vout] = struct.pack("<Iq", 2 * height + (i == 0), value) + var(script)
    records = [txid + struct.pack("<I", vout) + rest for (txid, vout), rest in coins.items()]
    table.row("%d coins" % len(records))
    table.equal(len(records), 998, "coins")
    table.equal(Library().ask("muhash", elements(records), b""),
                "96c396fb1d497fe3738ee204d73ea314680ba6529ccca5fe2023a600ce6a9cc7", "muhash")
    table.end()
