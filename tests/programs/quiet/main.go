// Package main allocates known bytes at three functions and never reads the heap
// profile, nor links anything that does: the linker turns the runtime's profiler
// off. What it allocates at is then only seen where a processor takes a new span.
//
// It writes "ready" and waits for a line on standard input; it plays its scene,
// writes "done" and waits for a line again; then it prints one line of JSON, and
// waits for the last line.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// Bounds of the flags keep a mistyped figure from eating the machine.
const (
	maxBytes = 4 << 40
	maxKept  = 4 << 30
	maxFor   = time.Hour
)

var (
	total  = flag.Int("bytes", 256<<20, "bytes that are allocated in all")
	keep   = flag.Int("keep", 32<<20, "bytes of them that stay alive")
	length = flag.Duration("for", 0, "how long the scene lasts; 0: as long as it takes")
)

// Steps of the scene: one each stepTime, and enough of them for a steady rate.
const (
	stepTime = 10 * time.Millisecond
	minSteps = 100
)

// report is the line of JSON that the program ends with.
type report struct {
	GoVersion  string  `json:"go_version"`
	Processors int     `json:"processors"`
	Before     figures `json:"before"`
	After      figures `json:"after"`
	Sites      []site  `json:"sites"`
}

// figures are those of runtime.MemStats.
type figures struct {
	Mallocs    uint64 `json:"mallocs"`
	TotalAlloc uint64 `json:"total_alloc"`
	NumGC      uint32 `json:"num_gc"`
}

// site is what a function has allocated in the scene.
type site struct {
	Function string `json:"function"`
	Allocs   uint64 `json:"allocs"`
	Bytes    uint64 `json:"bytes"`
}

// kind is a way to allocate, and how often it does.
type kind struct {
	function string
	// one allocates; what it makes stays alive if it shall.
	one   func(keep bool)
	size  int
	share int
	calls int
	done  int
}

var kinds = []*kind{
	{function: "main.quietSmall", one: quietSmall, size: 64, share: 40},
	{function: "main.quietBlocks", one: quietBlocks, size: 4096, share: 40},
	{function: "main.quietLarge", one: quietLarge, size: 40960, share: 20},
}

func main() {
	flag.Parse()
	if flag.NArg() > 0 || !within(*total, maxBytes) || !within(*keep, maxKept) || *length < 0 || *length > maxFor {
		fmt.Fprintf(os.Stderr, "quiet: want -bytes of 0 to %d, -keep of 0 to %d, -for of 0 to %v, and no arguments\n",
			maxBytes, maxKept, maxFor)
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "quiet:", err)
		os.Exit(1)
	}
}

func within(n, limit int) bool { return 0 <= n && n <= limit }

func run() error {
	debug.SetGCPercent(-1)
	var first, last runtime.MemStats
	for _, kind := range kinds {
		kind.calls = *total / 100 * kind.share / kind.size
	}
	kept.blocks = make([]*[4096]byte, 0, *keep/100*40/4096+1)
	kept.large = make([]*[40960]byte, 0, *keep/100*20/40960+1)
	runtime.GC()
	if !phase("ready") {
		return nil
	}
	runtime.ReadMemStats(&first)
	debug.SetGCPercent(100)
	play()
	debug.SetGCPercent(-1)
	runtime.ReadMemStats(&last)
	if !phase("done") {
		return nil
	}
	r := report{
		GoVersion: runtime.Version(), Processors: runtime.GOMAXPROCS(0),
		Before: read(&first), After: read(&last),
	}
	for _, kind := range kinds {
		calls := uint64(kind.done)
		r.Sites = append(r.Sites, site{kind.function, calls, calls * uint64(kind.size)})
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return err
	}
	phase("")
	runtime.KeepAlive(&kept)
	return nil
}

// play plays the scene: of each kind, what is to stay alive comes first.
func play() {
	steps := int(*length / stepTime)
	if steps < minSteps {
		steps = minSteps
	}
	start := time.Now()
	for step := 1; step <= steps; step++ {
		for _, kind := range kinds {
			leaks := *keep / 100 * kind.share / kind.size
			for ; kind.done < kind.calls*step/steps; kind.done++ {
				kind.one(kind.done < leaks)
			}
		}
		time.Sleep(time.Until(start.Add(*length * time.Duration(step) / time.Duration(steps))))
	}
}

func read(stats *runtime.MemStats) figures {
	return figures{Mallocs: stats.Mallocs, TotalAlloc: stats.TotalAlloc, NumGC: stats.NumGC}
}

var input [64]byte

// phase says where the program is, and whether it is told to go on.
func phase(name string) bool {
	if name != "" {
		os.Stdout.WriteString(name + "\n")
	}
	n, err := os.Stdin.Read(input[:])
	return err == nil && n > 0
}
