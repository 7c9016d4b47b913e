# shellcheck shell=bash
# A container engine for tests: the one that answers, or a dockerd of our own, with all it has in a
# folder of its own.

# engine_start: one answers. Otherwise false, and WHY.
engine_start() {
	local log
	export ENGINE='' ENGINE_PID='' ENGINE_BRIDGE='' WHY=''
	type -P docker >/dev/null || { WHY="no docker" && return 1; }
	if ! type -P docker-compose >/dev/null && ! docker compose version >/dev/null 2>&1; then
		WHY="neither docker compose nor docker-compose"
		return 1
	fi
	if docker info >/dev/null 2>&1; then return; fi
	[[ $(id -u) == 0 ]] || { WHY="none answers, and only root starts one" && return 1; }
	type -P dockerd >/dev/null || { WHY="none answers, and there is no dockerd" && return 1; }

	ENGINE=$(mktemp -d "${TMPDIR:-/tmp}/bb-engine.XXXXXX")
	iptables-save >"$ENGINE/iptables" 2>/dev/null || :
	[[ -e /sys/class/net/docker0 ]] || ENGINE_BRIDGE=docker0
	dockerd --data-root "$ENGINE/data" --exec-root "$ENGINE/exec" --pidfile "$ENGINE/pid" \
		--host "unix://$ENGINE/socket" >"$ENGINE/log" 2>&1 3>&- &
	ENGINE_PID=$!
	exec {log}< <(exec timeout 60 tail -n +1 -f --pid="$ENGINE_PID" "$ENGINE/log" 3>&-)
	while IFS= read -r -u "$log" WHY; do
		[[ $WHY != *"API listen on"* ]] || break
	done
	exec {log}<&-
	[[ $WHY == *"API listen on"* ]] || return 1
	export DOCKER_HOST=unix://$ENGINE/socket
}

# engine_base: it has the image that ours is built upon.
engine_base() {
	WHY=$(docker image inspect debian:bookworm-slim 2>&1 >/dev/null) ||
		WHY=$("$BATS_TEST_DIRNAME/../../compose/base" 2>&1)
}

# engine_stop: one of our own ends, and nothing of it stays.
engine_stop() {
	[[ $ENGINE ]] || return 0
	if [[ $ENGINE_PID ]]; then
		kill "$ENGINE_PID" 2>/dev/null || :
		tail -f --pid="$ENGINE_PID" /dev/null
	fi
	[[ ! $ENGINE_BRIDGE ]] || ip link delete "$ENGINE_BRIDGE" 2>/dev/null || :
	[[ ! -s $ENGINE/iptables ]] || iptables-restore <"$ENGINE/iptables" || :
	rm -rf "$ENGINE"
}
