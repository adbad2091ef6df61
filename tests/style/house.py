# SPDX-License-Identifier: MIT
"""What the style tests share: which files are ours, C text without comments and strings, its
functions and its include lines. Reads text only; a line-oriented view of C is enough for a house
that clang-format keeps."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("include", "src", "backends", "tls", "driver", "hosts", "examples", "tests", "bench",
           "scripts", "packaging", "docs", "cmake", ".ci")
TOP_FILES = (".clang-format", "ARCHITECTURE.md", "CHANGELOG.md", "CMakeLists.txt",
             "CMakePresets.json", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md",
             "check", "demo")


def files(*suffixes, under=None):
    """Our files with one of the suffixes (all when none), as paths from the root, sorted."""
    found = []
    for folder in [under] if under else FOLDERS:
        for place, folders, names in os.walk(os.path.join(ROOT, folder)):
            folders[:] = sorted(f for f in folders if f not in ("__pycache__", "build"))
            found += [os.path.relpath(os.path.join(place, name), ROOT) for name in names]
    if not under:
        found += [name for name in TOP_FILES if os.path.exists(os.path.join(ROOT, name))]
    return sorted(f for f in found if not suffixes or f.endswith(suffixes))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def blank(match):
    """Keep a token's line breaks and the quotes of a string; everything else becomes a space."""
    text = match.group(0)
    inner = re.sub(r"[^\n]", " ", text)
    return text[0] + inner[1:-1] + text[0] if text[0] in "\"'" else inner


def code(text):
    """C text with comments and the content of strings blanked: same length, same lines."""
    return TOKEN.sub(blank, text)


def without_directives(text):
    """C text with preprocessor lines blanked, continuation lines included."""
    return re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)),
                  text, flags=re.M)


def functions(text):
    """(name, first line, last line, is static) of each function defined in C text."""
    body = without_directives(code(text))
    body = re.sub(r'extern\s+"\s*"\s*\{', lambda m: m.group(0)[:-1] + ";", body)
    found = []
    depth, begin, opened = 0, 0, None
    for place, byte in enumerate(body):
        if byte == "{":
            if depth == 0:
                head = body[begin:place]
                opened = (head, begin + len(head) - len(head.lstrip()))
            depth += 1
        elif byte == "}":
            depth = max(depth - 1, 0)
            if depth == 0:
                begin = place + 1
                head, start = opened or ("", 0)
                opened = None
                name = re.match(r"[^()=]*?(\w+)\s*\(.*\)$", head.strip(), re.S)
                if name:
                    found.append((name.group(1), body.count("\n", 0, start) + 1,
                                  body.count("\n", 0, place) + 1,
                                  re.search(r"\bstatic\b", head) is not None))
        elif byte == ";" and depth == 0:
            begin = place + 1
    return found


def includes(text):
    """(line, is system, path) of each include line."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            found.append((number, match.group(1) == "<", match.group(2)))
    return found


class Report:
    """Collects what is wrong, prints it as file:line: text, and ends the process."""

    def __init__(self):
        self.faults = 0

    def fault(self, path, line, text):
        self.faults += 1
        print(f"{path}:{line}: {text}")

    def end(self, checked):
        print(f"{checked}; {self.faults} faults")
        sys.exit(1 if self.faults else 0)
