/* SPDX-License-Identifier: MIT */
/*
 * Listing a folder in byte order, from a cursor on.
 *
 * The kernel gives names in any order, and a folder may hold a million. So a listing reads the
 * whole folder but keeps only the smallest names behind the cursor, a batch at a time, in memory of
 * fixed size; a caller who wants more than a batch makes it read again.
 *
 * Invariant: what is visited is strictly ascending and greater than the cursor.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/storage_file/files.h"
#include "src/base/memory.h"
#include "src/base/path.h"
#include "src/base/span.h"

/* Names in a batch: most folders have a few; who has more gets large batches from the second on. */
#define BATCH_FIRST 32
#define BATCH_MAX 1024

struct name {
    uint8_t size;
    char text[AIR_STORAGE_SEGMENT_SIZE_MAX];
};

/* The smallest names seen that are greater than after. */
struct batch {
    bool is_top;
    bool has_dropped; /* names beyond the batch exist; they are greater than all it holds */
    struct name after;
    size_t count;
    size_t count_max;
    struct name names[]; /* twice count_max: sorting once per batch read keeps the work linear */
};

static struct batch *batch_new(size_t count_max);
static void batch_free(struct batch *batch);
static bool enlarge(struct batch **batch);
static int gather(struct air_files *files, const char *folder_path, struct batch *batch);
static bool consider(void *context, const char *name, unsigned char type);
static void shrink(struct batch *batch);
static int compare(const void *a, const void *b);
static air_span name_span(const struct name *name);
static void name_set(struct name *name, air_span span);

enum air_error air_files_names_list(struct air_files *files, const char *folder, air_span after,
    bool (*visit)(void *context, air_span segment), void *context) {
    struct batch *batch = batch_new(BATCH_FIRST);
    if (batch == NULL) {
        return air_files_refuse(files, folder, "out of memory for a listing", AIR_ERR_NO_MEMORY);
    }
    enum air_error error = AIR_OK;
    bool is_wanted = true;
    batch->is_top = folder[0] == '\0';
    name_set(&batch->after, air_span_take(after, AIR_STORAGE_SEGMENT_SIZE_MAX));
    do {
        int status = gather(files, folder, batch);
        if (status < 0) {
            error = air_files_fail(files, folder, "cannot be listed", status);
            break;
        }
        for (size_t i = 0; i < batch->count && is_wanted; i++) {
            is_wanted = visit(context, name_span(&batch->names[i]));
        }
        if (batch->count > 0) {
            batch->after = batch->names[batch->count - 1];
        }
        is_wanted = is_wanted && batch->has_dropped;
        if (is_wanted && !enlarge(&batch)) {
            error =
                air_files_refuse(files, folder, "out of memory for a listing", AIR_ERR_NO_MEMORY);
        }
    } while (is_wanted && error == AIR_OK);
    batch_free(batch);
    return error;
}

static struct batch *batch_new(size_t count_max) {
    struct batch *batch = air_memory_new(sizeof(*batch) + 2 * count_max * sizeof(struct name));
    if (batch != NULL) {
        batch->count_max = count_max;
    }
    return batch;
}

static void batch_free(struct batch *batch) {
    air_memory_free(batch, sizeof(*batch) + 2 * batch->count_max * sizeof(struct name));
}

/* Go on with a large batch behind the same cursor. */
static bool enlarge(struct batch **batch) {
    if ((*batch)->count_max == BATCH_MAX) {
        return true;
    }
    struct batch *large = batch_new(BATCH_MAX);
    if (large == NULL) {
        return false;
    }
    large->is_top = (*batch)->is_top;
    large->after = (*batch)->after;
    batch_free(*batch);
    *batch = large;
    return true;
}

/* Fill the batch, sorted. A folder that does not exist has no names. A status. */
static int gather(struct air_files *files, const char *folder_path, struct batch *batch) {
    batch->count = 0;
    batch->has_dropped = false;
    int folder = air_files_folder_open(files, folder_path);
    if (folder == -ENOENT || folder == -ENOTDIR) {
        return 0;
    }
    if (folder < 0) {
        return folder;
    }
    int status = air_files_folder_each(files, folder, consider, batch);
    (void)files->system->close(files->system->context, folder);
    shrink(batch);
    return status;
}

static bool consider(void *context, const char *text, unsigned char type) {
    (void)type;
    struct batch *batch = context;
    air_span name = air_span_text(text);
    if (!air_path_segment_is_valid(name) || (batch->is_top && air_path_is_reserved(name)) ||
        air_span_compare(name, name_span(&batch->after)) <= 0) {
        return true;
    }
    if (batch->count == 2 * batch->count_max) {
        shrink(batch);
    }
    name_set(&batch->names[batch->count], name);
    batch->count++;
    return true;
}

/* Sort, and drop what is beyond a batch. */
static void shrink(struct batch *batch) {
    qsort(batch->names, batch->count, sizeof(batch->names[0]), compare);
    if (batch->count > batch->count_max) {
        batch->count = batch->count_max;
        batch->has_dropped = true;
    }
}

static int compare(const void *a, const void *b) {
    return air_span_compare(name_span(a), name_span(b));
}

static air_span name_span(const struct name *name) {
    return air_span_of(name->text, name->size);
}

static void name_set(struct name *name, air_span span) {
    name->size = (uint8_t)span.size;
    if (span.size > 0) {
        memcpy(name->text, span.data, span.size);
    }
}
