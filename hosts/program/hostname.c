/* SPDX-License-Identifier: MIT */
/*
 * DNS names as people write them. libidn2 turns U-labels into A-labels; air_name_normalize() has
 * the last word on what a certificate can carry; here the usual mistakes get a sentence each.
 *
 * Invariant: what is refused leaves no bytes in the buffer.
 */
#include "hosts/program/hostname.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <string.h>

#include "hosts/program/text.h"
#include "src/base/name.h"
#include "src/base/span.h"

/* Longest text looked at: 253 bytes of A-labels can stand for fewer than this in UTF-8. */
#define TEXT_SIZE_MAX 1024

static const char *mistake_in(const char *text) {
    uint8_t address[16];

    if (strstr(text, "://") != NULL || strchr(text, '/') != NULL) {
        return "is a URL; give the host name alone";
    }
    if (inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1 ||
        text[0] == '[') {
        return "is an address; certificates for addresses are not supported, give a DNS name";
    }
    if (strchr(text, ':') != NULL) {
        return "has a port; give the host name alone";
    }
    if (strncmp(text, "*.", 2) == 0) {
        return "is a wildcard, which needs dns-01; give the host names themselves";
    }
    return NULL;
}

enum air_error air_hostname_read(air_span text, struct air_buffer *out, struct air_buffer *reason) {
    char name[TEXT_SIZE_MAX + 1] = "";
    uint8_t *labels = NULL;
    const char *mistake;
    enum air_error error;
    size_t size = out->size;
    int code;

    if (text.size == 0 || text.size > TEXT_SIZE_MAX || memchr(text.data, 0, text.size) != NULL) {
        air_text_format(reason, "is empty or too long for a DNS name");
        return AIR_ERR_BAD_NAME;
    }
    memcpy(name, text.data, text.size);
    mistake = mistake_in(name);
    if (mistake != NULL) {
        air_text_format(reason, "%s %s", name, mistake);
        return AIR_ERR_BAD_NAME;
    }
    code = idn2_lookup_u8((const uint8_t *)name, &labels, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (code == IDN2_MALLOC) {
        return AIR_ERR_NO_MEMORY;
    }
    if (code != IDN2_OK) {
        air_text_format(reason, "%s is no DNS name: %s", name, idn2_strerror(code));
        return AIR_ERR_BAD_NAME;
    }
    error = air_name_normalize(air_span_text((const char *)labels), out);
    idn2_free(labels);
    if (error == AIR_ERR_BAD_NAME) {
        air_buffer_truncate(out, size);
        air_text_format(reason,
            "%s is no DNS name that a public CA certifies: letters, digits and hyphens, at least "
            "two labels",
            name);
    }
    return error;
}
