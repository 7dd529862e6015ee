/* Allocation that ends the process instead of returning NULL. */
#include "base/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void rv_out_of_memory(size_t size)
{
	char text[96];
	int n = size ? snprintf(text, sizeof(text), "river: out of memory (%zu bytes)\n", size)
		     : snprintf(text, sizeof(text), "river: out of memory\n");
	/* Nothing to be done when standard error is gone as well. */
	ssize_t ignored = write(STDERR_FILENO, text, (size_t)n);
	(void)ignored;
	_exit(70);
}

void *rv_malloc(size_t size)
{
	void *p = malloc(size ? size : 1);
	if (!p)
		rv_out_of_memory(size);
	return p;
}

void *rv_calloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);
	if (!p)
		rv_out_of_memory(count);
	return p;
}

void *rv_realloc(void *p, size_t size)
{
	void *q = realloc(p, size ? size : 1);
	if (!q)
		rv_out_of_memory(size);
	return q;
}

void *rv_realloc_array(void *p, size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total))
		rv_out_of_memory(SIZE_MAX);
	return rv_realloc(p, total);
}

char *rv_strdup(const char *s)
{
	return rv_strndup(s, strlen(s));
}

char *rv_strndup(const char *s, size_t len)
{
	char *p = rv_malloc(len + 1);
	if (len)
		memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *rv_asprintf(const char *fmt, ...)
{
	char *p = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n < 0)
		rv_out_of_memory(0);
	return p;
}

void rv_free_p(void *pointer_to_pointer)
{
	void **p = pointer_to_pointer;
	free(*p);
	*p = NULL;
}

void rv_close_p(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
	*fd = -1;
}
