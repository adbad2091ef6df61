# SPDX-License-Identifier: MIT
"""Proves the style rules: for each rule a text that breaks it, and texts that look close and do
not. A rule that finds nothing anywhere would pass for ever."""

import sys
import unittest

import arrows
import house
import rules

HEAD = "/* SPDX-License-Identifier: MIT */\n"
OPEN = HEAD + "/*\n * One.\n * Two.\n * Three.\n */\n"


def found(rule, text, path="tls/x.c"):
    return [sentence for _, sentence in rule(path, text)]


class Functions(unittest.TestCase):
    def test_finds_what_is_defined_and_only_that(self):
        text = ('extern "C" {\nstruct a {\n    int b;\n};\nint declared(int a);\n'
                "static const int table[] = {\n    1,\n};\n#define M(x) { x }\n"
                'int air_one(void)\n{\n    if (a) {\n        b("}");\n    }\n'
                "    return 1; /* } */\n}\n"
                "static struct a *two(\n    int a, int b) {\n    return NULL;\n}\n}\n")
        self.assertEqual(house.functions(text), [("air_one", 10, 16, False), ("two", 17, 20, True)])

    def test_sees_a_function_behind_a_table_of_functions(self):
        text = "static const struct p ports = {\n    .f = g,\n};\n\nvoid air_x(void) {\n}\n"
        self.assertEqual(house.functions(text), [("air_x", 5, 6, False)])


class Rules(unittest.TestCase):
    def refuses(self, rule, text, path="tls/x.c"):
        self.assertTrue(found(rule, text, path), text)

    def accepts(self, rule, text, path="tls/x.c"):
        self.assertEqual(found(rule, text, path), [], text)

    def test_long_and_untidy_lines(self):
        self.refuses(rules.lines_of, "x" * 101 + "\n")
        self.refuses(rules.lines_of, "a \n")
        self.refuses(rules.lines_of, "\ta\n")
        self.refuses(rules.lines_of, "a")
        self.accepts(rules.lines_of, "x" * 100 + "\n")

    def test_words(self):
        self.refuses(rules.words, "a TO" "DO b\n")
        self.refuses(rules.words, "see /wo" "rk/x\n")
        self.accepts(rules.words, "AUTODOC, homework/\n")

    def test_licence_and_opening(self):
        self.refuses(rules.licence, "int a;\n")
        self.accepts(rules.licence, HEAD)
        self.refuses(rules.opening, HEAD + "#include <stdio.h>\n")
        self.refuses(rules.opening, HEAD + "/* Short. */\n")
        self.refuses(rules.opening, HEAD + "/*\n" + " * long\n" * 13 + " */\n")
        self.accepts(rules.opening, OPEN)

    def test_length(self):
        self.refuses(rules.length, "void f(void) {\n" + "    a();\n" * 69 + "}\n")
        self.accepts(rules.length, "void f(void) {\n" + "    a();\n" * 68 + "}\n")
        self.refuses(rules.length, "\n" * 601)

    def test_banned(self):
        self.refuses(rules.banned, "x = strcpy(a, b);\n")
        self.refuses(rules.banned, "x = malloc(3);\n", "src/acme/x.c")
        self.refuses(rules.banned, "typedef struct {\n    int a;\n} b;\n")
        self.refuses(rules.banned, "typedef int number;\n")
        self.refuses(rules.banned, "a(); // why\n")
        self.accepts(rules.banned, "x = malloc(3);\n", "tests/x.c")
        self.accepts(rules.banned, 'my_strcpy(a); p->free(x); s = "strcpy("; /* strcpy( */\n')
        self.accepts(rules.banned, "typedef int64_t air_time_ms;\n")

    def test_names(self):
        self.refuses(rules.names, "void run(void) {\n}\n")
        self.refuses(rules.names, "static void air_run(void) {\n}\n")
        self.accepts(rules.names, "void air_run(void) {\n}\nint main(void) {\n}\n")

    def test_braces(self):
        self.refuses(rules.braces, "if (a)\n    b();\n")
        self.refuses(rules.braces, "if (a) {\n} else\n    b();\n")
        self.refuses(rules.braces, "while (f(x))\n    ;\n")
        self.accepts(rules.braces, "if (f(a) && (b)) {\n} else if (c) {\n} else {\n}\n")
        self.accepts(rules.braces, "do {\n} while (a);\nfor (;;) {\n}\n")

    def test_choices(self):
        self.refuses(rules.choices, "void f(void) {\n#ifdef A\n    a();\n#endif\n}\n")
        self.accepts(rules.choices, "#ifdef A\nvoid f(void) {\n}\n#endif\n")


class Arrows(unittest.TestCase):
    def refuses(self, path, line):
        self.assertTrue(list(arrows.crossed(path, line + "\n")), (path, line))

    def accepts(self, path, line):
        self.assertEqual(list(arrows.crossed(path, line + "\n")), [], (path, line))

    def test_up(self):
        self.refuses("src/base/x.c", '#include "src/acme/order.h"')
        self.refuses("src/jose/x.c", '#include "thinair/engine.h"')
        self.refuses("tls/x.c", '#include "src/engine/engine.h"')
        self.refuses("driver/x.c", '#include "tls/table.h"')
        self.refuses("include/thinair/jose.h", '#include "src/base/span.h"')
        self.refuses("include/thinair/engine.h", '#include "thinair/tls.h"')
        self.refuses("src/base/x.c", '#include "span.h"')

    def test_foreign(self):
        for header in ("sys/socket.h", "time.h", "pthread.h", "openssl/evp.h", "fcntl.h", "uv.h"):
            self.refuses("src/engine/x.c", f"#include <{header}>")
        self.refuses("backends/storage_file/x.c", "#include <uv.h>")

    def test_down(self):
        self.accepts("src/engine/x.c", '#include "src/acme/order.h"')
        self.accepts("src/acme/x.c", '#include "src/acme/order.h"')
        self.accepts("tls/x.c", '#include "src/base/span.h"')
        self.accepts("tls/x.c", "#include <openssl/ssl.h>")
        self.accepts("tests/unit/x.c", '#include "src/engine/engine.h"')


if __name__ == "__main__":
    sys.exit(unittest.main())
