/* SPDX-License-Identifier: MIT */
/*
 * The order of the steps that keep two paths a matching pair: a pair is whole and durable before
 * `current` names it, and `current` has a path's content before that path becomes a link.
 *
 * The steps are in pair_folder.c. Invariant: after every one of them the two paths, whoever reads
 * them, hold the old pair, the new pair, or not both files.
 */
#include "thinair/pair_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/keeper/pair_parts.h"
#include "src/base/memory.h"
#include "src/base/span.h"

static enum air_error recover(struct air_pair_files *files);
static enum air_error repair_current(struct air_pair_files *files);
static enum air_error take_in(struct air_pair_files *files);
static enum air_error take_pair(struct air_pair_files *files);
static enum air_error take_slots(struct air_pair_files *files);
static enum air_error make_current(struct air_pair_files *files, air_span chain, air_span key);
static enum air_error link_both(const struct air_pair_files *files);

enum air_error air_pair_files_open(const char *chain_path, const char *key_path, unsigned flags,
    struct air_pair_files **out, struct air_buffer *reason) {
    struct air_pair_files *files = air_memory_new(sizeof(*files));
    enum air_error error;

    if (files == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    files->reason = reason;
    files->chain.folder = files->key.folder = files->pairs = -1;
    files->slots[0].handle = files->slots[1].handle = -1;
    error = air_pair_open_folders(files, chain_path, key_path);
    if (error == AIR_OK) {
        error = recover(files);
    }
    if (error == AIR_OK && (flags & AIR_PAIR_SLOTS) != 0) {
        error = air_pair_slots_open(files);
    }
    files->reason = NULL;
    if (error != AIR_OK) {
        air_pair_files_close(files);
        return error;
    }
    *out = files;
    return AIR_OK;
}

void air_pair_files_close(struct air_pair_files *files) {
    if (files != NULL) {
        air_pair_slots_close(files);
        air_pair_close_folders(files);
        air_memory_free(files, sizeof(*files));
    }
}

enum air_error air_pair_files_put(
    struct air_pair_files *files, air_span chain, air_span key, struct air_buffer *reason) {
    enum air_error error;

    files->reason = reason;
    error = air_pair_match(chain, key);
    if (error != AIR_OK) {
        (void)air_pair_refuse(files, files->chain.path, "was not given a chain and its key", error);
    } else {
        error = take_in(files); /* somebody may have put files there meanwhile */
    }
    if (error == AIR_OK) {
        error = make_current(files, chain, key);
    }
    if (error == AIR_OK) {
        error = link_both(files);
    }
    if (error == AIR_OK) {
        air_pair_prune(files);
    }
    files->reason = NULL;
    return error;
}

enum air_error air_pair_files_read(
    struct air_pair_files *files, struct air_buffer *chain, struct air_buffer *key) {
    struct air_pair pair;
    enum air_error error;

    air_pair_init(&pair);
    error = air_pair_load(files, "current", &pair);
    if (error == AIR_OK) {
        air_buffer_append_span(chain, air_buffer_span(&pair.chain));
        air_buffer_append_span(key, air_buffer_span(&pair.key));
        error = chain->error != AIR_OK ? chain->error : key->error;
    }
    air_pair_deinit(&pair);
    return error;
}

static enum air_error recover(struct air_pair_files *files) {
    enum air_error error = air_pair_count(files);

    if (error == AIR_OK) {
        error = repair_current(files);
    }
    if (error == AIR_OK) {
        error = take_in(files);
    }
    if (error == AIR_OK) {
        error = take_slots(files);
    }
    if (error == AIR_OK && air_pair_current(files) != 0) {
        error = link_both(files);
    }
    return error;
}

/* What a pair that is there and cannot be used answers. */
static bool is_damage(enum air_error error) {
    return error == AIR_ERR_NOT_FOUND || error == AIR_ERR_BAD_CERTIFICATE ||
           error == AIR_ERR_LIMIT || error == AIR_ERR_EXISTS;
}

/* Go back to the latest pair that is whole. Without one both paths lead nowhere, which a server can
 * live with, while it may not start with a chain and another's key. */
static enum air_error repair_current(struct air_pair_files *files) {
    const uint32_t oldest =
        files->number > 2 * AIR_PAIR_KEPT_MAX ? files->number - 2 * AIR_PAIR_KEPT_MAX : 0;
    struct air_pair pair;
    enum air_error error;

    air_pair_init(&pair);
    error = air_pair_load(files, "current", &pair);
    for (uint32_t number = files->number; number > oldest && is_damage(error); number--) {
        char name[AIR_PAIR_NAME_SIZE];

        air_pair_name(number, name);
        error = air_pair_load(files, name, &pair);
        if (error == AIR_OK) {
            error = air_pair_point(files, number);
            break;
        }
    }
    air_pair_deinit(&pair);
    return is_damage(error) ? air_pair_forget(files) : error;
}

static enum air_error refuse_folder(
    const struct air_pair_files *files, const struct air_pair_path *path) {
    struct stat status;

    if (fstatat(path->folder, path->name, &status, 0) == 0 && S_ISDIR(status.st_mode)) {
        return air_pair_refuse(files, path->path, "is a directory", AIR_ERR_EXISTS);
    }
    return AIR_OK;
}

/* Whether something is at the path that is not ours. */
static bool is_foreign(const struct air_pair_path *path) {
    struct stat status;

    return !air_pair_is_linked(path) &&
           fstatat(path->folder, path->name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What others put at the two paths becomes the current pair, or is set aside. */
static enum air_error take_in(struct air_pair_files *files) {
    enum air_error error;

    if (!is_foreign(&files->chain) && !is_foreign(&files->key)) {
        return AIR_OK;
    }
    error = refuse_folder(files, &files->chain);
    if (error == AIR_OK) {
        error = refuse_folder(files, &files->key);
    }
    if (error != AIR_OK) {
        return error;
    }
    error = take_pair(files);
    if (!is_damage(error)) {
        return error;
    }
    error = AIR_OK;
    if (is_foreign(&files->chain)) {
        error = air_pair_set_aside(files, &files->chain);
    }
    if (error == AIR_OK && is_foreign(&files->key)) {
        error = air_pair_set_aside(files, &files->key);
    }
    return error;
}

/* Either path may be a link of ours already: then its half of the current pair is compared. */
static enum air_error take_pair(struct air_pair_files *files) {
    struct air_pair pair;
    enum air_error error;

    air_pair_init(&pair);
    error =
        air_pair_file_read(files->chain.folder, files->chain.name, AIR_CHAIN_SIZE_MAX, &pair.chain);
    if (error == AIR_OK) {
        error =
            air_pair_file_read(files->key.folder, files->key.name, AIR_KEY_PEM_SIZE_MAX, &pair.key);
    }
    if (error != AIR_OK && !is_damage(error)) {
        (void)air_pair_refuse(files, files->chain.path, "or its key cannot be read", error);
    }
    if (error == AIR_OK) {
        error = air_pair_match(air_buffer_span(&pair.chain), air_buffer_span(&pair.key));
    }
    if (error == AIR_OK) {
        error = make_current(files, air_buffer_span(&pair.chain), air_buffer_span(&pair.key));
    }
    if (error == AIR_OK) {
        error = link_both(files);
    }
    air_pair_deinit(&pair);
    return error;
}

static enum air_error take_slots(struct air_pair_files *files) {
    struct air_pair pair;
    enum air_error error;

    air_pair_init(&pair);
    error = air_pair_slots_read(files, &pair);
    if (error == AIR_OK) {
        error = make_current(files, air_buffer_span(&pair.chain), air_buffer_span(&pair.key));
    } else if (error == AIR_ERR_NOT_FOUND) {
        error = AIR_OK;
    }
    if (error == AIR_OK) {
        error = air_pair_slots_clear(files);
    }
    air_pair_deinit(&pair);
    return error;
}

/* Nothing is written when it is the current one already. */
static enum air_error make_current(struct air_pair_files *files, air_span chain, air_span key) {
    struct air_pair current;
    enum air_error error;

    air_pair_init(&current);
    error = air_pair_load(files, "current", &current);
    if (error == AIR_OK && air_span_equal(air_buffer_span(&current.chain), chain) &&
        air_span_equal(air_buffer_span(&current.key), key)) {
        air_pair_deinit(&current);
        return AIR_OK;
    }
    air_pair_deinit(&current);
    if (error == AIR_ERR_NO_MEMORY) {
        return error;
    }
    error = air_pair_add(files, chain, key);
    return error == AIR_OK ? air_pair_point(files, files->number) : error;
}

/* The chain last: a server that finds no chain does not look for a key. */
static enum air_error link_both(const struct air_pair_files *files) {
    const enum air_error error = air_pair_link(files, &files->key);

    return error == AIR_OK ? air_pair_link(files, &files->chain) : error;
}
