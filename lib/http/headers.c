/* Lists of header fields, and the answer that carries them. */
#include "http/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

/* RFC 9110, 5.6.2. */
static bool is_token(const char *s)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	if (!*s)
		return false;
	for (; *s; s++)
		if (!((*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') ||
		      (*s >= 'a' && *s <= 'z') || strchr(marks, *s)))
			return false;
	return true;
}

bool rv_http_value_valid(const char *value)
{
	return !strpbrk(value, "\r\n");
}

void rv_http_headers_add(struct rv_http_headers *headers, const char *name, const char *value)
{
	if (!is_token(name))
		rv_bug("'%s' is no name of a header", name);
	if (!rv_http_value_valid(value))
		rv_bug("the value of header '%s' has more than one line", name);
	RV_GROW(headers->items, headers->count, headers->capacity);
	headers->items[headers->count++] = (struct rv_http_header){
		.name = rv_strdup(name), .value = rv_strdup(value)
	};
}

static struct rv_http_header *find(const struct rv_http_headers *headers, const char *name)
{
	for (size_t i = 0; i < headers->count; i++)
		if (strcasecmp(headers->items[i].name, name) == 0)
			return &headers->items[i];
	return NULL;
}

void rv_http_headers_set(struct rv_http_headers *headers, const char *name, const char *value)
{
	struct rv_http_header *old = find(headers, name);

	if (!old) {
		rv_http_headers_add(headers, name, value);
		return;
	}
	if (!rv_http_value_valid(value))
		rv_bug("the value of header '%s' has more than one line", name);
	char *copy = rv_strdup(value); /* `value` may be the old one */
	free(old->value);
	old->value = copy;
}

const char *rv_http_headers_get(const struct rv_http_headers *headers, const char *name)
{
	const struct rv_http_header *header = find(headers, name);

	return header ? header->value : NULL;
}

void rv_http_headers_release(struct rv_http_headers *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		free(headers->items[i].name);
		free(headers->items[i].value);
	}
	free(headers->items);
	*headers = (struct rv_http_headers){ 0 };
}

void rv_http_response_release(struct rv_http_response *response)
{
	rv_http_headers_release(&response->headers);
	rv_strbuf_release(&response->body);
	*response = (struct rv_http_response)RV_HTTP_RESPONSE_INIT;
}

void rv_http_response_clear(struct rv_http_response *response)
{
	rv_http_headers_release(&response->headers);
	rv_strbuf_clear(&response->body);
	response->status = 0;
	response->date_ms = -1;
}
