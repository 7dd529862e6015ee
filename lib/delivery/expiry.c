/* Calendar arithmetic on UTC. */
#include "delivery/expiry.h"

#include "base/clock.h"

#define DAY_MS INT64_C(86400000)

int64_t rv_expiry_after(int64_t ms, unsigned count, enum rv_job_unit unit)
{
	struct rv_date date;

	if (unit == RV_JOB_DAYS || unit == RV_JOB_WEEKS)
		return ms + (int64_t)count * (unit == RV_JOB_WEEKS ? 7 : 1) * DAY_MS;
	rv_date_from_ms(ms, &date);
	int64_t months = (int64_t)count * (unit == RV_JOB_YEARS ? 12 : 1) + date.month - 1;
	int64_t year = date.year + months / 12;
	unsigned month = (unsigned)(months % 12) + 1;
	unsigned last = rv_days_in_month(year, month);
	int64_t before = rv_days_from_civil(date.year, date.month, date.day) * DAY_MS;

	return rv_days_from_civil(year, month, date.day < last ? date.day : last) * DAY_MS + (ms - before);
}

bool rv_expiry_parse(const char *s, size_t len, int64_t *ret_ms)
{
	char text[32] = "0000-00-00T00:00:00Z";

	if (rv_parse_time(s, len, ret_ms))
		return true;
	if (len != 10)
		return false;
	for (size_t i = 0; i < 10; i++)
		text[i] = s[i];
	return rv_parse_time(text, 20, ret_ms);
}

bool rv_expiry_is_sane(int64_t from_ms, int64_t now_ms)
{
	return from_ms >= 0 && from_ms <= now_ms + RV_EXPIRY_AHEAD_MS;
}
