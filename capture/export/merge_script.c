#include "capture/export/merge_script.h"

#include <string.h>

#include "proxy/base/mem.h"
#include "proxy/base/span.h"

/* Calls each with a line at a time of all scripts; false when one call did. A script is a list of lines, or,
 * of other people, one text. */
static bool each_line(const json_t *item, bool (*each)(void *self, const char *line), void *self)
{
    const json_t *event, *line;
    size_t i, j;

    json_array_foreach (json_object_get(item, "event"), i, event) {
        const json_t *exec = json_object_get(json_object_get(event, "script"), "exec");

        if (json_is_string(exec) && !each(self, json_string_value(exec)))
            return false;
        json_array_foreach (exec, j, line)
            if (json_is_string(line) && !each(self, json_string_value(line)))
                return false;
    }
    return true;
}

static bool is_without(void *self, const char *line)
{
    return strstr(line, self) == NULL;
}

static bool check_line(void *self, const char *line)
{
    const char *begin = strstr(line, ".set(\""), *end;
    char *set;
    bool is_set;

    if (begin == NULL || (end = strchr(begin + strlen(".set(\""), '"')) == NULL)
        return true;
    set = mem_spandup(span_make(begin, (size_t)(end + 1 - begin)));
    is_set = !each_line(self, is_without, set);
    mem_free(set);
    return is_set;
}

bool merge_script_sets(const json_t *file_item, const json_t *made_item)
{
    return each_line(made_item, check_line, (void *)file_item);
}
