/* Any bytes as a map: refused with a place, or one whose events are JSON whatever the row is. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flow/pump_event.h"
#include "format/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const rows[] = {
	"{}",
	"{\"a\":\"x\\\"\\u00d7\",\"b\":1.50,\"c\":{\"d\":[true,null,\"}\"]},\"t\":\"1550885210881\"}",
	/* clang-format off */
	"{\"session_id_hash\":\"s\",\"event_type\":\"event_product\",\"product_action\":\"purchase\",\"product_sku_hash\":\"p\",\"server_timestamp_epoch_ms\":\"1550885210881\",\"hashed_url\":\"u\\\\\"}",
	/* clang-format on */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf why = RV_STRBUF_INIT;
	RV_CLEANUP(rv_pump_mapper_free_p) struct rv_pump_mapper *mapper = NULL;
	RV_CLEANUP(rv_map_release) struct rv_map map = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	if (rv_map_parse("fuzz.yaml", (const char *)data, size, &map, &err) != RV_OK) {
		assert(err.status == RV_BAD_CONFIG && err.message[0]);
		assert(strcmp(err.file, "fuzz.yaml") == 0);
		return 0;
	}
	/* no file is opened for a stranger */
	if (map.lookups_count)
		return 0;
	const struct rv_pump_mapper_params params = { .map = &map, .folder = "/" };

	assert(rv_pump_mapper_new(&params, &mapper, &err) == RV_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct rv_pump_row row = { .number = i, .record = rows[i], .len = strlen(rows[i]) };
		struct rv_json_scan scan;

		rv_strbuf_clear(&out);
		if (rv_pump_cut(mapper, &row, &why) != RV_PUMP_TAKEN)
			continue;
		if (rv_pump_render(mapper, &row, 1795193931123, &out, &why) != RV_PUMP_TAKEN) {
			assert(out.len == 0 && why.len > 0);
			continue;
		}
		assert(rv_json_scan_object(out.bytes, out.len, 0, RV_JSON_LINE_MODE, &scan) == RV_JSON_OK);
		assert(scan.end == out.len);
	}
	rv_pump_mapper_free_p(&mapper);
	return 0;
}
