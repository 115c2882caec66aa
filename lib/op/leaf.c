/* Leaves: they run nothing; a plan knows where their values lie. */

#include "op.h"

static bool already_known(hg_tensor *t)
{
    (void)t;
    return true;
}

const hg_op hg_input_op = { .name = "input", .flags = HG_NO_VJP, .infer = already_known };
const hg_op hg_parameter_op = { .name = "parameter", .flags = HG_NO_VJP, .infer = already_known };
const hg_op hg_constant_op = { .name = "constant", .flags = HG_NO_VJP, .infer = already_known };
