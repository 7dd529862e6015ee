/* Parquet by the embedded engine: what goes in comes out, in its order, by one thread and by several; what
 * cannot be written is said, and nothing is left hanging. */
#include "duckdb_world.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "flow/table_value.h"
#include "format/packed_row.h"
#include "warehouse/parquet.h"

static const struct rv_column columns[] = {
	{ .name = (char[]){ "s" }, .type = RV_COLUMN_STRING },
	{ .name = (char[]){ "i" }, .type = RV_COLUMN_INTEGER },
	{ .name = (char[]){ "d4" }, .type = RV_COLUMN_DECIMAL, .precision = 4, .scale = 2 },
	{ .name = (char[]){ "d9" }, .type = RV_COLUMN_DECIMAL, .precision = 9, .scale = 0 },
	{ .name = (char[]){ "d18" }, .type = RV_COLUMN_DECIMAL, .precision = 18, .scale = 18 },
	{ .name = (char[]){ "d38" }, .type = RV_COLUMN_DECIMAL, .precision = 38, .scale = 10 },
	{ .name = (char[]){ "r" }, .type = RV_COLUMN_DOUBLE, .exact = true },
	{ .name = (char[]){ "b" }, .type = RV_COLUMN_BOOLEAN },
	{ .name = (char[]){ "day" }, .type = RV_COLUMN_DATE },
	{ .name = (char[]){ "at" }, .type = RV_COLUMN_TIMESTAMP, .timezone = (char[]){ "UTC" } },
	{ .name = (char[]){ "j" }, .type = RV_COLUMN_JSON },
};
#define COLUMNS (sizeof(columns) / sizeof(*columns))

static struct rv_error err;
static char folder[64], path[100];
static struct rv_parquet *parquet;

static int set_up(void **state RV_UNUSED)
{
	err = (struct rv_error)RV_ERROR_INIT;
	snprintf(folder, sizeof(folder), "/tmp/river-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/x.parquet", folder);
	if (rv_parquet_duckdb_new(0, &parquet, &err) != RV_OK)
		fail_msg("%s", err.message);
	return 0;
}

static int tear_down(void **state RV_UNUSED)
{
	rv_parquet_free(parquet);
	assert_int_equal(rv_remove_tree(folder, &err), RV_OK);
	return 0;
}

