/*
 * The embedded warehouse: opening the file under river's lock, running statements, and what the
 * ledger says. Loading, deriving and querying have files of their own.
 */
#include "warehouse/duckdb.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "warehouse/duckdb_internal.h"
#include "warehouse/duckdb_log.h"

#define DEFAULT_MEMORY (1ull << 30)
/* How long to sleep between two tries for a file another program has. */
#define BUSY_PAUSE_MS 100

/* ---- errors ---- */

enum rv_status duck_fail_text(struct rv_error *err, const char *text)
{
	/* "Binder Error: ...\n\nLINE 1: ..." : the first line says what, the caret lines where. */
	static const char *const users[] = { "Parser Error", "Binder Error", "Catalog Error",
					     "Syntax Error", "Invalid Input Error" };
	enum rv_status status = RV_FAILED;

	for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++)
		if (rv_starts_with(text, users[i]))
			status = RV_USAGE;
	/* A full disk at the end of a transaction is told as that transaction's error. */
	if (rv_starts_with(text, "IO Error") || strstr(text, "Could not write file") ||
	    strstr(text, "Could not truncate file") || strstr(text, "No space left on device"))
		status = RV_LOCAL_IO;
	int len = (int)strcspn(text, "\n");

	rv_fail(err, status, "%.*s", len, text);
	const char *line = strstr(text, "\nLINE ");

	if (rv_starts_with(text, "Out of Memory Error"))
		rv_hint(err, "warehouse.memory_limit of the profile says how much it may take");
	if (line) {
		line++;
		rv_hint(err, "%.*s", (int)strcspn(line, "\n"), line);
	}
	return status;
}

enum rv_status duck_fail(struct rv_duckdb *d, struct rv_error *err, struct duck_result *result)
{
	const char *text = d->api->result_error(result);

	if (d->api->result_error_type(result) == DUCK_ERROR_INTERRUPT)
		return rv_fail(err, RV_FAILED, "interrupted");
	return duck_fail_text(err, text ? text : DUCK_SAID_NOTHING);
}

bool duck_stopped(const struct rv_duckdb *d)
{
	return d->params.stop && d->params.stop();
}

/* ---- statements ---- */

enum rv_status duck_run(struct rv_duckdb *d, const char *sql, uint64_t *ret_changed,
			struct rv_error *err)
{
	struct duck_result result = { 0 };
	RV_CLEANUP(rv_free_p) char *failure = duck_execute(d->api, d->connection, sql, NULL, NULL, &result);

	if (!failure && ret_changed)
		*ret_changed = d->api->rows_changed(&result);
	d->api->destroy_result(&result);
	return failure ? duck_fail_text(err, failure) : RV_OK;
}

enum rv_status duck_runf(struct rv_duckdb *d, struct rv_error *err, const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	rv_strbuf_vprintf(&sql, fmt, ap);
	va_end(ap);
	return duck_run(d, sql.bytes, NULL, err);
}

void duck_rollback(struct rv_duckdb *d)
{
	struct rv_error ignored = RV_ERROR_INIT;

	/* Fails when the failure being handled has ended the transaction already. */
	if (duck_run(d, "ROLLBACK", NULL, &ignored) != RV_OK)
		return;
}

enum rv_status duck_select(struct rv_duckdb *d, struct duck_cursor *cursor, const char *sql,
			   struct rv_error *err)
{
	*cursor = (struct duck_cursor){ .d = d };
	RV_CLEANUP(rv_free_p) char *failure =
		duck_execute(d->api, d->connection, sql, NULL, NULL, &cursor->result);

	cursor->open = !failure;
	if (!failure)
		return RV_OK;
	d->api->destroy_result(&cursor->result);
	return duck_fail_text(err, failure);
}

bool duck_next(struct duck_cursor *cursor)
{
	const struct rv_duckdb_api *api = cursor->d->api;

	if (cursor->chunk && ++cursor->row < cursor->rows)
		return true;
	do {
		if (cursor->chunk)
			api->destroy_data_chunk(&cursor->chunk);
		cursor->chunk = api->fetch_chunk(cursor->result);
		if (!cursor->chunk)
			return false;
		cursor->rows = api->data_chunk_get_size(cursor->chunk);
		cursor->row = 0;
	} while (cursor->rows == 0);
	return true;
}

