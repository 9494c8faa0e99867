#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds loss and gradients of toise against Hugging Face's models in PyTorch, in FP32 on the CPU.

For each family and edge case (grouped queries, windows, tied heads, scaled rotary positions, head counts that are no
power of two) a small model with weights far from their start is saved by transformers, in one file or in shards;
build/tests/peers/step loads it and takes the same tokens. Bounds: loss 1e-5 relative, every tensor's gradient 1e-4
of its norm. Then what `toise train --save` wrote must load back, and types other than F32 must load here.

usage: hf_step.py BUILD        exit 77 where PyTorch or transformers is not installed (pip install torch transformers)
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    import transformers
    from safetensors.torch import load_file
except ImportError as e:
    print(f"SKIP: peers/hf_step: {e}: pip install torch transformers")
    sys.exit(77)

LOSS, GRADIENT = 1e-5, 1e-4
BIAS = "mlp.gate.e_score_correction_bias"
BATCH, SEQ = 2, 48


def llama(kind="Llama", **kw):
    d = dict(vocab_size=101, hidden_size=48, intermediate_size=88, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-5)
    return getattr(transformers, kind + "Config")(**{**d, **kw})


def bloom(**kw):
    d = dict(vocab_size=101, hidden_size=48, n_layer=2, n_head=4, hidden_dropout=0.0, attention_dropout=0.0)
    return transformers.BloomConfig(**{**d, **kw})


def glm(**kw):
    """Sigmoids with a bias, and shared experts, in every layer."""
    return llama("Glm4Moe", **{**dict(moe_intermediate_size=40, n_routed_experts=8, num_experts_per_tok=2, head_dim=12,
                                      first_k_dense_replace=0, num_nextn_predict_layers=0, rope_parameters=dict(
                                          rope_type="default", rope_theta=10000.0, partial_rotary_factor=1.0)), **kw})


CASES = {
    "gpt2": transformers.GPT2Config(vocab_size=101, n_embd=48, n_layer=2, n_head=4, n_positions=64, resid_pdrop=0.0,
                                    embd_pdrop=0.0, attn_pdrop=0.0),
    "bloom, 4 heads": bloom(),
    "bloom, 6 heads": bloom(n_head=6),
    "bloom, 12 heads of 4": bloom(n_head=12),
    "llama, every head its own": llama(num_key_value_heads=4),
    "llama, grouped": llama(),
    "llama, one key/value head": llama(num_key_value_heads=1),
    "llama, tied head": llama(tie_word_embeddings=True),
    "llama, odd sizes": llama(hidden_size=36, num_attention_heads=6, num_key_value_heads=3, intermediate_size=41),
    "llama 3.1 positions": llama(max_position_embeddings=256, rope_parameters=dict(
        rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=32)),
    "llama, positions scaled linearly": llama(rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0)),
    "llama, positions scaled dynamically": llama(rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0,
                                                                       factor=2.0)),
    "mistral, window 7": llama("Mistral", sliding_window=7),
    "mistral, window 1": llama("Mistral", sliding_window=1),
    "mistral, window of the sequence": llama("Mistral", sliding_window=SEQ),
    "mistral, no window": llama("Mistral", sliding_window=None),
    "mistral, head size apart from width": llama("Mistral", head_dim=20, sliding_window=17),
    "mixtral": llama("Mixtral", num_local_experts=8, num_experts_per_tok=2, sliding_window=None),
    "mixtral, balanced by its loss": llama("Mixtral", num_local_experts=4, num_experts_per_tok=3, sliding_window=None,
                                            router_aux_loss_coef=0.5),
    "mixtral, one expert a token": llama("Mixtral", num_local_experts=4, num_experts_per_tok=1, sliding_window=7,
                                         router_aux_loss_coef=0.0),
    "glm, shared experts": glm(),
    "glm, two shared experts, scaled": glm(n_shared_experts=2, routed_scaling_factor=2.5, num_experts_per_tok=3),
    "glm, one expert a token": glm(n_routed_experts=4, num_experts_per_tok=1),
}


def hot(model):
    """Gains away from 1, biases from 0, attention far from uniform."""
    for name, p in model.named_parameters():
        if p.dim() == 1:
            torch.nn.init.normal_(p, 1.2 if name.endswith("weight") else 0.1, 0.3)
        else:
            torch.nn.init.normal_(p, 0, 0.5 if "emb" in name or "wte" in name or "wpe" in name else 0.15)
    for name, b in model.named_buffers():
        if name.endswith(BIAS):
            torch.nn.init.normal_(b, 0, 0.2)


def balance(config, router_logits):
    """transformers' load-balancing loss, of each layer and sequence for itself (harness/model/experts.h)."""
    of = transformers.models.mixtral.modeling_mixtral.load_balancing_loss_func
    return config.router_aux_loss_coef / BATCH * sum(
        of((part,), config.num_local_experts, config.num_experts_per_tok)
        for layer in router_logits for part in layer.reshape(BATCH, SEQ, -1))


def by_file(name, grad, mixtral):
    """A gradient under the names of files, which transformers 5 does not have in memory: of experts one by one."""
    of, up, down = ("block_sparse_moe", ("w1", "w3"), "w2") if mixtral else ("mlp", ("gate_proj", "up_proj"), "down_proj")
    if not name.endswith(("mlp.experts.gate_up_proj", "mlp.experts.down_proj")):
        yield name.replace("mlp.gate.weight", f"{of}.gate.weight"), grad
        return
    layer = name.split(".mlp.")[0] + f".{of}.experts"
    for i, one in enumerate(grad):
        parts = {down: one} if name.endswith("down_proj") else dict(zip(up, one.chunk(2)))
        for part, x in parts.items():
            yield f"{layer}.{i}.{part}.weight", x


