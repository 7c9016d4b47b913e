# shellcheck shell=bash disable=SC2034
# five.bash, with each node in a network namespace of its own, and veth pairs for links. Root's.

NAMESPACES=bb-$$-      # what their names begin with
declare -gA ADDRESS=() # where the one who is called is reached on their link
LINKS=0

place() {
	mkdir -p "$NET/$1"
	ip netns add "$NAMESPACES$1"
	ip -n "$NAMESPACES$1" link set lo up
}

# A cable's ends are called as who is at the other one.
link() {
	CALLS[$1]=$2
	ip link add "$2" netns "$NAMESPACES$1" type veth peer name "$1" netns "$NAMESPACES$2"
	ADDRESS[$1]=10.83.$LINKS.1
	ip -n "$NAMESPACES$2" address add "10.83.$LINKS.1/30" dev "$1"
	ip -n "$NAMESPACES$1" address add "10.83.$LINKS.2/30" dev "$2"
	ip -n "$NAMESPACES$2" link set "$1" up
	ip -n "$NAMESPACES$1" link set "$2" up
	LINKS=$((LINKS + 1))
}

# cut_link NAME, join_link NAME: nothing goes over the link on which that node calls, and it does
# again. (On loopback nodes that lose each other find another way.)
cut_link() {
	ip -n "$NAMESPACES$1" link set "${CALLS[$1]}" down
}

join_link() {
	ip -n "$NAMESPACES$1" link set "${CALLS[$1]}" up
}

start() {
	local name at
	for name; do
		at=(--listen 0.0.0.0)
		[[ ! ${CALLS[$name]-} ]] || at+=(--peer "${ADDRESS[$name]}")
		ip netns exec "$NAMESPACES$name" bb-node start -d "$NET/$name" "${at[@]}" \
			>/dev/null 3>&- &
		STARTING+=($!)
	done
	started "$@"
}

network_end() {
	local name
	stop "${STARTED[@]}" || true
	for name in $(ip netns list | awk -v ours="$NAMESPACES" 'index($1, ours) == 1 { print $1 }'); do
		ip netns pids "$name" | xargs -r kill -9 || true
		ip netns del "$name" || true
	done
}
