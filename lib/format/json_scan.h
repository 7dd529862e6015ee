/*
 * Is this one RFC 8259 object? A validator that builds nothing: it reads bytes, allocates nothing
 * and stops right behind the object's closing brace, so it can walk a large buffer record by
 * record.
 *
 * Accepted: exactly RFC 8259 objects in strict UTF-8 (no overlong forms, no encoded surrogates,
 * nothing above U+10FFFF), with duplicate keys, \u0000, -0 and numbers of any size. Refused beyond
 * the grammar: escapes of half a surrogate pair, and nesting deeper than the caller allows.
 *
 * All functions are reentrant, borrow their arguments for the call and never read outside
 * p[0..len). The bytes may hold anything.
 */
#ifndef RV_FORMAT_JSON_SCAN_H
#define RV_FORMAT_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* The default, and the most there is: a larger `max_depth` counts as this. */
#define RV_JSON_MAX_DEPTH 1024

/* What is wrong, and which byte rv_json_scan.end then names. */
enum rv_json_fault {
	RV_JSON_OK,
	RV_JSON_TRUNCATED,         /* input ended inside the object, fine so far; end = len */
	RV_JSON_NOT_OBJECT,        /* the first byte is not '{' */
	RV_JSON_SYNTAX,            /* the byte that cannot stand there */
	RV_JSON_CONTROL_CHARACTER, /* the byte below 0x20 inside a string */
	RV_JSON_UTF8,              /* first byte of a sequence that is not UTF-8, in a string */
	RV_JSON_ESCAPE,            /* the backslash of an escape JSON does not have */
	RV_JSON_LONE_SURROGATE,    /* the backslash of the \ud800..\udfff without its other half */
	RV_JSON_NUMBER,            /* the byte that breaks a number: "01", "1.", "1e", "-" */
	RV_JSON_DEPTH,             /* the '{' or '[' that is one level too deep */
	RV_JSON_NEWLINE,           /* the raw \n between tokens, where lines are records */
};

enum {
	/* A raw \n between tokens is RV_JSON_NEWLINE; \r there stays ordinary white space. */
	RV_JSON_LINE_MODE = 1,
};

struct rv_json_scan {
	size_t end;               /* OK: one past the closing brace; else where the fault is */
	enum rv_json_fault fault;
	bool has_newline;         /* OK only: raw \n or \r between tokens */
	bool has_river_key;       /* OK only: a top-level key is "_river", escapes decoded */
};

/*
 * Scans one object that starts at p[0]; what follows it is not judged. `max_depth` counts the outer
 * object as 1; 0 means RV_JSON_MAX_DEPTH. Fills `ret` and returns ret->fault.
 */
enum rv_json_fault rv_json_scan_object(const char *p, size_t len, unsigned max_depth,
				       unsigned flags, struct rv_json_scan *ret);

/* A lower case phrase for messages: "a lone surrogate escape". */
const char *rv_json_fault_text(enum rv_json_fault fault);

/* In place: raw \n and \r become spaces. Meant for text already found valid, where they can only
 * stand between tokens. */
void rv_json_blank_newlines(char *p, size_t len);

/*
 * The implementations this processor can run, slowest (the portable one) first; they agree on
 * every input. rv_json_scan_object uses the last. For tests and benches.
 */
struct rv_json_scanner {
	const char *name;
	enum rv_json_fault (*scan)(const char *p, size_t len, unsigned max_depth, unsigned flags,
				   struct rv_json_scan *ret);
};
size_t rv_json_scanners(const struct rv_json_scanner **ret_list);

#endif
