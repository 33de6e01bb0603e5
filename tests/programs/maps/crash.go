// File crash.go makes the mistakes that the runtime punishes.

package main

import (
	"fmt"
	"os"
	"time"
)

// writeToNil writes to a map that nobody made.
func writeToNil() {
	if *die {
		setInNil(nil, 1)
	}
	for i := int64(0); i < 3; i++ {
		recovered(i)
	}
	tellSite("setInNil", site{nils: 3})
}

func recovered(key int64) {
	defer func() { recover() }()
	setInNil(nil, key)
}

//go:noinline
func setInNil(m map[int64]int64, key int64) { m[key] = 1 }

// shared is written to by two goroutines at once.
var shared = map[int64]int64{}

//go:noinline
func writeShared(from int64) {
	for key := from; ; key += 2 {
		shared[key] = key
	}
}

// concurrent does not come back: the runtime notices and kills the process.
func concurrent() {
	go writeShared(0)
	go writeShared(1)
	time.Sleep(maxFor)
	fmt.Fprintln(os.Stderr, "maps: nobody noticed two writers")
	os.Exit(3)
}
