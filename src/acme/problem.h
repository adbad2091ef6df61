/* SPDX-License-Identifier: MIT */
#ifndef AIR_ACME_PROBLEM_H
#define AIR_ACME_PROBLEM_H

/*
 * Problem documents (RFC 7807 as RFC 8555 section 6.7 uses it): the CA's refusal is data.
 */

#include <jansson.h>

#include "thinair/action.h"

/* The error types that change what we do, and the rest. One row each in the table of problem.c. */
enum air_problem_type {
    AIR_PROBLEM_OTHER,
    AIR_PROBLEM_BAD_NONCE,
    AIR_PROBLEM_RATE_LIMITED,
    AIR_PROBLEM_SERVER_INTERNAL,
    AIR_PROBLEM_ORDER_NOT_READY,
    AIR_PROBLEM_ACCOUNT_DOES_NOT_EXIST,
    AIR_PROBLEM_USER_ACTION_REQUIRED,
    AIR_PROBLEM_VALIDATION,
    AIR_PROBLEM_CONFIGURATION
};

/* What to do about a refusal. */
enum air_remedy {
    AIR_REMEDY_REPEAT,    /* at once, with the nonce that came */
    AIR_REMEDY_WAIT,      /* the same request, later: Retry-After, or growing waits */
    AIR_REMEDY_REPAIR,    /* renew something of ours first: the account, the view of the order */
    AIR_REMEDY_NEW_ORDER, /* this order is lost; another one after a pause */
    AIR_REMEDY_GIVE_UP    /* fails until a person changes something: at most twice a day */
};

struct air_problem {
    enum air_problem_type type;
    enum air_remedy remedy;
    air_time_ms retry_after_ms; /* from now; -1: the CA named none */
};

/* Longest sentence made of a problem, in bytes (hardening 3.6). */
#define AIR_PROBLEM_TEXT_SIZE_MAX 480

/*
 * Read the refusal in a response whose status is not 2xx, and append it as one sentence for the
 * operator: type, detail, and what each subproblem says. A body that is no problem document gives a
 * sentence with the status.
 *
 * Returns AIR_OK or AIR_ERR_NO_MEMORY.
 */
enum air_error air_problem_read(const struct air_http_result *response, air_time_ms now_wall_ms,
    struct air_problem *out, struct air_buffer *text);

/* The same for a problem inside another object: a challenge's or an order's "error" member. May
 * be NULL. */
enum air_error air_problem_read_object(
    const json_t *object, struct air_problem *out, struct air_buffer *text);

#endif
