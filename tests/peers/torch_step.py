#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The workload node-s (GPT-2 124M, 4 x 256 tokens, AdamW, clipping) as a PyTorch training step on the CPU, to stand
beside `toise train --workload node-s`. Prints the median tokens/s. Exit 77 with SKIP when PyTorch is missing.

usage: torch_step.py [--bf16] [--steps N] [--threads N]"""
import argparse
import statistics
import sys
import time

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError:
    print("SKIP: torch_step: PyTorch is not installed (Debian: python3-torch)")
    sys.exit(77)

VOCAB, POSITIONS, WIDTH, LAYERS, HEADS = 50257, 1024, 768, 12, 12


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x, mask):
        b, s, _ = x.shape
        q, k, v = (t.view(b, s, HEADS, -1).transpose(1, 2) for t in self.qkv(self.norm1(x)).split(WIDTH, 2))
        p = (q @ k.transpose(-2, -1) * (WIDTH // HEADS) ** -0.5).masked_fill(mask, float("-inf")).softmax(-1)
        x = x + self.proj((p @ v).transpose(1, 2).reshape(b, s, WIDTH))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class GPT2(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCAB, WIDTH), nn.Embedding(POSITIONS, WIDTH)
        self.blocks, self.norm = nn.ModuleList(Block() for _ in range(LAYERS)), nn.LayerNorm(WIDTH)
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens, targets, mask):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, mask)
        logits = self.norm(x) @ self.wte.weight.t()
        return F.cross_entropy(logits.float().view(-1, VOCAB), targets.reshape(-1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    model = GPT2()
    assert sum(p.numel() for p in model.parameters()) == 124_439_808
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1)
    mask = torch.ones(256, 256, dtype=torch.bool).triu(1)
    seconds = []
    for _ in range(args.steps + 2):
        tokens = torch.randint(VOCAB, (4, 257))
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.bf16):
            loss = model(tokens[:, :-1], tokens[:, 1:], mask)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    step = statistics.median(seconds[2:])
    precision = "bf16 autocast" if args.bf16 else "fp32"
    print(f"PyTorch {torch.__version__} {precision}, {torch.get_num_threads()} threads: {step:.3f} s a step, "
          f"{1024 / step:.1f} tokens/s, last loss {loss.item():.3f}")


main()
