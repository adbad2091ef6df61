# SPDX-License-Identifier: MIT
# Debian packages by purpose, and how ./check and ./demo get them. To be sourced by bash.
# shellcheck shell=bash disable=SC2034

# What thinair is built from.
packages_build=(gcc libc6-dev cmake ninja-build pkg-config libjansson-dev libssl-dev libuv1-dev
    libcurl4-openssl-dev libyaml-dev libmicrohttpd-dev libidn2-dev)
# What the demonstration shows it with.
packages_demo=(pebble curl openssl python3-minimal procps)
# What the tests need that need no other server software.
packages_check=(g++ libcmocka-dev clang-format-14 python3 openssl binutils
    liblua5.3-dev liblua5.4-dev lua5.3 lua5.4)
# Real hosts, peers and the test CA.
packages_all=(pebble curl procps strace lego uacme python3-certbot libwebsockets-dev dpkg-dev)
# These start a service or a timer when installed: their files are unpacked under build/peers, and
# only the libraries they stand on are installed.
packages_unpacked=(haproxy)
packages_unpacked_need=(liblua5.3-0 libopentracing-c-wrapper0 libpcre2-8-0 libsystemd0)

# Print those of the arguments that are not installed.
packages_missing() {
    local name
    for name in "$@"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null | grep -q '^ii' || echo "$name"
    done
}

packages_sudo=(sudo)
[ -t 0 ] || packages_sudo=(sudo -n)

# Run a command as root: as it is, or through sudo, which asks for a password only where somebody
# can answer. Fails when neither is possible.
packages_as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        "${packages_sudo[@]}" "$@"
    else
        return 1
    fi
}

# Install packages without letting any of them start a service: policy-rc.d answers "forbidden"
# for as long as apt runs, if the machine has no policy of its own. In a shell of its own, so that
# the policy goes on every way out.
packages_install() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'packages_as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | packages_as_root tee "$policy" >/dev/null || exit 1
        packages_as_root chmod 755 "$policy"
    fi
    packages_as_root apt-get update -q >/dev/null || true
    packages_as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "$@"
)

# Have all packages of the arguments, or say how to get them and return 2.
packages_have() {
    local missing
    mapfile -t missing < <(packages_missing "$@")
    [ "${#missing[@]}" = 0 ] && return 0
    echo "needed from Debian: ${missing[*]}"
    packages_install "${missing[@]}" && return 0
    echo "Install them yourself, then run this again:" >&2
    echo "    apt-get install --no-install-recommends ${missing[*]}" >&2
    return 2
}

# Unpack a package's files below a folder, without installing it.
packages_unpack() {
    local name=$1 folder=$2 place
    [ -e "$folder/.$name" ] && return 0
    place=$(mktemp -d) || return 1
    mkdir -p "$folder"
    if (cd "$place" && apt-get download -q "$name" >/dev/null 2>&1 \
        && dpkg-deb -x "$name"_*.deb "$folder"); then
        touch "$folder/.$name"
    fi
    rm -rf "$place"
    [ -e "$folder/.$name" ]
}
