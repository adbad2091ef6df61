# SPDX-License-Identifier: MIT
"""What the linker and compiler were asked for is in the files that are installed: position
independence, full RELRO, immediate binding, no executable stack, stack protection, fortified calls.

usage: hardening.py FILE..."""

import re
import subprocess
import sys

import house


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *arguments], capture_output=True, text=True,
                          check=True).stdout


def weaknesses(path):
    head, dynamic = readelf("-h", "-l", path), readelf("-d", path)
    symbols = readelf("--dyn-syms", path)
    if not re.search(r"Type:\s+DYN", head):
        yield "not position independent"
    if "GNU_RELRO" not in head or not re.search(r"BIND_NOW|\bNOW\b", dynamic):
        yield "no full RELRO"
    if re.search(r"GNU_STACK.*RWE", head):
        yield "executable stack"
    if re.search(r"\(TEXTREL\)", dynamic):
        yield "text relocations"
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic) and "--allow-runpath" not in sys.argv:
        yield "a run path"
    if "__stack_chk_fail" not in symbols:
        yield "no stack protection"
    if not re.search(r"__\w+_chk(@| |$)", symbols.replace("__stack_chk_fail", ""), re.M):
        yield "no fortified call"


def main():
    report = house.Report()
    paths = [path for path in sys.argv[1:] if not path.startswith("--")]
    for path in paths:
        for weakness in weaknesses(path):
            report.fault(path, 1, weakness)
    report.end(f"{len(paths)} files")


if __name__ == "__main__":
    main()
