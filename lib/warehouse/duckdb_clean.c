/*
 * The tables of a stream, and bringing the layers behind raw up to date.
 *
 * All of it is SQL over raw and one function of river's (duckdb_cut.c), so loading an object and
 * making the layers again from raw are the same statements, over one loaded_at or over all.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/definition.h"
#include "flow/catalog.h"
#include "warehouse/duckdb_internal.h"

static bool has_layers(const struct rv_stream *stream)
{
	return (stream->layers & (RV_LAYER_CLEAN | RV_LAYER_LATEST)) && stream->columns_count > 0;
}

static bool has_latest(const struct rv_stream *stream)
{
	return has_layers(stream) && (stream->layers & RV_LAYER_LATEST) && stream->key.count > 0;
}

/* ---- shapes ---- */

static void add_list(struct rv_strbuf *sb, const char *name, const struct rv_string_list *list)
{
	rv_strbuf_printf(sb, "%s", name);
	for (size_t i = 0; i < list->count; i++)
		rv_strbuf_printf(sb, " %s", list->items[i]);
	rv_strbuf_putc(sb, '\n');
}

/* All of a definition that the layers depend on. Its text is kept; other text, other layers. */
static void add_shape(struct rv_strbuf *sb, const struct rv_stream *stream)
{
	char type[RV_COLUMN_TYPE_TEXT];

	if (!has_layers(stream))
		return;
	rv_strbuf_printf(sb, "layers %u\n", stream->layers);
	rv_strbuf_puts(sb, "refused column_name reason value\nseen origin\n");
	add_list(sb, "key", &stream->key);
	rv_strbuf_printf(sb, "order_by %s\n", stream->order_by ? stream->order_by : "");
	rv_strbuf_printf(sb, "dedup %d stamp %d\n", stream->dedup, stream->stamp != RV_STAMP_NONE);
	add_list(sb, "dedup_columns", &stream->dedup_columns);
	rv_strbuf_printf(sb, "delete %s = ", stream->delete_column ? stream->delete_column : "");
	if (stream->delete_equals)
		rv_strbuf_json(sb, stream->delete_equals, strlen(stream->delete_equals));
	rv_strbuf_printf(sb, "\ncontract %d\n", stream->contract);
	for (size_t i = 0; i < stream->columns_count; i++) {
		const struct rv_column *c = &stream->columns[i];
		const char *texts[] = { c->from ? c->from : c->name, c->format, c->timezone };

		rv_strbuf_printf(sb, "column %s %s%s", c->name, rv_column_type_text(c, type),
				 c->required ? " required" : "");
		for (size_t k = 0; k < 3; k++) {
			rv_strbuf_putc(sb, ' ');
			if (texts[k])
				rv_strbuf_json(sb, texts[k], strlen(texts[k]));
			else
				rv_strbuf_putc(sb, '-');
		}
		rv_strbuf_putc(sb, '\n');
	}
}

/* ---- statements ---- */

const char *duck_sql_type(const struct rv_column *column, char buf[32])
{
	static const char *const names[] = {
		[RV_COLUMN_STRING] = "VARCHAR", [RV_COLUMN_INTEGER] = "BIGINT",
		[RV_COLUMN_DOUBLE] = "DOUBLE",	[RV_COLUMN_BOOLEAN] = "BOOLEAN",
		[RV_COLUMN_DATE] = "DATE",	[RV_COLUMN_TIMESTAMP] = "TIMESTAMP",
		[RV_COLUMN_JSON] = "JSON",
	};

	if (column->type == RV_COLUMN_DECIMAL)
		snprintf(buf, 32, "DECIMAL(%u,%u)", column->precision, column->scale);
	else
		snprintf(buf, 32, "%s", names[column->type]);
	return buf;
}

/* `"a", "b", ` each behind `before` */
static void add_columns(struct rv_strbuf *sql, const struct rv_stream *stream, const char *before,
			bool types)
{
	char type[32];

	for (size_t i = 0; i < stream->columns_count; i++) {
		rv_strbuf_puts(sql, before);
		duck_name(sql, stream->columns[i].name);
		if (types)
			rv_strbuf_printf(sql, " %s", duck_sql_type(&stream->columns[i], type));
		rv_strbuf_puts(sql, ", ");
	}
}

