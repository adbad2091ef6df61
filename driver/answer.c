/* SPDX-License-Identifier: MIT */
/*
 * What comes back from a CA: head and body as curl hands them over, and what an error of curl's
 * means.
 *
 * Sending is transfer.c. Invariant: nothing is kept beyond the caps, which are enforced while the
 * answer streams in (R-A8); names and values are the CA's bytes, judged by the engine.
 */
#include <curl/curl.h>

#include "driver/transfer.h"
#include "src/base/span.h"

#define SCHEME "https://"

static size_t refuse(struct air_transfer *transfer, enum air_error error, const char *what);
static void keep_header(struct air_transfer *transfer, air_span line);

/* The ends of curl's that are not the network's fault. */
static const struct {
    CURLcode code;
    enum air_error error;
} meanings[] = {
    {CURLE_OK, AIR_OK},
    {CURLE_OUT_OF_MEMORY, AIR_ERR_NO_MEMORY},
    {CURLE_URL_MALFORMAT, AIR_ERR_MALFORMED},
    {CURLE_LOGIN_DENIED, AIR_ERR_MALFORMED},
    {CURLE_OPERATION_TIMEDOUT, AIR_ERR_TIMEOUT},
    {CURLE_SSL_CONNECT_ERROR, AIR_ERR_TLS},
    {CURLE_PEER_FAILED_VERIFICATION, AIR_ERR_TLS},
    {CURLE_SSL_CERTPROBLEM, AIR_ERR_TLS},
    {CURLE_SSL_CIPHER, AIR_ERR_TLS},
    {CURLE_SSL_CACERT_BADFILE, AIR_ERR_TLS},
    {CURLE_SSL_CRL_BADFILE, AIR_ERR_TLS},
    {CURLE_SSL_ISSUER_ERROR, AIR_ERR_TLS},
    {CURLE_SSL_INVALIDCERTSTATUS, AIR_ERR_TLS},
    {CURLE_SSL_ENGINE_NOTFOUND, AIR_ERR_TLS},
    {CURLE_SSL_ENGINE_SETFAILED, AIR_ERR_TLS},
    {CURLE_SSL_SHUTDOWN_FAILED, AIR_ERR_TLS},
    {CURLE_USE_SSL_FAILED, AIR_ERR_TLS},
};

size_t air_answer_on_header(char *data, size_t size, size_t count, void *context) {
    struct air_transfer *transfer = context;
    air_span line = air_span_of(data, size * count);

    transfer->head_size += line.size;
    if (transfer->head_size > AIR_TRANSFER_HEAD_SIZE_MAX) {
        return refuse(transfer, AIR_ERR_LIMIT, "the head of its answer is too long");
    }
    if (transfer->is_head_complete && air_span_starts_with(line, "HTTP/")) {
        /* The first head, or the one after a 1xx answer (RFC 9110 section 15.2). */
        air_buffer_clear(&transfer->head);
        transfer->headers_count = 0;
        transfer->is_head_complete = false;
        return line.size;
    }
    if (air_span_trim(line).size == 0) {
        transfer->is_head_complete = true;
        return line.size;
    }
    if (transfer->lines_count == AIR_TRANSFER_LINES_MAX) {
        return refuse(transfer, AIR_ERR_LIMIT, "its answer has too many headers");
    }
    transfer->lines_count++;
    if (!transfer->is_head_complete) { /* else a trailer: nothing of ours is there */
        keep_header(transfer, line);
    }
    if (transfer->head.error != AIR_OK) {
        return refuse(transfer, transfer->head.error, "its answer does not fit in memory");
    }
    return line.size;
}

size_t air_answer_on_body(char *data, size_t size, size_t count, void *context) {
    struct air_transfer *transfer = context;

    if (air_buffer_append(&transfer->body, data, size * count) == AIR_OK) {
        return size * count;
    }
    if (transfer->body.error == AIR_ERR_LIMIT) {
        return refuse(transfer, AIR_ERR_LIMIT, "its answer is longer than this request allows");
    }
    return refuse(transfer, transfer->body.error, "its answer does not fit in memory");
}

