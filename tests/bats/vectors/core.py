"""Bitcoin Core's tables of scripts and transactions, as its own test programs run them:
script_tests.cpp and transaction_tests.cpp."""

import itertools
import random
import re
import struct
from decimal import Decimal

from bitcoin import (NUMS, Reader, Tx, parse_script, tapleaf, taproot_output)
from harness import Table, judge, npm, read_json, shared, tx_line

FLAGS = (
    "P2SH STRICTENC DERSIG LOW_S SIGPUSHONLY MINIMALDATA NULLDUMMY DISCOURAGE_UPGRADABLE_NOPS "
    "CLEANSTACK MINIMALIF NULLFAIL CHECKLOCKTIMEVERIFY CHECKSEQUENCEVERIFY WITNESS "
    "DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM WITNESS_PUBKEYTYPE CONST_SCRIPTCODE TAPROOT "
    "DISCOURAGE_UPGRADABLE_PUBKEYTYPE DISCOURAGE_OP_SUCCESS DISCOURAGE_UPGRADABLE_TAPROOT_VERSION"
).split()
ALL_FLAGS = frozenset(FLAGS)
NULL_TXID = bytes(32)


def parse_flags(text):
    return frozenset(f for f in text.split(",") if f not in ("", "NONE"))


def flag_text(flags):
    return ",".join(f for f in FLAGS if f in flags)


def trim(flags):
    """TrimFlags: WITNESS needs P2SH, CLEANSTACK needs WITNESS."""
    if "P2SH" not in flags:
        flags = flags - {"WITNESS"}
    return flags if "WITNESS" in flags else flags - {"CLEANSTACK"}


def fill(flags):
    """FillFlags: the other way round."""
    if "CLEANSTACK" in flags:
        flags = flags | {"WITNESS"}
    return flags | {"P2SH"} if "WITNESS" in flags else flags


def rows_of(path):
    """The rows that are no comments."""
    return [row for row in read_json(path) if len(row) > 1]


# script_tests.json


def crediting(script_pubkey, value):
    tx = Tx()
    tx.vin = [[NULL_TXID, 0xFFFFFFFF, b"\0\0", 0xFFFFFFFF]]
    tx.vout, tx.witness = [[value, script_pubkey]], [[]]
    return tx


def spending(credit, script_sig, witness):
    tx = Tx()
    tx.vin = [[credit.txid(), 0, script_sig, 0xFFFFFFFF]]
    tx.vout, tx.witness = [[credit.vout[0][0], b""]], [witness]
    return tx


def script_row(row):
    """A row's spending transaction, prevout, flags and expected error."""
    witness, value, output = [], 0, b""
    if isinstance(row[0], list):
        *items, amount = row[0]
        value = int(Decimal(str(amount)) * 100000000)
        leaf = b""
        for item in items:
            if item.startswith("#SCRIPT#"):
                leaf = parse_script(item[len("#SCRIPT#"):])
                output, odd = taproot_output(NUMS, tapleaf(leaf))
                witness.append(leaf)
            elif item == "#CONTROLBLOCK#":
                witness.append(bytes([0xC0 | odd]) + NUMS)
            else:
                witness.append(bytes.fromhex(item))
        row = row[1:]
    script_pubkey = parse_script(row[1].replace("#TAPROOTOUTPUT#", "0x" + output.hex()))
    tx = spending(crediting(script_pubkey, value), parse_script(row[0]), witness)
    return tx.bytes(), (script_pubkey, value), parse_flags(row[2]), row[3]


def script_error_is(expected, renamed=None):
    def complain(verdict):
        got = verdict.get("script_error", "OK")
        if got not in (expected, renamed) or verdict["valid"] != (expected == "OK"):
            return "got %s (valid %s, error %s), expected %s" % (
                got, verdict["valid"], verdict.get("error"), expected)
        return None
    return complain


def passes(expected):
    def complain(verdict):
        if verdict["valid"] != expected:
            return "valid is %s (%s, %s) under other flags" % (
                verdict["valid"], verdict.get("error"), verdict.get("script_error"))
        return None
    return complain


def script_tests():
    run_script_tests(Table("script_tests"), rows_of(shared("vectors/script_tests.json")))


# What Core has renamed since npm's older table: numbers that are none, OP_IF on an empty stack,
# and a witness script that leaves more than one element.
RENAMED = {"UNKNOWN_ERROR": "SCRIPTNUM", "UNBALANCED_CONDITIONAL": "INVALID_STACK_OPERATION",
           "EVAL_FALSE": "CLEANSTACK"}


def old_script_tests():
    """npm's older table. In two of its rows Core has another rule now: a lock time's opcode whose
    flag is not set is no upgradable NOP any more."""
    rows = rows_of(npm("bitcore-lib/test/data/bitcoind/script_tests.json"))
    for row in rows:
        if row[-1] == "DISCOURAGE_UPGRADABLE_NOPS" and row[-3] in (
                "CHECKLOCKTIMEVERIFY", "CHECKSEQUENCEVERIFY"):
            row[-1] = "OK"
    run_script_tests(Table("script_tests (npm's older table)"), rows, RENAMED)


