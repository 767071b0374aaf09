#include "../CDynamicLibrary/dynamic_library.h"
#include <cblas.h>

#define OPENBLAS_FUNCTIONS(F) \
    F(cblas_sgemm) F(cblas_sgemv) F(openblas_get_config) F(openblas_get_corename) \
    F(openblas_set_num_threads)
DYNAMIC_LIBRARY(openblas_functions, "libopenblas.so.0", OPENBLAS_FUNCTIONS)
