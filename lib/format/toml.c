/*
 * One pass over the text, a tree as the result. What TOML forbids about defining a table twice is
 * kept by three marks on each: it had a [header], it is closed (inline), or dotted keys made it.
 */
#include "format/toml.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "format/text_copy.h"

#define MAX_BYTES (1024 * 1024)
#define MAX_NODES 16384 /* each new key is compared with all of its table */
#define MAX_DEPTH 32

void rv_toml_free(struct rv_toml *toml)
{
	if (!toml)
		return;
	for (size_t i = 0; i < toml->count; i++)
		rv_toml_free(toml->items[i]);
	free(toml->items);
	free(toml->name);
	explicit_bzero(toml->text, strlen(toml->text)); /* every node has one */
	free(toml->text);
	free(toml);
}

void rv_toml_free_p(struct rv_toml **toml)
{
	rv_toml_free(*toml);
	*toml = NULL;
}

const struct rv_toml *rv_toml_get(const struct rv_toml *table, const char *name)
{
	if (!table || table->type != RV_TOML_TABLE)
		return NULL;
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->items[i]->name, name) == 0)
			return table->items[i];
	return NULL;
}

struct reader {
	const char *file;
	const char *p, *end;
	size_t line, nodes;
	unsigned depth;
	struct rv_error *err;
};

RV_PRINTF(2, 3) static enum rv_status wrong(struct reader *r, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	rv_fail(r->err, RV_BAD_CONFIG, "%s:%zu: %s", r->file, r->line, text);
	rv_error_at(r->err, r->file, r->line, 0);
	return r->err->status;
}

static char look(const struct reader *r)
{
	return r->p < r->end ? *r->p : '\0'; /* NUL is refused before all else */
}

static bool take(struct reader *r, char c)
{
	if (look(r) != c)
		return false;
	r->p++;
	return true;
}

static bool starts(const struct reader *r, const char *text)
{
	size_t len = strlen(text);
	return (size_t)(r->end - r->p) >= len && memcmp(r->p, text, len) == 0;
}

static bool take_line_end(struct reader *r)
{
	if (starts(r, "\r\n"))
		r->p++;
	if (!take(r, '\n'))
		return false;
	r->line++;
	return true;
}

static void skip_blanks(struct reader *r)
{
	while (look(r) == ' ' || look(r) == '\t')
		r->p++;
}

static bool is_control(char c)
{
	unsigned char u = (unsigned char)c;
	return (u < 0x20 && u != '\t') || u == 0x7f;
}

static enum rv_status skip_comment(struct reader *r)
{
	if (look(r) != '#')
		return RV_OK;
	while (r->p < r->end && *r->p != '\n' && !starts(r, "\r\n")) {
		if (is_control(*r->p))
			return wrong(r, "a control character in a comment");
		r->p++;
	}
	return RV_OK;
}

/* Blanks, comments and line ends: between statements and inside of arrays. */
static enum rv_status skip_space(struct reader *r)
{
	for (;;) {
		skip_blanks(r);
		if (skip_comment(r) != RV_OK)
			return r->err->status;
		if (!take_line_end(r))
			return RV_OK;
	}
}

static enum rv_status end_of_line(struct reader *r, const char *after)
{
	skip_blanks(r);
	if (skip_comment(r) != RV_OK)
		return r->err->status;
	if (r->p == r->end || take_line_end(r))
		return RV_OK;
	return wrong(r, "nothing may follow %s on its line", after);
}

/* ---- the tree --------------------------------------------------------------------------------- */

static struct rv_toml *add(struct reader *r, struct rv_toml *to, enum rv_toml_type type,
			   const char *name)
{
	if (++r->nodes > MAX_NODES) {
		wrong(r, "more than %d keys and values", MAX_NODES);
		return NULL;
	}
	struct rv_toml *node = rv_calloc(1, sizeof(*node));
	node->type = type;
	node->name = rv_strdup(name);
	node->text = rv_strdup("");
	node->line = r->line;
	RV_GROW(to->items, to->count, to->capacity);
	to->items[to->count++] = node;
	return node;
}

static struct rv_toml *find(struct rv_toml *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->items[i]->name, name) == 0)
			return table->items[i];
	return NULL;
}

/* ---- strings ---------------------------------------------------------------------------------- */

