/* The statements that make what a stream needs in Snowflake; see the header. */
#include "warehouse/snowflake_ddl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/memory.h"
#include "warehouse/snowflake_contract.h"

/* Where the comment goes, in the text its own hash is made of. */
#define COMMENT_HERE '\1'

static const char *const kind_words[] = {
	[SNOW_IS_DATABASE] = "DATABASE",   [SNOW_IS_SCHEMA] = "SCHEMA",
	[SNOW_IS_TABLE] = "TABLE",	   [SNOW_IS_DYNAMIC] = "DYNAMIC TABLE",
	[SNOW_IS_VIEW] = "VIEW",	   [SNOW_IS_PIPE] = "PIPE",
	[SNOW_IS_STREAM] = "STREAM",	   [SNOW_IS_TASK] = "TASK",
	[SNOW_IS_STAGE] = "STAGE",	   [SNOW_IS_FORMAT] = "FILE FORMAT",
	[SNOW_IS_POLICY] = "MASKING POLICY", [SNOW_IS_INTEGRATION] = "STORAGE INTEGRATION",
	[SNOW_IS_ROLE] = "ROLE",	   [SNOW_IS_WAREHOUSE] = "WAREHOUSE",
};

const char *snow_kind_word(enum snow_kind kind)
{
	return kind_words[kind];
}

void snow_text_release(struct snow_text *text)
{
	free(text->name);
	free(text->schema);
	free(text->plain);
	free(text->create);
	free(text->replace);
	free(text->comment);
	*text = (struct snow_text){ 0 };
}

/* ---- comments ---- */

static char *with_comment(const char *head, const char *body, const char *literal)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	const char *here = strchr(body, COMMENT_HERE);

	rv_strbuf_puts(&sql, head);
	rv_strbuf_add(&sql, body, (size_t)(here - body));
	rv_strbuf_printf(&sql, "COMMENT = %s%s", literal, here + 1);
	return rv_strbuf_take(&sql);
}

/* `body` is all behind CREATE <kind>, with COMMENT_HERE in it. What can be had without loss is
 * replaced; the rest is only ever made where it is not. */
static void finish_with(struct snow_text *ret, const struct rv_stream *stream, const char *more,
			const char *body, bool replaces)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf comment = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf literal = RV_STRBUF_INIT;
	const char *word = snow_kind_word(ret->kind);
	RV_CLEANUP(rv_free_p) char *if_missing = rv_asprintf("CREATE %s IF NOT EXISTS ", word);
	RV_CLEANUP(rv_free_p) char *or_replace = rv_asprintf("CREATE OR REPLACE %s ", word);

	snprintf(ret->shape, sizeof(ret->shape), "%016llx",
		 (unsigned long long)XXH3_64bits(body, strlen(body)));
	rv_strbuf_puts(&comment, "{\"river\":1");
	if (stream)
		rv_strbuf_printf(&comment, ",\"stream\":\"%s/%s\",\"id\":\"%s\"", stream->business,
				 stream->name, stream->id);
	rv_strbuf_printf(&comment, ",\"shape\":\"%s\"%s}", ret->shape, more);
	snow_add_literal(&literal, comment.bytes);
	ret->comment = rv_strbuf_take(&comment);
	ret->create = with_comment(if_missing, body, literal.bytes);
	ret->replace = replaces ? with_comment(or_replace, body, literal.bytes) : NULL;
}

static void finish(struct snow_text *ret, const struct rv_stream *stream, const char *body,
		   bool replaces)
{
	finish_with(ret, stream, "", body, replaces);
}

/* Raw says to which roles river has granted something, so that it can be taken from those that are
 * no longer in the definition. */
static void finish_raw(struct snow_text *ret, const struct rv_stream *stream, const char *body)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf more = RV_STRBUF_INIT;
	const struct rv_string_list *lists[] = { &stream->grants_read, &stream->grants_push,
						 &stream->grants_admin };
	const char *comma = "";

	rv_strbuf_puts(&more, ",\"roles\":[");
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < lists[i]->count; k++) {
			rv_strbuf_puts(&more, comma);
			rv_strbuf_json(&more, lists[i]->items[k], strlen(lists[i]->items[k]));
			comma = ",";
		}
	rv_strbuf_putc(&more, ']');
	finish_with(ret, stream, comma[0] ? more.bytes : "", body, false);
}

