/*
 * A list of entries in the order of the file, looked through from the end: the last of equal keys
 * wins. Files are small, and read once.
 */
#include "aws/ini.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"

#define MAX_BYTES (1024 * 1024)
#define MAX_LINES_BYTES 16384 /* a value over several lines: each line copies what was there */
#define MAX_SECTIONS 4096 /* each new name is compared with all of them */

struct entry {
	size_t section;
	char *key;    /* lower case */
	char *nested; /* lower case; NULL: not nested */
	char *value;
};
struct rv_ini {
	char *path;
	char **sections;
	size_t section_count, section_capacity;
	struct entry *entries;
	size_t count, capacity;
};

void rv_ini_free(struct rv_ini *ini)
{
	if (!ini)
		return;
	for (size_t i = 0; i < ini->section_count; i++)
		rv_free_p(&ini->sections[i]);
	for (size_t i = 0; i < ini->count; i++) {
		rv_free_p(&ini->entries[i].key);
		rv_free_p(&ini->entries[i].nested);
		/* It may be a secret. */
		explicit_bzero(ini->entries[i].value, strlen(ini->entries[i].value));
		rv_free_p(&ini->entries[i].value);
	}
	rv_free_p(&ini->sections);
	rv_free_p(&ini->entries);
	rv_free_p(&ini->path);
	rv_free_p(&ini);
}

static void free_ini_p(struct rv_ini **ini)
{
	rv_ini_free(*ini);
	*ini = NULL;
}

struct parser {
	struct rv_ini *ini;
	size_t line, section, indent; /* of the last key; `section` SIZE_MAX: none yet */
	bool after_key;
	struct rv_error *err;
};

