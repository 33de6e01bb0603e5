// File crash.go makes the mistakes that the runtime punishes.

package main

import (
	"fmt"
	"os"
	"strings"
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
var shared = map[string]int64{}

// longKey is so long that most of a write is the comparison with the key that is
// there, while the map is marked as being written to: the other goroutine finds
// that mark, not a map in pieces, about which the runtime has other messages.
const longKey = 1 << 20

//go:noinline
func writeShared(key string) {
	for {
		shared[key] = 1
	}
}

// concurrent does not come back: the runtime notices and kills the process.
func concurrent() {
	shared[strings.Repeat("k", longKey)] = 0
	// Each has a string of its own: the same string would not be compared.
	go writeShared(strings.Repeat("k", longKey))
	go writeShared(strings.Repeat("k", longKey))
	time.Sleep(maxFor)
	fmt.Fprintln(os.Stderr, "maps: nobody noticed two writers")
	os.Exit(3)
}
