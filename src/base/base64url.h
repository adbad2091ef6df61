/* SPDX-License-Identifier: MIT */
#ifndef AIR_BASE_BASE64URL_H
#define AIR_BASE_BASE64URL_H

/*
 * base64url without padding (RFC 4648 section 5, RFC 8555 section 6.1).
 */

#include "thinair/buffer.h"

/* Append the encoding of data. */
enum air_error air_base64url_encode(air_span data, struct air_buffer *out);

/* Append what text encodes. AIR_ERR_MALFORMED: padding, other bytes, a length that cannot be, or
 * bits left over. */
enum air_error air_base64url_decode(air_span text, struct air_buffer *out);

/* The same for base64 that people paste: padding, '+', '/', and white space are accepted too. */
enum air_error air_base64_decode_lenient(air_span text, struct air_buffer *out);

/* Append lower-case hexadecimal digits of data. */
enum air_error air_hex_encode(air_span data, struct air_buffer *out);

/* Append a certificate's serial number (the octets of a DER INTEGER) as others print it: without
 * the octet that only keeps it positive (X.690 section 8.3). */
enum air_error air_hex_encode_serial(air_span serial, struct air_buffer *out);

/* Append the bytes that pairs of hexadecimal digits stand for. AIR_ERR_MALFORMED otherwise. */
enum air_error air_hex_decode(air_span text, struct air_buffer *out);

#endif
