/* What is written as it should be is copied; all else goes the long way, through format/cut_text.h. */
#include "flow/table_value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "format/json_scan.h"
#include "format/packed_row.h"

#define DAY_US 86400000000

static bool refuse(char *reason, const char *what)
{
	snprintf(reason, RV_CUT_REASON, "%s", what);
	return false;
}

bool rv_table_is_literal(const struct rv_column *column)
{
	return column->type == RV_COLUMN_INTEGER || column->type == RV_COLUMN_DECIMAL ||
	       column->type == RV_COLUMN_DOUBLE || column->type == RV_COLUMN_BOOLEAN ||
	       column->type == RV_COLUMN_JSON;
}

/* ---- numbers ---- */

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?: how many digits stand before and behind the point; false: another form. */
static bool plain_number(struct rv_str s, size_t *ret_whole, size_t *ret_fraction)
{
	const char *p = s.p, *end = s.p + s.len;

	if (p < end && *p == '-')
		p++;
	const char *whole = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	*ret_whole = (size_t)(p - whole);
	*ret_fraction = 0;
	if (*ret_whole == 0 || (*whole == '0' && *ret_whole > 1))
		return false;
	if (p < end && *p == '.') {
		const char *fraction = ++p;

		while (p < end && *p >= '0' && *p <= '9')
			p++;
		*ret_fraction = (size_t)(p - fraction);
		if (!*ret_fraction)
			return false;
	}
	return p == end;
}

/* digits of value times 10^-scale, without needless zeros at the end */
static void put_decimal(__int128 value, unsigned scale, struct rv_strbuf *row)
{
	char text[64], *p = text + sizeof(text);
	unsigned __int128 v = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
	bool digit_behind = false;

	for (unsigned i = 0; i < scale || v || i == scale; i++) {
		unsigned digit = (unsigned)(v % 10);

		v /= 10;
		if (i == scale && digit_behind)
			*--p = '.';
		if (i < scale && !digit && !digit_behind)
			continue;
		digit_behind |= i < scale;
		*--p = (char)('0' + digit);
	}
	if (value < 0)
		*--p = '-';
	rv_packed_put_literal(row, p, (size_t)(text + sizeof(text) - p));
}

static bool put_number(const struct rv_column *column, struct rv_str s, struct rv_strbuf *row,
		       char *reason)
{
	bool integer = column->type == RV_COLUMN_INTEGER;
	unsigned precision = integer ? 38 : column->precision, scale = integer ? 0 : column->scale;
	size_t whole, fraction;
	__int128 value;

	/* with a plus it is the same number, and is written the same */
	if (s.len > 1 && s.p[0] == '+' && s.p[1] >= '0' && s.p[1] <= '9')
		s = (struct rv_str){ s.p + 1, s.len - 1 };
	if (plain_number(s, &whole, &fraction) && fraction <= scale &&
	    (integer ? whole <= 18 : whole + scale <= precision) && s.p[0] != '-') {
		rv_packed_put_literal(row, s.p, s.len);
		return true;
	}
	if (!rv_cut_decimal(s, precision, scale, &value, reason))
		return false;
	if (integer && (value > INT64_MAX || value < INT64_MIN))
		return refuse(reason, "does not fit into 64 bits");
	/* a negative number is as it should be, but for -0 */
	if (value < 0 && plain_number(s, &whole, &fraction) && fraction <= scale)
		rv_packed_put_literal(row, s.p, s.len);
	else
		put_decimal(value, scale, row);
	return true;
}

/* The digits of a number that count, without the zeros around them; *ret_exponent: of the first one. */
static size_t digits_that_count(const struct rv_cut_number *n, char *digits, int64_t *ret_exponent)
{
	size_t len = n->whole_len + n->fraction_len, zeros = 0;

	memcpy(digits, n->whole, n->whole_len);
	if (n->fraction_len)
		memcpy(digits + n->whole_len, n->fraction, n->fraction_len);
	while (zeros < len && digits[zeros] == '0')
		zeros++;
	while (len > zeros && digits[len - 1] == '0')
		len--;
	memmove(digits, digits + zeros, len - zeros);
	*ret_exponent = n->exponent + (int64_t)n->whole_len - 1 - (int64_t)zeros;
	return len - zeros;
}

