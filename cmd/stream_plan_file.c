/*
 * Plans that are kept, so that what was looked at is what is done: the definitions, the steps, every
 * statement, and a fingerprint of them all. Applying one makes the plan anew from its definitions and the
 * lake and the warehouse as they are now; only when both are the same is anything done.
 *
 *   {"v":1,"plan":"river","profile":"prod","options":{...},"definitions":[...],"steps":[...],
 *    "places":[{"lake":"s3://...","changes":[...]}],"fingerprint":"..."}
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/memory.h"
#include "config/definition.h"
#include "stream_plan.h"

#define VERSION 1
#define MAX_BYTES (256u << 20)

static json_t *options_json(const struct river_plan_params *params)
{
	return json_pack("{s:b, s:b, s:b}", "prune", (int)params->prune, "adopt", (int)params->adopt,
			 "fresh", (int)params->fresh);
}

/* What the step is based on is part of it: another definition in the lake, another plan. */
static json_t *plan_steps(const struct river_plan *plan)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < plan->count; i++) {
		const struct river_step *step = &plan->steps[i];
		json_t *json = river_step_json(step, false);
		json_t *removal = json_array();

		if (step->etag[0])
			json_object_set_new(json, "replaces", json_string(step->etag));
		for (size_t k = 0; k < step->removal.count; k++)
			json_array_append_new(removal, rv_change_json(&step->removal.items[k]));
		json_object_set_new(json, "removal", removal);
		json_array_append_new(steps, json);
	}
	return steps;
}

static json_t *plan_places(const struct river_plan *plan)
{
	json_t *places = json_array();

	for (size_t i = 0; i < plan->places_count; i++)
		json_array_append_new(places,
				      json_pack("{s:o, s:o}", "lake",
						rv_out_text(plan->places[i]->lake->url), "changes",
						river_tables_json(plan->places[i], NULL)));
	return places;
}

static json_t *plan_json(struct rv_command_context *cx, const struct river_plan *plan,
			 const struct river_plan_params *params)
{
	json_t *json = json_pack("{s:i, s:s, s:o, s:o}", "v", VERSION, "plan", "river", "profile",
				 rv_out_text(cx->profile->name), "options", options_json(params));
	json_t *definitions = json_array();

	for (size_t i = 0; i < plan->count; i++) {
		struct rv_stream stream = plan->steps[i].stream;

		if (plan->steps[i].action == RIVER_DELETE)
			continue;
		/* the catalog's form has a nonce, which is made when it is written there */
		if (!stream.nonce[0])
			memcpy(stream.nonce, stream.id, sizeof(stream.nonce));
		json_array_append_new(definitions, rv_definition_json(&stream));
	}
	json_object_set_new(json, "definitions", definitions);
	json_object_set_new(json, "steps", plan_steps(plan));
	json_object_set_new(json, "places", plan_places(plan));
	return json;
}

/* Over all but itself. */
static char *fingerprint_of(const json_t *json)
{
	json_t *bare = json_copy((json_t *)(uintptr_t)json);

	json_object_del(bare, "fingerprint");
	RV_CLEANUP(rv_free_p) char *text = json_dumps(bare, JSON_COMPACT | JSON_SORT_KEYS);
	XXH128_hash_t hash = XXH3_128bits(text, strlen(text));

	json_decref(bare);
	return rv_asprintf("%016llx%016llx", (unsigned long long)hash.high64,
			   (unsigned long long)hash.low64);
}

enum rv_status river_plan_save(struct rv_command_context *cx, const struct river_plan *plan,
			       const struct river_plan_params *params, const char *path,
			       struct rv_error *err)
{
	json_t *json = plan_json(cx, plan, params);
	RV_CLEANUP(rv_free_p) char *fingerprint = fingerprint_of(json);

	json_object_set_new(json, "fingerprint", json_string(fingerprint));
	RV_CLEANUP(rv_free_p) char *text = json_dumps(json, JSON_INDENT(1));

	json_decref(json);
	return rv_out_to_file(path, text, strlen(text), 0600, err);
}

/* ---- applying --------------------------------------------------------------------------------- */

static enum rv_status bad_plan(const char *path, const char *why, struct rv_error *err)
{
	rv_fail(err, RV_BAD_CONFIG, "%s is no plan of river's: %s", path, why);
	rv_hint(err, "make one: river stream apply -f PATH --out %s", path);
	return err->status;
}

static enum rv_status read_definitions(const char *path, const json_t *json,
				       struct river_definitions *ret, struct rv_error *err)
{
	const json_t *definitions = json_object_get(json, "definitions");

	for (size_t i = 0; i < json_array_size(definitions); i++) {
		RV_CLEANUP(rv_free_p)
		char *text = json_dumps(json_array_get(definitions, i), JSON_COMPACT);
		RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;

		rv_stream_init(&stream);
		if (!text || rv_definition_from_json(path, text, strlen(text), &stream, err) != RV_OK)
			return err->status ? err->status : bad_plan(path, "a definition is none", err);
		/* all of it was said already, stamps among it */
		stream.stamp_given = true;
		stream.created_ms = 0;
		stream.nonce[0] = stream.since[0] = '\0';
		river_definitions_add(ret, &stream);
	}
	return RV_OK;
}

