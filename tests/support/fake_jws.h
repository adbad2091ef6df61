/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_SUPPORT_FAKE_JWS_H
#define AIR_TEST_SUPPORT_FAKE_JWS_H

/* What the fake CA reads of a request before it knows the key. */

#include "src/base/json.h"

/* The protected header of a JWS, yours to give back, or NULL. */
json_t *air_fake_jws_header(air_span body);

/* The number that an account's URL ends with; 0: with none. */
size_t air_fake_jws_account(air_span kid);

#endif
