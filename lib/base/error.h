/*
 * Errors: a status to branch on, a message to read, a hint to act on.
 *
 * Every fallible function returns `enum rv_status` and takes `struct rv_error *err` last, never
 * NULL. The place that knows fills it (rv_fail, rv_hint); each level adds what it alone knows
 * (rv_context); main prints it once. Library code neither prints nor exits.
 */
#ifndef RV_BASE_ERROR_H
#define RV_BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

enum rv_status {
#define RV_STATUS(name, exit_code, sentence) name,
#include "base/status.def"
#undef RV_STATUS
	RV_STATUS_COUNT
};

#define RV_MUST_CHECK __attribute__((warn_unused_result))
#define RV_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define RV_UNUSED __attribute__((unused))

/* A plain value: copied between threads, never allocates. */
struct rv_error {
	enum rv_status status;   /* why, as a class; decides the exit code */
	bool transient;          /* the same call may succeed later */
	int http_status;         /* 0: no response was received */
	int64_t retry_after_ms;  /* -1: the service did not say */
	char service_code[64];   /* "SlowDown", "" */
	char request_id[96];
	char file[256];          /* file the message is about, "" if none */
	uint64_t line;           /* 1-based line in that file, 0 if unknown */
	uint64_t column;         /* 1-based column, 0 if unknown */
	char message[1024];      /* outermost context first, lower case, no full stop */
	char hint[512];          /* a sentence the user can act on */
};
#define RV_ERROR_INIT { .status = RV_OK, .retry_after_ms = -1 }

int rv_status_exit_code(enum rv_status status);
const char *rv_status_name(enum rv_status status);     /* "RV_CONFLICT" */
const char *rv_status_sentence(enum rv_status status);
/* Which of several failures is told, where all are true: the one of the highest number. RV_OK is 0. */
int rv_status_gravity(enum rv_status status);
/* The graver one; `first` where neither is. */
enum rv_status rv_status_graver(enum rv_status first, enum rv_status next);

/* Fill `err` from scratch and return `status`. Control characters in the text become '?'. */
enum rv_status rv_fail(struct rv_error *err, enum rv_status status, const char *fmt, ...)
	RV_PRINTF(3, 4);
/* The same with ": strerror(errno)" at the end; call it while errno still holds. EAGAIN, EINTR,
 * ENOSPC and their kin set `transient`. */
enum rv_status rv_fail_errno(struct rv_error *err, enum rv_status status, const char *fmt, ...)
	RV_PRINTF(3, 4);
/* Put "text: " in front of the message; returns err->status. */
enum rv_status rv_context(struct rv_error *err, const char *fmt, ...) RV_PRINTF(2, 3);
void rv_hint(struct rv_error *err, const char *fmt, ...) RV_PRINTF(2, 3);
/* Name the place in a file the message is about; line and column count from 1, 0 is unknown. */
void rv_error_at(struct rv_error *err, const char *file, uint64_t line, uint64_t column);

/* A programming mistake: prints file and line on standard error and exits 70. */
_Noreturn void rv_bug_at(const char *file, int line, const char *fmt, ...) RV_PRINTF(3, 4);
#define rv_bug(...) rv_bug_at(__FILE__, __LINE__, __VA_ARGS__)

#endif
