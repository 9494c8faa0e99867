#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make bench-peers: toise beside PyTorch in its best form, OpenBLAS and oneDNN, in turns on this machine, with intervals.

usage: bench.py BUILD [--workloads node-s,node-m,mistral-slice] [--rounds 5] [--steps 2] [--out FILE.json]
                [--models gpt2-124m,mistral-7b] [--seconds 1] [--onednn libdnnl.so.3]

A round is a launch of toise (one step of warm-up) and as many steps of PyTorch, in a process that waits meanwhile. The ratio
is of the rounds' pairs: Student's t on logs, 95%. Of PyTorch's forms a first round picks the fastest. Matmuls are those of a
step of each model; a list may be empty. Peers come from the package index: pip install torch scipy-openblas32 onednn-cpu-gomp.
What is not installed is a SKIP."""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FORMS = {"fp32": ["eager", "compiled"], "bf16": ["autocast", "bf16", "autocast-compiled", "bf16-compiled"]}
T95 = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def interval(ratios):
    """Geometric mean of paired ratios, and its 95% interval."""
    logs = [math.log(r) for r in ratios]
    mean, n = statistics.fmean(logs), len(logs)
    if n < 2:
        return math.exp(mean), 0.0, math.inf
    half = T95.get(n - 1, 2.0) * statistics.stdev(logs) / math.sqrt(n)
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def toise(build, *arguments):
    """The records that a command prints; its exit code may say that they are inconclusive."""
    done = subprocess.run([f"{build}/toise", *arguments, "--json"], capture_output=True, text=True)
    if done.returncode not in (0, 3):
        sys.exit(f"toise {' '.join(arguments)}: exit {done.returncode}: {done.stderr.strip()}")
    text, at, records = done.stdout, 0, []
    while text[at:].strip():
        record, used = json.JSONDecoder().raw_decode(text[at:].lstrip())
        at += len(text[at:]) - len(text[at:].lstrip()) + used
        records.append(record)
    return records


def middle(ratios):
    """Median of paired ratios, and its 95% interval by ranks: a burst of other work moves neither."""
    ratios, n = sorted(ratios), len(ratios)
    half = 1.96 * math.sqrt(n) / 2
    low, high = math.floor(n / 2 - half), math.ceil(n / 2 + half)
    if low < 0 or high >= n:
        return statistics.median(ratios), 0.0, math.inf
    return statistics.median(ratios), ratios[low], ratios[high]


class Torch:
    """A process that takes steps when asked."""

    def __init__(self, config, form):
        self.form = form
        self.errors = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would fill up
        self.process = subprocess.Popen([sys.executable, f"{HERE}/torch_step.py", config, form], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.ready = self.process.stdout.readline().split()
        if not self.ready or self.ready[0] != "ready":
            self.process.wait()
            raise RuntimeError(" ".join(self.ready) or self.last_error())

    def last_error(self):
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        return lines[-1] if lines else "PyTorch ended without a word"

    def steps(self, n):
        print(n, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.last_error())
        return float(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def best_form(config, precision):
    """The fastest form's process, and what each form took in one step."""
    best, took = None, {}
    for form in FORMS[precision]:
        try:
            began = time.monotonic()
            one = Torch(config, form)
            took[form] = one.steps(1)
            print(f"  PyTorch, {form}: {took[form]:.3f} s a step, ready after {time.monotonic() - began:.0f} s",
                  file=sys.stderr, flush=True)
        except RuntimeError as e:
            print(f"  SKIP: PyTorch, {form}: {e}")
            continue
        if best is None or took[form] < took[best.form]:
            if best:
                best.close()
            best = one
        else:
            one.close()
    return best, took


def training(build, workload, precision, options, folder):
    plan = toise(build, "train", "--workload", workload, "--precision", precision, "--dry-run")[0]
    config = f"{folder}/{workload}-{precision}.json"
    with open(config, "w") as file:
        json.dump(plan, file)
    torch, took = best_form(config, precision)
    if torch is None:
        print(f"SKIP: {workload} {precision}: no form of PyTorch runs")
        return None
    tokens = plan["config"]["global_batch"] * plan["config"]["seq"]
    rounds = []
    for _ in range(options.rounds):
        record = toise(build, "train", "--workload", workload, "--precision", precision, "--steps", str(options.steps),
                       "--warmup", "1", "--no-gate", "--energy", "off")[0]
        rounds.append((record["result"]["mean_step_s"], torch.steps(options.steps), record["result"]["mfu"]))
    torch.close()
    ratio, low, high = interval([peer / own for own, peer, _ in rounds])
    own, peer = (statistics.geometric_mean(r[i] for r in rounds) for i in (0, 1))
    print(f"{workload:14} {precision}  toise {tokens / own:8.1f} tokens/s, MFU {statistics.median(r[2] for r in rounds):.3f}"
          f"   PyTorch {torch.ready[3]} {torch.form:18} {tokens / peer:8.1f}   ratio {ratio:.3f} [{low:.3f}, {high:.3f}]",
          flush=True)
    return {"workload": workload, "precision": precision, "toise_tokens_per_s": tokens / own, "form": torch.form,
            "torch_tokens_per_s": tokens / peer, "torch": torch.ready[3], "ratio": [ratio, low, high], "forms_s": took,
            "rounds": rounds}


