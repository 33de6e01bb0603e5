// Package main makes the kernel give it pages, a known number of them at known
// lines: the target that the tracing of page faults is tested on.
//
// Usage: pages -scene NAME[,NAME...]. It prepares its scenes, writes "ready" and
// waits for a line on standard input, which leaves time to attach; it plays the
// scenes, writes "done" and waits for a line again, which leaves time to detach;
// then it prints one line of JSON: what the kernel counted meanwhile, by
// getrusage, for the whole process and for the thread of each step.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"time"
)

// Bounds of the flags keep a mistyped figure from eating the machine.
const (
	maxPages = 1 << 20
	maxRate  = 1_000_000
	maxFor   = 10 * time.Minute
)

var (
	pages  = flag.Int("pages", 20_000, "pages of most scenes")
	huge   = flag.Bool("thp", false, "ask for transparent huge pages in the scene touch; else the process has none")
	rate   = flag.Int("rate", 50_000, "scene steady: pages a second")
	length = flag.Duration("for", 5*time.Second, "scene steady: how long")
)

// step is what a scene does in one function.
type step struct {
	// function holds the line that faults.
	function string
	// pages are touched there.
	pages int
	run   func()
}

// scenes prepare what they need, and give their steps.
var scenes = map[string]func() ([]step, error){
	"touch":   prepareTouch,
	"read":    prepareRead,
	"clear":   prepareClear,
	"stack":   prepareStack,
	"binary":  prepareBinary,
	"syscall": prepareSyscall,
	"steady":  prepareSteady,
	"idle":    func() ([]step, error) { return nil, nil },
}

// all is what "-scene all" plays.
var all = []string{"touch", "read", "clear", "stack", "binary", "syscall"}

func main() {
	names := flag.String("scene", "all", "what to do: names, separated by commas")
	flag.Parse()
	wanted := strings.Split(*names, ",")
	if *names == "all" {
		wanted = all
	}
	if flag.NArg() > 0 || !within(*pages, maxPages) || !within(*rate, maxRate) || *length < 0 || *length > maxFor || unknown(wanted) {
		fmt.Fprintf(os.Stderr, "pages: want -scene of %s, -pages of 1 to %d, -rate of 1 to %d, -for of 0 to 10m, and no arguments\n",
			strings.Join(sceneNames(), ", "), maxPages, maxRate)
		os.Exit(2)
	}
	if err := run(wanted); err != nil {
		fmt.Fprintln(os.Stderr, "pages:", err)
		os.Exit(1)
	}
}

func within(n, limit int) bool { return 1 <= n && n <= limit }

func unknown(wanted []string) bool {
	for _, name := range wanted {
		if scenes[name] == nil {
			return true
		}
	}
	return false
}

func sceneNames() []string {
	var names []string
	for name := range scenes {
		names = append(names, name)
	}
	sort.Strings(names)
	return append(names, "all")
}

func run(wanted []string) error {
	// The collector's own pages are not what is counted here.
	debug.SetGCPercent(-1)
	if !*huge {
		if err := disableHugePages(); err != nil {
			return err
		}
	}
	var steps []step
	for _, name := range wanted {
		prepared, err := scenes[name]()
		if err != nil {
			return fmt.Errorf("prepare the scene %s: %w", name, err)
		}
		steps = append(steps, prepared...)
	}
	counts := newCounts(steps)
	input := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	if _, err := input.ReadString('\n'); err != nil {
		return nil
	}
	counts.take(steps)
	fmt.Println("done")
	if _, err := input.ReadString('\n'); err != nil {
		return nil
	}
	defer runtime.KeepAlive(kept)
	return json.NewEncoder(os.Stdout).Encode(counts.report(steps))
}
