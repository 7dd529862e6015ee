/*
 * The contract as SQL: what cut.c does to the bytes of a record, done by Snowflake to a VARIANT. The
 * same expressions stand behind clean, latest and refused, so that raw = clean + duplicates + refused.
 *
 * Nothing here may ever raise an error, or one record would stop a table from being brought up to
 * date: every conversion is a TRY_ one, and arithmetic is guarded.
 *
 * A VARIANT keeps values, not spelling. So, other than in cut.c: the text of a number is Snowflake's
 * (1.10 is 1.1); numbers of more than 38 digits and those with an exponent became doubles before
 * anybody could look, and are refused where digits may be missing; of duplicate keys and of records
 * that differ in spelling alone nothing is seen; json columns hold values; times with `format: %s`
 * are of the years 1 to 9999; what is refused first of several unknown fields goes by name.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "warehouse/snowflake_contract.h"

#define NUMBER_TEXT "'^[-+]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$'"
/* Digits of a double that Snowflake writes; one that uses all of them may have had more. */
#define DOUBLE_DIGITS 15

/* ---- paths ---- */

static bool is_index(const char *piece)
{
	size_t len = strlen(piece);

	return len > 0 && len < 10 && strspn(piece, "0123456789") == len &&
	       (piece[0] != '0' || len == 1);
}

/* `sql` holds the value so far and becomes that of `piece` in it. A variant that is no array has no
 * element, and one that is no object no member: both are null, not errors. */
static void add_piece(struct rv_strbuf *sql, const char *piece)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT;

	snow_add_literal(&key, piece);
	if (!is_index(piece)) {
		rv_strbuf_printf(sql, "[%s]", key.bytes);
		return;
	}
	RV_CLEANUP(rv_free_p) char *before = rv_strdup(sql->bytes);

	rv_strbuf_clear(sql);
	rv_strbuf_printf(sql, "COALESCE(%s[%s], %s[%s])", before, key.bytes, before, piece);
}

/* The next piece of a path, decoded, into `ret`; what is behind it, or NULL at the end. */
static const char *next_piece(const char *path, bool pointer, struct rv_strbuf *ret)
{
	rv_strbuf_clear(ret);
	for (; *path && *path != (pointer ? '/' : '.'); path++) {
		if (pointer && *path == '~' && (path[1] == '0' || path[1] == '1'))
			rv_strbuf_putc(ret, *++path == '0' ? '~' : '/');
		else
			rv_strbuf_putc(ret, *path);
	}
	return *path ? path + 1 : NULL;
}

static const char *path_of(const struct rv_column *column, bool *ret_pointer)
{
	const char *path = column->from ? column->from : column->name;

	*ret_pointer = path[0] == '/';
	return path + *ret_pointer;
}

static void add_value(struct rv_strbuf *sql, const struct rv_column *column)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf value = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf piece = RV_STRBUF_INIT;
	bool pointer;

	rv_strbuf_puts(&value, "\"RECORD\"");
	for (const char *path = path_of(column, &pointer); path;) {
		path = next_piece(path, pointer, &piece);
		add_piece(&value, piece.bytes);
	}
	rv_strbuf_add(sql, value.bytes, value.len);
}

/* ---- one column ----
 *
 * V$n is its value as a variant, T$n as text, null where there is none to take apart. */

static void add_text(struct rv_strbuf *sql, const struct rv_column *column, size_t n)
{
	bool is_string = column->type == RV_COLUMN_STRING;

	/* An empty field of a CSV row is no value of any other type. */
	rv_strbuf_printf(sql, "CASE WHEN TYPEOF(\"V$%zu\") IN ('OBJECT', 'ARRAY') THEN NULL ELSE "
			      "%s\"V$%zu\"::VARCHAR%s END",
			 n, is_string ? "" : "NULLIF(", n, is_string ? "" : ", '')");
}

