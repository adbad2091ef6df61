/* SPDX-License-Identifier: MIT */
/*
 * Writes the newAccount payload. An existing account answers the same request with its URL, so
 * there is no second form for look-up. Members that say nothing are left out: step-ca refuses some
 * empty ones.
 */

#include "src/acme/account.h"

#include "src/base/json.h"

enum air_error air_account_write(
    const struct air_account_request *request, struct air_buffer *payload) {
    air_json_begin(payload, NULL, '{');
    if (request->contacts_count > 0) {
        air_json_begin(payload, "contact", '[');
        for (size_t i = 0; i < request->contacts_count; i++) {
            air_json_put_text(payload, NULL, request->contacts[i]);
        }
        air_json_end(payload, ']');
    }
    if (request->terms_agreed) {
        air_json_put_bool(payload, "termsOfServiceAgreed", true);
    }
    if (request->binding.size > 0) {
        air_json_put_raw(payload, "externalAccountBinding", request->binding);
    }
    air_json_end(payload, '}');
    return payload->error;
}
