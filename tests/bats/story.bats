#!/usr/bin/env bats
# The whole story, from the first coin to the last, and what the five nodes of it withstand: on
# plain processes, and each node in a network namespace of its own. (In containers: containers.bats.)

# shellcheck disable=SC2154 # what run sets

load helper
load story

# needs_namespaces: skip the test where there can be none.
needs_namespaces() {
	[[ $(id -u) == 0 ]] || skip "network namespaces want root"
	type -P ip >/dev/null || skip "network namespaces want ip (iproute2)"
	ip netns add "bb-$$-probe" 2>/dev/null || skip "network namespaces cannot be made here"
	ip netns del "bb-$$-probe"
}

@test "the story is played on plain processes" {
	play
}

@test "the story is played in network namespaces" {
	needs_namespaces
	play --namespaces
	run ! grep "^bb-.*-zoe" <(ip netns list)
}

@test "demo takes no other arguments" {
	run -2 --separate-stderr "$BB_ROOT/pipelines/demo" now
	[[ $stderr == demo* ]]
}

@test "demo told to end in the middle leaves nothing behind" {
	local demo status=0
	mkdir tmp
	mkfifo shown
	TMPDIR=$PWD/tmp "$BB_ROOT/pipelines/demo" >shown 3>&- &
	demo=$!
	exec {in}<shown
	grep -m 1 'block 3 ' <&"$in"
	kill -TERM "$demo"
	cat <&"$in" >rest
	wait "$demo" || status=$?
	[[ $status == 143 && -z $(ls tmp) ]]
	run ! pgrep -f "$PWD/tmp"
}

@test "in namespaces nobody is reached but over the links that are drawn" {
	needs_namespaces
	network_make "$PWD/net" namespaces
	start "${FIVE[@]}"
	mine miner2
	one_tip "${FIVE[@]}"
	drawn
	# shellcheck disable=SC2153
	ip netns exec "$NAMESPACES"miner2 bash -c ": </dev/tcp/${ADDRESS[miner2]}/28333"
	run ! ip netns exec "$NAMESPACES"miner2 bash -c ": </dev/tcp/${ADDRESS[miner1]}/28333"
}

@test "a partition healed: one tip, and the losing half's transactions are mined again" {
	needs_namespaces
	local address paid lost began
	network_make "$PWD/net" namespaces
	start "${FIVE[@]}"
	on miner1 bb-wallet new miner1
	on bob bb-wallet new bob
	address=$(on miner1 bb-wallet address)
	on miner1 bb-chain template | bb-mine --to "$address" | on miner1 bb-relay
	mine miner1 10
	one_tip "${FIVE[@]}"
	[[ $(height miner2) == 11 ]]

	cut_link connor # miner2, alice and bob are on one side now, connor and miner1 on the other
	paid=$(on miner1 bb-wallet send "$(on bob bb-wallet address)" 8btc | jq -r .id)
	mine miner1 2
	lost=$MINED
	wait_until connor is_at_least 13
	mine miner2 4
	wait_until bob is_at_least 15
	[[ $(tip connor) == "$lost" && $(on miner1 bb-chain mempool | wc -l) == 0 ]]
	balance_is bob '.confirmed == 0 and .pending == 0'

	began=${EPOCHREALTIME/./}
	join_link connor
	wait_until miner1 is_at_least 15
	[[ $(tip miner1) == "$MINED" && $(tip connor) == "$MINED" ]]
	echo "# one tip $(((${EPOCHREALTIME/./} - began) / 1000)) ms after the halves were joined" >&3
	wait_until miner2 mempool_is 1
	[[ $(on miner2 bb-chain mempool | jq -r .txid) == "$paid" ]]
	mine miner2
	one_tip "${FIVE[@]}"
	balance_is bob '.confirmed == 8e8 and .pending == 0'
	mempool_is miner1 0
}

@test "a flood at one end arrives at the other exactly once each, and is mined" {
	run -0 --separate-stderr "$BB_ROOT/tests/bats/bench/flood.sh" 2000
	assert_stderr ""
	echo "# ${lines[-1]}" >&3
	[[ $output == "2000 transactions"* ]]
}

@test "a name that stands for many addresses leads to all of them" {
	[[ $(id -u) == 0 ]] || skip "names of our own want root"
	unshare -m true 2>/dev/null || skip "mount namespaces cannot be made here"
	# shellcheck disable=SC2034
	NET=$PWD STARTED=(one other asks)
	printf '127.0.0.%d many\n' 2 3 >hosts
	free_port
	bb-node start -d one --listen "127.0.0.2:$FREE" 3>&-
	bb-node start -d other --listen "127.0.0.3:$FREE" 3>&-
	mine one
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount --bind hosts /etc/hosts && exec bb-node start -d asks --seed "many:$0"' \
		"$FREE" 3>&-
	wait_until other is_at_least 1 # there is no other way for it to come from `one`
}

@test "a node that is told of others finds them without whom it was sent to, after a restart too" {
	# shellcheck disable=SC2034
	NET=$PWD STARTED=(first second third)
	place first
	place second
	bb-node start -d first --listen "127.0.0.1:${PORT[first]}" 3>&-
	bb-node start -d second --listen "127.0.0.1:${PORT[second]}" \
		--peer "127.0.0.1:${PORT[first]}" 3>&-
	bb-node start -d third --peer "127.0.0.1:${PORT[first]}" 3>&-
	local end=$((SECONDS + PATIENCE))
	until bb-relay -d third --peers | jq -se --argjson port "${PORT[second]}" \
		'any(.port == $port)' >/dev/null; do
		((SECONDS < end))
	done
	stop first
	mine second
	wait_until third is_at_least 1
	stop third
	bb-node start -d third 3>&-
	mine second
	wait_until third is_at_least 2
}
