#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A sweep on a real Slurm, started here on loopback: a job array of four shards, one task killed and
# requeued on the way, the dependent merge, and the result equal to that of a single machine.
#   slurm.sh ATOLL SOURCE
# Exit 77 where Slurm cannot start (packages: slurmctld slurmd slurm-client munge; root).
set -u
atoll=$1
source=$2
work=$(mktemp -d)
pids=
leave() {
    for pid in $pids; do
        kill "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$work"
}
trap leave EXIT
trap 'exit 1' INT TERM
skip() {
    echo "skipped: $*"
    exit 77
}
fail() {
    echo "failed: $*"
    for log in "$work"/out/*.log "$work"/*.log; do
        [ -f "$log" ] && echo "--- $log" && tail -n 15 "$log"
    done
    exit 1
}

for tool in munged slurmctld slurmd sbatch scontrol squeue; do
    command -v "$tool" >/dev/null || skip "$tool is not installed (packages slurmctld slurmd slurm-client munge)"
done
[ "$(id -u)" = 0 ] || skip "Slurm's daemons need root here"

# ------------------------------------------------------------------ Slurm on loopback
chmod 755 "$work"
mkdir -p "$work/munge" "$work/state" "$work/spool" "$work/out"
chown munge "$work/munge" || skip "user munge is missing"
key=$work/munge/key
dd if=/dev/urandom of="$key" bs=128 count=1 2>/dev/null
chown munge "$key"
chmod 400 "$key"
su -s /bin/sh munge -c "exec munged --foreground --key-file='$key' --socket='$work/munge/socket' \
    --pid-file='$work/munge/pid' --log-file='$work/munge/log' --seed-file='$work/munge/seed'" >"$work/munged.log" 2>&1 &
pids=$!
host=$(hostname -s)
free_port() {
    # A port that nobody listens on; the window until the daemon binds it is small.
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
cat >"$work/slurm.conf" <<CONF
ClusterName=loopback
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MpiDefault=none
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
SchedulerParameters=batch_sched_delay=0,sched_interval=1
MinJobAge=300
KillWait=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=10 State=UP
CONF
export SLURM_CONF="$work/slurm.conf"
slurmctld -D -c >"$work/slurmctld.out.log" 2>&1 &
pids="$pids $!"
slurmd -D >"$work/slurmd.out.log" 2>&1 &
pids="$pids $!"
up=0
for _ in $(seq 40); do
    if [ "$(sinfo -h -o %T 2>/dev/null)" = idle ]; then
        up=1
        break
    fi
    sleep 0.5
done
[ $up = 1 ] || { tail -n 5 "$work"/slurm*.log "$work"/munged.log; skip "Slurm did not start on loopback within 20 s"; }
echo "Slurm is up"

# ------------------------------------------------------------------ the sweep
cat >"$work/e.yaml" <<YAML
name: slurm
board: asus_crl_g18u
meter: synth
models: [zoo:cifar_resnet18, zoo:mobilenet_v1]
tpus: 1..8
strategies: [single, vendor, partitions]
workloads: [{mode: latency, count: 200}, {mode: saturated, count: 800}, {mode: cold}]
repeats: 5
YAML
export ATOLL_COMMAND="$atoll" ATOLL_SHARE="$source/share"
submit() {
    "$source/share/slurm/atoll-submit" -n 4 -o "$work/out" "$work/e.yaml"
}
"$source/share/slurm/atoll-submit" -n 100000 -o "$work/out" "$work/e.yaml" 2>"$work/refusal" && fail "an array beyond MaxArraySize was taken"
grep -q 'takes arrays of 1 to' "$work/refusal" || fail "$(cat "$work/refusal")"
answer=$(submit) || fail "submit: $answer"
echo "$answer"
job=$(echo "$answer" | sed -n 's/^sweep \([0-9]*\):.*/\1/p')
squeue -h -o '%j %t' | head -n 3

# One task is thrown off its node in the middle of its work and starts again.
requeued=0
for _ in $(seq 100); do
    if [ -s "$work/out/shard-0-of-4.db" ] && squeue -h -t R -j "${job}_0" -o %i 2>/dev/null | grep -q .; then
        scontrol requeue "${job}_0" && requeued=1
        break
    fi
    sleep 0.05
done
wait_done() {
    for _ in $(seq 240); do
        [ -z "$(squeue -h -o %i)" ] && return 0
        # a requeued task waits two minutes before it may run again; the test does not
        scontrol update JobId="${job}_0" StartTime=now >/dev/null 2>&1
        sleep 0.5
    done
    squeue
    return 1
}
wait_done || fail "the jobs did not end within 120 s"
cat "$work/out/merge.log"
cat "$work"/out/shard-*.log
[ $requeued = 0 ] || grep -q 'start 2' "$work/out/shard-0.log" || fail "the requeued task did not start again"
[ $requeued = 1 ] || echo "note: shard 0 had ended before it could be requeued"

"$atoll" bench "$work/e.yaml" --db "$work/single.db" --quiet || fail "the single run"
"$atoll" store dump "$work/single.db" --canonical >"$work/single.txt" || fail "dump of the single run"
"$atoll" store dump "$work/out/results.db" --canonical >"$work/merged.txt" || fail "dump of the merged run"
cmp "$work/single.txt" "$work/merged.txt" || fail "merged and single results differ"
grep -q ': .* runs from 4 shards, 0 of them failed' "$work/out/merge.log" || fail "the merge does not say that all is there"

# The same call again finds everything done, and the merge adds nothing.
answer=$(submit) || fail "submit again: $answer"
wait_done || fail "the second array did not end"
"$atoll" store dump "$work/out/results.db" --canonical | cmp - "$work/single.txt" || fail "submitting again changed the results"

# A shard that is lost is noticed.
rm "$work/out/shard-2-of-4.db" "$work/out/results.db"
ATOLL_OUT="$work/out" sh "$source/share/slurm/atoll-merge.sbatch" && fail "the merge did not notice a missing shard"
echo "merged equals single: $(grep -c '"table":"run"' "$work/single.txt") runs"
exit 0
