#include "tests/support/store_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proxy/base/mem.h"

void must(bool ok, const struct err *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

int store_world_set_up(void **state)
{
    struct world *world = mem_new(struct world);
    struct session_row row;
    uint32_t last_seq;
    struct err err;

    test_folder_make(&world->folder);
    must(store_open(world->folder.store, STORE_WRITE, &world->store, &err), &err);
    must(store_session_start(world->store, &(struct store_session_start){ "world", "", "{}" }, &row,
                             &last_seq, &err),
         &err);
    world->session = row.id;
    session_row_clear(&row);
    *state = world;
    return 0;
}

int store_world_tear_down(void **state)
{
    struct world *world = *state;

    store_close(world->store);
    test_folder_remove(&world->folder);
    mem_free(world);
    return 0;
}
