/* SPDX-License-Identifier: MIT */
/*
 * Requests to CAs over one curl multi handle: connections, TLS sessions and the parsed roots are
 * kept from one request to the next.
 *
 * What the sockets wait for is sockets.c, what comes back is answer.c. Invariant: only verified
 * https leaves here (R-A3), only as the action says: no proxy, cookie or credential of the
 * environment, no redirect for a signed request or to another host.
 */
#include <string.h>

#include "driver/clock.h"
#include "driver/transfer.h"
#include "src/base/memory.h"
#include "src/base/span.h"

#define CONNECT_TIMEOUT_MS 10000L /* with the TLS handshake (hardening.md 3.6) */
#define DEADLINE_DEFAULT_MS 60000 /* for an action that names none */
#define REDIRECTS_MAX 3
#define HOST_CONNECTIONS_MAX 16L
#define CONNECTIONS_KEPT_MAX 32L
#define ROOTS_KEPT_S 86400L /* the file is read again after that */

static struct air_transfer *transfer_new(struct air_driver *driver);
static void transfer_free(struct air_transfer *transfer);
static bool set_for_life(struct air_driver *driver, struct air_transfer *transfer);
static enum air_error set_for_request(struct air_transfer *transfer);
static enum air_error set_method(struct air_transfer *transfer);
static enum air_error set_trust(struct air_transfer *transfer);
static enum air_error copy_text(air_span from, char *to, size_t to_size);
static enum air_error send_request(struct air_transfer *transfer);
static bool is_redirected(struct air_transfer *transfer);
static void ended(struct air_transfer *transfer, CURLcode code);
static void drop(struct air_work *work);

enum air_error air_transfers_init(struct air_driver *driver) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return AIR_ERR_NO_MEMORY;
    }
    driver->is_curl_open = true;
    driver->multi = curl_multi_init();
    driver->share = curl_share_init();
    driver->headers = curl_slist_append(NULL, "Accept-Language: en");
    driver->post_headers = curl_slist_append(NULL, "Accept-Language: en");
    if (driver->multi == NULL || driver->share == NULL || driver->headers == NULL ||
        driver->post_headers == NULL ||
        curl_slist_append(driver->post_headers, "Content-Type: application/jose+json") == NULL ||
        curl_slist_append(driver->post_headers, "Expect:") == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    if (curl_share_setopt(driver->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) !=
            CURLSHE_OK ||
        curl_multi_setopt(driver->multi, CURLMOPT_MAX_HOST_CONNECTIONS, HOST_CONNECTIONS_MAX) !=
            CURLM_OK ||
        curl_multi_setopt(driver->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT_MAX) != CURLM_OK) {
        return AIR_ERR_NO_MEMORY;
    }
    return air_sockets_init(driver);
}

void air_transfers_deinit(struct air_driver *driver) {
    while (driver->transfers != NULL) {
        struct air_transfer *transfer = driver->transfers;

        driver->transfers = transfer->next;
        transfer_free(transfer);
    }
    if (driver->multi != NULL) {
        (void)curl_multi_cleanup(driver->multi);
    }
    if (driver->share != NULL) {
        (void)curl_share_cleanup(driver->share);
    }
    curl_slist_free_all(driver->headers);
    curl_slist_free_all(driver->post_headers);
    if (driver->is_curl_open) {
        curl_global_cleanup();
    }
}

void air_transfer_start(struct air_work *work) {
    struct air_driver *driver = work->driver;
    struct air_transfer *transfer = driver->transfers;
    enum air_error error;

    if (transfer != NULL) {
        driver->transfers = transfer->next;
        driver->transfers_count--;
    } else {
        transfer = transfer_new(driver);
    }
    if (transfer == NULL) {
        air_work_finish(work, AIR_ERR_NO_MEMORY);
        return;
    }
    transfer->work = work;
    work->part = transfer;
    work->drop = drop;
    error = set_for_request(transfer);
    if (error == AIR_OK) {
        error = send_request(transfer);
    }
    if (error != AIR_OK) {
        air_work_finish(work, error);
    }
}

void air_transfer_stop(struct air_work *work, enum air_error error) {
    struct air_transfer *transfer = work->part;

    (void)curl_multi_remove_handle(work->driver->multi, transfer->easy);
    air_work_finish(work, error);
}

void air_transfers_collect(struct air_driver *driver) {
    CURLMsg *message;
    int left = 0;

    while ((message = curl_multi_info_read(driver->multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        struct air_transfer *transfer = NULL;

        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer) == CURLE_OK) {
            (void)curl_multi_remove_handle(driver->multi, easy); /* message is gone now */
            ended(transfer, code);
        }
    }
}

