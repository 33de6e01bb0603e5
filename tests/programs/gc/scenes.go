// File scenes.go has one function for each scene. What a site in the capture must
// show is on a line that ends in the mark.

package main

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// What the scenes say of themselves.
var (
	calls  int
	pauses = map[string]int{}
	sites  = []site{}
)

// kept is what stays alive until the end.
var kept struct {
	tree   *node
	newest [allocators]*node
	blocks [][]byte
	sink   []byte
}

// node is something that the collector has to look into.
type node struct {
	left, right *node
	values      [4]uint64
}

// newTree has 2^depth-1 nodes. It does not call itself: a call for each branch
// would make half a million different stacks, more than a capture keeps.
func newTree(depth int) *node {
	nodes := make([]*node, 1<<depth)
	for i := len(nodes) - 1; i > 0; i-- {
		nodes[i] = &node{}
		if 2*i < len(nodes) {
			nodes[i].left, nodes[i].right = nodes[2*i], nodes[2*i+1]
		}
	}
	return nodes[1]
}

// liveDepth makes a live heap of 25 MB, which takes long enough to mark that
// everybody has to assist.
const liveDepth = 19

// plantTree makes the live heap.
func plantTree() { kept.tree = newTree(liveDepth) }

//go:noinline
func collect() {
	runtime.GC() // calls here
	calls++
}

//go:noinline
func newGarbage() { kept.sink = make([]byte, 4096) }

// cycles has the collector run when it is told to, and when the heap has grown.
func cycles() {
	debug.SetGCPercent(100)
	for i := 0; i < *forced; i++ {
		collect()
	}
	for end := automaticCycles() + uint64(*automatic); automaticCycles() < end; {
		for i := 0; i < 64; i++ {
			newGarbage()
		}
	}
}

// allocators is the number of goroutines that allocate at the same time.
const allocators = 8

// allocate makes garbage that the collector would have to look into.
//
//go:noinline
func allocate(newest **node) { *newest = &node{left: kept.tree} } // allocates here

// allocateAll does so in several goroutines, as fast as they can, until it is
// over.
func allocateAll(over func() bool) {
	var group sync.WaitGroup
	var stop int32
	for i := range kept.newest {
		group.Add(1)
		go func(newest **node) {
			defer group.Done()
			for atomic.LoadInt32(&stop) == 0 {
				for i := 0; i < 256; i++ {
					allocate(newest)
				}
			}
		}(&kept.newest[i])
	}
	for time.Sleep(*length); !over(); {
		time.Sleep(100 * time.Millisecond)
	}
	atomic.StoreInt32(&stop, 1)
	group.Wait()
}

// assist has goroutines allocate faster than the collector marks, until the
// runtime has counted that they assist, however slow the machine is; before Go
// 1.20 it does not count that, only cycles.
func assist() {
	cycles := automaticCycles() + manyCycles
	before, _ := assisted()
	debug.SetGCPercent(50)
	allocateAll(func() bool {
		now, known := assisted()
		return automaticCycles() >= cycles && (now > before || !known)
	})
	stopCollecting()
}

// manyCycles are so many that nobody takes them for chance.
const manyCycles = 20

// thrash has a memory limit that leaves next to no room, so that the collector
// runs all the time. What it makes is garbage of large objects: the fewer they
// are, the less of the time goes to whoever watches each of them. It goes on until
// the runtime has counted many cycles, however slow the machine is.
func thrash() {
	collect()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	pauses["read mem stats"]++
	debug.SetMemoryLimit(int64(stats.Sys-stats.HeapIdle) + 2<<20)
	start, cycles := time.Now(), automaticCycles()+manyCycles
	for time.Since(start) < *length || automaticCycles() < cycles {
		for i := 0; i < 64; i++ {
			newGarbage()
		}
	}
	stopCollecting()
}

// stopTheWorld does so for reasons that are not the collector's.
func stopTheWorld() {
	var stats runtime.MemStats
	processors := runtime.GOMAXPROCS(0)
	for i := 0; i < *times; i++ {
		runtime.ReadMemStats(&stats)
		// To the same number it would do nothing.
		runtime.GOMAXPROCS(processors + 1 - i%2)
	}
	pauses["read mem stats"] += *times
	pauses["GOMAXPROCS"] += *times
}

// blockSize is that of what is leaked and what is freed late.
const blockSize = 64 << 10

//go:noinline
func leakBlock() {
	block := make([]byte, blockSize) // allocates here
	for i := range block {
		block[i] = 1
	}
	kept.blocks = append(kept.blocks, block)
}

// leak goes on until the process is killed, or its time is over.
func leak() {
	debug.SetGCPercent(100)
	start := time.Now()
	leaked := 0
	for time.Since(start) < *length {
		due := int(time.Since(start).Seconds() * float64(*rate))
		for ; leaked < due; leaked += blockSize {
			leakBlock()
		}
		time.Sleep(time.Millisecond)
	}
	stopCollecting()
	tell("leakBlock", leaked/blockSize, leaked)
}

// late frees what it has used in a burst, but the runtime keeps the memory: the
// scavenger aims at what the heap was when the last cycle ended, before it was
// swept, if the goal has not changed since the cycle before. So no cycle may start
// in the burst: the goal is far above it.
func late() {
	debug.SetGCPercent(1000)
	collect()
	collect()
	const blocks = 96 << 20 / blockSize
	for i := 0; i < blocks; i++ {
		leakBlock()
		if i%16 == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	tell("leakBlock", blocks, blocks*blockSize)
	kept.blocks = nil
	collect()
	time.Sleep(*length)
}

const hugeSize = 256 << 20

// huge asks for much at once, and uses little of it.
//
//go:noinline
func huge() {
	debug.SetGCPercent(100)
	kept.sink = make([]byte, hugeSize) // allocates here
	for at := 0; at < hugeSize; at += 1 << 20 {
		kept.sink[at] = 1
	}
	tell("huge", 1, hugeSize)
	time.Sleep(*length)
}

func tell(function string, allocs, bytes int) {
	sites = append(sites, site{"main." + function, uint64(allocs), uint64(bytes)})
}
