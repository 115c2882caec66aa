/* Instruction sets: which there are, and which the processor has. */
#define _GNU_SOURCE
#include "config.h"

#ifdef HG_HAVE_AMX
#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <hourglass/plan.h>

const char *hg_isa_name(hg_isa isa)
{
    static const char *const names[] = { "best", "baseline", "x86-64-v3", "x86-64-v4", "x86-64-v4-amx" };
    return isa >= HG_ISA_BEST && isa <= HG_ISA_AMX ? names[isa] : "unknown";
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

#ifdef HG_HAVE_AMX
/* Linux gives a process tiles only when asked: a thread's state is larger with them. */
static bool has_tiles(void)
{
    enum { LEAF = 7, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, TILES = 18 };
    unsigned a, b, c, d;
    __cpuid_count(LEAF, 0, a, b, c, d); /* that leaf is older than vectors of 512 bits */
    return (d & AMX_BF16) && (d & AMX_TILE) && syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILES) == 0;
}
#else
static bool has_tiles(void) { return false; }
#endif

hg_isa hg_isa_best(void)
{
    __builtin_cpu_init();
    if (!has_v3())
        return HG_ISA_BASE;
    return !has_v4() ? HG_ISA_V3 : has_tiles() ? HG_ISA_AMX : HG_ISA_V4;
}
#else
hg_isa hg_isa_best(void) { return HG_ISA_BASE; }
#endif
