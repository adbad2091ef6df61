/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_FORM_H
#define AIR_HAPROXY_FORM_H

/*
 * The forms that curl and browsers send: multipart/form-data (RFC 7578) and
 * application/x-www-form-urlencoded (WHATWG URL section 5).
 *
 * The reader is strict where two readers could disagree. Lines of a multipart form end in CR LF; LF
 * alone is refused, for it would leave open whether a CR is the value's. So is a line that begins
 * with the boundary and goes on otherwise; a boundary within a line, or behind LF alone, is text.
 */

#include "hosts/haproxy/refusal.h"
#include "thinair/thinair.h"

/* Largest body: two keys of AIR_KEY_PEM_SIZE_MAX and AIR_NAMES_MAX names of full length, every byte
 * percent-encoded. */
#define AIR_FORM_BODY_SIZE_MAX 262144

#define AIR_FORM_FIELDS_MAX 32
#define AIR_FORM_NAME_SIZE_MAX AIR_REFUSAL_NAME_SIZE_MAX
#define AIR_FORM_FILENAME_SIZE_MAX 255

/* The headers of one part, in bytes. */
#define AIR_FORM_HEADERS_SIZE_MAX 8192

struct air_form_field {
    air_span name;     /* 1 to AIR_FORM_NAME_SIZE_MAX bytes, no control bytes; distinct */
    air_span value;    /* a text has no control bytes but tab, CR and LF; a file has any bytes */
    air_span filename; /* of a file; empty when no file was chosen */
    bool is_file;
};

struct air_form {
    struct air_form_field fields[AIR_FORM_FIELDS_MAX];
    size_t fields_count;
    uint8_t *text; /* what was decoded; wiped by air_form_deinit() */
    size_t text_size;
    size_t text_capacity;
};

/*
 * Read a form.
 *
 * content_type  The header's value; empty when there was none.
 * body          All of it. It must outlive the form: values that were sent as they are are
 *               borrowed from it, for they may be private keys and are not copied.
 * out           Yours: air_form_deinit(). On failure there is nothing to give back.
 * refusal       On failure what to answer. It names the field or the part, never a value.
 *
 * Returns AIR_OK, or
 *   AIR_ERR_MALFORMED    not such a form, a field without name or given twice, control bytes in a
 *                        text.
 *   AIR_ERR_LIMIT        a limit above is passed.
 *   AIR_ERR_UNSUPPORTED  another Content-Type or none; a part that is multipart itself, or has a
 *                        Content-Transfer-Encoding (RFC 7578 section 4.7) that changes its bytes.
 *   AIR_ERR_NO_MEMORY
 */
AIR_MUST_CHECK enum air_error air_form_read(
    air_span content_type, air_span body, struct air_form *out, struct air_refusal *refusal);

/* Wipe and free. A zeroed struct is accepted. */
void air_form_deinit(struct air_form *form);

/* The field of that name, or NULL. Valid as long as the form. */
const struct air_form_field *air_form_find(const struct air_form *form, const char *name);

#endif
