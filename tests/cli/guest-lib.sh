# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests of iommuctl in the test box share: sessions, what must have come of
# them, TAP. For busybox's shell. The caller sets $work, a directory of its own.

# "local" is known to busybox's shell; complain() fails, so it does for an else;
# what is set here is looked at by the callers, who give sessions options;
# "ulimit -l" is known as well.
# shellcheck disable=SC3043,SC3045,SC2015,SC2034,SC2119,SC2120

work=''
count=0 failed=0

# Runs iommuctl on the lines of stdin in one session; leaves $out, $err, $status.
session()
{
	status=0
	iommuctl "$@" batch - >"$work/out" 2>"$work/err" || status=$?
	out=$(cat "$work/out")
	err=$(cat "$work/err")
}

# tell LINE...: gives them to the session that is held; returns when they are done, or one
# has failed.
tell()
{
	told=$((told + 1))
	printf '%s\n' "$@" version >&3
	until [ "$(grep -c '^iommuctl [0-9]' "$work/held")" -ge "$told" ] ||
		grep -q '^hint: ' "$work/held"; do
		usleep 10000
	done
}

# hold LINE...: a session of $program, or iommuctl, that runs them, and stays open on
# descriptor 3 until release.
hold()
{
	told=0
	mkfifo "$work/fifo"
	"${program:-iommuctl}" shell <"$work/fifo" >"$work/held" 2>&1 &
	holder=$!
	exec 3>"$work/fifo"
	tell "$@"
}

release()
{
	exec 3>&-
	wait "$holder" 2>/dev/null
	rm "$work/fifo"
}

# other_holds KIB LINE...: as hold, but by a user with that limit, on descriptor 4.
other_holds()
{
	local kib="$1"
	shift

	chmod 666 /dev/iommukit /dev/iommukit-dma
	mkfifo "$work/other-fifo"
	chmod 666 "$work/other-fifo"
	(
		ulimit -l "$kib"
		exec su nobody -s /bin/sh -c "exec iommuctl shell"
	) <"$work/other-fifo" >"$work/other-held" 2>&1 &
	other=$!
	exec 4>"$work/other-fifo"
	printf '%s\n' "$@" version >&4
	until grep -q -e '^iommuctl [0-9]' -e '^hint: ' "$work/other-held"; do
		usleep 10000
	done
}

other_releases()
{
	exec 4>&-
	wait "$other" 2>/dev/null
	rm "$work/other-fifo"
	chmod 660 /dev/iommukit /dev/iommukit-dma
}

# watch ARG...: a monitor that listens; its lines are in $work/seen.
watch()
{
	: >"$work/seen"
	iommuctl "$@" >"$work/seen" 2>"$work/err" &
	watcher=$!
	until grep -q listening "$work/seen"; do usleep 10000; done
}

# Waits for it; leaves $out, $err, $status.
watched()
{
	status=0
	wait "$watcher" || status=$?
	out=$(cat "$work/seen")
	err=$(cat "$work/err")
}

# Runs a command; leaves $out, $err, $status.
run()
{
	status=0
	"$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
	out=$(cat "$work/out")
	err=$(cat "$work/err")
}

# same TEXT: what the last session or run has said, to the letter.
same()
{
	[ "$out" = "$1" ] || complain "stdout is not:
$1"
}

# well_formed FILE: as XML that we draw may be, with no elements but those of pictures.
well_formed()
{
	awk -v quote="'" '
	function wrong(what) { print "not well-formed: " what; bad = 1; exit 1 }
	{ text = text $0 "\n" }
	END {
		if (bad) exit 1
		attribute = " [a-z-]+=" quote "[^<&" quote "]*" quote
		while (match(text, /<[^<>]*>/)) {
			between = substr(text, 1, RSTART - 1)
			tag = substr(text, RSTART, RLENGTH)
			text = substr(text, RSTART + RLENGTH)
			gsub(/&(lt|gt|amp);/, "", between)
			if (between ~ /[<>&]/ || (!depth && between ~ /[^\n]/)) wrong(between)
			if (match(tag, /^<\/[a-z]+>$/)) {
				if (open[depth] != substr(tag, 3, length(tag) - 3)) wrong(tag)
				depth--
				continue
			}
			closed = tag ~ /\/>$/
			gsub(attribute, "", tag)
			sub(/\/?>$/, "", tag)
			name = substr(tag, 2)
			if (name !~ /^(svg|rect|text|title)$/) wrong(tag)
			if (!closed) open[++depth] = name
		}
		if (depth || text ~ /[^\n]/) wrong("the end")
	}' "$1" && ! tr -d '\n' <"$1" | grep -q '[[:cntrl:]]' || complain "wrong SVG $1"
}

as_nobody() { run su nobody -s /bin/sh -c "$1"; }

complain()
{
	echo "$*"
	echo "status: $status"
	echo "stdout: $out"
	echo "stderr: $err"
	return 1
}

# What the last session or run must have come to.
exits()
{
	[ "$status" -eq "$1" ] || complain "status is $status, expected $1"
}

says()
{
	case $out in *"$1"*) ;; *) complain "stdout lacks: $1" ;; esac
}

warns()
{
	case $err in *"$1"*) ;; *) complain "stderr lacks: $1" ;; esac
}

# An error: status, errno symbol, the command's hint.
refused()
{
	exits "$1" && warns "($2)" && warns "hint: "
}

last_line() { printf '%s\n' "$out" | tail -n 1; }

ends_with()
{
	[ "$(last_line)" = "$1" ] || complain "last line is not: $1"
}

file_sha() { sha256sum "$1" | cut -d' ' -f1; }

# A case that cannot be tried here ends with this.
skip()
{
	echo "$1"
	exit 77
}

needs_huge_pages() { [ -d /sys/kernel/mm/hugepages ] || skip "no huge pages"; }

tap_case()
{
	local result=0

	count=$((count + 1))
	output=$("$1" 2>&1) || result=$?
	if [ "$result" -eq 0 ]; then
		echo "ok $count - $(echo "$1" | tr _ ' ')"
	elif [ "$result" -eq 77 ]; then
		echo "ok $count - $(echo "$1" | tr _ ' ') # SKIP $output"
	else
		echo "not ok $count - $(echo "$1" | tr _ ' ')"
		echo "$output" | sed 's/^/# /'
		failed=$((failed + 1))
	fi
}

# error STATUS ERRNO LINE...: the last of the lines is refused.
error()
{
	local wanted="$1" symbol="$2"
	shift 2
	printf '%s\n' "$@" >"$work/lines"
	session <"$work/lines"
	refused "$wanted" "$symbol" && warns "<stdin>:$#: " || complain "after: $*"
}

# Every pin that was ever taken has been given back.
no_pin_is_left()
{
	local taken given

	# What each processor has counted for itself is added.
	echo 1 >/proc/sys/vm/stat_refresh
	taken=$(sed -n 's/^nr_foll_pin_acquired //p' /proc/vmstat)
	given=$(sed -n 's/^nr_foll_pin_released //p' /proc/vmstat)
	[ "$taken" = "$given" ] || { echo "taken $taken, given back $given"; return 1; }
}

# start NAME: in a directory of its own, which end removes.
start()
{
	work=/tmp/$1
	rm -rf "$work"
	mkdir -p "$work"
	chmod 755 "$work"
	cd "$work" || exit 1
}

end()
{
	cd /
	rm -rf "$work"
	echo "1..$count"
	[ "$failed" -eq 0 ]
}
