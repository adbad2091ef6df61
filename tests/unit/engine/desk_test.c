/* SPDX-License-Identifier: MIT */
/*
 * Proven here: the life of an action as thinair/action.h has it: handed out once and in order, at
 * most so many of a kind at a time, completed, cancelled or disowned without harm to others. How:
 * posts, takes and removals by hand, and a long random run against a plain list.
 */

#include <string.h>

#include "src/base/memory.h"
#include "src/engine/desk.h"
#include "src/engine/job.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

static struct air_action action_of(enum air_action_kind kind) {
    struct air_action action = {.kind = kind};
    if (kind == AIR_ACTION_LOCK) {
        action.lock.path = SPAN("certificates/a");
    }
    return action;
}

static uint64_t post(struct air_desk *desk, struct air_job *owner, enum air_action_kind kind,
    air_time_ms deadline_boot_ms) {
    const struct air_action action = action_of(kind);
    uint64_t id = 0;
    assert_ok(air_desk_post(desk, owner, &action, deadline_boot_ms, &id));
    assert_true(id != 0);
    return id;
}

static void hands_out_each_action_once_and_in_order(void **state) {
    (void)state;
    struct air_desk desk;
    struct air_job job = {0};
    air_desk_init(&desk);
    const uint64_t first = post(&desk, &job, AIR_ACTION_LOCK, INT64_MAX);
    const uint64_t second = post(&desk, &job, AIR_ACTION_UNLOCK, INT64_MAX);
    assert_true(first != second);
    const struct air_action *action = air_desk_take(&desk);
    assert_int_equal(action->id, first);
    assert_int_equal(action->kind, AIR_ACTION_LOCK);
    assert_span(action->lock.path, "certificates/a");
    assert_int_equal(air_desk_take(&desk)->id, second);
    assert_null(air_desk_take(&desk));
    assert_null(air_desk_take(&desk));
    air_desk_deinit(&desk);
}

static void copies_what_is_posted(void **state) {
    (void)state;
    struct air_desk desk;
    char path[] = "certificates/a";
    struct air_action action = {.kind = AIR_ACTION_LOCK};
    action.id = 77; /* ignored */
    action.lock.path = air_span_text(path);
    air_desk_init(&desk);
    assert_ok(air_desk_post(&desk, NULL, &action, INT64_MAX, NULL));
    memset(path, 'x', sizeof path - 1);
    const struct air_action *taken = air_desk_take(&desk);
    assert_span(taken->lock.path, "certificates/a");
    assert_int_equal(taken->id, 1);
    air_desk_deinit(&desk);
}

static void finds_only_what_was_handed_out(void **state) {
    (void)state;
    struct air_desk desk;
    struct air_job job = {0};
    air_desk_init(&desk);
    const uint64_t id = post(&desk, &job, AIR_ACTION_LOCK, INT64_MAX);
    assert_null(air_desk_find(&desk, id));
    assert_null(air_desk_find(&desk, 0));
    assert_non_null(air_desk_take(&desk));
    struct air_desk_entry *entry = air_desk_find(&desk, id);
    assert_ptr_equal(entry->owner, &job);
    assert_null(air_desk_find(&desk, id + 1));
    assert_null(air_desk_find(&desk, UINT64_MAX));
    air_desk_remove(&desk, entry);
    assert_null(air_desk_find(&desk, id)); /* completing it again finds nothing */
    air_desk_deinit(&desk);
}

static void holds_back_what_passes_the_limit_of_its_kind(void **state) {
    (void)state;
    struct air_desk desk;
    struct air_job job = {0};
    uint64_t ids[66];
    air_desk_init(&desk);
    for (size_t i = 0; i < 66; i++) {
        ids[i] = post(&desk, &job, AIR_ACTION_LOCK, INT64_MAX);
    }
    const uint64_t other = post(&desk, &job, AIR_ACTION_UNLOCK, INT64_MAX);
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(air_desk_take(&desk)->id, ids[i]);
    }
    assert_int_equal(air_desk_take(&desk)->id, other); /* other kinds are not held up */
    assert_null(air_desk_take(&desk));
    air_desk_remove(&desk, air_desk_find(&desk, ids[7]));
    assert_int_equal(air_desk_take(&desk)->id, ids[64]);
    assert_null(air_desk_take(&desk));
    air_desk_deinit(&desk);
}

