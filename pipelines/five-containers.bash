# shellcheck shell=bash disable=SC2034
# five.bash, with each node in a container: compose/compose.yaml's services, its networks for links.
# Works with docker compose and with docker-compose. Commands are given as the user wallet.

PROJECT=bb-$$
declare -gA CONTAINER=() # their ids
COMPOSE=(docker-compose)
if docker compose version >/dev/null 2>&1; then COMPOSE=(docker compose); fi

# What is silent while all is well.
compose() {
	timeout 600 "${COMPOSE[@]}" --profile late -p "$PROJECT" -f "$FIVE_HERE/../compose/compose.yaml" "$@" \
		>"$NET/compose.log" 2>&1 || { cat "$NET/compose.log" >&2 && return 1; }
}

place() {
	:
}

# The cable is in compose.yaml.
link() {
	CALLS[$1]=$2
}

start() {
	local name
	compose up -d "$@"
	for name; do
		CONTAINER[$name]=$(docker ps -q --filter "label=com.docker.compose.project=$PROJECT" \
			--filter "label=com.docker.compose.service=$name")
		answers "${CONTAINER[$name]}" &
		STARTING+=($!)
	done
	started "$@"
}

# answers CONTAINER: since it was started its node has said that it answers.
answers() {
	local since line said='' log logger
	since=$(docker inspect -f '{{.State.StartedAt}}' "$1")
	exec {log}< <(exec timeout "$PATIENCE" docker logs -f --since "$since" "$1" 2>&1)
	logger=$!
	while [[ ! $said ]] && IFS= read -r -u "$log" line; do
		[[ $line != *'"the node answers"'* ]] || said=1
	done
	kill "$logger" 2>/dev/null || true
	[[ $said ]]
}

stop() {
	(($# == 0)) || compose stop "$@"
}

kill_node() {
	docker kill -s KILL "${CONTAINER[$1]}" >/dev/null
}

network_end() {
	compose down -v
}

on() {
	local input=()
	[[ ! -p /dev/stdin && ! -f /dev/stdin ]] || input=(-i)
	docker exec "${input[@]}" -u wallet "${CONTAINER[$1]}" "${@:2}"
}

# A command in a container does not end with who asked for it, but sees its input end.
follow() {
	[[ -p $NET/open ]] || mkfifo "$NET/open"
	[[ ${OPEN-} ]] || exec {OPEN}<>"$NET/open"
	exec {EVENTS}< <(exec docker exec -i -u wallet "${CONTAINER[$1]}" bash -c \
		'bb-chain events --since "$0" --follow & cat; kill $!' "$2" <&"$OPEN" 3>&-)
	FOLLOWER=$!
}

last_words() {
	docker logs --tail 3 "${CONTAINER[$1]}" 2>&1
}
