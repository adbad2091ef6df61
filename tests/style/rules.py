# SPDX-License-Identifier: MIT
"""The rules that one file's text can break. Each takes (path, text) and yields (line, sentence).
RULES says which suffixes each rule reads; lines.py runs them, rules_test.py proves them."""

import re

import house

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
OPENING_LINES_MIN = 2
OPENING_LINES_MAX = 12

# Functions of the C library that hide a size, a state or a failure: STYLE, Memory.
BANNED = ("alloca", "atof", "atoi", "atol", "atoll", "gets", "rand", "random", "srand", "sprintf",
          "strcat", "strcpy", "strdup", "strncat", "strncpy", "strtok", "vsprintf", "stpcpy",
          "tmpnam", "mktemp", "localtime", "gmtime", "ctime", "asctime", "setlocale")
# Only base/memory allocates; other rooms may use their SDK's own allocators.
ALLOCATORS = ("malloc", "calloc", "realloc", "reallocarray", "free", "aligned_alloc")
# Lua says how a module's function is called.
PREFIXES = ("air_", "luaopen_air_", "luaopen_thinair_")
TYPEDEFS = ("air_time_ms", "air_span")
WORDS = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
PATHS = re.compile(r"(/wo" r"rk/|/tmp/" r"wt/|/home/[a-z]|/ro" r"ot/\w)")


def lines_of(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > COLUMNS_MAX:
            yield number, f"{len(line)} columns, at most {COLUMNS_MAX}"
        if line != line.rstrip():
            yield number, "white space at the end"
        if "\t" in line and not path.endswith((".service", "Makefile")):
            yield number, "a tab"
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no line break at the end"


def words(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        for pattern, what in ((WORDS, "unfinished work"), (PATHS, "a path of one machine")):
            match = pattern.search(line)
            if match:
                yield number, f"{what}: {match.group(0)}"


def licence(path, text):
    head = text.split("\n")[:3]
    if sum("SPDX-License-Identifier: MIT" in line for line in head) != 1:
        yield 1, "one SPDX-License-Identifier line belongs at the top"


def opening(path, text):
    match = re.match(r"/\* SPDX[^\n]*\*/\n+/\*(.*?)\*/", text, re.S)
    if not match:
        yield 1, "a comment on the file's job follows the SPDX line"
        return
    size = len([line for line in match.group(1).split("\n") if line.strip(" *")])
    if not OPENING_LINES_MIN <= size <= OPENING_LINES_MAX:
        yield 2, f"an opening comment of {size} lines: {OPENING_LINES_MIN} to {OPENING_LINES_MAX}"


def length(path, text):
    total = text.count("\n")
    if total > FILE_LINES_MAX:
        yield total, f"{total} lines, at most {FILE_LINES_MAX} in a file"
    for name, first, last, _ in house.functions(text):
        if last - first + 1 > FUNCTION_LINES_MAX:
            yield first, f"{name}: {last - first + 1} lines, at most {FUNCTION_LINES_MAX}"


def banned(path, text):
    code = house.code(text)
    names = BANNED + (ALLOCATORS if path.startswith("src/") else ())
    if path == "src/base/memory.c":
        names = BANNED
    for match in re.finditer(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(", code):
        yield code.count("\n", 0, match.start()) + 1, f"banned: {match.group(1)}"
    for match in re.finditer(r"^\s*typedef\b[^;{]*?(\w+)\s*;", code, re.M):
        if match.group(1) not in TYPEDEFS:
            yield code.count("\n", 0, match.start()) + 1, f"typedef {match.group(1)}"
    for match in re.finditer(r"^typedef\s+(struct|enum|union)\s*\w*\s*\{", code, re.M):
        yield code.count("\n", 0, match.start()) + 1, "typedef of a struct, enum or union"
    for match in house.TOKEN.finditer(text):
        if match.group(0).startswith("//"):
            yield text.count("\n", 0, match.start()) + 1, "a // comment"


def names(path, text):
    for name, first, _, is_static in house.functions(text):
        if is_static and name.startswith("air_") and path.endswith(".c"):
            yield first, f"{name}: a static function drops the prefix"
        if not is_static and not name.startswith(PREFIXES) and name != "main":
            yield first, f"{name}: neither static nor air_*"


def braces(path, text):
    code = house.without_directives(house.code(text))
    for match in re.finditer(r"(?<!\w)(if|for|while|else|do)\b", code):
        place = match.end()
        if match.group(1) in ("if", "for", "while"):
            place = after_parentheses(code, place)
        rest = code[place:].lstrip()
        if rest.startswith("{") or (match.group(1) == "else" and re.match(r"if\b", rest)):
            continue
        before = code[:match.start()].rstrip()
        if match.group(1) == "while" and rest.startswith(";") and before.endswith("}"):
            continue
        yield code.count("\n", 0, match.start()) + 1, f"{match.group(1)} without braces"


def after_parentheses(code, place):
    depth = 0
    for index in range(place, len(code)):
        if code[index] == "(":
            depth += 1
        elif code[index] == ")":
            depth -= 1
            if depth == 0:
                return index + 1
    return len(code)


def choices(path, text):
    code = house.code(text)
    spans = house.functions(text)
    for match in re.finditer(r"^[ \t]*#[ \t]*(if|ifdef|ifndef)\b", code, re.M):
        line = code.count("\n", 0, match.start()) + 1
        for name, first, last, _ in spans:
            if first < line < last:
                yield line, f"#{match.group(1)} inside {name}"


SOURCE = (".c", ".h")
TEXT = SOURCE + (".py", ".sh", ".md", ".txt", ".cmake", ".in", ".lua", ".yaml", ".yml", ".service")
PROGRAMS = ("check", "demo", ".ci/run", "bench/issue")
# Which files each rule reads: suffixes, and folders it leaves alone.
RULES = (
    (lines_of, SOURCE + (".py", ".sh", ".lua") + PROGRAMS, ()),
    (words, TEXT + PROGRAMS, ()),
    (licence, SOURCE + (".py", ".sh", ".cmake", ".lua", "CMakeLists.txt") + PROGRAMS, ()),
    (opening, (".c",), ()),
    (length, SOURCE, ()),
    (banned, SOURCE, ()),
    (names, SOURCE, ()),
    (braces, SOURCE, ()),
    (choices, SOURCE, ()),
)


def broken(path, text):
    """(line, sentence) of every rule that applies to the file and is broken."""
    for rule, suffixes, spared in RULES:
        if path.endswith(suffixes) and not path.startswith(spared or "\0"):
            for line, sentence in rule(path, text):
                yield line, sentence
