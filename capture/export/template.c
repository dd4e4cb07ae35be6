#include "capture/export/template.h"

#include "capture/export/segment.h"
#include "capture/export/singular.h"
#include "capture/export/template_trie.h"
#include "proxy/base/mem.h"
#include "proxy/base/table.h"
#include "proxy/http/url.h"

/* A document with fewer paths looks like any other: {"ok":true}, {"data":[]}. */
#define MIN_TELLING_PATHS 4

enum rule_kind { RULE_NONE, RULE_FIXED, RULE_VARIABLE };

/* What an override says of one segment. */
struct rule {
    enum rule_kind kind;
    char *text; /* of a variable its name */
};

struct override {
    char *text;
    bool is_used;  /* some path fitted */
    char *host;    /* NULL: any */
    uint16_t port; /* 0: 80 and 443 */
    struct rule rules[TEMPLATE_MAX_SEGMENTS];
    size_t count;
    bool is_open; /* more segments may follow */
};

struct host {
    char *name; /* "shop.test:443" */
    struct node *root;
    UT_hash_handle hh;
};

struct template
{
    struct trie_budget budget;
    struct host *hosts;
    struct override *overrides;
    size_t override_count;
    bool is_off;
};

struct template *template_new(void)
{
    return mem_new(struct template);
}

static void override_clear(struct override *override)
{
    for (size_t i = 0; i < override->count; i++)
        mem_free(override->rules[i].text);
    mem_free(override->host);
    mem_free(override->text);
}

void template_free(struct template *template)
{
    struct host *host, *next;

    if (template == NULL)
        return;
    HASH_ITER (hh, template->hosts, host, next) {
        HASH_DEL(template->hosts, host);
        node_free(&template->budget, host->root);
        mem_free(host->name);
        mem_free(host);
    }
    for (size_t i = 0; i < template->override_count; i++)
        override_clear(&template->overrides[i]);
    mem_free(template->overrides);
    mem_free(template);
}

void template_switch_off(struct template *template)
{
    template->is_off = true;
}

/* --- paths --------------------------------------------------------------------------------------------- */

struct segments {
    struct span at[TEMPLATE_MAX_SEGMENTS];
    size_t count;
    struct span rest; /* what follows them, with its '/' */
};

/* False: no path that consists of segments ("*"). A '/' at the end is followed by an empty one. */
static bool split(struct span path, struct segments *out)
{
    out->count = 0;
    out->rest = SPAN_NONE;
    if (path.len == 0 || path.ptr[0] != '/')
        return false;
    if (path.len == 1)
        return true;
    while (path.len != 0) {
        size_t len;

        if (out->count == TEMPLATE_MAX_SEGMENTS) {
            out->rest = path;
            break;
        }
        path = span_from(path, 1);
        len = span_find(path, '/');
        out->at[out->count++] = span_sub(path, 0, len);
        path = span_from(path, len);
    }
    return true;
}

/* --- overrides ----------------------------------------------------------------------------------------- */

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!is_letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.len != 0;
}

static bool parse_rule(struct override *override, struct span segment, bool is_last, struct err *err)
{
    struct rule *rule = &override->rules[override->count];

    if (span_eq(segment, SPAN("**"))) {
        override->is_open = true;
        return is_last || err_set(err, ERR_USAGE, "'**' stands for the rest of a path: only at its end");
    }
    override->count++;
    if (span_eq(segment, SPAN("*")))
        return true;
    if (segment.len != 0 && segment.ptr[0] == ':') {
        segment = span_from(segment, 1);
        if (!is_name(segment))
            return err_set(err, ERR_USAGE, "':%.*s' is no name of a variable: letters, digits and '_'",
                           SPAN_ARG(segment));
        rule->kind = RULE_VARIABLE;
    } else if (segment.len > 2 && segment.ptr[0] == '{' && span_ends(segment, SPAN("}"))) {
        segment = span_sub(segment, 1, segment.len - 2);
        return err_set(err, ERR_USAGE, "a variable is written ':%.*s', not '{%.*s}'", SPAN_ARG(segment),
                       SPAN_ARG(segment));
    } else {
        rule->kind = RULE_FIXED;
    }
    rule->text = mem_spandup(segment);
    return true;
}