/* Digits in front of the point and behind it that count, of a number without exponent. */
#define WHOLE_DIGITS "LENGTH(LTRIM(SPLIT_PART(\"T$%zu\", '.', 1), '+-0'))"
#define FRACTION_DIGITS "LENGTH(RTRIM(SPLIT_PART(\"T$%zu\", '.', 2), '0'))"
#define HAS_EXPONENT "CONTAINS(LOWER(\"T$%zu\"), 'e')"
/* Digits of a double that are not zeros at its ends. */
#define MANTISSA_DIGITS                                                                            \
	"LENGTH(TRIM(REPLACE(SPLIT_PART(LOWER(\"T$%zu\"), 'e', 1), '.', ''), '+-0'))"

/* How many digits behind the point a number with an exponent takes; below 0, it ends in zeros in front of it. */
#define EXPONENT_DECIMALS                                                                          \
	"LENGTH(RTRIM(REPLACE(SPLIT_PART(LOWER(\"T$%zu\"), 'e', 1), '.', ''), '0')) - "            \
	"LENGTH(SPLIT_PART(SPLIT_PART(LOWER(\"T$%zu\"), 'e', 1), '.', 1)) - "                      \
	"TRY_CAST(SPLIT_PART(LOWER(\"T$%zu\"), 'e', 2) AS INTEGER)"

void snow_add_too_fine(struct rv_strbuf *sql, bool exponent, unsigned scale, size_t n)
{
	if (exponent)
		rv_strbuf_printf(sql, HAS_EXPONENT " AND " MANTISSA_DIGITS " > 0 AND " EXPONENT_DECIMALS " > %u",
				 n, n, n, n, n, scale);
	else
		rv_strbuf_printf(sql, "NOT " HAS_EXPONENT " AND " FRACTION_DIGITS " > %u", n, n, scale);
}

static void add_not_a_number(struct rv_strbuf *sql, const char *infinite, size_t n)
{
	/* 1e400 became infinite when it was read */
	rv_strbuf_printf(sql,
			 " WHEN TYPEOF(\"V$%zu\") = 'DOUBLE' AND NOT REGEXP_LIKE(\"T$%zu\", " NUMBER_TEXT
			 ") THEN '%s'",
			 n, n, infinite);
	rv_strbuf_printf(sql,
			 " WHEN LENGTH(\"T$%zu\") > 4096 THEN 'is too long for a number'"
			 " WHEN NOT REGEXP_LIKE(\"T$%zu\", " NUMBER_TEXT ") THEN 'is not a number'",
			 n, n);
}

/* Of a number that has to fit exactly: precision and scale as of a decimal. */
static void add_not_exact(struct rv_strbuf *sql, unsigned precision, unsigned scale, size_t n)
{
	const char *lossy = scale ? "has more decimals than the column" : "is not whole";

	rv_strbuf_printf(sql,
			 " WHEN TYPEOF(\"V$%zu\") = 'DOUBLE' AND " MANTISSA_DIGITS " >= %d"
			 " THEN 'may have lost digits as a double'",
			 n, n, DOUBLE_DIGITS);
	rv_strbuf_printf(sql,
			 " WHEN NOT " HAS_EXPONENT " AND " WHOLE_DIGITS " > %u"
			 " THEN 'has more digits than the column'",
			 n, n, precision - scale);
	rv_strbuf_puts(sql, " WHEN ");
	snow_add_too_fine(sql, false, scale, n);
	rv_strbuf_printf(sql, " THEN '%s'", lossy);
	rv_strbuf_printf(sql,
			 " WHEN TRY_CAST(\"T$%zu\" AS NUMBER(%u,%u)) IS NULL"
			 " THEN 'has more digits than the column'",
			 n, precision, scale);
	rv_strbuf_puts(sql, " WHEN ");
	snow_add_too_fine(sql, true, scale, n);
	rv_strbuf_printf(sql, " THEN '%s'", lossy);
}

