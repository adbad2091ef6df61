# SPDX-License-Identifier: MIT
"""What a Lua module shows to the program that loads it is its luaopen_ function and nothing else;
what it takes is Lua, the C library and the libraries that are allowed: our own rooms are inside.

usage: lua_modules.py LIBRARY_FOLDER"""

import os
import re
import subprocess
import sys

import house

ALLOWED = re.compile(r"lib(c|crypto|ssl|jansson|\w*san)\.so")
MODULE = re.compile(r"lua5\.\d/(thinair_\w+)\.so$")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def modules(folder):
    """(path, name) of each module that was built."""
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(place, name)
            match = MODULE.search(path)
            if match:
                yield path, match.group(1)


def main():
    report = house.Report()
    found = list(modules(sys.argv[1]))
    if not found:
        print("no Lua module was built: liblua5.3-dev and liblua5.4-dev are not installed")
        sys.exit(77)
    for path, name in found:
        lines = run("nm", "-D", "--defined-only", path).split("\n")
        exported = sorted(line.split()[-1] for line in lines if line)
        if exported != [f"luaopen_{name}"]:
            report.fault(path, 1, f"exports {' '.join(exported) or 'nothing'}")
        for line in run("nm", "-D", "--undefined-only", path).split("\n"):
            if re.search(r" air_\w+$", line):
                report.fault(path, 1, f"takes {line.split()[-1]} from elsewhere")
        for library in re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-dW", path)):
            if not ALLOWED.match(library):
                report.fault(path, 1, f"needs {library}")
    report.end(f"{len(found)} modules")


if __name__ == "__main__":
    main()
