/* Links that are read in the same way, or replace one another, are put together; each such set is a
 * variable, named by the first of it. */
#include "capture/export/links_found.h"

#include <stdlib.h>
#include <string.h>

#include "capture/export/credential.h"
#include "capture/export/link_order.h"
#include "proxy/base/mem.h"

/* Of credentials that are sent in the same way at the same time, so many are told apart. */
#define MAX_CONCURRENT 16

struct settling {
    struct links *links;
    const struct export_job *job;
    const struct survey *survey;
    uint32_t *parents;          /* of each link another one of its set, or itself */
    struct secret_names *names; /* those of a collection without secrets */
};

static const struct link_found *found_at(const struct settling *settling, uint32_t i)
{
    return &settling->links->found[i];
}

/* --- sets ---------------------------------------------------------------------------------------------- */

/* The first link of i's set. */
static uint32_t first_of(const struct settling *settling, uint32_t i)
{
    while (settling->parents[i] != i)
        i = settling->parents[i] = settling->parents[settling->parents[i]];
    return i;
}

static void unite(const struct settling *settling, uint32_t a, uint32_t b)
{
    a = first_of(settling, a);
    b = first_of(settling, b);
    settling->parents[a > b ? a : b] = a < b ? a : b;
}

static int by_read(const void *a, const void *b, void *self)
{
    const struct link_found *x = found_at(self, *(const uint32_t *)a),
                            *y = found_at(self, *(const uint32_t *)b);

    if (x->link.place != y->link.place)
        return x->link.place < y->link.place ? -1 : 1;
    if (x->read_hash != y->read_hash)
        return x->read_hash < y->read_hash ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int by_role(const void *a, const void *b, void *self)
{
    const struct link_found *x = found_at(self, *(const uint32_t *)a),
                            *y = found_at(self, *(const uint32_t *)b);

    if (x->role != y->role)
        return x->role < y->role ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int by_place(const void *a, const void *b, void *self)
{
    const struct link_found *x = found_at(self, *(const uint32_t *)a),
                            *y = found_at(self, *(const uint32_t *)b);

    if (x->link.place != y->link.place)
        return x->link.place < y->link.place ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* What all of them are used for is told of the first. */
static void add_uses(struct link *first, const struct link *link)
{
    for (uint32_t i = 0; i < link->uses && i < LINK_MAX_USERS && first->uses + i < LINK_MAX_USERS; i++)
        first->users[first->uses + i] = link->users[i];
    first->uses += link->uses;
}

/* One script line for each: of links that the same one reads the first is kept. */
static void unite_read(struct settling *settling)
{
    struct links *links = settling->links;
    size_t kept = 0;

    qsort_r(links->order, links->kept_count, sizeof(uint32_t), by_read, settling);
    for (size_t i = 0; i < links->kept_count; i++) {
        struct link_found *last = kept != 0 ? &links->found[links->order[kept - 1]] : NULL;
        struct link_found *found = &links->found[links->order[i]];

        if (last == NULL || last->link.place != found->link.place || last->read_hash != found->read_hash ||
            strcmp(last->link.read, found->link.read) != 0) {
            links->order[kept++] = links->order[i];
            continue;
        }
        unite(settling, links->order[kept - 1], links->order[i]);
        add_uses(&last->link, &found->link);
    }
    links->kept_count = kept;
    qsort_r(links->order, kept, sizeof(uint32_t), by_place, settling);
}

/* Those of one role, in order of issue: each takes the place of the first one that was sent no more when it
 * was issued. */
static void unite_successors(const struct settling *settling, const uint32_t *list, size_t count)
{
    uint32_t last[MAX_CONCURRENT];
    size_t concurrent = 0, at;

    for (size_t i = 0; i < count; i++) {
        for (at = 0; at < concurrent; at++)
            if (found_at(settling, last[at])->last_use <= found_at(settling, list[i])->link.seq)
                break;
        if (at == MAX_CONCURRENT)
            continue;
        if (at < concurrent)
            unite(settling, last[at], list[i]);
        else
            concurrent++;
        last[at] = list[i];
    }
}

static void unite_roles(struct settling *settling, uint32_t *all, size_t count)
{
    size_t end;

    qsort_r(all, count, sizeof(uint32_t), by_role, settling);
    for (size_t begin = 0; begin < count; begin = end) {
        uint64_t role = found_at(settling, all[begin])->role;

        for (end = begin; end < count && found_at(settling, all[end])->role == role;)
            end++;
        if (role != 0)
            unite_successors(settling, all + begin, end - begin);
    }
}

/* --- names --------------------------------------------------------------------------------------------- */

/* Whether something else of the collection is called so. */
static bool is_reserved(const struct settling *settling, const char *name)
{
    if (literals_has(settling->survey->literals, name) || strcmp(name, CREDENTIAL_AWS_VARIABLE) == 0 ||
        strcmp(name, CREDENTIAL_DIGEST_VARIABLE) == 0)
        return true;
    for (const struct survey_origin *origin = settling->survey->origins; origin != NULL;
         origin = origin->hh.next)
        if (strcmp(origin->variable, name) == 0)
            return true;
    return false;
}

static char *unique_name(const struct settling *settling, const char *base)
{
    struct secret_names *names = settling->names;
    struct strbuf name = STRBUF_EMPTY;

    do {
        strbuf_reset(&name);
        if (settling->job->secrets != NULL)
            secrets_claim_name(settling->job->secrets, base, &name);
        else
            secret_names_add(names, secret_names_take(names, secret_names_word(names, span_of(base))), &name);
    } while (is_reserved(settling, strbuf_text(&name)));
    return strbuf_detach(&name);
}

/* --- variables ----------------------------------------------------------------------------------------- */

/* What is one only where it is named so is one in such a place alone. */
static const struct secret *secret_of(const struct settling *settling, const struct link_found *found)
{
    const struct secret *secret = settling->job->secrets != NULL
                                      ? secrets_find(settling->job->secrets, span_of(found->values[LINK_RAW]))
                                      : NULL;

    return secret != NULL && (secret->is_everywhere || found->is_secret) ? secret : NULL;
}

static char *name_spelling(struct settling *settling, const struct link_variable *variable,
                           const struct link_found *found, enum link_spelling spelling)
{
    static const enum secret_form forms[] = { SECRET_RAW, SECRET_PERCENT, SECRET_ESCAPED };
    const struct secret *secret = secret_of(settling, found);
    struct secret_piece piece = { .text = span_of(found->values[spelling]),
                                  .secret = secret,
                                  .form = forms[spelling] };
    char *base, *name;

    if (variable->is_secret && secret != NULL)
        return mem_strdup(secrets_variable(settling->job->secrets, &piece));
    if (spelling == LINK_RAW)
        return unique_name(settling, found->name);
    base = mem_printf("%s_%s", variable->names[LINK_RAW], secret_form_name(forms[spelling]));
    name = unique_name(settling, base);
    mem_free(base);
    return name;
}

static void add_spellings(struct settling *settling, struct link_variable *variable,
                          const struct link_found *found)
{
    for (int s = 0; s < LINK_SPELLINGS; s++) {
        if (found->values[s] == NULL || variable->names[s] != NULL)
            continue;
        variable->names[s] = name_spelling(settling, variable, found, (enum link_spelling)s);
        variable->values[s] = mem_strdup(found->values[s]);
        variable->shown[s] =
            (struct hidden_variable){ .spelling = variable->names[s], .value = variable->names[LINK_RAW] };
    }
}

/* Links come in the order in which they were issued: the first of a set is met first. A set is a variable if
 * any item carries one of it. */
static void make_variables(struct settling *settling)
{
    struct links *links = settling->links;
    bool *is_used = mem_array(bool, links->found_count + 1);

    for (uint32_t i = 0; i < links->found_count; i++)
        is_used[first_of(settling, i)] |= links->found[i].link.uses != 0;
    links->variables = mem_array(struct link_variable, links->found_count + 1);
    for (uint32_t i = 0; i < links->found_count; i++) {
        struct link_found *found = &links->found[i];
        uint32_t first = first_of(settling, i);

        found->is_kept = is_used[first];
        if (!found->is_kept)
            continue;
        if (first == i) {
            found->link.variable = (uint32_t)links->variable_count++;
            links->variables[found->link.variable].is_secret = secret_of(settling, found) != NULL;
        } else {
            found->link.variable = links->found[first].link.variable;
        }
        add_spellings(settling, &links->variables[found->link.variable], found);
    }
    mem_free(is_used);
}

static void drop_unused(struct links *links)
{
    size_t kept = 0;

    for (size_t i = 0; i < links->kept_count; i++)
        if (links->found[links->order[i]].is_kept)
            links->order[kept++] = links->order[i];
    links->kept_count = kept;
}

/* --- order --------------------------------------------------------------------------------------------- */

struct needs {
    struct link_need *list;
    size_t count, cap;
};

static void add_need(struct needs *needs, uint32_t item, uint32_t first)
{
    if (item == first)
        return;
    if (needs->count == needs->cap) {
        needs->cap = needs->cap != 0 ? needs->cap * 2 : 64;
        needs->list = mem_realloc(needs->list, needs->cap * sizeof(*needs->list));
    }
    needs->list[needs->count++] = (struct link_need){ .item = item, .first = first };
}

static int by_variable(const void *a, const void *b, void *self)
{
    const struct link_use *x = a, *y = b;
    uint32_t of_x = found_at(self, x->link)->link.variable, of_y = found_at(self, y->link)->link.variable;

    if (of_x != of_y)
        return of_x < of_y ? -1 : 1;
    if (x->is_last != y->is_last)
        return x->is_last ? 1 : -1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* An item that uses a variable needs the first one that sets it; the others replace what that set. The one
 * that deletes what it stands for comes last. */
static void order_items(const struct settling *settling, struct survey *survey)
{
    struct links *links = settling->links;
    struct needs needs = { .count = 0 };
    size_t begin = 0;

    if (links->use_count != 0)
        qsort_r(links->uses, links->use_count, sizeof(*links->uses), by_variable, (void *)settling);
    for (size_t i = 0; i < links->use_count; i++) {
        const struct link_use *use = &links->uses[i];
        const struct link_found *first = found_at(settling, first_of(settling, use->link));

        if (first->link.variable != found_at(settling, links->uses[begin].link)->link.variable)
            begin = i;
        add_need(&needs, use->place, first->link.place);
        for (size_t n = begin; use->is_last && n < i; n++)
            if (!links->uses[n].is_last)
                add_need(&needs, use->place, links->uses[n].place);
    }
    link_order_items(survey, needs.list, needs.count, dedup_count(survey->dedup));
    mem_free(needs.list);
}

/* A run of the collection comes to an item that uses a variable before it comes to any that sets it. */
static void find_late(const struct settling *settling)
{
    struct links *links = settling->links;
    const struct survey *survey = settling->survey;
    uint32_t *position_of = mem_array(uint32_t, dedup_count(survey->dedup) + 1);
    uint32_t *set_at = mem_array(uint32_t, links->variable_count + 1);

    memset(set_at, 0xff, (links->variable_count + 1) * sizeof(uint32_t));
    for (size_t i = 0; i < survey->count; i++)
        position_of[survey->items[i].place] = (uint32_t)i;
    for (size_t i = 0; i < links->kept_count; i++) {
        const struct link *link = links_at(links, i);
        uint32_t position = position_of[link->place];

        set_at[link->variable] = position < set_at[link->variable] ? position : set_at[link->variable];
    }
    for (size_t i = 0; i < links->use_count; i++) {
        const struct link *link = &links->found[links->uses[i].link].link;
        struct link_variable *variable = &links->variables[link->variable];
        uint32_t position = position_of[links->uses[i].place];

        if (position >= set_at[link->variable] || variable->is_late)
            continue;
        variable->is_late = true;
        variable->late_user = survey->items[position].seq;
    }
    mem_free(position_of);
    mem_free(set_at);
}

void links_settle(struct links *links, const struct export_job *job, struct survey *survey)
{
    struct settling settling = { .links = links, .job = job, .survey = survey, .names = secret_names_new() };
    uint32_t *all = mem_array(uint32_t, links->found_count + 1);
    size_t count = 0;

    settling.parents = mem_array(uint32_t, links->found_count + 1);
    links->order = mem_array(uint32_t, links->found_count + 1);
    for (uint32_t i = 0; i < links->found_count; i++) {
        settling.parents[i] = i;
        if (links->found[i].link.uses != 0 || links->found[i].role != 0)
            links->order[count] = all[count] = i, count++;
    }
    links->kept_count = count;
    unite_read(&settling);
    unite_roles(&settling, all, count);
    make_variables(&settling);
    drop_unused(links);
    order_items(&settling, survey);
    find_late(&settling);
    secret_names_free(settling.names);
    mem_free(settling.parents);
    mem_free(all);
}
