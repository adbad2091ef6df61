/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_RELOAD_H
#define AIR_PROGRAM_RELOAD_H

/*
 * Taking up a changed configuration while serving.
 */

#include "hosts/program/service.h"

/*
 * Make the engine, the routes, the redirects and the table agree with a new plan. Certificates that
 * stay are not disturbed; connections that are open stay open. Ports, user, state directory, admin
 * socket and protocols stay as they are: a plan that changes them is taken up without that part,
 * and the log says so.
 *
 * plan            On AIR_OK it is the service's; else it is still the caller's, and the service is
 *                 as before.
 * has_bad_routes  Set when a backend's host does not resolve now: set the routes again later.
 *
 * One call at a time; not on the engine's thread.
 */
enum air_error air_reload(struct air_service *service, struct air_plan *plan, bool *has_bad_routes,
    struct air_buffer *reason);

#endif
