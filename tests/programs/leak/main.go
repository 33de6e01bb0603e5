// Package main leaks known bytes at known functions, and drops others: the target
// that the live heap is tested on. It reads the runtime's own heap profile, so
// that the linker leaves the profiler on.
//
// It writes "ready" and waits for a line on standard input, which leaves time to
// attach; it plays its scene, collects twice, reads the profile, writes "done" and
// waits for a line again; then it prints one line of JSON, and waits for the last
// line. From the profile on no cycle of the collector runs: what was published
// then is what a reader from outside finds until the end.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// Bounds of the flags keep a mistyped figure from eating the machine.
const (
	maxLeak   = 4 << 30
	maxChurn  = 4 << 40
	maxRate   = 1 << 30
	maxCycles = 10_000
	maxFor    = time.Hour
)

var (
	rate     = flag.Int("rate", 0, "runtime.MemProfileRate to set before anything is leaked; 0: leave it")
	leak     = flag.Int("leak", 64<<20, "bytes that are leaked")
	dropped  = flag.Int("churn", 64<<20, "bytes that are dropped at once")
	before   = flag.Int("before", 0, "bytes that are there before the scene, and dropped in the middle of it")
	labelled = flag.Int("labels", 0, "bytes that workers with profiler labels leak")
	cycles   = flag.Int("cycles", 0, "calls of runtime.GC in the scene, besides the cycles that start by themselves")
	length   = flag.Duration("for", 0, "how long the scene lasts; 0: as long as it takes")
)

// report is the line of JSON that the program ends with.
type report struct {
	GoVersion string  `json:"go_version"`
	Rate      int     `json:"rate"`
	Before    figures `json:"before"`
	After     figures `json:"after"`
	// Sites are what was allocated in the scene.
	Sites []site `json:"sites"`
	// Tenants are what was leaked at main.leakRequests, by the label of this name.
	Tenants map[string]amount `json:"tenants"`
	Profile struct {
		Before []record `json:"before"`
		After  []record `json:"after"`
	} `json:"profile"`
}

// figures are those of runtime.MemStats.
type figures struct {
	Mallocs    uint64 `json:"mallocs"`
	TotalAlloc uint64 `json:"total_alloc"`
	HeapAlloc  uint64 `json:"heap_alloc"`
	NumGC      uint32 `json:"num_gc"`
}

func main() {
	flag.Parse()
	if flag.NArg() > 0 || !within(*rate, maxRate) || !within(*leak, maxLeak) || !within(*dropped, maxChurn) ||
		!within(*before, maxLeak) || !within(*labelled, maxLeak) || !within(*cycles, maxCycles) ||
		*length < 0 || *length > maxFor {
		fmt.Fprintf(os.Stderr, "leak: want -leak, -before and -labels of 0 to %d, -churn of 0 to %d, -rate of 0 to %d, -cycles of 0 to %d, -for of 0 to %v, and no arguments\n",
			maxLeak, maxChurn, maxRate, maxCycles, maxFor)
		os.Exit(2)
	}
	if *rate > 0 {
		setRate(*rate)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "leak:", err)
		os.Exit(1)
	}
}

func within(n, limit int) bool { return 0 <= n && n <= limit }

func run() error {
	stopCollecting()
	prepare()
	first, last := newSnapshot(), newSnapshot()
	first.take()
	if !phase("ready") {
		return nil
	}
	debug.SetGCPercent(100)
	play()
	stopCollecting()
	last.take()
	if !phase("done") {
		return nil
	}
	r := report{
		GoVersion: runtime.Version(), Rate: runtime.MemProfileRate,
		Before: first.figures(), After: last.figures(), Sites: sites(), Tenants: tenants(),
	}
	r.Profile.Before, r.Profile.After = first.records(), last.records()
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return err
	}
	phase("")
	runtime.KeepAlive(&kept)
	return nil
}

// stopCollecting returns when no cycle starts by itself any more.
func stopCollecting() {
	debug.SetMemoryLimit(math.MaxInt64)
	debug.SetGCPercent(-1)
}

// input is made beforehand: what is allocated while the scene is near would be in
// the profile.
var input [64]byte

// phase says where the program is, and whether it is told to go on.
func phase(name string) bool {
	if name != "" {
		os.Stdout.WriteString(name + "\n")
	}
	n, err := os.Stdin.Read(input[:])
	return err == nil && n > 0
}
