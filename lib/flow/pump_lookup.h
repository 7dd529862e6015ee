/*
 * A second file of a map, in memory: the columns that are used, by a key. Equal rows are kept once, so a
 * catalog of many products in few categories stays small. Of a key that is there twice the last row counts.
 */
#ifndef RV_FLOW_PUMP_LOOKUP_H
#define RV_FLOW_PUMP_LOOKUP_H

#include <stdint.h>

#include "base/error.h"
#include "config/map.h"
#include "flow/pump_value.h"

/* Keys and values may take so much, which is refused beyond. */
#define RV_PUMP_LOOKUP_BYTES (UINT64_C(1) << 30)

struct rv_pump_lookup;
/* Reads `path`: csv or JSON, plain or compressed, which is looked at. RV_NOT_FOUND, RV_LOCAL_IO;
 * RV_BAD_CONFIG: a column that a csv file does not have; RV_BAD_DATA: a row that is not right, or too much.
 * `max_bytes` 0: RV_PUMP_LOOKUP_BYTES. */
enum rv_status rv_pump_lookup_read(const char *path, const struct rv_map_lookup *lookup,
				   uint64_t max_bytes, struct rv_pump_lookup **ret,
				   struct rv_error *err) RV_MUST_CHECK;
void rv_pump_lookup_free(struct rv_pump_lookup *lookup);
uint64_t rv_pump_lookup_count(const struct rv_pump_lookup *lookup);

/* False: no such key. Else the columns in the order of rv_map_lookup.columns; valid as long as `lookup`. */
bool rv_pump_lookup_find(const struct rv_pump_lookup *lookup, struct rv_str key,
			 struct rv_pump_value *values);

/* Every name in `columns` is one of a CSV header, or RV_BAD_CONFIG with the one that was perhaps meant. */
enum rv_status rv_pump_check_header(const char *path, const char *csv_header,
				    const struct rv_string_list *columns,
				    struct rv_error *err) RV_MUST_CHECK;

#endif