/* Rows that tasks have merged say by which key, as those of another one would be no use. */
static void finish_newest(struct snow_text *ret, const struct rv_stream *stream, const char *body)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf more = RV_STRBUF_INIT;

	rv_strbuf_puts(&more, ",\"key\":\"");
	for (size_t i = 0; i < stream->key.count; i++)
		rv_strbuf_printf(&more, "%s%s", i ? "," : "", stream->key.items[i]);
	rv_strbuf_putc(&more, '"');
	finish_with(ret, stream, more.bytes, body, false);
}

static void set_names(struct snow_text *ret, enum snow_kind kind, const char *name,
		      const char *schema, const char *plain)
{
	*ret = (struct snow_text){
		.kind = kind,
		.name = rv_strdup(name),
		.schema = rv_strdup(schema),
		.plain = rv_strdup(plain),
	};
}

/* ---- river's own ---- */

const char *snow_role(const struct rv_snowflake_warehouse *w, bool writes, char buf[SNOW_ROLE_MAX])
{
	snprintf(buf, SNOW_ROLE_MAX, "%s_%s", w->params.database, writes ? "RW" : "RO");
	return buf;
}

void snow_text_database(const struct rv_snowflake_warehouse *w, struct snow_text *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;

	rv_snowflake_identifier(&body, w->params.database);
	set_names(ret, SNOW_IS_DATABASE, body.bytes, "", w->params.database);
	rv_strbuf_printf(&body, " %c", COMMENT_HERE);
	finish(ret, NULL, body.bytes, false);
}

static void schema_text(const struct rv_snowflake_warehouse *w, const char *schema,
			struct snow_text *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;

	rv_snowflake_identifier(&body, w->params.database);
	rv_strbuf_putc(&body, '.');
	rv_snowflake_identifier(&body, schema);
	set_names(ret, SNOW_IS_SCHEMA, body.bytes, schema, schema);
	rv_strbuf_printf(&body, " %c", COMMENT_HERE);
	finish(ret, NULL, body.bytes, false);
}

void snow_text_house(const struct rv_snowflake_warehouse *w, struct snow_text *ret)
{
	schema_text(w, SNOW_HOUSE, ret);
}

void snow_text_schema(const struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
		      struct snow_text *ret)
{
	char name[RV_STREAM_PLACE_MAX];

	schema_text(w, snow_schema_name(stream, name), ret);
}

static void add_lake_url(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w, const char *folder)
{
	const char *prefix = w->params.lake_prefix;
	RV_CLEANUP(rv_free_p) char *url = rv_asprintf("s3://%s/%s%s%s/", w->params.bucket, prefix,
						      prefix[0] ? "/" : "", folder);

	snow_add_literal(sql, url);
}

/* Never OR REPLACE: the external id would change, which AWS's side trusts. */
void snow_text_integration(const struct rv_snowflake_warehouse *w, struct snow_text *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;

	rv_snowflake_identifier(&body, w->params.storage_integration);
	set_names(ret, SNOW_IS_INTEGRATION, body.bytes, "", w->params.storage_integration);
	rv_strbuf_puts(&body, "\n  TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE\n"
			      "  STORAGE_AWS_ROLE_ARN = ");
	snow_add_literal(&body, w->params.storage_role_arn);
	rv_strbuf_puts(&body, "\n  STORAGE_ALLOWED_LOCATIONS = (");
	add_lake_url(&body, w, "data");
	rv_strbuf_puts(&body, ", ");
	add_lake_url(&body, w, "loads");
	rv_strbuf_printf(&body, ")\n  %c", COMMENT_HERE);
	finish(ret, NULL, body.bytes, false);
}

static void house_names(const struct rv_snowflake_warehouse *w, enum snow_kind kind,
			const char *plain, struct rv_strbuf *body, struct snow_text *ret)
{
	snow_add_house(body, w, plain);
	set_names(ret, kind, body->bytes, SNOW_HOUSE, plain);
}

static void stage_text(const struct rv_snowflake_warehouse *w, const char *name, const char *folder,
		       struct snow_text *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;

	house_names(w, SNOW_IS_STAGE, name, &body, ret);
	rv_strbuf_puts(&body, "\n  URL = ");
	add_lake_url(&body, w, folder);
	rv_strbuf_puts(&body, "\n  STORAGE_INTEGRATION = ");
	rv_snowflake_identifier(&body, w->params.storage_integration);
	rv_strbuf_printf(&body, "\n  %c", COMMENT_HERE);
	finish(ret, NULL, body.bytes, false);
}

