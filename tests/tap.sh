# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# TAP for tests written in bash. Sourced; ends with tap_end.

tap_count=0
tap_failed=0

# tap_case NAME CMD...: passes if CMD does; its output is shown if not.
tap_case()
{
	tap_count=$((tap_count + 1))
	tap_verdict "$tap_count" "$@" || tap_failed=$((tap_failed + 1))
}

# tap_verdict NUMBER NAME CMD...
tap_verdict()
{
	local number=$1 name=$2 output
	shift 2

	if output=$("$@" 2>&1); then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		printf '%s\n' "$output" | head -n "${TAP_LINES:-60}" | sed 's/^/# /'
		return 1
	fi
}

# tap_job NAME CMD...: a case beside others, one for each processor. It has a $work
# of its own, below the one there is. tap_jobs_end prints them all, in order.
tap_job()
{
	local dir

	tap_count=$((tap_count + 1))
	# shellcheck disable=SC2154
	dir=$work/$tap_count
	while [[ $(jobs -pr | wc -l) -ge $(nproc) ]]; do
		wait -n || true
	done
	mkdir -p "$dir"
	{
		work=$dir tap_verdict "$tap_count" "$@" >"$dir.tap" || touch "$dir.failed"
	} &
}

tap_jobs_end()
{
	local number

	wait
	for ((number = 1; number <= tap_count; number++)); do
		[[ -e $work/$number.tap ]] || continue
		cat "$work/$number.tap"
		[[ ! -e $work/$number.failed ]] || tap_failed=$((tap_failed + 1))
	done
}

tap_skip()
{
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

tap_end()
{
	echo "1..$tap_count"
	[[ $tap_failed -eq 0 ]]
}
