/*
 * How far a pump has come (`--resume`): a journal that is only appended to, one for each target and data
 * set, below <state>/pump. A line is 8 hex digits of CRC-32C, a blank and a JSON object:
 *
 *   {"v":1,"target":…,"of":{…},"seed":…}        first: what is pumped where, and how
 *   {"row":…,"time":…,"place":{…}}              events from this row on get this time; where they are
 *   {"done":…}                                  all rows before this one are settled
 *   {"end":true,"passes":…}                     there are no more, after so many passes
 *
 * A window is written before the first event of it is sent, so after a kill the same row is the same
 * event. What is settled is written down once a second, and at the end.
 */
#ifndef RV_FLOW_PUMP_STATE_H
#define RV_FLOW_PUMP_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "flow/pump_event.h"
#include "flow/pump_feed.h"

#define RV_PUMP_STATE_VERSION 1
#define RV_PUMP_WINDOW_ROWS 1024 /* of one time, at most */

struct rv_pump_state_params {
	const char *state_dir;
	const char *target;      /* whole: only a hash of it is kept, the query may hold a key */
	const char *shown;       /* the target as messages have it */
	char *const *files;
	size_t files_count;
	/* What must not have changed since: {"sources":[…], "map":…, …}; borrowed. */
	const json_t *of;
	bool restart;            /* forget what is known */
	bool keep_windows;       /* all of them are wanted, not only those of rows that are not settled */
	int64_t lock_timeout_ms;
};
struct rv_pump_state;
/* RV_CONFLICT: the journal is of other data, another map or other options. RV_LOCKED: another pump
 * holds it. RV_DAMAGED: it is not whole. RV_BAD_CONFIG: of a newer version. */
enum rv_status rv_pump_state_open(const struct rv_pump_state_params *params, struct rv_pump_state **ret,
				  struct rv_error *err) RV_MUST_CHECK;
void rv_pump_state_free(struct rv_pump_state *state);
void rv_pump_state_free_p(struct rv_pump_state **state);

const uint8_t *rv_pump_state_seed(const struct rv_pump_state *state);
uint64_t rv_pump_state_done(const struct rv_pump_state *state);
bool rv_pump_state_ended(const struct rv_pump_state *state);
/* After how many passes it has; 0: an older river has not said. */
uint64_t rv_pump_state_passes(const struct rv_pump_state *state);
/* The journal's name without its folder, the same for the same target and files: for the name of a run. */
const char *rv_pump_state_name(const struct rv_pump_state *state);
/* Where to begin so as to come by the row `done`; NULL: at the start. Borrowed. */
const struct rv_pump_place *rv_pump_state_place(const struct rv_pump_state *state);
/* The time that the event of this row had before; false: it has had none. Rows may not go backwards. */
bool rv_pump_state_time(struct rv_pump_state *state, uint64_t row, int64_t *ret_ms);

enum rv_status rv_pump_state_window(struct rv_pump_state *state, uint64_t row, int64_t time_ms,
				    const struct rv_pump_place *place,
				    struct rv_error *err) RV_MUST_CHECK;
/* `sync`: durable when this returns; else at the next one that is. */
enum rv_status rv_pump_state_settled(struct rv_pump_state *state, uint64_t done, bool sync,
				     struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_pump_state_end(struct rv_pump_state *state, uint64_t passes,
				 struct rv_error *err) RV_MUST_CHECK;

/* What a file looks like from outside: {"path","bytes","modified_ns","key","head"}. New reference. */
enum rv_status rv_pump_file_json(const char *path, json_t **ret, struct rv_error *err) RV_MUST_CHECK;

#endif