SHIM = """
void scipy_cblas_sgemm(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
void scipy_openblas_set_num_threads(int);
int scipy_openblas_get_num_threads(void);
char *scipy_openblas_get_config(void);
char *scipy_openblas_get_corename(void);
void cblas_sgemm(int o, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                 float beta, float *c, int ldc) {
    scipy_cblas_sgemm(o, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void openblas_set_num_threads(int n) { scipy_openblas_set_num_threads(n); }
int openblas_get_num_threads(void) { return scipy_openblas_get_num_threads(); }
char *openblas_get_config(void) { return scipy_openblas_get_config(); }
char *openblas_get_corename(void) { return scipy_openblas_get_corename(); }
"""


def openblas(folder):
    """The newest OpenBLAS as a library of the usual names; its wheel prefixes them."""
    import scipy_openblas32 as wheel
    source, library = f"{folder}/shim.c", f"{folder}/libopenblas-new.so"
    with open(source, "w") as file:
        file.write(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source, f"-L{wheel.get_lib_dir()}",
                    f"-l{wheel.get_library()}", f"-Wl,-rpath,{wheel.get_lib_dir()}"], check=True)
    return library, wheel.__version__


def slower(records, peer):
    """Shapes at which toise's fastest variant is slower than the peer, beyond both intervals."""
    shapes = {}
    for r in records:
        x = r["result"]
        if "call_s" in x:
            shapes.setdefault((x["shape"], x["accumulate"]), {})[x["variant"]] = (x["call_s"], x["call_s_low"],
                                                                                    x["call_s_high"])
    behind, ratios = [], []
    for (shape, _), variants in shapes.items():
        own = min((v for name, v in variants.items() if name not in (peer, "openblas")), default=None)
        if peer not in variants or own is None:
            continue
        ratios.append(variants[peer][0] / own[0])
        if own[1] > variants[peer][2]:
            behind.append((ratios[-1], shape))
    return ratios, behind


def paired(lines):
    """By shape: its name, the peer's implementation, and the ratios of samples taken in turn."""
    shapes = {}
    for line in lines:
        x = line["result"]
        if "call_s" not in x:
            print(f"  {x['variant']} is wrong at {x['shape']}: {line['why']}")
            continue
        shape = shapes.setdefault((x.get("name", ""), x["shape"], x["c_dtype"]), {})
        shape[x["variant"]], shape["by"] = line["samples"]["call_s"], line["implementation"]
    for key, shape in shapes.items():
        if "toise" in shape and "onednn" in shape:
            yield key, shape["by"], [peer / own for own, peer in zip(shape["toise"], shape["onednn"])]


def onednn(build, model, dtype, options):
    """Matmuls by oneDNN and by toise, none with a packed operand, timed in one process by turns (onednn.c)."""
    done = subprocess.run([f"{build}/tests/peers/onednn", options.onednn, model, dtype, str(options.seconds)],
                          capture_output=True, text=True)
    if done.returncode == 77:
        print(f"SKIP: matmuls of {model} beside oneDNN: {done.stdout.strip()}: pip install onednn-cpu-gomp")
        return None
    if done.returncode:
        sys.exit(f"onednn {model} {dtype}: exit {done.returncode}: {done.stderr.strip()}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    rows = [(*key, by, *middle(ratios)) for key, by, ratios in paired(lines)]
    behind = [row for row in rows if row[-1] < 1]
    print(f"matmuls of {model}, {dtype}, beside {lines[0]['library']}: ratio "
          f"{statistics.geometric_mean(row[4] for row in rows):.3f}, worst {min(row[4] for row in rows):.3f}, over {len(rows)} "
          f"shapes; {len(behind)} behind, where the interval excludes 1")
    for name, shape, out, by, ratio, low, high in rows:
        print(f"  {ratio:.3f} [{low:.3f}, {high:.3f}]  {name:22} {shape:24} to {out:4} by {by}"
              f"{'   behind' if high < 1 else ''}", flush=True)
    return {"model": model, "dtype": dtype, "onednn": lines[0]["library"], "rows": rows}


def matmuls(build, model, options, folder):
    try:
        library, version = openblas(folder)
    except (ImportError, OSError, subprocess.CalledProcessError) as e:
        print(f"SKIP: matmuls of {model} beside OpenBLAS: {e}: pip install scipy-openblas32")
        return None
    records = toise(build, "kernels", "--model", model, "--op", "gemm", "--dtype", "f32", "--seconds", str(options.seconds),
                    "--backend",
                    f"cblas:{library}")
    ratios, behind = slower(records, "cblas")
    print(f"matmuls of {model}, FP32, beside OpenBLAS {version}: ratio {statistics.geometric_mean(ratios):.3f}, worst "
          f"{min(ratios):.3f}, over {len(ratios)} shapes; {len(behind)} slower beyond both intervals")
    for ratio, shape in behind:
        print(f"  {ratio:.3f}  {shape}")
    return {"model": model, "openblas": version, "ratios": ratios, "behind": len(behind)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--workloads", default="node-s,node-m,mistral-slice")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--models", default="gpt2-124m,mistral-7b")
    parser.add_argument("--seconds", type=float, default=1, help="for each shape and variant")
    parser.add_argument("--onednn", default=f"{sys.prefix}/lib/libdnnl.so.3")
    parser.add_argument("--out")
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for workload in filter(None, options.workloads.split(",")):
            for precision in FORMS:
                results.append(training(options.build, workload, precision, options, folder))
        for model in filter(None, options.models.split(",")):
            results.append(matmuls(options.build, model, options, folder))
            results += [onednn(options.build, model, dtype, options) for dtype in ("f32", "bf16")]
    if options.out:
        with open(options.out, "w") as file:
            json.dump([r for r in results if r], file, indent=1)
    sys.exit(77 if not any(results) else 0)


if __name__ == "__main__":
    main()
