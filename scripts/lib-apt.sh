# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0
#
# A private apt: own lists, own cache, empty status, nothing installed and no
# root needed. The mirrors are the machine's own; a suite the machine does not
# list (backports, sid) is asked for at the same mirror. Sourced after lib.sh.

apt_dir=$cache/apt

# Debian entries of the machine's deb822 files. With a second argument the
# entry of the plain release is repeated for that suite instead.
apt_deb822()
{
	local codename=$1 extra=${2-}

	find /etc/apt -name '*.sources' -exec cat {} \; -exec echo \; |
	sed '/^[[:space:]]*#/d' |
	awk -v code="$codename" -v extra="$extra" '
		BEGIN { RS = ""; ORS = "\n\n" }
		/(^|\n)Enabled:[ \t]*no/ { next }
		{
			if (!match($0, /(^|\n)Suites:[^\n]*/))
				next
			line = substr($0, RSTART, RLENGTH)
			n = split(line, word, /[ \t\n]+/)
			plain = any = 0
			for (i = 1; i <= n; i++) {
				plain += word[i] == code
				any += index(word[i], code) == 1
			}
			if (extra == "" && any)
				print
			if (extra != "" && plain) {
				sub(/(^|\n)Suites:[^\n]*/, "\nSuites: " extra)
				print
			}
		}'
}

# The same for one-line entries.
apt_oneline()
{
	local codename=$1 extra=${2-}

	find /etc/apt -name '*.list' -exec cat {} \; |
	awk -v code="$codename" -v extra="$extra" '
		$1 != "deb" { next }
		{
			for (i = 2; i <= NF; i++) {
				if (extra == "" && index($i, code) == 1) {
					print
					next
				}
				if (extra != "" && $i == code) {
					$i = extra
					print
					next
				}
			}
		}'
}

apt_write_sources()
{
	local codename=$1 extra=${2-} dir=$apt_dir/sources.d

	mkdir -p "$dir"
	apt_deb822 "$codename" >"$dir/machine.sources"
	apt_oneline "$codename" >"$dir/machine.list"
	rm -f "$dir"/extra.*
	if [[ -n $extra ]]; then
		apt_deb822 "$codename" "$extra" >"$dir/extra.sources"
		apt_oneline "$codename" "$extra" >"$dir/extra.list"
	fi
	find "$dir" -empty -type f -delete
	[[ -n $(find "$dir" -type f) ]] ||
		die "no apt source for '$codename' in /etc/apt"
}

# Of the machine's apt settings only those about fetching (proxy, retries)
# are kept: its hooks are meant for its own lists.
apt_write_conf()
{
	mkdir -p "$apt_dir"/{lists/partial,cache/archives/partial,empty}
	: >"$apt_dir/status"
	{
		apt-config dump | grep '^Acquire::' || true
		cat <<-END
		Acquire::Retries "3";
		APT::Sandbox::User "root";
		Dir::State "$apt_dir";
		Dir::State::lists "$apt_dir/lists";
		Dir::State::status "$apt_dir/status";
		Dir::Cache "$apt_dir/cache";
		Dir::Etc::main "/dev/null";
		Dir::Etc::parts "$apt_dir/empty";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "$apt_dir/empty";
		Dir::Etc::sourcelist "/dev/null";
		Dir::Etc::sourceparts "$apt_dir/sources.d";
		END
	} >"$apt_dir/apt.conf"
}

apt_private() { APT_CONFIG=$apt_dir/apt.conf "$@"; }

# apt_codename: of the release this machine runs.
apt_codename()
{
	local codename

	codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME-}")
	[[ -n $codename ]] || die "this machine has no VERSION_CODENAME: is it Debian?"
	printf '%s\n' "$codename"
}

# apt_open SUITE: lists are fetched anew; SUITE, if not "", is added.
apt_open()
{
	local codename suite=$1

	codename=$(apt_codename)
	apt_write_conf
	apt_write_sources "$codename" "$suite"
	progress "fetching package lists ..."
	apt_private apt-get -qq update >&2
}

# apt_version PACKAGE PREFIX: newest version on offer that begins so, or "".
apt_version()
{
	apt_private apt-cache madison "$1" 2>/dev/null |
	awk -v want="$2" '{ if (index($3, want) == 1) print $3 }' |
	sort -V | tail -n 1
}

# apt_depends PACKAGE VERSION REGEX: name of the first dependency that matches.
apt_depends()
{
	apt_private apt-cache show "$1=$2" |
	sed -n 's/^Depends: //p' | head -n 1 |
	tr '|' ',' | tr ',' '\n' | awk '{ print $1 }' | grep -E -m 1 "^($3)$"
}

# apt_unpack DIR PACKAGE=VERSION...: fetched, checked by apt, unpacked in DIR.
apt_unpack()
{
	local dir=$1 deb
	shift

	mkdir -p "$dir/.debs"
	progress "fetching $* ..."
	(cd "$dir/.debs" && apt_private apt-get -qq download "$@" >&2)
	for deb in "$dir"/.debs/*.deb; do
		dpkg-deb -x "$deb" "$dir"
	done
	rm -rf "$dir/.debs"
}
