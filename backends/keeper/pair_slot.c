/* SPDX-License-Identifier: MIT */
/*
 * The slots: two files that a process opened while it was root and writes when it no longer is. It
 * can make nothing new then and rename nothing, so a slot says itself whether it is whole: its
 * number, chain and key, and a digest of all that at its end.
 *
 * Invariant: the slot that is being written is never the one that holds the latest pair.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/keeper/pair_parts.h"
#include "src/base/span.h"
#include "src/base/wire.h"

#define TITLE "thinair pair 1\n"
#define SLOT_SIZE_MAX (AIR_CHAIN_SIZE_MAX + AIR_KEY_PEM_SIZE_MAX + 256)

static const char *const names[] = {"next-a", "next-b"};
static const char *const bad_names[] = {"bad-a", "bad-b"};

static enum air_error digest(air_span data, uint8_t out[AIR_SHA256_SIZE]);
static enum air_error encode(uint64_t number, air_span chain, air_span key, struct air_buffer *out);
static enum air_error decode(air_span slot, uint64_t *number, struct air_pair *pair);
static enum air_error read_slot(
    const struct air_pair_files *files, size_t index, uint64_t *number, struct air_pair *pair);

enum air_error air_pair_slots_read(struct air_pair_files *files, struct air_pair *pair) {
    enum air_error error = AIR_ERR_NOT_FOUND;
    uint64_t latest = 0;
    struct air_pair other;

    air_pair_init(&other);
    for (size_t i = 0; i < 2; i++) {
        uint64_t number = 0;
        const enum air_error read = read_slot(files, i, &number, &other);

        if (read != AIR_OK && read != AIR_ERR_NOT_FOUND) {
            error = read;
            break;
        }
        if (read == AIR_OK && number > latest) {
            const struct air_pair older = *pair;

            *pair = other;
            other = older;
            latest = number;
            error = AIR_OK;
        }
    }
    air_pair_deinit(&other);
    files->slots_number = latest;
    return error;
}

/* AIR_ERR_NOT_FOUND also for one that was set aside. */
static enum air_error read_slot(
    const struct air_pair_files *files, size_t index, uint64_t *number, struct air_pair *pair) {
    struct air_buffer slot;
    enum air_error error;

    air_buffer_init(&slot, SLOT_SIZE_MAX);
    error = air_pair_file_read(files->pairs, names[index], SLOT_SIZE_MAX, &slot);
    if (error == AIR_OK && slot.size == 0) {
        error = AIR_ERR_NOT_FOUND;
    } else if (error == AIR_OK) {
        error = decode(air_buffer_span(&slot), number, pair);
    }
    air_buffer_deinit(&slot);
    if (error == AIR_ERR_BAD_CERTIFICATE || error == AIR_ERR_LIMIT || error == AIR_ERR_EXISTS) {
        if (renameat(files->pairs, names[index], files->pairs, bad_names[index]) != 0 ||
            fsync(files->pairs) != 0) {
            return air_pair_fail(files, files->pairs_path, "cannot set a slot aside", errno);
        }
        return AIR_ERR_NOT_FOUND;
    }
    return error == AIR_OK || error == AIR_ERR_NOT_FOUND
               ? error
               : air_pair_refuse(files, files->pairs_path, "has a slot that cannot be read", error);
}

enum air_error air_pair_slots_clear(struct air_pair_files *files) {
    uint64_t numbers[2] = {0, 0};
    struct air_pair pair;
    size_t older;

    air_pair_init(&pair);
    for (size_t i = 0; i < 2; i++) {
        (void)read_slot(files, i, &numbers[i], &pair);
    }
    air_pair_deinit(&pair);
    older = numbers[0] <= numbers[1] ? 0 : 1;
    for (size_t i = 0; i < 2; i++) {
        const size_t index = i == 0 ? older : 1 - older;

        if ((unlinkat(files->pairs, names[index], 0) != 0 && errno != ENOENT) ||
            fsync(files->pairs) != 0) {
            return air_pair_fail(files, files->pairs_path, "cannot clear its slots", errno);
        }
    }
    return AIR_OK;
}

