#!/bin/sh
# Tests what make dist has left in dist/: that the checksums are right and the same again when it is all built anew, that the packages hold
# what they should, and that the program runs as a user without rights in a folder that holds nothing else, as it does in the Docker image.
# Debian; the last part needs root.
set -eu
cd "$(dirname "$0")/.."
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
fail() { echo "test-dist: $*" >&2; exit 1; }

cp dist/SHA256SUMS "$root/first"
make -s dist >"$root/log" 2>&1 || { cat "$root/log" >&2; fail "make dist fails the second time"; }
diff "$root/first" dist/SHA256SUMS || fail "the same commit gives other files when it is built again"
(cd dist && sha256sum --check --quiet SHA256SUMS)
for platform in linux-amd64 linux-arm64 darwin-amd64 darwin-arm64 windows-amd64.exe windows-arm64.exe; do
	grep -q "larder-.*-$platform\$" dist/SHA256SUMS || fail "no binary for $platform"
done

for arch in amd64 arm64; do
	package=$(echo dist/larder_*_$arch.deb)
	[ "$(dpkg-deb -f "$package" Architecture)" = $arch ] || fail "$package is for $(dpkg-deb -f "$package" Architecture)"
	dpkg-deb -x "$package" "$root/$arch"
	for file in usr/bin/larder usr/lib/systemd/system/larder.service usr/share/man/man1/larder.1.gz usr/share/man/man1/larder-lock-run.1.gz \
		usr/share/bash-completion/completions/larder usr/share/zsh/vendor-completions/_larder usr/share/fish/vendor_completions.d/larder.fish \
		usr/share/doc/larder/copyright usr/share/doc/larder/CHANGELOG.md; do
		[ -s "$root/$arch/$file" ] || fail "$package lacks $file"
	done
	# Secrets go into this file; an upgrade must not overwrite it.
	[ "$(stat -c %a "$root/$arch/etc/larder/larder.env")" = 600 ] || fail "$package: everybody may read larder.env"
	dpkg-deb -I "$package" conffiles | grep -qx /etc/larder/larder.env || fail "$package: larder.env is no conffile"
done

native=$(dpkg --print-architecture)
if [ "$(id -u)" != 0 ] || ! [ -d "$root/$native" ]; then
	echo "NOT TESTED: the program alone in a folder: needs root on amd64 or arm64"
	exit 0
fi
mkdir -p "$root/image/data"
chown 65532:65532 "$root/image/data"
cp "$root/$native/usr/bin/larder" "$root/image/larder"
chmod 755 "$root" "$root/image"
alone() { chroot --userspec=65532:65532 "$root/image" /larder "$@"; }
alone migrate --database sqlite:/data/cache.db >/dev/null 2>&1 || fail "the program alone in a folder cannot migrate"
alone put key value --database sqlite:/data/cache.db
[ "$(alone get key --database sqlite:/data/cache.db)" = value ] || fail "the program alone in a folder does not get what it has put"
[ "$(alone version | cut -d' ' -f2)" = "$(git describe --tags --always --dirty)" ] || fail "the program does not know its version: $(alone version)"
echo "dist/ is right: checksums, packages, and the program alone in a folder"
