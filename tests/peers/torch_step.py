#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A training step of GPT-2, BLOOM or Mistral in PyTorch on the CPU, as fast as PyTorch does it: scaled dot-product attention,
fused AdamW, clipping. bench.py drives it; by hand:

usage: torch_step.py CONFIG FORM [--steps N]    CONFIG: `toise train --workload NAME --dry-run --json`
FORM: eager, compiled (FP32); autocast, bf16 (weights too), autocast-compiled, bf16-compiled

Prints "ready PARAMETERS THREADS VERSION". Then, for each line on standard input, it takes that many steps and prints
their mean seconds; with --steps it does so once. Exit 77 with SKIP when PyTorch is missing."""
import json
import sys
import time

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError:
    print("SKIP: torch_step: PyTorch is not installed (pip install torch)")
    sys.exit(77)


class RMSNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


def rotary(x, cos, sin):
    low, high = x.chunk(2, -1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), -1)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c, gated = c, c["family"] in ("llama", "mistral")
        width, ffn = c["width"], c["ffn"]
        self.heads, self.kv, self.dim = c["heads"], c["kv_heads"], c["head_dim"]
        norm = (lambda: RMSNorm(width, c["norm_eps"])) if gated else (lambda: nn.LayerNorm(width, c["norm_eps"]))
        self.norm1, self.norm2, self.gated = norm(), norm(), gated
        self.qkv = nn.Linear(width, (self.heads + 2 * self.kv) * self.dim, bias=not gated)
        self.proj = nn.Linear(self.heads * self.dim, width, bias=not gated)
        self.up = nn.Linear(width, 2 * ffn if gated else ffn, bias=not gated)
        self.down = nn.Linear(ffn, width, bias=not gated)

    def forward(self, x, position):
        b, s, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).split([self.heads * self.dim, self.kv * self.dim, self.kv * self.dim], 2)
        q = q.view(b, s, self.heads, self.dim).transpose(1, 2)
        k, v = (t.view(b, s, self.kv, self.dim).transpose(1, 2) for t in (k, v))
        if self.c["family"] in ("llama", "mistral"):
            q, k = rotary(q, *position), rotary(k, *position)
        if self.kv != self.heads:
            k, v = (t.repeat_interleave(self.heads // self.kv, 1) for t in (k, v))
        mask = position if self.c["family"] == "bloom" else None
        o = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        x = x + self.proj(o.transpose(1, 2).reshape(b, s, -1))
        up = self.up(self.norm2(x))
        if self.gated:
            gate, up = up.chunk(2, -1)
            return x + self.down(F.silu(gate) * up)
        return x + self.down(F.gelu(up, approximate="tanh"))


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c, width = c, c["width"]
        gated = c["family"] in ("llama", "mistral")
        self.wte = nn.Embedding(c["vocab"], width)
        self.wpe = nn.Embedding(c["positions"], width) if c["family"] == "gpt2" else None
        self.first = nn.LayerNorm(width, c["norm_eps"]) if c["family"] == "bloom" else None
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["layers"]))
        self.norm = RMSNorm(width, c["norm_eps"]) if gated else nn.LayerNorm(width, c["norm_eps"])
        self.head = None if c["tied"] else nn.Linear(width, c["vocab"], bias=False)
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens, targets, position):
        x = self.wte(tokens)
        if self.wpe is not None:
            x = x + self.wpe.weight[: tokens.shape[1]]
        if self.first is not None:
            x = self.first(x)
        for block in self.blocks:
            x = block(x, position)
        x = self.norm(x)
        logits = self.head(x) if self.head else F.linear(x, self.wte.weight)
        return F.cross_entropy(logits.float().view(-1, self.c["vocab"]), targets.reshape(-1))


def positions(c, dtype):
    """Rotary angles, or ALiBi's mask for a number of heads that is a power of two."""
    s = c["seq"]
    if c["family"] in ("llama", "mistral"):
        half = c["head_dim"] // 2
        angle = torch.outer(torch.arange(s), c["rotary_theta"] ** (-torch.arange(half) / half))
        return angle.cos().to(dtype), angle.sin().to(dtype)
    if c["family"] == "bloom":
        slope = 2.0 ** (-8 * torch.arange(1, c["heads"] + 1) / c["heads"])
        distance = torch.arange(s)[None, :] - torch.arange(s)[:, None]
        return (slope[:, None, None] * distance).masked_fill(distance > 0, float("-inf")).to(dtype)[None]
    return None


def main():
    config = json.load(open(sys.argv[1]))
    form, c = sys.argv[2], config["config"]
    torch.set_num_threads(config["layout"]["threads"])
    torch.manual_seed(1)
    if c["family"] in ("llama", "mistral") and c.get("window") and c["window"] < c["seq"]:
        sys.exit("torch_step: a window shorter than the sequence is not in this driver")
    model = Model(c)
    count = sum(p.numel() for p in model.parameters())
    if count != c["parameters"]:
        sys.exit(f"torch_step: {count} parameters, and toise has {c['parameters']}")
    dtype = torch.bfloat16 if form.startswith("bf16") else torch.float32
    model = model.to(dtype)
    step_model = torch.compile(model) if form.endswith("compiled") else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    position = positions(c, torch.float32 if form.startswith(("eager", "compiled")) else torch.bfloat16)
    micro, accumulation = config["layout"]["micro_batch"], config["layout"]["accumulation"]

    def steps(n):
        start = time.perf_counter()
        for _ in range(n):
            optimizer.zero_grad(set_to_none=True)
            for _ in range(accumulation):
                tokens = torch.randint(c["vocab"], (micro, c["seq"] + 1))
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=form.startswith("autocast")):
                    loss = step_model(tokens[:, :-1], tokens[:, 1:], position)
                (loss / accumulation).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        return (time.perf_counter() - start) / n

    steps(1)  # compiles, allocates
    print(f"ready {count} {torch.get_num_threads()} {torch.__version__}", flush=True)
    if len(sys.argv) > 4:
        print(f"{steps(int(sys.argv[4])):.6f}")
        return
    for line in sys.stdin:
        print(f"{steps(int(line)):.6f}", flush=True)


main()
