# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0
#
# A machine to install packages on: an overlay over another root directory, in which
# commands run that may load no module. It goes with the process. Sourced after lib.sh
# and tap.sh by scripts that begin with world_begin "$@".

# Mounts of ours are seen by nobody else, and vanish with the last process.
world_begin()
{
	if [[ -n ${IN_WORLD-} ]] || ! unshare --mount true 2>/dev/null; then
		return
	fi
	IN_WORLD=1 exec unshare --mount --propagation private "$0" "$@"
}

# Prints why there can be none.
world_lacks()
{
	if [[ $(id -u) -ne 0 ]]; then
		echo "needs root"
	elif [[ -z ${IN_WORLD-} ]]; then
		echo "needs the right to mount"
	elif ! grep -qw overlay /proc/filesystems; then
		echo "needs overlayfs"
	fi
}

# world_or_skip NAME: the end of a suite that can do nothing without one.
world_or_skip()
{
	local lacks

	lacks=$(world_lacks)
	[[ -n $lacks ]] || return 0
	tap_skip "$1" "$lacks"
	tap_end
	exit
}

# world_open BASE: sets world, where it is, base, and enter, which begins commands.
world_open()
{
	local dir name

	base=$1
	dir=$top/build/world
	mkdir -p "$dir"
	mount -t tmpfs -o mode=755 world "$dir"
	mkdir "$dir"/{upper,work,root}
	mount -t overlay -o "lowerdir=$base,upperdir=$dir/upper,workdir=$dir/work" \
		world "$dir/root"
	world=$dir/root
	mount --rbind /proc "$world/proc"
	# No kernels but those that a test puts there, and no devices.
	mkdir -p "$world/lib/modules"
	mount -t tmpfs -o mode=755 modules "$world/lib/modules"
	mount -t tmpfs -o mode=755 dev "$world/dev"
	ln -s /proc/self/fd "$world/dev/fd"
	for name in null zero full random urandom; do
		: >"$world/dev/$name"
		mount --bind "/dev/$name" "$world/dev/$name"
	done
	enter=(setpriv --bounding-set=-sys_module --inh-caps=-sys_module
		chroot "$world" /usr/bin/env -i PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
		HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive)
}

# inside CMD...
inside() { "${enter[@]}" "$@" </dev/null; }

# Prints what is in the world and not in its base, or not the same: paths without the
# first slash. What tools of Debian keep for themselves does not count.
world_remains()
{
	local path

	(cd "$world/../upper" && find . -mindepth 1 -printf '%P\n') |
	grep -vE '^(var/(lib/dpkg|log|cache)(/|$)|var/lib/dkms(/mok.*|$)|etc/[a-z]+-$|tmp/|usr/lib/modules$)' |
	while read -r path; do
		if [[ -d $base/$path && -d $world/$path ]]; then
			continue
		fi
		cmp -s "$base/$path" "$world/$path" || printf '%s\n' "$path"
	done
}

# world_put FILE...: into /tmp of the world.
world_put()
{
	mkdir -p "$world/tmp"
	cp "$@" "$world/tmp/"
}
