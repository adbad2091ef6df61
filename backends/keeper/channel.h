/* SPDX-License-Identifier: MIT */
#ifndef AIR_KEEPER_CHANNEL_H
#define AIR_KEEPER_CHANNEL_H

/*
 * What goes over the socket pair: frames, each a length of 32 bits (big-endian) and as many bytes,
 * at most AIR_WIRE_SIZE_MAX.
 *
 * From the server each begins with its kind (8 bits). The keeper answers in their order: at its
 * start, and to what names files, an error (8 bits), a sentence and a reference (strings of the
 * wire encoding, either may be empty); to an action a string, which is the key's text when one was
 * made (a reference, or PEM) and empty otherwise, and the result in its wire encoding.
 */

#include "thinair/action.h"

#define AIR_FRAME_HEAD_SIZE 4

enum air_frame_kind {
    AIR_FRAME_ACTION = 1,  /* an action in its wire encoding */
    AIR_FRAME_ACCOUNT = 2, /* a path */
    AIR_FRAME_PAIR = 3,    /* id, key type (8 bits), the chain's path and the key's */
    AIR_FRAME_SEAL = 4     /* nothing; the two before it are refused from now on; no answer */
};

/* The length that a frame's head tells. */
uint32_t air_frame_size(const uint8_t head[AIR_FRAME_HEAD_SIZE]);

/* Begin a frame in an empty buffer, and end it: AIR_ERR_LIMIT: too long. */
void air_frame_begin(struct air_buffer *out);
enum air_error air_frame_end(struct air_buffer *out);

/* Read or write a whole frame, waiting as long as it takes. False: the other side has gone, sent
 * what is no frame, or there is no memory for it. content is replaced. */
bool air_frame_read(int socket, struct air_buffer *content);
bool air_frame_write(int socket, air_span frame);

#endif