/* Whether the number is found again from the double nearest to it, written with as many digits. */
static bool holds(double value, const struct rv_cut_number *n)
{
	char digits[RV_CUT_NUMBER_MAX], text[RV_CUT_NUMBER_MAX + 32];
	int64_t exponent;
	size_t len = digits_that_count(n, digits, &exponent);

	/* fifteen digits always are, unless the number is next to nothing */
	if (!len || (len <= 15 && exponent > -290))
		return true;
	snprintf(text, sizeof(text), "%.*e", (int)len - 1, fabs(value));
	/* d.ddde-dd */
	const char *e = strchr(text, 'e');

	return text[0] == digits[0] && (len == 1 || memcmp(text + 2, digits + 1, len - 1) == 0) &&
	       strtol(e + 1, NULL, 10) == exponent;
}

static bool put_double(const struct rv_column *column, struct rv_str s, struct rv_strbuf *row, char *reason)
{
	struct rv_cut_number n;
	char text[RV_CUT_NUMBER_MAX + 1];
	size_t len = 0;

	if (!rv_cut_number(s, &n, reason))
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	double value = strtod(text, NULL);

	if (isinf(value))
		return refuse(reason, "is beyond what a double holds");
	if (column->exact && !holds(value, &n))
		return refuse(reason, value == 0 ? "is nearer to 0 than a double can be"
						 : "has more digits than a double holds");
	while (n.whole_len > 1 && *n.whole == '0') {
		n.whole++;
		n.whole_len--;
	}
	if (n.negative)
		text[len++] = '-';
	/* the rest of the number, from its first digit that counts */
	size_t rest = (size_t)(s.p + s.len - n.whole);

	memmove(text + len, n.whole, rest);
	rv_packed_put_literal(row, text, len + rest);
	return true;
}

/* ---- times ---- */

static char *put_digits(char *o, unsigned value, unsigned count)
{
	for (unsigned i = count; i-- > 0; value /= 10)
		o[i] = (char)('0' + value % 10);
	return o + count;
}

static char *put_day(char *o, const struct rv_date *date)
{
	o = put_digits(o, (unsigned)date->year, 4);
	*o++ = '-';
	o = put_digits(o, date->month, 2);
	*o++ = '-';
	return put_digits(o, date->day, 2);
}

/* Which digits and separators "2026-11-20" and "2026-11-20?16:58:51" have: eight bytes at a time, a byte of
 * text without the template's is at most 9 where the template has a digit, else 0. */
static inline bool has_form(const char *p, const char template[8])
{
	uint64_t text, form, most = 0;
	unsigned char add[8];

	memcpy(&text, p, 8);
	memcpy(&form, template, 8);
	for (unsigned i = 0; i < 8; i++)
		add[i] = template[i] == '0' ? 0x7f - 9 : 0x7f;
	memcpy(&most, add, 8);
	text ^= form;
	return ((text | (text + most)) & 0x8080808080808080) == 0;
}

static unsigned two(const char *p)
{
	return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
}

/* "2026-11-20" of the calendar; p has ten bytes. */
static bool is_day(const char *p)
{
	if (!has_form(p, "0000-00-") || p[8] < '0' || p[8] > '9' || p[9] < '0' || p[9] > '9')
		return false;
	unsigned month = two(p + 5), day = two(p + 8);

	return month >= 1 && month <= 12 && day >= 1 &&
	       (day <= 28 || day <= rv_days_in_month(two(p) * 100 + two(p + 2), month));
}

/* "2026-11-20 16:58:51" that needs no other zone, or with a Z: copied. All others are read. */
static bool copy_timestamp(const struct rv_column *column, struct rv_str s, struct rv_strbuf *row)
{
	char text[20];

	if (column->format ||
	    (s.len == 20 ? s.p[19] != 'Z' && s.p[19] != 'z'
			 : s.len != 19 || !column->timezone || strcmp(column->timezone, "UTC") != 0) ||
	    (s.p[10] != ' ' && s.p[10] != 'T' && s.p[10] != 't') || !has_form(s.p + 11, "00:00:00") ||
	    two(s.p + 11) > 23 || two(s.p + 14) > 59 || two(s.p + 17) > 59 || !is_day(s.p))
		return false;
	memcpy(text, s.p, 19);
	text[10] = 'T';
	text[19] = 'Z';
	rv_packed_put_literal(row, text, sizeof(text));
	return true;
}

