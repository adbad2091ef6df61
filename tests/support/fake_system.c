/* SPDX-License-Identifier: MIT */
/*
 * Passing system calls of the file storage through a test's hooks. What is failed, recorded or
 * changed is the test's; here is only the way there and back.
 *
 * Invariant: a call that the hook fails has no effect, except that a file is closed.
 */

#include "tests/support/fake_system.h"

/* Ask the hook. 0: go on. */
static int begin(struct air_fake_system *fake, const struct air_fake_call *call) {
    return fake->before == NULL ? 0 : fake->before(fake->owner, call);
}

static int64_t end(struct air_fake_system *fake, struct air_fake_call *call, int64_t answer) {
    call->answer = answer;
    if (fake->after != NULL) {
        fake->after(fake->owner, call);
    }
    return answer;
}

static int fake_open(void *context, int folder, const char *name, int flags, mode_t mode) {
    struct air_fake_call call = {
        .kind = AIR_FAKE_OPEN, .file = folder, .name = name, .flags = flags};
    int answer = begin(context, &call);
    if (answer == 0) {
        answer = air_files_system_real()->open(NULL, folder, name, flags, mode);
    }
    return (int)end(context, &call, answer);
}

static int fake_open_beneath(void *context, int folder, const char *path, int flags) {
    struct air_fake_call call = {
        .kind = AIR_FAKE_OPEN_BENEATH, .file = folder, .name = path, .flags = flags};
    int answer = begin(context, &call);
    if (answer == 0) {
        answer = air_files_system_real()->open_beneath(NULL, folder, path, flags);
    }
    return (int)end(context, &call, answer);
}

static int fake_make_folder(void *context, int folder, const char *name, mode_t mode) {
    struct air_fake_call call = {.kind = AIR_FAKE_MAKE_FOLDER, .file = folder, .name = name};
    int answer = begin(context, &call);
    if (answer == 0) {
        answer = air_files_system_real()->make_folder(NULL, folder, name, mode);
    }
    return (int)end(context, &call, answer);
}

static int fake_rename(void *context, int folder, const char *from, const char *to) {
    struct air_fake_call call = {.kind = AIR_FAKE_RENAME, .file = folder, .name = from, .to = to};
    int answer = begin(context, &call);
    if (answer == 0) {
        answer = air_files_system_real()->rename(NULL, folder, from, to);
    }
    return (int)end(context, &call, answer);
}

static int fake_remove(void *context, int folder, const char *name, int flags) {
    struct air_fake_call call = {
        .kind = AIR_FAKE_REMOVE, .file = folder, .name = name, .flags = flags};
    int answer = begin(context, &call);
    if (answer == 0) {
        answer = air_files_system_real()->remove(NULL, folder, name, flags);
    }
    return (int)end(context, &call, answer);
}

static int fake_status(void *context, int file, struct stat *out) {
    struct air_fake_call call = {.kind = AIR_FAKE_STATUS, .file = file};
    int answer = begin(context, &call);
    if (answer == 0) {
        answer = air_files_system_real()->status(NULL, file, out);
    }
    return (int)end(context, &call, answer);
}

static int fake_status_at(void *context, int folder, const char *name, struct stat *out) {
    struct air_fake_call call = {.kind = AIR_FAKE_STATUS_AT, .file = folder, .name = name};
    int answer = begin(context, &call);
    if (answer == 0) {
        answer = air_files_system_real()->status_at(NULL, folder, name, out);
    }
    return (int)end(context, &call, answer);
}

static int64_t fake_read(void *context, int file, void *data, size_t size, int64_t offset) {
    struct air_fake_call call = {
        .kind = AIR_FAKE_READ, .file = file, .size = size, .offset = offset};
    int64_t answer = begin(context, &call);
    if (answer == 0) {
        answer = air_files_system_real()->read(NULL, file, data, size, offset);
    }
    return end(context, &call, answer);
}

static int64_t fake_write(void *context, int file, const void *data, size_t size, int64_t offset) {
    struct air_fake_call call = {
        .kind = AIR_FAKE_WRITE, .file = file, .data = data, .size = size, .offset = offset};
    int64_t answer = begin(context, &call);
    if (answer == 0) {
        answer = air_files_system_real()->write(NULL, file, data, size, offset);
    }
    return end(context, &call, answer);
}

static int64_t fake_entries(void *context, int folder, void *data, size_t size) {
    struct air_fake_call call = {.kind = AIR_FAKE_ENTRIES, .file = folder, .size = size};
    int64_t answer = begin(context, &call);
    if (answer == 0) {
        answer = air_files_system_real()->entries(NULL, folder, data, size);
    }
    return end(context, &call, answer);
}

static int fake_sync(void *context, int file) {
    struct air_fake_call call = {.kind = AIR_FAKE_SYNC, .file = file};
    const struct air_fake_system *fake = context;
    int answer = begin(context, &call);
    if (answer == 0 && !fake->is_swift) {
        answer = air_files_system_real()->sync(NULL, file);
    }
    return (int)end(context, &call, answer);
}

static int fake_close(void *context, int file) {
    struct air_fake_call call = {.kind = AIR_FAKE_CLOSE, .file = file};
    int answer = begin(context, &call);
    int closed = air_files_system_real()->close(NULL, file);
    return (int)end(context, &call, answer == 0 ? closed : answer);
}

static int fake_lock(void *context, int file, int type, int64_t offset, int64_t size) {
    struct air_fake_call call = {
        .kind = AIR_FAKE_LOCK, .file = file, .flags = type, .size = (size_t)size, .offset = offset};
    int answer = begin(context, &call);
    if (answer == 0) {
        answer = air_files_system_real()->lock(NULL, file, type, offset, size);
    }
    return (int)end(context, &call, answer);
}

static void fake_pause(void *context, uint32_t pause_ms) {
    struct air_fake_call call = {.kind = AIR_FAKE_PAUSE, .size = pause_ms};
    int answer = begin(context, &call);
    if (answer == 0) {
        air_files_system_real()->pause(NULL, pause_ms);
    }
    (void)end(context, &call, answer);
}

void air_fake_system_init(struct air_fake_system *fake, void *owner,
    int (*before)(void *owner, const struct air_fake_call *call),
    void (*after)(void *owner, const struct air_fake_call *call)) {
    *fake = (struct air_fake_system){
        .table =
            {
                .context = fake,
                .open = fake_open,
                .open_beneath = fake_open_beneath,
                .make_folder = fake_make_folder,
                .rename = fake_rename,
                .remove = fake_remove,
                .status = fake_status,
                .status_at = fake_status_at,
                .read = fake_read,
                .write = fake_write,
                .entries = fake_entries,
                .sync = fake_sync,
                .close = fake_close,
                .lock = fake_lock,
                .pause = fake_pause,
            },
        .owner = owner,
        .before = before,
        .after = after,
    };
}
