/*
 * Signals: the first INT, TERM or HUP asks for an orderly end, a second one leaves at once with
 * 128+n. Blocking system calls return EINTR, so loops over them look here. PIPE and XFSZ are
 * ignored: a write that fails says so. A signal that was ignored at the start (nohup) stays so.
 *
 * A command that ends early because of it returns RV_FAILED; main then exits with 128+n.
 */
#ifndef RV_BASE_STOP_H
#define RV_BASE_STOP_H

#include <stdbool.h>

void rv_stop_install(void);
/* Puts back what was there before, for a program that is to be exec'ed. */
void rv_stop_uninstall(void);
/* HUP means nothing from now on: log rotation sends it to all it knows of. */
void rv_stop_ignore_hangup(void);
int rv_stop_signal(void); /* 0, or the signal that asked to stop */
bool rv_should_stop(void); /* for the many that only want to know whether */

#endif
