"""The search for nonces (lib/mine): every kernel that this processor can use finds the first good
nonce, against hashlib, and that of the real network's headers."""

import json
import lzma
import random

from bitcoin import sha256d
from chain import framed_blocks, target
from harness import Library, Table, shared

LIMIT = 1 << 32
REGTEST = target(0x207fffff)


class Kernels:
    """All of them, asked the same; they must say the same."""

    def __init__(self, table):
        self.table, self.lib = table, Library()
        self.names = self.lib.ask("kernels").split()

    def finds(self, header76, number, start, count, expected):
        for name in self.names:
            got = self.lib.ask("search", name.encode(), header76 + bytes(4),
                               number.to_bytes(32, "little"), start, count)
            self.table.equal(got, "false" if expected is None else str(expected),
                             "%s, %d nonces from %d" % (name, count, start))


def hash_of(header76, nonce):
    return int.from_bytes(sha256d(header76 + nonce.to_bytes(4, "little")), "little")


def first_good(hashes, number):
    return next((i for i, h in enumerate(hashes) if h <= number), None)


def targets(hashes, dice):
    """None and all are good; easy ones; one hash's own, which is good, and one less, which has
    the same highest word; none by one."""
    yield from (0, (1 << 256) - 1, REGTEST, (1 << 256) - 1 >> dice.randrange(1, 10))
    one = dice.choice(hashes)
    yield from (one, one - 1, min(hashes), min(hashes) - 1)


def ranges():
    """Random headers: ranges of many lengths, at both ends of the nonces too, cut off just before
    the first good one and just at it."""
    table, dice = Table("nonces, every kernel against hashlib"), random.Random(7)
    kernels = Kernels(table)
    for length in range(1, 71):
        header = dice.randbytes(76)
        start = (0, LIMIT - length, dice.randrange(LIMIT - length))[length % 3]
        hashes = [hash_of(header, start + i) for i in range(length)]
        for number in targets(hashes, dice):
            table.row("%d nonces, target %064x" % (length, number))
            first = first_good(hashes, number)
            for count in {0, 1, length} | ({first, first + 1} if first is not None else set()):
                found = first is not None and first < count
                kernels.finds(header, number, start, count, start + first if found else None)
    table.end()


def past_the_end():
    """The last nonces are no good, but the first would be: none is found where the nonces end."""
    table, dice = Table("nonces, none is tried past the last"), random.Random(8)
    kernels = Kernels(table)
    for length in range(1, 41):
        while True:
            header = dice.randbytes(76)
            best = min(hash_of(header, i) for i in range(40))
            if first_good([hash_of(header, LIMIT - 1 - i) for i in range(length)], best) is None:
                break
        table.row("%d nonces" % length)
        kernels.finds(header, best, LIMIT - length, length, None)
    table.end()


def real_headers(name, headers, below):
    """A header's own nonce is the first good one from so far below it; it is not beyond the end of
    a range, nor above a target that is less than its hash by one."""
    table = Table(name)
    kernels = Kernels(table)
    for i, header in enumerate(headers):
        header76, nonce = header[:76], int.from_bytes(header[76:], "little")
        number, own = target(int.from_bytes(header[72:76], "little")), hash_of(header76, nonce)
        start = max(0, nonce - below(i))
        count = nonce - start + 1
        table.row("header %d" % i)
        kernels.finds(header76, number, start, count + 33, nonce)
        kernels.finds(header76, own, start, count, nonce)
        kernels.finds(header76, own - 1, start, count, None)
        kernels.finds(header76, number, start, count - 1, None)
    table.end()


def mainnet_nonces():
    blocks = framed_blocks("data/mainnet-0-1000.blk")
    real_headers("mainnet-0-1000, nonces found again", (block[:80] for block in blocks),
                 lambda i: i % 50)


def modern_nonces():
    with lzma.open(shared("data/modern-blocks.ndjson.xz"), "rt", encoding="utf-8") as f:
        headers = [bytes.fromhex(json.loads(line)["hex"][:160]) for line in f]
    real_headers("modern-blocks, nonces found again", headers, lambda i: 100003)
