/* link_order: the order of a collection's items and folders, with those that set a variable before those that
 * use it: a run goes from top to bottom.
 *
 * Everything stays in its folder. Folders, and items within theirs, keep the order they have but for what has
 * to come first; where two need each other, it stays as it was. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_LINK_ORDER_H
#define WEIR_CAPTURE_EXPORT_LINK_ORDER_H

#include "capture/export/survey.h"

/* One item needs another one to have run. Both by place: see survey_item. */
struct link_need {
    uint32_t item, first;
};

/* needs: sorted here. places: all are below that. */
void link_order_items(struct survey *survey, struct link_need *needs, size_t count, size_t places);

#endif
