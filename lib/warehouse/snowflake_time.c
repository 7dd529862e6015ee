/*
 * Dates and times of contracts in SQL, as cut_time.c reads them: RFC 3339, or the column's own
 * format. Snowflake's own recognition of times is not used: it guesses.
 *
 * A format becomes a regular expression with a group for each of its parts. Of column n there are then
 * M$n ("2026-11-20 16:58:51", null when the text is not of the format), U$n (digits behind the point),
 * Z$n (zone, null: none was said), Y$n (day of the year), E$n and U$n (seconds since 1970).
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "warehouse/snowflake_contract.h"

#define ZONE_PATTERN "(Z|z|UTC|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"
#define MONTHS "janfebmaraprmayjunjulaugsepoctnovdec"

/* Which group of the pattern has what; 0: none. */
struct layout {
	struct rv_strbuf pattern;
	unsigned groups;
	unsigned year, short_year, month, month_name, day, day_of_year;
	unsigned hour, hour_12, half, minute, second, fraction, zone;
	unsigned epoch;
};

static bool is_time(const struct rv_column *column)
{
	return column->type == RV_COLUMN_DATE || column->type == RV_COLUMN_TIMESTAMP;
}

/* A time without a format is RFC 3339's, which may have both. */
static bool is_rfc3339(const struct rv_column *column)
{
	return column->type == RV_COLUMN_TIMESTAMP && !column->format;
}

/* What numbers since 1970 are counted in, as powers of ten of a microsecond; false: another format. */
static bool epoch_unit(const struct rv_column *column, unsigned *ret_scale)
{
	static const struct {
		const char *name;
		unsigned scale;
	} units[] = { { "epoch_s", 6 }, { "epoch_ms", 3 }, { "epoch_us", 0 } };

	for (size_t i = 0; column->format && i < sizeof(units) / sizeof(*units); i++)
		if (strcmp(column->format, units[i].name) == 0) {
			*ret_scale = units[i].scale;
			return true;
		}
	return false;
}

/* ---- formats ---- */

/* The number of the first group in `pattern`. There are no groups without number in Snowflake. */
static unsigned group(struct layout *l, const char *pattern)
{
	unsigned number = l->groups + 1;

	rv_strbuf_puts(&l->pattern, pattern);
	for (; *pattern; pattern++)
		l->groups += *pattern == '(';
	return number;
}

/* In any mixture of cases. */
static void add_month_names(struct layout *l)
{
	l->month_name = ++l->groups;
	for (size_t i = 0; i < sizeof(MONTHS) - 1; i++)
		rv_strbuf_printf(&l->pattern, "%s[%c%c]", i % 3 ? "" : i ? "|" : "(",
				 MONTHS[i] - 'a' + 'A', MONTHS[i]);
	rv_strbuf_putc(&l->pattern, ')');
}

/* Whether what the rest of a format takes begins with a digit. */
static bool begins_with_digit(const char *rest)
{
	return rest[0] == '%' ? rest[1] && strchr("YymdjHIMSfFT", rest[1]) : rest[0] >= '0' && rest[0] <= '9';
}

/* `rest` is the format behind it. A number takes all digits it may have, as cut_time.c reads it, and gives
 * none back to the next: "202411" is no day as %Y%m%d. */
static void add_directive(struct layout *l, char directive, const char *rest)
{
	bool is_full = begins_with_digit(rest);
	const char *one_or_two = is_full ? "([0-9]{2})" : "([0-9]{1,2})";

	switch (directive) {
	case 'Y':
		l->year = group(l, "([0-9]{4})");
		break;
	case 'y':
		l->short_year = group(l, "([0-9]{2})");
		break;
	case 'm':
		l->month = group(l, one_or_two);
		break;
	case 'd':
		l->day = group(l, one_or_two);
		break;
	case 'e':
		rv_strbuf_puts(&l->pattern, "[ ]?");
		l->day = group(l, one_or_two);
		break;
	case 'j':
		l->day_of_year = group(l, "(00[1-9]|0[1-9][0-9]|[1-9][0-9]{2})");
		break;
	case 'b':
		add_month_names(l);
		break;
	case 'H':
		l->hour = group(l, one_or_two);
		break;
	case 'I':
		l->hour_12 = group(l, is_full ? "(0[1-9]|1[0-2])" : "(0?[1-9]|1[0-2])");
		break;
	case 'p':
		l->half = group(l, "([AaPp])[Mm]");
		break;
	case 'M':
		l->minute = group(l, one_or_two);
		break;
	case 'S':
		l->second = group(l, one_or_two);
		break;
	case 'f':
		l->fraction = group(l, "([0-9]+)");
		break;
	case 'z':
		l->zone = group(l, ZONE_PATTERN);
		break;
	case 's':
		l->epoch = group(l, "(-?[0-9]{1,12})");
		group(l, "([.]");
		l->fraction = group(l, "([0-9]+))?");
		break;
	case 'F':
		l->year = group(l, "([0-9]{4})");
		l->month = group(l, "-([0-9]{2})");
		l->day = group(l, "-([0-9]{2})");
		break;
	case 'T':
		l->hour = group(l, "([0-9]{2})");
		l->minute = group(l, ":([0-9]{2})");
		l->second = group(l, ":([0-9]{2})");
		break;
	default:
		rv_bug("directive %%%c was checked before", directive);
	}
}

