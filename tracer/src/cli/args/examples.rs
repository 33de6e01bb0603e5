//! The examples at the end of `--help`.

pub(super) const EXAMPLES: &str = "\
Examples:
  tracer doctor                                   can this host trace?
  tracer record --pid 4242 --duration 10s         a report of ten seconds, on the terminal
  tracer record --pid 4242 --duration 10s -o capture.json -o report.txt
  tracer report capture.json                      show a saved capture again
  tracer attach --pid 4242                        live, until Ctrl-C
  tracer run -- ./server                          from its first instruction to its exit
  tracer heap --pid 4242                          what is alive on its heap, without a probe
  tracer record --pid 4242 --mode sampled         at almost no cost, for hours, until Ctrl-C
  tracer attach --pid 4242 --format ndjson | jq   the stream, for programs

Exit codes: 0 done; 1 failed; 2 bad usage; 3 the target is gone or is not a Go program;
4 not enough privilege; 5 kernel feature missing. `tracer run` gives the program's own.";

pub(super) const RECORD_EXAMPLES: &str = "\
Examples:
  tracer record --pid 4242 --duration 10s                     report on the terminal
  tracer record --pid 4242 --duration 10s -o capture.json     keep everything; see `tracer report`
  tracer record --pid 4242 --explain                          what would be probed, without probing";

pub(super) const ATTACH_EXAMPLES: &str = "\
Examples:
  tracer attach --pid 4242 --interval 5s --limit 5
  tracer attach --pid 4242 --format ndjson | jq 'select(.event == \"interval\") | .alloc_bytes'";

pub(super) const RUN_EXAMPLES: &str = "\
The program has tracer's standard input, output and error, gets the signals that tracer is sent, and
its exit code is tracer's. Under sudo it runs as the user who called sudo. The report goes to standard
error, or to the files named by -o.

Examples:
  tracer run -- ./server -listen :8080
  tracer run -o build.json -- go build ./...";

pub(super) const HEAP_EXAMPLES: &str = "\
Reads the runtime's own heap profile out of the process: what was sampled since its start, and what of that is
alive as of the last complete cycle of the collector. Nothing is probed or written. The profiler is on in programs
that can show its profile, such as those that import net/http/pprof.

Examples:
  tracer heap --pid 4242                                      what is alive, in a second
  tracer heap --pid 4242 --duration 5m                        and what grows meanwhile: leaks
  tracer heap --pid 4242 -o heap.json                         keep it; see `tracer report`";

pub(super) const REPORT_EXAMPLES: &str = "\
Examples:
  tracer report capture.json --limit 50
  tracer report capture.json --group-by type      which types, and where they come from
  tracer report capture.json -o capture.txt";

pub(super) const DIFF_EXAMPLES: &str = "\
Examples:
  tracer diff before.json after.json
  tracer diff before.json after.json -o diff.html -o diff.svg
  tracer diff base.json pr.json --fail-on 'alloc_bytes>10%'    exit code 1 if it allocates a tenth more";

pub(super) const TOP_EXAMPLES: &str = "\
Keys: q ends, ? lists all others. It needs a terminal; `tracer attach` writes the same to a file or a pipe.

Examples:
  tracer top --pid 4242
  tracer top --pid 4242 --mode sampled --sort live     what stays alive, at almost no cost";
