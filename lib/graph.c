/* The graph: memory of its tensors, the latched error, leaves, hg_apply. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init.h"
#include "memory.h"
#include "op/op.h"
#include "tensor.h"

/* ---- Memory -------------------------------------------------------------------------------------------- */

enum { CHUNK_BYTES = 1 << 16, ALIGNMENT = 64 };

typedef struct hg_chunk {
    struct hg_chunk *next;
    char            *memory;
    size_t           used, size;
} hg_chunk;

static hg_chunk *chunk_new(size_t size, hg_chunk *next)
{
    hg_chunk *chunk = malloc(sizeof *chunk);
    char *memory = hg_memory_new(size);
    if (chunk == NULL || memory == NULL) {
        free(chunk);
        hg_memory_free(memory, size);
        return NULL;
    }
    *chunk = (hg_chunk){ .next = next, .memory = memory, .size = size };
    return chunk;
}

void *hg_graph_alloc(hg_graph *graph, size_t bytes)
{
    hg_chunk *chunk = graph->chunks;
    if (bytes > SIZE_MAX - ALIGNMENT) {
        hg_fail(&graph->error, HG_OUT_OF_MEMORY, "out of memory: a tensor of %zu bytes", bytes);
        return NULL;
    }
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (chunk == NULL || chunk->size - chunk->used < bytes) {
        chunk = chunk_new(bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES, graph->chunks);
        if (chunk == NULL) {
            hg_fail(&graph->error, HG_OUT_OF_MEMORY, "out of memory: the graph asked for %zu bytes", bytes);
            return NULL;
        }
        graph->chunks = chunk;
    }
    void *memory = chunk->memory + chunk->used;
    chunk->used += bytes;
    return memory;
}

static const char *copy_text(hg_graph *graph, const char *text)
{
    char *copy = hg_graph_alloc(graph, strlen(text) + 1);
    return copy == NULL ? NULL : strcpy(copy, text);
}

bool hg_list_add(hg_list *list, hg_tensor *tensor)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : 2 * list->room;
        hg_tensor **at = realloc(list->at, room * sizeof *at);
        if (at == NULL)
            return false;
        list->at = at;
        list->room = room;
    }
    list->at[list->count++] = tensor;
    return true;
}

/* ---- The graph ----------------------------------------------------------------------------------------- */

hg_graph *hg_graph_new(hg_dtype dtype)
{
    hg_graph *graph = calloc(1, sizeof *graph);
    if (graph == NULL)
        return NULL;
    graph->dtype = dtype;
    if (dtype != HG_F32 && dtype != HG_F64)
        hg_fail(&graph->error, HG_BAD_DTYPE, "a graph is of dtype f32 or f64, not %s", hg_dtype_name(dtype));
    return graph;
}

void hg_graph_free(hg_graph *graph)
{
    if (graph == NULL)
        return;
    for (hg_chunk *chunk = graph->chunks, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        hg_memory_free(chunk->memory, chunk->size);
        free(chunk);
    }
    free(graph->tensors.at);
    free(graph->parameters.at);
    free(graph->states.at);
    free(graph->inputs.at);
    free(graph);
}

const char *hg_graph_error(const hg_graph *graph)
{
    return graph == NULL ? "out of memory: there is no graph" : graph->error.text;
}

hg_status hg_graph_status(const hg_graph *graph)
{
    return graph == NULL ? HG_OUT_OF_MEMORY : graph->error.status;
}

hg_tensor *hg_graph_fail(hg_graph *graph, hg_status status, const char *format, ...)
{
    va_list arguments;
    if (graph == NULL)
        return NULL;
    va_start(arguments, format);
    hg_vfail(&graph->error, status, format, arguments);
    va_end(arguments);
    return NULL;
}

void hg_graph_error_at(hg_graph *graph, const char *place)
{
    char text[HG_ERROR_TEXT];
    if (hg_graph_status(graph) == HG_OK || graph == NULL || strncmp(graph->error.text, place, strlen(place)) == 0)
        return;
    memcpy(text, graph->error.text, sizeof text);
    size_t used = (size_t)snprintf(graph->error.text, sizeof text, "%s: ", place);
    if (used < sizeof text)
        snprintf(graph->error.text + used, sizeof text - used, "%s", text);
}