/* A character that means itself, whatever it means to regular expressions. */
static void add_character(struct rv_strbuf *pattern, char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ' ' ||
	    (c & 0x80))
		rv_strbuf_putc(pattern, c);
	else if (c == '^' || c == '\\' || c == ']' || c == '[')
		rv_strbuf_printf(pattern, "\\%c", c);
	else
		rv_strbuf_printf(pattern, "[%c]", c);
}

static void make_layout(struct layout *l, const struct rv_column *column)
{
	rv_strbuf_putc(&l->pattern, '^');
	for (const char *p = column->format; *p; p++) {
		if (*p == '%' && p[1] && p[1] != '%') {
			p++;
			add_directive(l, *p, p + 1);
		} else {
			p += *p == '%' && p[1] == '%';
			add_character(&l->pattern, *p);
		}
	}
	rv_strbuf_putc(&l->pattern, '$');
}

/* What the group caught; null when it caught nothing. */
static void add_group(struct rv_strbuf *sql, const struct layout *l, size_t n, unsigned number)
{
	rv_strbuf_printf(sql, "NULLIF(REGEXP_SUBSTR(\"T$%zu\", ", n);
	rv_snowflake_literal(sql, l->pattern.bytes, l->pattern.len);
	rv_strbuf_printf(sql, ", 1, 1, 'e', %u), '')", number);
}

static void add_two_digits(struct rv_strbuf *sql, const struct layout *l, size_t n, unsigned number,
			   const char *missing)
{
	if (!number) {
		rv_strbuf_printf(sql, "'%s'", missing);
		return;
	}
	rv_strbuf_puts(sql, "LPAD(");
	add_group(sql, l, n, number);
	rv_strbuf_puts(sql, ", 2, '0')");
}

static void add_year(struct rv_strbuf *sql, const struct layout *l, size_t n)
{
	if (l->year) {
		add_group(sql, l, n, l->year);
	} else if (l->short_year) { /* as POSIX has it */
		rv_strbuf_puts(sql, "CASE WHEN ");
		add_group(sql, l, n, l->short_year);
		rv_strbuf_puts(sql, " < '69' THEN '20' ELSE '19' END || ");
		add_group(sql, l, n, l->short_year);
	} else {
		rv_strbuf_puts(sql, "'1970'");
	}
}

static void add_month(struct rv_strbuf *sql, const struct layout *l, size_t n)
{
	if (!l->month_name) {
		add_two_digits(sql, l, n, l->month, "01");
		return;
	}
	rv_strbuf_puts(sql, "CASE LOWER(");
	add_group(sql, l, n, l->month_name);
	rv_strbuf_putc(sql, ')');
	for (unsigned i = 0; i < 12; i++)
		rv_strbuf_printf(sql, " WHEN '%.3s' THEN '%02u'", &MONTHS[i * 3], i + 1);
	rv_strbuf_puts(sql, " END");
}

static void add_hour(struct rv_strbuf *sql, const struct layout *l, size_t n)
{
	if (!l->hour_12) {
		add_two_digits(sql, l, n, l->hour, "00");
		return;
	}
	rv_strbuf_puts(sql, "LPAD(TO_VARCHAR(MOD(TRY_CAST(");
	add_group(sql, l, n, l->hour_12);
	rv_strbuf_puts(sql, " AS INTEGER), 12)");
	if (l->half) {
		rv_strbuf_puts(sql, " + CASE WHEN LOWER(");
		add_group(sql, l, n, l->half);
		rv_strbuf_puts(sql, ") = 'p' THEN 12 ELSE 0 END");
	}
	rv_strbuf_puts(sql, "), 2, '0')");
}

