#!/usr/bin/env python3
"""Run every table of vectors, or those named: each prints `name: N of M`. All rows, none left out.

Needs BIN (the tools), BUILD (the driver `vectors`, and npm/), and the shared vectors
(BB_SHARED). Ends with 1 if a row failed, or if a table that should be here is not."""

import sys

import bips
import chain
import core
import multisigs
import nonces
from harness import Table, npm, shared

BITCOIND = "bitcore-lib/test/data/bitcoind/"
# name, what runs it, its shared file, npm's file, and what takes its place without the first.
TABLES = (
    ("script_tests", core.script_tests, "script_tests.json", BITCOIND + "script_tests.json",
     core.old_script_tests),
    ("tx_valid", core.tx_valid, "tx_valid.json", BITCOIND + "tx_valid.json",
     lambda: core.old_tx_table("tx_valid")),
    ("tx_invalid", core.tx_invalid, "tx_invalid.json", BITCOIND + "tx_invalid.json",
     lambda: core.old_tx_table("tx_invalid")),
    ("sighash", bips.sighash, "sighash.json", "bitcore-lib/test/data/sighash.json", bips.sighash),
    ("base58", bips.base58_encode_decode, "base58_encode_decode.json", None, None),
    ("key_io_valid", bips.key_io_valid, "key_io_valid.json", BITCOIND + "base58_keys_valid.json",
     bips.old_base58_keys),
    ("key_io_invalid", bips.key_io_invalid, "key_io_invalid.json", None, None),
    ("bip32", bips.bip32, "bips/bip-0032-test-vectors.txt", None, None),
    ("bip49", lambda: bips.wallet_bip(49, "testnet3"), "bips/bip-0049-test-vectors.txt", None, None),
    ("bip84", lambda: bips.wallet_bip(84, "main"), "bips/bip-0084-test-vectors.txt", None, None),
    ("bip86", lambda: bips.wallet_bip(86, "main"), "bips/bip-0086-test-vectors.txt", None, None),
    ("bip143", bips.bip143, "bips/bip-0143-test-vectors.txt", None, None),
    ("bip173", lambda: (bips.segwit_bip(173, "bech32"), bips.bip173_examples()),
     "bips/bip-0173-test-vectors.txt", None, None),
    ("bip350", lambda: bips.segwit_bip(350, "bech32m"), "bips/bip-0350-test-vectors.txt", None, None),
    ("bip340", bips.bip340, "bip340.csv", None, None),
    ("bip341", bips.bip341, "bip341_wallet_vectors.json", BITCOIND + "wallet_test_vectors.json",
     bips.bip341),
    ("bip39", bips.bip39, None, "bitcore-mnemonic/test/data/bip39-vectors.json", bips.bip39),
    ("genesis", chain.genesis, None, None, None),
    ("networks", chain.networks, None, None, None),
    ("difficulty", lambda: (chain.difficulty_rules(), chain.works()), None, None, None),
    ("mainnet_alt", chain.alt_retarget, "mainnet_alt.json", None, None),
    ("merkle", chain.merkle_branches, None, None, None),
    ("muhash", chain.muhash, None, None, None),
    ("multisig", multisigs.remembered, None, None, None),
    ("nonces", lambda: (nonces.ranges(), nonces.past_the_end()), None, None, None),
    ("script_assets_test", core.script_assets, None, BITCOIND + "script_assets_test.json",
     core.script_assets),
)


def run(name, test, shared_file, npm_file, without_shared):
    """One table from where it lies; a table that only the shared folder has may be missing."""
    try:
        needs_file = shared_file or npm_file
        if not needs_file or (shared_file and shared("vectors/" + shared_file)):
            test()
        elif npm_file and npm(npm_file) and not (shared_file and shared("vectors")):
            without_shared()
        elif npm_file:
            print("%s: its file is missing: npm brought nothing" % name, flush=True)
            Table.failed.append(name)
        elif shared("vectors"):
            print("%s: its file is missing: %s" % (name, shared_file), flush=True)
            Table.failed.append(name)
        else:
            print("%s: left out: there are no shared vectors here" % name, flush=True)
    except Exception as e:
        print("%s: broke off: %s: %s" % (name, type(e).__name__, e), flush=True)
        Table.failed.append(name)


def main(names):
    for table in TABLES:
        if not names or table[0] in names:
            run(*table)
    return 1 if Table.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
