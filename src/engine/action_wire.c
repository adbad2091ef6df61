/* SPDX-License-Identifier: MIT */
/*
 * The wire encoding of actions: writer and reader of each kind side by side. Copying an action is
 * encoding and decoding it, so every action that is handed out has passed through here. Invariant:
 * decode(encode(a)) equals a, and every count has a limit.
 */

#include "thinair/action.h"

#include <string.h>

#include "src/engine/block.h"
#include "thinair/engine.h"

static void put_spans(struct air_buffer *out, const air_span *spans, size_t count) {
    air_wire_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        air_wire_put_span(out, spans[i]);
    }
}

static void put_http(const struct air_http_action *http, struct air_buffer *out) {
    air_wire_put_span(out, http->method);
    air_wire_put_span(out, http->url);
    air_wire_put_span(out, http->trust);
    air_wire_put_span(out, http->body);
    air_wire_put_u32(out, http->body_max);
    air_wire_put_u32(out, http->deadline_ms);
}

static void get_http(struct air_block *block, struct air_http_action *http) {
    http->method = air_wire_get_span(&block->reader);
    http->url = air_wire_get_span(&block->reader);
    http->trust = air_wire_get_span(&block->reader);
    http->body = air_wire_get_span(&block->reader);
    http->body_max = air_wire_get_u32(&block->reader);
    http->deadline_ms = air_wire_get_u32(&block->reader);
}

static void put_write(const struct air_write_action *write, struct air_buffer *out) {
    air_wire_put_span(out, write->guard.path);
    air_wire_put_u64(out, write->guard.version);
    air_wire_put_u32(out, (uint32_t)write->puts_count);
    for (size_t i = 0; i < write->puts_count; i++) {
        air_wire_put_span(out, write->puts[i].path);
        air_wire_put_span(out, write->puts[i].value);
        air_wire_put_u8(out, write->puts[i].is_delete);
    }
}

static void get_write(struct air_block *block, struct air_write_action *write) {
    write->guard.path = air_wire_get_span(&block->reader);
    write->guard.version = air_wire_get_u64(&block->reader);
    write->puts_count = air_block_count(block, AIR_STORAGE_PUTS_MAX);
    struct air_put *puts = air_block_array(block, write->puts_count, sizeof *puts);
    for (size_t i = 0; i < write->puts_count; i++) {
        struct air_put put = {0};
        put.path = air_wire_get_span(&block->reader);
        put.value = air_wire_get_span(&block->reader);
        put.is_delete = air_wire_get_u8(&block->reader) != 0;
        if (puts != NULL) {
            puts[i] = put;
        }
    }
    write->puts = puts;
}

static void put_publish(const struct air_publish_action *publish, struct air_buffer *out) {
    air_wire_put_u8(out, (uint8_t)publish->type);
    air_wire_put_span(out, publish->name);
    air_wire_put_span(out, publish->token);
    air_wire_put_span(out, publish->key_authorization);
    air_wire_put_span(out, (air_span){publish->digest, sizeof publish->digest});
}

static void get_publish(struct air_block *block, struct air_publish_action *publish) {
    publish->type = (enum air_challenge_type)air_wire_get_u8(&block->reader);
    publish->name = air_wire_get_span(&block->reader);
    publish->token = air_wire_get_span(&block->reader);
    publish->key_authorization = air_wire_get_span(&block->reader);
    const air_span digest = air_wire_get_span(&block->reader);
    if (digest.size == sizeof publish->digest) {
        memcpy(publish->digest, digest.data, digest.size);
    } else if (block->reader.error == AIR_OK) {
        block->reader.error = AIR_ERR_MALFORMED;
    }
}

static void put_prove(const struct air_prove_action *prove, struct air_buffer *out) {
    air_wire_put_u8(out, (uint8_t)prove->key_type);
    put_spans(out, prove->names, prove->names_count);
    air_wire_put_span(out, prove->chain);
    air_wire_put_span(out, prove->key);
}