static bool parse_override(struct span text, struct override *out, struct err *err)
{
    size_t slash = span_find(text, '/');
    struct authority authority;
    struct segments segments;

    if (slash == text.len)
        return err_set(err, ERR_USAGE, "it has no '/': write '/users/:id' or 'api.shop.test/users/:id'");
    if (span_starts(span_from(text, slash), SPAN("//")) && span_ends(span_sub(text, 0, slash), SPAN(":")))
        return err_set(err, ERR_USAGE, "a host is written without '%.*s//'", (int)slash, text.ptr);
    if (span_find(text, '?') != text.len || span_find(text, '#') != text.len)
        return err_set(err, ERR_USAGE, "a path ends before '?' and '#'");
    if (slash != 0) {
        if (!url_parse_authority(span_sub(text, 0, slash), &authority, err))
            return false;
        out->host = mem_strdup(authority.host);
        out->port = authority.port;
    }
    if (!split(span_from(text, slash), &segments) || segments.rest.len != 0)
        return err_set(err, ERR_USAGE, "it has more than %d segments", TEMPLATE_MAX_SEGMENTS);
    for (size_t i = 0; i < segments.count; i++)
        if (!parse_rule(out, segments.at[i], i + 1 == segments.count, err))
            return false;
    return true;
}

bool template_add_override(struct template *template, const char *text, struct err *err)
{
    struct override override = { .text = mem_strdup(text) };

    if (!parse_override(span_of(text), &override, err)) {
        override_clear(&override);
        return err_add(err, "path pattern '%s'", text);
    }
    template->overrides =
        mem_realloc(template->overrides, (template->override_count + 1) * sizeof(*template->overrides));
    template->overrides[template->override_count++] = override;
    return true;
}

static bool is_for_host(const struct override *override, struct span host, uint16_t port)
{
    if (override->host == NULL)
        return true;
    if (override->port != 0 ? port != override->port : port != 80 && port != 443)
        return false;
    return span_ieq(host, span_of(override->host));
}

static bool covers(const struct override *override, const struct segments *segments)
{
    if (override->is_open ? segments->count < override->count : segments->count != override->count)
        return false;
    if (segments->rest.len != 0 && !override->is_open)
        return false;
    for (size_t i = 0; i < override->count; i++)
        if (override->rules[i].kind == RULE_FIXED &&
            !span_eq(segments->at[i], span_of(override->rules[i].text)))
            return false;
    return true;
}

static struct override *find_override(const struct template *template, struct span host, uint16_t port,
                                      const struct segments *segments)
{
    for (size_t i = 0; i < template->override_count; i++)
        if (is_for_host(&template->overrides[i], host, port) && covers(&template->overrides[i], segments))
            return &template->overrides[i];
    return NULL;
}

static const struct rule *rule_of(const struct override *override, size_t i)
{
    static const struct rule none = { .kind = RULE_NONE };

    return override != NULL && i < override->count ? &override->rules[i] : &none;
}

/* --- the first pass ------------------------------------------------------------------------------------ */

/* "shop.test:443"; room: for the longest. */
static struct host *find_host(const struct template *template, struct span host, uint16_t port,
                              struct strbuf *name)
{
    struct host *found;

    strbuf_add(name, host);
    strbuf_printf(name, ":%u", port);
    HASH_FIND(hh, template->hosts, name->ptr, name->len, found);
    return found;
}

static struct node *take_root(struct template *template, struct span host_name, uint16_t port)
{
    struct strbuf name = STRBUF_EMPTY;
    struct host *host = find_host(template, host_name, port, &name);
    struct node *root = NULL;

    if (host == NULL) {
        root = node_new(&template->budget, NODE_ROOT, SPAN_NONE);
        if (root != NULL) {
            host = mem_new(struct host);
            host->root = root;
            host->name = strbuf_detach(&name);
            HASH_ADD_KEYPTR(hh, template->hosts, host->name, strlen(host->name), host);
        }
    }
    strbuf_clear(&name);
    return host != NULL ? host->root : NULL;
}

/* A file at the end of a path decides nothing, and there may be very many. */
static bool is_forgettable(const struct segments *segments, size_t i, enum segment_class class)
{
    return class == SEGMENT_FIXED && i + 1 == segments->count &&
           span_find(segments->at[i], '.') < segments->at[i].len;
}

static struct node *step(struct template *template, struct node *node, struct span segment,
                         enum segment_class class, const struct rule *rule)
{
    struct trie_budget *budget = &template->budget;

    if (rule->kind == RULE_VARIABLE)
        return node_take_value(budget, node, segment, class, VALUES_OVERRIDE);
    if (rule->kind == RULE_FIXED || template->is_off || class == SEGMENT_FIXED)
        return node_take_fixed(budget, node, segment);
    if (segment_is_value(class))
        return node_take_value(budget, node, segment, class, 0);
    if (class == SEGMENT_SMALL_INT)
        return node_take_small_int(budget, node, segment);
    return node_take_word(budget, node, segment);
}

