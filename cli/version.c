/* hourglass --version */
#include "cli.h"

#include <hourglass/version.h>

#include <stdio.h>

/* The threads that a plan gets by default. */
static int default_threads(void)
{
    hg_graph *graph = hg_graph_new(HG_F32);
    hg_tensor *one = graph == NULL ? NULL : hg_scalar(graph, 1);
    hg_plan *plan = one == NULL ? NULL : hg_plan_new(graph, 1, &one, &(hg_plan_options){ 0 });
    int threads = plan == NULL ? 1 : hg_plan_describe(plan).threads;
    hg_plan_free(plan);
    hg_graph_free(graph);
    return threads;
}

int hg_print_version(void)
{
    printf("hourglass %s\n", hg_version());
    printf("instruction set  %s\n", hg_isa_name(hg_isa_best()));
    printf("BLIS kernels     %s\n", hg_blas_kernels());
    printf("threads          %d\n", default_threads());
    return 0;
}
