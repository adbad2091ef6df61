/* SPDX-License-Identifier: MIT */
/*
 * The image of all records: a title, the version of the format, the image's number and size, the
 * records in the order of their paths, and a CRC-64 of all before it at the end.
 *
 * The checksum guards against torn writes, which leave a beginning, blocks of zeros or blocks of an
 * older image, not against attackers, who could write a good one: the folder keeps those out. A
 * cryptographic digest would say no more, and one of 64 bits misses a torn image once in 2^64.
 *
 * Invariant: what is read was written whole. Later formats keep the title, the version after it and
 * the checksum at the end, so that one is told apart from a damaged image.
 */

#include "backends/storage_snapshot/image.h"

#include "src/base/span.h"
#include "src/base/wire.h"
#include "thinair/snapshot_storage.h"

#define TITLE "thinair snapshot"
#define TITLE_SIZE (sizeof(TITLE) - 1)
#define FORMAT_VERSION 1
#define HEAD_SIZE (TITLE_SIZE + 4 + 8 + 8 + 8 + 4) /* format, number, size, last version, count */
#define CHECKSUM_SIZE 8
#define RECORD_HEAD_SIZE (8 + 4 + 4) /* version, path's size, value's size */

/* CRC-64 of ECMA-182, reflected. */
#define POLYNOMIAL UINT64_C(0xC96C5795D7870F42)

static size_t image_size(const struct air_snapshot_records *records);
static uint64_t checksum_of(air_span data);
static enum air_error read_records(
    struct air_wire_reader *reader, size_t image_size, struct air_snapshot_records *out);

enum air_error air_snapshot_image_write(
    const struct air_snapshot_records *records, uint64_t number, struct air_buffer *out) {
    const size_t start = out->size;
    const size_t size = image_size(records);
    if (size > AIR_SNAPSHOT_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    /* Room for all of it at once: secrets are not copied from block to block. */
    if (air_buffer_extend(out, size) == NULL) {
        return out->error;
    }
    air_buffer_truncate(out, start);
    air_buffer_append_text(out, TITLE);
    air_wire_put_u32(out, FORMAT_VERSION);
    air_wire_put_u64(out, number);
    air_wire_put_u64(out, size);
    air_wire_put_u64(out, records->version);
    air_wire_put_u32(out, (uint32_t)records->count);
    for (size_t i = 0; i < records->count; i++) {
        air_wire_put_u64(out, records->items[i]->version);
        air_wire_put_span(out, air_snapshot_record_path(records->items[i]));
        air_wire_put_span(out, air_snapshot_record_value(records->items[i]));
    }
    air_wire_put_u64(out, checksum_of(air_span_skip(air_buffer_span(out), start)));
    return out->error;
}

enum air_error air_snapshot_image_read(
    air_span image, struct air_snapshot_records *out, uint64_t *number) {
    if (image.size < HEAD_SIZE + CHECKSUM_SIZE || !air_span_starts_with(image, TITLE)) {
        return AIR_ERR_MALFORMED;
    }
    const size_t end = image.size - CHECKSUM_SIZE;
    struct air_wire_reader reader = {.rest = air_span_skip(image, end)};
    if (air_wire_get_u64(&reader) != checksum_of(air_span_take(image, end))) {
        return AIR_ERR_MALFORMED;
    }
    reader.rest = air_span_skip(air_span_take(image, end), TITLE_SIZE);
    const uint32_t format = air_wire_get_u32(&reader);
    if (format != FORMAT_VERSION) {
        return format > FORMAT_VERSION ? AIR_ERR_UNSUPPORTED : AIR_ERR_MALFORMED;
    }
    *number = air_wire_get_u64(&reader);
    return read_records(&reader, image.size, out);
}

static size_t image_size(const struct air_snapshot_records *records) {
    size_t size = HEAD_SIZE + CHECKSUM_SIZE;
    for (size_t i = 0; i < records->count; i++) {
        size += RECORD_HEAD_SIZE + records->items[i]->path_size + records->items[i]->value_size;
    }
    return size;
}

static uint64_t checksum_of(air_span data) {
    uint64_t table[256];
    for (uint64_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++) {
            table[i] = (table[i] & 1) != 0 ? table[i] >> 1 ^ POLYNOMIAL : table[i] >> 1;
        }
    }
    uint64_t sum = UINT64_MAX;
    for (size_t i = 0; i < data.size; i++) {
        sum = table[(sum ^ data.data[i]) & 0xFF] ^ sum >> 8;
    }
    return ~sum;
}

static enum air_error read_records(
    struct air_wire_reader *reader, size_t image_size, struct air_snapshot_records *out) {
    const uint64_t size = air_wire_get_u64(reader);
    const uint64_t version = air_wire_get_u64(reader);
    const uint32_t count = air_wire_get_u32(reader);
    if (size != image_size || count > image_size / RECORD_HEAD_SIZE) {
        return AIR_ERR_MALFORMED;
    }
    enum air_error error = air_snapshot_records_init(out, count);
    for (uint32_t i = 0; i < count && error == AIR_OK; i++) {
        const uint64_t record_version = air_wire_get_u64(reader);
        const air_span path = air_wire_get_span(reader);
        const air_span value = air_wire_get_span(reader);
        error = reader->error;
        if (error == AIR_OK && (record_version == 0 || record_version > version)) {
            error = AIR_ERR_MALFORMED;
        }
        if (error == AIR_OK) {
            error = air_snapshot_records_append(out, record_version, path, value);
        }
    }
    if (error == AIR_OK && reader->rest.size > 0) {
        error = AIR_ERR_MALFORMED;
    }
    if (error != AIR_OK) {
        air_snapshot_records_deinit(out);
        return error;
    }
    out->version = version;
    return AIR_OK;
}
