/* A glob is cut at its stars into parts. The first and the last are pinned to the ends unless a star is
 * there; each of the others is looked for behind the one before it, leftmost: an earlier place never spoils a
 * later part, so nothing is ever tried twice. */
#include "proxy/base/pattern.h"

#include <assert.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "proxy/base/find.h"
#include "proxy/base/mem.h"

/* Work that a useful expression never needs on a URL or a header, and that is over in milliseconds. */
#define REGEX_MATCH_LIMIT 200000
#define REGEX_HEAP_KIB    4096

struct pattern {
    char *text; /* as it was given */
    size_t text_len;
    unsigned how;

    /* Globs. */
    struct strbuf bytes; /* the parts, one behind the other; lower case when case is ignored */
    struct part {
        size_t off, len;
    } * parts;
    size_t part_count; /* at least one; stars lie between them */
    struct strbuf literal;

    /* Regular expressions. */
    pcre2_code *code;
    pcre2_match_context *limits;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static void glob_compile(struct pattern *pattern)
{
    struct span text = pattern_text(pattern);
    struct part *part;

    pattern->parts = mem_array(struct part, text.len + 1);
    part = &pattern->parts[0];
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '*') {
            part++;
            part->off = pattern->bytes.len;
            continue;
        }
        if (text.ptr[i] == '\\' && i + 1 < text.len)
            i++;
        strbuf_add_char(&pattern->literal, text.ptr[i]);
        strbuf_add_char(&pattern->bytes,
                        (pattern->how & PATTERN_ANY_CASE) != 0 ? lower(text.ptr[i]) : text.ptr[i]);
        part->len++;
    }
    pattern->part_count = (size_t)(part - pattern->parts) + 1;
}

static bool regex_compile(struct pattern *pattern, struct err *err)
{
    /* \C could stop inside a character, which PCRE2_MATCH_INVALID_UTF does not allow. */
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
    PCRE2_UCHAR why[160];
    PCRE2_SIZE where;
    int code;

    if ((pattern->how & PATTERN_ANY_CASE) != 0)
        options |= PCRE2_CASELESS;
    pattern->code = pcre2_compile((PCRE2_SPTR)pattern->text, pattern->text_len, options, &code, &where, NULL);
    if (pattern->code == NULL) {
        pcre2_get_error_message(code, why, sizeof why);
        return err_set(err, ERR_USAGE, "%s, after %zu bytes of the regular expression", (const char *)why,
                       (size_t)where);
    }
    pattern->limits = pcre2_match_context_create(NULL);
    if (pattern->limits == NULL)
        return err_set(err, ERR_USAGE, "no memory for a regular expression");
    pcre2_set_match_limit(pattern->limits, REGEX_MATCH_LIMIT);
    pcre2_set_heap_limit(pattern->limits, REGEX_HEAP_KIB);
    /* Where the JIT is not to be had the interpreter gives the same answers. */
    pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    return true;
}

bool pattern_new(struct span text, unsigned how, struct pattern **out_pattern, struct err *err)
{
    struct pattern *pattern = mem_new(struct pattern);

    pattern->text = mem_spandup(text);
    pattern->text_len = text.len;
    pattern->how = how;
    strbuf_init(&pattern->bytes, 0);
    strbuf_init(&pattern->literal, 0);
    if ((how & PATTERN_REGEX) == 0) {
        glob_compile(pattern);
    } else if (!regex_compile(pattern, err)) {
        pattern_free(pattern);
        return false;
    }
    *out_pattern = pattern;
    return true;
}

void pattern_free(struct pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_match_context_free(pattern->limits);
    pcre2_code_free(pattern->code);
    strbuf_clear(&pattern->bytes);
    strbuf_clear(&pattern->literal);
    mem_free(pattern->parts);
    mem_free(pattern->text);
    mem_free(pattern);
}

static bool part_is_at(const struct pattern *pattern, struct span part, const char *at)
{
    if ((pattern->how & PATTERN_ANY_CASE) == 0)
        return memcmp(at, part.ptr, part.len) == 0;
    for (size_t i = 0; i < part.len; i++) {
        if (lower(at[i]) != part.ptr[i])
            return false;
    }
    return true;
}

/* The first place of part in subject. part is not empty. */
static size_t part_find(const struct pattern *pattern, struct span part, struct span subject)
{
    const char *at;

    if ((pattern->how & PATTERN_ANY_CASE) != 0)
        return find_any_case(subject, part);
    at = memmem(subject.ptr, subject.len, part.ptr, part.len);
    return at != NULL ? (size_t)(at - subject.ptr) : FIND_NOWHERE;
}

