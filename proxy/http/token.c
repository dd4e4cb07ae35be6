#include "proxy/http/token.h"

static const bool is_tchar[256] = {
    ['!'] = true,         ['#'] = true,         ['$'] = true,         ['%'] = true, ['&'] = true,
    ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true, ['.'] = true,
    ['^'] = true,         ['_'] = true,         ['`'] = true,         ['|'] = true, ['~'] = true,
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

size_t token_len(struct span text)
{
    size_t len;

    for (len = 0; len < text.len && is_tchar[(unsigned char)text.ptr[len]]; len++)
        ;
    return len;
}

bool token_is_valid(struct span text)
{
    return text.len != 0 && token_len(text) == text.len;
}

/* Where the element at the start of list ends: at its first comma outside of quotes. */
static size_t element_len(struct span list)
{
    bool is_quoted = false;

    for (size_t i = 0; i < list.len; i++) {
        char c = list.ptr[i];
        if (c == '"')
            is_quoted = !is_quoted;
        else if (c == '\\' && is_quoted)
            i++;
        else if (c == ',' && !is_quoted)
            return i;
    }
    return list.len;
}

bool token_next(struct span *list, struct span *out_element)
{
    size_t len;

    if (list->len == 0)
        return false;
    len = element_len(*list);
    *out_element = span_trim(span_sub(*list, 0, len));
    *list = span_from(*list, len < list->len ? len + 1 : len);
    return true;
}
