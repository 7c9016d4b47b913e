#!/usr/bin/env bats
# bb-node: nodes started, stopped and looked at; stages, hubs and supervisors killed under it.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # jq's variables; what run sets

load helper
load pool.bash
load relay.bash

setup() {
	relay_setup
}

# Whatever a test leaves behind; that all of it dies with the supervisor is tested below.
teardown() {
	local lock
	for lock in */node/lock; do
		if [[ -e $lock ]] && ! flock -n "$lock" true; then
			kill -9 "$(supervisor "${lock%%/*}")" || true
		fi
	done
}

# supervisor NAME: its process, which leads a session of its own unless it is in the foreground.
supervisor() {
	cut -d ' ' -f 1 "$1/node/pid"
}

# stage NAME PATTERN: the process of that node whose command begins so, before those it started.
stage() {
	pgrep -o -s "$(supervisor "$1")" -f "^$2"
}

# logged NAME REGEX: wait until such a line is in that node's log; prints it.
logged() {
	until_line "$2" tail -n +1 -F "$1/log"
}

# within SECONDS COMMAND...: it succeeds, and in time.
within() {
	local start=${EPOCHREALTIME/./}
	"${@:2}"
	((${EPOCHREALTIME/./} - start < $1 * 1000000))
}

# gone NAME SESSION: nothing of that node lives, or will after a moment.
gone() {
	local left
	flock -w 10 "$1/node/lock" true
	mapfile -t left < <(pgrep -s "$2")
	python3 - "${left[@]}" <<-'END'
		import os, select, sys
		for pid in sys.argv[1:]:
		    try:
		        end = select.poll()
		        end.register(os.pidfd_open(int(pid)), select.POLLIN)
		        assert end.poll(5000), pid
		    except ProcessLookupError:
		        pass
	END
}

# ends_with STATUS PID: so does that background process.
ends_with() {
	local status=0
	wait "$2" || status=$?
	[[ $status == "$1" ]]
}

# height NAME: of that node's tip.
height() {
	bb-chain -d "$1" tip | jq .height
}

# impostor TOOL: a script of that name, from stdin, found before the true one; $true is that.
impostor() {
	mkdir -p impostors
	{
		printf '#!/bin/bash\ntrue=%q\n' "$(command -v "$1")"
		cat
	} >"impostors/$1"
	chmod +x "impostors/$1"
	PATH=$PWD/impostors:$PATH
}

@test "a node started answers at once, says so, and is stopped in under a second" {
	local session
	run -0 --separate-stderr bb-node start -d one --listen "127.0.0.1:$ONE"
	[[ $output == "runs, pid $(supervisor one), in $PWD/one" ]]
	assert_stderr ""
	session=$(supervisor one)
	run -0 bb-chain -d one headers --to 0
	run -0 bb-relay -d one <<<"$output"
	assert_json '.result == "duplicate"'
	run -0 bb-node start -d one
	[[ $output == "runs already, pid $session, in $PWD/one" ]]
	within 1 bb-node stop -d one
	gone one "$session"
	[[ $(ls one/node) == $'lock\noptions' && ! -e one/relay.sock ]]
	run -0 bb-node stop -d one
	[[ $output == "does not run, in $PWD/one" ]]
}

@test "status tells what a node is and does, as a line or, on a terminal, as text" {
	with_coins one
	run -1 --separate-stderr bb-node status -d one
	assert_json '.type == "node" and .running == false and .height == 120 and (has("pid") | not)'
	bb-node start -d one --listen "127.0.0.1:$ONE"
	bb-node start -d two --peer "127.0.0.1:$ONE"
	reaches two 120
	payment 1 | bb-relay -d one
	run -0 --separate-stderr bb-node status -d one
	assert_json --arg dir "$PWD/one" --argjson pid "$(supervisor one)" \
		--arg tip "$(bb-chain -d one tip | jq -r .id)" '. == {type: "node", running: true, $pid, since,
		network: "regtest", $dir, height: 120, $tip, peers: 1, mempool: 1, mining: false}
		and (.since - now | fabs) < 60'
	assert_stderr ""
	run -0 script -qec "bb-node status -d one" /dev/null
	[[ $output == *"running "*"pid $(supervisor one)"*"tip       120 "*"peers     1"* ]]
	bb-node stop -d two
	bb-node stop -d one
}

@test "two nodes side by side have one chain" {
	bb-node start -d one --listen "127.0.0.1:$ONE"
	bb-node start -d two --peer "127.0.0.1:$ONE"
	mine one 2
	reaches two 2
	mine two
	reaches one 3
	[[ $(bb-chain -d one tip) == "$(bb-chain -d two tip)" ]]
	within 1 bb-node stop -d one
	within 1 bb-node stop -d two
}

@test "a node started again has the options of the last time, and its network" {
	bb-node start -n barenet -d one --listen "127.0.0.1:$ONE" -j 2
	run -0 bb-node restart -d one
	run -0 bb-node status -d one
	assert_json '.network == "barenet"'
	[[ $(tr '\0' ' ' <"/proc/$(stage one 'bb-relay --hub')/cmdline") == *"--listen=127.0.0.1:$ONE "* ]]
	bb-node start -n barenet -d two --peer "127.0.0.1:$ONE"
	bb-node stop -d one
	run -0 bb-node start -d one
	until_line '"type":"peer"' bash -c 'while bb-relay -d one --peers; do :; done'
	bb-node stop -d two
	bb-node stop -d one
}

@test "stages killed at random under load: no line is without its verdict" {
	local n relay stages=("bb-chain prevouts" bb-validate "bb-chain run")
	with_coins one
	bb-node start -d one
	for n in {1..21}; do payment "$n"; done >txs
	mkfifo lines
	bb-relay -d one <lines >verdicts 3>&- &
	relay=$!
	exec {out}>lines
	for n in 1 8 15; do
		kill -9 "$(stage one "${stages[RANDOM % 3]}")"
		sed -n "$n,$((n + 6))p" txs >&"$out"
		until_line '' tail -n "+$((n + 6))" -F verdicts 2>/dev/null
	done
	exec {out}>&-
	wait "$relay"
	[[ $(jq -s 'map(.line) | sort == [range(1; 22)]' verdicts) == true ]]
	jq -se 'all(.result == "accepted" or .result == "duplicate")' verdicts
	[[ $(bb-chain -d one mempool | wc -l) == 21 ]]
	[[ $(grep -c 'ended with signal KILL' one/log) == 3 ]]
	within 1 bb-node stop -d one
}

@test "a line that kills is dropped when it has killed twice alone, and named in the log" {
	impostor bb-chain <<-'END'
		[[ $1 == prevouts ]] || exec "$true" "$@"
		exec > >(exec "$true" prevouts)
		while read -r line; do
			[[ $line != *8280b37df378db99* ]] || kill -9 $$
			printf '%s\n' "$line"
		done
	END
	bb-node start -d one
	bb-chain -d one headers --to 0 >header
	run -1 bb-relay -d one header <(good_line 1) header
	jq -se 'map(select(.line == 2))[0] | .valid == false and .error == "killed-the-ledger"' <<<"$output"
	jq -se 'map(select(.line != 2)) | length == 2 and all(.result == "duplicate")' <<<"$output"
	logged one 'killed the ledger twice.*8280b37df378db99'
	run -0 bb-relay -d one header
	bb-node stop -d one
}

@test "what dies again and again is waited for longer and longer, until it has lived a minute" {
	eval "$(grep -oE '^STEADY=.*HEARTBEAT=[0-9]+' "$BB_ROOT/cmd/bb-node")"
	eval "$(sed -n '/^next_delay() {/,/^}/p' "$BB_ROOT/cmd/bb-node")"
	local delays=() delay=0
	for _ in {1..8}; do
		delay=$(next_delay "$delay" 100)
		delays+=("$delay")
	done
	[[ ${delays[*]} == "100 200 400 800 1600 3000 3000 3000" ]]
	[[ $(next_delay 3000 5999) == 3000 && $(next_delay 3000 6000) == 100 ]]
}

@test "a hub that dies takes the node with it, with status 3" {
	bb-node run -d one --ready-fd 7 7>ready 2>seen 3>&- &
	local node=$!
	logged one 'the node answers'
	kill -9 "$(pgrep -P "$(pgrep -P "$node" -f 'unit relay')" bb-relay)"
	ends_with 3 "$node"
	grep '"the relay ended with signal KILL, and with it the node"' seen
	[[ -z $(cat ready) ]]
	run -1 bb-node status -d one
}

# unit NAME UNIT: the process that looks after it.
unit() {
	pgrep -P "$(supervisor "$1")" -f "unit $2"
}

@test "a unit whose own process is killed is noticed at once" {
	local start
	bb-node start -d one
	bb-node mine start -d one --to 51
	reaches one 1
	for name in pipeline miner; do
		start=${EPOCHREALTIME/./}
		kill -9 "$(unit one "$name")"
		logged one "the $name ended; it starts again in 1 s"
		((${EPOCHREALTIME/./} - start < 3000000))
	done
	reaches one "$(($(height one) + 2))"
	start=${EPOCHREALTIME/./}
	kill -9 "$(unit one relay)"
	logged one 'the relay ended with signal KILL, and with it the node'
	flock -w 10 one/node/lock true
	((${EPOCHREALTIME/./} - start < 3000000))
}

@test "a word to the supervisor that comes in two parts, a heartbeat between them, is understood" {
	local supervisor
	bb-node start -d one
	supervisor=$(supervisor one)
	exec {control}<>one/node/control
	printf st >&"$control"
	sleep 6 # HEARTBEAT is 5 s
	printf 'op\n' >&"$control"
	exec {control}>&-
	timeout 10 tail -f --pid="$supervisor" /dev/null
	run -1 bb-node status -d one
	logged one "the node stops"
}

@test "kill -9 of the supervisor leaves nothing behind, and the next start nothing to clear" {
	local session n
	bb-node start -d one
	bb-node mine start -d one --to 51
	reaches one 3
	session=$(supervisor one)
	kill -9 "$session"
	gone one "$session"
	run -1 bb-node status -d one
	assert_json '.running == false and .mining == false'
	for n in 1 2 3; do
		run -0 bb-node start -d one
		[[ $output == "runs, pid $(supervisor one), in $PWD/one" ]]
		kill -9 "$(supervisor one)" # the next one comes while this one's children still die
	done
	gone one "$(supervisor one)"
	echo "1 $(cut -d ' ' -f 2 one/node/pid) 0" >one/node/pid
	run -0 bb-node start -d one
	bb-node stop -d one
	bb-chain -d one verify
}

@test "in the foreground a node ends with 0 when it is told to, and its log is seen" {
	local node start
	mkfifo ready
	bb-node run -d one --ready-fd 7 7>ready 2>seen 3>&- &
	node=$!
	read -r line <ready
	[[ -z $line ]]
	bb-chain -d one headers --to 0 | bb-relay -d one
	start=${EPOCHREALTIME/./}
	kill -TERM "$node"
	ends_with 0 "$node"
	((${EPOCHREALTIME/./} - start < 1000000))
	cmp seen one/log
	jq -es 'any(.text == "the node answers")' seen
}

@test "a node that cannot start says why" {
	bb-node start -d one --listen "127.0.0.1:$ONE"
	run -3 --separate-stderr bb-node start -d two --listen "127.0.0.1:$ONE"
	assert_errors 'any(.tool == "bb-relay") and .[-1].error == "the node did not start: see bb-node log"'
	bb-node stop -d one
	run -3 --separate-stderr bb-node start -n barenet -d one
	assert_errors 'any(.tool == "bb-chain") and .[-1].tool == "bb-node"'
	flock -n one/node/lock true
}

@test "mining is started, told otherwise and stopped, and does not outlive the node" {
	local session
	bb-node start -d one
	run -0 --separate-stderr bb-node mine start -d one --to "$KEY1_ADDRESS"
	[[ $output == "mines to $KEY1_ADDRESS, and rests 1 s after each block" ]]
	reaches one 1
	stage one "bb-mine --to $KEY1_ADDRESS -j 1 --every 1"
	logged one "mines to $KEY1_ADDRESS"
	run -0 bb-node mine start -d one --to "$KEY1_ADDRESS" --every 0
	[[ $output == "mines to $KEY1_ADDRESS" ]]
	reaches one 3
	run -0 bb-node status -d one
	assert_json '.mining and .mining_to == "'"$KEY1_ADDRESS"'" and .height >= 3'
	bb-chain -d one utxo "$KEY1_ADDRESS" | grep -q '"coinbase":true'
	bb-node mine start -d one --to 51 -j 2 --every 0
	reaches one "$(($(height one) + 2))"
	stage one "bb-mine --to 51 -j 2"
	within 1 bb-node mine stop -d one
	run ! stage one bb-mine
	run -0 bb-node mine stop -d one
	assert_output "does not mine"
	logged one '"type":"verdict".*"connected"'
	bb-node mine start -d one --to 51 --every 0
	reaches one "$(($(height one) + 2))"
	kill -9 "$(stage one bb-mine)"
	logged one 'the miner ended; it starts again in 1 s'
	reaches one "$(($(height one) + 2))"
	session=$(supervisor one)
	bb-node restart -d one
	run ! pgrep -r D,R,S,T -s "$session"
	run -0 bb-node status -d one
	assert_json '.mining == false'
	bb-node stop -d one
}

@test "who is to be paid must be said where there is no wallet, and be an address" {
	bb-node start -d one
	run -2 --separate-stderr bb-node mine start -d one
	run -2 --separate-stderr bb-node mine start -d one --to nobody
	assert_errors '.[0].tool == "bb-mine"'
	bb-node stop -d one
	run -3 --separate-stderr bb-node mine start -d one --to 51
	assert_stderr '{"type":"error","tool":"bb-node","error":"no node runs in '"$PWD/one"'"}'
}

@test "the log is put aside at 10 MB, five old ones are kept, and no line is torn" {
	local n
	mkdir one
	for n in {1..5}; do echo "{\"old\":$n}" >"one/log.$n"; done
	yes '{"type":"log","tool":"bb-node","time":0,"text":"old"}' | head -n 185185 >one/log
	printf '{"half":' >>one/log
	bb-node start -d one
	for n in {1..20}; do kill -HUP "$(stage one 'bb-relay --hub')"; done
	bb-node stop -d one
	[[ $(wc -c <one/log.1) -gt 9900000 && $(wc -c <one/log.1) -le 10000000 ]]
	[[ $(tail -n 1 one/log.1) == '{"half":' && ! -e one/log.6 ]]
	[[ $(cat one/log.{2,3,4,5}) == $'{"old":1}\n{"old":2}\n{"old":3}\n{"old":4}' ]]
	jq -es 'any(.text == "the node answers")' one/log
	run -0 bb-node log -d one
	[[ ${lines[0]} == '{"old":4}' && ${lines[-1]} == "$(tail -n 1 one/log)" ]]
}

@test "log -f goes on as the log grows" {
	bb-node start -d one
	exec {follower}< <(exec bb-node log -f -d one 3>&-)
	bb-node mine start -d one --to 51
	grep -m 1 '"type":"verdict"' <&"$follower"
	kill $!
	bb-node stop -d one
	run -1 --separate-stderr bb-node log -d nowhere
	assert_stderr '{"type":"error","tool":"bb-node","error":"no log in '"$PWD/nowhere"'"}'
}

@test "an address that is none is refused before anything is stopped, started or kept" {
	local call
	for call in start run; do
		run -2 --separate-stderr bb-node "$call" -d one --peer 127.0.0.1:99999
		assert_stderr '{"type":"error","tool":"bb-relay","error":"not an address: 127.0.0.1:99999"}'
		[[ ! -e one ]]
	done
	bb-node start -d one --listen "127.0.0.1:$ONE"
	run -2 --separate-stderr bb-node restart -d one --listen localhost:1
	assert_stderr '{"type":"error","tool":"bb-relay","error":"listen at localhost:1: not an IP address"}'
	run -0 bb-node status -d one
	grep -qx -- "--listen=127.0.0.1:$ONE" one/node/options
	bb-node stop -d one
}

@test "a call that makes no sense is refused" {
	local call
	for call in "" frob "start now" "start --to 51" "stop --listen 1.2.3.4" "status -f" "start -j x" \
		"mine" "mine start --peer 1.2.3.4" "start --frob" "start --peer"; do
		# shellcheck disable=SC2086 # words
		run -2 --separate-stderr bb-node $call -d one
		assert_errors 'length == 1 and .[0].tool == "bb-node" and (.[0].error | test("see --help"))'
	done
	[[ ! -e one ]]
	run -2 --separate-stderr bb-node start -n nowhere -d one
	run -0 bb-node --version
	[[ $output == "bb-node "* ]]
}
