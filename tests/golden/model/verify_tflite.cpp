/* SPDX-License-Identifier: Apache-2.0 */
/* The independent judge of written files, on code that flatc makes from
 * tests/data/tflite_subset.fbs.
 *
 *   verify_tflite FILE...        every file passes the verifier: exit 0
 *   verify_tflite --same A B     and A and B hold the same model: exit 0
 *
 * "Same" allows what a writer may choose: numbers of buffers and operator codes, an absent table of
 * quantization or an empty one, zero points left out or all 0. */
#include "tflite_subset_generated.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace atoll_tflite;
using Bytes = std::vector<uint8_t>;

static bool load(const char *path, Bytes &bytes)
{
    std::ifstream in(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    return in.good() || in.eof();
}

static bool verify(const char *path, Bytes &bytes)
{
    if (!load(path, bytes)) {
        std::printf("%s: cannot be read\n", path);
        return false;
    }
    flatbuffers::Verifier verifier(bytes.data(), bytes.size(), 64, 10000000);
    const bool good = VerifyModelBuffer(verifier);
    std::printf("%s: %s\n", path, good ? "verified" : "REFUSED");
    return good;
}

static int different(const std::string &what)
{
    std::printf("different: %s\n", what.c_str());
    return 1;
}

static const Bytes &data_of(const ModelT &m, uint32_t buffer)
{
    static const Bytes none;
    return buffer < m.buffers.size() && m.buffers[buffer] ? m.buffers[buffer]->data : none;
}

/* Takes out what may differ. */
static void normalise(TensorT &t)
{
    t.buffer = 0;
    if (t.quantization && t.quantization->zero_point.empty()) {
        t.quantization->zero_point.assign(t.quantization->scale.size(), 0);
    }
    if (t.quantization && *t.quantization == QuantizationParametersT()) {
        t.quantization.reset();
    }
}

static bool same_code(const OperatorCodeT &a, const OperatorCodeT &b)
{
    const int ca = std::max<int>(a.deprecated_builtin_code, a.builtin_code);
    const int cb = std::max<int>(b.deprecated_builtin_code, b.builtin_code);
    return ca == cb && a.version == b.version &&
           (ca != BuiltinOperator_CUSTOM || a.custom_code == b.custom_code);
}

static int compare(ModelT &a, ModelT &b)
{
    if (a.version != b.version || a.description != b.description || a.subgraphs.size() != 1 ||
        b.subgraphs.size() != 1) {
        return different("version, description or number of subgraphs");
    }
    SubGraphT &ga = *a.subgraphs[0];
    SubGraphT &gb = *b.subgraphs[0];
    if (ga.inputs != gb.inputs || ga.outputs != gb.outputs || ga.name != gb.name ||
        ga.tensors.size() != gb.tensors.size() || ga.operators.size() != gb.operators.size()) {
        return different("inputs, outputs, name or counts of the graph");
    }
    for (size_t i = 0; i < ga.tensors.size(); i++) {
        if (data_of(a, ga.tensors[i]->buffer) != data_of(b, gb.tensors[i]->buffer)) {
            return different("bytes of tensor " + std::to_string(i));
        }
        normalise(*ga.tensors[i]);
        normalise(*gb.tensors[i]);
        if (!(*ga.tensors[i] == *gb.tensors[i])) {
            return different("tensor " + std::to_string(i));
        }
    }
    for (size_t i = 0; i < ga.operators.size(); i++) {
        if (!same_code(*a.operator_codes.at(ga.operators[i]->opcode_index),
                       *b.operator_codes.at(gb.operators[i]->opcode_index))) {
            return different("code of operator " + std::to_string(i));
        }
        ga.operators[i]->opcode_index = gb.operators[i]->opcode_index = 0;
        if (!(*ga.operators[i] == *gb.operators[i])) {
            return different("operator " + std::to_string(i));
        }
    }
    if (a.metadata.size() != b.metadata.size() ||
        a.signature_defs.size() != b.signature_defs.size()) {
        return different("number of metadata entries or signatures");
    }
    for (size_t i = 0; i < a.metadata.size(); i++) {
        if (a.metadata[i]->name != b.metadata[i]->name ||
            data_of(a, a.metadata[i]->buffer) != data_of(b, b.metadata[i]->buffer)) {
            return different("metadata entry " + std::to_string(i));
        }
    }
    for (size_t i = 0; i < a.signature_defs.size(); i++) {
        if (!(*a.signature_defs[i] == *b.signature_defs[i])) {
            return different("signature " + std::to_string(i));
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    const bool same = argc == 4 && std::string(argv[1]) == "--same";
    std::vector<Bytes> files;
    for (int i = same ? 2 : 1; i < argc; i++) {
        files.emplace_back();
        if (!verify(argv[i], files.back())) {
            return 1;
        }
    }
    if (!same) {
        return argc > 1 ? 0 : 2;
    }
    ModelT a, b;
    GetModel(files[0].data())->UnPackTo(&a);
    GetModel(files[1].data())->UnPackTo(&b);
    return compare(a, b);
}
