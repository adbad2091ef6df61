/* SPDX-License-Identifier: MIT */
#ifndef AIR_ACME_TOKEN_H
#define AIR_ACME_TOKEN_H

/*
 * Tokens and nonces: base64url text that the CA chose (RFC 8555 sections 6.5.1 and 8.3, R-A2).
 */

#include "thinair/buffer.h"

#define AIR_TOKEN_SIZE_MAX 256

/* 1 to AIR_TOKEN_SIZE_MAX characters of the base64url alphabet. */
bool air_token_is_valid(air_span token);

/*
 * Append text from the network for an operator's eyes: control bytes and bytes over 0x7e as \xNN,
 * at most size_max bytes of output, "..." where it was cut (hardening 3.6).
 */
enum air_error air_text_escape(air_span text, size_t size_max, struct air_buffer *out);

#endif