__attribute__((format(printf, 2, 3)))
static enum rv_status wrong(struct parser *p, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	rv_fail(p->err, RV_BAD_CONFIG, "%s:%zu: %s", p->ini->path, p->line, text);
	rv_error_at(p->err, p->ini->path, p->line, 0);
	return p->err->status;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static struct rv_str trim(struct rv_str s)
{
	while (s.len > 0 && blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

static bool starts_comment(char c)
{
	return c == '#' || c == ';';
}

/* A comment at the end of a line begins after a blank: '#' is common in values. */
static struct rv_str without_comment(struct rv_str s)
{
	for (size_t i = 1; i < s.len; i++)
		if (starts_comment(s.p[i]) && blank(s.p[i - 1]))
			return trim((struct rv_str){ s.p, i });
	return s.len > 0 && starts_comment(s.p[0]) ? (struct rv_str){ s.p, 0 } : s;
}

static char *lower(struct rv_str s)
{
	char *text = rv_strndup(s.p, s.len);
	for (char *c = text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return text;
}

/* "[ profile  'my name' ] # comment": one blank between words, quotes keep theirs. */
static enum rv_status parse_section(struct parser *p, struct rv_str line)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	char quote = '\0';
	bool gap = false;
	size_t i = 1;
	for (; i < line.len; i++) {
		char c = line.p[i];
		if (quote) {
			if (c == quote)
				quote = '\0';
			else
				rv_strbuf_putc(&name, c);
			continue;
		}
		if (c == ']')
			break;
		if (blank(c)) {
			gap = name.len > 0;
			continue;
		}
		if (gap)
			rv_strbuf_putc(&name, ' ');
		gap = false;
		if (c == '"' || c == '\'')
			quote = c;
		else
			rv_strbuf_putc(&name, c);
	}
	if (i >= line.len)
		return wrong(p, "the section has no %s", quote ? "closing quote" : "']' at its end");
	struct rv_str rest = trim((struct rv_str){ line.p + i + 1, line.len - i - 1 });
	if (rest.len > 0 && !starts_comment(rest.p[0]))
		return wrong(p, "there is text behind the ']' of a section");
	if (name.len == 0)
		return wrong(p, "the section has no name");
	struct rv_ini *ini = p->ini;
	p->after_key = false;
	for (p->section = 0; p->section < ini->section_count; p->section++)
		if (strcmp(ini->sections[p->section], name.bytes) == 0)
			return RV_OK;
	if (ini->section_count >= MAX_SECTIONS)
		return wrong(p, "there are more than %d sections", MAX_SECTIONS);
	RV_GROW(ini->sections, ini->section_count, ini->section_capacity);
	ini->sections[ini->section_count++] = rv_strbuf_take(&name);
	return RV_OK;
}

static void add_entry(struct parser *p, char *key, char *nested, struct rv_str value)
{
	struct rv_ini *ini = p->ini;
	RV_GROW(ini->entries, ini->count, ini->capacity);
	ini->entries[ini->count++] = (struct entry){
		.section = p->section,
		.key = key,
		.nested = nested,
		.value = rv_strndup(value.p, value.len),
	};
}

/* The text is not quoted in messages: it may be half of a secret. */
static enum rv_status split(struct parser *p, struct rv_str line, struct rv_str *ret_key,
			    struct rv_str *ret_value)
{
	const char *sign = memchr(line.p, '=', line.len);
	if (!sign) {
		wrong(p, "this line is no section, no comment and has no '='");
		rv_hint(p->err, "write it as: key = value");
		return p->err->status;
	}
	size_t at = (size_t)(sign - line.p);
	*ret_key = trim((struct rv_str){ line.p, at });
	*ret_value = without_comment(trim((struct rv_str){ sign + 1, line.len - at - 1 }));
	return ret_key->len > 0 ? RV_OK : wrong(p, "there is no key before the '='");
}

/* Deeper than the key above it: an entry of its map when it has no value, more of its value else. */
static enum rv_status parse_below(struct parser *p, struct rv_str line)
{
	struct entry *last = &p->ini->entries[p->ini->count - 1];
	if (last->nested || !*last->value) {
		struct rv_str key, value;
		enum rv_status status = split(p, line, &key, &value);
		if (status == RV_OK)
			add_entry(p, rv_strdup(last->key), lower(key), value);
		return status;
	}
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf joined = RV_STRBUF_INIT;
	struct rv_str more = without_comment(line);
	if (strlen(last->value) + more.len > MAX_LINES_BYTES)
		return wrong(p, "a value over several lines has more than %d bytes", MAX_LINES_BYTES);
	rv_strbuf_puts(&joined, last->value);
	rv_strbuf_putc(&joined, '\n');
	rv_strbuf_add(&joined, more.p, more.len);
	explicit_bzero(last->value, strlen(last->value));
	rv_free_p(&last->value);
	last->value = rv_strbuf_take(&joined);
	return RV_OK;
}

static enum rv_status parse_line(struct parser *p, struct rv_str raw)
{
	struct rv_str line = trim(raw), key, value;
	if (line.len == 0 || starts_comment(line.p[0]))
		return RV_OK;
	if (memchr(line.p, '\0', line.len))
		return wrong(p, "there is a NUL byte");
	size_t indent = (size_t)(line.p - raw.p);
	if (p->after_key && indent > p->indent)
		return parse_below(p, line);
	if (line.p[0] == '[')
		return parse_section(p, line);
	if (p->section == SIZE_MAX)
		return wrong(p, "there is a line before the first [section]");
	enum rv_status status = split(p, line, &key, &value);
	if (status != RV_OK)
		return status;
	add_entry(p, lower(key), NULL, value);
	p->after_key = true;
	p->indent = indent;
	return RV_OK;
}

enum rv_status rv_ini_parse(const char *name, const char *text, size_t len, struct rv_ini **ret,
			    struct rv_error *err)
{
	RV_CLEANUP(free_ini_p) struct rv_ini *ini = rv_calloc(1, sizeof(*ini));
	struct parser p = { .ini = ini, .section = SIZE_MAX, .err = err };
	ini->path = rv_strdup(name);
	if (len > MAX_BYTES)
		return rv_fail(err, RV_BAD_CONFIG, "%s is larger than 1 MiB", name);
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
		text += 3;
		len -= 3;
	}
	while (len > 0) {
		const char *newline = memchr(text, '\n', len);
		size_t line_len = newline ? (size_t)(newline - text) : len;
		p.line++;
		enum rv_status status = parse_line(&p, (struct rv_str){ text, line_len });
		if (status != RV_OK)
			return status;
		line_len += newline != NULL;
		text += line_len;
		len -= line_len;
	}
	*ret = rv_take(ini);
	return RV_OK;
}

static void wipe_strbuf(struct rv_strbuf *sb)
{
	if (sb->capacity)
		explicit_bzero(sb->bytes, sb->capacity);
	rv_strbuf_release(sb);
}

enum rv_status rv_ini_load(const char *path, struct rv_ini **ret, struct rv_error *err)
{
	RV_CLEANUP(wipe_strbuf) struct rv_strbuf text = RV_STRBUF_INIT;
	enum rv_status status = rv_read_file(path, MAX_BYTES, &text, err);
	if (status == RV_NOT_FOUND)
		return rv_ini_parse(path, "", 0, ret, err);
	if (status == RV_OK)
		return rv_ini_parse(path, text.bytes, text.len, ret, err);
	err->status = RV_BAD_CONFIG;
	rv_hint(err, "AWS's settings are read from this file: it must be readable, and smaller than 1 MiB");
	return err->status;
}

const char *rv_ini_path(const struct rv_ini *ini)
{
	return ini->path;
}

bool rv_ini_has(const struct rv_ini *ini, const char *section)
{
	for (size_t i = 0; i < ini->section_count; i++)
		if (strcmp(ini->sections[i], section) == 0)
			return true;
	return false;
}

const char *rv_ini_get(const struct rv_ini *ini, const char *section, const char *key,
		       const char *nested)
{
	for (size_t i = ini->count; i-- > 0;) {
		const struct entry *entry = &ini->entries[i];
		if (strcmp(entry->key, key) == 0 && !entry->nested == !nested &&
		    (!nested || strcmp(entry->nested, nested) == 0) &&
		    strcmp(ini->sections[entry->section], section) == 0)
			return entry->value;
	}
	return NULL;
}

const char *rv_ini_section(const struct rv_ini *ini, size_t index)
{
	return index < ini->section_count ? ini->sections[index] : NULL;
}
