/*
 * Parquet files by the embedded engine: COPY of a table function to the file's descriptor.
 *
 * DuckDB asks for rows and a reader of extracts hands them out, so a thread for each file runs the COPY, and a
 * few chunks go to and fro between the two. The engine has no threads of its own, and each file one function
 * that one thread reads: so rows are written in the order they came. Row groups are closed by their size too,
 * which wants `preserve_insertion_order` off; with one thread there is no other order to have.
 *
 * Why not the appender: it fills a table, and all rows of a file would be in memory, or on disk once more.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "warehouse/duckdb_chunk.h"
#include "warehouse/duckdb_internal.h"
#include "warehouse/parquet.h"

/* What the engine has for one file: the rows of a group, and its pages, packed and not, whose buffers grow by
 * doubling. */
#define FILE_BYTES (UINT64_C(256) << 20)
#define GROUP_PART 8
#define GROUP_ROWS 122880
#define FILES_MAX 64
/* One is filled, one is taken, and one waits for whoever is faster. */
#define CHUNKS 3

struct engine;
/* A function of DuckDB's, and the file that uses it. */
struct slot {
	struct engine *engine;
	struct rv_parquet_file *file;
	bool registered;
};
struct engine {
	struct rv_parquet base;
	const struct rv_duckdb_api *api;
	uint64_t memory_bytes, group_bytes;
	pthread_mutex_t mutex; /* of what follows */
	duck_database database;
	duck_connection connection;
	struct slot slots[FILES_MAX];
};
struct rv_parquet_file {
	struct engine *engine;
	struct rv_parquet_params params;
	struct slot *slot;
	unsigned number;         /* of the slot */
	struct duck_rows *filling;
	uint64_t rows;
	pthread_t thread;
	bool started, joined;
	struct rv_error err;     /* of the thread, to be read behind `done`, as is `written` */
	uint64_t written;        /* rows */
	/* Shared with it. */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct duck_rows *empty, *first, *last;
	struct duck_rows *taken; /* by DuckDB, which has its texts until it asks again */
	bool ended, cancelled;   /* no more rows; never mind */
	bool done;               /* the COPY is over */
};

static struct engine *engine_of(struct rv_parquet *parquet)
{
	return (struct engine *)parquet;
}

/* ---- DuckDB's side ---- */

static void rows_bind(duck_bind_info info)
{
	const struct rv_duckdb_api *api = rv_duckdb_loaded();
	const struct slot *slot = api->bind_get_extra_info(info);
	const struct rv_parquet_params *params = &slot->file->params;

	for (size_t i = 0; i < params->columns_count; i++) {
		duck_type type = duck_type_of(api, &params->columns[i]);

		api->bind_add_result_column(info, params->columns[i].name, type);
		api->destroy_logical_type(&type);
	}
}

static void rows_init(duck_init_info info)
{
	rv_duckdb_loaded()->init_set_max_threads(info, 1);
}

static void rows_next(duck_function_info info, duck_chunk output)
{
	const struct rv_duckdb_api *api = rv_duckdb_loaded();
	const struct slot *slot = api->function_get_extra_info(info);
	struct rv_parquet_file *file = slot->file;

	pthread_mutex_lock(&file->mutex);
	if (file->taken) {
		file->taken->next = file->empty;
		file->empty = file->taken;
		pthread_cond_signal(&file->changed);
	}
	file->taken = NULL;
	while (!file->first && !file->ended && !file->cancelled)
		pthread_cond_wait(&file->changed, &file->mutex);
	bool cancelled = file->cancelled;

	if (file->first && !cancelled) {
		file->taken = file->first;
		file->first = file->taken->next;
		if (!file->first)
			file->last = NULL;
	}
	pthread_mutex_unlock(&file->mutex);
	if (cancelled)
		api->function_set_error(info, "cancelled");
	else if (file->taken)
		duck_rows_give(file->taken, api, output);
	else
		api->data_chunk_set_size(output, 0);
}