void template_see(struct template *template, struct span host, uint16_t port, struct span path, int status,
                  const struct json_shape *shape)
{
    struct override *override;
    struct segments segments;
    struct node *node;

    if (!split(path, &segments))
        return;
    override = find_override(template, host, port, &segments);
    if (override != NULL)
        override->is_used = true;
    else if (template->is_off)
        return;
    node = take_root(template, host, port);
    for (size_t i = 0; i < segments.count && node != NULL; i++) {
        enum segment_class class = segment_classify(segments.at[i], i == 0);

        if (is_forgettable(&segments, i, class) && rule_of(override, i)->kind != RULE_VARIABLE)
            return;
        node = step(template, node, segments.at[i], class, rule_of(override, i));
    }
    if (node != NULL && segments.rest.len == 0 && status >= 200 && status < 300)
        node_add_answer(node, shape != NULL,
                        shape != NULL && shape->paths >= MIN_TELLING_PATHS ? shape->keys : 0);
}

static int by_name(const struct host *a, const struct host *b)
{
    return strcmp(a->name, b->name);
}

void template_settle(struct template *template)
{
    struct host *host, *next;

    HASH_SORT(template->hosts, by_name);
    HASH_ITER (hh, template->hosts, host, next)
        trie_settle(&template->budget, host->root);
}

void template_each_unused(const struct template *template, void (*each)(void *self, const char *text),
                          void *self)
{
    for (size_t i = 0; i < template->override_count; i++)
        if (!template->overrides[i].is_used)
            each(self, template->overrides[i].text);
}

/* --- the second pass ----------------------------------------------------------------------------------- */

void template_path_clear(struct template_path *path)
{
    for (size_t i = 0; i < path->count; i++)
        mem_free(path->variables[i].name);
    path->count = 0;
    strbuf_clear(&path->text);
}

/* node: where the path has come to; NULL: where nobody has been. */
static bool is_variable(const struct template *template, const struct node *node, struct span segment,
                        enum segment_class class, const struct rule *rule)
{
    if (rule->kind != RULE_NONE)
        return rule->kind == RULE_VARIABLE;
    if (template->is_off || class == SEGMENT_FIXED)
        return false;
    if (segment_is_value(class))
        return true;
    if (node == NULL)
        return false;
    if (node_find(node, segment) != NULL)
        return false;
    if (class == SEGMENT_SMALL_INT)
        return node_is_plural(node) || (node->flags & NODE_ALL_INTS) != 0 ||
               (node->variable != NULL &&
                (node->variable->values->classes & (1u << SEGMENT_INT | 1u << SEGMENT_SMALL_INT)) != 0);
    return (node->flags & (NODE_ALL_WORDS | NODE_OTHER_WORDS)) != 0;
}

static const char *suffix_of(unsigned classes)
{
    if (classes == 1u << SEGMENT_EMAIL)
        return "Email";
    return classes == 1u << SEGMENT_DATE ? "Date" : "Id";
}

/* After what is above it that has a name; "email" for what is below "/emails" already. */
static void add_name(struct strbuf *out, struct span above, unsigned classes)
{
    const char *suffix = suffix_of(classes);

    singular_add(out, above);
    if (!span_ieq(strbuf_span(out), span_of(suffix)))
        strbuf_add_str(out, suffix);
    if (out->ptr[0] >= 'A' && out->ptr[0] <= 'Z')
        out->ptr[0] = (char)(out->ptr[0] - 'A' + 'a');
}

static bool has_name(const struct template_path *path, const char *name)
{
    for (size_t i = 0; i < path->count; i++)
        if (strcmp(path->variables[i].name, name) == 0)
            return true;
    return false;
}

/* Takes base. Equal names in one URL would share one value. */
static char *unique_name(const struct template_path *path, char *base)
{
    char *name = mem_strdup(base);

    for (unsigned n = 2; has_name(path, name); n++) {
        mem_free(name);
        name = mem_printf("%s%u", base, n);
    }
    mem_free(base);
    return name;
}

static void add_variable(struct template_path *path, const struct values *values, struct span above,
                         struct span value, enum segment_class class, const struct rule *rule)
{
    struct template_variable *variable = &path->variables[path->count];
    struct strbuf name = STRBUF_EMPTY;

    if (rule->kind == RULE_VARIABLE)
        strbuf_add_str(&name, rule->text);
    else
        add_name(&name, above, values != NULL ? values->classes : 1u << class);
    variable->name = unique_name(path, strbuf_detach(&name));
    variable->value = value;
    variable->why = values != NULL && values->text != NULL ? values->text : segment_class_text(class, true);
    variable->values = values != NULL ? values_count(values) : 0;
    path->count++;
    strbuf_add_char(&path->text, ':');
    strbuf_add_str(&path->text, variable->name);
}

