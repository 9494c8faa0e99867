#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 240
# toise sbatch on a real Slurm of two virtual nodes: a campaign is submitted, one of its jobs is killed, and it goes on.
. "$(dirname "$0")/../prelude.sh"
export TOISE_CLUSTER=$work/cluster
code=0
scripts/virtual-cluster.sh up 2 >"$work/up" || code=$?
[ $code != 77 ] || { cat "$work/up" && exit 77; }
[ $code = 0 ] || { cat "$work/up" && exit 1; }
# shellcheck disable=SC2317  # called by the trap
finish() {
    scripts/virtual-cluster.sh down >/dev/null || true
    leave
}
trap finish EXIT
eval "$(cat "$work/up")"
command=(sbatch)

cat >"$work/campaign.json" <<'END'
{"name": "small", "launches": 2, "work": [
  {"command": "train", "workload": "strong-tiny", "nodes": [1, 2], "time": "00:05:00",
   "flags": ["--steps", "2", "--no-gate"]}]}
END

# ended: waits until the queue is empty
ended() {
    for _ in $(seq 300); do
        [ -n "$(squeue --noheader)" ] || return 0
        sleep 0.3
    done
    fail "jobs do not end: $(squeue)"
}

run 0 "$work/campaign.json" --dir "$work/all" --submit
says '0 of 2 jobs done, 2 waiting'
first=$(sed -n '1s/ .*//p' "$work/all/submitted") second=$(sed -n '2s/ .*//p' "$work/all/submitted")
grep -q "afterany:$first" <<<"$(scontrol show job "$second")" || fail "job $second does not wait for $first"
scancel "$second" # as if its node had died
ended
run 1 "$work/campaign.json" --dir "$work/all"
says "^train-strong-tiny-1n-day1-job1 +1 +2 of 2 +done +$first$"
says "^train-strong-tiny-2n-day1-job1 +2 +0 of 2 +failed +$second +job $second ended with 0 of 2 launches$"

run 0 "$work/campaign.json" --dir "$work/all" --submit --resume
says '1 of 2 jobs done, 1 waiting'
ended
run 0 "$work/campaign.json" --dir "$work/all"
says '2 of 2 jobs done' || cat "$work"/all/*.out
[ "$(cat "$work"/all/*.jsonl | wc -l)" -ge 4 ] || fail 'records are missing'

# Slurm's refusal reaches the user.
sed 's/"launches": 2/"launches": 2, "sbatch": ["--partition=nowhere"]/' "$work/campaign.json" >"$work/nowhere.json"
run 2 "$work/nowhere.json" --dir "$work/nowhere" --submit
grep -qi 'sbatch refused a job.*partition' "$work/err" || fail "$(cat "$work/err")"
exit $bad
