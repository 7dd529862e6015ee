/*
 * Time: milliseconds since 1970 UTC for what is written down, monotonic milliseconds for what is
 * measured. Dates are proleptic Gregorian, always UTC; the local zone is never used. Functions that
 * decide by time take it as an argument, so tests need no fake clock.
 */
#ifndef RV_BASE_CLOCK_H
#define RV_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t rv_clock_ms(void);           /* wall clock, UTC */
int64_t rv_clock_monotonic_ms(void); /* for durations and deadlines */

/* Of a file's time, which may be any number: what lies beyond 1677 or 2262 is the first or the last there is. */
int64_t rv_time_ns(int64_t seconds, int64_t nanoseconds);

struct rv_date {
	int64_t year;
	unsigned month, day;           /* from 1 */
	unsigned hour, minute, second; /* second 0..59 */
	unsigned ms;
};
void rv_date_from_ms(int64_t ms, struct rv_date *ret);
int64_t rv_days_from_civil(int64_t year, unsigned month, unsigned day);
/* Days in the month, leap years counted. */
unsigned rv_days_in_month(int64_t year, unsigned month);

#define RV_TIME_TEXT 32
/* "2026-11-20T16:58:51.123Z"; buf has RV_TIME_TEXT bytes; returns buf. */
const char *rv_format_time(int64_t ms, char *buf);
/* "dt=2026-11-20/hr=14" */
const char *rv_format_folder(int64_t ms, char *buf);
/* "2026-11-20" */
const char *rv_format_day(int64_t ms, char *buf);
/* RFC 3339 with a zone, 0..9 digits of fraction; false if it is not exactly that. */
bool rv_parse_time(const char *s, size_t len, int64_t *ret_ms);

#endif
