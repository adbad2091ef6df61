/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_FORM_PARTS_H
#define AIR_HAPROXY_FORM_PARTS_H

/*
 * What the readers of the two kinds of form share with form.c. The form's text has room for all of
 * the body, decoded.
 */

#include "hosts/haproxy/form.h"

/* parameters: those of the Content-Type. */
enum air_error air_form_read_multipart(
    air_span parameters, air_span body, struct air_form *form, struct air_refusal *refusal);

enum air_error air_form_read_urlencoded(
    air_span body, struct air_form *form, struct air_refusal *refusal);

/* Add a field, the ordinal-th from 1 of its form, when it is as struct air_form_field says. */
enum air_error air_form_add(struct air_form *form, const struct air_form_field *field,
    size_t ordinal, struct air_refusal *refusal);

/* Whether a byte is a control byte (RFC 5234 appendix B.1, CTL). */
bool air_form_is_control(uint8_t byte);

#endif
