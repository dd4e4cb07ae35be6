/* A page, read as the fields of its forms, as HTML and as XML: every name and value lies within it, fields
 * come in its order, and each takes something of it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "capture/export/html_field.h"
#include "capture/export/markup.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_within(struct span page, struct span part)
{
    if (part.len == 0 || part.ptr < page.ptr || part.ptr + part.len > page.ptr + page.len)
        abort();
}

static void check_value(void *self, const struct markup_value *value)
{
    const struct span *page = self;

    check_within(*page, value->name);
    check_within(*page, value->value);
}

static void check_fields(struct span page)
{
    struct span before = page, rest = page;
    struct html_field field;

    while (html_field_next(&rest, &field)) {
        check_within(before, field.name);
        check_within(before, field.value);
        if (rest.len >= before.len || rest.ptr + rest.len != page.ptr + page.len)
            abort();
        before = rest;
    }
    if (rest.len != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct span page = span_make(bytes, size);

    if (markup_is_html(page) && size < sizeof "<html" - 1)
        abort();
    check_fields(page);
    markup_each(page, true, check_value, &page);
    markup_each(page, false, check_value, &page);
    return 0;
}
