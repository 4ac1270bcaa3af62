# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What every script here needs: where things are, and how to speak. Sourced.

# Read by the scripts that source this file.
# shellcheck disable=SC2034
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034
cache=${XDG_CACHE_HOME:-~/.cache}/iommukit
me=${0##*/}

# Messages go to stderr only: stdout belongs to the command's result.
say()  { printf '%s\n' "$me: $*" >&2; }
die()  { say "$*"; exit 1; }

# Shown only to a person who is waiting.
progress() { if [[ -t 2 ]]; then say "$*"; fi; }

# named_kernel NAME: prints the directory of a kernel of the test box, which is
# fetched or built if it is not there.
named_kernel()
{
	case $1 in
	*-*|7.2) "$top/scripts/build-kernel" "$1" ;;
	*) if [[ -e $cache/kernels/$1/release ]]; then
			readlink -f "$cache/kernels/$1"
		else
			"$top/scripts/fetch-kernel" "$1"
		fi ;;
	esac
}

# with_lock FILE CMD...: one process at a time, however many are started.
with_lock()
{
	local file=$1
	shift

	mkdir -p "$(dirname "$file")"
	(
		flock 9
		"$@"
	) 9>"$file"
}
