/* SPDX-License-Identifier: MIT */
#ifndef AIR_DRIVER_TRANSFER_H
#define AIR_DRIVER_TRANSFER_H

/*
 * One request to a CA and its answer, on one of curl's easy handles. transfer.c sends, answer.c
 * receives.
 */

#include "driver/work.h"

/* Caps of an answer (hardening.md 3.6): lines and bytes of its head, 1xx and trailers included. */
#define AIR_TRANSFER_LINES_MAX 64
#define AIR_TRANSFER_HEAD_SIZE_MAX 16384

/* Longest trust label (struct air_authority_spec). */
#define AIR_TRANSFER_TRUST_SIZE_MAX 1024

/* Where a header is in the head. */
struct air_header_mark {
    size_t name_at;
    size_t name_size;
    size_t value_at;
    size_t value_size;
};

struct air_transfer {
    struct air_transfer *next; /* while at rest */
    CURL *easy;
    struct air_work *work; /* NULL while at rest */
    char url[AIR_URL_SIZE_MAX + 1];
    char trust[AIR_TRANSFER_TRUST_SIZE_MAX + 1]; /* the label that the handle is set to */
    bool has_trust;
    char error_text[CURL_ERROR_SIZE];
    air_time_ms deadline_boot_ms;
    uint32_t redirects_count;
    bool is_starved;

    /* the answer */
    enum air_error refusal; /* why answer.c ended the transfer */
    size_t lines_count;     /* of headers and trailers */
    size_t head_size;
    bool is_head_complete; /* no head is being read */
    struct air_buffer head;
    struct air_buffer body;
    struct air_header_mark marks[AIR_TRANSFER_LINES_MAX];
    struct air_http_header headers[AIR_TRANSFER_LINES_MAX];
    size_t headers_count;
};

/* curl's CURLOPT_HEADERFUNCTION and CURLOPT_WRITEFUNCTION; context is the transfer. */
size_t air_answer_on_header(char *data, size_t size, size_t count, void *context);
size_t air_answer_on_body(char *data, size_t size, size_t count, void *context);

/* Forget the answer so far; its body may have up to body_max bytes. */
void air_answer_reset(struct air_transfer *transfer, size_t body_max);

/* The answer as the engine wants it; points into the transfer. */
void air_answer_result(struct air_transfer *transfer, struct air_http_result *out);

/* What an end of curl's means to the engine; on failure the work is explained, with the host's
 * name. */
enum air_error air_answer_error(struct air_transfer *transfer, CURLcode code);

/* Whether a URL begins with "https://", in any case (RFC 3986 section 3.1). */
bool air_transfer_is_https(const char *url);

/* Host and port of an https URL, as they are written there. */
air_span air_transfer_host(const char *url);

#endif
