// Package main allocates below an assembly function that has the frame pointer
// point to memory that is not there. It stays so during the call, while garbage is
// collected and goroutines are preempted; nothing in the runtime follows frame
// pointers unless it is asked for an execution trace or a profile of blocking.
//
// It writes "ready", waits for a line of input, makes as many calls as -calls
// says, writes "done" and waits for another line.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime"
)

// object is what a call allocates, 48 bytes with a pointer.
type object struct {
	next *object
	tail [5]int
}

var last *object

func main() {
	calls := flag.Int("calls", 1000, "allocations below the assembly function")
	flag.Parse()
	if flag.NArg() > 0 || *calls < 1 {
		fmt.Fprintln(os.Stderr, "badframe: want -calls 1 or more and no arguments")
		os.Exit(2)
	}
	input := bufio.NewReader(os.Stdin)
	step(input, "ready")
	end := make(chan struct{})
	go func() {
		for i := 0; i < *calls; i++ {
			withoutFramePointer()
		}
		close(end)
	}()
	for running := true; running; {
		select {
		case <-end:
			running = false
		default:
			runtime.GC()
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

// withoutFramePointer calls allocate with a frame pointer that leads nowhere.
func withoutFramePointer()

//go:noinline
func allocate() {
	last = &object{next: last}
	last.next = nil
}
