/* SPDX-License-Identifier: MIT */
/*
 * The engine driven by hand: what a host does that has its own event loop, HTTP client or storage.
 * Here everything blocks, in the order in which the engine asks. It obtains one P-256 certificate
 * by http-01, which the CA must find on PORT as port 80 of NAME, and ends. ROOTS: whom to believe.
 *
 *     minimal_host NAME PORT STATE_DIRECTORY DIRECTORY_URL ROOTS
 */
#include <curl/curl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "thinair/engine.h"
#include "thinair/files.h"
#include "thinair/openssl.h"

static struct air_engine *engine;
static struct air_storage *storage;
static struct air_crypto *crypto;
static struct air_buffer buffers[AIR_STORAGE_PUTS_MAX]; /* of the action being carried out */
static char request_line[400], key_authorization[512];  /* what the CA asks, what it is told */
static size_t line_size, answer_size;
static bool is_done;

static air_span text(const char *from) {
    return (air_span){(const uint8_t *)from, strlen(from)};
}

static size_t on_body(char *data, size_t size, size_t count, void *body) {
    return air_buffer_append(body, data, size * count) == AIR_OK ? size * count : 0;
}

static enum air_error http(const struct air_http_action *http, struct air_http_result *out) {
    static struct air_http_header headers[64];
    static CURL *easy;
    struct curl_header *header = NULL;
    struct curl_slist *jose = curl_slist_append(NULL, "Content-Type: application/jose+json");
    char url[AIR_URL_SIZE_MAX + 1], roots[1025], method[8];
    long status = 0;

    snprintf(url, sizeof(url), "%.*s", (int)http->url.size, (const char *)http->url.data);
    snprintf(roots, sizeof(roots), "%.*s", (int)http->trust.size, (const char *)http->trust.data);
    snprintf(
        method, sizeof(method), "%.*s", (int)http->method.size, (const char *)http->method.data);
    easy = easy != NULL ? easy : curl_easy_init(); /* keeps its connection */
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_CAINFO, roots);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "minimal-host/1.0 libcurl");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)http->deadline_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &buffers[0]);
    curl_easy_setopt(easy, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
    if (strcmp(method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)http->body.size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, http->body.data);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, jose);
    }
    CURLcode code = curl_easy_perform(easy);
    curl_slist_free_all(jose);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    while (out->headers_count < 64 &&
           (header = curl_easy_nextheader(easy, CURLH_HEADER, -1, header)) != NULL) {
        headers[out->headers_count++] =
            (struct air_http_header){text(header->name), text(header->value)};
    }
    out->status = (uint32_t)status;
    out->headers = headers;
    out->body = air_buffer_span(&buffers[0]);
    return code == CURLE_OK ? AIR_OK : AIR_ERR_NETWORK;
}

static bool visit(void *context, air_span segment) {
    static air_span segments[AIR_STORAGE_PUTS_MAX];
    struct air_list_result *list = context;

    list->has_more = list->segments_count == AIR_STORAGE_PUTS_MAX;
    if (list->has_more) {
        return false;
    }
    air_buffer_append_span(&buffers[list->segments_count], segment);
    segments[list->segments_count] = air_buffer_span(&buffers[list->segments_count]);
    list->segments = segments;
    list->segments_count++;
    return true;
}

static void read_records(const struct air_read_action *read, struct air_read_result *out) {
    static struct air_record records[AIR_STORAGE_PUTS_MAX];

    for (size_t i = 0; i < read->paths_count; i++) {
        records[i].error =
            storage->read(storage->self, read->paths[i], &buffers[i], &records[i].version);
        records[i].value = air_buffer_span(&buffers[i]);
    }
    out->records = records;
    out->records_count = read->paths_count;
}

/* One name has one challenge at a time. */
static enum air_error publish(const struct air_publish_action *publish) {
    answer_size = publish->key_authorization.size;
    if (answer_size > sizeof(key_authorization)) {
        return AIR_ERR_LIMIT;
    }
    memcpy(key_authorization, publish->key_authorization.data, answer_size);
    line_size = (size_t)snprintf(request_line, sizeof(request_line),
        "GET /.well-known/acme-challenge/%.*s HTTP/1.1\r\n", (int)publish->token.size,
        (const char *)publish->token.data);
    return AIR_OK;
}

