/* SPDX-License-Identifier: MIT */
/*
 * The contract suite through a keeper: a storage port whose methods submit an action and wait for
 * its result. Every storage has a keeper process of its own, on one state directory.
 *
 * Invariant: one action of a storage at a time, whichever thread it comes from.
 */

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "src/base/memory.h"
#include "tests/contract/storage/rig.h"
#include "tests/support/folder.h"
#include "thinair/keeper.h"

/* Segments in one list action: small, so that listings come in several. */
#define SEGMENTS_MAX 7

struct kept {
    struct air_storage port;
    struct air_keeper *keeper;
    pthread_mutex_t mutex;
    char explanation[512];
};

/* What a waiting method wants to know of the result. */
struct answer {
    struct kept *kept;
    bool is_there;
    enum air_error error;
    struct air_buffer *out;
    uint64_t *version;
    uint64_t *fence;
    bool (*visit)(void *context, air_span segment);
    void *context;
    char last[AIR_STORAGE_SEGMENT_SIZE_MAX + 1];
    bool has_more;
};

static char folder[AIR_TEST_PATH_SIZE];
static char state_path[AIR_TEST_PATH_SIZE];

const bool air_rig_is_shared = true;

static void take_read(struct answer *answer, const struct air_record *record) {
    answer->error = record->error;
    if (record->error == AIR_OK && record->value.size > answer->out->size_max - answer->out->size) {
        answer->error = AIR_ERR_LIMIT;
    } else if (record->error == AIR_OK) {
        *answer->version = record->version;
        answer->error = air_buffer_append_span(answer->out, record->value);
    }
}

static void take_list(struct answer *answer, const struct air_list_result *list) {
    answer->has_more = list->has_more;
    for (size_t i = 0; i < list->segments_count; i++) {
        memcpy(answer->last, list->segments[i].data, list->segments[i].size);
        answer->last[list->segments[i].size] = '\0';
        if (!answer->visit(answer->context, list->segments[i])) {
            answer->has_more = false;
            return;
        }
    }
}

static void done(void *context, uint64_t id, const struct air_result *result) {
    struct answer *answer = context;

    assert_int_equal(id, 7);
    answer->is_there = true;
    answer->error = result->error;
    assert_true(result->explanation.size < sizeof(answer->kept->explanation));
    memset(answer->kept->explanation, 0, sizeof(answer->kept->explanation));
    if (result->explanation.size > 0) {
        memcpy(answer->kept->explanation, result->explanation.data, result->explanation.size);
    }
    if (result->error == AIR_OK && answer->out != NULL) {
        assert_int_equal(result->read.records_count, 1);
        take_read(answer, &result->read.records[0]);
    } else if (result->error == AIR_OK && answer->visit != NULL) {
        take_list(answer, &result->list);
    } else if (result->error == AIR_OK && answer->fence != NULL) {
        *answer->fence = result->lock.fence;
    }
}

/* Submit and wait. */
static enum air_error run(struct kept *kept, struct air_action *action, struct answer *answer) {
    action->id = 7;
    answer->kept = kept;
    answer->is_there = false;
    pthread_mutex_lock(&kept->mutex);
    answer->error = air_keeper_submit(kept->keeper, action);
    while (answer->error == AIR_OK && !answer->is_there) {
        struct pollfd wait = {.fd = air_keeper_socket(kept->keeper), .events = POLLIN};

        wait.events |= air_keeper_wants_write(kept->keeper) ? POLLOUT : 0;
        assert_true(poll(&wait, 1, 30000) > 0);
        if (air_keeper_service(kept->keeper, done, answer) == AIR_ERR_NO_MEMORY) {
            assert_ok(air_keeper_service(kept->keeper, done, answer)); /* it fails once */
        }
    }
    pthread_mutex_unlock(&kept->mutex);
    return answer->error;
}

static enum air_error kept_read(
    void *self, air_span path, struct air_buffer *out, uint64_t *version) {
    struct air_action action = {.kind = AIR_ACTION_READ};
    struct answer answer = {.out = out, .version = version};

    action.read = (struct air_read_action){.paths = &path, .paths_count = 1};
    return run(self, &action, &answer);
}

static enum air_error kept_write(
    void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count) {
    struct air_action action = {.kind = AIR_ACTION_WRITE};
    struct answer answer = {0};

    action.write = (struct air_write_action){.puts = puts, .puts_count = puts_count};
    if (guard != NULL) {
        action.write.guard = *guard;
    }
    return run(self, &action, &answer);
}

static enum air_error kept_list(void *self, air_span prefix, air_span after,
    bool (*visit)(void *context, air_span segment), void *context) {
    struct answer answer = {.visit = visit, .context = context};
    enum air_error error;

    do {
        struct air_action action = {.kind = AIR_ACTION_LIST};

        action.list = (struct air_list_action){
            .prefix = prefix, .after = after, .segments_max = SEGMENTS_MAX};
        answer.has_more = false;
        error = run(self, &action, &answer);
        after = air_span_text(answer.last);
    } while (error == AIR_OK && answer.has_more);
    return error;
}

static enum air_error kept_lock(void *self, air_span path, uint64_t *fence) {
    struct air_action action = {.kind = AIR_ACTION_LOCK, .lock = {.path = path}};
    struct answer answer = {.fence = fence};

    return run(self, &action, &answer);
}

static enum air_error kept_unlock(void *self, air_span path) {
    struct air_action action = {.kind = AIR_ACTION_UNLOCK, .lock = {.path = path}};
    struct answer answer = {0};
    const enum air_error error = run(self, &action, &answer);

    return error == AIR_ERR_NO_MEMORY ? run(self, &action, &answer) : error; /* nothing was sent */
}

static void kept_explain(void *self, char *out, size_t size) {
    const struct kept *kept = self;
    const size_t length = strlen(kept->explanation);
    const size_t copied = size == 0 || length < size ? length : size - 1;

    if (size == 0) {
        return;
    }
    memcpy(out, kept->explanation, copied);
    out[copied] = '\0';
}

struct air_storage *air_rig_open(void) {
    air_test_folder_make(folder);
    air_test_path(state_path, folder, "state");
    return air_rig_open_again(NULL);
}

struct air_storage *air_rig_open_again(struct air_storage *first) {
    const struct air_keeper_config config = {.size = sizeof(config), .state_dir = state_path};
    struct kept *kept = air_memory_new(sizeof(*kept));

    (void)first;
    assert_non_null(kept);
    kept->port = (struct air_storage){.size = sizeof(kept->port),
        .self = kept,
        .read = kept_read,
        .write = kept_write,
        .list = kept_list,
        .lock = kept_lock,
        .unlock = kept_unlock,
        .explain = kept_explain};
    pthread_mutex_init(&kept->mutex, NULL);
    assert_ok(air_keeper_start(&config, &kept->keeper, NULL));
    return &kept->port;
}

void air_rig_close(struct air_storage *storage) {
    if (storage != NULL) {
        struct kept *kept = storage->self;

        air_keeper_stop(kept->keeper);
        pthread_mutex_destroy(&kept->mutex);
        air_memory_free(kept, sizeof(*kept));
    }
}

void air_rig_remove(void) {
    air_test_folder_remove(folder);
}
