/* SPDX-License-Identifier: MIT */
/*
 * Pieces of signed requests, read without looking at the signature, which is the fake CA's work.
 *
 * Invariant: nothing here fails a test; what cannot be read is nothing.
 */

#include "tests/support/fake_jws.h"

#include "src/base/base64url.h"
#include "src/base/span.h"

json_t *air_fake_jws_header(air_span body) {
    json_t *jws = NULL, *header = NULL;
    struct air_buffer text;
    air_buffer_init(&text, 1u << 20);
    if (air_json_read(body, &jws) == AIR_OK &&
        air_base64url_decode(air_json_text(jws, "protected"), &text) == AIR_OK) {
        (void)air_json_read(air_buffer_span(&text), &header);
    }
    json_decref(jws);
    air_buffer_deinit(&text);
    return header;
}

size_t air_fake_jws_account(air_span kid) {
    size_t number = 0;
    for (size_t i = 0; i < kid.size; i++) {
        const uint8_t c = kid.data[i];
        number = c >= '0' && c <= '9' && number < 1000000 ? number * 10 + (size_t)(c - '0') : 0;
    }
    return number;
}
