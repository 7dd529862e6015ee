/* A pull reader of JSON over chunks: no token ever needs two chunks at once. */
#include "format/json_pull.h"

#include <inttypes.h>
#include <string.h>

#include "format/text_copy.h"

#define MAX_DEPTH 512

enum rv_status rv_json_pull_wrong(const struct rv_json_pull *pull, const char *why, struct rv_error *err)
{
	uint64_t at = pull->passed + (pull->chunk ? (uint64_t)(pull->left.p - pull->chunk) : 0);
	return rv_fail(err, RV_BAD_DATA, "%s is not what it should be at byte %" PRIu64 ": %s",
		       pull->what, at + 1, why);
}

/* At least one byte in `left`, or the end. */
static enum rv_status fill(struct rv_json_pull *pull, struct rv_error *err)
{
	if (!pull->chunk)
		pull->chunk = pull->left.p;
	while (pull->left.len == 0 && !pull->at_end) {
		struct rv_str next = { 0 };
		if (pull->more && pull->more(pull->arg, &next, err) != RV_OK)
			return err->status;
		if (next.len == 0) {
			pull->at_end = true;
			return RV_OK;
		}
		if (pull->chunk)
			pull->passed += (uint64_t)(pull->left.p - pull->chunk);
		pull->left = next;
		pull->chunk = next.p;
	}
	return RV_OK;
}

/* The next byte, taken; -1 at the end. */
static enum rv_status byte(struct rv_json_pull *pull, int *ret, struct rv_error *err)
{
	if (pull->left.len == 0 && fill(pull, err) != RV_OK)
		return err->status;
	if (pull->left.len == 0) {
		*ret = -1;
		return RV_OK;
	}
	*ret = (unsigned char)*pull->left.p++;
	pull->left.len--;
	return RV_OK;
}

enum rv_status rv_json_pull_peek(struct rv_json_pull *pull, int *ret, struct rv_error *err)
{
	for (;;) {
		while (pull->left.len && (*pull->left.p == ' ' || *pull->left.p == '\n' ||
					  *pull->left.p == '\r' || *pull->left.p == '\t')) {
			pull->left.p++;
			pull->left.len--;
		}
		if (pull->left.len) {
			*ret = (unsigned char)*pull->left.p;
			return RV_OK;
		}
		if (fill(pull, err) != RV_OK)
			return err->status;
		if (pull->left.len == 0) {
			*ret = -1;
			return RV_OK;
		}
	}
}

enum rv_status rv_json_pull_take(struct rv_json_pull *pull, char c, struct rv_error *err)
{
	int next = -1;
	if (rv_json_pull_peek(pull, &next, err) != RV_OK)
		return err->status;
	if (next != (unsigned char)c) {
		char why[] = "' ' is expected";
		why[1] = c;
		return rv_json_pull_wrong(pull, next < 0 ? "it ends too early" : why, err);
	}
	pull->left.p++;
	pull->left.len--;
	return RV_OK;
}

/* ---- strings ---------------------------------------------------------------------------------- */