static void put_utf8(struct rv_strbuf *out, uint32_t c)
{
	if (c < 0x80) {
		rv_strbuf_putc(out, (char)c);
	} else if (c < 0x800) {
		rv_strbuf_putc(out, (char)(0xC0 | c >> 6));
		rv_strbuf_putc(out, (char)(0x80 | (c & 0x3F)));
	} else if (c < 0x10000) {
		rv_strbuf_putc(out, (char)(0xE0 | c >> 12));
		rv_strbuf_putc(out, (char)(0x80 | (c >> 6 & 0x3F)));
		rv_strbuf_putc(out, (char)(0x80 | (c & 0x3F)));
	} else {
		rv_strbuf_putc(out, (char)(0xF0 | c >> 18));
		rv_strbuf_putc(out, (char)(0x80 | (c >> 12 & 0x3F)));
		rv_strbuf_putc(out, (char)(0x80 | (c >> 6 & 0x3F)));
		rv_strbuf_putc(out, (char)(0x80 | (c & 0x3F)));
	}
}

static enum rv_status read_escape(struct reader *r, bool multi_line, struct rv_strbuf *out)
{
	static const char letters[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
	char c = look(r);
	const char *at = c ? strchr(letters, c) : NULL;
	if (at) {
		r->p++;
		rv_strbuf_putc(out, values[at - letters]);
		return RV_OK;
	}
	if (c == 'u' || c == 'U') {
		size_t digits = c == 'u' ? 4 : 8;
		uint32_t code = 0;
		r->p++;
		for (size_t i = 0; i < digits; i++, r->p++) {
			char d = look(r);
			if (d >= '0' && d <= '9')
				code = code << 4 | (uint32_t)(d - '0');
			else if ((d >= 'a' && d <= 'f') || (d >= 'A' && d <= 'F'))
				code = code << 4 | (uint32_t)((d | 0x20) - 'a' + 10);
			else
				return wrong(r, "\\%c wants %zu hexadecimal digits", c, digits);
		}
		if (code == 0)
			return wrong(r, "a string may not hold NUL");
		if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
			return wrong(r, "\\%c names no character", c);
		put_utf8(out, code);
		return RV_OK;
	}
	/* A backslash at the end of a line joins it with the next word. */
	if (multi_line) {
		const char *start = r->p;
		size_t line = r->line;
		skip_blanks(r);
		if (take_line_end(r)) {
			do
				skip_blanks(r);
			while (take_line_end(r));
			return RV_OK;
		}
		r->p = start;
		r->line = line;
	}
	return wrong(r, "'\\' with what follows is no escape");
}

static enum rv_status read_multi_line(struct reader *r, char quote, struct rv_strbuf *out)
{
	char close[4] = { quote, quote, quote, '\0' };
	size_t line = r->line;
	take_line_end(r); /* right behind the quotes it does not count */
	for (;;) {
		if (r->p == r->end) {
			r->line = line;
			return wrong(r, "a string of several lines has no end");
		}
		if (starts(r, close)) {
			/* up to two quotes may stand right before the closing ones */
			for (int i = 0; i < 2 && r->end - r->p > 3 && r->p[3] == quote; i++) {
				rv_strbuf_putc(out, quote);
				r->p++;
			}
			r->p += 3;
			return RV_OK;
		}
		if (take_line_end(r)) {
			rv_strbuf_putc(out, '\n');
		} else if (quote == '"' && take(r, '\\')) {
			if (read_escape(r, true, out) != RV_OK)
				return r->err->status;
		} else if (is_control(*r->p)) {
			return wrong(r, "a control character in a string");
		} else {
			rv_strbuf_putc(out, *r->p++);
		}
	}
}

static enum rv_status read_string(struct reader *r, bool may_be_multi_line, struct rv_strbuf *out)
{
	char quote = *r->p;
	char open[4] = { quote, quote, quote, '\0' };
	if (may_be_multi_line && starts(r, open)) {
		r->p += 3;
		return read_multi_line(r, quote, out);
	}
	r->p++;
	while (r->p < r->end && *r->p != '\n' && *r->p != '\r') {
		if (take(r, quote))
			return RV_OK;
		if (quote == '"' && take(r, '\\')) {
			if (read_escape(r, false, out) != RV_OK)
				return r->err->status;
		} else if (is_control(*r->p)) {
			return wrong(r, "a control character in a string");
		} else {
			rv_strbuf_putc(out, *r->p++);
		}
	}
	return wrong(r, "a string has no end on its line");
}

/* ---- keys ------------------------------------------------------------------------------------- */

static bool is_bare(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static enum rv_status read_key(struct reader *r, struct rv_strbuf *out)
{
	rv_strbuf_clear(out);
	if (look(r) == '"' || look(r) == '\'')
		return read_string(r, false, out);
	while (is_bare(look(r)))
		rv_strbuf_putc(out, *r->p++);
	return out->len ? RV_OK : wrong(r, "a key is expected here");
}

/* The table `name` inside of `in`, made when it is not there: a step of a dotted key or header. */
static enum rv_status step_into(struct reader *r, struct rv_toml *in, const char *name,
				bool by_dots, struct rv_toml **ret)
{
	struct rv_toml *next = find(in, name);
	if (!next) {
		next = add(r, in, RV_TOML_TABLE, name);
		if (!next)
			return r->err->status;
		next->by_dots = by_dots;
	} else if (next->type == RV_TOML_ARRAY && !next->is_closed && !by_dots) {
		next = next->items[next->count - 1]; /* of [[name]] the last: it has one */
	}
	if (next->type != RV_TOML_TABLE || next->is_closed)
		return wrong(r, "'%s' already has a value (line %zu)", name, next->line);
	/* Dotted keys do not add to what a header defined, as a rule of TOML. */
	if (by_dots && !next->by_dots)
		return wrong(r, "'%s' is a table of its own (line %zu)", name, next->line);
	*ret = next;
	return RV_OK;
}

/* key or a.b.c: the table that holds the last part, whose name is left in `last`. */
static enum rv_status read_path(struct reader *r, struct rv_toml *from, bool by_dots,
				struct rv_strbuf *last, struct rv_toml **ret)
{
	struct rv_toml *table = from;
	for (unsigned parts = 1;; parts++) {
		skip_blanks(r);
		if (read_key(r, last) != RV_OK)
			return r->err->status;
		skip_blanks(r);
		if (!take(r, '.'))
			break;
		if (parts >= MAX_DEPTH)
			return wrong(r, "a key of more than %d parts", MAX_DEPTH);
		if (step_into(r, table, last->bytes, by_dots, &table) != RV_OK)
			return r->err->status;
	}
	*ret = table;
	return RV_OK;
}

/* ---- values ----------------------------------------------------------------------------------- */

static size_t digits_at(const char *s)
{
	return strspn(s, "0123456789");
}

/* Digits with single '_' between them, which are taken out in place. */
static bool without_underscores(char *s, const char *digits)
{
	char *to = s;
	for (char *p = s; *p; p++) {
		if (*p != '_')
			*to++ = *p;
		else if (p == s || !strchr(digits, p[-1]) || !p[1] || !strchr(digits, p[1]))
			return false;
	}
	*to = '\0';
	return true;
}

static bool is_integer(char *s)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	if (s[0] == '0' && s[1] && strchr("xob", s[1])) {
		const char *digits = s[1] == 'x' ? hex : s[1] == 'o' ? "01234567" : "01";
		return s[2] && without_underscores(s + 2, digits) && s[2 + strspn(s + 2, digits)] == '\0';
	}
	if (*s == '+' || *s == '-')
		s++;
	if (!without_underscores(s, "0123456789"))
		return false;
	size_t n = digits_at(s);
	return n > 0 && s[n] == '\0' && (n == 1 || *s != '0');
}

static bool is_float(char *s)
{
	if (*s == '+' || *s == '-')
		s++;
	if (strcmp(s, "inf") == 0 || strcmp(s, "nan") == 0)
		return true;
	if (!without_underscores(s, "0123456789"))
		return false;
	size_t n = digits_at(s);
	if (n == 0 || (n > 1 && *s == '0'))
		return false;
	const char *p = s + n;
	bool has_part = false;
	if (*p == '.') {
		n = digits_at(p + 1);
		if (n == 0)
			return false;
		p += 1 + n;
		has_part = true;
	}
	if (*p == 'e' || *p == 'E') {
		p++;
		if (*p == '+' || *p == '-')
			p++;
		n = digits_at(p);
		if (n == 0)
			return false;
		p += n;
		has_part = true;
	}
	return has_part && *p == '\0';
}

/* 9999-99-99, 99:99:99[.9...], both with T, t or a blank between, and a zone. */
static bool is_time(const char *s)
{
	if (digits_at(s) == 4 && s[4] == '-' && digits_at(s + 5) == 2 && s[7] == '-' &&
	    digits_at(s + 8) == 2) {
		s += 10;
		if (!*s)
			return true;
		if (!strchr("Tt ", *s))
			return false;
		s++;
	}
	if (digits_at(s) != 2 || s[2] != ':' || digits_at(s + 3) != 2 || s[5] != ':' ||
	    digits_at(s + 6) != 2)
		return false;
	s += 8;
	if (*s == '.') {
		size_t n = digits_at(s + 1);
		if (n == 0)
			return false;
		s += 1 + n;
	}
	if (!*s || strcmp(s, "Z") == 0 || strcmp(s, "z") == 0)
		return true;
	return (*s == '+' || *s == '-') && digits_at(s + 1) == 2 && s[3] == ':' &&
	       digits_at(s + 4) == 2 && !s[6];
}

static bool is_scalar_byte(char c)
{
	return is_bare(c) || c == '+' || c == '.' || c == ':';
}

static enum rv_status read_scalar(struct reader *r, struct rv_toml *node)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	while (is_scalar_byte(look(r)))
		rv_strbuf_putc(&text, *r->p++);
	/* "1979-05-27 07:32:00": the one scalar with a blank */
	if (text.len == 10 && text.bytes[4] == '-' && look(r) == ' ' && r->end - r->p > 3 &&
	    r->p[3] == ':')
		do
			rv_strbuf_putc(&text, *r->p++);
		while (is_scalar_byte(look(r)));
	if (text.len == 0)
		return wrong(r, "a value is expected here");
	if (strcmp(text.bytes, "true") == 0 || strcmp(text.bytes, "false") == 0)
		node->type = RV_TOML_BOOLEAN;
	else if (is_time(text.bytes))
		node->type = RV_TOML_TIME;
	else if (is_integer(text.bytes))
		node->type = RV_TOML_INTEGER;
	else if (is_float(text.bytes))
		node->type = RV_TOML_FLOAT;
	else
		/* Not said what it is: somebody may have left out the quotes of a secret. */
		return wrong(r, "the value of '%s' is none: texts stand in quotes", node->name);
	free(node->text);
	node->text = rv_strdup(text.bytes);
	return RV_OK;
}

