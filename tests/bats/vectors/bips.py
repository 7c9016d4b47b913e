"""The tables of the BIPs and Core's tables of keys and addresses, asked of libbb itself."""

import csv
import re
import subprocess

import core
from bitcoin import Tx, push, sha256, sha256d
from harness import BIN, Library, Table, judge, npm, read_json, read_text, shared

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def base58_payload(text):
    """Base58check without its checksum."""
    n = 0
    for c in text:
        n = n * 58 + BASE58.index(c)
    data = b"\0" * (len(text) - len(text.lstrip("1"))) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    assert sha256d(data[:-4])[:4] == data[-4:], text
    return data[:-4]


def base58_encode_decode():
    path = shared("vectors/base58_encode_decode.json")
    table, lib = Table("base58_encode_decode"), Library()
    for data, text in read_json(path):
        table.row(text)
        table.equal(lib.ask("base58-encode", bytes.fromhex(data)), text, "encode")
        table.equal(lib.ask("base58-decode", text.encode()), data.lower(), "decode")
    table.end()


def net(name):
    return name.encode()


def key_io_valid():
    table, lib = Table("key_io_valid"), Library()
    for text, payload, about in read_json(shared("vectors/key_io_valid.json")):
        table.row(text)
        chain = net(about["chain"])
        if about["isPrivkey"]:
            compressed = int(about["isCompressed"])
            table.equal(lib.ask("wif-decode", chain, text.encode()),
                        "%s %d" % (payload, compressed), "key")
            table.equal(lib.ask("wif-encode", chain, bytes.fromhex(payload), compressed), text,
                        "WIF")
            table.equal(lib.ask("address-script", chain, text.encode()), "false", "address")
            continue
        table.equal(lib.ask("address-script", chain, text.encode()), payload, "script")
        table.equal(lib.ask("script-address", chain, bytes.fromhex(payload)), text, "address")
        table.equal(lib.ask("wif-decode", chain, text.encode()), "false", "key")
        flipped = lib.ask("address-script", chain, text.swapcase().encode())
        table.equal(flipped, payload if about.get("tryCaseFlip") else "false", "case flipped")
    table.end()


def key_io_invalid():
    path = shared("vectors/key_io_invalid.json")
    table, lib = Table("key_io_invalid"), Library()
    for (text,) in read_json(path):
        table.row(text)
        for chain in ("main", "testnet3", "testnet4", "signet", "regtest"):
            table.equal(lib.ask("address-script", net(chain), text.encode()), "false", chain)
            table.equal(lib.ask("wif-decode", net(chain), text.encode()), "false", chain)
    table.end()


def old_base58_keys():
    """npm's older tables of addresses and keys: payloads, no scripts."""
    folder = "bitcore-lib/test/data/bitcoind/"
    table, lib = Table("base58_keys_valid (npm's older table)"), Library()
    for text, payload, about in read_json(npm(folder + "base58_keys_valid.json")):
        table.row(text)
        chain = net("testnet3" if about["isTestnet"] else "main")
        if about["isPrivkey"]:
            expected = "%s %d" % (payload, about["isCompressed"])
            table.equal(lib.ask("wif-decode", chain, text.encode()), expected, "key")
            continue
        form = "76a914%s88ac" if about["addrType"] == "pubkey" else "a914%s87"
        table.equal(lib.ask("address-script", chain, text.encode()), form % payload, "script")
    table.end()
    table = Table("base58_keys_invalid (npm's older table)")
    for (text,) in read_json(npm(folder + "base58_keys_invalid.json")):
        table.row(text)
        for chain in ("main", "testnet3"):
            table.equal(lib.ask("address-script", net(chain), text.encode()), "false", chain)
            table.equal(lib.ask("wif-decode", net(chain), text.encode()), "false", chain)
    table.end()


def sighash():
    path = shared("vectors/sighash.json") or npm("bitcore-lib/test/data/sighash.json")
    table, lib = Table("sighash"), Library()
    for tx, script, index, hash_type, expected in core.rows_of(path):
        table.row(expected)
        got = lib.ask("sighash-legacy", bytes.fromhex(tx), index, bytes.fromhex(script), hash_type)
        table.equal(got, expected, "hash")
    table.end()


