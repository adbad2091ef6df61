/* SPDX-License-Identifier: MIT */
#ifndef AIR_ENGINE_SUBJECT_H
#define AIR_ENGINE_SUBJECT_H

/*
 * The subject of requests, checked, as one text that a certificate carries along.
 */

#include "thinair/crypto.h"

/* Of the text: a character has at most four bytes (RFC 3629 section 3). */
#define AIR_SUBJECT_TEXT_SIZE_MAX                                                                  \
    (AIR_SUBJECT_COUNTRY_COUNT + 8 * AIR_SUBJECT_PLACE_COUNT_MAX +                                 \
        4 * AIR_SUBJECT_ORGANIZATION_COUNT_MAX + 4)

/*
 * Append the parts, each followed by a zero byte, or nothing when all are empty.
 *
 * reason  On AIR_ERR_ARGUMENT a sentence that names the culprit; may be NULL.
 *
 * Returns AIR_OK, AIR_ERR_ARGUMENT (a part is out of its bounds; nothing was appended) or the
 * buffer's error.
 */
enum air_error air_subject_write(
    const struct air_subject *subject, struct air_buffer *out, struct air_buffer *reason);

/* The parts of such a text, as spans into it. */
void air_subject_read(air_span text, struct air_subject *out);

#endif