static enum rv_status read_value(struct reader *r, struct rv_toml *node);

static enum rv_status read_array(struct reader *r, struct rv_toml *array)
{
	size_t line = r->line;
	array->type = RV_TOML_ARRAY;
	array->is_closed = true;
	for (;;) {
		if (skip_space(r) != RV_OK)
			return r->err->status;
		if (take(r, ']'))
			return RV_OK;
		if (r->p == r->end) {
			r->line = line;
			return wrong(r, "an array has no end");
		}
		struct rv_toml *element = add(r, array, RV_TOML_STRING, "");
		if (!element || read_value(r, element) != RV_OK || skip_space(r) != RV_OK)
			return r->err->status;
		if (!take(r, ',') && look(r) != ']' && r->p < r->end)
			return wrong(r, "',' or ']' is expected in an array");
	}
}

static enum rv_status read_pair(struct reader *r, struct rv_toml *table);

static void close_all(struct rv_toml *table)
{
	table->is_closed = true;
	for (size_t i = 0; i < table->count; i++)
		close_all(table->items[i]);
}

static enum rv_status read_inline_table(struct reader *r, struct rv_toml *table)
{
	table->type = RV_TOML_TABLE;
	skip_blanks(r);
	bool first = true;
	while (!take(r, '}')) {
		if (!first && !take(r, ','))
			return wrong(r, "',' or '}' is expected in a table on one line");
		first = false;
		if (read_pair(r, table) != RV_OK)
			return r->err->status;
		skip_blanks(r);
	}
	close_all(table);
	return RV_OK;
}

