/* Makes and takes apart the names of lake objects; see the header for their grammar. */
#include "flow/object_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "flow/name_parts.h"

bool rv_run_name_valid(const char *run)
{
	size_t len = strlen(run);
	if (len == 0 || len > RV_RUN_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = run[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (!word && (i == 0 || (c != '.' && c != '_' && c != '-')))
			return false;
	}
	return true;
}

const char *rv_object_suffix(enum rv_output_compression compression)
{
	switch (compression) {
	case RV_OUTPUT_ZSTD:
		return ".ndjson.zst";
	case RV_OUTPUT_GZIP:
	case RV_OUTPUT_GZIP_SMALL:
		return ".ndjson.gz";
	case RV_OUTPUT_NONE:
		return ".ndjson";
	}
	return ".ndjson";
}

void rv_object_name_format(const struct rv_object_name *name, char *ret)
{
	snprintf(ret, RV_OBJECT_NAME_MAX, "data/%s/%s/%s/%s-%06" PRIu64 "-r%" PRIu64 "-h%016" PRIx64 "%s",
		 name->business, name->stream, name->folder, name->run, name->seq, name->records,
		 name->set_hash, rv_object_suffix(name->compression));
}

void rv_object_prefix(const struct rv_stream *stream, char *ret)
{
	snprintf(ret, RV_OBJECT_NAME_MAX, "data/%s/%s/", stream->business, stream->name);
}

static bool lower_word(const char *s)
{
	for (; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '_'))
			return false;
	return true;
}

static bool folder_valid(const char *day, const char *hour)
{
	uint64_t year, month, date, hours;
	return strlen(day) == 13 && rv_starts_with(day, "dt=") && day[7] == '-' && day[10] == '-' &&
	       rv_parse_u64(day + 3, 4, &year) && rv_parse_u64(day + 8, 2, &month) &&
	       rv_parse_u64(day + 11, 2, &date) && strlen(hour) == 5 && rv_starts_with(hour, "hr=") &&
	       rv_parse_u64(hour + 3, 2, &hours) && hours < 24 && date >= 1 &&
	       date <= rv_days_in_month((int64_t)year, (unsigned)month);
}

bool rv_object_name_parse(const char *text, struct rv_object_name *ret)
{
	struct rv_object_name name = { .seq = 0 };
	char day[24], hour[24];
	const char *p = text;
	if (!rv_starts_with(p, "data/"))
		return false;
	p += 5;
	if (!rv_name_take_folder(&p, name.business, sizeof(name.business)) ||
	    !rv_name_take_folder(&p, name.stream, sizeof(name.stream)) ||
	    !rv_name_take_folder(&p, day, sizeof(day)) ||
	    !rv_name_take_folder(&p, hour, sizeof(hour)))
		return false;
	if (!lower_word(name.business) || !lower_word(name.stream) || !folder_valid(day, hour))
		return false;
	snprintf(name.folder, sizeof(name.folder), "%.13s/%.5s", day, hour);

	size_t len = strlen(p);
	if (rv_ends_with(p, ".ndjson.zst")) {
		name.compression = RV_OUTPUT_ZSTD;
		len -= strlen(".ndjson.zst");
	} else if (rv_ends_with(p, ".ndjson.gz")) {
		name.compression = RV_OUTPUT_GZIP;
		len -= strlen(".ndjson.gz");
	} else if (rv_ends_with(p, ".ndjson")) {
		name.compression = RV_OUTPUT_NONE;
		len -= strlen(".ndjson");
	} else {
		return false;
	}
	if (!rv_name_take_hash(p, &len, &name.set_hash) ||
	    !rv_name_take_count(p, &len, 'r', &name.records) ||
	    !rv_name_take_seq(p, &len, &name.seq) || !rv_name_take_run(p, len, name.run))
		return false;
	/* Only the one spelling: leading zeros and upper-case digits make another object name. */
	char again[RV_OBJECT_NAME_MAX];
	rv_object_name_format(&name, again);
	if (strcmp(again, text) != 0)
		return false;
	*ret = name;
	return true;
}