static const void *cell(struct duck_cursor *cursor, unsigned column, size_t size)
{
	const struct rv_duckdb_api *api = cursor->d->api;
	const char *data = api->vector_get_data(api->data_chunk_get_vector(cursor->chunk, column));

	return data + cursor->row * size;
}

bool duck_is_null(struct duck_cursor *cursor, unsigned column)
{
	const struct rv_duckdb_api *api = cursor->d->api;
	const uint64_t *valid =
		api->vector_get_validity(api->data_chunk_get_vector(cursor->chunk, column));

	return valid && !(valid[cursor->row / 64] >> (cursor->row % 64) & 1);
}

uint64_t duck_u64(struct duck_cursor *cursor, unsigned column)
{
	const struct rv_duckdb_api *api = cursor->d->api;
	uint64_t value = 0;
	int id = column < DUCK_CURSOR_TYPES ? cursor->types[column] : 0;

	if (!id) { /* DUCK_INVALID: not asked yet */
		duck_type type = api->column_logical_type(&cursor->result, column);

		id = api->get_type_id(type);
		api->destroy_logical_type(&type);
		if (column < DUCK_CURSOR_TYPES)
			cursor->types[column] = id;
	}
	if (duck_is_null(cursor, column))
		return 0;
	if (id == DUCK_HUGEINT)
		return ((const struct duck_hugeint *)cell(cursor, column, 16))->lower;
	if (id == DUCK_INTEGER)
		return (uint64_t)*(const int32_t *)cell(cursor, column, 4);
	if (id == DUCK_BOOLEAN)
		return *(const uint8_t *)cell(cursor, column, 1);
	memcpy(&value, cell(cursor, column, 8), 8);
	return value;
}

struct rv_str duck_text(struct duck_cursor *cursor, unsigned column)
{
	if (duck_is_null(cursor, column))
		return RV_STR("");
	const union duck_string *s = cell(cursor, column, sizeof(*s));

	return (struct rv_str){ duck_string_bytes(s), s->near.len };
}

void duck_cursor_close(struct duck_cursor *cursor)
{
	if (cursor->chunk)
		cursor->d->api->destroy_data_chunk(&cursor->chunk);
	if (cursor->open)
		cursor->d->api->destroy_result(&cursor->result);
	cursor->open = false;
}

enum rv_status duck_number(struct rv_duckdb *d, const char *sql, uint64_t *ret,
			   struct rv_error *err)
{
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };

	if (duck_select(d, &cursor, sql, err) != RV_OK)
		return err->status;
	*ret = duck_next(&cursor) ? duck_u64(&cursor, 0) : 0;
	return RV_OK;
}

static void quote(struct rv_strbuf *sql, const char *text, char mark)
{
	rv_strbuf_putc(sql, mark);
	for (; *text; text++) {
		if (*text == mark)
			rv_strbuf_putc(sql, mark);
		rv_strbuf_putc(sql, *text);
	}
	rv_strbuf_putc(sql, mark);
}

void duck_literal(struct rv_strbuf *sql, const char *text)
{
	quote(sql, text, '\'');
}

void duck_name(struct rv_strbuf *sql, const char *name)
{
	quote(sql, name, '"');
}

void duck_table(struct rv_strbuf *sql, const struct rv_stream *stream, const char *ending)
{
	rv_strbuf_printf(sql, "river.\"%s\".\"%s%s\"", stream->business, stream->name, ending);
}

void duck_inner(struct rv_strbuf *sql, const struct rv_stream *stream, const char *part)
{
	rv_strbuf_printf(sql, "river._river.\"%s/%s/%s\"", stream->business, stream->name, part);
}

/* By looking through the list of all tables. */
static enum rv_status is_listed(struct rv_duckdb *d, const char *schema, const char *name, bool *ret,
				struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	uint64_t n = 0;

	rv_strbuf_puts(&sql, "SELECT count(*) FROM information_schema.tables WHERE "
			     "table_catalog = 'river' AND table_schema = ");
	duck_literal(&sql, schema);
	rv_strbuf_puts(&sql, " AND table_name = ");
	duck_literal(&sql, name);
	if (duck_number(d, sql.bytes, &n, err) != RV_OK)
		return err->status;
	*ret = n > 0;
	return RV_OK;
}

