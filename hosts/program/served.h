/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_SERVED_H
#define AIR_PROGRAM_SERVED_H

/*
 * What happens when the engine reports: the log, the hooks, and the proof that what was installed
 * is what our own port serves. Callbacks for struct air_server_config; context is the service.
 */

#include "hosts/program/service.h"

/* On the engine's thread. */
void air_served_event(void *context, const struct air_event_action *event);

/*
 * A real handshake with our own port. When that cannot be made (the port is beyond its limits, say)
 * a handshake in memory with the same context decides: a good certificate is not taken back because
 * the machine is busy.
 */
enum air_error air_served_prove(
    void *context, const struct air_install_action *install, struct air_buffer *reason);

#endif
