/* SPDX-License-Identifier: MIT */
/*
 * The service manager's notification protocol: one datagram to the socket it named, by
 * sd_notify(3). A few lines of our own instead of a library that brings much more.
 *
 * Invariant: failures are dropped; serving does not depend on being heard.
 */
#include "hosts/program/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void air_notify_send(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = path == NULL ? 0 : strlen(path);
    int handle;
    ssize_t sent;

    if (size < 2 || size >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    memcpy(address.sun_path, path, size);
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    handle = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (handle < 0) {
        return;
    }
    sent = sendto(handle, state, strlen(state), MSG_NOSIGNAL,
        (const struct sockaddr *)(const void *)&address,
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
    (void)sent;
    close(handle);
}
