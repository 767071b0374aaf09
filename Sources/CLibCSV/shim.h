#include "../CDynamicLibrary/dynamic_library.h"
#include <csv.h>

#define CSV_FUNCTIONS(F) \
    F(csv_init) F(csv_set_delim) F(csv_parse) F(csv_fini) F(csv_free)
DYNAMIC_LIBRARY(csv_functions, "libcsv.so.3", CSV_FUNCTIONS)
