#include "capture/export/name_marks.h"

#include <xxhash.h>

#include "proxy/base/mem.h"

#define WORD_BITS 64

static size_t bit_of(struct span name)
{
    return (size_t)(XXH3_64bits(name.ptr, name.len) % NAME_MARKS_BITS);
}

void name_marks_init(struct name_marks *out_marks)
{
    *out_marks = (struct name_marks){ .words = NULL };
}

void name_marks_clear(struct name_marks *marks)
{
    mem_free(marks->words);
    marks->words = NULL;
}

void name_marks_add(struct name_marks *marks, struct span name)
{
    size_t bit = bit_of(name);

    if (marks->words == NULL)
        marks->words = mem_array(uint64_t, NAME_MARKS_BITS / WORD_BITS);
    marks->words[bit / WORD_BITS] |= UINT64_C(1) << bit % WORD_BITS;
}

bool name_marks_may_have(const struct name_marks *marks, struct span name)
{
    size_t bit = bit_of(name);

    return marks->words != NULL && (marks->words[bit / WORD_BITS] >> bit % WORD_BITS & 1) != 0;
}
