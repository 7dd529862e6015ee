/*
 * A function in a child process that can do hardly anything: compute, read one file, write into the
 * memory it shares with its parent, and talk to it through one socket.
 *
 * Three fences, each as far as the kernel has it: limits (memory, processor time, no further
 * descriptors, no files written, no core), Landlock (no file system, no TCP, no signals to others),
 * seccomp (a list of system calls; opening, connecting, executing and forking end the child at once,
 * anything else unknown is EPERM). What is in force is in rv_sandbox_state.
 *
 * The child is a copy of its parent, so fork it while little is in memory: it keeps one, and it does
 * not see the parent's later secrets. It ends by itself when the parent is gone.
 */
#ifndef RV_SOURCE_SANDBOX_H
#define RV_SOURCE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct rv_sandbox_state {
	bool limits;
	bool seccomp;
	int landlock; /* its ABI; 0: the kernel has none */
};

struct rv_sandbox_params {
	const char *what;          /* "the child that inflates", for messages */
	/* Runs in the child before the fences are up: opens libraries. Optional. */
	void (*prepare)(void *arg);
	/* Runs behind the fences; `file` and `channel` are the only descriptors. Returns the exit code. */
	int (*run)(void *arg, int file, int channel);
	void *arg;
	int file;                  /* what the child may pread; -1: nothing */
	uint64_t memory_bytes;     /* beyond what is mapped at the fork; 0: no limit */
	uint64_t cpu_s;            /* 0: no limit */
	bool no_seccomp, no_landlock; /* as on a kernel without them */
};

struct rv_sandbox {
	pid_t pid;                 /* 0: none */
	int channel;
	struct rv_sandbox_state state;
	char fate[160];            /* once known */
};
#define RV_SANDBOX_INIT { .channel = -1 }

/* RV_LOCAL_IO when there can be no child, or it did not come as far as its function. */
enum rv_status rv_sandbox_start(const struct rv_sandbox_params *params, struct rv_sandbox *ret,
				struct rv_error *err) RV_MUST_CHECK;
/* The child may take so many seconds of processor time from now on. */
void rv_sandbox_allow_cpu(struct rv_sandbox *sandbox, uint64_t seconds);
/* Ends the child if it has not ended, and says how: "was ended by the kernel: it made a system call
 * that is not allowed (SIGSYS)". `patience_ms`: how long it may take to end by itself. */
const char *rv_sandbox_fate(struct rv_sandbox *sandbox, int patience_ms);
/* Ends the child; fine for one never started and more than once. */
void rv_sandbox_end(struct rv_sandbox *sandbox);

/* Starts a child and looks: for `river doctor`. */
enum rv_status rv_sandbox_probe(struct rv_sandbox_state *ret, struct rv_error *err) RV_MUST_CHECK;
/* "limits, Landlock (ABI 7) and seccomp"; `buf` has `size` >= 64 bytes; returns buf. */
const char *rv_sandbox_state_text(const struct rv_sandbox_state *state, char *buf, size_t size);

#endif
