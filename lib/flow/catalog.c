/*
 * The catalog in the lake. The hard part is creation by many at once: the put is conditional, and
 * whoever loses reads what won and compares, so everyone gets a clear answer. A put whose answer
 * was lost is recognised by the nonce it wrote.
 */
#include "flow/catalog.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/definition.h"

/* Between a lost race and the look at who won, the winner may have been deleted again. */
#define CREATE_ATTEMPTS 5
#define REMOVE_BATCH 1000

const char *const rv_catalog_part_names[RV_CATALOG_PARTS] = {"objects", "receipts", "rejects",
							     "landing", "runs"};

/* ---- the lake's own version -------------------------------------------------------------------
 */

static enum rv_status look_at_format(struct rv_store *lake, bool *ret_found, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];

	if (rv_store_get_optional(lake, RV_LAKE_FORMAT_NAME, 1 << 20, &text, etag, ret_found,
				  err) != RV_OK)
		return rv_context(err, "lake %s", lake->url);
	if (!*ret_found)
		return RV_OK;
	json_t *json = json_loadb(text.bytes, text.len, 0, NULL);
	json_t *v = json_object_get(json, "v");
	bool known = json_is_integer(v);
	json_int_t version = json_integer_value(v);

	/* what was found out when the lake was made; a store that refuses conditions says so itself */
	if (lake->ops->assume && json_is_false(json_object_get(json, "conditional_puts")))
		lake->ops->assume(lake, false);
	json_decref(json);
	if (!known || version < 1)
		return rv_fail(err, RV_DAMAGED, "lake %s: %s has no version", lake->url,
			       RV_LAKE_FORMAT_NAME);
	if (version > RV_LAKE_FORMAT_VERSION) {
		rv_fail(err, RV_BAD_CONFIG,
			"lake %s has format %" JSON_INTEGER_FORMAT ", this river knows up to %d",
			lake->url, version, RV_LAKE_FORMAT_VERSION);
		rv_hint(err, "a newer river wrote %s: use that one", RV_LAKE_FORMAT_NAME);
		return err->status;
	}
	return RV_OK;
}

enum rv_status rv_catalog_check_lake(struct rv_store *lake, struct rv_error *err)
{
	bool found;

	return look_at_format(lake, &found, err);
}

/* Once for each lake: a store that takes conditions without heeding them would lose definitions. */
static enum rv_status probe(struct rv_store *lake, int64_t now_ms, struct rv_error *err)
{
	char id[RV_ULID_TEXT], name[64];

	rv_ulid_new(now_ms, id);
	snprintf(name, sizeof(name), "_river/probe/%s", id);
	if (lake->ops->probe(lake, name, err) == RV_OK)
		return RV_OK;
	return rv_context(err, "lake %s", lake->url);
}

static enum rv_status ensure_format(struct rv_store *lake, int64_t now_ms, struct rv_error *err)
{
	char time[RV_TIME_TEXT];
	bool found;

	if (look_at_format(lake, &found, err) != RV_OK)
		return err->status;
	if (found)
		return RV_OK;
	if (lake->ops->probe && probe(lake, now_ms, err) != RV_OK)
		return err->status;
	json_t *json = json_pack("{s:i, s:s, s:s, s:b}", "v", RV_LAKE_FORMAT_VERSION, "created",
				 rv_format_time(now_ms, time), "store", lake->ops->name,
				 "conditional_puts", (int)lake->ops->conditional_puts);
	RV_CLEANUP(rv_free_p) char *text = json_dumps(json, JSON_COMPACT);
	struct rv_store_put once = {.if_absent = true};

	json_decref(json);
	enum rv_status status =
		rv_store_put_bytes(lake, RV_LAKE_FORMAT_NAME, text, strlen(text), &once, err);

