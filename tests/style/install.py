# SPDX-License-Identifier: MIT
"""Installs the build into an empty prefix, moves it, and builds every example against it with what
pkg-config says and nothing else; then runs those that need no server.

usage: install.py BUILD_FOLDER FLAGS"""

import os
import subprocess
import sys
import tempfile

import house

CC = os.environ.get("CC", "cc")
# What each example asks of pkg-config, and what it is called with when it needs no server.
EXAMPLES = {
    "sign_jws.c": (("thinair-jose", "thinair-openssl"), ("hello",)),
    "minimal_host.c": (("thinair-driver", "libcurl"), None),
    "openssl_server.c": (("thinair-driver", "openssl"), None),
}


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        print(" ".join(command) + "\n" + done.stdout + done.stderr)
    return done


def build(prefix, example, modules, flags, report):
    """Compile and link one example; the program's path, or None."""
    library = next(place for place, _, names in os.walk(prefix) if "libthinair.so" in names)
    environment = {**os.environ, "PKG_CONFIG_PATH": f"{library}/pkgconfig",
                   "LD_LIBRARY_PATH": library}
    asked = run(["pkg-config", "--cflags", "--libs", *modules], env=environment)
    program = f"{prefix}/{example[:-2]}"
    source = f"{house.ROOT}/examples/{example}"
    built = run([CC, "-std=c17", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", *flags, source,
                 "-o", program, *asked.stdout.split()], env=environment)
    if asked.returncode or built.returncode:
        report.fault(f"examples/{example}", 1, "does not build against the installed tree")
        return None, environment
    return program, environment


def main():
    folder, flags = sys.argv[1], sys.argv[2:]
    report = house.Report()
    with tempfile.TemporaryDirectory() as place:
        if run(["cmake", "--install", folder, "--prefix", f"{place}/made"]).returncode:
            report.fault("CMakeLists.txt", 1, "cmake --install failed")
            report.end("nothing installed")
        os.rename(f"{place}/made", f"{place}/moved")
        version = run([f"{place}/moved/bin/thinair", "version"])
        if version.returncode or not version.stdout.startswith("thinair "):
            report.fault("bin/thinair", 1, "does not say its version")
        for example, (modules, words) in EXAMPLES.items():
            program, environment = build(f"{place}/moved", example, modules, flags, report)
            if program and words and run([program, *words], env=environment).returncode:
                report.fault(f"examples/{example}", 1, "failed")
    report.end(f"{len(EXAMPLES)} examples built against an installed tree")


if __name__ == "__main__":
    main()
