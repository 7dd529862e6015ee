/* Documents of job files, from the text of the job to the JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "flow/compose_job.h"
#include "format/packed_row.h"

static const char text[] =
	"tables:\n"
	"  route:\n"
	"    member: routes.txt\n"
	"    key: [route_id]\n"
	"    columns: { route_id: string, long: boolean, meta: json }\n"
	"  trip:\n"
	"    member: trips.txt\n"
	"    key: [trip_id]\n"
	"    columns: { trip_id: string, of: string, length: \"decimal(8,1)\" }\n"
	"  stop:\n"
	"    member: stops.txt\n"
	"    key: [at, trip_id]\n"
	"    columns: { trip_id: string, seq: integer, at: string }\n"
	"documents:\n"
	"  routes:\n"
	"    root: route\n"
	"    scope: extract\n"
	"    complete: true\n"
	"    target: { lake: true }\n"
	"    nest:\n"
	"      trips:\n"
	"        table: trip\n"
	"        on: { of: route_id }\n"
	"        many: true\n"
	"        order_by: [length]\n"
	"        nest:\n"
	"          stops: { table: stop, on: [trip_id], many: true, order_by: [seq desc] }\n";

static enum rv_status keep(void *arg, const struct rv_compose_document *document, struct rv_error *err RV_UNUSED)
{
	rv_strbuf_add(arg, document->json, document->len);
	rv_strbuf_putc(arg, '\n');
	return RV_OK;
}

/* Cells with blanks between. */
static void put(struct rv_compose *compose, const struct rv_compose_job *plan, size_t table, const char *cells)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;

	for (size_t i = 0; i < plan->spec.tables[table].columns_count; i++) {
		size_t len = strcspn(cells, " ");

		if (plan->spec.tables[table].columns[i].literal)
			rv_packed_put_literal(&row, cells, len);
		else
			rv_packed_put_text(&row, cells, len);
		cells += len + (cells[len] == ' ');
	}
	assert_int_equal(rv_compose_row(compose, table, row.bytes, row.len, &err), RV_OK);
}

static void test_a_job(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	RV_CLEANUP(rv_compose_free_p) struct rv_compose *compose = NULL;
	struct rv_compose_params params = { .max_memory_bytes = RV_COMPOSE_MEMORY_MIN, .spill_folder = "." };
	struct rv_error err = RV_ERROR_INIT;
	struct rv_compose_job plan;
	struct rv_job job = { 0 };

	if (rv_job_parse("routes.yaml", text, strlen(text), &job, &err) != RV_OK)
		fail_msg("%s", err.message);
	rv_compose_job_init(&plan, &job, &job.documents[0]);
	assert_int_equal(rv_compose_new(&plan.spec, &params, &compose, &err), RV_OK);
	put(compose, &plan, 2, "T1 9 08:00");
	put(compose, &plan, 2, "T1 10 08:05");
	put(compose, &plan, 1, "T1 R 10.0");
	put(compose, &plan, 1, "T2 R 9.5");
	put(compose, &plan, 0, "R true [1,\"x\"]");
	assert_int_equal(rv_compose_finish(compose, keep, &out, &err), RV_OK);
	assert_string_equal(out.bytes, "{\"route_id\":\"R\",\"long\":true,\"meta\":[1,\"x\"],\"trips\":["
				       "{\"trip_id\":\"T2\",\"length\":9.5,\"stops\":[]},"
				       "{\"trip_id\":\"T1\",\"length\":10.0,\"stops\":[{\"seq\":10,\"at\":\"08:05\"},"
				       "{\"seq\":9,\"at\":\"08:00\"}]}]}\n");
	assert_int_equal(plan.spec.tables[2].key[0], 2);
	assert_int_equal(plan.spec.tables[2].key[1], 0);
	rv_compose_job_release(&plan);
	rv_job_release(&job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_job),
	};

	return cmocka_run_group_tests_name("compose_job", tests, NULL, NULL);
}