static enum rv_status read_value(struct reader *r, struct rv_toml *node)
{
	char c = look(r);
	if (c == '"' || c == '\'') {
		struct rv_strbuf text = RV_STRBUF_INIT;
		const char *line_end = memchr(r->p, '\n', (size_t)(r->end - r->p));
		node->type = RV_TOML_STRING;
		/* It may be a secret: growing would leave copies of it behind. */
		rv_strbuf_reserve(&text, (size_t)((line_end ? line_end : r->end) - r->p));
		enum rv_status status = read_string(r, true, &text);
		free(node->text);
		node->text = rv_strbuf_take(&text);
		return status;
	}
	if (c != '[' && c != '{')
		return read_scalar(r, node);
	if (++r->depth > MAX_DEPTH)
		return wrong(r, "more than %d levels of values", MAX_DEPTH);
	r->p++;
	enum rv_status status = c == '[' ? read_array(r, node) : read_inline_table(r, node);
	r->depth--;
	return status;
}

static enum rv_status read_pair(struct reader *r, struct rv_toml *table)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	if (read_path(r, table, true, &name, &table) != RV_OK)
		return r->err->status;
	const struct rv_toml *old = find(table, name.bytes);
	if (old)
		return wrong(r, "'%s' is there twice (line %zu)", name.bytes, old->line);
	if (!take(r, '='))
		return wrong(r, "'=' is expected after '%s'", name.bytes);
	skip_blanks(r);
	struct rv_toml *node = add(r, table, RV_TOML_STRING, name.bytes);
	return node ? read_value(r, node) : r->err->status;
}

