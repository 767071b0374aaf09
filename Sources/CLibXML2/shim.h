#include <iconv.h>
#include <libxml/xmlversion.h>
// ICU's headers are not those of the ICU that Foundation carries; nothing here needs them.
#undef LIBXML_ICU_ENABLED
#include <libxml/HTMLparser.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/uri.h>
#include <libxml/xmlerror.h>

// `xmlFree` is a variable, which Swift does not call.
static inline void xml_release(void *memory) { xmlFree(memory); }