hg_dtype hg_graph_dtype(const hg_graph *graph) { return graph->dtype; }
void     hg_graph_set_seed(hg_graph *graph, uint64_t seed) { graph->seed = seed; }
uint64_t hg_graph_seed(const hg_graph *graph) { return graph->seed; }

void hg_scope_push(hg_graph *graph, const char *name)
{
    if (graph == NULL)
        return;
    size_t used = strlen(graph->scope);
    if (used + strlen(name) + 2 > sizeof graph->scope) {
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "scopes are nested too deeply at \"%s%s\"", graph->scope, name);
        return;
    }
    snprintf(graph->scope + used, sizeof graph->scope - used, "%s/", name);
}

void hg_scope_pop(hg_graph *graph)
{
    if (graph == NULL || graph->scope[0] == '\0')
        return;
    graph->scope[strlen(graph->scope) - 1] = '\0';
    char *slash = strrchr(graph->scope, '/');
    *(slash == NULL ? graph->scope : slash + 1) = '\0';
}

/* ---- Making tensors ------------------------------------------------------------------------------------ */

static bool check_shape(hg_tensor *t)
{
    hg_symbolic count;
    if (hg_shape_symbolic(&t->shape, HG_ALL_AXES, &count))
        return true;
    char text[HG_SHAPE_TEXT];
    return hg_infer_fail(t, HG_BAD_SHAPE, "%s is not a shape: dimensions are numbers from 0 or multiples of "
                         "HG_BATCH, at most %d, whose product fits in 62 bits",
                         hg_shape_print(&t->shape, text), HG_MAX_RANK);
}

static hg_tensor *add_tensor(hg_graph *graph, const hg_op *op, int inputs, hg_tensor *const input[],
                             const void *attr)
{
    hg_tensor *t = hg_graph_alloc(graph, sizeof *t);
    if (t == NULL)
        return NULL;
    *t = (hg_tensor){ .graph = graph, .op = op, .inputs = inputs, .dtype = graph->dtype,
                      .id = graph->tensors.count, .name = "" };
    if (inputs > 0) {
        t->input = hg_graph_alloc(graph, (size_t)inputs * sizeof(hg_tensor *));
        if (t->input == NULL)
            return NULL;
        memcpy(t->input, input, (size_t)inputs * sizeof(hg_tensor *));
    }
    if (op->attr_size > 0) {
        t->attr = hg_graph_alloc(graph, op->attr_size);
        if (t->attr == NULL)
            return NULL;
        memcpy(t->attr, attr, op->attr_size);
    }
    return t;
}

static hg_tensor *list_tensor(hg_tensor *t)
{
    if (hg_list_add(&t->graph->tensors, t))
        return t;
    return hg_graph_fail(t->graph, HG_OUT_OF_MEMORY, "out of memory: a tensor more");
}

static bool inputs_belong(hg_graph *graph, const hg_op *op, int inputs, hg_tensor *const input[])
{
    if (inputs < op->min_inputs || (op->max_inputs >= 0 && inputs > op->max_inputs)) {
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "%s takes %d to %d inputs, not %d", op->name, op->min_inputs,
                      op->max_inputs, inputs);
        return false;
    }
    for (int i = 0; i < inputs; i++)
        if (input[i]->graph != graph) {
            hg_graph_fail(graph, HG_BAD_ARGUMENT, "%s: input %d belongs to another graph", op->name, i);
            return false;
        }
    return true;
}

static hg_tensor *apply(hg_graph *graph, const hg_op *op, int inputs, hg_tensor *const input[], const void *attr)
{
    if (graph->error.status != HG_OK || !inputs_belong(graph, op, inputs, input))
        return NULL;
    hg_tensor *t = add_tensor(graph, op, inputs, input, attr);
    if (t == NULL || !op->infer(t) || !check_shape(t))
        return NULL;
    return list_tensor(t);
}

