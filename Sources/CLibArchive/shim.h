#include "../CDynamicLibrary/dynamic_library.h"
#include <archive.h>
#include <archive_entry.h>

#define ARCHIVE_FUNCTIONS(F) \
    F(archive_read_new) F(archive_read_support_format_zip) F(archive_read_open_fd) \
    F(archive_read_next_header) F(archive_read_data) F(archive_read_has_encrypted_entries) \
    F(archive_read_free) F(archive_error_string) F(archive_entry_pathname) \
    F(archive_entry_pathname_utf8) F(archive_entry_is_encrypted)
DYNAMIC_LIBRARY(archive_functions, "libarchive.so.13", ARCHIVE_FUNCTIONS)