/* A description is looked up by name, where information_schema lists all tables there are: with
 * thousands of streams that is a thousand times the price. Nor does it search for similar names. */
enum rv_status duck_has_table(struct rv_duckdb *d, const char *schema, const char *name, bool *ret,
			      struct rv_error *err)
{
	duck_table_description description = NULL;

	if (d->api->table_description_create_ext(d->connection, "river", schema, name,
						 &description) == 0) {
		d->api->table_description_destroy(&description);
		*ret = true;
		return RV_OK;
	}
	const char *why = description ? d->api->table_description_error(description) : NULL;
	bool missing = why && strstr(why, "could be located");

	if (description)
		d->api->table_description_destroy(&description);
	if (!missing) /* a view, a failure that the list repeats, or other words */
		return is_listed(d, schema, name, ret, err);
	*ret = false;
	return RV_OK;
}

/* ---- opening ---- */

static void note(const struct rv_duckdb *d, const char *what)
{
	if (d->params.note)
		d->params.note("waiting for %s, which another process has open", what);
}

/* The file's real path, so that two names of one file share a lock. Caller frees. */
static char *real_path(const char *path)
{
	char buf[PATH_MAX];

	if (realpath(path, buf))
		return rv_strdup(buf);
	if (errno == ENOMEM)
		rv_out_of_memory(0); /* another name is another lock */
	RV_CLEANUP(rv_free_p) char *parent = rv_path_parent(path);

	if (!realpath(parent, buf))
		return rv_strdup(path);
	return rv_path_join(buf, rv_path_base(path));
}

static enum rv_status take_lock(struct rv_duckdb *d, const char *path, bool writing,
				struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *name = rv_asprintf("%s.lock", path);
	enum rv_lock_kind kind = writing ? RV_LOCK_EXCLUSIVE : RV_LOCK_SHARED;
	enum rv_status status = rv_lock_take(&d->lock, name, kind, 0, 0666, err);

	if (status == RV_LOCKED && d->params.lock_timeout_ms != 0) {
		note(d, path);
		int64_t deadline = d->params.lock_timeout_ms < 0
					   ? INT64_MAX
					   : rv_clock_monotonic_ms() + d->params.lock_timeout_ms;
		/* In slices, so that a signal ends the wait. */
		while (status == RV_LOCKED && !duck_stopped(d) &&
		       rv_clock_monotonic_ms() < deadline)
			status = rv_lock_take(&d->lock, name, kind, BUSY_PAUSE_MS, 0666, err);
	}
	if (status == RV_LOCKED)
		rv_hint(err, d->params.lock_timeout_ms == 0
				     ? "another river loads or asks; --lock=wait waits for it"
				     : "another river loads or asks; a longer --timeout waits for it");
	if (status != RV_OK)
		rv_context(err, "open warehouse %s", path);
	return status;
}

static enum rv_status set_options(struct rv_duckdb *d, duck_config config, struct rv_error *err)
{
	uint64_t memory = d->params.memory_limit_bytes ? d->params.memory_limit_bytes
						       : DEFAULT_MEMORY;
	char memory_text[32], threads_text[32];

	snprintf(memory_text, sizeof(memory_text), "%llu B", (unsigned long long)memory);
	snprintf(threads_text, sizeof(threads_text), "%llu", (unsigned long long)d->params.threads);
	const char *const options[][2] = {
		{ "memory_limit", memory_text },
		/* Nothing is fetched, and nothing from strangers is run. */
		{ "autoinstall_known_extensions", "false" },
		{ "autoload_known_extensions", "false" },
		{ "allow_community_extensions", "false" },
		{ "threads", threads_text },
	};
	size_t count = sizeof(options) / sizeof(*options) - (d->params.threads ? 0 : 1);

	for (size_t i = 0; i < count; i++)
		if (d->api->set_config(config, options[i][0], options[i][1]) != 0)
			return rv_fail(err, RV_BAD_CONFIG, "DuckDB refuses %s = %s", options[i][0],
				       options[i][1]);
	return RV_OK;
}

/* An instance in memory; the file comes in by ATTACH, under a name that shadows no schema. */
static enum rv_status start_engine(struct rv_duckdb *d, struct rv_error *err)
{
	duck_config config = NULL;
	char *message = NULL;

	if (d->api->create_config(&config) != 0)
		return rv_fail(err, RV_FAILED, "DuckDB has no memory for its options");
	enum rv_status status = set_options(d, config, err);

