/* What the optimisers' files share. */
#ifndef HG_OPTIM_H
#define HG_OPTIM_H

#include <hourglass/math.h>
#include <hourglass/optimizer.h>

/* A state of the parameter's shape, "adam/encoder/1/weight/mean", that starts at 0. */
hg_tensor *hg_update_state(hg_tensor *parameter, const char *name);
/* sum <- decay sum + term */
hg_tensor *hg_update_sum(hg_tensor *sum, double decay, hg_tensor *term);
/* p <- p - rate direction */
hg_tensor *hg_update_descend(hg_tensor *parameter, hg_tensor *rate, hg_tensor *direction);

#endif
