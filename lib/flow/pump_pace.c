/* The plan of a pump, and how it gives way. */
#include "flow/pump_pace.h"

#include <stdlib.h>
#include <string.h>

/* 100 years are enough for anybody. */
#define LONG_US 3e15

/* splitmix64 */
static uint64_t random_u64(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void rv_pump_pace_again(struct rv_pump_pace *pace)
{
	pace->started = pace->started && pace->per_s > 0;
}

static int64_t due_by_rate(struct rv_pump_pace *pace, int64_t now_us)
{
	if (!pace->started)
		pace->next_us = (double)now_us;
	if (pace->next_us < (double)(now_us - RV_PUMP_SLACK_US))
		pace->next_us = (double)(now_us - RV_PUMP_SLACK_US);
	int64_t due_us = (int64_t)pace->next_us;
	double gap_us = 1e6 / pace->per_s;

	pace->next_us += gap_us > LONG_US ? LONG_US : gap_us;
	if (pace->next_us > (double)now_us + LONG_US)
		pace->next_us = (double)now_us + LONG_US;
	return due_us;
}

static int64_t due_by_clock(struct rv_pump_pace *pace, int64_t time_ms, int64_t now_us)
{
	if (!pace->started) {
		pace->base_us = now_us;
		pace->base_ms = pace->latest_ms = time_ms;
	}
	/* What is out of order goes with what came before it. */
	if (time_ms > pace->latest_ms)
		pace->latest_ms = time_ms;
	/* times are whatever the data says: their difference may not fit into 64 bits */
	double ahead_us = ((double)pace->latest_ms - (double)pace->base_ms) * 1000 / pace->speed;
	int64_t due_us = pace->base_us + (int64_t)(ahead_us > LONG_US ? LONG_US : ahead_us);

	if (due_us < now_us - RV_PUMP_SLACK_US) {
		pace->base_us += now_us - RV_PUMP_SLACK_US - due_us;
		due_us = now_us - RV_PUMP_SLACK_US;
	}
	return due_us;
}

int64_t rv_pump_pace_due(struct rv_pump_pace *pace, int64_t time_ms, int64_t now_us)
{
	int64_t due_us = now_us;

	if (pace->per_s > 0)
		due_us = due_by_rate(pace, now_us);
	else if (pace->speed > 0)
		due_us = due_by_clock(pace, time_ms, now_us);
	pace->started = true;
	if (now_us - due_us > pace->late_us)
		pace->late_us = now_us - due_us;
	if (pace->jitter_us > 0)
		due_us += (int64_t)(random_u64(&pace->random) % ((uint64_t)pace->jitter_us + 1));
	return due_us;
}

/* A plain decimal number above 0. */
static bool parse_positive(const char *text, const char **ret_end, double *ret)
{
	size_t len = strspn(text, "0123456789.");
	char *end;

	if (!len || len > 15 || text[0] == '.' || text[len - 1] == '.')
		return false;
	/* no locale is set, so the point is a point */
	*ret = strtod(text, &end);
	*ret_end = text + len;
	return end == *ret_end && *ret > 0;
}

bool rv_pump_parse_rate(const char *text, double *ret_per_s)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = { { "", 1 }, { "/s", 1 }, { "/m", 60 }, { "/min", 60 }, { "/h", 3600 } };
	const char *end;
	double v;

	if (!parse_positive(text, &end, &v))
		return false;
	for (unsigned i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strcmp(end, units[i].unit) == 0) {
			*ret_per_s = v / units[i].seconds;
			return true;
		}
	return false;
}

bool rv_pump_parse_speed(const char *text, double *ret)
{
	const char *end;
	double v;

	if (!parse_positive(text, &end, &v) || (*end && strcmp(end, "x") != 0))
		return false;
	*ret = v;
	return true;
}
