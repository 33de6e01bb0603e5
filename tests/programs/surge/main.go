// Package main allocates a thousand objects a second, then millions a second,
// then a thousand again: the target that a budget of tracing is tested on.
//
// It writes "ready" and waits for a line on standard input. Then it goes
// through its phases and writes, for each, `phase NAME user_us U system_us S`,
// then for each site `site FUNCTION allocs N bytes B`, then
// `total mallocs N bytes B` from runtime.MemStats, then "done", and waits for
// the end of standard input.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// maxPhase keeps a mistyped duration from eating the machine.
const maxPhase = 10 * time.Minute

type node struct {
	next *node
	key  [4]uint64
}

// sink keeps what is allocated on the heap; work keeps the loop from being
// nothing but allocations.
var (
	sink struct {
		node  *node
		bytes []byte
		words []uint64
	}
	work uint64
)

// calls counts the rounds; each site allocates once in a round, or in some.
var calls struct{ nodes, buffers, tables uint64 }

//go:noinline
func newNode() { sink.node = &node{next: sink.node}; sink.node.next = nil }

//go:noinline
func newBuffer() { sink.bytes = make([]byte, 96) }

//go:noinline
func newTable() { sink.words = make([]uint64, 128) }

// round makes about two allocations.
func round(n uint64) {
	newNode()
	calls.nodes++
	newBuffer()
	calls.buffers++
	if n%16 == 0 {
		newTable()
		calls.tables++
	}
	// As much work as makes a few million allocations a second.
	for i := uint64(0); i < 150; i++ {
		work = work*6364136223846793005 + i
	}
}

func main() {
	quiet := flag.Duration("quiet", 2*time.Second, "length of the phases of a thousand allocations a second")
	surge := flag.Duration("surge", 10*time.Second, "length of the phase of millions")
	flag.Parse()
	if flag.NArg() > 0 || *quiet < 0 || *quiet > maxPhase || *surge < 0 || *surge > maxPhase {
		fmt.Fprintln(os.Stderr, "surge: want -quiet and -surge of 0 to 10m, and no arguments")
		os.Exit(2)
	}
	input := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	if _, err := input.ReadString('\n'); err != nil {
		return
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	used := [3]usage{
		phase(*quiet, slowly),
		phase(*surge, quickly),
		phase(*quiet, slowly),
	}
	runtime.ReadMemStats(&after)
	for i, name := range []string{"quiet", "surge", "calm"} {
		fmt.Printf("phase %s user_us %d system_us %d\n", name, used[i].user, used[i].system)
	}
	fmt.Printf("site main.newNode allocs %d bytes %d\n", calls.nodes, calls.nodes*48)
	fmt.Printf("site main.newBuffer allocs %d bytes %d\n", calls.buffers, calls.buffers*96)
	fmt.Printf("site main.newTable allocs %d bytes %d\n", calls.tables, calls.tables*1024)
	fmt.Printf("total mallocs %d bytes %d\n", after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc)
	fmt.Println("done")
	input.ReadString('\n')
}

// slowly makes a thousand allocations a second.
func slowly(n uint64) {
	time.Sleep(2 * time.Millisecond)
	round(n)
}

// quickly makes as many as it can.
func quickly(n uint64) {
	for i := uint64(0); i < 64; i++ {
		round(64*n + i)
	}
}

// usage is CPU time in microseconds.
type usage struct{ user, system int64 }

// phase repeats a step for a while, and gives the CPU time of the process.
func phase(length time.Duration, step func(uint64)) usage {
	start := now()
	for n, end := uint64(0), time.Now().Add(length); time.Now().Before(end); n++ {
		step(n)
	}
	end := now()
	return usage{end.user - start.user, end.system - start.system}
}

func now() usage {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return usage{
		int64(u.Utime.Sec)*1e6 + int64(u.Utime.Usec),
		int64(u.Stime.Sec)*1e6 + int64(u.Stime.Usec),
	}
}
