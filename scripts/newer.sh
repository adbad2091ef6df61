# SPDX-License-Identifier: MIT
# HAProxy 3.2 of a newer Debian than the machine's, for tests: it runs with its own C library beside
# it, so nothing is installed and nothing of the machine is changed. To be sourced by bash.
# shellcheck shell=bash

# Suites to look in, the older first, and the version wanted of them.
newer_suites=(forky sid)
newer_version=3.2
# Libraries that modules loaded by HAProxy stand on, beside HAProxy's own.
newer_libraries=(libjansson4)

# newer_unpack FOLDER: have FOLDER/bin/haproxy, or say why not and return 1. What is there already
# is kept.
newer_unpack() {
    local folder=$1 suite
    [ -x "$folder/bin/haproxy" ] && return 0
    rm -rf "$folder"
    for suite in "${newer_suites[@]}"; do
        if (newer_fetch "$folder" "$suite"); then
            rm -rf "$folder/apt"
            return 0
        fi
        rm -rf "$folder"
    done
    echo "no HAProxy $newer_version from Debian ${newer_suites[*]}: its tests are skipped" >&2
    return 1
}

# The archive that this machine gets its own Debian from: the address before /dists/.
newer_archive() {
    local codename
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    apt-get update --print-uris 2>/dev/null \
        | sed -n "s,^'\(.*\)/dists/$codename/InRelease'.*,\1,p" | head -n 1
}

# newer_fetch FOLDER SUITE: everything in a shell of its own.
newer_fetch() {
    local folder=$1 suite=$2 archive version packages name
    archive=$(newer_archive)
    [ -n "$archive" ] || return 1
    newer_configure "$folder/apt" "$archive" "$suite" || return 1
    export APT_CONFIG=$folder/apt/apt.conf
    apt-get update -q >"$folder/apt/log" 2>&1
    version=$(apt-cache madison haproxy 2>/dev/null | cut -d '|' -f 2 | tr -d ' ' \
        | grep "^$newer_version\." | head -n 1)
    [ -n "$version" ] || return 1
    mapfile -t packages < <(newer_closure haproxy "${newer_libraries[@]}")
    packages[0]=haproxy=$version
    (cd "$folder/apt/packages" && apt-get download -q "${packages[@]}" >>"$folder/apt/log" 2>&1) \
        || return 1
    for name in "$folder"/apt/packages/*.deb; do
        dpkg-deb -x "$name" "$folder/files" || return 1
    done
    newer_launcher "$folder"
}

# newer_configure PLACE ARCHIVE SUITE: what apt knows is kept in PLACE. An archive that stands still
# has an old date: the signature counts, the date does not.
newer_configure() {
    local place=$1 archive=$2 suite=$3
    mkdir -p "$place/lists/partial" "$place/cache/archives/partial" "$place/packages" || return 1
    : >"$place/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $suite main" \
        >"$place/sources.list"
    cat >"$place/apt.conf" <<END
Dir::State "$place";
Dir::State::lists "$place/lists";
Dir::State::status "$place/status";
Dir::Cache "$place/cache";
Dir::Etc::sourcelist "$place/sources.list";
Dir::Etc::sourceparts "/dev/null";
APT::Sandbox::User "root";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::Retries "1";
END
}

# The packages of the arguments and the libraries they depend on, each once, in the order found.
newer_closure() {
    local queue=("$@") seen=" " name more
    while [ "${#queue[@]}" != 0 ]; do
        name=${queue[0]}
        queue=("${queue[@]:1}")
        case $seen in *" $name "*) continue ;; esac
        seen="$seen$name "
        echo "$name"
        mapfile -t more < <(apt-cache depends --no-recommends --no-suggests --no-conflicts \
            --no-breaks --no-replaces --no-enhances "$name" \
            | sed -n 's/^ *|\{0,1\}\(Pre\)\{0,1\}Depends: \(lib[^ ]*\)$/\2/p')
        queue+=("${more[@]}")
    done
}

# newer_launcher FOLDER: bin/haproxy starts the unpacked program with the unpacked loader. It is
# made last and says that all is there. On a reload HAProxy starts itself again by its name, which
# is the launcher's.
newer_launcher() {
    local folder=$1 loader libraries
    loader=$(find "$folder/files" -name 'ld-linux*.so.*' | head -n 1)
    libraries=$(find "$folder/files" -name libc.so.6 -printf '%h\n' | head -n 1)
    [ -n "$loader" ] && [ -d "$libraries" ] && mkdir -p "$folder/bin" || return 1
    cat >"$folder/bin/.haproxy" <<END
#!/bin/sh
exec "$loader" --argv0 "\$0" --library-path "$libraries" "$folder/files/usr/sbin/haproxy" "\$@"
END
    chmod 755 "$folder/bin/.haproxy"
    "$folder/bin/.haproxy" -v >/dev/null 2>&1 && mv "$folder/bin/.haproxy" "$folder/bin/haproxy"
}