static int create(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static struct rv_parquet_file *begin(int fd, const struct rv_column *of, size_t count)
{
	const struct rv_parquet_params params = { .label = "loads/x.parquet", .columns = of,
						  .columns_count = count, .fd = fd };
	struct rv_parquet_file *file = NULL;

	if (parquet->ops->begin(parquet, &params, &file, &err) != RV_OK)
		fail_msg("%s", err.message);
	return file;
}

/* A row of cells as an extract has them, NULL being null. */
static void pack(const struct rv_column *of, size_t count, const char *const *cells, struct rv_strbuf *row)
{
	char reason[RV_CUT_REASON];

	rv_strbuf_clear(row);
	for (size_t i = 0; i < count; i++)
		if (!cells[i])
			rv_packed_put_null(row);
		else if (!rv_table_value(&of[i], rv_str_of(cells[i]), row, reason))
			fail_msg("%s %s %s", of[i].name, cells[i], reason);
}

static void put(struct rv_parquet_file *file, const struct rv_strbuf *row)
{
	if (parquet->ops->row(file, row->bytes, row->len, &err) != RV_OK)
		fail_msg("%s", err.message);
}

static uint64_t end(struct rv_parquet_file *file)
{
	uint64_t bytes = 0;

	if (parquet->ops->end(file, &bytes, &err) != RV_OK)
		fail_msg("%s", err.message);
	parquet->ops->file_free(file);
	return bytes;
}

static enum rv_status csv(void *arg, const struct rv_rows *rows, struct rv_error *e RV_UNUSED)
{
	rv_rows_csv(rows, arg);
	return RV_OK;
}

/* Rows as CSV. */
static void expect(const char *sql, const char *wanted)
{
	const char *const files[] = { path };
	struct rv_duckdb_params params = { .files = files, .files_count = 1 };
	struct rv_warehouse *warehouse = rv_warehouse_duckdb_new(&params, NULL);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	if (warehouse->ops->query(warehouse, sql, false, csv, &text, &err) != RV_OK)
		fail_msg("%s: %s", sql, err.message);
	if (strcmp(text.bytes, wanted) != 0)
		fail_msg("%s is\n%s\n--- must be\n%s", sql, text.bytes, wanted);
	rv_warehouse_free(warehouse);
}

static void test_values(void **state RV_UNUSED)
{
	static const char *const rows[][COLUMNS] = {
		{ "text", "1", "1.10", "123456789", "0.5", "1.5", "1.5", "true", "2026-11-20", "2026-11-20 16:58:51",
		  "{\"a\":1.10}" },
		{ "", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
		{ NULL, "", "", "", "", "", "", "", "", "", "" },
		{ "twelve bytes", "9223372036854775807", "99.99", "999999999", "0.999999999999999999",
		  "1234567890123456789012345678.0123456789", "1.7976931348623157e308", "1", "9999-12-31",
		  "9999-12-31T23:59:59.999999Z", "null" },
		{ "thirteen byte", "-9223372036854775808", "-99.99", "-999999999", "-0.999999999999999999",
		  "-9999999999999999999999999999.9999999999", "5e-324", "0", "0000-01-01",
		  "1969-12-31T23:59:59.999999Z", "[1, 2]" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\x89, \"quoted\"\nand more", "+007", "1e-2", "1e3", "0", "-0.00",
		  "-0.1", "FALSE", "1582-10-15", "1900-02-28 23:00:00.5-02:00", "\"x\"" },
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT;
	RV_CLEANUP(rv_close_p) int fd = create(path);
	struct rv_parquet_file *file = begin(fd, columns, COLUMNS);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		pack(columns, COLUMNS, rows[i], &row);
		put(file, &row);
	}
	uint64_t bytes = end(file);

	assert_int_equal(bytes, lseek(fd, 0, SEEK_END));
	expect("SELECT s, i, d4, d9, d18, d38 FROM t",
	       "text,1,1.10,123456789,0.500000000000000000,1.5000000000\n"
	       "\"\",,,,,\n"
	       ",,,,,\n"
	       "twelve bytes,9223372036854775807,99.99,999999999,0.999999999999999999,"
	       "1234567890123456789012345678.0123456789\n"
	       "thirteen byte,-9223372036854775808,-99.99,-999999999,-0.999999999999999999,"
	       "-9999999999999999999999999999.9999999999\n"
	       "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\x89, \"\"quoted\"\"\nand more\",7,0.01,1000,0.000000000000000000,"
	       "0.0000000000\n");
	expect("SELECT r, b, day, epoch_us(\"at\") AS \"at\", j FROM t",
	       "1.5,true,2026-11-20,1795193931000000,\"{\"\"a\"\":1.10}\"\n"
	       ",,,,\n"
	       ",,,,\n"
	       "1.7976931348623157e+308,true,9999-12-31,253402300799999999,null\n"
	       "4.94065645841247e-324,false,0000-01-01,-1,\"[1, 2]\"\n"
	       "-0.1,false,1582-10-15,-2203887599500000,\"\"\"x\"\"\"\n");
	expect("SELECT column_name, column_type FROM (DESCRIBE t)",
	       "s,VARCHAR\ni,BIGINT\nd4,\"DECIMAL(4,2)\"\nd9,\"DECIMAL(9,0)\"\n"
	       "d18,\"DECIMAL(18,18)\"\nd38,\"DECIMAL(38,10)\"\nr,DOUBLE\nb,BOOLEAN\nday,DATE\n"
	       "at,TIMESTAMP WITH TIME ZONE\nj,JSON\n");
}

static void test_no_rows(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_close_p) int fd = create(path);

	assert_true(end(begin(fd, columns, COLUMNS)) > 0);
	expect("SELECT count(*) AS n, count(s) AS s FROM t", "0,0\n");
	expect("SELECT count(*) AS n FROM (DESCRIBE t)", "11\n");
}

#define MANY 300000
static const struct rv_column numbers[] = {
	{ .name = (char[]){ "n" }, .type = RV_COLUMN_INTEGER },
	{ .name = (char[]){ "text" }, .type = RV_COLUMN_STRING },
};

/* Rows of several groups; every thousandth one is longer than a chunk's texts. */
static void put_many(struct rv_parquet_file *file, uint64_t count, bool large)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT, text = RV_STRBUF_INIT;

	for (uint64_t i = 0; i < count; i++) {
		char number[24];

		snprintf(number, sizeof(number), "%llu", (unsigned long long)i);
		rv_strbuf_clear(&row);
		rv_strbuf_clear(&text);
		rv_strbuf_printf(&text, "the text of row %s", number);
		if (large && i % 1000 == 999)
			while (text.len < 1200000)
				rv_strbuf_printf(&text, "%08llu", (unsigned long long)(i + text.len));
		rv_packed_put_literal(&row, number, strlen(number));
		rv_packed_put_text(&row, text.bytes, text.len);
		put(file, &row);
	}
}

