// Package main is the exactness target: it allocates known numbers of objects
// at known lines and says, from runtime.MemStats, what the runtime counted
// while it did so. A tracer attached to it must report the same figures.
//
// The program talks in lines. It writes "ready" and waits for a line, which
// leaves time to attach; it measures, writes "done" and waits for a line again,
// which leaves time to detach; then it prints one line of JSON. The end of
// standard input counts as a line, so `known </dev/null` runs by itself.
//
// Between the first line and "done" nothing allocates but the sites: waiting
// and signalling are raw system calls on buffers made beforehand.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

// Bounds of the flags: they keep a mistyped figure from eating the machine. With
// the collector off, all calls of all goroutines allocate 6 GB at most.
const (
	maxCalls      = 100_000
	maxGoroutines = 256
	maxDepth      = 10_000
)

// rehearsalCalls is how often every phase runs before the measurement. Twice,
// because some caches (sync.Pool, reflect's pointer types) only fill on the
// first call and are only used from the second on.
const rehearsalCalls = 2

// report is the line of JSON that the program ends with.
type report struct {
	GoVersion  string       `json:"go_version"`
	Goroutines int          `json:"goroutines"`
	Total      delta        `json:"total"`
	Sites      []siteReport `json:"sites"`
}

// siteReport is what one phase allocated; its delta covers the whole process.
type siteReport struct {
	// Function holds the allocating statement, at File and Line.
	Function string `json:"function"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	// Entry is the phase function that was called; it differs from Function
	// where the statement is in a callee.
	Entry string `json:"entry"`
	// Inlined says that the compiler copies Function into Entry.
	Inlined bool `json:"inlined"`
	// Calls counts calls of Entry, over all goroutines.
	Calls int `json:"calls"`
	delta
	// Requested is the sum of the sizes handed to the allocator, left out
	// where the program cannot know it.
	Requested *uint64 `json:"requested,omitempty"`
}

func main() {
	calls := flag.Int("calls", 1000, "calls of each phase in each goroutine")
	goroutines := flag.Int("goroutines", 1, "goroutines that run each phase")
	depth := flag.Int("depth", 40, "frames of the deep recursion")
	gc := flag.Bool("gc", false, "leave the garbage collector on")
	flag.Parse()
	if flag.NArg() > 0 || !within(*goroutines, maxGoroutines) || !within(*calls, maxCalls / *goroutines) || !within(*depth, maxDepth) {
		fmt.Fprintf(os.Stderr, "known: want -goroutines 1..%d, -calls 1..%d over all goroutines, -depth 1..%d and no arguments\n",
			maxGoroutines, maxCalls, maxDepth)
		os.Exit(2)
	}
	if err := run(*calls, *goroutines, *depth, *gc); err != nil {
		fmt.Fprintln(os.Stderr, "known:", err)
		os.Exit(1)
	}
}

func within(n, limit int) bool { return 1 <= n && n <= limit }

func run(calls, goroutines, depth int, gc bool) error {
	sites, err := findSites()
	if err != nil {
		return err
	}
	var ballast []byte
	if gc {
		ballast = newBallast(calls * goroutines)
	} else {
		debug.SetGCPercent(-1)
	}
	defer runtime.KeepAlive(ballast)
	if goroutines == 1 {
		// On one P the figures are the same in every run: a goroutine that moves
		// to another P leaves its tiny block and its part of sync.Pool behind.
		runtime.GOMAXPROCS(1)
	}
	team, err := newTeam(goroutines, calls, depth)
	if err != nil {
		return err
	}
	runtime.GC()
	startThreads(goroutines + runtime.GOMAXPROCS(0) + spareThreads)
	fillProcessorCaches()
	measurement := newMeasurement()
	measurement.take(team, rehearsalCalls)
	team.forgetRequested()

	if err := say(ready); err != nil {
		return err
	}
	if err := awaitLine(); err != nil {
		return err
	}
	measurement.take(team, calls)
	if err := say(done); err != nil {
		return err
	}
	if err := awaitLine(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(newReport(sites, team, measurement, calls))
}

func newReport(sites []site, team *team, m *measurement, calls int) report {
	r := report{GoVersion: runtime.Version(), Goroutines: len(team.workers), Total: m.total}
	for i, s := range sites {
		p := &phases[i]
		row := siteReport{
			Function: s.function, File: s.file, Line: s.line, Entry: s.entry, Inlined: p.inlined,
			Calls: p.callsOf(calls) * len(team.workers), delta: m.phases[i],
		}
		if p.perCall != unknown {
			requested := uint64(row.Calls)*uint64(p.perCall) + team.requested(i)
			row.Requested = &requested
		}
		r.Sites = append(r.Sites, row)
	}
	return r
}
