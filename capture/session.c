#include "capture/session.h"

#include <jansson.h>
#include <string.h>

#include "capture/store/store_write.h"

static bool is_utf8(const char *text)
{
    json_t *string = json_string(text); /* takes no other text */
    bool is = string != NULL;

    json_decref(string);
    return is;
}

bool session_check_name(const char *name, struct err *err)
{
    if (name[0] == '\0')
        return err_set(err, ERR_USAGE, "a session's name can't be empty");
    if (strlen(name) > SESSION_NAME_BYTES)
        return err_set(err, ERR_USAGE, "a session's name can't have more than %d bytes", SESSION_NAME_BYTES);
    if (strchr(name, '/') != NULL)
        return err_set(err, ERR_USAGE, "a session's name can't have a '/', as '%s' does", name);
    if (strspn(name, "0123456789") == strlen(name))
        return err_set(err, ERR_USAGE,
                       "a session's name can't be a number, as '%s' is: it would look like an id", name);
    if (strcmp(name, "latest") == 0)
        return err_set(err, ERR_USAGE, "a session can't be named 'latest': that means the last one");
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return err_set(err, ERR_USAGE, "a session's name can't have control characters");
    return is_utf8(name) || err_set(err, ERR_USAGE, "a session's name must be UTF-8");
}

bool session_rename(struct store *store, int64_t session, const char *name, struct err *err)
{
    return session_check_name(name, err) && store_session_rename(store, session, name, err);
}

bool session_delete(struct store *store, int64_t session, struct err *err)
{
    return store_session_delete(store, session, err);
}