static void test_order_of_many(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_close_p) int fd = create(path);
	struct rv_parquet_file *file = begin(fd, numbers, 2);

	put_many(file, MANY, false);
	end(file);
	expect("SELECT count(*) AS c, count(DISTINCT n) AS d, min(n) AS a, max(n) AS z FROM t",
	       "300000,300000,0,299999\n");
	expect("SELECT count(*) AS c FROM (SELECT n, row_number() OVER () AS r FROM t) WHERE r != n + 1", "0\n");
	expect("SELECT count(*) AS c FROM t WHERE \"text\" != 'the text of row ' || n", "0\n");
}

/* A group ends by its bytes, too. */
static void test_large_rows(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_close_p) int fd = create(path);

	rv_parquet_free(parquet);
	assert_int_equal(rv_parquet_duckdb_new(64 << 20, &parquet, &err), RV_OK);
	assert_int_equal(parquet->files_max, 1);
	struct rv_parquet_file *file = begin(fd, numbers, 2);

	put_many(file, 30000, true);
	end(file);
	expect("SELECT count(*) AS c, count(DISTINCT \"text\") AS d, max(length(\"text\")) AS z FROM t",
	       "30000,30000,1200005\n");
}

struct work {
	pthread_t thread;
	char path[120];
	uint64_t bytes;
};

static void *write_one(void *arg)
{
	struct work *work = arg;
	const struct rv_parquet_params params = { .label = work->path, .columns = numbers, .columns_count = 2,
						  .fd = create(work->path) };
	struct rv_parquet_file *file = NULL;
	struct rv_error mine = RV_ERROR_INIT;

	if (parquet->ops->begin(parquet, &params, &file, &mine) == RV_OK) {
		put_many(file, 20000, false);
		if (parquet->ops->end(file, &work->bytes, &mine) != RV_OK)
			work->bytes = 0;
	}
	parquet->ops->file_free(file);
	close(params.fd);
	return NULL;
}

/* Several at once, and one after another in the same place: the bytes are those of the rows. */
static void test_several_are_equal(void **state RV_UNUSED)
{
	struct work works[6] = { 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf first = RV_STRBUF_INIT, other = RV_STRBUF_INIT;

	for (size_t round = 0; round < 2; round++) {
		for (size_t i = round * 3; i < round * 3 + 3; i++) {
			snprintf(works[i].path, sizeof(works[i].path), "%s/%zu.parquet", folder, i);
			assert_int_equal(pthread_create(&works[i].thread, NULL, write_one, &works[i]), 0);
		}
		for (size_t i = round * 3; i < round * 3 + 3; i++)
			pthread_join(works[i].thread, NULL);
	}
	assert_int_equal(rv_read_file(works[0].path, 1 << 20, &first, &err), RV_OK);
	assert_int_equal(first.len, works[0].bytes);
	for (size_t i = 1; i < 6; i++) {
		rv_strbuf_clear(&other);
		assert_int_equal(rv_read_file(works[i].path, 1 << 20, &other, &err), RV_OK);
		assert_true(rv_str_eq((struct rv_str){ first.bytes, first.len },
				      (struct rv_str){ other.bytes, other.len }));
	}
}

static void test_left_in_the_middle(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_close_p) int fd = create(path);

	parquet->ops->file_free(begin(fd, numbers, 2));
	struct rv_parquet_file *file = begin(fd, numbers, 2);

	put_many(file, 50000, false);
	parquet->ops->file_free(file);
	/* its place can be taken again */
	file = begin(fd, numbers, 2);
	put_many(file, 3, false);
	end(file);
	expect("SELECT count(*) AS c FROM t", "3\n");
}

