/* complete: what a shell needs to complete weir's commands and options, made from their tables. */
#ifndef WEIR_TOOLS_COMPLETE_H
#define WEIR_TOOLS_COMPLETE_H

#include "proxy/base/strbuf.h"

void complete_add_bash(struct strbuf *out); /* a script for bash-completion's folder, as "weir" */
void complete_add_zsh(struct strbuf *out);  /* a function for a folder of fpath, as "_weir" */

#endif
