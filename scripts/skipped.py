# SPDX-License-Identifier: MIT
"""Lists the tests that CTest's result files report as skipped, each with the last line it printed:
a test that skips itself says there what it lacks.

usage: skipped.py RESULTS.xml..."""

import os
import sys
import xml.etree.ElementTree as tree


def skipped(path):
    """(test, reason) of each test that did not run."""
    for case in tree.parse(path).getroot().iter("testcase"):
        if case.get("status") in ("notrun", "disabled"):
            output = (case.findtext("system-out") or "").strip().split("\n")
            yield case.get("name"), output[-1] or "it did not say why"


def main():
    found = [row for path in sys.argv[1:] if os.path.exists(path) for row in skipped(path)]
    print("skipped: " + ("none" if not found else str(len(found))))
    for name, reason in found:
        print(f"    {name}: {reason}")


if __name__ == "__main__":
    main()
