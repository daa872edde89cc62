/* SPDX-License-Identifier: Apache-2.0 */
/* atoll info on a compiled model. */
#include "cmd_info.h"

#include <string.h>

static json_t *layers_json(const struct atoll_exe_layer *l, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) {
        json_array_append_new(list,
                              json_pack("{s:o, s:[i,i,i], s:s, s:I}", "name", out_string(l[i].name),
                                        "shape", l[i].y, l[i].x, l[i].z, "type", l[i].type,
                                        "size_bytes", (json_int_t)l[i].size_bytes));
    }
    return list;
}

static json_t *exe_json(const struct atoll_package *p, const struct atoll_exe *e)
{
    json_t *chunks = json_array();
    for (uint32_t i = 0; i < e->n_chunks; i++) {
        json_array_append_new(chunks, json_integer((json_int_t)e->chunk_bytes[i]));
    }
    const int64_t cycles = e->estimated_cycles64 ? e->estimated_cycles64 : e->estimated_cycles32;
    json_t *j = json_pack(
        "{s:i, s:s, s:I, s:o, s:I, s:o, s:I, s:o, s:o, s:o}", "operator", (int)p->op, "type",
        atoll_exe_type_name(e->type), "parameter_bytes", (json_int_t)e->parameter_bytes, "token",
        atoll_json_hex64(e->token), "instruction_bytes", (json_int_t)e->instruction_bytes,
        "instruction_chunks", chunks, "narrow_bytes_per_tile", (json_int_t)e->narrow_bytes_per_tile,
        "estimated_cycles", cycles ? json_integer(cycles) : json_null(), "inputs",
        layers_json(e->inputs, e->n_inputs), "outputs", layers_json(e->outputs, e->n_outputs));
    json_object_set_new(j, "name", out_string(e->name));
    json_object_set_new(j, "chip", out_string(e->chip));
    json_object_set_new(j, "batch", json_integer(e->batch));
    json_object_set_new(j, "scratch_bytes", json_integer((json_int_t)e->scratch_bytes));
    json_object_set_new(j, "field_offsets", json_integer(e->n_field_offsets));
    json_object_set_new(j, "min_runtime_version", json_integer(p->min_runtime_version));
    json_object_set_new(j, "compiler_version", out_string(p->compiler_version));
    json_object_set_new(j, "package_bytes", json_integer((json_int_t)p->bytes));
    json_object_set_new(j, "legacy", json_boolean(p->legacy));
    json_object_set_new(
        j, "hints",
        e->has_hints
            ? json_pack("{s:i, s:i, s:i, s:i, s:b}", "instruction", (int)e->hints_instruction,
                        "dma", (int)e->hints_dma, "interrupt", (int)e->hints_interrupt, "fence",
                        (int)e->hints_fence, "fully_deterministic", e->fully_deterministic)
            : json_null());
    return j;
}

/* {op: count} of what is not an edgetpu-custom-op. */
static json_t *cpu_operators_json(const struct atoll_model *m)
{
    json_t *j = json_object();
    for (uint32_t i = 0; i < m->n_ops; i++) {
        char name[64];
        const char *op = atoll_op_name(&m->ops[i], name);
        if (strcmp(op, "edgetpu-custom-op") != 0) {
            json_object_set_new(j, op,
                                json_integer(json_integer_value(json_object_get(j, op)) + 1));
        }
    }
    return j;
}

static int print_json(struct call *call, const struct atoll_model *m,
                      const struct atoll_compiled *c)
{
    json_t *j = atoll_json_answer("info");
    json_t *exes = json_array();
    for (uint32_t p = 0; p < c->n_packages; p++) {
        for (uint32_t e = 0; e < c->packages[p].n_exes; e++) {
            json_array_append_new(exes, exe_json(&c->packages[p], &c->packages[p].exes[e]));
        }
    }
    json_object_set_new(j, "kind", json_string("edgetpu"));
    json_object_set_new(j, "origin", json_string("computed")); /* read from the file */
    json_object_set_new(j, "path", out_string(m->path));
    json_object_set_new(j, "file_bytes", json_integer((json_int_t)m->file_bytes));
    json_object_set_new(j, "executables", exes);
    json_object_set_new(j, "cpu_operators", cpu_operators_json(m));
    return out_json(call, j);
}

static void print_layers(const char *what, const struct atoll_exe_layer *l, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        out_text("    %-8s %dx%dx%d %s, %llu bytes on the wire  %s\n", what, l[i].y, l[i].x, l[i].z,
                 l[i].type, (unsigned long long)l[i].size_bytes, l[i].name ? l[i].name : "");
    }
}

static void print_exe(const struct atoll_exe *e)
{
    char parameters[32], instructions[32];
    atoll_format_bytes(parameters, e->parameter_bytes);
    atoll_format_bytes(instructions, e->instruction_bytes);
    out_text("  %s\n", atoll_exe_type_name(e->type));
    out_text("    %s of parameters, %s of instructions in %u %s", parameters, instructions,
             e->n_chunks, e->n_chunks == 1 ? "chunk" : "chunks");
    if (e->token) {
        out_text(", caching token %016llx", (unsigned long long)e->token);
    }
    out_text("\n");
    if (e->narrow_bytes_per_tile) {
        out_text("    %llu of 196608 bytes of activation memory a tile\n",
                 (unsigned long long)e->narrow_bytes_per_tile);
    }
    if (e->estimated_cycles64) {
        out_text("    the compiler's own estimate: %lld cycles (not a time)\n",
                 (long long)e->estimated_cycles64);
    }
    print_layers("input", e->inputs, e->n_inputs);
    print_layers("output", e->outputs, e->n_outputs);
}

static void print_people(const struct atoll_model *m, const struct atoll_compiled *c)
{
    char size[32];
    atoll_format_bytes(size, m->file_bytes);
    out_text("%s (%s): compiled for the Edge TPU\n", m->path, size);
    for (uint32_t p = 0; p < c->n_packages; p++) {
        const struct atoll_package *pkg = &c->packages[p];
        out_text(
            "operator %u: package of %llu bytes, compiler \"%s\", runtime version %d or later%s\n",
            pkg->op, (unsigned long long)pkg->bytes, pkg->compiler_version,
            pkg->min_runtime_version, pkg->legacy ? " (legacy layout)" : "");
        for (uint32_t e = 0; e < pkg->n_exes; e++) {
            print_exe(&pkg->exes[e]);
        }
    }
    json_t *cpu = cpu_operators_json(m);
    const char *name;
    json_t *count;
    out_text(json_object_size(cpu) ? "left on the CPU:" : "no operator is left on the CPU");
    json_object_foreach(cpu, name, count)
    {
        out_text(" %s (%lld)", name, (long long)json_integer_value(count));
    }
    out_text("\n");
    json_decref(cpu);
}

int info_compiled(struct call *call, const struct atoll_model *m)
{
    struct atoll_compiled *c = NULL;
    int code = atoll_compiled_open(m, &c, &call->err);
    if (code == 0 && call->json) {
        code = print_json(call, m, c);
    } else if (code == 0) {
        print_people(m, c);
    }
    atoll_compiled_close(&c);
    return code;
}
