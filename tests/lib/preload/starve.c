/*
 * Memory that runs out: an LD_PRELOAD library under which the Nth allocation of a program fails.
 *
 *	STARVE_COUNT=FILE   how many allocations there were, and how many of them failed, as two numbers of eight bytes
 *	STARVE_AT=N         the Nth fails, from 1; without it all are counted and none fails
 *	STARVE_FOREVER=1    and all behind it
 *	STARVE_ALL=1        those of the program's own code too; else only what libraries ask for
 *	STARVE_PROGRAM=NAME what the program is called, "river" when it is not said; no other is starved
 *
 * The program's own allocations go through one function that ends it: the same as a kill at that place, which
 * is walked over elsewhere. What matters is what it makes of a library that had no memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own, below the names that this library takes */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

struct counts {
	_Atomic uint64_t asked, failed;
};

static struct counts *counts; /* NULL: nothing is starved */
static uint64_t at;
static bool forever, all;
static uintptr_t code_from, code_to; /* of the program itself */

static int find_program(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
			code_from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
			code_to = code_from + info->dlpi_phdr[i].p_memsz;
		}
	return 1; /* the program comes first */
}

__attribute__((constructor)) static void begin(void)
{
	const char *file = getenv("STARVE_COUNT"), *program = getenv("STARVE_PROGRAM"), *text = getenv("STARVE_AT");

	if (!file || strcmp(program_invocation_short_name, program ? program : "river") != 0)
		return;
	at = text ? strtoull(text, NULL, 10) : 0;
	forever = getenv("STARVE_FOREVER") != NULL;
	all = getenv("STARVE_ALL") != NULL;
	dl_iterate_phdr(find_program, NULL);
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*counts)) < 0)
		_exit(125);
	/* shared with what is forked: a child is the program as well */
	void *p = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		_exit(125);
	counts = p;
}

/* Not inlined, and not merged: a debugger can stop here. */
__attribute__((noinline)) static bool fails(uint64_t number)
{
	if (number != at && !(forever && number > at))
		return false;
	atomic_fetch_add(&counts->failed, 1);
	errno = ENOMEM;
	return true;
}

static bool starved(const void *caller)
{
	if (!counts || (!all && (uintptr_t)caller >= code_from && (uintptr_t)caller < code_to))
		return false;
	uint64_t number = atomic_fetch_add(&counts->asked, 1) + 1;
	return at && fails(number);
}
#define STARVED() starved(__builtin_return_address(0))

void *malloc(size_t size)
{
	return STARVED() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return STARVED() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
	return size && STARVED() ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return STARVED() ? NULL : __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
	return STARVED() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	void *p = STARVED() ? NULL : __libc_memalign(alignment, size);

	if (!p)
		return ENOMEM;
	*ret = p;
	return 0;
}
