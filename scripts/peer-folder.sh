#!/bin/sh
# Makes a second Debian in a folder, for test peers that this machine's own release does not package, and prints the folder:
#   sid     Oracle MySQL 9 and the newest Laravel's database cache with its PHP
#   trixie  the same part of Laravel 10
# Nothing outside of it is touched, but that debootstrap is installed if it is missing. Does nothing if the folder is there already.
# It is about 1 GB, takes a minute or two, and lives under $LARDER_PEERS, by default ~/.cache/larder-peers. Needs root, for chroot.
set -eu

suite=${1:-}
packages="php-cli php-mysql php-sqlite3 php-mbstring php-illuminate-cache php-illuminate-database php-illuminate-events"
case $suite in
sid) packages="$packages mysql-server-core" ;;
trixie) ;;
*) echo "usage: $0 sid|trixie" >&2; exit 2 ;;
esac
root=${LARDER_PEERS:-$HOME/.cache/larder-peers}/$suite
fail() { echo "peer-folder: $suite: $1" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "needs root"
[ "$(cat "$root/.ready" 2>/dev/null)" != "$packages" ] || { echo "$root"; exit; }
command -v apt-get >/dev/null || fail "this is no Debian"
mkdir -p "$root"
exec 9>"$root.lock"
flock 9
log=$root.log

if ! command -v debootstrap >/dev/null; then
	{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends debootstrap; } >"$log" 2>&1 ||
		fail "cannot install debootstrap, see $log"
fi
if [ ! -e "$root/.base" ] && [ ! -e "$root/.ready" ]; then
	rm -rf --one-file-system "$root" # what an interrupted run left
	mirror=$(apt-get indextargets --format '$(SITE)' | grep -m1 -v security) || fail "apt has no mirror configured"
	debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$log" 2>&1 || fail "debootstrap from $mirror failed, see $log"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # a package must not start its service
	chmod +x "$root/usr/sbin/policy-rc.d"
	echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/larder"
	touch "$root/.base"
fi
# A mirror's list of sid may be older than it allows itself to be.
chroot "$root" apt-get -qq -o Acquire::Check-Valid-Until=false update >>"$log" 2>&1 || fail "apt-get update failed, see $log"
# shellcheck disable=SC2086 # a list of names
DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get -qq install -y --no-install-recommends $packages >>"$log" 2>&1 ||
	fail "cannot install its packages, see $log"
echo "$packages" >"$root/.ready"
echo "$root"