enum air_error air_pair_slots_open(struct air_pair_files *files) {
    for (size_t i = 0; i < 2; i++) {
        files->slots[i].handle = openat(files->pairs, names[i],
            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
        if (files->slots[i].handle < 0) {
            return air_pair_fail(files, files->pairs_path, "cannot take its slots", errno);
        }
    }
    return fsync(files->pairs) == 0
               ? AIR_OK
               : air_pair_fail(files, files->pairs_path, "cannot be made durable", errno);
}

void air_pair_slots_close(struct air_pair_files *files) {
    for (size_t i = 0; i < 2; i++) {
        if (files->slots[i].handle >= 0) {
            (void)close(files->slots[i].handle);
        }
    }
}

enum air_error air_pair_files_keep(
    struct air_pair_files *files, air_span chain, air_span key, struct air_buffer *reason) {
    struct air_pair_slot *slot = &files->slots[files->slots[0].number > files->slots[1].number];
    enum air_error error = AIR_ERR_STATE;
    struct air_buffer text;

    files->reason = reason;
    air_buffer_init(&text, SLOT_SIZE_MAX);
    if (slot->handle >= 0) {
        error = air_pair_match(chain, key);
    }
    if (error != AIR_OK) {
        (void)air_pair_refuse(files, files->pairs_path, "was given nothing it can keep", error);
    } else {
        error = encode(files->slots_number + 1, chain, key, &text);
    }
    if (error == AIR_OK) {
        int number = ftruncate(slot->handle, 0) == 0 ? 0 : errno;

        slot->number = 0; /* if this fails, it is the one to be written next */
        number = number == 0 ? air_pair_write_all(slot->handle, air_buffer_span(&text)) : number;
        if (number != 0 || fsync(slot->handle) != 0) {
            error = air_pair_fail(
                files, files->pairs_path, "cannot keep a pair", number != 0 ? number : errno);
        }
    }
    if (error == AIR_OK) {
        files->slots_number++;
        slot->number = files->slots_number;
    }
    air_buffer_deinit(&text);
    files->reason = NULL;
    return error;
}

static enum air_error digest(air_span data, uint8_t out[AIR_SHA256_SIZE]) {
    return EVP_Digest(data.data, data.size, out, NULL, EVP_sha256(), NULL) == 1 ? AIR_OK
                                                                                : AIR_ERR_NO_MEMORY;
}

static enum air_error encode(
    uint64_t number, air_span chain, air_span key, struct air_buffer *out) {
    uint8_t sum[AIR_SHA256_SIZE];
    enum air_error error;

    air_buffer_append_text(out, TITLE);
    air_wire_put_u64(out, number);
    air_wire_put_span(out, chain);
    air_wire_put_span(out, key);
    error = out->error == AIR_OK ? digest(air_buffer_span(out), sum) : out->error;
    return error == AIR_OK ? air_buffer_append(out, sum, sizeof(sum)) : error;
}

static enum air_error decode(air_span slot, uint64_t *number, struct air_pair *pair) {
    const size_t body_size = slot.size > AIR_SHA256_SIZE ? slot.size - AIR_SHA256_SIZE : 0;
    struct air_wire_reader reader = {.rest = air_span_take(slot, body_size)};
    uint8_t sum[AIR_SHA256_SIZE];
    air_span chain;
    air_span key;
    enum air_error error = digest(reader.rest, sum);

    if (error != AIR_OK) {
        return error;
    }
    if (!air_span_starts_with(reader.rest, TITLE) ||
        memcmp(sum, slot.data + body_size, sizeof(sum)) != 0) {
        return AIR_ERR_BAD_CERTIFICATE;
    }
    reader.rest = air_span_skip(reader.rest, strlen(TITLE));
    *number = air_wire_get_u64(&reader);
    chain = air_wire_get_span(&reader);
    key = air_wire_get_span(&reader);
    if (reader.error != AIR_OK || reader.rest.size > 0) {
        return AIR_ERR_BAD_CERTIFICATE;
    }
    error = air_pair_match(chain, key);
    if (error == AIR_OK) {
        air_buffer_clear(&pair->chain);
        air_buffer_clear(&pair->key);
        air_buffer_append_span(&pair->chain, chain);
        air_buffer_append_span(&pair->key, key);
        error = pair->chain.error != AIR_OK ? pair->chain.error : pair->key.error;
    }
    return error;
}