hg_tensor *hg_apply(const hg_op *op, int inputs, hg_tensor *const input[], const void *attr)
{
    for (int i = 0; i < inputs; i++)
        if (input[i] == NULL)
            return NULL;
    return inputs < 1 ? NULL : apply(input[0]->graph, op, inputs, input, attr);
}

hg_tensor *hg_apply_in(hg_graph *graph, const hg_op *op, const void *attr)
{
    return graph == NULL ? NULL : apply(graph, op, 0, NULL, attr);
}

bool hg_set_result(hg_tensor *t, hg_dtype dtype, hg_shape shape)
{
    t->dtype = dtype;
    t->shape = shape;
    return true;
}

bool hg_infer_map(hg_tensor *t)
{
    for (int i = 0; i < t->inputs; i++) {
        if (t->input[i]->dtype != t->graph->dtype)
            return hg_infer_fail(t, HG_BAD_DTYPE, "input %d must be real, not %s", i, hg_dtype_name(t->input[i]->dtype));
        if (!hg_shape_equal(&t->input[i]->shape, &t->input[0]->shape))
            return hg_infer_fail(t, HG_BAD_SHAPE,
                                 "shapes must be equal (hg_expand repeats a tensor along new axes)");
    }
    return hg_set_result(t, t->input[0]->dtype, t->input[0]->shape);
}

bool hg_infer_fail(hg_tensor *t, hg_status status, const char *format, ...)
{
    char text[HG_ERROR_TEXT / 2], tensor[HG_TENSOR_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    hg_fail(&t->graph->error, status, "%s: %s", hg_tensor_print(t, tensor), text);
    return false;
}

char *hg_tensor_print(const hg_tensor *t, char text[HG_TENSOR_TEXT])
{
    char shape[HG_SHAPE_TEXT];
    size_t used = (size_t)snprintf(text, HG_TENSOR_TEXT, "%s%s%s%s(", t->op->name, *t->name ? " \"" : "", t->name,
                                   *t->name ? "\" " : "");
    for (int i = 0; i < t->inputs && used < HG_TENSOR_TEXT - 1; i++)
        used += (size_t)snprintf(text + used, HG_TENSOR_TEXT - used, "%s%s%s%s", i > 0 ? ", " : "",
                                 t->input[i]->name, *t->input[i]->name ? " " : "",
                                 hg_shape_print(&t->input[i]->shape, shape));
    if (used < HG_TENSOR_TEXT - 1)
        snprintf(text + used, HG_TENSOR_TEXT - used, ")");
    return text;
}

/* ---- Leaves -------------------------------------------------------------------------------------------- */

static const char *full_name(hg_graph *graph, const char *name)
{
    char full[sizeof graph->scope + 256];
    int length = snprintf(full, sizeof full, "%s%s", graph->scope, name);
    if (*name == '\0' || length >= (int)sizeof full) {
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "a name is empty or too long: \"%.64s\"", full);
        return NULL;
    }
    if (hg_graph_find(graph, full) != NULL) {
        hg_graph_fail(graph, HG_BAD_ARGUMENT, "the name \"%s\" is taken in this graph", full);
        return NULL;
    }
    return copy_text(graph, full);
}

static hg_tensor *named_leaf(hg_graph *graph, const hg_op *op, const char *name, hg_dtype dtype, hg_shape shape)
{
    if (graph == NULL || graph->error.status != HG_OK)
        return NULL;
    if (dtype != graph->dtype && dtype != HG_I64)
        return hg_graph_fail(graph, HG_BAD_DTYPE, "%s \"%s\": a graph of %s has no tensors of %s", op->name, name,
                             hg_dtype_name(graph->dtype), hg_dtype_name(dtype));
    const char *full = full_name(graph, name);
    hg_tensor *t = full == NULL ? NULL : add_tensor(graph, op, 0, NULL, NULL);
    if (t == NULL)
        return NULL;
    t->name = full;
    hg_set_result(t, dtype, shape);
    return check_shape(t) ? list_tensor(t) : NULL;
}

