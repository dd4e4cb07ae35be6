/* Two views of one text are merged: the leaves that are secrets by their place, and the values that are
 * secrets everywhere. Where both overlap, all that either covers is replaced. */
#include "proxy/base/mem.h"

#include "capture/export/secrets.h"

struct ranges {
    const struct secrets *secrets;
    const struct secret_text *text;
    struct secret_range *list;
    size_t count, cap;
};

static enum secret_form form_of(const struct secret_leaf *leaf)
{
    if (span_eq(leaf->value, leaf->spelled))
        return SECRET_RAW;
    return leaf->place == SECRET_PLACE_LEAF     ? SECRET_ESCAPED
           : leaf->place == SECRET_PLACE_MARKUP ? SECRET_HTML
                                                : SECRET_FORM;
}

static void add_leaf(void *self, const struct secret_leaf *leaf)
{
    struct ranges *ranges = self;
    const struct secret *secret;
    enum secret_kind kind;

    if (leaf->spelled.ptr == NULL || leaf->spelled.len == 0 ||
        secret_rules_judge(ranges->text, leaf, &kind) == SECRET_NOT)
        return;
    secret = secrets_find(ranges->secrets, leaf->value);
    if (secret == NULL)
        return;
    if (ranges->count == ranges->cap) {
        ranges->cap = ranges->cap != 0 ? ranges->cap * 2 : 16;
        ranges->list = mem_realloc(ranges->list, ranges->cap * sizeof(*ranges->list));
    }
    ranges->list[ranges->count++] =
        (struct secret_range){ .at = (size_t)(leaf->spelled.ptr - ranges->text->text.ptr),
                               .len = leaf->spelled.len,
                               .piece = { .text = leaf->spelled,
                                          .secret = secret,
                                          .form = form_of(leaf),
                                          .is_number = leaf->place == SECRET_PLACE_NUMBER } };
}

struct secret_range *secrets_find_places(const struct secrets *secrets, const struct secret_text *text,
                                         size_t *out_count)
{
    struct ranges ranges = { .secrets = secrets, .text = text };

    if (secrets_may_have_places(secrets, text))
        secret_text_each(text, add_leaf, &ranges);
    *out_count = ranges.count;
    return ranges.list;
}

/* A number of JSON, all of it: {"card": 4111111111111111}. */
static bool is_bare_number(const struct secret_text *text, size_t at, size_t len)
{
    size_t end = at + len;

    if (text->kind != SECRET_TEXT_JSON)
        return false;
    for (size_t i = at; i < end; i++)
        if (text->text.ptr[i] < '0' || text->text.ptr[i] > '9')
            return false;
    while (at != 0 && memchr(" \t\r\n", text->text.ptr[at - 1], 4) != NULL)
        at--;
    while (end < text->text.len && memchr(" \t\r\n", text->text.ptr[end], 4) != NULL)
        end++;
    return at != 0 && memchr(":,[", text->text.ptr[at - 1], 3) != NULL &&
           (end == text->text.len || memchr(",]}", text->text.ptr[end], 3) != NULL);
}

struct splitting {
    struct span text;
    size_t told;
    void (*each)(void *self, const struct secret_piece *piece);
    void *self;
};

/* What of at..end was not told yet, and what nothing secret is before it. */
static void tell(struct splitting *splitting, size_t at, size_t end, struct secret_piece piece)
{
    struct secret_piece before = { .secret = NULL };

    if (end <= splitting->told)
        return;
    if (at > splitting->told) {
        before.text = span_sub(splitting->text, splitting->told, at - splitting->told);
        splitting->each(splitting->self, &before);
    }
    at = at > splitting->told ? at : splitting->told;
    piece.text = span_sub(splitting->text, at, end - at);
    splitting->told = end;
    splitting->each(splitting->self, &piece);
}

void secrets_split(const struct secrets *secrets, const struct secret_text *text,
                   void (*each)(void *self, const struct secret_piece *piece), void *self)
{
    struct splitting splitting = { .text = text->text, .each = each, .self = self };
    size_t count, next = 0, at = 0;
    struct secret_range *places = secrets_find_places(secrets, text, &count);
    struct secret_found found;
    bool has_found = secret_match_find(secrets_match(secrets), text->text, 0, &found);

    while (has_found || next < count) {
        if (next < count && (!has_found || places[next].at <= found.at)) {
            at = places[next].at + places[next].len;
            tell(&splitting, places[next].at, at, places[next].piece);
            next++;
            if (has_found && found.at + found.len <= at)
                has_found = secret_match_find(secrets_match(secrets), text->text, at, &found);
        } else {
            at = found.at + found.len;
            tell(&splitting, found.at, at,
                 (struct secret_piece){ .secret = secrets_of_match(secrets, found.value),
                                        .form = found.form,
                                        .is_number = is_bare_number(text, found.at, found.len) });
            has_found = secret_match_find(secrets_match(secrets), text->text, at, &found);
        }
    }
    mem_free(places);
    if (splitting.told < text->text.len) {
        struct secret_piece rest = { .text = span_from(text->text, splitting.told) };
        each(self, &rest);
    }
}

/* --- what is made of the pieces ------------------------------------------------------------------------ */

static void note_secret(void *self, const struct secret_piece *piece)
{
    bool *has_any = self;

    *has_any = *has_any || piece->secret != NULL;
}

bool secrets_are_in(const struct secrets *secrets, const struct secret_text *text)
{
    bool has_any = false;

    secrets_split(secrets, text, note_secret, &has_any);
    return has_any;
}

void secrets_add_mask(const struct secrets *secrets, const struct secret_piece *piece, struct strbuf *out)
{
    strbuf_add_str(out, piece->is_number ? "\"" SECRET_MASK_PREFIX : SECRET_MASK_PREFIX);
    secrets_add_name(secrets, piece->secret, out);
    if (piece->is_number)
        strbuf_add_char(out, '"');
}

struct replacing {
    struct secrets *secrets;
    enum secret_style style;
    struct strbuf *out;
};

static void replace_piece(void *self, const struct secret_piece *piece)
{
    struct replacing *replacing = self;

    if (piece->secret == NULL)
        strbuf_add(replacing->out, piece->text);
    else if (replacing->style == SECRET_STYLE_MASK)
        secrets_add_mask(replacing->secrets, piece, replacing->out);
    else
        strbuf_printf(replacing->out, "{{%s}}", secrets_variable(replacing->secrets, piece));
}

void secrets_replace(struct secrets *secrets, const struct secret_text *text, enum secret_style style,
                     struct strbuf *out)
{
    struct replacing replacing = { .secrets = secrets, .style = style, .out = out };

    secrets_split(secrets, text, replace_piece, &replacing);
}
