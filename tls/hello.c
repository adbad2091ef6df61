/* SPDX-License-Identifier: MIT */
/*
 * Reading the two extensions that decide which certificate a connection gets, before OpenSSL has
 * chosen a version. What the bytes lead to is decided in select.c.
 * Invariant: nothing here fails or allocates; what cannot be read asks for nothing.
 */

#include "tls/hello.h"

#include <string.h>

#include "src/base/span.h"

#define NAME_TYPE_HOST 0

static size_t read_u16(const uint8_t *bytes);

void air_hello_server_name(air_span extension, struct air_hello_name *out) {
    out->size = 0;
    /* A list size, one entry: type, size, name. A second entry is allowed by no client and no
     * type but host_name was ever defined. */
    if (extension.size < 5 || read_u16(extension.data) != extension.size - 2 ||
        extension.data[2] != NAME_TYPE_HOST || read_u16(extension.data + 3) != extension.size - 5) {
        return;
    }
    air_hello_name_set(air_span_skip(extension, 5), out);
}

void air_hello_name_set(air_span text, struct air_hello_name *out) {
    out->size = 0;
    if (text.size > 0 && text.data[text.size - 1] == '.') {
        text.size--;
    }
    /* A "*" would find the table's wildcard itself, which is no host's name. */
    if (text.size == 0 || text.size > sizeof(out->bytes) || text.data[0] == '*') {
        return;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        out->bytes[i] = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
    }
    out->size = text.size;
}

bool air_hello_is_validation(air_span extension) {
    static const char only_acme[] = "\x00\x0b\x0a"
                                    "acme-tls/1";
    return air_span_equal(extension, air_span_of(only_acme, sizeof(only_acme) - 1));
}

static size_t read_u16(const uint8_t *bytes) {
    return (size_t)bytes[0] << 8 | bytes[1];
}
