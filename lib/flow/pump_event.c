/* A row is walked once, for all columns of the map; what is written are pieces of it and constants. */
#include "flow/pump_event.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/memory.h"
#include "flow/pump_lookup.h"
#include "flow/pump_value.h"
#include "format/json_path.h"

/* Names whose ids are remembered: rows of a session are near each other. */
#define IDS_KEPT 512
#define ID_NAME_MAX 128

struct id {
	uint32_t len;            /* of the name; 0: none */
	char name[ID_NAME_MAX];
	char text[RV_UUID_LEN];
};
struct choice {
	char *json;              /* inside of the quotes */
	size_t len;
};
struct field {
	const struct rv_map_field *map;
	char *prefix;            /* "name": */
	size_t prefix_len;
	struct choice *choices;
	struct choice empty, absent; /* NULL: none */
	uint64_t salt;           /* of the name: fields that pick by one column are independent */
	struct id *ids;
};
struct rv_pump_mapper {
	const struct rv_map *map;
	struct rv_json_paths *paths; /* NULL: no columns */
	struct rv_json_value *values;
	struct field *fields;
	struct rv_pump_lookup *lookups[RV_MAP_LOOKUPS_MAX];
	struct rv_pump_value *found[RV_MAP_LOOKUPS_MAX];
	enum { NOT_LOOKED, FOUND, NOT_FOUND } looked[RV_MAP_LOOKUPS_MAX];
	uint8_t seed[RV_PUMP_SEED_BYTES];
	bool replay_time, need_time;
	struct rv_strbuf scratch, text;
	bool too_long;           /* something was longer than an event may be, and not gone on with */
	int64_t now_ms;          /* what `now` was written for */
	char now[24];
	size_t now_len;
};

/* ---- making one ---- */

static struct choice choice_of(const char *s)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf json = RV_STRBUF_INIT;

	if (!s)
		return (struct choice){ NULL, 0 };
	rv_strbuf_json(&json, s, strlen(s));
	return (struct choice){ rv_strndup(json.bytes + 1, json.len - 2), json.len - 2 };
}

void rv_pump_mapper_free(struct rv_pump_mapper *mapper)
{
	if (!mapper)
		return;
	for (size_t i = 0; mapper->fields && i < mapper->map->fields_count; i++) {
		struct field *f = &mapper->fields[i];

		for (size_t j = 0; f->choices && j < f->map->choices.count; j++)
			free(f->choices[j].json);
		free(f->choices);
		free(f->empty.json);
		free(f->absent.json);
		free(f->prefix);
		free(f->ids);
	}
	free(mapper->fields);
	for (size_t i = 0; i < mapper->map->lookups_count; i++) {
		rv_pump_lookup_free(mapper->lookups[i]);
		free(mapper->found[i]);
	}
	rv_json_paths_free(mapper->paths);
	free(mapper->values);
	rv_strbuf_release(&mapper->scratch);
	rv_strbuf_release(&mapper->text);
	free(mapper);
}

void rv_pump_mapper_free_p(struct rv_pump_mapper **mapper)
{
	rv_pump_mapper_free(*mapper);
	*mapper = NULL;
}

static void compile(struct field *f, const struct rv_map_field *map)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf prefix = RV_STRBUF_INIT;

	f->map = map;
	rv_strbuf_json(&prefix, map->name, strlen(map->name));
	rv_strbuf_putc(&prefix, ':');
	f->prefix_len = prefix.len;
	f->prefix = rv_strbuf_take(&prefix);
	f->salt = XXH3_64bits(map->name, strlen(map->name));
	f->empty = choice_of(map->empty);
	f->absent = choice_of(map->absent);
	if (map->choices.count)
		f->choices = rv_calloc(map->choices.count, sizeof(*f->choices));
	for (size_t i = 0; i < map->choices.count; i++)
		f->choices[i] = choice_of(map->choices.items[i]);
	if (map->from == RV_MAP_UUID5)
		f->ids = rv_calloc(IDS_KEPT, sizeof(*f->ids));
}

