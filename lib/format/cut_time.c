/* Dates and times of contracts: RFC 3339, or the column's own format. strptime(3) is not used: it
 * follows the locale, knows no fractions, and takes "2024-02-31". */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "format/cut_text.h"

#define REASON RV_CUT_REASON
#define DAY_US 86400000000

struct moment {
	int64_t year;
	unsigned month, day, hour, minute, second, micros;
	unsigned day_of_year;       /* 0: not given */
	int hour_12;                /* -1: not given */
	int afternoon;              /* -1: not given */
	bool has_zone;
	int64_t zone_s;
	bool has_epoch;
	int64_t epoch_us;
};

static bool take_digits(struct rv_str *s, size_t least, size_t most, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < most && i < s->len && s->p[i] >= '0' && s->p[i] <= '9'; i++)
		n = n * 10 + (uint64_t)(s->p[i] - '0');
	if (i < least)
		return false;
	s->p += i;
	s->len -= i;
	*ret = n;
	return true;
}

static bool take_unsigned(struct rv_str *s, size_t least, size_t most, unsigned *ret)
{
	uint64_t n;

	if (!take_digits(s, least, most, &n))
		return false;
	*ret = (unsigned)n;
	return true;
}

static bool take_char(struct rv_str *s, char c)
{
	if (!s->len || *s->p != c)
		return false;
	s->p++;
	s->len--;
	return true;
}

/* Digits behind the point; false with a reason when more than microseconds would be lost. */
static bool take_fraction(struct rv_str *s, unsigned *ret, char *reason)
{
	unsigned micros = 0, digits = 0;

	for (; s->len && *s->p >= '0' && *s->p <= '9'; s->p++, s->len--, digits++) {
		if (digits < 6) {
			micros = micros * 10 + (unsigned)(*s->p - '0');
		} else if (*s->p != '0') {
			snprintf(reason, REASON, "is finer than a microsecond");
			return false;
		}
	}
	if (!digits)
		return false;
	for (; digits < 6; digits++)
		micros *= 10;
	*ret = micros;
	return true;
}

/* Z, +02:00, +0200, +02 */
static bool take_zone(struct rv_str *s, struct moment *m)
{
	unsigned hours, minutes = 0;

	m->has_zone = true;
	m->zone_s = 0;
	if (take_char(s, 'Z') || take_char(s, 'z'))
		return true;
	if (s->len >= 3 && memcmp(s->p, "UTC", 3) == 0) {
		s->p += 3;
		s->len -= 3;
		return true;
	}
	bool west = s->len && *s->p == '-';

	if (!take_char(s, '+') && !take_char(s, '-'))
		return false;
	if (!take_unsigned(s, 2, 2, &hours))
		return false;
	if (take_char(s, ':') || (s->len && *s->p >= '0' && *s->p <= '9'))
		if (!take_unsigned(s, 2, 2, &minutes))
			return false;
	if (hours > 23 || minutes > 59)
		return false;
	m->zone_s = (west ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
	return true;
}

static bool take_date(struct rv_str *s, struct moment *m)
{
	uint64_t year;

	if (!take_digits(s, 4, 4, &year) || !take_char(s, '-') ||
	    !take_unsigned(s, 2, 2, &m->month) || !take_char(s, '-') ||
	    !take_unsigned(s, 2, 2, &m->day))
		return false;
	m->year = (int64_t)year;
	return true;
}

static bool take_clock(struct rv_str *s, struct moment *m)
{
	return take_unsigned(s, 2, 2, &m->hour) && take_char(s, ':') &&
	       take_unsigned(s, 2, 2, &m->minute) && take_char(s, ':') &&
	       take_unsigned(s, 2, 2, &m->second);
}

static bool take_month_name(struct rv_str *s, unsigned *ret)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	if (s->len < 3)
		return false;
	for (unsigned i = 0; i < 12; i++) {
		bool same = true;

		for (unsigned k = 0; k < 3; k++)
			same &= (s->p[k] | 0x20) == names[i * 3 + k];
		if (!same)
			continue;
		*ret = i + 1;
		s->p += 3;
		s->len -= 3;
		return true;
	}
	return false;
}

