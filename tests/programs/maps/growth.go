// File growth.go makes maps grow, keeps them from growing, and frees them.

package main

import (
	"runtime"
	"time"
	"unsafe"
)

// growByKey fills a map that was made without a size. It measures what the
// inserts allocate that make the map grow, and what all of them do.
//
//go:noinline
func growByKey(m map[string]int64) (growing, everything uint64) {
	var start, before, after runtime.MemStats
	runtime.ReadMemStats(&start)
	for i, grown := 0, 0; i < keyCount; i++ {
		grows := growths(i+1) > grown
		if grows {
			runtime.ReadMemStats(&before)
		}
		m[keys[i]] = int64(i)
		if grows {
			grown++
			runtime.ReadMemStats(&after)
			growing += after.TotalAlloc - before.TotalAlloc
		}
	}
	runtime.ReadMemStats(&after)
	return growing, after.TotalAlloc - start.TotalAlloc
}

//go:noinline
func fillPresized(m map[string]int64) {
	for i := range keys {
		m[keys[i]] = int64(i)
	}
}

func grow() {
	grown, presized := map[string]int64{}, make(map[string]int64, keyCount)
	keep(grown)
	keep(presized)
	growing, everything := growByKey(grown)
	fillPresized(presized)
	tellFill("growByKey", keyCount)
	tell("bytes main.growByKey growing %d all %d", growing, everything)
	tellSite("fillPresized", site{writes: keyCount, net: keyCount})
	tellMap("fillPresized", 1, keyCount, 0)
}

// The bound of the cache, and how often something is put into it.
const (
	bound = 500
	puts  = 20_000
)

//go:noinline
func cachePut(m map[int64]*user, key int64) { m[key] = &user{age: key} }

//go:noinline
func cacheEvict(m map[int64]*user, key int64) { delete(m, key) }

func bounded() {
	m := map[int64]*user{}
	keep(m)
	fillCache(m, puts)
	tellSite("cachePut", site{writes: puts, net: puts})
	tellSite("cacheEvict", site{deletes: puts - bound, net: bound - puts})
	tellMap("cachePut", 1, bound, -1)
}

func fillCache(m map[int64]*user, puts int64) {
	for key := int64(0); key < puts; key++ {
		if key >= bound {
			cacheEvict(m, key-bound)
		}
		cachePut(m, key)
	}
}

// reused is the number of maps that are built one after another.
const reused = 200

var last map[int64]int64

// buildOne fills a map. The write to a key that is there already is so that the
// full length is seen by it.
//
//go:noinline
func buildOne(entries int64) {
	last = map[int64]int64{}
	for key := int64(0); key < entries; key++ {
		last[key] = key
	}
	last[0] = 1
}

func reuse() {
	addresses := make([]uintptr, 0, reused)
	var writes, max int64
	for i := int64(0); i < reused; i++ {
		// A large map is followed by smaller ones at its address.
		entries := 160 - i%150
		buildOne(entries)
		addresses = append(addresses, header(unsafe.Pointer(&last)))
		writes += entries + 1
		if entries > max {
			max = entries
		}
		last = nil
		if i%4 == 0 {
			runtime.GC()
		}
	}
	different := 0
	for i, address := range addresses {
		if !contains(addresses[:i], address) {
			different++
		}
	}
	tellSite("buildOne", site{writes: uint64(writes), net: writes - reused})
	tellMap("buildOne", reused, int(max), -1)
	tell("reused maps %d addresses %d", reused, different)
}

// header is the address of what a map variable points to.
func header(variable unsafe.Pointer) uintptr { return *(*uintptr)(variable) }

func contains(list []uintptr, wanted uintptr) bool {
	for _, one := range list {
		if one == wanted {
			return true
		}
	}
	return false
}

// onStack is the number of entries of a map that stays on the stack.
const onStack = 6

// writeOnStack writes to a map that does not escape, and makes the stack move
// after each write; it gives the number of moves.
//
//go:noinline
func writeOnStack() (moves int) {
	m := map[int64]int64{}
	depth := 8
	for key := int64(0); key < onStack; key++ {
		before := header(unsafe.Pointer(&m))
		m[key] = key
		descend(depth)
		depth *= 4
		if header(unsafe.Pointer(&m)) != before {
			moves++
		}
	}
	m[0] = 1
	return moves
}

// descend has work left after its call, so that every level keeps its frame.
//
//go:noinline
func descend(below int) int {
	var room [16]int
	room[below%16] = below
	if below > 0 {
		return descend(below-1) + room[below%16]
	}
	return room[0]
}

func stack() {
	moves := make(chan int)
	// A new goroutine begins with a small stack.
	go func() { moves <- writeOnStack() }()
	moved := <-moves
	tellSite("writeOnStack", site{writes: onStack + 1, net: onStack})
	tellMap("writeOnStack", 1, onStack, 0)
	tell("moved main.writeOnStack %d", moved)
}

// leaked grows for as long as the scene leak lasts.
var leaked = map[string]*user{}

//go:noinline
func leakOne(name string) { leaked[name] = &user{name: name} }

// leak adds about 20,000 entries a second to one map, and goes on putting into a
// cache that does not grow.
func leak() {
	cache := map[int64]*user{}
	keep(cache)
	entries, put := 0, int64(0)
	name := make([]byte, 0, 32)
	for end := time.Now().Add(*length); time.Now().Before(end); time.Sleep(time.Millisecond) {
		for i := 0; i < 20; i++ {
			name = appendNumber(append(name[:0], "session-"...), entries)
			leakOne(string(name))
			entries++
			if put >= bound {
				cacheEvict(cache, put-bound)
			}
			cachePut(cache, put)
			put++
		}
	}
	tellSite("leakOne", site{writes: uint64(entries), net: int64(entries)})
	tellMap("leakOne", 1, entries, -1)
	tellSite("cachePut", site{writes: uint64(put), net: put})
	tellMap("cachePut", 1, bound, -1)
}

func appendNumber(to []byte, n int) []byte {
	if n >= 10 {
		to = appendNumber(to, n/10)
	}
	return append(to, byte('0'+n%10))
}
