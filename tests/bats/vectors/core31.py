"""What Bitcoin Core 31's functional tests fed to their nodes, fed to bb-chain: the same answers?

Each of the shared files holds, in order, blocks, transactions and calls as a node of Core 31 got
them, and what it answered. bb-chain has one store for each of a test's nodes; blocks and
transactions go through `add`, testmempoolaccept's through `test`. What belongs to the calls and
not to the rules is done here, where its arguments are: the limits that a caller sets himself
(maxfeerate, maxburnamount), the names the calls give (missing-inputs), how many transactions one
call takes.

usage: core31.py SCRATCH [FILE]
"""

import collections
import json
import lzma
import os
import subprocess
import sys
from decimal import Decimal

import harness

FILES = [
    "mempool_accept",
    "mempool_cluster",
    "mempool_datacarrier",
    "mempool_dust",
    "mempool_reorg",
    "mempool_sigoplimit",
    "p2p_invalid_tx",
    "rpc_packages",
]
COIN = 100000000
# Settings of a node that are no rule of ours: what a peer may do, what is kept where.
NOT_OURS = ("-whitelist", "-txindex", "-persistmempool")
MISSING = "bad-txns-inputs-missingorspent"


def satoshi(text):
    """An amount as RPC writes it, in satoshi."""
    return int(Decimal(str(text)) * COIN)


def policy(args):
    """A node's arguments as --policy options."""
    out = []
    for arg in args:
        name, _, value = arg.lstrip("-").partition("=")
        if arg.startswith(NOT_OURS):
            continue
        if name in ("dustrelayfee", "minrelaytxfee", "incrementalrelayfee"):
            value = f"{satoshi(value)}sat"
        out += ["--policy", f"{name}={value or 1}"]
    return out


class Left(Exception):
    """A case that bb-chain cannot be asked; says why."""


