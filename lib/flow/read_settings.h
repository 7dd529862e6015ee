/*
 * How an input is read, as a value that can be journaled: a batch that has to be made again must be
 * read with the same dialect and limits.
 */
#ifndef RV_FLOW_READ_SETTINGS_H
#define RV_FLOW_READ_SETTINGS_H

#include <jansson.h>

#include "base/error.h"
#include "format/reader.h"

struct rv_read_settings {
	enum rv_format format;
	struct rv_csv_dialect csv;  /* names and nulls owned */
	uint64_t max_record_bytes;
	unsigned max_depth;
	bool refuse_river_key;
};
void rv_read_settings_release(struct rv_read_settings *settings);
json_t *rv_read_settings_json(const struct rv_read_settings *settings);
/* NULL gives the defaults. RV_DAMAGED when it is not such a value. */
enum rv_status rv_read_settings_parse(const json_t *object, struct rv_read_settings *ret,
				      struct rv_error *err) RV_MUST_CHECK;
/* The plain fields of reader params; csv borrows from `settings`. */
void rv_read_settings_apply(const struct rv_read_settings *settings,
			    struct rv_reader_params *params);

#endif
