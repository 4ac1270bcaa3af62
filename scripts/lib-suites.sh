# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0
#
# Running programs that print TAP, and counting. Sourced after lib.sh.

# suites_start NAME: results are collected in build/NAME.
suites_start()
{
	suites_dir=$top/build/$1
	suites_begun=()
	rm -rf "$suites_dir"
	mkdir -p "$suites_dir"
	: >"$suites_dir/records"
	# Shells ignore ^C for what they began in the background.
	trap 'suites_stop' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# suite NAME CMD...: its TAP goes to stdout as it comes. Always succeeds: what
# counts are the records.
suite()
{
	local name=$1 status=0 began=$SECONDS
	shift

	echo "# suite $name"
	"$@" </dev/null | tee "$suites_dir/$name.tap" || status=${PIPESTATUS[0]}
	suite_record "$name" "$status" "$began"
}

# suite_record NAME STATUS BEGAN
suite_record()
{
	echo "# suite $1 took $((SECONDS - $3)) s"
	awk -f "$top/tests/tap.awk" -v suite="$1" -v status="$2" \
		"$suites_dir/$1.tap" >>"$suites_dir/records"
}

# suite_begin NAME CMD...: one beside others; suites_join shows what it printed.
suite_begin()
{
	local name=$1
	shift

	"$@" </dev/null >"$suites_dir/$name.tap" &
	suites_begun+=("$! $SECONDS $name")
}

suites_join()
{
	local pid began name status

	while [[ ${#suites_begun[@]} -gt 0 ]]; do
		read -r pid began name <<<"${suites_begun[0]}"
		status=0
		wait "$pid" || status=$?
		suites_begun=("${suites_begun[@]:1}")
		echo "# suite $name"
		cat "$suites_dir/$name.tap"
		suite_record "$name" "$status" "$began"
	done
}

suites_stop()
{
	local begun

	for begun in "${suites_begun[@]}"; do
		kill "${begun%% *}" 2>/dev/null || true
	done
}

# suites_build KERNEL: everything that runs in a box of that kernel.
suites_build()
{
	echo "# building for $1"
	if ! make -C "$top" -j"$(nproc)" --no-print-directory \
		modules tools tests KERNEL="$1" >&2; then
		echo "not ok 1 - build"
		echo "1..1"
		return 1
	fi
	echo "ok 1 - build"
	echo "1..1"
}

# What the guest suite finds in the machine: devices that do DMA when told to, alone
# in their IOMMU groups, two in one group, and one beside a function in use.
suites_machine()
{
	local kernel=$1 device

	[[ $kernel != uml-* ]] || return 0
	printf '%s\n' --iommu intel
	for device in edu,addr=5.0 edu,addr=7.0 \
		edu,addr=6.0,multifunction=on edu,addr=6.1 \
		edu,addr=8.0,multifunction=on virtio-rng-pci,addr=8.1; do
		printf '%s\n' --device "$device"
	done
}

# suites_guest NAME KERNEL ARG...: the guest suite, by run-vm with more arguments.
suites_guest()
{
	local name=$1 kernel=$2 machine
	shift 2

	mapfile -t machine < <(suites_machine "$kernel")
	suite "$name" "$top/scripts/run-vm" --kernel "$kernel" "${machine[@]}" "$@"
}

# suites_lock: two at a time in one tree would overwrite each other's results.
suites_lock()
{
	mkdir -p "$top/build"
	exec {suites_lock}>"$top/build/check.lock"
	flock -n "$suites_lock" && return
	say "waiting for another make check"
	flock "$suites_lock"
}

suites_count() { grep -c "^$1" "$suites_dir/records" || true; }

# suites_list KIND: "  suite: name (reason)".
suites_list()
{
	awk -F '\t' -v kind="$1" '
		$1 == kind { print "#   " $2 ": " $3 ($4 == "" ? "" : " (" $4 ")") }' \
		"$suites_dir/records"
}

# suites_end HINT: the last lines, and the exit status.
suites_end()
{
	local passed failed skipped todo

	passed=$(suites_count pass) failed=$(suites_count fail) skipped=$(suites_count skip)
	todo=$(suites_count todo)
	if [[ $skipped -gt 0 ]]; then
		echo "# skipped:"
		suites_list skip
	fi
	if [[ $failed -gt 0 ]]; then
		echo "# failed:"
		suites_list fail
		echo "# once more: $1"
	fi
	echo "$passed passed, $failed failed, $((skipped + todo)) skipped"
	[[ $failed -eq 0 && $passed -gt 0 ]]
}
