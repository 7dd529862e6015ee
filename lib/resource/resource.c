/* What every resource shares. */
#include "resource/resource.h"

#include <stdlib.h>

#include "base/memory.h"

void rv_resource_view_release(struct rv_resource_view *view)
{
	for (size_t i = 0; i < view->count; i++) {
		free(view->changes[i].key);
		free(view->changes[i].from);
		free(view->changes[i].to);
	}
	free(view->changes);
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

void rv_resources_release(struct rv_resources *resources)
{
	for (size_t i = 0; i < resources->count; i++)
		resources->items[i]->ops->free(resources->items[i]);
	resources->count = 0;
}
