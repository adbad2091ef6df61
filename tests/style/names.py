# SPDX-License-Identifier: MIT
"""Every error, action and event has its row in docs/names.md, with its number and text, and docs/
names.md has no row that the headers do not know."""

import re

import house

PAGE = "docs/names.md"
TABLES = (("include/thinair/thinair.h", "AIR_ERRORS"), ("include/thinair/action.h", "AIR_ACTIONS"),
          ("include/thinair/action.h", "AIR_EVENTS"))


def declared(path, table):
    """(name, number, text) of each row of an X-macro list."""
    text = house.read(path)
    begin = text.index(f"#define {table}(X)")
    body = re.match(r"(?:[^\n]*\\\n)*[^\n]*\n", text[begin:]).group(0)
    for row in re.finditer(r'X\((\w+), (\d+),[^")]*"([^"]*)"', body):
        yield row.groups()


def main():
    report = house.Report()
    rows = dict(((m.group(1), m.group(2)), m.group(3)) for m in re.finditer(
        r"^\| `(AIR_\w+)` \| (\d+) \| ([^|]*?) \|", house.read(PAGE), re.M))
    known = {}
    for path, table in TABLES:
        known.update(((name, number), text) for name, number, text in declared(path, table))
    for (name, number), text in known.items():
        if rows.get((name, number)) != text:
            report.fault(PAGE, 1, f"no row | `{name}` | {number} | {text} |")
    for name, number in rows.keys() - known.keys():
        report.fault(PAGE, 1, f"{name} {number} is not in the headers")
    report.end(f"{len(known)} names")


if __name__ == "__main__":
    main()