/* ---- headers ---------------------------------------------------------------------------------- */

static enum rv_status open_table(struct reader *r, struct rv_toml *in, const char *name,
				 struct rv_toml **ret)
{
	struct rv_toml *table = find(in, name);
	if (!table) {
		table = add(r, in, RV_TOML_TABLE, name);
		if (!table)
			return r->err->status;
	} else if (table->type != RV_TOML_TABLE || table->is_closed || table->has_header ||
		   table->by_dots) {
		return wrong(r, "'%s' is there twice (line %zu)", name, table->line);
	}
	table->has_header = true;
	*ret = table;
	return RV_OK;
}

static enum rv_status open_element(struct reader *r, struct rv_toml *in, const char *name,
				   struct rv_toml **ret)
{
	struct rv_toml *array = find(in, name);
	if (!array)
		array = add(r, in, RV_TOML_ARRAY, name);
	else if (array->type != RV_TOML_ARRAY || array->is_closed)
		return wrong(r, "'%s' is there twice (line %zu)", name, array->line);
	*ret = array ? add(r, array, RV_TOML_TABLE, "") : NULL;
	return *ret ? RV_OK : r->err->status;
}

static enum rv_status read_header(struct reader *r, struct rv_toml *root, struct rv_toml **ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	struct rv_toml *in;
	bool is_element = starts(r, "[[");
	r->p += is_element ? 2 : 1;
	if (read_path(r, root, false, &name, &in) != RV_OK)
		return r->err->status;
	if (!take(r, ']') || (is_element && !take(r, ']')))
		return wrong(r, "'%s' is expected after '%s'", is_element ? "]]" : "]", name.bytes);
	enum rv_status status = is_element ? open_element(r, in, name.bytes, ret)
					   : open_table(r, in, name.bytes, ret);
	return status == RV_OK ? end_of_line(r, "the name of a table") : status;
}

static enum rv_status read_all(struct reader *r, struct rv_toml *root)
{
	struct rv_toml *table = root;
	for (;;) {
		if (skip_space(r) != RV_OK)
			return r->err->status;
		if (r->p == r->end)
			return RV_OK;
		enum rv_status status = look(r) == '[' ? read_header(r, root, &table)
						       : read_pair(r, table);
		if (status == RV_OK && r->p[-1] != '\n')
			status = end_of_line(r, "a value");
		if (status != RV_OK)
			return status;
	}
}

enum rv_status rv_toml_parse(const char *name, const char *text, size_t len, struct rv_toml **ret,
			     struct rv_error *err)
{
	RV_CLEANUP(rv_toml_free_p) struct rv_toml *root = rv_calloc(1, sizeof(*root));
	struct reader r = { .file = name, .p = text, .end = text + len, .line = 1, .err = err };
	root->name = rv_strdup("");
	root->text = rv_strdup("");
	root->line = 1;
	if (len > MAX_BYTES)
		return wrong(&r, "the file is larger than %d bytes", MAX_BYTES);
	size_t good = rv_utf8_check(text, len);
	const char *nul = len ? memchr(text, '\0', len) : NULL;
	if (good < len || nul) {
		const char *at = nul && (size_t)(nul - text) < good ? nul : text + good;
		for (const char *p = text; p < at; p++)
			r.line += *p == '\n';
		return wrong(&r, "the file is not text in UTF-8");
	}
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		r.p += 3;
	if (read_all(&r, root) != RV_OK)
		return err->status;
	*ret = rv_take(root);
	return RV_OK;
}
