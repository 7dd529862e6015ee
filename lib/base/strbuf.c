/* Growing byte strings; see the header. */
#include "base/strbuf.h"
#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

char rv_strbuf_empty[1];

bool rv_starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool rv_ends_with(const char *s, const char *suffix)
{
	size_t a = strlen(s), b = strlen(suffix);
	return a >= b && memcmp(s + a - b, suffix, b) == 0;
}

void rv_strbuf_release(struct rv_strbuf *sb)
{
	if (sb->capacity)
		free(sb->bytes);
	*sb = (struct rv_strbuf)RV_STRBUF_INIT;
}

void rv_strbuf_clear(struct rv_strbuf *sb)
{
	rv_strbuf_truncate(sb, 0);
	sb->overflow = false;
}

void rv_strbuf_limit(struct rv_strbuf *sb, size_t limit)
{
	sb->limit = limit;
}

char *rv_strbuf_take(struct rv_strbuf *sb)
{
	char *p = sb->capacity ? sb->bytes : rv_strdup("");
	*sb = (struct rv_strbuf)RV_STRBUF_INIT;
	return p;
}

void rv_strbuf_reserve(struct rv_strbuf *sb, size_t extra)
{
	size_t need = sb->len + extra + 1;
	if (need < extra)
		rv_malloc(SIZE_MAX); /* ends the process */
	if (need <= sb->capacity)
		return;
	size_t capacity = sb->capacity ? sb->capacity : 64;
	while (capacity < need)
		capacity += capacity / 2 + 64;
	bool was_shared = sb->capacity == 0;
	sb->bytes = rv_realloc(was_shared ? NULL : sb->bytes, capacity);
	sb->capacity = capacity;
	sb->bytes[sb->len] = '\0';
}

void rv_strbuf_add(struct rv_strbuf *sb, const void *p, size_t len)
{
	if (!len) /* goes past nothing */
		return;
	if (sb->limit && (sb->len >= sb->limit || len > sb->limit - sb->len)) {
		len = sb->limit > sb->len ? sb->limit - sb->len : 0;
		sb->overflow = true;
	}
	if (!len)
		return;
	rv_strbuf_reserve(sb, len);
	memcpy(sb->bytes + sb->len, p, len);
	sb->len += len;
	sb->bytes[sb->len] = '\0';
}

void rv_strbuf_puts(struct rv_strbuf *sb, const char *s)
{
	rv_strbuf_add(sb, s, strlen(s));
}

void rv_strbuf_putc(struct rv_strbuf *sb, char c)
{
	rv_strbuf_add(sb, &c, 1);
}

void rv_strbuf_vprintf(struct rv_strbuf *sb, const char *fmt, va_list ap)
{
	char small[256];
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(small, sizeof(small), fmt, ap);
	if (n < 0)
		n = 0;
	if ((size_t)n < sizeof(small)) {
		rv_strbuf_add(sb, small, (size_t)n);
	} else {
		char *big = rv_malloc((size_t)n + 1);
		vsnprintf(big, (size_t)n + 1, fmt, again);
		rv_strbuf_add(sb, big, (size_t)n);
		free(big);
	}
	va_end(again);
}

void rv_strbuf_printf(struct rv_strbuf *sb, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	rv_strbuf_vprintf(sb, fmt, ap);
	va_end(ap);
}

void rv_strbuf_truncate(struct rv_strbuf *sb, size_t len)
{
	if (len < sb->len) {
		sb->len = len;
		sb->bytes[len] = '\0';
	}
}

/* Length of the valid UTF-8 sequence at p, 0 if there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t len)
{
	unsigned char c = p[0];
	if (c < 0x80)
		return 1;
	if (c >= 0xC2 && c <= 0xDF)
		return len >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
	if (c >= 0xE0 && c <= 0xEF) {
		if (len < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
			return 0;
		if ((c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F))
			return 0;
		return 3;
	}
	if (c >= 0xF0 && c <= 0xF4) {
		if (len < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 ||
		    (p[3] & 0xC0) != 0x80)
			return 0;
		if ((c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] > 0x8F))
			return 0;
		return 4;
	}
	return 0;
}

void rv_strbuf_json(struct rv_strbuf *sb, const char *s, size_t len)
{
	rv_strbuf_putc(sb, '"');
	const unsigned char *p = (const unsigned char *)s, *end = p + len, *run = p;
	while (p < end) {
		if (*p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\' && *p != 0x7f) {
			p++;
			continue;
		}
		size_t n = *p >= 0x80 ? utf8_sequence(p, (size_t)(end - p)) : 0;
		if (n) {
			p += n;
			continue;
		}
		rv_strbuf_add(sb, run, (size_t)(p - run));
		switch (*p) {
		case '"': rv_strbuf_puts(sb, "\\\""); break;
		case '\\': rv_strbuf_puts(sb, "\\\\"); break;
		case '\n': rv_strbuf_puts(sb, "\\n"); break;
		case '\r': rv_strbuf_puts(sb, "\\r"); break;
		case '\t': rv_strbuf_puts(sb, "\\t"); break;
		default:
			if (*p >= 0x80)
				rv_strbuf_puts(sb, "\xEF\xBF\xBD");
			else
				rv_strbuf_printf(sb, "\\u%04x", *p);
		}
		run = ++p;
	}
	rv_strbuf_add(sb, run, (size_t)(p - run));
	rv_strbuf_putc(sb, '"');
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool rv_strbuf_form_decode(struct rv_strbuf *sb, const char *text)
{
	for (const char *p = text; *p; p++) {
		char c = *p == '+' ? ' ' : *p;
		if (*p == '%') {
			int high = hex_digit(p[1]), low = high < 0 ? -1 : hex_digit(p[2]);
			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			p += 2;
		}
		if (!c)
			return false;
		rv_strbuf_putc(sb, c);
	}
	return true;
}

void rv_strbuf_base64(struct rv_strbuf *sb, const void *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = bytes;
	rv_strbuf_reserve(sb, len / 3 * 4 + 4);
	for (size_t i = 0; i < len; i += 3) {
		size_t have = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)p[i] << 16 | (have > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (have > 2 ? p[i + 2] : 0);
		char quad[4] = { digits[v >> 18], digits[v >> 12 & 63],
				 have > 1 ? digits[v >> 6 & 63] : '=',
				 have > 2 ? digits[v & 63] : '=' };
		rv_strbuf_add(sb, quad, 4);
	}
}

static size_t edit_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), row[65];
	if (n > 64 || m > 64)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t up = row[j];
			size_t best = diagonal + (a[i - 1] != b[j - 1]);
			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = up;
			row[j] = best;
		}
	}
	return row[m];
}

const char *rv_nearest(const char *typed, const char *const *words)
{
	const char *best = NULL;
	size_t best_distance = strlen(typed) / 3 + 2; /* further away is not a typing mistake */
	for (; *words; words++) {
		size_t d = edit_distance(typed, *words);
		if (d < best_distance) {
			best_distance = d;
			best = *words;
		}
	}
	return best;
}
