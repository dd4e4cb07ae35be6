#include "capture/export/secret_names.h"

#include "proxy/base/mem.h"
#include "proxy/base/table.h"

struct word {
    char *text;
    uint32_t index;
    uint32_t next; /* the number that the next name of it gets, if it may; 0: it has none yet */
    UT_hash_handle hh;
};

struct secret_names {
    struct word **words;
    struct word *by_text;
    size_t count, cap;
    bool (*may)(void *self, const char *name);
    void *self;
};

struct secret_names *secret_names_new(void)
{
    return mem_new(struct secret_names);
}

void secret_names_free(struct secret_names *names)
{
    if (names == NULL)
        return;
    HASH_CLEAR(hh, names->by_text);
    for (size_t i = 0; i < names->count; i++) {
        mem_free(names->words[i]->text);
        mem_free(names->words[i]);
    }
    mem_free(names->words);
    mem_free(names);
}

static struct word *find_word(const struct secret_names *names, struct span text)
{
    struct word *word;

    HASH_FIND(hh, names->by_text, text.ptr, text.len, word);
    return word;
}

uint32_t secret_names_word(struct secret_names *names, struct span text)
{
    struct word *word = find_word(names, text);

    if (word != NULL)
        return word->index;
    word = mem_new(struct word);
    word->text = mem_spandup(text);
    word->index = (uint32_t)names->count;
    HASH_ADD_KEYPTR(hh, names->by_text, word->text, text.len, word);
    if (names->count == names->cap) {
        names->cap = names->cap != 0 ? names->cap * 2 : 64;
        names->words = mem_realloc(names->words, names->cap * sizeof(struct word *));
    }
    names->words[names->count++] = word;
    return word->index;
}

const char *secret_names_text(const struct secret_names *names, uint32_t word)
{
    return names->words[word]->text;
}

void secret_names_set_judge(struct secret_names *names, bool (*may)(void *self, const char *name), void *self)
{
    names->may = may;
    names->self = self;
}

/* Whether text is a name that was taken, or passed over: "sid_2" as one of "sid", or as a word of its own. */
static bool is_taken(const struct secret_names *names, struct span text)
{
    const struct word *word = find_word(names, text);
    size_t digits = 0;
    uint64_t number;

    if (word != NULL && word->next != 0)
        return true;
    while (digits < text.len && text.ptr[text.len - digits - 1] >= '0' &&
           text.ptr[text.len - digits - 1] <= '9')
        digits++;
    if (digits == 0 || digits + 1 >= text.len || text.ptr[text.len - digits - 1] != '_' ||
        text.ptr[text.len - digits] == '0' || !span_u64(span_from(text, text.len - digits), &number))
        return false;
    word = find_word(names, span_sub(text, 0, text.len - digits - 1));
    return word != NULL && number < word->next;
}

static bool is_free(const struct secret_names *names, const char *text)
{
    return !is_taken(names, span_of(text)) && (names->may == NULL || names->may(names->self, text));
}

struct secret_name secret_names_take(struct secret_names *names, uint32_t index)
{
    struct word *word = names->words[index];
    struct strbuf text = STRBUF_EMPTY;
    struct secret_name name = { .word = index };
    bool is_first = word->next == 0, is_plain = is_first && is_free(names, word->text);
    bool is_found = false;

    if (is_first)
        word->next = 2;
    while (!is_plain && !is_found) {
        name.number = word->next;
        strbuf_reset(&text);
        secret_names_add(names, name, &text);
        is_found = is_free(names, strbuf_text(&text));
        word->next++;
    }
    strbuf_clear(&text);
    return name;
}

bool secret_names_take_whole(struct secret_names *names, struct span text, struct secret_name *out_name)
{
    uint32_t index = secret_names_word(names, text);

    if (!is_free(names, names->words[index]->text))
        return false;
    names->words[index]->next = 2;
    *out_name = (struct secret_name){ .word = index };
    return true;
}

void secret_names_add(const struct secret_names *names, struct secret_name name, struct strbuf *out)
{
    strbuf_add_str(out, names->words[name.word]->text);
    if (name.number != 0)
        strbuf_printf(out, "_%u", name.number);
}
