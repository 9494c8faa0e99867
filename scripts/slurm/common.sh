#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by the job scripts of this folder: what they share. In this order:
#   job_open NAME ONE            looks at the allocation; ONE=node: one rank a node, else one a NUMA node
#   job_flags FLAG...            takes --launches, --out, --journal-dir and --ci; the others become the array `flags`
#   job_run ARGUMENTS...         toise in all ranks, once; its exit code. job_start and job_wait: several at once
#   job_launches RUN...          RUN --launches times, less those that ran before a requeue; the worst exit code
#   job_end CODE [FILES]         the page of $records or FILES, as text and as HTML; exits with the worse code
# From the environment, or from the site file that TOISE_SITE names (sites/generic.sh says how):
#   TOISE          the program; else build/toise of the folder of submission, else the one installed with this file
#   TOISE_LAUNCH   the launcher with its options, as "srun --mpi=pmix", "mpirun", "srun"; else chosen by toise's MPI
#   TOISE_NODES_ASKED  the nodes that were asked for, if sbatch got a range of them: fewer are said, and recorded
#   TOISE_RESULTS  the folder of records and pages; else results
#   TOISE_GRACE    seconds between mpirun's SIGTERM and SIGKILL; else its own, 1. Open MPI waits them out whenever a rank
#                  exits with another code than 0, so an inconclusive launch lasts longer by twice as much
# shellcheck disable=SC2034,SC2154  # variables for those who source this, and job_folder, which they set
# shellcheck source=scripts/mpi.sh
. "$job_folder/../mpi.sh"

job_say() { echo "$job_name.sbatch: $*"; }
job_die() {
    job_say "$@" >&2
    exit 2
}

# Ranks exit codes: an answer of no (1) is worse than inconclusive (3).
job_badness() { case $1 in 0) echo 0 ;; 3) echo 1 ;; 1) echo 2 ;; 2) echo 3 ;; *) echo 4 ;; esac; }
job_worse() { [ "$(job_badness "$1")" -gt "$(job_badness "$2")" ]; }

job_find_toise() {
    local installed=$job_folder/../../../bin/toise missing
    toise=${TOISE:-build/toise}
    [ -n "${TOISE:-}" ] || [ -x "$toise" ] || { [ -x "$installed" ] && toise=$(realpath "$installed"); } || toise=toise
    command -v "$toise" >/dev/null ||
        job_die "no $toise in $PWD: submit from the folder that holds build/toise, or set TOISE"
    missing=$(ldd "$(command -v "$toise")" 2>/dev/null | awk '/not found/ { print $1 }' | sort -u | xargs)
    [ -z "$missing" ] ||
        job_die "$toise needs $missing, which $(hostname -s) lacks: load the modules of the build (TOISE_SITE), or build again"
}

# The CPUs of this job on this node, as CPUS, CORES and NUMA. Nodes are assumed alike.
job_machine() {
    mpi_machine
    # Without task/affinity or cgroups the mask is the whole node, whatever was granted.
    local granted=${SLURM_CPUS_ON_NODE:-$CPUS}
    [ "$granted" -ge "$CPUS" ] || { CPUS=$granted NUMA=1; [ "$CORES" -le "$granted" ] || CORES=$granted; }
    case ${SLURM_JOB_CPUS_PER_NODE:-} in
    *,*) job_say "the nodes have unequal CPUs, $SLURM_JOB_CPUS_PER_NODE: every node gets the ranks that suit $(hostname -s)" ;;
    esac
}

# The launcher that suits toise's MPI, as the array job_words.
job_launcher() {
    local has libraries
    read -ra job_words <<<"${TOISE_LAUNCH:-}"
    if [ ${#job_words[@]} = 0 ]; then
        has=" $(srun --mpi=list 2>&1 | xargs || true) " libraries=$(ldd "$(command -v "$toise")" 2>/dev/null || true)
        job_words=(mpirun)
        case $libraries$has in
        *libmpich*' pmi2 '* | *libmpi.so.12*' pmi2 '*) job_words=(srun --mpi=pmi2) ;;
        *libmpich* | *libmpi.so.12*) ;;
        *' pmix '*) job_words=(srun --mpi=pmix) ;;
        esac
    fi
    command -v "${job_words[0]}" >/dev/null ||
        job_die "no ${job_words[0]} on $(hostname -s): TOISE_LAUNCH names the launcher"
    MPIRUN=${job_words[0]} mpi_command
}