/* RFC 3339 and plain dates have their parts at fixed places, which is cheaper. */
static void add_usual_parts(struct rv_strbuf *sql, const struct rv_column *column, size_t n)
{
	if (column->type == RV_COLUMN_DATE) {
		rv_strbuf_printf(sql, ",\n  CASE WHEN REGEXP_LIKE(\"T$%zu\", '^[0-9]{4}-[0-9]{2}-[0-9]{2}$') "
				      "THEN \"T$%zu\" || ' 00:00:00' END AS \"M$%zu\"", n, n, n);
		return;
	}
	rv_strbuf_printf(sql,
			 ",\n  CASE WHEN REGEXP_LIKE(\"T$%zu\", '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]"
			 "[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?" ZONE_PATTERN "?$') THEN "
			 "SUBSTR(\"T$%zu\", 1, 10) || ' ' || SUBSTR(\"T$%zu\", 12, 8) END AS \"M$%zu\"",
			 n, n, n, n);
	rv_strbuf_printf(sql,
			 ",\n  NULLIF(REGEXP_SUBSTR(\"T$%zu\", '[.]([0-9]+)', 1, 1, 'e', 1), '') AS "
			 "\"U$%zu\",\n  NULLIF(REGEXP_SUBSTR(SUBSTR(\"T$%zu\", 20), '(Z|z|UTC|[+-][0-9:]+)$', "
			 "1, 1, 'e', 1), '') AS \"Z$%zu\"",
			 n, n, n, n);
}

static void add_parts(struct rv_strbuf *sql, const struct rv_column *column, size_t n)
{
	if (!column->format) {
		add_usual_parts(sql, column, n);
		return;
	}
	struct layout l = { .pattern = RV_STRBUF_INIT };

	make_layout(&l, column);
	rv_strbuf_printf(sql, ",\n  CASE WHEN REGEXP_LIKE(\"T$%zu\", ", n);
	rv_snowflake_literal(sql, l.pattern.bytes, l.pattern.len);
	rv_strbuf_puts(sql, ") THEN ");
	add_year(sql, &l, n);
	rv_strbuf_puts(sql, " || '-' || ");
	add_month(sql, &l, n);
	rv_strbuf_puts(sql, " || '-' || ");
	add_two_digits(sql, &l, n, l.day, "01");
	rv_strbuf_puts(sql, " || ' ' || ");
	add_hour(sql, &l, n);
	rv_strbuf_puts(sql, " || ':' || ");
	add_two_digits(sql, &l, n, l.minute, "00");
	rv_strbuf_puts(sql, " || ':' || ");
	add_two_digits(sql, &l, n, l.second, "00");
	rv_strbuf_printf(sql, " END AS \"M$%zu\"", n);
	const struct {
		unsigned number;
		char name;
	} rest[] = { { l.fraction, 'U' }, { l.zone, 'Z' }, { l.day_of_year, 'Y' }, { l.epoch, 'E' } };

	for (size_t i = 0; i < sizeof(rest) / sizeof(*rest); i++) {
		if (!rest[i].number)
			continue;
		rv_strbuf_puts(sql, ",\n  ");
		add_group(sql, &l, n, rest[i].number);
		rv_strbuf_printf(sql, " AS \"%c$%zu\"", rest[i].name, n);
	}
	rv_strbuf_release(&l.pattern);
}

bool snow_add_time_parts(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	bool any = false;
	unsigned scale;

	for (size_t i = 0; i < stream->columns_count; i++) {
		const struct rv_column *column = &stream->columns[i];

		if (!is_time(column) || epoch_unit(column, &scale))
			continue;
		if (!any)
			rv_strbuf_puts(sql, "\"PARTS\" AS (SELECT *");
		any = true;
		add_parts(sql, column, i + 1);
	}
	if (any)
		rv_strbuf_puts(sql, "\n  FROM \"TEXT\"),\n");
	return any;
}

/* ---- numbers since 1970 ---- */

#define FIRST_US "-62135596800000000" /* the years 1 to 9999, so that a wrong unit is found */
#define LAST_US "253402300799999999"

static void add_micros(struct rv_strbuf *sql, unsigned scale, size_t n)
{
	static const char *const factors[] = { [0] = "1", [3] = "1000", [6] = "1000000" };

	rv_strbuf_printf(sql, "TRY_CAST(\"T$%zu\" AS NUMBER(24,%u)) * %s", n, scale, factors[scale]);
}