/* "IO Error: Could not write file "/proc/self/fd/9": No space left on device": the file has another name. */
static enum rv_status say(const struct rv_parquet_file *file, const char *text, struct rv_error *err)
{
	const char *why = strstr(text, "\": ");

	if (duck_fail_text(err, text) == RV_LOCAL_IO && why)
		rv_fail(err, RV_LOCAL_IO, "%.*s", (int)strcspn(why + 3, "\n"), why + 3);
	/* what it was told to do is not the user's */
	else if (err->status == RV_USAGE)
		err->status = RV_FAILED;
	return rv_context(err, "write %s", file->params.label);
}

static enum rv_status copy_rows(struct rv_parquet_file *file, duck_connection connection, struct rv_error *err)
{
	static const char *const packings[] = { "zstd", "snappy", "gzip", "uncompressed" };
	const struct rv_duckdb_api *api = file->engine->api;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	struct duck_result result = { 0 };
	enum rv_status status = RV_OK;

	rv_strbuf_printf(&sql,
			 "COPY (FROM river_parquet_%u()) TO '/proc/self/fd/%d' (FORMAT parquet, COMPRESSION %s,"
			 " ROW_GROUP_SIZE %d, ROW_GROUP_SIZE_BYTES %llu, USE_TMP_FILE false)",
			 file->number, file->params.fd, packings[file->params.pages], GROUP_ROWS,
			 (unsigned long long)file->engine->group_bytes);
	RV_CLEANUP(rv_free_p) char *failure = duck_execute(api, connection, sql.bytes, NULL, NULL, &result);

	if (failure)
		status = say(file, failure, err);
	else
		file->written = api->rows_changed(&result);
	api->destroy_result(&result);
	return status;
}

static void *file_main(void *arg)
{
	struct rv_parquet_file *file = arg;
	const struct rv_duckdb_api *api = file->engine->api;
	duck_connection connection = NULL;

	if (api->connect(file->engine->database, &connection) != 0)
		rv_fail(&file->err, RV_FAILED, "connect to DuckDB");
	else if (copy_rows(file, connection, &file->err) == RV_OK)
		file->err.status = RV_OK;
	if (connection)
		api->disconnect(&connection);
	pthread_mutex_lock(&file->mutex);
	file->done = true;
	pthread_cond_signal(&file->changed);
	pthread_mutex_unlock(&file->mutex);
	return NULL;
}

/* ---- the engine ---- */

static enum rv_status start(struct engine *engine, struct rv_error *err)
{
	const struct rv_duckdb_api *api = engine->api;
	char memory[32];
	duck_config config = NULL;
	char *message = NULL;
	enum rv_status status = RV_OK;

	snprintf(memory, sizeof(memory), "%llu B", (unsigned long long)engine->memory_bytes);
	const char *const options[][2] = {
		{ "memory_limit", memory },
		{ "threads", "1" },
		{ "preserve_insertion_order", "false" },
		/* What is too large is said to be; it does not go to a disk. */
		{ "temp_directory", "" },
		{ "autoinstall_known_extensions", "false" },
		{ "autoload_known_extensions", "false" },
		{ "allow_community_extensions", "false" },
	};

	if (api->create_config(&config) != 0)
		return rv_fail(err, RV_FAILED, "DuckDB has no memory for its options");
	for (size_t i = 0; i < sizeof(options) / sizeof(*options) && status == RV_OK; i++)
		if (api->set_config(config, options[i][0], options[i][1]) != 0)
			status = rv_fail(err, RV_BAD_CONFIG, "DuckDB refuses %s = %s", options[i][0],
					 options[i][1]);
	if (status == RV_OK && api->open_ext(NULL, &engine->database, config, &message) != 0)
		status = rv_fail(err, RV_FAILED, "start DuckDB: %s", message ? message : "?");
	if (message)
		api->free(message);
	api->destroy_config(&config);
	if (status == RV_OK && api->connect(engine->database, &engine->connection) != 0) {
		status = rv_fail(err, RV_FAILED, "connect to DuckDB");
		api->close(&engine->database);
	}
	return status;
}