static void add_literal(struct template_path *path, struct span segment)
{
    if (segment.len != 0 && segment.ptr[0] == ':') {
        strbuf_add_str(&path->text, "%3A");
        segment = span_from(segment, 1);
    }
    strbuf_add(&path->text, segment);
}

static void add_segments(const struct template *template, const struct node *node,
                         const struct override *override, const struct segments *segments,
                         struct template_path *out_path)
{
    struct span above = SPAN_NONE;

    for (size_t i = 0; i < segments->count; i++) {
        struct span segment = segments->at[i];
        enum segment_class class = segment_classify(segment, i == 0);
        const struct rule *rule = rule_of(override, i);

        strbuf_add_char(&out_path->text, '/');
        if (is_variable(template, node, segment, class, rule)) {
            node = node != NULL ? node->variable : NULL;
            add_variable(out_path, node != NULL ? node->values : NULL, above, segment, class, rule);
            continue;
        }
        add_literal(out_path, segment);
        if (segment.len != 0 && !segment_is_version(segment, i == 0))
            above = segment;
        node = node != NULL ? node_find(node, segment) : NULL;
    }
}

void template_path_of(const struct template *template, struct span host_name, uint16_t port, struct span path,
                      struct template_path *out_path)
{
    struct strbuf name = STRBUF_EMPTY;
    struct segments segments;
    struct host *host;

    for (size_t i = 0; i < out_path->count; i++)
        mem_free(out_path->variables[i].name);
    out_path->count = 0;
    strbuf_reset(&out_path->text);
    if (!split(path, &segments) || segments.count == 0) {
        strbuf_add(&out_path->text, path);
        return;
    }
    host = find_host(template, host_name, port, &name);
    strbuf_clear(&name);
    add_segments(template, host != NULL ? host->root : NULL,
                 find_override(template, host_name, port, &segments), &segments, out_path);
    strbuf_add(&out_path->text, segments.rest);
}

/* --- explaining ---------------------------------------------------------------------------------------- */

struct explanation {
    const struct template *template;
    struct span host; /* without its port */
    uint16_t port;
    struct strbuf path; /* to the node that is explained, made of examples */
    struct strbuf line;
    struct template_path templated;
    void (*each)(void *self, const char *line);
    void *self;
};

static void begin_line(struct explanation *explanation)
{
    strbuf_reset(&explanation->line);
    strbuf_add(&explanation->line, explanation->host);
    if (explanation->port != 80 && explanation->port != 443)
        strbuf_printf(&explanation->line, ":%u", explanation->port);
    strbuf_add(&explanation->line, strbuf_span(&explanation->path));
}

static void explain_variable(struct explanation *explanation, const struct node *variable)
{
    begin_line(explanation);
    template_path_of(explanation->template, explanation->host, explanation->port,
                     strbuf_span(&explanation->path), &explanation->templated);
    strbuf_printf(&explanation->line, " -> %s: %s", strbuf_text(&explanation->templated.text),
                  variable->values->text);
    explanation->each(explanation->self, strbuf_text(&explanation->line));
}

static void explain_word(struct explanation *explanation, const struct node *word)
{
    begin_line(explanation);
    strbuf_add_str(&explanation->line, word->kind == NODE_FIXED
                                           ? " stays: never a value"
                                           : " stays: not answered like the values beside it");
    explanation->each(explanation->self, strbuf_text(&explanation->line));
}

static void explain_node(struct explanation *explanation, const struct node *node)
{
    size_t len = explanation->path.len;

    for (size_t i = 0; i <= node->count; i++) {
        const struct node *child = i < node->count ? node->children[i] : node->variable;

        if (child == NULL)
            continue;
        strbuf_add_char(&explanation->path, '/');
        strbuf_add_str(&explanation->path, child->values != NULL ? child->values->sample : child->text);
        if (child->values != NULL)
            explain_variable(explanation, child);
        else if (node->variable != NULL && child->text[0] != '\0')
            explain_word(explanation, child);
        explain_node(explanation, child);
        explanation->path.len = len;
    }
}

void template_explain(const struct template *template, void (*each)(void *self, const char *line), void *self)
{
    struct explanation explanation = { .template = template, .each = each, .self = self };
    struct host *host, *next;
    uint64_t port = 0;

    HASH_ITER (hh, template->hosts, host, next) {
        const char *colon = strrchr(host->name, ':');

        explanation.host = span_make(host->name, (size_t)(colon - host->name));
        span_u64(span_of(colon + 1), &port);
        explanation.port = (uint16_t)port;
        explain_node(&explanation, host->root);
    }
    strbuf_clear(&explanation.path);
    strbuf_clear(&explanation.line);
    template_path_clear(&explanation.templated);
}
