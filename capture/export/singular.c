/* The plurals of path segments. English has no rule without exceptions; the lists below are those that stand
 * in the paths of APIs. */
#include "capture/export/singular.h"

struct pair {
    const char *plural, *singular;
};

static const struct pair irregular[] = {
    { "people", "person" },
    { "children", "child" },
    { "men", "man" },
    { "women", "woman" },
    { "mice", "mouse" },
    { "feet", "foot" },
    { "teeth", "tooth" },
    { "geese", "goose" },
    { "media", "medium" },
    { "criteria", "criterion" },
    { "indices", "index" },
    { "indexes", "index" },
    { "matrices", "matrix" },
    { "vertices", "vertex" },
    { "appendices", "appendix" },
    { "analyses", "analysis" },
    { "axes", "axis" },
    { "bases", "base" },
    { "crises", "crisis" },
    { "diagnoses", "diagnosis" },
    { "theses", "thesis" },
    { "statuses", "status" },
    { "buses", "bus" },
    { "viruses", "virus" },
    { "bonuses", "bonus" },
    { "campuses", "campus" },
    { "menus", "menu" },
    { "aliases", "alias" },
    { "canvases", "canvas" },
    { "leaves", "leaf" },
    { "shelves", "shelf" },
    { "lives", "life" },
    { "knives", "knife" },
    { "wolves", "wolf" },
    { "halves", "half" },
    { "heroes", "hero" },
    { "potatoes", "potato" },
    { "tomatoes", "tomato" },
    { "echoes", "echo" },
    { "movies", "movie" },
    { "cookies", "cookie" },
    { "calories", "calorie" },
    { "zombies", "zombie" },
    { "selfies", "selfie" },
    { "caches", "cache" },
    { "quizzes", "quiz" },
    { "apis", "api" },
    { "ids", "id" },
    { "ips", "ip" },
    { "ads", "ad" },
    { "gifs", "gif" },
    { "pcs", "pc" },
    { "cvs", "cv" },
    { "ties", "tie" },
    { "pies", "pie" },
};

/* They end in 's' and are one thing, or no thing that can be counted. */
static const char *const singulars[] = {
    "news",  "series", "species", "alias", "atlas",  "canvas",     "gas",   "bias",   "christmas",
    "https", "always", "os",      "ios",   "macos",  "kubernetes", "aws",   "dns",    "cms",
    "sms",   "gps",    "css",     "js",    "nodejs", "rss",        "tls",   "sas",    "saas",
    "oas",   "has",    "is",      "chaos", "cosmos", "lens",       "sales", "sports", NULL,
};

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_letter(char c)
{
    return to_lower(c) >= 'a' && to_lower(c) <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

static const struct pair *find_irregular(struct span word)
{
    for (size_t i = 0; i < sizeof(irregular) / sizeof(*irregular); i++)
        if (span_ieq(word, span_of(irregular[i].plural)))
            return &irregular[i];
    return NULL;
}

static bool is_listed(struct span word)
{
    for (const char *const *at = singulars; *at != NULL; at++)
        if (span_ieq(word, span_of(*at)))
            return true;
    return false;
}

static bool ends(struct span word, const char *suffix)
{
    size_t len = strlen(suffix);

    return word.len > len && span_ieq(span_from(word, word.len - len), span_of(suffix));
}

static bool is_regular_plural(struct span word)
{
    return word.len > 3 && ends(word, "s") && !ends(word, "ss") && !ends(word, "us") && !ends(word, "is") &&
           !is_listed(word);
}

/* From where the last word of a compound begins: behind a dash, or at a capital after a small letter. */
static size_t last_word(struct span text)
{
    size_t at = text.len;

    while (at > 0 && is_letter(text.ptr[at - 1])) {
        at--;
        if (at > 0 && is_capital(text.ptr[at]) && !is_capital(text.ptr[at - 1]))
            break;
    }
    return at;
}

bool singular_is_plural(struct span word)
{
    word = span_from(word, last_word(word));
    return find_irregular(word) != NULL || is_regular_plural(word);
}

/* How many bytes of a regular plural are its singular's, and what comes after them. */
static size_t stem_len(struct span word, const char **out_ending)
{
    *out_ending = "";
    if (ends(word, "ies") && word.len > 4) {
        *out_ending = "y";
        return word.len - 3;
    }
    if (ends(word, "sses") || ends(word, "shes") || ends(word, "ches") || ends(word, "xes"))
        return word.len - 2;
    return word.len - 1;
}

/* text in camel case, behind what out has from begin on. */
static void add_camel(struct strbuf *out, size_t begin, struct span text)
{
    bool is_start = true;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!is_letter(c) && !is_digit(c)) {
            is_start = true;
            continue;
        }
        if (out->len == begin && is_digit(c))
            strbuf_add_char(out, 'n'); /* no name begins with a digit */
        if (out->len == begin)
            c = to_lower(c);
        else if (is_start && c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        strbuf_add_char(out, c);
        is_start = false;
    }
}

/* What is percent-encoded is none of a name: each such byte parts two words. */
static void add_plain(struct strbuf *out, struct span raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        bool is_escape = raw.ptr[i] == '%' && i + 2 < raw.len;

        strbuf_add_char(out, is_escape ? '-' : raw.ptr[i]);
        i += is_escape ? 2 : 0;
    }
}

void singular_add(struct strbuf *out, struct span raw)
{
    struct strbuf plain = STRBUF_EMPTY;
    const struct pair *pair;
    struct span text, word;
    size_t begin = out->len, at;
    const char *ending = "";

    add_plain(&plain, raw);
    text = strbuf_span(&plain);
    while (text.len != 0 && !is_letter(text.ptr[text.len - 1]) && !is_digit(text.ptr[text.len - 1]))
        text.len--;
    at = last_word(text);
    word = span_from(text, at);
    pair = find_irregular(word);
    if (pair != NULL) {
        plain.len = at;
        strbuf_add_char(&plain, word.ptr[0]); /* keeps its case */
        strbuf_add_str(&plain, pair->singular + 1);
        plain.ptr[at] = pair->plural[0] == pair->singular[0] ? plain.ptr[at] : pair->singular[0];
    } else if (is_regular_plural(word)) {
        plain.len = at + stem_len(word, &ending);
        strbuf_add_str(&plain, ending);
    } else {
        plain.len = text.len;
    }
    add_camel(out, begin, strbuf_span(&plain));
    strbuf_clear(&plain);
}
