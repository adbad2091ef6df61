#!/bin/bash
# SPDX-License-Identifier: MIT
# lwsws.sh VERSION FOLDER: have lwsws, the server of libwebsockets that loads plugins, in FOLDER,
# built from Debian's own source package because no package of Debian has it:
#
#   bin/lwsws, lib/      the server and its library, with the machine's OpenSSL
#   include/             the headers that its plugins are compiled with
#   plugins/             the library's own ACME plugin, alone
#
# What is there already is kept. Exit status: 0 it is there, 1 it could not be built (FOLDER.log
# says why), 77 the sources cannot be had.
set -u
. "$(dirname "$(readlink -f "$0")")/newer.sh"

# The suites that had each version, the one that is likeliest to still have it first.
declare -A suites=([4.1.6]=bookworm [4.3.5]='trixie forky sid')

# That event loops are part of the library: as plugins they would have to be installed to be found.
# The minimum of what our plugin needs is built, and tests do not need it optimized.
settings=(-DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=-O0 -DLWS_WITH_LWSWS=ON
    -DLWS_WITH_PLUGINS=ON -DLWS_WITH_EVLIB_PLUGINS=OFF -DLWS_WITH_ACME=ON -DLWS_IPV6=OFF
    -DLWS_WITHOUT_TESTAPPS=ON -DLWS_WITH_MINIMAL_EXAMPLES=OFF -DLWS_WITH_STATIC=OFF
    -DDISABLE_WERROR=ON '-DCMAKE_INSTALL_RPATH=$ORIGIN/../lib')
command -v ccache >/dev/null && settings+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)

# fetch VERSION FOLDER: the sources in FOLDER/libwebsockets-VERSION, patched by Debian. An archive
# that has lost a package's patches may still have its tar of upstream's sources: they do then.
fetch() {
    local version=$1 folder=$2 how suite
    for how in patched upstream; do
        for suite in ${suites[$version]-}; do
            rm -rf "$folder"
            (newer_index "$folder/apt" "$suite" deb-src && cd "$folder" && "fetch_$how") \
                >"$log" 2>&1
            [ -e "$folder/libwebsockets-$version/CMakeLists.txt" ] && return 0
        done
    done
    rm -rf "$folder"
    return 1
}

fetch_patched() {
    apt-get source -q libwebsockets
}

fetch_upstream() {
    apt-get source -q --tar-only libwebsockets && tar -xzf libwebsockets_*.orig.tar.gz \
        && echo "without Debian's patches"
}

# build SOURCES FOLDER: into FOLDER. A repository that the sources lie in is not theirs: its commit
# would become part of what plugins are compared by.
build() {
    local sources=$1 folder=$2 part
    GIT_CEILING_DIRECTORIES=$(dirname "$sources") cmake -G Ninja -S "$sources" \
        -B "$sources/build" -DCMAKE_INSTALL_PREFIX="$folder" "${settings[@]}" || return 1
    cmake --build "$sources/build" -j "$(nproc)" --target lwsws protocol_lws_acme_client || return 1
    for part in core dev lwsws; do
        cmake --install "$sources/build" --component "$part" || return 1
    done
    mkdir "$folder/plugins" \
        && cp "$sources/build/lib/libprotocol_lws_acme_client.so" "$folder/plugins/"
}

if [ "$#" != 2 ]; then
    echo "usage: $0 VERSION FOLDER" >&2
    exit 2
fi
version=$1
mkdir -p "$2" && folder=$(cd "$2" && pwd) || exit 1
[ -x "$folder/bin/lwsws" ] && exit 0
work=$folder.work
log=$folder.log
if ! fetch "$version" "$work"; then
    echo "the sources of libwebsockets $version cannot be had from Debian ${suites[$version]-}"
    exit 77
fi
rm -rf "$folder"
# In place at once, or not at all.
if build "$work/libwebsockets-$version" "$work/lwsws" >>"$log" 2>&1 \
    && mv "$work/lwsws" "$folder"; then
    rm -rf "$work"
    exit 0
fi
echo "lwsws $version cannot be built: $log says why"
exit 1
