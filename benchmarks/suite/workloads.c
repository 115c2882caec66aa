/* The workloads, in one place: the peers get these declarations as JSON. */
#include "bench.h"

#include <string.h>

static const hg_autoencoder conv_32_64 = {
    .name = "conv 1-32-64",
    .input = { 1, 28, 28 },
    .encoder = { HG_CONV2D(32, .kernel = 3, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2),
                 HG_CONV2D(64, .kernel = 3, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2) },
    .decoder = { HG_CONV_TRANSPOSE2D(32, .kernel = 2, .stride = 2, .act = hg_relu),
                 HG_CONV_TRANSPOSE2D(1, .kernel = 2, .stride = 2, .act = hg_sigmoid) },
    .loss = HG_SQUARED_ERROR,
};

static const hg_autoencoder conv_32_64_128 = {
    .name = "conv 3-32-64-128",
    .input = { 3, 32, 32 },
    .encoder = { HG_CONV2D(32, .kernel = 3, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2),
                 HG_CONV2D(64, .kernel = 3, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2),
                 HG_CONV2D(128, .kernel = 3, .pad = 1, .act = hg_relu), HG_MAX_POOL2D(2) },
    .decoder = { HG_CONV_TRANSPOSE2D(64, .kernel = 2, .stride = 2, .act = hg_relu),
                 HG_CONV_TRANSPOSE2D(32, .kernel = 2, .stride = 2, .act = hg_relu),
                 HG_CONV_TRANSPOSE2D(3, .kernel = 2, .stride = 2, .act = hg_sigmoid) },
    .loss = HG_SQUARED_ERROR,
};

static const hg_autoencoder contractive = {
    .name = "contractive",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(512, .act = hg_sigmoid) },
    .decoder = HG_MIRROR,
    .tied = true,
    .loss = HG_BINARY_CROSS_ENTROPY,
    .penalties = { HG_CONTRACTIVE(0.1) },
};

/* No closed form: the penalty is of the gradients of all 30 code numbers. */
static const hg_autoencoder contractive_deep = {
    .name = "contractive-deep",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(500, .act = hg_sigmoid), HG_DENSE(250, .act = hg_sigmoid),
                 HG_DENSE(30, .act = hg_sigmoid) },
    .decoder = HG_MIRROR,
    .loss = HG_BINARY_CROSS_ENTROPY,
    .penalties = { HG_CONTRACTIVE(0.1) },
};

static const hg_autoencoder sparse = {
    .name = "sparse",
    .input = { 1, 28, 28 },
    .encoder = { HG_DENSE(1000, .act = hg_sigmoid) },
    .decoder = { HG_DENSE(784, .act = hg_sigmoid) },
    .loss = HG_BINARY_CROSS_ENTROPY,
    .penalties = { HG_SPARSE(0.05, 3) },
};

const workload hg_workloads[] = {
    { .name = "dense", .model = "undercomplete", .batch = 128, .encodes = true,
      .peak = 65, .training = 2, .latency = 2 },
    { .name = "deep", .model = "deep", .batch = 256, .encodes = true,
      .peak = 75, .training = 1.2, .latency = 1 },
    { .name = "convolutional", .model = "convolutional", .batch = 128, .encodes = true,
      .peak = 45, .training = 8, .latency = 5 },
    { .name = "conv-1-32-64", .declaration = &conv_32_64, .batch = 128, .encodes = true,
      .peak = 65, .training = 3, .latency = 1 },
    { .name = "conv-3-32-64-128", .declaration = &conv_32_64_128, .batch = 64, .encodes = true,
      .training = 1.5, .latency = 1 },
    { .name = "contractive", .declaration = &contractive, .batch = 128 },
    { .name = "contractive-deep", .declaration = &contractive_deep, .batch = 128, .training = 3 },
    { .name = "sparse", .declaration = &sparse, .batch = 256 },
    { .name = "variational", .model = "variational", .batch = 128, .random = true },
};
const size_t hg_workload_count = COUNT(hg_workloads);

const workload *hg_workload_find(const char *name)
{
    for (size_t i = 0; i < hg_workload_count; i++)
        if (strcmp(hg_workloads[i].name, name) == 0)
            return &hg_workloads[i];
    return NULL;
}

const hg_autoencoder *hg_workload_declaration(const workload *w)
{
    return w->declaration != NULL ? w->declaration : hg_autoencoder_find(w->model);
}

double hg_hashed(int64_t place, int64_t stream)
{
    uint64_t hash = (uint64_t)(place + 1 + 1000003 * stream) * 2654435761u & 0xffffffffu;
    hash ^= hash >> 15;
    hash = hash * 1597334677u & 0xffffffffu;
    hash ^= hash >> 13;
    return (double)hash / 4294967296.0;
}