void air_transfer_starve(CURL *easy) {
    struct air_transfer *transfer = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer) == CURLE_OK &&
        transfer != NULL && transfer->work != NULL) {
        transfer->is_starved = true;
        air_driver_wake(transfer->work->driver);
    }
}

void air_transfers_sweep(struct air_driver *driver) {
    struct air_work *work = driver->works;

    while (work != NULL) {
        struct air_work *next = work->next;
        struct air_transfer *transfer = work->part;

        if (work->action->kind == AIR_ACTION_HTTP && !work->is_done && transfer->is_starved) {
            air_transfer_stop(work, AIR_ERR_NO_MEMORY);
        }
        work = next;
    }
}

static void ended(struct air_transfer *transfer, CURLcode code) {
    struct air_work *work = transfer->work;
    enum air_error error;

    if (code == CURLE_OK && is_redirected(transfer)) {
        error = send_request(transfer);
        if (error == AIR_OK) {
            return;
        }
    } else {
        error = air_answer_error(transfer, code);
    }
    if (error == AIR_OK) {
        air_answer_result(transfer, &work->result.http);
    }
    air_work_finish(work, error);
}

/*
 * Whether the answer is a redirect to follow: of a GET, to the same host and port, only so many
 * times. Its target is the transfer's URL then; else the answer stands as it is. (curl's own
 * following knows no such rules.)
 */
static bool is_redirected(struct air_transfer *transfer) {
    char *text = NULL;

    if (!air_span_equal_text(transfer->work->action->http.method, "GET") ||
        transfer->redirects_count == REDIRECTS_MAX ||
        curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &text) != CURLE_OK ||
        text == NULL) {
        return false;
    }
    if (!air_transfer_is_https(text) ||
        !air_span_equal_nocase(air_transfer_host(text), air_transfer_host(transfer->url)) ||
        copy_text(air_span_text(text), transfer->url, sizeof(transfer->url)) != AIR_OK) {
        return false;
    }
    transfer->redirects_count++;
    return true;
}

/* Hand the request to curl, with the time that is left. */
static enum air_error send_request(struct air_transfer *transfer) {
    struct air_work *work = transfer->work;
    struct air_driver *driver = work->driver;
    air_time_ms left_ms = transfer->deadline_boot_ms - air_clock_boot_ms();

    air_answer_reset(transfer, work->action->http.body_max);
    if (left_ms <= 0) {
        left_ms = 1; /* 0 would mean no deadline */
    }
    if (curl_easy_setopt(transfer->easy, CURLOPT_URL, transfer->url) != CURLE_OK ||
        curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)left_ms) != CURLE_OK ||
        curl_multi_add_handle(driver->multi, transfer->easy) != CURLM_OK) {
        return AIR_ERR_NO_MEMORY;
    }
    atomic_fetch_add_explicit(&driver->requests_count, 1, memory_order_relaxed);
    return AIR_OK;
}

/* What this request wants, beyond what holds for all. */
static enum air_error set_for_request(struct air_transfer *transfer) {
    struct air_work *work = transfer->work;
    const struct air_http_action *http = &work->action->http;
    uint32_t deadline_ms = http->deadline_ms > 0 ? http->deadline_ms : DEADLINE_DEFAULT_MS;
    enum air_error error = copy_text(http->url, transfer->url, sizeof(transfer->url));

    transfer->redirects_count = 0;
    transfer->is_starved = false;
    transfer->deadline_boot_ms = air_clock_boot_ms() + deadline_ms;
    if (error != AIR_OK) {
        air_work_explain(work, "the URL has a blank or control character, or is too long");
        return error;
    }
    if (!air_transfer_is_https(transfer->url)) {
        air_work_explain(work, "only https leads to a CA");
        return AIR_ERR_UNSUPPORTED;
    }
    error = set_trust(transfer);
    return error == AIR_OK ? set_method(transfer) : error;
}

static enum air_error set_method(struct air_transfer *transfer) {
    const struct air_http_action *http = &transfer->work->action->http;
    const struct air_driver *driver = transfer->work->driver;
    const char *body = http->body.size > 0 ? (const char *)http->body.data : "";
    struct curl_slist *headers = driver->headers;
    CURL *easy = transfer->easy;
    bool is_set;