def bip340():
    table, lib = Table("bip340"), Library()
    with open(shared("vectors/bip340.csv"), encoding="utf-8") as f:
        for row in csv.DictReader(f):
            table.row(row["index"] + " " + row["comment"])
            key, public, aux, message, signature = (bytes.fromhex(row[k]) for k in (
                "secret key", "public key", "aux_rand", "message", "signature"))
            got = lib.ask("schnorr-verify", signature, message, public)
            table.equal(got, row["verification result"].lower(), "verify")
            if not key:
                continue
            table.equal(lib.ask("pubkey", key, 1)[2:], public.hex(), "public key")
            table.equal(lib.ask("schnorr-sign", key, message, aux), signature.hex(), "sign")
    table.end()


XPRV, XPUB = 0x0488ADE4, 0x0488B21E


def bip32():
    text = read_text(shared("vectors/bips/bip-0032-test-vectors.txt"))
    valid, invalid = text.split("===Test vector 5===")
    table, lib, seed = Table("bip32"), Library(), b""
    known = {}
    for match in re.finditer(
            r"Seed \(hex\): (\w+)|\* Chain (\S+)\n\*\* ext pub: (\w+)\n\*\* ext prv: (\w+)", valid):
        if match[1]:
            seed, known = bytes.fromhex(match[1]), {}
            continue
        path, xpub, xprv = match[2].replace("<sub>H</sub>", "H"), match[3], match[4]
        table.row(path)
        known[path] = xpub, xprv
        at = path.encode()
        table.equal(lib.ask("xkey-of-seed", seed, at, XPRV, 0), xprv, "xprv")
        table.equal(lib.ask("xkey-of-seed", seed, at, XPUB, 1), xpub, "xpub")
        private, public = lib.ask("xkey-decode", xprv.encode()), lib.ask("xkey-decode", xpub.encode())
        payload = base58_payload(xprv)
        table.equal(private.split()[0::3], ["%08x" % XPRV, payload[-32:].hex()], "decoded xprv")
        table.equal(public, "%08x 0 %s -" % (XPUB, base58_payload(xpub)[-33:].hex()), "decoded xpub")
        table.equal(private.split()[2], public.split()[2], "public key of both")
        parent, _, step = path.rpartition("/")
        if not parent:
            continue
        below = lib.ask("xkey-below", known[parent][1].encode(), step.encode(), XPRV)
        table.equal(below, xprv, "xprv from its parent")
        below = lib.ask("xkey-below", known[parent][0].encode(), step.encode(), XPUB)
        table.equal(below, "false" if step.endswith("H") else xpub, "xpub from its parent's")
    table.end()
    table = Table("bip32, invalid keys")
    for key, why in re.findall(r"^\* (\w+) \((.*)\)$", invalid, re.M):
        table.row(why)
        table.equal(lib.ask("xkey-decode", key.encode()), "false", key)
        refused = subprocess.run([BIN + "/bb-keygen", "-n", "main", "-"], input=key.encode(),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        table.equal((refused.returncode, refused.stdout), (2, b""), "bb-keygen of " + key)
    table.end()


class Wallet:
    """A key of the wallet BIPs (49, 84, 86) at a path below a mnemonic's master."""

    def __init__(self, lib, words, network):
        self.lib, self.network = lib, net(network)
        self.seed = bytes.fromhex(lib.ask("mnemonic-seed", words.encode(), b""))

    def extended(self, path, like):
        """As text under the version bytes of the expected text."""
        payload = base58_payload(like)
        version = int.from_bytes(payload[:4], "big")
        return self.lib.ask("xkey-of-seed", self.seed, path.encode(), version,
                            0 if payload[-33] == 0 else 1)

    def private(self, path):
        xprv = self.lib.ask("xkey-of-seed", self.seed, path.encode(), XPRV, 0)
        return bytes.fromhex(self.lib.ask("xkey-decode", xprv.encode()).split()[3])

    def public(self, path):
        return bytes.fromhex(self.lib.ask("pubkey", self.private(path), 1))

    def wif(self, path):
        return self.lib.ask("wif-encode", self.network, self.private(path), 1)

    def hash160(self, data):
        return bytes.fromhex(self.lib.ask("hash160", data))

    def output_key(self, path):
        return bytes.fromhex(self.lib.ask("taproot-output", self.public(path)[1:], None).split()[0])

    def script(self, path, bip):
        key = self.hash160(self.public(path))
        if bip == 86:
            return self.lib.ask("output-script", 1, self.output_key(path))
        witness = self.lib.ask("output-script", 0, key)
        if bip == 84:
            return witness
        return self.lib.ask("output-script", "p2sh", self.hash160(bytes.fromhex(witness)))

    def address(self, path, bip):
        script = bytes.fromhex(self.script(path, bip))
        return self.lib.ask("script-address", self.network, script)


def answers(wallet, bip):
    """What each name in a wallet BIP's text means."""
    w = wallet
    return {
        "privkey": w.wif,
        "account0recvPrivateKey": w.wif,
        "account0recvPrivateKeyHex": lambda p: "0x" + w.private(p).hex(),
        "account0recvPublicKeyHex": lambda p: "0x" + w.public(p).hex(),
        "pubkey": lambda p: w.public(p).hex(),
        "keyhash": lambda p: "0x" + w.hash160(w.public(p)).hex(),
        "scriptSig": lambda p: "0x" + w.lib.ask("output-script", 0, w.hash160(w.public(p))),
        "addressBytes": lambda p: "0x" + w.script(p, bip)[4:-2],
        "internal_key": lambda p: w.public(p)[1:].hex(),
        "output_key": lambda p: w.output_key(p).hex(),
        "scriptPubKey": lambda p: w.script(p, bip),
        "address": lambda p: w.address(p, bip),
    }


def wallet_bip(bip, network):
    text = read_text(shared("vectors/bips/bip-%04d-test-vectors.txt" % bip))
    table, lib, path, wallet = Table("bip%d" % bip), Library(), "m", None
    for line in text.splitlines():
        at = re.search(r"= (m/[\d'/]+)$", line)
        if line.strip().startswith("//"):
            path = at[1] if at else path
            continue
        item = re.match(r"\s*(\w+)\s+= (.*)", line)
        if not item:
            continue
        name, value = item[1], item[2].removesuffix(" (testnet)").split(" = ")[-1]
        if name in ("mnemonic", "masterseedWords"):
            wallet = Wallet(lib, value, network)
            continue
        table.row(path + " " + name)
        value = re.sub(r"^base58check\(.*\) = ", "", value)
        if re.match("[xyztuv]p(rv|ub)", value):
            table.equal(wallet.extended(path, value), value, name)
        else:
            table.equal(answers(wallet, bip)[name](path), value, name)
    table.end()


def bip39():
    path = npm("bitcore-mnemonic/test/data/bip39-vectors.json")
    lib = Library()
    for language, rows in read_json(path).items():
        table = Table("bip39 " + language)
        for entropy, words, seed, xprv in rows:
            table.row(entropy)
            if language == "english":
                table.equal(lib.ask("mnemonic-encode", bytes.fromhex(entropy)), words, "words")
                table.equal(lib.ask("mnemonic-decode", words.encode()), entropy, "entropy")
            table.equal(lib.ask("mnemonic-seed", words.encode(), b"TREZOR"), seed, "seed")
            got = lib.ask("xkey-of-seed", bytes.fromhex(seed), b"m", XPRV, 0)
            table.equal(got, xprv, "master key")
        table.end()


def wiki_strings(text):
    """The strings of a BIP's list: `<tt>..</tt>` with bytes such as 0x80 before or behind, and
    the scriptPubKey after a colon if there is one."""
    for line in text.splitlines():
        match = re.match(r"\* (?:0x(\w\w) \+ )?<tt>(.*?)</tt>(?: \+ 0x(\w\w))?(?::? <tt>(\w+)</tt>)?",
                         line)
        if match:
            before, string, behind, script = match.groups()
            yield (bytes.fromhex(before or "") + string.encode() + bytes.fromhex(behind or ""),
                   script)


def data5(address):
    """The five-bit values of an address without its checksum."""
    return bytes(BECH32.index(c) for c in address.lower().rpartition("1")[2][:-6]).hex()


def five_bits(program):
    bits = "".join("%08d" % int(bin(b)[2:]) for b in program)
    bits += "0" * (-len(bits) % 5)
    return bytes(int(bits[i:i + 5], 2) for i in range(0, len(bits), 5))


def witness_parts(script):
    return script[0] - 0x50 if script[0] else 0, script[2:]


def check_string(table, lib, string, kind):
    got = lib.ask("bech32-decode", string)
    text = string.decode().lower()
    table.equal(got, "%s %s %s" % (kind, text.rpartition("1")[0], data5(text)), "decode")
    again = lib.ask("bech32-encode", text.rpartition("1")[0].encode(), bytes.fromhex(data5(text)),
                    kind)
    table.equal(again, text, "encode")


def check_address(table, lib, address, script):
    """A valid segwit address of BIP 173 or 350. Of later versions, BIP 173's own are no
    addresses any more (BIP 350): there the checksum and the values must be right."""
    version, program = witness_parts(bytes.fromhex(script))
    text = address.decode().lower()
    hrp = text.rpartition("1")[0]
    chain = "main" if hrp == "bc" else "testnet3"
    kind = lib.ask("bech32-decode", address).split()[0]
    values = bytes([version]) + five_bits(program)
    table.equal(data5(text), values.hex(), "values")
    if version and kind == "bech32":
        check_string(table, lib, address, "bech32")
        table.equal(lib.ask("segwit-decode", hrp.encode(), address), "false", "bech32, version 1+")
        return
    table.equal(kind, "bech32m" if version else "bech32", "checksum")
    table.equal(lib.ask("segwit-decode", hrp.encode(), address),
                "%d %s" % (version, program.hex()), "program")
    table.equal(lib.ask("segwit-encode", hrp.encode(), version, program), text, "address")
    table.equal(lib.ask("address-script", net(chain), address), script, "script")
    table.equal(lib.ask("script-address", net(chain), bytes.fromhex(script)), text, "of the script")


def segwit_bip(bip, kind):
    text = read_text(shared("vectors/bips/bip-%04d-test-vectors.txt" % bip))
    strings, bad, addresses, wrong = re.split(
        r"The following string are not|The following list gives valid|The following list gives invalid",
        text.split("strings are valid")[1])
    lib, table = Library(), Table("bip%d, valid strings" % bip)
    for string, _ in wiki_strings(strings):
        table.row(string.decode())
        check_string(table, lib, string, kind)
        other = "bech32" if kind == "bech32m" else "bech32m"
        table.check(not lib.ask("bech32-decode", string).startswith(other + " "), "is both")
    table.end()
    table = Table("bip%d, invalid strings" % bip)
    for string, _ in wiki_strings(bad):
        table.row(repr(string))
        got = lib.ask("bech32-decode", string)
        table.check(got.split()[0] != kind, "decodes as " + got)
    table.end()
    table = Table("bip%d, valid addresses" % bip)
    for address, script in wiki_strings(addresses):
        table.row(address.decode())
        check_address(table, lib, address, script)
    table.end()
    table = Table("bip%d, invalid addresses" % bip)
    for address, _ in wiki_strings(wrong):
        table.row(address.decode())
        for hrp, chain in (("bc", "main"), ("tb", "testnet3"), ("bcrt", "regtest")):
            table.equal(lib.ask("segwit-decode", hrp.encode(), address), "false", hrp)
            table.equal(lib.ask("address-script", net(chain), address), "false", chain)
    table.end()


def bip173_examples():
    """The four addresses of one key."""
    text = read_text(shared("vectors/bips/bip-0173-test-vectors.txt"))
    lib, table = Library(), Table("bip173, examples")
    key = bytes.fromhex(re.search(r"<tt>(02\w{64})</tt>", text)[1])
    programs = {"P2WPKH": bytes.fromhex(lib.ask("hash160", key)),
                "P2WSH": sha256(push(key) + b"\xac")}
    for where, form, address in re.findall(r"\* (\w+) (P2WP?K?S?H): <tt>(\w+)</tt>", text):
        table.row(where + " " + form)
        chain = net("main" if where == "Mainnet" else "testnet3")
        script = bytes.fromhex(lib.ask("output-script", 0, programs[form]))
        table.equal(lib.ask("script-address", chain, script), address, "address")
        table.equal(lib.ask("address-script", chain, address.encode()), script.hex(), "script")
    table.end()


# BIP 143


class Preimage:
    """A BIP 143 preimage, taken apart."""

    def __init__(self, data):
        r = core.Reader(data)
        self.version = r.u32()
        self.prevouts, self.sequences = r.take(32), r.take(32)
        self.outpoint = r.take(32), r.u32()
        self.script_code, self.value, self.sequence = r.var(), r.i64(), r.u32()
        self.outputs, self.locktime, self.hash_type = r.take(32), r.u32(), r.u32()
        assert r.done()


def bip143_hashes(text, transactions):
    """Each preimage with its hash, and the keys and the signature told with it."""
    lib, table = Library(), Table("bip143, signature hashes")
    pieces = re.split(r"preimage(?: for [\w|]+)?:\s*", text)[1:]
    for piece in pieces:
        p = Preimage(bytes.fromhex(re.match(r"[0-9a-f]+", piece)[0]))
        table.row("%s input of %s" % (p.hash_type, p.outpoint[0][::-1].hex()))
        tx = next(t for t in transactions if any((v[0], v[1]) == p.outpoint for v in t.vin))
        index = [(v[0], v[1]) for v in tx.vin].index(p.outpoint)
        digest = bytes.fromhex(re.search(r"sig[hH]ash:\s*(\w{64})", piece)[1])
        got = lib.ask("sighash-v0", tx.bytes(), index, p.script_code, p.value, p.hash_type)
        table.equal(got, digest.hex(), "hash")
        if p.hash_type == 1:
            table.equal(lib.ask("midstates-v0", tx.bytes()),
                        " ".join(h.hex() for h in (p.prevouts, p.sequences, p.outputs)), "midstates")
        private = re.search(r"private key:\s*(\w{64})", piece)
        public = re.search(r"public key:\s*(\w{66})", piece)
        signature = re.search(r"signature:\s*([0-9a-f]+)", piece)
        if private and public:
            table.equal(lib.ask("pubkey", bytes.fromhex(private[1]), 1), public[1], "public key")
        if not public or not signature:
            continue
        der = bytes.fromhex(signature[1])
        key = bytes.fromhex(public[1])
        table.equal(lib.ask("ecdsa-verify", der[:-1], digest, key), "true", "signature")
    table.end()


def bip143():
    text = read_text(shared("vectors/bips/bip-0143-test-vectors.txt"))
    transactions = list(core.transactions_in(text))
    bip143_hashes(text, [tx for _, tx in transactions])
    # The outputs spent, told in the order of the unsigned transaction's inputs.
    coins = {}
    for section in re.split(r"unsigned transaction", text)[1:]:
        tx = next(core.transactions_in(section))[1]
        told = re.findall(r"scriptPubKey ?: ?(\w+),?\s+value: ([\d.]+)", section)
        for vin, (script, value) in zip(tx.vin, told):
            coins[vin[0], vin[1]] = bytes.fromhex(script), round(float(value) * 100000000)
    cases, table = [], Table("bip143, signed transactions")
    for text_tx, tx in transactions:
        if not any(tx.witness):
            continue
        for vin, stack in zip(tx.vin, tx.witness):
            # The CHECKMULTISIGVERIFY example tells its script and, in the preimage, its value.
            if (vin[0], vin[1]) not in coins:
                coins[vin[0], vin[1]] = b"\0\x20" + sha256(stack[-1]), 200000
        cases.append(core.signed(table, table.row(tx.txid()[::-1].hex()), text_tx, coins))
    judge(table, cases)
    table.end()


# BIP 341


def tree_leaves(lib, tree):
    """Leaf hashes in order, each with its leaf and its Merkle path; and the root."""
    if isinstance(tree, dict):
        leaf = lib.ask("tapleaf", tree["leafVersion"], bytes.fromhex(tree["script"]))
        return [(leaf, tree, "")], leaf
    (left, a), (right, b) = tree_leaves(lib, tree[0]), tree_leaves(lib, tree[1])
    root = lib.ask("tapbranch", bytes.fromhex(a), bytes.fromhex(b))
    return [(h, t, path + b) for h, t, path in left] + [(h, t, path + a) for h, t, path in right], root


def bip341_outputs(vectors):
    table, lib = Table("bip341, outputs"), Library()
    for case in vectors["scriptPubKey"]:
        given, inter, expected = case["given"], case["intermediary"], case["expected"]
        table.row(given["internalPubkey"])
        internal, root, leaves = bytes.fromhex(given["internalPubkey"]), None, []
        if given["scriptTree"]:
            leaves, root = tree_leaves(lib, given["scriptTree"])
            table.equal([h for h, _, _ in leaves], inter["leafHashes"], "leaves")
        table.equal(root, inter["merkleRoot"], "root")
        merkle = bytes.fromhex(root) if root else None
        key, odd = lib.ask("taproot-output", internal, merkle).split()
        table.equal(key, inter["tweakedPubkey"], "output key")
        for parity in (0, 1):
            got = lib.ask("taproot-commits", bytes.fromhex(key), parity, internal,
                          bytes.fromhex(inter["tweak"]))
            table.equal(got, "true" if parity == int(odd) else "false", "commitment")
        script = lib.ask("output-script", 1, bytes.fromhex(key))
        table.equal(script, expected["scriptPubKey"], "scriptPubKey")
        table.equal(lib.ask("script-address", net("main"), bytes.fromhex(script)),
                    expected["bip350Address"], "address")
        blocks = ["%02x" % (t["leafVersion"] | int(odd)) + internal.hex() + path
                  for _, t, path in leaves]
        table.equal(blocks, expected.get("scriptPathControlBlocks", []), "control blocks")
    table.end()


def bip341_spending(vectors):
    table, lib = Table("bip341, key path spending"), Library()
    for case in vectors["keyPathSpending"]:
        tx, inter = bytes.fromhex(case["given"]["rawUnsignedTx"]), case["intermediary"]
        spent = [(bytes.fromhex(u["scriptPubKey"]), u["amountSats"])
                 for u in case["given"]["utxosSpent"]]
        flat = [part for coin in spent for part in coin]
        table.row("midstates")
        names = "hashAmounts hashOutputs hashPrevouts hashScriptPubkeys hashSequences".split()
        table.equal(lib.ask("midstates-taproot", tx, *flat).split(), [inter[n] for n in names],
                    "midstates")
        for entry in case["inputSpending"]:
            given, mid = entry["given"], entry["intermediary"]
            table.row("input %d" % given["txinIndex"])
            key = bytes.fromhex(given["internalPrivkey"])
            root = bytes.fromhex(given["merkleRoot"]) if given["merkleRoot"] else None
            table.equal(lib.ask("pubkey", key, 1)[2:], mid["internalPubkey"], "internal key")
            tweaked = lib.ask("taproot-key", key, root)
            table.equal(tweaked, mid["tweakedPrivkey"], "tweaked key")
            digest = lib.ask("sighash-taproot", tx, given["txinIndex"], given["hashType"], *flat)
            table.equal(digest, mid["sigHash"], "hash")
            signature = lib.ask("schnorr-sign", bytes.fromhex(tweaked), bytes.fromhex(digest), bytes(32))
            suffix = "%02x" % given["hashType"] if given["hashType"] else ""
            table.equal([signature + suffix], entry["expected"]["witness"], "witness")
        full = case["auxiliary"]["fullySignedTx"]
        coins = {(v[0], v[1]): coin for v, coin in zip(Tx(tx).vin, spent)}
        judge(table, [core.signed(table, table.row("the signed transaction"), full, coins)])
    table.end()


def bip341():
    path = shared("vectors/bip341_wallet_vectors.json") or npm(
        "bitcore-lib/test/data/bitcoind/wallet_test_vectors.json")
    vectors = read_json(path)
    bip341_outputs(vectors)
    bip341_spending(vectors)