# job_place NODES [HOST...]: sets `launch` for so many nodes of the allocation, or for these.
job_place() {
    local many=$1 hosts
    shift
    hosts=$(printf '%s\n' "$@" | paste -s -d,)
    launch=("${job_words[@]}")
    if [ "${launch[0]##*/}" = srun ]; then
        launch+=("--nodes=$many" "--ntasks=$((many * ranks))" "--ntasks-per-node=$ranks" "--cpus-per-task=$cpus"
            --distribution=block:block ${hosts:+"--nodelist=$hosts"}
            --wait=60) # or a rank that is stopped would keep the job when the others have ended
        return
    fi
    case ${MPI_UNBOUND[*]} in
    --bind-to*)
        # mpirun takes its slots from here, but the allocation may count one task per node.
        export SLURM_TASKS_PER_NODE="$ranks(x$nodes)"
        launch+=(-n "$((many * ranks))" --map-by "ppr:$ranks:node:PE=$((CORES / ranks > 0 ? CORES / ranks : 1))" --bind-to core
            ${hosts:+--host "${hosts//,/:$ranks,}:$ranks"})
        [ "$(id -u)" != 0 ] || launch+=(--allow-run-as-root)
        ;;
    *) launch+=(-n "$((many * ranks))" -ppn "$ranks" "${MPI_UNBOUND[@]}" ${hosts:+-hosts "$hosts"}) ;;
    esac
}

# Sets `nodes`. Says if there are fewer than asked for, if some died (--no-kill), and if the job was requeued.
job_nodes_left() {
    local left list gone=''
    nodes=${SLURM_JOB_NUM_NODES:-1}
    read -r left list < <(squeue --noheader --jobs="$SLURM_JOB_ID" --format='%D %N' 2>/dev/null) || left=$nodes
    if [[ $left =~ ^[1-9][0-9]*$ ]] && [ "$left" -lt "$nodes" ]; then
        export TOISE_NODES_ASKED=${TOISE_NODES_ASKED:-$nodes}
        gone=$(comm -23 <(scontrol show hostnames "$SLURM_JOB_NODELIST" | sort) <(scontrol show hostnames "$list" | sort) | xargs)
        nodes=$left
        export SLURM_JOB_NUM_NODES=$left SLURM_NNODES=$left SLURM_JOB_NODELIST=$list SLURM_NODELIST=$list
    fi
    [[ ${TOISE_NODES_ASKED:-0} =~ ^[0-9]{1,8}$ ]] ||
        job_die "TOISE_NODES_ASKED=$TOISE_NODES_ASKED: not a number of nodes"
    [ "${TOISE_NODES_ASKED:-0}" -le "$nodes" ] || job_say "$nodes nodes (${SLURM_JOB_NODELIST:-}) of the $TOISE_NODES_ASKED asked for${gone:+; gone: $gone}"
    [ "${SLURM_RESTART_COUNT:-0}" = 0 ] || job_say "start $((SLURM_RESTART_COUNT + 1)) of job $SLURM_JOB_ID, after a requeue"
}

