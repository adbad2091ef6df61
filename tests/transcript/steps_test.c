/* SPDX-License-Identifier: MIT */
/*
 * What is proven: docs/steps.md shows the step tables as they are. How: the page is made from the
 * tables and compared. With AIR_TRANSCRIPT_WRITE=1 it is written anew.
 */

#include <stdio.h>
#include <stdlib.h>

#include "src/engine/issuance.h"
#include "tests/support/test.h"

extern const struct air_job_type air_authority_job;

static const char *page_path;

static void put(struct air_buffer *page, const char *text) {
    assert_ok(air_buffer_append_text(page, text));
}

/* Diagrams have no hyphens in names. */
static void put_name(struct air_buffer *page, const char *name) {
    for (; *name != 0; name++) {
        assert_ok(air_buffer_append_byte(page, (uint8_t)(*name == '-' ? '_' : *name)));
    }
}

static void put_table(struct air_buffer *page, const struct air_job_type *type) {
    put(page, "```mermaid\nstateDiagram-v2\n");
    for (size_t from = 0; from < type->steps_count; from++) {
        for (size_t to = 0; to < type->steps_count; to++) {
            if ((type->steps[from].next & AIR_STEP_BIT(to)) != 0 && from != to) {
                put(page, "    ");
                put_name(page, type->steps[from].name);
                put(page, " --> ");
                put_name(page, type->steps[to].name);
                put(page, "\n");
            }
        }
    }
    put(page, "```\n");
}

static void the_page_shows_the_tables(void **state) {
    (void)state;
    struct air_buffer page;
    struct air_buffer there;
    char piece[4096];
    air_buffer_init(&page, 1u << 20);
    air_buffer_init(&there, 1u << 20);
    put(&page, "# Steps\n\nPrinted from the step tables in `src/engine/issuance.c` and "
               "`src/engine/authority.c`;\n`tests/transcript/steps_test.c` compares.\n\n"
               "## An issuance\n\n");
    put_table(&page, &air_issuance_job);
    put(&page, "\n## An authority\n\n");
    put_table(&page, &air_authority_job);
    if (getenv("AIR_TRANSCRIPT_WRITE") != NULL) {
        FILE *file = fopen(page_path, "w");
        assert_non_null(file);
        (void)fwrite(page.data, 1, page.size, file);
        (void)fclose(file);
    }
    FILE *file = fopen(page_path, "r");
    assert_non_null(file);
    for (size_t size = fread(piece, 1, sizeof piece, file); size > 0;
         size = fread(piece, 1, sizeof piece, file)) {
        assert_ok(air_buffer_append(&there, piece, size));
    }
    (void)fclose(file);
    assert_true(air_span_equal(air_buffer_span(&page), air_buffer_span(&there)));
    air_buffer_deinit(&page);
    air_buffer_deinit(&there);
}

static void every_step_can_be_left_and_reached(void **state) {
    (void)state;
    const struct air_job_type *type = &air_issuance_job;
    uint64_t reached = AIR_STEP_BIT(AIR_STEP_READ) | AIR_STEP_BIT(AIR_STEP_LOCK);
    for (size_t i = 0; i < type->steps_count; i++) {
        reached |= type->steps[i].next;
        assert_non_null(type->steps[i].name);
        assert_non_null(type->steps[i].request);
        assert_true(type->steps[i].next != 0 || i == AIR_STEP_UNLOCK);
    }
    assert_true(reached == AIR_STEP_BIT(AIR_STEPS_COUNT) - 1);
}

int main(int argc, char **argv) {
    assert_true(argc == 2);
    page_path = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_shows_the_tables),
        cmocka_unit_test(every_step_can_be_left_and_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
