/* SPDX-License-Identifier: MIT */
#ifndef AIR_ACME_AUTHORIZATION_H
#define AIR_ACME_AUTHORIZATION_H

/*
 * Authorizations and their challenges (RFC 8555 sections 7.1.4, 7.5 and 8).
 */

#include "src/acme/problem.h"
#include "src/acme/token.h"
#include "src/base/name.h"
#include "thinair/jose.h"

/* Largest authorization that is read, in bytes, and most challenges looked at (hardening 3.6). */
#define AIR_AUTHORIZATION_SIZE_MAX 65536
#define AIR_AUTHORIZATION_CHALLENGES_MAX 16

/* Longest key authorization: token "." thumbprint. */
#define AIR_KEY_AUTHORIZATION_SIZE_MAX (AIR_TOKEN_SIZE_MAX + 1 + AIR_THUMBPRINT_SIZE)

enum air_authorization_status {
    AIR_AUTHORIZATION_UNKNOWN, /* a status of the future */
    AIR_AUTHORIZATION_PENDING,
    AIR_AUTHORIZATION_VALID,
    AIR_AUTHORIZATION_LOST /* invalid, deactivated, expired or revoked */
};

/* One authorization, with the challenge that is to be answered. */
struct air_authorization {
    enum air_authorization_status status;
    char name[AIR_NAME_SIZE_MAX];
    size_t name_size;
    enum air_challenge_type challenge; /* AIR_CHALLENGE_NONE: none of the wanted ones is offered */
    bool is_answered;                  /* the CA is at it already: status "processing" or later */
    char url[2048];                    /* of the challenge */
    size_t url_size;
    char token[AIR_TOKEN_SIZE_MAX];
    size_t token_size;
    struct air_problem problem; /* of the failed challenge, when the authorization is lost */
};

/*
 * Read an authorization and choose a challenge: the first of `wanted` that it offers with an
 * acceptable URL and token.
 *
 * text  The failed challenge's error as a sentence is appended, when there is one.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, AIR_ERR_LIMIT, or AIR_ERR_MALFORMED: not an object, no status,
 * or an identifier that is not a DNS name.
 */
enum air_error air_authorization_read(air_span body, air_span directory_url,
    const enum air_challenge_type *wanted, size_t wanted_count, struct air_authorization *out,
    struct air_buffer *text);

/* Append the key authorization of a token: token "." thumbprint (RFC 8555 section 8.1). */
enum air_error air_key_authorization_write(
    air_span token, const char thumbprint[AIR_THUMBPRINT_SIZE], struct air_buffer *out);

#endif