static void add_epoch_faults(struct rv_strbuf *sql, const struct rv_column *column, unsigned scale,
			     size_t n)
{
	rv_strbuf_printf(sql,
			 " WHEN LENGTH(\"T$%zu\") > 4096 OR NOT REGEXP_LIKE(\"T$%zu\", "
			 "'^[-+]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$') "
			 "THEN 'is not a number, as %s asks for'",
			 n, n, column->format);
	for (int exponent = 0; exponent < 2; exponent++) {
		rv_strbuf_puts(sql, " WHEN ");
		snow_add_too_fine(sql, exponent, scale, n);
		rv_strbuf_printf(sql, " THEN 'is finer than a microsecond, as %s'", column->format);
	}
	rv_strbuf_puts(sql, " WHEN COALESCE(");
	add_micros(sql, scale, n);
	rv_strbuf_printf(sql, " NOT BETWEEN " FIRST_US " AND " LAST_US ", TRUE) "
			      "THEN 'is not in the years 1 to 9999 as %s'", column->format);
}

static void add_epoch(struct rv_strbuf *sql, const struct rv_column *column, unsigned scale, size_t n)
{
	rv_strbuf_puts(sql, "CASE WHEN ");
	add_micros(sql, scale, n);
	rv_strbuf_puts(sql, " BETWEEN " FIRST_US " AND " LAST_US " THEN TO_TIMESTAMP_NTZ((");
	add_micros(sql, scale, n);
	rv_strbuf_printf(sql, ")::NUMBER(18,0), 6)%s END",
			 column->type == RV_COLUMN_DATE ? "::DATE" : "::TIMESTAMP_NTZ(6)");
}

/* ---- dates and times ---- */

static bool has(const struct rv_column *column, char directive)
{
	const char *format = column->format;

	for (; format && *format; format++) {
		if (format[0] != '%' || !format[1])
			continue;
		if (*++format == directive)
			return true;
	}
	return false;
}

/* 'text' with what a person wrote in it */
static void add_reason(struct rv_strbuf *sql, const char *before, const char *format)
{
	RV_CLEANUP(rv_free_p) char *text = rv_asprintf("%s%s", before, format);

	snow_add_literal(sql, text);
}

static void add_day(struct rv_strbuf *sql, const struct rv_column *column, size_t n)
{
	if (has(column, 'j'))
		rv_strbuf_printf(sql, "DATEADD(DAY, TRY_CAST(\"Y$%zu\" AS INTEGER) - 1, "
				      "TRY_TO_DATE(LEFT(\"M$%zu\", 4) || '-01-01', 'YYYY-MM-DD'))",
				 n, n);
	else
		rv_strbuf_printf(sql, "TRY_TO_DATE(LEFT(\"M$%zu\", 10), 'YYYY-MM-DD')", n);
}

static void add_day_faults(struct rv_strbuf *sql, const struct rv_column *column, size_t n)
{
	if (has(column, 'j')) {
		rv_strbuf_puts(sql, " WHEN YEAR(");
		add_day(sql, column, n);
		rv_strbuf_printf(sql, ") <> TRY_CAST(LEFT(\"M$%zu\", 4) AS INTEGER) THEN 'has no day ' || "
				      "\"Y$%zu\" || ' in its year'", n, n);
	}
	rv_strbuf_puts(sql, " WHEN ");
	add_day(sql, column, n);
	rv_strbuf_puts(sql, " IS NULL THEN 'is no day of the calendar'");
}

static void add_type_fault(struct rv_strbuf *sql, const struct rv_column *column, size_t n)
{
	if (column->format)
		return;
	rv_strbuf_printf(sql,
			 " WHEN TYPEOF(\"V$%zu\") = 'BOOLEAN' THEN 'is not a %s'"
			 " WHEN TYPEOF(\"V$%zu\") <> 'VARCHAR' THEN 'is a number; if it counts from 1970, "
			 "the column needs format: epoch_s, epoch_ms or epoch_us'",
			 n, column->type == RV_COLUMN_DATE ? "date" : "time", n);
}

