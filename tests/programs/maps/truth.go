// File truth.go says what a tracer must have seen.

package main

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
)

// truth is what is printed once everything has been played.
var truth []string

func tell(format string, values ...interface{}) {
	truth = append(truth, fmt.Sprintf(format, values...))
}

// site is what one function does to maps.
type site struct {
	writes, deletes, clears, nils uint64
	net                           int64
}

func tellSite(function string, s site) {
	tell("site main.%s writes %d deletes %d clears %d nil %d net %d", function, s.writes, s.deletes, s.clears, s.nils, s.net)
}

// tellFill says what a function does that fills one new map, key by key, which
// nothing is deleted from.
func tellFill(function string, entries int) {
	tellSite(function, site{writes: uint64(entries), net: int64(entries)})
	tellMap(function, 1, entries, growths(entries))
}

// tellMap says what becomes of the maps that a function is the first to write to;
// growths below 0 are not known.
func tellMap(function string, instances, max, growths int) {
	known := "-"
	if growths >= 0 {
		known = strconv.Itoa(growths)
	}
	tell("map main.%s instances %d max %d growths %s", function, instances, max, known)
}

// growths is how often a map grows that is made without a size and filled to
// that many entries; below 0 if its random seed decides.
func growths(entries int) int {
	if entries > keyCount {
		return -1
	}
	n := 0
	for entries > capacity(n) {
		n++
	}
	return n
}

// capacity is the number of entries that a map holds before it grows once more.
func capacity(growths int) int {
	if swiss {
		// internal/runtime/maps: one group of 8 filled up, then a table that is
		// filled to 7/8, up to 1024 slots; the split of such a table makes two,
		// each of which takes a fraction of the entries that the seed decides.
		switch slots := 8 << growths; {
		case slots == 8:
			return 8
		case slots <= 1024:
			return slots / 8 * 7
		}
		return keyCount
	}
	// runtime/map.go, overLoadFactor: the insert of the 9th entry is the first to
	// grow the map; 2^B buckets take 6.5 entries each, in Go 1.21 only 6, which
	// rounds that figure down. Overflowing buckets alone make a map grow only
	// after deletes: at that load there are too few.
	buckets := 1 << growths
	if buckets == 1 {
		return 8
	}
	if minor == 21 {
		return 6 * buckets
	}
	return 13 * (buckets / 2)
}

// The runtime's rules follow the minor version of Go 1. Maps are Swiss tables
// from 1.24 on, unless an experiment turned them off.
var (
	minor = minorVersion()
	swiss = minor >= 24 && !strings.Contains(runtime.Version(), "noswissmap")
)

func minorVersion() int {
	words := strings.SplitN(runtime.Version(), ".", 3)
	n := 0
	for i := 0; len(words) > 1 && i < len(words[1]) && words[1][i] >= '0' && words[1][i] <= '9'; i++ {
		n = 10*n + int(words[1][i]-'0')
	}
	return n
}
