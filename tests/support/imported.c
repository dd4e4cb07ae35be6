#include "tests/support/imported.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proxy/base/mem.h"

void imported_add(struct imported *world, struct span document, const char *session)
{
    struct import_options options = { .session_name = session };
    char *path;
    FILE *file;

    if (world->folder.path[0] == '\0')
        test_folder_make(&world->folder);
    path = mem_printf("%s/document", world->folder.path);
    file = fopen(path, "w");
    assert_non_null(file);
    fwrite(document.ptr, 1, document.len, file);
    fclose(file);
    options.store_path = world->folder.store;
    world->ok = import_file(path, &options, &world->report, &world->err);
    mem_free(path);
}

void imported_clear(struct imported *world)
{
    test_folder_remove(&world->folder);
}

int64_t imported_number(struct imported *world, const char *sql)
{
    return test_count(world->folder.store, sql);
}

void imported_body(struct imported *world, enum http_role role, struct strbuf *out)
{
    struct store *store = test_open(world->folder.store);
    int64_t body = imported_number(
        world, role == HTTP_REQUEST ? "SELECT request_body FROM exchange ORDER BY id DESC LIMIT 1"
                                    : "SELECT response_body FROM exchange ORDER BY id DESC LIMIT 1");

    test_read_body(store, body, out);
    store_close(store);
}