def torch_step(model, tokens):
    ids = torch.from_numpy(tokens.astype(np.int64))
    mixtral, rows = model.config.model_type == "mixtral", {}
    for name, m in model.named_modules():
        if hasattr(m, "e_score_correction_bias"):  # whose "gradient" here is the number of rows of each expert
            m.register_forward_hook(lambda m, _, out, name=name: rows.update(
                {f"{name}.e_score_correction_bias": torch.bincount(out[2].flatten(), minlength=m.num_experts)}))
    out = model(ids[:, :-1], **(dict(output_router_logits=True) if mixtral else {}))
    loss = torch.nn.functional.cross_entropy(out.logits.reshape(-1, out.logits.shape[-1]), ids[:, 1:].reshape(-1))
    model.zero_grad()
    (loss + balance(model.config, out.router_logits) if mixtral else loss).backward()
    return loss.item(), {**rows, **{n: g for name, p in model.named_parameters()
                                    for n, g in by_file(name, p.grad, mixtral)}}


def toise_step(build, folder, tokens, work):
    tokens.astype(np.int32).tofile(f"{work}/tokens")
    out = subprocess.run([f"{build}/tests/peers/step", folder, f"{work}/tokens", str(BATCH), str(SEQ), "2",
                          f"{work}/gradients"], check=True, capture_output=True, text=True).stdout
    return float(out), load_file(f"{work}/gradients")


def compare(name, truth, ours):
    loss, grads = truth
    of_loss = abs(ours[0] - loss) / loss
    worst, where = 0.0, ""
    whole = sum(g.double().norm() ** 2 for name, g in grads.items() if not name.endswith(BIAS)) ** 0.5
    total = sum(g.numel() for g in grads.values())
    missing = set(grads) ^ set(ours[1])
    for key in grads.keys() & ours[1].keys():
        g = grads[key].double()
        # A gradient that is exactly 0 (keys under a window of 1) has no norm: a hundredth of its share of the whole.
        norm = max(g.norm(), 0.01 * whole * (g.numel() / total) ** 0.5)
        error = ((ours[1][key].double() - g).norm() / norm).item()
        if not error <= worst:
            worst, where = error, key
    good = of_loss <= LOSS and worst <= GRADIENT and not missing
    print(f"{'ok  ' if good else 'FAIL'}  {name}: loss {loss:.6f} off by {of_loss:.1e}, gradients by {worst:.1e} "
          f"({where}) {' '.join(sorted(missing))}")
    return good


def build_model(config, seed):
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    hot(model)
    return model


def check_case(build, name, config, seed, work):
    model = build_model(config, seed)
    tokens = np.random.default_rng(seed).integers(0, config.vocab_size, (BATCH, SEQ + 1))
    folder = f"{work}/{seed}"
    model.save_pretrained(folder, max_shard_size="20KB" if seed % 2 else "5GB")
    shards = len([f for f in os.listdir(folder) if f.endswith(".safetensors")])
    return compare(f"{name} ({shards} file{'s' if shards > 1 else ''})", torch_step(model, tokens),
                   toise_step(build, folder, tokens, work))


def check_types(build, work):
    """BF16 and F16 files: PyTorch takes the rounded weights as FP32, too."""
    good = True
    for dtype in (torch.bfloat16, torch.float16):
        model = build_model(llama(), 3).to(dtype)
        tokens = np.random.default_rng(3).integers(0, 101, (BATCH, SEQ + 1))
        folder = f"{work}/{dtype}"
        model.save_pretrained(folder)
        rounded = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager",
                                                                    dtype=torch.float32)
        good &= compare(f"llama in {dtype}", torch_step(rounded, tokens), toise_step(build, folder, tokens, work))
    return good


def check_save(build, work):
    """What toise trained and saved, transformers loads; both then agree on it."""
    good = True
    for preset in ("tiny-gpt2", "tiny-bloom", "tiny-llama", "tiny-mistral", "tiny-mixtral",
                   "tiny-glm4_moe"):
        folder = f"{work}/{preset}"
        subprocess.run([f"{build}/toise", "train", "--model", preset, "--seq", "48", "--steps", "3", "--warmup", "0",
                        "--save", folder], check=True, capture_output=True)
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            folder, attn_implementation="eager", output_loading_info=True)
        tokens = np.random.default_rng(4).integers(0, 256, (BATCH, SEQ + 1))
        odd = [k for k in ("missing_keys", "unexpected_keys", "mismatched_keys") if info.get(k)]
        if odd:
            print(f"FAIL  {preset}: transformers reports {odd}: {info}")
        good &= not odd and compare(f"{preset}, saved by toise", torch_step(model.float(), tokens),
                                    toise_step(build, folder, tokens, work))
    return good


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(f"PyTorch {torch.__version__}, transformers {transformers.__version__}")
    with tempfile.TemporaryDirectory() as work:
        good = [check_case(build, name, config, seed, work) for seed, (name, config) in enumerate(CASES.items())]
        good += [check_types(build, work), check_save(build, work)]
    sys.exit(0 if all(good) else 1)


main()
