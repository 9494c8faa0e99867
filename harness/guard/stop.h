/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether this process was told to stop. A run that is told so ends its loop, and keeps what it measured.
 *
 * The room guard/ promises that a run neither loses what it measured nor hangs: it sees requests to stop, and a
 * watchdog ends what can no longer end by itself (watchdog.h). It needs base/ and records/. It knows neither MPI nor
 * what runs. */
#ifndef TOISE_GUARD_STOP_H
#define TOISE_GUARD_STOP_H

/* From now on SIGTERM, SIGINT, SIGHUP (unless nohup ignores it), SIGUSR1 and SIGXCPU only ask the run to stop. After
 * SIGINT another SIGINT or SIGTERM ends the process, as a user who presses Ctrl-C twice means it. Call it once, before
 * the work starts. */
void guard_stop_watch(void);
/* The signal that asked, or 0. Each rank sees its own signals: ranks must agree, e.g. by a maximum. */
int guard_stop_asked(void);
/* "SIGTERM", ...; "a signal" for one that guard_stop_watch does not catch. */
const char *guard_stop_name(int signal);

#endif
