/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_ORDER_SUPPORT_H
#define AIR_TEST_ORDER_SUPPORT_H

/* What the tests of the order service's readers share: requests from files, and refusals. */

#include "hosts/haproxy/form.h"
#include "hosts/haproxy/order_request.h"

/* A private key in PEM, as far as these readers look. */
#define AIR_TEST_KEY "-----BEGIN PRIVATE KEY-----\nS0VZ\nS0VZ\n-----END PRIVATE KEY-----\n"
#define AIR_TEST_KEY_2 "-----BEGIN PRIVATE KEY-----\r\nS0VZ\r\n-----END PRIVATE KEY-----\r\n"

/* A request that was captured: the Content-Type up to the first line feed, then the body. */
struct air_test_request {
    uint8_t bytes[8192];
    air_span content_type;
    air_span body;
};

/* Read a file of the fuzzers' corpus, "form/curl_files". */
void air_test_request_load(const char *name, struct air_test_request *out);

/* A form is refused with that error, status and sentence, and leaves nothing behind. */
void air_test_refuses_form(
    air_span content_type, air_span body, enum air_error error, const char *sentence);

/* The same for a request. */
void air_test_refuses_request(
    air_span content_type, air_span body, enum air_error error, const char *sentence);

/* The status that an error has, as the order service's table says it. */
unsigned air_test_status(enum air_error error);

#endif
