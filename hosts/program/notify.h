/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_NOTIFY_H
#define AIR_PROGRAM_NOTIFY_H

/* Tell the service manager what we are doing: "READY=1", "STOPPING=1" (sd_notify(3)). Nothing
 * happens when nobody asked, that is without NOTIFY_SOCKET. */
void air_notify_send(const char *state);

#endif