	/* somebody was faster: theirs counts, if it is one we know */
	return status == RV_CONFLICT ? look_at_format(lake, &found, err) : status;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static void hint_at_other_hands(const struct rv_stream *name, struct rv_error *err)
{
	rv_hint(err, "river did not write this: put the definition back that was there, or remove it and run "
		     "'river stream create %s/%s --adopt' with its columns", name->business, name->name);
}

static enum rv_status read_definition(struct rv_store *lake, const struct rv_stream *name,
				      struct rv_stream *ret, char *ret_etag, bool *ret_found,
				      struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	char object[RV_STREAM_PLACE_MAX], etag[RV_ETAG_TEXT];

	rv_stream_init(&stream);
	rv_stream_catalog_name(name, object);
	enum rv_status status = rv_store_get_optional(lake, object, RV_DEFINITION_MAX_BYTES, &text,
						      etag, ret_found, err);

	if (status != RV_OK)
		return rv_context(err, "lake %s", lake->url);
	if (!*ret_found)
		return RV_OK;
	if (rv_definition_from_json(object, text.bytes, text.len, &stream, err) != RV_OK) {
		if (err->status == RV_DAMAGED)
			hint_at_other_hands(name, err);
		return rv_context(err, "lake %s", lake->url);
	}
	if (strcmp(stream.business, name->business) != 0 || strcmp(stream.name, name->name) != 0) {
		*ret_found = false;
		rv_fail(err, RV_DAMAGED, "lake %s: %s is the definition of %s/%s", lake->url, object,
			stream.business, stream.name);
		hint_at_other_hands(name, err);
		return err->status;
	}
	rv_stream_release(ret);
	*ret = stream;
	rv_stream_init(&stream);
	if (ret_etag)
		memcpy(ret_etag, etag, RV_ETAG_TEXT);
	return RV_OK;
}

struct nearest {
	char **names;
	size_t count, capacity;
};

static enum rv_status collect_name(void *arg, const char *name, struct rv_error *err)
{
	struct nearest *nearest = arg;

