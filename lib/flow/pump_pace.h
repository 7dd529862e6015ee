/*
 * When the next event is due: so many a second, or by the data's own clock. Times are monotonic
 * microseconds and passed in, so tests need no clock. A clock of the wall plays no part.
 *
 * Who is late catches up little: a quarter of a second's events at once, then the plan moves. So there
 * is no burst after a stop, a suspended machine or a slow destination.
 */
#ifndef RV_FLOW_PUMP_PACE_H
#define RV_FLOW_PUMP_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define RV_PUMP_SLACK_US 250000

struct rv_pump_pace {
	double per_s;          /* events a second; 0: no limit */
	double speed;          /* of the data's own clock; 0: not by it */
	int64_t jitter_us;     /* each event is later by up to this */
	uint64_t random;       /* any number; the same one gives the same jitter */
	/* its own: */
	bool started;
	double next_us;        /* rate: when the next one is due */
	int64_t base_us, base_ms, latest_ms; /* speed: base_ms is due at base_us */
	int64_t late_us;       /* the most that an event was behind its plan */
};
/* When the event with this time of its own is due; asked once an event, in their order. */
int64_t rv_pump_pace_due(struct rv_pump_pace *pace, int64_t time_ms, int64_t now_us);
/* The data begins anew: its clock goes on from here. */
void rv_pump_pace_again(struct rv_pump_pace *pace);

/* "500/s", "30/m", "1000/h", or a number, a second; "10x", "0.5x", or a number. More than 0. */
bool rv_pump_parse_rate(const char *text, double *ret_per_s);
bool rv_pump_parse_speed(const char *text, double *ret);

#endif
