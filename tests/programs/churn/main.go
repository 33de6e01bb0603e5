// Package main is the allocation-bound loop that overhead is measured on: every
// iteration allocates two objects at the bottom of a stack of known depth and
// does next to nothing else.
//
// It writes "ready", then every 100 ms a line `iterations N` with the count
// since the start, and such a line again at the end.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// Bounds of the flags: they keep a mistyped figure from eating the machine.
const (
	maxGoroutines = 256
	maxSize       = 1 << 20
	maxDepth      = 1000
)

const reportInterval = 100 * time.Millisecond

// batch is how many iterations go between two looks at the shared variables.
const batch = 64

// entry is the first object of an iteration, 48 bytes with pointers; its
// payload is the second one.
type entry struct {
	next       *entry
	payload    []byte
	key, value int64
}

// counter counts the iterations of one goroutine; the padding keeps two of them
// out of one cache line.
type counter struct {
	iterations atomic.Uint64
	_          [120]byte
}

func main() {
	goroutines := flag.Int("goroutines", 1, "goroutines that allocate")
	duration := flag.Duration("duration", 0, "how long to run; 0: until standard input ends")
	size := flag.Int("size", 64, "bytes of the second object of an iteration")
	depth := flag.Int("depth", 8, "frames from the loop down to the allocations")
	profileRate := flag.Int("memprofilerate", -1, "runtime.MemProfileRate to set: 1 profiles every allocation; below 0: leave it")
	flag.Parse()
	if flag.NArg() > 0 || !within(*goroutines, maxGoroutines) || !within(*size, maxSize) || !within(*depth, maxDepth) || *duration < 0 {
		fmt.Fprintf(os.Stderr, "churn: want -goroutines 1..%d, -size 1..%d, -depth 1..%d, -duration 0 or more and no arguments\n",
			maxGoroutines, maxSize, maxDepth)
		os.Exit(2)
	}

	// GODEBUG=memprofilerate has no effect on a program that never reads the
	// profile: the linker turns profiling off in it.
	if *profileRate >= 0 {
		runtime.MemProfileRate = *profileRate
	}
	counters := make([]counter, *goroutines)
	for i := range counters {
		go churn(&counters[i], *size, *depth)
	}
	write([]byte("ready\n"))
	report(counters, end(*duration))
}

func within(n, limit int) bool { return 1 <= n && n <= limit }

// churn allocates for as long as the program runs.
func churn(done *counter, size, depth int) {
	var last *entry
	for {
		for i := 0; i < batch; i++ {
			last = descend(depth-1, size, last)
		}
		done.iterations.Add(batch)
	}
}

// descend goes down to allocate, and has work left after its call, so that every
// level keeps its frame. At the bottom it cuts the chain behind the last entry:
// at most two entries of a goroutine are alive.
//
//go:noinline
func descend(below, size int, last *entry) *entry {
	if below > 0 {
		e := descend(below-1, size, last)
		e.value++
		return e
	}
	e := &entry{next: last}
	e.payload = make([]byte, size)
	if last != nil {
		last.next = nil
	}
	return e
}

// end returns a channel that is closed when it is time to stop.
func end(duration time.Duration) <-chan struct{} {
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		if duration > 0 {
			time.Sleep(duration)
			return
		}
		var buffer [64]byte
		for {
			n, err := syscall.Read(0, buffer[:])
			if err != syscall.EINTR && (err != nil || n == 0) {
				return
			}
		}
	}()
	return stop
}

// report writes the sum of the counters at every interval, without allocating.
func report(counters []counter, stop <-chan struct{}) {
	ticker := time.NewTicker(reportInterval)
	line := make([]byte, 0, 64)
	for running := true; running; {
		select {
		case <-ticker.C:
		case <-stop:
			running = false
		}
		var sum uint64
		for i := range counters {
			sum += counters[i].iterations.Load()
		}
		line = append(line[:0], "iterations "...)
		line = strconv.AppendUint(line, sum, 10)
		line = append(line, '\n')
		write(line)
	}
}

// write puts one line on standard output; nobody reading it any more is the end.
func write(line []byte) {
	for len(line) > 0 {
		n, err := syscall.Write(1, line)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			os.Exit(1)
		}
		line = line[n:]
	}
}
