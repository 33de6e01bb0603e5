// File kinds.go fills maps of every kind of key that the compiler has a function
// of its own for, and of the others.

package main

import (
	"reflect"
	"sync"
)

// filled is the number of entries of each map; its writes are one more, to a key
// that is there already.
const filled = 100

// user has one pointer, in its first 16 bytes.
type user struct {
	name string
	age  int64
}

type point struct{ x, y int32 }

// wide is more than the 128 bytes that entries may have to be kept in place.
type wide [200]byte

//go:noinline
func fillInt32(m map[int32]int64) {
	for i := int32(0); i <= filled; i++ {
		m[i%filled] = 1
	}
}

//go:noinline
func fillInt64(m map[int64]user) {
	for i := int64(0); i <= filled; i++ {
		m[i%filled] = user{}
	}
}

//go:noinline
func fillString(m map[string]*user) {
	for i := 0; i <= filled; i++ {
		m[keys[i%filled]] = nil
	}
}

//go:noinline
func fillPointer(m map[*user]bool, users []user) {
	for i := 0; i <= filled; i++ {
		m[&users[i%filled]] = true
	}
}

//go:noinline
func fillStruct(m map[point]string) {
	for i := int32(0); i <= filled; i++ {
		m[point{i % filled, 1}] = "there"
	}
}

//go:noinline
func fillInterface(m map[interface{}]struct{}, boxed []interface{}) {
	for i := 0; i <= filled; i++ {
		m[boxed[i%filled]] = struct{}{}
	}
}

//go:noinline
func fillFloat(m map[float64]int32) {
	for i := 0; i <= filled; i++ {
		m[float64(i%filled)] = 1
	}
}

//go:noinline
func fillWide(m map[string]wide) {
	for i := 0; i <= filled; i++ {
		m[keys[i%filled]] = wide{}
	}
}

// fillReflected writes through package reflect, whose functions are the site.
//
//go:noinline
func fillReflected(m reflect.Value, values []reflect.Value) {
	for i := 0; i <= filled; i++ {
		m.SetMapIndex(values[i%filled], values[0])
	}
}

func kinds() {
	users, boxed, values := make([]user, filled), make([]interface{}, filled), make([]reflect.Value, filled)
	for i := range users {
		boxed[i] = keys[i]
		values[i] = reflect.ValueOf(uint16(i))
	}
	small, number, text, pointer := map[int32]int64{}, map[int64]user{}, map[string]*user{}, map[*user]bool{}
	structs, mixed := map[point]string{}, map[interface{}]struct{}{}
	float, large := map[float64]int32{}, map[string]wide{}
	reflected := map[uint16]uint16{}
	for _, m := range []interface{}{small, number, text, pointer, structs, mixed, float, large, reflected} {
		keep(m)
	}
	fillInt32(small)
	fillInt64(number)
	fillString(text)
	fillPointer(pointer, users)
	fillStruct(structs)
	fillInterface(mixed, boxed)
	fillFloat(float)
	fillWide(large)
	fillReflected(reflect.ValueOf(reflected), values)
	for _, function := range []string{
		"fillInt32", "fillInt64", "fillString", "fillPointer", "fillStruct", "fillInterface", "fillFloat", "fillWide", "fillReflected",
	} {
		tellSite(function, site{writes: filled + 1, net: filled})
		tellMap(function, 1, filled, growths(filled))
	}
}

// The goroutines of the scene parallel, and the entries of the map of each.
const (
	writers = 4
	each    = 2000
)

// common is a map that all of them write to, one at a time, and the largest
// length that it had.
var common struct {
	sync.Mutex
	m   map[int64]int64
	max int
}

//go:noinline
func insertCommon(m map[int64]int64, key int64) { m[key] = key }

//go:noinline
func removeCommon(m map[int64]int64, key int64) { delete(m, key) }

// changeCommon adds two entries and takes one out again, often.
func changeCommon(from int64) {
	for key := from; key < from+each; key += 2 {
		common.Lock()
		insertCommon(common.m, key)
		insertCommon(common.m, key+1)
		if n := len(common.m); n > common.max {
			common.max = n
		}
		removeCommon(common.m, key)
		common.Unlock()
	}
}

//go:noinline
func fillParallel(m map[int64]int64) {
	for i := int64(0); i < each; i++ {
		m[i] = i
	}
}

func parallel() {
	common.m = map[int64]int64{}
	var group sync.WaitGroup
	for i := int64(0); i < writers; i++ {
		m, from := map[int64]int64{}, i*each
		keep(m)
		group.Add(1)
		go func() {
			defer group.Done()
			fillParallel(m)
			changeCommon(from)
		}()
	}
	group.Wait()
	const half = writers * each / 2
	tellSite("insertCommon", site{writes: 2 * half, net: 2 * half})
	tellSite("removeCommon", site{deletes: half, net: -half})
	tellMap("insertCommon", 1, common.max, -1)
	tellSite("fillParallel", site{writes: writers * each, net: writers * each})
	tellMap("fillParallel", writers, each, -1)
}