enum rv_status rv_pump_mapper_new(const struct rv_pump_mapper_params *params,
				  struct rv_pump_mapper **ret, struct rv_error *err)
{
	const struct rv_map *map = params->map;
	RV_CLEANUP(rv_pump_mapper_free_p)
	struct rv_pump_mapper *mapper = rv_calloc(1, sizeof(*mapper));
	RV_CLEANUP(rv_free_p) const char **names = rv_calloc(map->columns.count + 1, sizeof(*names));

	mapper->map = map;
	mapper->scratch = mapper->text = (struct rv_strbuf)RV_STRBUF_INIT;
	mapper->replay_time = params->replay_time;
	mapper->need_time = params->need_time || params->replay_time;
	mapper->now_ms = INT64_MIN;
	memcpy(mapper->seed, params->seed, sizeof(mapper->seed));
	if (mapper->need_time && map->time == RV_MAP_NONE) {
		rv_fail(err, RV_USAGE, "nothing says which column is the data's own time");
		rv_hint(err, "say it in the map: 'time: { column: ..., as: ms }'");
		return err->status;
	}
	for (size_t i = 0; i < map->columns.count; i++)
		names[i] = map->columns.items[i];
	if (map->columns.count && rv_json_paths_new(names, map->columns.count, &mapper->paths, err) != RV_OK)
		return err->status;
	mapper->values = rv_calloc(map->columns.count + 1, sizeof(*mapper->values));
	mapper->fields = rv_calloc(map->fields_count + 1, sizeof(*mapper->fields));
	for (size_t i = 0; i < map->fields_count; i++)
		compile(&mapper->fields[i], &map->fields[i]);
	for (size_t i = 0; i < map->lookups_count; i++) {
		RV_CLEANUP(rv_free_p)
		char *path = rv_path_join(params->folder, map->lookups[i].file);

		mapper->found[i] = rv_calloc(map->lookups[i].columns.count + 1,
					     sizeof(*mapper->found[i]));
		if (rv_pump_lookup_read(path, &map->lookups[i], 0, &mapper->lookups[i], err) != RV_OK)
			return err->status;
	}
	*ret = rv_take(mapper);
	return RV_OK;
}

/* ---- cutting ---- */

