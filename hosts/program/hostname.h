/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_HOSTNAME_H
#define AIR_PROGRAM_HOSTNAME_H

/*
 * DNS names as people write them, brought to the form that certificates carry.
 */

#include "thinair/buffer.h"

/*
 * Append the A-label form of a name: "Bücher.example" gives "xn--bcher-kva.example" (RFC 5890,
 * RFC 5891 with the mapping of UTS 46).
 *
 * reason  On AIR_ERR_BAD_NAME what is wrong with the name, without the place; may be NULL.
 *
 * Returns AIR_OK, AIR_ERR_BAD_NAME, or out's error.
 */
enum air_error air_hostname_read(air_span text, struct air_buffer *out, struct air_buffer *reason);

#endif
