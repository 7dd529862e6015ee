/* Lists of changes; see the header. */
#include "warehouse/changes.h"

#include <stdlib.h>

#include "base/memory.h"

static const char *const planned[] = { "make", "alter", "replace", "remove", "leave", "conflict" };
static const char *const done[] = { "made", "altered", "replaced", "removed", "left", "conflict" };
static const char *const states[] = { "planned", "done", "failed", "skipped" };

void rv_changes_release(struct rv_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		struct rv_change *change = &changes->items[i];

		free(change->object);
		free(change->why);
		free(change->hint);
		free(change->drains);
		for (size_t k = 0; k < change->statements_count; k++)
			free(change->statements[k]);
		free(change->statements);
		free(change->error);
	}
	free(changes->items);
	*changes = (struct rv_changes){ 0 };
}

size_t rv_changes_add(struct rv_changes *changes, enum rv_change_kind kind,
		      const struct rv_stream *stream, char *object, char *why)
{
	RV_GROW(changes->items, changes->count, changes->capacity);
	changes->items[changes->count] = (struct rv_change){
		.kind = kind,
		.stream = stream,
		.object = object,
		.why = why,
		.essential = 1,
	};
	return changes->count++;
}

void rv_change_add_statement(struct rv_change *change, const char *sql)
{
	change->statements = rv_realloc_array(change->statements, change->statements_count + 1,
					      sizeof(*change->statements));
	change->statements[change->statements_count++] = rv_strdup(sql);
}

void rv_change_after(struct rv_change *change, size_t place, bool needs)
{
	if (place == SIZE_MAX)
		return;
	for (size_t i = 0; i < change->after_count; i++) {
		if (change->after[i] != place)
			continue;
		change->needs[i] |= needs;
		return;
	}
	if (change->after_count == RV_CHANGE_AFTER_MAX)
		rv_bug("%s comes after too much", change->object);
	change->needs[change->after_count] = needs;
	change->after[change->after_count++] = place;
}

bool rv_change_is_real(const struct rv_change *change)
{
	return change->kind != RV_CHANGE_FOREIGN && change->kind != RV_CHANGE_CONFLICT;
}

size_t rv_changes_count(const struct rv_changes *changes)
{
	size_t count = 0;

	for (size_t i = 0; i < changes->count; i++)
		count += rv_change_is_real(&changes->items[i]);
	return count;
}

const char *rv_change_word(enum rv_change_kind kind, bool is_done)
{
	return (is_done ? done : planned)[kind];
}

json_t *rv_change_json(const struct rv_change *change)
{
	json_t *statements = json_array();
	json_t *json = json_pack("{s:s, s:s, s:s, s:o}", "object", change->object, "action",
				 rv_change_word(change->kind, change->state == RV_CHANGE_DONE), "why",
				 change->why, "statements", statements);

	for (size_t i = 0; i < change->statements_count; i++)
		json_array_append_new(statements, json_string(change->statements[i]));
	if (change->state != RV_CHANGE_PLANNED)
		json_object_set_new(json, "state", json_string(states[change->state]));
	if (change->error)
		json_object_set_new(json, "error", json_string(change->error->message));
	return json;
}