void snow_text_stage(const struct rv_snowflake_warehouse *w, struct snow_text *ret)
{
	stage_text(w, SNOW_STAGE, "data", ret);
}

void snow_text_loads_stage(const struct rv_snowflake_warehouse *w, struct snow_text *ret)
{
	stage_text(w, SNOW_LOADS_STAGE, "loads", ret);
}

/* One record a line; a record with a key twice must not cost its file, and no byte is guessed at. */
void snow_text_format(const struct rv_snowflake_warehouse *w, struct snow_text *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;

	house_names(w, SNOW_IS_FORMAT, SNOW_FORMAT, &body, ret);
	rv_strbuf_printf(&body,
			 "\n  TYPE = JSON COMPRESSION = AUTO STRIP_OUTER_ARRAY = FALSE "
			 "ALLOW_DUPLICATE = TRUE\n  STRIP_NULL_VALUES = FALSE ENABLE_OCTAL = FALSE "
			 "IGNORE_UTF8_ERRORS = FALSE\n  %c", COMMENT_HERE);
	finish(ret, NULL, body.bytes, true);
}

/* ---- tables ---- */

struct listing {
	struct rv_strbuf *sql;
	unsigned count;
};

static void add_definition(void *arg, const char *name, const char *type, bool not_null)
{
	struct listing *listing = arg;

	rv_strbuf_printf(listing->sql, "%s  \"%s\" %s%s", listing->count++ ? ",\n" : "", name, type,
			 not_null ? " NOT NULL" : "");
}

static void add_definitions(struct rv_strbuf *sql, const struct rv_stream *stream,
			    enum snow_object object)
{
	struct listing listing = { sql, 0 };

	rv_strbuf_puts(sql, " (\n");
	snow_each_column(stream, object, add_definition, &listing);
	rv_strbuf_puts(sql, ")");
}

void snow_each_column(const struct rv_stream *stream, enum snow_object object,
		      void (*each)(void *arg, const char *name, const char *type, bool not_null),
		      void *arg)
{
	static const struct {
		const char *name, *type;
		bool not_null;
	} ledger[] = {
		{ "STREAM_ID", "VARCHAR", true },
		{ "STREAM", "VARCHAR", true },
		{ "FILE_NAME", "VARCHAR", true },
		{ "BYTES", "NUMBER(38,0)", false },
		{ "STATE", "VARCHAR", true },
		{ "ROWS_LOADED", "NUMBER(38,0)", false },
		{ "ROWS_PARSED", "NUMBER(38,0)", false },
		{ "ERRORS", "NUMBER(38,0)", false },
		{ "FIRST_ERROR", "VARCHAR", false },
		{ "FIRST_ERROR_LINE", "NUMBER(38,0)", false },
		{ "FIRST_ERROR_COLUMN", "VARCHAR", false },
		{ "SUBMITTED_AT", "TIMESTAMP_LTZ", false },
		{ "LOADED_AT", "TIMESTAMP_LTZ", false },
		{ "VIA", "VARCHAR", false },
		{ "RETIRED_ROWS", "NUMBER(38,0)", false },
	};

	if (!stream) {
		for (size_t i = 0; i < sizeof(ledger) / sizeof(*ledger); i++)
			each(arg, ledger[i].name, ledger[i].type, ledger[i].not_null);
		return;
	}
	if (object == SNOW_RAW)
		each(arg, "RECORD", "VARIANT", true);
	for (size_t i = 0; object != SNOW_RAW && i < stream->columns_count; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
		char type[SNOW_TYPE_MAX];

		snow_add_column(&name, stream->columns[i].name);
		rv_strbuf_truncate(&name, name.len - 1);
		each(arg, name.bytes + 1, snow_type(&stream->columns[i], type), false);
	}
	each(arg, "FILE_NAME", "VARCHAR", true);
	each(arg, "FILE_ROW", "NUMBER(38,0)", true);
	each(arg, "LOADED_AT", "TIMESTAMP_LTZ", true);
	if (object != SNOW_RAW)
		each(arg, SNOW_DELETED, "BOOLEAN", true);
}

void snow_text_ledger(const struct rv_snowflake_warehouse *w, struct snow_text *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;

	house_names(w, SNOW_IS_TABLE, SNOW_LEDGER, &body, ret);
	add_definitions(&body, NULL, SNOW_RAW);
	rv_strbuf_printf(&body, "\n  %c", COMMENT_HERE);
	finish(ret, NULL, body.bytes, false);
}

