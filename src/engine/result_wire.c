/* SPDX-License-Identifier: MIT */
/*
 * The wire encoding of results, with the id and kind of the action they answer. The kind decides
 * which member follows, and only when the action succeeded. Invariant: decode(encode(r)) equals r.
 */

#include "src/engine/block.h"
#include "thinair/action.h"

/* Most headers of one response, and segments of one listing. */
#define HEADERS_MAX 256
#define SEGMENTS_MAX 4096

struct envelope {
    struct air_result result; /* first: a pointer to it is a pointer to the block's value */
    uint64_t id;
    enum air_action_kind kind;
};

static void put_http(const struct air_http_result *http, struct air_buffer *out) {
    air_wire_put_u32(out, http->status);
    air_wire_put_u32(out, (uint32_t)http->headers_count);
    for (size_t i = 0; i < http->headers_count; i++) {
        air_wire_put_span(out, http->headers[i].name);
        air_wire_put_span(out, http->headers[i].value);
    }
    air_wire_put_span(out, http->body);
}

static void get_http(struct air_block *block, struct air_http_result *http) {
    http->status = air_wire_get_u32(&block->reader);
    http->headers_count = air_block_count(block, HEADERS_MAX);
    struct air_http_header *headers = air_block_array(block, http->headers_count, sizeof *headers);
    for (size_t i = 0; i < http->headers_count; i++) {
        const air_span name = air_wire_get_span(&block->reader);
        const air_span value = air_wire_get_span(&block->reader);
        if (headers != NULL) {
            headers[i] = (struct air_http_header){name, value};
        }
    }
    http->headers = headers;
    http->body = air_wire_get_span(&block->reader);
}

static void put_read(const struct air_read_result *read, struct air_buffer *out) {
    air_wire_put_u32(out, (uint32_t)read->records_count);
    for (size_t i = 0; i < read->records_count; i++) {
        air_wire_put_u32(out, (uint32_t)read->records[i].error);
        air_wire_put_u64(out, read->records[i].version);
        air_wire_put_span(out, read->records[i].value);
    }
}

static void get_read(struct air_block *block, struct air_read_result *read) {
    read->records_count = air_block_count(block, AIR_STORAGE_PUTS_MAX);
    struct air_record *records = air_block_array(block, read->records_count, sizeof *records);
    for (size_t i = 0; i < read->records_count; i++) {
        struct air_record record = {0};
        record.error = (enum air_error)air_wire_get_u32(&block->reader);
        record.version = air_wire_get_u64(&block->reader);
        record.value = air_wire_get_span(&block->reader);
        if (records != NULL) {
            records[i] = record;
        }
    }
    read->records = records;
}

static void put_list(const struct air_list_result *list, struct air_buffer *out) {
    air_wire_put_u32(out, (uint32_t)list->segments_count);
    for (size_t i = 0; i < list->segments_count; i++) {
        air_wire_put_span(out, list->segments[i]);
    }
    air_wire_put_u8(out, list->has_more);
}

static void put_body(
    enum air_action_kind kind, const struct air_result *result, struct air_buffer *out) {
    switch (kind) {
    case AIR_ACTION_HTTP:
        put_http(&result->http, out);
        break;
    case AIR_ACTION_READ:
        put_read(&result->read, out);
        break;
    case AIR_ACTION_LIST:
        put_list(&result->list, out);
        break;
    case AIR_ACTION_LOCK:
        air_wire_put_u64(out, result->lock.fence);
        break;
    case AIR_ACTION_GENERATE_KEY:
        air_wire_put_u64(out, result->generate_key.key);
        break;
    case AIR_ACTION_SIGN:
        air_wire_put_span(out, result->sign.signature);
        break;
    case AIR_ACTION_WRITE:
    case AIR_ACTION_UNLOCK:
    case AIR_ACTION_PUBLISH:
    case AIR_ACTION_WITHDRAW:
    case AIR_ACTION_PROVE:
    case AIR_ACTION_INSTALL:
    case AIR_ACTION_EVENT:
    case AIR_ACTION_CANCEL:
        break;
    }
}

static void get_body(
    struct air_block *block, enum air_action_kind kind, struct air_result *result) {
    switch (kind) {
    case AIR_ACTION_HTTP:
        get_http(block, &result->http);
        return;
    case AIR_ACTION_READ:
        get_read(block, &result->read);
        return;
    case AIR_ACTION_LIST:
        result->list.segments = air_block_spans(block, &result->list.segments_count, SEGMENTS_MAX);
        result->list.has_more = air_wire_get_u8(&block->reader) != 0;
        return;
    case AIR_ACTION_LOCK:
        result->lock.fence = air_wire_get_u64(&block->reader);
        return;
    case AIR_ACTION_GENERATE_KEY:
        result->generate_key.key = air_wire_get_u64(&block->reader);
        return;
    case AIR_ACTION_SIGN:
        result->sign.signature = air_wire_get_span(&block->reader);
        return;
    case AIR_ACTION_WRITE:
    case AIR_ACTION_UNLOCK:
    case AIR_ACTION_PUBLISH:
    case AIR_ACTION_WITHDRAW:
    case AIR_ACTION_PROVE:
    case AIR_ACTION_INSTALL:
    case AIR_ACTION_EVENT:
    case AIR_ACTION_CANCEL:
        return;
    }
    block->reader.error = AIR_ERR_MALFORMED; /* a kind of a later version */
}

static void get_envelope(struct air_block *block, void *value) {
    struct envelope *envelope = value;
    if (air_wire_get_u8(&block->reader) != AIR_WIRE_VERSION && block->reader.error == AIR_OK) {
        block->reader.error = AIR_ERR_UNSUPPORTED;
    }
    envelope->kind = (enum air_action_kind)air_wire_get_u8(&block->reader);
    envelope->id = air_wire_get_u64(&block->reader);
    envelope->result.error = (enum air_error)air_wire_get_u32(&block->reader);
    envelope->result.explanation = air_wire_get_span(&block->reader);
    if (block->reader.error == AIR_OK && envelope->result.error == AIR_OK) {
        get_body(block, envelope->kind, &envelope->result);
    }
}

enum air_error air_result_encode(uint64_t id, enum air_action_kind kind,
    const struct air_result *result, struct air_buffer *out) {
    air_wire_put_u8(out, AIR_WIRE_VERSION);
    air_wire_put_u8(out, (uint8_t)kind);
    air_wire_put_u64(out, id);
    air_wire_put_u32(out, (uint32_t)result->error);
    air_wire_put_span(out, result->explanation);
    if (result->error == AIR_OK) {
        put_body(kind, result, out);
    }
    return out->error;
}

enum air_error air_result_decode(
    air_span wire, uint64_t *id, enum air_action_kind *kind, struct air_result **out) {
    void *value = NULL;
    const enum air_error error =
        air_block_read(wire, sizeof(struct envelope), get_envelope, &value);
    if (error == AIR_OK) {
        struct envelope *envelope = value;
        *id = envelope->id;
        *kind = envelope->kind;
        *out = &envelope->result;
    }
    return error;
}

void air_result_free(struct air_result *result) {
    air_block_free(result);
}