hg_tensor *hg_input_of(hg_graph *graph, const char *name, hg_dtype dtype, hg_shape shape)
{
    hg_tensor *t = named_leaf(graph, &hg_input_op, name, dtype, shape);
    if (t != NULL && !hg_list_add(&graph->inputs, t))
        return hg_graph_fail(graph, HG_OUT_OF_MEMORY, "out of memory: input \"%s\"", name);
    return t;
}

hg_tensor *hg_input(hg_graph *graph, const char *name, hg_shape shape)
{
    return graph == NULL ? NULL : hg_input_of(graph, name, graph->dtype, shape);
}

/* Memory for the values of a leaf whose shape has no HG_BATCH. */
static bool give_values(hg_tensor *t)
{
    hg_symbolic count;
    if (!hg_shape_symbolic(&t->shape, HG_ALL_AXES, &count) || count.power != 0)
        return hg_infer_fail(t, HG_BAD_SHAPE, "\"%s\" holds values, so its shape cannot depend on HG_BATCH",
                             t->name);
    if (count.coefficient > INT64_MAX / 8)
        return hg_infer_fail(t, HG_OUT_OF_MEMORY, "out of memory");
    t->data = hg_graph_alloc(t->graph, (size_t)count.coefficient * hg_dtype_size(t->dtype));
    return t->data != NULL;
}

void hg_graph_reuse(hg_graph *graph, bool reuse)
{
    if (graph != NULL)
        graph->reuse = reuse;
}

/* What is to be shared; NULL if there is none of that name. */
static hg_tensor *existing_leaf(hg_graph *graph, const char *name, const hg_shape *shape, const hg_list *list)
{
    char full[sizeof graph->scope + 256], has[HG_SHAPE_TEXT], wanted[HG_SHAPE_TEXT];
    if (!graph->reuse)
        return NULL;
    snprintf(full, sizeof full, "%s%s", graph->scope, name);
    for (size_t i = 0; i < list->count; i++) {
        hg_tensor *t = list->at[i];
        if (strcmp(t->name, full) == 0)
            return hg_shape_equal(&t->shape, shape)
                       ? t
                       : hg_graph_fail(graph, HG_BAD_SHAPE, "\"%s\" is %s and cannot be used again as %s", full,
                                       hg_shape_print(&t->shape, has), hg_shape_print(shape, wanted));
    }
    return NULL;
}

static hg_tensor *stored_leaf(hg_graph *graph, const char *name, hg_shape shape, hg_initializer initial,
                              hg_list *list)
{
    if (graph == NULL)
        return NULL;
    hg_tensor *t = existing_leaf(graph, name, &shape, list);
    if (t != NULL)
        return t;
    t = named_leaf(graph, &hg_parameter_op, name, graph->dtype, shape);
    if (t == NULL || !give_values(t) || hg_initialize(t, initial, &graph->error) != HG_OK)
        return NULL;
    return hg_list_add(list, t) ? t : hg_graph_fail(graph, HG_OUT_OF_MEMORY, "out of memory: \"%s\"", name);
}

hg_tensor *hg_parameter(hg_graph *graph, const char *name, hg_shape shape, hg_initializer initial)
{
    return stored_leaf(graph, name, shape, initial, graph == NULL ? NULL : &graph->parameters);
}

hg_tensor *hg_state(hg_graph *graph, const char *name, hg_shape shape, hg_initializer initial)
{
    return stored_leaf(graph, name, shape, initial, graph == NULL ? NULL : &graph->states);
}

static hg_tensor *constant_leaf(hg_graph *graph, hg_dtype dtype, hg_shape shape)
{
    if (graph == NULL || graph->error.status != HG_OK)
        return NULL;
    hg_tensor *t = add_tensor(graph, &hg_constant_op, 0, NULL, NULL);
    if (t == NULL)
        return NULL;
    hg_set_result(t, dtype, shape);
    return check_shape(t) && give_values(t) ? list_tensor(t) : NULL;
}

