# SPDX-License-Identifier: MIT
"""Runs the rules of rules.py over every file of ours, and names the longest file and function."""

import house
import rules


def main():
    report = house.Report()
    paths = house.files()
    longest_file, longest_function = (0, ""), (0, "", "")
    for path in paths:
        try:
            text = house.read(path)
        except UnicodeDecodeError:
            continue
        for line, sentence in rules.broken(path, text):
            report.fault(path, line, sentence)
        if path.endswith((".c", ".h")):
            longest_file = max(longest_file, (text.count("\n"), path))
            for name, first, last, _ in house.functions(text):
                longest_function = max(longest_function, (last - first + 1, name, path))
    print(f"longest file: {longest_file[1]}, {longest_file[0]} lines")
    print(f"longest function: {longest_function[1]} of {longest_function[2]}, "
          f"{longest_function[0]} lines")
    report.end(f"{len(paths)} files")


if __name__ == "__main__":
    main()