#define ORIGIN "file_name, file_row, loaded_at"
#define ORIGIN_TYPES                                                                               \
	"file_name VARCHAR NOT NULL, file_row BIGINT NOT NULL, loaded_at TIMESTAMP NOT NULL"

struct planning {
	struct rv_duckdb *d;
	const struct rv_stream *stream;
	bool apply;
	void (*each)(void *arg, const char *statement);
	void *arg;
};

/* Says the statement, and runs it when the plan is applied. Empties it. */
static enum rv_status change(const struct planning *p, struct rv_strbuf *sql, struct rv_error *err)
{
	enum rv_status status = RV_OK;

	if (p->each)
		p->each(p->arg, sql->bytes);
	if (p->apply)
		status = duck_run(p->d, sql->bytes, NULL, err);
	rv_strbuf_clear(sql);
	return status;
}

static enum rv_status make_raw(const struct planning *p, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_printf(&sql, "CREATE SCHEMA IF NOT EXISTS river.\"%s\"", p->stream->business);
	if (change(p, &sql, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&sql, "CREATE TABLE ");
	duck_table(&sql, p->stream, "");
	rv_strbuf_puts(&sql, " (record JSON NOT NULL, " ORIGIN_TYPES ")");
	return change(p, &sql, err);
}

static enum rv_status make_latest(const struct planning *p, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	const struct rv_stream *stream = p->stream;

	rv_strbuf_puts(&sql, "CREATE TABLE ");
	duck_inner(&sql, stream, "latest");
	rv_strbuf_puts(&sql, " (");
	add_columns(&sql, stream, "", true);
	rv_strbuf_puts(&sql, ORIGIN_TYPES ", \"river deleted\" BOOLEAN NOT NULL)");
	if (change(p, &sql, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&sql, "CREATE VIEW ");
	duck_table(&sql, stream, "_latest");
	rv_strbuf_puts(&sql, " AS SELECT ");
	add_columns(&sql, stream, "", false);
	rv_strbuf_puts(&sql, ORIGIN " FROM ");
	duck_inner(&sql, stream, "latest");
	rv_strbuf_puts(&sql, " WHERE NOT \"river deleted\"");
	return change(p, &sql, err);
}

static enum rv_status make_layers(const struct planning *p, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	const struct rv_stream *stream = p->stream;

	if (stream->layers & RV_LAYER_CLEAN) {
		rv_strbuf_puts(&sql, "CREATE TABLE ");
		duck_table(&sql, stream, "_clean");
		rv_strbuf_puts(&sql, " (");
		add_columns(&sql, stream, "", true);
		rv_strbuf_puts(&sql, ORIGIN_TYPES ")");
		if (change(p, &sql, err) != RV_OK)
			return err->status;
	}
	rv_strbuf_puts(&sql, "CREATE TABLE ");
	duck_table(&sql, stream, "_refused");
	rv_strbuf_puts(&sql, " (" ORIGIN_TYPES ", column_name VARCHAR, reason VARCHAR, value VARCHAR, "
			     "record JSON)");
	if (change(p, &sql, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&sql, "CREATE TABLE ");
	duck_inner(&sql, stream, "seen");
	rv_strbuf_puts(&sql, " (identity HUGEINT NOT NULL, " ORIGIN_TYPES ")");
	if (change(p, &sql, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&sql, "CREATE TABLE ");
	duck_inner(&sql, stream, "duplicates");
	rv_strbuf_puts(&sql, " (" ORIGIN_TYPES ")");
	if (change(p, &sql, err) != RV_OK)
		return err->status;
	return has_latest(stream) ? make_latest(p, err) : RV_OK;
}

static const struct {
	const char *ending, *part; /* one of them */
	const char *kind;
} layer_tables[] = {
	{ "_latest", NULL, "VIEW" },  { NULL, "latest", "TABLE" },    { "_clean", NULL, "TABLE" },
	{ "_refused", NULL, "TABLE" }, { NULL, "seen", "TABLE" }, { NULL, "duplicates", "TABLE" },
};

/* A job may have taken the name before the stream did: then it is not the stream's. */
static enum rv_status is_of_extracts(const struct planning *p, const char *ending, bool *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p)
	char *table = rv_asprintf("%s.%s%s", p->stream->business, p->stream->name, ending);

	return duck_extract_has(p->d, table, ret, err);
}

static enum rv_status drop_layers(const struct planning *p, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	for (size_t i = 0; i < sizeof(layer_tables) / sizeof(*layer_tables); i++) {
		bool taken = false;

		if (layer_tables[i].ending && is_of_extracts(p, layer_tables[i].ending, &taken, err) != RV_OK)
			return err->status;
		if (taken)
			continue;
		rv_strbuf_printf(&sql, "DROP %s IF EXISTS ", layer_tables[i].kind);
		if (layer_tables[i].ending)
			duck_table(&sql, p->stream, layer_tables[i].ending);
		else
			duck_inner(&sql, p->stream, layer_tables[i].part);
		if (change(p, &sql, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

static enum rv_status keep_shape(const struct planning *p, const char *shape, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	const struct rv_stream *s = p->stream;

	rv_strbuf_printf(&sql,
			 "DELETE FROM river._river.streams WHERE stream = '%s/%s';"
			 "INSERT INTO river._river.streams VALUES ('%s/%s', '%s', ",
			 s->business, s->name, s->business, s->name, s->id);
	duck_literal(&sql, shape);
	rv_strbuf_putc(&sql, ')');
	return duck_run(p->d, sql.bytes, NULL, err);
}

static enum rv_status stored_shape(struct rv_duckdb *d, const struct rv_stream *stream, char **ret,
				   struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };

	*ret = rv_strdup("");
	if (!d->made)
		return RV_OK;
	rv_strbuf_printf(&sql, "SELECT shape FROM river._river.streams WHERE stream = '%s/%s'",
			 stream->business, stream->name);
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	if (duck_next(&cursor)) {
		struct rv_str text = duck_text(&cursor, 0);

		free(*ret);
		*ret = rv_strndup(text.p, text.len);
	}
	return RV_OK;
}

/*
 * Who waited for the lock may hold a definition that another process has replaced meanwhile, in the
 * lake first and then here. Read inside the lock, the lake's is either what these layers are of or
 * newer, and who made it newer waits for the lock to see to it.
 */
enum rv_status duck_refresh(struct rv_duckdb *d, const struct rv_stream **stream,
			    struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf shape = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *stored = NULL;
	char name[RV_STREAM_TEXT];

	add_shape(&shape, *stream);
	if (stored_shape(d, *stream, &stored, err) != RV_OK)
		return err->status;
	if (strcmp(stored, shape.bytes) == 0 || !d->store)
		return RV_OK;
	struct duck_fresh *fresh = rv_calloc(1, sizeof(*fresh));
	struct rv_error missing = RV_ERROR_INIT;

	rv_stream_init(&fresh->stream);
	fresh->next = d->fresh;
	d->fresh = fresh;
	enum rv_status status = rv_catalog_get(d->store, rv_stream_text(*stream, name),
					       &fresh->stream, NULL, &missing);

	if (status != RV_OK && status != RV_NOT_FOUND) {
		*err = missing;
		return status;
	}
	/* Gone, or another stream of that name: who has this one is to find that out. */
	if (status == RV_OK && strcmp(fresh->stream.id, (*stream)->id) == 0)
		*stream = &fresh->stream;
	return RV_OK;
}

static enum rv_status change_layers(const struct planning *p, bool had, bool filled,
				    const char *shape, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	if (had && drop_layers(p, err) != RV_OK)
		return err->status;
	if (shape[0] && make_layers(p, err) != RV_OK)
		return err->status;
	if (shape[0] && filled) {
		rv_strbuf_puts(&sql, "-- fill the layers from ");
		duck_table(&sql, p->stream, "");
		if (p->each)
			p->each(p->arg, sql.bytes);
		if (p->apply && duck_derive(p->d, p->stream, true, 0, err) != RV_OK)
			return err->status;
	}
	return p->apply ? keep_shape(p, shape, err) : RV_OK;
}

/*
 * Whether all layers can be read: dropped by hand, they are made again, whatever the shape that is
 * kept says. Preparing looks the names up and reads nothing; the limit of 0 is for the optimizer.
 */
static bool layers_intact(const struct planning *p)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	const struct rv_duckdb_api *api = p->d->api;
	const struct rv_stream *stream = p->stream;
	duck_prepared statement = NULL;

	if (!has_layers(stream))
		return true;
	rv_strbuf_puts(&sql, "SELECT 1 FROM ");
	duck_table(&sql, stream, "_refused");
	rv_strbuf_puts(&sql, ", ");
	duck_inner(&sql, stream, "seen");
	rv_strbuf_puts(&sql, ", ");
	duck_inner(&sql, stream, "duplicates");
	if (stream->layers & RV_LAYER_CLEAN) {
		rv_strbuf_puts(&sql, ", ");
		duck_table(&sql, stream, "_clean");
	}
	if (has_latest(stream)) {
		rv_strbuf_puts(&sql, ", "); /* the table below it is part of the view */
		duck_table(&sql, stream, "_latest");
	}
	rv_strbuf_puts(&sql, " LIMIT 0");
	bool intact = api->prepare(p->d->connection, sql.bytes, &statement) == 0;

	api->destroy_prepare(&statement);
	return intact;
}

static enum rv_status check_names(const struct planning *p, struct rv_error *err)
{
	static const char *const endings[] = { "", "_clean", "_refused", "_latest" };
	size_t count = has_latest(p->stream) ? 4 : has_layers(p->stream) ? 3 : 1;

	for (size_t i = 0; i < count; i++) {
		bool taken = false;

		if (is_of_extracts(p, endings[i], &taken, err) != RV_OK)
			return err->status;
		if (!taken)
			continue;
		rv_fail(err, RV_CONFLICT, "the table %s.%s%s is one that extracts are loaded into",
			p->stream->business, p->stream->name, endings[i]);
		rv_hint(err, "give the job another one, with `to: table`, or the stream another name");
		return err->status;
	}
	return RV_OK;
}

static enum rv_status plan_entered(const struct planning *p, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf shape = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *stored = NULL;
	bool has_raw = false;

	add_shape(&shape, p->stream);
	if (duck_has_table(p->d, p->stream->business, p->stream->name, &has_raw, err) != RV_OK ||
	    stored_shape(p->d, p->stream, &stored, err) != RV_OK)
		return err->status;
	bool same = strcmp(stored, shape.bytes) == 0 && (!has_raw || layers_intact(p));

	/* layers that are kept are of nobody else */
	if ((!same || !stored[0]) && check_names(p, err) != RV_OK)
		return err->status;
	if (has_raw && same)
		return RV_OK;
	/* Functions are registered outside of the transaction, or its end would take them along. */
	if (p->apply && has_raw && has_layers(p->stream) &&
	    duck_cut_register(p->d, p->stream, err) != RV_OK)
		return err->status;
	if (p->apply && duck_run(p->d, "BEGIN", NULL, err) != RV_OK)
		return err->status;
	enum rv_status status = has_raw ? RV_OK : make_raw(p, err);

	if (status == RV_OK && !same)
		status = change_layers(p, stored[0] != '\0', has_raw, shape.bytes, err);
	if (p->apply && status == RV_OK)
		status = duck_run(p->d, "COMMIT", NULL, err);
	if (p->apply && status != RV_OK)
		duck_rollback(p->d);
	return status;
}

enum rv_status duck_plan(struct rv_warehouse *w, const struct rv_stream *stream, bool apply,
			 void (*each)(void *arg, const char *statement), void *arg,
			 struct rv_error *err)
{
	struct planning p = { .d = (struct rv_duckdb *)w, .stream = stream, .apply = apply,
			      .each = each, .arg = arg };

	if (duck_enter(p.d, apply, err) != RV_OK)
		return err->status;
	enum rv_status status = apply ? duck_refresh(p.d, &p.stream, err) : RV_OK;

	if (status == RV_OK)
		status = plan_entered(&p, err);
	duck_leave(p.d);
	return status;
}

/* ---- from raw to the layers ---- */

struct deriving {
	struct rv_duckdb *d;
	const struct rv_stream *stream;
	bool rebuild;
	int64_t loaded_us;
};

/* temp."river cut": the typed columns of the new rows, or why they have none. */
static enum rv_status cut_rows(const struct deriving *v, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	char name[32];

	rv_strbuf_puts(&sql, "CREATE TEMP TABLE \"river cut\" AS SELECT ");
	add_columns(&sql, v->stream, "c.", false);
	rv_strbuf_printf(&sql,
			 "c.\"" DUCK_CUT_COLUMN "\", c.\"" DUCK_CUT_REASON
			 "\", c.\"" DUCK_CUT_VALUE "\", c.\"" DUCK_CUT_IDENTITY "\", "
			 ORIGIN " FROM (SELECT %s(record) AS c, " ORIGIN " FROM ",
			 duck_cut_name(v->d, name));
	duck_table(&sql, v->stream, "");
	if (!v->rebuild)
		rv_strbuf_printf(&sql, " WHERE loaded_at = make_timestamp(%" PRId64 ")",
				 v->loaded_us);
	rv_strbuf_putc(&sql, ')');
	return duck_run(v->d, sql.bytes, NULL, err);
}

static enum rv_status keep_refused(const struct deriving *v, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	uint64_t refused = 0;

	if (duck_number(v->d, "SELECT count(\"" DUCK_CUT_REASON "\") FROM temp.\"river cut\"",
			&refused, err) != RV_OK)
		return err->status;
	if (!refused)
		return RV_OK;
	rv_strbuf_puts(&sql, "INSERT INTO ");
	duck_table(&sql, v->stream, "_refused");
	rv_strbuf_puts(&sql, " SELECT r.file_name, r.file_row, r.loaded_at, c.\"" DUCK_CUT_COLUMN
			     "\", c.\"" DUCK_CUT_REASON "\", c.\"" DUCK_CUT_VALUE
			     "\", r.record FROM ");
	duck_table(&sql, v->stream, "");
	rv_strbuf_puts(&sql, " r JOIN temp.\"river cut\" c ON r.file_name = c.file_name AND "
			     "r.file_row = c.file_row AND r.loaded_at = c.loaded_at "
			     "WHERE c.\"" DUCK_CUT_REASON "\" IS NOT NULL");
	if (!v->rebuild)
		rv_strbuf_printf(&sql, " AND r.loaded_at = make_timestamp(%" PRId64 ")",
				 v->loaded_us);
	if (duck_run(v->d, sql.bytes, NULL, err) != RV_OK)
		return err->status;
	return duck_run(v->d,
			"DELETE FROM temp.\"river cut\" WHERE \"" DUCK_CUT_REASON "\" IS NOT NULL",
			NULL, err);
}

/* Of equal rows the first by object and row stays, in whatever order objects are loaded: new rows
 * that have an equal one before them are taken out, and the loaded rows that come behind a new one. */
static enum rv_status move_duplicates(const struct deriving *v, const char *seen,
				      struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf duplicates = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf clean = RV_STRBUF_INIT;
	uint64_t replaced = 0;

	duck_inner(&duplicates, v->stream, "duplicates");
	duck_table(&clean, v->stream, "_clean");
	if (duck_runf(v->d, err,
		      "CREATE TEMP TABLE \"river duplicates\" AS SELECT " ORIGIN " FROM (SELECT "
		      ORIGIN ", \"" DUCK_CUT_IDENTITY "\" AS identity, row_number() OVER "
		      "(PARTITION BY \"" DUCK_CUT_IDENTITY
		      "\" ORDER BY file_name, file_row) AS nth FROM temp.\"river cut\") c "
		      "WHERE nth > 1 OR EXISTS (FROM %s s WHERE s.identity = c.identity AND "
		      "(s.file_name < c.file_name OR "
		      "(s.file_name = c.file_name AND s.file_row < c.file_row)));"
		      "INSERT INTO %s SELECT " ORIGIN " FROM temp.\"river duplicates\";"
		      "DELETE FROM temp.\"river cut\" c USING temp.\"river duplicates\" d "
		      "WHERE c.file_name = d.file_name AND c.file_row = d.file_row "
		      "AND c.loaded_at = d.loaded_at;"
		      "DROP TABLE temp.\"river duplicates\";"
		      "CREATE TEMP TABLE \"river replaced\" AS FROM %s WHERE identity IN "
		      "(SELECT \"" DUCK_CUT_IDENTITY "\" FROM temp.\"river cut\")",
		      seen, duplicates.bytes, seen) != RV_OK ||
	    duck_number(v->d, "SELECT count(*) FROM temp.\"river replaced\"", &replaced, err) !=
		    RV_OK)
		return err->status;
	if (replaced &&
	    duck_runf(v->d, err,
		      "INSERT INTO %s SELECT " ORIGIN " FROM temp.\"river replaced\";"
		      "DELETE FROM %s s USING temp.\"river replaced\" r WHERE "
		      "s.identity = r.identity",
		      duplicates.bytes, seen) != RV_OK)
		return err->status;
	if (replaced && (v->stream->layers & RV_LAYER_CLEAN) &&
	    duck_runf(v->d, err,
		      "DELETE FROM %s c USING temp.\"river replaced\" r WHERE "
		      "c.file_name = r.file_name AND c.file_row = r.file_row "
		      "AND c.loaded_at = r.loaded_at", clean.bytes) != RV_OK)
		return err->status;
	return duck_run(v->d, "DROP TABLE temp.\"river replaced\"", NULL, err);
}

/* Takes duplicates out and notes where they were. */
static enum rv_status set_aside_duplicates(const struct deriving *v, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf seen = RV_STRBUF_INIT;
	uint64_t within = 0, before = 0;

	if (!duck_cut_dedups(v->d))
		return RV_OK;
	duck_inner(&seen, v->stream, "seen");
	RV_CLEANUP(rv_free_p) char *ask = rv_asprintf(
		"SELECT count(*) FROM temp.\"river cut\" WHERE \"" DUCK_CUT_IDENTITY
		"\" IN (SELECT identity FROM %s)", seen.bytes);

	/* Mostly there are none, and then this is all it costs. */
	if (duck_number(v->d, "SELECT count(*) - count(DISTINCT \"" DUCK_CUT_IDENTITY
			      "\") FROM temp.\"river cut\"", &within, err) != RV_OK ||
	    duck_number(v->d, ask, &before, err) != RV_OK)
		return err->status;
	if ((within || before) && move_duplicates(v, seen.bytes, err) != RV_OK)
		return err->status;
	return duck_runf(v->d, err,
			 "INSERT INTO %s SELECT \"" DUCK_CUT_IDENTITY "\", " ORIGIN
			 " FROM temp.\"river cut\"",
			 seen.bytes);
}

static enum rv_status add_clean(const struct deriving *v, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	if (!(v->stream->layers & RV_LAYER_CLEAN))
		return RV_OK;
	rv_strbuf_puts(&sql, "INSERT INTO ");
	duck_table(&sql, v->stream, "_clean");
	rv_strbuf_puts(&sql, " SELECT ");
	add_columns(&sql, v->stream, "", false);
	rv_strbuf_puts(&sql, ORIGIN " FROM temp.\"river cut\"");
	return duck_run(v->d, sql.bytes, NULL, err);
}

/* a.k1 = b.k1 AND ... */
static void add_same_key(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	for (size_t i = 0; i < stream->key.count; i++)
		rv_strbuf_printf(sql, "%sl.\"%s\" = w.\"%s\"", i ? " AND " : "",
				 stream->key.items[i], stream->key.items[i]);
}

/* Whether `l` stays in front of `w`: the maximum of (order_by nulls lowest, origin object, row). */
static void add_newer(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	static const char origin[] = "(l.file_name > w.file_name OR (l.file_name = w.file_name AND "
				     "l.file_row > w.file_row))";
	const char *o = stream->order_by;

	if (!o) {
		rv_strbuf_puts(sql, origin);
		return;
	}
	rv_strbuf_printf(sql,
			 "(l.\"%s\" > w.\"%s\" OR (w.\"%s\" IS NULL AND l.\"%s\" IS NOT NULL) OR "
			 "(l.\"%s\" IS NOT DISTINCT FROM w.\"%s\" AND %s))",
			 o, o, o, o, o, o, origin);
}

static void add_deleted(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	const struct rv_column *column =
		stream->delete_column ? rv_stream_column(stream, stream->delete_column) : NULL;
	char type[32];

	if (!column) {
		rv_strbuf_puts(sql, "false");
		return;
	}
	rv_strbuf_puts(sql, "coalesce(");
	duck_name(sql, column->name);
	if (column->type == RV_COLUMN_JSON)
		rv_strbuf_puts(sql, "::VARCHAR");
	rv_strbuf_puts(sql, " = TRY_CAST(");
	duck_literal(sql, stream->delete_equals ? stream->delete_equals : "");
	rv_strbuf_printf(sql, " AS %s), false)",
			 column->type == RV_COLUMN_JSON ? "VARCHAR" : duck_sql_type(column, type));
}

/* Of the new rows the newest a key wins, unless the one that is there is newer still. What is
 * deleted stays as a tombstone, so a late older row cannot resurrect. */
static enum rv_status merge_latest(const struct deriving *v, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf latest = RV_STRBUF_INIT;
	const struct rv_stream *stream = v->stream;

	if (!has_latest(stream))
		return RV_OK;
	duck_inner(&latest, stream, "latest");
	rv_strbuf_puts(&sql, "CREATE TEMP TABLE \"river won\" AS SELECT ");
	add_columns(&sql, stream, "", false);
	rv_strbuf_puts(&sql, ORIGIN ", ");
	add_deleted(&sql, stream);
	rv_strbuf_puts(&sql, " AS \"river deleted\" FROM temp.\"river cut\" QUALIFY row_number() OVER "
			     "(PARTITION BY ");
	for (size_t i = 0; i < stream->key.count; i++)
		rv_strbuf_printf(&sql, "%s\"%s\"", i ? ", " : "", stream->key.items[i]);
	rv_strbuf_puts(&sql, " ORDER BY ");
	if (stream->order_by)
		rv_strbuf_printf(&sql, "\"%s\" DESC NULLS LAST, ", stream->order_by);
	rv_strbuf_puts(&sql, "file_name DESC, file_row DESC) = 1;"
			     "DELETE FROM temp.\"river won\" w USING ");
	rv_strbuf_printf(&sql, "%s l WHERE ", latest.bytes);
	add_same_key(&sql, stream);
	rv_strbuf_puts(&sql, " AND ");
	add_newer(&sql, stream);
	rv_strbuf_printf(&sql, ";DELETE FROM %s l USING temp.\"river won\" w WHERE ", latest.bytes);
	add_same_key(&sql, stream);
	rv_strbuf_printf(&sql,
			 ";INSERT INTO %s SELECT * FROM temp.\"river won\";"
			 "DROP TABLE temp.\"river won\"",
			 latest.bytes);
	return duck_run(v->d, sql.bytes, NULL, err);
}

enum rv_status duck_derive(struct rv_duckdb *d, const struct rv_stream *stream, bool rebuild,
			   int64_t loaded_us, struct rv_error *err)
{
	struct deriving v = { d, stream, rebuild, loaded_us };

	if (!has_layers(stream))
		return RV_OK;
	/* latest comes before duplicates are set aside: on, off, on again is on. */
	if (cut_rows(&v, err) != RV_OK || keep_refused(&v, err) != RV_OK ||
	    merge_latest(&v, err) != RV_OK || set_aside_duplicates(&v, err) != RV_OK ||
	    add_clean(&v, err) != RV_OK)
		return rv_context(err, "derive the layers");
	return duck_run(d, "DROP TABLE temp.\"river cut\"", NULL, err);
}

bool duck_has_layers(const struct rv_stream *stream)
{
	return has_layers(stream);
}

/* ---- what is refused ---- */

static enum rv_status look_at_refused(struct rv_duckdb *d, const char *raw, const char *refused,
				      struct rv_warehouse_refused *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor last = { 0 };
	RV_CLEANUP(duck_cursor_close) struct duck_cursor common = { 0 };

	rv_strbuf_printf(&sql,
			 "WITH newest AS (SELECT max(loaded_at) AS newest_at FROM %s) "
			 "SELECT (SELECT count(*) FROM %s, newest WHERE loaded_at = newest_at), "
			 "(SELECT count(*) FROM %s, newest WHERE loaded_at = newest_at)",
			 raw, raw, refused);
	if (duck_select(d, &last, sql.bytes, err) != RV_OK)
		return err->status;
	if (duck_next(&last)) {
		ret->last_rows = duck_u64(&last, 0);
		ret->last_refused = duck_u64(&last, 1);
	}
	rv_strbuf_clear(&sql);
	rv_strbuf_printf(&sql,
			 "SELECT column_name, reason, count(*) FROM %s GROUP BY ALL "
			 "ORDER BY 3 DESC, 1, 2 LIMIT 1", refused);
	if (duck_select(d, &common, sql.bytes, err) != RV_OK)
		return err->status;
	if (duck_next(&common)) {
		struct rv_str column = duck_text(&common, 0), reason = duck_text(&common, 1);

		snprintf(ret->column, sizeof(ret->column), "%.*s", (int)column.len, column.p);
		snprintf(ret->reason, sizeof(ret->reason), "%.*s", (int)reason.len, reason.p);
		ret->commonest = duck_u64(&common, 2);
	}
	return RV_OK;
}

static enum rv_status refused_entered(struct rv_duckdb *d, const struct rv_stream *stream, bool quick,
				      struct rv_warehouse_refused *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf raw = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf refused = RV_STRBUF_INIT;
	char name[128];
	bool has = false;

	snprintf(name, sizeof(name), "%s_refused", stream->name);
	if (duck_has_table(d, stream->business, name, &has, err) != RV_OK)
		return err->status;
	if (!has)
		return RV_OK;
	duck_table(&raw, stream, "");
	duck_table(&refused, stream, "_refused");
	RV_CLEANUP(rv_free_p) char *count = rv_asprintf("SELECT count(*) FROM %s", refused.bytes);

	if (duck_number(d, count, &ret->count, err) != RV_OK)
		return err->status;
	/* Somebody may have dropped raw and left the layers. */
	if (duck_has_table(d, stream->business, stream->name, &has, err) != RV_OK)
		return err->status;
	return quick || !ret->count || !has ? RV_OK
				    : look_at_refused(d, raw.bytes, refused.bytes, ret, err);
}

enum rv_status duck_refused(struct rv_warehouse *w, const struct rv_stream *stream, bool quick,
			    struct rv_warehouse_refused *ret, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	struct rv_warehouse_refused found = { 0 };

	if (!has_layers(stream)) {
		*ret = found;
		return RV_OK;
	}
	if (duck_enter(d, false, err) != RV_OK)
		return err->status;
	enum rv_status status = refused_entered(d, stream, quick, &found, err);

	duck_leave(d);
	if (status == RV_OK)
		*ret = found;
	return status;
}

/* ---- forgetting ---- */

enum rv_status duck_drop(struct rv_warehouse *w, const struct rv_stream *stream,
			 struct rv_error *err)
{
	struct planning p = { .d = (struct rv_duckdb *)w, .stream = stream, .apply = true };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	if (duck_enter(p.d, true, err) != RV_OK)
		return err->status;
	bool taken = false;
	enum rv_status status = duck_run(p.d, "BEGIN", NULL, err);

	if (status == RV_OK)
		status = drop_layers(&p, err);
	if (status == RV_OK)
		status = is_of_extracts(&p, "", &taken, err);
	if (!taken) {
		rv_strbuf_puts(&sql, "DROP TABLE IF EXISTS ");
		duck_table(&sql, stream, "");
		rv_strbuf_putc(&sql, ';');
	}
	rv_strbuf_printf(&sql,
			 "DELETE FROM river._river.loads WHERE stream = '%s/%s'"
			 "; DELETE FROM river._river.stamps WHERE stream = '%s/%s'"
			 "; DELETE FROM river._river.streams WHERE stream = '%s/%s'; COMMIT",
			 stream->business, stream->name, stream->business, stream->name,
			 stream->business, stream->name);
	if (status == RV_OK)
		status = duck_run(p.d, sql.bytes, NULL, err);
	if (status != RV_OK)
		duck_rollback(p.d);
	duck_leave(p.d);
	return status;
}
