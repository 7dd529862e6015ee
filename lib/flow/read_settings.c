/* Reading settings to JSON and back. */
#include "flow/read_settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/json_text.h"

static void free_strings(char **items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(items[i]);
	free(items);
}

void rv_read_settings_release(struct rv_read_settings *settings)
{
	free_strings(settings->csv.names, settings->csv.names_count);
	free_strings(settings->csv.nulls, settings->csv.nulls_count);
	*settings = (struct rv_read_settings){ .csv = RV_CSV_DIALECT_INIT };
}

static json_t *strings_json(char **items, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, rv_json_bytes(items[i]));
	return list;
}

static bool strings_parse(const json_t *list, char ***ret, size_t *ret_count)
{
	size_t i, count = json_array_size(list);
	json_t *item;
	*ret = count ? rv_calloc(count, sizeof(**ret)) : NULL;
	*ret_count = count;
	json_array_foreach(list, i, item) {
		if (!((*ret)[i] = rv_json_bytes_value(item)))
			return false;
	}
	return true;
}

json_t *rv_read_settings_json(const struct rv_read_settings *s)
{
	json_t *o = json_pack("{s:s, s:I, s:i, s:b, s:i, s:i, s:b}", "format", rv_format_name(s->format),
			      "max_record", (json_int_t)s->max_record_bytes, "max_depth",
			      (int)s->max_depth, "refuse_river_key", s->refuse_river_key, "delimiter",
			      (int)(unsigned char)s->csv.delimiter, "quote",
			      (int)(unsigned char)s->csv.quote, "no_header", s->csv.no_header);
	if (s->csv.delimiter_given)
		json_object_set_new(o, "delimiter_given", json_true());
	json_object_set_new(o, "names", strings_json(s->csv.names, s->csv.names_count));
	json_object_set_new(o, "nulls", strings_json(s->csv.nulls, s->csv.nulls_count));
	return o;
}

enum rv_status rv_read_settings_parse(const json_t *o, struct rv_read_settings *ret,
				      struct rv_error *err)
{
	*ret = (struct rv_read_settings){ .csv = RV_CSV_DIALECT_INIT };
	if (!o)
		return RV_OK;
	const char *format = json_string_value(json_object_get(o, "format"));
	ret->max_record_bytes = rv_json_get_u64(o, "max_record");
	ret->max_depth = (unsigned)rv_json_get_u64(o, "max_depth");
	ret->refuse_river_key = json_is_true(json_object_get(o, "refuse_river_key"));
	ret->csv.delimiter = (char)rv_json_get_u64(o, "delimiter");
	ret->csv.delimiter_given = json_is_true(json_object_get(o, "delimiter_given"));
	ret->csv.quote = (char)rv_json_get_u64(o, "quote");
	ret->csv.no_header = json_is_true(json_object_get(o, "no_header"));
	bool names_ok = strings_parse(json_object_get(o, "names"), &ret->csv.names,
				      &ret->csv.names_count);
	bool nulls_ok = strings_parse(json_object_get(o, "nulls"), &ret->csv.nulls,
				      &ret->csv.nulls_count);
	if (names_ok && nulls_ok && format && rv_format_parse(format, &ret->format))
		return RV_OK;
	rv_read_settings_release(ret);
	return rv_fail(err, RV_DAMAGED, "a journal holds settings that cannot be read");
}

void rv_read_settings_apply(const struct rv_read_settings *settings,
			    struct rv_reader_params *params)
{
	params->format = settings->format;
	params->csv = &settings->csv;
	params->max_record_bytes = settings->max_record_bytes;
	params->max_depth = settings->max_depth;
	params->refuse_river_key = settings->refuse_river_key;
}
