#include "capture/export/secret_patterns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/base/mem.h"
#include "proxy/base/pattern.h"

#define MAX_PATTERNS 1000

struct secret_patterns {
    struct row {
        char *name; /* NULL: none */
        struct pattern *pattern;
    } * rows;
    size_t count;
};

/* How much of line is a name; 0: there is none. */
static size_t name_len(struct span line)
{
    size_t i = 0;

    for (; i < line.len && line.ptr[i] != '='; i++) {
        char c = line.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!is_letter && !(i != 0 && c >= '0' && c <= '9'))
            return 0;
    }
    return i < line.len ? i : 0;
}

static bool add_line(struct secret_patterns *patterns, struct span line, struct err *err)
{
    struct row row = { .name = NULL };
    size_t name = name_len(line);

    if (span_trim(line).len == 0 || line.ptr[0] == '#')
        return true;
    if (patterns->count == MAX_PATTERNS)
        return err_set(err, ERR_USAGE, "more than %d patterns", MAX_PATTERNS);
    if (!pattern_new(name != 0 ? span_from(line, name + 1) : line, PATTERN_REGEX, &row.pattern, err))
        return false;
    if (name != 0)
        row.name = mem_spandup(span_sub(line, 0, name));
    patterns->rows = mem_realloc(patterns->rows, (patterns->count + 1) * sizeof(*patterns->rows));
    patterns->rows[patterns->count++] = row;
    return true;
}

bool secret_patterns_load(const char *path, struct secret_patterns **out_patterns, struct err *err)
{
    struct secret_patterns *patterns = mem_new(struct secret_patterns);
    FILE *file = fopen(path, "re");
    size_t cap = 0, number = 0;
    char *line = NULL;
    ssize_t len;
    bool ok = file != NULL;

    if (!ok)
        err_sys(err, errno, "can't read '%s'", path);
    while (ok && (errno = 0, len = getline(&line, &cap, file)) >= 0) {
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            len--;
        number++;
        ok = add_line(patterns, span_make(line, (size_t)len), err) ||
             err_add(err, "line %zu of '%s'", number, path);
    }
    if (ok && ferror(file))
        ok = err_sys(err, errno, "can't read '%s'", path);
    if (file != NULL)
        fclose(file);
    free(line);
    if (!ok) {
        secret_patterns_free(patterns);
        return false;
    }
    *out_patterns = patterns;
    return true;
}

void secret_patterns_free(struct secret_patterns *patterns)
{
    if (patterns == NULL)
        return;
    for (size_t i = 0; i < patterns->count; i++) {
        mem_free(patterns->rows[i].name);
        pattern_free(patterns->rows[i].pattern);
    }
    mem_free(patterns->rows);
    mem_free(patterns);
}

size_t secret_patterns_count(const struct secret_patterns *patterns)
{
    return patterns != NULL ? patterns->count : 0;
}

bool secret_patterns_find(const struct secret_patterns *patterns, size_t i, struct span text, size_t from,
                          struct secret_pattern_found *out_found)
{
    const struct row *row = &patterns->rows[i];
    struct span all, group;

    if (from > text.len || !pattern_find(row->pattern, text, from, &all, &group))
        return false;
    *out_found = (struct secret_pattern_found){
        .text = group,
        .name = span_of(row->name),
        .end = (size_t)(all.ptr - text.ptr) + (all.len != 0 ? all.len : 1),
    };
    return true;
}
