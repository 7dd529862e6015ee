/*
 * Allocation that cannot fail, and the cleanup attribute.
 *
 * Memory is bounded by river's own limits, so running out of it ends the process (exit 70, a
 * message naming the size) rather than adding a branch to every line; all state on disk stays
 * valid because it is always valid.
 */
#ifndef RV_BASE_MEMORY_H
#define RV_BASE_MEMORY_H

#include <stddef.h>

#define RV_CLEANUP(fn) __attribute__((cleanup(fn)))

void *rv_malloc(size_t size);                 /* never NULL, also for 0 */
void *rv_calloc(size_t count, size_t size);
void *rv_realloc(void *p, size_t size);
void *rv_realloc_array(void *p, size_t count, size_t size);
char *rv_strdup(const char *s);
char *rv_strndup(const char *s, size_t len);
char *rv_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* How they end: for calls of libraries that can fail for want of memory alone. 0: how much is not known. */
_Noreturn void rv_out_of_memory(size_t size);

/* RV_CLEANUP(rv_free_p) char *p = NULL; */
void rv_free_p(void *pointer_to_pointer);
/* RV_CLEANUP(rv_close_p) int fd = -1; keeps errno */
void rv_close_p(int *fd);

/* Hands a pointer over and nulls the local: *ret_text = rv_take(text); */
#define rv_take(p)                                                                                 \
	__extension__({                                                                            \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})

/* Grow a vector so that index `count` exists: RV_GROW(items, count, capacity); */
#define RV_GROW(items, count, capacity)                                                            \
	do {                                                                                       \
		if ((count) >= (capacity)) {                                                       \
			(capacity) = (capacity) ? (capacity)*2 : 8;                                \
			(items) = rv_realloc_array((items), (capacity), sizeof(*(items)));         \
		}                                                                                  \
	} while (0)

#endif