    if (air_span_equal_text(http->method, "GET")) {
        is_set = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    } else if (air_span_equal_text(http->method, "HEAD")) {
        is_set = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK &&
                 curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    } else if (air_span_equal_text(http->method, "POST")) {
        headers = driver->post_headers;
        is_set = curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
                 curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)http->body.size) ==
                     CURLE_OK &&
                 curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) == CURLE_OK;
    } else {
        return AIR_ERR_UNSUPPORTED;
    }
    if (!is_set || curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) != CURLE_OK) {
        return AIR_ERR_NO_MEMORY;
    }
    return AIR_OK;
}

/*
 * Roots to believe: the label's file, or the system's. curl keeps the parsed roots only when they
 * come from a file alone, so the system's directory of single files is used only without one.
 */
static enum air_error set_trust(struct air_transfer *transfer) {
    air_span trust = transfer->work->action->http.trust;
    char *file = transfer->trust;
    char *directory = NULL;

    if (transfer->has_trust && air_span_equal_text(trust, transfer->trust)) {
        return AIR_OK;
    }
    transfer->has_trust = false;
    if (trust.size >= sizeof(transfer->trust)) {
        return AIR_ERR_LIMIT;
    }
    if (trust.size > 0) {
        memcpy(transfer->trust, trust.data, trust.size);
    }
    transfer->trust[trust.size] = '\0';
    if (trust.size == 0) {
        file = NULL;
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_CAINFO, &file);
        if (file == NULL) {
            (void)curl_easy_getinfo(transfer->easy, CURLINFO_CAPATH, &directory);
        }
    }
    if (curl_easy_setopt(transfer->easy, CURLOPT_CAINFO, file) != CURLE_OK ||
        curl_easy_setopt(transfer->easy, CURLOPT_CAPATH, directory) != CURLE_OK) {
        return AIR_ERR_NO_MEMORY;
    }
    transfer->has_trust = true;
    return AIR_OK;
}

/* A URL as a terminated text. curl would cut it at a NUL; blanks and control bytes have no place
 * in one (RFC 3986 section 2). */
static enum air_error copy_text(air_span from, char *to, size_t to_size) {
    if (from.size >= to_size) {
        return AIR_ERR_LIMIT;
    }
    for (size_t i = 0; i < from.size; i++) {
        if (from.data[i] <= ' ' || from.data[i] == 0x7f) {
            return AIR_ERR_MALFORMED;
        }
        to[i] = (char)from.data[i];
    }
    to[from.size] = '\0';
    return AIR_OK;
}

static struct air_transfer *transfer_new(struct air_driver *driver) {
    struct air_transfer *transfer = air_memory_new(sizeof(*transfer));

    if (transfer == NULL) {
        return NULL;
    }
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL || !set_for_life(driver, transfer)) {
        transfer_free(transfer);
        return NULL;
    }
    return transfer;
}

/* What holds for every request. */
static bool set_for_life(struct air_driver *driver, struct air_transfer *transfer) {
    static const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_NOSIGNAL, 1}, {CURLOPT_SSL_VERIFYPEER, 1}, {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2}, {CURLOPT_CA_CACHE_TIMEOUT, ROOTS_KEPT_S},
        {CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS}, {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_DISALLOW_USERNAME_IN_URL, 1}, {CURLOPT_NETRC, CURL_NETRC_IGNORED},
        {CURLOPT_PATH_AS_IS, 1}, {CURLOPT_HTTP_CONTENT_DECODING, 0},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS}, {CURLOPT_PIPEWAIT, 1},
        {CURLOPT_QUICK_EXIT, 1}, /* never wait on the loop for a name server that is silent */
    };
    CURL *easy = transfer->easy;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (curl_easy_setopt(easy, numbers[i].option, numbers[i].value) != CURLE_OK) {
            return false;
        }
    }
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, driver->user_agent) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SHARE, driver->share) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error_text) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, air_answer_on_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, air_answer_on_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK;
}

static void transfer_free(struct air_transfer *transfer) {
    if (transfer->easy != NULL) {
        curl_easy_cleanup(transfer->easy);
    }
    air_buffer_deinit(&transfer->head);
    air_buffer_deinit(&transfer->body);
    air_memory_free(transfer, sizeof(*transfer));
}

/* The transfer rests until the next request. */
static void drop(struct air_work *work) {
    struct air_driver *driver = work->driver;
    struct air_transfer *transfer = work->part;

    transfer->work = NULL;
    if (driver->transfers_count == AIR_WORK_TRANSFERS_MAX) {
        transfer_free(transfer);
        return;
    }
    air_answer_reset(transfer, 0);
    transfer->next = driver->transfers;
    driver->transfers = transfer;
    driver->transfers_count++;
}
