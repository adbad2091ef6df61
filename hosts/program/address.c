/* SPDX-License-Identifier: MIT */
/*
 * Addresses as people write them, and the sockets that listen there. The sockets are made while the
 * program may still bind every port; who accepts from them does not care how they came to be.
 *
 * Invariant: an address that cannot be listened on leaves no socket open.
 */
#include "hosts/program/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hosts/program/text.h"
#include "src/base/span.h"

/* Connections that wait for accept(); the kernel caps it at net.core.somaxconn. */
#define BACKLOG 1024

static enum air_error read_port(air_span text, bool may_be_zero, uint16_t *out);
static enum air_error listen_on(const struct addrinfo *info, int *out);
static enum air_error listen_any(uint16_t port, int *out);
static void set_port(const struct addrinfo *info, uint16_t port);
static void explain(const struct air_address *address, int error, struct air_buffer *reason);

enum air_error air_address_read(
    air_span text, bool may_be_any, struct air_address *out, struct air_buffer *reason) {
    bool is_bracketed = air_span_starts_with(text, "[");
    size_t end = is_bracketed ? air_span_find(text, ']') : air_span_find(text, ':');
    air_span host = air_span_take(text, end);
    air_span rest = air_span_skip(text, is_bracketed ? end + 1 : end);

    memset(out, 0, sizeof(*out));
    if (is_bracketed) {
        host = air_span_skip(host, 1);
    }
    if (rest.size < 2 || rest.data[0] != ':' || (is_bracketed && host.size == 0)) {
        air_text_format(reason, "%.*s has no port; write host:port, [v6]:port%s", (int)text.size,
            (const char *)text.data, may_be_any ? " or :port" : "");
        return AIR_ERR_MALFORMED;
    }
    if (!is_bracketed && air_span_find(air_span_skip(rest, 1), ':') < rest.size - 1) {
        air_text_format(reason, "%.*s has more than one colon; write an IPv6 address as [v6]:port",
            (int)text.size, (const char *)text.data);
        return AIR_ERR_MALFORMED;
    }
    if (read_port(air_span_skip(rest, 1), may_be_any, &out->port) != AIR_OK) {
        air_text_format(reason, "%.*s is no port; ports are numbers from 1 to 65535",
            (int)rest.size - 1, (const char *)rest.data + 1);
        return AIR_ERR_MALFORMED;
    }
    if ((host.size == 0 && !may_be_any) || host.size > AIR_ADDRESS_HOST_SIZE_MAX) {
        air_text_format(
            reason, "%.*s names no host; write host:port", (int)text.size, (const char *)text.data);
        return AIR_ERR_MALFORMED;
    }
    memcpy(out->host, host.data, host.size);
    return AIR_OK;
}

static enum air_error read_port(air_span text, bool may_be_zero, uint16_t *out) {
    int64_t port;

    if (!air_span_number(text, &port) || port > UINT16_MAX || (port == 0 && !may_be_zero)) {
        return AIR_ERR_MALFORMED;
    }
    *out = (uint16_t)port;
    return AIR_OK;
}

void air_address_write(const struct air_address *address, struct air_buffer *out) {
    bool is_v6 = strchr(address->host, ':') != NULL;

    air_text_format(out, is_v6 ? "[%s]:%u" : "%s:%u", address->host, (unsigned)address->port);
}

