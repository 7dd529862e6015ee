/* A value of a row or of a second file, as it stands in JSON. Shared by the files of pump. */
#ifndef RV_FLOW_PUMP_VALUE_H
#define RV_FLOW_PUMP_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"
#include "format/json_path.h"

enum rv_pump_type {
	RV_PUMP_ABSENT,
	RV_PUMP_NULL,
	RV_PUMP_STRING,  /* `p` is the inside of its quotes, undecoded */
	RV_PUMP_LITERAL, /* a number, true or false */
	RV_PUMP_TREE,    /* an object or an array */
};
struct rv_pump_value {
	enum rv_pump_type type;
	const char *p; /* never NULL */
	size_t len;
	bool escaped;  /* a string with a backslash in it */
};

static inline struct rv_pump_value rv_pump_value_of(const struct rv_json_value *v)
{
	switch (v->type) {
	case RV_JSON_STRING:
		return (struct rv_pump_value){ RV_PUMP_STRING, v->p + 1, v->len >= 2 ? v->len - 2 : 0,
					       v->escaped };
	case RV_JSON_ABSENT:
		return (struct rv_pump_value){ .p = "" };
	case RV_JSON_NULL:
		return (struct rv_pump_value){ .type = RV_PUMP_NULL, .p = "" };
	case RV_JSON_OBJECT:
	case RV_JSON_ARRAY:
		return (struct rv_pump_value){ RV_PUMP_TREE, v->p, v->len, true };
	default:
		return (struct rv_pump_value){ RV_PUMP_LITERAL, v->p, v->len, false };
	}
}

/* The value's own bytes: of a string, decoded; `scratch` is used when that takes a copy. */
static inline struct rv_str rv_pump_bytes(const struct rv_pump_value *v, struct rv_strbuf *scratch)
{
	if (v->type != RV_PUMP_STRING || !v->escaped)
		return (struct rv_str){ v->p, v->len };
	rv_strbuf_clear(scratch);
	rv_strbuf_reserve(scratch, v->len);
	scratch->len = rv_json_unescape(v->p, v->len, scratch->bytes);
	scratch->bytes[scratch->len] = '\0';
	return (struct rv_str){ scratch->bytes, scratch->len };
}

#endif