def run_script_tests(table, rows, renamed=None):
    random_flags = random.Random(1)

    def cases():
        for row in rows:
            label = table.row(str(row[-5:]))
            tx, prevout, flags, expected = script_row(row)
            if "CLEANSTACK" in flags:
                flags |= {"P2SH", "WITNESS"}
            line = tx_line(tx, [prevout], flags=flag_text(flags), input=0)
            yield label, line, script_error_is(expected, (renamed or {}).get(expected))
            # Fewer flags leave a good row good, more leave a bad one bad.
            for _ in range(16):
                extra = {f for f in FLAGS[:16] if random_flags.random() < 0.5}
                more = flags - extra if expected == "OK" else flags | extra
                if fill(more) == more:
                    yield label, dict(line, flags=flag_text(more)), passes(expected == "OK")

    judge(table, cases(), "--line-flags")
    table.end()


# tx_valid.json and tx_invalid.json


class TxRow:
    def __init__(self, row):
        self.hex, self.flags = row[1], parse_flags(row[2])
        self.tx = Tx(bytes.fromhex(row[1]))
        coins = {(bytes.fromhex(p[0])[::-1], p[1] & 0xFFFFFFFF):
                 (parse_script(p[2]), p[3] if len(p) > 3 else 0) for p in row[0]}
        self.prevouts = [coins[vin[0], vin[1]] for vin in self.tx.vin]
        self.coinbase = len(self.tx.vin) == 1 and self.tx.vin[0][0] == NULL_TXID
        self.short = sum(p[1] for p in self.prevouts) < sum(o[0] for o in self.tx.vout)

    def line(self, flags):
        """A coinbase's script is judged alone: no mempool takes the whole."""
        more = {"input": 0} if self.coinbase else {}
        return tx_line(bytes.fromhex(self.hex), self.prevouts, flags=flag_text(flags), **more)

    def valid(self, verdict):
        """All scripts hold. Core's test looks at no sums; the verdict does."""
        if self.coinbase:
            return passes(True)(verdict)
        expected = "bad-txns-in-belowout" if self.short else None
        if verdict.get("error") != expected:
            return "error %s, script_error %s" % (
                verdict.get("error"), verdict.get("script_error"))
        if verdict.get("inputs") != ["OK"] * len(self.prevouts):
            return "inputs %s" % verdict.get("inputs")
        return None

    def invalid(self, verdict):
        """At least one script fails, and the line with it."""
        if self.coinbase:
            return passes(False)(verdict)
        if verdict["valid"]:
            return "valid"
        inputs = verdict.get("inputs") or []
        if len(inputs) != len(self.prevouts) or set(inputs) == {"OK"}:
            return "inputs %s, error %s" % (inputs, verdict.get("error"))
        return None


def without_one(flags):
    """ExcludeIndividualFlags."""
    return {trim(flags - {f}) for f in FLAGS} - {flags}


def tx_valid():
    path = shared("vectors/tx_valid.json")
    table, random_flags = Table("tx_valid"), random.Random(2)

    def cases():
        for row in rows_of(path):
            label, r = table.row(row[1]), TxRow(row)
            yield label, r.line(ALL_FLAGS - r.flags), r.valid
            # Removing flags must not invalidate.
            for flag in FLAGS:
                yield label, r.line(trim(ALL_FLAGS - r.flags - {flag})), r.valid
                some = {f for f in FLAGS if random_flags.random() < 0.5}
                yield label, r.line(trim(ALL_FLAGS - r.flags - some)), r.valid
            # What is excluded is excluded with reason: with one of them it fails.
            for excluded in without_one(r.flags):
                yield label, r.line(ALL_FLAGS - excluded), r.invalid

    judge(table, cases(), "--line-flags")
    table.end()


def check_transaction(tx):
    """CheckTransaction's reasons that apply to a transaction of these tables."""
    reasons = set()
    values = [o[0] for o in tx.vout]
    most = 21000000 * 100000000
    null = [(v[0], v[1]) == (NULL_TXID, 0xFFFFFFFF) for v in tx.vin]
    if not tx.vin:
        reasons.add("bad-txns-vin-empty")
    if not tx.vout:
        reasons.add("bad-txns-vout-empty")
    if any(v < 0 for v in values):
        reasons.add("bad-txns-vout-negative")
    if any(v > most for v in values):
        reasons.add("bad-txns-vout-toolarge")
    if any(s > most for s in itertools.accumulate(values)) and max(values) <= most:
        reasons.add("bad-txns-txouttotal-toolarge")
    if len({(v[0], v[1]) for v in tx.vin}) < len(tx.vin):
        reasons.add("bad-txns-inputs-duplicate")
    if null == [True] and not 2 <= len(tx.vin[0][2]) <= 100:
        reasons.add("bad-cb-length")
    if any(null) and len(null) > 1:
        reasons.add("bad-txns-prevout-null")
    return reasons


