#!/usr/bin/env bash
# Runs SwiftPM on this package, against the native library in native/:
#
#   swift.sh test | build | run …     as `swift test …`
#   swift.sh --present                whether there is a Swift to run
#   swift.sh --install                makes one, in a folder with a Debian that has Swift 6
#
# With `swift` on PATH it is that one. Otherwise it runs in $COUNTERFOIL_SWIFT_ROOT (by default
# ~/.cache/counterfoil/swift-trixie), which --install fills; both need an administrator, on Linux.
set -euo pipefail
package=$(cd "$(dirname "$0")" && pwd -P)
project=$(cd "$package/../.." && pwd -P)
root=${COUNTERFOIL_SWIFT_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/counterfoil/swift-trixie}
sudo=$( ((EUID == 0)) || command -v sudo || true)

# The mirror that this machine uses itself.
mirror() {
    { grep -hoE '^URIs: *[^ ]+' /etc/apt/sources.list.d/*.sources | grep -oE 'http.*' ||
        grep -hoE '^deb .*' /etc/apt/sources.list | grep -oE 'http[^ ]*'; } 2>/dev/null |
        grep -v security | grep -m1 debian || echo http://deb.debian.org/debian
}

case "${1:-}" in
--present)
    command -v swift >/dev/null || [ -e "$root/installed" ]
    ;;
--install)
    if command -v swift >/dev/null || [ -e "$root/installed" ]; then exit 0; fi
    if ! command -v debootstrap >/dev/null; then
        $sudo apt-get update -qq
        $sudo apt-get install -y -qq --no-install-recommends debootstrap
    fi
    $sudo rm -rf --one-file-system "$root"
    $sudo mkdir -p "$root"
    $sudo debootstrap --variant=minbase --include=swiftlang,libc6-dev,libstdc++-14-dev \
        trixie "$root" "$(mirror)"
    $sudo touch "$root/installed"
    ;;
*)
    command=$1
    shift
    run=(env LD_LIBRARY_PATH="$package/native" swift "$command" --package-path "$package"
        -Xlinker "-L$package/native" "$@")
    if command -v swift >/dev/null; then exec "${run[@]}"; fi
    [ -e "$root/installed" ] || { echo "no Swift here: $0 --install" >&2; exit 1; }
    # Mounts of its own, which end with the command; the project stands where it stands outside.
    $sudo mkdir -p "$root$project"
    exec $sudo unshare --mount bash -c '
        root=$1 project=$2
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount --bind "$project" "$root$project"
        shift 2
        exec chroot "$root" env HOME=/root PATH=/usr/bin:/bin "$@"' - "$root" "$project" "${run[@]}"
    ;;
esac