static enum air_error carry_out(const struct air_action *action, struct air_result *result) {
    switch (action->kind) {
    case AIR_ACTION_HTTP:
        return http(&action->http, &result->http);
    case AIR_ACTION_READ:
        read_records(&action->read, &result->read);
        return AIR_OK;
    case AIR_ACTION_WRITE:
        return storage->write(
            storage->self, &action->write.guard, action->write.puts, action->write.puts_count);
    case AIR_ACTION_LIST:
        return storage->list(
            storage->self, action->list.prefix, action->list.after, visit, &result->list);
    case AIR_ACTION_LOCK:
        return storage->lock(storage->self, action->lock.path, &result->lock.fence);
    case AIR_ACTION_UNLOCK:
        return storage->unlock(storage->self, action->lock.path);
    case AIR_ACTION_PUBLISH:
        return publish(&action->publish);
    case AIR_ACTION_WITHDRAW:
        line_size = 0;
        return AIR_OK;
    case AIR_ACTION_EVENT:
        printf("%s: %.*s\n", air_event_text(action->event.event), (int)action->event.text.size,
            (const char *)action->event.text.data);
        is_done = is_done || action->event.event == AIR_EVENT_INSTALLED ||
                  action->event.event == AIR_EVENT_VALID;
        return AIR_OK;
    case AIR_ACTION_GENERATE_KEY: /* P-256 is quick: done by the crypto port at once */
    case AIR_ACTION_SIGN:
    case AIR_ACTION_PROVE: /* it serves nothing itself */
    case AIR_ACTION_INSTALL:
    case AIR_ACTION_CANCEL: /* nothing is ever under way */
        break;
    }
    return AIR_ERR_UNSUPPORTED;
}

/* One HTTP request of the CA's (RFC 8555 section 8.3). */
static void answer(int client) {
    char request[4096], head[128];
    ssize_t size = recv(client, request, sizeof(request), 0); /* a CA sends it in one piece */
    bool is_found = line_size > 0 && size >= (ssize_t)line_size &&
                    memcmp(request, request_line, line_size) == 0;
    size_t body_size = is_found ? answer_size : 0;

    snprintf(head, sizeof(head),
        "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
        "Connection: close\r\n\r\n",
        is_found ? "200 OK" : "404 Not Found", body_size);
    send(client, head, strlen(head), MSG_NOSIGNAL);
    send(client, key_authorization, body_size, MSG_NOSIGNAL);
    close(client);
}

static air_time_ms read_clock(clockid_t id) {
    struct timespec at;

    clock_gettime(id, &at);
    return (air_time_ms)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static struct air_time now(void) {
    return (struct air_time){read_clock(CLOCK_REALTIME), read_clock(CLOCK_BOOTTIME)};
}

/* Until the certificate is there: do what the engine asks, else answer the CA. */
static enum air_error run(int listener) {
    while (!is_done) {
        const struct air_action *action = NULL;
        struct air_result result = {0};
        enum air_error error = air_engine_next(engine, now(), &action);

        if (error != AIR_OK) {
            return error;
        }
        if (action == NULL) {
            struct pollfd wait = {.fd = listener, .events = POLLIN};
            air_time_ms left_ms = air_engine_wakeup(engine) - now().boot_ms;

            if (poll(&wait, 1, left_ms > 0 ? (int)left_ms : 0) == 1) {
                answer(accept(listener, NULL, NULL));
            }
            continue;
        }
        result.error = carry_out(action, &result);
        if (action->kind != AIR_ACTION_EVENT && action->kind != AIR_ACTION_CANCEL) {
            error = air_engine_complete(engine, action->id, &result, now());
        }
        for (size_t i = 0; i < AIR_STORAGE_PUTS_MAX; i++) {
            air_buffer_clear(&buffers[i]);
        }
        if (error != AIR_OK) {
            return error;
        }
    }
    return AIR_OK;
}

int main(int count, char **arguments) {
    const enum air_challenge_type challenge = AIR_HTTP_01;
    struct air_engine_config config = {.size = sizeof(config)};
    struct air_authority_spec authority = {.size = sizeof(authority), .terms_agreed = true};
    struct air_certificate_spec certificate = {.size = sizeof(certificate)};
    struct sockaddr_in address = {.sin_family = AF_INET};
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

    if (count != 6) {
        return 2;
    }
    for (size_t i = 0; i < AIR_STORAGE_PUTS_MAX; i++) {
        air_buffer_init(&buffers[i], AIR_STORAGE_VALUE_SIZE_MAX);
    }
    air_span name = text(arguments[1]);
    address.sin_port = htons((uint16_t)strtoul(arguments[2], NULL, 10));
    authority.directory_url = text(arguments[4]);
    authority.trust = text(arguments[5]);
    certificate.directory_url = authority.directory_url;
    certificate.names = &name;
    certificate.names_count = 1;
    certificate.challenges = &challenge;
    certificate.challenges_count = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 16) != 0 || air_crypto_openssl_new(&crypto) != AIR_OK ||
        air_storage_files_new(arguments[3], AIR_FILES_CREATE, &storage, NULL) != AIR_OK) {
        fprintf(stderr, "port %s or directory %s cannot be used\n", arguments[2], arguments[3]);
        return 1;
    }
    config.crypto = crypto;
    bool is_fine = air_engine_new(&config, &engine) == AIR_OK &&
                   air_engine_authority_set(engine, &authority) == AIR_OK &&
                   air_engine_certificate_set(engine, &certificate, NULL) == AIR_OK &&
                   run(listener) == AIR_OK;
    printf("%s/live/%s/\n", arguments[3], arguments[1]);
    air_engine_free(engine);
    air_storage_files_free(storage);
    air_crypto_openssl_free(crypto);
    for (size_t i = 0; i < AIR_STORAGE_PUTS_MAX; i++) {
        air_buffer_deinit(&buffers[i]);
    }
    return is_fine ? 0 : 1;
}
