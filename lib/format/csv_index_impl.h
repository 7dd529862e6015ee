/* Shared by the ways of csv_index.h; nobody else includes this. */
#ifndef RV_FORMAT_CSV_INDEX_IMPL_H
#define RV_FORMAT_CSV_INDEX_IMPL_H

#include "base/processor.h"
#include "format/csv_index.h"

#if RV_X86
rv_csv_index_make rv_csv_index_avx2, rv_csv_index_avx512;
#endif

#endif
