// What is used of GMime 3 and GLib 2. Their own headers need compiler flags that the package manager
// does not let through (pkg-config gmime-3.0 gives -pthread and a macro).
#include "../CDynamicLibrary/dynamic_library.h"
#include <stddef.h>

typedef struct _GMimeObject GMimeObject;
typedef struct _GMimeStream GMimeStream;
typedef struct _GMimeParser GMimeParser;
typedef struct _GMimeContentType GMimeContentType;
typedef struct _GMimeDataWrapper GMimeDataWrapper;
typedef struct _InternetAddressList InternetAddressList;
typedef struct _GDateTime GDateTime;

void g_object_unref(void *object);
void g_free(void *memory);
int g_type_check_instance_is_a(void *instance, size_t type);
char *g_date_time_format(GDateTime *time, const char *format);

void g_mime_init(void);
GMimeStream *g_mime_stream_mem_new_with_buffer(const char *bytes, size_t count);
GMimeStream *g_mime_stream_fs_new(int descriptor);
int g_mime_stream_flush(GMimeStream *stream);
GMimeParser *g_mime_parser_new_with_stream(GMimeStream *stream);
GMimeObject *g_mime_parser_construct_message(GMimeParser *parser, void *options);

const char *g_mime_message_get_subject(GMimeObject *message);
InternetAddressList *g_mime_message_get_from(GMimeObject *message);
InternetAddressList *g_mime_message_get_to(GMimeObject *message);
InternetAddressList *g_mime_message_get_cc(GMimeObject *message);
GDateTime *g_mime_message_get_date(GMimeObject *message);
GMimeObject *g_mime_message_get_mime_part(GMimeObject *message);
char *internet_address_list_to_string(InternetAddressList *list, void *options, int encode);

size_t g_mime_message_get_type(void);
size_t g_mime_multipart_get_type(void);
size_t g_mime_message_part_get_type(void);
size_t g_mime_part_get_type(void);
size_t g_mime_text_part_get_type(void);

GMimeContentType *g_mime_object_get_content_type(GMimeObject *object);
char *g_mime_content_type_get_mime_type(GMimeContentType *type);
int g_mime_multipart_get_count(GMimeObject *multipart);
GMimeObject *g_mime_multipart_get_part(GMimeObject *multipart, int index);
GMimeObject *g_mime_message_part_get_message(GMimeObject *part);
const char *g_mime_part_get_filename(GMimeObject *part);
GMimeDataWrapper *g_mime_part_get_content(GMimeObject *part);
char *g_mime_text_part_get_text(GMimeObject *part);
long g_mime_data_wrapper_write_to_stream(GMimeDataWrapper *content, GMimeStream *stream);

// Linux's, which the C library shows only to who asks for all of GNU.
int memfd_create(const char *name, unsigned int flags);

#define GMIME_FUNCTIONS(F) \
    F(g_object_unref) F(g_free) F(g_type_check_instance_is_a) F(g_date_time_format) F(g_mime_init) \
    F(g_mime_stream_mem_new_with_buffer) F(g_mime_stream_fs_new) F(g_mime_stream_flush) \
    F(g_mime_parser_new_with_stream) F(g_mime_parser_construct_message) \
    F(g_mime_message_get_subject) F(g_mime_message_get_from) F(g_mime_message_get_to) \
    F(g_mime_message_get_cc) F(g_mime_message_get_date) F(g_mime_message_get_mime_part) \
    F(internet_address_list_to_string) F(g_mime_message_get_type) F(g_mime_multipart_get_type) \
    F(g_mime_message_part_get_type) F(g_mime_part_get_type) F(g_mime_text_part_get_type) \
    F(g_mime_object_get_content_type) F(g_mime_content_type_get_mime_type) \
    F(g_mime_multipart_get_count) F(g_mime_multipart_get_part) F(g_mime_message_part_get_message) \
    F(g_mime_part_get_filename) F(g_mime_part_get_content) F(g_mime_text_part_get_text) \
    F(g_mime_data_wrapper_write_to_stream)
DYNAMIC_LIBRARY(gmime_functions, "libgmime-3.0.so.0", GMIME_FUNCTIONS)
