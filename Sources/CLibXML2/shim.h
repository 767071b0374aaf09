#include "../CDynamicLibrary/dynamic_library.h"
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

#define XML_FUNCTIONS(F) \
    F(xmlCreateMemoryParserCtxt) F(xmlCtxtUseOptions) F(xmlSwitchEncoding) F(xmlParseDocument) \
    F(xmlStopParser) F(xmlFreeParserCtxt) F(xmlFreeDoc) F(xmlFree) F(xmlURIUnescapeString) \
    F(htmlCreateMemoryParserCtxt) F(htmlCtxtUseOptions) F(htmlParseDocument) F(htmlEntityLookup)
DYNAMIC_LIBRARY(xml_functions, "libxml2.so.2", XML_FUNCTIONS)
