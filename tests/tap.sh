# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# TAP for tests written in bash. Sourced; ends with tap_end.

tap_count=0
tap_failed=0

# tap_case NAME CMD...: passes if CMD does; its output is shown if not.
tap_case()
{
	local name=$1 output
	shift

	tap_count=$((tap_count + 1))
	if output=$("$@" 2>&1); then
		echo "ok $tap_count - $name"
	else
		echo "not ok $tap_count - $name"
		tap_failed=$((tap_failed + 1))
		printf '%s\n' "$output" | head -n "${TAP_LINES:-60}" | sed 's/^/# /'
	fi
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
