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

//go:noinline
func fillParallel(m map[int64]int64) {
	for i := int64(0); i < each; i++ {
		m[i] = i
	}
}

func parallel() {
	var group sync.WaitGroup
	for i := 0; i < writers; i++ {
		m := map[int64]int64{}
		keep(m)
		group.Add(1)
		go func() {
			defer group.Done()
			fillParallel(m)
		}()
	}
	group.Wait()
	tellSite("fillParallel", site{writes: writers * each, net: writers * each})
	tellMap("fillParallel", writers, each, -1)
}