static void get_prove(struct air_block *block, struct air_prove_action *prove) {
    prove->key_type = (enum air_key_type)air_wire_get_u8(&block->reader);
    prove->names = air_block_spans(block, &prove->names_count, AIR_NAMES_MAX);
    prove->chain = air_wire_get_span(&block->reader);
    prove->key = air_wire_get_span(&block->reader);
}

static void put_install(const struct air_install_action *install, struct air_buffer *out) {
    air_wire_put_span(out, install->target);
    air_wire_put_span(out, install->certificate);
    air_wire_put_u8(out, (uint8_t)install->key_type);
    air_wire_put_u32(out, install->generation);
    put_spans(out, install->names, install->names_count);
    air_wire_put_span(out, install->chain);
    air_wire_put_span(out, install->key);
}

static void get_install(struct air_block *block, struct air_install_action *install) {
    install->target = air_wire_get_span(&block->reader);
    install->certificate = air_wire_get_span(&block->reader);
    install->key_type = (enum air_key_type)air_wire_get_u8(&block->reader);
    install->generation = air_wire_get_u32(&block->reader);
    install->names = air_block_spans(block, &install->names_count, AIR_NAMES_MAX);
    install->chain = air_wire_get_span(&block->reader);
    install->key = air_wire_get_span(&block->reader);
}

static void put_event(const struct air_event_action *event, struct air_buffer *out) {
    air_wire_put_u8(out, (uint8_t)event->event);
    air_wire_put_span(out, event->certificate);
    air_wire_put_u8(out, (uint8_t)event->key_type);
    air_wire_put_u32(out, event->generation);
    air_wire_put_span(out, event->authority);
    air_wire_put_span(out, event->text);
    air_wire_put_i64(out, event->not_after_ms);
    air_wire_put_i64(out, event->next_ms);
}

static void get_event(struct air_block *block, struct air_event_action *event) {
    event->event = (enum air_event_kind)air_wire_get_u8(&block->reader);
    event->certificate = air_wire_get_span(&block->reader);
    event->key_type = (enum air_key_type)air_wire_get_u8(&block->reader);
    event->generation = air_wire_get_u32(&block->reader);
    event->authority = air_wire_get_span(&block->reader);
    event->text = air_wire_get_span(&block->reader);
    event->not_after_ms = air_wire_get_i64(&block->reader);
    event->next_ms = air_wire_get_i64(&block->reader);
}

static void put_body(const struct air_action *action, struct air_buffer *out) {
    switch (action->kind) {
    case AIR_ACTION_HTTP:
        put_http(&action->http, out);
        break;
    case AIR_ACTION_READ:
        put_spans(out, action->read.paths, action->read.paths_count);
        break;
    case AIR_ACTION_WRITE:
        put_write(&action->write, out);
        break;
    case AIR_ACTION_LIST:
        air_wire_put_span(out, action->list.prefix);
        air_wire_put_span(out, action->list.after);
        air_wire_put_u32(out, action->list.segments_max);
        break;
    case AIR_ACTION_LOCK:
    case AIR_ACTION_UNLOCK:
        air_wire_put_span(out, action->lock.path);
        break;
    case AIR_ACTION_GENERATE_KEY:
        air_wire_put_u8(out, (uint8_t)action->generate_key.type);
        air_wire_put_u8(out, action->generate_key.is_account ? 1 : 0);
        break;
    case AIR_ACTION_SIGN:
        air_wire_put_u64(out, action->sign.key);
        air_wire_put_u8(out, (uint8_t)action->sign.algorithm);
        air_wire_put_span(out, action->sign.data);
        break;
    case AIR_ACTION_PUBLISH:
    case AIR_ACTION_WITHDRAW:
        put_publish(&action->publish, out);
        break;
    case AIR_ACTION_PROVE:
        put_prove(&action->prove, out);
        break;
    case AIR_ACTION_INSTALL:
        put_install(&action->install, out);
        break;
    case AIR_ACTION_EVENT:
        put_event(&action->event, out);
        break;
    case AIR_ACTION_CANCEL:
        air_wire_put_u64(out, action->cancel.cancelled_id);
        break;
    }
}

