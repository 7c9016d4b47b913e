# shellcheck shell=bash
# A real bitcoind on regtest (or on the signet that NODE_CHAIN and an option tell), for a second
# opinion. It runs for one bats file: node_start in setup_file, node_stop in teardown_file.

PEERS=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
BB_SHARED=${BB_SHARED:-$PEERS/../../../../shared}

# node_start [OPTION...]: unpack the node once into the build folder, and run it, with further
# options; returns when it answers.
# Where it cannot be had, NODE_MISSING says why.
node_start() {
	local build=${BUILD:-$PEERS/../../../build} get=$BB_SHARED/tools/real-bitcoind.sh ready
	export NODE_MISSING='' NODE_DIR NODE_PORT NODE_PID
	if ! [[ -x $get ]]; then
		NODE_MISSING="no bitcoind: $get is not there"
		return
	fi
	"$get" "$build/bitcoind"
	NODE_DIR=$(mktemp -d "$BATS_FILE_TMPDIR/node.XXXXXX")
	mkfifo "$NODE_DIR/ready"
	NODE_PORT=$(free_port)
	# It holds the FIFO open as long as it lives, so that its early death ends the wait too.
	"$build/bitcoind/bitcoind" -"${NODE_CHAIN:-regtest}" -datadir="$NODE_DIR" -server -listen=0 \
		-rpcport="$NODE_PORT" -txindex=1 -dnsseed=0 -fixedseeds=0 -corepolicy=1 -par=2 \
		-blockmaxweight=4000000 -fallbackfee=0.0001 -startupnotify='echo ready >&9' "$@" \
		>"$NODE_DIR/log" 2>&1 3>&- 9>"$NODE_DIR/ready" &
	NODE_PID=$!
	read -r ready <"$NODE_DIR/ready" || true
	[[ $ready == ready ]] || {
		cat "$NODE_DIR/log"
		return 1
	}
}

# node_stop: tell it to, and wait until it has gone.
node_stop() {
	[[ -n $NODE_PID ]] || return 0
	rpc stop <<<'[]'
	wait "$NODE_PID"
}

# needs_node: skip the test where there is no node.
needs_node() {
	[[ -z $NODE_MISSING ]] || skip "$NODE_MISSING"
}

# free_port: a TCP port that nobody listens on.
free_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# rpc METHOD: call the node once for each line of standard input, an array of parameters.
rpc() {
	python3 "$PEERS/rpc.py" "$NODE_DIR/${NODE_CHAIN:-regtest}/.cookie" "$NODE_PORT" "$1"
}
