/* Makes and takes apart the names of lake objects; see the header for their grammar. */
#include "flow/object_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/strbuf.h"

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

/* Copies text up to `stop` into a field; moves *p behind it. */
static bool take_part(const char **p, char stop, char *field, size_t size)
{
	const char *end = strchr(*p, stop);
	if (!end || end == *p || (size_t)(end - *p) >= size)
		return false;
	memcpy(field, *p, (size_t)(end - *p));
	field[end - *p] = '\0';
	*p = end + 1;
	return true;
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
	if (!take_part(&p, '/', name.business, sizeof(name.business)) ||
	    !take_part(&p, '/', name.stream, sizeof(name.stream)) ||
	    !take_part(&p, '/', day, sizeof(day)) || !take_part(&p, '/', hour, sizeof(hour)))
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
	/* From the right, for a run's own name may hold dashes: -h<16>, -r<n>, -<seq>. */
	if (len < 18 || p[len - 18] != '-' || p[len - 17] != 'h' ||
	    !rv_parse_hex64(p + len - 16, 16, &name.set_hash))
		return false;
	len -= 18;
	size_t digits = 0;
	while (digits < len && p[len - 1 - digits] >= '0' && p[len - 1 - digits] <= '9')
		digits++;
	if (len < digits + 2 || p[len - digits - 1] != 'r' || p[len - digits - 2] != '-' ||
	    !rv_parse_u64(p + len - digits, digits, &name.records))
		return false;
	len -= digits + 2;
	for (digits = 0; digits < len && p[len - 1 - digits] >= '0' && p[len - 1 - digits] <= '9';)
		digits++;
	if (digits < 6 || len < digits + 2 || p[len - digits - 1] != '-' ||
	    !rv_parse_u64(p + len - digits, digits, &name.seq))
		return false;
	len -= digits + 1;
	if (len > RV_RUN_MAX)
		return false;
	memcpy(name.run, p, len);
	name.run[len] = '\0';
	if (!rv_run_name_valid(name.run))
		return false;
	/* Only the one spelling: leading zeros and upper-case digits make another object name. */
	char again[RV_OBJECT_NAME_MAX];
	rv_object_name_format(&name, again);
	if (strcmp(again, text) != 0)
		return false;
	*ret = name;
	return true;
}
