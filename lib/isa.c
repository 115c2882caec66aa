/* Instruction sets: which there are, and which the processor has. */
#include "config.h"

#include <hourglass/plan.h>

const char *hg_isa_name(hg_isa isa)
{
    static const char *const names[] = { "best", "baseline", "x86-64-v3", "x86-64-v4" };
    return isa >= HG_ISA_BEST && isa <= HG_ISA_V4 ? names[isa] : "unknown";
}

#ifdef HG_HAVE_X86_64_LEVELS
static bool has_v3(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

static bool has_v4(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

hg_isa hg_isa_best(void)
{
    __builtin_cpu_init();
    if (!has_v3())
        return HG_ISA_BASE;
    return has_v4() ? HG_ISA_V4 : HG_ISA_V3;
}
#else
hg_isa hg_isa_best(void) { return HG_ISA_BASE; }
#endif