	/* enough to find a slip of the fingers; a longer list is not worth waiting for */
	if (nearest->count == 10000)
		return rv_fail(err, RV_FAILED, "enough");
	RV_GROW(nearest->names, nearest->count, nearest->capacity);
	nearest->names[nearest->count++] = rv_strdup(name);
	return RV_OK;
}

static void hint_at_nearest(struct rv_store *lake, const char *wanted, struct rv_error *err)
{
	struct nearest nearest = {0};
	struct rv_error ignored = RV_ERROR_INIT;

	/* Only a suggestion: when the list cannot be read, there is none. */
	if (rv_catalog_list(lake, "", NULL, collect_name, &nearest, &ignored) != RV_OK)
		ignored.status = RV_OK;
	RV_CLEANUP(rv_free_p)
	const char **words = rv_calloc(nearest.count + 1, sizeof(*words));
	const char *base = strchr(wanted, '/') + 1;

	for (size_t i = 0; i < nearest.count; i++)
		words[i] = nearest.names[i];
	const char *near = rv_nearest(wanted, words);

	/* "clicks" is main/clicks; perhaps web/clicks was meant */
	for (size_t i = 0; i < nearest.count && !near; i++)
		if (strcmp(strchr(words[i], '/') + 1, base) == 0)
			near = words[i];
	if (near)
		rv_hint(err, "did you mean %s? 'river stream list' shows all; or create it: river stream "
			     "create %s", near, wanted);
	else
		rv_hint(err, "'river stream list' shows what there is; or create it: river stream create %s",
			wanted);
	for (size_t i = 0; i < nearest.count; i++)
		free(nearest.names[i]);
	free(nearest.names);
}

enum rv_status rv_catalog_get(struct rv_store *lake, const char *name, struct rv_stream *ret,
			      char *ret_etag, struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream wanted;
	char text[RV_STREAM_TEXT];
	bool found = false;

	rv_stream_init(&wanted);
	if (rv_stream_parse_name(name, &wanted, err) != RV_OK ||
	    rv_catalog_check_lake(lake, err) != RV_OK)
		return err->status;
	if (read_definition(lake, &wanted, ret, ret_etag, &found, err) != RV_OK)
		return err->status;
	if (found)
		return RV_OK;
	rv_stream_text(&wanted, text);
	rv_fail(err, RV_NOT_FOUND, "stream %s does not exist in lake %s", text, lake->url);
	hint_at_nearest(lake, text, err);
	return err->status;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static enum rv_status write_definition(struct rv_store *lake, const struct rv_stream *stream,
				       const struct rv_store_put *conditions, struct rv_error *err)
{
	char object[RV_STREAM_PLACE_MAX];
	json_t *json = rv_definition_json(stream);
	RV_CLEANUP(rv_free_p) char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	if (!text)
		rv_bug("a definition cannot be written");
	return rv_store_put_bytes(lake, rv_stream_catalog_name(stream, object), text, strlen(text),
				  conditions, err);
}

struct first_object {
	char name[RV_STORE_NAME_MAX + 1];
	bool found;
};

static enum rv_status take_first(void *arg, const struct rv_store_object *object,
				 struct rv_error *err)
{
	struct first_object *first = arg;

	snprintf(first->name, sizeof(first->name), "%s", object->name);
	first->found = true;
	return rv_fail(err, RV_FAILED, "found");
}

static enum rv_status find_first(struct rv_store *lake, const char *prefix, const char *after,
				 struct first_object *ret, struct rv_error *err)
{
	struct rv_store_list list = {.prefix = prefix, .after = after, .names_only = true};

	*ret = (struct first_object){0};
	enum rv_status status = lake->ops->list(lake, &list, take_first, ret, err);

	return ret->found ? RV_OK : status;
}

/* Objects under the prefix of a stream that is about to be made. */
static enum rv_status settle_old_objects(struct rv_store *lake, struct rv_stream *stream,
					 const struct rv_catalog_create *params,
					 struct rv_error *err)
{
	char prefix[RV_STREAM_PLACE_MAX], since[RV_STREAM_PLACE_MAX];
	struct first_object first;

	stream->since[0] = '\0';
	rv_stream_data_prefix(stream, prefix);
	if (find_first(lake, prefix, NULL, &first, err) != RV_OK)
		return err->status;
	if (!first.found || params->adopt)
		return RV_OK;
	if (!params->fresh) {
		rv_fail(err, RV_CONFLICT, "%s already holds objects, %s first", prefix, first.name);
		rv_hint(err,
			"a former stream of that name left them: --adopt makes them part of the new one, "
			"--fresh leaves them out");
		return err->status;
	}
	/* A run writes to the folder of the hour it started in, never to an earlier one
	 * (semantics.md 2.2), so a folder divides the two streams; but not when the old one has
	 * used it as well. */
	rv_format_folder(params->now_ms, stream->since);
	rv_stream_since(stream, since);
	if (find_first(lake, prefix, since, &first, err) != RV_OK)
		return err->status;
	if (first.found) {
		rv_fail(err, RV_CONFLICT,
			"objects of the former stream lie in the present hour: %s", first.name);
		rv_hint(err,
			"a fresh stream begins with an hour of its own: try again in the next one, or "
			"remove the old objects: river stream delete %s/%s --data",
			stream->business, stream->name);
		stream->since[0] = '\0';
		return err->status;
	}
	return RV_OK;
}

/* Takes over what tells the existing stream from others. */
static void copy_identity(struct rv_stream *to, const struct rv_stream *from)
{
	memcpy(to->id, from->id, sizeof(to->id));
	memcpy(to->nonce, from->nonce, sizeof(to->nonce));
	memcpy(to->since, from->since, sizeof(to->since));
	to->created_ms = from->created_ms;
}

static void forget_identity(struct rv_stream *stream)
{
	stream->id[0] = stream->nonce[0] = stream->since[0] = '\0';
	stream->created_ms = 0;
}

static enum rv_status try_create(struct rv_store *lake, struct rv_stream *stream,
				 const struct rv_catalog_create *params,
				 enum rv_catalog_outcome *ret, struct rv_stream *existing,
				 struct rv_error *err)
{
	bool found = false;

	if (read_definition(lake, stream, existing, NULL, &found, err) != RV_OK)
		return err->status;
	if (!found) {
		if (settle_old_objects(lake, stream, params, err) != RV_OK)
			return err->status;
		*ret = RV_CATALOG_CREATED;
		if (params->dry_run)
			return RV_OK;
		if (params->id && params->id[0])
			snprintf(stream->id, sizeof(stream->id), "%s", params->id);
		else
			rv_ulid_new(params->now_ms, stream->id);
		rv_ulid_new(params->now_ms, stream->nonce);
		stream->created_ms = params->now_ms;
		enum rv_status status = write_definition(
			lake, stream, &(struct rv_store_put){.if_absent = true}, err);

		if (status != RV_OK && status != RV_CONFLICT)
			return status;
		if (status == RV_OK && lake->ops->conditional_puts)
			return RV_OK;
		/* Lost, or the store has no conditions: what is there now decides. */
		if (read_definition(lake, stream, existing, NULL, &found, err) != RV_OK)
			return err->status;
		if (!found) {
			forget_identity(stream);
			rv_fail(err, RV_CONFLICT,
				"%s/%s is created and deleted by somebody else at this moment",
				stream->business, stream->name);
			err->transient = true;
			return err->status;
		}
		if (strcmp(existing->nonce, stream->nonce) == 0)
			return RV_OK;
	}
	forget_identity(stream);
	if (rv_definition_diff(existing, stream, NULL, NULL) > 0) {
		*ret = RV_CATALOG_DIFFERS;
		return RV_OK;
	}
	*ret = RV_CATALOG_UNCHANGED;
	copy_identity(stream, existing);
	/* Whoever wrote it may have been killed before it was there to stay. */
	char name[RV_STREAM_PLACE_MAX];
	rv_stream_catalog_name(stream, name);
	return lake->ops->settle ? lake->ops->settle(lake, name, err) : RV_OK;
}

enum rv_status rv_catalog_create(struct rv_store *lake, struct rv_stream *stream,
				 const struct rv_catalog_create *params,
				 enum rv_catalog_outcome *ret, struct rv_stream *existing,
				 struct rv_error *err)
{
	char text[RV_STREAM_TEXT];
	enum rv_status status = params->is_checked ? RV_OK
				: params->dry_run  ? rv_catalog_check_lake(lake, err)
						   : ensure_format(lake, params->now_ms, err);

	for (int i = 0; status == RV_OK && i < CREATE_ATTEMPTS; i++) {
		status = try_create(lake, stream, params, ret, existing, err);
		if (status == RV_OK)
			return RV_OK;
		if (status == RV_CONFLICT && err->transient && i + 1 < CREATE_ATTEMPTS)
			status = RV_OK;
	}
	forget_identity(stream);
	return rv_context(err, "create stream %s", rv_stream_text(stream, text));
}

enum rv_status rv_catalog_update(struct rv_store *lake, const struct rv_stream *old,
				 const char *etag, struct rv_stream *stream, struct rv_error *err)
{
	char text[RV_STREAM_TEXT];

	if (rv_catalog_check_lake(lake, err) != RV_OK)
		return err->status;
	copy_identity(stream, old);
	rv_ulid_new(rv_clock_ms(), stream->nonce);
	enum rv_status status =
		write_definition(lake, stream, &(struct rv_store_put){.if_etag = etag}, err);

	if (status == RV_CONFLICT) {
		RV_CLEANUP(rv_stream_release_p) struct rv_stream now;
		struct rv_error look = RV_ERROR_INIT;
		bool found = false;

		/* a put whose answer was lost */
		rv_stream_init(&now);
		if (read_definition(lake, stream, &now, NULL, &found, &look) == RV_OK && found &&
		    strcmp(now.nonce, stream->nonce) == 0)
			return RV_OK;
		rv_fail(err, RV_CONFLICT, "stream %s was changed by somebody else at the same time",
			rv_stream_text(stream, text));
		rv_hint(err, "run the command again: it compares with what is there now");
		return err->status;
	}
	return status == RV_OK ? RV_OK
			       : rv_context(err, "update stream %s", rv_stream_text(stream, text));
}

enum rv_status rv_catalog_delete(struct rv_store *lake, const char *name, const char *etag,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	char object[RV_STREAM_PLACE_MAX];

	rv_stream_init(&stream);
	if (rv_stream_parse_name(name, &stream, err) != RV_OK ||
	    rv_catalog_check_lake(lake, err) != RV_OK)
		return err->status;
	if (lake->ops->remove(lake, rv_stream_catalog_name(&stream, object), etag, err) == RV_OK)
		return RV_OK;
	return rv_context(err, "delete stream %s", name);
}

/* ---- contents ---------------------------------------------------------------------------------
 */

static void part_prefix(const struct rv_stream *stream, enum rv_catalog_part part,
			char buf[RV_STREAM_PLACE_MAX])
{
	if (part == RV_CATALOG_OBJECTS)
		rv_stream_data_prefix(stream, buf);
	else
		snprintf(buf, RV_STREAM_PLACE_MAX, "_river/%s/%s/%s/", rv_catalog_part_names[part],
			 stream->business, stream->name);
}

struct counting {
	uint64_t *count, *bytes;
};

static enum rv_status count_object(void *arg, const struct rv_store_object *object,
				   struct rv_error *err RV_UNUSED)
{
	struct counting *counting = arg;

	(*counting->count)++;
	*counting->bytes += object->bytes;
	return RV_OK;
}

enum rv_status rv_catalog_contents(struct rv_store *lake, const struct rv_stream *stream,
				   struct rv_catalog_contents *ret, struct rv_error *err)
{
	struct rv_catalog_contents contents = {0};
	char prefix[RV_STREAM_PLACE_MAX];

	for (int part = 0; part < RV_CATALOG_PARTS; part++) {
		struct counting counting = {&contents.count[part], &contents.bytes[part]};
		struct rv_store_list list = {.prefix = prefix};

		part_prefix(stream, (enum rv_catalog_part)part, prefix);
		if (lake->ops->list(lake, &list, count_object, &counting, err) != RV_OK)
			return rv_context(err, "look at %s", prefix);
	}
	*ret = contents;
	return RV_OK;
}

struct removing {
	char *names[REMOVE_BATCH];
	uint64_t bytes;
	size_t count;
};

static enum rv_status collect_object(void *arg, const struct rv_store_object *object,
				     struct rv_error *err)
{
	struct removing *removing = arg;

	if (removing->count == REMOVE_BATCH)
		return rv_fail(err, RV_FAILED, "enough for now");
	removing->names[removing->count++] = rv_strdup(object->name);
	removing->bytes += object->bytes;
	return RV_OK;
}

/* Removes up to REMOVE_BATCH objects: a listing is not changed while it runs. */
static enum rv_status remove_some(struct rv_store *lake, const char *prefix,
				  struct removing *removing, struct rv_error *err)
{
	struct rv_store_list list = {.prefix = prefix};
	enum rv_status status = lake->ops->list(lake, &list, collect_object, removing, err);

	if (status != RV_OK && removing->count < REMOVE_BATCH)
		return status;
	for (size_t i = 0; i < removing->count; i++)
		if (lake->ops->remove(lake, removing->names[i], NULL, err) != RV_OK)
			return err->status;
	return RV_OK;
}

enum rv_status rv_catalog_remove_contents(struct rv_store *lake, const struct rv_stream *stream,
					  struct rv_catalog_contents *ret, struct rv_error *err)
{
	char prefix[RV_STREAM_PLACE_MAX];

	*ret = (struct rv_catalog_contents){0};
	for (int part = 0; part < RV_CATALOG_PARTS; part++) {
		bool more = true;

		part_prefix(stream, (enum rv_catalog_part)part, prefix);
		while (more) {
			struct removing *removing = rv_calloc(1, sizeof(*removing));
			enum rv_status status = remove_some(lake, prefix, removing, err);

			more = removing->count > 0;
			if (status == RV_OK) {
				ret->count[part] += removing->count;
				ret->bytes[part] += removing->bytes;
			}
			for (size_t i = 0; i < removing->count; i++)
				free(removing->names[i]);
			free(removing);
			if (status != RV_OK)
				return rv_context(err, "remove %s", prefix);
		}
	}
	return RV_OK;
}

/* ---- listing ----------------------------------------------------------------------------------
 */

struct naming {
	enum rv_status (*each)(void *arg, const char *name, struct rv_error *err);
	void *arg;
};

static enum rv_status name_of_object(void *arg, const struct rv_store_object *object,
				     struct rv_error *err)
{
	struct naming *naming = arg;
	const char *text = object->name + strlen(RV_CATALOG_PREFIX);
	size_t len = strlen(text);
	char name[RV_STREAM_TEXT];
	struct rv_stream parsed;
	struct rv_error ignored = RV_ERROR_INIT;

	/* whatever else lies there is not a stream */
	if (!rv_ends_with(text, ".json") || len - 5 >= sizeof(name))
		return RV_OK;
	memcpy(name, text, len - 5);
	name[len - 5] = '\0';
	rv_stream_init(&parsed);
	if (!strchr(name, '/') || rv_stream_parse_name(name, &parsed, &ignored) != RV_OK)
		return RV_OK;
	return naming->each(naming->arg, name, err);
}

enum rv_status rv_catalog_list(struct rv_store *lake, const char *prefix, const char *after,
			       enum rv_status (*each)(void *arg, const char *name,
						      struct rv_error *err),
			       void *arg, struct rv_error *err)
{
	struct naming naming = {each, arg};

	if (prefix[strspn(prefix, "abcdefghijklmnopqrstuvwxyz0123456789_/")] ||
	    strlen(prefix) >= RV_STREAM_TEXT) {
		rv_fail(err, RV_USAGE, "'%.200s' is not the beginning of a stream name", prefix);
		rv_hint(err, "a stream is business/name: lower case letters, digits and _");
		return err->status;
	}
	if (rv_catalog_check_lake(lake, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *full = rv_asprintf("%s%s", RV_CATALOG_PREFIX, prefix);
	/* ".json" sorts before every character of names, so objects sort as the names do */
	RV_CLEANUP(rv_free_p)
	char *behind = after ? rv_asprintf("%s%s.json", RV_CATALOG_PREFIX, after) : NULL;

	struct rv_store_list list = {.prefix = full, .after = behind, .names_only = true};

	return lake->ops->list(lake, &list, name_of_object, &naming, err);
}