static bool take_epoch(struct rv_str *s, struct moment *m, char *reason)
{
	bool negative = take_char(s, '-');
	uint64_t seconds;
	unsigned micros = 0;

	if (!take_digits(s, 1, 12, &seconds))
		return false;
	if (take_char(s, '.') && !take_fraction(s, &micros, reason))
		return false;
	m->has_epoch = m->has_zone = true;
	m->epoch_us = (int64_t)seconds * 1000000 + micros;
	if (negative)
		m->epoch_us = -m->epoch_us;
	return true;
}

static bool take_directive(char directive, struct rv_str *s, struct moment *m, char *reason)
{
	uint64_t year;
	unsigned n;

	switch (directive) {
	case 'Y':
		if (!take_digits(s, 4, 4, &year))
			return false;
		m->year = (int64_t)year;
		return true;
	case 'y':
		if (!take_unsigned(s, 2, 2, &n))
			return false;
		m->year = n < 69 ? 2000 + n : 1900 + n; /* as POSIX has it */
		return true;
	case 'm':
		return take_unsigned(s, 1, 2, &m->month);
	case 'd':
		return take_unsigned(s, 1, 2, &m->day);
	case 'e':
		take_char(s, ' ');
		return take_unsigned(s, 1, 2, &m->day);
	case 'j':
		return take_unsigned(s, 3, 3, &m->day_of_year) && m->day_of_year > 0;
	case 'b':
		return take_month_name(s, &m->month);
	case 'H':
		return take_unsigned(s, 1, 2, &m->hour);
	case 'I':
		if (!take_unsigned(s, 1, 2, &n) || n < 1 || n > 12)
			return false;
		m->hour_12 = (int)(n % 12);
		return true;
	case 'p':
		if (s->len < 2 || (s->p[1] | 0x20) != 'm' ||
		    ((s->p[0] | 0x20) != 'a' && (s->p[0] | 0x20) != 'p'))
			return false;
		m->afternoon = (s->p[0] | 0x20) == 'p';
		s->p += 2;
		s->len -= 2;
		return true;
	case 'M':
		return take_unsigned(s, 1, 2, &m->minute);
	case 'S':
		return take_unsigned(s, 1, 2, &m->second);
	case 'f':
		return take_fraction(s, &m->micros, reason);
	case 'z':
		return take_zone(s, m);
	case 's':
		return take_epoch(s, m, reason);
	case 'F':
		return take_date(s, m);
	case 'T':
		return take_clock(s, m);
	case '%':
		return take_char(s, '%');
	default:
		return false;
	}
}

static bool read_format(struct rv_str s, const char *format, struct moment *m, char *reason)
{
	for (; *format; format++) {
		if (*format == '%' && format[1]) {
			if (!take_directive(*++format, &s, m, reason))
				return false;
		} else if (!take_char(&s, *format)) {
			return false;
		}
	}
	return s.len == 0;
}

/* "2024-05-01T12:00:00.5+02:00"; a blank may stand for the T, the zone may be missing. */
static bool read_rfc3339(struct rv_str s, struct moment *m, char *reason)
{
	if (!take_date(&s, m))
		return false;
	if (!take_char(&s, 'T') && !take_char(&s, 't') && !take_char(&s, ' '))
		return false;
	if (!take_clock(&s, m))
		return false;
	if (take_char(&s, '.') && !take_fraction(&s, &m->micros, reason))
		return false;
	return s.len == 0 || (take_zone(&s, m) && s.len == 0);
}

/* What numbers since 1970 are counted in, as microseconds' powers of ten; false: another format. */
static bool epoch_unit(const char *format, unsigned *ret_scale)
{
	static const struct {
		const char *name;
		unsigned scale;
	} units[] = { { "epoch_s", 6 }, { "epoch_ms", 3 }, { "epoch_us", 0 } };

	for (size_t i = 0; format && i < sizeof(units) / sizeof(*units); i++)
		if (strcmp(format, units[i].name) == 0) {
			*ret_scale = units[i].scale;
			return true;
		}
	return false;
}

/* Numbers since 1970 are those of the years 1 to 9999, so that a wrong unit is found. */
static bool is_in_years(__int128 us, const char *format, char *reason)
{
	if (us >= (__int128)rv_days_from_civil(1, 1, 1) * DAY_US &&
	    us < (__int128)rv_days_from_civil(10000, 1, 1) * DAY_US)
		return true;
	snprintf(reason, REASON, "is not in the years 1 to 9999 as %s", format);
	return false;
}