void snow_add_time_faults(struct rv_strbuf *sql, const struct rv_column *column, size_t n)
{
	bool is_date = column->type == RV_COLUMN_DATE;
	bool has_fraction = is_rfc3339(column) || has(column, 'f') || has(column, 's');
	bool has_zone = is_rfc3339(column) || has(column, 'z');
	unsigned scale;

	add_type_fault(sql, column, n);
	if (epoch_unit(column, &scale)) {
		add_epoch_faults(sql, column, scale, n);
		return;
	}
	rv_strbuf_printf(sql, " WHEN \"M$%zu\" IS NULL THEN ", n);
	add_reason(sql, is_date ? "is not a date as " : "is not a time as ",
		   column->format ? column->format
		   : is_date	  ? "%Y-%m-%d"
				  : "2026-11-20T16:58:51Z");
	if (has_fraction)
		rv_strbuf_printf(sql, " WHEN LENGTH(RTRIM(\"U$%zu\", '0')) > 6 "
				      "THEN 'is finer than a microsecond'", n);
	if (has(column, 's')) {
		rv_strbuf_printf(sql, " WHEN TRY_CAST(\"E$%zu\" AS NUMBER(18,0)) NOT BETWEEN -62135596800 "
				      "AND 253402300799 THEN ", n);
		add_reason(sql, "is not in the years 1 to 9999 as ", column->format);
		return;
	}
	add_day_faults(sql, column, n);
	if (is_date)
		return;
	rv_strbuf_printf(sql, " WHEN SUBSTR(\"M$%zu\", 12, 2) > '23' OR SUBSTR(\"M$%zu\", 15, 2) > '59' OR "
			      "SUBSTR(\"M$%zu\", 18, 2) > '59' THEN 'is no time of day'", n, n, n);
	if (column->timezone)
		return;
	if (has_zone)
		rv_strbuf_printf(sql, " WHEN \"Z$%zu\" IS NULL", n);
	rv_strbuf_puts(sql, has_zone ? " THEN " : " WHEN TRUE THEN ");
	rv_strbuf_puts(sql, "'has no zone, and neither has the column: set its timezone, as in timezone: "
			    "UTC'");
}

/* Minutes east of UTC of a zone as text. */
static void add_offset(struct rv_strbuf *sql, const char *zone)
{
	rv_strbuf_printf(sql,
			 "CASE WHEN LEFT(%s, 1) NOT IN ('+', '-') THEN 0 ELSE "
			 "CASE WHEN LEFT(%s, 1) = '-' THEN -1 ELSE 1 END * "
			 "(TRY_CAST(SUBSTR(%s, 2, 2) AS INTEGER) * 60 + "
			 "CASE WHEN LENGTH(%s) > 3 THEN TRY_CAST(RIGHT(%s, 2) AS INTEGER) ELSE 0 END) END",
			 zone, zone, zone, zone, zone);
}

static void add_zone(struct rv_strbuf *sql, const struct rv_column *column, size_t n)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf zone = RV_STRBUF_INIT;
	bool has_zone = is_rfc3339(column) || has(column, 'z');

	if (has_zone)
		rv_strbuf_printf(&zone, "COALESCE(\"Z$%zu\", ", n);
	snow_add_literal(&zone, column->timezone ? column->timezone : "UTC");
	if (has_zone)
		rv_strbuf_putc(&zone, ')');
	add_offset(sql, zone.bytes);
}

void snow_add_time(struct rv_strbuf *sql, const struct rv_column *column, size_t n)
{
	bool is_date = column->type == RV_COLUMN_DATE;
	bool has_fraction = is_rfc3339(column) || has(column, 'f');
	unsigned scale;

	if (epoch_unit(column, &scale)) {
		add_epoch(sql, column, scale, n);
		return;
	}
	if (has(column, 's')) {
		rv_strbuf_printf(sql, "CASE WHEN TRY_CAST(\"E$%zu\" AS NUMBER(18,0)) BETWEEN -62135596800 "
				      "AND 253402300799 THEN TO_TIMESTAMP_NTZ("
				      "TRY_CAST(\"E$%zu\" AS NUMBER(12,0)) * 1000000 + "
				      "CASE WHEN LEFT(\"E$%zu\", 1) = '-' THEN -1 ELSE 1 END * "
				      "TRY_CAST(RPAD(COALESCE(LEFT(\"U$%zu\", 6), ''), 6, '0') AS INTEGER)"
				      ", 6)%s END",
				 n, n, n, n, is_date ? "::DATE" : "::TIMESTAMP_NTZ(6)");
		return;
	}
	if (is_date) {
		add_day(sql, column, n);
		return;
	}
	rv_strbuf_puts(sql, "DATEADD(MINUTE, -(");
	add_zone(sql, column, n);
	rv_strbuf_puts(sql, "), TRY_TO_TIMESTAMP_NTZ(");
	if (has(column, 'j')) {
		rv_strbuf_puts(sql, "TO_CHAR(");
		add_day(sql, column, n);
		rv_strbuf_printf(sql, ", 'YYYY-MM-DD') || SUBSTR(\"M$%zu\", 11)", n);
	} else {
		rv_strbuf_printf(sql, "\"M$%zu\"", n);
	}
	if (has_fraction)
		rv_strbuf_printf(sql, " || '.' || RPAD(COALESCE(LEFT(\"U$%zu\", 6), ''), 6, '0'), "
				      "'YYYY-MM-DD HH24:MI:SS.FF6'))::TIMESTAMP_NTZ(6)", n);
	else
		rv_strbuf_puts(sql, ", 'YYYY-MM-DD HH24:MI:SS'))::TIMESTAMP_NTZ(6)");
}