static struct span part_span(const struct pattern *pattern, size_t i)
{
    return span_make(strbuf_text(&pattern->bytes) + pattern->parts[i].off, pattern->parts[i].len);
}

static bool glob_match(const struct pattern *pattern, struct span subject)
{
    bool is_pinned = (pattern->how & PATTERN_ANYWHERE) == 0;
    size_t first = 0, last = pattern->part_count;
    struct span part;

    if (subject.ptr == NULL)
        subject = SPAN("");
    if (is_pinned) {
        part = part_span(pattern, 0);
        if (pattern->part_count == 1 && part.len != subject.len)
            return false;
        if (part.len > subject.len || (part.len != 0 && !part_is_at(pattern, part, subject.ptr)))
            return false;
        if (pattern->part_count == 1)
            return true;
        subject = span_from(subject, part.len);
        part = part_span(pattern, --last);
        if (part.len > subject.len ||
            (part.len != 0 && !part_is_at(pattern, part, subject.ptr + subject.len - part.len)))
            return false;
        subject.len -= part.len;
        first = 1;
    }
    for (size_t i = first; i < last; i++) {
        size_t at;
        part = part_span(pattern, i);
        if (part.len == 0)
            continue;
        at = part_find(pattern, part, subject);
        if (at == FIND_NOWHERE)
            return false;
        subject = span_from(subject, at + part.len);
    }
    return true;
}

static int regex_run(const struct pattern *pattern, struct span subject, size_t from, pcre2_match_data *found)
{
    PCRE2_SPTR bytes = (PCRE2_SPTR)(subject.ptr != NULL ? subject.ptr : "");
    int answer = pcre2_match(pattern->code, bytes, subject.len, from, 0, found, pattern->limits);

    /* The JIT's stack is small and fixed; the interpreter has the heap, under its limit. */
    if (answer == PCRE2_ERROR_JIT_STACKLIMIT)
        answer = pcre2_match(pattern->code, bytes, subject.len, from, PCRE2_NO_JIT, found, pattern->limits);
    return answer;
}

static bool regex_match(const struct pattern *pattern, struct span subject)
{
    pcre2_match_data *found = pcre2_match_data_create(1, NULL);
    int answer;

    if (found == NULL)
        return false;
    answer = regex_run(pattern, subject, 0, found);
    pcre2_match_data_free(found);
    return answer >= 0;
}

bool pattern_find(const struct pattern *pattern, struct span subject, size_t from, struct span *out_all,
                  struct span *out_group)
{
    pcre2_match_data *found = pcre2_match_data_create(2, NULL);
    const PCRE2_SIZE *ends;
    bool has_found;
    int pairs;

    assert(pattern->code != NULL && from <= subject.len);
    if (found == NULL)
        return false;
    ends = pcre2_get_ovector_pointer(found);
    /* \K in a lookahead can put the beginning behind the end. */
    pairs = regex_run(pattern, subject, from, found);
    has_found = pairs >= 0 && ends[0] <= ends[1];
    if (has_found) {
        *out_all = span_sub(subject, ends[0], ends[1] - ends[0]);
        *out_group = *out_all;
        if (pairs != 1 && ends[2] != PCRE2_UNSET && ends[2] <= ends[3])
            *out_group = span_sub(subject, ends[2], ends[3] - ends[2]);
    }
    pcre2_match_data_free(found);
    return has_found;
}

bool pattern_match(const struct pattern *pattern, struct span subject)
{
    return pattern->code != NULL ? regex_match(pattern, subject) : glob_match(pattern, subject);
}

struct span pattern_text(const struct pattern *pattern)
{
    return span_make(pattern->text, pattern->text_len);
}

unsigned pattern_how(const struct pattern *pattern)
{
    return pattern->how;
}

bool pattern_literal(const struct pattern *pattern, struct span *out_text)
{
    if (pattern->code != NULL || pattern->part_count != 1)
        return false;
    *out_text = strbuf_span(&pattern->literal);
    return true;
}

void pattern_add_escaped(struct strbuf *glob, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] == '*' || bytes.ptr[i] == '\\')
            strbuf_add_char(glob, '\\');
        strbuf_add_char(glob, bytes.ptr[i]);
    }
}
