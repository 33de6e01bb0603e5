// File heavy.go does nothing but maps: what tracing costs is measured on it.

package main

import (
	"fmt"
	"syscall"
	"time"
)

// table is small enough for the caches of the processor: the cost of the write
// itself must not hide what tracing adds.
const table = 4096

// built is the number of entries of the maps that are built and dropped.
const built = 100

// batch is the number of operations between two looks at the clock.
const batch = 4000

//go:noinline
func overwrite(numbers map[int64]int64, texts map[string]int64, from int64) {
	for i := from; i < from+batch/2; i++ {
		numbers[i%table] = i
		texts[keys[i%keyCount]] = i
	}
}

// buildAndDrop makes maps that grow from nothing and are garbage at once.
//
//go:noinline
func buildAndDrop(from int64) {
	for i := 0; i < batch/built; i++ {
		last = map[int64]int64{}
		for key := from; key < from+built; key++ {
			last[key] = key
		}
	}
}

// heavy prints its figures at once: writes, and nanoseconds of CPU time and of
// wall-clock time for each.
func heavy() {
	numbers, texts := map[int64]int64{}, map[string]int64{}
	keep(numbers)
	keep(texts)
	for i := int64(0); i < table; i++ {
		numbers[i] = i
	}
	for _, key := range keys {
		texts[key] = 0
	}
	operations := int64(0)
	start, cpu := time.Now(), processorTime()
	for time.Since(start) < *length {
		if *build {
			buildAndDrop(operations)
		} else {
			overwrite(numbers, texts, operations)
		}
		operations += batch
	}
	wall, used := time.Since(start), processorTime()-cpu
	perWrite := func(d time.Duration) float64 { return float64(d) / float64(operations) }
	if *build {
		tellSite("buildAndDrop", site{writes: uint64(operations), net: operations})
	} else {
		tellSite("overwrite", site{writes: uint64(operations)})
	}
	fmt.Printf("heavy writes %d cpu_ns %.2f wall_ns %.2f\n", operations, perWrite(used), perWrite(wall))
}

// processorTime is what the process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
