# SPDX-License-Identifier: MIT
"""Each public header compiles alone, as C11 and as C++17, without a warning; and src/ compiles when
the include path holds libc and jansson and nothing else.

usage: headers.py alone|core"""

import os
import shutil
import subprocess
import sys
import tempfile

import house

CC = os.environ.get("CC", "cc")
CXX = os.environ.get("CXX", "c++")
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]


def compiles(command, text, report, path):
    done = subprocess.run([*command, "-"], input=text, capture_output=True, text=True,
                          cwd=house.ROOT, check=False)
    if done.returncode:
        report.fault(path, 1, " ".join(command) + "\n" + done.stderr)


def alone():
    report = house.Report()
    headers = house.files(".h", under="include/thinair")
    for path in headers:
        text = f'#include "{path[len("include/"):]}"\n'
        compiles([CC, "-x", "c", "-std=c11", *WARNINGS, "-Iinclude"], text * 2, report, path)
        compiles([CXX, "-x", "c++", "-std=c++17", *WARNINGS, "-Iinclude"], text * 2, report, path)
    report.end(f"{len(headers)} headers as C11 and C++17")


def owned(package):
    """The headers a Debian package installs."""
    done = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.split("\n") if line.endswith(".h")]


def core():
    if not shutil.which("dpkg"):
        print("skipped: without dpkg nothing tells which headers are libc's")
        sys.exit(77)
    report = house.Report()
    own = subprocess.run([CC, "-print-file-name=include"], capture_output=True, text=True,
                         check=True).stdout.strip()
    sources = house.files(".c", under="src")
    with tempfile.TemporaryDirectory() as farm:
        for header in owned("libc6-dev") + owned("linux-libc-dev") + owned("libjansson-dev"):
            link = farm + header
            os.makedirs(os.path.dirname(link), exist_ok=True)
            os.symlink(header, link)
        places = [farm + "/usr/include"]
        places += [os.path.join(places[0], name) for name in os.listdir(places[0])
                   if name.endswith("-linux-gnu")]
        command = [CC, "-x", "c", "-std=c17", "-D_GNU_SOURCE", "-nostdinc", "-fsyntax-only",
                   "-I.", "-Iinclude", "-isystem", own]
        for place in places:
            command += ["-isystem", place]
        for path in sources:
            compiles(command, f'#include "{path}"\n', report, path)
    report.end(f"{len(sources)} files of src/ with libc and jansson alone")


if __name__ == "__main__":
    {"alone": alone, "core": core}[sys.argv[1]]()