/* Puts rows until one is refused, or the end is. */
static enum rv_status put_until_refused(struct rv_parquet_file *file)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT;
	uint64_t bytes;

	for (unsigned i = 0; i < 2000000; i++) {
		char text[40];

		snprintf(text, sizeof(text), "%u of many %u", i * 2654435761u, i);
		rv_strbuf_clear(&row);
		rv_packed_put_literal(&row, "1", 1);
		rv_packed_put_text(&row, text, strlen(text));
		if (parquet->ops->row(file, row.bytes, row.len, &err) != RV_OK)
			return err.status;
	}
	return parquet->ops->end(file, &bytes, &err);
}

static void test_45_no_space(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_close_p) int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	uint64_t bytes;

	assert_true(fd >= 0);
	/* in the middle */
	struct rv_parquet_file *file = begin(fd, numbers, 2);

	assert_int_equal(put_until_refused(file), RV_LOCAL_IO);
	assert_string_equal(err.message, "write loads/x.parquet: No space left on device");
	parquet->ops->file_free(file);
	/* and at the end */
	file = begin(fd, numbers, 2);
	assert_int_equal(parquet->ops->end(file, &bytes, &err), RV_LOCAL_IO);
	assert_string_equal(err.message, "write loads/x.parquet: No space left on device");
	parquet->ops->file_free(file);
}

static void test_cannot_be_opened(void **state RV_UNUSED)
{
	struct rv_parquet_file *file = begin(999, numbers, 2);

	assert_int_equal(put_until_refused(file), RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "write loads/x.parquet: "));
	assert_null(strstr(err.message, "/proc"));
	parquet->ops->file_free(file);
}

/* The limit is said, nothing is swapped; what fits into it goes on. */
static void test_memory_limit(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT, text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_close_p) int fd = create(path);
	uint64_t bytes;

	rv_parquet_free(parquet);
	assert_int_equal(rv_parquet_duckdb_new(4 << 20, &parquet, &err), RV_OK);
	struct rv_parquet_file *file = begin(fd, numbers, 2);

	for (unsigned i = 0; text.len < 6000000; i++)
		rv_strbuf_printf(&text, "%x", i * 2654435761u);
	rv_packed_put_literal(&row, "1", 1);
	rv_packed_put_text(&row, text.bytes, text.len);
	if (parquet->ops->row(file, row.bytes, row.len, &err) == RV_OK)
		assert_int_equal(parquet->ops->end(file, &bytes, &err), RV_FAILED);
	assert_non_null(strstr(err.message, "write loads/x.parquet: Out of Memory"));
	assert_non_null(strstr(err.hint, "warehouse.memory_limit"));
	parquet->ops->file_free(file);
	file = begin(fd, numbers, 2);
	put_many(file, 50000, false);
	end(file);
	expect("SELECT count(*) FROM t", "50000\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_values),
		TEST(test_no_rows),
		TEST(test_order_of_many),
		TEST(test_large_rows),
		TEST(test_several_are_equal),
		TEST(test_left_in_the_middle),
		TEST(test_45_no_space),
		TEST(test_cannot_be_opened),
		TEST(test_memory_limit),
	};

	return cmocka_run_group_tests_name("parquet", tests, NULL, NULL);
}
