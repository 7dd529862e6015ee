/* Names and texts as Snowflake's SQL writes them, and where its statements end. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "snowflake/internal.h"

#define NAME_MAX_BYTES 255 /* SQL reference, "Identifier requirements" */

void rv_snowflake_identifier(struct rv_strbuf *out, const char *name)
{
	rv_strbuf_putc(out, '"');
	for (; *name; name++) {
		if (*name == '"')
			rv_strbuf_putc(out, '"');
		rv_strbuf_putc(out, *name);
	}
	rv_strbuf_putc(out, '"');
}

void rv_snowflake_literal(struct rv_strbuf *out, const char *text, size_t len)
{
	rv_strbuf_putc(out, '\'');
	for (size_t i = 0; i < len; i++) {
		switch (text[i]) {
		case '\'': rv_strbuf_puts(out, "''"); break;
		case '\\': rv_strbuf_puts(out, "\\\\"); break;
		case '\n': rv_strbuf_puts(out, "\\n"); break;
		case '\r': rv_strbuf_puts(out, "\\r"); break;
		case '\0': rv_strbuf_puts(out, "\\x00"); break;
		default: rv_strbuf_putc(out, text[i]);
		}
	}
	rv_strbuf_putc(out, '\'');
}

static bool starts_name(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_plain_name(const char *s)
{
	if (!starts_name(*s))
		return false;
	for (; *s; s++)
		if (!starts_name(*s) && !(*s >= '0' && *s <= '9') && *s != '$')
			return false;
	return true;
}

enum rv_status rv_snowflake_name(const char *written, char **ret, struct rv_error *err)
{
	size_t len = strlen(written);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	bool good = true;
	if (is_plain_name(written)) {
		for (const char *p = written; *p; p++)
			rv_strbuf_putc(&name, *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p);
	} else if (len > 2 && written[0] == '"' && written[len - 1] == '"') {
		for (size_t i = 1; i < len - 1; i++) {
			if (written[i] == '"' && (i + 1 >= len - 1 || written[++i] != '"'))
				good = false;
			rv_strbuf_putc(&name, written[i]);
		}
	} else {
		good = false;
	}
	if (good && name.len <= NAME_MAX_BYTES) {
		*ret = rv_strbuf_take(&name);
		return RV_OK;
	}
	rv_fail(err, RV_BAD_CONFIG, "'%.300s' is not a name of Snowflake", written);
	rv_hint(err, "letters, digits, '_' and '$' stand as they are, and count as upper case; all else "
		     "stands in double quotes: '\"my-name\"'");
	return err->status;
}

/* ---- statements ------------------------------------------------------------------------------- */

/* Past what begins at p and holds no end of a statement: a text, a name, a comment. NULL: nothing of
 * the kind begins there. */
static const char *past_quoted(const char *p)
{
	const char *end;
	if (*p == '\'' || *p == '"') {
		char quote = *p++;
		while (*p && *p != quote)
			p += *p == '\\' && quote == '\'' && p[1] ? 2 : 1;
		return *p ? p + 1 : p;
	}
	if (strncmp(p, "$$", 2) == 0) {
		end = strstr(p + 2, "$$");
		return end ? end + 2 : p + strlen(p);
	}
	if (strncmp(p, "--", 2) == 0 || strncmp(p, "//", 2) == 0)
		return p + strcspn(p, "\n");
	if (strncmp(p, "/*", 2) == 0) {
		end = strstr(p + 2, "*/");
		return end ? end + 2 : p + strlen(p);
	}
	return NULL;
}

/* The byte a line and a position in it name: lines count from 1, positions from 0. */
static const char *byte_at(const char *sql, unsigned long line, unsigned long position)
{
	for (; line > 1 && *sql; line--) {
		sql += strcspn(sql, "\n");
		sql += *sql == '\n';
	}
	return position <= strlen(sql) ? sql + position : NULL;
}

/*
 * "Execution of multiple statements failed on statement "..." (at line 1, position 20)": that statement
 * begins there. What was counted wrongly would be taken for done, so anything that does not fit
 * counts as none.
 */
unsigned rv_snowflake_statements_before(const char *sql, const char *message)
{
	const char *p = NULL;
	unsigned long line, position;
	unsigned count = 0;
	bool inside = false;
	/* the last one: what is quoted before may hold others */
	for (const char *at_line = message; (at_line = strstr(at_line, "(at line ")); at_line++)
		p = at_line;
	if (!p || sscanf(p, "(at line %9lu, position %9lu)", &line, &position) != 2 || line < 1)
		return 0;
	const char *at = byte_at(sql, line, position);
	if (!at)
		return 0;
	for (p = sql; *p && p < at;) {
		const char *past = past_quoted(p);
		if (past) {
			inside |= *p != '-' && *p != '/';
			p = past;
		} else {
			if (*p == ';')
				count += inside;
			inside = *p == ';' ? false : inside || !strchr(" \t\r\n", *p);
			p++;
		}
	}
	return p == at && !inside ? count : 0;
}