static void events_and_cancels_are_over_when_they_are_handed_out(void **state) {
    (void)state;
    struct air_desk desk;
    air_desk_init(&desk);
    for (size_t i = 0; i < 200; i++) {
        (void)post(&desk, NULL, AIR_ACTION_EVENT, INT64_MAX);
    }
    for (size_t i = 0; i < 200; i++) {
        const struct air_action *action = air_desk_take(&desk);
        assert_int_equal(action->kind, AIR_ACTION_EVENT);
        assert_null(air_desk_find(&desk, action->id));
    }
    assert_null(air_desk_take(&desk));
    assert_null(desk.first);
    air_desk_deinit(&desk);
}

static void disowning_forgets_what_nobody_began(void **state) {
    (void)state;
    struct air_desk desk;
    struct air_job job = {0};
    struct air_job other = {0};
    air_desk_init(&desk);
    (void)post(&desk, &job, AIR_ACTION_LOCK, INT64_MAX);
    const uint64_t kept = post(&desk, &other, AIR_ACTION_UNLOCK, INT64_MAX);
    assert_ok(air_desk_disown(&desk, &job));
    assert_int_equal(air_desk_take(&desk)->id, kept);
    assert_null(air_desk_take(&desk));
    air_desk_deinit(&desk);
}

static void disowning_cancels_what_was_handed_out(void **state) {
    (void)state;
    struct air_desk desk;
    struct air_job job = {0};
    air_desk_init(&desk);
    const uint64_t id = post(&desk, &job, AIR_ACTION_LOCK, INT64_MAX);
    assert_non_null(air_desk_take(&desk));
    assert_ok(air_desk_disown(&desk, &job));
    assert_ok(air_desk_disown(&desk, &job)); /* nothing left: no second cancel */
    const struct air_action *cancel = air_desk_take(&desk);
    assert_int_equal(cancel->kind, AIR_ACTION_CANCEL);
    assert_int_equal(cancel->cancel.cancelled_id, id);
    assert_null(air_desk_take(&desk));
    struct air_desk_entry *entry = air_desk_find(&desk, id); /* it is completed either way */
    assert_null(entry->owner);
    air_desk_remove(&desk, entry);
    assert_int_equal(desk.open[AIR_ACTION_LOCK], 0);
    air_desk_deinit(&desk);
}

static void disowning_who_owns_nothing_does_nothing(void **state) {
    (void)state;
    struct air_desk desk;
    struct air_job job = {0};
    struct air_job other = {0};
    air_desk_init(&desk);
    assert_ok(air_desk_disown(&desk, &job));
    (void)post(&desk, &other, AIR_ACTION_LOCK, INT64_MAX);
    assert_ok(air_desk_disown(&desk, &job));
    assert_non_null(air_desk_take(&desk));
    assert_null(air_desk_take(&desk));
    air_desk_deinit(&desk);
}

static void a_cancel_without_memory_leaves_the_action_unheard(void **state) {
    (void)state;
    struct air_desk desk;
    struct air_job job = {0};
    air_desk_init(&desk);
    const uint64_t id = post(&desk, &job, AIR_ACTION_LOCK, 100);
    assert_non_null(air_desk_take(&desk));
    air_memory_fail_at(1);
    assert_int_equal(air_desk_disown(&desk, &job), AIR_ERR_NO_MEMORY);
    air_memory_fail_at(0);
    assert_null(air_desk_find(&desk, id)->owner);
    assert_null(air_desk_overdue(&desk, INT64_MAX));
    air_desk_deinit(&desk);
}

static void knows_whose_time_is_over(void **state) {
    (void)state;
    struct air_desk desk;
    struct air_job jobs[3] = {0};
    air_desk_init(&desk);
    assert_int_equal(air_desk_wakeup(&desk), INT64_MAX);
    (void)post(&desk, &jobs[0], AIR_ACTION_LOCK, 300);
    (void)post(&desk, &jobs[1], AIR_ACTION_LOCK, 100);
    (void)post(&desk, &jobs[2], AIR_ACTION_LOCK, INT64_MAX);
    (void)post(&desk, NULL, AIR_ACTION_UNLOCK, 5); /* nobody waits for it */
    assert_int_equal(air_desk_wakeup(&desk), 100);
    assert_null(air_desk_overdue(&desk, 99));
    assert_ptr_equal(air_desk_overdue(&desk, 100)->owner, &jobs[1]);
    assert_ptr_equal(air_desk_overdue(&desk, 300)->owner, &jobs[0]);
    assert_ok(air_desk_disown(&desk, &jobs[0]));
    assert_ok(air_desk_disown(&desk, &jobs[1]));
    assert_int_equal(air_desk_wakeup(&desk), INT64_MAX);
    assert_null(air_desk_overdue(&desk, INT64_MAX - 1));
    air_desk_deinit(&desk);
}

