/*
 * Any bytes as an answer of Snowflake's. The first byte says which: a result, the second partition of
 * one, a report of Snowpipe, a refusal. Either it is refused, or all that was
 * promised is there.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format/text_copy.h"
#include "snowflake/internal.h"
#include "snowflake/snowpipe_report.h"

static uint64_t rows;

static enum rv_status sink(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	(void)arg;
	(void)err;
	for (size_t i = 0; i < page->columns_count; i++)
		assert(page->columns[i].name);
	for (size_t i = 0; i < page->count * page->columns_count; i++) {
		const struct rv_str *value = &page->values[i];
		if (value->p)
			assert(value->p[value->len] == '\0' && rv_utf8_check(value->p, value->len) == value->len);
	}
	rows += page->count;
	return RV_OK;
}

static void as_result(struct rv_str body, bool has_partition)
{
	struct rv_snowflake_reading reading = RV_SNOWFLAKE_READING_INIT;
	struct rv_error err = RV_ERROR_INIT;
	struct rv_str second = { 0 };
	static const char meta[] = "{\"resultSetMetaData\":{\"rowType\":[{\"name\":\"A\",\"type\":\"text\"},"
				   "{\"name\":\"B\",\"type\":\"text\"}],\"partitionInfo\":[{},{}]},\"data\":[]}";
	rows = 0;
	reading.sink = sink;
	if (has_partition) {
		second = body;
		body = (struct rv_str){ meta, sizeof(meta) - 1 };
	}
	enum rv_status status = rv_snowflake_read_first(&reading, body, &err);
	if (status == RV_OK && has_partition)
		status = rv_snowflake_read_partition(&reading, 1, second, &err);
	if (status == RV_OK)
		status = rv_snowflake_read_end(&reading, &err);
	if (status != RV_OK)
		assert(status == RV_FAILED && err.status == status && err.message[0]);
	else if (reading.columns_count)
		assert(rows == reading.rows_seen && reading.partitions >= 1);
	rv_snowflake_reading_release(&reading);
}

static enum rv_status each(void *arg, const struct rv_snowpipe_report *report, struct rv_error *err)
{
	(void)arg;
	(void)err;
	assert(report->path && *report->path && report->first_error && report->first_error_column &&
	       report->system_error);
	return RV_OK;
}

static void as_report(struct rv_str body)
{
	struct rv_snowpipe_summary summary;
	struct rv_error err = RV_ERROR_INIT;
	if (rv_snowpipe_read_report(body, each, NULL, &summary, &err) != RV_OK)
		assert(err.status == RV_FAILED && err.message[0]);
	else
		assert(strlen(summary.mark) < sizeof(summary.mark));
}

static void as_refusal(struct rv_str body)
{
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	struct rv_snowflake_failure failure;
	response.status = 422;
	rv_strbuf_add(&response.body, body.p, body.len);
	rv_snowflake_failure_read(&response, &failure);
	assert(strlen(failure.message) < sizeof(failure.message) && strlen(failure.code) < sizeof(failure.code));
	for (const char *p = failure.message; *p; p++)
		assert((unsigned char)*p >= ' ');
	assert(rv_utf8_check(failure.message, strlen(failure.message)) == strlen(failure.message));
	rv_snowflake_statements_before("SELECT 1;\nSELECT ';'", failure.message);
	rv_snowflake_statements_before(response.body.bytes, "(at line 1, position 9)");
	rv_http_response_release(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct rv_str body = { (const char *)data + 1, size - 1 };
	switch (data[0] & 3) {
	case 0: as_result(body, false); break;
	case 1: as_result(body, true); break;
	case 2: as_report(body); break;
	case 3: as_refusal(body); break;
	}
	return 0;
}