hg_tensor *hg_constant(hg_graph *graph, hg_shape shape, const double *values)
{
    hg_tensor *t = graph == NULL ? NULL : constant_leaf(graph, graph->dtype, shape);
    if (t != NULL)
        hg_write(t, values, (size_t)hg_shape_count(&shape, 1));
    return t;
}

hg_tensor *hg_constant_i64(hg_graph *graph, hg_shape shape, const int64_t *values)
{
    hg_tensor *t = constant_leaf(graph, HG_I64, shape);
    if (t != NULL)
        memcpy(t->data, values, (size_t)hg_shape_count(&shape, 1) * sizeof *values);
    return t;
}

hg_tensor *hg_scalar(hg_graph *graph, double value) { return hg_constant(graph, HG_SCALAR, &value); }

static hg_status check_values(const hg_tensor *t, size_t count)
{
    if (t->data == NULL)
        return hg_fail(&t->graph->error, HG_BAD_ARGUMENT, "%s \"%s\" holds no values outside of a plan", t->op->name,
                       t->name);
    if ((int64_t)count != hg_shape_count(&t->shape, 1))
        return hg_fail(&t->graph->error, HG_BAD_SHAPE, "\"%s\" has %lld values, not %zu", t->name,
                       (long long)hg_shape_count(&t->shape, 1), count);
    return HG_OK;
}

hg_status hg_read(const hg_tensor *t, double *values, size_t count)
{
    if (t == NULL)
        return HG_BAD_ARGUMENT;
    hg_status status = check_values(t, count);
    if (status == HG_OK)
        hg_to_doubles(t->dtype, t->data, values, count);
    return status;
}

hg_status hg_write(hg_tensor *t, const double *values, size_t count)
{
    if (t == NULL)
        return HG_BAD_ARGUMENT;
    hg_status status = check_values(t, count);
    if (status == HG_OK)
        hg_from_doubles(t->dtype, values, t->data, count);
    return status;
}

void *hg_data(const hg_tensor *t) { return t == NULL ? NULL : t->data; }

/* ---- Accessors ----------------------------------------------------------------------------------------- */

static hg_tensor *list_at(const hg_list *list, size_t index) { return index < list->count ? list->at[index] : NULL; }

hg_tensor *hg_graph_parameter(const hg_graph *graph, size_t index) { return list_at(&graph->parameters, index); }
hg_tensor *hg_graph_state(const hg_graph *graph, size_t index) { return list_at(&graph->states, index); }

hg_tensor *hg_graph_stored(const hg_graph *graph, size_t index)
{
    const size_t parameters = graph->parameters.count;
    return index < parameters ? hg_graph_parameter(graph, index) : hg_graph_state(graph, index - parameters);
}

hg_tensor *hg_graph_find(const hg_graph *graph, const char *name)
{
    const hg_list *lists[] = { &graph->inputs, &graph->parameters, &graph->states };
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (size_t i = 0; i < lists[l]->count; i++)
            if (strcmp(lists[l]->at[i]->name, name) == 0)
                return lists[l]->at[i];
    return NULL;
}

hg_graph       *hg_tensor_graph(const hg_tensor *t) { return t->graph; }
const hg_shape *hg_tensor_shape(const hg_tensor *t) { return &t->shape; }
hg_dtype        hg_tensor_dtype(const hg_tensor *t) { return t->dtype; }
const hg_op    *hg_tensor_op(const hg_tensor *t) { return t->op; }
const char     *hg_tensor_name(const hg_tensor *t) { return t->name; }
int             hg_tensor_inputs(const hg_tensor *t) { return t->inputs; }
hg_tensor      *hg_tensor_input(const hg_tensor *t, int index) { return t->input[index]; }
const void     *hg_tensor_attr(const hg_tensor *t) { return t->attr; }

hg_tensor *hg_named(hg_tensor *t, const char *name)
{
    if (t == NULL)
        return NULL;
    const char *copy = copy_text(t->graph, name);
    if (copy == NULL)
        return NULL;
    t->name = copy;
    return t;
}