job_open() {
    job_name=$1
    [ -z "${TOISE_SITE:-}" ] || [ -r "$TOISE_SITE" ] || job_die "TOISE_SITE=$TOISE_SITE cannot be read"
    set +eu # modules do not keep to them
    # shellcheck source=scripts/slurm/sites/generic.sh
    [ -z "${TOISE_SITE:-}" ] || . "$TOISE_SITE"
    set -eu
    job_find_toise
    job_machine
    job_nodes_left
    ranks=${SLURM_NTASKS_PER_NODE:-$NUMA}
    [ "${2-}" != node ] || ranks=1
    ranks=${ranks%%(*}
    cpus=${SLURM_CPUS_PER_TASK:-$((CPUS / ranks > 0 ? CPUS / ranks : 1))}
    records=${TOISE_RESULTS:-results}/$job_name-$SLURM_JOB_ID.jsonl journals=${TOISE_RESULTS:-results}/journals
    job_launcher
    job_place "$nodes"
    job_stopped='' job_children=()
    # Slurm sends USR1 before the time limit (--signal), TERM when it ends the job. toise takes both as a wish to stop.
    trap 'job_pass USR1' USR1
    trap 'job_pass TERM' TERM
    trap 'job_pass INT' INT
    [ -z "${TOISE_GRACE:-}" ] ||
        export OMPI_MCA_odls_base_sigkill_timeout="$TOISE_GRACE" PRTE_MCA_odls_base_sigkill_timeout="$TOISE_GRACE"
    job_say "$nodes nodes, $ranks ranks each, $cpus CPUs a rank: ${launch[*]} $toise"
}

# mpirun and srun pass USR1 on to the ranks; TERM would make them kill the ranks.
job_pass() {
    job_stopped=$1 job_passed=yes
    [ ${#job_children[@]} = 0 ] || kill -USR1 "${job_children[@]}" 2>/dev/null || true
}

job_flags() {
    local arg before='' name value
    out='' launches='' ci=5% flags=()
    local ours='--launches --out --journal-dir'
    for arg in "$@"; do
        case $arg in --*=*) name=${arg%%=*} value=${arg#*=} ;; *) name=$before value=$arg ;; esac
        case $name in
        --launches) launches=$value ;;
        --out) out=$value ;;
        --ci) ci=$value ;;
        --journal-dir) journals=$value ;;
        esac
        [[ " $ours " = *" ${arg%%=*} "* ]] || [[ " $ours " = *" $before "* ]] || flags+=("$arg")
        before=$arg
    done
    [[ " $ours " != *" $before "* ]] || job_die "$before: no value"
    [[ $launches =~ ^([1-9][0-9]{0,4})?$ ]] ||
        job_die "--launches: \"$launches\" is not a number of launches; take 1 to 99999"
    [ -z "$out" ] || records=$out
}

# Starts toise in all ranks of $launch, beside others that run.
job_start() {
    "${launch[@]}" "$toise" "$@" &
    job_children+=($!)
}

# job_ended PID: waits for it, and returns its exit code. A signal that the trap took ends a wait, but not the ranks.
job_ended() {
    local code before=''
    while :; do
        job_passed='' code=0
        wait "$1" 2>/dev/null || code=$?
        [ $code != 127 ] || [ -z "$before" ] || return "$before" # it had ended as the signal came
        [ -n "$job_passed" ] || return $code
        before=$code
    done
}

# Waits for all that started; the worst exit code, 4 if a launcher failed with one of its own.
job_wait() {
    local child code worst=0
    for child in "${job_children[@]}"; do
        code=0
        job_ended "$child" || code=$?
        case $code in
        [0-4]) ;;
        *)
            job_nodes $code
            code=4
            ;;
        esac
        ! job_worse $code $worst || worst=$code
    done
    job_children=()
    return $worst
}

job_run() {
    job_start "$@"
    job_wait
}

# What Slurm knows of the nodes after the launcher failed.
job_nodes() {
    local bad
    bad=$(sinfo --noheader --Node --nodes="${SLURM_JOB_NODELIST:-}" --format='%N %T' 2>/dev/null |
        awk '$2 !~ /^(allocated|mixed|idle|completing)$/ { print $1 " is " $2 }' | sort -u | paste -s -d, | sed 's/,/, /g')
    job_say "the launcher ended with exit code $1${bad:+; $bad}" >&2
}