static enum rv_status register_slot(struct engine *engine, unsigned number, struct rv_error *err)
{
	const struct rv_duckdb_api *api = engine->api;
	struct slot *slot = &engine->slots[number];
	duck_table_function function = api->create_table_function();
	char name[32];

	snprintf(name, sizeof(name), "river_parquet_%u", number);
	slot->engine = engine;
	api->table_function_set_name(function, name);
	api->table_function_set_extra_info(function, slot, NULL);
	api->table_function_set_bind(function, rows_bind);
	api->table_function_set_init(function, rows_init);
	api->table_function_set_function(function, rows_next);
	slot->registered = api->register_table_function(engine->connection, function) == 0;
	api->destroy_table_function(&function);
	return slot->registered ? RV_OK : rv_fail(err, RV_FAILED, "DuckDB takes no table function");
}

/* A function that no file uses, made where there is none. */
static enum rv_status take_slot(struct engine *engine, struct rv_parquet_file *file, struct rv_error *err)
{
	unsigned number = 0;
	enum rv_status status = RV_OK;

	pthread_mutex_lock(&engine->mutex);
	if (!engine->connection)
		status = start(engine, err);
	while (number < FILES_MAX && engine->slots[number].file)
		number++;
	if (number == FILES_MAX)
		rv_bug("more than %d files at once", FILES_MAX);
	if (status == RV_OK && !engine->slots[number].registered)
		status = register_slot(engine, number, err);
	if (status == RV_OK) {
		file->slot = &engine->slots[number];
		file->slot->file = file;
		file->number = number;
	}
	pthread_mutex_unlock(&engine->mutex);
	return status;
}

/* ---- a file ---- */

static void parquet_file_free(struct rv_parquet_file *file);

static void file_free_p(struct rv_parquet_file **file)
{
	parquet_file_free(*file);
}

static enum rv_status parquet_begin(struct rv_parquet *base, const struct rv_parquet_params *params,
				    struct rv_parquet_file **ret, struct rv_error *err)
{
	struct engine *engine = engine_of(base);
	RV_CLEANUP(file_free_p) struct rv_parquet_file *file = rv_calloc(1, sizeof(*file));

	file->engine = engine;
	file->params = *params;
	file->err = (struct rv_error)RV_ERROR_INIT;
	pthread_mutex_init(&file->mutex, NULL);
	pthread_cond_init(&file->changed, NULL);
	for (unsigned i = 0; i < CHUNKS; i++) {
		struct duck_rows *rows =
			duck_rows_new(params->columns, params->columns_count, engine->api->vector_size());

		rows->next = file->empty;
		file->empty = rows;
	}
	if (take_slot(engine, file, err) != RV_OK)
		return err->status;
	int code = pthread_create(&file->thread, NULL, file_main, file);

	if (code != 0)
		return rv_fail(err, RV_LOCAL_IO, "start a thread: %s", strerror(code));
	file->started = true;
	*ret = rv_take(file);
	return RV_OK;
}

/* Hands the rows over. False: nobody takes them any more. */
static bool hand_over(struct rv_parquet_file *file)
{
	struct duck_rows *rows = rv_take(file->filling);

	rows->next = NULL;
	pthread_mutex_lock(&file->mutex);
	bool wanted = !file->done;

	if (file->last)
		file->last->next = rows;
	else
		file->first = rows;
	file->last = rows;
	pthread_cond_signal(&file->changed);
	pthread_mutex_unlock(&file->mutex);
	return wanted;
}

/* Rows to fill. False: the COPY is over, which is a failure. */
static bool take_empty(struct rv_parquet_file *file)
{
	pthread_mutex_lock(&file->mutex);
	while (!file->empty && !file->done)
		pthread_cond_wait(&file->changed, &file->mutex);
	if (!file->done) {
		file->filling = file->empty;
		file->empty = file->filling->next;
	}
	pthread_mutex_unlock(&file->mutex);
	if (file->filling)
		duck_rows_clear(file->filling);
	return file->filling != NULL;
}

