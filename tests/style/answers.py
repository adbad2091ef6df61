# SPDX-License-Identifier: MIT
"""The table of answers in the HAProxy manual and the code say the same statuses: each that can be
given is in the table, and the other way round. Read by the forms in which the code gives them."""

import re

import house

MANUAL = "hosts/haproxy/README.md"
# Where statuses are given, and how: the first group of each is a status, and the second one too.
FORMS = {
    "hosts/haproxy/thinair_service.lua": (
        r"reply\.(?:refuse|send|begin)\(applet, (\d{3}),", r"return nil, (\d{3}),"),
    "hosts/haproxy/thinair_reply.lua": (
        r"\w = (\d{3})[,}]", r"\] or (\d{3}),", r"return (\d{3}),"),
    "hosts/haproxy/refusal.c": (r"return (\d{3});", r"\? (\d{3}) : (\d{3});"),
}


def given(report):
    """Each status that the code gives, and where."""
    found = {}
    for path, forms in FORMS.items():
        lines = house.read(path).split("\n")
        for form in forms:
            matches = [(number, match) for number, line in enumerate(lines, 1)
                       for match in re.finditer(form, line)]
            if not matches:
                report.fault(path, 1, f"nothing is written as {form} any more")
            for number, match in matches:
                for status in match.groups():
                    found.setdefault(int(status), (path, number))
    return found


def told():
    """Each status of the table, and its line; not what HAProxy itself answers."""
    found, is_inside = {}, False
    for number, line in enumerate(house.read(MANUAL).split("\n"), 1):
        if line.startswith("#"):
            is_inside = line == "### Answers"
        cells = line.split("|")
        if is_inside and len(cells) >= 5 and not cells[3].strip().startswith("HAProxy's;"):
            for status in re.findall(r"\b[1-5]\d\d\b", cells[2]):
                found.setdefault(int(status), number)
    return found


def main():
    report = house.Report()
    code, table = given(report), told()
    for status, (path, number) in sorted(code.items()):
        if status not in table:
            report.fault(path, number, f"{status} is not in {MANUAL}'s table of answers")
    for status, number in sorted(table.items()):
        if status not in code:
            report.fault(MANUAL, number, f"no code answers {status}")
    report.end(f"{len(table)} statuses")


if __name__ == "__main__":
    main()