static void get_list(struct air_block *block, struct air_list_action *list) {
    list->prefix = air_wire_get_span(&block->reader);
    list->after = air_wire_get_span(&block->reader);
    list->segments_max = air_wire_get_u32(&block->reader);
}

static void get_sign(struct air_block *block, struct air_sign_action *sign) {
    sign->key = air_wire_get_u64(&block->reader);
    sign->algorithm = (enum air_algorithm)air_wire_get_u8(&block->reader);
    sign->data = air_wire_get_span(&block->reader);
}

static void get_body(struct air_block *block, struct air_action *action) {
    switch (action->kind) {
    case AIR_ACTION_HTTP:
        get_http(block, &action->http);
        return;
    case AIR_ACTION_READ:
        action->read.paths =
            air_block_spans(block, &action->read.paths_count, AIR_STORAGE_PUTS_MAX);
        return;
    case AIR_ACTION_WRITE:
        get_write(block, &action->write);
        return;
    case AIR_ACTION_LIST:
        get_list(block, &action->list);
        return;
    case AIR_ACTION_LOCK:
    case AIR_ACTION_UNLOCK:
        action->lock.path = air_wire_get_span(&block->reader);
        return;
    case AIR_ACTION_GENERATE_KEY:
        action->generate_key.type = (enum air_key_type)air_wire_get_u8(&block->reader);
        action->generate_key.is_account = air_wire_get_u8(&block->reader) != 0;
        return;
    case AIR_ACTION_SIGN:
        get_sign(block, &action->sign);
        return;
    case AIR_ACTION_PUBLISH:
    case AIR_ACTION_WITHDRAW:
        get_publish(block, &action->publish);
        return;
    case AIR_ACTION_PROVE:
        get_prove(block, &action->prove);
        return;
    case AIR_ACTION_INSTALL:
        get_install(block, &action->install);
        return;
    case AIR_ACTION_EVENT:
        get_event(block, &action->event);
        return;
    case AIR_ACTION_CANCEL:
        action->cancel.cancelled_id = air_wire_get_u64(&block->reader);
        return;
    }
    block->reader.error = AIR_ERR_MALFORMED; /* a kind of a later version */
}

static void get_action(struct air_block *block, void *value) {
    struct air_action *action = value;
    if (air_wire_get_u8(&block->reader) != AIR_WIRE_VERSION && block->reader.error == AIR_OK) {
        block->reader.error = AIR_ERR_UNSUPPORTED;
    }
    action->kind = (enum air_action_kind)air_wire_get_u8(&block->reader);
    action->id = air_wire_get_u64(&block->reader);
    if (block->reader.error == AIR_OK) {
        get_body(block, action);
    }
}

enum air_error air_action_encode(const struct air_action *action, struct air_buffer *out) {
    air_wire_put_u8(out, AIR_WIRE_VERSION);
    air_wire_put_u8(out, (uint8_t)action->kind);
    air_wire_put_u64(out, action->id);
    put_body(action, out);
    return out->error;
}

enum air_error air_action_decode(air_span wire, struct air_action **out) {
    void *value = NULL;
    const enum air_error error =
        air_block_read(wire, sizeof(struct air_action), get_action, &value);
    *out = value;
    return error;
}

enum air_error air_action_copy(const struct air_action *action, struct air_action **out) {
    struct air_buffer wire;
    air_buffer_init(&wire, AIR_WIRE_SIZE_MAX);
    enum air_error error = air_action_encode(action, &wire);
    if (error == AIR_OK) {
        error = air_action_decode(air_buffer_span(&wire), out);
    }
    air_buffer_deinit(&wire);
    return error;
}

void air_action_free(struct air_action *action) {
    air_block_free(action);
}