static void add_type_faults(struct rv_strbuf *sql, const struct rv_column *column, size_t n)
{
	switch (column->type) {
	case RV_COLUMN_STRING:
	case RV_COLUMN_JSON:
		break;
	case RV_COLUMN_INTEGER:
		add_not_a_number(sql, "has more digits than the column", n);
		add_not_exact(sql, 38, 0, n);
		rv_strbuf_printf(sql,
				 " WHEN TRY_CAST(\"T$%zu\" AS NUMBER(38,0)) NOT BETWEEN "
				 "-9223372036854775808 AND 9223372036854775807 "
				 "THEN 'does not fit into 64 bits'",
				 n);
		break;
	case RV_COLUMN_DECIMAL:
		add_not_a_number(sql, "has more digits than the column", n);
		add_not_exact(sql, column->precision, column->scale, n);
		break;
	case RV_COLUMN_DOUBLE:
		add_not_a_number(sql, "is beyond what a double holds", n);
		rv_strbuf_printf(sql,
				 " WHEN COALESCE(ABS(TRY_CAST(\"T$%zu\" AS DOUBLE)) > "
				 "1.7976931348623157e308, TRUE) "
				 "THEN 'is beyond what a double holds'",
				 n);
		break;
	case RV_COLUMN_BOOLEAN:
		rv_strbuf_printf(sql,
				 " WHEN \"T$%zu\" NOT IN ('true', 'True', 'TRUE', '1', 'false', 'False', "
				 "'FALSE', '0') THEN 'is neither true nor false'",
				 n);
		break;
	case RV_COLUMN_DATE:
	case RV_COLUMN_TIMESTAMP:
		snow_add_time_faults(sql, column, n);
		break;
	}
}

/* What is wrong with a null, as an expression. */
static void add_null_fault(struct rv_strbuf *sql, const struct rv_stream *stream,
			   const struct rv_column *column, size_t n)
{
	if (rv_string_list_has(&stream->key, column->name))
		rv_strbuf_puts(sql, "'is part of the key and null'");
	else if (column->required)
		rv_strbuf_printf(sql, "CASE WHEN \"V$%zu\" IS NULL THEN 'is required and not there' "
				      "ELSE 'is required and null' END", n);
	else
		rv_strbuf_puts(sql, "NULL");
}

/* Why the value is none of the column's, or null. */
static void add_fault(struct rv_strbuf *sql, const struct rv_stream *stream,
		      const struct rv_column *column, size_t n)
{
	if (column->type == RV_COLUMN_JSON) {
		rv_strbuf_printf(sql, "CASE WHEN COALESCE(TYPEOF(\"V$%zu\"), 'NULL_VALUE') = "
				      "'NULL_VALUE' THEN ", n);
	} else {
		rv_strbuf_printf(sql,
				 "CASE WHEN TYPEOF(\"V$%zu\") = 'OBJECT' THEN 'is an object'"
				 " WHEN TYPEOF(\"V$%zu\") = 'ARRAY' THEN 'is an array'"
				 " WHEN \"T$%zu\" IS NULL THEN ",
				 n, n, n);
	}
	add_null_fault(sql, stream, column, n);
	add_type_faults(sql, column, n);
	rv_strbuf_puts(sql, " ELSE NULL END");
}

static void add_typed(struct rv_strbuf *sql, const struct rv_column *column, size_t n)
{
	switch (column->type) {
	case RV_COLUMN_STRING:
		rv_strbuf_printf(sql, "\"T$%zu\"", n);
		break;
	case RV_COLUMN_INTEGER:
		rv_strbuf_printf(sql, "TRY_CAST(\"T$%zu\" AS NUMBER(19,0))", n);
		break;
	case RV_COLUMN_DECIMAL:
		rv_strbuf_printf(sql, "TRY_CAST(\"T$%zu\" AS NUMBER(%u,%u))", n, column->precision,
				 column->scale);
		break;
	case RV_COLUMN_DOUBLE:
		rv_strbuf_printf(sql, "TRY_CAST(\"T$%zu\" AS DOUBLE)", n);
		break;
	case RV_COLUMN_BOOLEAN:
		rv_strbuf_printf(sql, "CASE WHEN \"T$%zu\" IN ('true', 'True', 'TRUE', '1') THEN TRUE "
				      "WHEN \"T$%zu\" IN ('false', 'False', 'FALSE', '0') THEN FALSE END",
				 n, n);
		break;
	case RV_COLUMN_DATE:
	case RV_COLUMN_TIMESTAMP:
		snow_add_time(sql, column, n);
		break;
	case RV_COLUMN_JSON:
		rv_strbuf_printf(sql, "CASE WHEN TYPEOF(\"V$%zu\") = 'NULL_VALUE' THEN NULL ELSE "
				      "\"V$%zu\" END", n, n);
		break;
	}
}

