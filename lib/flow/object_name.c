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

bool rv_object_folder_valid(const char *folder)
{
	char day[24];
	if (strlen(folder) != 19 || folder[13] != '/')
		return false;
	snprintf(day, sizeof(day), "%.13s", folder);
	return folder_valid(day, folder + 14);
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

/* ---- Firehose's ---- */

static bool take_text(const char **p, const char *text)
{
	size_t len = strlen(text);
	if (strncmp(*p, text, len) != 0)
		return false;
	*p += len;
	return true;
}

/* Exactly `digits` of them, then `end`. */
static bool take_number(const char **p, size_t digits, char end, uint64_t *ret)
{
	if (strnlen(*p, digits + 1) <= digits || (*p)[digits] != end ||
	    !rv_parse_u64(*p, digits, ret))
		return false;
	*p += digits + 1;
	return true;
}

static bool take_time(const char **p)
{
	uint64_t year, month, day, hour, minute, second;
	return take_number(p, 4, '-', &year) && take_number(p, 2, '-', &month) &&
	       take_number(p, 2, '-', &day) && take_number(p, 2, '-', &hour) &&
	       take_number(p, 2, '-', &minute) && take_number(p, 2, '-', &second) && day >= 1 &&
	       day <= rv_days_in_month((int64_t)year, (unsigned)month) && hour < 24 && minute < 60 &&
	       second < 61;
}

static bool take_uuid(const char **p)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	for (size_t i = 0; shape[i]; i++) {
		char c = (*p)[i];
		if (shape[i] == 'x' ? !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) : c != '-')
			return false;
	}
	*p += sizeof(shape) - 1;
	return true;
}

bool rv_firehose_name_parse(const char *text, const struct rv_stream *stream,
			    struct rv_firehose_name *ret)
{
	struct rv_firehose_name name = { .version = 0 };
	char place[RV_OBJECT_NAME_MAX], day[24], hour[24];
	const char *p = text;
	rv_object_prefix(stream, place);
	if (!take_text(&p, place) || !rv_name_take_folder(&p, day, sizeof(day)) ||
	    !rv_name_take_folder(&p, hour, sizeof(hour)) || !folder_valid(day, hour))
		return false;
	snprintf(name.folder, sizeof(name.folder), "%.13s/%.5s", day, hour);
	rv_stream_firehose(stream, place);
	if (!take_text(&p, place) || !take_text(&p, "-"))
		return false;
	size_t digits = strspn(p, "0123456789");
	if (digits == 0 || *p == '0' || !take_number(&p, digits, '-', &name.version) ||
	    !take_time(&p) || !take_uuid(&p))
		return false;
	name.gzip = strcmp(p, ".ndjson.gz") == 0 || strcmp(p, ".gz") == 0;
	if (!name.gzip && *p)
		return false;
	*ret = name;
	return true;
}
