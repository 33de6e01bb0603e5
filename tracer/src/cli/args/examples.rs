//! The examples at the end of `--help`.

pub(super) const EXAMPLES: &str = "\
Examples:
  tracer doctor                                   can this host trace?
  tracer record --pid 4242 --duration 10s         a report of ten seconds
  tracer record --pid 4242 --duration 10s -o capture.json -o report.txt
  tracer report capture.json                      show a saved capture again
  tracer attach --pid 4242                        live, until Ctrl-C
  tracer top --pid 4242                           the same on the whole screen
  tracer run -- ./server                          from its start to its exit
  tracer heap --pid 4242                          what is alive, without a probe
  tracer record --pid 4242 --mode sampled         at almost no cost, for hours
  tracer attach --pid 4242 --format ndjson | jq   the stream, for programs

Exit codes: 0 done; 1 failed; 2 bad usage; 3 the target is gone or is not a Go
program; 4 not enough privilege; 5 kernel feature missing. `tracer run` gives
the program's own.";

pub(super) const RECORD_EXAMPLES: &str = "\
Examples:
  tracer record --pid 4242 --duration 10s         report on the terminal
  tracer record --pid 4242 -d 10s -o a.json -o -  and keep it: `tracer report`
  tracer record --pid 4242 --explain              what would be probed";

pub(super) const ATTACH_EXAMPLES: &str = "\
Examples:
  tracer attach --pid 4242 --interval 5s --limit 5
  tracer attach --pid 4242 --format ndjson |
    jq 'select(.event == \"interval\") | .alloc_bytes'";

pub(super) const RUN_EXAMPLES: &str = "\
The program has tracer's standard input, output and error, gets the signals that tracer is sent, and its exit code \
is tracer's. Under sudo it runs as the user who called sudo. The report goes to standard error, or to the files named \
by -o.

Examples:
  tracer run -- ./server -listen :8080
  tracer run -o build.json -- go build ./...";

pub(super) const HEAP_EXAMPLES: &str = "\
Reads the runtime's own heap profile out of the process: what was sampled since its start, and what of that is alive \
as of the last complete cycle of the collector. Nothing is probed or written. The profiler is on in programs that can \
show its profile, such as those that import net/http/pprof.

Examples:
  tracer heap --pid 4242                          what is alive, at once
  tracer heap --pid 4242 --duration 5m            and what grows: leaks
  tracer heap --pid 4242 -o heap.json             keep it: `tracer report`";

pub(super) const REPORT_EXAMPLES: &str = "\
Examples:
  tracer report capture.json --limit 50
  tracer report capture.json --group-by type      which types, and from where
  tracer report capture.json -o capture.txt";

pub(super) const DIFF_EXAMPLES: &str = "\
Rates (--normalize rate) suit services under steady load; totals suit captures
of the same work, such as a benchmark that `tracer run` has recorded from start
to exit. Places are the same if their functions are, so that lines may move from
one build to the next.

A change is significant if it is more than noise: more than samples may err,
counts vary by themselves, and rates vary within each capture. `±` is the
standard error of the change. An unchanged program under the same load, on a
machine that is as busy, shows a significant row in at most one of a hundred
comparisons. Where a capture has lost more than 1 % of its hits, whether its
figures changed is not known.

Rules of --fail-on: FIGURE OP NUMBER[UNIT]
  FIGURE  allocs, alloc_bytes, requested_bytes, live_bytes, faults, or findings
          for new findings; site: in front of it means any single site
  OP      > or >=
  UNIT    % of what there was; B, KiB, MiB and so on in all; /s, KiB/s and so on
          per second
A rule is broken by growth beyond its limit that is more than noise. One that
cannot be checked, because a figure is not known, fails as well. What is wrong
is told on standard error; the comparison is written in any case.

Examples:
  tracer diff before.json after.json
  tracer diff before.json after.json --by type
  tracer diff before.json after.json -o diff.html -o diff.svg
  # exit code 1 if it allocates a tenth more
  tracer diff base.json pr.json --fail-on 'alloc_bytes>10%'
  tracer diff base.json pr.json --normalize total --fail-on 'allocs>0%'
  # no line of code by so much
  tracer diff base.json pr.json --fail-on 'site:alloc_bytes>1MiB/s'

Exit codes: 0 done, and all rules hold; 1 a rule is broken or cannot be checked,
or something failed; 2 bad usage.";

pub(super) const TOP_EXAMPLES: &str = "\
Keys: q ends, ? lists all others. It needs a terminal; `tracer attach` writes the same to a file or a pipe.

Examples:
  tracer top --pid 4242
  tracer top --pid 4242 --mode sampled            at almost no cost";

pub(super) const DOCTOR_EXAMPLES: &str = "\
What a capture needs is tried: programs are loaded and a probe is attached, to tracer itself. The last lines say what \
works and what to do about the rest. With --pid come the state of the process's heap profiler, its memory limit, what it \
allocates, and what each mode would cost it, read from outside in half a second; nothing is attached to it.

Examples:
  tracer doctor                                   this host
  sudo tracer doctor --pid 4242                   this host and a process on it
  sudo tracer doctor --pid 4242 --explain         and the probes of a capture";

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  tracer completions bash > /etc/bash_completion.d/tracer
  tracer completions zsh > ~/.zfunc/_tracer       a directory of $fpath
  tracer completions fish > ~/.config/fish/completions/tracer.fish";
