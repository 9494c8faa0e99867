#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A user's config.json from end to end. If toise supports it, it is planned, trained and priced. Otherwise training
# refuses it in one line with file and field, and pricing leaves the feature out and says so. Saved files equal what was read.
. "$(dirname "$0")/../prelude.sh"

in=$work/in
mkdir "$in"
llama() { # llama FIELDS: a small Llama with them
    echo '{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": false, "hidden_act": "silu",
 "hidden_size": 64, "intermediate_size": 176, "max_position_embeddings": 256, "num_attention_heads": 4,
 "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-05, "vocab_size": 256'"$1}"
}
gpt2() { # gpt2 FIELDS
    echo '{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": 2'"$1}"
}
{ printf '\xef\xbb\xbf' && llama ', "rope_theta": 10000.0'; } >"$in/mark.json"
gpt2 '' >"$in/defaults.json"
gpt2 ', "n_embd": 64, "n_head": 4, "n_positions": 128, "vocab_size": 256, "activation_function": "gelu_pytorch_tanh"' \
    >"$in/alias.json"
llama ', "layer_types": ["full_attention", "full_attention"]' >"$in/alike.json"
llama ', "rope_scaling": {"type": "linear", "factor": 4.0}' >"$in/linear.json"
llama ', "rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}' >"$in/linear5.json"
llama ', "rope_theta": null, "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}' >"$in/null.json"
llama ', "rope_scaling": {"type": "dynamic", "factor": 4.0}' >"$in/dynamic.json"
llama ', "architectures": ["LlamaModel"]' | sed 's/"architectures": \["LlamaForCausalLM"\], //' >"$in/bare.json"
llama ', "anything": 1' >"$in/unread.json"

llama ', "rope_parameters": {"rope_theta": 10000.0, "partial_rotary_factor": 0.5}' >"$in/partial.json"
llama ', "rope_scaling": {"type": "yarn", "factor": 4.0}' >"$in/yarn.json"
llama ', "quantization_config": {"bits": 4}' >"$in/quantized.json"
llama '' | sed 's/"attention_bias": false/"attention_bias": true/' >"$in/bias.json"
gpt2 ', "activation_function": "gelu"' >"$in/gelu.json"
gpt2 ', "scale_attn_by_inverse_layer_idx": true' >"$in/layer.json"
llama ', "rope_thetta": 5e5' >"$in/slip.json"
llama ', "vocab_size": 256' >"$in/duplicate.json"
llama ', "kv_lora_rank": 512' >"$in/latent.json"

price() { # price CODE FILE
    run "$1" project --machine jean-zay-a100 --accelerators 8 --gbs 64 --model "$2" --json
}
record() { grep -o "\"$1\":[^,}]*" "$work/out" | head -n 1 | cut -d: -f2; }
trained() { # trained FILE PARAMETERS: as transformers counts them
    local f=$in/$1.json
    run 0 train --model "$f" --dry-run --seq 64 --json
    [ "$(record parameters)" = "$2" ] || fail "$1: $(record parameters) parameters, not $2"
    price 0 "$f"
    [ "$(record parameters)" = "$2" ] || fail "$1: priced with $(record parameters) parameters, not $2"
    ! grep -q left_out "$work/out" || fail "$1: priced without $(record left_out)"
    code=0
    timeout 120 "$toise" train --model "$f" --seq 32 --gbs 2 --steps 2 --warmup 0 --out "$work/$1" >"$work/out" 2>&1 || code=$?
    [ $code = 0 ] || [ $code = 3 ] || fail "$1: training: exit $code: $(tail -n 3 "$work/out")"
}
for name in mark alike linear linear5 null dynamic bare unread; do trained $name 125248; done
trained defaults 53561088
trained alias 124672
grep -q '"unread":"anything"' "$work/unread" || fail 'unread: the record does not name the field'
"$toise" train --model "$in/unread.json" --dry-run --seq 64 | grep -q '^not read *anything' || fail 'unread: the plan is silent'

loss() { grep -o '"loss":\[[^]]*' "$work/$1" | tail -n 1 | cut -d'[' -f2; }
[ "$(loss linear)" = "$(loss linear5)" ] || fail 'linear scaling is not the same under both names'
[ "$(loss linear)" != "$(loss null)" ] || fail 'linear scaling changes no loss'
[ "$(loss dynamic)" = "$(loss null)" ] || fail 'dynamic scaling changes a loss within the positions'
[ "$(loss mark)" = "$(loss null)" ] || fail 'the same model has two losses'

while IFS='|' read -r name field; do
    name=${name% } field=${field# }
    echo "$in/$name.json: field \"$field\" | train --model $in/$name.json --dry-run --seq 64" >"$work/line"
    refused_lines "$work/line"
    price 0 "$in/$name.json"
    grep -qF "\"left_out\":\"$field (" "$work/out" || fail "$name: the price does not say what it leaves out"
    grep -q "^left out  *$field (" "$work/err" || fail "$name: nor does the page"
done <<'EOL'
partial | rope_parameters.partial_rotary_factor
yarn | rope_scaling
quantized | quantization_config
bias | attention_bias
gelu | activation_function
layer | scale_attn_by_inverse_layer_idx
EOL
run 0 predict --machine results/predict-amd-epyc-zen3/machine.jsonl --model "$in/gelu.json" --seq 256
grep -q '^left out  *activation_function (gelu)' "$work/out" || fail 'by records: the page does not say what it leaves out'
run 0 project --machine jean-zay-a100 --model "$in/linear.json" # 384 accelerators have no layout of so small a model
grep -q ' on 256 of jean-zay-a100 ' "$work/out" || fail 'a small model is not priced on as many accelerators as it can use'
cat >"$work/lines" <<EOL
is "rope_theta" meant | train --model $in/slip.json --dry-run
duplicate | train --model $in/duplicate.json --dry-run
kv_lora_rank | train --model $in/latent.json --dry-run
kv_lora_rank | project --machine jean-zay-a100 --model $in/latent.json
EOL
refused_lines "$work/lines"

# A saved config equals the one read, and training can continue from it.
code=0
timeout 120 "$toise" train --model "$in/linear.json" --seq 32 --gbs 2 --steps 2 --warmup 0 --save "$work/w" >"$work/out" 2>&1 || code=$?
[ $code = 0 ] || [ $code = 3 ] || fail "saving: exit $code: $(tail -n 3 "$work/out")"
tr -d ' \n' <"$work/w/config.json" | grep -qF '"rope_scaling":{"rope_type":"linear","factor":4.0}' ||
    fail "the saved config.json says $(cat "$work/w/config.json")"
run 0 train --init "$work/w" --dry-run --seq 64 --json
grep -q '"rotary_factor":4.0,"rotary_type":"linear"' "$work/out" || fail 'what is loaded again is not scaled'
exit $bad