/* ---- what duplicates have in common ---- */

enum identity { IDENTITY_NONE, IDENTITY_CONTENT, IDENTITY_COLUMNS, IDENTITY_STAMP };

static enum identity identity_of(const struct rv_stream *stream)
{
	switch (stream->dedup) {
	case RV_DEDUP_NONE:
		return IDENTITY_NONE;
	case RV_DEDUP_CONTENT:
		return IDENTITY_CONTENT;
	case RV_DEDUP_COLUMNS:
		return IDENTITY_COLUMNS;
	case RV_DEDUP_DEFAULT:
		/* Key and content: the same content has the same key. */
		return stream->stamp != RV_STAMP_NONE ? IDENTITY_STAMP
		       : stream->key.count	      ? IDENTITY_CONTENT
						      : IDENTITY_NONE;
	}
	rv_bug("dedup %d", (int)stream->dedup);
}

static void add_partition(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	switch (identity_of(stream)) {
	case IDENTITY_NONE:
		break;
	case IDENTITY_CONTENT:
		/* Two records of the same content have two stamps. */
		if (stream->stamp != RV_STAMP_NONE)
			rv_strbuf_puts(sql, "SHA2(TO_JSON(OBJECT_DELETE(AS_OBJECT(\"RECORD\"), '_river')))");
		else
			rv_strbuf_puts(sql, "SHA2(TO_JSON(\"RECORD\"))");
		break;
	case IDENTITY_STAMP:
		/* A record that landed before the stream was stamped has only its content. */
		rv_strbuf_puts(sql, "CASE WHEN TYPEOF(\"RECORD\"['_river']['id']) = 'VARCHAR' THEN "
				    "\"RECORD\"['_river']['id']::VARCHAR ELSE "
				    "SHA2(TO_JSON(\"RECORD\")) END");
		break;
	case IDENTITY_COLUMNS:
		for (size_t i = 0; i < stream->dedup_columns.count; i++) {
			rv_strbuf_puts(sql, i ? ", " : "");
			snow_add_column(sql, stream->dedup_columns.items[i]);
		}
		break;
	}
}

/* ---- the whole of it ---- */

/* Names of the fields that the contract has, as an array; a piece may stand in it twice. */
static void add_known_fields(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf piece = RV_STRBUF_INIT;
	bool pointer;

	rv_strbuf_puts(sql, "ARRAY_CONSTRUCT('_river'");
	for (size_t i = 0; i < stream->columns_count; i++) {
		const char *path = path_of(&stream->columns[i], &pointer);

		next_piece(path, pointer, &piece);
		rv_strbuf_puts(sql, ", ");
		snow_add_literal(sql, piece.bytes);
	}
	rv_strbuf_putc(sql, ')');
}

static void add_found(struct rv_strbuf *sql, const struct rv_stream *stream, const char *from)
{
	rv_strbuf_puts(sql, "WITH \"FOUND\" AS (SELECT \"RECORD\", \"FILE_NAME\", \"FILE_ROW\", "
			    "\"LOADED_AT\"");
	for (size_t i = 0; i < stream->columns_count; i++) {
		rv_strbuf_puts(sql, ",\n  ");
		add_value(sql, &stream->columns[i]);
		rv_strbuf_printf(sql, " AS \"V$%zu\"", i + 1);
	}
	rv_strbuf_printf(sql, "\n  FROM %s),\n", from);
	rv_strbuf_puts(sql, "\"TEXT\" AS (SELECT *");
	for (size_t i = 0; i < stream->columns_count; i++) {
		if (stream->columns[i].type == RV_COLUMN_JSON)
			continue;
		rv_strbuf_puts(sql, ",\n  ");
		add_text(sql, &stream->columns[i], i + 1);
		rv_strbuf_printf(sql, " AS \"T$%zu\"", i + 1);
	}
	rv_strbuf_puts(sql, "\n  FROM \"FOUND\"),\n");
}

