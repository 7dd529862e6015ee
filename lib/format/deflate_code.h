/* Prefix codes of a deflate block (RFC 1951): made from counts, and written down in front of it. */
#ifndef RV_FORMAT_DEFLATE_CODE_H
#define RV_FORMAT_DEFLATE_CODE_H

#include <stddef.h>
#include <stdint.h>

#define RV_DEFLATE_LITERALS 286 /* bytes, end of block, match lengths */
#define RV_DEFLATE_DISTANCES 30
#define RV_DEFLATE_END_OF_BLOCK 256

/*
 * The best code for `count` symbols that occur so often, none longer than `max_bits` (at most 15, and
 * enough for all). Lengths are 0 for symbols that do not occur, except that a code always has two, for
 * some decoders take no smaller one. Codes have their first bit lowest, as they are written.
 */
void rv_deflate_code(const uint32_t *times, size_t count, unsigned max_bits, uint8_t *ret_bits,
		     uint16_t *ret_codes);

/* Both codes as a block with codes of its own has them in front. */
struct rv_deflate_head {
	uint16_t literals, distances, kinds; /* how many lengths are written of each */
	uint8_t kind_bits[19];
	uint16_t kind_codes[19];
	uint16_t step_count;
	uint16_t steps[RV_DEFLATE_LITERALS + RV_DEFLATE_DISTANCES]; /* kind, and its extra bits above 5 */
	uint64_t bits;                                              /* of all of it */
};
void rv_deflate_head_make(struct rv_deflate_head *head, const uint8_t *literal_bits,
			  const uint8_t *distance_bits);
/* In the order in which the lengths of the code for the lengths are written. */
extern const uint8_t rv_deflate_kind_order[19];
/* Extra bits of a step. */
unsigned rv_deflate_step_extra(unsigned kind);

#endif
