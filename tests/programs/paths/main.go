// Package main reaches one place that allocates along ever other paths, as a
// program does that recurses over its data: the number of its stacks grows, its
// places stay the same.
//
// The calls on the way are the binary digits of a number that counts the
// objects, so that each of 2^depth objects in a row has a stack of its own. It
// writes "ready", makes the first objects as soon as its standard input has a
// line, writes "made", and goes on at a steady rate until its standard input
// ends; then it writes "objects N".
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"time"
)

// Bounds of the flags: they keep a mistyped figure from eating the machine.
const (
	maxFirst = 10_000_000
	maxRate  = 1_000_000
	maxDepth = 30
)

const tick = 10 * time.Millisecond

var kept [1024]*[64]byte

//go:noinline
func leaf(number int) {
	kept[number%len(kept)] = new([64]byte)
}

//go:noinline
func zero(number, depth int) {
	step(number, depth)
}

//go:noinline
func one(number, depth int) {
	step(number, depth)
}

func step(number, depth int) {
	switch {
	case depth == 0:
		leaf(number)
	case number>>(depth-1)&1 == 0:
		zero(number, depth-1)
	default:
		one(number, depth-1)
	}
}

func main() {
	first := flag.Int("first", 0, "objects to make at once")
	rate := flag.Int("rate", 1500, "objects per second after that")
	depth := flag.Int("depth", 17, "calls on the way to an object")
	flag.Parse()
	if flag.NArg() > 0 || !within(*first, maxFirst) || !within(*rate, maxRate) || !within(*depth, maxDepth) {
		fmt.Fprintf(os.Stderr, "paths: want -first 0..%d, -rate 0..%d, -depth 0..%d and no arguments\n",
			maxFirst, maxRate, maxDepth)
		os.Exit(2)
	}

	input := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	if _, err := input.ReadString('\n'); err != nil {
		return
	}
	ended := make(chan struct{})
	made := 0
	for ; made < *first; made++ {
		step(made, *depth)
	}
	fmt.Println("made")
	go func() {
		input.ReadString('\n')
		close(ended)
	}()

	began := time.Now()
	ticker := time.NewTicker(tick)
	for {
		select {
		case <-ended:
			fmt.Println("objects", made)
			return
		case <-ticker.C:
		}
		due := *first + int(time.Since(began).Seconds()*float64(*rate))
		for ; made < due; made++ {
			step(made, *depth)
		}
	}
}

func within(value, limit int) bool {
	return value >= 0 && value <= limit
}
