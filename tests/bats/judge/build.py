"""Chains for the judges: a tree of blocks, the coins as of any of them, and blocks full of
transactions at random. A model to build with, not a judge: it believes what it is given."""

import functools
import struct

from bitcoin import Tx, compact, push_number, sha256d, var
from blockrules import COMMITMENT, merkle
from scripts import SUNK, Spend, kinds

COIN = 10**8
FINAL = 0xFFFFFFFF
LIMIT = 0x207FFFFF
GENESIS = bytes.fromhex("0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206")[::-1]
GENESIS_TIME = 1296688602
HALVING = 150


class Rules:
    """What of a network's parameters a chain is built by. Without a timespan its difficulty
    never changes, as on regtest."""

    def __init__(self, maturity=100, limit=LIMIT, spacing=600, timespan=0):
        self.maturity, self.limit, self.timespan = maturity, limit, timespan
        self.interval = timespan // spacing

    def bits(self, parent):
        """What the next block has to state; a period lacks its first interval, as ever."""
        if not self.timespan or (parent.height + 1) % self.interval:
            return parent.bits
        first = parent.ancestor(parent.height + 1 - self.interval)
        spent = max(self.timespan // 4, min(parent.time - first.time, self.timespan * 4))
        wanted = target(parent.bits) * spent // self.timespan
        return compact_bits(min(wanted, target(self.limit)))


class Coin:
    __slots__ = ("txid", "vout", "value", "script", "height", "coinbase", "mtp")

    def __init__(self, txid, vout, value, script, height, coinbase, mtp):
        self.txid, self.vout, self.value, self.script = txid, vout, value, script
        self.height, self.coinbase, self.mtp = height, coinbase, mtp

    def record(self):
        """What the coins hash is of."""
        return self.txid + struct.pack("<IIq", self.vout, 2 * self.height + self.coinbase,
                                       self.value) + var(self.script)


class Block:
    """A header's place in the tree; `txs` and `raw` when it has a body. `doubtful`: it may be
    bad, and the coins on top of it are not known."""

    def __init__(self, parent, id, time, bits=LIMIT, raw=b"", txs=()):
        self.parent, self.id, self.time, self.bits = parent, id, time, bits
        self.raw, self.txs, self.undo = raw, txs, None
        self.doubtful, self.broken = False, ""
        self.height = parent.height + 1 if parent else 0
        self.work = (parent.work if parent else 0) + work(bits)
        self.mtp = sorted(self.times())[min(self.height + 1, 11) // 2]

    def times(self):
        """Its own and those of the ten before."""
        at, out = self, []
        while at and len(out) < 11:
            out.append(at.time)
            at = at.parent
        return out

    def ancestor(self, height):
        at = self
        while at.height > height:
            at = at.parent
        return at

    def name(self):
        return self.id[::-1].hex()


def target(bits):
    size, mantissa = bits >> 24, bits & 0xFFFFFF
    return mantissa << 8 * (size - 3) if size > 3 else mantissa >> 8 * (3 - size)


def compact_bits(number):
    """The nearest target below that a header can state."""
    size = (number.bit_length() + 7) // 8
    mantissa = number >> 8 * (size - 3) if size > 3 else number << 8 * (3 - size)
    if mantissa & 0x800000:
        mantissa, size = mantissa >> 8, size + 1
    return size << 24 | mantissa


def work(bits):
    return (1 << 256) // (target(bits) + 1)


def subsidy(height):
    return 50 * COIN >> height // HALVING if height // HALVING < 64 else 0


@functools.lru_cache(None)
def genesis():
    return Block(None, GENESIS, GENESIS_TIME)


class View:
    """The coins as of one block, moved along the tree."""

    def __init__(self, at):
        self.at, self.coins = at, {}

    def move(self, to):
        """Disconnect down to the fork, connect up to there."""
        path, fork = [], to
        while fork.height > self.at.height:
            path.append(fork)
            fork = fork.parent
        while fork is not self.at:
            self.disconnect()
            if fork.height > self.at.height:
                path.append(fork)
                fork = fork.parent
        for block in reversed(path):
            self.connect(block)

    def connect(self, block):
        undo = []
        for n, tx in enumerate(block.txs):
            if n:
                undo += [self.coins.pop((v[0], v[1])) for v in tx.vin]
            self.add_outputs(tx, block.height, n == 0, block.parent.mtp)
        block.undo = undo
        self.at = block

    def add_outputs(self, tx, height, coinbase, mtp):
        txid = tx.txid()
        for i, (value, script) in enumerate(tx.vout):
            if script[:1] != b"\x6a" and len(script) <= 10000:
                self.coins[txid, i] = Coin(txid, i, value, script, height, coinbase, mtp)

    def disconnect(self):
        block = self.at
        for tx in block.txs:
            txid = tx.txid()
            for i in range(len(tx.vout)):
                self.coins.pop((txid, i), None)
        own = {tx.txid() for tx in block.txs}
        for coin in block.undo:
            if coin.txid not in own:
                self.coins[coin.txid, coin.vout] = coin
        self.at = block.parent

    def hash(self):
        """Core's hash_serialized_3."""
        order = sorted(self.coins.values(), key=lambda c: (c.txid, c.vout))
        return sha256d(b"".join(c.record() for c in order))[::-1].hex()


def is_final(tx, height, mtp):
    return (tx.locktime < (height if tx.locktime < 500000000 else mtp)
            or all(v[3] == FINAL for v in tx.vin))


def age(sequence, coin, height, mtp):
    """Does a coin have BIP 68's age?"""
    if sequence >> 31:
        return True
    if sequence & 1 << 22:
        return mtp - coin.mtp >= (sequence & 0xFFFF) * 512
    return height - coin.height >= sequence & 0xFFFF


def is_mature(coin, height, maturity):
    return not coin.coinbase or height - coin.height >= maturity


class Draft:
    """A block in the making; `bytes` finishes it. What is set beside the defaults is set to
    break a rule."""

    def __init__(self, parent, time, bits=LIMIT, label=b""):
        self.parent, self.height, self.mtp = parent, parent.height + 1, parent.mtp
        self.version, self.time, self.bits = 0x20000000, time, bits
        self.txs, self.fees = [], 0
        self.coinbase = Tx()
        script = push_number(self.height) + label + b"\x00"
        self.coinbase.vin, self.coinbase.witness = [[bytes(32), FINAL, script, FINAL]], [[]]
        self.pay = [(None, b"\x51")]  # None: everything that may be had
        self.extra = 0 # satoshi over what may be had
        self.commit = None  # None: when there is a witness
        self.commitments = []  # more outputs before the true one
        self.nonce, self.wrong = [bytes(32)], 0
        self.root, self.mined = None, True
        self.with_coinbase = True
        self.late = [] # functions of the full list of transactions

    def add(self, tx, fee=0):
        self.txs.append(tx)
        self.fees += fee
        return tx

    def finish_coinbase(self):
        total = subsidy(self.height) + self.fees + self.extra
        fixed = sum(value for value, _ in self.pay if value is not None)
        self.coinbase.vout = [[total - fixed if value is None else value, script]
                              for value, script in self.pay]
        commit = any(any(tx.witness) for tx in self.txs) if self.commit is None else self.commit
        if not commit:
            return
        root = merkle([bytes(32)] + [sha256d(tx.bytes()) for tx in self.txs])
        commitment = bytearray(sha256d(root + (self.nonce[0] if self.nonce else bytes(32))))
        commitment[0] ^= self.wrong
        self.coinbase.vout += [list(o) for o in self.commitments]
        self.coinbase.vout.append([0, COMMITMENT + bytes(commitment)])
        self.coinbase.witness = [list(self.nonce)]

    def all(self):
        txs = ([self.coinbase] if self.with_coinbase else []) + self.txs
        for change in self.late:
            txs = change(txs)
        return txs

    def block(self):
        """The finished block. Leaves the draft as it was, so that it can be finished again."""
        self.finish_coinbase()
        txs = self.all()
        root = self.root or merkle([tx.txid() for tx in txs])
        head = struct.pack("<I", self.version & FINAL) + self.parent.id + root
        head += struct.pack("<II", self.time & FINAL, self.bits)
        raw = mine(head, self.bits if 0 < target(self.bits) <= target(LIMIT) else LIMIT,
                   self.mined)
        block = Block(self.parent, sha256d(raw), self.time, txs=txs)
        block.bits, block.work = self.bits, self.parent.work + work(self.bits)
        block.raw = raw + compact(len(txs)) + b"".join(tx.bytes() for tx in txs)
        return block


def mine(head, bits, hit=True):
    limit = target(bits)
    nonce = 0
    while True:
        raw = head + struct.pack("<I", nonce)
        if hit == (int.from_bytes(sha256d(raw), "little") <= limit):
            return raw
        nonce += 1


class Builder:
    """Fills drafts with transactions at random, of coins of every kind that it made before."""

    versions = (2, 2, 2, 3, 0x7FFFFFFF)
    tidy = False

    def __init__(self, rng, rules=Rules(), root=None):
        self.rng, self.rules, self.root = rng, rules, root or genesis()
        self.view = View(self.root)
        self.locks = {}
        self.segwit = 0  # the height from which on a block may hold witnesses
        self.pool = [] # transactions of other branches
        self.count, self.inputs = 0, {}  # inputs made, by kind

    def lock(self, sunk=True):
        """A script to pay to, most of the time one that can be spent again."""
        if sunk and self.rng.random() < 0.05:
            return self.rng.choice(SUNK)
        lock = self.rng.choice(kinds(self.rng, self.root.time))
        self.locks[lock.script] = lock
        return lock.script

    def draft(self, parent, time=None):
        self.count += 1
        if time is None:
            time = parent.mtp + 1 + int(self.rng.expovariate(1 / 400))
        draft = Draft(parent, time, self.rules.bits(parent), struct.pack("<I", self.count))
        draft.pay = [(None, self.lock(False)), *[(0, self.lock()) for _ in range(
            self.rng.choice((0, 0, 1)))]]
        if draft.height >= self.segwit and self.rng.random() < 0.2:
            draft.commit = True
        draft.nonce = [self.rng.choice((bytes(32), b"n" * 32))]
        draft.version = self.rng.choice((4, 0x20000000, 0x20000002, 0x7FFFFFFF))
        return draft

    def fits(self, tx, height, mtp):
        """Could a transaction that was seen elsewhere stand in a block on the view?"""
        coins = [self.view.coins.get((v[0], v[1])) for v in tx.vin]
        return all(coins) and is_final(tx, height, mtp) and all(
            is_mature(c, height, self.rules.maturity)
            and (tx.version < 2 or age(v[3], c, height, mtp))
            for v, c in zip(tx.vin, coins)) and coins

    def ready(self, coin, height, mtp):
        lock = self.locks.get(coin.script)
        return (lock and is_mature(coin, height, self.rules.maturity)
                and (not lock.witness or height >= self.segwit)
                and (lock.sequence is None or age(lock.sequence, coin, height, mtp))
                and (lock.locktime is None
                     or lock.locktime < (height if lock.locktime < 500000000 else mtp)))

    def spend(self, coins, height, mtp, out=None, fee=None):
        """A signed transaction of these coins; the locks' needs are met."""
        rng, tx = self.rng, Tx()
        tx.vin = [[c.txid, c.vout, b"", self.sequence(c, height, mtp)] for c in coins]
        tx.version = rng.choice(self.versions)
        needs = [self.locks[c.script] for c in coins]
        times = [lock.locktime for lock in needs if lock.locktime is not None]
        if times:
            tx.locktime = max(times)
        elif rng.random() < 0.2:
            tx.locktime = rng.choice((height - 1, mtp - 1))
        if all(lock.sequence is None for lock in needs) and rng.random() < 0.2:
            tx.version = 1
        total = sum(c.value for c in coins)
        fee = min(total, rng.choice((0, 1, 1000))) if fee is None else fee
        tx.vout = out or self.outputs(total - fee)
        tx.witness = [[] for _ in coins]
        for i in range(len(coins)):
            lock = needs[i]
            self.inputs[lock.kind] = self.inputs.get(lock.kind, 0) + 1
            tx.vin[i][2], tx.witness[i] = lock.unlock(Spend(tx, i, coins, rng, tidy=self.tidy))
        return tx, fee

    def sequence(self, coin, height, mtp):
        lock = self.locks[coin.script]
        if lock.sequence is not None:
            return lock.sequence
        if lock.locktime is not None:
            return 0xFFFFFFFE
        oldest = min(height - coin.height, 0xFFFF)
        span = max(0, min((mtp - coin.mtp) // 512, 0xFFFF))
        return self.rng.choice((FINAL, FINAL, 0xFFFFFFFE, 1 << 31, oldest, 1 << 22 | span, 0))

    def outputs(self, total):
        rng, out = self.rng, []
        for _ in range(rng.choice((1, 1, 2, 2, 3, 5)) - 1):
            value = rng.choice((0, total // 2, rng.randrange(total + 1)))
            out.append([value, self.lock()])
            total -= value
        out.insert(rng.randrange(len(out) + 1), [total, self.lock()])
        return out

    def pick(self, keys, used, height, mtp):
        for _ in range(8):
            key = self.rng.choice(keys)
            coin = self.view.coins.get(key)
            if key not in used and coin and self.ready(coin, height, mtp):
                return coin
        return None

    def gather(self, keys, used, height, mtp):
        """A few coins whose lock times are of one kind."""
        coins, by_time = [], None
        for _ in range(self.rng.choice((1, 1, 2, 2, 3, 4))):
            coin = self.pick(keys, used, height, mtp)
            if not coin:
                continue
            locktime = self.locks[coin.script].locktime
            if locktime is not None:
                if by_time not in (None, locktime >= 500000000):
                    continue
                by_time = locktime >= 500000000
            used.add((coin.txid, coin.vout))
            coins.append(coin)
        return coins

    def fill(self, draft, count):
        """Up to so many transactions, some on the outputs of those before."""
        self.view.move(draft.parent)
        height, mtp, used, own = draft.height, draft.mtp, set(), []
        for tx in self.rng.sample(self.pool, min(len(self.pool), 2)):
            coins = self.fits(tx, height, mtp)
            if coins and used.isdisjoint((c.txid, c.vout) for c in coins):
                used.update((c.txid, c.vout) for c in coins)
                draft.add(tx, sum(c.value for c in coins) - sum(o[0] for o in tx.vout))
        keys = list(self.view.coins)
        for _ in range(count if keys else 0):
            coins = self.gather(keys, used, height, mtp)
            for coin in own[-3:]:
                lock = self.locks.get(coin.script)
                if (self.rng.random() < 0.2 and (coin.txid, coin.vout) not in used
                        and self.ready(coin, height, mtp) and lock.locktime is None
                        and lock.sequence in (None, 0, 1 << 22)):
                    used.add((coin.txid, coin.vout))
                    coins.append(coin)
            if not coins:
                continue
            tx, fee = self.spend(coins, height, mtp)
            draft.add(tx, fee)
            txid = tx.txid()
            own += [Coin(txid, i, value, script, height, False, mtp)
                    for i, (value, script) in enumerate(tx.vout) if len(script) <= 10000]
            self.pool.append(tx)
        del self.pool[:-60]

    def grow(self, parent, count=2, time=None):
        """A valid block on top of another."""
        draft = self.draft(parent, time)
        self.fill(draft, count)
        return draft.block()