class Node:
    """One node of a test: a store, and how bb-chain is called on it."""

    def __init__(self, folder, now):
        self.dir = folder
        self.policy = []
        self.now = now
        self.pending = []  # blocks of other nodes that have not come yet
        self.mined = []  # blocks of its own that bb-chain has not been given yet

    def call(self, verb, *args, lines=()):
        """One call; the lines it answers with."""
        if self.mined:
            blocks, self.mined = self.mined, []
            self.call("add", "--now", str(self.now), *self.policy, lines=blocks)
        done = subprocess.run(
            [os.path.join(harness.BIN, "bb-chain"), "-n", "regtest", "-d", self.dir, verb, *args],
            input="".join(json.dumps(line) + "\n" for line in lines).encode(),
            capture_output=True,
            check=False,
        )
        if done.returncode > 2:
            sys.exit(f"bb-chain {verb}: {done.stderr.decode()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def take(self, verb, line):
        verdicts = self.call(verb, "--now", str(self.now), *self.policy, lines=[line])
        return verdicts[0]

    def block(self, data):
        return self.take("add", {"type": "block", "hex": data})

    def tip(self):
        return self.call("tip")[0]["id"]

    def mempool(self):
        return {tx["txid"] for tx in self.call("mempool", "--full", *self.policy)}


def words(verdict):
    """The reason as Core's state writes it: the reason, and behind a comma its debug text."""
    return ", ".join(filter(None, (verdict.get("error"), verdict.get("detail"))))


def rate_over(verdict, limit):
    """Does it pay more than a caller allows? `limit` in BTC for 1,000 vbytes; 0: any."""
    most = satoshi(limit)
    return most and "fee" in verdict and verdict["fee"] > -(-most * verdict["vsize"] // 1000)


class Test:
    """One file's events, one after the other."""

    def __init__(self, name, scratch, events):
        self.name = name
        self.scratch = scratch
        self.events = events
        self.nodes = {}
        self.table = harness.Table("core31 " + name)
        self.left = collections.Counter()
        self.batch = []  # of one peer: transactions until their verdict
        # The clock was behind no block.
        self.now = max(
            int.from_bytes(bytes.fromhex(e["hex"][136:144]), "little")
            for e in events
            if e["ev"] in ("mined", "block")
        )

    def check(self, index, wanted, got, about=""):
        self.table.row(f"event {index}")
        self.table.equal(got, wanted, about)

    def node(self, number):
        if number not in self.nodes:
            folder = os.path.join(self.scratch, f"{self.name}.{number}")
            self.nodes[number] = Node(folder, self.now)
            self.nodes[number].call("add")  # the genesis block
        return self.nodes[number]

    def relay(self, source, data):
        """A block that one node has: the others get it before they are asked for their tips."""
        for node in self.nodes.values():
            if node is not source:
                node.pending.append(data)

    def run(self):
        for index, event in enumerate(self.events, 1):
            try:
                getattr(self, "on_" + event["ev"])(index, event)
            except Left as why:
                self.left[str(why)] += 1
        for why, count in sorted(self.left.items()):
            print(f"{self.name}: left out {count}: {why}")
        self.table.end()

    # What a test does.

    def on_node(self, _, event):
        self.node(event["node"]).policy = policy(event["args"])

    def on_mined(self, _, event):
        source = self.node(event["node"])
        for node in self.nodes.values() if event.get("cached") else [source]:
            node.mined.append({"type": "block", "hex": event["hex"]})
        if not event.get("cached"):
            self.relay(source, event["hex"])

    def on_block(self, index, event):
        verdict = self.node(0).block(event["hex"])
        self.check(index, False, verdict["result"] == "orphan", "a peer's block is an orphan")

    def on_headers(self, _, event):
        for header in event["hex"]:
            self.node(0).take("add", {"type": "header", "hex": header[:160]})

    def on_tx(self, _, event):
        node = self.node(0)
        self.batch.append(node.take("add", {"type": "tx", "hex": event["hex"]}))

    def on_verdict(self, index, event):
        node = self.node(event["node"])
        if event["kind"] == "blocks":
            self.check(index, event["tip"], node.tip(), "tip")
            return
        if event["reject"]:
            # What a peer's transaction is refused for stands in a longer line of the node's log.
            told = "; ".join(words(verdict) for verdict in self.batch)
            self.check(index, True, event["reject"] in told, f"{event['reject']}: {told}")
        if "mempool" in event:
            self.check(index, sorted(event["mempool"]), sorted(node.mempool()), "mempool")
        if event["success"]:
            for verdict in self.batch:
                self.check(index, True, verdict["valid"], words(verdict))
        self.batch = []

    def on_end(self, *_):
        pass

    def on_rpc(self, index, event):
        handler = getattr(self, "call_" + event["m"], None)
        if handler:
            handler(index, event, self.node(event["node"]), event["p"])

    # The calls. What a generate... made comes as `mined`.

    def call_setmocktime(self, _, _event, node, params):
        node.now = max(self.now, params[0])

    def call_getbestblockhash(self, index, event, node, _):
        if node.pending and node.tip() != event["r"]:
            for data in node.pending:
                node.block(data)
            node.pending = []
        self.check(index, event["r"], node.tip(), "tip")

    def call_submitblock(self, index, event, node, params):
        verdict = node.block(params[0])
        self.relay(node, params[0])
        told = {"connected": None, "side": "inconclusive", "duplicate": "duplicate"}
        self.check(index, event["r"], told.get(verdict["result"], words(verdict)), "submitblock")

    def call_invalidateblock(self, index, event, node, params):
        verdict = node.call("invalidate", params[0])[0]
        self.check(index, "err" not in event, verdict["result"] == "accepted", "invalidateblock")

    def call_prioritisetransaction(self, *_):
        raise Left("prioritisetransaction")

    def call_sendrawtransaction(self, index, event, node, params):
        if isinstance(params, list):
            params = dict(zip(("hexstring", "maxfeerate", "maxburnamount"), params))
        if "err" in event and event["err"]["code"] == -25 and "maximum" in event["err"]["message"]:
            raise Left("sendrawtransaction refused over the caller's own limits")
        verdict = node.take("add", {"type": "tx", "hex": params["hexstring"]})
        wanted = event["err"]["message"] if "err" in event else event["r"]
        got = verdict["id"] if verdict["valid"] else words(verdict)
        self.check(index, wanted, got, "sendrawtransaction")

    def call_testmempoolaccept(self, index, event, node, params):
        if isinstance(params, list):
            params = dict(zip(("rawtxs", "maxfeerate"), params))
        raw = params["rawtxs"]
        if "err" in event and event["err"]["code"] != -22:
            raise Left("testmempoolaccept refused over how it was called")
        lines = [{"type": "tx", "hex": data} for data in raw]
        if "err" in event:
            verdict = node.take("test", lines[0])
            self.check(index, "malformed-line", verdict["error"], "not a transaction")
            return
        package = {"type": "package", "txs": lines}
        verdict = node.take("test", package if len(raw) > 1 else lines[0])
        verdicts = verdict["txs"] if len(raw) > 1 else [verdict]
        whole = verdict.get("error") if len(raw) > 1 else None
        self.compare_tests(index, event["r"], verdicts, whole, params.get("maxfeerate", "0.10"))

    def compare_tests(self, index, wanted, verdicts, whole, limit):
        whole = None if whole == "transaction failed" else whole
        self.check(index, len(wanted), len(verdicts), "testmempoolaccept's results")
        stopped = False
        for want, verdict in zip(wanted, verdicts):
            got = {"txid": verdict["id"], "wtxid": verdict["wtxid"]}
            if whole:
                got["package-error"] = whole
            elif verdict.get("error") == "package-not-validated" or stopped:
                pass
            elif not verdict["valid"]:
                missing = verdict["error"] == MISSING
                got["allowed"] = False
                got["reject-reason"] = "missing-inputs" if missing else verdict["error"]
                if "reject-details" in want:
                    got["reject-details"] = words(verdict)
            elif rate_over(verdict, limit):
                got["allowed"] = False
                got["reject-reason"] = "max-fee-exceeded"
                stopped = True
            else:
                got["allowed"] = True
                got["vsize"] = verdict["vsize"]
                got["fee"] = verdict["fee"]
            if "fees" in want:
                want["fee"] = satoshi(want.pop("fees")["base"])
            self.check(index, want, got, "testmempoolaccept")

    def call_submitpackage(self, index, event, node, params):
        raw = params["package"] if isinstance(params, dict) else params[0]
        answer = event.get("r", {})
        failed = [r.get("error") for r in answer.get("tx-results", {}).values()]
        if "max feerate exceeded" in failed or (event.get("err", {}).get("code") in (-8, -25)):
            if "topology" not in event.get("err", {}).get("message", ""):
                raise Left("submitpackage refused over the caller's own limits or call")
        line = {"type": "package", "txs": [{"type": "tx", "hex": data} for data in raw]}
        verdict = node.take("add", line)
        if "err" in event:
            malformed = event["err"]["code"] == -22
            want = "malformed-line" if malformed else "package-not-child-with-parents"
            self.check(index, want, verdict["error"], "submitpackage")
            return
        self.check(
            index,
            answer["package_msg"],
            words(verdict) or "success",
            "submitpackage's message",
        )
        for got in verdict["txs"]:
            want = answer["tx-results"][got["wtxid"]]
            self.compare_result(index, want, got)
        replaced = sorted({txid for tx in verdict["txs"] for txid in tx.get("replaced", ())})
        self.check(index, sorted(answer["replaced-transactions"]), replaced, "replaced")

    def compare_result(self, index, want, verdict):
        self.check(index, want["txid"], verdict["id"], "a package's transaction")
        if "error" in want:
            self.check(index, want["error"], words(verdict), "a package's transaction")
            return
        fees = want["fees"]
        wanted = [want["vsize"], satoshi(fees["base"])]
        got = [verdict.get("vsize"), verdict.get("fee")]
        if "effective-feerate" in fees:
            size = verdict.get("effective_vsize", 0)
            wanted.append(satoshi(fees["effective-feerate"]))
            got.append(size and verdict["effective_fee"] * 1000 // size)
        self.check(index, wanted, got, f"a package's transaction {words(verdict)}")


def main(scratch, names):
    for name in names:
        path = harness.shared(f"data/core31/{name}.ndjson.xz")
        if not path:
            sys.exit("the shared data are not here")
        with lzma.open(path) as f:
            events = [json.loads(line) for line in f]
        Test(name, scratch, events).run()
    return bool(harness.Table.failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:] or FILES))
