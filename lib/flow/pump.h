/*
 * pump: the rows of a data set as events, at a pace, to an address or into a stream. Events of a session
 * keep their order whatever has to be sent again. Memory does not depend on the data.
 */
#ifndef RV_FLOW_PUMP_H
#define RV_FLOW_PUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "delivery/post.h"
#include "flow/latency.h"
#include "flow/pump_event.h"
#include "flow/pump_feed.h"
#include "flow/pump_pace.h"
#include "flow/pump_state.h"
#include "source/source.h"

#define RV_PUMP_STATUSES 600

struct rv_pump_counts {
	uint64_t rows;          /* looked at by this run */
	uint64_t events;        /* made */
	uint64_t skipped;       /* rows of no kind, by the map */
	uint64_t rejected;      /* rows that are none, or that the map refuses */
	uint64_t kinds[RV_MAP_KINDS_MAX]; /* of events, by the map's kinds; [0] without kinds */
	uint64_t bytes;         /* of events */
	char first_reject[320]; /* "data.csv:3: it is of no kind", "" */
};

/*
 * Events out of rows: feed, map, pace and the times of a journal put together. The caller asks for the
 * next one; it is rendered when it is due.
 */
struct rv_pump_line_params {
	struct rv_pump_feed *feed;
	struct rv_pump_mapper *mapper;
	const struct rv_map *map;
	struct rv_pump_pace *pace;
	struct rv_pump_state *state;  /* Optional */
	uint64_t count;               /* of rows, from the first one, over all passes; 0: all */
	bool catch_up;                /* rows that had a time before are not due at another one */
	uint64_t from;                /* rows before it are passed over: they are settled */
	uint64_t max_rejects;         /* UINT64_MAX: no limit */
	int64_t window_ms;            /* events of so long a time share it; 0: 100 */
	/* Optional: a line that was refused, for the first few */
	void (*warn)(void *arg, const char *text);
	/* Optional, for tests: the wall in ms, and a monotonic clock in us */
	int64_t (*wall_ms)(void *arg);
	int64_t (*clock_us)(void *arg);
	void *arg;
};
struct rv_pump_line {
	struct rv_pump_line_params params;
	struct rv_pump_counts counts;
	/* its own: */
	struct rv_pump_row row;       /* the one that waits */
	const char *row_file;         /* where it is, for messages; the feed's */
	uint64_t row_line;
	bool has_row, ended;
	bool data_ended;              /* and not only --count */
	int64_t due_us;
	bool in_window;
	uint64_t window_row;
	int64_t window_us, window_ms;
	int64_t rough_us;
	struct rv_strbuf why, event;
};
void rv_pump_line_init(struct rv_pump_line *line, const struct rv_pump_line_params *params);
void rv_pump_line_release(struct rv_pump_line *line);
enum rv_pump_ready {
	RV_PUMP_READY,     /* an event is due: rv_pump_line_take() */
	RV_PUMP_LATER,     /* at due_us, monotonic */
	RV_PUMP_NOTHING,   /* no input for now; look again */
	RV_PUMP_PASSED,    /* a row that is no event: `ret_row`, settled as it is */
	RV_PUMP_OVER,      /* there are no more */
};
/* Reads on where no row waits; `timeout_ms` is for input that trickles. */
enum rv_status rv_pump_line_next(struct rv_pump_line *line, int64_t timeout_ms, enum rv_pump_ready *ret,
				 uint64_t *ret_row, struct rv_error *err) RV_MUST_CHECK;
/* Renders the event that is due. *ret_len 0: the map refuses the row, which is then settled. Valid until
 * the next call. */
enum rv_status rv_pump_line_take(struct rv_pump_line *line, const char **ret, size_t *ret_len,
				 struct rv_error *err) RV_MUST_CHECK;
int64_t rv_pump_line_now_us(const struct rv_pump_line *line);

/* ---- to an address ---- */

struct rv_pump_post_params {
	struct rv_pump_line *line;
	unsigned lanes;
	uint64_t batch;               /* events a body; 0 or 1: one */
	bool batch_lines;             /* bodies are lines; else JSON arrays */
	bool (*should_stop)(void);
	void (*progress)(void *arg, const struct rv_pump_counts *counts);
	void (*warn)(void *arg, const char *text); /* Optional: what is being tried again, once a minute */
	void *arg;
	int64_t patience_ms;          /* for answers after a stop; 0: 10 s */
};
struct rv_pump_post_result {
	uint64_t taken, refused;      /* events */
	uint64_t bodies;              /* settled */
	uint64_t maybe_twice;         /* events */
	uint64_t retries, connects;
	uint64_t statuses[RV_PUMP_STATUSES]; /* bodies by the status that settled them */
	uint64_t unsettled;           /* events whose end nobody knows */
	struct rv_latency latency;
	bool stopped;
};
/* The settled() and its arg that the post has to be made with. */
struct rv_pump_poster;
struct rv_pump_poster *rv_pump_poster_new(const struct rv_pump_post_params *params);
void rv_pump_poster_free(struct rv_pump_poster *poster);
void rv_pump_poster_settled(void *poster, const struct rv_post_result *result);
/* Until the data has ended and everything is settled. RV_PARTIAL: some rows or events were refused;
 * RV_BAD_DATA: all were, or too many; RV_FAILED: stopped; else what ended it. `ret` is filled in any
 * case. */
enum rv_status rv_pump_post(struct rv_pump_poster *poster, struct rv_post *post,
			    struct rv_pump_post_result *ret, struct rv_error *err) RV_MUST_CHECK;

/* ---- as a source, for the flow of push ---- */

/* Events, one a line. Borrows `line`. */
struct rv_source *rv_pump_source_new(struct rv_pump_line *line);

/* ---- counted only ---- */

struct rv_pump_check {
	uint64_t sessions;            /* 0 without a column for them */
	bool sessions_estimated;      /* more than a million: within a percent or so */
	int64_t first_ms, last_ms;    /* of the data's own clock */
	bool has_time;
};
/* All events are made, at once and without a pace, and thrown away; or written, where `out` is given, as
 * long as it is true. */
enum rv_status rv_pump_check(struct rv_pump_line *line, bool (*should_stop)(void),
			     bool (*out)(void *arg, const char *p, size_t len), void *arg,
			     struct rv_pump_check *ret, struct rv_error *err) RV_MUST_CHECK;

#endif
