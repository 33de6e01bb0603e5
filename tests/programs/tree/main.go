// Package main allocates at the leaves of a tree of calls: each leaf has a stack
// of its own, and all of them end at one place.
//
// It writes "ready", waits for a line of input, visits all leaves as often as
// -passes says, writes "done" and waits for another line.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime"
)

// depth of the tree, and so 1<<depth leaves at most.
const depth = 20

// object is what a leaf allocates, 32 bytes with a pointer.
type object struct {
	next *object
	leaf [3]int
}

var last *object

func main() {
	leaves := flag.Int("leaves", 1000, "distinct stacks")
	passes := flag.Int("passes", 1, "visits of each")
	flag.Parse()
	if flag.NArg() > 0 || *leaves < 1 || *leaves > 1<<depth || *passes < 1 {
		fmt.Fprintf(os.Stderr, "tree: want -leaves 1..%d, -passes 1 or more and no arguments\n", 1<<depth)
		os.Exit(2)
	}
	input := bufio.NewReader(os.Stdin)
	// The first cycle allocates its workers, in the midst of whoever starts it.
	runtime.GC()
	step(input, "ready")
	for pass := 0; pass < *passes; pass++ {
		for leaf := 0; leaf < *leaves; leaf++ {
			descend(leaf, depth)
		}
	}
	step(input, "done")
}

// step says where the program is and waits until it may go on.
func step(input *bufio.Reader, state string) {
	fmt.Println(state)
	if _, err := input.ReadString('\n'); err != nil {
		os.Exit(1)
	}
}

// descend goes one level down at one of two places, so that the bits of a leaf's
// number are its stack.
//
//go:noinline
func descend(leaf, below int) int {
	if below == 0 {
		return allocate(leaf)
	}
	if leaf&1 == 0 {
		return descend(leaf>>1, below-1) + 1
	}
	return descend(leaf>>1, below-1) + 2
}

//go:noinline
func allocate(leaf int) int {
	last = &object{leaf: [3]int{leaf}}
	return len(last.leaf)
}
