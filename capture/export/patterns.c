#include "capture/export/patterns.h"

bool patterns_template(const struct export_options *options, struct template **out_template, struct err *err)
{
    struct template *template = template_new();

    for (size_t i = 0; i < options->pattern_count; i++) {
        if (!template_add_override(template, options->patterns[i], err)) {
            template_free(template);
            return false;
        }
    }
    if (options->keeps_paths)
        template_switch_off(template);
    *out_template = template;
    return true;
}

static void count_unused(void *self, const char *pattern)
{
    job_count(self, EXPORT_PATTERN_UNUSED, "%s", pattern);
}

void patterns_report(struct export_job *job, const struct template *template)
{
    template_each_unused(template, count_unused, job);
}
