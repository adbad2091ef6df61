/* SPDX-License-Identifier: MIT */
#ifndef AIR_ACME_ACCOUNT_H
#define AIR_ACME_ACCOUNT_H

/*
 * The newAccount request (RFC 8555 section 7.3). Of the answer only Location matters: some CAs send
 * no body.
 */

#include "thinair/jose.h"

struct air_account_request {
    const air_span *contacts;
    size_t contacts_count;
    bool terms_agreed;
    air_span binding; /* the externalAccountBinding JWS, or empty */
};

/* Append the payload of newAccount. */
enum air_error air_account_write(
    const struct air_account_request *request, struct air_buffer *payload);

#endif