	if (status == RV_OK && d->api->open_ext(NULL, &d->database, config, &message) != 0)
		status = rv_fail(err, RV_FAILED, "start DuckDB: %s", message ? message : "?");
	if (message)
		d->api->free(message);
	d->api->destroy_config(&config);
	if (status == RV_OK && d->api->connect(d->database, &d->connection) != 0)
		status = rv_fail(err, RV_FAILED, "connect to DuckDB");
	return status;
}

static bool is_busy(const struct rv_error *err)
{
	return strstr(err->message, "Could not set lock") != NULL ||
	       strstr(err->message, "Conflicting lock") != NULL;
}

static enum rv_status attach_file(struct rv_duckdb *d, const char *path, bool writing,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	int64_t deadline = d->params.lock_timeout_ms < 0
				   ? INT64_MAX
				   : rv_clock_monotonic_ms() + d->params.lock_timeout_ms;
	bool said = false, cut = false;

	rv_strbuf_puts(&sql, "ATTACH ");
	duck_literal(&sql, path);
	rv_strbuf_printf(&sql, " AS river (TYPE duckdb%s)", writing ? "" : ", READ_ONLY");
	while (duck_run(d, sql.bytes, NULL, err) != RV_OK) {
		if (!cut && strstr(err->message, "replaying WAL") && (cut = duck_log_cut_zeros(path)))
			continue;
		if (!is_busy(err)) {
			if (strstr(err->message, "not a valid DuckDB") ||
			    strstr(err->message, "orrupt") || strstr(err->message, "checksum"))
				err->status = RV_DAMAGED;
			else if (strstr(err->message, "newer version") ||
				 strstr(err->message, "serialized with"))
				err->status = RV_BAD_CONFIG;
			return rv_context(err, "open warehouse %s", path);
		}
		if (duck_stopped(d) || rv_clock_monotonic_ms() >= deadline) {
			err->status = RV_LOCKED;
			rv_context(err, "open warehouse %s", path);
			rv_hint(err, "another program has the file open; close it there");
			return RV_LOCKED;
		}
		if (!said)
			note(d, path);
		said = true;
		struct timespec pause = { 0, BUSY_PAUSE_MS * 1000000L };

		nanosleep(&pause, NULL);
	}
	rv_strbuf_clear(&sql);
	rv_strbuf_puts(&sql, "SET temp_directory = ");
	RV_CLEANUP(rv_free_p) char *folder = rv_asprintf("%s.tmp", path);

	duck_literal(&sql, folder);
	return duck_run(d, sql.bytes, NULL, err);
}

/*
 * DuckDB makes a file in several steps, and refuses for ever one whose making was interrupted. So it is
 * made under another name and renamed when it is whole; river's lock keeps other makers away.
 */
static enum rv_status create_file(struct rv_duckdb *d, const char *path, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *fresh = rv_asprintf("%s.new", path);
	RV_CLEANUP(rv_free_p) char *log = rv_asprintf("%s.new.wal", path);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, "ATTACH ");
	duck_literal(&sql, fresh);
	rv_strbuf_puts(&sql, " AS fresh (TYPE duckdb); DETACH fresh");
	enum rv_status status = rv_remove_file(fresh, err);

	if (status == RV_OK)
		status = rv_remove_file(log, err);
	if (status == RV_OK)
		status = duck_run(d, sql.bytes, NULL, err);
	if (status == RV_OK && renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_NOREPLACE) < 0) {
		/* Not every file system can; another program's file is only then in danger. */
		if (errno == EINVAL ? rename(fresh, path) < 0 : errno != EEXIST)
			status = rv_fail_errno(err, RV_LOCAL_IO, "rename %s to %s", fresh, path);
	}
	if (status == RV_OK)
		status = rv_fsync_parent(path, err);
	struct rv_error ignored;

	(void)!rv_remove_file(fresh, &ignored);
	(void)!rv_remove_file(log, &ignored);
	return status == RV_OK ? RV_OK : rv_context(err, "make warehouse %s", path);
}

