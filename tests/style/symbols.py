# SPDX-License-Identifier: MIT
"""What our shared libraries export is what symbols.txt lists, all of it air_*, and together what
the public headers declare; the engine's libraries need libc and jansson alone and import no
function that touches the world.

usage: symbols.py LIBRARY_FOLDER           compare
       symbols.py LIBRARY_FOLDER --update  write symbols.txt anew, for a reviewed change"""

import os
import re
import subprocess
import sys

import house

LIST = "tests/style/symbols.txt"
LIBRARIES = ("thinair", "thinair-jose", "thinair-openssl", "thinair-files", "thinair-memory",
             "thinair-lws", "thinair-snapshot", "thinair-tls", "thinair-driver", "thinair-keeper")
CORE = ("thinair", "thinair-jose")
SANITIZERS = re.compile(r"lib[a-z]*san\.so")
WORLD = re.compile(r"(open|openat|creat|fopen|read|write|fwrite|fread|socket|connect|bind|listen|"
                   r"accept|send|recv|poll|select|epoll_\w+|time|gettimeofday|clock|clock_\w+|"
                   r"nanosleep|usleep|sleep|pthread_(?!once)\w+|thrd_\w+|fork|exec\w*|system|"
                   r"popen|signal|sigaction|atexit|setlocale|getenv|getrandom|rand|exit)$")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def exported(library):
    """Symbols defined for others, without the linker's own."""
    lines = run("nm", "-D", "--defined-only", library).split("\n")
    return sorted(line.split()[-1] for line in lines
                  if line and not re.search(r" (_init|_fini|_edata|_end|__bss_start)$", line))


def imported(library):
    return [line.split()[-1].split("@")[0]
            for line in run("nm", "-D", "--undefined-only", library).split("\n") if line]


def needed(library):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-dW", library))


def listed():
    names, library = {}, None
    for line in house.read(LIST).split("\n"):
        if line.startswith("lib"):
            library = line
            names[library] = []
        elif line.startswith("    "):
            names[library].append(line.strip())
    return names


def declared():
    """The functions that the public headers declare."""
    names = set()
    for path in house.files(".h", under="include/thinair"):
        names |= set(re.findall(r"AIR_API[^;{]*?\b(air_\w+)\s*\(", house.code(house.read(path))))
    return names


def update(found):
    with open(os.path.join(house.ROOT, LIST), "w", encoding="utf-8") as file:
        for library, names in found.items():
            file.write(library + "\n" + "".join(f"    {name}\n" for name in names))


def main():
    folder = sys.argv[1]
    report = house.Report()
    paths = {f"lib{name}": os.path.join(folder, f"lib{name}.so") for name in LIBRARIES}
    found = {library: exported(path) for library, path in paths.items()}
    if sys.argv[2:] == ["--update"]:
        update(found)
    expected = listed()
    for library, names in found.items():
        for name in sorted(set(names) ^ set(expected.get(library, ()))):
            where = "exported, not listed" if name in names else "listed, not exported"
            report.fault(LIST, 1, f"{library}: {name} is {where}")
        for name in names:
            if not name.startswith("air_"):
                report.fault(LIST, 1, f"{library} exports {name}")
    for name in sorted(declared() ^ set().union(*found.values())):
        report.fault("include/thinair", 1, f"{name} is not both declared and exported")
    for library in (f"lib{name}" for name in CORE):
        for name in needed(paths[library]):
            if not name.startswith(("libc.so", "libjansson.so")) and not SANITIZERS.match(name):
                report.fault(library, 1, f"needs {name}")
        for name in imported(paths[library]):
            if WORLD.match(name):
                report.fault(library, 1, f"imports {name}")
    report.end(f"{sum(map(len, found.values()))} symbols of {len(found)} libraries")


if __name__ == "__main__":
    main()
