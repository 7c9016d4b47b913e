#!/usr/bin/env bats
# The five nodes in real containers: the story, who may do what in there, and who reaches whom.
# Where no container engine runs one is started, and ends with this file's tests; the base image is
# made of Debian's packages where it is missing.

# shellcheck disable=SC2154 # what run sets

load helper
load story
load engine

setup_file() {
	export NO_ENGINE='' BB_IMAGE=bb-test-$$
	if [[ $BUILD == */asan ]]; then
		NO_ENGINE="the image is built without AddressSanitizer"
	elif engine_start; then
		engine_base || NO_ENGINE="no base image: $WHY"
	else
		NO_ENGINE="no container engine: $WHY"
	fi
}

teardown_file() {
	if [[ ! $NO_ENGINE ]]; then docker image rm -f "$BB_IMAGE" >/dev/null 2>&1; fi
	engine_stop
}

# containers: the image is built, the network there to be started.
containers() {
	[[ ! $NO_ENGINE ]] || skip "$NO_ENGINE"
	network_make "$PWD" containers
	compose build alice
}

# as USER COMMAND...: in alice's container.
as() {
	docker exec -u "$1" "${CONTAINER[alice]}" "${@:2}"
}

@test "the story is played in containers" {
	[[ ! $NO_ENGINE ]] || skip "$NO_ENGINE"
	play --containers
	[[ -z $(docker ps -aq --filter "ancestor=$BB_IMAGE") ]]
	run ! grep -E '^bb-[0-9]+_' <(docker volume ls -q && docker network ls --format '{{.Name}}')
}

@test "in a container the node's user cannot reach a key, and nobody is root" {
	containers
	start alice
	on alice bb-wallet new purse
	as wallet cat /var/lib/bb/wallets/purse/key | jq -e .xprv
	run -1 as bb cat /var/lib/bb/wallets/purse/key
	[[ $output == *"Permission denied"* ]]
	run -2 as bb ls /var/lib/bb/wallets
	run -1 as bb mv /var/lib/bb/wallets /var/lib/bb/node/mine
	[[ $output == *"Permission denied"* ]]
	run -1 as wallet rm /var/lib/bb/node/chain/data.mdb
	run -1 as root touch /usr/local/bin/bb-sign
	[[ $output == *"Read-only file system"* ]]

	# Whoever runs: the init, the node, and grep.
	# shellcheck disable=SC2016
	run -0 as bb bash -c 'grep -hE "^(Uid|CapEff|CapBnd|NoNewPrivs):" /proc/[0-9]*/status | sort -u'
	assert_output "$(printf '%s\n' $'CapBnd:\t0000000000000000' $'CapEff:\t0000000000000000' \
		$'NoNewPrivs:\t1' $'Uid:\t8333\t8333\t8333\t8333')"
	run -0 as bb cat /proc/1/comm
	[[ $output == docker-init ]]
}

@test "a container is healthy once its node answers, and only then" {
	containers
	start alice
	local line since health
	since=$(docker inspect -f '{{.State.StartedAt}}' "${CONTAINER[alice]}")
	exec {events}< <(exec docker events --since "$since" --filter "container=${CONTAINER[alice]}" \
		--filter event=health_status 3>&-)
	health=$!
	read -r -t 60 -u "$events" line
	kill "$health"
	[[ $line == *"health_status: healthy"* ]]
	# The same check where no node is.
	health=$(docker image inspect -f '{{index .Config.Healthcheck.Test 1}}' "$BB_IMAGE")
	run -3 docker run --rm --network none -e BB_NETWORK=barenet "$BB_IMAGE" sh -c "$health"
}

@test "the networks decide who peers with whom, with docker compose and docker-compose" {
	containers
	local brought=0
	for COMPOSE in "docker compose" docker-compose; do
		read -ra COMPOSE <<<"$COMPOSE"
		"${COMPOSE[@]}" version >/dev/null 2>&1 || continue
		start "${FIVE[@]}"
		mine miner2
		one_tip "${FIVE[@]}"
		drawn
		address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' \
			"${CONTAINER[connor]}")
		for address in $address; do
			run ! on bob timeout 1 bash -c ": </dev/tcp/$address/28333"
		done
		on bob timeout 1 bash -c ": </dev/tcp/alice/28333"
		run ! on bob getent hosts connor
		run -0 env COMPOSE_PROJECT_NAME="$PROJECT" "$BB_ROOT/compose/at" alice bb-node status
		assert_json '.running and .height == 1'
		network_end
		brought=$((brought + 1))
	done
	((brought > 0))
	echo "# brought up by $brought" >&3
}

@test "a node that dies in its container is started again" {
	containers
	start alice
	local line
	exec {events}< <(exec docker events --filter "container=${CONTAINER[alice]}" \
		--filter event=die --filter event=start 3>&-)
	# shellcheck disable=SC2016
	as bb bash -c 'for p in /proc/[0-9]*; do
		[[ $(tr "\0" " " <"$p/cmdline") != "bb-relay --hub"* ]] || kill -9 "${p#/proc/}"
	done'
	read -r -t 30 -u "$events" line
	[[ $line == *"container die"*"exitCode=3"* ]]
	read -r -t 30 -u "$events" line
	[[ $line == *"container start"* ]]
	exec {events}<&-
	start alice
	mine alice
	[[ $(height alice) == 1 ]]
}

@test "a container that is stopped ends well, and its volume has the chain" {
	containers
	start alice
	mine alice 3
	stop alice
	[[ $(docker inspect -f '{{.State.ExitCode}}' "${CONTAINER[alice]}") == 0 ]]
	compose rm -f alice
	start alice
	[[ $(height alice) == 3 && $(tip alice) == "$MINED" ]]
}