/* What ended the COPY before its rows. */
static enum rv_status failed(struct rv_parquet_file *file, struct rv_error *err)
{
	if (!file->joined)
		pthread_join(file->thread, NULL);
	file->joined = true;
	if (file->err.status == RV_OK)
		rv_bug("DuckDB has written %s before it had all rows", file->params.label);
	*err = file->err;
	return err->status;
}

static enum rv_status parquet_row(struct rv_parquet_file *file, const char *row, size_t len,
				  struct rv_error *err)
{
	file->rows++;
	while (!file->filling || !duck_rows_add(file->filling, row, len))
		if ((file->filling && !hand_over(file)) || !take_empty(file))
			return failed(file, err);
	return RV_OK;
}

static enum rv_status parquet_end(struct rv_parquet_file *file, uint64_t *ret_bytes, struct rv_error *err)
{
	struct stat st;

	if (file->filling && !hand_over(file))
		return failed(file, err);
	pthread_mutex_lock(&file->mutex);
	file->ended = true;
	pthread_cond_signal(&file->changed);
	pthread_mutex_unlock(&file->mutex);
	pthread_join(file->thread, NULL);
	file->joined = true;
	if (file->err.status != RV_OK) {
		*err = file->err;
		return err->status;
	}
	if (file->written != file->rows)
		return rv_fail(err, RV_FAILED, "write %s: %llu rows were given to DuckDB, it wrote %llu",
			       file->params.label, (unsigned long long)file->rows,
			       (unsigned long long)file->written);
	if (fstat(file->params.fd, &st) != 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "%s", file->params.label);
	*ret_bytes = (uint64_t)st.st_size;
	return RV_OK;
}

static void rows_free_all(struct duck_rows *rows)
{
	while (rows) {
		struct duck_rows *next = rows->next;

		duck_rows_free(rows);
		rows = next;
	}
}

static void parquet_file_free(struct rv_parquet_file *file)
{
	if (!file)
		return;
	if (file->started && !file->joined) {
		pthread_mutex_lock(&file->mutex);
		file->cancelled = true;
		pthread_cond_signal(&file->changed);
		pthread_mutex_unlock(&file->mutex);
		pthread_join(file->thread, NULL);
	}
	if (file->slot) {
		pthread_mutex_lock(&file->engine->mutex);
		file->slot->file = NULL;
		pthread_mutex_unlock(&file->engine->mutex);
	}
	rows_free_all(file->empty);
	rows_free_all(file->first);
	duck_rows_free(file->taken);
	duck_rows_free(file->filling);
	pthread_mutex_destroy(&file->mutex);
	pthread_cond_destroy(&file->changed);
	free(file);
}

static void parquet_free(struct rv_parquet *base)
{
	struct engine *engine = engine_of(base);

	if (engine->connection)
		engine->api->disconnect(&engine->connection);
	if (engine->database)
		engine->api->close(&engine->database);
	pthread_mutex_destroy(&engine->mutex);
	free(engine);
}

static const struct rv_parquet_ops parquet_ops = {
	.name = "duckdb",
	.begin = parquet_begin,
	.row = parquet_row,
	.end = parquet_end,
	.file_free = parquet_file_free,
	.free = parquet_free,
};

enum rv_status rv_parquet_duckdb_new(uint64_t memory_limit_bytes, struct rv_parquet **ret,
				     struct rv_error *err)
{
	const struct rv_duckdb_api *api = NULL;

	if (rv_duckdb_api(&api, err) != RV_OK)
		return rv_context(err, "Parquet is written by the embedded engine");
	struct engine *engine = rv_calloc(1, sizeof(*engine));
	uint64_t memory = memory_limit_bytes ? memory_limit_bytes : UINT64_C(1) << 30;
	uint64_t files = memory / FILE_BYTES;

	engine->base.ops = &parquet_ops;
	engine->base.files_max = files < 1 ? 1 : files > FILES_MAX ? FILES_MAX : (unsigned)files;
	engine->api = api;
	engine->memory_bytes = memory;
	engine->group_bytes = (memory < FILE_BYTES ? memory : FILE_BYTES) / GROUP_PART;
	pthread_mutex_init(&engine->mutex, NULL);
	*ret = &engine->base;
	return RV_OK;
}