enum rv_status river_plan_load(const char *path, struct river_definitions *ret,
			       struct river_plan_params *ret_params, json_t **ret_json,
			       struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(json_decrefp) json_t *json = NULL;

	if (rv_read_file(path, MAX_BYTES, &text, err) != RV_OK)
		return err->status;
	json = json_loadb(text.bytes, text.len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *version = json_object_get(json, "v");
	const char *kind = json_string_value(json_object_get(json, "plan"));

	if (json_integer_value(version) < 1 || !kind || strcmp(kind, "river") != 0)
		return bad_plan(path, "it does not say so", err);
	if (json_integer_value(version) > VERSION) {
		rv_fail(err, RV_BAD_CONFIG, "%s is a plan of version %" JSON_INTEGER_FORMAT
					    ", this river knows %d",
			path, json_integer_value(version), VERSION);
		rv_hint(err, "use a newer river");
		return err->status;
	}
	RV_CLEANUP(rv_free_p) char *fingerprint = fingerprint_of(json);
	const char *said = json_string_value(json_object_get(json, "fingerprint"));

	if (!said || strcmp(said, fingerprint) != 0)
		return bad_plan(path, "it was changed after it was made", err);
	const json_t *options = json_object_get(json, "options");

	ret_params->prune = json_is_true(json_object_get(options, "prune"));
	ret_params->adopt = json_is_true(json_object_get(options, "adopt"));
	ret_params->fresh = json_is_true(json_object_get(options, "fresh"));
	if (read_definitions(path, json, ret, err) != RV_OK)
		return rv_context(err, "%s", path);
	*ret_json = json_incref(json);
	return RV_OK;
}

/* "object" or "stream" of an item */
static const char *name_of(const json_t *item)
{
	const char *object = json_string_value(json_object_get(item, "object"));

	return object ? object : json_string_value(json_object_get(item, "stream"));
}

/* For messages: a file may hold anything. */
static const char *shown(const char *text)
{
	return text ? text : "?";
}

static const json_t *find(const json_t *items, const char *name)
{
	for (size_t i = 0; name && i < json_array_size(items); i++) {
		const char *other = name_of(json_array_get(items, i));

		if (other && strcmp(other, name) == 0)
			return json_array_get(items, i);
	}
	return NULL;
}

static const char *action_of(const json_t *item)
{
	const char *action = json_string_value(json_object_get(item, "action"));

	return action ? action : "nothing";
}

static const char *why_of(const json_t *item)
{
	const char *why = json_string_value(json_object_get(item, "why"));

	return why ? why : "";
}

/* Prints how two lists of changes differ; returns in how many. */
static size_t tell_changes(const json_t *was, const json_t *now)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(was); i++) {
		const json_t *item = json_array_get(was, i), *other = find(now, name_of(item));

		if (other && json_equal(item, other))
			continue;
		rv_note("%s: planned was %s (%s), now it is %s (%s)", shown(name_of(item)), action_of(item),
			why_of(item), action_of(other), other ? why_of(other) : "as wanted");
		count++;
	}
	for (size_t i = 0; i < json_array_size(now); i++) {
		const json_t *item = json_array_get(now, i);

		if (find(was, name_of(item)))
			continue;
		rv_note("%s: planned was nothing, now it is %s (%s)", shown(name_of(item)), action_of(item),
			why_of(item));
		count++;
	}
	return count;
}

static size_t tell_steps(const json_t *was, const json_t *now)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(was); i++) {
		const json_t *item = json_array_get(was, i), *other = find(now, name_of(item));

		if (other && json_equal(item, other))
			continue;
		count++;
		if (!other || strcmp(action_of(item), action_of(other)) != 0)
			rv_note("%s: planned was %s, now it is %s", shown(name_of(item)), action_of(item),
				action_of(other));
		else if (tell_changes(json_object_get(item, "warehouse"),
				      json_object_get(other, "warehouse")) == 0)
			rv_note("%s: what it replaces, or what is behind it, is another one now",
				shown(name_of(item)));
	}
	for (size_t i = 0; i < json_array_size(now); i++) {
		const json_t *item = json_array_get(now, i);

		if (find(was, name_of(item)))
			continue;
		rv_note("%s: planned was nothing, now it is %s", shown(name_of(item)), action_of(item));
		count++;
	}
	return count;
}

static size_t tell_places(const json_t *was, const json_t *now)
{
	size_t count = json_array_size(was) != json_array_size(now);

	if (count)
		rv_note("the streams are of other lakes now");
	for (size_t i = 0; i < json_array_size(was) && i < json_array_size(now); i++) {
		const json_t *a = json_array_get(was, i), *b = json_array_get(now, i);

		if (!json_equal(json_object_get(a, "lake"), json_object_get(b, "lake"))) {
			rv_note("the lake was %s, now it is %s",
				shown(json_string_value(json_object_get(a, "lake"))),
				shown(json_string_value(json_object_get(b, "lake"))));
			count++;
		}
		count += tell_changes(json_object_get(a, "changes"), json_object_get(b, "changes"));
	}
	return count;
}

enum rv_status river_plan_check(struct rv_command_context *cx, const struct river_plan *plan,
				const struct river_plan_params *params, const json_t *saved,
				struct rv_error *err)
{
	RV_CLEANUP(json_decrefp) json_t *now = plan_json(cx, plan, params);
	size_t count = tell_places(json_object_get(saved, "places"), json_object_get(now, "places")) +
		       tell_steps(json_object_get(saved, "steps"), json_object_get(now, "steps"));

	if (!json_equal(json_object_get(saved, "profile"), json_object_get(now, "profile"))) {
		rv_note("the profile was %s, now it is %s",
			shown(json_string_value(json_object_get(saved, "profile"))), cx->profile->name);
		count++;
	}
	if (count == 0)
		return RV_OK;
	rv_fail(err, RV_CONFLICT, "the plan is not what would be done now; nothing was changed");
	rv_hint(err, "make it anew: river stream apply -f PATH --out FILE");
	return err->status;
}
