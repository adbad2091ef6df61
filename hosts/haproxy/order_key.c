/* SPDX-License-Identifier: MIT */
/*
 * A bounded look at a private key that was sent, for a sentence that tells people what they did
 * wrong. The crypto port imports the key and has the last word.
 *
 * Invariant: every byte is looked at a fixed number of times; nothing of the key is kept.
 */

#include <string.h>

#include "hosts/haproxy/order_fields.h"
#include "src/base/pem.h"
#include "src/base/span.h"

static const char *fault_of_block(air_span block, air_span label);
static bool ends_with(air_span text, const char *ending);
static bool has_blank_inside(air_span block);

enum air_error air_order_key_check(
    enum air_order_field field, air_span pem, struct air_refusal *refusal) {
    const char *name = air_order_field_name(field);
    if (pem.size > AIR_KEY_PEM_SIZE_MAX) {
        return air_refusal_set(
            refusal, AIR_ERR_LIMIT, "\"%s\" is longer than %d bytes", name, AIR_KEY_PEM_SIZE_MAX);
    }
    size_t keys_count = 0;
    const char *fault = NULL;
    air_span rest = pem;
    air_span block;
    air_span label;
    bool has_junk = false;
    while (fault == NULL && air_pem_next(&rest, &block, &label, &has_junk)) {
        fault = has_junk ? "has text around the key: send the key's block alone"
                         : fault_of_block(block, label);
        keys_count += ends_with(label, "PRIVATE KEY") ? 1 : 0;
    }
    if (fault == NULL && keys_count == 0) {
        fault = "is not a private key in PEM";
    } else if (fault == NULL && keys_count > 1) {
        fault = "has more than one key";
    } else if (fault == NULL && air_span_trim(rest).size > 0) {
        fault = "has text around the key: send the key's block alone";
    }
    return fault == NULL ? AIR_OK
                         : air_refusal_set(refusal, AIR_ERR_BAD_KEY, "\"%s\" %s", name, fault);
}

/* What is wrong with one block, or NULL. */
static const char *fault_of_block(air_span block, air_span label) {
    static const char encryption[] = "Proc-Type:"; /* RFC 1421 section 4.6.1.1 */
    if (air_span_equal_text(label, "EC PARAMETERS")) {
        return NULL;
    }
    if (air_span_equal_text(label, "CERTIFICATE")) {
        return "has a certificate in it: send the private key alone";
    }
    if (ends_with(label, "PUBLIC KEY")) {
        return "is a public key: send the private one";
    }
    if (!ends_with(label, "PRIVATE KEY")) {
        return "is not a private key in PEM";
    }
    if (air_span_equal_text(label, "ENCRYPTED PRIVATE KEY") ||
        memmem(block.data, block.size, encryption, sizeof(encryption) - 1) != NULL) {
        return "is encrypted: send it without a password";
    }
    if (has_blank_inside(block)) {
        return "has blanks within its lines: in this kind of form '+' is sent as %2B "
               "(curl --data-urlencode does)";
    }
    return NULL;
}

static bool ends_with(air_span text, const char *ending) {
    size_t size = air_span_text(ending).size;
    return text.size >= size && air_span_equal_text(air_span_skip(text, text.size - size), ending);
}

/* Whether a line between the first and the last has a space in its middle. */
static bool has_blank_inside(air_span block) {
    air_span rest = block;
    air_span line;
    while (air_span_next(&rest, '\n', &line)) {
        line = air_span_trim(line);
        if (!air_span_starts_with(line, "-----") && air_span_find(line, ' ') < line.size) {
            return true;
        }
    }
    return false;
}
