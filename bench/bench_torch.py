# SPDX-License-Identifier: Apache-2.0
"""Time of one training step of a network in PyTorch on the CPU, for bench_train.

Reads the network from standard input, a line a node:
  op channels height width kernel_h kernel_w stride_h stride_w groups padding bias top bottom left
  right n_in in...
Prints `kind wall_ms cpu_ms` a line: medians, for the plain layout and for channels_last (with the
fused loop over parameters). Exits 77 when torch is not installed.

    bench_torch.py BATCH STEPS THREADS < network
"""
import statistics
import sys
import time

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError as e:
    print(f"torch is not installed: {e}")
    sys.exit(77)


def read_nodes(lines):
    keys = ("channels", "height", "width", "kernel_h", "kernel_w", "stride_h", "stride_w", "groups")
    nodes = []
    for line in lines:
        w = line.split()
        n = {"op": w[0], "same": w[9] == "same", "bias": w[10] == "1",
             "pad": [int(x) for x in w[11:15]], "ins": [int(x) for x in w[16:16 + int(w[15])]]}
        n.update(zip(keys, (int(x) for x in w[1:9])))
        nodes.append(n)
    return nodes


def symmetric(n, source):
    """Padding of a window as PyTorch knows it: the same on both sides. Costs what TFLite's costs."""
    pad = []
    for size, out, k, s in ((source["height"], n["height"], n["kernel_h"], n["stride_h"]),
                            (source["width"], n["width"], n["kernel_w"], n["stride_w"])):
        p = (max((out - 1) * s + k - size, 0) + 1) // 2 if n["same"] else 0
        if (size + 2 * p - k) // s + 1 != out:
            sys.exit("a window that PyTorch does not have")
        pad.append(p)
    return pad


def fold_pads(nodes):
    """A pad in front of one convolution becomes that convolution's own padding."""
    readers = [0] * len(nodes)
    for n in nodes:
        for i in n["ins"]:
            readers[i] += 1
    for n in nodes:
        source = nodes[n["ins"][0]] if n["ins"] else None
        if n["op"] == "conv" and not n["same"] and source["op"] == "pad" \
                and len(set(source["pad"])) == 1 and readers[n["ins"][0]] == 1:
            n["fixed_pad"] = [source["pad"][0]] * 2
            n["ins"] = source["ins"]
            source["op"] = "gone"


class Net(nn.Module):
    def __init__(self, nodes):
        super().__init__()
        fold_pads(nodes)
        self.nodes = nodes
        self.layers = nn.ModuleList(self.layer(n) for n in nodes)

    def layer(self, n):
        if n["op"] not in ("conv", "dense", "batch_norm", "relu", "relu6", "max_pool", "avg_pool",
                           "global_pool"):
            return nn.Identity()
        source = self.nodes[n["ins"][0]]
        kernel, stride = (n["kernel_h"], n["kernel_w"]), (n["stride_h"], n["stride_w"])
        if n["op"] == "conv":
            pad = n.get("fixed_pad") or symmetric(n, source)
            return nn.Conv2d(source["channels"], n["channels"], kernel, stride, pad,
                             groups=n["groups"], bias=n["bias"])
        if n["op"] == "dense":
            return nn.Linear(source["channels"] * source["height"] * source["width"],
                             n["channels"], bias=n["bias"])
        return {"batch_norm": lambda: nn.BatchNorm2d(n["channels"]),
                "relu": lambda: nn.ReLU(inplace=True), "relu6": lambda: nn.ReLU6(inplace=True),
                "max_pool": lambda: nn.MaxPool2d(kernel, stride, symmetric(n, source)),
                "avg_pool": lambda: nn.AvgPool2d(kernel, stride, symmetric(n, source),
                                                 count_include_pad=False),
                "global_pool": lambda: nn.AdaptiveAvgPool2d(1)}[n["op"]]()

    def forward(self, x):
        values = [x]
        for n, layer in zip(self.nodes[1:], list(self.layers)[1:]):
            v = [values[i] for i in n["ins"]]
            if n["op"] == "add":
                values.append(v[0] + v[1])
            elif n["op"] == "concat":
                values.append(torch.cat(v, 1))
            elif n["op"] == "pad":
                top, bottom, left, right = n["pad"]
                values.append(F.pad(v[0], (left, right, top, bottom)))
            elif n["op"] == "gone":
                values.append(None)
            else:
                values.append(layer(v[0].flatten(1) if n["op"] == "dense" else v[0]))
        return values[-1].flatten(1)


def measure(lines, batch, steps, last):
    torch.manual_seed(1)
    nodes = read_nodes(lines)
    net = Net(nodes)
    first = nodes[0]
    shape = (batch, first["channels"], first["height"], first["width"])
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    labels = torch.randint(0, nodes[-1]["channels"], (batch,))
    if last:
        net = net.to(memory_format=torch.channels_last)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    sgd = torch.optim.SGD(net.parameters(), 0.01, 0.9, weight_decay=5e-4, foreach=last)
    wall, cpu = [], []
    for i in range(steps + 1):
        a, c = time.perf_counter(), time.process_time()
        sgd.zero_grad(set_to_none=True)
        F.cross_entropy(net(pixels.float() / 255), labels).backward()
        sgd.step()
        if i > 0:
            wall.append(1e3 * (time.perf_counter() - a))
            cpu.append(1e3 * (time.process_time() - c))
    return statistics.median(wall), statistics.median(cpu)


def main():
    batch, steps, threads = (int(a) for a in sys.argv[1:4])
    torch.set_num_threads(threads)
    print(f"version {torch.__version__}", flush=True)
    lines = sys.stdin.read().splitlines()
    for kind, last in (("plain", False), ("channels_last", True)):
        print(kind, *(f"{ms:.2f}" for ms in measure(lines, batch, steps, last)), flush=True)


if __name__ == "__main__":
    main()
