/* A type is what no value has contradicted. A contract's own readers say what a value is (cut_text.h), and
 * what would not come back as it was, a leading zero for one, makes a column of strings. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "flow/extract_infer_impl.h"
#include "format/cut_text.h"

/* In this order they are preferred. `twin`: another one that takes most of the same values. */
#define CLOCKS(date) date " %H:%M:%S", date " %H:%M", date "T%H:%M:%S", date " %H:%M:%S.%f", \
		     date " %I:%M:%S %p", date " %I:%M %p"
static const char *const formats[] = {
	"%F", "%Y%m%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
	"%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%b-%Y", "%d %b %Y",
	/* times; the first is RFC 3339 */
	"", "%Y%m%d%H%M%S", "%F %H:%M", CLOCKS("%d.%m.%Y"), CLOCKS("%d/%m/%Y"), CLOCKS("%m/%d/%Y"),
	CLOCKS("%d-%m-%Y"), CLOCKS("%m-%d-%Y"), CLOCKS("%Y/%m/%d"),
};
enum { DATES = 13, RFC3339 = DATES, DATE_DIGITS = 1, TIME_DIGITS = 14, FORMATS = sizeof(formats) / sizeof(*formats) };
_Static_assert(FORMATS <= 64, "a bit for each");

void rv_infer_type_init(struct rv_infer_type *type)
{
	*type = (struct rv_infer_type){ .integer = true, .number = true, .boolean = true,
					.formats = UINT64_MAX >> (64 - FORMATS), .scale_least = UINT32_MAX };
}

/* ---- numbers ---- */

/* Digits before and behind the point of -?(0|[1-9][0-9]*)(\.[0-9]+)?, or why it is no such number. */
static const char *read_number(const char *p, size_t len, unsigned *ret_whole, unsigned *ret_scale)
{
	const char *end = p + len;

	if (p < end && *p == '-')
		p++;
	const char *whole = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	*ret_whole = (unsigned)(p - whole);
	*ret_scale = 0;
	if (p == whole)
		return "is no number";
	if (p < end && *p == '.') {
		const char *fraction = ++p;

		while (p < end && *p >= '0' && *p <= '9')
			p++;
		*ret_scale = (unsigned)(p - fraction);
		if (!*ret_scale)
			return "is no number";
	}
	if (p < end)
		return "is no number";
	if (*whole == '0' && *ret_whole > 1)
		return "has a leading zero";
	if (*ret_whole + *ret_scale > 38)
		return "has more than 38 digits";
	return NULL;
}

static const char *add_number(struct rv_infer_type *type, const char *p, size_t len)
{
	unsigned whole, scale;
	const char *why = read_number(p, len, &whole, &scale);

	if (!why) {
		type->whole = whole > type->whole ? whole : type->whole;
		type->scale = scale > type->scale ? scale : type->scale;
		type->scale_least = scale < type->scale_least ? scale : type->scale_least;
		if (type->whole + type->scale > 38)
			why = "makes it more than 38 digits";
	}
	if (why) {
		type->integer = type->number = false;
		return why;
	}
	char reason[RV_CUT_REASON];
	int64_t value;

	if (type->integer && (scale || !rv_cut_integer((struct rv_str){ p, len }, &value, reason)))
		type->integer = false;
	/* an integer beyond 64 bits is an identifier rather than an amount */
	if (!type->integer && type->scale == 0) {
		type->number = false;
		return "is beyond 64 bits";
	}
	return NULL;
}

/* ---- dates and times ---- */

static bool all_digits(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] < '0' || p[i] > '9')
			return false;
	return true;
}

/* Years a table of today is about. Digits alone are a date only in these. */
static bool is_near(int64_t days)
{
	return days >= -25567 && days < 73050; /* 1900 to 2169 */
}

static bool fits(size_t format, struct rv_str s)
{
	char reason[RV_CUT_REASON];
	int64_t value;
	bool digits = format == DATE_DIGITS || format == TIME_DIGITS;

	if (digits && (s.len != (format < DATES ? 8 : 14) || !all_digits(s.p, s.len)))
		return false;
	if (format < DATES)
		return rv_cut_date(s, formats[format], &value, reason) && (!digits || is_near(value));
	if (!rv_cut_timestamp(s, format == RFC3339 ? NULL : formats[format], "UTC", &value, reason))
		return false;
	return !digits || is_near(value / 86400000000);
}

static void add_time(struct rv_infer_type *type, const char *p, size_t len)
{
	struct rv_str s = { p, len };
	char reason[RV_CUT_REASON];
	int64_t us;

	if (len < 6 || len > 40 || *p < '0' || *p > '9') {
		type->formats = 0;
		return;
	}
	for (uint64_t left = type->formats; left; left &= left - 1) {
		unsigned format = (unsigned)__builtin_ctzll(left);

		if (!fits(format, s))
			type->formats &= ~((uint64_t)1 << format);
	}
	if (!type->zoneless && type->formats >> RFC3339 & 1)
		type->zoneless = !rv_cut_timestamp(s, NULL, NULL, &us, reason);
}

