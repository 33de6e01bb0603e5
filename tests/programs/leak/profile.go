// File profile.go reads the runtime's own heap profile and its counters.

package main

import (
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
)

// maxBuckets is far above the number of stacks that this program allocates at.
const maxBuckets = 4096

// snapshot is what the runtime says at one moment.
type snapshot struct {
	buckets []runtime.MemProfileRecord
	count   int
	stats   runtime.MemStats
}

// record is a part of the profile: what was sampled at a function, of one size.
// The counts are raw: those of samples.
type record struct {
	// Function is the innermost one that is not the runtime's own.
	Function     string `json:"function"`
	Size         int64  `json:"size"`
	AllocObjects int64  `json:"alloc_objects"`
	FreeObjects  int64  `json:"free_objects"`
}

// setRate sets the rate of the profiler. In older releases a processor still waits
// for the sample that it has chosen by the rate before, so that each of them gets
// one: a goroutine on each, and none goes on before the last has started.
func setRate(rate int) {
	runtime.MemProfileRate = rate
	processors := int32(runtime.GOMAXPROCS(0))
	var started int32
	var group sync.WaitGroup
	for i := int32(0); i < processors; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			atomic.AddInt32(&started, 1)
			for atomic.LoadInt32(&started) < processors {
			}
			// As good as certain to be sampled at the default rate.
			_ = make([]byte, 16<<20+processors)
		}()
	}
	group.Wait()
}

func newSnapshot() *snapshot {
	return &snapshot{buckets: make([]runtime.MemProfileRecord, maxBuckets)}
}

// take reads everything without an allocation. Two cycles publish what was
// allocated before the first of them, and what it has freed.
func (s *snapshot) take() {
	runtime.GC()
	runtime.GC()
	n, ok := runtime.MemProfile(s.buckets, true)
	if !ok {
		panic("more stacks than there is room for")
	}
	s.count = n
	runtime.ReadMemStats(&s.stats)
}

func (s *snapshot) figures() figures {
	return figures{
		Mallocs: s.stats.Mallocs, TotalAlloc: s.stats.TotalAlloc,
		HeapAlloc: s.stats.HeapAlloc, NumGC: s.stats.NumGC,
	}
}

// records has the buckets of the snapshot, those of equal function and size as one.
func (s *snapshot) records() []record {
	type key struct {
		function string
		size     int64
	}
	sums := map[key]record{}
	for i := range s.buckets[:s.count] {
		bucket := &s.buckets[i]
		if bucket.AllocObjects == 0 {
			continue
		}
		k := key{innermost(bucket.Stack()), bucket.AllocBytes / bucket.AllocObjects}
		sum := sums[k]
		sum.Function, sum.Size = k.function, k.size
		sum.AllocObjects += bucket.AllocObjects
		sum.FreeObjects += bucket.FreeObjects
		sums[k] = sum
	}
	all := make([]record, 0, len(sums))
	for _, sum := range sums {
		all = append(all, sum)
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Function != all[j].Function {
			return all[i].Function < all[j].Function
		}
		return all[i].Size < all[j].Size
	})
	return all
}

// innermost is the function that the tracer would name as the site. The profile
// has frames of the runtime on top since Go 1.26.
func innermost(stack []uintptr) string {
	frames := runtime.CallersFrames(stack)
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") && !strings.HasPrefix(frame.Function, "internal/runtime/") {
			return frame.Function
		}
		if !more {
			return ""
		}
	}
}
