/* SPDX-License-Identifier: MIT */
/*
 * Load for a server whose certificates are renewed under it: many clients, each request on a new
 * connection with a full, verified handshake, TLS 1.2 and 1.3 in turn, ECDSA only, RSA only and
 * both. Runs until so many handshakes were made and so many renewals were seen in them, or a time
 * limit has passed. Who renews, and how, is not its business.
 *
 * Prints one line. A failure of any kind, a goal not reached, or memory that grew too much from one
 * renewal to another makes the exit status 1 (2: wrong use).
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "src/base/span.h"

#define THREADS_MAX 256
#define SERIALS_MAX 100000
#define SERIAL_SIZE_MAX 20 /* RFC 5280 section 4.1.2.2 */
#define PATIENCE_S 10      /* for one step of one connection */
#define POLL_MS 5
#define SLOTS_COUNT 5000 /* of the histogram */
#define SLOT_US 100

/* What can go wrong with one connection. */
#define FAILURES(X)                                                                                \
    X(FAILED_CONNECT, "connect")                                                                   \
    X(FAILED_HANDSHAKE, "handshake")                                                               \
    X(FAILED_VERIFY, "certificate")                                                                \
    X(FAILED_RESUMED, "resumed")                                                                   \
    X(FAILED_OLD, "older certificate served again")                                                \
    X(FAILED_REQUEST, "request")                                                                   \
    X(FAILED_CUT, "answer cut off")                                                                \
    X(FAILED_STATUS, "answer other than 200")
#define FAILURE_MEMBER(name, text) name,
enum failure { FAILURES(FAILURE_MEMBER) FAILURES_COUNT, NOT_FAILED };
#undef FAILURE_MEMBER
#define FAILURE_TEXT(name, text) text,
static const char *const failure_texts[] = {FAILURES(FAILURE_TEXT)};
#undef FAILURE_TEXT

enum kind { KIND_ECDSA, KIND_RSA, KINDS_COUNT };

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
static const char *const sigalgs[] = {"ECDSA+SHA256:ECDSA+SHA384",
    "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA+SHA256",
    "ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA+SHA256"};
enum { VERSIONS_COUNT = 2, OFFERS_COUNT = 3 };

struct options {
    char *host;
    char *port;
    const char *name;
    const char *path;
    const char *root_file;
    int first_offer; /* of sigalgs: which key types the server has */
    int offers_count;
    int64_t threads_count;
    int64_t handshakes_count;
    int64_t renewals_count;
    int64_t rss_from_count;
    int64_t rss_growth_max_kib;
    int64_t time_limit_s;
    int64_t pid; /* 0: memory is not looked at */
};

/* The certificates of one key type that were seen. */
struct seen {
    uint8_t serials[SERIALS_MAX][SERIAL_SIZE_MAX];
    size_t serials_count;
    int64_t not_before_s; /* of the newest */
};

struct load {
    struct options options;
    struct addrinfo *address;
    SSL_CTX *contexts[VERSIONS_COUNT][OFFERS_COUNT];
    atomic_bool is_over;
    _Atomic int64_t connections_count;
    _Atomic int64_t handshakes[VERSIONS_COUNT];
    _Atomic int64_t answers_count;
    _Atomic int64_t failures[FAILURES_COUNT];
    _Atomic uint32_t slots[SLOTS_COUNT];
    pthread_mutex_t lock; /* of seen */
    struct seen seen[KINDS_COUNT];
};

/* One connection. */
struct visit {
    struct load *load;
    int version; /* index */
    int offer;
    int socket;
    SSL *ssl;
    int64_t newest_before_s[KINDS_COUNT]; /* as known when it began */
};

static void usage(void);
static bool options_read(int count, char **arguments, struct options *out);
static bool option_set(int letter, char *text, struct options *out);
static bool connect_to(char *text, struct options *out);
static bool keys_are(const char *text, struct options *out);
static bool load_init(struct load *load);
static SSL_CTX *context_new(const struct options *options, int version, int offer);
static bool load_run(struct load *load, int64_t rss[2]);
static void load_deinit(struct load *load);
static void *run_client(void *context);
static enum failure visit_run(struct visit *visit);
static bool visit_connect(struct visit *visit);
static enum failure visit_handshake(struct visit *visit);
static enum failure visit_certificate(struct visit *visit);
static enum failure visit_request(struct visit *visit);
static enum failure visit_answer(struct visit *visit);
static bool note_certificate(struct visit *visit, enum kind kind, const X509 *leaf);
static bool seconds_of(const ASN1_TIME *time, int64_t *out);
static int64_t renewals_seen(struct load *load);
static int64_t handshakes_made(struct load *load);
static int64_t slot_of_share(struct load *load, double share);
static int64_t rss_kib(int64_t pid);
static int64_t now_us(void);
static bool report(struct load *load, int64_t took_us, const int64_t rss[2]);