enum air_error air_address_listen(const struct air_address *address, int *sockets,
    size_t sockets_max, size_t *count, struct air_buffer *reason) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *infos = NULL;
    const struct addrinfo *info;
    enum air_error error = AIR_OK;
    char port[8] = "0";
    int code;

    *count = 0;
    if (sockets_max == 0) {
        air_text_format(reason, "too many addresses to listen on");
        return AIR_ERR_LIMIT;
    }
    if (address->host[0] == '\0') {
        error = listen_any(address->port, &sockets[0]);
        *count = error == AIR_OK ? 1 : 0;
        if (error != AIR_OK) {
            explain(address, errno, reason);
        }
        return error;
    }
    code = getaddrinfo(address->host, port, &hints, &infos);
    if (code != 0) {
        air_text_format(reason, "%s: %s", address->host, gai_strerror(code));
        return AIR_ERR_NETWORK;
    }
    for (info = infos; info != NULL && error == AIR_OK && *count < sockets_max;
         info = info->ai_next) {
        set_port(info, address->port);
        error = listen_on(info, &sockets[*count]);
        if (error == AIR_OK) {
            *count += 1;
        } else if (error == AIR_ERR_NETWORK && (*count > 0 || info->ai_next != NULL) &&
                   (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT)) {
            error = AIR_OK; /* "localhost" where IPv6 is switched off: the other one will do */
        }
    }
    if (error != AIR_OK) {
        explain(address, errno, reason);
        while (*count > 0) {
            *count -= 1;
            close(sockets[*count]);
        }
    }
    freeaddrinfo(infos);
    return error;
}

static void set_port(const struct addrinfo *info, uint16_t port) {
    if (info->ai_family == AF_INET6) {
        ((struct sockaddr_in6 *)(void *)info->ai_addr)->sin6_port = htons(port);
    } else if (info->ai_family == AF_INET) {
        ((struct sockaddr_in *)(void *)info->ai_addr)->sin_port = htons(port);
    }
}

static enum air_error error_of(int number) {
    if (number == EADDRINUSE) {
        return AIR_ERR_BUSY;
    }
    return number == EACCES || number == EPERM ? AIR_ERR_PERMISSION : AIR_ERR_NETWORK;
}

/* On failure errno says why. */
static enum air_error listen_on(const struct addrinfo *info, int *out) {
    int handle = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_any =
        info->ai_family == AF_INET6 &&
        IN6_IS_ADDR_UNSPECIFIED(&((struct sockaddr_in6 *)(void *)info->ai_addr)->sin6_addr);
    int on = 1;
    int only_v6 = is_any ? 0 : 1;
    int number;

    if (handle < 0) {
        return error_of(errno);
    }
    /* A restart finds connections of its predecessor in TIME_WAIT: they must not hold the port. */
    if (setsockopt(handle, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (info->ai_family != AF_INET6 ||
            setsockopt(handle, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6)) == 0) &&
        bind(handle, info->ai_addr, info->ai_addrlen) == 0 && listen(handle, BACKLOG) == 0) {
        *out = handle;
        return AIR_OK;
    }
    number = errno;
    close(handle);
    errno = number;
    return error_of(number);
}

static enum air_error listen_any(uint16_t port, int *out) {
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct addrinfo info = {.ai_family = AF_INET6, .ai_addrlen = sizeof(v6)};
    enum air_error error;

    info.ai_addr = (struct sockaddr *)(void *)&v6;
    error = listen_on(&info, out);
    if (error != AIR_ERR_NETWORK) {
        return error;
    }
    /* A machine without IPv6. */
    info.ai_family = AF_INET;
    info.ai_addrlen = sizeof(v4);
    info.ai_addr = (struct sockaddr *)(void *)&v4;
    return listen_on(&info, out);
}

static void explain(const struct air_address *address, int error, struct air_buffer *reason) {
    struct air_buffer text;

    air_buffer_init(&text, AIR_TEXT_SIZE_MAX);
    air_address_write(address, &text);
    air_text_format(reason, "cannot listen on %.*s: ", (int)text.size, (const char *)text.data);
    if (error == EADDRINUSE) {
        air_text_format(reason, "another program has the port; stop it or choose another port "
                                "(see 'ss -ltnp')");
    } else if (error == EACCES || error == EPERM) {
        air_text_format(reason, "ports below 1024 need root or CAP_NET_BIND_SERVICE; start as root "
                                "with --user, or choose another port");
    } else {
        air_text_format(reason, "%s", strerror(error));
    }
    air_buffer_deinit(&text);
}

uint16_t air_address_port_of(int socket) {
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);

    if (getsockname(socket, (struct sockaddr *)(void *)&address, &size) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET6) {
        return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    }
    return address.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)(void *)&address)->sin_port)
                                        : 0;
}
