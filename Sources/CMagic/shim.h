#include "../CDynamicLibrary/dynamic_library.h"
#include <magic.h>

#define MAGIC_FUNCTIONS(F) \
    F(magic_open) F(magic_load) F(magic_buffer) F(magic_close)
DYNAMIC_LIBRARY(magic_functions, "libmagic.so.1", MAGIC_FUNCTIONS)
