/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_MEDIA_TYPE_H
#define AIR_HAPROXY_MEDIA_TYPE_H

/*
 * Values of Content-Type and Content-Disposition: a word, then parameters (RFC 9110 section 8.3.1,
 * RFC 2183). A folded line (CR LF before white space) counts as white space.
 */

#include "thinair/thinair.h"

struct air_parameter {
    air_span name;
    air_span value; /* without its quotes, with its backslashes */
    bool is_quoted;
};

/* Cut the word before the first ';' off the front of *rest, without white space around it: "a/b" of
 * "a/b ; c=d". */
air_span air_media_type_cut(air_span *rest);

/*
 * Cut the next parameter off the front of *rest, which air_media_type_cut() left.
 *
 * An unquoted value may have every byte but white space, quotes and ';': senders do not quote what
 * RFC 2045 wants quoted. Parameters that are left empty ("a/b;;c=d;") are passed over.
 *
 * Returns AIR_OK, AIR_ERR_NOT_FOUND (there is no more) or AIR_ERR_MALFORMED.
 */
enum air_error air_parameter_next(air_span *rest, struct air_parameter *out);

/*
 * Write what a parameter of a form's part stands for; out has room for value.size bytes.
 *
 * Only \" and \\ are escapes: browsers send backslashes as they are. %22, %0D and %0A are what
 * browsers write for a quote, CR and LF (HTML, "multipart/form-data encoding algorithm"); any other
 * '%' means itself.
 *
 * Returns the size.
 */
size_t air_parameter_decode(const struct air_parameter *parameter, uint8_t *out);

/*
 * Write what an extended value, UTF-8''a%20b, stands for (RFC 8187); out has room for value.size
 * bytes. AIR_ERR_MALFORMED: another charset than UTF-8, or a bad escape.
 */
enum air_error air_parameter_decode_extended(
    const struct air_parameter *parameter, uint8_t *out, size_t *size);

/* The byte that two hexadecimal digits at the front of text stand for. False: they are none. */
bool air_hex_pair(air_span text, uint8_t *out);

#endif
