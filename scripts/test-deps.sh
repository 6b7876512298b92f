#!/bin/sh
# Installs what the tests start for real: a MariaDB server (its program alone, no system service), PHP with Laravel's own
# database cache, a C compiler for the race detector, curl, which README.md shows, and what bash completes with; and the packages that are its
# arguments. Does nothing if all of it is there.
# Debian and Ubuntu; needs root or sudo.
set -eu

packages="$* mariadb-server-core mariadb-client-core
  php-cli php-mysql php-sqlite3 php-illuminate-cache php-illuminate-database php-illuminate-events
  gcc libc6-dev curl bash-completion"

missing=
for package in $packages; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "test-deps: this is no Debian; the tests need by other means:$missing" >&2
	exit 0 # a test that then finds no server or no PHP fails and says so
fi
sudo=
if [ "$(id -u)" != 0 ]; then
	sudo=sudo
	command -v sudo >/dev/null || { echo "test-deps: run as root:  apt-get install -y --no-install-recommends$missing" >&2; exit 1; }
fi
echo "test-deps: installing$missing" >&2
$sudo apt-get update -qq
# shellcheck disable=SC2086 # a list of names
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
