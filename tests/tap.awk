# SPDX-License-Identifier: GPL-2.0
#
# Reads the TAP of one program (or KTAP with one level of subtests, as the case
# runner in the guest prints it) and writes one line per test:
#
#	pass|fail|skip|todo <TAB> suite <TAB> name <TAB> reason
#
# A missing plan, a plan that was not kept and an exit status that no failed
# test explains are failures of their own. "todo" is a failure that was expected.
#
# Variables: suite, status (of the program).

function emit(kind, name, why)
{
	print kind "\t" suite "\t" name "\t" why
	if (kind == "fail")
		failures++
}

# Subtests come before the line that says whose they are.
function emit_subtests(parent,	i, field)
{
	for (i = 1; i <= subtests; i++) {
		split(subtest[i], field, "\t")
		print field[1] "\t" parent "\t" field[2] "\t" field[3]
	}
	failures += subfailures
}

function parse(line, nested,	kind, why, at)
{
	kind = line ~ /^not / ? "fail" : "pass"
	sub(/^(not )?ok */, "", line)
	sub(/^[0-9]+ */, "", line)
	sub(/^- */, "", line)
	why = ""
	at = match(line, / *# */)
	if (at) {
		why = substr(line, at + RLENGTH)
		line = substr(line, 1, at - 1)
		if (kind == "pass" && toupper(why) ~ /^SKIP/) {
			kind = "skip"
			why = substr(why, 5)
			sub(/^[ :]+/, "", why)
		} else if (kind == "fail" && sub(/^TODO[ :]*/, "", why)) {
			kind = "todo"
		}
	}
	if (nested) {
		subtest[++subtests] = kind "\t" line "\t" why
		subfailures += kind == "fail"
		return
	}
	seen++
	emit_subtests(line)
	# A parent only repeats what its subtests said, unless they all passed.
	if (!subtests || (kind == "fail" && !subfailures))
		emit(kind, line, why)
	subtests = subfailures = 0
}

{
	sub(/\r$/, "")
	line = $0
	nested = sub(/^    +/, "", line)
}

line ~ /^1\.\.[0-9]+/ && !nested {
	plan = substr(line, 4) + 0
	planned = 1
	if (plan == 0 && toupper(line) ~ /# *SKIP/) {
		sub(/^[^#]*# *[A-Za-z]+ */, "", line)
		emit("skip", "all", line)
		skipped_all = 1
	}
	next
}

line ~ /^(not )?ok( |$)/ { parse(line, nested) }

END {
	emit_subtests("unfinished")
	if (skipped_all && status == 0)
		exit
	if (!planned)
		emit("fail", "plan", "no plan: did it end early?")
	else if (plan != seen)
		emit("fail", "plan", "planned " plan ", saw " seen + 0)
	else if (!plan)
		emit("fail", "plan", "no test was run")
	if (status != 0 && !failures)
		emit("fail", "exit status", "ended with " status)
}
