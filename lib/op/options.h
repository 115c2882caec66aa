/* Options given for both axes at once, or as a pair { along the height, along the width }. */
#ifndef HG_OP_OPTIONS_H
#define HG_OP_OPTIONS_H

#include <hourglass/tensor.h>

/* Puts the option into to[2], `normal` where it is 0. Given twice, it is refused: false. */
bool hg_option_pair(hg_graph *graph, const char *op, const char *name, int64_t both, const int64_t pair[2],
                    int64_t normal, int64_t to[2]);
/* Refuses an option that an op has no use for. */
bool hg_option_absent(hg_graph *graph, const char *op, const char *name, int64_t both, const int64_t pair[2]);
/* A signal C x L x B as an image C x L x 1 x B, and back; of another rank, refused. */
hg_tensor *hg_signal_to_image(hg_tensor *x, const char *op);
hg_tensor *hg_image_to_signal(hg_tensor *x);

#endif
