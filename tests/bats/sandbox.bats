#!/usr/bin/env bats
# What a process can still reach when it has given up the rest, where the kernel lets it do so.

# shellcheck disable=SC2030,SC2031,SC2154 # what run sets

load helper
load relay.bash

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	umask 022
	unset BB_DIR
	DRIVER=${BUILD:-$BATS_TEST_DIRNAME/../../build}/sandbox
}

teardown() {
	stop_all
}

# in_time COMMAND...: until it succeeds, for five seconds.
in_time() {
	local _
	for _ in {1..500}; do
		! "$@" || return 0
		read -r -t 0.01 <> <(:) || :
	done
	return 1
}

# filtered PID: it has given up its calls.
filtered() {
	grep -qx 'Seccomp:	2' "/proc/$1/status"
}

# has_ended PID
has_ended() {
	[[ ! -e /proc/$1 ]] || [[ $(ps -o stat= -p "$1") == Z* ]]
}

# takes WHAT: of paths and calls; else the test is left out.
takes() {
	[[ " $("$DRIVER" none) " == *" $1 "* ]] ||
		skip "this kernel, or a build under a sanitizer, gives up no $1"
}

# answers LINE...: what the driver said of each, of which standard input are the probes.
answers() {
	run -0 "$DRIVER" hub node
	assert_output "$(printf '%s\n' "$@")"
}

# a_node: a store, a wallet and what else lies about, in the folder node.
a_node() {
	bb-chain -d node add </dev/null 2>/dev/null || true
	bb-chain -d node template | bb-mine --to 51 | bb-chain -d node add >/dev/null
	mkdir -p node/wallets/alice
	touch node/wallets/alice/key node/peers node/log outside
}

@test "a hub reads its store, and of all else in its folder nothing, a wallet's keys least" {
	takes paths
	a_node
	answers "read chain/data.mdb: ok" "read mempool/data.mdb: ok" "read blocks/blk00000.dat: ok" \
		"read wallets/alice/key: Permission denied" "list wallets: Permission denied" \
		"read log: Permission denied" "list .: Permission denied" \
		"read ../outside: Permission denied" "read /etc/passwd: Permission denied" \
		"read $PWD/node/wallets/alice/key: Permission denied" "read /etc/hosts: ok" <<-END
		read chain/data.mdb
		read mempool/data.mdb
		read blocks/blk00000.dat
		read wallets/alice/key
		list wallets
		read log
		list .
		read ../outside
		read /etc/passwd
		read $PWD/node/wallets/alice/key
		read /etc/hosts
	END
}

@test "a hub writes nothing but the locks of the store and its mempool, and removes nothing" {
	takes paths
	a_node
	answers "write chain/lock.mdb: ok" "write mempool/lock.mdb: ok" \
		"write chain/data.mdb: Permission denied" "write peers: Permission denied" \
		"make new: Permission denied" "make chain/new: Permission denied" \
		"make wallets/new: Permission denied" <<-END
		write chain/lock.mdb
		write mempool/lock.mdb
		write chain/data.mdb
		write peers
		make new
		make chain/new
		make wallets/new
	END
	takes calls
	answers "remove wallets/alice/key: Operation not permitted" \
		"append mempool/data.mdb: Operation not permitted" <<-END
		remove wallets/alice/key
		append mempool/data.mdb
	END
	[[ -e node/wallets/alice/key && ! -e node/new && ! -e node/chain/new ]]
}

@test "a hub makes connections over IP, and neither others nor processes" {
	takes calls
	a_node
	answers "connect : ok" "unix relay.sock: Operation not permitted" \
		"listen : Operation not permitted" "fork : Operation not permitted" \
		"run /bin/true: Operation not permitted" "kill : Operation not permitted" <<-END
		connect
		unix relay.sock
		listen
		fork
		run /bin/true
		kill
	END
}

@test "a hub and who keeps its files have given up the rest when it listens" {
	takes calls
	local pid
	hub one
	for pid in "${HUB[one]}" $(pgrep -P "${HUB[one]}"); do
		in_time filtered "$pid"
		grep -qx 'NoNewPrivs:	1' "/proc/$pid/status"
	done
	[[ $(pgrep -c -P "${HUB[one]}") == 1 ]]
}

@test "a hub stays with the folders it began with" {
	takes paths
	bb-chain -d other add </dev/null 2>/dev/null || true
	hub one
	rm -r one/chain one/blocks one/mempool
	mv other/* one
	logs one 'the store: cannot open .*: Permission denied'
}

@test "what a hub knows of peers is kept, and its sockets are gone, by a process that ends with it" {
	local keeper
	hub one
	keeper=$(pgrep -P "${HUB[one]}")
	[[ -S one/relay.sock && -S one/chain.sock ]]
	stop one
	[[ -f one/peers && ! -e one/peers.new && ! -e one/relay.sock && ! -e one/chain.sock ]]
	in_time has_ended "$keeper"
}

@test "a hub that is killed leaves no process, and the next one takes its place at once" {
	local keeper
	hub one
	keeper=$(pgrep -P "${HUB[one]}")
	kill -9 "${HUB[one]}"
	wait "${HUB[one]}" || [[ $? == 137 ]]
	hub one
	in_time has_ended "$keeper"
	stop one
}

@test "without its keeper a hub says that its peers are not saved, and works on" {
	hub one
	kill -9 "$(pgrep -P "${HUB[one]}")"
	run -0 bb-relay -d one --peers
	stop one
	grep -q 'one/peers: Broken pipe' one.log
	grep -q 'the sockets stay behind' one.log
}

@test "of files a tool opens those named, and none that takes their place" {
	takes paths
	mkfifo slow
	good_line 1 >late
	bb-validate slow late >out 2>err 3>&- &
	exec {in}>slow
	good_line 2 >&"$in"
	in_time filtered $!
	good_line 3 >new
	mv new late
	exec {in}>&-
	wait $! || [[ $? == 2 ]]
	[[ $(jq .n out) == 2 ]]
	grep -q 'late: Permission denied' err
	run -0 bb-validate <(good_line 4) late
	[[ $(jq -c .n <<<"$output") == $'4\n3' ]]
}
