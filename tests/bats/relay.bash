# shellcheck shell=bash
# Nodes made of a hub and a pipeline, each in a folder of its own, joined over loopback.

# shellcheck disable=SC1091 # for free_port
. "${BASH_SOURCE[0]%/*}/peers/bitcoind.bash"

declare -gA HUB PIPELINE # load is a function

# relay_setup: KEY1 in ./key, and two ports for the hubs; each has a folder of its own.
relay_setup() {
	cd "$BATS_TEST_TMPDIR" || return
	umask 022
	unset BB_DIR
	key_file key
	# shellcheck disable=SC2034 # the tests'
	ONE=$(free_port) TWO=$(free_port)
}

# with_coins NAME: a store whose first 21 coins KEY1 can spend (pool.bash).
with_coins() {
	bb-chain -d "$1" import "$MADE/blocks" >/dev/null
}

# payment HEIGHT [RATE]: KEY1 pays itself the coin of that block of the chain in the folder one.
payment() {
	BB_DIR=one coin_of "$1" | pay "${2-2}"
}

# hub NAME [OPTION...]: a hub in that folder, which listens when this returns.
hub() {
	local name=$1
	shift
	[[ -p $name.ready ]] || mkfifo "$name.ready"
	bb-relay --hub -d "$name" --ready-fd 9 "$@" 9>"$name.ready" 2>>"$name.log" 3>&- &
	HUB[$name]=$!
	read -r _ <"$name.ready"
}

# pipeline NAME: the ledger behind that hub, a group of processes of its own; the store is there, and
# the hub has it, when this returns.
pipeline() {
	[[ -e $1/chain/data.mdb ]] || bb-chain -d "$1" add </dev/null 2>/dev/null || true
	cat >"$1.pipeline" <<-END
		#!/bin/sh
		echo up >$1.up
		bb-chain -d $1 prevouts | bb-validate --mark | bb-chain -d $1 run --trust-marks
	END
	chmod +x "$1.pipeline"
	[[ -p $1.up ]] || mkfifo "$1.up"
	setsid socat "UNIX-CONNECT:$1/chain.sock" "EXEC:./$1.pipeline,nofork" 2>>"$1.log" 3>&- &
	PIPELINE[$1]=$!
	read -r _ <"$1.up"
}

# node NAME [OPTION...]: both.
node() {
	hub "$@"
	pipeline "$1"
}

# stop NAME: the hub ends well, and with it the pipeline.
stop() {
	kill -TERM "${HUB[$1]}"
	wait "${HUB[$1]}"
	unset "HUB[$1]"
	[[ -z ${PIPELINE[$1]-} ]] || wait "${PIPELINE[$1]}"
	unset "PIPELINE[$1]"
}

# stop_all: whatever still runs; for teardown.
stop_all() {
	local pid
	for pid in "${HUB[@]}" "${PIPELINE[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait
}

# until_line REGEX COMMAND...: wait until a line that the command prints matches; prints it.
until_line() {
	local regex=$1 fd line source
	shift
	exec {fd}< <(exec "$@" 3>&-)
	source=$!
	while read -r -t 20 -u "$fd" line && ! [[ $line =~ $regex ]]; do line=; done
	kill "$source" 2>/dev/null || true
	exec {fd}<&-
	[[ -n $line ]] && printf '%s\n' "$line"
}

# happens NAME REGEX: wait until that ledger tells of such an event, past or to come.
happens() {
	until_line "$2" bb-chain -d "$1" events --follow
}

# logs NAME REGEX: wait until that hub's log has such a line.
logs() {
	until_line "$2" tail -n +1 -f "$1.log"
}

# reaches NAME HEIGHT: wait until the tip of that ledger is there.
reaches() {
	happens "$1" "\"event\":\"tip\".*\"height\":$2[,}]" >/dev/null
}

# mine NAME [COUNT]: blocks on that node's tip, handed to its hub.
mine() {
	local i
	for ((i = 0; i < ${2-1}; i++)); do
		bb-chain -d "$1" template | bb-mine --to 51 --text "$1" | bb-relay -d "$1"
	done
}