/* What does not fit into memory goes where temporary files belong, not into the current folder. */
static enum rv_status attach_memory(struct rv_duckdb *d, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	const char *tmp = getenv("TMPDIR");
	RV_CLEANUP(rv_free_p) char *folder =
		rv_asprintf("%s/river-duckdb-%ld", tmp && *tmp == '/' ? tmp : "/tmp", (long)getpid());

	rv_strbuf_puts(&sql, "ATTACH ':memory:' AS river; SET temp_directory = ");
	duck_literal(&sql, folder);
	return duck_run(d, sql.bytes, NULL, err);
}

#define STAMPS_TABLE                                                                               \
	"CREATE TABLE river._river.stamps(stream VARCHAR NOT NULL, object VARCHAR NOT NULL,"       \
	" run VARCHAR NOT NULL, seq UBIGINT NOT NULL, n_from UBIGINT NOT NULL,"                    \
	" n_to UBIGINT NOT NULL);"

/* A river that knows nothing of stamps must not load behind this one's back: it refuses version 2. */
static enum rv_status add_stamps(struct rv_duckdb *d, struct rv_error *err)
{
	enum rv_status status = duck_run(d,
					 "BEGIN;" STAMPS_TABLE
					 "UPDATE river._river.format SET version = 2;"
					 "COMMIT",
					 NULL, err);

	if (status != RV_OK)
		duck_rollback(d);
	return status;
}

/* River's own schema: made once, brought up to date by the first that writes, refused when a later
 * river made it. */
static enum rv_status check_format(struct rv_duckdb *d, struct rv_error *err)
{
	uint64_t version = 0;

	d->made = d->has_stamps = false;
	if (duck_has_table(d, "_river", "format", &d->made, err) != RV_OK)
		return err->status;
	if (d->made) {
		if (duck_number(d, "SELECT max(version)::BIGINT FROM river._river.format", &version,
				err) != RV_OK)
			return err->status;
		if (version > DUCK_FORMAT_VERSION) {
			rv_fail(err, RV_BAD_CONFIG,
				"warehouse %s is of format %llu, this river knows %d",
				d->params.path, (unsigned long long)version, DUCK_FORMAT_VERSION);
			rv_hint(err, "use a newer river");
			return RV_BAD_CONFIG;
		}
		d->has_stamps = version >= 2 || d->writing;
		return version < 2 && d->writing ? add_stamps(d, err) : RV_OK;
	}
	if (!d->writing)
		return RV_OK;
	d->made = d->has_stamps = true;
	enum rv_status status = duck_run(
		d,
		"BEGIN;"
		"CREATE SCHEMA IF NOT EXISTS river._river;"
		"CREATE TABLE river._river.loads(stream VARCHAR NOT NULL, stream_id VARCHAR,"
		" object VARCHAR NOT NULL, run VARCHAR, seq UBIGINT, bytes UBIGINT,"
		" record_count UBIGINT, rejected UBIGINT, set_hash UBIGINT, status VARCHAR NOT NULL,"
		" message VARCHAR, loaded_at TIMESTAMP NOT NULL);"
		"CREATE TABLE river._river.streams(stream VARCHAR NOT NULL, stream_id VARCHAR,"
		" shape VARCHAR NOT NULL);"
		STAMPS_TABLE
		"CREATE TABLE river._river.format(version INTEGER NOT NULL);"
		"INSERT INTO river._river.format VALUES (2);"
		"COMMIT",
		NULL, err);

	if (status != RV_OK)
		duck_rollback(d);
	return status;
}

static void close_engine(struct rv_duckdb *d)
{
	if (d->connection)
		d->api->disconnect(&d->connection);
	if (d->database)
		d->api->close(&d->database);
	d->connection = NULL;
	d->database = NULL;
	duck_cut_free_all(d);
	duck_archive_free_all(d);
	while (d->fresh) {
		struct duck_fresh *next = d->fresh->next;

		rv_stream_release(&d->fresh->stream);
		free(d->fresh);
		d->fresh = next;
	}
	free(d->feed_slot);
	d->feed_slot = NULL;
	d->has_hash = false;
	rv_lock_release(&d->lock);
}

/* Opening a pipe waits for whoever writes into it, for ever. */
static enum rv_status check_kind(const char *path, struct rv_error *err)
{
	struct stat st;