static bool put_date(const struct rv_column *column, struct rv_str s, struct rv_strbuf *row,
		     char *reason)
{
	char text[RV_TIME_TEXT];
	struct rv_date date;
	int64_t days;

	if (s.len == 10 && !column->format && is_day(s.p)) {
		rv_packed_put_literal(row, s.p, s.len);
		return true;
	}
	if (!rv_cut_date(s, column->format, &days, reason))
		return false;
	rv_date_from_ms(days * 86400000, &date);
	if (date.year < 0 || date.year > 9999)
		return refuse(reason, "is not in the years 0 to 9999");
	rv_packed_put_literal(row, text, (size_t)(put_day(text, &date) - text));
	return true;
}

static bool put_timestamp(const struct rv_column *column, struct rv_str s, struct rv_strbuf *row,
			  char *reason)
{
	char text[RV_TIME_TEXT], *o;
	struct rv_date date;
	int64_t us;

	if (copy_timestamp(column, s, row))
		return true;
	if (!rv_cut_timestamp(s, column->format, column->timezone, &us, reason))
		return false;
	int64_t ms = us / 1000 - (us % 1000 < 0);
	unsigned micros = (unsigned)(us - us / 1000000 * 1000000 + (us % 1000000 < 0 ? 1000000 : 0));

	rv_date_from_ms(ms, &date);
	if (date.year < 0 || date.year > 9999)
		return refuse(reason, "is not in the years 0 to 9999");
	o = put_day(text, &date);
	*o++ = 'T';
	o = put_digits(o, date.hour, 2);
	*o++ = ':';
	o = put_digits(o, date.minute, 2);
	*o++ = ':';
	o = put_digits(o, date.second, 2);
	if (micros) {
		*o++ = '.';
		o = put_digits(o, micros, 6);
		while (o[-1] == '0')
			o--;
	}
	*o++ = 'Z';
	rv_packed_put_literal(row, text, (size_t)(o - text));
	return true;
}

/* ---- json ---- */

static bool is_object(const char *p, size_t len, unsigned max_depth)
{
	struct rv_json_scan scan;

	return rv_json_scan_object(p, len, max_depth, 0, &scan) == RV_JSON_OK && scan.end == len;
}

/* One value that is no object, with numbers of any size: as a member, and as an item. Several would be either
 * members or items, never both. */
static bool is_value(struct rv_str s)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	for (int item = 0; item < 2; item++) {
		rv_strbuf_clear(&text);
		rv_strbuf_puts(&text, item ? "{\"\":[" : "{\"\":");
		rv_strbuf_add(&text, s.p, s.len);
		rv_strbuf_puts(&text, item ? "]}" : "}");
		if (!is_object(text.bytes, text.len, RV_JSON_MAX_DEPTH))
			return false;
	}
	return true;
}

static bool put_json(struct rv_str s, struct rv_strbuf *row, char *reason)
{
	while (s.len && memchr(" \t\r\n", s.p[s.len - 1], 4))
		s.len--;
	while (s.len && memchr(" \t\r\n", s.p[0], 4)) {
		s.p++;
		s.len--;
	}
	/* the row is around it, and what is deeper than a record may be is loaded nowhere */
	if (!s.len || !(s.p[0] == '{' ? is_object(s.p, s.len, RV_JSON_MAX_DEPTH - 1) : is_value(s)))
		return refuse(reason, "is not JSON");
	rv_packed_put_literal(row, s.p, s.len);
	/* loads have a row in a line; of valid JSON, line ends stand between its pieces */
	rv_json_blank_newlines(row->bytes + row->len - s.len, s.len);
	return true;
}

bool rv_table_value(const struct rv_column *column, struct rv_str s, struct rv_strbuf *row,
		    char reason[RV_CUT_REASON])
{
	bool yes;

	if (column->type == RV_COLUMN_STRING) {
		rv_packed_put_text(row, s.p, s.len);
		return true;
	}
	if (!s.len) {
		rv_packed_put_null(row);
		return true;
	}
	switch (column->type) {
	case RV_COLUMN_INTEGER:
	case RV_COLUMN_DECIMAL:
		return put_number(column, s, row, reason);
	case RV_COLUMN_DOUBLE:
		return put_double(column, s, row, reason);
	case RV_COLUMN_BOOLEAN:
		if (!rv_cut_boolean(s, &yes, reason))
			return false;
		rv_packed_put_literal(row, yes ? "true" : "false", yes ? 4 : 5);
		return true;
	case RV_COLUMN_DATE:
		return put_date(column, s, row, reason);
	case RV_COLUMN_TIMESTAMP:
		return put_timestamp(column, s, row, reason);
	case RV_COLUMN_JSON:
		return put_json(s, row, reason);
	case RV_COLUMN_STRING:
		break;
	}
	rv_bug("a column of type %d", (int)column->type);
}