int main(int count, char **arguments) {
    struct load *load = calloc(1, sizeof *load); /* too large for the stack */
    if (load == NULL || !options_read(count, arguments, &load->options)) {
        usage();
        free(load);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int64_t rss[2] = {0, 0};
    int64_t began_us = now_us();
    bool is_good = load_init(load) && load_run(load, rss);
    is_good = report(load, now_us() - began_us, rss) && is_good;
    load_deinit(load);
    free(load);
    return is_good ? 0 : 1;
}

static void usage(void) {
    fputs("usage: swap --connect HOST:PORT --name NAME --root FILE [--path /]\n"
          "            [--keys both|ecdsa|rsa]   key types the server has (both)\n"
          "            [--threads 8] [--handshakes 50000] [--renewals 500] [--time-limit 600]\n"
          "            [--pid PID]               read its memory at two renewals:\n"
          "            [--rss-from 50]           the first; the second is --renewals\n"
          "            [--rss-growth 2048]       KiB allowed between them\n",
        stderr);
}

static bool options_read(int count, char **arguments, struct options *out) {
    static const struct option known[] = {{"connect", required_argument, NULL, 'c'},
        {"name", required_argument, NULL, 'n'}, {"root", required_argument, NULL, 'r'},
        {"path", required_argument, NULL, 'p'}, {"keys", required_argument, NULL, 'k'},
        {"threads", required_argument, NULL, 't'}, {"handshakes", required_argument, NULL, 'h'},
        {"renewals", required_argument, NULL, 's'}, {"time-limit", required_argument, NULL, 'l'},
        {"pid", required_argument, NULL, 'i'}, {"rss-from", required_argument, NULL, 'f'},
        {"rss-growth", required_argument, NULL, 'g'}, {NULL, 0, NULL, 0}};
    *out = (struct options){.path = "/",
        .offers_count = OFFERS_COUNT,
        .threads_count = 8,
        .handshakes_count = 50000,
        .renewals_count = 500,
        .rss_from_count = 50,
        .rss_growth_max_kib = 2048,
        .time_limit_s = 600};
    bool is_right = true;
    int letter = 0;
    while (is_right && (letter = getopt_long(count, arguments, "", known, NULL)) != -1) {
        is_right = option_set(letter, optarg, out);
    }
    return is_right && optind == count && out->host != NULL && out->name != NULL &&
           out->root_file != NULL && out->threads_count > 0 && out->threads_count <= THREADS_MAX;
}

static bool option_set(int letter, char *text, struct options *out) {
    switch (letter) {
    case 'c':
        return connect_to(text, out);
    case 'n':
        out->name = text;
        return true;
    case 'r':
        out->root_file = text;
        return true;
    case 'p':
        out->path = text;
        return true;
    case 'k':
        return keys_are(text, out);
    case 't':
        return air_span_number(air_span_text(text), &out->threads_count);
    case 'h':
        return air_span_number(air_span_text(text), &out->handshakes_count);
    case 's':
        return air_span_number(air_span_text(text), &out->renewals_count);
    case 'l':
        return air_span_number(air_span_text(text), &out->time_limit_s);
    case 'i':
        return air_span_number(air_span_text(text), &out->pid);
    case 'f':
        return air_span_number(air_span_text(text), &out->rss_from_count);
    case 'g':
        return air_span_number(air_span_text(text), &out->rss_growth_max_kib);
    default:
        return false;
    }
}

/* Cuts the argument in two, in place. */
static bool connect_to(char *text, struct options *out) {
    char *colon = strrchr(text, ':');
    if (colon == NULL) {
        return false;
    }
    *colon = '\0';
    out->host = text;
    out->port = colon + 1;
    return true;
}

static bool keys_are(const char *text, struct options *out) {
    air_span keys = air_span_text(text);
    if (air_span_equal_text(keys, "both")) {
        return true;
    }
    out->offers_count = 1;
    out->first_offer = air_span_equal_text(keys, "rsa") ? KIND_RSA : KIND_ECDSA;
    return air_span_equal_text(keys, "rsa") || air_span_equal_text(keys, "ecdsa");
}

static bool load_init(struct load *load) {
    const struct options *options = &load->options;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    pthread_mutex_init(&load->lock, NULL);
    if (getaddrinfo(options->host, options->port, &hints, &load->address) != 0) {
        fprintf(stderr, "swap: %s does not resolve\n", options->host);
        return false;
    }
    for (int version = 0; version < VERSIONS_COUNT; version++) {
        for (int offer = 0; offer < OFFERS_COUNT; offer++) {
            load->contexts[version][offer] = context_new(options, version, offer);
            if (load->contexts[version][offer] == NULL) {
                fprintf(stderr, "swap: no TLS with %s\n", options->root_file);
                return false;
            }
        }
    }
    return true;
}

/* No tickets, no cache: every handshake is a full one. */
static SSL_CTX *context_new(const struct options *options, int version, int offer) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL) {
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_min_proto_version(context, versions[version]) != 1 ||
        SSL_CTX_set_max_proto_version(context, versions[version]) != 1 ||
        SSL_CTX_set1_sigalgs_list(context, sigalgs[offer]) != 1 ||
        SSL_CTX_load_verify_file(context, options->root_file) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

/* Start the clients, watch for the goals, end the clients. rss: at the two renewals, or 0. */
static bool load_run(struct load *load, int64_t rss[2]) {
    const struct options *options = &load->options;
    pthread_t threads[THREADS_MAX];
    int started = 0;
    while (started < options->threads_count &&
           pthread_create(&threads[started], NULL, run_client, load) == 0) {
        started++;
    }
    bool is_reached = false;
    int64_t until_us = now_us() + options->time_limit_s * 1000000;
    while (!is_reached && started > 0 && now_us() < until_us) {
        int64_t renewals = renewals_seen(load);
        if (rss[0] == 0 && renewals >= options->rss_from_count) {
            rss[0] = rss_kib(options->pid);
        }
        if (rss[1] == 0 && renewals >= options->renewals_count) {
            rss[1] = rss_kib(options->pid);
        }
        is_reached = renewals >= options->renewals_count &&
                     handshakes_made(load) >= options->handshakes_count;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    }
    atomic_store(&load->is_over, true);
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    if (!is_reached) {
        fputs("swap: the time limit came before the goals\n", stderr);
    }
    return is_reached && started == options->threads_count;
}

static void load_deinit(struct load *load) {
    for (int version = 0; version < VERSIONS_COUNT; version++) {
        for (int offer = 0; offer < OFFERS_COUNT; offer++) {
            SSL_CTX_free(load->contexts[version][offer]);
        }
    }
    if (load->address != NULL) {
        freeaddrinfo(load->address);
    }
    pthread_mutex_destroy(&load->lock);
}

static void *run_client(void *context) {
    struct load *load = context;
    while (!atomic_load(&load->is_over)) {
        int64_t number = atomic_fetch_add(&load->connections_count, 1);
        struct visit visit = {.load = load,
            .version = (int)(number % VERSIONS_COUNT),
            .offer = load->options.first_offer +
                     (int)(number / VERSIONS_COUNT % load->options.offers_count),
            .socket = -1};
        enum failure failure = visit_run(&visit);
        if (failure == NOT_FAILED) {
            atomic_fetch_add(&load->answers_count, 1);
        } else if (atomic_fetch_add(&load->failures[failure], 1) == 0) {
            fprintf(stderr, "swap: first failure of its kind: %s: %s\n", failure_texts[failure],
                ERR_error_string(ERR_peek_last_error(), NULL));
        }
        ERR_clear_error();
    }
    return NULL;
}

static enum failure visit_run(struct visit *visit) {
    struct load *load = visit->load;
    pthread_mutex_lock(&load->lock);
    for (int kind = 0; kind < KINDS_COUNT; kind++) {
        visit->newest_before_s[kind] = load->seen[kind].not_before_s;
    }
    pthread_mutex_unlock(&load->lock);
    enum failure failure = FAILED_CONNECT;
    if (visit_connect(visit)) {
        failure = visit_handshake(visit);
    }
    if (failure == NOT_FAILED) {
        failure = visit_certificate(visit);
    }
    if (failure == NOT_FAILED) {
        failure = visit_request(visit);
    }
    SSL_free(visit->ssl);
    if (visit->socket >= 0) {
        close(visit->socket);
    }
    return failure;
}

static bool visit_connect(struct visit *visit) {
    const struct addrinfo *to = visit->load->address;
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    visit->socket = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return visit->socket >= 0 &&
           setsockopt(visit->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
           setsockopt(visit->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
           connect(visit->socket, to->ai_addr, to->ai_addrlen) == 0;
}

static enum failure visit_handshake(struct visit *visit) {
    struct load *load = visit->load;
    visit->ssl = SSL_new(load->contexts[visit->version][visit->offer]);
    if (visit->ssl == NULL || SSL_set_fd(visit->ssl, visit->socket) != 1 ||
        SSL_set_tlsext_host_name(visit->ssl, load->options.name) != 1 ||
        SSL_set1_host(visit->ssl, load->options.name) != 1) {
        return FAILED_HANDSHAKE;
    }
    int64_t began_us = now_us();
    if (SSL_connect(visit->ssl) != 1) {
        return SSL_get_verify_result(visit->ssl) != X509_V_OK ? FAILED_VERIFY : FAILED_HANDSHAKE;
    }
    int64_t slot = (now_us() - began_us) / SLOT_US;
    atomic_fetch_add(&load->slots[slot < SLOTS_COUNT ? slot : SLOTS_COUNT - 1], 1);
    if (SSL_session_reused(visit->ssl)) {
        return FAILED_RESUMED;
    }
    atomic_fetch_add(&load->handshakes[visit->version], 1);
    return NOT_FAILED;
}

static enum failure visit_certificate(struct visit *visit) {
    const X509 *leaf = SSL_get0_peer_certificate(visit->ssl);
    if (leaf == NULL) {
        return FAILED_VERIFY;
    }
    enum kind kind =
        EVP_PKEY_get_base_id(X509_get0_pubkey(leaf)) == EVP_PKEY_RSA ? KIND_RSA : KIND_ECDSA;
    return note_certificate(visit, kind, leaf) ? NOT_FAILED : FAILED_OLD;
}

/*
 * Count a certificate that is new. False: a connection was given an older one than one that was
 * already seen, for the same key type, when it began. Older is what began to be valid earlier: the
 * order in which threads report says nothing.
 */
static bool note_certificate(struct visit *visit, enum kind kind, const X509 *leaf) {
    struct seen *seen = &visit->load->seen[kind];
    const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
    uint8_t bytes[SERIAL_SIZE_MAX] = {0};
    int64_t not_before_s = 0;
    int size = ASN1_STRING_length(serial);
    if (size > SERIAL_SIZE_MAX || !seconds_of(X509_get0_notBefore(leaf), &not_before_s)) {
        return false;
    }
    memcpy(bytes, ASN1_STRING_get0_data(serial), (size_t)size);
    pthread_mutex_lock(&visit->load->lock);
    size_t at = seen->serials_count;
    while (at > 0 && memcmp(seen->serials[at - 1], bytes, sizeof bytes) != 0) {
        at--;
    }
    if (at == 0 && seen->serials_count < SERIALS_MAX) {
        memcpy(seen->serials[seen->serials_count++], bytes, sizeof bytes);
    }
    if (not_before_s > seen->not_before_s) {
        seen->not_before_s = not_before_s;
    }
    pthread_mutex_unlock(&visit->load->lock);
    return not_before_s >= visit->newest_before_s[kind];
}

static bool seconds_of(const ASN1_TIME *time, int64_t *out) {
    struct tm civil;
    if (ASN1_TIME_to_tm(time, &civil) != 1) {
        return false;
    }
    *out = timegm(&civil);
    return true;
}

static enum failure visit_request(struct visit *visit) {
    const struct options *options = &visit->load->options;
    char request[1024];
    int size = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", options->path, options->name);
    if (size <= 0 || (size_t)size >= sizeof request ||
        SSL_write(visit->ssl, request, size) != size) {
        return FAILED_REQUEST;
    }
    return visit_answer(visit);
}

/* All of it, to the close_notify that says that it is all. */
static enum failure visit_answer(struct visit *visit) {
    static const char good[] = "HTTP/1.1 200";
    char answer[4096];
    size_t size = 0;
    size_t more = 0;
    size_t kept = 0;
    while (SSL_read_ex(visit->ssl, answer + kept, sizeof answer - kept, &more) == 1) {
        size += more;
        kept = size < sizeof good ? size : sizeof good;
    }
    if (SSL_get_error(visit->ssl, 0) != SSL_ERROR_ZERO_RETURN || size < sizeof good - 1) {
        return FAILED_CUT;
    }
    SSL_shutdown(visit->ssl);
    bool is_good = memcmp(answer, good, strlen("HTTP/1.")) == 0 &&
                   memcmp(answer + strlen("HTTP/1.1"), " 200", 4) == 0;
    return is_good ? NOT_FAILED : FAILED_STATUS;
}

/* Of the key type that was renewed most: the first certificate is none. */
static int64_t renewals_seen(struct load *load) {
    int64_t most = 0;
    pthread_mutex_lock(&load->lock);
    for (int kind = 0; kind < KINDS_COUNT; kind++) {
        int64_t renewals = (int64_t)load->seen[kind].serials_count - 1;
        most = renewals > most ? renewals : most;
    }
    pthread_mutex_unlock(&load->lock);
    return most;
}

static int64_t handshakes_made(struct load *load) {
    return atomic_load(&load->handshakes[0]) + atomic_load(&load->handshakes[1]);
}

/* The time below which this share of the handshakes stayed, as a slot of the histogram. */
static int64_t slot_of_share(struct load *load, double share) {
    double left = share * (double)handshakes_made(load);
    int64_t slot = 0;
    while (slot < SLOTS_COUNT - 1 && left > (double)atomic_load(&load->slots[slot])) {
        left -= (double)atomic_load(&load->slots[slot]);
        slot++;
    }
    return slot + 1;
}

/* VmRSS of a process, or 0. */
static int64_t rss_kib(int64_t pid) {
    char line[256];
    int64_t rss = 0;
    snprintf(line, sizeof line, "/proc/%" PRId64 "/status", pid);
    FILE *status = pid > 0 ? fopen(line, "re") : NULL;
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "VmRSS: %" SCNd64 " kB", &rss) == 1) {
            break;
        }
    }
    if (status != NULL) {
        fclose(status);
    }
    return rss;
}

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* True: nothing failed, and memory did not grow too much. */
static bool report(struct load *load, int64_t took_us, const int64_t rss[2]) {
    const struct options *options = &load->options;
    int64_t failed = 0;
    for (int i = 0; i < FAILURES_COUNT; i++) {
        failed += atomic_load(&load->failures[i]);
    }
    printf("swap: %" PRId64 " full handshakes (TLS 1.2 %" PRId64 ", TLS 1.3 %" PRId64 "), %" PRId64
           " requests answered, %" PRId64 " failed, %" PRId64
           " renewals seen (ECDSA %zu, RSA %zu certificates), %.1f s, handshake p50 %.1f p99 %.1f "
           "p99.9 %.1f ms",
        handshakes_made(load), atomic_load(&load->handshakes[0]), atomic_load(&load->handshakes[1]),
        atomic_load(&load->answers_count), failed, renewals_seen(load),
        load->seen[KIND_ECDSA].serials_count, load->seen[KIND_RSA].serials_count,
        (double)took_us / 1e6, (double)slot_of_share(load, 0.5) * SLOT_US / 1e3,
        (double)slot_of_share(load, 0.99) * SLOT_US / 1e3,
        (double)slot_of_share(load, 0.999) * SLOT_US / 1e3);
    for (int i = 0; i < FAILURES_COUNT; i++) {
        if (atomic_load(&load->failures[i]) > 0) {
            printf(", %s: %" PRId64, failure_texts[i], atomic_load(&load->failures[i]));
        }
    }
    bool has_grown = false;
    if (options->pid > 0 && options->rss_from_count < options->renewals_count) {
        printf(", RSS %" PRId64 " KiB after renewal %" PRId64 ", %" PRId64 " KiB after %" PRId64,
            rss[0], options->rss_from_count, rss[1], options->renewals_count);
        has_grown = rss[0] == 0 || rss[1] == 0 || rss[1] > rss[0] + options->rss_growth_max_kib;
    }
    printf("\n");
    return failed == 0 && !has_grown;
}
