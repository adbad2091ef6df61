# SPDX-License-Identifier: MIT
"""Reads every include line and fails on an arrow that points up: base < jose < acme < engine;
backends, tls, driver and hosts see the public headers, src/base/ and their own SDK. Nothing below
src/ sees a socket, file, clock, thread or TLS header: what is allowed there is listed."""

import posixpath
import re

import house

# The C library as src/ may see it: values and memory, nothing of the world.
PURE = {"assert.h", "inttypes.h", "limits.h", "stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h",
        "stddef.h", "stdint.h", "stdlib.h", "string.h", "jansson.h"}
# The public headers each layer of src/ may see: its own and those below.
LAYERS = ("base", "jose", "acme", "engine")
PUBLIC = {
    "base": {"thinair.h", "buffer.h", "storage.h"},
    "jose": {"crypto.h", "jose.h"},
    "acme": {"action.h"},
    "engine": {"engine.h"},
}
# Public headers of the rooms above, and what they stand on.
HEADERS = {
    "thinair.h": set(), "buffer.h": {"thinair.h"},
    "crypto.h": {"buffer.h"}, "storage.h": {"buffer.h"}, "jose.h": {"crypto.h"},
    "action.h": {"crypto.h", "storage.h"}, "engine.h": {"action.h"},
    "openssl.h": {"crypto.h"}, "files.h": {"storage.h"}, "responder.h": {"buffer.h"},
    "memory_storage.h": {"storage.h"}, "snapshot_storage.h": {"storage.h"},
    "tls.h": {"buffer.h"}, "driver.h": {"engine.h", "storage.h"},
    "server.h": {"engine.h", "responder.h", "tls.h"},
    "keeper.h": {"action.h"}, "pair_files.h": {"buffer.h"}, "account_file.h": {"crypto.h"},
    "lws.h": {"thinair.h"},
}
# The SDK of each room above src/, as a pattern of its header names.
SDK = {
    "backends/crypto_openssl": r"openssl/|pthread\.h",
    "backends/keeper": r"openssl/|pthread\.h",
    "backends/storage_file": r"pthread\.h",
    "backends/storage_snapshot": r"pthread\.h",
    "tls": r"openssl/|pthread\.h",
    "driver": r"openssl/|curl/|uv\.h|pthread\.h",
    "hosts/haproxy": r"lua|openssl/|jansson\.h|pthread\.h",
    "hosts/lws": r"libwebsockets\.h|openssl/|pthread\.h",
    "hosts/slices": r"openssl/types\.h",
    "hosts/program": r"openssl/|curl/|uv\.h|yaml\.h|microhttpd\.h|jansson\.h|pthread\.h",
}
# Hosts that live in somebody else's loop, and share how they work there.
GUESTS = {"hosts/haproxy", "hosts/lws"}
# Headers that belong to an SDK: elsewhere they are refused.
FOREIGN = re.compile(r"(openssl/|curl/|uv\.h|yaml\.h|microhttpd\.h|pthread\.h|mbedtls/|lua)")


def below(header):
    """The header and everything it stands on."""
    seen, waiting = set(), [header]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += HEADERS.get(name, set())
    return seen


def room(path):
    """The folder whose rules hold for a file: src/base, backends/storage_file, tls."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] in ("src", "backends", "hosts", "include") else parts[0]


def crossed(path, text):
    """(line, sentence) of every include that points where it must not."""
    place = room(path)
    for line, is_system, target in house.includes(text):
        refuse = refuse_system if is_system else refuse_own
        sentence = refuse(path, place, target)
        if sentence:
            yield line, sentence


def refuse_system(path, place, target):
    if place.startswith(("src/", "include/")):
        if place.startswith("include/") and target == "openssl/types.h":
            return None
        if path.endswith("/lws.h") and target == "libwebsockets.h":
            return None
        return None if target in PURE else f"<{target}> is not for {place}"
    if place in SDK and FOREIGN.match(target) and not re.match(SDK[place], target):
        return f"<{target}> is not the SDK of {place}"
    return None


def refuse_own(path, place, target):
    if place in ("tests", "examples", "bench"):
        return None
    if not target.startswith("thinair/"):
        return refuse_private(path, place, target)
    header = target[len("thinair/"):]
    if place.startswith("include/"):
        own = posixpath.basename(path)
        return None if header in below(own) else f"{own} does not stand on {header}"
    if place.startswith("src/"):
        layers = LAYERS[:LAYERS.index(place[len("src/"):]) + 1]
        seen = set().union(*(PUBLIC[layer] for layer in layers))
        return None if header in seen else f"{target} is above {place}"
    return None


def refuse_private(path, place, target):
    if place.startswith("include/"):
        return f"a public header includes {target}"
    if "/" not in target:
        return f'"{target}": write the path from the root'
    if target.startswith(place + "/"):
        return None
    if place.startswith("src/") and target.startswith("src/"):
        own, other = place[len("src/"):], target.split("/")[1]
        if other in LAYERS and LAYERS.index(other) < LAYERS.index(own):
            return None
    elif target.startswith("src/base/"):
        return None
    elif place in GUESTS and target.startswith("hosts/slices/"):
        return None
    return f"{place} must not see {target}"


def main():
    report = house.Report()
    sources = house.files(".c", ".h")
    count = 0
    for path in sources:
        text = house.read(path)
        count += len(house.includes(text))
        for line, sentence in crossed(path, text):
            report.fault(path, line, sentence)
    report.end(f"{count} include lines of {len(sources)} files")


if __name__ == "__main__":
    main()
