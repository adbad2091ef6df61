/* SPDX-License-Identifier: MIT */
#ifndef AIR_ACME_DIRECTORY_H
#define AIR_ACME_DIRECTORY_H

/*
 * The directory (RFC 8555 section 7.1.1).
 */

#include "thinair/action.h"

/* Largest directory that is read, in bytes (hardening 3.6). */
#define AIR_DIRECTORY_SIZE_MAX 65536

/* URLs lie in `text`, which belongs to this struct; so do the spans. */
struct air_directory {
    struct air_buffer text;
    air_span new_nonce;
    air_span new_account;
    air_span new_order;
    air_span terms_of_service; /* empty: none; not checked to be https, as it is only shown */
    bool needs_external_account;
};

/*
 * Read a directory. Unknown members are ignored; a missing "meta" is no error.
 *
 * reason  On failure a sentence that names the member; may be NULL.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, or AIR_ERR_MALFORMED: not a JSON object, or a URL that
 * issuance needs is missing or leads to another host (R-A3).
 */
enum air_error air_directory_read(const struct air_http_result *response, air_span directory_url,
    struct air_directory *out, struct air_buffer *reason);

void air_directory_deinit(struct air_directory *directory);

#endif