void air_answer_reset(struct air_transfer *transfer, size_t body_max) {
    air_buffer_deinit(&transfer->head);
    air_buffer_deinit(&transfer->body);
    air_buffer_init(&transfer->head, AIR_TRANSFER_HEAD_SIZE_MAX);
    air_buffer_init(&transfer->body, body_max);
    transfer->refusal = AIR_OK;
    transfer->lines_count = 0;
    transfer->head_size = 0;
    transfer->headers_count = 0;
    transfer->is_head_complete = true;
    transfer->error_text[0] = '\0';
}

void air_answer_result(struct air_transfer *transfer, struct air_http_result *out) {
    const uint8_t *head = transfer->head.data;
    long status = 0;

    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    for (size_t i = 0; i < transfer->headers_count; i++) {
        const struct air_header_mark *mark = &transfer->marks[i];

        transfer->headers[i].name = air_span_of(head + mark->name_at, mark->name_size);
        transfer->headers[i].value = air_span_of(head + mark->value_at, mark->value_size);
    }
    out->status = (uint32_t)status;
    out->headers = transfer->headers;
    out->headers_count = transfer->headers_count;
    out->body = air_buffer_span(&transfer->body);
}

enum air_error air_answer_error(struct air_transfer *transfer, CURLcode code) {
    const char *text = transfer->error_text;
    air_span host = air_transfer_host(transfer->url);
    enum air_error error = AIR_ERR_NETWORK;

    if (transfer->refusal != AIR_OK) {
        return transfer->refusal;
    }
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (meanings[i].code == code) {
            error = meanings[i].error;
        }
    }
    if (text[0] == '\0') {
        text = curl_easy_strerror(code);
    }
    if (code == CURLE_SSL_CACERT_BADFILE) {
        air_work_explain(transfer->work, "%.*s: the file of roots to believe, %s, cannot be used",
            (int)host.size, (const char *)host.data, transfer->trust);
    } else if (error != AIR_OK) {
        air_work_explain(transfer->work, "%.*s: %s", (int)host.size, (const char *)host.data, text);
    }
    return error;
}

bool air_transfer_is_https(const char *url) {
    air_span scheme = air_span_take(air_span_text(url), sizeof(SCHEME) - 1);

    return air_span_equal_nocase(scheme, air_span_text(SCHEME));
}

air_span air_transfer_host(const char *url) {
    air_span rest = air_span_text(url);
    size_t size = 0;

    if (air_transfer_is_https(url)) {
        rest = air_span_skip(rest, sizeof(SCHEME) - 1);
    }
    while (size < rest.size && rest.data[size] != '/' && rest.data[size] != '?' &&
           rest.data[size] != '#') {
        size++;
    }
    return air_span_take(rest, size);
}

/* End the transfer: curl takes any other count than the line's for that. */
static size_t refuse(struct air_transfer *transfer, enum air_error error, const char *what) {
    air_span host = air_transfer_host(transfer->url);

    transfer->refusal = error;
    air_work_explain(transfer->work, "%.*s: %s", (int)host.size, (const char *)host.data, what);
    return 0;
}

/* A folded line, or one without a colon, is no header of ours and is left out. */
static void keep_header(struct air_transfer *transfer, air_span line) {
    size_t colon = air_span_find(line, ':');
    air_span name = air_span_take(line, colon);
    air_span value = air_span_trim(air_span_skip(line, colon + 1));
    struct air_header_mark *mark = &transfer->marks[transfer->headers_count];

    if (colon == line.size || air_span_trim(name).size != name.size || name.size == 0) {
        return;
    }
    mark->name_at = transfer->head.size;
    mark->name_size = name.size;
    mark->value_at = mark->name_at + name.size;
    mark->value_size = value.size;
    air_buffer_append_span(&transfer->head, name);
    air_buffer_append_span(&transfer->head, value);
    transfer->headers_count++;
}
