/* What the lake's ledger says of an extract, and when it says nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "flow/extract_impl.h"

#define IDENTITY "0123456789abcdef"
#define NAME "_river/extracts/orders/" IDENTITY ".json"

static enum rv_status ask(const char *row, enum extract_known *ret, struct rv_error *err)
{
	static char job_name[] = "orders";
	const struct rv_job job = { .name = job_name };
	struct rv_store *lake = rv_store_mem_new();
	const struct rv_extract_params params = { .job = &job, .lake = lake };

	*err = (struct rv_error)RV_ERROR_INIT;
	if (row)
		assert_int_equal(rv_store_put_bytes(lake, NAME, row, strlen(row),
						    &(struct rv_store_put){ .if_absent = true }, err), RV_OK);
	enum rv_status status = extract_known_lake(&params, IDENTITY, ret, err);

	rv_store_free(lake);
	return status;
}

static void test_what_is_known(void **state RV_UNUSED)
{
	static const struct {
		const char *row;
		enum extract_known known;
	} cases[] = {
		{ NULL, EXTRACT_NEW },
		{ "{\"v\":1,\"status\":\"taken\"}", EXTRACT_TAKEN },
		{ "{\"v\":1,\"status\":\"replacing\"}", EXTRACT_TORN },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum extract_known known = EXTRACT_LOADED;
		struct rv_error err;

		assert_int_equal(ask(cases[i].row, &known, &err), RV_OK);
		assert_int_equal(known, cases[i].known);
	}
}

/* A row that says nothing is none of an extract that was taken: it would be in no table, and never missed. */
static void test_what_is_damaged_or_newer(void **state RV_UNUSED)
{
	static const char *const damaged[] = { "", "{", "[]", "{}", "{\"v\":1}", "{\"v\":1,\"status\":2}" };
	enum extract_known known;
	struct rv_error err;

	for (size_t i = 0; i < sizeof(damaged) / sizeof(*damaged); i++) {
		assert_int_equal(ask(damaged[i], &known, &err), RV_DAMAGED);
		assert_string_equal(err.message, NAME " in the lake is damaged");
		assert_string_equal(err.hint, "without it the extract is taken once more, and what is there already "
					      "stays as it is");
	}
	assert_int_equal(ask("{\"v\":2,\"state\":\"taken\"}", &known, &err), RV_BAD_CONFIG);
	assert_string_equal(err.message, NAME " was written by a newer river (version 2)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_known),
		cmocka_unit_test(test_what_is_damaged_or_newer),
	};

	return cmocka_run_group_tests_name("extract_ledger", tests, NULL, NULL);
}
