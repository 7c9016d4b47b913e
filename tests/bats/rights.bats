#!/usr/bin/env bats
# Who may do what beside a node: its user, a person of its group who keeps the wallet, strangers.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # what an inner shell expands; what run sets

load helper

# Users and groups are numbers, which nobody has to have.
NODE_USER=61001 PERSON=61002 STRANGER=61003 NODE_GROUP=61001

setup() {
	[[ $(id -u) == 0 ]] || skip "it takes root to be several users"
	ROOM=$(mktemp -d "${TMPDIR:-/tmp}/bb-rights.XXXXXX")
	chmod 711 "$ROOM"
	mkdir "$ROOM/bb" "$ROOM/bb/node" "$ROOM/bb/wallets"
	chmod 755 "$ROOM/bb" "$ROOM/bb/node"
	chown "$NODE_USER:$NODE_GROUP" "$ROOM/bb/node"
	chown "$PERSON:$PERSON" "$ROOM/bb/wallets"
	chmod 700 "$ROOM/bb/wallets"
	cd "$ROOM/bb" || return
	export BB_DIR=$PWD/node BB_WALLETS=$PWD/wallets HOME=/nonexistent
}

teardown() {
	[[ -n ${ROOM-} ]] || return 0
	as_node bb-node stop >/dev/null || true
	cd / && rm -rf "$ROOM"
}

# as_node COMMAND...: as the node's user, who is of its group.
as_node() {
	setpriv --reuid "$NODE_USER" --regid "$NODE_GROUP" --clear-groups "$@"
}

# as_person COMMAND...: as another user, who is of the node's group besides his own.
as_person() {
	(umask 077 && setpriv --reuid "$PERSON" --regid "$PERSON" --groups "$NODE_GROUP" "$@")
}

# as_stranger COMMAND...: as somebody of another group.
as_stranger() {
	setpriv --reuid "$STRANGER" --regid "$STRANGER" --clear-groups "$@"
}

# start_node UMASK
start_node() {
	(umask "$1" && as_node bb-node start)
}

# person_does_all: what a person does beside a node that runs.
person_does_all() {
	as_person bb-wallet new alice >alice.words
	as_person bb-wallet new bob >/dev/null
	run -0 --separate-stderr as_person bb-node status
	assert_json '.running and .height == 0'
	assert_stderr ""
	# A block by hand, for the wallet, and a hundred by the node's own miner.
	as_person bash -euo pipefail -c 'bb-chain template | bb-mine --to "$(bb-wallet address)" | bb-relay' >verdict
	jq -e '.result == "connected"' verdict
	# The verbs that write go through the node, and need no right to the store.
	as_person bash -euo pipefail -c 'bb-chain template | bb-mine --to 51 | bb-chain add' >verdict
	jq -e '.result == "connected"' verdict
	run -0 --separate-stderr as_person bb-node mine start --to 51 --every 0
	as_person bb-chain events --follow | grep -m 1 -q '"event":"tip".*"height":102[,}]'
	run -0 --separate-stderr as_person bb-node mine stop
	assert_output "mining stopped"
	for verb in tip tips 'headers --from 100' 'block 5' mempool 'mempool --stats' coins verify \
		template 'fee-rate --target 2'; do
		# shellcheck disable=SC2086 # words
		run -0 --separate-stderr as_person bb-chain $verb </dev/null
		assert_stderr ""
	done
	run -0 --separate-stderr as_person bb-wallet send "$(as_person bb-wallet -w bob address)" 8btc
	assert_stderr ""
	assert_json '.result == "accepted"'
	run -0 --separate-stderr as_person bb-wallet bump "$(jq -r .id <<<"$output")"
	assert_stderr ""
	run -0 --separate-stderr as_person bb-wallet -w bob balance
	assert_json '.pending == 800000000'
	run -0 --separate-stderr as_person bb-wallet history
	run -0 --separate-stderr as_person bb-relay --peers
	# The wallet pays the miner, where nobody else is named.
	run -0 --separate-stderr as_person bb-node mine start --every 0
	[[ $output == "mines to bcrt1"* ]]
	run -0 --separate-stderr as_person bb-node mine stop
	run -0 --separate-stderr as_person bb-node log
	grep -q '"the node answers"' <<<"$output"
	run -0 --separate-stderr as_person bb-node stop
	assert_stderr ""
	run -1 --separate-stderr as_person bb-node status
	assert_stderr ""
}