/* Exact, as decimals are. */
static bool read_epoch(struct rv_str s, const char *format, unsigned scale, int64_t *ret_us,
		       char *reason)
{
	struct rv_cut_number number;
	char why[REASON];
	__int128 us;

	if (!rv_cut_decimal(s, 38, scale, &us, why)) {
		/* with too many digits it is out of all years */
		if (strcmp(why, "has more digits than the column") == 0)
			return is_in_years(INT64_MAX, format, reason);
		snprintf(reason, REASON, rv_cut_number(s, &number, why)
			 ? "is finer than a microsecond, as %s" : "is not a number, as %s asks for", format);
		return false;
	}
	if (!is_in_years(us, format, reason))
		return false;
	*ret_us = (int64_t)us;
	return true;
}

/* Days since 1970, or a reason. */
static bool days_of(const struct moment *m, int64_t *ret, char *reason)
{
	unsigned month = m->month, day = m->day;

	if (m->day_of_year) {
		bool leap = rv_days_in_month(m->year, 2) == 29;

		if (m->day_of_year > 365u + leap) {
			snprintf(reason, REASON, "has no day %u in its year", m->day_of_year);
			return false;
		}
		*ret = rv_days_from_civil(m->year, 1, 1) + m->day_of_year - 1;
		return true;
	}
	if (month < 1 || month > 12 || day < 1 || day > rv_days_in_month(m->year, month)) {
		snprintf(reason, REASON, "is no day of the calendar");
		return false;
	}
	*ret = rv_days_from_civil(m->year, month, day);
	return true;
}

#define MOMENT_INIT { .year = 1970, .month = 1, .day = 1, .hour_12 = -1, .afternoon = -1 }

bool rv_cut_date(struct rv_str s, const char *format, int64_t *ret_days, char *reason)
{
	struct moment m = MOMENT_INIT;
	unsigned scale;

	reason[0] = '\0';
	if (epoch_unit(format, &scale)) {
		if (!read_epoch(s, format, scale, &m.epoch_us, reason))
			return false;
		*ret_days = m.epoch_us / DAY_US - (m.epoch_us % DAY_US < 0);
		return true;
	}
	if (!read_format(s, format ? format : "%F", &m, reason)) {
		if (!reason[0])
			snprintf(reason, REASON, "is not a date as %s", format ? format : "%Y-%m-%d");
		return false;
	}
	if (m.has_epoch) {
		if (!is_in_years(m.epoch_us, format, reason))
			return false;
		*ret_days = m.epoch_us / DAY_US - (m.epoch_us % DAY_US < 0);
		return true;
	}
	return days_of(&m, ret_days, reason);
}

bool rv_cut_timestamp(struct rv_str s, const char *format, const char *timezone, int64_t *ret_us,
		      char *reason)
{
	struct moment m = MOMENT_INIT;
	int64_t days;
	unsigned scale;

	reason[0] = '\0';
	if (epoch_unit(format, &scale))
		return read_epoch(s, format, scale, ret_us, reason);
	if (!(format ? read_format(s, format, &m, reason) : read_rfc3339(s, &m, reason))) {
		if (!reason[0])
			snprintf(reason, REASON, "is not a time as %s",
				 format ? format : "2026-11-20T16:58:51Z");
		return false;
	}
	if (m.has_epoch) {
		if (!is_in_years(m.epoch_us, format, reason))
			return false;
		*ret_us = m.epoch_us;
		return true;
	}
	if (m.hour_12 >= 0)
		m.hour = (unsigned)m.hour_12 + (m.afternoon > 0 ? 12 : 0);
	if (!days_of(&m, &days, reason))
		return false;
	if (m.hour > 23 || m.minute > 59 || m.second > 59) {
		snprintf(reason, REASON, "is no time of day");
		return false;
	}
	if (!m.has_zone) {
		struct rv_str zone = timezone ? rv_str_of(timezone) : RV_STR("");

		if (!timezone || !take_zone(&zone, &m) || zone.len) {
			snprintf(reason, REASON, "has no zone, and neither has the column: set its timezone, as in timezone: UTC");
			return false;
		}
	}
	*ret_us = days * DAY_US +
		  ((int64_t)(m.hour * 3600 + m.minute * 60 + m.second) - m.zone_s) * 1000000 +
		  m.micros;
	return true;
}