/* How many bytes from p need no look: all but '"', '\\' and control characters. */
static size_t plain_len(const char *p, size_t len)
{
	size_t i = 0;
	while (i < len && (unsigned char)p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
		i++;
	return i;
}

static enum rv_status hex4(struct rv_json_pull *pull, uint32_t *ret, struct rv_error *err)
{
	*ret = 0;
	for (int i = 0; i < 4; i++) {
		int c = -1;
		if (byte(pull, &c, err) != RV_OK)
			return err->status;
		uint32_t digit;
		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			digit = (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return rv_json_pull_wrong(pull, "a broken \\u escape", err);
		*ret = *ret << 4 | digit;
	}
	return RV_OK;
}

static void put_utf8(struct rv_strbuf *out, uint32_t c)
{
	char text[4];
	size_t len;
	if (c < 0x80) {
		text[0] = (char)c;
		len = 1;
	} else if (c < 0x800) {
		text[0] = (char)(0xC0 | c >> 6);
		text[1] = (char)(0x80 | (c & 0x3F));
		len = 2;
	} else if (c < 0x10000) {
		text[0] = (char)(0xE0 | c >> 12);
		text[1] = (char)(0x80 | (c >> 6 & 0x3F));
		text[2] = (char)(0x80 | (c & 0x3F));
		len = 3;
	} else {
		text[0] = (char)(0xF0 | c >> 18);
		text[1] = (char)(0x80 | (c >> 12 & 0x3F));
		text[2] = (char)(0x80 | (c >> 6 & 0x3F));
		text[3] = (char)(0x80 | (c & 0x3F));
		len = 4;
	}
	rv_strbuf_add(out, text, len);
}

/* The first half of a pair waits in *high until the next thing in the string is known. */
static enum rv_status unicode(struct rv_json_pull *pull, uint32_t *high, struct rv_strbuf *ret,
			      struct rv_error *err)
{
	uint32_t c;
	if (hex4(pull, &c, err) != RV_OK)
		return err->status;
	bool is_low = c >= 0xDC00 && c < 0xE000;
	if (*high && is_low) {
		put_utf8(ret, 0x10000 + ((*high - 0xD800) << 10) + (c - 0xDC00));
		*high = 0;
		return RV_OK;
	}
	if (*high)
		put_utf8(ret, 0xFFFD);
	*high = c >= 0xD800 && c < 0xDC00 ? c : 0;
	if (!*high)
		put_utf8(ret, is_low ? 0xFFFD : c);
	return RV_OK;
}

static enum rv_status escape(struct rv_json_pull *pull, uint32_t *high, struct rv_strbuf *ret,
			     struct rv_error *err)
{
	static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	int c = -1;
	if (byte(pull, &c, err) != RV_OK)
		return err->status;
	if (c == 'u')
		return unicode(pull, high, ret, err);
	if (*high)
		put_utf8(ret, 0xFFFD);
	*high = 0;
	const char *at = c > 0 ? strchr(letters, c) : NULL;
	if (!at)
		return rv_json_pull_wrong(pull, "an escape that JSON does not have", err);
	rv_strbuf_putc(ret, values[at - letters]);
	return RV_OK;
}

enum rv_status rv_json_pull_string(struct rv_json_pull *pull, struct rv_strbuf *ret,
				   struct rv_error *err)
{
	size_t start = ret->len;
	uint32_t high = 0;
	if (rv_json_pull_take(pull, '"', err) != RV_OK)
		return err->status;
	for (;;) {
		size_t plain = plain_len(pull->left.p, pull->left.len);
		if (plain && high) {
			put_utf8(ret, 0xFFFD);
			high = 0;
		}
		rv_strbuf_add(ret, pull->left.p, plain);
		pull->left.p += plain;
		pull->left.len -= plain;
		if (ret->overflow)
			return rv_json_pull_wrong(pull, "a text is too large", err);
		if (pull->left.len == 0) {
			if (fill(pull, err) != RV_OK)
				return err->status;
			if (pull->left.len == 0)
				return rv_json_pull_wrong(pull, "it ends in a text", err);
			continue;
		}
		char c = *pull->left.p++;
		pull->left.len--;
		if (c == '"')
			break;
		if (c != '\\')
			return rv_json_pull_wrong(pull, "a control character in a text", err);
		if (escape(pull, &high, ret, err) != RV_OK)
			return err->status;
	}
	if (high)
		put_utf8(ret, 0xFFFD);
	/* First, since what was dropped may have been a part of a character. */
	if (ret->overflow)
		return rv_json_pull_wrong(pull, "a text is too large", err);
	if (rv_utf8_check(ret->bytes + start, ret->len - start) < ret->len - start)
		return rv_json_pull_wrong(pull, "a text is not UTF-8", err);
	return RV_OK;
}

/* ---- values ----------------------------------------------------------------------------------- */

/* A string as it stands, its first '"' being next. */
static enum rv_status raw_string(struct rv_json_pull *pull, struct rv_strbuf *ret, struct rv_error *err)
{
	bool first = true, escaped = false;
	for (;;) {
		if (pull->left.len == 0 && fill(pull, err) != RV_OK)
			return err->status;
		if (pull->left.len == 0)
			return rv_json_pull_wrong(pull, "it ends in a text", err);
		const char *p = pull->left.p;
		size_t n = 0;
		bool done = false;
		while (n < pull->left.len && !done) {
			char c = p[n++];
			done = !first && !escaped && c == '"';
			escaped = !escaped && c == '\\';
			first = false;
		}
		if (ret)
			rv_strbuf_add(ret, p, n);
		pull->left.p += n;
		pull->left.len -= n;
		if (done)
			return RV_OK;
	}
}

static bool is_scalar_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
	       c == '+' || c == '.';
}

static enum rv_status raw_scalar(struct rv_json_pull *pull, struct rv_strbuf *ret, struct rv_error *err)
{
	size_t total = 0;
	for (;;) {
		size_t n = 0;
		while (n < pull->left.len && is_scalar_byte(pull->left.p[n]))
			n++;
		if (ret)
			rv_strbuf_add(ret, pull->left.p, n);
		pull->left.p += n;
		pull->left.len -= n;
		total += n;
		if (pull->left.len > 0)
			break;
		if (fill(pull, err) != RV_OK)
			return err->status;
		if (pull->left.len == 0)
			break;
	}
	return total ? RV_OK : rv_json_pull_wrong(pull, "a value is expected", err);
}

enum rv_status rv_json_pull_value(struct rv_json_pull *pull, struct rv_strbuf *ret,
				  struct rv_error *err)
{
	char closing[MAX_DEPTH];
	size_t depth = 0;
	do {
		int c = -1;
		if (rv_json_pull_peek(pull, &c, err) != RV_OK)
			return err->status;
		if (c < 0)
			return rv_json_pull_wrong(pull, "it ends too early", err);
		enum rv_status status = RV_OK;
		if (c == '"') {
			status = raw_string(pull, ret, err);
		} else if (strchr("{}[],:", c)) {
			if ((c == '{' || c == '[') && depth == MAX_DEPTH)
				return rv_json_pull_wrong(pull, "it is nested too deep", err);
			if (c == '{' || c == '[')
				closing[depth++] = c == '{' ? '}' : ']';
			else if ((c == '}' || c == ']') && depth && closing[depth - 1] == c)
				depth--;
			else if ((c != ',' && c != ':') || depth == 0)
				return rv_json_pull_wrong(pull, "a value is expected", err);
			if (ret)
				rv_strbuf_putc(ret, (char)c);
			pull->left.p++;
			pull->left.len--;
		} else {
			/* The blank between two of them stays, else they would be parsed as one. */
			if (ret && depth && is_scalar_byte(ret->bytes[ret->len - 1]))
				rv_strbuf_putc(ret, ' ');
			status = raw_scalar(pull, ret, err);
		}
		if (status != RV_OK)
			return status;
		if (ret && ret->overflow)
			return rv_json_pull_wrong(pull, "it is too large", err);
	} while (depth > 0);
	return RV_OK;
}

enum rv_status rv_json_pull_next(struct rv_json_pull *pull, char close, bool *first,
				 struct rv_strbuf *key, bool *ret, struct rv_error *err)
{
	int c = -1;
	if (rv_json_pull_peek(pull, &c, err) != RV_OK)
		return err->status;
	*ret = c != (unsigned char)close;
	if (!*ret)
		return rv_json_pull_take(pull, close, err);
	if (!*first && rv_json_pull_take(pull, ',', err) != RV_OK)
		return err->status;
	*first = false;
	if (close != '}')
		return RV_OK;
	rv_strbuf_clear(key);
	if (rv_json_pull_string(pull, key, err) != RV_OK)
		return err->status;
	return rv_json_pull_take(pull, ':', err);
}

enum rv_status rv_json_pull_end(struct rv_json_pull *pull, struct rv_error *err)
{
	int c = -1;
	if (rv_json_pull_peek(pull, &c, err) != RV_OK)
		return err->status;
	return c < 0 ? RV_OK : rv_json_pull_wrong(pull, "something follows its end", err);
}
