# SPDX-License-Identifier: MIT
"""The arrows once more, in what was built: whatever a room takes from another one of ours is
defined in a room that it may stand on, and nothing is defined twice. An include line can be right
and a call still point up.

usage: rooms.py FOLDER_OF_STATIC_LIBRARIES"""

import os
import subprocess
import sys

import house

# Each room, and the rooms it stands on. Hosts may use everything.
HOSTS = ("program", "front")
CORE = ("base", "jose", "acme", "engine")
ROOMS = {
    "base": (), "jose": ("base",), "acme": ("base", "jose"), "engine": ("base", "jose", "acme"),
    "crypto_openssl": ("base",), "storage_file": ("base",), "tls": ("base",),
    "pair_files": ("base",),
    "keeper": CORE + ("crypto_openssl", "storage_file", "pair_files"),
    "responder": ("base",), "driver": CORE + ("responder",),
    "server": CORE + ("crypto_openssl", "storage_file", "tls", "responder", "driver"),
}


def symbols(path, *flags):
    """Our symbols of a static library."""
    done = subprocess.run(["nm", *flags, path], capture_output=True, text=True, check=True)
    return {line.split()[-1] for line in done.stdout.split("\n") if " air_" in line}


def main():
    report = house.Report()
    paths = {room: os.path.join(sys.argv[1], f"libair_{room}.a") for room in ROOMS}
    defined = {room: symbols(path, "--defined-only", "-g") for room, path in paths.items()}
    for room, path in paths.items():
        seen = set().union(defined[room], *(defined[below] for below in ROOMS[room]))
        for name in sorted(symbols(path, "--undefined-only") - seen):
            homes = [other for other, names in defined.items() if name in names]
            report.fault(room, 1, f"{name} is of {' '.join(homes) or 'no room'}")
    homes = {}
    for room in (*ROOMS, *HOSTS):
        path = os.path.join(sys.argv[1], f"libair_{room}.a")
        for name in symbols(path, "--defined-only", "-g"):
            homes.setdefault(name, []).append(room)
    for name, places in sorted(homes.items()):
        if len(places) > 1:
            report.fault(places[0], 1, f"{name} is also in {', '.join(places[1:])}")
    report.end(f"{len(ROOMS)} rooms")


if __name__ == "__main__":
    main()