# denied AS STATUS COMMAND...: for that user it fails so, with nothing but one error line.
denied() {
	run "-$2" --separate-stderr "$1" "${@:3}" </dev/null
	assert_output ""
	assert_errors 'length == 1 and (.[0].error | test("Permission denied|no right to"))'
}

@test "a person of the group, with wallets of his own, does all there is (umask 0027)" {
	start_node 0027
	person_does_all
	# Beside no node he can read, and his payment waits for one.
	run -0 --separate-stderr as_person bb-wallet balance
	run -3 --separate-stderr as_person bb-wallet send "$KEY1_ADDRESS" 1btc
	assert_errors '.[-1].error | test("no verdict yet")'
	[[ $(<"$ROOM/bb/wallets/alice/in-flight") == "send $KEY1_ADDRESS 1btc"* ]]
	start_node 0027
	run -0 --separate-stderr as_person bb-wallet send "$KEY1_ADDRESS" 1btc
	assert_json '.result == "accepted"'
	# All that he can write there is where he asks, and a reader's place.
	run -0 as_person find "$BB_DIR" -writable -printf '%P\n'
	[[ $(sort <<<"$output") == $'chain/lock.mdb\nmempool/lock.mdb\nnode/answer\nnode/control\nrelay.sock' ]]
}

@test "a person of the group, with wallets of his own, does all there is (umask 0022)" {
	start_node 0022
	person_does_all
}

@test "a person of the group, with wallets of his own, does all there is (umask 0007)" {
	start_node 0007
	person_does_all
	run -0 --separate-stderr as_person bb-wallet send "$KEY1_ADDRESS" 1btc
	assert_json '.result == "accepted"'
}

@test "the node's user reads nothing of the wallets, whatever their folder's mode" {
	start_node 0027
	as_person bb-wallet new alice >alice.words
	as_person bb-wallet address
	[[ $(find wallets/alice -type f | wc -l) == 4 ]]
	denied as_node 3 bb-wallet list
	chmod 755 wallets
	run -1 as_node find wallets -readable
	[[ ${lines[0]} == wallets && ${lines[1]} == *"wallets/alice"*"Permission denied"* && ${#lines[@]} == 2 ]]
	for file in key account next lock; do
		run -1 as_node cat "wallets/alice/$file"
	done
	run -0 find node -user "$PERSON"
	assert_output ""
}

# ledger_denied: whatever asks the ledger, the hub or the wallets, for a stranger.
ledger_denied() {
	local call
	for call in 'bb-chain tip' 'bb-chain mempool' 'bb-chain add' 'bb-chain run' 'bb-chain template' \
		bb-relay 'bb-relay --peers' 'bb-relay --watch' 'bb-wallet list' 'bb-wallet balance' \
		'bb-wallet new carol'; do
		# shellcheck disable=SC2086 # words
		denied as_stranger 3 $call
	done
}

@test "somebody outside the group can do nothing" {
	local call
	start_node 0027
	as_person bb-wallet new alice >alice.words
	for call in status log 'log -f' start stop restart 'mine start --to 51' 'mine stop'; do
		# shellcheck disable=SC2086 # words
		denied as_stranger 3 bb-node $call
	done
	ledger_denied
	run -1 --separate-stderr as_stranger find node ! -type d \( -readable -o -writable \)
	assert_output ""
	run -0 as_person bb-node status
}

@test "somebody outside the group can do nothing, even where the folder was open to all" {
	local call
	as_node mkdir node/node
	as_node touch node/node/lock
	start_node 0022
	as_person bb-wallet new alice >alice.words
	[[ $(stat -c %a node/node/lock) == 644 ]] # as it was
	run -0 find node -newer node/node/lock ! -type d -perm /o+rwx
	assert_output ""
	for call in stop restart 'mine start --to 51' 'mine stop'; do
		# shellcheck disable=SC2086 # words
		denied as_stranger 3 bb-node $call
	done
	chmod 644 node/node/options # as it was, too
	for call in stop restart 'mine start --to 51' 'mine stop'; do
		# shellcheck disable=SC2086 # words
		denied as_stranger 3 bb-node $call
	done
	ledger_denied
	run -1 --separate-stderr as_stranger find node -writable
	assert_output ""
	run -0 as_person bb-node status
	assert_json '.running and .height == 0'
}