def tx_invalid():
    path = shared("vectors/tx_invalid.json")
    table, random_flags = Table("tx_invalid"), random.Random(3)

    def bad(row):
        reasons = check_transaction(row.tx)

        def complain(verdict):
            if verdict["valid"] or verdict.get("error") not in reasons:
                return "error %s, expected one of %s" % (verdict.get("error"), sorted(reasons))
            return None
        return complain

    def cases():
        for row in rows_of(path):
            label, r = table.row(row[1]), TxRow(row)
            if "BADTX" in r.flags:
                yield label, tx_line(bytes.fromhex(r.hex), r.prevouts, flags=""), bad(r)
                continue
            yield label, r.line(r.flags), r.invalid
            # Adding flags must not make it valid.
            for flag in FLAGS:
                yield label, r.line(fill(r.flags | {flag})), r.invalid
                some = {f for f in FLAGS if random_flags.random() < 0.5}
                yield label, r.line(fill(r.flags | some)), r.invalid
            # Every flag stated is needed.
            for fewer in without_one(r.flags):
                yield label, r.line(fewer), r.valid

    judge(table, cases(), "--line-flags")
    table.end()


def old_tx_table(name):
    """npm's older tables: the flags are those verified, in both, and there is no BADTX: a row of
    tx_invalid may as well fail CheckTransaction."""
    table = Table(name + " (npm's older table)")

    def refused(verdict):
        return "valid" if verdict["valid"] else None

    def cases():
        for row in rows_of(npm("bitcore-lib/test/data/bitcoind/%s.json" % name)):
            label, r = table.row(row[1]), TxRow(row)
            if name == "tx_valid":
                yield label, r.line(r.flags), r.valid
            else:
                yield label, tx_line(bytes.fromhex(r.hex), r.prevouts, flags=row[2]), refused

    judge(table, cases(), "--line-flags")
    table.end()


# script_assets_test.json

CONSENSUS = ("P2SH", "DERSIG", "NULLDUMMY", "CHECKLOCKTIMEVERIFY", "CHECKSEQUENCEVERIFY", "WITNESS",
             "TAPROOT")


def consensus_combinations():
    """Every set of consensus flags in which WITNESS has its P2SH and TAPROOT its WITNESS."""
    for bits in itertools.product((False, True), repeat=len(CONSENSUS)):
        flags = frozenset(itertools.compress(CONSENSUS, bits))
        if fill(flags) == flags and not ("TAPROOT" in flags and "WITNESS" not in flags):
            yield flags


def script_assets():
    path = npm("bitcore-lib/test/data/bitcoind/script_assets_test.json")
    table, combinations = Table("script_assets_test"), list(consensus_combinations())

    def with_input(case, outcome):
        tx, index = Tx(bytes.fromhex(case["tx"])), case["index"]
        tx.vin[index][2] = bytes.fromhex(outcome["scriptSig"])
        tx.witness[index] = [bytes.fromhex(item) for item in outcome["witness"]]
        prevouts = []
        for text in case["prevouts"]:
            r = Reader(bytes.fromhex(text))
            value = r.i64()
            prevouts.append((r.var(), value))
        return tx_line(tx.bytes(), prevouts, input=index)

    def cases():
        for case in read_json(path):
            label = table.row(case["comment"])
            flags, final = parse_flags(case["flags"]), case.get("final", False)
            if "success" in case:
                line = with_input(case, case["success"])
                for some in combinations:
                    if final or some <= flags:
                        yield label, dict(line, flags=flag_text(some)), passes(True)
            if "failure" in case:
                line = with_input(case, case["failure"])
                for some in combinations:
                    if flags <= some:
                        yield label, dict(line, flags=flag_text(some)), passes(False)

    judge(table, cases(), "--line-flags")
    table.end()


# BIP 143 and BIP 341: their signed transactions


def signed(table, label, hex_tx, coins):
    """One case: a signed transaction all of whose inputs must hold."""
    tx = Tx(bytes.fromhex(hex_tx))
    prevouts = [coins[vin[0], vin[1]] for vin in tx.vin]

    def complain(verdict):
        if verdict.get("inputs") != ["OK"] * len(prevouts) or not verdict["valid"]:
            return "inputs %s, error %s" % (verdict.get("inputs"), verdict.get("error"))
        return None
    return label, tx_line(bytes.fromhex(hex_tx), prevouts), complain


HEX_TX = re.compile(r"\b0[12]000000[0-9a-f]{100,}\b")


def transactions_in(text):
    """Every hex string in a text that is a transaction, to the byte."""
    for match in HEX_TX.finditer(text):
        try:
            reader = Reader(bytes.fromhex(match.group()))
            tx = Tx().read(reader)
        except (ValueError, IndexError, struct.error):
            continue
        if reader.done():
            yield match.group(), tx
