#!/usr/bin/env bats
# What Bitcoin Core 31's functional tests fed to its nodes, and what these answered, call by call.

load helper

export PYTHONDONTWRITEBYTECODE=1
BB_SHARED=${BB_SHARED:-$BB_ROOT/../shared}

# agrees NAME: bb-chain answers every call of that file as Bitcoin Core did; harness.py knows how
# many these are.
agrees() {
	[[ -e $BB_SHARED/data/core31/$1.ndjson.xz ]] || skip "the shared data are not there"
	python3 "$BATS_TEST_DIRNAME/vectors/core31.py" "$BATS_TEST_TMPDIR" "$1" >table
	cat table
	grep -E ': [0-9]+ of [0-9]+$' table >&3
	grep -xE 'core31 .*: ([0-9]+) of \1' table
}

@test "mempool_accept: what one transaction alone may be refused for" {
	agrees mempool_accept
}

@test "mempool_cluster: limits of clusters, replacements within and of them" {
	agrees mempool_cluster
}

@test "mempool_datacarrier: OP_RETURN outputs of each size" {
	agrees mempool_datacarrier
}

@test "mempool_dust: outputs of each type around the limit, and ephemeral dust" {
	agrees mempool_dust
}

@test "mempool_reorg: what comes back of blocks that are taken back" {
	agrees mempool_reorg
}

@test "mempool_sigoplimit: sigops count as size" {
	agrees mempool_sigoplimit
}

@test "p2p_invalid_tx: what a peer's transaction may be refused for, and orphans" {
	agrees p2p_invalid_tx
}

@test "rpc_packages: submitpackage and testmempoolaccept of several" {
	agrees rpc_packages
}
