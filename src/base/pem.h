/* SPDX-License-Identifier: MIT */
#ifndef AIR_BASE_PEM_H
#define AIR_BASE_PEM_H

/*
 * Finding the blocks of a PEM text (RFC 7468) without decoding them.
 */

#include "thinair/buffer.h"

/*
 * Cut the next block, from its BEGIN line to the end of its END line (its line break included, when
 * there is one), off the front of *rest.
 *
 * label  "CERTIFICATE", "PRIVATE KEY": borrowed from the text.
 * junk   Whether anything but white space stood before the block; may be NULL.
 *
 * False when no further whole block is there; *rest is then what was left.
 */
bool air_pem_next(air_span *rest, air_span *block, air_span *label, bool *junk);

/* Whether the text is one or more blocks of that label with only white space around them; tells how
 * many. */
bool air_pem_is_only(air_span text, const char *label, size_t *count);

#endif
