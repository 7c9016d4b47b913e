#!/usr/bin/env bash
# Look for what a compiler does not: layers, shell, layout, manuals.  Run from the top, after
# building; BIN is where the tools are.
set -euo pipefail
bin=${BIN:-bin}
layers=(base crypto bitcoin wallet mine ledger net)
bad=0

# complain WORDS...: report one finding.
complain() {
	printf '%s\n' "$*" >&2
	bad=$((bad + 1))
}

# rank LAYER: its place in the order, or nothing.
rank() {
	local i
	for i in "${!layers[@]}"; do
		if [ "${layers[i]}" = "$1" ]; then echo "$i"; fi
	done
}

# A layer includes only itself and those before it; cmd/ may include every layer.
check_layers() {
	local file line included from to
	for from in "${layers[@]}"; do
		for file in lib/"$from"/*.[ch]; do
			[ -e "$file" ] || continue
			while IFS=: read -r line included; do
				included=${included#*\"}
				included=${included%%\"*}
				[[ $included == */* ]] || included=$from/$included
				to=$(rank "${included%%/*}")
				if [ -z "$to" ] || [ "$to" -gt "$(rank "$from")" ]; then
					complain "$file:$line: layer $from may not include $included"
				fi
			done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$file")
		done
	done
	for file in lib/*/; do
		file=${file#lib/}
		[ -n "$(rank "${file%/}")" ] || complain "lib/$file is not a layer"
	done
}

# The library never prints and never exits.
check_library() {
	local found
	found=$(grep -nE '(^|[^[:alnum:]_])(v?f?printf|f?puts|putchar|perror|_?exit)[[:space:]]*\(' \
		lib/*/*.[ch]) || return 0
	complain "the library prints or exits:"$'\n'"$found"
}

# shell_files: every piece of shell, by its first line.
shell_files() {
	find . \( -name .git -o -name build -o -path "./$bin" \) -prune -o -type f -print0 |
		xargs -0 awk '/^#!.*(sh|bats)$/ || /^# shellcheck shell=/ { print FILENAME } { nextfile }'
}

check_shell() {
	local file
	while read -r file; do
		shellcheck -x "$file" || complain "$file: shellcheck"
	done < <(shell_files)
}

check_layout() {
	local file
	while read -r file; do
		clang-format --dry-run -Werror "$file" 2>/dev/null ||
			complain "$file: clang-format -i would change it"
	done < <(find lib cmd tests -name '*.[ch]')
}

# options FILE: the options named in a text, one a line.
options() {
	grep -oE '(^|[^[:alnum:]_-])--?[[:alpha:]][[:alnum:]-]*' "$1" | grep -oE -e '--?[[:alpha:]].*' |
		sort -u
}

# section NAME FILE: one section of a rendered manual page, on one line.
section() {
	awk -v name="$1" '/^[A-Z]/ { inside = $0 == name; next } inside' "$2" | tr -s ' \t\n' ' ' |
		sed 's/^ //; s/ $//; s/ *| */|/g'
}

# usage FILE: the call's forms in a --help, on one line, in lower case: the first lines, up to
# one that is not indented as their continuation is.
usage() {
	awk 'NR > 1 && !/^       / { exit } { print tolower($0) }' "$1" | tr -s ' \t\n' ' ' |
		sed 's/^usage: //; s/ $//; s/ *| */|/g'
}

# Every manual is clean; each tool has one, its synopsis is --help's, and the options of one
# stand in the other and in the completion.
check_manuals() {
	local tool name page help tmp option
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' RETURN
	for page in cmd/*.[1-8]; do
		mandoc -T lint -W warning "$page" >&2 || complain "$page: mandoc"
	done
	for tool in cmd/bb-*.c; do
		name=$(basename "$tool" .c)
		page=cmd/$name.1
		help=$tmp/help
		if ! [ -e "$page" ]; then
			complain "$name has no manual page"
			continue
		fi
		"$bin/$name" --help >"$help"
		mandoc -O width=1000 -T ascii "$page" | col -bx >"$tmp/page"
		[ "$(section SYNOPSIS "$tmp/page" | tr '[:upper:]' '[:lower:]')" = "$(usage "$help")" ] ||
			complain "$name: --help is not the manual's synopsis"
		section DESCRIPTION "$tmp/page" | tr -s '[:space:],' '\n' >"$tmp/description"
		options "$tmp/description" >"$tmp/in-page"
		options "$help" >"$tmp/in-help"
		while read -r option; do
			complain "$name: $option of --help is not described in $page"
		done < <(comm -23 "$tmp/in-help" "$tmp/in-page")
		bash -c '. cmd/bb.bash-completion && bb_options "$1"' - "$name" | tr ' ' '\n' |
			sort -u >"$tmp/in-completion"
		while read -r option; do
			complain "$name: $option of --help is not in the completion"
		done < <(comm -23 "$tmp/in-help" "$tmp/in-completion")
		while read -r option; do
			complain "$name: $option of the completion is not in --help"
		done < <(grep -vxE -e '--(help|version|fail-fast|max-line|network)|-n' \
			"$tmp/in-completion" | comm -13 "$tmp/in-help" -)
	done
}

check_layers
check_library
check_shell
check_layout
check_manuals
[ "$bad" = 0 ] || {
	echo "lint: $bad found" >&2
	exit 1
}
echo "lint: nothing found"