	if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
		return RV_OK;
	rv_fail(err, RV_BAD_CONFIG, "warehouse %s is %s, not a file", path,
		S_ISDIR(st.st_mode)    ? "a folder"
		: S_ISFIFO(st.st_mode) ? "a pipe"
		: S_ISSOCK(st.st_mode) ? "a socket"
				       : "a device");
	rv_hint(err, "warehouse.path of the profile names the file, which is made when it is not there");
	return RV_BAD_CONFIG;
}

static enum rv_status open_engine(struct rv_duckdb *d, bool writing, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = NULL;

	if (rv_duckdb_api(&d->api, err) != RV_OK)
		return err->status;
	d->writing = writing;
	d->made = false;
	if (d->params.path) {
		if (writing) {
			RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(d->params.path);

			if (rv_make_folders(folder, 0, err) != RV_OK)
				return rv_context(err, "open warehouse %s", d->params.path);
		}
		path = real_path(d->params.path);
		if (!writing && access(path, F_OK) != 0) {
			free(path);
			path = NULL; /* nothing loaded yet: an empty warehouse */
		}
	}
	if (path && check_kind(path, err) != RV_OK)
		return err->status;
	if (path && take_lock(d, path, writing, err) != RV_OK)
		return err->status;
	if (start_engine(d, err) != RV_OK)
		return err->status;
	if (path) {
		if (writing && access(path, F_OK) != 0 && create_file(d, path, err) != RV_OK)
			return err->status;
		if (attach_file(d, path, writing, err) != RV_OK)
			return err->status;
	} else if (attach_memory(d, err) != RV_OK) {
		return err->status;
	}
	if (duck_run(d, "USE river", NULL, err) != RV_OK)
		return err->status;
	return check_format(d, err);
}

enum rv_status duck_enter(struct rv_duckdb *d, bool writing, struct rv_error *err)
{
	if (d->held == 0 && open_engine(d, writing, err) != RV_OK) {
		close_engine(d);
		return err->status;
	}
	if (writing && !d->writing)
		rv_bug("a change inside a reading begin");
	d->held++;
	return RV_OK;
}

void duck_leave(struct rv_duckdb *d)
{
	if (--d->held == 0)
		close_engine(d);
}

/* ---- what the ledger and the tables say ---- */

static void leave_p(struct rv_duckdb **d)
{
	if (*d)
		duck_leave(*d);
}

static enum rv_status duck_begin(struct rv_warehouse *w, bool writing, struct rv_error *err)
{
	return duck_enter((struct rv_duckdb *)w, writing, err);
}

static void duck_end(struct rv_warehouse *w)
{
	duck_leave((struct rv_duckdb *)w);
}

static void where_stream(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	rv_strbuf_printf(sql, " WHERE stream = '%s/%s'", stream->business, stream->name);
}

static enum rv_load_state parse_state(struct rv_str text)
{
	if (rv_str_is(text, "loaded"))
		return RV_LOAD_KNOWN;
	if (rv_str_is(text, "partial"))
		return RV_LOAD_PARTIAL;
	return RV_LOAD_FAILED;
}