/* The type is part of the signature, and precision would be lost in one of another scale. */
void snow_text_policy(const struct rv_snowflake_warehouse *w, const struct rv_column *column,
		      struct snow_text *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf plain = RV_STRBUF_INIT;
	char type[SNOW_TYPE_MAX], role[SNOW_ROLE_MAX];

	snow_type(column, type);
	rv_strbuf_puts(&plain, "MASK_");
	for (const char *p = type; *p; p++)
		if (*p != ')')
			rv_strbuf_putc(&plain, *p == '(' || *p == ',' ? '_' : *p);
	house_names(w, SNOW_IS_POLICY, plain.bytes, &body, ret);
	rv_strbuf_printf(&body, " AS (VAL %s) RETURNS %s ->\n  CASE WHEN ", type, type);
	const char *role_sees = w->params.makes_roles ? snow_role(w, true, role) : w->params.role;

	if (role_sees) {
		rv_strbuf_puts(&body, "IS_ROLE_IN_SESSION(");
		snow_add_literal(&body, role_sees);
		rv_strbuf_puts(&body, ")");
	} else {
		rv_strbuf_puts(&body, "FALSE");
	}
	rv_strbuf_printf(&body, " THEN VAL ELSE %s END\n  %c",
			 column->type == RV_COLUMN_STRING ? "'***'" : "NULL", COMMENT_HERE);
	finish(ret, NULL, body.bytes, false);
}

static void add_cluster_item(struct rv_strbuf *sql, const char *item)
{
	const char *open = strchr(item, '(');

	if (!open) {
		snow_add_column(sql, item);
		return;
	}
	RV_CLEANUP(rv_free_p) char *column = rv_strndup(open + 1, strcspn(open + 1, ")"));

	rv_strbuf_puts(sql, item[0] == 'd' ? "TO_DATE(" : "DATE_TRUNC('HOUR', ");
	snow_add_column(sql, column);
	rv_strbuf_putc(sql, ')');
}

/* By the contract's columns where there are tables of them, else by when it came. */
void snow_add_cluster(struct rv_strbuf *sql, const struct rv_stream *stream, enum snow_object object)
{
	enum snow_object typed = snow_has_clean(stream) ? SNOW_CLEAN : SNOW_NEWEST;

	if (!stream->cluster_by.count)
		return;
	if (object == SNOW_RAW && !snow_has_layers(stream))
		rv_strbuf_puts(sql, "TO_DATE(\"LOADED_AT\")");
	if (object != typed || !snow_has_layers(stream))
		return;
	for (size_t i = 0; i < stream->cluster_by.count; i++) {
		rv_strbuf_puts(sql, i ? ", " : "");
		add_cluster_item(sql, stream->cluster_by.items[i]);
	}
}

static void add_cluster_clause(struct rv_strbuf *body, const struct rv_stream *stream,
			       enum snow_object object)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf by = RV_STRBUF_INIT;

	snow_add_cluster(&by, stream, object);
	if (by.len)
		rv_strbuf_printf(body, "\n  CLUSTER BY (%s)", by.bytes);
}

/* ---- loading ---- */

void snow_add_copy(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		   const struct rv_stream *stream)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf format = RV_STRBUF_INIT;

	rv_strbuf_puts(sql, "COPY INTO ");
	snow_add_object(sql, w, stream, SNOW_RAW);
	rv_strbuf_puts(sql, " (\"RECORD\", \"FILE_NAME\", \"FILE_ROW\", \"LOADED_AT\")\n"
			    "  FROM (SELECT $1, ");
	snow_add_file_name(sql, w);
	rv_strbuf_puts(sql, ", METADATA$FILE_ROW_NUMBER, METADATA$START_SCAN_TIME FROM ");
	snow_add_location(sql, w, stream);
	rv_strbuf_puts(sql, ")\n  FILE_FORMAT = (FORMAT_NAME = ");
	snow_add_house(&format, w, SNOW_FORMAT);
	snow_add_literal(sql, format.bytes);
	rv_strbuf_putc(sql, ')');
}

/* One bad record must not cost its neighbours. */
void snow_add_pipe_copy(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			const struct rv_stream *stream)
{
	snow_add_copy(sql, w, stream);
	rv_strbuf_puts(sql, "\n  ON_ERROR = CONTINUE");
}

