/* Fills and extends error values; knows nothing about where they are printed. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int exit_code;
	const char *sentence;
} statuses[] = {
#define RV_STATUS(name, exit_code, sentence) { #name, exit_code, sentence },
#include "base/status.def"
#undef RV_STATUS
};

int rv_status_exit_code(enum rv_status status)
{
	return statuses[status].exit_code;
}

const char *rv_status_name(enum rv_status status)
{
	return statuses[status].name;
}

const char *rv_status_sentence(enum rv_status status)
{
	return statuses[status].sentence;
}

/* 70, 10, 12, 4, 8, 7: what is lost or unknown before what somebody has to mend, that before what will be
 * done by itself. Whatever is not in the list is a failure like any other. */
int rv_status_gravity(enum rv_status status)
{
	static const enum rv_status order[] = { RV_OK, RV_NOT_FOUND, RV_PARTIAL, RV_FAILED, RV_BAD_CONFIG,
						RV_KEPT, RV_AUTH, RV_DAMAGED, RV_LOCAL_IO, RV_INTERNAL };

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (order[i] == status)
			return (int)i;
	return rv_status_gravity(RV_FAILED);
}

enum rv_status rv_status_graver(enum rv_status first, enum rv_status next)
{
	return rv_status_gravity(next) > rv_status_gravity(first) ? next : first;
}

/* Messages quote input; a terminal must never obey what is in them. */
static void neutralise(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
}

/* snprintf may cut a UTF-8 sequence in half at the end of the buffer. */
static void trim_utf8_tail(char *text, size_t size)
{
	size_t len = strnlen(text, size);
	if (len + 1 < size)
		return;
	size_t i = len;
	while (i > 0 && ((unsigned char)text[i - 1] & 0xC0) == 0x80)
		i--;
	unsigned char lead = i > 0 ? (unsigned char)text[i - 1] : 0;
	size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
	if (wanted > 1 && len - i + 1 < wanted)
		text[i - 1] = '\0';
}

/* Cuts `text` to at most `len` bytes; returns how many are left. */
static size_t trimmed(char *text, size_t len)
{
	text[len] = '\0';
	trim_utf8_tail(text, len + 1);
	return strlen(text);
}

/* The first character that begins at `text` or behind it. */
static const char *utf8_from(const char *text)
{
	while (((unsigned char)*text & 0xC0) == 0x80)
		text++;
	return text;
}

__attribute__((format(printf, 3, 0)))
static void set_message(struct rv_error *err, enum rv_status status, const char *fmt, va_list ap)
{
	*err = (struct rv_error)RV_ERROR_INIT;
	err->status = status;
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	trim_utf8_tail(err->message, sizeof(err->message));
	neutralise(err->message);
}

enum rv_status rv_fail(struct rv_error *err, enum rv_status status, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	set_message(err, status, fmt, ap);
	va_end(ap);
	return status;
}

enum rv_status rv_fail_errno(struct rv_error *err, enum rv_status status, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	va_start(ap, fmt);
	set_message(err, status, fmt, ap);
	va_end(ap);
	char text[128], reason[160];
	size_t len = strlen(err->message);
	size_t reason_len = (size_t)snprintf(reason, sizeof(reason), ": %s",
					     strerror_r(saved, text, sizeof(text)));
	/* A long path gives way to the reason. */
	if (len + reason_len >= sizeof(err->message)) {
		len = trimmed(err->message, sizeof(err->message) - 1 - reason_len);
	}
	snprintf(err->message + len, sizeof(err->message) - len, "%s", reason);
	err->transient = saved == EAGAIN || saved == EINTR || saved == ENOSPC || saved == EDQUOT ||
			 saved == EMFILE || saved == ENFILE || saved == ENOMEM;
	errno = saved;
	return status;
}

enum rv_status rv_context(struct rv_error *err, const char *fmt, ...)
{
	char inner[sizeof(err->message)];
	memcpy(inner, err->message, sizeof(inner));
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	/* The reason stands at the end: what is too long gives way before it, this text first, but for its
	 * beginning, then the beginning of the other. */
	size_t room = sizeof(err->message) - 1 - strlen(": "), len = strlen(err->message);
	size_t inner_len = strlen(inner), least = room / 4;
	if (len + inner_len > room) {
		size_t keep = inner_len < room - least ? room - inner_len : least;
		if (len > keep)
			len = trimmed(err->message, keep);
	}
	const char *from = inner_len > room - len ? utf8_from(inner + inner_len - (room - len)) : inner;
	snprintf(err->message + len, sizeof(err->message) - len, ": %s", from);
	neutralise(err->message);
	return err->status;
}

void rv_hint(struct rv_error *err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	trim_utf8_tail(err->hint, sizeof(err->hint));
	neutralise(err->hint);
}

void rv_error_at(struct rv_error *err, const char *file, uint64_t line, uint64_t column)
{
	size_t len = file ? strlen(file) : 0, most = sizeof(err->file) - 1;
	/* Of a long path the end says which file it is. */
	if (len > most)
		snprintf(err->file, sizeof(err->file), "...%s", utf8_from(file + len - (most - 3)));
	else
		memmove(err->file, file ? file : "", len + 1);
	neutralise(err->file);
	err->line = line;
	err->column = column;
}

void rv_bug_at(const char *file, int line, const char *fmt, ...)
{
	fprintf(stderr, "river: bug at %s:%d: ", file, line);
	va_list ap;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_Exit(rv_status_exit_code(RV_INTERNAL));
}