static enum rv_pump_verdict refuse(struct rv_strbuf *why, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static enum rv_pump_verdict refuse(struct rv_strbuf *why, const char *fmt, ...)
{
	va_list ap;

	rv_strbuf_clear(why);
	va_start(ap, fmt);
	rv_strbuf_vprintf(why, fmt, ap);
	va_end(ap);
	return RV_PUMP_REFUSED;
}

static struct rv_str bytes_of(struct rv_pump_mapper *mapper, size_t column, struct rv_strbuf *scratch)
{
	struct rv_pump_value v = rv_pump_value_of(&mapper->values[column]);

	return rv_pump_bytes(&v, scratch);
}

static bool fits(struct rv_pump_mapper *mapper, const struct rv_map_kind *kind)
{
	for (size_t i = 0; i < kind->conditions_count; i++) {
		const struct rv_map_condition *c = &kind->conditions[i];
		struct rv_str value = bytes_of(mapper, c->column, &mapper->scratch);
		size_t j = 0;

		while (j < c->values.count && !rv_str_is(value, c->values.items[j]))
			j++;
		if (j == c->values.count)
			return false;
	}
	return true;
}

static bool parse_ms(struct rv_str text, int64_t per_unit, int64_t *ret)
{
	bool negative = text.len && *text.p == '-';
	int64_t v = 0;
	size_t i = negative;

	if (i == text.len)
		return false;
	for (; i < text.len && text.p[i] != '.'; i++) {
		if (text.p[i] < '0' || text.p[i] > '9' || v > INT64_MAX / 100000)
			return false;
		v = v * 10 + (text.p[i] - '0');
	}
	v *= per_unit;
	/* as far as a millisecond, of what is behind the point */
	for (size_t unit = (size_t)per_unit / 10, at = i + 1; at < text.len; at++, unit /= 10) {
		if (text.p[at] < '0' || text.p[at] > '9')
			return false;
		v += (int64_t)unit * (text.p[at] - '0');
	}
	*ret = negative ? -v : v;
	return true;
}

static bool parse_time(struct rv_str text, enum rv_map_time as, int64_t *ret)
{
	if (as == RV_MAP_TIME_RFC3339)
		return rv_parse_time(text.p, text.len, ret);
	return parse_ms(text, as == RV_MAP_TIME_S ? 1000 : 1, ret);
}

enum rv_pump_verdict rv_pump_cut(struct rv_pump_mapper *mapper, struct rv_pump_row *row,
				 struct rv_strbuf *why)
{
	const struct rv_map *map = mapper->map;

	if (mapper->paths)
		rv_json_paths_extract(mapper->paths, row->record, row->len, mapper->values);
	row->kind = 0;
	row->has_time = false;
	row->time_ms = 0;
	if (map->kinds_count) {
		while (row->kind < map->kinds_count && !fits(mapper, &map->kinds[row->kind]))
			row->kind++;
		if (row->kind == map->kinds_count)
			return map->skip_others ? RV_PUMP_SKIPPED : refuse(why, "it is of no kind");
	}
	if (map->session == RV_MAP_NONE) {
		row->session = XXH3_64bits(&row->number, sizeof(row->number));
	} else {
		struct rv_str session = bytes_of(mapper, map->session, &mapper->scratch);

		row->session = XXH3_64bits(session.p, session.len);
	}
	if (map->time != RV_MAP_NONE) {
		struct rv_str text = bytes_of(mapper, map->time, &mapper->scratch);

		row->has_time = parse_time(text, map->time_as, &row->time_ms);
		if (!row->has_time && mapper->need_time)
			return refuse(why, "'%.*s' in %s is no time", (int)(text.len > 60 ? 60 : text.len),
				      text.p, map->columns.items[map->time]);
	}
	return RV_PUMP_TAKEN;
}

/* ---- writing ---- */

static inline void put(struct rv_strbuf *out, const char *p, size_t len)
{
	if (out->capacity - out->len < len + 1 || !out->capacity)
		rv_strbuf_reserve(out, len + 1 + out->len / 2);
	memcpy(out->bytes + out->len, p, len);
	out->len += len;
	out->bytes[out->len] = '\0';
}

static inline void quote(struct rv_strbuf *out, const char *p, size_t len)
{
	put(out, "\"", 1);
	put(out, p, len);
	put(out, "\"", 1);
}

static size_t put_number(char *to, uint64_t v)
{
	char digits[24];
	size_t n = 0, len = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		to[len++] = digits[--n];
	return len;
}

static void put_time(struct rv_pump_mapper *mapper, enum rv_map_time as, int64_t ms,
		     struct rv_strbuf *out)
{
	char text[RV_TIME_TEXT];

	if (as == RV_MAP_TIME_RFC3339) {
		rv_format_time(ms, text);
		quote(out, text, strlen(text));
		return;
	}
	if (as == RV_MAP_TIME_S) {
		int64_t s = ms >= 0 ? ms / 1000 : -((999 - ms) / 1000);
		size_t n = s < 0;

		text[0] = '-';
		n += put_number(text + n, (uint64_t)(s < 0 ? -s : s));
		put(out, text, n);
		return;
	}
	if (ms != mapper->now_ms) {
		size_t n = ms < 0;

		mapper->now[0] = '-';
		mapper->now_len = n + put_number(mapper->now + n, ms < 0 ? -(uint64_t)ms : (uint64_t)ms);
		mapper->now_ms = ms;
	}
	put(out, mapper->now, mapper->now_len);
}

/* A text may name a long column a thousand times. */
static bool is_too_long(struct rv_pump_mapper *mapper, size_t len)
{
	mapper->too_long |= len > RV_PUMP_EVENT_MAX_BYTES;
	return mapper->too_long;
}

/* The bytes that are hashed: of one column as they are, else put together. */
static struct rv_str text_bytes(struct rv_pump_mapper *mapper, const struct rv_map_text *text)
{
	if (text->count == 1 && text->pieces[0].column != RV_MAP_NONE)
		return bytes_of(mapper, text->pieces[0].column, &mapper->scratch);
	rv_strbuf_clear(&mapper->text);
	for (size_t i = 0; i < text->count; i++) {
		const struct rv_map_piece *piece = &text->pieces[i];

		if (is_too_long(mapper, mapper->text.len))
			break;
		if (piece->column == RV_MAP_NONE) {
			put(&mapper->text, piece->text, piece->len);
		} else {
			struct rv_str bytes = bytes_of(mapper, piece->column, &mapper->scratch);

			put(&mapper->text, bytes.p, bytes.len);
		}
	}
	return (struct rv_str){ mapper->text.bytes, mapper->text.len };
}

/* What stands inside of quotes for a value. */
static void put_inside(struct rv_strbuf *out, const struct rv_pump_value *v)
{
	if (v->type != RV_PUMP_TREE) {
		put(out, v->p, v->len);
		return;
	}
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf json = RV_STRBUF_INIT;

	rv_strbuf_json(&json, v->p, v->len);
	put(out, json.bytes + 1, json.len - 2);
}

static void put_text(struct rv_pump_mapper *mapper, const struct rv_map_text *text,
		     struct rv_strbuf *out)
{
	size_t start = out->len;

	put(out, "\"", 1);
	for (size_t i = 0; i < text->count; i++) {
		const struct rv_map_piece *piece = &text->pieces[i];

		if (is_too_long(mapper, out->len - start))
			break;
		if (piece->column == RV_MAP_NONE) {
			put(out, piece->json, piece->json_len);
		} else {
			struct rv_pump_value v = rv_pump_value_of(&mapper->values[piece->column]);

			put_inside(out, &v);
		}
	}
	put(out, "\"", 1);
}

static uint64_t hash_of(enum rv_map_hash with, struct rv_str bytes, uint64_t salt)
{
	uint8_t sum[RV_UUID_SHA1_BYTES];
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	switch (with) {
	case RV_MAP_SHA1:
		rv_uuid_sha1(bytes.p, bytes.len, sum);
		memcpy(&h, sum, sizeof(h));
		return __builtin_bswap64(h);
	case RV_MAP_CRC32C:
		return rv_crc32c(0, bytes.p, bytes.len);
	case RV_MAP_FNV1A:
		for (size_t i = 0; i < bytes.len; i++)
			h = (h ^ (unsigned char)bytes.p[i]) * UINT64_C(0x100000001b3);
		return h;
	default:
		return XXH3_64bits_withSeed(bytes.p, bytes.len, salt);
	}
}

static void put_hash(enum rv_map_hash with, struct rv_str bytes, struct rv_strbuf *out)
{
	uint8_t sum[RV_UUID_SHA1_BYTES];
	char hex[2 * RV_UUID_SHA1_BYTES + 1];
	uint64_t h;
	size_t n = with == RV_MAP_SHA1 ? RV_UUID_SHA1_BYTES : with == RV_MAP_CRC32C ? 4 : 8;

	if (with == RV_MAP_SHA1) {
		rv_uuid_sha1(bytes.p, bytes.len, sum);
	} else {
		h = __builtin_bswap64(hash_of(with, bytes, 0) << (64 - 8 * n));
		memcpy(sum, &h, sizeof(h));
	}
	rv_hex(sum, n, hex);
	quote(out, hex, 2 * n);
}

static void put_uuid5(struct field *f, struct rv_str name, struct rv_strbuf *out)
{
	uint8_t id[RV_UUID_BYTES];
	struct id *kept = &f->ids[XXH3_64bits(name.p, name.len) % IDS_KEPT];

	if (!name.len || name.len > ID_NAME_MAX) {
		char text[RV_UUID_LEN];

		rv_uuid_v5(f->map->name_space, name.p, name.len, id);
		rv_uuid_text(id, text);
		quote(out, text, sizeof(text));
		return;
	}
	if (kept->len != name.len || memcmp(kept->name, name.p, name.len) != 0) {
		rv_uuid_v5(f->map->name_space, name.p, name.len, id);
		rv_uuid_text(id, kept->text);
		memcpy(kept->name, name.p, name.len);
		kept->len = (uint32_t)name.len;
	}
	quote(out, kept->text, RV_UUID_LEN);
}

/* Of all that makes the event what it is, so that another event has another id. */
static void put_uuid4(const struct rv_pump_mapper *mapper, const struct field *f,
		      const struct rv_pump_row *row, int64_t time_ms, struct rv_strbuf *out)
{
	struct {
		uint8_t seed[RV_PUMP_SEED_BYTES];
		uint64_t number, field;
		int64_t time_ms;
	} of = { .number = row->number, .field = f->salt, .time_ms = time_ms };
	uint8_t id[RV_UUID_BYTES];
	char text[RV_UUID_LEN];

	memcpy(of.seed, mapper->seed, sizeof(of.seed));
	XXH128_hash_t hash = XXH3_128bits(&of, sizeof(of));

	memcpy(id, &hash.low64, 8);
	memcpy(id + 8, &hash.high64, 8);
	rv_uuid_v4(id);
	rv_uuid_text(id, text);
	quote(out, text, sizeof(text));
}

static void put_choice(const struct field *f, const struct choice *choice, struct rv_strbuf *out)
{
	if (f->map->as == RV_MAP_AS_NUMBER)
		put(out, choice->json, choice->len);
	else
		quote(out, choice->json, choice->len);
}

/* A value of a column or of a second file. False: the field is left out. */
static bool put_value(const struct field *f, const struct rv_pump_value *v, struct rv_strbuf *out,
		      enum rv_pump_verdict *verdict, struct rv_strbuf *why)
{
	if (v->len == 0) { /* absent, null, the empty text */
		if (f->empty.json) {
			put_choice(f, &f->empty, out);
			return true;
		}
		if (f->map->omit_empty || v->type == RV_PUMP_ABSENT)
			return false;
		if (v->type == RV_PUMP_NULL && f->map->as == RV_MAP_AS_IS) {
			put(out, "null", 4);
			return true;
		}
	}
	if (f->map->as == RV_MAP_AS_NUMBER) {
		if (!rv_map_is_number(v->p, v->len)) {
			*verdict = refuse(why, "%s: '%.*s' is no number", f->map->name,
					  (int)(v->len > 60 ? 60 : v->len), v->p);
			return false;
		}
		put(out, v->p, v->len);
	} else if (v->type == RV_PUMP_STRING) {
		quote(out, v->p, v->len);
	} else if (f->map->as == RV_MAP_AS_STRING) {
		put(out, "\"", 1);
		put_inside(out, v);
		put(out, "\"", 1);
	} else {
		put(out, v->p, v->len);
	}
	return true;
}

static bool put_lookup(struct rv_pump_mapper *mapper, const struct field *f, struct rv_strbuf *out,
		       enum rv_pump_verdict *verdict, struct rv_strbuf *why)
{
	size_t i = f->map->lookup;

	if (mapper->looked[i] == NOT_LOOKED) {
		struct rv_str key = bytes_of(mapper, mapper->map->lookups[i].by, &mapper->scratch);

		mapper->looked[i] = rv_pump_lookup_find(mapper->lookups[i], key, mapper->found[i])
					    ? FOUND
					    : NOT_FOUND;
	}
	if (mapper->looked[i] == FOUND)
		return put_value(f, &mapper->found[i][f->map->lookup_column], out, verdict, why);
	if (!f->absent.json)
		return false;
	put_choice(f, &f->absent, out);
	return true;
}

static bool put_switch(struct rv_pump_mapper *mapper, const struct field *f, struct rv_strbuf *out)
{
	struct rv_str value = text_bytes(mapper, &f->map->text);

	for (size_t i = 0; i < f->map->cases.count; i++)
		if (rv_str_is(value, f->map->cases.items[i])) {
			put_choice(f, &f->choices[i], out);
			return true;
		}
	if (!f->absent.json)
		return false;
	put_choice(f, &f->absent, out);
	return true;
}

static bool put_field(struct rv_pump_mapper *mapper, struct field *f, const struct rv_pump_row *row,
		      int64_t time_ms, struct rv_strbuf *out, enum rv_pump_verdict *verdict,
		      struct rv_strbuf *why)
{
	const struct rv_map_field *map = f->map;
	char number[24];

	switch (map->from) {
	case RV_MAP_TEXT:
		put_text(mapper, &map->text, out);
		return true;
	case RV_MAP_LITERAL:
		put(out, map->literal, strlen(map->literal));
		return true;
	case RV_MAP_NOW:
		put_time(mapper, map->time, time_ms, out);
		return true;
	case RV_MAP_UUID4:
		put_uuid4(mapper, f, row, time_ms, out);
		return true;
	case RV_MAP_ROW:
		put(out, number, put_number(number, row->number + 1));
		return true;
	case RV_MAP_COLUMN: {
		struct rv_pump_value v = rv_pump_value_of(&mapper->values[map->column]);

		return put_value(f, &v, out, verdict, why);
	}
	case RV_MAP_UUID5:
		put_uuid5(f, text_bytes(mapper, &map->text), out);
		return true;
	case RV_MAP_HASH:
		put_hash(map->hash, text_bytes(mapper, &map->text), out);
		return true;
	case RV_MAP_PICK: {
		uint64_t h = hash_of(map->hash, text_bytes(mapper, &map->text), f->salt);

		put_choice(f, &f->choices[h % map->choices.count], out);
		return true;
	}
	case RV_MAP_LOOKUP:
		return put_lookup(mapper, f, out, verdict, why);
	case RV_MAP_SWITCH:
		return put_switch(mapper, f, out);
	}
	return false;
}

enum rv_pump_verdict rv_pump_render(struct rv_pump_mapper *mapper, const struct rv_pump_row *row,
				    int64_t now_ms, struct rv_strbuf *out, struct rv_strbuf *why)
{
	const struct rv_map *map = mapper->map;
	int64_t time_ms = mapper->replay_time ? row->time_ms : now_ms;
	enum rv_pump_verdict verdict = RV_PUMP_TAKEN;
	size_t start = out->len;
	bool first = true;

	if (!map->fields_count) {
		put(out, row->record, row->len);
		return RV_PUMP_TAKEN;
	}
	for (size_t i = 0; i < map->lookups_count; i++)
		mapper->looked[i] = NOT_LOOKED;
	mapper->too_long = false;
	put(out, "{", 1);
	for (size_t i = 0; i < map->fields_count && !is_too_long(mapper, out->len - start); i++) {
		struct field *f = &mapper->fields[i];
		size_t before = out->len;

		if (f->map->kinds && !(f->map->kinds >> row->kind & 1))
			continue;
		if (!first)
			put(out, ",", 1);
		put(out, f->prefix, f->prefix_len);
		if (put_field(mapper, f, row, time_ms, out, &verdict, why)) {
			first = false;
		} else if (verdict == RV_PUMP_TAKEN) {
			rv_strbuf_truncate(out, before);
		} else {
			rv_strbuf_truncate(out, start);
			return verdict;
		}
	}
	put(out, "}", 1);
	if (!is_too_long(mapper, out->len - start))
		return RV_PUMP_TAKEN;
	rv_strbuf_truncate(out, start);
	return refuse(why, "its event would be longer than %u MiB", RV_PUMP_EVENT_MAX_BYTES >> 20);
}
