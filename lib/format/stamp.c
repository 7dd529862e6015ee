/* Stamps: put on line by line, found again from the end of the record. */
#include "format/stamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"

static const char opening[] = "\"_river\":{\"id\":\"";
#define OPENING_LEN (sizeof(opening) - 1)
#define DIGITS_MAX 20
/* Of host and source: each byte may become six. */
#define TEXT_MAX_BYTES 500

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_run_character(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-';
}

/* ---- ids ---- */

/* "-<number>" at the end of p[0..*len), at least `min_digits` and not longer than it must be. */
static bool take_number(const char *p, size_t *len, size_t min_digits, uint64_t *ret)
{
	size_t from = *len;
	while (from > 0 && is_digit(p[from - 1]))
		from--;
	size_t digits = *len - from;
	if (digits < min_digits || from == 0 || p[from - 1] != '-' ||
	    (digits > min_digits && p[from] == '0') || !rv_parse_u64(p + from, digits, ret))
		return false;
	*len = from - 1;
	return true;
}

bool rv_stamp_id_parse(const char *p, size_t len, struct rv_stamp_id *ret)
{
	struct rv_stamp_id id;
	if (!take_number(p, &len, 1, &id.n) || id.n == 0 || !take_number(p, &len, 6, &id.seq) ||
	    len == 0 || len > RV_STAMP_RUN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_run_character(p[i]))
			return false;
	if (p[0] == '.' || p[0] == '_' || p[0] == '-')
		return false;
	id.run = (struct rv_str){ p, len };
	*ret = id;
	return true;
}

void rv_stamp_id_format(const struct rv_stamp_id *id, char ret[RV_STAMP_ID_TEXT])
{
	snprintf(ret, RV_STAMP_ID_TEXT, "%.*s-%06" PRIu64 "-%" PRIu64, (int)id->run.len, id->run.p,
		 id->seq, id->n);
}

/* ---- putting on ---- */

/* Not through the middle of a character. */
static size_t cut_text(const char *s)
{
	size_t len = strlen(s);
	if (len <= TEXT_MAX_BYTES)
		return len;
	len = TEXT_MAX_BYTES;
	while (len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80)
		len--;
	return len;
}

void rv_stamper_begin(struct rv_stamper *stamper, const struct rv_stamper_params *params)
{
	rv_strbuf_clear(&stamper->head);
	rv_strbuf_clear(&stamper->tail);
	stamper->n = 0;
	rv_strbuf_printf(&stamper->head, ",%s%s-%06" PRIu64 "-", opening, params->run, params->seq);
	rv_strbuf_putc(&stamper->tail, '"');
	if (params->full) {
		char at[RV_TIME_TEXT];
		rv_strbuf_printf(&stamper->tail, ",\"at\":\"%s\",\"host\":",
				 rv_format_time(params->at_ms, at));
		rv_strbuf_json(&stamper->tail, params->host, cut_text(params->host));
		rv_strbuf_puts(&stamper->tail, ",\"source\":");
		rv_strbuf_json(&stamper->tail, params->source, cut_text(params->source));
	}
	rv_strbuf_puts(&stamper->tail, "}}\n");
}

void rv_stamper_release(struct rv_stamper *stamper)
{
	rv_strbuf_release(&stamper->head);
	rv_strbuf_release(&stamper->tail);
}

size_t rv_stamper_max_bytes(const struct rv_stamper *stamper)
{
	/* The closing brace and the newline were there before. */
	return stamper->head.len + DIGITS_MAX + stamper->tail.len - 2;
}

static size_t put_number(char *o, uint64_t n)
{
	char digits[DIGITS_MAX];
	size_t len = 0;
	do {
		digits[DIGITS_MAX - ++len] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	memcpy(o, digits + DIGITS_MAX - len, len);
	return len;
}

/* Nothing but blanks stands in front of the closing brace, back to the opening one. */
static bool is_empty(const char *p, size_t brace)
{
	while (brace > 1 && (p[brace - 1] == ' ' || p[brace - 1] == '\t' || p[brace - 1] == '\r' ||
			     p[brace - 1] == '\n'))
		brace--;
	return brace == 1;
}

void rv_stamper_lines(struct rv_stamper *stamper, const char *p, size_t len, struct rv_strbuf *out)
{
	const char *const end = p + len;
	const size_t add = stamper->head.len + DIGITS_MAX + stamper->tail.len;
	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t brace = (size_t)(newline - p) - 1;
		if (out->capacity - out->len <= brace + add)
			rv_strbuf_reserve(out, (size_t)(end - p) + 64 * add);
		char *o = out->bytes + out->len;
		memcpy(o, p, brace);
		o += brace;
		bool empty = is_empty(p, brace);
		memcpy(o, stamper->head.bytes + empty, stamper->head.len - empty);
		o += stamper->head.len - empty;
		o += put_number(o, ++stamper->n);
		memcpy(o, stamper->tail.bytes, stamper->tail.len);
		o += stamper->tail.len;
		out->len = (size_t)(o - out->bytes);
		p = newline + 1;
	}
	if (out->capacity)
		out->bytes[out->len] = '\0';
}

/* ---- cutting off ---- */

/* Where the id begins that ends in front of `quote`, when it is a stamp's. */
static bool find_id(const char *p, size_t quote, size_t *ret)
{
	size_t from = quote;
	while (from > 0 && quote - from < RV_STAMP_ID_TEXT && is_run_character(p[from - 1]))
		from--;
	if (from < OPENING_LEN + 1 || memcmp(p + from - OPENING_LEN, opening, OPENING_LEN) != 0)
		return false;
	*ret = from;
	return true;
}

/* The quote a string begins with that ends at p[end]; false: none within a stamp's length. */
static bool find_string(const char *p, size_t end, size_t *ret)
{
	size_t at = end;
	while (at > 0 && end - at < RV_STAMP_MAX_BYTES) {
		size_t slashes = 0;
		if (p[--at] != '"')
			continue;
		while (slashes < at && p[at - 1 - slashes] == '\\')
			slashes++;
		if (slashes % 2)
			continue;
		*ret = at;
		return true;
	}
	return false;
}

/* `text` ends in front of *at; moves *at in front of it. */
static bool take_text(const char *p, size_t *at, const char *text)
{
	size_t len = strlen(text);
	if (*at < len || memcmp(p + *at - len, text, len) != 0)
		return false;
	*at -= len;
	return true;
}

/* From the closing quote of "source" back to that of the id. */
static bool take_full(const char *p, size_t *quote)
{
	static const char *const names[] = { ",\"source\":", ",\"host\":", ",\"at\":" };
	size_t at = *quote;
	for (size_t i = 0; i < 3; i++) {
		if (!find_string(p, at, &at) || !take_text(p, &at, names[i]) || at == 0 ||
		    p[--at] != '"')
			return false;
	}
	*quote = at;
	return true;
}

bool rv_stamp_cut(const char *p, size_t len, size_t *ret_keep, struct rv_stamp_id *ret)
{
	if (len < OPENING_LEN + 5 || memcmp(p + len - 3, "\"}}", 3) != 0)
		return false;
	size_t quote = len - 3, id;
	if (!find_id(p, quote, &id) && (!take_full(p, &quote) || !find_id(p, quote, &id)))
		return false;
	if (!rv_stamp_id_parse(p + id, quote - id, ret))
		return false;
	size_t before = id - OPENING_LEN;
	if (p[before - 1] == ',')
		before--;
	else if (!is_empty(p, before))
		return false;
	*ret_keep = before;
	return true;
}
