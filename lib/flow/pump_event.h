/*
 * From a row to an event, as a map says. A row is cut first (kind, session, its own time), so that the
 * caller can decide when it is due, and rendered when that is known. Memory does not grow with rows.
 *
 * Ids are a function of seed, row, time and field: an event that has to be sent again after a kill is the
 * same bytes under the same id, and no id ever stands for two contents.
 *
 * One thread uses a mapper. Arguments are borrowed; map and row must outlive what was made of them.
 */
#ifndef RV_FLOW_PUMP_EVENT_H
#define RV_FLOW_PUMP_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "config/map.h"

#define RV_PUMP_SEED_BYTES 16
/* What a stream takes when nothing else is said. A row that is sent as it is may be longer. */
#define RV_PUMP_EVENT_MAX_BYTES (16u << 20)

struct rv_pump_mapper_params {
	const struct rv_map *map;
	const char *folder;      /* of the second files; absolute */
	uint8_t seed[RV_PUMP_SEED_BYTES];
	bool replay_time;        /* events have the time of their rows, or rows without one are refused */
	bool need_time;          /* the same refusal, because somebody paces by it */
};
struct rv_pump_mapper;
/* Reads the second files. */
enum rv_status rv_pump_mapper_new(const struct rv_pump_mapper_params *params,
				  struct rv_pump_mapper **ret, struct rv_error *err) RV_MUST_CHECK;
void rv_pump_mapper_free(struct rv_pump_mapper *mapper);
void rv_pump_mapper_free_p(struct rv_pump_mapper **mapper);

struct rv_pump_row {
	uint64_t number;         /* from 0, over all passes */
	const char *record;      /* one JSON object; borrowed */
	size_t len;
	unsigned kind;           /* index into map->kinds; 0 without kinds */
	uint64_t session;        /* hash of the session's value; of the number where there is none */
	bool has_time;
	int64_t time_ms;         /* the row's own */
};
enum rv_pump_verdict { RV_PUMP_TAKEN, RV_PUMP_SKIPPED, RV_PUMP_REFUSED };
/* number, record and len are the caller's, the others are filled. REFUSED: `why` says so. */
enum rv_pump_verdict rv_pump_cut(struct rv_pump_mapper *mapper, struct rv_pump_row *row,
				 struct rv_strbuf *why);
/* Appends the event of the row that was cut last, without a newline. Not TAKEN: nothing. */
enum rv_pump_verdict rv_pump_render(struct rv_pump_mapper *mapper, const struct rv_pump_row *row,
				    int64_t now_ms, struct rv_strbuf *out, struct rv_strbuf *why);

#endif
