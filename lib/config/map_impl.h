/* Shared by the files that read a map (map.c, map_field.c); nobody else includes this. */
#ifndef RV_CONFIG_MAP_IMPL_H
#define RV_CONFIG_MAP_IMPL_H

#include "config/definition_parse.h"
#include "config/map.h"

/* Index of a column that `node` names, added if it is new. */
enum rv_status rv_map_column(struct rv_def *p, struct rv_map *map, const struct rv_yaml_node *node,
			     const char *path, size_t *ret) RV_MUST_CHECK;
enum rv_status rv_map_parse_time(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
				 enum rv_map_time *ret) RV_MUST_CHECK;
enum rv_status rv_map_parse_fields(struct rv_def *p, const struct rv_yaml_node *node,
				   struct rv_map *map) RV_MUST_CHECK;
void rv_map_field_release(struct rv_map_field *field);

#endif
