/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_ISSUE_H
#define AIR_PROGRAM_ISSUE_H

#include "hosts/program/command.h"

/* Order now what the settings ask for, whatever is stored; only the certificate of that id or name
 * when name is not NULL. */
enum air_exit air_issue_renewal(struct air_invocation *invocation, const char *name);

#endif