static void add_pipe(struct rv_strbuf *body, const struct rv_snowflake_warehouse *w,
		     const struct rv_stream *stream)
{
	if (!stream->pipe_notify)
		rv_strbuf_puts(body, "\n  AUTO_INGEST = TRUE");
	if (!stream->pipe_notify && w->params.sns_topic) {
		rv_strbuf_puts(body, " AWS_SNS_TOPIC = ");
		snow_add_literal(body, w->params.sns_topic);
	}
	rv_strbuf_printf(body, "\n  %c\n  AS ", COMMENT_HERE);
	snow_add_pipe_copy(body, w, stream);
}

void snow_add_ledger_fill(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			  const struct rv_stream *stream)
{
	char name[RV_STREAM_TEXT];

	rv_strbuf_puts(sql, "MERGE INTO ");
	snow_add_house(sql, w, SNOW_LEDGER);
	rv_strbuf_puts(sql, " AS L\nUSING (SELECT \"FILE_NAME\", COUNT(*) AS \"ROWS\", MIN(\"LOADED_AT\") "
			    "AS \"LOADED_AT\" FROM ");
	snow_add_object(sql, w, stream, SNOW_RAW);
	rv_strbuf_puts(sql, " GROUP BY \"FILE_NAME\") AS R\nON L.\"STREAM_ID\" = ");
	snow_add_literal(sql, stream->id);
	rv_strbuf_puts(sql, " AND L.\"FILE_NAME\" = R.\"FILE_NAME\"\n"
			    "WHEN NOT MATCHED THEN INSERT (\"STREAM_ID\", \"STREAM\", \"FILE_NAME\", "
			    "\"STATE\", \"ROWS_LOADED\", \"LOADED_AT\", \"VIA\") VALUES (");
	snow_add_literal(sql, stream->id);
	rv_strbuf_puts(sql, ", ");
	snow_add_literal(sql, rv_stream_text(stream, name));
	rv_strbuf_puts(sql, ", R.\"FILE_NAME\", 'loaded', R.\"ROWS\", R.\"LOADED_AT\", ");
	rv_strbuf_puts(sql, stream->pipe_notify ? "'pipe')" : "'auto')");
}

/* ---- layers ---- */

unsigned snow_lag_minutes(const struct rv_stream *stream)
{
	int64_t minutes = stream->monitor_freshness_ms / 3 / 60000;

	return minutes < 1 ? 1 : minutes > 10080 ? 10080 : (unsigned)minutes;
}

static void add_warehouse(struct rv_strbuf *body, const struct rv_snowflake_warehouse *w)
{
	rv_strbuf_puts(body, "WAREHOUSE = ");
	rv_snowflake_identifier(body, w->params.warehouse);
}

/* Lag and warehouse are no part of the shape: they are altered, not made again. */
static void add_dynamic(struct rv_strbuf *body, const struct rv_snowflake_warehouse *w,
			const struct rv_stream *stream, enum snow_object object)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf raw = RV_STRBUF_INIT;

	snow_add_object(&raw, w, stream, SNOW_RAW);
	add_cluster_clause(body, stream, object);
	rv_strbuf_printf(body, "\n  %c\n  AS ", COMMENT_HERE);
	if (object == SNOW_CLEAN)
		snow_add_clean(body, stream, raw.bytes);
	else
		snow_add_newest(body, stream, raw.bytes);
}

/* Puts what is not part of the shape behind the name. */
static void add_setting(char **statement, size_t name_end, const struct rv_snowflake_warehouse *w,
			const struct rv_stream *stream, enum snow_object object)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	unsigned minutes = snow_lag_minutes(stream);
	char *text = *statement;

	rv_strbuf_add(&sql, text, name_end);
	rv_strbuf_puts(&sql, "\n  ");
	if (object == SNOW_MERGE || object == SNOW_RETAIN) {
		add_warehouse(&sql, w);
		if (object == SNOW_MERGE)
			rv_strbuf_printf(&sql, " SCHEDULE = '%u MINUTE'", minutes);
		else /* at a time of night that is different for each stream, and always the same */
			rv_strbuf_printf(&sql, " SCHEDULE = 'USING CRON %u %u * * * UTC'",
					 (unsigned)(XXH3_64bits(stream->name, strlen(stream->name)) % 60),
					 (unsigned)(XXH3_64bits(stream->business,
								strlen(stream->business)) % 5));
	} else {
		rv_strbuf_printf(&sql, "TARGET_LAG = '%u minute%s' ", minutes, minutes == 1 ? "" : "s");
		add_warehouse(&sql, w);
	}
	rv_strbuf_puts(&sql, text + name_end);
	free(text);
	*statement = rv_strbuf_take(&sql);
}

