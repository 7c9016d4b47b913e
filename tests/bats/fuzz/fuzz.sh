#!/bin/sh
# Run fuzz targets, FUZZ_SECONDS (60) each: fuzz.sh TARGET... What they learn stays in BUILD/fuzz/
# corpus; an input that breaks something is kept in BUILD/fuzz/found and makes the status 1.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
fuzz=$(cd "${BUILD:-$here/../../../build}" && pwd)/fuzz
seconds=${FUZZ_SECONDS:-60}
status=0

PYTHONDONTWRITEBYTECODE=1 python3 "$here/corpus.py" "$fuzz/first"
mkdir -p "$fuzz/found"
for target; do
	mkdir -p "$fuzz/corpus/$target"
	set -- -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$fuzz/found/$target-"
	[ ! -e "$here/$target.dict" ] || set -- "$@" -dict="$here/$target.dict"
	if "$fuzz/$target" "$@" "$fuzz/corpus/$target" "$fuzz/first/$target" >"$fuzz/$target.log" 2>&1; then
		echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$fuzz/$target.log") runs," \
			"nothing found"
	else
		echo "$target: failed, see $fuzz/$target.log"
		grep -E 'must hold|ERROR|runtime error|SUMMARY|Test unit written' "$fuzz/$target.log" || :
		status=1
	fi
done
exit $status
