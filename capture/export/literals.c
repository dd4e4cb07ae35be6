#include "capture/export/literals.h"

#include "proxy/base/mem.h"
#include "proxy/base/table.h"

/* Names that people and template engines write are short and few; a stranger's are not to fill our memory. */
#define MAX_NAME_BYTES 256
#define MAX_NAMES      20000

struct literal {
    char *name;
    size_t len;
    UT_hash_handle hh;
};

struct literals {
    struct literal *all; /* uthash keeps the order in which they came */
};

struct literals *literals_new(void)
{
    return mem_new(struct literals);
}

void literals_free(struct literals *literals)
{
    struct literal *literal, *tmp;

    if (literals == NULL)
        return;
    HASH_ITER (hh, literals->all, literal, tmp) {
        HASH_DEL(literals->all, literal);
        mem_free(literal->name);
        mem_free(literal);
    }
    mem_free(literals);
}

static bool add(void *self, struct span name)
{
    struct literals *literals = self;
    struct literal *literal;

    HASH_FIND(hh, literals->all, name.ptr, name.len, literal);
    if (literal != NULL)
        return true;
    if (name.len > MAX_NAME_BYTES || HASH_COUNT(literals->all) >= MAX_NAMES)
        return false;
    literal = mem_new(struct literal);
    literal->name = mem_spandup(name);
    literal->len = name.len;
    HASH_ADD_KEYPTR(hh, literals->all, literal->name, literal->len, literal);
    return true;
}

/* A token is "{{", anything without braces, "}}": what newman's substitution looks for. */
bool literals_scan_each(struct span text, bool (*each)(void *self, struct span name), void *self)
{
    const char *at = text.ptr, *end = text.ptr + text.len;
    bool ok = true;

    while (at != NULL && at < end && (at = memmem(at, (size_t)(end - at), "{{", 2)) != NULL) {
        const char *name, *stop;

        while (at < end && *at == '{')
            at++;
        name = at;
        stop = name;
        while (stop < end && *stop != '{' && *stop != '}')
            stop++;
        if (stop + 1 < end && stop[0] == '}' && stop[1] == '}')
            ok = each(self, span_make(name, (size_t)(stop - name))) && ok;
        at = stop;
    }
    return ok;
}

bool literals_scan(struct literals *literals, struct span text)
{
    return literals_scan_each(text, add, literals);
}

bool literals_has(const struct literals *literals, const char *name)
{
    struct literal *literal;

    HASH_FIND_STR(literals->all, name, literal);
    return literal != NULL;
}

void literals_each(const struct literals *literals, void (*each)(void *self, struct span name), void *self)
{
    for (const struct literal *literal = literals->all; literal != NULL; literal = literal->hh.next)
        each(self, span_make(literal->name, literal->len));
}

bool literals_may_be_in(struct span text)
{
    return text.len != 0 && memmem(text.ptr, text.len, "{{", 2) != NULL;
}
