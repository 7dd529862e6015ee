/*
 * When a document expires: by the calendar, counted from a date that it carries or from its extract's time,
 * never from this machine's clock. Pure.
 */
#ifndef RV_DELIVERY_EXPIRY_H
#define RV_DELIVERY_EXPIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/job.h"

/* So many units later, the time of day kept. 31 May and nine months is the last day of February: a month that
 * is too short ends on its last day. */
int64_t rv_expiry_after(int64_t ms, unsigned count, enum rv_job_unit unit);
/* 2026-11-20, 2026-11-20T16:58:51.25Z, or the latter with another zone. */
bool rv_expiry_parse(const char *s, size_t len, int64_t *ret_ms);

/* From the year 1970 on, and not more than this ahead of the service's clock: a date beyond is a slip or a
 * placeholder (9999-12-31), and a document of it would never expire. */
#define RV_EXPIRY_AHEAD_MS (366 * INT64_C(86400000))
bool rv_expiry_is_sane(int64_t from_ms, int64_t now_ms);

#endif