static void add_judged(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	bool strict = stream->contract == RV_CONTRACT_REJECT;

	rv_strbuf_puts(sql, "\"JUDGED\" AS (SELECT *,\n  CASE WHEN COALESCE(TYPEOF(\"RECORD\"), '') <> "
			    "'OBJECT' THEN 'record'");
	for (size_t i = 0; i < stream->columns_count; i++)
		rv_strbuf_printf(sql, " WHEN \"F$%zu\" IS NOT NULL THEN '%s'", i + 1,
				 stream->columns[i].name);
	rv_strbuf_printf(sql, " ELSE %s END AS \"RIVER$COLUMN\"", strict ? "\"RIVER$FIELD\"" : "NULL");
	rv_strbuf_puts(sql, ",\n  CASE WHEN COALESCE(TYPEOF(\"RECORD\"), '') <> 'OBJECT' THEN "
			    "'is not an object'");
	for (size_t i = 0; i < stream->columns_count; i++)
		rv_strbuf_printf(sql, " WHEN \"F$%zu\" IS NOT NULL THEN \"F$%zu\"", i + 1, i + 1);
	if (strict)
		rv_strbuf_puts(sql, " WHEN \"RIVER$FIELD\" IS NOT NULL THEN "
				    "'is a field the contract does not have'");
	rv_strbuf_puts(sql, " ELSE NULL END AS \"RIVER$REASON\"\n  FROM \"CUT\")\n");
}

void snow_add_contract(struct rv_strbuf *sql, const struct rv_stream *stream, const char *from)
{
	add_found(sql, stream, from);
	const char *last = snow_add_time_parts(sql, stream) ? "PARTS" : "TEXT";

	rv_strbuf_puts(sql, "\"CUT\" AS (SELECT *");
	for (size_t i = 0; i < stream->columns_count; i++) {
		rv_strbuf_puts(sql, ",\n  ");
		add_typed(sql, &stream->columns[i], i + 1);
		rv_strbuf_puts(sql, " AS ");
		snow_add_column(sql, stream->columns[i].name);
		rv_strbuf_puts(sql, ",\n  ");
		add_fault(sql, stream, &stream->columns[i], i + 1);
		rv_strbuf_printf(sql, " AS \"F$%zu\"", i + 1);
	}
	if (stream->contract == RV_CONTRACT_REJECT) {
		rv_strbuf_puts(sql, ",\n  ARRAY_EXCEPT(OBJECT_KEYS(\"RECORD\"), ");
		add_known_fields(sql, stream);
		rv_strbuf_puts(sql, ")[0]::VARCHAR AS \"RIVER$FIELD\"");
	}
	rv_strbuf_printf(sql, "\n  FROM \"%s\"),\n", last);
	add_judged(sql, stream);
}

void snow_add_columns(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	for (size_t i = 0; i < stream->columns_count; i++) {
		snow_add_column(sql, stream->columns[i].name);
		rv_strbuf_puts(sql, ", ");
	}
	rv_strbuf_puts(sql, "\"FILE_NAME\", \"FILE_ROW\", \"LOADED_AT\"");
}

static void add_accepted(struct rv_strbuf *sql, const struct rv_stream *stream, const char *from,
			 const char *which)
{
	snow_add_contract(sql, stream, from);
	rv_strbuf_puts(sql, "SELECT ");
	snow_add_columns(sql, stream);
	rv_strbuf_puts(sql, "\nFROM \"JUDGED\" WHERE \"RIVER$REASON\" IS NULL");
	if (identity_of(stream) == IDENTITY_NONE)
		return;
	rv_strbuf_puts(sql, "\nQUALIFY ROW_NUMBER() OVER (PARTITION BY ");
	add_partition(sql, stream);
	rv_strbuf_printf(sql, " ORDER BY \"FILE_NAME\", \"FILE_ROW\") %s", which);
}

void snow_add_clean(struct rv_strbuf *sql, const struct rv_stream *stream, const char *from)
{
	add_accepted(sql, stream, from, "= 1");
}

bool snow_add_duplicates(struct rv_strbuf *sql, const struct rv_stream *stream, const char *from)
{
	if (identity_of(stream) == IDENTITY_NONE)
		return false;
	add_accepted(sql, stream, from, "> 1");
	return true;
}

