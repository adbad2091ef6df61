/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_SUPPORT_TEST_H
#define AIR_TEST_SUPPORT_TEST_H

/* cmocka with the headers it wants before it, and assertions on the house's own values. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/base/span.h"
#include "thinair/buffer.h"

/* A span over a literal, NUL bytes included. */
#define SPAN(literal) air_span_of((literal), sizeof(literal) - 1)

#define assert_ok(error) assert_int_equal((error), AIR_OK)

/* The span has exactly the bytes of a terminated text. */
#define assert_span(span, text) air_test_assert_span((span), (text), __FILE__, __LINE__)

void air_test_assert_span(air_span span, const char *text, const char *file, int line);

#endif
