/* Initial values of parameters. */
#ifndef HG_INIT_H
#define HG_INIT_H

#include "tensor.h"

/* Fills t->data as `initial` says, from the graph's seed and t's name. */
hg_status hg_initialize(hg_tensor *t, hg_initializer initial, hg_error *error);

#endif