static void add_view(struct rv_strbuf *body, const struct rv_snowflake_warehouse *w,
		     const struct rv_stream *stream, enum snow_object object)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf raw = RV_STRBUF_INIT;

	rv_strbuf_printf(body, "\n  %c\n  AS ", COMMENT_HERE);
	if (object == SNOW_LATEST) {
		rv_strbuf_puts(body, "SELECT ");
		snow_add_columns(body, stream);
		rv_strbuf_puts(body, "\nFROM ");
		snow_add_object(body, w, stream, SNOW_NEWEST);
		rv_strbuf_puts(body, " WHERE NOT \"" SNOW_DELETED "\"");
		return;
	}
	snow_add_object(&raw, w, stream, SNOW_RAW);
	snow_add_refused(body, stream, raw.bytes);
}

/* ---- latest by tasks ---- */

static void add_same_key(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	for (size_t i = 0; i < stream->key.count; i++) {
		rv_strbuf_puts(sql, i ? " AND L." : "L.");
		snow_add_column(sql, stream->key.items[i]);
		rv_strbuf_puts(sql, " = W.");
		snow_add_column(sql, stream->key.items[i]);
	}
}

/* Whether W stands in front of L, or is the same row: the maximum of (order_by nulls lowest, origin
 * object, row), so that rows that come twice, or late, change nothing. */
static void add_not_older(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	static const char origin[] = "(W.\"FILE_NAME\" > L.\"FILE_NAME\" OR (W.\"FILE_NAME\" = "
				     "L.\"FILE_NAME\" AND W.\"FILE_ROW\" >= L.\"FILE_ROW\"))";
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf o = RV_STRBUF_INIT;

	if (!stream->order_by) {
		rv_strbuf_puts(sql, origin);
		return;
	}
	snow_add_column(&o, stream->order_by);
	rv_strbuf_printf(sql,
			 "(W.%s > L.%s OR (L.%s IS NULL AND W.%s IS NOT NULL) OR "
			 "(W.%s IS NOT DISTINCT FROM L.%s AND %s))",
			 o.bytes, o.bytes, o.bytes, o.bytes, o.bytes, o.bytes, origin);
}

static void add_update(void *arg, const char *name, const char *type RV_UNUSED, bool not_null RV_UNUSED)
{
	struct listing *l = arg;

	rv_strbuf_printf(l->sql, "%s\"%s\" = W.\"%s\"", l->count++ ? ", " : "", name, name);
}

static void add_name(void *arg, const char *name, const char *type RV_UNUSED, bool not_null RV_UNUSED)
{
	struct listing *l = arg;

	rv_strbuf_printf(l->sql, "%s\"%s\"", l->count++ ? ", " : "", name);
}

static void add_value_of(void *arg, const char *name, const char *type RV_UNUSED,
			 bool not_null RV_UNUSED)
{
	struct listing *l = arg;

	rv_strbuf_printf(l->sql, "%sW.\"%s\"", l->count++ ? ", " : "", name);
}

void snow_add_merge(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		    const struct rv_stream *stream, enum snow_object from)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf source = RV_STRBUF_INIT;
	struct listing updates = { sql, 0 }, names = { sql, 0 }, values = { sql, 0 };

	snow_add_object(&source, w, stream, from);
	rv_strbuf_puts(sql, "MERGE INTO ");
	snow_add_object(sql, w, stream, SNOW_NEWEST);
	rv_strbuf_puts(sql, " AS L\nUSING (");
	snow_add_newest(sql, stream, source.bytes);
	rv_strbuf_puts(sql, ") AS W\nON ");
	add_same_key(sql, stream);
	rv_strbuf_puts(sql, "\nWHEN MATCHED AND ");
	add_not_older(sql, stream);
	rv_strbuf_puts(sql, " THEN UPDATE SET ");
	snow_each_column(stream, SNOW_NEWEST, add_update, &updates);
	rv_strbuf_puts(sql, "\nWHEN NOT MATCHED THEN INSERT (");
	snow_each_column(stream, SNOW_NEWEST, add_name, &names);
	rv_strbuf_puts(sql, ") VALUES (");
	snow_each_column(stream, SNOW_NEWEST, add_value_of, &values);
	rv_strbuf_putc(sql, ')');
}

