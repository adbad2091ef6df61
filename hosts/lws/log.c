/* SPDX-License-Identifier: MIT */
/*
 * One line for each thing that happens, beginning with the protocol's name and whom it is about.
 * Texts that come from a CA have their control bytes escaped already.
 */

#include "hosts/lws/log.h"

#include "thinair/lws.h"

void air_log_refusal(
    struct lws_vhost *vhost, enum air_error error, const struct air_buffer *reason) {
    if (reason->size > 0) {
        lwsl_err("%s: vhost %s: %.*s\n", AIR_LWS_PROTOCOL_NAME, lws_get_vhost_name(vhost),
            (int)reason->size, (const char *)reason->data);
    } else {
        lwsl_err("%s: vhost %s: %s\n", AIR_LWS_PROTOCOL_NAME, lws_get_vhost_name(vhost),
            air_error_text(error));
    }
}

void air_log_pair(struct lws_vhost *vhost, const struct air_lws_options *options,
    const struct air_buffer *noticed) {
    char chain_path[AIR_LWS_PATH_SIZE];
    char key_path[AIR_LWS_PATH_SIZE];
    lwsl_notice("%s: vhost %s: %.*s and %zu more names, by %s, state in %s\n",
        AIR_LWS_PROTOCOL_NAME, lws_get_vhost_name(vhost), (int)options->names[0].size,
        (const char *)options->names[0].data, options->names_count - 1,
        air_challenge_type_text(options->challenge), options->state_dir);
    if (noticed->size > 0) {
        lwsl_warn("%s: vhost %s: %.*s\n", AIR_LWS_PROTOCOL_NAME, lws_get_vhost_name(vhost),
            (int)noticed->size, (const char *)noticed->data);
    }
    if (options->key_types_count > 1) {
        air_lws_options_pair(options, 1, chain_path, key_path);
        lwsl_notice("%s: vhost %s: its %s pair is in %s and %s\n", AIR_LWS_PROTOCOL_NAME,
            lws_get_vhost_name(vhost), air_key_type_text(options->key_types[1]), chain_path,
            key_path);
    }
}

void air_log_event(const struct air_event_action *event) {
    static const int levels[] = {LLL_INFO, LLL_NOTICE, LLL_WARN, LLL_ERR};
    const air_span about = event->certificate.size > 0 ? event->certificate : event->authority;
    const char *key_type =
        event->key_type != AIR_KEY_NONE ? air_key_type_text(event->key_type) : "";
    _lws_log(levels[air_event_level(event->event)], "%s: %.*s%s%s%s: %s: %.*s\n",
        AIR_LWS_PROTOCOL_NAME, (int)about.size, (const char *)about.data,
        key_type[0] != '\0' ? " (" : "", key_type, key_type[0] != '\0' ? ")" : "",
        air_event_text(event->event), (int)event->text.size, (const char *)event->text.data);
}
