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

# table TOOL: the options that a tool takes, one a line, with what its table says of their
# arguments: no_argument, required_argument, optional_argument.  cmd/tool.h has the common ones.
table() {
	local strings letters i
	{
		grep -ohE '\{"[[:alnum:]-]+", (no|required|optional)_argument' "cmd/$1.c"
		tr -d '\\\n' <cmd/tool.h | grep -oE '"[[:alnum:]-]+", *(no|required|optional)_argument'
	} | sed -E 's/^[{]?"(.*)", */--\1 /'
	strings=$(grep -ohE 'getopt_long\(argc, argv, "[^"]*"' "cmd/$1.c")
	letters=${strings#*\"}
	letters=${letters%\"}
	for ((i = 0; i < ${#letters}; i++)); do
		case ${letters:i:2} in
		:*) ;;
		*:) echo "-${letters:i:1} required_argument" ;;
		*) echo "-${letters:i:1} no_argument" ;;
		esac
	done
}

# shell_table TOOL: the same for one that is a script, out of its call of getopt: a letter or a name
# with a colon behind it takes an argument.
shell_table() {
	local letters word
	letters=$(grep -oE -- ' -o [a-z:]+' "cmd/$1" | head -n 1)
	{
		grep -oE '[a-z]:?' <<<"${letters# -o }"
		grep -oE -- '[[:space:]]-l [a-z:,-]+' "cmd/$1" | cut -c 5- | tr , '\n'
	} | while read -r word; do
		case $word in
		?:) echo "-${word%:} required_argument" ;;
		?) echo "-$word no_argument" ;;
		*:) echo "--${word%:} required_argument" ;;
		*) echo "--$word no_argument" ;;
		esac
	done
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

# missing FILE FILE WORDS...: complain of each option that only the first of two lists has.
missing() {
	local option
	while read -r option; do
		complain "${@:3}" "$option"
	done < <(comm -23 "$1" "$2")
}

# Every option of a tool's table stands in its --help, its manual and the completion, and no
# other does; what takes an argument is completed with something.
check_options() { # NAME FOLDER
	local option argument
	if ! [ -e "cmd/$1" ]; then
		table "$1"
	elif grep -q 'getopt -n' "cmd/$1"; then
		shell_table "$1"
	else # it reads its call by hand: what it says of itself
		options "$2/help"
	fi | sort -u >"$2/table"
	cut -d ' ' -f 1 "$2/table" | sort -u >"$2/takes"
	options "$2/help" >"$2/in-help"
	section DESCRIPTION "$2/page" | tr -s '[:space:],' '\n' >"$2/description"
	options "$2/description" >"$2/in-page"
	bash -c '. cmd/bb.bash-completion && bb_options "$1"' - "$1" | tr ' ' '\n' |
		sort -u >"$2/in-completion"
	[ -s "$2/takes" ] || complain "$1: no table of options found"
	missing "$2/takes" "$2/in-help" "$1: not in --help:"
	missing "$2/in-help" "$2/takes" "$1: in --help, but no option:"
	missing "$2/takes" "$2/in-page" "$1: not described in cmd/$1.1:"
	missing "$2/takes" "$2/in-completion" "$1: not in the completion:"
	missing "$2/in-completion" "$2/takes" "$1: in the completion, but no option:"
	while read -r option argument; do
		case $argument in optional*) option=$option= ;; no_* | '') continue ;; esac
		[ -n "$(bash -c '. cmd/bb.bash-completion && bb_values "$1" "$2"' - "$1" "$option")" ] ||
			complain "$1: the completion has nothing to follow $option"
	done <"$2/table"
}

# A page is clean to mandoc and to groff, and fits 80 columns.
check_page() { # PAGE
	mandoc -T lint -W warning "$1" >&2 || complain "$1: mandoc"
	! groff -mandoc -Tascii -ww "$1" 2>&1 >/dev/null | grep . >&2 || complain "$1: groff"
	! mandoc -T ascii "$1" | col -bx | grep -E '.{81}' >&2 || complain "$1: wider than 80 columns"
}

# Every manual is clean; each tool has one, and its synopsis is --help's.
check_manuals() {
	local tool name page tmp
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' RETURN
	for page in cmd/*.[1-8]; do
		check_page "$page"
	done
	for tool in cmd/bb-*.c cmd/bb-node cmd/bb-wallet; do
		name=$(basename "$tool" .c)
		page=cmd/$name.1
		if ! [ -e "$page" ]; then
			complain "$name has no manual page"
			continue
		fi
		"$bin/$name" --help >"$tmp/help"
		mandoc -O width=1000 -T ascii "$page" | col -bx >"$tmp/page"
		[ "$(section SYNOPSIS "$tmp/page" | tr '[:upper:]' '[:lower:]')" = "$(usage "$tmp/help")" ] ||
			complain "$name: --help is not the manual's synopsis"
		check_options "$name" "$tmp"
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
