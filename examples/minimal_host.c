/* SPDX-License-Identifier: MIT */
/*
 * The engine driven by hand, by a host that blocks: it obtains a P-256 certificate by http-01 and
 * ends. WEBROOT is what a web server shows as http://NAME/; ROOTS says which CA to believe.
 *     minimal_host NAME WEBROOT STATE_DIRECTORY DIRECTORY_URL ROOTS
 */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "thinair/engine.h"
#include "thinair/files.h"
#include "thinair/openssl.h"

static const char *webroot, *roots;
static CURL *easy;
static struct air_buffer body; /* of the latest response */
static bool is_done;

static air_span text(const char *from) {
    return (air_span){(const uint8_t *)from, strlen(from)};
}

static size_t on_body(char *data, size_t size, size_t count, void *context) {
    (void)context;
    return air_buffer_append(&body, data, size * count) == AIR_OK ? size * count : 0;
}

static enum air_error http(const struct air_http_action *http, struct air_http_result *out) {
    static struct air_http_header headers[64];
    static char url[AIR_URL_SIZE_MAX + 1];
    struct curl_slist *jose = curl_slist_append(NULL, "Content-Type: application/jose+json");
    struct curl_header *header = NULL;
    long status = 0, n = 0;
    snprintf(url, sizeof(url), "%.*s", (int)http->url.size, (const char *)http->url.data);
    air_buffer_clear(&body);
    body.size_max = http->body_max;
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_CAINFO, roots);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "minimal-host/1.0");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)http->deadline_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_NOBODY, http->method.data[0] == 'H' ? 1L : 0L);
    if (http->body.size > 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)http->body.size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, http->body.data);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, jose);
    }
    const CURLcode code = curl_easy_perform(easy);
    curl_slist_free_all(jose);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    for (; n < 64 && (header = curl_easy_nextheader(easy, CURLH_HEADER, -1, header)); n++) {
        headers[n] = (struct air_http_header){text(header->name), text(header->value)};
    }
    *out = (struct air_http_result){(uint32_t)status, headers, (size_t)n, air_buffer_span(&body)};
    return code == CURLE_OK ? AIR_OK : AIR_ERR_NETWORK;
}

/* The answer to a challenge is a file that the web server shows (RFC 8555 section 8.3). */
static enum air_error publish(const struct air_publish_action *publish, bool is_shown) {
    char path[1024];
    snprintf(path, sizeof(path), "%s/.well-known/acme-challenge/%.*s", webroot,
        (int)publish->token.size, (const char *)publish->token.data);
    FILE *file = fopen(path, "w");
    const air_span answer = publish->key_authorization;
    if (file == NULL || fwrite(answer.data, 1, answer.size, file) != answer.size) {
        return AIR_ERR_STORAGE;
    }
    return fclose(file) == 0 && (is_shown || remove(path) == 0) ? AIR_OK : AIR_ERR_STORAGE;
}

/* What is not storage. Keys and signatures are quick here: the crypto port answers them at once. */
static enum air_error carry_out(const struct air_action *action, struct air_result *result) {
    const enum air_event_kind event = action->event.event;
    if (action->kind == AIR_ACTION_HTTP) {
        return http(&action->http, &result->http);
    }
    if (action->kind == AIR_ACTION_PUBLISH || action->kind == AIR_ACTION_WITHDRAW) {
        return publish(&action->publish, action->kind == AIR_ACTION_PUBLISH);
    }
    if (action->kind == AIR_ACTION_EVENT) {
        printf("%s\n", air_event_text(event));
        is_done |= event == AIR_EVENT_INSTALLED || event == AIR_EVENT_VALID;
    }
    return AIR_ERR_UNSUPPORTED; /* it serves nothing itself: it neither proves nor installs */
}

static struct air_time now(void) {
    struct timespec wall, boot;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (struct air_time){(air_time_ms)wall.tv_sec * 1000 + wall.tv_nsec / 1000000,
        (air_time_ms)boot.tv_sec * 1000 + boot.tv_nsec / 1000000};
}

/* Until the certificate is there: do what the engine asks, else sleep. */
static enum air_error run(struct air_engine *engine, struct air_storage *storage) {
    enum air_error error = AIR_OK;
    while (error == AIR_OK && !is_done) {
        const struct air_action *action = NULL;
        struct air_carried carried;
        error = air_engine_next(engine, now(), &action);
        if (action == NULL) {
            const air_time_ms left_ms = air_engine_wakeup(engine) - now().boot_ms;
            const struct timespec nap = {left_ms / 1000, left_ms % 1000 * 1000000};
            nanosleep(&nap, NULL);
            continue;
        }
        air_storage_carry_out(storage, action, &carried);
        if (carried.result.error == AIR_ERR_UNSUPPORTED) {
            carried.result.error = carry_out(action, &carried.result);
        }
        error = air_engine_complete(engine, action->id, &carried.result, now());
        air_carried_deinit(&carried);
    }
    return error;
}

int main(int count, char **arguments) {
    struct air_crypto *crypto = NULL;
    struct air_storage *storage = NULL;
    struct air_engine *engine = NULL;
    easy = curl_easy_init(); /* keeps its connection */
    if (count != 6 || easy == NULL || air_crypto_openssl_new(&crypto) != AIR_OK ||
        air_storage_files_new(arguments[3], AIR_FILES_CREATE, &storage, NULL) != AIR_OK) {
        return 2;
    }
    const air_span name = text(arguments[1]);
    const enum air_challenge_type http_01 = AIR_HTTP_01;
    const struct air_engine_config config = {.size = sizeof(config), .crypto = crypto};
    struct air_authority_spec authority = {.size = sizeof(authority), .terms_agreed = true};
    struct air_certificate_spec certificate = {.size = sizeof(certificate), .names = &name};
    webroot = arguments[2], roots = arguments[5];
    authority.directory_url = certificate.directory_url = text(arguments[4]);
    certificate.names_count = certificate.challenges_count = 1;
    certificate.challenges = &http_01;
    const bool is_fine = air_engine_new(&config, &engine) == AIR_OK &&
                         air_engine_authority_set(engine, &authority) == AIR_OK &&
                         air_engine_certificate_set(engine, &certificate, NULL) == AIR_OK &&
                         run(engine, storage) == AIR_OK;
    air_engine_free(engine);
    air_storage_files_free(storage);
    air_crypto_openssl_free(crypto);
    air_buffer_deinit(&body);
    curl_easy_cleanup(easy);
    return is_fine ? 0 : 1;
}