/* "3 months" */
static void add_cutoff(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	/* The task of a stream that keeps everything is only asked for its name, to be removed. */
	const char *text = stream->retention_warehouse ? stream->retention_warehouse : "0 days";
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits + strspn(text + digits, " ");
	size_t len = strlen(unit);

	if (len && unit[len - 1] == 's')
		len--;
	rv_strbuf_puts(sql, "DATEADD(");
	for (size_t i = 0; i < len; i++)
		rv_strbuf_putc(sql, (char)(unit[i] - 'a' + 'A'));
	rv_strbuf_printf(sql, ", -%.*s, CURRENT_TIMESTAMP())", (int)digits, text);
}

/* Whole files leave raw, so that it can be told what is missing from what is gone on purpose; the
 * ledger has them before they go. */
static void add_retention(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			  const struct rv_stream *stream)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf raw = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf ledger = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf id = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf cutoff = RV_STRBUF_INIT;
	char name[RV_STREAM_TEXT];

	snow_add_object(&raw, w, stream, SNOW_RAW);
	snow_add_house(&ledger, w, SNOW_LEDGER);
	snow_add_literal(&id, stream->id);
	add_cutoff(&cutoff, stream);
	rv_stream_text(stream, name);
	rv_strbuf_printf(sql,
			 "BEGIN\nBEGIN TRANSACTION;\n"
			 "MERGE INTO %s AS L\n"
			 "USING (SELECT \"FILE_NAME\", COUNT(*) AS \"ROWS\", MIN(\"LOADED_AT\") AS "
			 "\"LOADED_AT\" FROM %s GROUP BY \"FILE_NAME\" HAVING MAX(\"LOADED_AT\") < %s) AS R\n"
			 "ON L.\"STREAM_ID\" = %s AND L.\"FILE_NAME\" = R.\"FILE_NAME\"\n"
			 "WHEN MATCHED THEN UPDATE SET \"STATE\" = 'retired', \"RETIRED_ROWS\" = R.\"ROWS\"\n",
			 ledger.bytes, raw.bytes, cutoff.bytes, id.bytes);
	rv_strbuf_printf(sql,
			 "WHEN NOT MATCHED THEN INSERT (\"STREAM_ID\", \"STREAM\", \"FILE_NAME\", "
			 "\"STATE\", \"ROWS_LOADED\", \"RETIRED_ROWS\", \"LOADED_AT\", \"VIA\") VALUES (%s, "
			 "'%s', R.\"FILE_NAME\", 'retired', R.\"ROWS\", R.\"ROWS\", R.\"LOADED_AT\", '%s');\n"
			 "DELETE FROM %s WHERE \"FILE_NAME\" IN (SELECT \"FILE_NAME\" FROM %s WHERE "
			 "\"STREAM_ID\" = %s AND \"STATE\" = 'retired');\nCOMMIT;\nEND",
			 id.bytes, name, stream->pipe_notify ? "pipe" : "auto", raw.bytes, ledger.bytes,
			 id.bytes);
}

static void add_task(struct rv_strbuf *body, const struct rv_snowflake_warehouse *w,
		     const struct rv_stream *stream, enum snow_object object)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf source = RV_STRBUF_INIT;

	rv_strbuf_printf(body, "\n  %c\n", COMMENT_HERE);
	if (object == SNOW_RETAIN) {
		rv_strbuf_puts(body, "  AS\n");
		add_retention(body, w, stream);
		return;
	}
	snow_add_object(&source, w, stream, SNOW_NEW);
	rv_strbuf_puts(body, "  WHEN SYSTEM$STREAM_HAS_DATA(");
	snow_add_literal(body, source.bytes);
	rv_strbuf_puts(body, ")\n  AS\n");
	snow_add_merge(body, w, stream, SNOW_NEW);
}

/* ---- objects of a stream ---- */

bool snow_wants(const struct rv_stream *stream, enum snow_object object)
{
	switch (object) {
	case SNOW_RAW:
	case SNOW_PIPE:
		return true;
	case SNOW_CLEAN:
		return snow_has_clean(stream);
	case SNOW_LATEST:
	case SNOW_NEWEST:
		return snow_has_latest(stream);
	case SNOW_REFUSED:
		return snow_has_layers(stream);
	case SNOW_NEW:
	case SNOW_MERGE:
		return snow_is_merged(stream);
	case SNOW_RETAIN:
		return stream->retention_warehouse != NULL;
	case SNOW_OBJECTS:
		break;
	}
	rv_bug("object %d", (int)object);
}

