/* SPDX-License-Identifier: MIT */
#ifndef AIR_LWS_OPTIONS_H
#define AIR_LWS_OPTIONS_H

/*
 * The per-vhost options of the protocol, read from libwebsockets' linked list: those of the
 * origin's plugin, and ours. README.md is their manual.
 */

#include <libwebsockets.h>

#include "thinair/engine.h"

/* Room for a path and its terminator. */
#define AIR_LWS_PATH_SIZE 1024

struct air_lws_options {
    const char *auth_path;
    const char *cert_path;
    const char *key_path;
    const char *directory_url;
    const char *state_dir;         /* of "state-dir", else beside auth_path */
    const char *ca_file;           /* or NULL: the system's roots */
    const char *contact;           /* "mailto:..." */
    air_span names[AIR_NAMES_MAX]; /* common-name first */
    size_t names_count;
    enum air_key_type key_types[AIR_KEY_TYPES_MAX];
    size_t key_types_count;
    enum air_challenge_type challenge;
    uint16_t http_port;          /* to open for http-01; 0: none, a mount answers */
    air_time_ms renew_before_ms; /* 0: the engine's rule */
    bool has_agreed;
    bool has_keeper;
    struct air_subject subject;
    struct air_buffer text; /* what the rest points to */
};

/*
 * Read them. Unknown options are refused: a typing error must not pass for a default.
 *
 * out     Yours: air_lws_options_deinit(), also after a failure.
 * reason  On failure a sentence that names the option and says what to write.
 *
 * Returns AIR_OK, AIR_ERR_ARGUMENT or AIR_ERR_NO_MEMORY.
 */
AIR_MUST_CHECK enum air_error air_lws_options_read(const struct lws_protocol_vhost_options *list,
    struct air_lws_options *out, struct air_buffer *reason);
void air_lws_options_deinit(struct air_lws_options *options);

/* Where the pair of one key type is: that of the first where the options say, that of the second at
 * the same paths with ".rsa" or ".ecdsa" appended. */
void air_lws_options_pair(const struct air_lws_options *options, size_t index,
    char chain_path[AIR_LWS_PATH_SIZE], char key_path[AIR_LWS_PATH_SIZE]);

#endif