# job_launch FLAGS...: one launch of toise train. It goes on with one of this job that a requeue interrupted, if there is
# one. If the launcher fails, the journal becomes the record.
job_launch() {
    local code=0 recovered journal=${job_interrupted[0]-}
    if [ -n "$journal" ]; then
        job_interrupted=("${job_interrupted[@]:1}")
        job_say "goes on with $journal"
        job_run train --resume "$journal" --out "$records" || code=$?
    else
        job_run train "$@" --out "$records" --journal-dir "$journals" || code=$?
    fi
    if [ $code = 4 ] || [ -n "$job_stopped" ]; then
        recovered=0
        job_recover || recovered=$?
        [ $code != 0 ] || code=$recovered # an mpirun that got SIGTERM may say 0
    fi
    return $code
}

# The journals of this job that are left: of launches that ended early.
job_journals() { grep -lsE "\"job\": ?\"slurm-$SLURM_JOB_ID\"" "$journals"/*.journal || true; }

# The ids of launches in the lines of these files that are this job's.
job_ids() {
    grep -hE "\"job\": ?\"slurm-$SLURM_JOB_ID\"" "$@" /dev/null | grep -oE '"launch": ?\{"id": ?"[^"]*' | sed 's/.*"//' |
        sort -u || true
}

# Makes records of journals that have none; the last exit code.
job_recover() {
    local journal ids code=0
    ids=$([ ! -e "$records" ] || job_ids "$records")
    while read -r journal; do
        [[ $ids == *"$(job_ids "$journal")"* ]] ||
            "$toise" train --recover "$journal" --out "$records" </dev/null || code=$?
    done < <(job_journals)
    return $code
}

# How many sweeps of this job have a curve. Runs of a sweep share a launch, so they count for nothing, and no more do
# predictions and curves that a signal cut short.
job_curves() {
    grep -E '"kind": ?"scale"' "$records" | grep -E "\"job\": ?\"$SLURM_JOB_ID\"" |
        grep -vcE '"predictions":|"why": ?"SIG[A-Z0-9]+ ended it' || true
}

# How many launches of this job are recorded already, if Slurm requeued it. Several jobs of one salloc are no restarts. Not
# counted are those that went on, or that a journal is left of.
job_done() {
    [ "${SLURM_RESTART_COUNT:-0}" != 0 ] && [ -s "$records" ] || { echo 0; return; }
    [ "$job_name" != scale ] || { job_curves; return; }
    comm -23 <(job_ids "$records") <(
        { job_ids "${job_interrupted[@]}" && grep -oE '"resumes": ?\[[^]]*' "$records" | grep -oE '[^]["]{8,}'; } | sort -u
    ) | wc -l
}

job_launches() {
    local i code worst=0 many=${launches:-1}
    job_interrupted=()
    [ "${SLURM_RESTART_COUNT:-0}" = 0 ] || mapfile -t job_interrupted < <(job_journals)
    for ((i = $(job_done) + 1; i <= many; i++)); do
        [ -z "$launches" ] || echo "== launch $i of $launches"
        code=0
        "$@" || code=$?
        # Of several, a launch whose own interval is wide is no reason against their mean: the report judges.
        if [ $code != 3 ] || [ -z "$launches" ]; then
            ! job_worse $code $worst || worst=$code
        fi
        case $code in 0 | 1 | 3) ;; *) break ;; esac
        [ -z "$job_stopped" ] || break
    done
    [ -z "$job_stopped" ] || job_say "stopped by SIG$job_stopped"
    return $worst
}

# job_report FILES...; without them $records
job_report() {
    local code=0 page=()
    [ $# -gt 0 ] || set -- "$records"
    [ -e "$1" ] || return 0
    [ -z "${launches:-}" ] || page=(--ci "$ci")
    "$toise" report "$@" "${page[@]}" --html "${records%.jsonl}.html" || code=$?
    return $code
}

job_end() {
    local worst=$1 code=0
    shift
    job_report "$@" || code=$?
    ! job_worse $code "$worst" || worst=$code
    exit "$worst"
}