/* ---- a column ---- */

static bool is_boolean(const char *p, size_t len)
{
	char reason[RV_CUT_REASON];
	bool yes;

	/* 0 and 1 are integers */
	return len >= 4 && rv_cut_boolean((struct rv_str){ p, len }, &yes, reason);
}

void rv_infer_type_add(struct rv_infer_type *type, const char *p, size_t len, uint64_t row)
{
	const char *why = type->formats ? "is no day or time as the others are" : "is neither true nor false";

	type->values++;
	if (type->other_why)
		return;
	if (type->number)
		why = add_number(type, p, len);
	if (type->formats)
		add_time(type, p, len);
	if (type->boolean)
		type->boolean = is_boolean(p, len);
	if (type->number || type->formats || type->boolean)
		return;
	type->other_why = why;
	type->other_row = row;
	if (len >= sizeof(type->other)) {
		/* cut between characters */
		len = sizeof(type->other) - 1;
		while (len && ((unsigned char)p[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(type->other, p, len);
	type->other[len] = '\0';
}

bool rv_infer_type_has_zone(const struct rv_infer_type *type)
{
	return type->formats && (unsigned)__builtin_ctzll(type->formats) == RFC3339 && !type->zoneless;
}

bool rv_infer_type_is_typed(const char *p, size_t len)
{
	struct rv_infer_type type;

	rv_infer_type_init(&type);
	rv_infer_type_add(&type, p, len, 1);
	/* a leading zero is a number's too */
	return !type.other_why || strcmp(type.other_why, "is no number") != 0;
}

static void say_time(const struct rv_infer_type *type, struct rv_column *ret, struct rv_strbuf *why)
{
	unsigned format = (unsigned)__builtin_ctzll(type->formats);
	uint64_t rest = type->formats & (type->formats - 1);
	const char *text = formats[format];

	ret->type = format < DATES ? RV_COLUMN_DATE : RV_COLUMN_TIMESTAMP;
	ret->format = NULL;
	if (format != 0 && format != RFC3339) {
		/* a constant, which nobody writes to */
		ret->format = (char *)(uintptr_t)text;
	}
	if (format == RFC3339 && !type->zoneless)
		rv_strbuf_puts(why, "each says its zone");
	else if (format >= DATES)
		rv_strbuf_puts(why, "without zone: `timezone` is a guess");
	else if (format == DATE_DIGITS)
		rv_strbuf_puts(why, "8 digits, all of them days; an identifier? then string");
	for (; rest; rest &= rest - 1) {
		const char *other = formats[__builtin_ctzll(rest)];

		if (other[1] != text[1] && (other[1] == 'm' || other[1] == 'd')) {
			rv_strbuf_printf(why, "%sday or month first? every value fits %s as well: check it",
					 why->len ? "; " : "", other);
			break;
		}
	}
	if (strstr(text, "%y"))
		rv_strbuf_printf(why, "%sthe century is a guess", why->len ? "; " : "");
}

void rv_infer_type_say(const struct rv_infer_type *type, struct rv_column *ret, struct rv_strbuf *why)
{
	char number[RV_NUMBER_TEXT];

	ret->type = RV_COLUMN_STRING;
	ret->format = NULL;
	ret->precision = ret->scale = 0;
	if (!type->values) {
		rv_strbuf_puts(why, "no value was seen");
	} else if (type->formats) {
		say_time(type, ret, why);
	} else if (type->integer) {
		ret->type = RV_COLUMN_INTEGER;
		rv_strbuf_printf(why, "up to %u digit%s", type->whole, type->whole == 1 ? "" : "s");
	} else if (type->number) {
		unsigned precision = type->whole + type->scale;

		ret->type = RV_COLUMN_DECIMAL;
		ret->scale = type->scale;
		/* room for larger ones */
		ret->precision = precision <= 15 ? 18 : 38;
		rv_strbuf_printf(why, "up to %u digit%s before the point", type->whole,
				 type->whole == 1 ? "" : "s");
		if (type->scale_least != type->scale)
			rv_strbuf_printf(why, ", %u to %u behind it", type->scale_least, type->scale);
	} else if (type->boolean) {
		ret->type = RV_COLUMN_BOOLEAN;
	} else {
		rv_infer_quote(why, type->other, strlen(type->other));
		rv_strbuf_printf(why, " in row %s %s", rv_format_count(type->other_row, number), type->other_why);
	}
}
