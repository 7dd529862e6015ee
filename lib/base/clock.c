/* Civil dates by Howard Hinnant's day-count formulas, written anew; no libc time zone code. */
#include "base/clock.h"
#include "base/number.h"

#include <stdio.h>
#include <time.h>

int64_t rv_clock_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t rv_clock_monotonic_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t rv_time_ns(int64_t seconds, int64_t nanoseconds)
{
	int64_t ns;
	if (__builtin_mul_overflow(seconds, 1000000000, &ns) || __builtin_add_overflow(ns, nanoseconds, &ns))
		return seconds < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

int64_t rv_days_from_civil(int64_t year, unsigned month, unsigned day)
{
	/* Years begin in March, so that the leap day is the last of a year. */
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

unsigned rv_days_in_month(int64_t year, unsigned month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	if (month < 1 || month > 12)
		return 0;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap);
}

void rv_date_from_ms(int64_t ms, struct rv_date *ret)
{
	int64_t days = ms / 86400000, rest = ms % 86400000;
	if (rest < 0) {
		rest += 86400000;
		days--;
	}
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t shifted_month = (5 * day_of_year + 2) / 153;
	ret->day = (unsigned)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
	ret->month = (unsigned)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
	ret->year = year_of_era + era * 400 + (ret->month <= 2);
	ret->hour = (unsigned)(rest / 3600000);
	ret->minute = (unsigned)(rest / 60000 % 60);
	ret->second = (unsigned)(rest / 1000 % 60);
	ret->ms = (unsigned)(rest % 1000);
}

const char *rv_format_time(int64_t ms, char *buf)
{
	struct rv_date d;
	rv_date_from_ms(ms, &d);
	snprintf(buf, RV_TIME_TEXT, "%04d-%02u-%02uT%02u:%02u:%02u.%03uZ", (int)d.year, d.month % 100,
		 d.day % 100, d.hour % 100, d.minute % 100, d.second % 100, d.ms % 1000);
	return buf;
}

const char *rv_format_folder(int64_t ms, char *buf)
{
	struct rv_date d;
	rv_date_from_ms(ms, &d);
	snprintf(buf, RV_TIME_TEXT, "dt=%04d-%02u-%02u/hr=%02u", (int)d.year, d.month % 100,
		 d.day % 100, d.hour % 100);
	return buf;
}

const char *rv_format_day(int64_t ms, char *buf)
{
	struct rv_date d;
	rv_date_from_ms(ms, &d);
	snprintf(buf, RV_TIME_TEXT, "%04d-%02u-%02u", (int)d.year, d.month % 100, d.day % 100);
	return buf;
}

static bool fixed_digits(const char *s, size_t count, unsigned *ret)
{
	uint64_t v;
	if (!rv_parse_u64(s, count, &v))
		return false;
	*ret = (unsigned)v;
	return true;
}

bool rv_parse_time(const char *s, size_t len, int64_t *ret_ms)
{
	unsigned year, month, day, hour, minute, second, ms = 0;
	if (len < 20 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != 't' && s[10] != ' ') ||
	    s[13] != ':' || s[16] != ':')
		return false;
	if (!fixed_digits(s, 4, &year) || !fixed_digits(s + 5, 2, &month) ||
	    !fixed_digits(s + 8, 2, &day) || !fixed_digits(s + 11, 2, &hour) ||
	    !fixed_digits(s + 14, 2, &minute) || !fixed_digits(s + 17, 2, &second))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > rv_days_in_month(year, month) || hour > 23 ||
	    minute > 59 || second > 59)
		return false;
	size_t i = 19;
	if (s[i] == '.') {
		unsigned scale = 100;
		size_t digits = 0;
		for (i++; i < len && s[i] >= '0' && s[i] <= '9'; i++, digits++) {
			ms += (unsigned)(s[i] - '0') * scale;
			scale /= 10;
		}
		if (digits == 0 || digits > 9)
			return false;
	}
	int64_t offset_minutes = 0;
	if (i < len && (s[i] == 'Z' || s[i] == 'z')) {
		i++;
	} else if (i + 6 <= len && (s[i] == '+' || s[i] == '-') && s[i + 3] == ':') {
		unsigned zone_hour, zone_minute;
		if (!fixed_digits(s + i + 1, 2, &zone_hour) ||
		    !fixed_digits(s + i + 4, 2, &zone_minute) || zone_hour > 23 || zone_minute > 59)
			return false;
		offset_minutes = zone_hour * 60 + zone_minute;
		if (s[i] == '-')
			offset_minutes = -offset_minutes;
		i += 6;
	} else {
		return false;
	}
	if (i != len)
		return false;
	int64_t seconds = rv_days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 +
			  second - offset_minutes * 60;
	*ret_ms = seconds * 1000 + ms;
	return true;
}
