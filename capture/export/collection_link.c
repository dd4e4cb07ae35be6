/* What links make of a collection: scripts that set variables, and the variables themselves. */
#include "capture/export/collection.h"

#include <string.h>

#include "capture/export/job_log.h"

/* --- scripts ------------------------------------------------------------------------------------------- */

bool link_is_issuer(const struct collection *collection, const struct survey_item *item)
{
    size_t begin;

    return collection->links != NULL && links_of_item(collection->links, item->place, &begin) != 0;
}

/* Names are letters, digits and '_'. */
static void add_set(struct strbuf *line, const struct link_variable *variable, enum link_spelling spelling)
{
    static const char *const spelled[] = {
        [LINK_RAW] = "value",
        [LINK_PERCENT] = "encodeURIComponent(value)",
        [LINK_ESCAPED] = "JSON.stringify(value).slice(1, -1)",
    };

    strbuf_printf(line, "    pm.%s.set(\"%s\", %s);",
                  variable->is_secret ? "environment" : "collectionVariables", variable->names[spelling],
                  spelled[spelling]);
}

static void write_set(struct json_out *json, const struct link *link, const struct link_variable *variable)
{
    struct strbuf line = STRBUF_EMPTY;

    strbuf_printf(&line, "issued(() => %s, (value) => {", link->read);
    jout_text(json, strbuf_span(&line));
    for (int s = 0; s < LINK_SPELLINGS; s++) {
        if (variable->names[s] == NULL)
            continue;
        strbuf_reset(&line);
        add_set(&line, variable, (enum link_spelling)s);
        jout_text(json, strbuf_span(&line));
    }
    jout_str(json, "});");
    strbuf_clear(&line);
}

void link_write_script(struct collection *collection, const struct survey_item *item)
{
    static const char *const helper[] = {
        ("// Later requests carry what this response issues. One without it, such as an error, changes "
         "nothing."),
        "const issued = (read, set) => {",
        "    let value;",
        "    try {",
        "        value = read();",
        "    } catch (error) {",
        "        return;",
        "    }",
        "    if (value !== undefined && value !== null && value !== \"\") set(String(value));",
        "};",
    };
    struct json_out *json = &collection->json;
    size_t begin, count;

    if (!link_is_issuer(collection, item))
        return;
    for (size_t i = 0; i < sizeof(helper) / sizeof(helper[0]); i++)
        jout_str(json, helper[i]);
    count = links_of_item(collection->links, item->place, &begin);
    for (size_t i = begin; i < begin + count; i++) {
        const struct link *link = links_at(collection->links, i);

        write_set(json, link, links_variable(collection->links, link->variable));
    }
}

/* --- variables ----------------------------------------------------------------------------------------- */

void link_write_variables(struct collection *collection)
{
    struct json_out *json = &collection->json;

    for (size_t i = 0; collection->links != NULL && i < links_variable_count(collection->links); i++) {
        const struct link_variable *variable = links_variable(collection->links, i);

        for (int s = 0; s < LINK_SPELLINGS && !variable->is_secret; s++) {
            if (variable->names[s] == NULL)
                continue;
            jout_open_object(json);
            jout_member_str(json, "key", variable->names[s]);
            jout_member_text(json, "value", span_of(variable->values[s]));
            jout_member_str(json, "type", "string");
            jout_close(json);
        }
    }
}

/* --- the report ---------------------------------------------------------------------------------------- */

static void tell_link(struct collection *collection, const struct link *link)
{
    const struct link_variable *variable = links_variable(collection->links, link->variable);
    struct strbuf line = STRBUF_EMPTY;

    strbuf_printf(&line, "exchange %u issues {{%s}} (%s)", link->seq, variable->names[LINK_RAW], link->where);
    for (uint32_t i = 0; i < link->uses && i < LINK_MAX_USERS; i++)
        strbuf_printf(&line, "%s%u", i == 0 ? ", carried by exchange " : ", ", link->users[i]);
    if (link->uses > LINK_MAX_USERS)
        strbuf_printf(&line, " and %u more", link->uses - LINK_MAX_USERS);
    job_log_add_link(collection->job->log, strbuf_text(&line));
    strbuf_clear(&line);
}

/* Each was told already, more exactly. */
static void count_link(struct export_job *job, const struct link_variable *variable)
{
    if (job->report->reasons[EXPORT_LINKED].count++ == 0)
        snprintf(job->report->reasons[EXPORT_LINKED].first, sizeof(job->report->reasons[EXPORT_LINKED].first),
                 "%s", variable->names[LINK_RAW]);
}

void link_report(struct collection *collection)
{
    struct export_job *job = collection->job;

    if (collection->links == NULL)
        return;
    for (size_t i = 0; job->log != NULL && i < links_count(collection->links); i++)
        tell_link(collection, links_at(collection->links, i));
    for (size_t i = 0; i < links_variable_count(collection->links); i++) {
        const struct link_variable *variable = links_variable(collection->links, i);

        count_link(job, variable);
        if (variable->is_late)
            job_count(job, EXPORT_LINK_LATE, "%s in exchange %u", variable->names[LINK_RAW],
                      variable->late_user);
    }
}
