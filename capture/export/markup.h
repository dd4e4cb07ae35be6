/* markup: the named values in XML and HTML, where they stand in the text. Nothing is parsed into a tree; text
 * that is damaged or cut gives what can be read of it. Work is one pass. Any thread.
 *
 * Of XML: attributes, the text of elements, and of those that say in an attribute or in the element before
 * what they are: <entry key="a">1</entry>, <key>a</key><string>1</string>, <name>a</name><value>1</value>.
 * Names come without their prefix, and namespaces not at all. Of HTML: fields of forms and metadata, by name
 * or id, and scripts. Of both: addresses in href, src and action. */
#ifndef WEIR_CAPTURE_EXPORT_MARKUP_H
#define WEIR_CAPTURE_EXPORT_MARKUP_H

#include <stdbool.h>

#include "proxy/base/span.h"

/* Whether it looks like XML or HTML from its first byte on; like HTML, at its beginning. */
bool markup_is(struct span text);
bool markup_is_html(struct span text);

struct markup_value { /* borrowed from the text */
    struct span name;
    struct span value; /* as it is spelled, without the blanks around it */
    bool is_plain;     /* with no entities: of CDATA and scripts */
    bool is_address;
};
/* In order; a value that goes by two names comes twice. */
void markup_each(struct span text, bool is_html, void (*each)(void *self, const struct markup_value *value),
                 void *self);

#endif
