/* What everything of a stream is called in Snowflake. Stored names are upper case, so that they can
 * be written without quotes by people; river quotes them always. */
#include <stdio.h>
#include <string.h>

#include "warehouse/snowflake_internal.h"

static const char *const endings[SNOW_OBJECTS] = {
	[SNOW_RAW] = "",
	[SNOW_CLEAN] = "_CLEAN",
	[SNOW_LATEST] = "_LATEST",
	[SNOW_REFUSED] = "_REFUSED",
	[SNOW_NEWEST] = "$NEWEST",
	[SNOW_PIPE] = "$PIPE",
	[SNOW_NEW] = "$NEW",
	[SNOW_MERGE] = "$MERGE",
	[SNOW_RETAIN] = "$RETAIN",
};

static void upper(char *text)
{
	for (; *text; text++)
		if (*text >= 'a' && *text <= 'z')
			*text = (char)(*text - 'a' + 'A');
}

const char *snow_schema_name(const struct rv_stream *stream, char buf[RV_STREAM_PLACE_MAX])
{
	snprintf(buf, RV_STREAM_PLACE_MAX, "%s", stream->business);
	upper(buf);
	return buf;
}

const char *snow_object_name(const struct rv_stream *stream, enum snow_object object,
			     char buf[RV_STREAM_PLACE_MAX])
{
	snprintf(buf, RV_STREAM_PLACE_MAX, "%s%s", stream->name, endings[object]);
	upper(buf);
	return buf;
}

void snow_add_schema(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		     const struct rv_stream *stream)
{
	char name[RV_STREAM_PLACE_MAX];

	rv_snowflake_identifier(sql, w->params.database);
	rv_strbuf_putc(sql, '.');
	rv_snowflake_identifier(sql, snow_schema_name(stream, name));
}

void snow_add_object(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		     const struct rv_stream *stream, enum snow_object object)
{
	char name[RV_STREAM_PLACE_MAX];

	snow_add_schema(sql, w, stream);
	rv_strbuf_putc(sql, '.');
	rv_snowflake_identifier(sql, snow_object_name(stream, object, name));
}

void snow_add_house(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w, const char *name)
{
	rv_snowflake_identifier(sql, w->params.database);
	rv_strbuf_puts(sql, ".\"" SNOW_HOUSE "\".");
	rv_snowflake_identifier(sql, name);
}

void snow_add_location(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		       const struct rv_stream *stream)
{
	rv_strbuf_putc(sql, '@');
	if (w->params.stage)
		rv_strbuf_puts(sql, w->params.stage);
	else
		snow_add_house(sql, w, SNOW_STAGE);
	rv_strbuf_printf(sql, "/%s/%s/", stream->business, stream->name);
}

void snow_add_file_name(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w)
{
	size_t characters = 0;

	/* SUBSTR counts characters, and prefixes may be of more than ASCII. */
	for (const char *p = w->params.lake_prefix; *p; p++)
		characters += ((unsigned char)*p & 0xc0) != 0x80;
	if (characters)
		rv_strbuf_printf(sql, "SUBSTR(METADATA$FILENAME, %zu)", characters + 2);
	else
		rv_strbuf_puts(sql, "METADATA$FILENAME");
}

const char *snow_relative(const struct rv_stream *stream, const char *object)
{
	char prefix[RV_STREAM_PLACE_MAX];

	rv_stream_data_prefix(stream, prefix);
	return rv_starts_with(object, prefix) ? object + strlen(prefix) : NULL;
}

void snow_add_literal(struct rv_strbuf *sql, const char *text)
{
	rv_snowflake_literal(sql, text, strlen(text));
}

void snow_add_column(struct rv_strbuf *sql, const char *column)
{
	rv_strbuf_putc(sql, '"');
	for (; *column; column++)
		rv_strbuf_putc(sql, *column >= 'a' && *column <= 'z' ? (char)(*column - 'a' + 'A')
								      : *column);
	rv_strbuf_putc(sql, '"');
}

bool snow_has_layers(const struct rv_stream *stream)
{
	return (stream->layers & (RV_LAYER_CLEAN | RV_LAYER_LATEST)) && stream->columns_count > 0;
}

bool snow_has_clean(const struct rv_stream *stream)
{
	return snow_has_layers(stream) && (stream->layers & RV_LAYER_CLEAN);
}

bool snow_has_latest(const struct rv_stream *stream)
{
	return snow_has_layers(stream) && (stream->layers & RV_LAYER_LATEST) &&
	       stream->key.count > 0;
}

bool snow_is_merged(const struct rv_stream *stream)
{
	return snow_has_latest(stream) && stream->retention_warehouse != NULL;
}
