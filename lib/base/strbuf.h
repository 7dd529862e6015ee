/*
 * Growing byte strings and slices.
 *
 * `bytes` is never NULL and always terminated; it may hold NULs. A buffer fed from outside is
 * created with a ceiling (rv_strbuf_limit); what goes past it is dropped and `overflow` is set,
 * so that memory is bounded by river. Not shared between threads.
 */
#ifndef RV_BASE_STRBUF_H
#define RV_BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct rv_str {
	const char *p;
	size_t len;
};
#define RV_STR(literal) ((struct rv_str){ (literal), sizeof(literal) - 1 })
static inline struct rv_str rv_str_of(const char *s)
{
	return (struct rv_str){ s, strlen(s) };
}
static inline bool rv_str_eq(struct rv_str a, struct rv_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}
static inline bool rv_str_is(struct rv_str a, const char *s)
{
	return rv_str_eq(a, rv_str_of(s));
}
bool rv_starts_with(const char *s, const char *prefix);
bool rv_ends_with(const char *s, const char *suffix);

struct rv_strbuf {
	char *bytes;
	size_t len;
	size_t capacity; /* 0: `bytes` is the shared empty string */
	size_t limit;    /* 0: none */
	bool overflow;
};
extern char rv_strbuf_empty[1];
#define RV_STRBUF_INIT { .bytes = rv_strbuf_empty }

void rv_strbuf_release(struct rv_strbuf *sb);
void rv_strbuf_clear(struct rv_strbuf *sb);              /* empties, keeps the memory */
void rv_strbuf_limit(struct rv_strbuf *sb, size_t limit);
char *rv_strbuf_take(struct rv_strbuf *sb);              /* caller frees; sb is empty after */
void rv_strbuf_reserve(struct rv_strbuf *sb, size_t extra);
void rv_strbuf_add(struct rv_strbuf *sb, const void *p, size_t len);
void rv_strbuf_puts(struct rv_strbuf *sb, const char *s);
void rv_strbuf_putc(struct rv_strbuf *sb, char c);
void rv_strbuf_printf(struct rv_strbuf *sb, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void rv_strbuf_vprintf(struct rv_strbuf *sb, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
void rv_strbuf_truncate(struct rv_strbuf *sb, size_t len);
/* `s` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void rv_strbuf_json(struct rv_strbuf *sb, const char *s, size_t len);
/* Form encoding undone: %XX is a byte, '+' a blank. False: a broken escape, or a NUL. */
bool rv_strbuf_form_decode(struct rv_strbuf *sb, const char *text);
void rv_strbuf_base64(struct rv_strbuf *sb, const void *p, size_t len);

/* The nearest of `words` (NULL-terminated) to `typed` for "did you mean", or NULL. */
const char *rv_nearest(const char *typed, const char *const *words);

#endif