static void add_deleted(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	const struct rv_column *column =
		stream->delete_column ? rv_stream_column(stream, stream->delete_column) : NULL;
	bool is_json = column && column->type == RV_COLUMN_JSON;
	char type[SNOW_TYPE_MAX];

	if (!column) {
		rv_strbuf_puts(sql, "FALSE");
		return;
	}
	rv_strbuf_puts(sql, is_json ? "COALESCE(TO_JSON(" : "COALESCE(");
	snow_add_column(sql, column->name);
	rv_strbuf_puts(sql, is_json ? ") = TRY_CAST(" : " = TRY_CAST(");
	snow_add_literal(sql, stream->delete_equals ? stream->delete_equals : "");
	rv_strbuf_printf(sql, " AS %s), FALSE)", is_json ? "VARCHAR" : snow_type(column, type));
}

void snow_add_newest(struct rv_strbuf *sql, const struct rv_stream *stream, const char *from)
{
	snow_add_contract(sql, stream, from);
	rv_strbuf_puts(sql, "SELECT ");
	snow_add_columns(sql, stream);
	rv_strbuf_puts(sql, ", ");
	add_deleted(sql, stream);
	rv_strbuf_puts(sql, " AS \"" SNOW_DELETED "\"\nFROM \"JUDGED\" WHERE \"RIVER$REASON\" IS NULL"
			    "\nQUALIFY ROW_NUMBER() OVER (PARTITION BY ");
	for (size_t i = 0; i < stream->key.count; i++) {
		rv_strbuf_puts(sql, i ? ", " : "");
		snow_add_column(sql, stream->key.items[i]);
	}
	rv_strbuf_puts(sql, " ORDER BY ");
	if (stream->order_by) {
		snow_add_column(sql, stream->order_by);
		rv_strbuf_puts(sql, " DESC NULLS LAST, ");
	}
	rv_strbuf_puts(sql, "\"FILE_NAME\" DESC, \"FILE_ROW\" DESC) = 1");
}

/* The value at fault, shortened, beside the reason and not in it: reasons are for grouping. */
void snow_add_refused(struct rv_strbuf *sql, const struct rv_stream *stream, const char *from)
{
	snow_add_contract(sql, stream, from);
	rv_strbuf_puts(sql, "SELECT \"FILE_NAME\", \"FILE_ROW\", \"LOADED_AT\", \"RIVER$COLUMN\" AS "
			    "\"COLUMN_NAME\", \"RIVER$REASON\" AS \"REASON\",\n  "
			    "CASE WHEN LENGTH(\"RIVER$VALUE\") > 60 THEN LEFT(\"RIVER$VALUE\", 60) || "
			    "'...' ELSE \"RIVER$VALUE\" END AS \"VALUE\", \"RECORD\"\n"
			    "FROM (SELECT *, CASE WHEN \"RIVER$REASON\" IN ('is part of the key and null', "
			    "'is required and not there', 'is required and null') THEN NULL");
	for (size_t i = 0; i < stream->columns_count; i++)
		rv_strbuf_printf(sql, " WHEN \"F$%zu\" IS NOT NULL THEN TO_JSON(\"V$%zu\")", i + 1,
				 i + 1);
	rv_strbuf_puts(sql, " ELSE NULL END AS \"RIVER$VALUE\" FROM \"JUDGED\" WHERE \"RIVER$REASON\" IS "
			    "NOT NULL) AS \"REFUSED\"");
}

const char *snow_type(const struct rv_column *column, char buf[SNOW_TYPE_MAX])
{
	static const char *const names[] = {
		[RV_COLUMN_STRING] = "VARCHAR",	    [RV_COLUMN_INTEGER] = "NUMBER(19,0)",
		[RV_COLUMN_DOUBLE] = "FLOAT",	    [RV_COLUMN_BOOLEAN] = "BOOLEAN",
		[RV_COLUMN_DATE] = "DATE",	    [RV_COLUMN_TIMESTAMP] = "TIMESTAMP_NTZ(6)",
		[RV_COLUMN_JSON] = "VARIANT",
	};

	if (column->type == RV_COLUMN_DECIMAL)
		snprintf(buf, SNOW_TYPE_MAX, "NUMBER(%u,%u)", column->precision, column->scale);
	else
		snprintf(buf, SNOW_TYPE_MAX, "%s", names[column->type]);
	return buf;
}
