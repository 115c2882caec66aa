/* Reverse mode: graph to graph. Knows no op by name. */
#include "config.h"

#include <hourglass/grad.h>
#include <hourglass/math.h>

#include <stdlib.h>
#include <string.h>

#include "op/op.h"
#include "tensor.h"

/* What the walk keeps for each tensor up to y, by id. */
typedef struct walk {
    hg_graph   *graph;
    bool       *depends; /* on something differentiated with respect to */
    hg_tensor **adjoint; /* the gradient gathered so far, NULL: none */
    hg_tensor **d;       /* results of one vjp */
    bool       *wanted;
} walk;

static bool passes_gradient(const hg_tensor *t) { return !(t->op->flags & HG_NO_VJP) && t->dtype != HG_I64; }

static void mark_dependent(walk *w, const hg_tensor *y, int count, hg_tensor *const wrt[])
{
    for (int i = 0; i < count; i++)
        if (wrt[i]->id <= y->id)
            w->depends[wrt[i]->id] = true;
    for (size_t id = 0; id <= y->id; id++) {
        const hg_tensor *t = w->graph->tensors.at[id];
        for (int i = 0; i < t->inputs && passes_gradient(t); i++)
            w->depends[id] |= w->depends[t->input[i]->id];
    }
}

static bool add_adjoint(walk *w, const hg_tensor *of, int index, hg_tensor *d)
{
    const hg_tensor *input = of->input[index];
    if (!hg_shape_equal(&d->shape, &input->shape) || d->dtype != input->dtype) {
        char got[HG_SHAPE_TEXT], right[HG_SHAPE_TEXT];
        hg_graph_fail(w->graph, HG_BAD_SHAPE, "the vjp of %s gives input %d a gradient of %s %s, which must be %s %s",
                      of->op->name, index, hg_dtype_name(d->dtype), hg_shape_print(&d->shape, got),
                      hg_dtype_name(input->dtype), hg_shape_print(&input->shape, right));
        return false;
    }
    hg_tensor **sum = &w->adjoint[input->id];
    *sum = *sum == NULL ? d : hg_add(*sum, d);
    return *sum != NULL;
}

static bool step_back(walk *w, hg_tensor *t)
{
    if (t->inputs == 0 || !passes_gradient(t))
        return true;
    if (t->op->vjp == NULL) {
        char text[HG_TENSOR_TEXT];
        hg_graph_fail(w->graph, HG_NO_GRADIENT, "%s has no gradient: the op gives no vjp", hg_tensor_print(t, text));
        return false;
    }
    for (int i = 0; i < t->inputs; i++) {
        w->wanted[i] = w->depends[t->input[i]->id];
        w->d[i] = NULL;
    }
    t->op->vjp(t, w->adjoint[t->id], w->wanted, w->d);
    for (int i = 0; i < t->inputs; i++)
        if (w->wanted[i] && w->d[i] != NULL && !add_adjoint(w, t, i, w->d[i]))
            return false;
    return w->graph->error.status == HG_OK;
}

static bool walk_new(walk *w, const hg_tensor *y)
{
    size_t most = 1;
    for (size_t id = 0; id <= y->id; id++)
        if ((size_t)w->graph->tensors.at[id]->inputs > most)
            most = (size_t)w->graph->tensors.at[id]->inputs;
    w->depends = calloc(y->id + 1, sizeof *w->depends);
    w->adjoint = calloc(y->id + 1, sizeof *w->adjoint);
    w->d = calloc(most, sizeof *w->d);
    w->wanted = calloc(most, sizeof *w->wanted);
    return w->depends != NULL && w->adjoint != NULL && w->d != NULL && w->wanted != NULL;
}

static void walk_free(walk *w)
{
    free(w->depends);
    free(w->adjoint);
    free(w->d);
    free(w->wanted);
}

static bool check_arguments(hg_tensor *y, hg_tensor *cotangent, int count, hg_tensor *const wrt[])
{
    hg_graph *graph = y->graph;
    if (graph->error.status != HG_OK)
        return false;
    if (cotangent->graph != graph || !hg_shape_equal(&cotangent->shape, &y->shape)) {
        char a[HG_SHAPE_TEXT], b[HG_SHAPE_TEXT];
        hg_graph_fail(graph, HG_BAD_SHAPE, "the cotangent is %s, but y is %s", hg_shape_print(&cotangent->shape, a),
                      hg_shape_print(&y->shape, b));
    }
    for (int i = 0; i < count; i++) {
        if (wrt[i] == NULL || wrt[i]->graph != graph)
            hg_graph_fail(graph, HG_BAD_ARGUMENT, "gradient %d is with respect to a tensor of another graph", i);
        else if (wrt[i]->dtype == HG_I64)
            hg_graph_fail(graph, HG_BAD_DTYPE, "\"%s\" is of integers, which have no gradient", wrt[i]->name);
    }
    return graph->error.status == HG_OK;
}

hg_status hg_vjp(hg_tensor *y, hg_tensor *cotangent, int count, hg_tensor *const wrt[], hg_tensor *grad[])
{
    for (int i = 0; i < count; i++)
        grad[i] = NULL;
    if (y == NULL || cotangent == NULL) {
        for (int i = 0; i < count; i++)
            if (wrt[i] != NULL && wrt[i]->graph->error.status != HG_OK)
                return wrt[i]->graph->error.status;
        return HG_BAD_ARGUMENT;
    }
    hg_graph *graph = y->graph;
    walk w = { .graph = graph };
    if (!check_arguments(y, cotangent, count, wrt))
        return graph->error.status;
    if (!walk_new(&w, y)) {
        hg_graph_fail(graph, HG_OUT_OF_MEMORY, "out of memory: a gradient of %zu tensors", y->id + 1);
        goto done;
    }
    mark_dependent(&w, y, count, wrt);
    w.adjoint[y->id] = cotangent;
    for (size_t id = y->id + 1; id-- > 0;)
        if (w.adjoint[id] != NULL && w.depends[id] && !step_back(&w, graph->tensors.at[id]))
            goto done;
    for (int i = 0; i < count; i++) {
        hg_tensor *found = wrt[i]->id <= y->id ? w.adjoint[wrt[i]->id] : NULL;
        grad[i] = found != NULL ? found : hg_filled_like(wrt[i], 0);
    }
done:
    walk_free(&w);
    return graph->error.status;
}

hg_status hg_grad(hg_tensor *loss, int count, hg_tensor *const wrt[], hg_tensor *grad[])
{
    if (loss != NULL && (loss->shape.rank != 0 || loss->dtype == HG_I64)) {
        char text[HG_SHAPE_TEXT];
        hg_graph_fail(loss->graph, HG_BAD_SHAPE,
                      "hg_grad differentiates a real scalar, not %s %s (hg_vjp takes any shape with a cotangent)",
                      hg_dtype_name(loss->dtype), hg_shape_print(&loss->shape, text));
    }
    return hg_vjp(loss, loss == NULL ? NULL : hg_scalar(loss->graph, 1), count, wrt, grad);
}