enum snow_kind snow_object_kind(const struct rv_stream *stream, enum snow_object object)
{
	static const enum snow_kind kinds[SNOW_OBJECTS] = {
		[SNOW_RAW] = SNOW_IS_TABLE,    [SNOW_CLEAN] = SNOW_IS_DYNAMIC,
		[SNOW_LATEST] = SNOW_IS_VIEW,  [SNOW_REFUSED] = SNOW_IS_VIEW,
		[SNOW_NEWEST] = SNOW_IS_DYNAMIC, [SNOW_PIPE] = SNOW_IS_PIPE,
		[SNOW_NEW] = SNOW_IS_STREAM,   [SNOW_MERGE] = SNOW_IS_TASK,
		[SNOW_RETAIN] = SNOW_IS_TASK,
	};

	return object == SNOW_NEWEST && snow_is_merged(stream) ? SNOW_IS_TABLE : kinds[object];
}

static void add_body(struct rv_strbuf *body, const struct rv_snowflake_warehouse *w,
		     const struct rv_stream *stream, enum snow_object object, enum snow_kind kind)
{
	switch (kind) {
	case SNOW_IS_TABLE:
		add_definitions(body, stream, object);
		add_cluster_clause(body, stream, object);
		rv_strbuf_printf(body, "\n  %c", COMMENT_HERE);
		break;
	case SNOW_IS_DYNAMIC:
		add_dynamic(body, w, stream, object);
		break;
	case SNOW_IS_VIEW:
		add_view(body, w, stream, object);
		break;
	case SNOW_IS_PIPE:
		add_pipe(body, w, stream);
		break;
	case SNOW_IS_STREAM: /* and what raw holds already comes first */
		rv_strbuf_puts(body, " ON TABLE ");
		snow_add_object(body, w, stream, SNOW_RAW);
		rv_strbuf_printf(body, "\n  APPEND_ONLY = TRUE SHOW_INITIAL_ROWS = TRUE\n  %c",
				 COMMENT_HERE);
		break;
	case SNOW_IS_TASK:
		add_task(body, w, stream, object);
		break;
	default:
		rv_bug("kind %d", (int)kind);
	}
}

void snow_text_object(const struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
		      enum snow_object object, struct snow_text *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;
	char schema[RV_STREAM_PLACE_MAX], plain[RV_STREAM_PLACE_MAX];
	enum snow_kind kind = snow_object_kind(stream, object);
	bool settles = kind == SNOW_IS_DYNAMIC || kind == SNOW_IS_TASK;

	snow_add_object(&body, w, stream, object);
	set_names(ret, kind, body.bytes, snow_schema_name(stream, schema),
		  snow_object_name(stream, object, plain));
	size_t name_len = body.len;

	add_body(&body, w, stream, object, kind);
	if (object == SNOW_RAW)
		finish_raw(ret, stream, body.bytes);
	else if (kind == SNOW_IS_TABLE)
		finish_newest(ret, stream, body.bytes);
	else
		finish(ret, stream, body.bytes, kind != SNOW_IS_TABLE);
	if (!settles)
		return;
	add_setting(&ret->create, strlen("CREATE  IF NOT EXISTS ") + strlen(snow_kind_word(kind)) + name_len,
		    w, stream, object);
	add_setting(&ret->replace, strlen("CREATE OR REPLACE  ") + strlen(snow_kind_word(kind)) + name_len,
		    w, stream, object);
}

void snow_refresh(const struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
		  void (*each)(void *arg, const char *sql), void *arg)
{
	static const enum snow_object objects[] = { SNOW_NEWEST, SNOW_CLEAN };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	for (size_t i = 0; i < 2; i++) {
		if (!snow_wants(stream, objects[i]))
			continue;
		rv_strbuf_clear(&sql);
		if (snow_object_kind(stream, objects[i]) == SNOW_IS_TABLE) {
			snow_add_merge(&sql, w, stream, SNOW_NEW);
		} else {
			rv_strbuf_puts(&sql, "ALTER DYNAMIC TABLE ");
			snow_add_object(&sql, w, stream, objects[i]);
			rv_strbuf_puts(&sql, " REFRESH");
		}
		each(arg, sql.bytes);
	}
}
