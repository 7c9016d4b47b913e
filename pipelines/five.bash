# shellcheck shell=bash
# Nodes joined by links, for the demonstration and for the tests: the drawing's five, on plain
# processes, each in a network namespace of its own, or each in a container. What is said here is
# plain processes; five-namespaces.bash and five-containers.bash say the same for theirs.
#
#	miner2 -- alice -- bob
#	            |
#	         connor
#	            |
#	         miner1

FIVE=(miner2 alice connor bob miner1)
# Who calls whom; one link a pair, and nobody else is reached. (-g: this may be read in a function.)
declare -gA CALLS=([miner2]=alice [connor]=alice [bob]=alice [miner1]=connor)
declare -gA PORT=() # where a node is reached
STARTED=()
PATIENCE=${PATIENCE:-30} # seconds, to wait for any one thing
FIVE_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# network_make FOLDER [namespaces|containers]: room for the nodes, and the cables between them.
network_make() {
	local name
	NET=$1
	# shellcheck source=/dev/null
	if [[ ${2-} ]]; then . "$FIVE_HERE/five-$2.bash"; fi
	for name in "${FIVE[@]}"; do place "$name"; done
	for name in "${!CALLS[@]}"; do link "$name" "${CALLS[$name]}"; done
}

# What differs. The other two files say all of it anew.

# place NAME: where a node is to be reached. It calls nobody yet.
place() {
	mkdir -p "$NET/$1"
	free_port
	while [[ " ${PORT[*]} " == *" $FREE "* ]]; do free_port; done
	PORT[$1]=$FREE
}

# link NAME OTHER: a cable; the first one calls the other.
link() {
	CALLS[$1]=$2
}

# free_port: in FREE a TCP port that nobody listens on, below those that the kernel gives out.
free_port() {
	while FREE=$((20000 + SRANDOM % 12000)); do
		(: <"/dev/tcp/127.0.0.1/$FREE") 2>/dev/null || return 0
	done
}

# start NAME...: these nodes run when this returns.
start() {
	local name at
	for name; do
		# Nodes tell each other of nodes; here the drawing says who is connected.
		at=(--listen "127.0.0.1:${PORT[$name]}" --outbound 1)
		[[ ! ${CALLS[$name]-} ]] || at+=(--peer "127.0.0.1:${PORT[${CALLS[$name]}]}")
		bb-node start -d "$NET/$name" "${at[@]}" >/dev/null 3>&- &
		STARTING+=($!)
	done
	started "$@"
}

# stop NAME...: these nodes end well.
stop() {
	local name pids=()
	for name; do
		timeout 40 bb-node stop -d "$NET/$name" >/dev/null 3>&- &
		pids+=($!)
	done
	all_of "${pids[@]}"
}

# kill_node NAME: it ends, without a word.
kill_node() {
	kill -9 "$(on "$1" bb-node status | jq .pid)"
}

# network_end: nothing is left but the folder, however it came to this.
network_end() {
	stop "${STARTED[@]}" || true
}

# on NAME COMMAND...: at that node.
on() {
	BB_DIR=$NET/$1 "${@:2}"
}

# follow NAME SEQ: what happens at that node after the event of this number, from the descriptor
# EVENTS, until unfollow.
follow() {
	exec {EVENTS}< <(BB_DIR=$NET/$1 exec bb-chain events --since "$2" --follow 3>&-)
	FOLLOWER=$!
}

# last_words NAME: of its log.
last_words() {
	tail -n 3 "$NET/$1/log"
}

# What does not differ.

# all_of PID...: they have ended, well.
all_of() {
	local pid status=0
	for pid; do wait "$pid" || status=$?; done
	return "$status"
}

# started NAME...: those in STARTING have started these.
started() {
	local pids=("${STARTING[@]}")
	STARTED+=("$@") STARTING=()
	all_of "${pids[@]}"
}

unfollow() {
	kill "$FOLLOWER" 2>/dev/null || true
	exec {EVENTS}<&-
}

# wait_until NAME CHECK [WORD...]: until `CHECK NAME WORD...` succeeds, tried anew after whatever
# happens to that node's chain or mempool. False: it does not in time.
wait_until() {
	local done='' since end=$((SECONDS + PATIENCE))
	since=$(on "$1" bb-chain events | tail -n 1 | jq '.seq // 0')
	follow "$1" "${since:-0}"
	while ! { "$2" "$1" "${@:3}" && done=1; } && ((SECONDS < end)); do
		read -r -t "$((end - SECONDS + 1))" -u "$EVENTS" _ || break
		while read -r -t 0.01 -u "$EVENTS" _; do :; done
	done
	unfollow
	[[ $done ]]
}

# height NAME, tip NAME: where that node's chain ends.
height() {
	on "$1" bb-chain tip | jq .height
}

tip() {
	on "$1" bb-chain tip | jq -r .id
}

# is_at_least NAME HEIGHT
is_at_least() {
	(($(height "$1") >= $2))
}

# balance_is NAME FILTER: jq's filter holds for the balance of that node's wallet.
balance_is() {
	on "$1" bb-wallet balance | jq -e "$2" >/dev/null
}

# mempool_is NAME COUNT: so many transactions wait there.
mempool_is() {
	[[ $(on "$1" bb-chain mempool | wc -l) == "$2" ]]
}

# mine NAME [COUNT]: so many blocks on that node's tip, for nobody; the last one's id in MINED.
mine() {
	local i
	for ((i = 0; i < ${2-1}; i++)); do
		# shellcheck disable=SC2034 # the caller's
		MINED=$(on "$1" bash -c 'bb-chain template | bb-mine --to 51 | bb-relay' | jq -r .id)
	done
}

# one_tip NAME...: until all of them have the same tip. No miner runs: where two branches weigh the
# same, one more block of the first one's decides.
one_tip() {
	local name highest
	for _ in {1..10}; do
		highest=0
		for name; do
			if ! is_at_least "$name" "$highest"; then continue; fi
			highest=$(height "$name")
		done
		for name; do wait_until "$name" is_at_least "$highest" || return; done
		if (($(for name; do tip "$name"; done | sort -u | wc -l) == 1)); then return; fi
		mine "$1"
	done
	return 1
}
