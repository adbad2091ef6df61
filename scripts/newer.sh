# SPDX-License-Identifier: MIT
# What tests need of a newer Debian than the machine's: HAProxy 3.2, and libwebsockets 4.3 to link
# with. Both run with the C library and the OpenSSL they were built for, unpacked beside them, so
# nothing is installed and nothing of the machine is changed. Folders are absolute paths. To be
# sourced by bash.
# shellcheck shell=bash

# What is wanted, and the suites it is looked for in, the older first.
newer_haproxy_version=3.2
newer_haproxy_suites=(forky sid)
newer_lws_version=4.3
newer_lws_suites=(trixie forky sid)
# Libraries that modules loaded by HAProxy stand on, beside HAProxy's own.
newer_haproxy_libraries=(libjansson4)

# newer_haproxy FOLDER: have FOLDER/bin/haproxy, or say why not and return 1. What is there already
# is kept.
newer_haproxy() {
    [ -x "$1/bin/haproxy" ] && return 0
    newer_from "${newer_haproxy_suites[*]}" newer_haproxy_fetch "$1" && return 0
    echo "no HAProxy $newer_haproxy_version from Debian ${newer_haproxy_suites[*]}:" \
        "its tests are skipped" >&2
    return 1
}

# newer_lws FOLDER: have FOLDER/include and FOLDER/lib of libwebsockets, or say why not and return
# 1. What is there already is kept.
newer_lws() {
    [ -e "$1/include/libwebsockets.h" ] && return 0
    newer_from "${newer_lws_suites[*]}" newer_lws_fetch "$1" && return 0
    echo "no libwebsockets $newer_lws_version from Debian ${newer_lws_suites[*]}:" \
        "its tests are skipped" >&2
    return 1
}

# newer_from SUITES FETCH FOLDER: call FETCH FOLDER SUITE for one suite after the other until one
# succeeds, each time in a shell of its own that apt has been told of the suite in.
newer_from() {
    local suite folder=$3
    for suite in $1; do
        rm -rf "$folder"
        if (newer_index "$folder/apt" "$suite" && "$2" "$folder"); then
            rm -rf "$folder/apt"
            return 0
        fi
    done
    rm -rf "$folder"
    return 1
}

# newer_index PLACE SUITE [TYPE]: let apt know one suite, keeping what it learns in PLACE. Changes
# the shell's environment.
newer_index() {
    local archive
    archive=$(newer_archive)
    [ -n "$archive" ] || return 1
    newer_configure "$1" "$archive" "$2" "${3-deb}" || return 1
    export APT_CONFIG=$1/apt.conf
    apt-get update -q >"$1/log" 2>&1
}

# The archive that this machine gets its own Debian from: the address before /dists/.
newer_archive() {
    local codename
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    apt-get update --print-uris 2>/dev/null \
        | sed -n "s,^'\(.*\)/dists/$codename/InRelease'.*,\1,p" | head -n 1
}

newer_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# newer_configure PLACE ARCHIVE SUITE TYPE: what apt knows is kept in PLACE. An archive that stands
# still has an old date: the signature counts, the date does not.
newer_configure() {
    local place=$1 archive=$2 suite=$3 type=$4
    mkdir -p "$place/lists/partial" "$place/cache/archives/partial" "$place/packages" || return 1
    : >"$place/status"
    echo "$type [signed-by=$newer_keyring] $archive $suite main" >"$place/sources.list"
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

# newer_version PACKAGE WANTED: the newest version known of a package that begins with WANTED.
newer_version() {
    apt-cache madison "$1" 2>/dev/null | cut -d '|' -f 2 | tr -d ' ' | grep "^$2\." | head -n 1
}

newer_depends=(apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks
    --no-replaces --no-enhances)

# The packages of the arguments and the libraries they depend on, each once. apt is asked once for
# everything: where it keeps no cache each question takes seconds.
newer_closure() {
    "${newer_depends[@]}" --recurse "$@" | awk -v wanted="$*" '
        /^[^ <]/ { name = $1 }
        /^ [ |](Pre)?Depends: lib/ { needs[name] = needs[name] " " $NF }
        END {
            count = split(wanted, queue)
            for (i = 1; i <= count; i++) {
                if (!(queue[i] in seen)) {
                    seen[queue[i]] = 1
                    print queue[i]
                    more = split(needs[queue[i]], next_ones)
                    for (j = 1; j <= more; j++) {
                        queue[++count] = next_ones[j]
                    }
                }
            }
        }'
}

# newer_download FOLDER PACKAGES...: unpack packages into FOLDER/files.
newer_download() {
    local folder=$1 name
    shift
    (cd "$folder/apt/packages" && apt-get download -q "$@" >>"$folder/apt/log" 2>&1) || return 1
    for name in "$folder"/apt/packages/*.deb; do
        dpkg-deb -x "$name" "$folder/files" || return 1
    done
}

newer_haproxy_fetch() {
    local folder=$1 version packages
    version=$(newer_version haproxy "$newer_haproxy_version")
    [ -n "$version" ] || return 1
    mapfile -t packages < <(newer_closure haproxy "${newer_haproxy_libraries[@]}")
    packages[0]=haproxy=$version
    newer_download "$folder" "${packages[@]}" && newer_launcher "$folder"
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

# The library and what it stands on go into lib/, its headers into include/, which is made last and
# says that all is there. cmake/lws.cmake links programs so that they name the loader and the
# libraries of lib/ themselves: such a program is started, watched and starts itself again as any
# other, and runs with the sanitizers of the machine's compiler, which a launcher would get in the
# way of. The other way, to build this version from source here, takes a minute instead of seconds
# and would run it with the machine's OpenSSL, not with the one its users have.
newer_lws_fetch() {
    local folder=$1 version library packages from
    version=$(newer_version libwebsockets-dev "$newer_lws_version")
    [ -n "$version" ] || return 1
    library=$("${newer_depends[@]}" libwebsockets-dev \
        | sed -n 's/^ *Depends: \(libwebsockets[0-9].*\)/\1/p')
    [ -n "$library" ] || return 1
    mapfile -t packages < <(newer_closure "$library")
    newer_download "$folder" "libwebsockets-dev=$version" "${packages[@]}" || return 1
    from=$(find "$folder/files" -name libc.so.6 -printf '%h\n' | head -n 1)
    [ -n "$from" ] && mkdir "$folder/lib" && mv "$from"/*.so* "$folder/lib/" || return 1
    ln -s "$(cd "$folder/lib" && echo ld-linux*.so.*)" "$folder/lib/loader" || return 1
    "$folder/lib/loader" --library-path "$folder/lib" --list "$folder/lib/libwebsockets.so" \
        >/dev/null && mv "$folder/files/usr/include" "$folder/" && rm -rf "$folder/files"
}
