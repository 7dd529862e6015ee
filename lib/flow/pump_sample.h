/*
 * Synthetic data of the shape of Coveo's data challenge, which may not be passed on itself: the same
 * columns, the same kinds of values in about the same proportions, and the same oddities (ties, events
 * out of order, rows that are there twice, purchases without a price). The same arguments give the same
 * bytes.
 */
#ifndef RV_FLOW_PUMP_SAMPLE_H
#define RV_FLOW_PUMP_SAMPLE_H

#include <stdint.h>

#include "base/error.h"

struct rv_pump_sample {
	uint64_t rows, sessions, products;
	uint64_t pageviews, details, adds, removes, purchases;
};
/* Writes browsing_train.csv with `rows` rows and sku_to_content.csv into `folder`, which is made.
 * RV_CONFLICT: one of them is there already. `ret` says what they hold. */
enum rv_status rv_pump_sample(const char *folder, uint64_t rows, uint64_t seed,
			      struct rv_pump_sample *ret, struct rv_error *err) RV_MUST_CHECK;

#endif
