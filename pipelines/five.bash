# shellcheck shell=bash
# Nodes joined by links, for the demonstration and for the tests: the drawing's five, on plain
# processes or each in a network namespace of its own. What a node has lies in $NET/NAME.
#
#	miner2 -- alice -- bob
#	            |
#	         connor
#	            |
#	         miner1

FIVE=(miner2 alice connor bob miner1)
# Who calls whom; one link a pair, and nobody else is reached. (-g: this may be read in a function.)
declare -gA CALLS=([miner2]=alice [connor]=alice [bob]=alice [miner1]=connor)
declare -gA PORT=()    # on processes: where a node is reached
declare -gA ADDRESS=() # in namespaces: where the one who is called is reached on their link
NAMESPACES=''         # in namespaces: what their names begin with
LINKS=0 STARTED=()
PATIENCE=${PATIENCE:-30} # seconds, to wait for any one thing

# network_make FOLDER [namespaces]: room for the nodes, and the cables between them.
network_make() {
	local name
	NET=$1
	if [[ ${2-} ]]; then NAMESPACES=bb-$$-; fi
	for name in "${FIVE[@]}"; do place "$name"; done
	for name in "${!CALLS[@]}"; do link "$name" "${CALLS[$name]}"; done
}

# place NAME: where a node is to be reached.
place() {
	mkdir -p "$NET/$1"
	if [[ ! $NAMESPACES ]]; then
		free_port
		PORT[$1]=$FREE
		return
	fi
	ip netns add "$NAMESPACES$1"
	ip -n "$NAMESPACES$1" link set lo up
}

# link NAME OTHER: a cable; its ends are called as who is at the other one.
link() {
	CALLS[$1]=$2
	[[ $NAMESPACES ]] || return 0
	ip link add "$2" netns "$NAMESPACES$1" type veth peer name "$1" netns "$NAMESPACES$2"
	ADDRESS[$1]=10.83.$LINKS.1
	ip -n "$NAMESPACES$2" address add "10.83.$LINKS.1/30" dev "$1"
	ip -n "$NAMESPACES$1" address add "10.83.$LINKS.2/30" dev "$2"
	ip -n "$NAMESPACES$2" link set "$1" up
	ip -n "$NAMESPACES$1" link set "$2" up
	LINKS=$((LINKS + 1))
}

# cut_link NAME, join_link NAME: nothing goes over the link on which that node calls, and it does
# again. In namespaces only: on loopback nodes that lose each other find another way.
cut_link() {
	ip -n "$NAMESPACES$1" link set "${CALLS[$1]}" down
}

join_link() {
	ip -n "$NAMESPACES$1" link set "${CALLS[$1]}" up
}

# free_port: in FREE a TCP port that nobody listens on, below those that the kernel gives out.
free_port() {
	while FREE=$((20000 + SRANDOM % 12000)); do
		(: <"/dev/tcp/127.0.0.1/$FREE") 2>/dev/null || return 0
	done
}

# start NAME...: these nodes run when this returns.
start() {
	local name at pids=() pid
	for name; do
		at=()
		if [[ $NAMESPACES ]]; then
			at=(--listen 0.0.0.0)
			[[ ! ${CALLS[$name]-} ]] || at+=(--peer "${ADDRESS[$name]}")
			ip netns exec "$NAMESPACES$name" bb-node start -d "$NET/$name" "${at[@]}" \
				>/dev/null 3>&- &
		else
			# Nodes tell each other of nodes; here the drawing says who is connected.
			at=(--listen "127.0.0.1:${PORT[$name]}" --outbound 1)
			[[ ! ${CALLS[$name]-} ]] ||
				at+=(--peer "127.0.0.1:${PORT[${CALLS[$name]}]}")
			bb-node start -d "$NET/$name" "${at[@]}" >/dev/null 3>&- &
		fi
		pids+=($!)
		STARTED+=("$name")
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
}

# stop NAME...: these nodes end well.
stop() {
	local name pids=() pid
	for name; do
		timeout 40 bb-node stop -d "$NET/$name" >/dev/null 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
}

# network_end: nothing is left but the folder, however it came to this.
network_end() {
	local name
	stop "${STARTED[@]}" || true
	[[ $NAMESPACES ]] || return 0
	for name in $(ip netns list | awk -v ours="$NAMESPACES" 'index($1, ours) == 1 { print $1 }'); do
		ip netns pids "$name" | xargs -r kill -9 || true
		ip netns del "$name" || true
	done
}

# on NAME COMMAND...: a tool, at that node.
on() {
	BB_DIR=$NET/$1 "${@:2}"
}

# wait_until NAME CHECK [WORD...]: until `CHECK NAME WORD...` succeeds, tried anew after whatever
# happens to that node's chain or mempool. False: it does not in time.
wait_until() {
	local fd follower done='' since end=$((SECONDS + PATIENCE))
	since=$(on "$1" bb-chain events | tail -n 1 | jq '.seq // 0')
	exec {fd}< <(BB_DIR=$NET/$1 exec bb-chain events --since "${since:-0}" --follow 3>&-)
	follower=$!
	while ! { "$2" "$1" "${@:3}" && done=1; } && ((SECONDS < end)); do
		read -r -t "$((end - SECONDS + 1))" -u "$fd" _ || break
		while read -r -t 0.01 -u "$fd" _; do :; done
	done
	kill "$follower" 2>/dev/null || true
	exec {fd}<&-
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
		MINED=$(on "$1" bb-chain template | bb-mine --to 51 | on "$1" bb-relay | jq -r .id)
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
