#include "../CDynamicLibrary/dynamic_library.h"
#include <uchardet/uchardet.h>

#define UCHARDET_FUNCTIONS(F) \
    F(uchardet_new) F(uchardet_handle_data) F(uchardet_data_end) F(uchardet_get_charset) \
    F(uchardet_delete)
DYNAMIC_LIBRARY(uchardet_functions, "libuchardet.so.0", UCHARDET_FUNCTIONS)
