/* Shared by the ways of csv_index.h; nobody else includes this. */
#ifndef RV_FORMAT_CSV_INDEX_IMPL_H
#define RV_FORMAT_CSV_INDEX_IMPL_H

#include "format/csv_index.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define RV_CSV_X86 1
#else
#define RV_CSV_X86 0
#endif

#if RV_CSV_X86
rv_csv_index_make rv_csv_index_avx2, rv_csv_index_avx512;
#endif

#endif
