// Package main keeps the garbage collector busy in ways that it counts itself:
// the target that the tracing of the collector is tested on.
//
// Usage: gc -scene NAME. It prepares the scene, writes "ready" and waits for a line on standard input,
// which leaves time to attach; it plays the scene, writes "done" and waits for a
// line again, which leaves time to detach; then it prints one line of JSON: what
// the runtime counted before and after. No cycle begins before the first figures,
// nor runs during the last.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"time"
)

// Bounds of the flags keep a mistyped figure from eating the machine.
const (
	maxCount = 10_000
	maxRate  = 1 << 30
	maxFor   = 10 * time.Minute
)

var (
	forced    = flag.Int("forced", 5, "scene cycles: calls of runtime.GC")
	automatic = flag.Int("automatic", 5, "scene cycles: cycles that start by themselves")
	times     = flag.Int("times", 20, "scene stw: pauses of each kind")
	rate      = flag.Int("rate", 10<<20, "scene limit: bytes a second")
	length    = flag.Duration("for", 3*time.Second, "how long the scenes assist, thrash, limit, late and idle last")
)

// scene is what is played, and what is there before.
type scene struct{ prepare, play func() }

// scenes are all there is to play.
var scenes = map[string]scene{
	"cycles": {nothing, cycles},
	"assist": {plantTree, assist},
	"thrash": {plantTree, thrash},
	"stw":    {nothing, stopTheWorld},
	"limit":  {nothing, leak},
	"late":   {plantTree, late},
	"huge":   {nothing, huge},
	"idle":   {nothing, func() { time.Sleep(*length) }},
}

func nothing() {}

func main() {
	name := flag.String("scene", "cycles", "what to do")
	flag.Parse()
	scene := scenes[*name]
	if flag.NArg() > 0 || scene.play == nil || !within(*forced, maxCount) || !within(*automatic, maxCount) ||
		!within(*times, maxCount) || !within(*rate, maxRate) || *length < 0 || *length > maxFor {
		fmt.Fprintf(os.Stderr, "gc: want -scene of %s, -forced, -automatic and -times of 0 to %d, -rate of 0 to %d, -for of 0 to 10m, and no arguments\n",
			strings.Join(sceneNames(), ", "), maxCount, maxRate)
		os.Exit(2)
	}
	if err := run(scene); err != nil {
		fmt.Fprintln(os.Stderr, "gc:", err)
		os.Exit(1)
	}
}

func within(n, limit int) bool { return 0 <= n && n <= limit }

func sceneNames() []string {
	var names []string
	for name := range scenes {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func run(scene scene) error {
	stopCollecting()
	scene.prepare()
	runtime.GC()
	r := report{GoVersion: runtime.Version()}
	input := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	if _, err := input.ReadString('\n'); err != nil {
		return nil
	}
	r.Before = read()
	scene.play()
	r.After = read()
	fmt.Println("done")
	if _, err := input.ReadString('\n'); err != nil {
		return nil
	}
	r.Calls, r.Pauses, r.Sites = calls, pauses, sites
	defer runtime.KeepAlive(&kept)
	return json.NewEncoder(os.Stdout).Encode(r)
}

// stopCollecting returns when no cycle runs, and none will.
func stopCollecting() {
	debug.SetMemoryLimit(math.MaxInt64)
	debug.SetGCPercent(-1)
}
