/* What every resource shares. */
#include "resource/resource.h"

#include <stdlib.h>

#include "base/memory.h"

static void release_changes(struct rv_resource_change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(changes[i].key);
		free(changes[i].from);
		free(changes[i].to);
	}
	free(changes);
}

void rv_resource_view_release(struct rv_resource_view *view)
{
	release_changes(view->changes, view->count);
	release_changes(view->fields, view->fields_count);
	free(view->name);
	free(view->state);
	free(view->arn);
	*view = (struct rv_resource_view){ 0 };
}

void rv_resource_view_change(struct rv_resource_view *view, const char *key, const char *from,
			     const char *to)
{
	RV_GROW(view->changes, view->count, view->capacity);
	view->changes[view->count++] = (struct rv_resource_change){
		.key = rv_strdup(key),
		.from = from ? rv_strdup(from) : NULL,
		.to = to ? rv_strdup(to) : NULL,
	};
}

void rv_resource_view_field(struct rv_resource_view *view, const char *key, const char *value)
{
	RV_GROW(view->fields, view->fields_count, view->fields_capacity);
	view->fields[view->fields_count++] = (struct rv_resource_change){
		.key = rv_strdup(key),
		.to = value ? rv_strdup(value) : NULL,
	};
}

void rv_resources_release(struct rv_resources *resources)
{
	for (size_t i = 0; i < resources->count; i++)
		resources->items[i]->ops->free(resources->items[i]);
	resources->count = 0;
}
