// File scene.go divides what is to be leaked among the functions of sites.go, and
// plays it step by step.

package main

import (
	"context"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

// Steps of the scene: one each stepTime, and enough of them for a steady growth.
const (
	stepTime = 10 * time.Millisecond
	minSteps = 100
)

// depth is the number of frames below main.leakDeep.
const depth = 50

// amount is a number of objects and their bytes, as large as the runtime makes them.
type amount struct {
	Objects uint64 `json:"objects"`
	Bytes   uint64 `json:"bytes"`
}

// site is what a function has allocated in the scene, and what of it is alive.
type site struct {
	Function string `json:"function"`
	Allocs   uint64 `json:"allocs"`
	Bytes    uint64 `json:"bytes"`
	Live     amount `json:"live"`
}

// kind is a way to allocate, and how much it still has to.
type kind struct {
	function string
	// one allocates for the i-th time; nothing else than the function does.
	one func(i int)
	// each is what one call allocates.
	each  amount
	calls int
	done  int
	// leaks is false if what it allocates is dropped at once.
	leaks bool
}

// kinds are set before the scene.
var kinds []*kind

// prepare makes everything that the scene needs besides what it leaks.
func prepare() {
	perMap := measureMap()
	kinds = []*kind{
		leaking("main.leakSmall", 30, amount{1, 64}, func(int) { leakSmall() }),
		leaking("main.leakBlocks", 30, amount{1, 4096}, func(i int) { leakBlocks(&kept.blocks[i], 4096) }),
		leaking("main.leakLarge", 10, amount{1, 40960}, func(i int) { leakLarge(&kept.large[i]) }),
		leaking("main.leakTables", 5, amount{1, 896}, func(i int) { leakTables(&kept.tables[i]) }),
		leaking("main.leakMap", 10, perMap, func(i int) { leakMap(&kept.maps[i]) }),
		leaking("main.newLeaf", 5, amount{1, 32}, func(int) { leakInlined() }),
		leaking("main.leakGeneric[...]", 5, amount{2, 128 + 48}, func(i int) {
			leakGeneric(&kept.arrays[i])
			leakGeneric(&kept.pairs[i])
		}),
		leaking("main.atBottom", 5, amount{1, 96}, func(int) { leakDeep(depth) }),
		{function: "main.churn", each: amount{2, 64 + 1024}, calls: *dropped / (64 + 1024), one: func(int) { churn() }},
	}
	calls := map[string]int{}
	for _, kind := range kinds {
		calls[kind.function] = kind.calls
	}
	// What keeps the objects is not made while they are: it would be at their sites.
	kept.blocks = make([][]byte, calls["main.leakBlocks"])
	kept.large = make([]*[40960]byte, calls["main.leakLarge"])
	kept.tables = make([]*[100]*node, calls["main.leakTables"])
	kept.maps = make([]map[uint64]*node, calls["main.leakMap"])
	kept.arrays = make([]*[16]uint64, calls["main.leakGeneric[...]"])
	kept.pairs = make([]*pair, calls["main.leakGeneric[...]"])
	keepBefore(*before / beforeSize)
}

// leaking has a share of what is to be leaked, in per cent.
func leaking(function string, share int, each amount, one func(int)) *kind {
	return &kind{function: function, one: one, each: each, calls: *leak / 100 * share / int(each.Bytes), leaks: true}
}

// measureMap gives what one call of leakMap allocates, which only the runtime knows.
func measureMap() amount {
	var scratch map[uint64]*node
	var first, last runtime.MemStats
	runtime.ReadMemStats(&first)
	leakMap(&scratch)
	runtime.ReadMemStats(&last)
	return amount{last.Mallocs - first.Mallocs, last.TotalAlloc - first.TotalAlloc}
}

// play plays the scene.
func play() {
	work()
	steps := int(*length / stepTime)
	if steps < minSteps {
		steps = minSteps
	}
	start := time.Now()
	collected := 0
	for step := 1; step <= steps; step++ {
		for _, kind := range kinds {
			for ; kind.done < kind.calls*step/steps; kind.done++ {
				kind.one(kind.done)
			}
		}
		if step == steps/2 {
			kept.before = nil
		}
		for ; collected < *cycles*step/steps; collected++ {
			runtime.GC()
		}
		time.Sleep(time.Until(start.Add(*length * time.Duration(step) / time.Duration(steps))))
	}
}

// sites is what the scene has allocated.
func sites() []site {
	var all []site
	for _, kind := range kinds {
		calls := uint64(kind.done)
		one := site{Function: kind.function, Allocs: calls * kind.each.Objects, Bytes: calls * kind.each.Bytes}
		if kind.leaks {
			one.Live = amount{one.Allocs, one.Bytes}
		}
		all = append(all, one)
	}
	var requests amount
	for _, of := range tenants() {
		requests.Objects += of.Objects
		requests.Bytes += of.Bytes
	}
	if requests.Objects > 0 {
		all = append(all, site{"main.leakRequests", requests.Objects, requests.Bytes, requests})
	}
	return all
}

// worker has labels, and a share of what is to be leaked with labels, in tenths.
type worker struct {
	tenant string
	labels pprof.LabelSet
	tenths int
}

var workers = []worker{
	{"a", pprof.Labels("tenant", "a"), 5},
	{"b", pprof.Labels("tenant", "b"), 3},
	{"c", pprof.Labels("tenant", "c", "region", "eu", "job", "import"), 2},
}

func (w *worker) requests() int { return *labelled / 10 * w.tenths / requestSize }

// work has each worker leak what it has to, all at the same function.
func work() {
	if *labelled == 0 {
		return
	}
	var group sync.WaitGroup
	for i := range workers {
		group.Add(1)
		go workAs(&workers[i], &kept.requests[i], &group)
	}
	group.Wait()
}

func workAs(w *worker, head **request, group *sync.WaitGroup) {
	defer group.Done()
	pprof.Do(context.Background(), w.labels, func(context.Context) {
		for i := 0; i < w.requests(); i++ {
			leakRequests(head)
		}
	})
}

func tenants() map[string]amount {
	all := map[string]amount{}
	for i := range workers {
		if n := uint64(workers[i].requests()); n > 0 {
			all[workers[i].tenant] = amount{n, n * requestSize}
		}
	}
	return all
}