static enum rv_status duck_history(struct rv_warehouse *w, const struct rv_stream *stream,
				   enum rv_status (*each)(void *arg, const struct rv_load *,
							  struct rv_error *err),
				   void *arg, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	if (duck_enter(d, false, err) != RV_OK)
		return err->status;
	RV_CLEANUP(leave_p) struct rv_duckdb *entered = d;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };

	if (!entered->made)
		return RV_OK;
	rv_strbuf_puts(&sql, "SELECT object, bytes, status, record_count, rejected, set_hash,"
			     " epoch_ms(loaded_at), message FROM river._river.loads");
	where_stream(&sql, stream);
	rv_strbuf_puts(&sql, " ORDER BY object");
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	while (duck_next(&cursor)) {
		struct rv_str object = duck_text(&cursor, 0), message = duck_text(&cursor, 7);
		RV_CLEANUP(rv_free_p) char *name = rv_strndup(object.p, object.len);
		struct rv_load load = {
			.object = name,
			.bytes = duck_u64(&cursor, 1),
			.state = parse_state(duck_text(&cursor, 2)),
			.rows = duck_u64(&cursor, 3),
			.rejected = duck_u64(&cursor, 4),
			.set_hash = duck_u64(&cursor, 5),
			.loaded_ms = (int64_t)duck_u64(&cursor, 6),
		};
		RV_CLEANUP(rv_free_p) char *text =
			message.len ? rv_strndup(message.p, message.len) : NULL;

		load.message = text;
		if (each(arg, &load, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

static enum rv_status duck_loaded(struct rv_warehouse *w, const struct rv_stream *stream,
				  enum rv_status (*each)(void *arg, const char *object,
							 enum rv_load_state state,
							 struct rv_error *err),
				  void *arg, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;

	if (duck_enter(d, false, err) != RV_OK)
		return err->status;
	RV_CLEANUP(leave_p) struct rv_duckdb *entered = d;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };

	if (!entered->made)
		return RV_OK;
	rv_strbuf_puts(&sql, "SELECT object FROM river._river.loads");
	where_stream(&sql, stream);
	rv_strbuf_puts(&sql, " AND status IN ('loaded', 'partial') ORDER BY object");
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	while (duck_next(&cursor)) {
		struct rv_str object = duck_text(&cursor, 0);

		rv_strbuf_clear(&name);
		rv_strbuf_add(&name, object.p, object.len);
		if (each(arg, name.bytes, RV_LOAD_KNOWN, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

static enum rv_status duck_streams(struct rv_warehouse *w,
				   enum rv_status (*each)(void *arg, const char *name,
							  struct rv_error *err),
				   void *arg, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;

	if (duck_enter(d, false, err) != RV_OK)
		return err->status;
	RV_CLEANUP(leave_p) struct rv_duckdb *entered = d;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };

	if (!entered->made)
		return RV_OK;
	if (duck_select(d, &cursor,
			"SELECT stream FROM river._river.loads UNION "
			"SELECT stream FROM river._river.streams ORDER BY stream", err) != RV_OK)
		return err->status;
	while (duck_next(&cursor)) {
		struct rv_str text = duck_text(&cursor, 0);
		RV_CLEANUP(rv_free_p) char *name = rv_strndup(text.p, text.len);

		if (each(arg, name, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

static enum rv_status count_table(struct rv_duckdb *d, const char *schema, const char *name,
				  const char *where, uint64_t *ret, bool *ret_has,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	bool has = false;

	*ret = 0;
	if (duck_has_table(d, schema, name, &has, err) != RV_OK)
		return err->status;
	if (ret_has)
		*ret_has = has;
	if (!has)
		return RV_OK;
	rv_strbuf_puts(&sql, "SELECT count(*) FROM river.");
	duck_name(&sql, schema);
	rv_strbuf_putc(&sql, '.');
	duck_name(&sql, name);
	rv_strbuf_puts(&sql, where);
	return duck_number(d, sql.bytes, ret, err);
}

static enum rv_status duck_count(struct rv_warehouse *w, const struct rv_stream *stream,
				 struct rv_warehouse_counts *ret, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	struct rv_warehouse_counts counts = { 0 };
	char name[128];

	if (duck_enter(d, false, err) != RV_OK)
		return err->status;
	RV_CLEANUP(leave_p) RV_UNUSED struct rv_duckdb *entered = d;
	bool has_raw = false;

	if (count_table(d, stream->business, stream->name, "", &counts.raw, &has_raw, err) != RV_OK)
		return err->status;
	snprintf(name, sizeof(name), "%s_clean", stream->name);
	if (count_table(d, stream->business, name, "", &counts.clean, &counts.has_clean, err) !=
	    RV_OK)
		return err->status;
	snprintf(name, sizeof(name), "%s_refused", stream->name);
	if (count_table(d, stream->business, name, "", &counts.refused, NULL, err) != RV_OK)
		return err->status;
	snprintf(name, sizeof(name), "%s/%s/duplicates", stream->business, stream->name);
	if (count_table(d, "_river", name, "", &counts.duplicates, NULL, err) != RV_OK)
		return err->status;
	snprintf(name, sizeof(name), "%s/%s/latest", stream->business, stream->name);
	if (count_table(d, "_river", name, " WHERE \"river deleted\"", &counts.tombstones,
			&counts.has_latest, err) != RV_OK ||
	    count_table(d, "_river", name, " WHERE NOT \"river deleted\"", &counts.latest, NULL, err) !=
		    RV_OK)
		return err->status;
	*ret = counts;
	return RV_OK;
}

static enum rv_status duck_present(struct rv_warehouse *w, const struct rv_stream *stream,
				   bool hash,
				   enum rv_status (*each)(void *arg, const struct rv_load *,
							  struct rv_error *err),
				   void *arg, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	if (duck_enter(d, false, err) != RV_OK)
		return err->status;
	RV_CLEANUP(leave_p) RV_UNUSED struct rv_duckdb *entered = d;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };
	bool has = false;

	if (duck_has_table(d, stream->business, stream->name, &has, err) != RV_OK)
		return err->status;
	if (!has)
		return RV_OK;
	if (hash && duck_register_hash(d, err) != RV_OK)
		return err->status;
	rv_strbuf_printf(&sql, "SELECT file_name, count(*), %s FROM ",
			 hash ? "sum(river_hash_cut(record)), sum(river_hash(record))"
			      : "0::HUGEINT, 0::HUGEINT");
	duck_table(&sql, stream, "");
	rv_strbuf_puts(&sql, " GROUP BY file_name ORDER BY file_name");
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	while (duck_next(&cursor)) {
		struct rv_str object = duck_text(&cursor, 0);
		RV_CLEANUP(rv_free_p) char *name = rv_strndup(object.p, object.len);
		struct rv_load load = {
			.object = name,
			.state = RV_LOAD_KNOWN,
			.rows = duck_u64(&cursor, 1),
			.set_hash = duck_u64(&cursor, 2),
			.whole_hash = duck_u64(&cursor, 3),
		};
		if (each(arg, &load, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

static enum rv_status duck_stamps(struct rv_warehouse *w, const struct rv_stream *stream,
				  enum rv_status (*each)(void *arg, const struct rv_loaded_stamps *,
							 struct rv_error *err),
				  void *arg, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf object = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf run = RV_STRBUF_INIT;

	if (duck_enter(d, false, err) != RV_OK)
		return err->status;
	RV_CLEANUP(leave_p) struct rv_duckdb *entered = d;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };

	if (!entered->has_stamps)
		return RV_OK;
	rv_strbuf_puts(&sql, "SELECT object, run, seq, n_from, n_to FROM river._river.stamps");
	where_stream(&sql, stream);
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	while (duck_next(&cursor)) {
		struct rv_str text = duck_text(&cursor, 0);

		rv_strbuf_clear(&object);
		rv_strbuf_add(&object, text.p, text.len);
		text = duck_text(&cursor, 1);
		rv_strbuf_clear(&run);
		rv_strbuf_add(&run, text.p, text.len);
		struct rv_loaded_stamps stamps = {
			.object = object.bytes,
			.run = run.bytes,
			.range = { duck_u64(&cursor, 2), duck_u64(&cursor, 3), duck_u64(&cursor, 4) },
		};
		if (each(arg, &stamps, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

static void duck_free(struct rv_warehouse *w)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;

	if (d->held)
		close_engine(d);
	free(d);
}

static const struct rv_warehouse_ops duck_ops = {
	.name = "duckdb",
	.begin = duck_begin,
	.end = duck_end,
	.plan = duck_plan,
	.stamps = duck_stamps,
	.load = duck_load,
	.streams = duck_streams,
	.history = duck_history,
	.loaded = duck_loaded,
	.count = duck_count,
	.refused = duck_refused,
	.present = duck_present,
	.drop = duck_drop,
	.extract_find = duck_extract_find,
	.extract_above = duck_extract_above,
	.extract_take = duck_extract_take,
	.extract_changed = duck_extract_changed,
	.extract_number = duck_extract_number,
	.extract_settled = duck_extract_settled,
	.extract_left = duck_extract_left,
	.query = duck_query,
	.free = duck_free,
};

struct rv_warehouse *rv_warehouse_duckdb_new(const struct rv_duckdb_params *params,
					     struct rv_store *store)
{
	struct rv_duckdb *d = rv_calloc(1, sizeof(*d));

	d->base.ops = &duck_ops;
	d->params = *params;
	d->store = store;
	d->lock.fd = -1;
	return &d->base;
}

enum rv_status rv_duckdb_locate(char *ret_path, char *ret_version, size_t size,
				struct rv_error *err)
{
	const struct rv_duckdb_api *api = NULL;

	if (rv_duckdb_api(&api, err) != RV_OK)
		return err->status;
	snprintf(ret_path, size, "%s", api->path);
	snprintf(ret_version, size, "%s", api->version);
	return RV_OK;
}