static void an_abandoned_desk_frees_everything(void **state) {
    (void)state;
    struct air_desk desk;
    struct air_job job = {0};
    const int64_t live = air_memory_live();
    air_desk_init(&desk);
    for (int kind = AIR_ACTION_HTTP; kind <= AIR_ACTION_CANCEL; kind++) {
        (void)post(&desk, &job, (enum air_action_kind)kind, INT64_MAX);
        (void)post(&desk, &job, (enum air_action_kind)kind, INT64_MAX);
    }
    for (int i = 0; i < 20; i++) {
        assert_non_null(air_desk_take(&desk));
    }
    air_desk_deinit(&desk);
    assert_int_equal(air_memory_live(), live);
    air_desk_deinit(&desk);
}

static uint64_t dice(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void counts_what_is_open_through_a_long_random_run(void **state) {
    (void)state;
    struct air_desk desk;
    struct air_job jobs[8] = {0};
    uint64_t last_id = 0;
    air_desk_init(&desk);
    for (int i = 0; i < 20000; i++) {
        struct air_job *job = &jobs[dice() % 8];
        const uint64_t deed = dice() % 4;
        if (deed == 0) {
            const enum air_action_kind kind = (enum air_action_kind)(1 + dice() % 14);
            const uint64_t id = post(&desk, job, kind, (air_time_ms)(dice() % 1000));
            assert_int_equal(id, ++last_id);
        } else if (deed == 1) {
            assert_ok(air_desk_disown(&desk, job));
            last_id = desk.last_id;
        } else if (deed == 2) {
            (void)air_desk_take(&desk);
        } else if (desk.first != NULL && desk.first->is_handed_out) {
            air_desk_remove(&desk, desk.first);
        }
        size_t open[AIR_ACTION_CANCEL + 1] = {0};
        const struct air_desk_entry *last = NULL;
        for (const struct air_desk_entry *at = desk.first; at != NULL; at = at->next) {
            open[at->action->kind] += at->is_handed_out ? 1 : 0;
            last = at;
        }
        assert_ptr_equal(last, desk.last);
        assert_memory_equal(open, desk.open, sizeof open);
    }
    air_desk_deinit(&desk);
}

static enum air_error post_once(void *context) {
    (void)context;
    struct air_desk desk;
    struct air_job job = {0};
    const struct air_action action = action_of(AIR_ACTION_LOCK);
    air_desk_init(&desk);
    enum air_error error = air_desk_post(&desk, &job, &action, 5, NULL);
    assert_int_equal(desk.first != NULL, error == AIR_OK);
    if (error == AIR_OK) {
        error = air_desk_post(&desk, &job, &action, 5, NULL);
    }
    if (error == AIR_OK) {
        (void)air_desk_take(&desk);
        error = air_desk_disown(&desk, &job);
    }
    air_desk_deinit(&desk);
    return error;
}

static void survives_each_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(post_once, NULL);
}

static int leaves_nothing(void **state) {
    (void)state;
    return air_memory_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_out_each_action_once_and_in_order),
        cmocka_unit_test(copies_what_is_posted),
        cmocka_unit_test(finds_only_what_was_handed_out),
        cmocka_unit_test(holds_back_what_passes_the_limit_of_its_kind),
        cmocka_unit_test(events_and_cancels_are_over_when_they_are_handed_out),
        cmocka_unit_test(disowning_forgets_what_nobody_began),
        cmocka_unit_test(disowning_cancels_what_was_handed_out),
        cmocka_unit_test(disowning_who_owns_nothing_does_nothing),
        cmocka_unit_test(a_cancel_without_memory_leaves_the_action_unheard),
        cmocka_unit_test(knows_whose_time_is_over),
        cmocka_unit_test(an_abandoned_desk_frees_everything),
        cmocka_unit_test(counts_what_is_open_through_a_long_random_run),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, leaves_nothing);
}
